"""What an indexing run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from c2v.config import SETTINGS, DecoderName, Settings
from c2v.media.containers import MOST_MEGAPIXELS
from c2v.media.sampling import Exactness, Sampling
from c2v.media.segments import SegmentMode


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """How a run looks for videos and reads them."""

    exclude: tuple[str, ...] = ()
    hidden: bool = False
    segment: SegmentMode | None = None
    """None keeps what a video was indexed with; a new video gets ``auto``."""
    exactness: Exactness = "exact"
    """Of new videos, and with ``segment`` of all."""
    decoder: DecoderName = "auto"
    workers: int | None = None
    """Decoding threads; None is one a core."""
    batch_size: int = 32
    """Frames a call of the image tower."""
    prune: bool = False
    """Drop videos below the given folders that are no longer on disk; without being asked where
    only the file is gone, after asking where its whole folder is (see :data:`ConfirmPrune`)."""
    retry_failed: bool = False
    """Try files again that failed before and have not changed since."""
    max_megapixels: float = MOST_MEGAPIXELS
    """Files with larger pictures are refused: they cost gigabytes of memory."""
    subtitles: bool = True
    """Read subtitles, beside videos and in them."""
    reread: bool = False
    """Read every file below the given folders again; each replaces what the library holds of it."""

    @classmethod
    def from_settings(cls, settings: Settings, *, segment_is_chosen: bool = False) -> IndexOptions:
        """The options that settings come to; for more use ``dataclasses.replace``.

        Args:
            settings: ``decoder`` and ``segment`` count.
            segment_is_chosen: it was asked for in this command: then ``auto``, too, is a wish and
                not the default.

        Raises:
            UsageError: ``settings.segment`` is no way to cut a video.
        """
        chosen = segment_is_chosen or settings.segment != SETTINGS["segment"].default
        return cls(
            segment=SegmentMode.parse(settings.segment) if chosen else None,
            decoder=settings.decoder,
        )

    @property
    def sampling(self) -> Sampling | None:
        """The one asked for; None keeps what a video was indexed with."""
        return Sampling(self.segment, self.exactness) if self.segment else None

    @property
    def sampling_of_new(self) -> Sampling:
        """How a video is sampled that the library does not have."""
        return Sampling(self.segment or SegmentMode(), self.exactness)
