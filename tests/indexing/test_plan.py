"""What has to be done, whatever happened to the files since the last run."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.plan import Plan, make_plan
from c2v.indexing.report import refuse
from c2v.media.identity import content_id
from c2v.media.scan import FoundVideo, scan
from c2v.media.segments import SegmentMode

NAMES = [f"{folder}/{number}.mp4" for folder in ("a", "b") for number in range(2)]
CONTENTS = [b"one", b"two", b"other", b"bad"]

names = st.sampled_from(NAMES)
events = st.one_of(
    st.tuples(st.just("write"), names, st.sampled_from(CONTENTS)),
    st.tuples(st.sampled_from(["rename", "copy", "swap"]), names, names),
    st.tuples(st.sampled_from(["delete", "touch", "damage"]), names),
    st.tuples(st.just("unplug"), st.sampled_from(["a", "b"])),
)
first_files = st.dictionaries(names, st.sampled_from(CONTENTS), min_size=2)
runs = st.lists(
    st.tuples(
        st.lists(events, max_size=6),
        st.sampled_from([None, None, "whole", "4"]),  # a segmentation, where one is asked for
        st.sampled_from(["", "", "prune", "retry_failed"]),
    ),
    min_size=1,
    max_size=4,
)


@dataclass
class Disk:
    """A folder of files to which things happen; no two writes have the same time stamp."""

    root: Path
    store: Any
    _stamps: Iterator[int] = field(default_factory=lambda: itertools.count(10**18, 10**9))

    def happen(self, kind: str, *arguments: Any) -> None:
        if kind == "unplug":
            shutil.rmtree(self.root / arguments[0], ignore_errors=True)
            return
        path = self.root / arguments[0]
        if kind == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(arguments[1])
            self._stamp(path)
        elif path.exists():
            getattr(self, kind)(path, *(self.root / name for name in arguments[1:]))

    def rename(self, path: Path, to: Path) -> None:
        to.parent.mkdir(exist_ok=True)
        path.replace(to)

    def copy(self, path: Path, to: Path) -> None:
        if path != to:
            to.parent.mkdir(exist_ok=True)
            shutil.copy(path, to)
            self._stamp(to)

    def swap(self, path: Path, other: Path) -> None:
        if other.exists() and other != path:
            between = path.with_name("between")
            path.replace(between)
            other.replace(path)
            between.replace(other)

    def delete(self, path: Path) -> None:
        path.unlink()

    def touch(self, path: Path) -> None:
        self._stamp(path)

    def damage(self, path: Path) -> None:
        self.store.damaged |= {v.id for v in self.store.videos() if v.path == str(path)}

    def found(self) -> list[FoundVideo]:
        return list(scan([self.root], on_problem=print))

    def _stamp(self, path: Path) -> None:
        stamp = next(self._stamps)
        os.utime(path, ns=(stamp, stamp))


def plan_of(disk: Disk, options: IndexOptions) -> Plan:
    return make_plan(
        disk.store,
        disk.found(),
        roots=[disk.root],
        sampling=options.sampling,
        default_sampling=options.sampling_of_new,
        retry_failed=options.retry_failed,
        reread=options.reread,
    )


@contextmanager
def disk_of(fakes: ModuleType) -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as folder:
        yield Disk(Path(folder).resolve(), fakes.FakeStore())


def agree(_question: str) -> bool:
    return True


def assert_every_file_has_one_place(disk: Disk, plan: Plan) -> None:
    placed = [str(one.file.path) for one in plan.jobs + plan.moves + plan.touched + plan.copies]
    placed += [str(one.path) for one in plan.unreadable]
    found = {str(file.path) for file in disk.found()}
    assert len(placed) == len(set(placed))
    assert set(placed) <= found
    assert plan.unchanged == len(found) - len(placed)


def assert_every_missing_video_has_one_place(disk: Disk, plan: Plan) -> None:
    present = {str(file.path) for file in disk.found()}
    missing = {video.id for video in disk.store.videos() if video.path not in present}
    moved = [move.video.id for move in plan.moves]
    gone = [video.id for video in plan.vanished + plan.unplugged]
    assert len(set(moved)) == len(moved)
    assert len(set(gone)) == len(gone)
    assert not set(moved) & set(gone)
    assert missing == set(gone) | (set(moved) & missing)
    for video in plan.unplugged:
        assert not any(Path(video.path).parent.glob("*"))


def assert_true(disk: Disk, fakes: ModuleType) -> None:
    """The store holds what is on disk, and of what cannot be read that it cannot."""
    videos = {video.path: video for video in disk.store.videos()}
    for file in disk.found():
        if file.path.read_bytes().startswith(b"bad"):
            assert str(file.path) in disk.store.failed
            continue
        video = videos[str(file.path)]
        assert (video.size_bytes, video.mtime_ns) == (file.size_bytes, file.mtime_ns)
        assert video.content_id == content_id(file.path)
        (segment,) = disk.store.segments[video.id]
        assert (segment.features == fakes.fake_segment(video.content_id).features).all()


@settings(deadline=None, max_examples=250)
@given(first=first_files, runs=runs)
def test_whatever_happens_to_files(
    fakes: ModuleType, first: dict[str, bytes], runs: list[Any]
) -> None:
    with disk_of(fakes) as disk:
        for name, content in first.items():
            disk.happen("write", name, content)
        started(disk, fakes)
        for happened, segment, flag in runs:
            for event in happened:
                disk.happen(*event)
            options = IndexOptions(
                segment=SegmentMode.parse(segment) if segment else None,
                prune=flag == "prune",
                retry_failed=flag == "retry_failed",
            )
            before = {video.id: video for video in disk.store.videos()}
            plan = plan_of(disk, options)
            assert_every_file_has_one_place(disk, plan)
            assert_every_missing_video_has_one_place(disk, plan)

            engine = fakes.FakeEngine()
            report = index_paths(
                disk.store, fakes.FakeBundle(), [disk.root], options=options,
                confirm_prune=agree if options.prune else refuse, engine=engine,
            )  # fmt: skip
            assert engine.done == [str(job.file.path) for job in plan.jobs]
            assert_true(disk, fakes)
            lost = before.keys() - {video.id for video in disk.store.videos()}
            present = {str(file.path) for file in disk.found()}
            given_up = {v.id for v in plan.vanished + plan.unplugged} if options.prune else set()
            # The place of every other was taken, by what assert_true found there.
            assert {before[key].path for key in lost - given_up} <= present
            assert report.removed == len(given_up)

            if disk.store.damaged & disk.store.rows.keys():
                # Only what is at its place is looked at: rows that moved are met by the next run.
                index_paths(
                    disk.store, fakes.FakeBundle(), [disk.root], engine=fakes.FakeEngine(),
                    options=IndexOptions(segment=options.segment),
                )  # fmt: skip
            again = plan_of(disk, IndexOptions(segment=options.segment))
            assert (again.jobs, again.moves, again.touched, again.copies) == ([], [], [], [])
            assert again.unchanged + len(again.unreadable) == len(present)


@settings(deadline=None, max_examples=60)
@given(first=first_files, runs=runs)
def test_reread_makes_a_job_of_every_file(
    fakes: ModuleType, first: dict[str, bytes], runs: list[Any]
) -> None:
    with disk_of(fakes) as disk:
        for name, content in first.items():
            disk.happen("write", name, content)
        started(disk, fakes)
        for happened, *_ in runs:
            for event in happened:
                disk.happen(*event)
            options = IndexOptions(reread=True)
            plan = plan_of(disk, options)
            assert sorted(job.file.path for job in plan.jobs) == [f.path for f in disk.found()]
            assert (plan.unchanged, plan.touched, plan.copies) == (0, [], [])
            assert_every_missing_video_has_one_place(disk, plan)
            index_paths(
                disk.store, fakes.FakeBundle(), [disk.root], options=options,
                engine=fakes.FakeEngine(),
            )  # fmt: skip
            assert_true(disk, fakes)


def started(disk: Disk, fakes: ModuleType, **contents: bytes) -> dict[str, int]:
    """Files indexed once, and the id of each."""
    for name, content in contents.items():
        disk.happen("write", f"a/{name}.mp4", content)
    index_paths(
        disk.store, fakes.FakeBundle(), [disk.root], options=IndexOptions(),
        engine=fakes.FakeEngine(),
    )  # fmt: skip
    return {Path(video.path).stem: video.id for video in disk.store.videos()}


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        ([], {"unchanged": 2}),
        ([("write", "a/new.mp4", b"new")], {"unchanged": 2, "jobs": ["new"]}),
        ([("write", "a/x.mp4", b"changed")], {"unchanged": 1, "jobs": ["x"]}),
        ([("touch", "a/x.mp4")], {"unchanged": 1, "touched": ["x"]}),
        ([("rename", "a/x.mp4", "a/new.mp4")], {"unchanged": 1, "moves": ["new"]}),
        ([("rename", "a/x.mp4", "b/x.mp4")], {"unchanged": 1, "moves": ["x"]}),
        ([("copy", "a/x.mp4", "a/new.mp4")], {"unchanged": 2, "copies": ["new"]}),
        ([("swap", "a/x.mp4", "a/y.mp4")], {"moves": ["x", "y"]}),
        ([("delete", "a/x.mp4")], {"unchanged": 1, "vanished": ["x"]}),
        ([("unplug", "a")], {"unplugged": ["x", "y"]}),
        ([("damage", "a/x.mp4")], {"unchanged": 1, "jobs": ["x"], "damaged": 1}),
        ([("write", "a/bad.mp4", b"bad")], {"unchanged": 2, "jobs": ["bad"]}),
        (  # of two files with its content one takes its video along
            [("rename", "a/x.mp4", "a/new.mp4"), ("copy", "a/new.mp4", "b/copy.mp4")],
            {"unchanged": 1, "moves": ["new"], "jobs": ["copy"]},
        ),
        (  # its place is taken, and it goes elsewhere
            [("rename", "a/x.mp4", "a/new.mp4"), ("write", "a/x.mp4", b"another")],
            {"unchanged": 1, "jobs": ["x"], "moves": ["new"]},
        ),
    ],
)
def test_one_event(fakes: ModuleType, happens: list[Any], expected: dict[str, Any]) -> None:
    with disk_of(fakes) as disk:
        started(disk, fakes, x=b"the one", y=b"the other")
        for event in happens:
            disk.happen(*event)
        plan = plan_of(disk, IndexOptions())
        got: dict[str, Any] = {"unchanged": plan.unchanged, "damaged": len(plan.damaged)}
        for kind in ("jobs", "moves", "touched", "copies"):
            got[kind] = [one.file.path.stem for one in getattr(plan, kind)]
        for kind in ("vanished", "unplugged"):
            got[kind] = [Path(one.path).stem for one in getattr(plan, kind)]
        assert {kind: value for kind, value in got.items() if value} == expected


def test_videos_that_moved_keep_their_number(fakes: ModuleType) -> None:
    with disk_of(fakes) as disk:
        first = started(disk, fakes, x=b"the one", y=b"the other")
        disk.happen("swap", "a/x.mp4", "a/y.mp4")
        assert started(disk, fakes) == {"x": first["y"], "y": first["x"]}


def test_what_failed_before_is_not_opened_again(fakes: ModuleType) -> None:
    with disk_of(fakes) as disk:
        started(disk, fakes, x=b"bad")
        plan = plan_of(disk, IndexOptions())
        assert [(one.path.stem, one.reason) for one in plan.unreadable] == [
            ("x", "is full of bad bytes")
        ]
        assert len(plan_of(disk, IndexOptions(retry_failed=True)).jobs) == 1
        disk.happen("touch", "a/x.mp4")
        assert len(plan_of(disk, IndexOptions()).jobs) == 1


def test_a_damaged_video_whose_place_another_takes(fakes: ModuleType) -> None:
    """Its twin is moved there: nothing is left to read again, and it is told all the same."""
    with disk_of(fakes) as disk:
        first = started(disk, fakes, x=b"twins", y=b"twins")
        disk.happen("damage", "a/x.mp4")
        disk.happen("touch", "a/x.mp4")
        disk.happen("delete", "a/y.mp4")
        report = index_paths(
            disk.store, fakes.FakeBundle(), [disk.root], options=IndexOptions(),
            engine=fakes.FakeEngine(),
        )  # fmt: skip
        assert (report.damaged, report.moved) == ((str(disk.root / "a/x.mp4"),), 1)
        assert {Path(v.path).stem: v.id for v in disk.store.videos()} == {"x": first["y"]}


def test_a_damaged_sampling_is_as_if_it_were_new(fakes: ModuleType) -> None:
    """The row is read again, so what it says does not count."""
    from dataclasses import replace

    with disk_of(fakes) as disk:
        (key,) = started(disk, fakes, x=b"the one").values()
        disk.store.rows[key] = replace(disk.store.rows[key], sampling="\x00?")
        disk.store.damaged.add(key)
        (job,) = plan_of(disk, IndexOptions()).jobs
        assert str(job.sampling) == "auto/shots"
