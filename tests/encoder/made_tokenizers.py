"""Tokenizers of every kind that open_clip's models use, small ones, made here.

Each is a folder in Hugging Face's layout: ``tokenizer.json`` by the ``tokenizers`` library and the
``tokenizer_config.json`` that transformers reads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

SENTENCES = [
    "a dog catching a frisbee on the beach",
    "two children run through a garden with a red ball",
    "a train crosses the river at night",
    "un chien attrape un frisbee sur la plage",
    "zwei Kinder laufen durch den Garten",
    "собака ловит мяч на пляже",
    "一只狗在海滩上",
    "a man plays the piano, slowly; nobody listens...",
    "snowboarding downhill at 30 km/h (very fast!)",
]


def unigram(folder: Path, *, pad: str, specials: list[str], start: str | None) -> Path:
    """SentencePiece's unigrams as T5 and XLM-RoBERTa have them: ``[start] text </s>``."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always"),
        ]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=220, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(SENTENCES * 4, trainer)
    end = ("</s>", made.token_to_id("</s>"))
    around = [(start, made.token_to_id(start))] if start else []
    made.post_processor = processors.TemplateProcessing(
        single=f"{start or ''} $A </s>".strip(), special_tokens=[*around, end]
    )
    return written(folder, made, "PreTrainedTokenizerFast", pad_token=pad, eos_token="</s>",
                   unk_token="<unk>", sep_token="</s>")  # fmt: skip


def siglip(folder: Path) -> Path:
    """As T5's with 32,000 pieces: it fills up with its end token."""
    specials = ["<pad>", "</s>", "<unk>"]
    return unigram(folder, pad="</s>", specials=specials, start=None)


def xlm_roberta(folder: Path) -> Path:
    """``<s> text </s>``, filled up with 1."""
    return unigram(folder, pad="<pad>", specials=["<s>", "<pad>", "</s>", "<unk>"], start="<s>")


def mt5(folder: Path) -> Path:
    """``text </s>``, filled up with 0."""
    return unigram(folder, pad="<pad>", specials=["<pad>", "</s>", "<unk>"], start=None)


def gemma(folder: Path) -> Path:
    """Byte pairs over sentences, bytes for the unknown: ``text <eos>``, filled up with 0."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    made = pairs(
        specials + [f"<0x{byte:02X}>" for byte in range(256)],
        [sentence.replace(" ", "\u2581") for sentence in SENTENCES],
        byte_fallback=True,
    )
    made.normalizer = normalizers.Replace(" ", "\u2581")
    made.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    made.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return written(folder, made, "GemmaTokenizer", pad_token="<pad>", eos_token="<eos>",
                   bos_token="<bos>", unk_token="<unk>", add_bos_token=False,
                   add_eos_token=True, padding_side="right")  # fmt: skip


def nllb(folder: Path) -> Path:
    """Byte pairs in words; the language stands in front, although the file says behind."""
    words = [word for sentence in SENTENCES for word in sentence.split()]
    made = pairs(
        ["<s>", "<pad>", "</s>", "<unk>"], [f"\u2581{word}" for word in words], byte_fallback=False
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    made.add_special_tokens(["eng_Latn", "fra_Latn", "<mask>"])
    language = made.token_to_id("eng_Latn")
    made.post_processor = processors.TemplateProcessing(
        single="$A </s> eng_Latn", special_tokens=[("</s>", 2), ("eng_Latn", language)]
    )
    return written(folder, made, "NllbTokenizer", pad_token="<pad>", eos_token="</s>",
                   unk_token="<unk>", src_lang="eng_Latn", additional_special_tokens=[
                       "eng_Latn", "fra_Latn"])  # fmt: skip


def pairs(specials: list[str], texts: list[str], *, byte_fallback: bool) -> Tokenizer:
    """Byte pairs with the merges that occur in ``texts``, the frequent ones first."""
    chars = sorted({char for text in texts for char in text})[:-4]  # some are left unknown
    ids = {piece: index for index, piece in enumerate([*specials, *chars])}
    merges: list[tuple[str, str]] = []
    words = [[char for char in text if char in ids] for text in texts]
    for _ in range(150):
        counts: dict[tuple[str, str], int] = {}
        for word in words:
            for pair in zip(word, word[1:], strict=False):
                counts[pair] = counts.get(pair, 0) + 1
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        ids.setdefault("".join(best), len(ids))
        words = [joined(word, best) for word in words]
    random.Random(0).shuffle(merges[60:])
    model = models.BPE(
        vocab=ids, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback
    )
    made = Tokenizer(model)
    made.add_special_tokens([special for special in specials if not special.startswith("<0x")])
    return made


def joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    """The word with that pair joined from the left."""
    found: list[str] = []
    for piece in word:
        if found and (found[-1], piece) == pair:
            found[-1] += piece
        else:
            found.append(piece)
    return found


def bert(folder: Path) -> Path:
    """WordPiece, uncased: ``[CLS] text [SEP]``, filled up with 0."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=260, special_tokens=specials, show_progress=False
    )
    made.train_from_iterator(SENTENCES * 4, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return written(folder, made, "PreTrainedTokenizerFast", pad_token="[PAD]", sep_token="[SEP]",
                   cls_token="[CLS]", unk_token="[UNK]")  # fmt: skip


def roberta(folder: Path) -> Path:
    """Byte pairs over bytes, as GPT-2's: ``<s> text </s>``, filled up with 1."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES * 4, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return written(folder, made, "PreTrainedTokenizerFast", pad_token="<pad>", eos_token="</s>",
                   bos_token="<s>", unk_token="<unk>", sep_token="</s>")  # fmt: skip


def written(folder: Path, made: Tokenizer, kind: str, **settings: Any) -> Path:
    """The folder, filled."""
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    content = {"tokenizer_class": kind, "model_max_length": 64, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "siglip": siglip,
    "gemma": gemma,
    "xlm_roberta": xlm_roberta,
    "mt5": mt5,
    "nllb": nllb,
    "bert": bert,
    "roberta": roberta,
}
