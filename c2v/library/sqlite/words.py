"""The words of lines and of questions, as the index of words compares them.

They are made here, by Python's tables of Unicode and not by those of whatever SQLite it is: small
letters without accents, and each character of a script that is written without spaces between words
(Chinese, Japanese, Thai, ...) a word of its own. A question goes the same way, and words that were
written together have to follow each other; so any part of a Chinese sentence finds it, however
short, which an index of three characters would not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from c2v.library.lines import SaidWords

_ACCENTS = re.compile("[\u0300-\u036f]")
_ALONE = re.compile(
    "(["
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao; Burmese; Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7a3"  # Hangul: words are spaced, but their endings change
    "])"
)


def words_of(text: str) -> str:
    """The words of a text as they are compared, with spaces between them.

    >>> words_of("Crème BRÛLÉE"), words_of("我爱你").split(), words_of("♥ Straße")
    ('creme brulee', ['我', '爱', '你'], ' u2665  strasse')
    """
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    plain = _ALONE.sub(r" \1 ", unicodedata.normalize("NFC", plain))
    return "".join(
        f" u{ord(one):x} " if unicodedata.category(one) == "So" else one for one in plain
    )


def match_of(words: Sequence[SaidWords]) -> str:
    """What FTS5 is asked; "" where nothing of it is a word. No character of the words means
    anything to it.

    >>> match_of([SaidWords('happy NEAR("x'), SaidWords("birth", is_prefix=True), SaidWords("?")])
    '"happy near  x" "birth"*'
    """
    terms = []
    for one in words:
        plain = words_of(one.text).replace('"', " ").replace("(", " ").replace("\0", " ").strip()
        if any(character.isalnum() for character in plain):
            terms.append(f'"{plain}"{"*" if one.is_prefix else ""}')
    return " ".join(terms)
