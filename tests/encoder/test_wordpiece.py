"""WordPiece against the ``tokenizers`` library, over the vocabulary that ships with c2v."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from c2v.encoder import load_bundle
from c2v.encoder.bundle_config import TextConfig
from c2v.encoder.text.wordpiece import VOCABULARY_NAME, WordPieceTokenizer, split_words
from c2v.errors import ModelError

# Letters, accents, punctuation, Cyrillic, Greek, CJK, emoji, control and invisible characters.
RANGES = [
    (0x20, 0x7E), (0x20, 0x7E), (0x20, 0x7E), (0x01, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF),
    (0x4E00, 0x9FFF), (0x1F300, 0x1F5FF), (0x2000, 0x206F), (0x300, 0x36F), (0xAC00, 0xD7A3),
]  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary() -> list[str]:
    path = load_bundle("mini").directory / VOCABULARY_NAME
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def config() -> TextConfig:
    return load_bundle("mini").config.text


@pytest.fixture(scope="module")
def reference(vocabulary: list[str]) -> Tokenizer:
    ids = {piece: index for index, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def test_random_texts_as_the_library(
    vocabulary: list[str], config: TextConfig, reference: Tokenizer
) -> None:
    ours = WordPieceTokenizer(vocabulary, config)
    chance = random.Random(0)
    words = [piece for piece in vocabulary if piece.isalpha()]
    for _ in range(3000):
        text = "".join(
            chance.choice(words) + chance.choice(["", " "])
            if chance.random() < 0.4
            else chr(chance.randint(*chance.choice(RANGES)))
            for _ in range(chance.randrange(20))
        )
        assert ours.pieces(text) == reference.encode(text).ids, ascii(text)


def test_ids_have_start_end_and_padding(vocabulary: list[str], config: TextConfig) -> None:
    ids, mask = WordPieceTokenizer(vocabulary, config).encode(["a dog", ""])
    dog = [vocabulary.index(piece) for piece in ("[CLS]", "a", "dog", "[SEP]")]
    np.testing.assert_array_equal(ids, [dog, [dog[0], dog[3], 0, 0]])
    np.testing.assert_array_equal(mask, [[1, 1, 1, 1], [1, 1, 0, 0]])


def test_a_long_text_is_cut_and_still_ends(vocabulary: list[str], config: TextConfig) -> None:
    ids, mask = WordPieceTokenizer(vocabulary, config).encode(["dog " * 1000])
    assert ids.shape == (1, config.context)
    assert mask.all()
    assert ids[0, -1] == config.end_id
    longer = dataclasses.replace(config, context=300)
    # Characters far beyond any context are not even looked at: 4096 of them are 1024 dogs.
    assert WordPieceTokenizer(vocabulary, longer).encode(["dog " * 10**6])[0].shape == (1, 300)


def test_no_texts(vocabulary: list[str], config: TextConfig) -> None:
    ids, mask = WordPieceTokenizer(vocabulary, config).encode([])
    assert ids.shape == mask.shape == (0, 0)


def test_words_are_split_as_bert_does() -> None:
    assert split_words("Ça va?\tJosé's") == ["ca", "va", "?", "jose", "'", "s"]
    assert split_words("狗dog") == ["狗", "dog"]
    assert split_words("a\u200bb\x00c") == ["abc"]


def test_a_vocabulary_that_cannot_be_used(tmp_path: Path, config: TextConfig) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        WordPieceTokenizer.load(tmp_path, config)
    (tmp_path / VOCABULARY_NAME).write_text("a\nb\n")
    with pytest.raises(ModelError, match="UNK"):
        WordPieceTokenizer.load(tmp_path, config)
