"""Memory of a long run: ten hours of video, 4K among it, resident set sampled from outside.

Long files are made by writing the packets of a short clip over and over, each file with another
title, so that none is taken for a copy of another. Linux alone (/proc).
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import av

from tests.benchmarks.clips import SD, Recipe, make_clips
from tests.benchmarks.measure import ROOT, Asked, Row, plain, python

UHD = Recipe(width=3840, height=2160, seconds=10.0, rate=5, group=25, grain=0.5, crf=30)
SMALL = replace(SD, rate=5, group=50)
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Sizes:
    """How much there is to index."""

    files: int = 20
    minutes: float = 30.0
    uhd_files: int = 2
    uhd_minutes: float = 5.0


def measure(folder: Path, *, runs: int, short: bool) -> list[Row]:
    """Growth of the resident set over a run, after its first tenth of the videos."""
    sizes = Sizes(3, 2.0, 2, 0.2) if short else Sizes()
    videos = make_long_videos(folder, sizes)
    hours = (sizes.files * sizes.minutes + sizes.uhd_files * sizes.uhd_minutes) / 60
    resident = watch(videos, folder)
    warm = resident[len(resident) // 10 :]
    settled = max(warm[: max(1, len(warm) // 10)])
    label = f"indexing {hours:.1f} hours of video, 4K included"
    return [
        plain(f"{label}: largest RSS", [max(resident)], unit="MB"),
        plain(f"{label}: growth after warm-up", [max(warm) - settled], unit="MB",
              asked=Asked("<=", 100)),
    ]  # fmt: skip


def make_long_videos(folder: Path, sizes: Sizes) -> Path:
    """The folder of long videos, 4K ones spread over the order in which they are indexed.

    Made on first use.
    """
    videos = folder / f"videos-{sizes.files}"
    if videos.exists():
        return videos
    videos.mkdir()
    (small,) = make_clips(folder / "small", 1, SMALL)
    (large,) = make_clips(folder / "large", 1, UHD)
    for number in range(sizes.files):
        repeat(small, videos / f"{number * 10:04}.mp4", seconds=sizes.minutes * 60)
    step = max(1, sizes.files // sizes.uhd_files)
    for number in range(sizes.uhd_files):
        path = videos / f"{number * step * 10 + 5:04}-4k.mp4"
        repeat(large, path, seconds=sizes.uhd_minutes * 60)
    return videos


def repeat(clip: Path, path: Path, *, seconds: float) -> None:
    """Write a clip over and over until it lasts so long; nothing is encoded again."""
    with av.open(str(path), "w") as out:
        out.metadata["title"] = path.stem
        stream, offset, length = None, 0, 0
        while True:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                base = video.time_base
                assert base is not None
                stream = stream or out.add_stream_from_template(video)
                length = length or int(video.duration or 0)
                if offset * base >= seconds:
                    return
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    out.mux(packet)
            offset += length


def watch(videos: Path, folder: Path) -> list[float]:
    """Resident megabytes of ``c2v index``, a few times a second until it ends."""
    command = (*python("-m", "c2v", "index", videos), "-L", folder / "library", "--model", "mini",
               "--rebuild", "--yes")  # fmt: skip
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"C2V_HOME": str(folder / "home")},
    )  # fmt: skip
    page = os.sysconf("SC_PAGE_SIZE")
    resident: list[float] = []
    while process.poll() is None:
        pages = Path(f"/proc/{process.pid}/statm").read_text().split()
        resident.append(int(pages[1]) * page / 1e6 if len(pages) > 1 else 0.0)
        time.sleep(SAMPLE_SECONDS)
    assert process.stderr is not None
    complaint = process.stderr.read().decode()
    if process.returncode:
        raise SystemExit(f"c2v index ended with {process.returncode}:\n{complaint[-2000:]}")
    return [size for size in resident if size]
