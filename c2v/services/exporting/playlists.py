"""Playlists that start at the moments.

The M3U of every player is a list of files with remarks (``#EXTINF``). Where to start is a matter of
the player: VLC obeys ``#EXTVLCOPT:start-time`` and ``stop-time`` remarks. mpv takes no options from
a playlist, for safety; but an entry may be an ``edl://`` address, its own notation for a part of a
file (file, start, length, each with a length in bytes where it holds commas). mpv opens such
entries only of a playlist that it is given as one: ``mpv --playlist=-``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2v.services.exporting.names import file_uri, name_of
from c2v.services.playing import seconds_text

if TYPE_CHECKING:
    from c2v.search.results import Moment


def for_mpv(moments: Sequence[Moment]) -> bytes:
    """``c2v search x -f m3u | mpv --playlist=-`` plays each moment."""
    lines = ["#EXTM3U"]
    for moment in moments:
        lines += [_remark(moment), _edl_address(moment)]
    return _text(lines)


def _edl_address(moment: Moment) -> str:
    # The address is ASCII, so its length in bytes is that in characters.
    file = file_uri(moment.path)
    start, length = seconds_text(moment.start), seconds_text(moment.end - moment.start)
    return f"edl://%{len(file)}%{file},start={start},length={length}"


def for_vlc(moments: Sequence[Moment]) -> bytes:
    """``c2v search x -f m3u-vlc > found.m3u; vlc found.m3u``."""
    lines = ["#EXTM3U"]
    for moment in moments:
        lines += [
            _remark(moment),
            f"#EXTVLCOPT:start-time={seconds_text(moment.start)}",
            f"#EXTVLCOPT:stop-time={seconds_text(moment.end)}",
            file_uri(moment.path),
        ]
    return _text(lines)


def _remark(moment: Moment) -> str:
    # Two commas: VLC takes what stands between the first and a second one for an artist.
    return f"#EXTINF:{max(1, round(moment.end - moment.start))},,{name_of(moment.path)}"


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
