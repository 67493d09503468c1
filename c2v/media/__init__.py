"""Everything that touches a video file: find it, describe it, cut it, decode it.

Importing this package costs NumPy and the standard library; PyAV and decord load inside the
functions that use them.
"""

from __future__ import annotations

from c2v.media.decode import choose_decoder, decoder_names_available
from c2v.media.frames import Decoder, Frame, Frames
from c2v.media.identity import content_id
from c2v.media.picture import FrameShape
from c2v.media.probe import VideoInfo, probe
from c2v.media.sampled import Layout, SampledVideo, sample
from c2v.media.sampling import Exactness, Sampling
from c2v.media.scan import VIDEO_EXTENSIONS, FoundVideo, ScanProblem, scan
from c2v.media.segments import Segment, SegmentMode, plan_segments
from c2v.media.shots import find_cuts
from c2v.media.thumbnails import jpeg, thumbnail

__all__ = [
    "VIDEO_EXTENSIONS",
    "Decoder",
    "Exactness",
    "FoundVideo",
    "Frame",
    "FrameShape",
    "Frames",
    "Layout",
    "SampledVideo",
    "Sampling",
    "ScanProblem",
    "Segment",
    "SegmentMode",
    "VideoInfo",
    "choose_decoder",
    "content_id",
    "decoder_names_available",
    "find_cuts",
    "jpeg",
    "plan_segments",
    "probe",
    "sample",
    "scan",
    "thumbnail",
]
