"""Damage videos at random and decode them: ``python tests/media/fuzz.py FOLDER ROUNDS [SEED]``.

Each round flips bytes of, or cuts, every file in the folder. Any exception but MediaError ends the
run with a traceback and leaves the damaged file's seed in it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from c2v.errors import MediaError  # noqa: E402
from c2v.media import FrameShape, SegmentMode, plan_segments, probe  # noqa: E402
from c2v.media.pyav_decoder import PyAVDecoder  # noqa: E402
from c2v.media.sampling import Exactness  # noqa: E402


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip some bytes anywhere, overwrite a stretch, or cut the end off."""
    damaged = bytearray(data)
    way = rng.integers(4)
    if way == 0:
        return data[: int(rng.integers(1, len(data)))]
    if way == 1:
        start = int(rng.integers(len(data)))
        size = min(int(rng.integers(1, 5000)), len(data) - start)
        damaged[start : start + size] = rng.bytes(size)
        return bytes(damaged)
    # Way 2 stays in the first kilobytes, where the headers are.
    reach = len(data) if way == 3 else min(len(data), 4096)
    for position in rng.integers(reach, size=int(rng.integers(1, 60))):
        damaged[position] = int(rng.integers(256))
    return bytes(damaged)


def try_one(path: Path, exactness: Exactness) -> int:
    """Decode as the pipeline does; the number of pictures, 0 for a MediaError."""
    try:
        info = probe(path)
        segments = plan_segments(min(info.duration_seconds, 60.0), mode=SegmentMode())
        times = [time for segment in segments for time in segment.times]
        problems: list[str] = []
        decoder = PyAVDecoder(exactness=exactness)
        frames = decoder.frames(info, times, shape=FrameShape(32), on_problem=problems.append)
        return sum(1 for _ in frames)
    except MediaError:
        return 0


def main() -> None:
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".csv")
    readable, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            for path in files:
                target = Path(scratch) / path.name
                target.write_bytes(damage(path.read_bytes(), rng))
                start = time.perf_counter()
                readable += try_one(target, "fast" if number % 3 == 2 else "exact") > 0
                slowest = max(slowest, time.perf_counter() - start)
    count = rounds * len(files)
    print(f"{count} damaged files, {readable} readable in part, slowest {slowest:.1f} s")


if __name__ == "__main__":
    main()
