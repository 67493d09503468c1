from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from c2v.encoder import devices
from c2v.encoder.devices import check_device_name, gpu_in_sight, resolve_device
from c2v.errors import DeviceError, UsageError


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:-1", "cuda:x", "CPU", "cpu:0"])
def test_malformed_names(name: str) -> None:
    with pytest.raises(UsageError):
        check_device_name(name)
    with pytest.raises(UsageError):
        resolve_device(name)


def test_cpu_needs_no_torch(run_python: Callable[..., str]) -> None:
    code = """
import sys
from c2v.encoder.devices import check_device_name, resolve_device
check_device_name("cuda:3")
print(resolve_device("cpu"), "torch" in sys.modules)
"""
    assert run_python(code).split() == ["cpu", "False"]


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("cuda", "cuda:0"):
        with pytest.raises(DeviceError, match=name):
            resolve_device(name)


def test_cuda_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpu_in_sight", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == "cuda"
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(DeviceError, match="cuda:1") as caught:
        resolve_device("cuda:2")
    assert caught.value.hint == "--device cuda:1"


def test_mps_and_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpu_in_sight", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    with pytest.raises(DeviceError, match="Apple"):
        resolve_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("mps") == "mps"


def test_a_gpu_is_looked_for_where_its_driver_leaves_a_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_GPU_NODES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(devices.sys, "platform", "linux")
    assert not gpu_in_sight()
    (tmp_path / "nvidiactl").touch()
    assert gpu_in_sight()
    (tmp_path / "nvidiactl").unlink()
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    assert gpu_in_sight()
