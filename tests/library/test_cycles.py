"""Any sequence of changes: the library equals a dict, and both strategies equal brute force."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from numpy.typing import NDArray

from c2v.library import HnswSettings, ModelRecord
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segment_ids, segments, unit_rows, video

PATHS = st.sampled_from([f"/films/{name}.mp4" for name in "abcdef"])
QUERIES = unit_rows(2, seed=123)


class Cycles(RuleBasedStateMachine):
    """Videos are put, replaced, copied, moved, removed; caches refreshed, lost; heads changed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp()) / "library"
        self.hnsw = HnswSettings(ef=400, from_rows=6)
        self.library = SqliteStore.create(self.folder, hnsw=self.hnsw)
        self.library.set_model(MODEL)
        self.expected: dict[str, NDArray[np.float32]] = {}
        self.heads = 0

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.folder.parent)

    def id_of(self, path: str) -> int:
        found = self.library.video_by_path(path)
        assert found is not None
        return found.id

    @rule(path=PATHS, rows=st.integers(0, 4), seed=st.integers(0, 10**6))
    def put(self, path: str, rows: int, seed: int) -> None:
        vectors = unit_rows(rows, seed=seed)
        before = self.id_of(path) if path in self.expected else None
        key = self.library.put_video(video(path), segments(vectors))
        assert before in (None, key), "a video keeps its id"
        self.expected[path] = vectors

    @rule(path=PATHS, to=PATHS)
    def copy(self, path: str, to: str) -> None:
        if path in self.expected and path != to:
            self.library.copy_video(self.id_of(path), path=to, size_bytes=1, mtime_ns=1)
            self.expected[to] = self.expected[path]

    @rule(pairs=st.lists(st.tuples(PATHS, PATHS), min_size=1, max_size=3))
    def move(self, pairs: list[tuple[str, str]]) -> None:
        pairs = list({a: (a, b) for a, b in pairs if a in self.expected}.values())
        if len({b for _, b in pairs}) < len(pairs):
            return  # two files cannot have come to one place
        self.library.move_videos([(self.id_of(a), b, 1, 1) for a, b in pairs])
        moved = [(b, self.expected.pop(a)) for a, b in pairs]
        self.expected.update(moved)

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        if path in self.expected:
            assert self.library.remove_videos([self.id_of(path)]) == 1
            del self.expected[path]

    @rule()
    def refresh(self) -> None:
        self.library.refresh()

    @rule()
    def lose_caches(self) -> None:
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = SqliteStore.open(self.folder, hnsw=self.hnsw)

    @precondition(lambda self: self.expected)
    @rule()
    def change_head(self) -> None:
        self.heads += 1
        turned = {path: -vectors for path, vectors in self.expected.items()}
        rows = {
            key: vector
            for path, vectors in turned.items()
            for key, vector in zip(
                segment_ids(self.library, self.id_of(path)), vectors, strict=True
            )
        }
        head = ModelRecord(f"head {self.heads}", f"h{self.heads}", "towers-1", 8, 16)
        stacked = np.stack(list(rows.values())) if rows else np.empty((0, 16), np.float32)
        self.library.replace_vectors(head, [(np.array(list(rows), np.int64), stacked)])
        self.expected = turned

    @rule(strategy=st.sampled_from(["exact", "hnsw", "auto"]), k=st.integers(1, 30))
    def search(self, strategy: str, k: int) -> None:
        found = self.library.nearest(QUERIES, k, strategy=strategy)
        rows = np.concatenate([*self.expected.values(), np.empty((0, 16), np.float32)])
        scores = np.sort(QUERIES.astype(np.float64) @ rows.astype(np.float64).T)[:, ::-1][:, :k]
        assert found.scores.shape == scores.shape
        np.testing.assert_allclose(found.scores, scores, atol=1e-6)
        places = self.library.segment_rows(found.segment_ids.reshape(-1))
        vectors = self.library.vectors(found.segment_ids.reshape(-1))
        for line, query in zip(found.segment_ids.tolist(), QUERIES, strict=True):
            assert len(set(line)) == len(line)
            for key in line:
                number = segment_ids(self.library, places[key].video_id).index(key)
                mine = self.expected[places[key].path][number]
                np.testing.assert_array_equal(mine, vectors[key])
                assert query.shape == mine.shape

    @invariant()
    def same_videos(self) -> None:
        assert [v.path for v in self.library.videos()] == sorted(self.expected)
        assert self.library.counts().segments == sum(map(len, self.expected.values()))


Cycles.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestCycles = Cycles.TestCase
