"""Videos that are not beside the captions file but in the library, by what is written of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from c2v.encoder.bundle import Bundle
from c2v.evaluation.captions import read_captions
from c2v.evaluation.library_names import in_library
from c2v.evaluation.stored import find_videos
from c2v.indexing.reembedding import model_record
from c2v.library import NewVideo, SegmentData, Store, open_store


def library_of(folder: Path, bundle: Bundle, videos: Sequence[tuple[str, str]]) -> Store:
    library = open_store(folder, create=True)
    library.set_model(model_record(bundle))
    features = np.ones((2, bundle.feature_dim), np.float16)
    vector = np.eye(1, bundle.vector_dim, dtype=np.float32)[0]
    for number, (path, content) in enumerate(videos):
        library.put_video(
            NewVideo(
                path=path, size_bytes=1, mtime_ns=number, content_id=content,
                duration_seconds=2.0, width=4, height=4, codec="h264", sampling="auto",
            ),
            [SegmentData(0.0, 2.0, np.arange(2, dtype=np.float32), features, vector)],
        )  # fmt: skip
    return library


VIDEOS = [
    ("/films/pets/dog.mp4", "one"), ("/films/zoo/dog.mp4", "two"), ("/films/cat.mkv", "three"),
    ("/films/copy/cat.mkv", "three"), ("/films/v_Ab3.webm", "four"),
    (unicodedata.normalize("NFD", "/films/Zürich/café.mp4"), "five"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("cat.mkv", "/films/cat.mkv"),  # two files of one content are one video
        ("cat", "/films/cat.mkv"),
        ("pets/dog.mp4", "/films/pets/dog.mp4"),
        ("./zoo/dog", "/films/zoo/dog.mp4"),
        ("../films/zoo/dog.mp4", "/films/zoo/dog.mp4"),
        ("Ab3", "/films/v_Ab3.webm"),
        ("café.mp4", VIDEOS[5][0]),
        ("Zürich/café", VIDEOS[5][0]),
        ("other/cat.mkv", None),
        ("at.mkv", None),
        ("/elsewhere/cat.mkv", None),  # a whole path means that file alone
    ],
)
def test_a_name_is_found_by_the_end_of_a_path(
    tmp_path: Path, bundle: Bundle, name: str, found: str | None
) -> None:
    (tmp_path / "data").mkdir()
    data = tmp_path / "data" / "captions.csv"
    data.write_text(f"video,caption\n{name},a\n", encoding="utf-8")
    with library_of(tmp_path / "library", bundle, VIDEOS) as library:
        captions = in_library(library, read_captions(data))
        ids, missing = find_videos(library, captions)
    assert list(ids) == ([found] if found else [])
    assert [miss.reason for miss in missing] == ([] if found else ["no such file"])


def test_a_name_of_several_videos_is_not_guessed(tmp_path: Path, bundle: Bundle) -> None:
    data = tmp_path / "captions.csv"
    data.write_text("video,caption\ndog.mp4,a\ncat,b\n")
    with library_of(tmp_path / "library", bundle, VIDEOS) as library:
        ids, (missing,) = find_videos(library, in_library(library, read_captions(data)))
    assert list(ids) == ["/films/cat.mkv"]
    assert "2 videos of that name: /films/pets/dog.mp4, /films/zoo/dog.mp4" in missing.reason


def test_what_lies_beside_the_file_comes_first(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "cat.mkv").touch()
    data = tmp_path / "captions.csv"
    data.write_text("video,caption\ncat.mkv,a\ncat,b\n")
    with library_of(tmp_path / "library", bundle, VIDEOS) as library:
        captions = in_library(library, read_captions(data))
        assert captions.videos == (str(tmp_path / "cat.mkv"),)
        asked = read_captions(data, videos=tmp_path / "library")
        assert in_library(library, asked).paths == asked.paths  # --videos says where they are


def test_two_names_of_one_video_are_one(tmp_path: Path, bundle: Bundle) -> None:
    data = tmp_path / "captions.csv"
    data.write_text("video,caption\ncat.mkv,a\ncat,a\n")
    with library_of(tmp_path / "library", bundle, VIDEOS) as library:
        captions = in_library(library, read_captions(data))
    assert (captions.videos, captions.texts, captions.duplicates) == (
        ("/films/cat.mkv",), ("a",), 1
    )  # fmt: skip
