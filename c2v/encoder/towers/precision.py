"""Which runtime and precision compute the image tower when that is left to c2v.

On a CUDA device fp16 (three more bits than bf16, as fast), on Apple's GPU fp32. On a CPU every way
is tried that this processor may be good at: the seconds one core takes for a picture are measured,
and the fastest is taken. A lower precision counts only if its features were compared with those in
fp32, on frames that are about to be encoded and on a few made-up pictures, and the least cosine was
above ``MIN_COSINE``. The answer is kept in the cache folder, by weights and machine.

Features of different choices are the same within that cosine, so a library may hold both: its
fingerprint says which weights made a feature, not which instructions.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from c2v.config import cache_dir
from c2v.encoder.bundle_config import BundleConfig
from c2v.encoder.towers import ImageTower
from c2v.errors import ModelError
from c2v.files.writing import write_file
from c2v.optional import has

Runtime = Literal["onnx", "torch"]

_PACKAGES: dict[Runtime, str] = {"onnx": "onnxruntime", "torch": "torch"}
MIN_COSINE = 0.999  # of features in lower precision to those in fp32
_PROBE_IMAGES = 4
_EXAMPLES = 4
_TIMED_IMAGES = 2
_TIMINGS = 3
_CLEARLY_FASTER = 0.9
"""A rival must take at most this share of the time: below that, two probes might disagree."""
_CHEAP_SECONDS = 2e-3
"""A picture that takes one core no longer than this costs far less than decoding it: fp32 it is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A runtime and what it computes with."""

    runtime: Runtime
    precision: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found out about a choice: seconds of one core for a picture, least cosine."""

    choice: Choice
    seconds: float
    cosine: float


Clock = Callable[[], float]
MakeTower = Callable[[Choice, int | None], ImageTower]
"""A tower of a choice on so many threads (None: all)."""


class ProbedTower:
    """An image tower that settles on a choice when it sees its first frames, if none is noted.

    Attributes:
        choice: None until then.
    """

    def __init__(
        self, make: MakeTower, choices: tuple[Choice, ...], *, note: Path, on_cpu: bool
    ) -> None:
        """``choices`` begin with the reference; the answer is kept in the file ``note``.

        Where it is known already, the tower is loaded now.
        """
        self._make = make
        self._choices = choices
        self._note = note
        # Of this thread's own processor time where that is possible: decoders beside it do not
        # count, and a busy machine gives the same answer as a quiet one.
        self._clock = time.thread_time if on_cpu else time.perf_counter
        known = choices[0] if len(choices) == 1 else _read_note(note)
        self.choice = known if known in choices else None
        self._tower = make(self.choice, None) if self.choice else None
        self._settling = threading.Lock()

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, side, side, 3] uint8 RGB to [N, D] float32, not normalised; any N."""
        return (self._tower or self._settled(images)).encode(images)

    def _settled(self, images: NDArray[np.uint8]) -> ImageTower:
        with self._settling:
            if self._tower is None:
                self.choice = self._settle(images)
                self._tower = self._make(self.choice, None)
            return self._tower

    def _settle(self, images: NDArray[np.uint8]) -> Choice:
        spread = np.linspace(0, len(images) - 1, min(_EXAMPLES, len(images))).astype(int)
        examples = np.concatenate([images[spread], probe_images(images.shape[1])])
        with _one_thread(self._choices):
            trials = list(_try_all(self._make, self._choices, examples, clock=self._clock))
        chosen = fastest(trials)
        _write_note(self._note, {"chosen": asdict(chosen), "trials": [asdict(t) for t in trials]})
        return chosen


def fastest(trials: list[Trial]) -> Choice:
    """The choice to take; the first trial is the one to beat, and in fp32."""
    best = trials[0]
    for trial in trials[1:]:
        is_same = trial.choice.precision == "fp32" or trial.cosine > MIN_COSINE
        if is_same and trial.seconds < _CLEARLY_FASTER * best.seconds:
            best = trial
    return best.choice


def choices_on(device: str, *, has_graph: bool, has_torch: bool = True) -> tuple[Choice, ...]:
    """What may be chosen on a device, the reference in fp32 first; never none."""
    if device.startswith("cuda"):
        # fp16 keeps three more bits than bf16 and is as fast on every card with tensor cores.
        return (Choice("torch", "fp32"), Choice("torch", "fp16"))
    if device != "cpu":
        return (Choice("torch", "fp32"),)
    graph = (Choice("onnx", "fp32"), Choice("onnx", "int8")) if has_graph else ()
    low = (Choice("torch", "bf16"),) if has_torch and cpu_has_bf16() else ()
    if low or not graph:
        return (*graph, Choice("torch", "fp32"), *low)
    return graph  # torch in fp32 was never faster, and importing it takes a second


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices (AVX512-BF16, AMX, Armv8.6) itself.

    Read from Linux's list of features without importing torch, which is asked elsewhere.
    """
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        words = set(listing.read_text(encoding="utf-8", errors="replace").split())
        return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
    if not has("torch"):
        return False  # there is nobody to ask
    import torch

    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(flags.get(name) for name in ("avx512_bf16", "amx_bf16", "amx_tile", "bf16"))


def _try_all(
    make: MakeTower, choices: tuple[Choice, ...], examples: NDArray[np.uint8], *, clock: Clock
) -> Iterator[Trial]:
    """A trial of each choice that runs here; the first must."""
    expected: NDArray[np.float32] | None = None
    for choice in choices:
        try:
            tower = make(choice, 1)
        except ModelError:
            if expected is None:
                raise
            continue  # an operator that the installed runtime lacks: not a choice on this machine
        found = tower.encode(examples)
        expected = found if expected is None else expected
        seconds = _seconds_a_picture(tower, examples[:_TIMED_IMAGES], clock)
        yield Trial(choice, seconds, least_cosine(expected, found))
        if choice == choices[0] and seconds < _CHEAP_SECONDS:
            return


def _seconds_a_picture(tower: ImageTower, images: NDArray[np.uint8], clock: Clock) -> float:
    times: list[float] = []
    for _ in range(_TIMINGS):
        started = clock()
        tower.encode(images)
        times.append((clock() - started) / len(images))
    return min(times)


def least_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The least cosine between rows of the same number [N, D]; -1 when one is not finite."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = float(np.min(np.sum(one * other, axis=1) / lengths))
    return lowest if np.isfinite(lowest) else -1.0


@contextmanager
def _one_thread(choices: tuple[Choice, ...]) -> Iterator[None]:
    """torch counts its threads in one place; ONNX Runtime is told when a session is made."""
    if all(choice.runtime != "torch" for choice in choices):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def probe_images(side: int) -> NDArray[np.uint8]:
    """Pictures [4, side, side, 3] uint8 with the spectrum of photographs (1/f), always the same."""
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1 / side
    noise = random.standard_normal((_PROBE_IMAGES, 3, side, side))
    smooth = np.fft.ifft2(np.fft.fft2(noise) / frequency).real
    smooth -= smooth.mean(axis=(2, 3), keepdims=True)
    smooth /= smooth.std(axis=(2, 3), keepdims=True)
    pixels = np.clip(128 + 60 * smooth, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def note_path(config: BundleConfig, device: str, choices: tuple[Choice, ...]) -> Path:
    """Where the answer for these weights, these choices and this machine is kept.

    Another version of a runtime may be faster, or round otherwise: it is asked again. What none of
    the choices runs on does not count.
    """
    import importlib.metadata
    import platform

    packages = sorted({_PACKAGES[choice.runtime] for choice in choices})
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    machine = [device, platform.machine(), _processor(), *versions]
    text = "|".join([config.towers_fingerprint, *machine])
    key = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    return cache_dir() / "precision" / f"{key}.json"


def _processor() -> str:
    """The model and the features of the processor: a home folder may serve several machines."""
    import platform

    listing = Path("/proc/cpuinfo")
    if not listing.exists():
        return platform.processor()
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    told = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(told)}))


def _read_note(path: Path) -> Choice | None:
    try:
        return Choice(**json.loads(path.read_text(encoding="utf-8"))["chosen"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no answer yet, or a damaged cache: probe


def _write_note(path: Path, content: dict[str, object]) -> None:
    """Keep the answer; a cache folder that cannot be written only means a probe next time."""
    with suppress(OSError):
        write_file(path, json.dumps(content), durable=False)
