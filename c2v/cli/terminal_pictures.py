"""Small pictures as what terminals draw: kitty's, iTerm2's and sixel notation, and half blocks.

All three notations are short enough to be written here, and nothing that is kept up does better:
of the packages with pictures for terminals, one needs Python 3.12 and keeps its sixels to itself,
the others have seen no release for two years.
"""

import re
from base64 import b64encode
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.text import Text

UPPER_HALF = "▀"
_KITTY_CHUNK = 4096
_SIXEL_LEVELS = 6
"""Of each of red, green and blue: 216 colours, of the 256 that the oldest terminals have."""
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 15 / 32
_RUN = re.compile(r"(.)\1{3,}")


def kitty(pixels: NDArray[np.uint8], columns: int, rows: int) -> str:
    """A picture [H, W, 3] over so many cells; the cursor stays where it is."""
    height, width = pixels.shape[:2]
    data = b64encode(pixels.tobytes()).decode()
    chunks = [data[at : at + _KITTY_CHUNK] for at in range(0, len(data), _KITTY_CHUNK)]
    keys = f"a=T,f=24,s={width},v={height},c={columns},r={rows},C=1,q=2,"
    parts = []
    for number, chunk in enumerate(chunks, start=1):
        more = int(number < len(chunks))
        parts.append(f"\x1b_G{keys}m={more};{chunk}\x1b\\")
        keys = "q=2,"
    return "".join(parts)


def iterm2(jpeg: bytes, columns: int, rows: int) -> str:
    """A JPEG over so many cells."""
    return (
        f"\x1b]1337;File=inline=1;size={len(jpeg)};width={columns};height={rows};"
        f"preserveAspectRatio=0:{b64encode(jpeg).decode()}\a"
    )


def sixel(pixels: NDArray[np.uint8]) -> str:
    """A picture [H, W, 3], a pixel a pixel."""
    height, width = pixels.shape[:2]
    colours = _reduced(pixels)
    parts = [f'\x1bP0;1q"1;1;{width};{height}']
    for index in np.unique(colours):
        red, green, blue = (
            round(100 * level / (_SIXEL_LEVELS - 1)) for level in _levels(int(index))
        )
        parts.append(f"#{index};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        band = colours[top : top + 6]
        weights = 1 << np.arange(len(band))[:, None]
        for index in np.unique(band):
            bits = ((band == index) * weights).sum(axis=0) + 63
            line = bits.astype(np.uint8).tobytes().decode("ascii")
            parts.append(f"#{index}{_RUN.sub(_repeated, line)}$")
        parts.append("-")
    parts.append("\x1b\\")
    return "".join(parts)


def _levels(index: int) -> tuple[int, int, int]:
    rest, blue = divmod(index, _SIXEL_LEVELS)
    red, green = divmod(rest, _SIXEL_LEVELS)
    return red, green, blue


def _repeated(found: re.Match[str]) -> str:
    return f"!{len(found[0])}{found[1]}"


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The number of the colour of each pixel [H, W], the rounding spread over neighbours."""
    height, width = pixels.shape[:2]
    spread = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    levels = np.rint(pixels / 255 * (_SIXEL_LEVELS - 1) + spread)
    levels = levels.clip(0, _SIXEL_LEVELS - 1).astype(np.intp)
    return (levels[..., 0] * _SIXEL_LEVELS + levels[..., 1]) * _SIXEL_LEVELS + levels[..., 2]


def half_blocks(pixels: NDArray[np.uint8]) -> list["Text"]:
    """A picture [2R, C, 3] as R lines of C cells, two pixels in each."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    lines = []
    for upper, lower in zip(pixels[0::2].tolist(), pixels[1::2].tolist(), strict=True):
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            line.append(UPPER_HALF, style)
        lines.append(line)
    return lines


def resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture [H, W, 3] at another, smaller size: the mean of what each new pixel covers."""
    rows = np.linspace(0, pixels.shape[0], height + 1).astype(int)
    columns = np.linspace(0, pixels.shape[1], width + 1).astype(int)
    sums = np.add.reduceat(pixels.astype(np.float64), rows[:-1], axis=0)
    sums = np.add.reduceat(sums, columns[:-1], axis=1)
    counts = np.diff(rows)[:, None] * np.diff(columns)[None, :]
    return np.asarray((sums / counts[..., None]).round(), np.uint8)
