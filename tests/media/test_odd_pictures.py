"""Pictures of which a library under FFmpeg, or PyAV, does not know a tag: still right pictures."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import zlib
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from c2v.errors import MediaError
from c2v.media.containers import open_video
from c2v.media.decode import choose_decoder
from c2v.media.picture import FrameShape
from c2v.media.probe import look, probe

CASES = Path(__file__).parents[3] / "shared" / "cases"


def square(path: Path, seconds: float = 0.1, side: int = 112) -> NDArray[np.uint8]:
    """The picture on screen at a time; a problem fails the test."""
    (frame,) = choose_decoder("auto").frames(
        probe(path), [seconds], shape=FrameShape(side), on_problem=pytest.fail
    )
    return frame.pixels


# EXIF's eight ways to store a picture: what is to be done with the upright one, to store it so.
STORED = {
    1: lambda picture: picture,
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, 1),
    7: lambda picture: np.rot90(picture, 2).transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture, -1),
}


def motion_jpeg(path: Path, picture: NDArray[np.uint8], *, orientation: int) -> Path:
    """What cameras write: JPEG with EXIF, which PyAV 17 and 18 have no name for."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture)))
    stored.save(data, "jpeg", quality=95, exif=exif)
    packets(path, "mjpeg", "yuvj420p", (stored.width, stored.height), data.getvalue())
    return path


def packets(
    path: Path, codec: str, pixel_format: str, size: tuple[int, int], data: bytes, count: int = 5
) -> None:
    """The same picture, encoded by somebody else, some times."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=5)
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        if pixel_format.startswith("yuvj"):
            stream.codec_context.color_range = 2
        for number in range(count):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 5)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            out.mux(packet)


@pytest.mark.parametrize("orientation", sorted(STORED))
@pytest.mark.parametrize("ending", ["avi", "mov"])
def test_side_data_without_a_name_keeps_the_way_up(
    videos: ModuleType, tmp_path: Path, orientation: int, ending: str
) -> None:
    picture = videos.draw(5, width=160, height=120)
    file = motion_jpeg(tmp_path / f"camera.{ending}", picture, orientation=orientation)
    assert videos.read_number(square(file)) == 5
    info = probe(file)
    assert (info.width, info.height) == (160, 120)


@pytest.mark.parametrize("name", ["spatial.mov", "cam_exif.avi"])
def test_reported_files_with_such_side_data(name: str) -> None:
    if not (CASES / name).exists():
        pytest.skip("the files of bug reports are not here")
    assert square(CASES / name, 0.3).std() > 5


MATRICES = ["YCgCo", "bt2020c", "smpte2085", "chroma-derived-c", "ICtCp"]


def tagged(videos: ModuleType, path: Path, matrix: str, size: tuple[int, int]) -> Path:
    options = {"x264-params": f"colormatrix={matrix}"} if matrix else {}
    file: Path = videos.make_video(path, count=5, size=size, options=options)
    return file


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("size", [(160, 120), (1280, 720)])
def test_colour_matrix_that_swscale_refuses(
    videos: ModuleType, tmp_path: Path, matrix: str, size: tuple[int, int]
) -> None:
    plain = tagged(videos, tmp_path / "plain.mp4", "", size)
    odd = tagged(videos, tmp_path / "odd.mp4", matrix, size)
    with av.open(str(odd)) as container:
        tag = next(container.decode(video=0)).colorspace
    assert tag not in (0, 1, 2, 4, 5, 6, 7, 9)  # those that swscale knows
    assert videos.read_number(square(odd)) == 2
    np.testing.assert_array_equal(square(odd), square(plain))


@pytest.mark.parametrize("name", ["ycgco.mp4", "bt2020c.mp4", "ictcp.mp4"])
def test_reported_files_with_such_a_matrix(name: str, videos: ModuleType) -> None:
    if not (CASES / name).exists():
        pytest.skip("the files of bug reports are not here")
    assert videos.read_number(square(CASES / name, 0.5)) == 12


# -- pictures of gigabytes in files of megabytes -------------------------------------------------


def black_png(side: int) -> bytes:
    """A grey PNG of `side` x `side` zeros, made without holding it in memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    deflate = zlib.compressobj(6)
    rows = b"".join(deflate.compress(bytes(100 * (side + 1))) for _ in range(side // 100))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows + deflate.flush())
        + chunk(b"IEND", b"")
    )


PEAK = """
import resource, sys
from pathlib import Path
from c2v.errors import MediaError
from c2v.media.probe import probe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    probe(Path(sys.argv[1]))
except MediaError as error:
    print(error.message)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("said", [16000, 160], ids=["honest", "lying header"])
def test_pictures_over_the_limit_are_refused_for_their_size(tmp_path: Path, said: int) -> None:
    file = tmp_path / "huge.mov"
    packets(file, "png", "gray", (said, said), black_png(16000), count=2)
    assert file.stat().st_size < 2e6
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(file)], capture_output=True, text=True, check=True
    )
    reason, megabytes = done.stdout.splitlines()
    assert "16000 x 16000 are 256 megapixels, the limit is 200" in reason
    assert int(megabytes) < 400  # PNG tells its size only with a picture: one of a byte a pixel


def test_limit_is_where_it_is_said(videos: ModuleType, tmp_path: Path) -> None:
    """160 x 120, of which H.264 stores 160 x 128."""
    file = videos.make_video(tmp_path / "a.mp4", count=5)
    with open_video(file, max_megapixels=0.0192) as video:
        assert look(video).begins_readable
    with (
        pytest.raises(MediaError, match=r"160 x 120 are 0\.0192 megapixels, the limit is 0\.0191"),
        open_video(file, max_megapixels=0.0191),
    ):
        pass


@pytest.mark.parametrize(
    ("size", "sentence"),
    [((320, 240), "320 x 240 are 0.0768 megapixels"), ((1280, 960), "cannot be read")],
    ids=["a little", "so much that the codec refuses"],
)
def test_pictures_that_grow_over_the_limit(
    videos: ModuleType, tmp_path: Path, size: tuple[int, int], sentence: str
) -> None:
    """Two recordings in one stream, the second larger: what is before them can be had."""
    small = videos.make_video(tmp_path / "s.ts", count=25, b_frames=0)
    large = videos.make_video(
        tmp_path / "l.ts", count=25, b_frames=0, size=size, stamp=lambda n: 1 + n / 25
    )
    file = tmp_path / "both.ts"
    file.write_bytes(small.read_bytes() + large.read_bytes())
    said: list[str] = []
    numbers = []
    frames = choose_decoder("auto", max_megapixels=0.05).frames(
        probe(file), [0.5, 1.6], shape=FrameShape(112), on_problem=said.append
    )
    try:
        for frame in frames:
            numbers.append(videos.read_number(frame.pixels))
    except MediaError as error:
        said.append(error.message)
    assert numbers == [12]
    assert sentence in " ".join(said)


def test_one_file_of_large_pictures_at_a_time(
    videos: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from c2v.media import containers

    monkeypatch.setattr(containers, "_LARGE_PIXELS", 160 * 120 - 1)
    file = videos.make_video(tmp_path / "a.mp4", count=5)
    small = videos.make_video(tmp_path / "b.mp4", count=5, size=(80, 60))
    entered: list[str] = []

    def read(path: Path) -> None:
        with open_video(path) as video:
            look(video)
            entered.append(path.name)

    with open_video(file):
        read(file)  # who has it open may open it again
        others = [threading.Thread(target=read, args=(path,)) for path in (file, small)]
        for thread in others:
            thread.start()
        others[1].join(timeout=30)
        others[0].join(timeout=0.3)
        assert entered == ["a.mp4", "b.mp4"]
        assert others[0].is_alive()
    others[0].join(timeout=30)
    assert entered == ["a.mp4", "b.mp4", "a.mp4"]
