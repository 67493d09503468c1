"""A folder of three real clips, and a library of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import c2v

NAMES = ("garage.mp4", "photographer.mp4", "departure.mp4")


@pytest.fixture(scope="session")
def clips(demo_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A motorcycle, a man with a camera and a rocket: videos of ``c2v demo``."""
    folder = tmp_path_factory.mktemp("clips")
    for name in NAMES:
        shutil.copyfile(demo_videos / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def filled(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of :func:`clips` by the shipped encoder."""
    folder = tmp_path_factory.mktemp("filled") / "library"
    with c2v.open(folder, model="mini") as videos:
        videos.index(clips)
    return folder


@pytest.fixture(scope="session")
def real_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the 43 real clips beside the project, by the shipped encoder."""
    data = Path(__file__).parents[3] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("no shared/data beside the project: nothing measured")
    folder = tmp_path_factory.mktemp("real-clips") / "library"
    with c2v.open(folder, model="mini") as videos:
        videos.index([data / "clips", data / "msrvtt" / "clips"])
    return folder
