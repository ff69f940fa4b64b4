"""Classing: a column cut finely without looking at the outcome, then joined optimally into few attributes.

Fine classes hold single values where a value is frequent and equal shares of the rest elsewhere, so that a column with
99 % zeros keeps its tail. Coarse classes are the exact optimum of a dynamic programme over all ways to join neighbours:
greatest information value, less what noise alone would add for each class, under the trend, the least share, the
least number of events (counted in rows) and the most attributes.

In: a column; weighted counts of goods and bads by fine class.
Out: fine codes; bins, with the fine classes that make up each attribute; WOE that follows the trend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from credit_model.scorecard import CategoricalBins, NumericBins, weight_of_evidence

Real = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Bins = NumericBins | CategoricalBins

MOST_FINE_CLASSES = 64
MOST_CATEGORIES = 250
# Rows of an array of counts: weights of goods and bads, then their numbers of rows.
GOODS, BADS, GOOD_ROWS, BAD_ROWS = range(4)
_GREATEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ClassingRules:
    """What an attribute must be: few, large enough, seen often enough, worth more than noise.

    Parameters
    ----------
    max_bins : int
        Most attributes of a column, the missing and the other one not counted.
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
    """

    max_bins: int = 8
    min_share: float = 0.0
    min_events: int = 5
    noise: float = 0.5
    smoothing: float = 2.0


@dataclass(frozen=True)
class FineColumn:
    """A column in fine classes: ``codes`` by row; the last code is a missing value.

    A numeric column has the least and greatest value of each class; a categorical one the text of each class, ``None``
    for the class of rare categories; a column whose bins are given has those, its classes being their attributes.
    """

    codes: Codes
    classes: int
    starts: npt.NDArray[np.float32] | None = None
    ends: npt.NDArray[np.float32] | None = None
    whole: bool = False
    texts: tuple[str | None, ...] = ()
    given: Bins | None = None

    @property
    def missing(self) -> int:
        """Code of a missing value."""
        return self.classes

    @property
    def is_empty(self) -> bool:
        """Whether every value is missing."""
        return bool((self.codes == self.missing).all())


@dataclass(frozen=True)
class Classing:
    """Bins of a column, the attribute that each fine class belongs to, and the trend (+1: greater is worse)."""

    bins: Bins
    attribute_of: npt.NDArray[np.intp]
    direction: int

    def counts(self, fine: Real) -> Real:
        """Counts by attribute from counts by fine class."""
        found = np.zeros((len(fine), self.bins.count))
        np.add.at(found.T, self.attribute_of, fine.T)
        return found


def fine_numbers(values: npt.NDArray[np.float32], weight: Real, most: int = MOST_FINE_CLASSES) -> FineColumn:
    """Cut a numeric column finely: frequent values alone, the rest in classes of about equal weight.

    Examples
    --------
    >>> fine = fine_numbers(np.array([0, 0, 0, 5, np.nan], dtype=np.float32), np.ones(5))
    >>> fine.codes.tolist(), fine.ends.tolist(), fine.whole
    ([0, 0, 0, 1, 2], [0.0, 5.0], True)
    """
    seen = ~np.isnan(values)
    distinct, inverse = np.unique(values[seen], return_inverse=True)
    mass = np.bincount(inverse, weight[seen], minlength=len(distinct))
    class_of = _equal_mass(mass, most)
    classes = int(class_of[-1]) + 1 if len(distinct) else 0
    codes = np.full(len(values), classes, dtype=np.uint8)
    codes[seen] = class_of[inverse]
    first = np.flatnonzero(np.diff(class_of, prepend=-1))
    last = np.append(first[1:], len(distinct)) - 1 if len(distinct) else first
    finite = distinct[np.isfinite(distinct)]
    whole = bool(len(finite) == len(distinct) > 0 and (finite == np.floor(finite)).all())
    return FineColumn(codes, classes, distinct[first], distinct[last], whole)


def _equal_mass(mass: npt.NDArray[Any], most: int) -> npt.NDArray[np.intp]:
    """Class of each distinct value: heavy values alone, the others in runs of about equal mass."""
    if len(mass) <= most:
        return np.arange(len(mass))
    heavy = np.zeros(len(mass), dtype=bool)
    while True:  # taking the heavy ones out lowers the mean of the rest, which may make others heavy
        left = most - int(heavy.sum())
        mean = mass[~heavy].sum() / max(left, 1)
        found = ~heavy & (mass > mean)
        if not found.any() or left <= found.sum():
            break
        heavy |= found
    light = np.where(heavy, 0.0, mass)
    starts = np.diff(np.floor((np.cumsum(light) - light / 2) / mean), prepend=-1) != 0
    starts |= heavy | np.concatenate([[True], heavy[:-1]])
    return np.cumsum(starts) - 1  # at most 2 * most + 1 classes: a heavy value may part a run in two


def fine_categories(codes: npt.NDArray[np.intp], texts: tuple[str | None, ...], min_rows: int) -> FineColumn:
    """One fine class for each frequent category, in the order of their texts; one for all rare ones; missing."""
    rows = np.bincount(codes, minlength=len(texts))
    named = [i for i, text in enumerate(texts) if text is not None and rows[i] >= min_rows]
    kept = sorted(sorted(named, key=lambda i: (-rows[i], texts[i]))[:MOST_CATEGORIES], key=lambda i: str(texts[i]))
    merged: dict[str | None, int] = {text: place for place, text in enumerate(dict.fromkeys(texts[i] for i in kept))}
    rare = len(merged)
    to = np.asarray([rare + 1 if text is None else merged.get(text, rare) for text in texts], dtype=np.uint8)
    return FineColumn(to[codes], rare + 1, texts=(*merged, None))


def optimal_classing(column: FineColumn, counts: Real, direction: int | None, rules: ClassingRules) -> Classing:
    """The optimal classing of a column.

    Parameters
    ----------
    column : FineColumn
    counts : array, shape (4, classes + 1)
        By fine class: weighted goods, weighted bads, rows of goods, rows of bads; the last class is missing.
    direction : {+1, -1, None}
        Trend of the bad rate with the value; ``None``: the better of the two, and 0 for categories.
    rules : ClassingRules
    """
    if column.given is not None:
        return Classing(column.given, np.arange(column.given.count), direction or 0)
    if column.ends is None:
        return _classed_categories(column, counts, rules)
    tried = [(direction, *_best_runs(counts, column.classes, direction, rules))] if direction else [
        (d, *_best_runs(counts, column.classes, d, rules)) for d in (1, -1)
    ]  # fmt: skip
    trend, _, lasts = max(tried, key=lambda found: found[1])
    cuts = [cut_between(column.ends[last], column.starts[last + 1]) for last in lasts[:-1]]  # type: ignore[index]
    bins = NumericBins(tuple(cuts), column.whole)
    return Classing(bins, np.append(np.searchsorted(lasts, np.arange(column.classes)), bins.missing), trend)


def _classed_categories(column: FineColumn, counts: Real, rules: ClassingRules) -> Classing:
    """Categories stand in the order of their smoothed WOE; the rare ones and the missing stay apart."""
    named = len(column.texts) - 1
    order = np.argsort(-smoothed_woe(counts, rules)[:named], kind="stable")
    _, lasts = _best_runs(np.hstack([counts[:, order], counts[:, named:]]), named, 0, rules)[:2]
    group_of = np.searchsorted(lasts, np.arange(named))
    groups: list[list[str]] = [[] for _ in lasts]
    attribute_of = np.empty(named + 2, dtype=np.intp)
    for place, fine in enumerate(order):
        attribute_of[fine] = group_of[place]
    for fine in range(named):
        groups[attribute_of[fine]].append(str(column.texts[fine]))
    attribute_of[named:] = len(lasts), len(lasts) + 1
    return Classing(CategoricalBins(tuple(map(tuple, groups))), attribute_of, 0)


def _best_runs(counts: Real, classes: int, direction: int, rules: ClassingRules) -> tuple[float, list[int]]:
    r"""The best way to join neighbouring fine classes, and its value; the last class of each run.

    ``best[m, i, j]`` is the value of the first ``j`` classes in ``m + 1`` runs, the last of which is ``(i, j]``. It
    extends the best ``best[m - 1, h, i]`` whose last run ``(h, i]`` has a bad rate on the lawful side, found by a
    running maximum over runs in the order of their bad rate: :math:`O(M F^2 \log F)`, every ``m`` at once.
    """
    if classes == 0:
        return 0.0, []
    sums = np.zeros((4, classes + 1))
    np.cumsum(counts[:, :classes], axis=1, out=sums[:, 1:])
    run = np.maximum(sums[:, None, :] - sums[:, :, None], 0.0)  # run[:, i, j]: counts of the classes (i, j]
    goods, bads, good_rows, bad_rows = counts.sum(axis=1)
    weight, rows = run[GOODS] + run[BADS], run[GOOD_ROWS] + run[BAD_ROWS]
    rarer, all_rarer = (run[BAD_ROWS], bad_rows) if bad_rows <= good_rows else (run[GOOD_ROWS], good_rows)
    events = np.maximum(rarer, rows * (all_rarer / (good_rows + bad_rows)))
    fits = (rows > 0) & (weight >= rules.min_share * (goods + bads)) & (events >= rules.min_events)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = direction * run[BADS] / weight
    noise = rules.noise * (1 / good_rows + 1 / bad_rows)
    value = (run[GOODS] / goods - run[BADS] / bads) * _woe(run[GOODS], run[BADS], counts, rules) - noise
    value = np.where(fits, value, -np.inf)
    best = np.full((rules.max_bins, classes + 1, classes + 1), -np.inf)
    came_from = np.zeros(best.shape, dtype=np.int16)
    best[0, 0] = value[0]
    for i in range(1, classes):
        before = best[:-1, :i, i]
        order = np.argsort(rate[:i, i], kind="stable")
        ranked = before[:, order]
        running = np.maximum.accumulate(ranked, axis=1)
        reached = np.maximum.accumulate(np.where(ranked == running, np.arange(i), 0), axis=1)
        if direction:
            lawful = np.searchsorted(rate[order, i], rate[i, i + 1 :], side="right") - 1
        else:
            lawful = np.full(classes - i, i - 1)
        best[1:, i, i + 1 :] = np.where(lawful < 0, -np.inf, value[i, i + 1 :] + running[:, lawful])
        came_from[1:, i, i + 1 :] = order[reached[:, lawful]]
    m, i = divmod(int(np.argmax(best[:, :, classes])), classes + 1)
    if not np.isfinite(best[m, i, classes]):
        return 0.0, [classes - 1]
    top, lasts, j = float(best[m, i, classes]), [classes - 1], classes
    while i > 0:
        lasts.append(i - 1)
        i, j = int(came_from[m, i, j]), i
        m -= 1
    return top, lasts[::-1]


def cut_between(low: np.float32, high: np.float32) -> float:
    """The float32 midpoint of two values, or the lower one where float32 has nothing between them."""
    a, b = max(float(low), -_GREATEST), min(float(high), _GREATEST)
    middle = np.float32(a / 2 + b / 2)
    return float(middle) if a <= middle < high else a


def smoothed_woe(counts: Real, rules: ClassingRules) -> Real:
    """WOE by class, each drawn towards 0 by a pseudo-count of the rarer outcome."""
    return _woe(counts[GOODS], counts[BADS], counts, rules)


def _woe(goods: Real, bads: Real, counts: Real, rules: ClassingRules) -> Real:
    """Smoothed WOE of parts of a column."""
    all_goods, all_bads, good_rows, bad_rows = counts.sum(axis=1)
    return weight_of_evidence(
        goods, bads, whole=(all_goods, all_bads), smoothing=rules.smoothing * all_bads / min(good_rows, bad_rows)
    )


def ordered_woe(counts: Real, classing: Classing, rules: ClassingRules) -> Real:
    """Smoothed WOE by attribute, put back into the order of the trend where smoothing broke it."""
    woe = smoothed_woe(counts, rules)
    if classing.direction:
        intervals = slice(0, classing.bins.missing)
        rows = counts[GOOD_ROWS, intervals] + counts[BAD_ROWS, intervals]
        rising = isotonic_regression(woe[intervals], weights=np.maximum(rows, 1), increasing=classing.direction < 0)
        woe[intervals] = rising.x
    return woe


@dataclass(frozen=True)
class FineTable:
    """A sample in fine classes, identical rows given once.

    Attributes
    ----------
    codes : array of uint8, shape (rows, columns)
    fold : array of int, shape (rows,)
    counts : array, shape (4, rows)
        Weighted goods, weighted bads, rows of goods, rows of bads.
    """

    codes: Codes
    fold: npt.NDArray[np.intp]
    counts: npt.NDArray[Any]

    @classmethod
    def build(
        cls,
        columns: list[FineColumn],
        bad: npt.NDArray[np.bool_],
        weight: Real,
        groups: npt.NDArray[np.intp] | None,
        folds: int,
    ) -> FineTable:
        """Join identical rows, and deal folds.

        Folds are dealt by subject where ``groups`` are given, else along rows sorted by outcome and content. Either
        way the order of the rows changes nothing, and each fold gets its part of the bads.
        """
        words = _packed(columns)
        order = np.lexsort((weight, *words, bad))
        fold = np.empty(len(bad), dtype=np.intp)
        if groups is None:
            fold[order] = np.arange(len(bad)) % folds
        else:
            has_bad = np.zeros(groups.max() + 1, dtype=bool)
            has_bad[groups[bad]] = True
            dealt = np.empty(len(has_bad), dtype=np.intp)
            dealt[np.argsort(~has_bad, kind="stable")] = np.arange(len(has_bad)) % folds
            fold = dealt[groups]
        new = np.zeros(len(bad), dtype=bool)
        new[0] = True
        for key in (*words, bad):
            new[1:] |= np.diff(key[order].astype(np.int64)) != 0
        place = (np.cumsum(new) - 1) * folds + fold[order]
        used, row_of = np.unique(place, return_inverse=True)
        sample = np.empty(len(used), dtype=np.intp)
        sample[row_of] = order
        w, is_bad = weight[order], bad[order]
        parts = (np.where(is_bad, 0.0, w), np.where(is_bad, w, 0.0), ~is_bad, is_bad)
        counts = np.stack([np.bincount(row_of, part, minlength=len(used)) for part in parts])
        codes = np.asfortranarray(np.stack([column.codes[sample] for column in columns], axis=1))
        return cls(codes, fold[sample], counts)

    def by_class(self, column: int, classes: int, folds: int) -> Real:
        """Counts by fold and fine class of a column, shape (folds, 4, classes + 1)."""
        cell = self.fold * (classes + 1) + self.codes[:, column]
        found = [np.bincount(cell, row, minlength=folds * (classes + 1)).reshape(folds, -1) for row in self.counts]
        return np.stack(found, axis=1)


def _packed(columns: list[FineColumn]) -> list[npt.NDArray[np.uint64]]:
    """Each row's codes in as few 63-bit words as hold them."""
    words: list[npt.NDArray[np.uint64]] = []
    free = 0
    for column in columns:
        bits = column.classes.bit_length()
        if free < bits:
            words.append(np.zeros(len(column.codes), dtype=np.uint64))
            free = 63
        words[-1] = (words[-1] << np.uint64(bits)) | column.codes
        free -= bits
    return words
