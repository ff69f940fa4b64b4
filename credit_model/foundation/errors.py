"""The one family of errors a caller can mend.

In: a message of one line, and every single fault when several were found together.
Out: ``UserError``.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST_LINE: Final = 10_000
_FEW: Final = 15  # known names that are all listed


class UserError(ValueError):
    """A mistake the caller can mend: one line that says what was done, what was looked at, what is wrong, what next.

    Parameters
    ----------
    message : str
        The one line.
    faults : sequence of str, optional
        Every single fault, when several were found together.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        line = " ".join(str(message).splitlines())  # what is quoted may have lines of its own, and no end
        super().__init__(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …")
        self.faults = tuple(faults)


def did_you_mean(word: object, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, else all of them if they are few.

    Examples
    --------
    >>> did_you_mean("adm_penalti", ["adm_penalty", "honour"]), did_you_mean("x", ["R", "L"])
    ("; did you mean 'adm_penalty'?", '; known: R, L')
    """
    names = list(names)
    close = get_close_matches(str(word), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= _FEW else ""
