"""ef: how much of the graph a search looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from c2v.library import HnswSettings, ModelRecord, open_store

from .conftest import segments, unit_rows, video

DIM = 64
MODEL = ModelRecord("wide", "head-1", "towers-1", feature_dim=8, vector_dim=DIM)


def test_a_higher_ef_finds_more(tmp_path: Path) -> None:
    queries = unit_rows(64, DIM, seed=1)
    found = {}
    with open_store(tmp_path / "library", create=True) as store:
        store.set_model(MODEL)
        store.put_video(video("/long.mp4"), segments(unit_rows(4000, DIM), frames=1))
        truth = store.nearest(queries, 10, strategy="exact").segment_ids
    for ef in (1, 1400):
        settings = HnswSettings(m=4, ef_construction=10, ef=ef)
        with open_store(tmp_path / "library", hnsw=settings) as store:
            near = store.nearest(queries, 10, strategy="hnsw")
        assert near.strategy == "hnsw"
        pairs = zip(near.segment_ids, truth, strict=True)
        found[ef] = np.mean([len(np.intersect1d(mine, right)) / 10 for mine, right in pairs])
    assert found[1400] > 0.95
    assert found[1] < 0.8
