"""Cuts are found where a film cuts, and not where it only moves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from c2v.media import probe
from c2v.media.pyav_decoder import PyAVDecoder
from c2v.media.shots import find_cuts


def textures(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A large soft picture with colours of its own."""
    rng = np.random.default_rng(seed)
    small = rng.normal(rng.uniform(40, 210, 3), 25, size=(8, 16, 3)).clip(0, 255)
    return np.kron(small, np.ones((30, 30, 1))).astype(np.uint8)  # [240, 480, 3]


@pytest.mark.parametrize("cuts", [(), (3.0,), (2.0, 5.0, 6.5)])
def test_cuts_are_found_and_panning_is_not_one(cuts: tuple[float, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(200):
            shot = sum(cut <= number / 25 for cut in cuts)
            picture = textures(shot)[60:180, number : number + 160]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found = find_cuts(probe(path), PyAVDecoder(), on_problem=pytest.fail)
    assert len(found) == len(cuts)
    assert all(abs(a - b) <= 0.13 for a, b in zip(found, cuts, strict=True))
