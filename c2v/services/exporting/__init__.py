"""Moments as what other programs read: playlists, edits for video editors, and a contact sheet.

``exported`` gives the bytes of a file; nothing is written. What editors need and a library does
not hold (frame rates, sound, time codes) is read from the files; a file that cannot be read is
left out, and said to be. A playlist opens no file at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

from c2v.errors import UsageError
from c2v.nearest import one_of

if TYPE_CHECKING:
    from c2v.search.results import Moment

Kind = Literal["m3u", "m3u-vlc", "edl", "fcpxml", "otio", "html"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def exported(
    moments: Sequence[Moment], kind: Kind, *, title: str, on_problem: Callable[[str], None]
) -> bytes:
    """The content of a file with these moments, in their order.

    Args:
        moments: results of a search.
        kind: ``m3u`` for mpv, ``m3u-vlc`` for VLC, ``edl`` (CMX 3600), ``fcpxml`` (1.9), ``otio``
            (OpenTimelineIO), ``html`` (a page that needs nothing beside it).
        title: of the edit or the page.
        on_problem: told in a line of every file that was left out.

    Raises:
        UsageError: there is no such kind.
    """
    if kind in ("m3u", "m3u-vlc"):
        from c2v.services.exporting import playlists

        return playlists.for_mpv(moments) if kind == "m3u" else playlists.for_vlc(moments)
    if kind == "html":
        from c2v.services.exporting.contact_sheet import contact_sheet

        return contact_sheet(moments, title, on_problem)
    from c2v.services.exporting.clips import clips_of

    if kind == "edl":
        from c2v.services.exporting.edl import edl

        return edl(clips_of(moments, on_problem), title)
    if kind == "fcpxml":
        from c2v.services.exporting.fcpxml import fcpxml

        return fcpxml(clips_of(moments, on_problem), title)
    if kind == "otio":
        from c2v.services.exporting.otio import otio

        return otio(clips_of(moments, on_problem), title)
    raise UsageError(f"there is no format {kind}", hint=one_of(kind, KINDS))
