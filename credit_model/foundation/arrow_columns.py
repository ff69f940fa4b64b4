"""Columns as they come, read as text, days or whole numbers: what cannot be read is null and marked.

In: Arrow columns of any type. Out: columns of one type, and masks of the rows that are none of it.
"""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

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
