"""Bins: attributes that cover every value once, labels people read, edits that give new bins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.learning.fine_classes import information_value, weight_of_evidence
from credit_model.scorecard.bins import CategoricalBins, NumericBins, attributes_of
from credit_model.scorecard.columns import as_categories, as_numbers

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
cuts = st.lists(float32, max_size=30, unique_by=lambda x: x + 0.0).map(lambda xs: tuple(sorted(x + 0.0 for x in xs)))


@given(cuts, st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
def test_every_number_lies_in_exactly_one_interval(cuts: tuple[float, ...], values: list[float]) -> None:
    bins = NumericBins(cuts)
    ends = [-math.inf, *cuts, math.inf]
    column = np.asarray([*values, *cuts, -math.inf, math.inf], dtype=np.float32)
    found = bins.index(column)
    for value, attribute in zip(column.tolist(), found.tolist(), strict=True):
        holding = [i for i in range(len(ends) - 1) if ends[i] < value <= ends[i + 1] or (i == 0 and value == -math.inf)]
        assert holding == [attribute]


@given(cuts, st.lists(st.floats(width=32) | st.none(), max_size=50))
def test_one_value_and_a_column_find_the_same_attribute(cuts: tuple[float, ...], values: list[float | None]) -> None:
    bins = NumericBins(cuts)
    column = as_numbers(np.asarray([*values, *cuts], dtype=object), "x")
    assert bins.index(column).tolist() == [bins.index_of(v) for v in column.tolist()]


@given(cuts, float32, float32)
def test_a_greater_number_never_lies_in_a_lower_attribute(cuts: tuple[float, ...], a: float, b: float) -> None:
    bins = NumericBins(cuts)
    assert bins.index_of(min(a, b)) <= bins.index_of(max(a, b))


def test_a_value_equal_to_a_cut_belongs_to_the_interval_below_it() -> None:
    bins = NumericBins((0.5, 2.5))
    assert [bins.index_of(v) for v in (0.5, math.nextafter(0.5, 1), 2.5)] == [0, 1, 1]


def test_missing_has_an_attribute_of_its_own() -> None:
    assert NumericBins((1.0,)).index_of(math.nan) == 2
    assert NumericBins(()).index(np.array([np.nan, 3.0], dtype=np.float32)).tolist() == [1, 0]
    assert CategoricalBins((("a",),)).index(["a", None, "z"]).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "cuts",
    [(1.0, 1.0), (2.0, 1.0), (math.inf,), (math.nan,), (0.1,)],
    ids=["twice", "falling", "inf", "nan", "float64"],
)
def test_cuts_must_rise_and_be_float32(cuts: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="numeric bins"):
        NumericBins(cuts)


def test_labels_of_whole_numbers_read_as_people_count() -> None:
    assert NumericBins((0.5, 1.5, 4.5), whole=True).labels("zh") == ("≤ 0", "1", "2至4", "≥ 5", "缺失")
    assert NumericBins((0.5, 1.25)).labels() == ("≤ 0.5", "0.5 < x ≤ 1.25", "> 1.25", "missing")
    assert NumericBins(()).labels() == ("any value", "missing")


def test_an_edit_gives_new_bins() -> None:
    bins = NumericBins((1.0, 2.0, 3.0))
    assert bins.merge(1).cuts == (1.0, 3.0)
    assert bins.split(2.5).cuts == (1.0, 2.0, 2.5, 3.0)
    assert bins.move(1, 2.25).cuts == (1.0, 2.25, 3.0)
    groups = CategoricalBins((("a", "b"), ("c",)))
    assert groups.merge(1, 0).groups == (("a", "b", "c"),)
    assert groups.split("b").groups == (("a",), ("c",), ("b",))
    assert bins.cuts == (1.0, 2.0, 3.0)


def test_an_edit_that_cannot_be_made_says_so() -> None:
    bins = NumericBins((1.0, 2.0))
    with pytest.raises(UserError, match="merge: attribute 2 has no neighbour"):
        bins.merge(2)
    with pytest.raises(UserError, match="split: there is a cut at 2"):
        bins.split(2)
    with pytest.raises(UserError, match="move: there is no cut number 5"):
        bins.move(5, 1.5)
    with pytest.raises(UserError, match="cuts must rise"):
        bins.move(0, 3.0)
    with pytest.raises(UserError, match="two different groups"):
        CategoricalBins((("a",), ("b",))).merge(0, 0)
    with pytest.raises(UserError, match="one group only"):
        CategoricalBins((("a",), ("a",)))
    with pytest.raises(UserError, match="at least one text"):
        CategoricalBins(((),))


def test_text_is_never_taken_for_a_number() -> None:
    with pytest.raises(UserError, match="2 of 4 rows hold something else, the first in row 1"):
        as_numbers(np.array([1, "2", None, "x"], dtype=object), "income")
    with pytest.raises(UserError, match="'seen' must hold numbers, it holds datetime64"):
        as_numbers(np.array(["2024-01-01"], dtype="datetime64[D]"), "seen")
    with pytest.raises(UserError, match="one dimension"):
        as_numbers(np.zeros((2, 2)), "x")


@pytest.mark.parametrize(
    "dtype", ["int8", "int64", "uint16", "float16", "float32", "float64", "bool", "Int64", "Float32"]
)
def test_a_number_is_the_same_whatever_its_type(dtype: str) -> None:
    pd = pytest.importorskip("pandas")
    column = pd.Series([0, 1, 1], dtype=dtype)
    assert as_numbers(column, "x").tolist() == [0.0, 1.0, 1.0]
    assert as_categories(column, "x")[1] == ("0", "1")


def test_too_large_a_number_is_infinite_and_looked_up() -> None:
    assert as_numbers([1e300, -1e300], "x").tolist() == [math.inf, -math.inf]


def test_categories_of_a_pandas_column_keep_missing_and_unseen_apart() -> None:
    pd = pytest.importorskip("pandas")
    column = pd.Series(["own", None, "tent"], dtype="category")
    assert attributes_of(CategoricalBins((("own",),)), column, "home").tolist() == [0, 2, 1]
    with pytest.raises(UserError, match="texts or numbers"):
        as_categories([("a", 1)], "home")
    with pytest.raises(UserError, match="row 0 holds neither"):
        as_categories([["a"]], "home")


def test_woe_is_positive_where_goods_are_over_represented() -> None:
    woe = weight_of_evidence([80, 20], [1, 1])
    assert woe[0] > 0 > woe[1]
    assert woe == pytest.approx([math.log(0.8 / 0.5), math.log(0.2 / 0.5)])


def test_an_attribute_never_seen_has_no_evidence() -> None:
    assert weight_of_evidence([90, 10, 0], [5, 5, 0], smoothing=1.0)[2] == pytest.approx(0.0)


def test_information_value_follows_the_textbook() -> None:
    goods, bads = np.array([400.0, 300, 300]), np.array([10.0, 20, 70])
    g, b = goods / 1000, bads / 100
    assert information_value(goods, bads) == pytest.approx(sum((g - b) * np.log(g / b)))
    assert information_value([0, 400, 300, 300], [0, 10, 20, 70]) == pytest.approx(information_value(goods, bads))
