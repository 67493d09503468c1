"""What a run is called: as it was told, or after its data; never as a model or run there is."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from c2v.config import data_dir
from c2v.encoder.names import name_from, same_but_for_case
from c2v.encoder.registry import find_bundle, list_bundles
from c2v.errors import UsageError
from c2v.evaluation.datasets import BENCHMARKS
from c2v.files.drafts import sole_owner
from c2v.files.reading import parse_json, read_plain
from c2v.files.writing import write_file
from c2v.training.loop import LAST

RECORD_NAME = "run.json"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run was begun with. ``data`` is the absolute path of a file, or a benchmark;
    ``launcher`` the process that started it (torchrun starts its workers several times)."""

    name: str
    data: str
    begun: float
    launcher: int

    @property
    def finished(self) -> bool:
        """Whether its model is there."""
        return find_bundle(self.name) is not None


def runs_dir() -> Path:
    """The folder of all runs (not created here)."""
    return data_dir() / "runs"


def run_folder(name: str) -> Path:
    """Where the checkpoints and logs of a run are."""
    return runs_dir() / name


def data_key(data: str) -> str:
    """What ``--data`` means, however it was written."""
    known = data.lower()
    return known if known in BENCHMARKS else os.path.abspath(os.path.expanduser(data))  # noqa: PTH100, PTH111


@contextmanager
def named_run(
    name: str | None, data: str, *, resume: bool = False, again: bool = False
) -> Iterator[str]:
    """The name of a run, which no other process works on during the block.

    Args:
        name: what it was told to be; None makes one after the data.
        data: ``--data``.
        resume: without a name, go on with the newest run of that data, if there is one.
        again: torchrun starts this worker anew: go on with the run that it began.

    Raises:
        UsageError: another process works on that run.
    """
    if name is None and (resume or again):
        name = next(
            (record.name for record in runs_of(data) if resume or record.launcher == os.getppid()),
            None,
        )
    if name is not None:
        with sole_owner(run_folder(name)) as alone:
            if not alone:
                raise UsageError(
                    f"a run named {name} is going on in another process",
                    hint="wait until it has finished, or choose another --name",
                )
            yield name
        return
    stem = name_from(Path(data_key(data)).stem)
    for number in itertools.count(1):
        candidate = stem if number == 1 else f"{stem}-{number}"
        if _taken(candidate):
            continue
        with sole_owner(run_folder(candidate)) as alone:
            if alone and not _taken(candidate):
                yield candidate
                return


def _taken(name: str) -> bool:
    """Whether there is a model or a run of that name, as a system that ignores case sees it."""
    begun = (folder.parent.name for folder in runs_dir().glob(f"*/{LAST}"))
    bundles = (bundle.directory.name for bundle in list_bundles())
    named = (bundle.name for bundle in list_bundles())
    return same_but_for_case(name, (*begun, *bundles, *named)) is not None


def runs_of(data: str) -> list[RunRecord]:
    """The runs that were begun with these data, the newest first."""
    key = data_key(data)
    records = (_read(file) for file in runs_dir().glob(f"*/{RECORD_NAME}"))
    of_data = [record for record in records if record is not None and record.data == key]
    return sorted(of_data, key=lambda record: record.begun, reverse=True)


def write_record(name: str, data: str) -> None:
    """Note what a run is begun with; one that goes on keeps its note."""
    file = run_folder(name) / RECORD_NAME
    known = _read(file)
    if known is not None and known.data == data_key(data) and (file.parent / LAST).exists():
        return
    content = {"data": data_key(data), "begun": time.time(), "launcher": os.getppid()}
    write_file(file, json.dumps(content) + "\n")


def _read(file: Path) -> RunRecord | None:
    """A note; one that cannot be read is of no run that could go on by its data."""
    try:
        content = parse_json(read_plain(file).decode("utf-8"))
        return RunRecord(
            file.parent.name,
            str(content["data"]),
            float(content["begun"]),
            int(content["launcher"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
