"""Second opinion of a cross encoder: the top of a list, put in a new order pair by pair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.heads import SplitHead
from c2v.encoder.padding import pad
from c2v.errors import UsageError
from c2v.library import SegmentRow, Store


def rerank(
    library: Store,
    bundle: Bundle,
    text_feature: NDArray[np.float32],
    ranked: list[tuple[float, SegmentRow]],
) -> list[tuple[float, SegmentRow]]:
    """Order segments by the logits of tightTransf (CLIP4Clip, "tight type").

    Args:
        text_feature: [D] the text as the text tower gives it, not normalised.
        ranked: cosines of the meanP list and their segments. The cosines stay as they are; they
            do not descend any more.

    Raises:
        UsageError: the model's head scores by inner product and has no pairwise part.
    """
    head = bundle.head
    if bundle.config.head.type != "tightTransf" or not isinstance(head, SplitHead):
        kind = bundle.config.head.type
        raise UsageError(
            f"--rerank: {bundle.name} has a {kind} head, only tightTransf scores pairs",
            hint="leave --rerank out",
        )
    if not ranked:
        return ranked
    features = library.features([segment.segment_id for _, segment in ranked])
    frames = [features[segment.segment_id][1] for _, segment in ranked]
    padded, mask = pad(frames)
    texts = np.repeat(text_feature[None], len(frames), axis=0)
    logits = head.torch_head.score_pairs(texts, padded, mask)
    return [ranked[row] for row in np.argsort(-logits, kind="stable")]
