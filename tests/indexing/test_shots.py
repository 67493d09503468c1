"""Segments of a long video by what it shows: every picture in one, none over what is lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.encoder.bundle import Bundle, load_bundle
from c2v.errors import MediaError
from c2v.evaluation.retrieval import video_vectors
from c2v.indexing.assembly import Assembly, to_segments
from c2v.indexing.events import OpenedFile
from c2v.indexing.options import IndexOptions
from c2v.indexing.pipeline import index_paths
from c2v.indexing.plan import Job
from c2v.indexing.reembedding import model_record
from c2v.library import open_store
from c2v.media.identity import FileState
from c2v.media.probe import VideoInfo
from c2v.media.sampled import Layout
from c2v.media.sampling import Sampling
from c2v.media.scan import FoundVideo
from c2v.media.segments import SegmentMode, plan_segments

DIM = 511


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("mini", device="cpu")


def film(*scenes: int, lost: frozenset[int] = frozenset()) -> Assembly:
    """A film of scenes of so many seconds, a frame a second, but for those that are lost."""
    random = np.random.default_rng(2)
    frames = np.repeat(random.standard_normal((len(scenes), DIM)), scenes, axis=0)
    frames += 0.2 * random.standard_normal(frames.shape)
    length = float(len(frames))
    segments = plan_segments(length, mode=SegmentMode())
    times = np.asarray([time for one in segments for time in one.times])
    path = Path("/films/made.mp4")
    info = VideoInfo(path, length, 4, 4, 0, 25.0, "h264", "mp4")
    layout = Layout(info, segments, times, by_shots=len(segments) > 1)
    job = Job(FoundVideo(path, 1, 1), "content", Sampling(), updates=False)
    state = FileState(1, 1, 1, 1)
    made = Assembly.of(OpenedFile(0, job, layout, state, "content"), feature_dim=DIM)
    made.features[:] = frames
    made.seconds[:] = times
    made.seen[:] = [row not in lost for row in range(len(times))]
    return made


def test_segments_end_with_the_scenes(bundle: Bundle) -> None:
    segments = to_segments(film(4, 9, 7, 12, 5), bundle)
    assert [one.start_seconds for one in segments] == [0, 4, 13, 20, 32]
    assert [one.end_seconds for one in segments] == [4, 13, 20, 32, 37]
    heads = [bundle.from_library(one.vector) for one in segments]
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) for vector in heads)


def test_a_scene_without_end_is_cut_all_the_same(bundle: Bundle) -> None:
    segments = to_segments(film(50), bundle)
    assert len(segments) == 5
    assert max(len(one.times) for one in segments) == 12


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(8, 30), min_size=4, max_size=7), st.sets(st.integers(0, 60)))
def test_every_picture_is_in_one_and_none_reaches_over_what_is_lost(
    bundle: Bundle, scenes: list[int], lost: set[int]
) -> None:
    assembly = film(*scenes, lost=frozenset(lost))
    if not assembly.seen.any():
        with pytest.raises(MediaError, match="no frame"):
            to_segments(assembly, bundle)
        return
    segments = to_segments(assembly, bundle)
    times = np.concatenate([one.times for one in segments])
    np.testing.assert_array_equal(times, assembly.seconds[assembly.seen])
    for one in segments:
        assert 1 <= len(one.times) <= 12
        assert one.start_seconds <= one.times[0] <= one.times[-1] <= one.end_seconds
        inside = (assembly.seconds > one.start_seconds) & (assembly.seconds < one.end_seconds)
        assert assembly.seen[inside].all()
    for one, following in pairwise(segments):
        assert one.end_seconds <= following.start_seconds


def test_evaluation_sees_windows_whatever_was_cut(
    bundle: Bundle, videos: ModuleType, tmp_path: Path
) -> None:
    path = videos.make_video(tmp_path / "long.mp4", count=288, rate=3)
    found = {}
    for name in ("auto", "12"):
        with open_store(tmp_path / name, create=True) as library:
            library.set_model(model_record(bundle))
            options = IndexOptions(segment=SegmentMode.parse(name))
            index_paths(library, bundle, [path], options=options)
            (video,) = library.videos()
            starts = [row.start_seconds for row in library.segments_of([video.id])[video.id]]
            found[name] = starts, *video_vectors(library, bundle, {str(path): video.id})
    assert found["12"][0] == [12.0 * place for place in range(8)]
    assert found["auto"][0] != found["12"][0]  # else nothing is compared
    np.testing.assert_allclose(found["auto"][1], found["12"][1], atol=1e-5)
    assert found["auto"][2].tolist() == found["12"][2].tolist() == [0] * 8
