"""Runs that were interrupted, killed, or had the name of an earlier one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch

from c2v.encoder.bundle import Bundle
from c2v.errors import DataError, ModelError, UsageError
from c2v.evaluation.captions import Captions
from c2v.library import Store
from c2v.training.choices import Choices
from c2v.training.run import Finetuned, Run, run_folder, train_bundle

FAST = Choices(head="meanP", epochs=6, batch=8, learning_rate=1e-3, patience=12, validation=0.1)
Train = Callable[..., Finetuned]


@pytest.mark.parametrize(
    ("optimiser", "after"), [("adamw", 1), ("adamw", 2), ("adamw", 5), ("bertadam", 3)]
)
def test_resumed_is_bitwise_uninterrupted(
    toys: ModuleType, train: Train, optimiser: str, after: int
) -> None:
    choices = replace(FAST, head="clip2video", layers=1, epochs=4, optimiser=optimiser)
    whole = train(choices, name="whole")
    stop = threading.Event()
    halted = train(choices, name="cut", stop=stop, watcher=toys.Watch(stop=stop, after=after))
    assert halted.outcome.interrupted
    assert halted.directory is None
    resumed = train(choices, name="cut", resume=True)
    assert _weights(whole) == _weights(resumed)
    first = [row["loss"] for row in whole.outcome.history]
    assert first == [row["loss"] for row in resumed.outcome.history]
    assert _last(whole)["weights"].keys() == _last(resumed)["weights"].keys()
    for key, value in _last(whole)["weights"].items():
        assert torch.equal(value, _last(resumed)["weights"][key])


def _weights(result: Finetuned) -> bytes:
    assert result.directory is not None
    return (result.directory / "head.safetensors").read_bytes()


def _last(result: Finetuned) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run_folder(result.name) / "last.pt", weights_only=True)
    return loaded


def test_a_taken_name_is_said_before_any_work(train: Train, toys: ModuleType) -> None:
    train(name="tuned")
    with pytest.raises(ModelError, match="already"):
        train(name="tuned")
    train(name="tuned", overwrite=True)
    stop = threading.Event()
    train(name="half", stop=stop, watcher=toys.Watch(stop=stop, after=1))
    with pytest.raises(UsageError, match="not finished") as caught:
        train(name="half")
    assert "--resume" in caught.value.hint


def test_a_checkpoint_of_other_settings_is_refused(train: Train, toys: ModuleType) -> None:
    stop = threading.Event()
    train(name="half", stop=stop, watcher=toys.Watch(stop=stop, after=1))
    with pytest.raises(DataError, match="other data, another start or other settings"):
        train(replace(FAST, seed=5), name="half", resume=True)


def test_half_written_checkpoints_are_cleared_away(train: Train) -> None:
    folder = run_folder("tuned")
    folder.mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (folder / f".last.pt.{ended.pid}").write_bytes(b"half")
    (folder / f".last.pt.{os.getpid()}").write_bytes(b"being written")
    train()
    assert [path.name for path in folder.glob(".*")] == [f".last.pt.{os.getpid()}"]


def test_a_damaged_checkpoint_is_a_sentence(train: Train, toys: ModuleType) -> None:
    stop = threading.Event()
    train(name="half", stop=stop, watcher=toys.Watch(stop=stop, after=1))
    path = run_folder("half") / "last.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="cannot be read"):
        train(name="half", resume=True)


# -- what earlier runs of the name left ------------------------------------------------------------


def test_overwriting_leaves_nothing_to_resume_by_mistake(train: Train, toys: ModuleType) -> None:
    """Killed before its first checkpoint, the new run must not go on from the old one's."""
    train(name="tuned")

    class KilledError(Exception):
        pass

    class Deadly(toys.Watch):  # type: ignore[misc,name-defined]
        def stepped(self, report: Any) -> None:
            raise KilledError

    with pytest.raises(KilledError):
        train(replace(FAST, seed=7), name="tuned", overwrite=True, watcher=Deadly())
    assert not (run_folder("tuned") / "last.pt").exists()
    fresh = train(replace(FAST, seed=7), name="tuned", resume=True, overwrite=True)
    assert _weights(fresh) == _weights(train(replace(FAST, seed=7), name="other"))


def test_resume_does_not_replace_a_model_of_another_origin(train: Train) -> None:
    with pytest.raises(ModelError, match="a model named tiny already"):
        train(name="tiny", resume=True)


def test_logs_go_on_where_the_checkpoint_stands(
    toys: ModuleType, library: Store, bundle: Bundle, captions: Captions
) -> None:
    """Three epochs are logged, the checkpoint is of the first: they are logged once."""
    from c2v.training.logs import RunLog

    class Deadly(RunLog):
        def validated(self, report: Any) -> None:
            super().validated(report)
            if report.epoch == 3:
                raise OSError("killed")

    run = Run(name="cut", watcher=Deadly(run_folder("cut")), keep=True)
    with run.watcher, pytest.raises(OSError, match="killed"):
        train_bundle(library, bundle, captions, FAST, run)
    lines = (run_folder("cut") / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2", "3"]
    with RunLog(run_folder("cut")) as log:
        train_bundle(
            library, bundle, captions, FAST, Run(name="cut", watcher=log, resume=True, keep=True)
        )
    lines = (run_folder("cut") / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", *map(str, range(7))]


def test_asked_to_stop_before_the_first_step(train: Train) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        train(stop=stop)
    assert not run_folder("tuned").exists()
