"""The picture on screen at a time: PyAV's packets and pictures put together (see packet_feed)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from c2v.media.packet_feed import PacketFeed

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from c2v.media.containers import OpenVideo
    from c2v.media.probe import VideoInfo

HOLD_SECONDS = 1.0
"""The last picture is believed to stay on screen this long after its own end, no longer: beyond it
the file was cut off."""

_LEANS_ON_OTHERS = frozenset({2, 3})
"""AVPictureType P and B: never the type of a true keyframe (0 is unknown, 1 is I)."""

Why = Literal["damaged", "ended"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture and its presentation time in ticks."""

    tick: int
    frame: VideoFrame


class PictureReader:
    """Gives the picture for each asked time, ascending.

    Correctness rests on three facts. The picture at t is the one with the greatest presentation
    time <= t, known from the packets before any is decoded. A picture that no other refers to
    (`skip_frame=NONREF`) can be left undecoded without changing any other picture. A group of
    pictures that starts with a keyframe shown at or before t is enough to decode the picture at t,
    even when the group is open.
    """

    def __init__(self, video: OpenVideo, info: VideoInfo, *, times: Sequence[float]) -> None:
        self._info = info
        self._context = video.stream.codec_context
        self._time_base = float(video.stream.time_base or 1)
        self.ticks = [self.tick(seconds) for seconds in times]
        self._feed = PacketFeed(video, seekable=info.seekable, wanted=self.ticks)
        self._pictures: deque[Picture] = deque()
        self._damaged_from: int | None = None
        self._damage: list[tuple[int, int]] = []
        self._counted = 0
        # AVI only has decoding times. They rise evenly, so the n-th picture shown has the n-th.
        self._stamps: list[int] = []
        self._is_drained = False
        self._keyframe: Picture | None = None
        self._entry: int | None = None  # where decoding began after a jump: must be a keyframe
        self._can_skip = info.seekable
        self._frame_ticks = max(1, round(1 / (info.frame_rate or 25.0) / self._time_base))

    def tick(self, seconds: float) -> int:
        """Ticks of the stream's clock at a time of playback."""
        # A microsecond, or half a tick: the time of a picture, rounded, must still be that picture.
        slack = min(0.5, 1e-6 / self._time_base)
        return math.floor((seconds + self._info.start_seconds) / self._time_base + slack)

    def seconds(self, tick: int) -> float:
        """Time of playback of a tick."""
        return tick * self._time_base - self._info.start_seconds

    def picture_at(self, tick: int) -> Picture | Why:
        """The picture on screen at `tick`, or why it cannot be had. Ask in ascending order."""
        while True:
            answer = self._answer(tick)
            if answer is not None:
                return answer
            if self._feed.approach(tick):
                self._forget()
            if not self._step():
                return self._last_answer(tick)

    def keyframe_near(self, tick: int, *, reach_seconds: float) -> Picture | None:
        """The keyframe nearest to `tick`, if one lies within reach and decodes.

        Costs one decoded picture. Its packet stays at the head of the queue, so that an exact
        answer can follow. Without an index the nearest one before `tick` is taken.
        """
        feed = self._feed
        meant = feed.keyframe_near(tick)
        # Decoding times run a few frames ahead of presentation times.
        ahead, reach = 4 * self._frame_ticks, round(reach_seconds / self._time_base)
        if abs(meant - tick) > reach:
            return None  # before moving: there is no way back to what lies before `meant`
        if feed.approach(meant if meant == tick else meant + ahead):
            self._forget()
        key = feed.queue[0] if feed.queue else None
        if key is None or key.pts is None or not key.is_keyframe or key.is_discard:
            return None
        if feed.lacks_pts or abs(key.pts - tick) > reach + ahead:
            return None
        if self._keyframe is None or self._keyframe.tick != key.pts:
            self._keyframe = self._decode_alone(key)
        return self._keyframe

    def _decode_alone(self, key: Packet[VideoStream]) -> Picture | None:
        import av

        self._forget()
        self._context.skip_frame = "DEFAULT"
        frames: list[VideoFrame] = []
        # A damaged keyframe is reported by the exact answer that is asked for next.
        with suppress(av.FFmpegError, ValueError):
            frames = [*self._context.decode(key), *self._context.decode(None)]
        self._context.flush_buffers()
        is_whole = bool(frames) and not frames[0].is_corrupt
        is_whole = is_whole and frames[0].pict_type not in _LEANS_ON_OTHERS
        return Picture(key.pts or 0, frames[0]) if is_whole else None

    # -- answers ---------------------------------------------------------------------------------

    def _answer(self, tick: int) -> Picture | Why | None:
        """The answer if the pictures decoded so far hold it, None while it is still to come."""
        pictures = self._pictures
        while len(pictures) >= 2 and pictures[1].tick <= tick:
            pictures.popleft()
        if not pictures:
            return None
        first = pictures[0]
        is_settled = self._feed.is_settled(tick)
        shown = self._feed.shown_at(tick) if is_settled else None
        if first.tick > tick:
            return self._before_first(first, tick)
        if len(pictures) >= 2:
            return self._checked(first, tick)
        # Of the last picture of all, `_last_answer` says how long it stays.
        is_last = self._feed.is_ended and self._feed.seen[-1:] == [shown]
        return self._checked(first, tick) if first.tick == shown and not is_last else None

    def _before_first(self, first: Picture, tick: int) -> Picture | Why:
        """Nothing is shown yet at `tick`: the first picture, unless earlier ones were lost."""
        shown = self._feed.shown_at(tick)
        if shown is None and self._feed.is_from_start:
            return first
        near = (first.tick - tick) * self._time_base <= HOLD_SECONDS
        return first if self._feed.is_from_start and near else "damaged"

    def _checked(self, picture: Picture, tick: int) -> Picture | Why:
        """A picture that leans on damaged data, or that hides a lost one, is no answer."""
        if self._is_damaged(tick):
            return self._damaged_or_ended(tick)
        shown = self._feed.shown_at(tick)
        # One and a half frames: some packets show nothing of their own (VP8's hidden references).
        if shown is not None and shown - picture.tick > 1.5 * self._frame_ticks:
            return "damaged"
        return picture

    def _last_answer(self, tick: int) -> Picture | Why:
        """Nothing more will come: the last picture stays for a while, then the file has ended."""
        if not self._pictures:
            return "damaged" if self._feed.seen and tick <= self._feed.seen[-1] else "ended"
        last = self._pictures[0]
        if self._is_damaged(tick):
            return self._damaged_or_ended(tick)
        stays = max(last.frame.duration or 0, self._frame_ticks) * self._time_base + HOLD_SECONDS
        if (tick - last.tick) * self._time_base > stays:
            return "ended"
        return self._checked(last, tick)

    def _damaged_or_ended(self, tick: int) -> Why:
        """Damage with nothing behind it is the place where the file was cut off."""
        is_end = self._feed.is_ended and self._feed.seen and tick > self._feed.seen[-1]
        return "ended" if is_end else "damaged"

    def _is_damaged(self, tick: int) -> bool:
        if self._damaged_from is not None and tick >= self._damaged_from:
            return True
        return any(start <= tick < end for start, end in self._damage)

    # -- decoding --------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Decode one packet, or at the end what the decoder still holds; False when all is done."""
        import av

        feed = self._feed
        if not feed.queue and not feed.pull():
            if self._is_drained:
                return False
            self._is_drained = True
            # What is missing at the end is reported by the caller, time by time.
            with suppress(av.FFmpegError, ValueError):
                self._keep(self._context.decode(None))
            return True
        packet = feed.pop()
        stamp = packet.pts if packet.pts is not None else packet.dts
        if feed.lacks_pts and packet.dts is not None and packet.size:
            self._stamps.append(packet.dts)
        self._note_read_errors()
        if packet.is_corrupt:
            # Something is missing inside or just before it (a transport stream's gap).
            before = feed.shown_at(stamp - 1) if stamp is not None else None
            self._note_damage(stamp if before is None else before + self._frame_ticks)
        is_whole = packet.is_keyframe and not packet.is_corrupt
        if is_whole and self._damaged_from is not None and stamp is not None:
            self._damage.append((self._damaged_from, stamp))
            self._damaged_from = None
        wanted = not self._can_skip or feed.is_wanted(packet)
        self._context.skip_frame = "DEFAULT" if wanted else "NONREF"
        try:
            self._keep(self._context.decode(packet))
        except (av.FFmpegError, ValueError):
            self._note_damage(stamp)
        return True

    def _keep(self, frames: Sequence[VideoFrame]) -> None:
        for frame in frames:
            tick = self._tick_of(frame)
            self._counted += 1
            is_first = self._entry is not None and tick >= self._entry
            self._entry = None if is_first else self._entry
            is_false_key = is_first and frame.pict_type in _LEANS_ON_OTHERS
            if not (frame.is_corrupt or is_false_key):
                self._pictures.append(Picture(tick, frame))
            elif not self._feed.is_from_start:
                # Some files mark pictures as keyframes that lean on earlier ones (green smears).
                # Only reading from the start gives them right.
                self._feed.restart()
                self._forget()
                return

    def _tick_of(self, frame: VideoFrame) -> int:
        if self._counted < len(self._stamps):
            return self._stamps[self._counted]
        if frame.pts is not None:
            return frame.pts
        # Raw streams have no clock: pictures come at the stream's rate.
        return self.tick(0.0) + self._counted * self._frame_ticks

    def _note_damage(self, stamp: int | None) -> None:
        if self._damaged_from is None:
            last = self._pictures[-1].tick + 1 if self._pictures else self.tick(0.0)
            self._damaged_from = last if stamp is None else stamp

    def _note_read_errors(self) -> None:
        for newest in self._feed.read_errors:
            self._note_damage(None if newest is None else newest + 1)
        self._feed.read_errors.clear()

    def _forget(self) -> None:
        """Packets were left out: what the decoder holds belongs to another place."""
        self._context.flush_buffers()
        self._pictures.clear()
        self._damaged_from = None
        self._is_drained = False
        is_entry = self._feed.queue and not self._feed.is_from_start
        self._entry = self._feed.queue[0].pts if is_entry else None
