"""Which of the known words somebody meant who typed another one."""

from __future__ import annotations

from collections.abc import Iterable

LIKE = 0.6
"""Of difflib's ratio: ``serach`` and ``search`` have 0.83, ``dog`` and ``doctor`` 0.44."""
_LONGEST_WORD = 200


def nearest(word: str, known: Iterable[str], *, most: int = 1, like: float = LIKE) -> list[str]:
    """Those of ``known`` that look like ``word``, the nearest first; case makes no difference.

    >>> nearest("Serach", ["index", "search"]), nearest("dog", ["doctor"])
    (['search'], [])
    """
    from difflib import get_close_matches  # nothing that goes well needs it

    by_form: dict[str, str] = {}
    for name in known:
        by_form.setdefault(name.lower(), name)
    near = get_close_matches(word[:_LONGEST_WORD].lower(), by_form, n=most, cutoff=like)
    return [by_form[form] for form in near]


def did_you_mean(word: str, known: Iterable[str], *, most: int = 3, like: float = LIKE) -> str:
    """A question that names the nearest of ``known``; "" where none is near.

    >>> did_you_mean("devise", ["device", "model"]), did_you_mean("x", ["device"])
    ('did you mean device?', '')
    """
    near = nearest(word, known, most=most, like=like)
    return f"did you mean {' or '.join(near)}?" if near else ""


def hint(word: str, known: Iterable[str], otherwise: str, *, like: float = LIKE) -> str:
    """A hint that begins with the nearest of ``known``, if any is near.

    >>> hint("devise", ["device"], "c2v config show"), hint("x", ["device"], "c2v config show")
    ('did you mean device? c2v config show', 'c2v config show')
    """
    return f"{did_you_mean(word, known, like=like)} {otherwise}".strip()


def one_of(word: str, known: Iterable[str], *, before: str = "") -> str:
    """A hint that names all of ``known``, the nearest of them first of all.

    >>> one_of("avarage", ["average", "legacy"])
    'did you mean average? one of average, legacy'
    """
    names = list(known)
    return hint(word, names, f"{before}one of {', '.join(names)}")
