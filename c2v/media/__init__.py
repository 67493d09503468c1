"""Everything that touches a video file: find it, describe it, cut it, decode it.

Importing this package costs NumPy and the standard library; PyAV and decord load inside the
functions that use them.
"""

from __future__ import annotations

from c2v.media.decode import choose_decoder, decoder_names_available
from c2v.media.frames import Decoder, Frame, Sampling
from c2v.media.identity import content_id
from c2v.media.picture import FrameShape
from c2v.media.probe import VideoInfo, probe
from c2v.media.scan import VIDEO_EXTENSIONS, FoundVideo, ScanProblem, scan
from c2v.media.segments import Segment, SegmentMode, plan_segments
from c2v.media.shots import find_cuts

__all__ = [
    "VIDEO_EXTENSIONS",
    "Decoder",
    "FoundVideo",
    "Frame",
    "FrameShape",
    "Sampling",
    "ScanProblem",
    "Segment",
    "SegmentMode",
    "VideoInfo",
    "choose_decoder",
    "content_id",
    "find_cuts",
    "decoder_names_available",
    "plan_segments",
    "probe",
    "scan",
]
