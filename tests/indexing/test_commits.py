"""Finished videos are committed in groups; whatever ends a run, each is there once and whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2v.encoder.bundle import load_bundle
from c2v.errors import C2VError
from c2v.indexing import committer, local
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.reembedding import model_record
from c2v.library import open_store

COUNT = 7

KILLED = """
import os, signal, sys
from pathlib import Path
from c2v.encoder.bundle import load_bundle
from c2v.indexing import committer, pipeline
from c2v.indexing.reembedding import model_record
from c2v.indexing.options import IndexOptions
from c2v.library import open_store
from c2v.library.sqlite.segment_table import SegmentTable

committer.VIDEOS_A_COMMIT, committer.COMMIT_SECONDS = 3, 1e9
write, written = SegmentTable.write, []

def deadly(self, *arguments):
    key = write(self, *arguments)
    written.append(key)
    if len(written) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return key

SegmentTable.write = deadly
bundle = load_bundle("mini", device="cpu")
with open_store(Path(sys.argv[1]), create=True) as library, library.writer():
    library.set_model(model_record(bundle))
    options = IndexOptions(batch_size=1)  # a picture a call: clips are finished one by one
    pipeline.index_paths(library, bundle, [Path(sys.argv[2])], options=options)
"""


@pytest.fixture(scope="module")
def folder(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(COUNT):
        videos.make_video(folder / f"{number}.mp4", count=5 + number, rate=5)
    return folder


def test_killed_inside_a_commit_each_video_is_there_once(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "library"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(place), str(folder)]
    done = subprocess.run(command, check=False, env=os.environ, timeout=120)
    assert done.returncode == -signal.SIGKILL
    bundle = load_bundle("mini", device="cpu")
    with open_store(place) as library, library.writer():
        assert len(library.videos()) == 3  # the first group; of the second not a row
        assert library.counts().segments == 3
        report = index_paths(library, bundle, [folder], options=IndexOptions())
        assert (report.unchanged, report.added) == (3, COUNT - 3)
        paths = [video.path for video in library.videos()]
        assert sorted(paths) == sorted(str(path) for path in folder.iterdir())
        assert library.counts().segments == COUNT
        assert library.problems() == []


def test_what_was_finished_is_kept_when_the_run_breaks(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that crashes on the last file takes nothing with it that was done before."""
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    segments, finished = local.to_segments, [0]

    def breaking(*arguments: Any) -> Any:
        if finished[0] == 2:
            raise C2VError("the roof came down")
        finished[0] += 1
        return segments(*arguments)

    monkeypatch.setattr(local, "to_segments", breaking)
    bundle = load_bundle("mini", device="cpu")
    with open_store(tmp_path / "library", create=True) as library:
        library.set_model(model_record(bundle))
        with pytest.raises(C2VError, match="roof"):
            index_paths(library, bundle, [folder], options=IndexOptions(batch_size=1))
        assert len(library.videos()) == 2


def test_small_videos_share_a_transaction(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    bundle = load_bundle("mini", device="cpu")
    with open_store(tmp_path / "library", create=True) as library:
        library.set_model(model_record(bundle))
        before = generations(tmp_path / "library")
        report = index_paths(library, bundle, [folder], options=IndexOptions())
        assert report.added == COUNT
        assert generations(tmp_path / "library") == before + 1


def generations(place: Path) -> int:
    """How many changes of vectors were committed."""
    import sqlite3

    connection = sqlite3.connect(place / "library.db")
    try:
        return int(connection.execute("SELECT max(number) FROM generation").fetchone()[0])
    finally:
        connection.close()
