"""Several processes, killed ones among them: one writer, whole libraries, consistent answers."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from c2v.errors import LibraryError
from c2v.library import HnswSettings
from c2v.library.sqlite.store import SqliteStore

from .conftest import MODEL, segment_ids, segments, unit_rows, video

ROOT = Path(__file__).parents[2]
SMALL = HnswSettings(from_rows=200)
START = f"""
import os, sys, time
sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
import numpy as np
from c2v.library import HnswSettings
from c2v.library.sqlite.store import SqliteStore
from tests.library.conftest import MODEL, segments, unit_rows, video
folder = Path(sys.argv[1])
library = SqliteStore.create(folder, hnsw=HnswSettings(from_rows=200))
"""


def start(script: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + script, str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, code: int = 0) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=60)


def test_a_second_writer_is_told_and_a_killed_one_leaves_no_lock(folder: Path) -> None:
    script = """
library.set_model(MODEL)
with library.writer():
    print('in', flush=True)
    time.sleep(99)
"""
    holder = start(script, folder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "in\n"
    with SqliteStore.open(folder) as library:
        with pytest.raises(LibraryError, match=f"another c2v .process {holder.pid}.") as caught:
            library.put_video(video("/a"), segments(unit_rows(1)))
        assert caught.value.hint
        with pytest.raises(LibraryError, match="another c2v"), library.writer():
            pass
        assert library.nearest(unit_rows(1), 3).segment_ids.shape == (1, 0)  # reading goes on
        kill(holder)
        with library.writer():
            library.put_video(video("/a"), segments(unit_rows(1)))


def test_two_libraries_of_one_process_exclude_each_other(
    library: SqliteStore, folder: Path
) -> None:
    with SqliteStore.open(folder) as second:
        with library.writer(), library.batch(), pytest.raises(LibraryError, match="another c2v"):
            second.remove_videos([1])
        second.remove_videos([1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_lock(folder: Path) -> None:
    script = """
library.set_model(MODEL)
with library.writer():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print('in', flush=True)
    time.sleep(60)
"""
    holder = start(script, folder)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "in\n"
    holder.kill()  # the child lives on, and so does its end of our pipe: no communicate here
    holder.wait(timeout=60)
    with SqliteStore.open(folder) as library:
        library.put_video(video("/a"), segments(unit_rows(1)))
    for stream in (holder.stdout, holder.stderr):
        assert stream is not None
        stream.close()


INDEXING = """
library.set_model(MODEL)
print('started', flush=True)
batch = int(sys.argv[2])
with library.writer():
    for first in range(0, 400, batch):
        with library.batch():
            for i in range(first, first + batch):
                found = library.video_by_path(f'/{i}.mp4')
                if found is None or sys.argv[3] == 'all':
                    library.put_video(video(f'/{i}.mp4'), segments(unit_rows(4, seed=i)))
        if first % 20 == 0:
            library.refresh()
            library.nearest(unit_rows(1), 3, strategy='hnsw')
print('done', flush=True)
"""


def check_whole(folder: Path) -> int:
    """Opens, agrees with itself, each video once; answers equal brute force. Videos found."""
    with SqliteStore.open(folder, hnsw=SMALL) as library:
        assert library.problems() == []
        videos = library.videos()
        assert len({v.path for v in videos}) == len(videos)
        for v in videos:
            ids = segment_ids(library, v.id)
            stored = library.vectors(ids)
            right = unit_rows(4, seed=int(v.path[1:-4]))
            np.testing.assert_array_equal(np.stack([stored[key] for key in ids]), right)
        if videos:
            query = unit_rows(1, seed=10**6)
            exact = library.nearest(query, 10, strategy="exact")
            every = np.array(segment_ids(library))
            stored = library.vectors(every)
            scores = np.stack([stored[key] for key in every.tolist()]) @ query[0]
            assert exact.segment_ids[0].tolist() == every[np.argsort(-scores)[:10]].tolist()
            graph = library.nearest(query, 10, strategy="hnsw")
            np.testing.assert_allclose(graph.scores, exact.scores, atol=0.05)
        return len(videos)


@pytest.mark.parametrize("batch", [1, 20])
def test_kill_9_at_random_moments(folder: Path, batch: int) -> None:
    moments = random.Random(batch)
    seen = 0
    for _ in range(6):
        process = start(INDEXING, folder, str(batch), "missing")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.25))
        kill(process)
        now = check_whole(folder)
        assert now >= seen  # what was committed stays
        seen = now
    assert "done" in finish(start(INDEXING, folder, str(batch), "missing"))
    assert check_whole(folder) == 400
    process = start(INDEXING, folder, str(batch), "all")  # the same again, replacing everything
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    kill(process)
    assert check_whole(folder) == 400


def test_kill_9_while_a_new_head_is_written(folder: Path) -> None:
    finish(start(INDEXING, folder, "20", "missing"))
    script = """
from c2v.library import ModelRecord
head = ModelRecord('wide', 'head-2', 'towers-1', 8, 16)
def vectors():
    for batch in library.all_features(batch_size=50):
        yield batch.segment_ids, np.ones((len(batch.segment_ids), 16), np.float32)
        print('batch', flush=True)
library.replace_vectors(head, vectors())
"""
    process = start(script, folder)
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    kill(process)
    assert check_whole(folder) == 400
    with SqliteStore.open(folder) as library:
        assert library.model == MODEL


def test_searches_while_another_process_indexes_see_whole_states(folder: Path) -> None:
    with SqliteStore.create(folder, hnsw=SMALL) as library:
        library.set_model(MODEL)
    writer = start(INDEXING, folder, "5", "missing")
    counts = []
    with SqliteStore.open(folder, hnsw=SMALL) as library:
        while writer.poll() is None:
            with library.snapshot():
                strategy = random.choice(["exact", "hnsw", "auto"])
                found = library.nearest(unit_rows(1, seed=5), 4000, strategy=strategy)
                count = library.counts().segments
                rows = library.segment_rows(found.segment_ids[0])
                assert len(rows) == found.segment_ids.shape[1] == count
                assert count % 20 == 0  # batches of 5 videos with 4 segments, never a part of one
            counts.append(count)
    finish(writer)
    assert counts == sorted(counts)
    assert len(set(counts)) > 2
    assert check_whole(folder) == 400


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
def test_a_full_disk_is_an_error_and_no_damage(folder: Path) -> None:
    script = """
import resource, signal
from c2v.errors import C2VError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
library.set_model(MODEL)
resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, resource.RLIM_INFINITY))
stored = 0
try:
    for i in range(10000):
        library.put_video(video(f'/{i}.mp4'), segments(unit_rows(4, seed=i)))
        stored += 1
except C2VError as error:
    print(stored, error.message, error.hint, sep='|')
"""
    stored, message, hint = finish(start(script, folder)).strip().split("|")
    assert "library.db" in message
    assert "what was finished before is kept" in message
    assert "run the same command again" in hint
    assert check_whole(folder) == int(stored) > 0


@pytest.mark.skipif(os.name == "nt", reason="file size limits are a Unix thing")
def test_no_room_for_the_caches(folder: Path) -> None:
    script = """
import resource, signal
from c2v.errors import C2VError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
library.set_model(MODEL)
with library.batch():
    for i in range(400):
        library.put_video(video(f'/{i}.mp4'), segments(unit_rows(4, seed=i)))
library._database.checkpoint()
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
for strategy in ('exact', 'hnsw'):
    try:
        if strategy == 'exact':
            library.refresh()
        else:
            library.nearest(unit_rows(1), 3, strategy='hnsw')
    except C2VError as error:
        print(error.message)
print(library.nearest(unit_rows(1), 2000).segment_ids.shape)
"""
    lines = finish(start(script, folder)).strip().splitlines()
    assert len(lines) == 2
    assert "the library itself is whole, searches will be slower" in lines[0]
    assert lines[1] == "(1, 1600)"
    left = [path.name for path in (folder / "cache").iterdir()]
    assert left == []
    assert check_whole(folder) == 400
