"""How a question is put to an encoder that was taught captions.

People ask "find the video where a dog jumps"; captions say "a dog jumps". With the encoder mini the
words before cost 5 to 12 points of R@1, so they are left away. And one or two words are no
sentence: they are asked as they stand and within a sentence, and the mean of both is the question.
Both only where the encoder's ``config.json`` says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2v.encoder.bundle_config import QuestionConfig

_SHORT = 2
"""Words of a question that is no sentence."""
_THING = r"(?:videos?|clips?|movies?|films?|footage|recordings?|scenes?|moments?|shots?)"
_WISH = (
    r"(?:(?:please|can you|could you|i want to|i'd like to|i would like to|let me)\s+)*"
    r"(?:find|show|search(?:\s+for)?|look\s+for|get|give|see|retrieve|locate)"
    r"(?:\s+(?:me|us))?\s+(?:all\s+|any\s+|some\s+)?"
)
_ARTICLE = r"(?:(?:the|a|an|my|our|all|some|those|that|this)\s+)?"
_LINK = (
    r"(?:\s+(?:of|with|about|showing|that\s+shows?|which\s+shows?|where\s+there\s+(?:is|are)|where"
    r"|in\s+which|when|containing|featuring))"
)
_PREFIX = re.compile(
    rf"\s*(?:(?:{_WISH})?{_ARTICLE}{_THING}{_LINK}|{_WISH}(?={_ARTICLE.rstrip('?')}))\s*",
    re.IGNORECASE,
)
_ARTICLES = frozenset({"a", "an", "the"})


def without_prefix(text: str) -> str:
    """The question without the words that only say that it is one; never nothing.

    >>> without_prefix("find the video where a dog jumps"), without_prefix("a video of two cats")
    ('a dog jumps', 'two cats')
    >>> without_prefix("show me a red car"), without_prefix("a man shows a video of his cat")
    ('a red car', 'a man shows a video of his cat')
    """
    found = _PREFIX.match(text)
    rest = text[found.end() :] if found else ""
    return without_prefix(rest) if rest.strip() else text


def phrasings(text: str, how: QuestionConfig | None) -> list[str]:
    """What the text tower is asked for a question: the mean of it is the question's vector.

    >>> from c2v.encoder.bundle_config import QuestionConfig
    >>> phrasings("a dog", QuestionConfig(strip=True, short_template="there is a {} here"))
    ['a dog', 'there is a dog here']
    """
    if how is None:
        return [text]
    asked = without_prefix(text) if how.strip else text
    words = [word for word in asked.split() if word.lower() not in _ARTICLES]
    if not how.short_template or not 0 < len(words) <= _SHORT:
        return [asked]
    return [asked, how.short_template.replace("{}", " ".join(words))]
