"""A new head over old frames: vectors computed again from stored features, no video opened."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle import Bundle
from c2v.encoder.registry import find_bundle
from c2v.library import ModelRecord, Store

SEGMENTS_A_BATCH = 256


def model_record(bundle: Bundle) -> ModelRecord:
    """What a library notes of the encoder that fills it.

    The name is what finds the encoder again: of one that is not among the user's models, its
    folder.
    """
    known = find_bundle(bundle.name) == bundle.chosen_directory
    return ModelRecord(
        name=bundle.name if known else str(bundle.directory.resolve()),
        fingerprint=bundle.fingerprint,
        towers_fingerprint=bundle.towers_fingerprint,
        feature_dim=bundle.feature_dim,
        vector_dim=bundle.vector_dim,
    )


def reembed(library: Store, bundle: Bundle) -> list[str]:
    """Replace every head vector of ``library`` by ``bundle``'s, in one transaction.

    The towers must be the ones that made the features (the caller compares fingerprints).

    Returns:
        Paths of the videos of which segments got none, because their features are damaged:
        searches leave these out until the video is read again.
    """
    library.replace_vectors(model_record(bundle), _vectors(library, bundle))
    return library.paths_without_vector()


def _vectors(
    library: Store, bundle: Bundle
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    for batch in library.all_features(batch_size=SEGMENTS_A_BATCH):
        vectors = bundle.embed_segments(list(batch.features))
        yield batch.segment_ids, bundle.for_library(vectors)
