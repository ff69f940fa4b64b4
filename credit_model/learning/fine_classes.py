"""Fine classes: a column cut without looking at the outcome, so finely that nothing that matters is lost.

Single values stand alone where a value is frequent, and equal shares of the rest elsewhere, so that a column with 99 %
zeros keeps its tail. The values are sorted once, without their places; each row then finds its class by comparing it
with the ends of the classes, which is several times as fast as sorting places too.

In: a column; counts of goods and bads by attribute.
Out: its class by row, and what each class holds; WOE by attribute and information value, after the textbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from credit_model.scorecard.bins import CategoricalBins, NumericBins

Real = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Bins = NumericBins | CategoricalBins

MOST_FINE_CLASSES = 64
MOST_CATEGORIES = 250
RARE_ROWS = 20  # a category seen less often is pooled with the other rare ones
# Rows of an array of counts: weights of goods and bads, then their numbers of rows.
GOODS, BADS, GOOD_ROWS, BAD_ROWS = range(4)
_GREATEST = float(np.finfo(np.float32).max)
_BLOCK = 16_384  # rows whose comparisons stay in the processor's cache
_WEIGHED = 2_048  # classes of equal numbers of rows within which weights are summed, before classes of equal weight


@dataclass(frozen=True, eq=False)
class FineColumn:
    """A column in fine classes: ``codes`` by row; first the classes in order, then special values, last missing.

    A numeric column has the least and greatest value of each class in order; a categorical one the text of each class,
    ``None`` for the class of rare categories; a column whose bins are given has those, its classes being their
    attributes.

    Parameters
    ----------
    codes : array of uint8, shape (rows,)
    classes : int
        Number of classes but the missing one.
    special : tuple of float
        Values with a meaning of their own, each a class.
    periods : array, shape (periods, 2, classes + 1), optional
        Weighted goods and bads by class in each period in which the order must hold.
    """

    codes: Codes
    classes: int
    starts: Float32 | None = None
    ends: Float32 | None = None
    whole: bool = False
    texts: tuple[str | None, ...] = ()
    preset: Bins | None = None
    special: tuple[float, ...] = ()
    periods: Real | None = None

    @property
    def missing(self) -> int:
        """Code of a missing value."""
        return self.classes

    @property
    def ordered(self) -> int:
        """Number of the classes that stand in order: neither special nor missing."""
        return self.classes - len(self.special)

    @property
    def is_empty(self) -> bool:
        """Whether every value is missing."""
        return bool((self.codes == self.missing).all())

    def count(self, bad: npt.NDArray[np.bool_], weight: Real | None = None) -> Real:
        """Return counts by class, shape (4, classes + 1); without weights every row counts one."""
        bads = np.bincount(self.codes[bad], minlength=self.classes + 1).astype(np.float64)
        rows = np.stack([np.bincount(self.codes, minlength=self.classes + 1) - bads, bads])
        if weight is None:
            return np.concatenate([rows, rows])
        weighted = np.bincount(self.codes[bad], weight[bad], minlength=self.classes + 1)
        everybody = np.bincount(self.codes, weight, minlength=self.classes + 1)
        return np.concatenate([[np.maximum(everybody - weighted, 0.0) * (rows[0] > 0), weighted], rows])

    def with_periods(self, bad: npt.NDArray[np.bool_], weight: Real, period: npt.NDArray[np.intp]) -> FineColumn:
        """Return the column, with its counts in each period."""
        periods, width = int(period.max()) + 1, self.classes + 1
        cell = (period * 2 + bad) * width + self.codes
        counts = np.bincount(cell, weight, minlength=periods * 2 * width).astype(np.float64)
        return replace(self, periods=counts.reshape(periods, 2, width))

    def without_rows(self) -> FineColumn:
        """Return the column without the code of each row, once they are counted."""
        return replace(self, codes=self.codes[:0].copy())


@dataclass(frozen=True, eq=False)
class Binning:
    """Bins of a column, the attribute that each fine class belongs to, and the trend of the bad rate with the value.

    ``turn`` is the attribute of the peak or of the bottom of a trend that turns.
    """

    bins: Bins
    attribute_of: npt.NDArray[np.intp]
    trend: str = "none"
    turn: int | None = None

    @property
    def direction(self) -> int:
        """+1 where a greater value means more risk, -1 where it means less, 0 where nothing is said of all values."""
        return {"ascending": 1, "descending": -1}.get(self.trend, 0)

    def counts(self, fine: Real) -> Real:
        """Return counts by attribute from counts by fine class."""
        totals = np.zeros((len(fine), self.bins.count))
        np.add.at(totals.T, self.attribute_of, fine.T)
        return totals


def fine_numbers(
    values: Float32, weight: Real | None = None, most: int = MOST_FINE_CLASSES, special: Sequence[float] = ()
) -> FineColumn:
    """Cut a numeric column finely: frequent values alone, the rest in classes of about equal weight.

    Examples
    --------
    >>> fine = fine_numbers(np.array([0, 0, 0, 5, np.nan, -999], dtype=np.float32), special=[-999])
    >>> fine.codes.tolist(), fine.ends.tolist(), fine.whole
    ([0, 0, 0, 1, 3, 2], [0.0, 5.0], True)
    """
    column, _ = _cut(values, weight, most, special)
    codes = _count_below(column.ends[:-1], values)  # type: ignore[index]
    for place, value in enumerate(column.special, start=column.ordered):
        codes[values == np.float32(value)] = place
    codes[np.isnan(values)] = column.missing
    return replace(column, codes=codes)


def counted_numbers(
    values: Float32, bad: npt.NDArray[np.bool_], most: int = MOST_FINE_CLASSES, special: Sequence[float] = ()
) -> tuple[FineColumn, Real]:
    """Fine classes of a numeric column and their counts, where no row has to know its class: two sorts do.

    Examples
    --------
    >>> values = np.array([0, 0, 0, 5, np.nan], dtype=np.float32)
    >>> counted_numbers(values, np.array([False, True, False, True, True]))[1][:2].tolist()
    [[2.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    column, ordered = _cut(values, None, most, special)
    of_bads = values[bad]
    rows = np.stack([_counted_below(column, *pair) for pair in ((ordered, values), (np.sort(of_bads), of_bads))])
    rows[0] -= rows[1]
    return column, np.concatenate([rows, rows])


def _counted_below(column: FineColumn, ordered: Float32, values: Float32) -> Real:
    """Rows of each class, by its place among the sorted values; special and missing ones by themselves."""
    special = np.asarray(column.special, dtype=np.float32)
    if len(special):
        ordered = ordered[~np.isin(ordered, special)]
    upto = np.searchsorted(ordered, column.ends, side="right")  # type: ignore[call-overload]
    apart = [*((values == value).sum() for value in special), np.isnan(values).sum()]
    return np.concatenate([np.diff(upto, prepend=0), apart]).astype(np.float64)


def _cut(values: Float32, weight: Real | None, most: int, special: Sequence[float]) -> tuple[FineColumn, Float32]:
    """Return the classes of a numeric column and its ordinary values in order."""
    apart = np.asarray(special, dtype=np.float32)
    ordered = np.sort(values)
    ordered = ordered[: np.searchsorted(ordered, np.nan)]
    if len(apart):
        ordered = ordered[~np.isin(ordered, apart)]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.arange(0)
    distinct, mass = ordered[first], np.diff(first, append=len(ordered)).astype(np.float64)
    weighted = weight is not None and len(weight) and weight.min() != weight.max()
    start = _equal_mass(mass, _WEIGHED if weighted else most)
    starts, ends = distinct[start], distinct[_last(start, len(distinct))]
    if weight is not None and weighted:
        inside = ~np.isnan(values) & ~np.isin(values, apart)
        at = np.searchsorted(ends, values[inside])
        start = _equal_mass(np.bincount(at, weight[inside], minlength=len(ends)), most)
        starts, ends = starts[start], ends[_last(start, len(ends))]
    whole = len(ends) > 0 and all(
        np.isfinite(numbers).all() and bool((numbers == np.floor(numbers)).all())
        for numbers in (starts, ends, distinct)
    )
    classes, none = len(ends) + len(apart), np.empty(0, dtype=np.uint8)
    return FineColumn(none, classes, starts, ends, whole, special=tuple(map(float, apart))), ordered


def _last(first: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """Place of the last of each run, from that of the first."""
    return np.append(first[1:], count)[: len(first)] - 1


def _count_below(ends: Float32, values: Float32) -> Codes:
    """Count the ends below each value; NaN has none."""
    codes = np.zeros(len(values), dtype=np.uint8)
    for start in range(0, len(values), _BLOCK):
        block, block_codes = values[start : start + _BLOCK], codes[start : start + _BLOCK]
        for end in ends:
            block_codes += block > end
    return codes


def _equal_mass(mass: Real | npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """Place of the first value of each class: heavy values alone, the others in runs of about equal mass."""
    if len(mass) <= most:
        return np.arange(len(mass))
    heavy, whole = np.arange(0), mass.sum()
    while True:  # taking the heavy ones out lowers the mean of the rest, which may make others heavy
        mean = (whole - mass[heavy].sum()) / max(most - len(heavy), 1)
        over_mean = np.flatnonzero(mass > mean)
        if len(over_mean) == len(heavy) or len(over_mean) >= most:
            break
        heavy = over_mean
    light = mass.copy()
    light[heavy] = 0.0
    middle = np.cumsum(light) - light / 2
    first = np.searchsorted(middle, mean * np.arange(1, most))
    first = np.unique(np.concatenate([[0], first, heavy, heavy + 1]))
    return first[first < len(mass)]  # at most 2 * most + 1: a heavy value may part a run in two


def fine_categories(codes: npt.NDArray[np.intp], texts: tuple[str | None, ...], min_rows: int) -> FineColumn:
    """One fine class for each frequent category, in the order of their texts; one for all rare ones; missing."""
    rows = np.bincount(codes, minlength=len(texts))
    frequent = [i for i, text in enumerate(texts) if text is not None and rows[i] >= min_rows]
    common = sorted(sorted(frequent, key=lambda i: (-rows[i], texts[i]))[:MOST_CATEGORIES], key=lambda i: str(texts[i]))
    merged: dict[str | None, int] = {text: place for place, text in enumerate(dict.fromkeys(texts[i] for i in common))}
    rare = len(merged)
    to = np.asarray([rare + 1 if text is None else merged.get(text, rare) for text in texts], dtype=np.uint8)
    return FineColumn(to[codes], rare + 1, texts=(*merged, None))


def cut_between(low: np.float32, high: np.float32) -> float:
    """Return the float32 midpoint of two values, or the lower one where float32 has nothing between them."""
    a, b = max(float(low), -_GREATEST), min(float(high), _GREATEST)
    middle = np.float32(a / 2 + b / 2)
    return float(middle) if a <= middle < high else a


def weight_of_evidence(
    goods: Sequence[float] | Real,
    bads: Sequence[float] | Real,
    *,
    whole: tuple[float, float] | None = None,
    smoothing: float = 0.0,
) -> Real:
    r"""WOE of each attribute.

    Parameters
    ----------
    goods, bads : array of float
        (Weighted) counts by attribute.
    whole : (float, float), optional
        All goods and all bads, where the attributes are not all there are; default: their sums.
    smoothing : float
        Bads added to every attribute, with goods in proportion of the whole: an attribute seen little is drawn
        towards 0, one never seen has exactly 0.

    Notes
    -----
    .. math:: \mathrm{WOE}_i = \ln \left(\frac{g_i}{G} + \frac{s}{B}\right) - \ln \left(\frac{b_i + s}{B}\right)

    Examples
    --------
    >>> weight_of_evidence([80, 20], [1, 1]).round(3).tolist()
    [0.47, -0.916]
    """
    g, b = np.asarray(goods, dtype=np.float64), np.asarray(bads, dtype=np.float64)
    all_g, all_b = whole or (g.sum(), b.sum())
    with np.errstate(divide="ignore"):
        woe = np.log(g / all_g + smoothing / all_b) - np.log(b / all_b + smoothing / all_b)
    return np.asarray(woe, dtype=np.float64)


def information_value(goods: Sequence[float] | Real, bads: Sequence[float] | Real) -> float:
    r"""Information value of the attributes: :math:`\sum_i (g_i/G - b_i/B)\,\mathrm{WOE}_i`.

    An attribute with goods only or bads only adds infinity; an empty one adds nothing.

    Examples
    --------
    >>> round(information_value([80, 20], [1, 1]), 4)
    0.4159
    """
    g, b = np.asarray(goods, dtype=np.float64), np.asarray(bads, dtype=np.float64)
    is_used = (g > 0) | (b > 0)
    g, b = g[is_used], b[is_used]
    return float(((g / g.sum() - b / b.sum()) * weight_of_evidence(g, b)).sum())
