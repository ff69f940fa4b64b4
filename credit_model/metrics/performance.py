"""How well a card ranks people: AUC, Gini, soft Gini, KS and the curve behind them, each with its interval.

Everywhere ``y = 1`` is bad and ``risk`` is any number that grows with risk: a probability of bad, or minus a score.
Scores made from public credit records are mostly ties (60 to 99 % of people share one), so every measure works on the
*distinct* values of risk, a tied pair counts one half, and rows are put into an order that depends on their values
alone before anything is summed: neither shuffling nor sorting by label moves a single bit.

Intervals come from influence functions (how far each row moves the measure), summed within a person where a person
has several rows. For the AUC this is DeLong's variance, with Obuchowski's extension to clusters; weights are sampling
weights. A measure that cannot be computed (no bad, no good, nothing to divide by) is an `Estimate` of three ``None``.

In: arrays of equal length, one row an observation. Out: `Estimate`, or a small table of shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.errors import UserError

Floats = NDArray[np.float64]
Subjects = Sequence[Any] | ArrayLike | None

SMALLEST_CELL = 10
"""A published cell describes at least this many people."""
FEWEST_BADS = 3
"""A published cell holds no bad at all, or at least this many."""


@dataclass(frozen=True)
class Estimate:
    """A measured value with its interval; three ``None`` where it could not be measured.

    Attributes
    ----------
    value, low, high : float or None
        The value and the two ends of its interval (95 % unless another level was asked for).
    """

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Estimate(None, None, None)


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """Checked columns in canonical order, their weights, and whom each row belongs to (``None``: a person each)."""

    columns: dict[str, Floats]
    weight: Floats
    subject: NDArray[np.intp] | None

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]


def rows_of(weight: ArrayLike | None, subject: Subjects, **columns: ArrayLike) -> WeightedRows:
    """Check columns and put their rows into the one order that depends on values alone.

    Raises
    ------
    UserError
        Lengths differ, a value is not finite, ``y`` is not 0 or 1, a probability is outside 0 to 1, a weight is
        negative, or there is no row.
    """
    values = {name: np.asarray(column, dtype=np.float64).ravel() for name, column in columns.items()}
    size = next(iter(values.values())).size
    values["weight"] = np.ones(size) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    faults = [] if size else ["there is no row"]
    for name, column in values.items():
        if column.size != size:
            faults.append(f"{name!r} has {column.size} rows, the first column has {size}")
        elif not np.isfinite(column).all():
            faults.append(f"{name!r} has {int((~np.isfinite(column)).sum())} rows that are not finite numbers")
        elif name == "y" and not np.isin(column, (0.0, 1.0)).all():
            faults.append("'y' holds values other than 0 (good) and 1 (bad)")
        elif name in ("probability", "true_risk") and ((column < 0) | (column > 1)).any():
            faults.append(f"{name!r} holds values outside 0 to 1")
        elif name == "weight" and (column < 0).any():
            faults.append("'weight' holds negative values")
    codes = None
    if subject is not None:
        codes = np.unique(np.asarray(subject), return_inverse=True)[1].ravel()
        if codes.size != size:
            faults.append(f"'subject' has {codes.size} rows, the first column has {size}")
    if faults:
        raise UserError(f"Cannot measure performance: {'; '.join(faults)}.", tuple(faults))
    order = np.lexsort(tuple(values.values()))
    weights = values.pop("weight")[order]
    ordered = {name: column[order] for name, column in values.items()}
    return WeightedRows(ordered, weights, None if codes is None else codes[order])


def within_people(influence: Floats, subject: NDArray[np.intp] | None) -> Floats:
    """Sum influences within each person, so that a person's rows do not count as independent evidence."""
    return influence if subject is None else np.bincount(subject, weights=influence).astype(np.float64)


def interval(
    value: float, standard_error: float, level: float, least: float = -math.inf, most: float = math.inf
) -> Estimate:
    """Return the normal interval around a value, kept inside the measure's own range."""
    reach = NormalDist().inv_cdf(0.5 + level / 2) * standard_error
    return Estimate(float(value), float(max(value - reach, least)), float(min(value + reach, most)))


def standard_error(influence: Floats, subject: NDArray[np.intp] | None) -> float:
    """Root of the sum of squared influences of people, with the usual ``n / (n - 1)``."""
    sums = within_people(influence, subject)
    return math.sqrt(float(np.sum(sums**2)) * sums.size / max(sums.size - 1, 1))


@dataclass(frozen=True, eq=False)
class Placement:
    """An AUC and how far each row moves it, as a bad and as a good."""

    auc: float
    as_bad: Floats
    as_good: Floats


def placement(risk: Floats, bad: Floats, good: Floats) -> Placement | None:
    """AUC of a ranking, every row a bad and a good by its two weights; None where one of them has no weight at all."""
    order = np.argsort(risk, kind="stable")
    ranked = risk[order]
    first = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    bads, goods = np.add.reduceat(bad[order], first), np.add.reduceat(good[order], first)
    total_bad, total_good = float(bads.sum()), float(goods.sum())
    if not (total_bad > 0 and total_good > 0):
        return None
    goods_below = (np.cumsum(goods) - goods / 2) / total_good
    bads_above = 1 - (np.cumsum(bads) - bads / 2) / total_bad
    auc = float(np.sum(bads * goods_below)) / total_bad
    length = np.diff(np.append(first, risk.size))
    as_bad, as_good = np.empty_like(risk), np.empty_like(risk)
    as_bad[order] = bad[order] * (np.repeat(goods_below, length) - auc) / total_bad
    as_good[order] = good[order] * (np.repeat(bads_above, length) - auc) / total_good
    return Placement(auc, as_bad, as_good)


def placement_error(as_bad: Floats, as_good: Floats, bad: Floats, good: Floats, rows: WeightedRows) -> float:
    """Obuchowski's clustered standard error: DeLong's exactly when every row is a person of its own."""

    def people(member: NDArray[np.bool_]) -> int:
        return int(np.count_nonzero(member if rows.subject is None else np.bincount(rows.subject[member])))

    def factor(count: int) -> float:
        return count / max(count - 1, 1)

    of_bad, of_good = within_people(as_bad, rows.subject), within_people(as_good, rows.subject)
    variance = (
        factor(people(bad > 0)) * float(np.sum(of_bad**2))
        + factor(people(good > 0)) * float(np.sum(of_good**2))
        + 2 * factor(of_bad.size) * float(np.sum(of_bad * of_good))
    )
    return math.sqrt(max(variance, 0.0))


def _area(rows: WeightedRows, bad: Floats, good: Floats, level: float) -> Estimate:
    placed = placement(rows["risk"], bad, good)
    if placed is None:
        return UNDEFINED
    return interval(placed.auc, placement_error(placed.as_bad, placed.as_good, bad, good, rows), level, 0, 1)


def _as_gini(area: Estimate) -> Estimate:
    if area.value is None or area.low is None or area.high is None:
        return UNDEFINED
    return Estimate(2 * area.value - 1, 2 * area.low - 1, 2 * area.high - 1)


def auc(
    y: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None, level: float = 0.95
) -> Estimate:
    """Chance that a bad drawn at random was ranked riskier than a good drawn at random; a tie counts one half.

    Parameters
    ----------
    y : array_like of {0, 1}, shape (n,)
        1 is bad.
    risk : array_like of float, shape (n,)
        Grows with risk.
    weight : array_like of float, shape (n,), optional
        Sampling weights.
    subject : array_like, shape (n,), optional
        Whom a row belongs to; give it when a person has several rows.
    level : float, default 0.95
        Level of the interval.

    Returns
    -------
    Estimate
        Undefined without a bad or without a good.

    Notes
    -----
    Formula: ``sum_ij w_i w_j psi(r_i, r_j) / (W_bad W_good)`` over bads i and goods j, psi = 1, 1/2 or 0.

    Source: DeLong, DeLong and Clarke-Pearson (*Biometrics* 44, 1988); with ``subject``, Obuchowski (*Biometrics*
    53, 1997).

    Danger: an interval that reaches 1/2; a fall from one period to the next that the two intervals do not cover.

    Limits: a normal interval is too short below about 30 bads; an AUC says nothing about the level of the
    probabilities.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8]).value
    0.875
    """
    rows = rows_of(weight, subject, y=y, risk=risk)
    return _area(rows, rows.weight * rows["y"], rows.weight * (1 - rows["y"]), level)


def gini(
    y: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None, level: float = 0.95
) -> Estimate:
    """Hard Gini (accuracy ratio), ``2 AUC - 1``: 0 ranks no better than chance, 1 puts every bad before every good.

    Parameters and limits as `auc`. Its standard error is near ``0.58 / sqrt(bads)`` (`rough_error`), which is why two
    cards measured on 100 bads each cannot be told apart by a few points of Gini.

    Notes
    -----
    Formula: ``2 AUC - 1``, and so its interval.

    Source: Somers' D: Somers (*American Sociological Review* 27, 1962); DeLong as `auc`.

    Danger: an interval that reaches 0; a Gini far under that of the development sample: the card has learned its
    own rows.

    Limits: as `auc`. Its standard error is near ``0.58 / sqrt(bads)`` (`rough_error`): two cards measured on 100
    bads each cannot be told apart by a few points.

    Examples
    --------
    >>> gini([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8]).value
    0.75
    """
    return _as_gini(auc(y, risk, weight=weight, subject=subject, level=level))


def rough_error(bads: int) -> float:
    """Return the standard error to expect of a Gini before measuring it: ``0.58 / sqrt(bads)``.

    Examples
    --------
    >>> round(rough_error(600), 3)
    0.024
    """
    return 0.58 / math.sqrt(bads) if bads else math.inf


def soft_gini(
    true_risk: ArrayLike,
    risk: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Gini against the true risk instead of the drawn outcome: what `gini` would give without the luck of the draw.

    Parameters
    ----------
    true_risk : array_like of float in [0, 1], shape (n,)
        Known only where the world is made up: every row is a bad with weight p and a good with weight 1 - p.
    risk, weight, subject, level
        As in `auc`.

    Returns
    -------
    Estimate
        The interval is that of the draw of people; there is no label noise left.

    Notes
    -----
    Formula: ``AUC = sum_ij w_i p_i w_j (1 - p_j) psi_ij / (sum w p)(sum w (1 - p))``, as a Gini.

    Source: as `auc`, with every row a bad by its risk and a good by the rest.

    Danger: well under the attainable: records tell more than the card has learned.

    Limits: even the true risk itself scores well under 1, since most people's risks differ little; compare with
    it, or with the attainable, not with 1.

    Examples
    --------
    >>> soft_gini([0.1, 0.1, 0.5], [0, 0, 1]).value == soft_gini([0.5, 0.1, 0.1], [1, 0, 0]).value
    True
    """
    rows = rows_of(weight, subject, true_risk=true_risk, risk=risk)
    return _as_gini(_area(rows, rows.weight * rows["true_risk"], rows.weight * (1 - rows["true_risk"]), level))
