"""A cold search pays for SQLite and NumPy, and for nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segments, unit_rows, video

SEARCH = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from c2v.library.sqlite.store import SqliteStore
import numpy as np
with SqliteStore.open(Path(sys.argv[2])) as library:
    found = library.nearest(np.eye(16, dtype=np.float32)[:1], 5)
    library.segment_rows(found.segment_ids[0])
    library.features(found.segment_ids[0])
print(*sys.modules)
"""


def test_an_exact_search_imports_nothing_heavy(folder: Path) -> None:
    with SqliteStore.create(folder) as library:
        library.set_model(MODEL)
        with library.writer():
            for i in range(30):
                library.put_video(video(f"/{i}.mp4"), segments(unit_rows(4, seed=i)))
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, root, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stdout.split())
    assert "c2v.library.sqlite.hnsw" in modules
    # numpy.ma (np.unique imports it), secrets and random cost milliseconds each.
    assert not modules & {"hnswlib", "torch", "numpy.ma", "secrets", "random", "tempfile", "rich"}
