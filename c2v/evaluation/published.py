"""Published results, to stand beside one's own: R@1, R@5, R@10, median and mean rank.

Every row was read in its source, or in a table of a later paper that quotes it (``quoted``). None
of them is a run of c2v. CLIP4Clip's and CLIP2Video's rows were measured each by its own protocol:
they say something of a result that was measured so too (``c2v evaluate --protocol``), and of any
other one only with that remark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from c2v.evaluation.published_videos import ProtocolName

Figures = tuple[float | None, float | None, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One model on one benchmark; None where the source has no figure."""

    benchmark: str
    model: str
    source: str
    text_to_video: Figures
    video_to_text: Figures | None = None

    @property
    def protocol(self) -> Literal["clip4clip", "clip2video"]:
        """By which it was measured: that of the model's own paper."""
        return "clip2video" if self.model.startswith("CLIP2Video") else "clip4clip"

    def is_measured_like(self, protocol: ProtocolName) -> bool:
        """Whether it may stand beside a result of that protocol without a remark."""
        return self.protocol == protocol

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, under the names of c2v's own results."""
        names = ("R@1", "R@5", "R@10", "MdR", "MnR")
        content: dict[str, Any] = {
            "model": self.model,
            "source": self.source,
            "protocol": self.protocol,
        }
        for key in ("text_to_video", "video_to_text"):
            figures = getattr(self, key)
            content[key] = None if figures is None else dict(zip(names, figures, strict=True))
        return content


_C2V = "README of CryhanFang/CLIP2Video"
_QUOTED = "CLIP4Clip (Luo et al. 2021), as quoted by later papers"
_VIT = "ViT-B/32"

ROWS = (
    PublishedRow("msvd", f"CLIP2Video {_VIT}", _C2V,
        (47.0, 76.8, 85.9, 2, 9.6), (58.7, 85.6, 91.6, 1, 4.3)),
    PublishedRow("msvd", f"CLIP4Clip meanP {_VIT}", _QUOTED, (46.2, 76.1, 84.6, 2, 10.0)),
    PublishedRow("msvd", f"CLIP4Clip seqTransf {_VIT}", _QUOTED,
        (45.2, 75.5, 84.3, 2, 10.3), (62.0, 87.3, 92.6, 1, 4.3)),
    PublishedRow("msrvtt-9k", f"CLIP2Video {_VIT}", _C2V,
        (45.6, 72.6, 81.7, 2, 14.6), (43.5, 72.3, 82.1, 2, 10.2)),
    PublishedRow("msrvtt-9k", f"CLIP4Clip meanP {_VIT}", _QUOTED,
        (43.1, 70.4, 80.8, 2, 16.2), (43.1, 70.5, 81.2, 2, 12.4)),
    PublishedRow("msrvtt-9k", f"CLIP4Clip seqTransf {_VIT}", _QUOTED, (44.5, 71.4, 81.6, 2, 15.3)),
    PublishedRow("msrvtt-9k", f"CLIP2Video {_VIT} + QB-Norm", "QB-Norm (Bogolin et al. 2022)",
        (47.2, 73.0, 83.0, None, None)),
    PublishedRow("msrvtt-full", f"CLIP2Video {_VIT}", _C2V,
        (29.8, 55.5, 66.2, 4, 45.5), (54.6, 82.1, 90.8, 1, 5.3)),
    PublishedRow("vatex", f"CLIP2Video {_VIT} (HGR split)", _C2V,
        (61.2, 90.9, 95.6, 1, 3.4), (77.9, 98.1, 99.1, 1, 1.6)),
    PublishedRow("vatex", f"CLIP2Video {_VIT} (its own random split)", _C2V,
        (57.3, 90.0, 95.5, 1, 3.6), (76.0, 97.7, 99.9, 1, 1.5)),
    PublishedRow("lsmdc", f"CLIP4Clip seqTransf {_VIT}", _QUOTED, (22.6, 41.0, 49.1, 11, 61.0)),
    PublishedRow("activitynet", f"CLIP4Clip seqTransf {_VIT}", _QUOTED, (40.5, 72.4, 83.6, 2, 7.5)),
    PublishedRow("didemo", f"CLIP4Clip meanP {_VIT}", _QUOTED,
        (43.4, 70.2, 80.6, 2, 17.5), (42.5, 70.6, 80.2, 2, 11.6)),
    PublishedRow("didemo", f"CLIP4Clip seqTransf {_VIT}", _QUOTED, (42.8, 68.5, 79.2, 2, 18.9)),
)  # fmt: skip


def published_rows(benchmark: str) -> tuple[PublishedRow, ...]:
    """What was published for a benchmark; nothing for a file of one's own."""
    return tuple(row for row in ROWS if row.benchmark == benchmark)
