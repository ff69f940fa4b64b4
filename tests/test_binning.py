"""Binning: exact against brute force, monotone, and blind to nothing that is rare."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.learning.fine_classes import counted_numbers, fine_categories, fine_numbers
from credit_model.learning.fine_table import FineTable
from credit_model.learning.optimal_binning import BinningRules, optimal_binning, optimal_binnings, ordered_woe
from credit_model.scorecard.bins import CategoricalBins, NumericBins

cells = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=2, max_size=8)


def counted(cells: list[tuple[int, int]], values: list[float] | None = None):  # type: ignore[no-untyped-def]
    """A column whose k-th value has so many goods and bads, its fine classes, and their counts."""
    values = values or [float(k) for k in range(len(cells))]
    column = np.repeat(np.asarray(values, dtype=np.float32), [g + b for g, b in cells])
    bad = np.concatenate([np.repeat([False, True], [g, b]) for g, b in cells]) if cells else np.empty(0, bool)
    fine = fine_numbers(column, np.ones(len(column)))
    table = FineTable.build([fine], bad, np.ones(len(column)), None, 1)
    return fine, table.by_class(0, fine.classes, 1)[0]


def lawful(rates: np.ndarray, trend: int | str) -> bool:
    """Whether bad rates (of each period) follow a trend; one that may turn may also not turn."""
    up, down = ((step * np.diff(np.atleast_2d(rates)) >= 0).all(axis=0) for step in (1, -1))
    if trend == "peak":
        return any(up[:k].all() and down[k:].all() for k in range(len(up) + 1))
    if trend == "valley":
        return any(down[:k].all() and up[k:].all() for k in range(len(up) + 1))
    return bool({1: up, -1: down}[trend].all()) if trend in (1, -1) else True  # type: ignore[index]


def brute_force(counts: np.ndarray, trend: int | str, rules: BinningRules, periods: np.ndarray | None = None) -> float:
    """The best value of all ways to join neighbours, by trying every one."""
    goods, bads = counts[0, :-1], counts[1, :-1]
    classes, n_good, n_bad = len(goods), counts[0].sum(), counts[1].sum()
    rarer = min(n_good, n_bad)
    best = -np.inf
    for size in range(min(rules.max_bins, classes)):
        for inner in combinations(range(1, classes), size):
            parts = [slice(a, b) for a, b in zip((0, *inner), (*inner, classes), strict=True)]
            g = np.array([goods[part].sum() for part in parts])
            b = np.array([bads[part].sum() for part in parts])
            seen = b if n_bad <= n_good else g
            events = np.maximum(seen, (g + b) * rarer / (n_good + n_bad))
            if (events < rules.min_events).any() or (g + b < rules.min_share * (n_good + n_bad)).any():
                continue
            if not lawful(b / (g + b), trend):
                continue
            if periods is not None and not lawful_in(parts, periods, trend):
                continue
            share = rules.smoothing / rarer
            woe = np.log(g / n_good + share) - np.log(b / n_bad + share)
            noise = rules.noise * (1 / n_good + 1 / n_bad)
            best = max(best, float(((g / n_good - b / n_bad) * woe - noise).sum()))
    return best


def lawful_in(parts: list[slice], periods: np.ndarray, trend: int | str) -> bool:
    """Whether every part is seen in every period and in all, and follows the same steps in each."""
    everywhere = [*periods, periods.sum(axis=0)]
    g, b = (np.array([[both[k][part].sum() for part in parts] for both in everywhere]) for k in (0, 1))
    return bool((g + b > 0).all()) and lawful(b / (g + b), trend)


def value_of(binning, counts: np.ndarray, rules: BinningRules) -> float:  # type: ignore[no-untyped-def]
    by = binning.counts(counts)
    g, b = by[0, : binning.bins.missing], by[1, : binning.bins.missing]
    n_good, n_bad = counts[0].sum(), counts[1].sum()
    share = rules.smoothing / min(n_good, n_bad)
    woe = np.log(g / n_good + share) - np.log(b / n_bad + share)
    return float(((g / n_good - b / n_bad) * woe - rules.noise * (1 / n_good + 1 / n_bad)).sum())


@given(
    cells, st.sampled_from([1, -1, "peak", "valley", "none"]), st.integers(2, 4), st.integers(1, 6),
    st.sampled_from([0.0, 0.1]),
)  # fmt: skip
@settings(max_examples=250)
def test_the_classing_is_the_best_of_all(
    cells: list[tuple[int, int]], trend: int | str, max_bins: int, min_events: int, min_share: float
) -> None:
    fine, counts = counted([(g + 1, b) if g + b == 0 else (g, b) for g, b in cells])
    if min(counts[0].sum(), counts[1].sum()) < 1:
        return
    rules = BinningRules(max_bins, min_share, min_events)
    best = brute_force(counts, trend, rules)
    found = optimal_binning(fine, counts, trend, rules)
    if np.isfinite(best):
        assert value_of(found, counts, rules) == pytest.approx(best, abs=1e-9)
    else:
        assert found.bins.count == 2  # nothing is large enough: one interval and missing


@given(cells, cells, st.sampled_from([1, -1, "peak"]), st.integers(2, 4))
def test_with_periods_the_classing_is_the_best_of_those_whose_order_holds_in_every_period(
    first: list[tuple[int, int]], second: list[tuple[int, int]], trend: int | str, max_bins: int
) -> None:
    classes = min(len(first), len(second))
    periods = np.array([first[:classes], second[:classes]], dtype=float).transpose(0, 2, 1)
    periods[:, 0] += 1  # every class is seen in every period
    fine, counts = counted([(int(g), int(b)) for g, b in periods.sum(axis=0).T])
    if counts[1].sum() < 1:
        return
    none = np.zeros((2, 2, 1))
    rules = BinningRules(max_bins, min_events=1)
    best = brute_force(counts, trend, rules, periods)
    found = optimal_binning(replace(fine, periods=np.concatenate([periods, none], axis=2)), counts, trend, rules)
    if np.isfinite(best):
        assert value_of(found, counts, rules) == pytest.approx(best, abs=1e-9)
    else:
        assert found.bins.count == 2


@given(st.lists(cells, min_size=2, max_size=5))
@settings(max_examples=30)
def test_columns_classed_together_are_classed_as_each_alone(columns: list[list[tuple[int, int]]]) -> None:
    made = [counted([(g + 1, b + 1) for g, b in cells]) for cells in columns]
    fine, counts = [column for column, _ in made], [seen for _, seen in made]
    trends = [(None, 1, "auto", "peak")[k % 4] for k in range(len(made))]
    together = optimal_binnings(fine, counts, trends, BinningRules(min_events=1))
    for column, seen, trend, found in zip(fine, counts, trends, together, strict=True):
        alone = optimal_binning(column, seen, trend, BinningRules(min_events=1))
        assert (alone.bins, alone.trend, alone.turn) == (found.bins, found.trend, found.turn)


@given(cells, st.sampled_from([1, -1, None, "peak", "valley", "auto"]))
def test_woe_follows_the_trend_even_after_smoothing(cells: list[tuple[int, int]], trend: int | str | None) -> None:
    fine, counts = counted([(g + 1, b) for g, b in cells])
    if counts[1].sum() == 0:
        return
    rules = BinningRules(smoothing=7.0, min_events=1)
    found = optimal_binning(fine, counts, trend, rules)
    woe = ordered_woe(found.counts(counts), found, rules)[: found.bins.missing]
    if found.turn is None:
        assert (np.diff(woe) * found.direction <= 1e-12).all()
    else:
        turned = np.diff(woe) * (1 if found.trend == "peak" else -1)
        assert (turned[: found.turn] <= 1e-12).all()
        assert (turned[found.turn :] >= -1e-12).all()
    if trend in (1, -1):
        assert found.direction == trend


def test_a_trend_that_turns_is_chosen_only_where_it_is_worth_its_turn() -> None:
    peak = [(100, 5), (100, 30), (100, 30), (100, 5)]
    nearly = [(100, 5), (100, 20), (100, 40), (100, 39)]
    for cells, trend in ((peak, "peak"), ([(g, 35 - b) for g, b in peak], "valley"), (nearly, "ascending")):
        fine, counts = counted(cells)
        assert optimal_binning(fine, counts, "auto", BinningRules()).trend == trend
    fine, counts = counted(peak)
    assert optimal_binning(fine, counts, None, BinningRules()).turn is None


def test_a_trend_nobody_knows_is_refused_with_those_there_are() -> None:
    fine, counts = counted([(100, 5), (100, 30)])
    with pytest.raises(UserError, match="there is no trend 'rising'; there are ascending, descending, peak"):
        optimal_binning(fine, counts, "rising", BinningRules())


def test_special_values_have_attributes_of_their_own_and_bend_no_trend() -> None:
    column = np.repeat(np.float32([-999, 0, 1, 2]), [80, 105, 110, 120])
    bad = np.concatenate([np.repeat([False, True], [g, b]) for g, b in [(50, 30), (100, 5), (100, 10), (100, 20)]])
    fine = fine_numbers(column, special=[-999])
    counts = fine.count(bad)
    found = optimal_binning(fine, counts, 1, BinningRules())
    assert isinstance(found.bins, NumericBins)
    assert found.bins.special == (-999.0,)
    assert found.bins.cuts[0] > 0
    assert found.counts(counts)[1].tolist()[-2:] == [30, 0]
    assert found.bins.index(column).tolist() == found.attribute_of[fine.codes].tolist()


@given(cells)
def test_fine_and_coarse_classes_agree_on_every_value(cells: list[tuple[int, int]]) -> None:
    values = [round(1.3 ** (2 * k), 3) - 4 for k in range(len(cells))]
    fine, counts = counted([(g + 1, b + 1) for g, b in cells], values)
    found = optimal_binning(fine, counts, None, BinningRules(min_events=1, noise=0.0))
    assert isinstance(found.bins, NumericBins)
    at = np.asarray(values, dtype=np.float32)
    assert found.bins.index(at).tolist() == found.attribute_of[: fine.classes].tolist()
    assert found.attribute_of[fine.missing] == found.bins.missing


def test_without_a_declared_trend_the_better_one_is_chosen() -> None:
    falling = [(100, 30), (100, 20), (100, 10), (100, 5)]
    for cells, trend in ((falling, -1), (falling[::-1], 1)):
        fine, counts = counted(cells)
        assert optimal_binning(fine, counts, None, BinningRules()).direction == trend


def test_two_bads_among_few_rows_make_no_attribute() -> None:
    """An honour held by 1 % cannot be learned: 2 bads in 70,000 rows say nothing."""
    fine, counts = counted([(68_880, 418), (700, 2)])
    assert optimal_binning(fine, counts, -1, BinningRules()).bins.count == 2


def test_many_rows_without_a_bad_do_make_an_attribute() -> None:
    fine, counts = counted([(500, 0), (500, 60)])
    assert optimal_binning(fine, counts, 1, BinningRules()).bins == NumericBins((0.5,), whole=True)


def test_a_column_of_99_percent_zeros_keeps_its_tail() -> None:
    rng = np.random.default_rng(1)
    column = np.where(rng.random(50_000) < 0.99, 0, rng.lognormal(8, 2, 50_000)).astype(np.float32)
    fine = fine_numbers(column, np.ones(len(column)))
    assert fine.classes > 50
    assert fine.starts is not None
    assert fine.starts[0] == 0 == fine.ends[0]
    rows = np.bincount(fine.codes)
    assert rows[0] > 49_000
    assert rows[1:-1].max() < 5 * rows[1:-1].mean()


@given(st.lists(st.floats(width=32) | st.integers(0, 3).map(float), min_size=1, max_size=300), st.integers(2, 16))
def test_fine_classes_are_disjoint_runs_of_values(values: list[float], most: int) -> None:
    column = np.asarray(values, dtype=np.float32)
    fine = fine_numbers(column, np.ones(len(column)), most)
    seen = ~np.isnan(column)
    assert (fine.codes[~seen] == fine.missing).all()
    assert fine.classes <= 2 * most + 1
    assert fine.starts is not None
    assert fine.ends is not None
    assert (fine.starts <= fine.ends).all()
    assert (fine.ends[:-1] < fine.starts[1:]).all()
    codes = fine.codes[seen]
    assert ((fine.starts[codes] <= column[seen]) & (column[seen] <= fine.ends[codes])).all()


@given(
    st.lists(st.tuples(st.floats(width=32) | st.integers(0, 3).map(float), st.booleans()), min_size=1, max_size=300),
    st.integers(2, 16), st.sampled_from([(), (1.0,), (2.0, -7.0)]),
)  # fmt: skip
def test_counting_without_classing_each_row_counts_the_same(
    rows: list[tuple[float, bool]], most: int, special: tuple[float, ...]
) -> None:
    column, bad = np.asarray([v for v, _ in rows], dtype=np.float32), np.asarray([b for _, b in rows])
    fine = fine_numbers(column, None, most, special)
    counted, counts = counted_numbers(column, bad, most, special)
    assert (counted.classes, counted.ends.tolist()) == (fine.classes, fine.ends.tolist())
    assert counts.tolist() == fine.count(bad).tolist()


def test_cuts_lie_between_neighbours_even_where_float32_has_nothing_between_them() -> None:
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    for pair in ((low, high), (np.float32(3e38), np.float32(np.inf)), (np.float32(-np.inf), np.float32(0))):
        fine, counts = counted([(100, 1), (10, 50)], [float(v) for v in pair])
        bins = optimal_binning(fine, counts, 1, BinningRules()).bins
        assert isinstance(bins, NumericBins)
        assert bins.index(np.asarray(pair, dtype=np.float32)).tolist() == [0, 1]


def test_rare_and_missing_categories_have_attributes_of_their_own() -> None:
    texts = ("rent", "own", None, "tent")
    codes = np.repeat([0, 1, 2, 3], [300, 500, 40, 3])
    bad = np.concatenate([np.arange(300) < 90, np.arange(500) < 20, np.arange(40) < 5, [True, False, False]])
    fine = fine_categories(codes, texts, min_rows=20)
    table = FineTable.build([fine], bad, np.ones(len(bad)), None, 1)
    found = optimal_binning(fine, table.by_class(0, fine.classes, 1)[0], None, BinningRules())
    assert found.bins == CategoricalBins((("own",), ("rent",)))
    assert found.counts(table.by_class(0, fine.classes, 1)[0])[1].tolist() == [20, 90, 1, 5]


def test_weights_count_as_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    column = rng.integers(0, 6, 600).astype(np.float32)
    bad = rng.random(600) < 0.05 + 0.05 * column
    weight = rng.integers(1, 4, 600).astype(float)
    fine = fine_numbers(column, weight)
    weighted = FineTable.build([fine], bad, weight, None, 1).by_class(0, fine.classes, 1)[0]
    times = weight.astype(int)
    repeated = fine_numbers(np.repeat(column, times), np.ones(times.sum()))
    counts = FineTable.build([repeated], np.repeat(bad, times), np.ones(times.sum()), None, 1)
    assert weighted[:2].tolist() == counts.by_class(0, fine.classes, 1)[0][:2].tolist()
    assert weighted[2:].sum() == 600  # least numbers of events count rows


@given(st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_a_table_does_not_depend_on_the_order_of_the_rows(random) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(random.randrange(2**32))
    columns = [rng.integers(0, 5, 200).astype(np.float32) for _ in range(12)]
    bad, weight, groups = rng.random(200) < 0.2, rng.uniform(0.5, 2, 200), rng.integers(0, 60, 200)
    order = rng.permutation(200)
    for subjects in (None, np.unique(groups, return_inverse=True)[1]):
        straight, shuffled = (
            FineTable.build(
                [fine_numbers(c[at], weight[at]) for c in columns], bad[at], weight[at],
                None if subjects is None else subjects[at], 5,
            )
            for at in (np.arange(200), order)
        )  # fmt: skip
        for name in ("codes", "fold", "counts"):
            assert np.array_equal(getattr(straight, name), getattr(shuffled, name))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_table_of_many_columns_counts_what_one_counts_by_hand(weighted: bool) -> None:
    """More columns than one word holds, rows that differ only in the first of them, rows that are the same."""
    rng = np.random.default_rng(7)
    values = np.zeros((600, 40), dtype=np.float32)
    values[:, :2], values[:, 30] = rng.integers(0, 3, (600, 2)), rng.integers(0, 2, 600)
    values[:8] = np.arange(8)[:, None]  # eight classes a column: three bits each
    bad, weight = rng.random(600) < 0.3, rng.integers(1, 4, 600) / 2 if weighted else np.ones(600)
    table = FineTable.build([fine_numbers(c, weight) for c in values.T], bad, weight, np.arange(600), 3)
    by_hand: dict[tuple[Any, ...], float] = {}
    for row, b, w in zip(values.tolist(), bad.tolist(), weight.tolist(), strict=True):
        by_hand[(*row, b)] = by_hand.get((*row, b), 0.0) + w
    found: dict[tuple[Any, ...], float] = {}
    for codes, (goods, bads, _, bad_rows) in zip(table.codes.tolist(), table.counts.T.tolist(), strict=True):
        key = (*map(float, codes), bad_rows > 0)
        found[key] = found.get(key, 0.0) + goods + bads
    assert found == by_hand
    for column in (0, 30, 39):
        counts = table.by_class(column, 8, 3)
        for fold, outcome, at in product(range(3), range(2), range(9)):
            rows = (table.fold == fold) & (table.codes[:, column] == at)
            assert counts[fold, outcome, at] == table.counts[outcome, rows].sum()
            assert counts[fold, outcome + 2, at] == table.counts[outcome + 2, rows].sum()


def test_identical_rows_are_kept_once_and_nobody_is_lost() -> None:
    rng = np.random.default_rng(5)
    columns = [(rng.random(5000) < 0.1).astype(np.float32) for _ in range(8)]
    bad = rng.random(5000) < 0.02
    fine = [fine_numbers(c, np.ones(5000)) for c in columns]
    table = FineTable.build(fine, bad, np.ones(5000), None, 5)
    assert table.counts[2:].sum(axis=1).tolist() == [(~bad).sum(), bad.sum()]
    keys = {
        (*codes, fold, b > 0) for codes, fold, b in zip(table.codes.tolist(), table.fold, table.counts[1], strict=True)
    }
    assert len(keys) == len(table.codes) < 1500


def test_all_rows_of_a_subject_lie_in_one_fold_and_folds_share_the_bads() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(300), 3)
    column = groups.astype(np.float32)  # each subject recognisable by its value
    bad = rng.random(900) < 0.05
    fine = fine_numbers(column, np.ones(900), most=120)
    table = FineTable.build([fine], bad, np.ones(900), groups, 5)
    has_bad = np.unique(groups[bad])
    folds = {fold for fold, b in zip(table.fold, table.counts[1], strict=True) if b}
    assert folds == set(range(5))
    per_fold = np.bincount(table.fold, table.counts[1], minlength=5)
    assert per_fold.max() - per_fold.min() <= 0.35 * len(has_bad)
