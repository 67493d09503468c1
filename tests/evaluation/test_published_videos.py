"""Videos as the papers look at them: from the file to a vector, and what cannot be looked at."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.encoder.heads.initialise import random_head
from c2v.encoder.heads.settings import HeadSettings
from c2v.encoder.padding import pad
from c2v.encoder.trained_bundle import save_bundle
from c2v.errors import DataError, UsageError
from c2v.evaluation.captions import from_pairs
from c2v.evaluation.published_videos import Candidates, embed_published, published_protocol
from c2v.evaluation.retrieval import Measure, evaluate_candidates
from c2v.media.published_pictures import resize_and_crop
from c2v.media.published_positions import PublishedSampling

CLIP4CLIP = PublishedSampling("clip4clip")
CLIP2VIDEO = PublishedSampling("clip2video")


@pytest.fixture
def difference(bundle: Bundle) -> Bundle:
    """CLIP2Video as it was released, over the toy towers: its padding leaks."""
    settings = HeadSettings(type="clip2video", feature_dim=64, layers=1)
    save_bundle(
        "leaks", parent=bundle, head=settings, head_state=random_head(settings, seed=1).state_dict()
    )
    return load_bundle("leaks", device="cpu")


def embedded(
    bundles: list[Bundle], paths: list[Path], sampling: PublishedSampling
) -> list[Candidates]:
    return embed_published(
        bundles, [str(path) for path in paths], sampling, on_progress=lambda done, total: None,
        on_problem=pytest.fail,
    )  # fmt: skip


def every_picture(path: Path, side: int) -> np.ndarray:
    """All frames of a file, one after the other, as the papers' squares."""
    with av.open(str(path)) as container:
        frames = [
            frame.to_ndarray(
                format="rgb24",
                src_colorspace="ITU601",
                dst_colorspace="ITU601",
                interpolation="BICUBIC",
            )  # fmt: skip
            for frame in container.decode(video=0)
        ]
    return np.stack([resize_and_crop(frame, side) for frame in frames])


@pytest.mark.parametrize(
    ("sampling", "wanted"),
    [(CLIP4CLIP, [0, 25, 50, 75]), (CLIP2VIDEO, [0, 1, 9, 19, 29, 39, 49, 59, 69, 79, 89, 99])],
)
def test_the_vector_is_that_of_the_paper_s_frames(
    tmp_path: Path, videos: ModuleType, bundle: Bundle, difference: Bundle,
    sampling: PublishedSampling, wanted: list[int],
) -> None:  # fmt: skip
    """With two encoders at once; of the clip of four frames the other eight are the mean colour."""
    path = videos.make_video(tmp_path / "a.mp4", count=100, rate=25)
    both = embedded([bundle, difference], [path], sampling)
    side = bundle.config.image.side
    features = bundle.encode_frames(every_picture(path, side)[wanted])
    colour = np.round(255 * np.asarray(bundle.config.image.mean)).astype(np.uint8)
    blank = bundle.encode_frames(np.tile(colour, (1, side, side, 1)))[0]
    for model, found in zip((bundle, difference), both, strict=True):
        assert found.paths == (str(path),)
        assert found.vectors.shape == (1, model.vector_dim)
        padded, mask = pad([features], length=12, filler=blank)
        np.testing.assert_allclose(found.vectors, model.embed_video(padded, mask), atol=1e-5)
    bare = difference.embed_segments([features])
    leaks = np.abs(both[1].vectors - bare).max() > 1e-3
    assert leaks is np.bool_(len(wanted) < 12), "the released head sees what is not a frame"


def test_first_seconds_and_most_frames(tmp_path: Path, videos: ModuleType, bundle: Bundle) -> None:
    path = videos.make_video(tmp_path / "a.mp4", count=120, rate=10)
    few = embedded([bundle], [path], PublishedSampling("clip4clip", max_frames=3, first_seconds=5))
    features = bundle.encode_frames(every_picture(path, bundle.config.image.side)[[0, 20, 50]])
    np.testing.assert_allclose(few[0].vectors, bundle.embed_segments([features]), atol=1e-5)


def test_what_cannot_be_looked_at_is_named_with_a_reason(
    tmp_path: Path, videos: ModuleType, bundle: Bundle
) -> None:
    good = videos.make_video(tmp_path / "good.mp4", count=30)
    again = videos.make_video(tmp_path / "again.mp4", count=40)
    short = videos.make_video(tmp_path / "short.mp4", count=1)
    text = tmp_path / "text.mp4"
    text.write_text("not a video " * 40)
    paths = [text, good, tmp_path / "gone.mp4", short, again]
    told: list[tuple[int, int]] = []
    sampling = PublishedSampling("clip2video", picture_step=2)
    (found,) = embed_published(
        [bundle], [str(path) for path in paths], sampling,
        on_progress=lambda done, total: told.append((done, total)), on_problem=pytest.fail,
    )  # fmt: skip
    assert found.paths == (str(good), str(again))
    assert found.column.tolist() == [0, 1]
    reasons = {Path(miss.path).name: miss.reason for miss in found.missing}
    assert reasons["gone.mp4"] == "no such file"
    assert reasons["text.mp4"].startswith("cannot be read: is a")
    assert "is too short" in reasons["short.mp4"]
    assert told == [(done, 5) for done in range(1, 6)]


def test_nothing_to_rank(tmp_path: Path, bundle: Bundle) -> None:
    captions = from_pairs(tmp_path / "c.csv", [(str(tmp_path / "gone.mp4"), "a dog")])
    (found,) = embedded([bundle], [tmp_path / "gone.mp4"], CLIP4CLIP)
    with pytest.raises(DataError, match="not one of its videos") as caught:
        evaluate_candidates(bundle, captions, found, Measure())
    assert "no such file" in caught.value.message


def test_protocols_of_the_benchmarks() -> None:
    def sampling(name: str, data: str) -> tuple[int, int, int]:
        found = published_protocol(name, data=data, first_seconds=None)
        assert found is not None
        return found.sampling.max_frames, found.sampling.picture_step, found.most_tokens

    assert published_protocol("library", data="msvd", first_seconds=None) is None
    assert sampling("clip4clip", "msrvtt-9k") == (12, 1, 32)
    assert sampling("clip4clip", "ActivityNet") == (64, 1, 64)
    assert sampling("clip4clip", "didemo") == (64, 1, 64)
    assert sampling("clip2video", "msrvtt-9k") == (12, 2, 32)
    assert sampling("clip2video", "msvd") == (12, 1, 32)
    assert sampling("clip2video", "own.csv") == (12, 1, 32)
    with pytest.raises(UsageError, match="--protocol clip5clip"):
        published_protocol("clip5clip", data="own.csv", first_seconds=None)


def test_long_texts_are_cut_as_in_the_papers(bundle: Bundle) -> None:
    """To 32 tokens: start, thirty words, and the end, which is never lost."""
    long, short = " ".join(["dog"] * 50), " ".join(["dog"] * 30)
    cut = bundle.embed_text([long, "a cat"], most_tokens=32)
    np.testing.assert_allclose(cut, bundle.embed_text([short, "a cat"]), atol=1e-6)
    assert np.abs(cut[0] - bundle.embed_text([long])[0]).max() > 1e-3
    whole = bundle.embed_text([long, "a cat"], most_tokens=64)
    np.testing.assert_allclose(whole, bundle.embed_text([long, "a cat"]), atol=1e-6)


def test_reading_ahead_keeps_order_and_raises(
    tmp_path: Path, videos: ModuleType, bundle: Bundle
) -> None:  # fmt: skip
    """Many videos of different length: every vector belongs to its own."""
    paths = [videos.make_video(tmp_path / f"{n}.mp4", count=25 + 20 * n) for n in range(7)]
    (found,) = embedded([bundle], paths, CLIP4CLIP)
    for path, vector in zip(paths, found.vectors, strict=True):
        (alone,) = embedded([bundle], [path], CLIP4CLIP)
        np.testing.assert_allclose(vector, alone.vectors[0], atol=1e-5)
    with pytest.raises(ZeroDivisionError):
        embed_published(
            [bundle], [str(path) for path in paths], CLIP4CLIP,
            on_progress=lambda done, total: 1 // (3 - done), on_problem=pytest.fail,
        )  # fmt: skip
