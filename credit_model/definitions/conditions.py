"""What a definition says of records: which of them, and how far back.

In: a where-clause, a window, as text and tables. Out: conditions and a window, hashable; faults in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Literal

TIERS = ("minor", "general", "serious")
POLARITIES = ("adverse", "positive", "neutral")
MEMBERSHIP = ("kinds", "polarity", "tier", "dimension", "field", "role")
NUMBERS = ("amount", "hours", "outstanding")
_COMPARISONS = ("le", "lt", "ge", "gt", "eq", "in")
_FEW = 13  # known names that are all told in a fault


@dataclass(frozen=True)
class Window:
    """How far back a feature looks: ``24m``, ``365d``, ``ever`` or ``last_day:KIND``.

    Examples
    --------
    >>> Window.parse("24m")
    Window(unit='months', length=24, kind='')
    """

    unit: Literal["months", "days", "ever", "last_day"]
    length: int = 0
    kind: str = ""

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read a window; a ``ValueError`` says what may be written."""
        match = re.fullmatch(r"(?:([1-9]\d{0,4})([md])|(ever)|last_day:(\w+))", text if isinstance(text, str) else "")
        if match is None:
            raise ValueError(f"window {text!r} is not understood; write '24m', '365d', 'ever' or 'last_day:KIND'")
        length, unit, ever, kind = match.groups()
        if ever:
            return cls("ever")
        if kind:
            return cls("last_day", kind=kind)
        return cls("months" if unit == "m" else "days", int(length))


@dataclass(frozen=True)
class Condition:
    """One test on a record: a key, a comparison and the value it is compared with (hashable)."""

    key: str
    comparison: str
    value: Any


def read_where(where: Any, of: str, faults: list[str]) -> tuple[Condition, ...]:
    """A where-clause as conditions in a fixed order; what cannot be read is added to ``faults``."""
    if not isinstance(where, Mapping):
        faults.append(f"{of} must be a table of conditions, not {type(where).__name__}")
        return ()
    found = []
    for key, said in where.items():
        if key == "tier_at_least":
            found.append(Condition("tier", "ge", said if isinstance(said, str) else repr(said)))
        elif key in MEMBERSHIP or not isinstance(said, Mapping):
            values = tuple(said) if isinstance(said, list | tuple) else (said,)
            if not values or not all(isinstance(value, str | int | float | date) for value in values):
                faults.append(f"{of}: {key} needs a value or a list of values")
            found.append(Condition(key, "in", values))
        else:
            for comparison, value in said.items():
                if comparison not in _COMPARISONS:
                    faults.append(f"{of}: {key}: unknown comparison {comparison!r}{nearest(comparison, _COMPARISONS)}")
                elif (comparison == "in") != isinstance(value, list | tuple):
                    faults.append(f"{of}: {key}: 'in' takes a list and only 'in' does")
                else:
                    is_list = comparison in ("in", "eq")
                    values = tuple(value) if comparison == "in" else (value,)
                    found.append(Condition(key, "in" if is_list else comparison, values if is_list else value))
    return tuple(sorted(found, key=lambda c: (c.key, c.comparison, repr(c.value))))


def nearest(name: object, known: Iterable[str]) -> str:
    """How a fault ends: the nearest known name, else all of them when they are few."""
    names = list(known)
    close = get_close_matches(str(name), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= _FEW else ""
