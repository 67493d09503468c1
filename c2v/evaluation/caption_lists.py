"""Several captions in one cell of a table, as JSON, Python and NumPy print a list of strings."""

from __future__ import annotations

import ast
import re
import warnings

from c2v.files.reading import parse_json

_STRING = re.compile(r"""[uU]?'(?:[^'\\]|\\.)*'|[uU]?"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_BETWEEN = re.compile(r"[\s,]*")


def captions_in(cell: str) -> list[str]:
    """The captions of a cell: those of the list that it is, else the cell itself.

    >>> captions_in('["a dog", "a cat"]'), captions_in("[music] a man sings")
    (['a dog', 'a cat'], ['[music] a man sings'])
    >>> captions_in("['a dog' \\"it's a cat\\"]")
    ['a dog', "it's a cat"]
    """
    cell = cell.strip()
    if not (cell.startswith("[") and cell.endswith("]")):
        return [cell]
    found = _json(cell)
    if found is None:
        found = _strings(cell)
    return [cell] if found is None else found


def _json(cell: str) -> list[str] | None:
    try:
        content = parse_json(cell)
    except ValueError:
        return None
    if not all(isinstance(one, str) for one in content):
        return None
    return [str(one) for one in content]


def _strings(cell: str) -> list[str] | None:
    """String literals with commas (a list) or blanks (an array) between them."""
    found: list[str] = []
    at, end = 1, len(cell) - 1
    while True:
        between = _BETWEEN.match(cell, at, end)
        at = between.end() if between else at
        if at == end:
            return found
        literal = _STRING.match(cell, at, end)
        if literal is None:
            return None
        found.append(_unquoted(literal[0]))
        at = literal.end()


def _unquoted(literal: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a backslash that escapes nothing stays
        try:
            return str(ast.literal_eval(literal))
        except (ValueError, SyntaxError):  # a line break, or half an escape
            return literal.lstrip("uU")[1:-1]
