"""The engine of this machine and what stores its outcomes, beside fakes of what they stand on."""

from __future__ import annotations

import gc
import pickle
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from c2v.encoder.bundle import load_bundle
from c2v.errors import MediaError
from c2v.indexing import committer, decoding
from c2v.indexing.assembly import Assembly
from c2v.indexing.committer import Committer
from c2v.indexing.engine import Advanced, Failed, Indexed, Opened, Outcome
from c2v.indexing.local import LocalEngine
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.plan import Job
from c2v.indexing.query_clip import embed_clip
from c2v.indexing.reembedding import model_record
from c2v.indexing.report import Silent, Tally
from c2v.library import open_store
from c2v.media.identity import content_id
from c2v.media.sampling import Sampling
from c2v.media.scan import scan
from c2v.media.segments import SegmentMode

WHOLE = Sampling(SegmentMode("whole"))
ONE = IndexOptions(workers=1, batch_size=4)


@pytest.fixture(scope="module")
def folder(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        videos.make_video(folder / f"{number}.mp4", count=10 + number, rate=5)
    return folder


def jobs_of(folder: Path) -> list[Job]:
    files = scan([folder], on_problem=print)
    return [Job(file, content_id(file.path), WHOLE, updates=False) for file in files]


def use(monkeypatch: pytest.MonkeyPatch, decoder: Any) -> None:
    monkeypatch.setattr(decoding, "choose_decoder", lambda *_, **__: decoder)


def workers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("c2v-decode")]


# -- the engine ----------------------------------------------------------------------------------


def test_each_job_has_one_outcome_by_its_number(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features are those of the pictures at the job's own times, however batches mix them."""
    use(monkeypatch, fakes.FakeDecoder(broken=frozenset({"2.mp4"})))
    jobs, bundle = jobs_of(folder), fakes.FakeBundle()
    outcomes = list(LocalEngine(bundle, ONE, threading.Event()).run(jobs))
    ended = [one for one in outcomes if isinstance(one, Indexed | Failed)]
    assert sorted(one.number for one in ended) == [0, 1, 2, 3]
    (failed,) = (one for one in ended if isinstance(one, Failed))
    assert (failed.number, str(failed.error)) == (2, "not one picture of it can be read")
    for one in ended:
        if isinstance(one, Indexed):
            (segment,) = one.segments
            expected = np.round(10 * segment.times) / 1.0
            np.testing.assert_allclose(segment.features[:, 0], expected, atol=1e-3)
            assert len(segment.times) == min(12, 10 + one.number)  # at most five a second
            assert (one.video.path, one.video.sampling) == (
                str(jobs[one.number].file.path), "whole",
            )  # fmt: skip
    assert workers() == []


def test_what_is_told_of_a_job_is_told_in_order(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fakes.FakeDecoder())
    told: dict[int, list[Outcome]] = {number: [] for number in range(4)}
    engine = LocalEngine(fakes.FakeBundle(), replace(ONE, workers=3), threading.Event())
    for outcome in engine.run(jobs_of(folder)):
        if (number := getattr(outcome, "number", None)) is not None:
            told[number].append(outcome)
    for first, *between, last in told.values():
        assert isinstance(first, Opened)
        assert isinstance(last, Indexed)
        advanced = sum(one.seconds for one in between if isinstance(one, Advanced))
        assert advanced == pytest.approx(first.seconds)


def test_a_file_that_fails_after_it_was_opened_holds_no_memory(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, fakes.FakeDecoder(broken=frozenset({"0.mp4"})))
    jobs = jobs_of(folder)
    outcomes = LocalEngine(fakes.FakeBundle(), ONE, threading.Event()).run(jobs)
    opened, after = False, 0
    for outcome in outcomes:
        if isinstance(outcome, Opened) and outcome.number == 0:
            opened = True
        if isinstance(outcome, Failed):
            break
    for _ in outcomes:
        after += 1
        # By type(): isinstance would ask every object of the process for its class, and some warn.
        held = [one for one in gc.get_objects() if type(one) is Assembly]
        assert not any(one.file.job is jobs[0] for one in held)  # of this run, not another test's
    assert opened
    assert after > 3


def test_closing_ends_the_work(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = threading.Event()
    use(monkeypatch, fakes.FakeDecoder(before=lambda _: looked_at.wait(timeout=30)))
    outcomes = LocalEngine(fakes.FakeBundle(), ONE, threading.Event()).run(jobs_of(folder))
    next(outcomes)
    assert workers()
    looked_at.set()
    outcomes.close()
    assert workers() == []


def test_stopped_it_gives_what_is_decoded(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first video waits in a batch that is not full when the run is ended."""
    stop, second = threading.Event(), threading.Event()

    def before(path: Path) -> None:
        if path.name == "1.mp4":
            second.set()
            stop.wait(timeout=30)

    use(monkeypatch, fakes.FakeDecoder(before=before))
    options = IndexOptions(workers=1, batch_size=64)
    bundle = fakes.FakeBundle()
    monkeypatch.setattr("c2v.indexing.assembly._WORTH_A_CALL", 64)
    monkeypatch.setattr("c2v.indexing.local.STOP_LATENCY_SECONDS", 30)
    indexed: list[int] = []
    for outcome in LocalEngine(bundle, options, stop).run(jobs_of(folder)):
        if isinstance(outcome, Opened) and outcome.number == 1:
            assert second.wait(timeout=30)
            stop.set()
        if isinstance(outcome, Indexed):
            assert stop.is_set()
            indexed.append(outcome.number)
    assert indexed == [0]
    assert bundle.calls == [10]


def test_nothing_is_shared_but_the_job(
    fakes: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs go to another process and outcomes come back: both are the same after a pickle."""
    use(monkeypatch, fakes.FakeDecoder(broken=frozenset({"3.mp4"})))
    jobs = jobs_of(folder)
    sent = pickle.loads(pickle.dumps(jobs))
    assert sent == jobs
    kinds = set()
    for outcome in LocalEngine(fakes.FakeBundle(), ONE, threading.Event()).run(sent):
        back = pickle.loads(pickle.dumps(outcome))
        kinds.add(type(back).__name__)
        match outcome:
            case Indexed():
                assert (back.number, back.video, back.state) == (
                    outcome.number, outcome.video, outcome.state,
                )  # fmt: skip
                for one, other in zip(outcome.segments, back.segments, strict=True):
                    for name in ("times", "features", "vector"):
                        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            case Failed(number, error):
                assert (back.number, back.error.message) == (number, error.message)
            case _:
                assert back == outcome
    assert kinds == {"Opened", "Advanced", "Indexed", "Failed", "Pause"}
    error = pickle.loads(pickle.dumps(MediaError("odd", hint="do this", trace="line 1")))
    assert (error.message, error.hint, error.trace) == ("odd", "do this", "line 1")


# -- the committer -------------------------------------------------------------------------------


class Told(Silent):
    def __init__(self) -> None:
        self.ended: list[tuple[str, bool]] = []

    def closed(self, path: Path, *, failed: bool) -> None:
        self.ended.append((path.name, failed))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Files in which only a fake engine sees videos."""
    for number in range(5):
        (tmp_path / f"{number}.mp4").write_bytes(b"video %d" % number)
    return tmp_path


@pytest.fixture
def ready(fakes: ModuleType, texts: Path) -> tuple[Committer, list[Indexed]]:
    jobs = jobs_of(texts)
    made = [one for one in fakes.FakeEngine().run(jobs) if isinstance(one, Indexed)]
    assert len(made) == 5
    return Committer(fakes.FakeStore(), jobs, Tally(), Told()), made


def test_finished_videos_are_stored_together(
    ready: tuple[Any, list[Indexed]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "VIDEOS_A_COMMIT", 3)
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    writer, made = ready
    due = []
    for one in made[:3]:
        writer.add(one)
        due.append(writer.is_due())
    assert due == [False, False, True]
    assert writer.library.videos() == []
    writer.commit()
    assert not writer.is_due()
    writer.add(made[3])
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 0.0)
    assert writer.is_due()  # it has waited long enough
    writer.commit()
    names = [[Path(path).name for path in paths] for paths in writer.library.commits]
    assert names == [["0.mp4", "1.mp4", "2.mp4"], ["3.mp4"]]
    assert (writer.tally.added, writer.tally.seconds_of_video) == (4, 8.0)
    assert writer.progress.ended == [(f"{number}.mp4", False) for number in range(4)]
    writer.commit()
    assert len(writer.library.commits) == 2  # of nothing there is no transaction


def test_a_file_that_is_another_by_then_is_not_stored(
    ready: tuple[Any, list[Indexed]], texts: Path
) -> None:
    writer, made = ready
    for one in made[:2]:
        writer.add(one)
    (texts / "0.mp4").write_bytes(b"another, longer video")
    writer.commit()
    assert [Path(video.path).name for video in writer.library.videos()] == ["1.mp4"]
    (failure,) = writer.tally.failed
    assert failure.reason == "changed while it was read; the next run tries it again"
    assert writer.library.failures() == []  # it is not remembered


def test_failures_are_remembered_at_once_and_problems_told(
    ready: tuple[Any, list[Indexed]],
) -> None:
    writer, made = ready
    writer.fail(Failed(4, MediaError("is a text file", trace="line 1")))
    assert [(f.reason, f.trace) for f in writer.tally.failed] == [("is a text file", "line 1")]
    assert [failure.reason for failure in writer.library.failures()] == ["is a text file"]
    writer.jobs[0:1] = [replace(writer.jobs[0], updates=True)]
    writer.add(replace(made[0], video=replace(made[0].video, problems=("a gap", "an end"))))
    writer.commit()
    assert (writer.tally.updated, writer.tally.added) == (1, 0)
    assert [one.reason for one in writer.tally.partly] == ["a gap; an end"]
    assert writer.progress.ended == [("4.mp4", True), ("0.mp4", False)]


def test_what_was_finished_is_stored_when_the_engine_breaks(
    fakes: ModuleType, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    store, engine = fakes.FakeStore(), fakes.FakeEngine(most=2)
    with pytest.raises(RuntimeError, match="the engine broke"):
        index_paths(store, fakes.FakeBundle(), [texts], options=ONE, engine=engine)
    assert engine.closed
    assert len(store.videos()) == 2
    assert len(store.commits) == 1


def test_the_engine_is_closed_before_the_last_commit(
    fakes: ModuleType, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the one who follows it: no thread goes on beside the commit."""
    monkeypatch.setattr(committer, "COMMIT_SECONDS", 1e9)
    store, engine = fakes.FakeStore(), fakes.FakeEngine()

    class Broken(Silent):
        def opened(self, path: Path, *, seconds: float, size_bytes: int) -> None:
            if path.name == "3.mp4":
                raise RuntimeError("no screen")

    put, closed = store.put_video, []
    monkeypatch.setattr(store, "put_video", lambda *of: [closed.append(engine.closed), put(*of)][1])
    with pytest.raises(RuntimeError, match="no screen"):
        index_paths(
            store, fakes.FakeBundle(), [texts], options=ONE, engine=engine, progress=Broken()
        )  # fmt: skip
    assert closed == [True, True, True]


# -- one file alone ------------------------------------------------------------------------------


def test_a_file_alone_has_the_features_that_the_index_stores(
    folder: Path, videos: ModuleType, tmp_path: Path
) -> None:
    """Bit for bit: what ``search --video`` and the index make of a file is one thing."""
    still = videos.make_video(tmp_path / "still.mp4", count=100, rate=5)
    bundle = load_bundle("mini", device="cpu")
    with open_store(tmp_path / "library", create=True) as library:
        library.set_model(model_record(bundle))
        options = IndexOptions(segment=SegmentMode("whole"), batch_size=8, workers=1)
        report = index_paths(library, bundle, [folder, still], options=options)
        assert (report.added, report.failed) == (5, ())
        for video in library.videos():
            (row,) = library.segments_of([video.id])[video.id]
            _, features = library.features([row.segment_id])[row.segment_id]
            clip = embed_clip(Path(video.path), bundle)
            np.testing.assert_array_equal(clip.features, features)
            vector = library.vectors([row.segment_id])[row.segment_id]
            np.testing.assert_array_equal(clip.vector, bundle.from_library(vector))


def test_of_a_file_alone_the_error_names_it(tmp_path: Path) -> None:
    bundle = load_bundle("mini", device="cpu")
    with pytest.raises(MediaError, match=r"none\.mp4: .*no such file") as caught:
        embed_clip(tmp_path / "none.mp4", bundle)
    assert caught.value.hint
    text = tmp_path / "text.mp4"
    text.write_text("no video at all\n" * 20)
    with pytest.raises(MediaError, match=r"text\.mp4: is a text file"):
        embed_clip(text, bundle)
