"""A part of a video encoded again: it begins and ends with the asked picture and sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from c2v.errors import MediaError
from c2v.media.seeking import INTERLEAVED_SECONDS, Stream, seek_before

if TYPE_CHECKING:
    from av.container import OutputContainer

    from c2v.media.containers import OpenVideo
    from c2v.media.probe import VideoInfo

_VIDEO, _SOUND = "libx264", "aac"
_QUALITY = {"preset": "medium", "crf": "18"}
"""Not to be told from the source by eye."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
"""Of the encoder, by the number of channels; many files do not name theirs."""
_HALF = 0.5
"""Of a picture: times are rounded on their way."""


def encode_part(
    video: OpenVideo,
    info: VideoInfo,
    out: OutputContainer,
    streams: list[Stream],
    span: tuple[float, float],
) -> None:
    """Encode ``span`` of ``streams`` (the film first); subtitles are copied."""
    start, end = (info.start_seconds + seconds for seconds in span)
    slack = _HALF / (info.frame_rate or 25.0)
    makers: dict[int, _Pictures | _Sound | _Lines] = {}
    for stream in streams:
        if stream.type == "video":
            makers[stream.index] = _Pictures(out, stream, info, start - slack, end - slack, start)
        elif stream.type == "audio":
            makers[stream.index] = _Sound(out, stream, start, end)
        else:
            makers[stream.index] = _Lines(out, stream, start, end)
    beyond = end + INTERLEAVED_SECONDS
    seek_before(video, start)
    for packet in video.container.demux(streams):
        maker = makers[packet.stream.index]
        if not maker.is_done:
            maker.take(packet)
        elif packet.stream.type == "video" and (packet.dts or 0) * packet.time_base > beyond:
            break
    for maker in makers.values():
        maker.finish()
    pictures = makers[video.stream.index]
    if not pictures.count:
        raise MediaError("no picture of it can be read")


class _Pictures:
    """The film."""

    def __init__(
        self, out: Any, stream: Stream, info: VideoInfo, first: float, last: float, zero: float
    ) -> None:
        import av

        self._out, self._first, self._last, self._zero = out, first, last, zero
        self.is_done = False
        self.count = 0
        rate = stream.average_rate or stream.guessed_rate or 25
        made = out.add_stream(_VIDEO, rate=rate, options=dict(_QUALITY))
        source = stream.codec_context
        made.width, made.height = source.width, source.height
        made.pix_fmt = _pixel_format(source)
        made.codec_context.time_base = stream.time_base
        if stream.sample_aspect_ratio:
            made.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(made.codec_context, name, getattr(source, name))
        if info.rotation:
            made.set_display_rotation(-info.rotation)  # libavutil counts anticlockwise
        self._made = made
        self._none = av.video.frame.PictureType.NONE

    def take(self, packet: Any) -> None:
        for frame in packet.decode():
            if frame.time is None or frame.time < self._first:
                continue
            if frame.time >= self._last and self.count:
                self.is_done = True
                return
            self._encode(frame)

    def _encode(self, frame: Any) -> None:
        picture = frame
        if frame.format.name != self._made.pix_fmt:
            picture = frame.reformat(format=self._made.pix_fmt)
        picture.time_base = self._made.codec_context.time_base
        picture.pts = max(0, round((frame.time - self._zero) / picture.time_base))
        picture.pict_type = self._none
        self._out.mux(self._made.encode(picture))
        self.count += 1

    def finish(self) -> None:
        if self.count:
            self._out.mux(self._made.encode(None))


class _Sound:
    """One track of sound, cut at the very sample."""

    def __init__(self, out: Any, stream: Stream, start: float, end: float) -> None:
        import av

        self._out, self._start, self._end = out, start, end
        self.is_done = False
        self.count = 0
        rates = av.Codec(_SOUND, "w").audio_rates or [48000]
        rate = stream.rate if stream.rate in rates else 48000
        layout = _LAYOUTS.get(stream.channels, "stereo")
        self._made = out.add_stream(_SOUND, rate=rate, layout=layout)
        self._to = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        self._rate = rate

    def take(self, packet: Any) -> None:
        for frame in packet.decode():
            for piece in self._to.resample(frame):
                self._encode(piece)
                if self.is_done:
                    return

    def _encode(self, piece: Any) -> None:
        import av

        begins = float(piece.time)
        first = max(0, round((self._start - begins) * self._rate))
        last = min(piece.samples, round((self._end - begins) * self._rate))
        self.is_done = last < piece.samples
        if first >= last:
            return
        kept = np.ascontiguousarray(piece.to_ndarray()[:, first:last])
        frame = av.AudioFrame.from_ndarray(kept, format="fltp", layout=piece.layout.name)
        frame.sample_rate = self._rate
        frame.pts = round((begins - self._start) * self._rate) + first
        self._out.mux(self._made.encode(frame))
        self.count += last - first

    def finish(self) -> None:
        if self.count:
            self._out.mux(self._made.encode(None))


class _Lines:
    """Subtitles, copied: what is shown at some time of the part."""

    def __init__(self, out: Any, stream: Stream, start: float, end: float) -> None:
        self._out, self._start, self._end = out, start, end
        self.is_done = False
        self.count = 0
        self._made = out.add_stream_from_template(stream)

    def take(self, packet: Any) -> None:
        if packet.pts is None:
            return
        base = packet.time_base
        begins = float(packet.pts * base)
        ends = begins + float((packet.duration or 0) * base)
        if begins >= self._end:
            self.is_done = True
        elif ends > self._start:
            first, last = max(begins, self._start), min(ends, self._end)
            packet.pts = packet.dts = round((first - self._start) / base)
            packet.duration = max(1, round((last - first) / base))
            packet.stream = self._made
            self._out.mux(packet)
            self.count += 1

    def finish(self) -> None:
        """Nothing is held back."""


def _pixel_format(source: Any) -> str:
    """That of the source where the encoder has it; else one that loses no more than it must."""
    import av

    formats = {one.name for one in av.Codec(_VIDEO, "w").video_formats or ()}
    if source.pix_fmt in formats:
        return str(source.pix_fmt)
    return "yuv444p" if source.width % 2 or source.height % 2 else "yuv420p"
