"""Going to a place in an open file from which everything after it can be decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c2v.errors import MediaError
from c2v.media.containers import OpenVideo

if TYPE_CHECKING:
    from av.container import InputContainer

Stream = Any
"""Of PyAV, of any kind: its stubs have no class for what all of them share."""
_STEPS_BACK = (0.0, 5.0, 30.0, 1e9)
"""Seconds before the moment to look for a picture to begin at; not every container has an index."""
INTERLEAVED_SECONDS = 5.0
"""Sound and subtitles lie this close to the pictures that they belong to."""


def seek_before(video: OpenVideo, clock: float) -> float:
    """Be before the last picture, at or before a time, from which decoding can begin.

    Times are those of the file's clock. Where no picture is that early, it is the first one.

    Returns:
        The time of that picture.

    Raises:
        MediaError: there is none.
    """
    for back in _STEPS_BACK:
        _seek(video.container, clock - back)
        found = _last_beginning(video, clock)
        if found is not None and (found <= clock or back == _STEPS_BACK[-1]):
            _seek(video.container, clock - back)
            return found
    raise MediaError("no picture near it can be read")


def _last_beginning(video: OpenVideo, clock: float) -> float | None:
    """The last picture to begin at that is not after a time, else the first one at all."""
    found = None
    for packet in video.container.demux(video.stream):
        if packet.pts is None:
            continue
        decoded = packet.pts if packet.dts is None else packet.dts
        if found is not None and float(decoded * packet.time_base) > clock:
            break
        if packet.is_keyframe and (found is None or seconds_of(packet) <= clock):
            found = seconds_of(packet)
    return found


def _seek(container: InputContainer, clock: float) -> None:
    import av

    earliest: int | None = container.start_time  # PyAV's stub forgets None
    container.seek(max(int(clock * av.time_base), earliest or 0), backward=True)


def seconds_of(packet: Any) -> float:
    """When a packet is shown, by the file's clock."""
    return float(packet.pts * packet.time_base)
