from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.encoder.architecture import clip_merges, model_config, text_config
from c2v.encoder.tensors import write_tensors
from c2v.encoder.text.tokenizer import (
    MERGES_NAME,
    ClipTokenizer,
    load_tokenizer,
    merge_table,
)
from c2v.errors import ModelError

START, END = 49406, 49407


@cache
def clip_tokenizer(context: int = 77, official: bool = False) -> ClipTokenizer:
    config = text_config(model_config("ViT-B-32-quickgelu"), context=context, official=official)
    merges = clip_merges()
    return ClipTokenizer(merges["pairs"], merges["ids"], config)


def ids_of(text: str, **options: int | bool) -> list[int]:
    ids, mask = clip_tokenizer(**options).encode([text])
    return [int(token) for token in ids[0][mask[0]]]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a man is playing a guitar", [320, 786, 533, 1629, 320, 5084]),
        ("A Man   is PLAYING a guitar!!", [320, 786, 533, 1629, 320, 5084, 748]),
        ("", []),
        ("caf\u00e9 na\u00efve \u65e5\u672c\u8a9e \U0001f600 video",
         [15304, 1097, 35689, 563, 39121, 44353, 34002, 508, 7334, 1455]),
        ("&amp;lt;b&amp;gt; html entities &quot;x&quot;",
         [283, 321, 285, 18231, 38134, 257, 343, 257]),
        ("\u201cquoted\u201d \u2014 dash\u2026", [257, 27706, 257, 2005, 10206, 959]),
        ("it's 3:45pm", [585, 568, 274, 281, 275, 276, 990]),
    ],
)  # fmt: skip
def test_known_texts(text: str, ids: list[int]) -> None:
    assert ids_of(text, official=True) == [START, *ids, END]


def test_end_survives_the_cut() -> None:
    ids, mask = clip_tokenizer(context=32).encode(["word " * 60, "one"])
    assert ids.shape == mask.shape == (2, 32)
    assert ids[0, 0] == START
    assert ids[0, -1] == END
    assert mask[0].all()
    assert mask[1].sum() == 3
    assert not ids[1, 3:].any()


def test_special_tokens_are_spelled_as_in_their_own_tokenizer() -> None:
    assert ids_of("<|startoftext|> hi <|endoftext|>", official=True) == [
        START, START, 1883, END, END,
    ]  # fmt: skip
    assert ids_of("<start_of_text> hi <end_of_text>") == [START, START, 1883, END, END]
    assert END not in ids_of("hi <|endoftext|>")[:-1]


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_equals_open_clip(text: str) -> None:
    from open_clip import SimpleTokenizer

    theirs = _open_clip(SimpleTokenizer)([text]).numpy()
    np.testing.assert_array_equal(clip_tokenizer().encode([text])[0], theirs)


@given(st.text(alphabet="abstl'ABC &;#x4120<>_|.,!?-\t\n\x00\x1b[m\x7f", max_size=60))
@settings(max_examples=300, deadline=None)
def test_equals_open_clip_on_ascii(text: str) -> None:
    from open_clip import SimpleTokenizer

    theirs = _open_clip(SimpleTokenizer)([text]).numpy()
    np.testing.assert_array_equal(clip_tokenizer().encode([text])[0], theirs)


@cache
def _open_clip(kind: Callable[[], Callable[..., object]]) -> Callable[..., object]:
    return kind()


def test_clean_ups_differ() -> None:
    config = text_config(model_config("ViT-B-32-quickgelu"))
    merges = clip_merges()

    def pieces(clean: str, text: str) -> list[int]:
        changed = dataclasses.replace(config, clean=clean)
        return ClipTokenizer(merges["pairs"], merges["ids"], changed).encode([text])[0][0].tolist()

    assert pieces("canonicalize", "A_dog, running!") == pieces("lower", "a dog running")
    assert pieces("whitespace", "A  dog") == pieces("none", "A dog")
    assert pieces("whitespace", "A dog") != pieces("lower", "A dog")


def test_lone_surrogates_are_no_crash() -> None:
    """A shell with a broken locale hands them over."""
    assert ids_of("a \udcff dog")[-1] == END


def test_merge_table_gives_ranks() -> None:
    table = merge_table(np.array([[71, 66], [512, 67 + 256], [3, 4]], np.uint16))
    keys = dict(zip(table["pairs"].tolist(), table["ids"].tolist(), strict=True))
    assert keys == {71 << 32 | 66: 512, 512 << 32 | (67 + 256): 513, 3 << 32 | 4: 514}
    assert table["pairs"].tolist() == sorted(keys)


def test_damaged_table_is_an_error(tmp_path: Path) -> None:
    config = text_config(model_config("ViT-B-32-quickgelu"))
    with pytest.raises(ModelError, match=MERGES_NAME):
        load_tokenizer(tmp_path, config)
    write_tensors(tmp_path / MERGES_NAME, {"pairs": np.zeros(3, np.uint64)})
    with pytest.raises(ModelError, match="merges"):
        load_tokenizer(tmp_path, config)
    (tmp_path / MERGES_NAME).write_bytes(b"\xff" * 64)
    with pytest.raises(ModelError, match="safetensors"):
        load_tokenizer(tmp_path, config)


def test_only_odd_text_costs_ftfy(tiny_folder: Path, run_python: Callable[..., str]) -> None:
    code = """
import sys
from pathlib import Path
from c2v.encoder.bundle_config import read_config
from c2v.encoder.text.tokenizer import load_tokenizer
folder = Path(sys.argv[1])
tokenizer = load_tokenizer(folder, read_config(folder).text)
tokenizer.encode(["black & white; it's 5 < 6"])
heavy = {"ftfy", "regex", "torch", "open_clip", "tokenizers", "transformers", "safetensors"}
print(sorted(heavy & set(sys.modules)))
tokenizer.encode(["caf\\u00e9"])
print(sorted(heavy & set(sys.modules)))
"""
    first, second = run_python(code, str(tiny_folder)).splitlines()
    assert first == "[]"
    assert second == "['ftfy', 'regex']"
