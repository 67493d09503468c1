"""``describe``: out of the library where that holds the file, and moment by moment."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

import c2v
from c2v.cli.app import run
from c2v.errors import LibraryError, MediaError

LABELS = ["a motorcycle in a garage", "a man with a camera", "a rocket"]


def joined(film: Path, clips: list[Path], *, seconds: float) -> Path:
    """A film of ``seconds`` of each clip, one after the other, ten pictures a second."""
    with av.open(str(film), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 10**6
        for clip in clips:
            with av.open(str(clip)) as source:
                frames = [
                    frame.reformat(320, 240, "yuv420p").to_ndarray()
                    for frame in source.decode(video=0)
                ]
            for place in np.linspace(0, len(frames) - 1, int(seconds * 10)):
                frame = av.VideoFrame.from_ndarray(frames[int(place)], format="yuv420p")
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return film


@pytest.fixture(scope="module")
def film(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of a motorcycle, then twenty of a photographer: cut by shots when indexed."""
    folder = tmp_path_factory.mktemp("film")
    parts = [clips / "garage.mp4", clips / "photographer.mp4"]
    return joined(folder / "film.mp4", parts, seconds=20)


def unreadable(path: Path) -> None:
    """Nothing of it can be decoded any more, though size and time stamp are as they were."""
    state = path.stat()
    path.write_bytes(bytes(state.st_size))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_moments_of_a_film_that_is_in_no_library(film: Path, tmp_path: Path) -> None:
    with c2v.open(tmp_path / "none", model="mini") as videos:
        found = videos.describe(film, LABELS, moments=True, model="mini")
    assert found.moments is not None
    first, last = found.moments[0], found.moments[-1]
    assert (first.start, first.results[0].label) == (0.0, "a motorcycle in a garage")
    assert (last.end, last.results[0].label) == (pytest.approx(40, abs=0.2), "a man with a camera")
    edges = [moment.end for moment in found.moments]
    assert edges[:-1] == [moment.start for moment in found.moments[1:]]  # all of it, in order
    assert min(abs(edge - 20) for edge in edges) <= 1.5


def test_what_the_library_holds_is_not_opened_again(film: Path, tmp_path: Path) -> None:
    own = tmp_path / "film.mp4"
    own.write_bytes(film.read_bytes())
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(own)
        read = videos.describe(film, LABELS, moments=True)  # this one is decoded
        unreadable(own)
        stored = videos.describe(own, LABELS, moments=True)
        whole = videos.describe(own, LABELS)
    assert [one.score for one in whole] == pytest.approx([one.score for one in stored], abs=1e-5)
    assert [label.label for label in whole] == [label.label for label in read]
    assert read.moments is not None
    assert stored.moments is not None
    assert [moment.results[0].label for moment in stored.moments] == [
        moment.results[0].label for moment in read.moments
    ]
    spans = [[(one.start, one.end) for one in found.moments or ()] for found in (read, stored)]
    assert np.abs(np.subtract(*spans)).max() < 0.2


def test_a_changed_file_is_decoded(film: Path, tmp_path: Path) -> None:
    own = tmp_path / "film.mp4"
    own.write_bytes(film.read_bytes())
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(own)
        own.write_bytes(bytes(1000))
        for moments in (False, True):
            with pytest.raises(MediaError, match="film.mp4"):
                videos.describe(own, LABELS, moments=moments)


def test_another_model_reads_the_file_itself(filled: Path, clips: Path, toys: object) -> None:
    toys.make_bundle("toy")  # type: ignore[attr-defined]
    with c2v.open(filled) as videos:
        own = videos.describe(clips / "garage.mp4", LABELS, moments=True)
        other = videos.describe(clips / "garage.mp4", LABELS, moments=True, model="toy")
    assert (own.model, other.model) == ("mini", "toy")
    assert own.results != other.results


def test_a_damaged_library_is_in_nobodys_way_who_names_a_model(clips: Path, tmp_path: Path) -> None:
    broken = tmp_path / "library"
    broken.mkdir()
    (broken / "library.db").write_bytes(b"SQLite format 3\0" + b"no" * 5000)
    said: list[str] = []
    from c2v.config import load_settings
    from c2v.services.video_library import VideoLibrary

    with VideoLibrary(load_settings(library=str(broken)), on_notice=said.append) as videos:
        assert len(videos.describe(clips / "garage.mp4", LABELS, model="mini")) == 3
        assert any("the video is read instead" in line for line in said)
        with pytest.raises(LibraryError):
            videos.describe(clips / "garage.mp4", LABELS)


def test_on_the_command_line(filled: Path, clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["describe", str(clips / "garage.mp4"), "-L", str(filled), "--moments"]
    words += ["--labels", "a motorcycle, a rocket"]
    assert run([*words, "-f", "csv"]) == 0
    header, first, *_ = capsys.readouterr().out.splitlines()
    assert header == "start,end,rank,label,score"
    assert first.startswith("0.0,")
    assert ",1,a motorcycle," in first
    assert run([*words, "--min-score", "1"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "no label reached 1; --min-score lowers the bar\n")
