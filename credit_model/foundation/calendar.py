"""Days and months: the one calendar of the package.

Every date inside is an ``int32`` count of days since 1970-01-01; a day stands for its *start*. Ends are exclusive,
and one rule adds months everywhere: the same day of the target month, rolling **forward** to the first of the next
month where that day does not exist (2024-02-29 and twelve months is 2025-03-01).

In: dates as people and files write them. Out: days, and back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.errors import UserError

Days = NDArray[np.int32]
Integers = NDArray[np.integer[Any]]
DateLike = dt.date | np.datetime64 | str | int  # an int: days since 1970-01-01
T = TypeVar("T", bound=np.integer[Any])

NO_DAY: Final = -(2**31)  # no date is known
FOREVER: Final = 2**31 - 1  # an end that never comes
NO_VALUE: Final = -(2**63)  # no amount is known (int64)
EVER: Final = -1  # the length of a window without a beginning

_EPOCH = dt.date(1970, 1, 1).toordinal()


@overload
def add_months(days: int, months: int) -> int: ...
@overload
def add_months(days: Integers, months: int | Integers) -> Days: ...
def add_months(days: int | Integers, months: int | Integers) -> int | Days:
    """Move days by whole months, forward to the first of the next month where the day does not exist.

    Parameters
    ----------
    days : int or ndarray of int
        Days since 1970-01-01; ``NO_DAY`` and ``FOREVER`` stay what they are.
    months : int or ndarray of int
        Whole months, negative to go back.

    Returns
    -------
    int or ndarray of int32
        As ``days``.

    Examples
    --------
    >>> from_day(add_months(to_day("2024-01-10"), 6))
    datetime.date(2024, 7, 10)
    >>> from_day(add_months(to_day("2024-02-29"), 12))
    datetime.date(2025, 3, 1)
    """
    if isinstance(days, int):
        return int(_shift_months(np.array(days, np.int64), np.array(months, np.int64)))
    start, by = np.asarray(days), np.asarray(months, dtype=np.int64)
    if start.size < _MANY or start.ndim != 1 or by.ndim > 1:
        return _shift_months(start.astype(np.int64), by)
    # Of many days few are different: each is moved once.
    no_date = (start == NO_DAY) | (start == FOREVER)
    low, high = (int(f(start, initial=0, where=~no_date)) for f in (np.min, np.max))
    first, last = int(by.min()), int(by.max())
    if (high - low + 1) * (last - first + 1) > _MOST_MOVED:
        return _shift_months(start.astype(np.int64), by)
    is_used = np.bincount(np.atleast_1d(by - first)) > 0
    row = (np.cumsum(is_used) - 1)[by - first]
    table = _shift_months(np.arange(low, high + 1)[None], first + np.flatnonzero(is_used)[:, None])
    return np.where(no_date, start, table[row, np.clip(start, low, high) - low]).astype(np.int32)


@overload
def window_end(day: int, unit: str, length: int) -> int: ...
@overload
def window_end(day: Integers, unit: str, length: int) -> Days: ...
def window_end(day: int | Integers, unit: str, length: int) -> int | Days:
    """Return the first day after a window of ``length`` units, ``months`` or ``days``, that begins on each day."""
    if unit == "months":
        return add_months(day, length)
    return day + length if isinstance(day, int) else (day + length).astype(np.int32)


@overload
def window_start(until: int, unit: str, length: int) -> int: ...
@overload
def window_start(until: Integers, unit: str, length: int) -> NDArray[np.int64]: ...
def window_start(until: int | Integers, unit: str, length: int) -> int | NDArray[np.int64]:
    """Return the first day of a window that looks back from the end of each day ``until``.

    Parameters
    ----------
    until : int or ndarray of int
        The last day in the window.
    unit : {"months", "days"}
    length : int
        ``EVER`` for a window without a beginning.

    Returns
    -------
    int or ndarray of int64
        The least ``day`` with ``until < window_end(day, unit, length)``.

    Examples
    --------
    >>> last = np.array([to_day("2025-02-28"), to_day("2025-03-01")])
    >>> from_days(window_start(last, "months", 12)).tolist()  # 2024-02-29 and twelve months is 2025-03-01
    [datetime.date(2024, 2, 29), datetime.date(2024, 3, 2)]
    """
    if isinstance(until, int):
        return int(window_start(np.array([until]), unit, length)[0])
    if length == EVER:
        return np.full(len(until), NO_DAY, np.int64)
    if unit == "days":
        return until.astype(np.int64) - length + 1
    # A day of an earlier month than until's own, `length` months back, has come round by then; of that month itself
    # one that lies further into it than until has not (where the month is too short, it comes with the next).
    day = until.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    into = day - month.astype("datetime64[D]") + 1
    back = month - length
    first = np.minimum(back.astype("datetime64[D]") + into, (back + 1).astype("datetime64[D]"))
    start: NDArray[np.int64] = first.astype(np.int64)
    return start


_MANY: Final = 4_096
_MOST_MOVED: Final = 8_000_000  # cells of days and months


def _shift_months(start: NDArray[np.int64], months: NDArray[np.int64]) -> Days:
    day = start.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    target = month + months
    shifted = target.astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
    shifted = np.minimum(shifted, (target + 1).astype("datetime64[D]"))
    return np.where((start == NO_DAY) | (start == FOREVER), start, shifted.astype(np.int64)).astype(np.int32)


def to_day(value: object) -> int:
    """Return one date as days since 1970-01-01; ``NO_DAY`` for no date.

    Parameters
    ----------
    value : date, datetime, datetime64, ISO text, int (already days) or None

    Raises
    ------
    UserError
        If the value is not a date.

    Examples
    --------
    >>> to_day("1970-01-31")
    30
    >>> to_day(None) == NO_DAY
    True
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, np.datetime64):
        return NO_DAY if np.isnat(value) else int(value.astype("datetime64[D]").astype(np.int64))
    if is_null(value):
        return NO_DAY
    if isinstance(value, dt.date):
        return value.toordinal() - _EPOCH
    if isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-":
        try:
            return dt.date.fromisoformat(value).toordinal() - _EPOCH
        except ValueError:
            pass
    raise UserError("A date was expected: a date, a datetime or text like 2024-01-31.")


def is_null(value: object) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA, which does not know whether it equals itself."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def to_days(values: ArrayLike | Sequence[object]) -> Days:
    """Return dates as days since 1970-01-01.

    Parameters
    ----------
    values : array-like, shape (n,)
        datetime64, date32, date objects, ISO text, or integers that are days already; nulls allowed.

    Returns
    -------
    ndarray of int32, shape (n,)
        ``NO_DAY`` where the value is null.

    Raises
    ------
    UserError
        If some values are not dates; the message gives their number and the first row, never the value.

    Examples
    --------
    >>> to_days(["1970-01-02", None]).tolist()
    [1, -2147483648]
    """
    array = np.asarray(values)
    if array.dtype.kind == "M":
        days = array.astype("datetime64[D]")
        return np.where(np.isnat(days), NO_DAY, days.astype(np.int64)).astype(np.int32)
    if array.dtype.kind in "iu":
        return array.astype(np.int32)
    return parse_each(array, to_day, np.int32, "dates, as dates or as text like 2024-01-31")


def parse_each(
    values: NDArray[np.generic], parse: Callable[[object], int], dtype: type[T], expected: str
) -> NDArray[T]:
    """Parse value by value, each distinct one once.

    Raises
    ------
    UserError
        If ``parse`` refuses some with a ``ValueError``: how many, and the first row, never the value.
    """
    listed = values.tolist()
    if values.dtype.kind == "f":  # a NaN equals no other, but None is known once
        listed = [None if value != value else value for value in listed]
    by_value: dict[object, int | None] = {}
    parsed: list[int | None] = []
    for value in listed:
        if value not in by_value:
            try:
                by_value[value] = parse(value)
            except ValueError:
                by_value[value] = None
        parsed.append(by_value[value])
    wrong = [row for row, value in enumerate(parsed) if value is None]
    if wrong:
        raise UserError(
            f"A column was read: {len(wrong)} of {len(parsed)} values cannot be used (first in row {wrong[0]}). "
            f"Give {expected}."
        )
    return np.array(parsed, dtype)


def pack(index: Integers, day: Days) -> NDArray[np.int64]:
    """Return one sortable integer for each (index, day); ``unpack`` is its inverse."""
    return (np.asarray(index, np.int64) << 32) + (np.asarray(day, np.int64) - NO_DAY)


def distinct(packed: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the sorted distinct values of some arrays (``np.unique`` hashes first, and is many times slower)."""
    values = np.concatenate(packed)
    values.sort()
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


def unpack(packed: NDArray[np.int64]) -> tuple[NDArray[np.int64], Days]:
    """Return the index and the day that ``pack`` combined.

    Examples
    --------
    >>> unpack(pack([3, 0], [-5, FOREVER]))
    (array([3, 0]), array([        -5, 2147483647], dtype=int32))
    """
    return packed >> 32, ((packed & 0xFFFFFFFF) + NO_DAY).astype(np.int32)


def from_days(days: ArrayLike) -> NDArray[np.datetime64]:
    """Return days as ``datetime64[D]``; no date and no end become NaT.

    Examples
    --------
    >>> from_days([30, FOREVER])
    array(['1970-01-31',        'NaT'], dtype='datetime64[D]')
    """
    array = np.asarray(days, dtype=np.int64)
    dates = array.astype("datetime64[D]")
    return np.where((array == NO_DAY) | (array == FOREVER), np.datetime64("NaT"), dates)


def from_day(day: int) -> dt.date | None:
    """Return one day as a date; None for no date and for no end.

    Examples
    --------
    >>> from_day(0)
    datetime.date(1970, 1, 1)
    """
    return None if day in (NO_DAY, FOREVER) else dt.date.fromordinal(day + _EPOCH)
