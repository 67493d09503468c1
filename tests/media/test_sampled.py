"""Pictures of a whole file at once, one small picture, and what checks itself."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2v.errors import ChangedError, MediaError, UsageError
from c2v.media import sampled
from c2v.media.decode import choose_decoder
from c2v.media.frames import Frame, Frames, in_chunks
from c2v.media.picture import FrameShape
from c2v.media.probe import probe
from c2v.media.sampled import sample
from c2v.media.sampling import Sampling
from c2v.media.segments import SegmentMode, plan_segments
from c2v.media.thumbnails import jpeg, thumbnail

SHAPE = FrameShape(32)
modes = st.one_of(
    st.sampled_from([SegmentMode("auto"), SegmentMode("whole"), SegmentMode("scene")]),
    st.floats(0.5, 1e7).map(lambda seconds: SegmentMode("seconds", seconds)),
)


@pytest.fixture(scope="module")
def clip(videos: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 numbered pictures in ten seconds, a keyframe every twelfth."""
    file: Path = videos.make_video(tmp_path_factory.mktemp("a") / "a.mp4", count=50, rate=5)
    return file


# -- how a video is looked at, in a word ---------------------------------------------------------


@given(mode=modes, exactness=st.sampled_from(["exact", "fast"]))
def test_the_text_of_a_sampling_is_all_of_it(mode: SegmentMode, exactness: str) -> None:
    """What is stored beside the vectors cuts as it did when they were made."""
    sampling = Sampling(mode, exactness)  # type: ignore[arg-type]
    assert Sampling.parse(str(sampling)) == sampling


@pytest.mark.parametrize("text", ["", "auto+", "auto+slow", "+fast", "10+fast+fast", "nan", "0.2"])
def test_what_is_no_sampling(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sampling.parse(text)
    assert caught.value.hint


# -- all pictures of a file ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["auto", "whole", "2", "3+fast", "whole+fast", "scene"])
def test_sample_gives_the_pictures_at_the_planned_times(
    clip: Path, videos: ModuleType, text: str
) -> None:
    sampling = Sampling.parse(text)
    video = sample(clip, sampling, SHAPE)
    info = probe(clip)
    segments = plan_segments(info.duration_seconds, mode=sampling.mode)
    if sampling.mode.kind != "scene":
        assert video.layout.segments == segments
    times = [time for one in video.layout.segments for time in one.times]
    np.testing.assert_array_equal(video.layout.times, times)
    np.testing.assert_array_equal(video.frames.indices, np.arange(len(times)))
    assert video.problems == ()
    decoder = choose_decoder("auto", exactness=sampling.exactness)
    frames = list(decoder.frames(info, times, shape=SHAPE, on_problem=print))
    np.testing.assert_array_equal(video.pictures, [frame.pixels for frame in frames])
    np.testing.assert_allclose(video.frames.seconds, [frame.seconds for frame in frames])
    if sampling.exactness == "exact":
        numbers = [videos.read_number(picture) for picture in video.pictures]
        assert numbers == [int(5 * time + 1e-6) for time in times]


def test_sample_takes_so_many_of_the_first_seconds(clip: Path) -> None:
    video = sample(clip, Sampling.parse("whole"), SHAPE, frames=4, first_seconds=2.0)
    np.testing.assert_allclose(video.layout.times, [0.25, 0.75, 1.25, 1.75])
    assert video.pictures.shape == (4, 32, 32, 3)


def test_a_file_that_changes_is_sampled_again_once(
    clip: Path, videos: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.mp4"
    file.write_bytes(clip.read_bytes())
    other = videos.make_video(tmp_path / "c.mp4", count=20, rate=5)
    expected = sample(other, Sampling(), SHAPE).pictures
    look, looks = sampled.look, [0]

    def changing(*arguments: object) -> object:
        looks[0] += 1
        if looks[0] == 1:
            other.replace(file)
        elif always:
            file.touch()
        return look(*arguments)  # type: ignore[arg-type]

    always: list[bool] = []
    monkeypatch.setattr(sampled, "look", changing)
    np.testing.assert_array_equal(sample(file, Sampling(), SHAPE).pictures, expected)
    assert looks == [2]
    always.append(True)
    with pytest.raises(ChangedError):
        sample(file, Sampling(), SHAPE)
    assert looks == [4]


def test_what_is_no_video_is_a_media_error(tmp_path: Path) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("no video\n" * 40)
    for read in (lambda: sample(text, Sampling(), SHAPE), lambda: thumbnail(text, None, 32)):
        with pytest.raises(MediaError, match="text file"):
            read()


# -- one small picture ---------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "near"), [(None, 5.0), (0.0, 0.0), (9.0, 9.0)])
def test_a_thumbnail_is_the_keyframe_near_a_time(
    clip: Path, videos: ModuleType, seconds: float | None, near: float
) -> None:
    picture = thumbnail(clip, seconds, 96)
    assert picture.shape == (96, 96, 3)
    number = videos.read_number(picture)
    assert abs(number / 5 - near) <= 1.2 + 1e-6  # half a group of twelve


def test_jpeg_shows_the_picture() -> None:
    import av

    picture = np.zeros((40, 64, 3), np.uint8)
    picture[:, 32:] = (220, 30, 30)
    data = jpeg(picture)
    assert data[:2] == b"\xff\xd8"
    with av.open(BytesIO(data)) as container:
        (frame,) = container.decode(video=0)
    shown = frame.to_ndarray(format="rgb24").astype(int)
    assert shown.shape == picture.shape
    assert np.abs(shown - picture)[:, [4, 60]].max() < 30


# -- what checks itself --------------------------------------------------------------------------


def frames_of(**change: np.ndarray) -> Frames:
    parts = {
        "indices": np.arange(3),
        "seconds": np.zeros(3, np.float32),
        "pixels": np.zeros((2, 8, 8, 3), np.uint8),
        "shown": np.array([0, 1, 1]),
    }
    return Frames(**{**parts, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": np.zeros(2, np.float32)},
        {"shown": np.zeros((3, 1), np.intp)},
        {"pixels": np.zeros((4, 8, 8, 3), np.uint8)},
        {"pixels": np.zeros((2, 8, 6, 3), np.uint8)},
        {"pixels": np.zeros((8, 8, 3), np.uint8)},
    ],
)
def test_frames_whose_parts_do_not_fit_cannot_be_made(change: dict[str, np.ndarray]) -> None:
    frames_of()
    with pytest.raises(ValueError, match="frames"):
        frames_of(**change)


@pytest.mark.parametrize("shape", [(8, 8), (8, 6, 3), (8, 8, 4), (1, 8, 8, 3)])
def test_a_frame_is_a_square_of_three_colours(shape: tuple[int, ...]) -> None:
    Frame(0, 0.0, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="side"):
        Frame(0, 0.0, np.zeros(shape, np.uint8))


@given(
    shown=st.lists(st.integers(0, 3), max_size=80),
    first=st.integers(0, 1000),
)
def test_chunks_hold_every_frame_and_no_picture_twice_in_a_row(
    shown: list[int], first: int
) -> None:
    pictures = [np.full((4, 4, 3), number, np.uint8) for number in range(4)]
    frames = (Frame(i, float(i), pictures[number]) for i, number in enumerate(shown))
    chunks = list(in_chunks(frames, first=first))
    got = [int(picture[0, 0, 0]) for one in chunks for picture in one.pixels[one.shown]]
    assert got == shown
    assert [int(i) - first for one in chunks for i in one.indices] == list(range(len(shown)))
    for one in chunks:
        assert len(one.pixels) <= 8
        assert len(one.indices) <= 64
        numbers = one.pixels[:, 0, 0, 0]
        assert (numbers[1:] != numbers[:-1]).all()
