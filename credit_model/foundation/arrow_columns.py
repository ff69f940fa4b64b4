"""Columns as they come, read as text, days or whole numbers: what cannot be read is null and marked.

In: Arrow columns of any type. Out: columns of one type, and masks of the rows that are none of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.foundation.calendar import add_months
from credit_model.foundation.decimals import TooManyPlacesError, decimal_units

Mask = NDArray[np.bool_]

# Floats are written with an exponent where they are small; a large one is kept below what would overflow.
_NUMBER = r"^[+-]?[0-9]{1,15}(\.[0-9]*)?([eE](\+?[0-9]{1,2}|-[0-9]{1,3}))?$"
_RANGE = re.compile(r"(?P<low>-?[0-9]{1,15}(?:\.[0-9]+)?)?\.\.(?P<open><)?(?P<high>-?[0-9]{1,15}(?:\.[0-9]+)?)?")
_GREATEST = 1e18  # of what a whole number of 64 bits holds; validation allows much less
_BEYOND = 10**18  # in place of greater ones, which validation refuses as out of range
_EXACT = 1e-6  # of a whole unit: what multiplication in binary may lose
_FURTHEST_DAY = 700_000  # from 1970-01-01: years of four digits
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")


def read_text(column: pa.Array) -> pa.Array:
    """Convert to text without surrounding blanks; empty is null, and a whole number loses its decimal point."""
    if pa.types.is_floating(column.type):
        whole = pc.all(pc.equal(pc.floor(column), column), min_count=0).as_py()
        column = column.cast(pa.int64(), safe=False) if whole else column
    if pa.types.is_boolean(column.type) or not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(column, ""), None, column)


def read_dates(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Convert dates, timestamps or ISO text to days (without the time), and mark the rows that are none of these."""
    if pa.types.is_date(column.type):
        return column.cast(pa.date32()), np.zeros(len(column), np.bool_)
    if pa.types.is_timestamp(column.type):
        local = pc.local_timestamp(column) if column.type.tz else column
        return pc.floor_temporal(local, unit="day").cast(pa.date32()), np.zeros(len(column), np.bool_)
    text = read_text(column)
    if not pa.types.is_string(column.type):
        return pa.nulls(len(text), pa.date32()), as_mask(text.is_valid())
    encoded = text.dictionary_encode()
    days = pa.array([_iso_day(value) for value in encoded.dictionary.to_pylist()], pa.date32())
    dates = days.take(encoded.indices)
    return dates, as_mask(pc.and_(dates.is_null(), text.is_valid()))


def read_numbers(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Convert integers, floats, decimals or text to whole numbers, and mark the rows that are none of these."""
    if pa.types.is_integer(column.type) and column.type != pa.uint64():
        return column.cast(pa.int64()), np.zeros(len(column), np.bool_)
    text = read_text(column)
    readable = pc.match_substring_regex(text, r"^[+-]?[0-9]{1,18}(\.0*)?$")
    digits = pc.replace_substring_regex(pc.if_else(readable, text, None), r"^\+|\.0*$", "")
    return digits.cast(pa.int64()), as_mask(pc.and_(pc.invert(readable), text.is_valid()))


def read_decimals(column: pa.Array, places: int) -> tuple[pa.Array, Mask, Mask]:
    """Convert numbers or text to units of the last decimal place; mark what is no number, and what has more places."""
    text = read_text(column)
    encoded = text.dictionary_encode()
    read = [_units(value, places) for value in encoded.dictionary.to_pylist()]
    units = pa.array([value for value, _ in read], pa.int64()).take(encoded.indices)
    finer = as_mask(pa.array([is_finer for _, is_finer in read], pa.bool_()).take(encoded.indices))
    return units, as_mask(pc.and_(units.is_null(), text.is_valid())) & ~finer, finer


def _units(text: str, places: int) -> tuple[int | None, bool]:
    try:
        return max(-_BEYOND, min(decimal_units(text, places), _BEYOND)), False
    except TooManyPlacesError:
        return None, True
    except ValueError:
        return None, False


def _iso_day(text: str) -> date | None:
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def as_mask(column: pa.Array) -> Mask:
    """Return truth values as a mask; a null is false."""
    mask: Mask = column.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def parse_dates(column: pa.Array, formats: Sequence[str]) -> tuple[pa.Array, Mask]:
    """Convert dates in one of several declared forms to ISO text, and mark those that two forms read differently.

    Parameters
    ----------
    column : pyarrow.Array of str
    formats : sequence of str
        As in ``strptime``; ``excel`` is the serial number of a day in a spreadsheet.

    Returns
    -------
    dates : pyarrow.Array of str
        A text that no form fits becomes ``"?"``, to be refused as no date; an ambiguous one is null.
    is_ambiguous : ndarray of bool, shape (n,)

    Examples
    --------
    >>> dates, is_ambiguous = parse_dates(pa.array(["2024年1月5日", "45296", "31.2.2024"]), ["%Y年%m月%d日", "excel"])
    >>> dates.to_pylist(), is_ambiguous.any()
    (['2024-01-05', '2024-01-05', '?'], np.False_)
    """
    text = pc.utf8_normalize(column, form="NFKC")  # full-width digits
    readings = [_excel_dates(text) if form == "excel" else _dates_of_form(text, form) for form in formats]
    dates = pc.coalesce(*readings)
    is_ambiguous = np.zeros(len(column), np.bool_)
    for reading in readings:
        is_ambiguous |= as_mask(pc.not_equal(reading, dates))
    unreadable = pc.and_(dates.is_null(), column.is_valid())
    return pc.if_else(pa.array(is_ambiguous), None, pc.if_else(unreadable, "?", dates)), is_ambiguous


def _dates_of_form(text: pa.Array, form: str) -> pa.Array:
    stamps = pc.strptime(text, format=form, unit="s", error_is_null=True)
    again = pc.strftime(stamps, format=form)  # strptime lets 31 February pass
    return pc.if_else(
        pc.equal(_without_zeros(again), _without_zeros(text)), pc.strftime(stamps, format="%Y-%m-%d"), None
    )


def _excel_dates(text: pa.Array) -> pa.Array:
    """Read days counted from 1899-12-30, those of 1954 to 2119."""
    serial = pc.if_else(pc.match_substring_regex(text, r"^[2-7][0-9]{4}$"), text, None).cast(pa.int32())
    return pc.subtract(serial, pa.scalar(25_569, pa.int32())).cast(pa.date32()).cast(pa.string())


def _without_zeros(dates: pa.Array) -> pa.Array:
    """Remove zeros before a number: 2024/1/5 is 2024/01/05."""
    return pc.replace_substring_regex(dates, r"(^|[^0-9])0+([0-9])", r"\1\2")


def shift_dates(column: pa.Array, months: int, days: int) -> pa.Array:
    """Move dates by whole months, then by days; give ISO text, and ``"?"`` for what is no date."""
    dates, unreadable = read_dates(column)
    number = dates.cast(pa.int32())
    known = as_mask(number.is_valid())
    moved = add_months(number.fill_null(0).to_numpy(), months).astype(np.int64) + days
    is_day = known & (np.abs(moved) < _FURTHEST_DAY)
    text = pa.array(np.where(is_day, moved, 0).astype(np.int32)).cast(pa.date32()).cast(pa.string())
    return pc.if_else(pa.array(is_day), text, pc.if_else(pa.array(unreadable | (known & ~is_day)), "?", None))


def multiply_exactly(column: pa.Array, factor: float, rounded: bool) -> pa.Array:
    """Convert numbers to whole numbers of a unit; ``"?"``, to be refused, for what is no number or not whole."""
    readable = pc.match_substring_regex(column, _NUMBER)
    numbers = pc.if_else(readable, column, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    exact = numbers * factor
    whole = np.rint(exact)
    good = (np.abs(exact) < _GREATEST) & (rounded | (np.abs(exact - whole) < _EXACT))
    result = pa.array(np.where(good, whole, 0).astype(np.int64)).cast(pa.string())
    return pc.if_else(pa.array(good), result, pc.if_else(column.is_valid(), "?", None))


@dataclass(frozen=True)
class NumberRange:
    """Numbers from ``low`` to ``high``, both included unless the text says ``..<``; an end that is absent is open.

    Examples
    --------
    >>> [NumberRange.parse(text) for text in ("0..70", "71..<85.5", "86..")]  # doctest: +ELLIPSIS
    [NumberRange(low=0.0, high=70.0, is_open=False), NumberRange(...is_open=True), NumberRange(low=86.0, high=inf, ...)]
    """

    low: float
    high: float
    is_open: bool = False

    @classmethod
    def parse(cls, text: str) -> NumberRange | None:
        """Read a range; None for a text that is none."""
        match = _RANGE.fullmatch(text)
        if match is None or not (match["low"] or match["high"]):
            return None
        return cls(float(match["low"] or "-inf"), float(match["high"] or "inf"), bool(match["open"]))

    @property
    def is_empty(self) -> bool:
        """Whether no number lies in it."""
        return self.low > self.high or (self.is_open and self.low == self.high)

    def overlaps(self, other: NumberRange) -> bool:
        """Return whether some number lies in both."""
        first, second = sorted((self, other), key=lambda one: (one.low, one.high))
        return second.low < first.high or (second.low == first.high and not first.is_open)

    def holds(self, numbers: NDArray[np.float64]) -> Mask:
        """Mark the numbers in it; NaN is in none."""
        inside: Mask = (numbers >= self.low) & ((numbers < self.high) if self.is_open else (numbers <= self.high))
        return inside


def index_in_ranges(column: pa.Array, ranges: Sequence[NumberRange]) -> NDArray[np.int64]:
    """Return the place of the range that holds each number of a text column, -1 where none does."""
    readable = pc.match_substring_regex(column, _NUMBER)
    numbers = pc.if_else(readable, column, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    places = np.full(len(column), -1, np.int64)
    for place, one in enumerate(ranges):
        places[one.holds(numbers)] = place
    return places
