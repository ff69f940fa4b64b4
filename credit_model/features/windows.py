"""Windows of one date as the rungs of a ladder: seen from a day, each window is a lowest day, and they nest.

A record known by its day then falls into one bin: the shortest window that still holds it. The bin is guessed from the
age in days and put right by the lowest day itself, so no window costs a comparison of its own and none costs
calendar arithmetic inside the pass.

In: windows (unit and length), days. Out: tables of lowest days and of guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from credit_model.features.kernel_compiled import Days
from credit_model.foundation.calendar import window_start

Ints = NDArray[np.int64]

_SPARE_DAYS = 1_000  # days nobody observes that a table may hold so that a day is its own address


class Rung(NamedTuple):
    """Windows of one unit on one date, shortest first."""

    on: str
    unit: str
    lengths: tuple[int, ...]


def days_of(day: Ints, rungs: Sequence[Rung]) -> Days:
    """Return the tables of ladders for observations on these days."""
    first, last = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    if last - first <= len(day) + _SPARE_DAYS * (len(day) > 1):
        days, row = np.arange(first, last + 1), day - first
    else:
        days, row = np.unique(day, return_inverse=True)
    lows: list[Ints] = []
    guesses: list[Ints] = []
    for rung in rungs:
        until = last_days(days, rung.on)
        columns = [window_start(until, rung.unit, length) for length in rung.lengths]
        lows += columns
        reach = [int((until - low).max()) for low, length in zip(columns, rung.lengths, strict=True) if length > 0]
        age = np.arange(max(reach, default=-1) + 2)
        guesses.append(np.searchsorted(np.array(reach, np.int64), age, side="left"))
    size = np.array([len(guess) for guess in guesses], np.int64)
    end = np.cumsum(size)
    table = np.column_stack(lows).ravel() if lows else np.zeros(0, np.int64)
    guess = np.concatenate(guesses).astype(np.int64) if guesses else np.zeros(0, np.int64)
    return Days(np.ascontiguousarray(row, np.int64), table, guess, end - size, size - 1)


def last_days(day: Ints, on: str) -> Ints:
    """Return the last day a window holds: what was decided by the day before, or became usable by the day itself."""
    return day - 1 if on == "decided_on" else day
