"""The edit decision list CMX 3600: the oldest notation of a cut, which every editor reads.

An event is a number, a reel, the tracks, a cut, and four time codes: in and out of the source, at
its own rate and from its own time code on, then in and out of the edit, which runs at the rate of
the first clip from one hour on. A reel has room for eight characters, so the file is named in
remarks: ``FROM CLIP NAME``, and ``SOURCE FILE`` with the address.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from c2v.services.exporting.clips import EditClip, drops, nominal, timecode
from c2v.services.exporting.names import file_uri, readable

_MOST_EVENTS = 999
"""Numbers of events have three digits; editors read longer ones as well."""


def edl(clips: Sequence[EditClip], title: str) -> bytes:
    """The clips one after the other."""
    rate = clips[0].source.rate if clips else Fraction(25)
    mode = "DROP FRAME" if drops(rate) else "NON-DROP FRAME"
    lines = [f"TITLE: {readable(title)[:70]}", f"FCM: {mode}", ""]
    hour = _hour(rate)
    moment = Fraction(0)
    for number, clip in enumerate(clips, start=1):
        lines += _event(number, clip, rate, hour, moment)
        moment += clip.seconds
    return "\n".join(lines).encode()


def _event(number: int, clip: EditClip, rate: Fraction, hour: int, at: Fraction) -> list[str]:
    source = clip.source
    first, last = source.first_frame + clip.first, source.first_frame + clip.last
    begins, ends = hour + round(at * rate), hour + round((at + clip.seconds) * rate)
    codes = [timecode(frame, source.rate) for frame in (first, last)]
    codes += [timecode(frame, rate) for frame in (begins, max(begins + 1, ends))]
    tracks = "B" if source.channels else "V"
    return [
        f"{number:03d}  AX       {tracks:<5} C        {' '.join(codes)}",
        f"* FROM CLIP NAME: {source.name}",
        f"* SOURCE FILE: {file_uri(source.path)}",
        "",
    ]


def _hour(rate: Fraction) -> int:
    """The frame at which the time code shows one hour."""
    whole = 3600 * nominal(rate)
    return whole - 54 * (nominal(rate) // 15) if drops(rate) else whole
