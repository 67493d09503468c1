"""Several processes: the gradients of one, and a killed one that comes back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from c2v.library import open_store
from c2v.training.choices import Choices
from c2v.training.run import Run, train_bundle

WORKER = '''
"""Gradients of one step, by every process of the group; the first one writes them."""
import sys
from pathlib import Path

import numpy as np
import torch

from c2v.encoder.heads.build import build_head
from c2v.encoder.heads.initialise import random_head
from c2v.encoder.heads.settings import HeadSettings
from c2v.training.distributed import joined
from c2v.training.ragged import Ragged
from c2v.training.step import PairBatch, StepSettings, backward
from c2v.training.trainee import Draw, Features, HeadTrainee

torch.set_num_threads(1)
COUNT = 11
random = np.random.default_rng(0)
settings = HeadSettings(
    type=sys.argv[2], feature_dim=32, layers=1, projected=True, strict_difference_mask=True,
    bottleneck=8,
)
segments, rows = [], []
for video in range(COUNT):
    segments.append(list(range(len(rows), len(rows) + 1 + video % 3)))
    rows += [random.standard_normal((3 + video % 4, 32)).astype("f2") for _ in segments[-1]]
tokens = [random.standard_normal((2 + n % 4, 32)).astype("f4") for n in range(2 * COUNT)]
features = Features(
    Ragged(tokens, device=torch.device("cpu")), Ragged(rows, device=torch.device("cpu")),
    segments, 0.3,
)
head = build_head(settings, random_head(settings, seed=2).state_dict())
trainee = HeadTrainee(head, features, scale=20.0)
texts = tuple((2 * n, 2 * n + 1)[: 1 + n % 2] for n in range(COUNT))
with joined(torch.device("cpu")) as group:
    found = {}
    for micro_batch in (64, 2):
        trainee.zero_grad(set_to_none=True)
        step = StepSettings(micro_batch, 2, (0.5, 0.5))
        loss = backward(trainee, PairBatch(tuple(range(COUNT)), texts), Draw(0, 5), step, group)
        grads = {name: p.grad for name, p in trainee.named_parameters() if p.grad is not None}
        found[micro_batch] = {"loss": loss, "grads": grads}
    if group.leads:
        torch.save(found, Path(sys.argv[1]))
'''


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _gradients(forks: Any, folder: Path, head: str, processes: int) -> dict[int, dict[str, Any]]:
    """Loss and gradients by size of the micro-batch."""
    import torch

    out = folder / f"{processes}.pt"
    world = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_port())}
    running = [
        forks.start(
            ["-c", WORKER, str(out), head], environment=os.environ | world | {"RANK": str(rank)}
        )
        for rank in range(processes)
    ]
    for process in running:
        done = process.wait(240)
        assert done.returncode == 0, done.stderr
    loaded: dict[int, dict[str, Any]] = torch.load(out, weights_only=True)
    return loaded


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked")
@pytest.mark.parametrize("head", ["clip2video", "wti"])
def test_gradients_are_those_of_one_process(heavy_forks: Any, tmp_path: Path, head: str) -> None:
    """Eleven videos by two processes, with and without gradient caching."""
    import torch

    alone, together = (_gradients(heavy_forks, tmp_path, head, count) for count in (1, 2))
    for micro_batch in (64, 2):
        one, two = alone[64], together[micro_batch]
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-6)
        assert one["grads"].keys() == two["grads"].keys()
        for name, gradient in one["grads"].items():
            scale = max(1.0, float(gradient.abs().max()))
            difference = float((two["grads"][name] - gradient).abs().max()) / scale
            assert difference < 1e-6, name
            assert torch.isfinite(gradient).all()


TUNE = '''
"""A toy run under torchrun; the second process dies once, in the third step."""
import json
import os
import signal
import sys
from pathlib import Path

import torch

from c2v.encoder.bundle import load_bundle
from c2v.library import open_store
from c2v.training.choices import Choices
from c2v.training.distributed import joined
from c2v.training.run import Run, train_bundle
from tests import toys

torch.set_num_threads(1)
folder = Path(sys.argv[1])
captions = toys.captions_for(folder, 24)


class Deadly(toys.Watch):
    def stepped(self, report):
        super().stepped(report)
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT") == "0"
        if first and os.environ.get("RANK") == "1" and report.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)


with joined(torch.device("cpu")) as group, open_store(folder / "library") as library:
    watch = Deadly()
    run = Run(name="killed", watcher=watch, group=group, resume=group.attempt > 0, keep=True)
    choices = Choices(head="meanP", epochs=4, batch=8, learning_rate=1e-3, validation=0.1)
    result = train_bundle(library, load_bundle("tiny", device="cpu"), captions, choices, run)
    if group.leads:
        facts = {"attempt": group.attempt, "done": watch.done, "size": group.size,
                 "losses": [row["loss"] for row in result.outcome.history]}
        (folder / "killed.json").write_text(json.dumps(facts))
'''


def _torchrun(folder: Path) -> None:
    script = folder / "tune.py"
    script.write_text(TUNE)
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
            "--max-restarts", "2", "--master-port", str(_port()), "--monitor-interval", "0.2",
            str(script), str(folder),
        ],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_killed_process_resumes_and_ends_like_one_process(tmp_path: Path, toys: object) -> None:
    bundle = toys.make_bundle()  # type: ignore[attr-defined]
    captions = toys.captions_for(tmp_path, 24)  # type: ignore[attr-defined]
    toys.fill_library(tmp_path / "library", bundle, captions).close()  # type: ignore[attr-defined]
    _torchrun(tmp_path)
    killed = json.loads((tmp_path / "killed.json").read_text())
    assert (killed["attempt"], killed["size"]) == (1, 2)
    assert killed["done"] >= 2, "it went on from the checkpoint of the first epoch"
    with open_store(tmp_path / "library") as library:
        run = Run(name="alone", watcher=toys.Watch(), keep=True)  # type: ignore[attr-defined]
        choices = Choices(
            head="meanP", epochs=4, batch=8, learning_rate=1e-3, patience=9, validation=0.1
        )
        alone = train_bundle(library, bundle, captions, choices, run)
    losses = [row["loss"] for row in alone.outcome.history[1:]]
    assert killed["losses"][1:] == pytest.approx(losses, rel=1e-4)
