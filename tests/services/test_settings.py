"""Every setting does something: each is given another value in config.toml, and what is seen of it
is not what was seen before."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

import c2v
from c2v.cli.app import run
from c2v.config import DEFAULTS, SETTINGS, load_settings, models_dir, set_config_value
from c2v.errors import UsageError
from c2v.library import ModelRecord, NewVideo, SegmentData, open_store
from c2v.library.sqlite import hnsw

DIM = 64
OTHER = {
    "model": "absent",
    "library": "other",
    "device": "cuda:99",
    "precision": "bf16",
    "decoder": "decord",
    "segment": "2",
    "play_command": "nobody-has-this-player",
    "strategy": "hnsw",
    "hnsw_m": "4",
    "hnsw_ef_construction": "17",
    "hnsw_ef": "2",
}

FIRST = {"precision": "fp32"}
"""Where the default may be, on this machine, what stands in OTHER."""


def unit_rows(rows: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


@pytest.fixture(scope="module")
def scattered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 2,000 vectors in all directions: hard for a graph."""
    place = tmp_path_factory.mktemp("scattered") / "library"
    times, features = np.zeros(1, np.float32), np.zeros((1, 4), np.float16)
    video = NewVideo(path="/long.mp4", size_bytes=1, mtime_ns=1, content_id="c",
                     duration_seconds=2000.0, width=4, height=4, codec="h264", sampling="auto",
                     )  # fmt: skip
    with open_store(place, create=True) as store:
        store.set_model(ModelRecord("toy", "f", "t", feature_dim=4, vector_dim=DIM))
        store.put_video(
            video, [SegmentData(0.0, 1.0, times, features, row) for row in unit_rows(2000, 1)]
        )
    return place


@pytest.fixture
def see(
    clips: Path, filled: Path, scattered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, toys: ModuleType,
) -> Callable[[str], object]:  # fmt: skip
    """What can be seen of a setting by its name, with the settings as they are now."""
    monkeypatch.setitem(sys.modules, "decord", None)  # as if it were not installed
    monkeypatch.delenv("C2V_MODEL", raising=False)

    def indexed() -> object:
        flags = [] if load_settings().model == "absent" else ["--model", "mini"]
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        code = run(["index", str(clips), "-L", str(tmp_path / "new"), "--quiet", *flags])
        said = capsys.readouterr().err
        with c2v.open(tmp_path / "new") as videos:
            return code, said, videos.status().segments if videos.exists else 0

    def features() -> object:
        if not (models_dir() / "tiny").exists():
            toys.make_bundle()
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        one = str(clips / "garage.mp4")
        assert run(["index", one, "-L", str(tmp_path / "new"), "--quiet", "-m", "tiny"]) == 0
        with c2v.open(tmp_path / "new") as videos:
            return [
                rows.tobytes() for all_ in videos.store.all_features() for rows in all_.features
            ]

    def used() -> object:
        assert run(["search", "a rocket", "-L", str(filled), "--format", "json"]) in (0, 5)
        return json.loads(capsys.readouterr().out)["strategy"]

    def shown() -> object:
        return run(["status"]), capsys.readouterr().err

    def graph() -> object:
        if not (tmp_path / "scattered").exists():
            shutil.copytree(scattered, tmp_path / "scattered")
        with c2v.open(tmp_path / "scattered") as videos:
            near = videos.store.nearest(unit_rows(64, 2), 10, strategy="hnsw")
            assert videos.store.problems() == []
        assert near.strategy == "hnsw"
        (file,) = (tmp_path / "scattered" / "cache").glob(hnsw.GRAPH_FILES)
        return file.name, near.segment_ids.tolist()

    def neighbours() -> object:
        return graph()[1]  # type: ignore[index]

    def file() -> object:
        return graph()[0]  # type: ignore[index]

    def played() -> object:
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(tmp_path / "empty"))
            return run(["play", str(clips / "garage.mp4")]), capsys.readouterr().err

    looks = {
        "library": shown,
        "play_command": played,
        "precision": features,
        "strategy": used,
        "hnsw_m": file,
        "hnsw_ef_construction": file,
        "hnsw_ef": neighbours,
    }
    return lambda name: looks.get(name, indexed)()


@pytest.mark.parametrize("name", SETTINGS)
def test_no_setting_is_without_effect(see: Callable[[str], object], name: str) -> None:
    if name in FIRST:
        set_config_value(name, FIRST[name])
    before = see(name)
    assert see(name) == before, "it changes by itself"
    set_config_value(name, OTHER[name])
    assert see(name) != before
    set_config_value(name, FIRST.get(name))
    if name not in ("hnsw_m", "hnsw_ef_construction"):  # these name the graph's file anew
        assert see(name) == before


def test_what_is_shown_is_what_runs() -> None:
    from c2v.library import HnswSettings

    settings, graph = load_settings(), HnswSettings()
    assert {name: getattr(settings, name) for name in SETTINGS} == DEFAULTS
    assert (graph.m, graph.ef_construction, graph.ef) == (
        settings.hnsw_m, settings.hnsw_ef_construction, settings.hnsw_ef,
    )  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("hnsw_m", "129"), ("hnsw_m", "1"), ("hnsw_ef", "0")])
def test_what_no_graph_can_have_is_refused_when_it_is_set(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}") as caught:
        set_config_value(name, value)
    assert "at least 2" in caught.value.hint
    assert load_settings() == load_settings(**DEFAULTS)


@pytest.mark.parametrize("value", ["0", "-3", "nan", "0.4", "often", "1e999", " "])
def test_a_segment_that_index_would_refuse_is_refused_when_it_is_set(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    place = str(tmp_path / "new")
    assert run(["index", str(clips), "-L", place, f"--segment={value}"]) == 2
    capsys.readouterr()
    assert run(["config", "set", "segment", "--", value]) == 2
    assert "c2v config set segment auto" in capsys.readouterr().err
    assert load_settings() == load_settings(**DEFAULTS)
    assert run(["config", "set", "segment", "7.5"]) == 0
    assert load_settings().segment == "7.5"


@pytest.mark.parametrize(
    ("links", "looked_at"),
    [(128, SETTINGS["hnsw_m"].highest), (SETTINGS["hnsw_m"].lowest, 2)],
)
def test_whatever_can_be_set_can_be_searched_with(
    scattered: Path, tmp_path: Path, links: int, looked_at: int
) -> None:
    set_config_value("hnsw_ef_construction", str(looked_at))
    set_config_value("hnsw_m", str(links))
    shutil.copytree(scattered, tmp_path / "library")
    with c2v.open(tmp_path / "library") as videos:
        assert videos.store.nearest(unit_rows(3, 2), 5, strategy="hnsw").strategy == "hnsw"


@pytest.mark.parametrize("command", ["show", "set"])
def test_the_help_says_what_each_means(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["config", command, "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for setting in SETTINGS.values():
        assert f"{setting.name}: {setting.meaning}" in said
