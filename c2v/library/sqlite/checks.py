"""What may enter a library: shapes and finiteness, refused before a transaction begins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError
from c2v.library.records import ModelRecord, SegmentData


def check_segment(segment: SegmentData, model: ModelRecord, path: str) -> None:
    """Refuse a segment whose shapes are not the model's, or whose numbers are not finite.

    Raises:
        C2VError: names the file, what was got and what was expected.
    """
    frames = segment.times.shape[0] if segment.times.ndim == 1 else 0
    got = (segment.times.shape, segment.features.shape, segment.vector.shape)
    wanted = ((frames,), (frames, model.feature_dim), (model.vector_dim,))
    if frames == 0 or got != wanted:
        raise C2VError(
            f"{path}: a segment has times, features and vector of shapes {got}; model "
            f"{model.name} needs [T], [T, {model.feature_dim}] and [{model.vector_dim}], T >= 1"
        )
    finite = np.isfinite(segment.features).all() and np.isfinite(segment.times).all()
    if not (finite and np.isfinite(segment.vector).all()):
        raise C2VError(f"{path}: model {model.name} gave numbers that are not finite")


def check_vectors(
    segment_ids: NDArray[np.int64], vectors: NDArray[Any], model: ModelRecord
) -> None:
    """Refuse head vectors that are not [N, V] and finite.

    Raises:
        C2VError: says what was got and what was expected.
    """
    wanted = (len(segment_ids), model.vector_dim)
    if vectors.shape != wanted:
        raise C2VError(f"model {model.name} gave vectors of shape {vectors.shape}, not {wanted}")
    if not np.isfinite(vectors).all():
        raise C2VError(f"model {model.name} gave vectors that are not finite")


def check_queries(queries: NDArray[Any], model: ModelRecord) -> NDArray[np.float32]:
    """Queries as a contiguous float32 array [Q, V].

    Raises:
        LibraryError: of another size than the library's vectors.
        C2VError: not finite.
    """
    if queries.ndim != 2 or queries.shape[1] != model.vector_dim:
        raise LibraryError(
            f"queries have the shape {queries.shape}; the library holds vectors of "
            f"{model.vector_dim} numbers, by model {model.name}",
            hint=f"search with --model {model.name}",
        )
    if not np.isfinite(queries).all():
        raise C2VError("a query vector has numbers that are not finite")
    return np.ascontiguousarray(queries, dtype=np.float32)
