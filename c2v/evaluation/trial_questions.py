"""Questions to try an encoder with, of captions: as they stand, with a prefix, cut to words."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PREFIXES = (
    "find the video where {}",
    "show me a video of {}",
    "i want to see {}",
    "a clip in which {}",
)
"""How people ask for what a caption says; each caption gets one, in turn."""
_COMMON = 0.2
"""A word in the captions of more than this share of the videos tells none from another."""
_LEAST_LETTERS = 3
_A_VIDEO = 2
"""Short questions of each kind that a video gives."""
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_FUNCTION_WORDS = """
about above after again all along also and another are around away back because before being
behind below beside between both but can close down during each few for from front further has
have her here him his how into its itself just like many more most near next not off one only
other out over own same several she some someone such than that the their them then there these
they this those three through together towards two under until very was were what when where which
while who with without you your
"""
_EMPTY = frozenset(_FUNCTION_WORDS.split())


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Texts, and which videos each of them means."""

    texts: tuple[str, ...]
    owner: NDArray[np.int64]
    """The video that gave the question: [Q]."""
    meant: NDArray[np.bool_]
    """All that answer it: [Q, videos]."""

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of_own(cls, texts: Sequence[str], owner: NDArray[np.int64], videos: int) -> Questions:
        """Texts that mean one video each."""
        meant = np.zeros((len(texts), videos), np.bool_)
        meant[np.arange(len(texts)), owner] = True
        return cls(tuple(texts), owner, meant)


def with_prefixes(captions: Questions) -> Questions:
    """Each caption as somebody would ask for it."""
    texts = [
        prefix.replace("{}", text)
        for prefix, text in zip(itertools.cycle(PREFIXES), captions.texts, strict=False)
    ]
    return Questions(tuple(texts), captions.owner, captions.meant)


def short_questions(captions: Questions) -> Questions:
    """One and two words out of captions; they mean every video that has a caption with them.

    The words are rare ones: those of most videos, and English ones without a content, ask nothing.
    """
    videos = captions.meant.shape[1]
    said = [_WORD.findall(text.lower()) for text in captions.texts]
    holding: dict[str, set[int]] = {}
    for words, video in zip(said, captions.owner.tolist(), strict=True):
        pairs = (" ".join(pair) for pair in itertools.pairwise(words))
        for asked in (*words, *pairs):
            holding.setdefault(asked, set()).add(video)
    most = max(1, int(_COMMON * videos))
    telling = {
        word
        for word, of in holding.items()
        if " " not in word
        and len(word) >= _LEAST_LETTERS
        and word not in _EMPTY
        and len(of) <= most
    }
    given: Counter[tuple[int, int]] = Counter()
    chosen: dict[str, int] = {}
    for words, video in zip(said, captions.owner.tolist(), strict=True):
        ones = [word for word in words if word in telling]
        twos = [f"{a} {b}" for a, b in itertools.pairwise(words) if a in telling and b in telling]
        for kind, found in enumerate((ones, twos)):
            for asked in dict.fromkeys(found):
                if given[video, kind] < _A_VIDEO and asked not in chosen:
                    chosen[asked] = video
                    given[video, kind] += 1
    meant = np.zeros((len(chosen), videos), np.bool_)
    for row, asked in enumerate(chosen):
        meant[row, list(holding[asked])] = True
    return Questions(tuple(chosen), np.array(list(chosen.values()), np.int64), meant)
