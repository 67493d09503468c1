"""A ``tokenizer.json`` read here, against open_clip's HFTokenizer and against the library."""

from __future__ import annotations

import dataclasses
import json
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2v.encoder.bundle_config import Cleaning, TextConfig
from c2v.encoder.text.cleaning import CLEANERS
from c2v.encoder.text.foreign_tokenizer import ForeignTokenizer, find_tokenizer
from c2v.encoder.text.json_tokenizer import JsonTokenizer, library_tokenizer, quick_parts
from c2v.encoder.text.subwords import Subwords, Unigram
from c2v.errors import ModelError
from tests.encoder import made_tokenizers

CONTEXT = 24
QUICK = ("siglip", "gemma", "xlm_roberta", "mt5", "nllb")
ODD = [
    "", "  ", "many words " * 40, "A_b c! <b>x</b> &amp; café naïve ﬁ", "😀 smile 😀😀",
    "<pad> </s> [SEP] <eos> eng_Latn x", "ÀÉ ß ½ １２", "a\u00a0b\tc\nd", "\u2581 \u2581\u2581x",
    "half a \udce9 character",
]  # fmt: skip


def found(folder: Path) -> ForeignTokenizer:
    def find(name: str) -> Path | None:
        return folder / name if (folder / name).exists() else None

    tokenizer = find_tokenizer(find)
    assert tokenizer is not None
    return tokenizer


def config_for(
    foreign: ForeignTokenizer, clean: Cleaning = "whitespace", *, strip: bool = False
) -> TextConfig:
    return TextConfig(
        family="clip", tokenizer="json", clean=clean, context=CONTEXT,
        start_id=foreign.start_id, end_id=0 if strip else foreign.end_id, pad_id=foreign.pad_id,
        specials={foreign.separator: 0} if strip else {}, settings={},
    )  # fmt: skip


def both(foreign: ForeignTokenizer, config: TextConfig) -> list[JsonTokenizer]:
    """By the library, and by the tables where there are such."""
    made = [JsonTokenizer(foreign.path, config)]
    if quick := quick_parts(foreign.content()):
        made.append(JsonTokenizer(foreign.path, config, steps=quick[0], tables=quick[1]))
    return made


@pytest.mark.parametrize("kind", made_tokenizers.KINDS)
@pytest.mark.parametrize("clean", ["whitespace", "canonicalize", "lower"])
def test_ids_are_open_clips(kind: str, clean: Cleaning, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from open_clip.tokenizer import HFTokenizer

    folder = made_tokenizers.KINDS[kind](tmp_path)
    random.seed(1)
    letters = "".join(made_tokenizers.SENTENCES) + "xyz日本é😀#"
    made_up = ("".join(random.choices(letters, k=random.randint(1, 40))) for _ in range(100))
    texts = [*made_tokenizers.SENTENCES, *ODD[:-1], *made_up]
    strip = kind == "bert"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers on its own plans
        theirs = HFTokenizer(
            str(folder), context_length=CONTEXT, clean=clean, strip_sep_token=strip
        )(texts).numpy()
    foreign = found(folder)
    tokenizers = both(foreign, config_for(foreign, clean, strip=strip))
    assert len(tokenizers) == 1 + (kind in QUICK)
    for tokenizer in tokenizers:
        ids, mask = tokenizer.encode(texts)
        np.testing.assert_array_equal(ids, theirs)
        assert ids.shape == mask.shape == (len(texts), CONTEXT)
        assert min(tokenizer.length(texts[0]), CONTEXT) == mask[0].sum()
        assert tokenizer.length(ODD[2]) > CONTEXT  # before it is cut
        assert mask[2 + len(made_tokenizers.SENTENCES)].all()


@pytest.fixture(scope="module", params=QUICK)
def quick(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tokenizer with tables, and the library's."""
    foreign = found(made_tokenizers.KINDS[request.param](tmp_path_factory.mktemp("made")))
    return both(foreign, config_for(foreign))[1], library_tokenizer(foreign.path)


@given(text=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_tables_give_what_the_library_gives(quick: Any, text: str) -> None:
    tokenizer, library = quick
    cleaned = CLEANERS["whitespace"](text)
    assert tokenizer.pieces(text) == library.encode(cleaned, add_special_tokens=False).ids


@given(text=st.lists(st.sampled_from(made_tokenizers.SENTENCES + ["xX", "日", "###"])))
@settings(max_examples=60, deadline=None)
def test_words_of_the_vocabulary(quick: Any, text: list[str]) -> None:
    tokenizer, library = quick
    joined = " ".join(text)
    assert tokenizer.pieces(joined) == library.encode(joined, add_special_tokens=False).ids


def test_a_question_never_loads_the_vocabulary(quick: Any) -> None:
    tokenizer, _ = quick
    fresh = JsonTokenizer(
        Path("no such file"), tokenizer._config, steps=tokenizer._steps, tables=None
    )
    fresh._subwords = tokenizer._subwords
    assert fresh.pieces("a dog catching a frisbee") == tokenizer.pieces("a dog catching a frisbee")
    with pytest.raises(ModelError, match="no such file"):
        fresh.pieces("a <pad> is spelled out here")


def test_half_a_character_is_none(quick: Any) -> None:
    tokenizer, _ = quick
    assert tokenizer.pieces(ODD[-1]) == tokenizer.pieces("half a \ufffd character")


def test_equal_scores_and_overlaps() -> None:
    """Of two divisions of one score the first found stays; a run of unknowns is one."""
    from tokenizers import Tokenizer, models

    vocabulary = [("<unk>", 0.0), ("a", -1.0), ("aa", -2.0), ("aaa", -3.0), ("b", -1.0)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    parts = quick_parts(json.loads(made.to_str()))
    assert parts is not None
    model: Subwords = Unigram(parts[1])
    for word in ("a", "aa", "aaaaa", "xyab", "axx", "xx", "bxaax"):
        assert model.ids(word) == made.encode(word).ids, word


def test_what_c2v_cannot_do_is_said(tmp_path: Path) -> None:
    folder = made_tokenizers.siglip(tmp_path)
    written = json.loads((folder / "tokenizer_config.json").read_text())

    def with_settings(**changes: object) -> None:
        content = json.dumps(written | changes)
        (folder / "tokenizer_config.json").write_text(content, encoding="utf-8")

    with_settings(padding_side="left")
    with pytest.raises(ModelError, match="pads texts on the left"):
        found(folder)
    with_settings(tokenizer_class="GemmaTokenizer", padding_side="right", add_eos_token=False)
    with pytest.raises(ModelError, match="0 behind it"):
        found(folder)
    (folder / "tokenizer_config.json").write_text("[", encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer_config\.json cannot be read"):
        found(folder)
    (folder / "tokenizer_config.json").unlink()
    (folder / "tokenizer.json").write_text('{"model": 1}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json cannot be read"):
        found(folder)
    (folder / "tokenizer.json").unlink()
    assert find_tokenizer(lambda _name: None) is None


def test_what_only_the_file_says(tmp_path: Path) -> None:
    """Without ``tokenizer_config.json`` the usual names of the padding count."""
    folder = made_tokenizers.bert(tmp_path)
    (folder / "tokenizer_config.json").unlink()
    foreign = found(folder)
    assert (foreign.start_id, foreign.end_id, foreign.pad_id) == (2, 3, 0)
    assert foreign.separator == "[SEP]"


def test_a_token_without_a_row_is_left_out(tmp_path: Path) -> None:
    """``<mask>`` was added behind the pieces that a tower has rows for, ``eng_Latn`` is one."""
    foreign = found(made_tokenizers.nllb(tmp_path))
    library = library_tokenizer(foreign.path)
    rows, language = library.token_to_id("<mask>"), library.token_to_id("eng_Latn")
    assert language < rows > foreign.size
    config = dataclasses.replace(config_for(foreign), settings={"vocab_size": rows})
    for tokenizer in both(foreign, config):
        assert max(tokenizer.pieces("a dog <mask> eng_Latn")) == language


def test_the_language_stands_in_front(tmp_path: Path) -> None:
    folder = made_tokenizers.nllb(tmp_path)
    foreign = found(folder)
    assert library_tokenizer(foreign.path).id_to_token(foreign.start_id or 0) == "eng_Latn"
    assert foreign.end_id == 2
