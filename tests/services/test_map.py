"""``map``: a picture of every video, like ones beside each other, as PNG and as a page."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import c2v
from c2v.cli.app import run
from c2v.errors import C2VError, DataError, UsageError
from c2v.media.thumbnails import png, thumbnail
from c2v.search.grid_layout import grid_layout
from c2v.search.video_vectors import video_vectors

TAGS = ("ol", "li", "a", "img", "span")
HOSTILE = "<img src=x onerror=alert(1)> & \"two\" 'one' #1?.mp4"


def picture_in(content: bytes) -> NDArray[np.uint8]:
    with av.open(BytesIO(content)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


class Page(HTMLParser):
    """The cells of a page: where each leads, its picture, and what is written on it."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.titles: list[str] = []
        self.pictures: list[bytes | None] = []
        self.names: list[str] = []
        self.tags: set[str] = set()
        self._in_name = False
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        assert not any(name.startswith("on") for name in given)
        if tag == "a":
            self.addresses.append(given["href"] or "")
            self.titles.append(given["title"] or "")
            self.pictures.append(None)
        elif tag == "img":
            head, data = (given["src"] or "").split(",")
            assert head == "data:image/jpeg;base64"
            self.pictures[-1] = b64decode(data)
        elif tag == "span":
            self._in_name = True
            self.names.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_name = self._in_name and tag != "span"

    def handle_data(self, data: str) -> None:
        if self._in_name:
            self.names[-1] += data


def test_a_png_is_what_was_drawn() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (37, 53, 3)).astype(np.uint8)
    assert np.array_equal(picture_in(png(drawn)), drawn)


def test_a_picture_of_every_video(filled: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with c2v.open(filled) as videos:
        drawn = videos.map(
            tmp_path / "map.png", on_progress=lambda done, total: told.append((done, total))
        )
        known = video_vectors(videos.store, videos.store.videos())
    assert sorted(told) == [(1, 3), (2, 3), (3, 3)]
    assert (drawn.columns, drawn.rows, len(drawn)) == (3, 1, 3)
    canvas = picture_in((tmp_path / "map.png").read_bytes())
    assert canvas.shape == (2 + 258, 2 + 3 * 258, 3)
    paths = [video.path for video in known.videos]
    seconds = dict(zip(paths, known.typical_seconds, strict=True))
    for cell in drawn:
        left = 2 + cell.column * 258
        expected = thumbnail(Path(cell.path), seconds[cell.path], 256)
        assert np.array_equal(canvas[2:258, left : left + 256], expected)


def test_a_page_needs_nothing_beside_it(clips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copyfile(clips / "garage.mp4", folder / HOSTILE)
    shutil.copyfile(clips / "departure.mp4", folder / "é plain.mp4")
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(folder)
        drawn = videos.map(tmp_path / "map.html")
    content = (tmp_path / "map.html").read_bytes()
    page = Page(content)
    assert page.tags - {"html", "head", "meta", "title", "style", "body"} == set(TAGS)
    assert b"url(" not in content
    assert b"http" not in content
    assert page.titles == [cell.path for cell in drawn]
    assert [unquote(urlsplit(one).path) for one in page.addresses] == page.titles
    assert page.names == [Path(cell.path).name for cell in drawn]
    for cell, picture in zip(drawn, page.pictures, strict=True):
        assert picture is not None
        shown = picture_in(picture).astype(int)
        with c2v.open(tmp_path / "library") as videos:
            known = video_vectors(videos.store, [videos.store.video_by_path(cell.path)])  # type: ignore[list-item]
        expected = thumbnail(Path(cell.path), known.typical_seconds[0], len(shown))
        assert np.abs(shown - expected).mean() < 12  # a JPEG


def test_a_file_that_is_gone_keeps_its_place(clips: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clips, tmp_path / "videos")
    said: list[str] = []
    with c2v.open(tmp_path / "library", model="mini", on_problem=said.append) as videos:
        videos.index(folder)
        (folder / "garage.mp4").unlink()
        picture = videos.map(tmp_path / "map.png")
        page = videos.map(tmp_path / "map.HTM")
    (gone,) = (cell for cell in picture if not cell.has_picture)
    assert Path(gone.path).name == "garage.mp4"
    canvas = picture_in((tmp_path / "map.png").read_bytes())
    assert set(np.unique(canvas[2:258, 2 + gone.column * 258 :][:, :256])) == {64}
    assert [cell.as_dict() for cell in page] == [cell.as_dict() for cell in picture]
    shown = Page((tmp_path / "map.HTM").read_bytes())
    assert [one is None for one in shown.pictures] == [not cell.has_picture for cell in page]
    assert len(said) == 2
    assert said[0].startswith(f"no picture of {gone.path}: ")


def test_neighbours_of_real_clips_are_alike(real_clips: Path) -> None:
    """Where in likeness those stand that touch it, from 0 (the likest) to 1: seen 0.20, and of
    random layouts 0.5; of 1000 photographs 0.06."""
    with c2v.open(real_clips) as videos:
        vectors = video_vectors(videos.store, videos.store.videos()).vectors
    columns = 9
    row, column = np.divmod(np.arange(len(vectors)), columns)
    touches = np.maximum(abs(row[:, None] - row), abs(column[:, None] - column)) == 1
    products = vectors @ vectors.T
    np.fill_diagonal(products, np.inf)
    ranks = (np.argsort(np.argsort(-products, axis=1), axis=1) - 1) / (len(vectors) - 2)

    def mean_rank(order: NDArray[np.intp]) -> float:
        return float(ranks[np.ix_(order, order)][touches].mean())

    random = np.random.default_rng(0)
    chance = [mean_rank(random.permutation(len(vectors))) for _ in range(200)]
    assert abs(np.mean(chance) - 0.5) < 0.02
    assert mean_rank(np.argsort(grid_layout(vectors))) < 0.27 < min(chance)


def test_on_the_command_line(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["map", "-L", str(filled), "-o", str(tmp_path / "map.html")]
    assert run([*words, "-f", "json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert list(whole) == ["library", "file", "columns", "rows", "videos"]
    assert whole["file"] == str(tmp_path / "map.html")
    assert run([*words, "garage.mp4"]) == 0
    shown = capsys.readouterr()
    assert shown.out.endswith("map.html\n")
    assert shown.err == "1 video, 1 x 1\n"
    assert run(["map", "-L", str(filled), "-o", str(tmp_path / "map.jpg")]) == 2
    assert "a map is a .png or an .html file" in capsys.readouterr().err
    assert run(["map", "-L", str(filled), "-o", str(tmp_path / "no" / "map.png")]) == 1
    assert "no/map.png cannot be written: there is no such folder" in capsys.readouterr().err


def test_nothing_to_draw(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with c2v.open(tmp_path / "library", model="mini") as videos:
        videos.index(clips)
        with pytest.raises(DataError, match="nowhere"):
            videos.map(tmp_path / "map.png", ["nowhere.mp4"])
        with pytest.raises(UsageError, match=".png"):
            videos.map(tmp_path / "map")
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(C2VError, match="cannot be written"):
            videos.map(tmp_path / "folder.png")
        videos.remove(clips)
    assert run(["map", "-L", str(tmp_path / "library"), "-o", str(tmp_path / "map.png")]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "there is nothing to be drawn, and no file was written\n")
    assert not (tmp_path / "map.png").exists()
