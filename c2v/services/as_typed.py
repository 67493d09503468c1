"""A question that is still being typed, and the answer to each of its states.

What does not change from one letter to the next is done once: the encoder and the vectors are made
ready, pictures and clips of the question are read. Texts are not kept on disk, as those of finished
questions are: nobody asks for the beginnings of words again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from c2v.search.questions import Part, Weighted, combine
from c2v.search.ranking import text_queries
from c2v.services.asking import other_parts
from c2v.services.searching import answers_to, search_one
from c2v.services.wanted import Wanted
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from c2v.search.ranking import Query
    from c2v.search.results import Answer

MOST_TEXTS = 512
"""So many are embedded once: whoever takes a letter back sees the same again."""


class AsTyped:
    """Answers to one question after the other; by one thread at a time."""

    def __init__(self, space: Workspace, wanted: Wanted) -> None:
        """Make everything ready.

        Raises:
            LibraryError: there is no library, or nothing in it.
            MediaError: nothing of a picture or a clip of the question can be read.
        """
        self._space = space
        self._wanted = wanted
        self._bundle = space.encoder()
        self._others: list[Part] = other_parts(space, self._bundle, wanted)
        self._texts: dict[str, Query] = {}
        space.store.warm()

    @property
    def has_other_parts(self) -> bool:
        """Whether something is asked before the first letter is typed."""
        return self._wanted.get("said") is not None or any(one.weight > 0 for one in self._others)

    def answer(self, text: str) -> Answer | None:
        """What answers the text and all other parts; None where nothing is asked.

        Raises:
            UsageError: a weight that is none, or parts that cancel each other.
        """
        parts = self._others
        if text.strip():
            parts = [self._text_part(text), *parts]
        elif not self.has_other_parts:
            return None
        if not parts:
            return search_one(self._space, None, self._wanted)  # words that are said, alone
        label = next(part.query.label for part in parts if part.weight > 0)
        question = combine(label, parts)
        return answers_to(self._space, self._bundle, [question], self._wanted)[0]

    def _text_part(self, typed: str) -> Part:
        one = Weighted.parse(typed)
        query = self._texts.pop(one.text, None) or text_queries(self._bundle, [one.text])[0]
        self._texts[one.text] = query  # the last one asked for is the last one to go
        if len(self._texts) > MOST_TEXTS:
            del self._texts[next(iter(self._texts))]
        return Part(query, one.weight)
