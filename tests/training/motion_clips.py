"""Clips whose captions differ only in how things move: direction, order and speed.

Real photographs (those scikit-image installs) slide, grow, turn and fade, a step at a time. For
each kind of motion there are six ways through the very same pictures: there, back, there and back,
back and there, and twice there or back in the same time. Every way shows each of six positions for
the same time, so the twelve sampled frames of all six are the same but for their order: a mean of
frames cannot tell them apart, only something that sees time can. (Moving smoothly they are not
quite: twelve samples of a slow motion are twelve positions, those of a fast one six of them twice,
and a trained mean of frames finds the kind of way by that.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PICTURES = {
    "chelsea": "the cat",
    "rocket": "the rocket",
    "coffee": "the cup of coffee",
    "astronaut": "the astronaut",
    "motorcycle_left": "the motorcycle",
    "camera": "the photographer",
    "coins": "the old coins",
    "moon": "the moon",
}
"""Photograph in scikit-image -> what a caption calls it."""

KINDS: dict[str, tuple[str, str]] = {
    "slide": ("moves to the left", "moves to the right"),
    "grow": ("grows", "shrinks"),
    "turn": ("turns clockwise", "turns counter-clockwise"),
    "fade": ("appears", "disappears"),
}
"""Kind of motion -> its two directions in words."""

WAYS: dict[str, Callable[[str, str], str]] = {
    "there": lambda there, back: f"slowly {there}",
    "back": lambda there, back: f"slowly {back}",
    "there-back": lambda there, back: f"{there}, then {back}",
    "back-there": lambda there, back: f"{back}, then {there}",
    "twice-there": lambda there, back: f"{there} fast, again and again",
    "twice-back": lambda there, back: f"{back} fast, again and again",
}

POSITIONS = 6
"""Each is shown for a sixth of the time; the twelve sampled frames are in the middle of halves."""
SECONDS, FRAME_RATE = 4.0, 12
WIDTH, HEIGHT = 240, 180


@dataclass(frozen=True, slots=True)
class MotionClip:
    """One clip to render; ``take`` numbers the variations of the same caption."""

    picture: str
    kind: str
    way: str
    take: int

    @property
    def caption(self) -> str:
        there, back = KINDS[self.kind]
        return f"{PICTURES[self.picture]} {WAYS[self.way](there, back)}"

    @property
    def name(self) -> str:
        return f"{self.picture}-{self.kind}-{self.way}-{self.take}.mp4"


def position(way: str, time: float) -> float:
    """Where on its path, 0 to 1, a motion is at ``time``, from 0 to below 1."""
    moment = int(time * 2 * POSITIONS)  # 0 to 11
    if way in ("there", "back"):
        place = moment // 2
    elif way.startswith("twice") or moment < POSITIONS:
        place = moment % POSITIONS
    else:
        place = 2 * POSITIONS - 1 - moment  # the second half of there and back
    backwards = way in ("back", "back-there", "twice-back")
    return (POSITIONS - 1 - place if backwards else place) / (POSITIONS - 1)


def motion_clips(*, pictures: int, kinds: Sequence[str], takes: int) -> Iterator[MotionClip]:
    """Every caption of the first pictures and of these kinds, ``takes`` times."""
    for take in range(takes):
        for picture in list(PICTURES)[:pictures]:
            for kind in kinds:
                for way in WAYS:
                    yield MotionClip(picture, kind, way, take)


def frames(clip: MotionClip, *, count: int) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a clip, [HEIGHT, WIDTH, 3], evenly over its time."""
    places = [position(clip.way, (number + 0.5) / count) for number in range(count)]
    seen = {place: _rendered(clip, place) for place in set(places)}
    for place in places:
        yield seen[place]


def _rendered(clip: MotionClip, place: float) -> NDArray[np.uint8]:
    """The photograph at a place on the path, light, size and tilt as of this take."""
    from skimage.transform import AffineTransform, warp

    picture = _picture(clip.picture)
    number = list(PICTURES).index(clip.picture) * 1000 + clip.take
    random = np.random.default_rng([number, list(KINDS).index(clip.kind)])
    light, zoom = random.uniform(0.75, 1.15), random.uniform(0.9, 1.1)
    offset, tilt = random.uniform(-0.05, 0.05, 2), random.uniform(-0.1, 0.1)
    first, last = random.uniform(0.0, 0.08), random.uniform(0.92, 1.0)
    at = first + (last - first) * place
    scale, angle, x = 0.75 * zoom, tilt, 0.0
    if clip.kind == "slide":
        scale, x = 0.5 * zoom, 0.5 * (at - 0.5)
    elif clip.kind == "grow":
        scale = zoom * (0.95 - 0.65 * at)
    elif clip.kind == "turn":
        scale, angle = 0.6 * zoom, tilt + np.pi * at
    rows, columns = picture.shape[:2]
    step = min(rows / HEIGHT, columns / WIDTH) * scale
    centre = np.array([columns * (0.5 + x + offset[0]), rows * (0.5 + offset[1])])
    window = (
        AffineTransform(translation=(-WIDTH / 2, -HEIGHT / 2))
        + AffineTransform(scale=(step, step), rotation=angle)
        + AffineTransform(translation=tuple(centre))
    )
    seen = warp(picture, window, output_shape=(HEIGHT, WIDTH), mode="reflect", order=1)
    if clip.kind == "fade":
        seen = seen * at + 0.45 * (1 - at)
    return np.asarray(np.clip(seen * light, 0, 1) * 255).astype(np.uint8)


def write_clip(clip: MotionClip, folder: Path) -> Path:
    """Render a clip as an H.264 file."""
    import av

    path = folder / clip.name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "26"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, pixels in enumerate(frames(clip, count=round(SECONDS * FRAME_RATE))):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


_LOADED: dict[str, NDArray[np.float32]] = {}


def _picture(name: str) -> NDArray[np.float32]:
    """A photograph as float RGB, at most 512 wide."""
    if name not in _LOADED:
        from skimage import data
        from skimage.transform import resize

        folder = Path(data.__file__).parent
        file = next(path for path in folder.iterdir() if path.stem == name)
        from skimage.io import imread

        pixels = imread(file)
        if pixels.ndim == 2:
            pixels = np.stack([pixels] * 3, axis=-1)
        pixels = pixels[..., :3]
        small = max(1.0, pixels.shape[1] / 512)
        shape = (round(pixels.shape[0] / small), round(pixels.shape[1] / small))
        _LOADED[name] = resize(pixels, shape, anti_aliasing=small > 1).astype(np.float32)
    return _LOADED[name]
