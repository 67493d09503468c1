"""FCPXML 1.9, which Final Cut Pro and DaVinci Resolve import.

Times are fractions of seconds that must be whole frames: those in a source of the source's rate,
those in the edit of the edit's rate, which is that of the first clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from xml.sax.saxutils import quoteattr

from c2v.services.exporting.clips import EditClip, EditSource, drops
from c2v.services.exporting.names import file_uri, readable

_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n<fcpxml version="1.9">\n'
_MAIN_FORMAT = "r1"
_EMPTY = EditSource("", Fraction(25), 1, 0, 1920, 1080, 0, 0)


def fcpxml(clips: Sequence[EditClip], title: str) -> bytes:
    """The clips one after the other in one project."""
    main = clips[0].source if clips else _EMPTY
    name = quoteattr(readable(title))
    parts = [_HEADER, "  <resources>\n", _format(_MAIN_FORMAT, main)]
    assets: dict[str, str] = {}
    for clip in clips:
        if clip.source.path not in assets:
            key = assets[clip.source.path] = f"r{2 * len(assets) + 2}"
            parts += [_format(f"{key}f", clip.source), _asset(key, clip.source)]
    parts.append("  </resources>\n  <library>\n")
    parts.append(f"    <event name={name}>\n      <project name={name}>\n")
    spine, ends = _spine(clips, assets, main.rate)
    parts.append(
        f'        <sequence format="{_MAIN_FORMAT}" duration="{_time(ends, main.rate)}" '
        f'tcStart="0s" tcFormat="{_counting(main.rate)}">\n          <spine>\n'
    )
    parts += spine
    parts.append("          </spine>\n        </sequence>\n")
    parts.append("      </project>\n    </event>\n  </library>\n</fcpxml>\n")
    return "".join(parts).encode()


def _spine(
    clips: Sequence[EditClip], assets: dict[str, str], rate: Fraction
) -> tuple[list[str], int]:
    """The clips in the edit, and how many frames it has."""
    lines, at = [], 0
    for clip in clips:
        length = max(1, round(clip.seconds * rate))
        source = clip.source
        start = _time(source.first_frame + clip.first, source.rate)
        lines.append(
            f'            <asset-clip ref="{assets[source.path]}" name={quoteattr(source.name)} '
            f'offset="{_time(at, rate)}" start="{start}" duration="{_time(length, rate)}" '
            f'format="{assets[source.path]}f" tcFormat="{_counting(source.rate)}"/>\n'
        )
        at += length
    return lines, at


def _format(key: str, source: EditSource) -> str:
    return (
        f'    <format id="{key}" frameDuration="{_time(1, source.rate)}" '
        f'width="{source.width}" height="{source.height}"/>\n'
    )


def _asset(key: str, source: EditSource) -> str:
    sound = ""
    if source.channels:
        sound = (
            f' hasAudio="1" audioSources="1" audioChannels="{source.channels}" '
            f'audioRate="{source.sample_rate}"'
        )
    return (
        f'    <asset id="{key}" name={quoteattr(source.name)} '
        f'start="{_time(source.first_frame, source.rate)}" '
        f'duration="{_time(source.frames, source.rate)}" hasVideo="1" format="{key}f"{sound}>\n'
        f'      <media-rep kind="original-media" src={quoteattr(file_uri(source.path))}/>\n'
        f"    </asset>\n"
    )


def _counting(rate: Fraction) -> str:
    return "DF" if drops(rate) else "NDF"


def _time(frames: int, rate: Fraction) -> str:
    """So many frames in seconds, as a fraction.

    >>> _time(30, Fraction(30000, 1001)), _time(50, Fraction(25)), _time(1, Fraction(25))
    ('1001/1000s', '2s', '1/25s')
    """
    seconds = frames / rate
    over = "" if seconds.denominator == 1 else f"/{seconds.denominator}"
    return f"{seconds.numerator}{over}s"
