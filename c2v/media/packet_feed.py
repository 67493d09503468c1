"""Read ahead in the packets of one video stream, so that the decoder is given only what it needs.

Three things make sparse reading fast, and all three need packets to be seen before they are
decoded: jump to a later group of pictures through the file's index; drop whole groups that hold no
wanted picture; and tell the decoder which single picture of a group is wanted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.packet import Packet
    from av.video.stream import VideoStream

    from c2v.media.containers import OpenVideo

_MOST_QUEUED_BYTES = 48 * 1024 * 1024
_MOST_READ_ERRORS = 64
_DEEPEST_REORDER = 17
"""H.264 and HEVC hold back at most 16 pictures, so that many later packets settle a question."""

_BACK_OFF_SECONDS = (0.0, 1.0, 4.0, 16.0)


class PacketFeed:
    """A look-ahead queue over one stream. Times are ticks of the stream's time base.

    `wanted` are the asked times in ticks, ascending. `seen` are the presentation times of the
    packets read since the last jump, ascending; they are contiguous. With `lacks_pts` the file only
    says when packets are decoded (AVI with reordered pictures): the same times, in another order.
    """

    def __init__(self, video: OpenVideo, *, seekable: bool, wanted: Sequence[int]) -> None:
        is_avi = video.container.format.name == "avi"
        self.lacks_pts = is_avi and video.stream.codec_context.reorder_depth > 0
        self._container = video.container
        self._stream: VideoStream = video.stream
        self._wanted = wanted
        self._seekable = seekable
        self._packets: Iterator[Packet[VideoStream]] | None = None
        if video.read:
            self._packets = chain(video.read, video.container.demux(video.stream))
        self._queued_bytes = 0
        self._newest: int | None = None  # decoding time of the last packet read
        self._jumped_for: int | None = None
        self._trusts_keyframes = True
        self._longest_group = 0
        self._group_start: int | None = None
        self._errors = 0
        self.queue: deque[Packet[VideoStream]] = deque()
        self.seen: list[int] = []
        self.is_from_start = True
        self.is_ended = False
        self.read_errors: list[int | None] = []
        """Newest time before each failed read that the decoder has not heard of yet."""
        if seekable and video.container.format.name.startswith("matroska"):
            # Matroska's index stands at the end of the file and is only loaded by a jump.
            self._jump(self._first_tick())

    # -- reading ---------------------------------------------------------------------------------

    def pull(self) -> bool:
        """Read one packet into the queue; False at the end of the file."""
        import av

        while not self.is_ended:
            if self._packets is None:
                self._packets = self._container.demux(self._stream)
            try:
                packet = next(self._packets)
            except StopIteration:
                break
            except (av.FFmpegError, ValueError):
                # Damaged container data; the demuxer usually finds its way again.
                self._packets = None
                self._errors += 1
                self.read_errors.append(self._newest)
                if self._errors > _MOST_READ_ERRORS:
                    break
                continue
            if packet.size == 0 and packet.dts is None:
                break  # PyAV's marker for the end
            self._take(packet)
            return True
        self.is_ended = True
        return False

    def _take(self, packet: Packet[VideoStream]) -> None:
        self.queue.append(packet)
        self._queued_bytes += packet.size
        if packet.dts is not None:
            self._newest = packet.dts if self._newest is None else max(self._newest, packet.dts)
        stamp = packet.dts if self.lacks_pts else packet.pts
        if stamp is not None and packet.size and not packet.is_discard:
            insort(self.seen, stamp)
        if packet.is_keyframe and packet.pts is not None:
            if self._group_start is not None:
                self._longest_group = max(self._longest_group, packet.pts - self._group_start)
            self._group_start = packet.pts

    def pop(self) -> Packet[VideoStream]:
        """The next packet in decoding order."""
        packet = self.queue.popleft()
        self._queued_bytes -= packet.size
        return packet

    # -- questions -------------------------------------------------------------------------------

    def is_settled(self, tick: int) -> bool:
        """True when no packet still to be read can be shown at or before `tick`."""
        if self.is_ended or (self._newest is not None and self._newest > tick):
            return True
        return len(self.seen) - bisect_right(self.seen, tick) >= _DEEPEST_REORDER

    def shown_at(self, tick: int) -> int | None:
        """Presentation time of the picture on screen at `tick`, among the packets seen."""
        position = bisect_right(self.seen, tick)
        return self.seen[position - 1] if position else None

    def is_wanted(self, packet: Packet[VideoStream]) -> bool:
        """True when a wanted time falls while this packet's picture is on screen.

        Reads ahead until that is certain, a few packets as a rule.
        """
        if packet.pts is None:
            return True
        if packet.is_discard:
            return False
        position = bisect_left(self._wanted, packet.pts)
        if position == len(self._wanted):
            return False
        tick = self._wanted[position]
        while True:
            shown = self.shown_at(tick)
            if shown is not None and shown > packet.pts:
                return False
            if self.is_settled(tick) or not (self._has_room() and self.pull()):
                return True

    def _has_room(self) -> bool:
        return self._queued_bytes < _MOST_QUEUED_BYTES

    # -- moving ----------------------------------------------------------------------------------

    def approach(self, tick: int) -> bool:
        """Move towards `tick` without decoding, as far as a later group of pictures allows.

        True when packets were left out: the decoder must then forget what it holds.
        """
        jumped = self.can_jump(tick) and self._jump_before(tick)
        dropped = False
        scanned = 0
        while True:
            dropped = self._drop_to_keyframe(tick, scanned) or dropped
            scanned = len(self.queue)
            if self.is_settled(tick) or not (self._has_room() and self.pull()):
                return jumped or dropped

    def can_jump(self, tick: int) -> bool:
        """True when a jump saves reading: a group between here and `tick` starts further on."""
        if not self._seekable or tick == self._jumped_for:
            return False
        entries = self._stream.index_entries
        # Matroska has no decoding times: the greatest presentation time read is as good here.
        here = max(self.seen[-1:] + ([] if self._newest is None else [self._newest]), default=None)
        here = self._first_tick() if here is None else here
        if tick <= here:
            return False
        if len(entries):
            position = entries.search_timestamp(tick, backward=True)
            return position >= 0 and entries[position].timestamp > here
        return tick - here > max(2 * self._longest_group, self._ticks(2.0))

    def keyframe_near(self, tick: int) -> int:
        """Where to look for the keyframe nearest to `tick`: by the index, else `tick` itself.

        An index holds decoding times, a few frames before the presentation time that is meant.
        """
        entries = self._stream.index_entries
        if not (self._seekable and len(entries)):
            return tick
        found = (entries.search_timestamp(tick, backward=back) for back in (True, False))
        stamps = [entries[position].timestamp for position in found if position >= 0]
        return min(stamps, key=lambda stamp: abs(stamp - tick), default=tick)

    def _drop_to_keyframe(self, tick: int, scanned: int) -> bool:
        """Drop the queued packets before the last keyframe that is shown at or before `tick`."""
        if self.lacks_pts or not self._trusts_keyframes:
            return False
        for position in range(len(self.queue) - 1, max(scanned, 1) - 1, -1):
            packet = self.queue[position]
            is_start = packet.is_keyframe and not packet.is_discard and packet.pts is not None
            if is_start and packet.pts is not None and packet.pts <= tick:
                for _ in range(position):
                    self.pop()
                self.is_from_start = False
                return True
        return False

    def _jump_before(self, tick: int) -> bool:
        """Jump to a keyframe shown at or before `tick`; an open group can need a second try."""
        self._jumped_for = tick
        for seconds in _BACK_OFF_SECONDS:
            if not self._jump(max(tick - self._ticks(seconds), self._first_tick())):
                break
            while not any(packet.is_keyframe for packet in self.queue) and self.pull():
                pass
            key = next((packet for packet in self.queue if packet.is_keyframe), None)
            if key is not None and key.pts is not None and key.pts <= tick:
                self.is_from_start = False
                return True
        self._seekable = False
        self._jump(self._first_tick())
        return True

    def _jump(self, tick: int) -> bool:
        import av

        self.forget()
        try:
            self._container.seek(tick, stream=self._stream, backward=True)
        except av.FFmpegError:
            return False
        self.is_from_start = tick <= self._first_tick()
        return True

    def restart(self) -> None:
        """Go back to the first packet and leave none out: the keyframe marks are wrong."""
        self._trusts_keyframes = False
        self._seekable = False
        self._jump(self._first_tick())
        self.is_from_start = True

    def forget(self) -> None:
        self._packets = None
        self.queue.clear()
        self.seen.clear()
        self._queued_bytes = 0
        self._newest = None
        self._group_start = None
        self.is_ended = False

    def _first_tick(self) -> int:
        return self._stream.start_time or 0

    def _ticks(self, seconds: float) -> int:
        return round(seconds / float(self._stream.time_base or 1))
