"""Device names: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``.

A device that is asked for and is not there is an error, never a silent run on the CPU.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from c2v.config import SETTINGS
from c2v.errors import DeviceError, UsageError
from c2v.optional import has, require

_NVIDIA_NODES: Final = ("/dev/nvidiactl", "/dev/nvidia0", "/usr/lib/wsl/lib/nvidia-smi")
_GPU_NODES: Final = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")


def check_device_name(device: str) -> str:
    """``device`` itself when it is well formed; nothing is imported and nothing is probed.

    Raises:
        UsageError: not ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """
    if not SETTINGS["device"].takes(device):
        raise UsageError(f"--device {device} is not a device", hint=SETTINGS["device"].hint)
    return device


def usable_gpu() -> str:
    """What a GPU that PyTorch's own packages can use is called here; empty where none is seen.

    Nothing is imported: it is what the drivers left there that is looked at.
    """
    if sys.platform == "darwin":
        return "Apple's GPU" if platform.machine() == "arm64" else ""
    if sys.platform == "win32":
        return "an NVIDIA GPU" if shutil.which("nvidia-smi") else ""
    return "an NVIDIA GPU" if any(Path(path).exists() for path in _NVIDIA_NODES) else ""


def gpu_in_sight() -> bool:
    """False only where it is certain, without torch, that no GPU that torch can use is there."""
    if sys.platform != "linux":
        return True
    # What the drivers of NVIDIA, AMD and of Windows' subsystem for Linux put there.
    return any(Path(path).exists() for path in _GPU_NODES)


def resolve_device(device: str) -> str:
    """The torch device to use: ``auto`` takes CUDA, then MPS, then the CPU.

    torch is imported for every name but ``cpu``, and for ``auto`` only where there are signs of a
    GPU: on a machine without one its import would be most of the start-up of a run.

    Raises:
        UsageError: the name is malformed.
        DeviceError: the device is not there.
        MissingPartError: a GPU is asked for, and PyTorch is not installed.
    """
    check_device_name(device)
    if device == "cpu" or (device == "auto" and not (has("torch") and gpu_in_sight())):
        return "cpu"
    require(f"--device {device}", "torch")
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError(
                "--device mps was asked for, but there is no Apple GPU here", hint="--device auto"
            )
        return device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(device.partition(":")[2] or 0)
    if count == 0:
        raise DeviceError(
            f"--device {device} was asked for, but torch finds no CUDA device here",
            hint="--device auto",
        )
    if index >= count:
        last = f"cuda:{count - 1}"
        raise DeviceError(
            f"--device {device} was asked for, but the last CUDA device is {last}",
            hint=f"--device {last}",
        )
    return device
