r"""Join fine classes into the attributes of greatest information value that the rules allow.

The optimum is exact: greatest information value, less what noise alone would add for each attribute, under the trend,
the least share, the least number of events (counted in rows), the most attributes, and the order in every period. A
dynamic programme finds it.

``best[j, c, m, i]`` is the value of the first ``j`` classes of column ``c`` in ``m + 1`` runs, the last of which is
``(i, j]``. It extends the best ``best[i, c, m - 1, h]`` whose last run ``(h, i]`` has a bad rate on the lawful side, in
every period. A trend that turns has a second table, entered from the first by a step the other way. The cost is
:math:`O(M F^3)` for ``F`` classes and ``M`` runs, all columns and all ``m`` at once.

Without periods the best lawful one is read off a running maximum over runs in the order of their bad rate, which
leaves :math:`O(M F^2 \log F)`.

In: columns in fine classes, their counts, trends.
Out: bins, with the fine classes that make up each attribute; WOE that follows the trend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from credit_model.foundation.errors import UserError
from credit_model.learning.fine_classes import (
    BAD_ROWS,
    BADS,
    GOOD_ROWS,
    GOODS,
    Binning,
    FineColumn,
    Real,
    cut_between,
    weight_of_evidence,
)
from credit_model.scorecard.bins import CategoricalBins, NumericBins

# Trend of the bad rate with the value: the steps it may take, in their order.
TRENDS: Final = {"ascending": (1,), "descending": (-1,), "peak": (1, -1), "valley": (-1, 1), "none": (0,)}
_Way = tuple[int, ...]


@dataclass(frozen=True)
class Joining:
    """A way to join classes: its value, the last class of each run, and the run at which the trend turns."""

    trend: str
    value: float
    lasts: tuple[int, ...]
    turn: int | None = None


@dataclass(frozen=True, eq=False)
class Runs:
    """All runs of neighbouring classes of several columns.

    Parameters
    ----------
    value : array, shape (columns, F + 1, F + 1)
        ``value[c, i, j]``: of the run ``(i, j]``; minus infinity where it may not be an attribute.
    rate : array, shape (periods, columns, F + 1, F + 1)
        Bad rate of the run, in all and in every period in which the order must hold.
    classes : sequence of int
        Number of classes of each column, at most F.
    """

    value: Real
    rate: Real
    classes: Sequence[int]

    def best(self, trends: Sequence[str], most: int) -> list[list[Joining]]:
        """Return the best joining of each column into at most ``most`` runs, under each of the trends."""
        tables = self._tables({TRENDS[trend] for trend in trends}, most)
        return [
            [self._traced(tables, column, trend, TRENDS[trend]) for trend in trends]
            for column in range(len(self.classes))
        ]

    def _tables(self, targets: set[_Way], most: int) -> dict[_Way, Real]:
        """Tables of the ways wanted, and of those that lead to them."""
        columns, width = self.value.shape[:2]
        ways = sorted({way[: n + 1] for way in targets for n in range(len(way))}, key=len)
        tables = {way: np.full((width, columns, most, width), -np.inf) for way in ways}
        for way in ways:
            if len(way) == 1:
                tables[way][:, :, 0, 0] = self.value[:, 0, :].T
        for i in range(1, width - 1):
            for way in ways:
                before = self._before(tables, way, i)[:, :-1, :i]
                there = np.flatnonzero(np.isfinite(before).any(axis=(0, 2)))
                if len(there):  # few classes make few runs
                    runs = there[-1] + 1
                    reached = self._reached(before[:, :runs], way[-1], i)
                    totals = self.value[:, None, i, i + 1 :] + reached
                    tables[way][i + 1 :, :, 1 : runs + 1, i] = totals.transpose(2, 0, 1)
        return tables

    def _reached(self, before: Real, step: int, i: int) -> Real:
        """Return the best that each run ``(i, j]`` may follow, shape (columns, runs, j > i)."""
        if step == 0:
            return np.asarray(before.max(axis=2, keepdims=True))
        if len(self.rate) > 1:
            best: Real = (before[..., None] + self._barred(step, i)[:, None]).max(axis=2)
            return best
        rate = step * self.rate[0, :, :i, i]
        order = np.argsort(rate, axis=1, kind="stable")
        ranked = np.take_along_axis(before, order[:, None, :], axis=2)
        running = np.concatenate([np.full((*before.shape[:2], 1), -np.inf), np.maximum.accumulate(ranked, 2)], axis=2)
        lawful = (rate[:, :, None] <= step * self.rate[0, :, None, i, i + 1 :]).sum(axis=1)
        return np.take_along_axis(running, lawful[:, None, :], axis=2)

    @staticmethod
    def _before(tables: dict[_Way, Real], way: _Way, i: int) -> Real:
        """Return what a step of a way may follow, by the class ``i`` it starts after."""
        table = tables[way][i]
        return np.asarray(table if len(way) == 1 else np.maximum(table, tables[way[:-1]][i]))

    def _barred(self, step: int, i: int) -> Real:
        """Minus infinity where ``(i, j]`` may not follow ``(h, i]``, else 0: shape (columns, h < i, j > i)."""
        low, high = self.rate[:, :, :i, i, None], self.rate[:, :, None, i, i + 1 :]
        if step == 0:
            return np.zeros((len(self.classes), i, 1))
        lawful = (low <= high) if step > 0 else (low >= high)
        return np.where(lawful.all(axis=0), 0.0, -np.inf)

    def _traced(self, tables: dict[_Way, Real], column: int, trend: str, way: _Way) -> Joining:
        """Follow the best end back to the first class."""
        j = self.classes[column]
        ends = tables[way][j, column]
        m, i = divmod(int(np.argmax(ends)), ends.shape[1])
        if not j or not np.isfinite(ends[m, i]):
            return Joining(trend, -np.inf, ())
        value, lasts, turn = float(ends[m, i]), [j - 1], None
        while i > 0:
            lawful = self._barred(way[-1], i)[column]
            came = self._before(tables, way, i)[column, m - 1, :i] + lawful[:, min(j - i, lawful.shape[1]) - 1]
            h = int(np.argmax(came))
            lasts.append(i - 1)
            if len(way) > 1 and tables[way[:-1]][i, column, m - 1, h] >= tables[way][i, column, m - 1, h]:
                way, turn = way[:-1], m - 1
            i, j, m = h, i, m - 1
        return Joining(trend, value, tuple(lasts[::-1]), turn)


Trend = int | str | None
# What may be chosen from: by the name of the choice.
CHOICES: Final = {
    "one_way": ("ascending", "descending"),
    "peak": ("ascending", "descending", "peak"),
    "valley": ("ascending", "descending", "valley"),
    "auto": ("ascending", "descending", "peak", "valley"),
}
_NAMES: Final = {1: "ascending", -1: "descending", 0: "none", None: "one_way"}
_CELLS = 70_000  # runs of classes of the columns that are classed at a time: what stays in the processor's cache


@dataclass(frozen=True)
class BinningRules:
    """What an attribute must be: few, large enough, seen often enough, worth more than noise.

    Parameters
    ----------
    max_bins : int
        Most attributes of a column, the missing, the other and the special ones not counted.
    min_share : float
        Least share of the (weighted) rows in one attribute.
    min_events : int
        Least number of rows of the rarer outcome in one attribute: seen, or expected there at the average rate. (Many
        rows without a bad are evidence; two bads among few rows are not.)
    noise : float
        An attribute more must add this many times the information value that noise alone adds on average,
        ``1/bads + 1/goods``.
    smoothing : float
        Pseudo-count of the rarer class that draws the WOE of each attribute towards 0.
    turn : float
        Where the trend is chosen from the data, one that turns must add this share of information value to the best
        that does not.
    """

    max_bins: int = 8
    min_share: float = 0.0
    min_events: int = 5
    noise: float = 0.5
    smoothing: float = 2.0
    turn: float = 0.1


def optimal_binning(column: FineColumn, counts: Real, trend: Trend, rules: BinningRules) -> Binning:
    """Return the optimal binning of one column: see :func:`optimal_binnings`."""
    return optimal_binnings([column], [counts], [trend], rules)[0]


def optimal_binnings(
    columns: Sequence[FineColumn], counts: Sequence[Real], trends: Sequence[Trend], rules: BinningRules
) -> list[Binning]:
    """Return the optimal binning of each column.

    Parameters
    ----------
    columns : sequence of FineColumn
    counts : sequence of array, shape (4, classes + 1)
        By fine class: weighted goods, weighted bads, rows of goods, rows of bads; special values and missing are last.
    trends : sequence of {"ascending", "descending", "peak", "valley", "none", "one_way", "auto", +1, -1, None}
        Trend of the bad rate with the value. ``one_way``: the better of ascending and descending; ``auto``: of peak and
        valley too, where they add enough; a number or ``None``: ascending, descending, one way. Categories have none.
    rules : BinningRules
    """
    results: dict[int, Binning] = {}
    waiting: dict[str, list[int]] = {}
    orders = {}
    for place, (column, column_counts, trend) in enumerate(zip(columns, counts, trends, strict=True)):
        if column.preset is not None:
            declared = _trend_name(trend)
            trend_name = declared if declared in ("ascending", "descending") else "none"
            results[place] = Binning(column.preset, np.arange(column.preset.count), trend_name)
            continue
        orders[place] = _order(column, column_counts, rules)
        waiting.setdefault("none" if column.ends is None else _trend_name(trend), []).append(place)
    for name, places in waiting.items():
        places.sort(key=lambda place: len(orders[place]))
        while places:
            width = len(orders[places[-1]]) + 1
            chunk = [places.pop() for _ in range(min(len(places), max(1, _CELLS // width**2)))]
            runs = _runs([(columns[p], counts[p], orders[p]) for p in chunk], rules)
            turning = rules.turn if name == "auto" else 0.0
            for place, joinings in zip(chunk, runs.best(CHOICES.get(name, (name,)), rules.max_bins), strict=True):
                joining = _choose_joining(joinings, len(orders[place]), turning)
                results[place] = _binning(columns[place], orders[place], joining)
    return [results[place] for place in range(len(columns))]


def _trend_name(trend: Trend) -> str:
    """Return a trend, or a choice of trends, by name."""
    name = _NAMES.get(trend, trend) if trend is None or isinstance(trend, int) else trend
    if name not in TRENDS and name not in CHOICES:
        raise UserError(f"binning: there is no trend {trend!r}; there are {', '.join({**TRENDS, **CHOICES})}")
    return str(name)


def _order(column: FineColumn, counts: Real, rules: BinningRules) -> npt.NDArray[np.intp]:
    """Fine classes in the order in which they may be joined: of numbers theirs, of categories that of their WOE."""
    if column.ends is not None:
        return np.arange(column.ordered)
    last_category = len(column.texts) - 1
    return np.argsort(-smoothed_woe(counts, rules)[:last_category], kind="stable")


def _runs(columns: Sequence[tuple[FineColumn, Real, npt.NDArray[np.intp]]], rules: BinningRules) -> Runs:
    """Values and bad rates of all runs of the classes of some columns."""
    width = max(len(order) for _, _, order in columns) + 1
    periods = max(0 if column.periods is None else len(column.periods) for column, _, _ in columns)
    value = np.full((len(columns), width, width), -np.inf)
    rate = np.zeros((1 + periods, *value.shape))
    for place, (column, counts, order) in enumerate(columns):
        run = _sums(counts[:, order], width)
        goods, bads, good_rows, bad_rows = counts.sum(axis=1)
        weight, rows = run[GOODS] + run[BADS], run[GOOD_ROWS] + run[BAD_ROWS]
        rarer, all_rarer = (run[BAD_ROWS], bad_rows) if bad_rows <= good_rows else (run[GOOD_ROWS], good_rows)
        events = np.maximum(rarer, rows * (all_rarer / (good_rows + bad_rows)))
        fits = (rows > 0) & (weight >= rules.min_share * (goods + bads)) & (events >= rules.min_events)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate[0, place] = run[BADS] / weight
            if column.periods is not None:
                by_period = _sums(column.periods[:, :, order].reshape(-1, len(order)), width)
                rows_by_period = by_period[0::2] + by_period[1::2]
                rate[1:, place] = by_period[1::2] / rows_by_period
                fits &= (rows_by_period > 0).all(axis=0)
        noise = rules.noise * (1 / good_rows + 1 / bad_rows)
        woe = _woe(run[GOODS][fits], run[BADS][fits], counts, rules)
        value[place][fits] = (run[GOODS][fits] / goods - run[BADS][fits] / bads) * woe - noise
    return Runs(value, rate, [len(order) for _, _, order in columns])


def _sums(counts: Real, width: int) -> Real:
    """Return counts of every run ``(i, j]`` of classes, shape (…, width, width); none beyond the last class."""
    sums = np.zeros((len(counts), width))
    np.cumsum(counts, axis=1, out=sums[:, 1 : counts.shape[1] + 1])
    sums[:, counts.shape[1] + 1 :] = sums[:, counts.shape[1], None]
    return np.maximum(sums[:, None, :] - sums[:, :, None], 0.0)


def _choose_joining(joinings: Sequence[Joining], classes: int, turning: float) -> Joining:
    """Return the best joining; one that turns must be worth its turn. Where none is allowed, all classes are one."""
    best = max(joinings, key=lambda j: j.value)
    plain = max((j for j in joinings if len(TRENDS[j.trend]) == 1), key=lambda j: j.value)
    if best.value <= plain.value + turning * abs(plain.value):
        best = plain
    return best if best.lasts else Joining(joinings[0].trend, 0.0, tuple([classes - 1] if classes else []))


def _binning(column: FineColumn, order: npt.NDArray[np.intp], joining: Joining) -> Binning:
    """Bins of a way to join the classes of a column."""
    group_of = np.searchsorted(joining.lasts, np.arange(len(order)))
    if column.ends is None or column.starts is None:
        groups: list[list[str]] = [[] for _ in joining.lasts]
        attribute_of = np.empty(len(order) + 2, dtype=np.intp)
        attribute_of[order] = group_of
        for fine, text in enumerate(column.texts[:-1]):
            groups[attribute_of[fine]].append(str(text))
        attribute_of[len(order) :] = len(groups), len(groups) + 1
        return Binning(CategoricalBins(tuple(map(tuple, groups))), attribute_of)
    cuts = [cut_between(column.ends[last], column.starts[last + 1]) for last in joining.lasts[:-1]]
    bins = NumericBins(tuple(cuts), column.whole, column.special)
    apart = np.arange(bins.intervals, bins.count)  # special values and missing
    trend = "descending" if joining.trend == "peak" else "ascending"
    if joining.turn != 0:  # a turn at the first attribute is none
        trend = joining.trend
    return Binning(bins, np.concatenate([group_of, apart]), trend, joining.turn or None)


def smoothed_woe(counts: Real, rules: BinningRules) -> Real:
    """WOE by class, each drawn towards 0 by a pseudo-count of the rarer outcome."""
    return _woe(counts[GOODS], counts[BADS], counts, rules)


def _woe(goods: Real, bads: Real, counts: Real, rules: BinningRules) -> Real:
    """Smoothed WOE of parts of a column."""
    all_goods, all_bads, good_rows, bad_rows = counts.sum(axis=1)
    return weight_of_evidence(
        goods, bads, whole=(all_goods, all_bads), smoothing=rules.smoothing * all_bads / min(good_rows, bad_rows)
    )


def ordered_woe(counts: Real, binning: Binning, rules: BinningRules) -> Real:
    """Smoothed WOE by attribute, put back into the order of the trend where smoothing broke it."""
    woe = smoothed_woe(counts, rules)
    step = TRENDS[binning.trend][0]
    if not step or isinstance(binning.bins, CategoricalBins):
        return woe
    rows = np.maximum(counts[GOOD_ROWS] + counts[BAD_ROWS], 1)
    last = binning.bins.intervals - 1
    turn = last if binning.turn is None else binning.turn
    up, down = woe[: turn + 1], woe[turn : last + 1]
    up = isotonic_regression(up, weights=rows[: turn + 1], increasing=step < 0).x
    down = isotonic_regression(down, weights=rows[turn : last + 1], increasing=step > 0).x
    at_turn = (min if step > 0 else max)(up[-1], down[0])
    woe[: last + 1] = np.concatenate([up[:-1], [at_turn], down[1:]])
    return woe
