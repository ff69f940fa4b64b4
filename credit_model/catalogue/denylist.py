"""Columns that may never be kept: recognised by their names, in any spelling.

A deny-list says what a name *means*, so it reads names as people write them: case, width, spaces, hyphens, underscores
and camel case do not matter; a Latin name is found as whole words inside a longer one, a Chinese one anywhere.

In: the name of a column. Out: whether it would hold a forbidden attribute.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True)
class Forbidden:
    """One entry of the deny-list. ``whole``: only as an entire name; ``exceptions``: harmless names that contain it."""

    code: str
    names: tuple[str, ...]
    whole: bool = False
    exceptions: tuple[str, ...] = ()

    def found_in(self, name: str) -> bool:
        """Return whether a column of this name would hold the attribute."""
        words = _words(name)
        for harmless in self.exceptions:
            words = _without(words, _words(harmless))
        compact = "".join(words)
        if self.whole:
            return any(compact == "".join(_words(n)) for n in self.names)
        spans = {"".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
        return any(c in spans or (not c.isascii() and c in compact) for c in ("".join(_words(n)) for n in self.names))


def normalise_name(name: str) -> str:
    """Return a column name without case, width, spaces, hyphens and underscores.

    Examples
    --------
    >>> normalise_name("Marital-Status"), normalise_name("maritalStatus"), normalise_name(" 民族 ")
    ('maritalstatus', 'maritalstatus', '民族')
    """
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", name))]


def _without(words: list[str], part: list[str]) -> list[str]:
    for i in range(len(words) - len(part) + 1):
        if words[i : i + len(part)] == part:
            return words[:i] + words[i + len(part) :]
    return words
