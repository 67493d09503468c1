"""What a tokenizer in Hugging Face's layout does beyond its ``tokenizer.json``.

Which tokens stand before and behind a text, and what a text is filled up with, is spread over
``tokenizer.json``, ``tokenizer_config.json``, ``special_tokens_map.json`` and the classes of
transformers. Here it is read once, when a bundle is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from c2v.encoder.text.json_tokenizer import JSON_NAME, library_tokenizer, read_json
from c2v.errors import ModelError
from c2v.optional import require

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONFIG_FILE: Final = "tokenizer_config.json"
MAP_FILE: Final = "special_tokens_map.json"
TOKENIZER_FILES: Final = (JSON_NAME, CONFIG_FILE)
"""What a folder should hold; the second of them says what the first cannot."""

_PADS: Final = ("<pad>", "[PAD]")
_LANGUAGE: Final = "eng_Latn"  # what NLLB's tokenizer takes a text to be unless it is told


@dataclass(frozen=True, slots=True)
class ForeignTokenizer:
    """A ``tokenizer.json``, the ids around a text, and how its separator is spelled (``[SEP]``).

    ``size`` is the number of pieces, without tokens that were added to them later.
    """

    path: Path
    size: int
    start_id: int | None
    end_id: int
    pad_id: int
    separator: str

    def content(self) -> dict[str, Any]:
        """What ``tokenizer.json`` holds."""
        return read_json(self.path)


def read_tokenizer(
    path: Path, *, config: Path | None = None, special_map: Path | None = None
) -> ForeignTokenizer:
    """A ``tokenizer.json`` with what two other files say of it.

    Args:
        path: the ``tokenizer.json``.
        config: ``tokenizer_config.json``, if there is one.
        special_map: ``special_tokens_map.json``, if there is one.

    Raises:
        ModelError: a file is absent or damaged, or the tokenizer does what c2v cannot: it pads in
            front, or puts more than one token before or behind a text.
        MissingPartError: the library ``tokenizers`` is not installed.
    """
    require(f"the tokenizer {path.name}", "tokenizers")
    library = library_tokenizer(path)
    settings: dict[str, Any] = {}
    for file in (special_map, config):  # the second one goes before the first
        settings |= read_json(file) if file is not None else {}
    kind = str(settings.get("tokenizer_class") or "")
    side = settings.get("padding_side", "left" if kind.startswith("Gemma") else "right")
    if side != "right":
        raise ModelError(f"{path} pads texts on the {side}, which c2v cannot do")
    start, end = _around(library, settings, kind, path)
    pad = _pad_id(library, settings, path)
    separator = str(_content(settings.get("sep_token")) or library.id_to_token(end))
    size = library.get_vocab_size(with_added_tokens=False)
    return ForeignTokenizer(path, size, start, end, pad, separator)


def find_tokenizer(find: Callable[[str], Path | None]) -> ForeignTokenizer | None:
    """The tokenizer whose files ``find`` gives by name; None where there is none.

    Raises:
        ModelError, MissingPartError: as :func:`read_tokenizer`.
    """
    path = find(JSON_NAME)
    if path is None:
        return None
    return read_tokenizer(path, config=find(CONFIG_FILE), special_map=find(MAP_FILE))


def _pad_id(library: Tokenizer, settings: Mapping[str, Any], path: Path) -> int:
    """What a short text is filled up with: the first place that says so."""
    named = _named(settings.get("pad_token"), library)
    if named is None:
        named = (read_json(path).get("padding") or {}).get("pad_id")
    if named is None:
        usual = (library.token_to_id(name) for name in _PADS)
        named = next((index for index in usual if index is not None), None)
    if named is None:
        raise ModelError(f"{path} does not say what a short text is filled up with")
    return int(named)


def _around(
    library: Tokenizer, settings: Mapping[str, Any], kind: str, path: Path
) -> tuple[int | None, int]:
    """The tokens before and behind a text."""
    before, behind = _template(library)
    if kind.startswith("Gemma") and {"add_bos_token", "add_eos_token"} & set(settings):
        bos = _named(settings.get("bos_token", "<bos>"), library)
        eos = _named(settings.get("eos_token", "<eos>"), library)
        before = [bos] if settings.get("add_bos_token", True) else []
        behind = [eos] if settings.get("add_eos_token", False) else []
    nllb = kind.startswith("Nllb") or (not kind and library.token_to_id(_LANGUAGE) is not None)
    if nllb and not settings.get("legacy_behaviour", False):
        # The file is of the time when the language stood behind the text.
        before = [_named(settings.get("src_lang") or _LANGUAGE, library)]
        behind = [_named(settings.get("eos_token", "</s>"), library)]
    if len(before) > 1 or len(behind) != 1 or None in (*before, *behind):
        raise ModelError(
            f"{path} puts {len(before)} tokens before a text and {len(behind)} behind it, "
            "c2v can do with one behind it and at most one before it"
        )
    (end,) = behind
    assert end is not None
    return (before[0] if before else None), end


def _template(library: Tokenizer) -> tuple[list[int | None], list[int | None]]:
    """What the file itself puts before and behind a text."""
    text = "a"
    bare = library.encode(text, add_special_tokens=False).ids
    whole = library.encode(text, add_special_tokens=True).ids
    for first in range(len(whole) - len(bare) + 1):
        if whole[first : first + len(bare)] == bare:
            return list(whole[:first]), list(whole[first + len(bare) :])
    return [], []


def _content(token: object) -> object:
    """A token is a string, or an object with what it is spelled like."""
    return token.get("content") if isinstance(token, dict) else token


def _named(token: object, library: Tokenizer) -> int | None:
    name = _content(token)
    return library.token_to_id(name) if isinstance(name, str) else None
