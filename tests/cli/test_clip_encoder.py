"""An encoder that takes clips at once, from the folder it lies in to an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the graph of the test is made by it")
motion = pytest.importorskip("tests.motion")

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("made") / "motion"
    motion.write_motion_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A square that moves each way for twelve seconds; one minute of it right, then left."""
    folder: Path = tmp_path_factory.mktemp("moving")
    for way in motion.WAYS:
        motion.write_video(folder / f"{way}.mp4", (way, 12.0))
    motion.write_video(folder / "turns.mp4", ("right", 24.0), ("left", 24.0))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home-of-motion")


@pytest.fixture(scope="module")
def run(c2v: Run, home: Path, bundle_folder: Path, clips: Path) -> Run:
    """``c2v`` where the encoder was imported and has filled the library with the clips."""

    def command(*words: str | Path, **options: Any) -> Any:
        return c2v(*words, **{"C2V_HOME": str(home)} | options)

    command("model", "import", bundle_folder, "--name", "motion")
    done = command("index", clips, "--model", "motion", "--format", "json")
    assert json.loads(done.stdout)["added"] == 5
    return command


def results(done: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return found


@pytest.mark.parametrize("way", ["right", "left", "up", "down"])
def test_a_sentence_finds_the_way_a_square_moves(run: Run, way: str) -> None:
    """The videos of right and left show the very same pictures, in another order."""
    found = results(run("search", motion.SENTENCES[way], "--format", "json", "--top", "5"))
    order = [Path(one["path"]).stem for one in found]
    assert order[0] in (way, "turns")
    assert way in order[:2]
    opposite = {"right": "left", "left": "right", "up": "down", "down": "up"}[way]
    assert order.index(way) < order.index(opposite)


def test_the_best_moment_is_a_clip(run: Run) -> None:
    """Of a long video the half that moves that way, to within a clip."""
    for way, first, last in (("right", 0.0, 24.0), ("left", 24.0, 48.0)):
        found = results(
            run("search", motion.SENTENCES[way], "--format", "json", "--moments", "--top", "20")
        )
        best = next(one for one in found if Path(one["path"]).stem == "turns")
        assert first <= best["start"] < best["end"] <= last
        assert first <= best["best"] <= last
        assert best["best"] % 4.0 == pytest.approx(2.0, abs=0.2)  # the middle of a clip


def test_what_is_stored(run: Run, home: Path) -> None:
    """Four seconds a row: three rows of a feature each in twelve seconds."""
    from c2v.library import open_store

    with open_store(home / "data" / "libraries" / "default") as library:
        shapes = {}
        for video in library.videos():
            rows = library.segments_of([video.id])[video.id]
            stored = library.features([row.segment_id for row in rows])
            shapes[Path(video.path).stem] = [
                (times.round(1).tolist(), features.shape) for times, features in stored.values()
            ]
    assert shapes["right"] == [([2.0, 6.0, 10.0], (3, motion.DIM))]
    assert [times for times, _ in shapes["turns"]] == [
        [start + 2.0, start + 6.0, start + 10.0] for start in (0.0, 12.0, 24.0, 36.0)
    ]


def test_similar_describe_and_a_still(run: Run, clips: Path, tmp_path: Path) -> None:
    found = results(run("similar", clips / "up.mp4", "--format", "json"))
    assert {Path(one["path"]).stem for one in found} <= {"up", "down", "left", "right", "turns"}
    again = results(run("search", "--video", clips / "left.mp4", "--format", "json"))
    assert Path(again[0]["path"]).stem == "left"
    assert again[0]["score"] == pytest.approx(1.0, abs=1e-3)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(motion.SENTENCES.values()), encoding="utf-8")
    for way in motion.WAYS:
        done = run("describe", clips / f"{way}.mp4", "--labels", labels, "--format", "json")
        assert results(done)[0]["label"] == motion.SENTENCES[way]
    import PIL.Image

    PIL.Image.fromarray(next(motion.pictures("right", 1.0))).save(tmp_path / "still.png")
    assert results(run("search", "--image", tmp_path / "still.png", "--format", "json"))


def test_a_picture_alone_is_a_clip_in_which_nothing_moves(bundle_folder: Path) -> None:
    """So right and left, whose pictures are the same, are the same to it picture by picture."""
    from c2v.encoder.bundle import load_bundle
    from c2v.errors import ModelError

    bundle = load_bundle(bundle_folder)
    right, left = (
        np.stack(list(motion.pictures(way, 4.0)))[::5, ::2, ::2].copy() for way in ("right", "left")
    )
    apart = [bundle.encode_frames(one).mean(axis=0) for one in (right, left[::-1])]
    at_once = [bundle.encode_frames(one[np.newaxis])[0] for one in (right, left)]
    gap = float(np.linalg.norm(at_once[0] - at_once[1]))
    assert gap > 5 * float(np.linalg.norm(apart[0] - apart[1]))
    with pytest.raises(ModelError, match=r"takes uint8 clips of shape \[N, 8, 32, 32, 3\]"):
        bundle.encode_frames(right[np.newaxis, :7])


def test_a_protocol_of_single_frames_is_refused(run: Run, clips: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("video,caption\nright.mp4,a square moves right\n", encoding="utf-8")
    words = ("evaluate", "--data", captions, "--videos", clips)
    run(*words)
    said = run(*words, "--protocol", "clip2video", code=1).stderr
    assert "motion takes clips" in said


def test_a_graph_that_is_not_what_the_config_says(bundle_folder: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from c2v.encoder.bundle_config import read_config
    from c2v.encoder.towers.onnx_image import OnnxImageTower
    from c2v.errors import ModelError

    config = read_config(bundle_folder)
    other = replace(config.image, settings={"frames": 4, "seconds": 4.0})
    with pytest.raises(ModelError, match=r"image.onnx takes .*\['N', 4, 32, 32, 3\]"):
        OnnxImageTower.load(bundle_folder, replace(config, image=other))
    with pytest.raises(ModelError, match=r"image.onnx gives features .*\['N', 7\]"):
        OnnxImageTower.load(bundle_folder, replace(config, feature_dim=7))
    with pytest.raises(ModelError, match="frames"):
        replace(config.image, settings={"frames": 0, "seconds": 4.0})
    motion.write_graph(tmp_path / "image.onnx", batch=1)  # exported for one clip at a time
    tower = OnnxImageTower.load(tmp_path, config)
    assert tower.encode(np.zeros((3, 8, 32, 32, 3), np.uint8)).shape == (3, motion.DIM)
