"""``config.json`` of an encoder bundle: what its towers and its head are, and what they hash to.

The file is read strictly. A missing, unknown or mistyped field is a :class:`ModelError` that names
it, because a bundle that is understood only in part would give wrong vectors without a word.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from c2v.errors import ModelError
from c2v.files.reading import check_depth, parse_json, read_plain
from c2v.optional import upgrade_hint

FORMAT = 1
CONFIG_NAME = "config.json"
_LONGEST_SHOWN = 80

BundlePart = Literal["image", "text", "head", "other"]
ImageFamily = Literal["open_clip", "onnx", "onnx_clip"]
GRAPHS: Final = ("onnx", "onnx_clip")
"""Families whose tower is one file that ONNX Runtime runs on the CPU as it is."""
TextFamily = Literal["clip", "minilm", "hf"]
TokenizerKind = Literal["clip_bpe", "wordpiece", "json"]
Cleaning = Literal["lower", "whitespace", "canonicalize", "none"]


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The image tower and how a frame is made ready for it.

    ``resize``: ``shortest`` scales the short side to ``side`` and crops the centre, ``squash``
    scales both sides. ``mean`` and ``std`` are per channel (RGB) on a scale of 0 to 1.
    ``settings`` belongs to the family (for ``open_clip`` the vision part of its model config). An
    ``onnx_clip`` takes ``frames`` pictures at once, spread over ``seconds`` of a video.
    """

    family: ImageFamily
    side: int
    resize: Literal["shortest", "squash"]
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.side < 1 or len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ModelError("image: side, mean or std do not describe an RGB picture")
        if self.family == "onnx_clip" and not _is_clip(self.settings):
            raise ModelError(
                "image.settings: an onnx_clip has frames (a number, at least 1) and seconds (at "
                "least 0.1)"
            )

    @property
    def clip(self) -> tuple[int, float] | None:
        """Pictures of a clip, and how many seconds it shows; None of a tower that takes pictures
        one by one."""
        if self.family != "onnx_clip":
            return None
        return int(self.settings["frames"]), float(self.settings["seconds"])


def _is_clip(settings: Mapping[str, Any]) -> bool:
    frames, seconds = settings.get("frames"), settings.get("seconds")
    if not isinstance(frames, int) or not isinstance(seconds, (int, float)):
        return False
    return not isinstance(frames, bool) and 1 <= frames <= 1024 and 0.1 <= seconds <= 3600


@dataclass(frozen=True, slots=True)
class TextConfig:
    """The text tower and its tokenizer.

    A text becomes ``[start] + pieces``, cut to ``context - 1`` entries, then ``end`` (so the end
    token always survives), then ``pad`` up to ``context``. ``start_id`` is ``None`` for
    models without a start token. ``specials`` are literals in a text that stand for one token
    (``<|endoftext|>`` in OpenAI's tokenizer); those of a ``tokenizer.json`` are in that file, and
    here only such that stand for another one than it says (CLIPA's ``[SEP]`` for 0).
    """

    family: TextFamily
    tokenizer: TokenizerKind
    clean: Cleaning
    context: int
    start_id: int | None
    end_id: int
    pad_id: int
    specials: Mapping[str, int]
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.context < 2:
            raise ModelError(f"text: context is {self.context}, at least 2 is needed")


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """The temporal head: its type (``meanP``, ``clip2video``, ...) and its settings."""

    type: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of the bundle: the part it belongs to, its size and its BLAKE2b digest."""

    part: BundlePart
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """The constants that make a confidence of a score; what they mean says ``c2v.search``.

    They shape no vector, so they do not count for the fingerprints. ``centre`` is the mean vector
    [H] of everyday sentences, 16-bit floats (little-endian) in base64; ``fewest`` and ``most``
    bound the number of segments that was looked at.
    """

    score: float
    typical: float
    size: float
    offset: float
    fewest: int
    most: int
    clip_score: float
    clip_offset: float
    centre: str


@dataclass(frozen=True, slots=True)
class HubConfig:
    """How far segments that are near to every sentence stand back; see :mod:`c2v.encoder.hubs`.

    ``neighbours`` of the bank's sentences are averaged, times ``weight``; ``typical`` is what that
    gives on the average.
    """

    neighbours: int
    weight: float
    typical: float

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not all(map(math.isfinite, (self.weight, self.typical))):
            raise ModelError("hubs has numbers that cannot be")


@dataclass(frozen=True, slots=True)
class QuestionConfig:
    """How a question is put to the text tower; see :mod:`c2v.search.phrasing`.

    ``strip`` leaves "find the video where" away. A question of one or two words is asked as it
    stands and as ``short_template`` with the words for ``{}``; empty: as it stands alone.
    """

    strip: bool
    short_template: str

    def __post_init__(self) -> None:
        if self.short_template and "{}" not in self.short_template:
            raise ModelError("questions.short_template has no {}")


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """All of ``config.json``.

    ``feature_dim`` is D, the width of frame and token features; ``vector_dim`` is V, the width of
    the vectors a library keeps: the head's, and with ``hubs`` one number more.
    """

    format: int
    name: str
    feature_dim: int
    vector_dim: int
    image: ImageConfig
    text: TextConfig
    head: HeadConfig
    source: str
    licence: str
    files: Mapping[str, FileRecord]
    fingerprint: str
    towers_fingerprint: str
    calibration: Calibration | None = None
    """Absent in bundles that nobody calibrated."""
    hubs: HubConfig | None = None
    """Absent where segments are ranked by their inner product alone."""
    questions: QuestionConfig | None = None
    """Absent where a question is asked as it was typed."""

    @property
    def head_dim(self) -> int:
        """H, the width of the head's vectors, which texts and clips are compared in."""
        return self.vector_dim - (self.hubs is not None)

    def to_json(self) -> str:
        """The text of ``config.json``."""
        content = dataclasses.asdict(self)
        for name in ("calibration", "hubs", "questions"):
            if content[name] is None:
                del content[name]  # earlier versions of c2v read such a bundle, too
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def settings_as_json(
    hubs: HubConfig | None, questions: QuestionConfig | None, calibration: Calibration | None
) -> dict[str, Any]:
    """What stands around the weights: ``hubs``, ``questions``, ``calibration``.

    Of the calibration all but the mean vector, which says nothing to a reader.
    """
    parts = (("hubs", hubs), ("questions", questions), ("calibration", calibration))
    found = {name: part and dataclasses.asdict(part) for name, part in parts}
    if found["calibration"]:
        del found["calibration"]["centre"]
    return found


def read_config(directory: Path) -> BundleConfig:
    """Read and check ``config.json`` of a bundle folder.

    Raises:
        ModelError: the file is absent, not JSON, of another format, or a field of it is missing,
            unknown or of the wrong type.
    """
    path = directory / CONFIG_NAME
    try:
        content = parse_json(read_plain(path).decode("utf-8"))
        check_depth(content)
    except FileNotFoundError as error:
        raise ModelError(
            f"{directory} is not an encoder bundle: it has no {CONFIG_NAME}",
            hint="c2v model list",
        ) from error
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{path} cannot be read: it is not UTF-8 text", hint="c2v model list"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path} cannot be read: {reason}", hint="c2v model list") from error
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise ModelError(
            f"{path} has format {_shown(content['format'])}, this c2v reads format {FORMAT}",
            hint=upgrade_hint(),
        )
    try:
        config = _decode(BundleConfig, content, "")
        _check_files(config)
        _check_calibration(config)
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}", hint="c2v model list") from error
    assert isinstance(config, BundleConfig)
    return config


def _decode(kind: Any, value: object, where: str) -> Any:
    """``value`` (parsed JSON) as ``kind``; ``where`` is the dotted name of the field."""
    if dataclasses.is_dataclass(kind):
        return _decode_record(kind, value, where)
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise ModelError(
                f"{where} is {_shown(value)}, not one of {', '.join(map(str, arguments))}"
            )
        return value
    if origin is types.UnionType:
        return None if value is None else _decode(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ModelError(f"{where} is {_shown(value)}, not a list")
        return tuple(_decode(arguments[0], item, where) for item in value)
    if origin is not None:  # Mapping[str, X]
        if not isinstance(value, dict):
            raise ModelError(f"{where} is {_shown(value)}, not an object")
        return {
            key: _decode(arguments[1], item, f"{where}.{_shown_key(key)}")
            for key, item in value.items()
        }
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ModelError(f"{where} is {_shown(value)}, not of type {kind.__name__}")
    return value


def _decode_record(kind: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise ModelError(f"{where or 'the file'} is not a JSON object")
    hints = typing.get_type_hints(kind)
    prefix = f"{where}." if where else ""
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ModelError(f"unknown field {prefix}{_shown_key(unknown[0])}")
    optional = {
        field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING
    }
    missing = [name for name in hints if name not in value and name not in optional]
    if missing:
        raise ModelError(f"missing field {prefix}{missing[0]}")
    given = [name for name in hints if name in value]
    return kind(**{name: _decode(hints[name], value[name], prefix + name) for name in given})


def _check_files(config: BundleConfig) -> None:
    """Every file of a bundle lies in its folder; another name could lead anywhere."""
    for name in config.files:
        if name in ("", ".", "..") or not name.isprintable() or set(name) & set("/\\:"):
            raise ModelError(f"files.{_shown_key(name)} is not the name of a file")


def _check_calibration(config: BundleConfig) -> None:
    """Constants that are numbers, and a mean vector as wide as the vectors it is compared with."""
    found = config.calibration
    if found is None:
        return
    numbers = [value for value in dataclasses.astuple(found) if isinstance(value, (int, float))]
    if not all(map(math.isfinite, numbers)) or not 1 <= found.fewest <= found.most:
        raise ModelError("calibration has numbers that cannot be")
    try:
        size = len(base64.b64decode(found.centre, validate=True))
    except ValueError:
        size = -1
    if size != 2 * config.head_dim:
        raise ModelError(f"calibration.centre is not a vector of {config.head_dim} numbers")


def _shown(value: object) -> str:
    """A value as it can stand in a sentence."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _shown_key(key: str) -> str:
    return key if key.isprintable() and len(key) <= _LONGEST_SHOWN else _shown(key)
