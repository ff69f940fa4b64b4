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
from credit_model.foundation.calendar import NO_DAY

Ints = NDArray[np.int64]

EVER = -1  # the length of a window without a beginning
_SPARE_DAYS = 1_000  # days nobody observes that a table may hold so that a day is its own address


def lowest(until: Ints, unit: str, length: int) -> Ints:
    """The first day a window holds that looks back from the end of each day ``until``.

    Parameters
    ----------
    until : ndarray of int64
        The last day the window holds.
    unit : {"months", "days"}
    length : int
        ``EVER`` for a window without a beginning.

    Returns
    -------
    ndarray of int64
        The least ``on`` with ``until < add_months(on, length)``, or with ``until < on + length``.

    Examples
    --------
    >>> from credit_model.foundation.calendar import from_days, to_day
    >>> last = np.array([to_day("2025-02-28"), to_day("2025-03-01")])
    >>> from_days(lowest(last, "months", 12)).tolist()  # 2024-02-29 and twelve months is 2025-03-01
    [datetime.date(2024, 2, 29), datetime.date(2024, 3, 2)]
    """
    if length == EVER:
        return np.full(len(until), NO_DAY, np.int64)
    if unit == "days":
        return until - length + 1
    # A day of an earlier month than until's own, `length` months back, has come round by then; of that month itself
    # one that lies further into it than until has not (where the month is too short, it comes with the next).
    day = until.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    into = day - month.astype("datetime64[D]") + 1
    back = month - length
    first: Ints = np.minimum(back.astype("datetime64[D]") + into, (back + 1).astype("datetime64[D]")).astype(np.int64)
    return first


class Rung(NamedTuple):
    """Windows of one unit on one date, shortest first."""

    on: str
    unit: str
    lengths: tuple[int, ...]


def days_of(day: Ints, rungs: Sequence[Rung]) -> Days:
    """The tables of ladders for observations on these days."""
    first, last = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    if last - first <= len(day) + _SPARE_DAYS * (len(day) > 1):
        days, row = np.arange(first, last + 1), day - first
    else:
        days, row = np.unique(day, return_inverse=True)
    lows: list[Ints] = []
    guesses: list[Ints] = []
    for rung in rungs:
        until = last_days(days, rung.on)
        columns = [lowest(until, rung.unit, length) for length in rung.lengths]
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
    """The last day a window holds: what was decided by the day before, or became usable by the day itself."""
    return day - 1 if on == "decided_on" else day
