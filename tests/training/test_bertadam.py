"""BertAdam by hand, its schedule, and its state."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from c2v.errors import UsageError
from c2v.training.bertadam import BertAdam, warmup_cosine


def parameter(*values: float) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(values))


@pytest.mark.parametrize(
    ("progress", "wanted"),
    [(0.0, 0.0), (0.05, 0.5), (0.1, 0.97553), (0.5, 0.5), (1.0, 0.0), (1.7, 0.0)],
)
def test_schedule(progress: float, wanted: float) -> None:
    assert warmup_cosine(progress, 0.1) == pytest.approx(wanted, abs=1e-5)


def test_one_step_by_hand() -> None:
    p = parameter(1.0, -2.0)
    p.grad = torch.tensor([0.3, -0.4])
    BertAdam([p], lr=0.1, weight_decay=0.2).step()
    for index, (start, gradient) in enumerate(((1.0, 0.3), (-2.0, -0.4))):
        m, v = 0.1 * gradient, 0.02 * gradient**2
        wanted = start - 0.1 * (m / (v**0.5 + 1e-6) + 0.2 * start)
        assert p[index].item() == pytest.approx(wanted, rel=1e-5)


def test_each_tensor_is_clipped_by_itself_and_its_gradient_left_alone() -> None:
    a, b = parameter(0.0), parameter(0.0)
    a.grad, b.grad = torch.tensor([30.0]), torch.tensor([0.5])
    optimiser = BertAdam([a, b], lr=1.0, weight_decay=0.0)
    optimiser.step()
    assert optimiser.state[a]["next_m"].item() == pytest.approx(0.1, rel=1e-5)
    assert optimiser.state[b]["next_m"].item() == pytest.approx(0.05, rel=1e-5)
    assert a.grad.item() == 30.0


def test_the_first_step_of_a_warm_up_moves_nothing() -> None:
    p = parameter(1.0)
    p.grad = torch.ones(1)
    optimiser = BertAdam([p], lr=0.1, total_steps=10)
    optimiser.step()
    assert p.item() == 1.0
    optimiser.step()
    assert p.item() < 1.0


def test_parameters_without_gradient_stay() -> None:
    p, q = parameter(1.0), parameter(1.0)
    p.grad = torch.ones(1)
    BertAdam([p, q], lr=0.1).step()
    assert q.item() == 1.0


def run(optimiser: BertAdam, p: torch.nn.Parameter, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        ((p - 3) ** 2).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def test_state_can_be_saved_and_taken_up_again() -> None:
    whole, first = parameter(0.0, 1.0), parameter(0.0, 1.0)
    settings: dict[str, Any] = {"lr": 0.1, "total_steps": 12.5}
    run(BertAdam([whole], **settings), whole, 10)

    before = BertAdam([first], **settings)
    run(before, first, 4)
    file = io.BytesIO()
    torch.save({"p": first.detach(), "optimiser": before.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = torch.nn.Parameter(saved["p"])
    after = BertAdam([again], **settings)
    after.load_state_dict(saved["optimiser"])
    run(after, again, 6)
    assert torch.equal(again, whole)


def test_it_minimises() -> None:
    p = parameter(0.0)
    run(BertAdam([p], lr=0.2, total_steps=200, weight_decay=0.0), p, 200)
    assert p.item() == pytest.approx(3.0, abs=0.05)


def test_nonsense_is_refused() -> None:
    with pytest.raises(UsageError, match="lr -1"):
        BertAdam([parameter(0.0)], lr=-1.0)
