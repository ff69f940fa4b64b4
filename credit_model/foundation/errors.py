"""The one family of errors a caller can mend.

In: a message of one line, and every single fault when several were found together.
Out: ``UserError``.
"""

from __future__ import annotations

_LONGEST_LINE = 10_000


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
