"""Days and months: forward where the day does not exist, and nothing that is not a date is taken for one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.foundation.calendar import (
    FOREVER,
    NO_DAY,
    NO_VALUE,
    add_months,
    distinct,
    from_day,
    from_days,
    pack,
    to_day,
    to_days,
    unpack,
)
from credit_model.visibility.tables import typed_column

DATES = st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31))


@given(DATES, st.integers(-480, 480))
def test_months_are_added_to_the_same_day_or_the_first_of_the_month_after(day: dt.date, months: int) -> None:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        expected = dt.date(year, month + 1, day.day)
    except ValueError:
        year, month = divmod(year * 12 + month + 1, 12)
        expected = dt.date(year, month + 1, 1)
    moved = add_months(to_day(day), months)
    assert from_day(moved) == expected
    assert add_months(np.array([to_day(day)] * 2), np.array([months, 0])).tolist() == [moved, to_day(day)]


@given(DATES, DATES, st.integers(0, 60))
def test_a_later_day_never_ends_earlier(day: dt.date, other: dt.date, months: int) -> None:
    first, second = sorted([to_day(day), to_day(other)])
    assert add_months(first, months) <= add_months(second, months)


def test_no_date_and_no_end_are_never_moved() -> None:
    assert add_months(np.array([NO_DAY, FOREVER]), 12).tolist() == [NO_DAY, FOREVER]
    assert np.isnat(from_days([NO_DAY, FOREVER])).all()
    assert from_day(NO_DAY) is None


@pytest.mark.parametrize(
    "values",
    [
        ["2024-02-29", None],
        [dt.date(2024, 2, 29), None],
        [dt.date(2024, 2, 29), pd.NA],
        [dt.date(2024, 2, 29), pd.NaT],
        [dt.datetime(2024, 2, 29, 13, 5), None],
        pd.Series(pd.to_datetime(["2024-02-29 13:05", None])),
        pd.Series(["2024-02-29", None], dtype="str"),
        pa.array([dt.date(2024, 2, 29), None]),
        np.array(["2024-02-29", "NaT"], "datetime64[ns]"),
        np.array([to_day("2024-02-29"), NO_DAY]),
    ],
    ids=lambda values: type(values).__name__ + getattr(getattr(values, "dtype", None), "name", ""),
)
def test_dates_are_read_in_every_usual_form(values: object) -> None:
    days = to_days(values)
    assert days.dtype == np.int32
    assert from_days(days).astype(str).tolist() == ["2024-02-29", "NaT"]


@pytest.mark.parametrize("text", ["2024-02-30", "2024", "20240229", "29/02/2024", "2024-W01-1", "", True, 1.5])
def test_a_value_that_is_no_date_is_refused(text: object) -> None:
    with pytest.raises(UserError, match="A date was expected"):
        to_day(text)


def test_a_message_counts_the_wrong_values_and_repeats_none() -> None:
    with pytest.raises(UserError) as error:
        to_days(["2024-01-01", "li_si", None, "li_si"])
    assert "2 of 4 values cannot be used (first in row 1)" in str(error.value)
    assert "li_si" not in str(error.value)


def test_numbers_with_gaps_are_whole_numbers_or_refused() -> None:
    assert typed_column([5.0, np.nan, np.nan], "int").tolist() == [5, NO_VALUE, NO_VALUE]
    assert typed_column(pd.Series([5, None, 7], dtype="Int64"), "int").tolist() == [5, NO_VALUE, 7]
    with pytest.raises(UserError, match=r"1 of 2 values cannot be used \(first in row 1\). Give whole numbers"):
        typed_column([5.0, 5.5], "int")


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(NO_DAY, FOREVER))))
def test_packed_pairs_sort_and_come_back(pairs: list[tuple[int, int]]) -> None:
    packed = pack(np.array([i for i, _ in pairs], np.int64), np.array([d for _, d in pairs], np.int64))
    index, day = unpack(distinct([packed, packed]))
    assert list(zip(index.tolist(), day.tolist(), strict=True)) == sorted(set(pairs))


def test_many_days_move_as_each_of_them_does() -> None:
    rng = np.random.default_rng(1)
    days = rng.integers(-30_000, 60_000, 20_000).astype(np.int32)
    days[::7], days[::11] = NO_DAY, FOREVER
    for months in (6, -18, rng.integers(-3, 61, len(days)), rng.choice([0, 3, 12, 36], len(days)), 40_000):
        each = np.broadcast_to(months, len(days)).tolist()
        assert add_months(days, months).tolist() == [add_months(d, m) for d, m in zip(days.tolist(), each, strict=True)]
    assert add_months(np.full(5_000, NO_DAY, np.int32), 6).tolist() == [NO_DAY] * 5_000
