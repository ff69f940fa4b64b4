"""Where and how much probabilities are off: tests of Hosmer-Lemeshow and Spiegelhalter, ECE, ICI, Brier's parts, PDO.

`credit_model.metrics.calibration` asks whether probabilities are right on the whole; here they are asked group by
group and along a smooth curve. Measures that are absolute differences have no normal error: their intervals are a
bootstrap of people by counts.

In: arrays of equal length, one row an observation. Out: `Estimate`, `Significance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.metrics.bad_rates import effective_counts
from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Floats,
    Subjects,
    WeightedRows,
    rows_of,
    within_people,
)
from credit_model.metrics.resampling import Bootstrap, Cells, mass

GROUPS = 10
"""Groups of people of equal size, by predicted probability."""


@dataclass(frozen=True)
class Significance:
    """A test of a hypothesis: its statistic, degrees of freedom (None: a normal statistic) and p-value."""

    statistic: float
    freedom: int | None
    p_value: float


def _bootstrapped(rows: WeightedRows, measure: Callable[[Cells], float | None], level: float) -> Estimate:
    """Return a measure of the cells, with the middle of its values over draws."""
    kinds = Bootstrap(rows)
    value = measure(kinds.cells())
    if value is None:
        return UNDEFINED
    estimates = [again for cells in kinds.draws() if (again := measure(cells)) is not None]
    low, high = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2]) if estimates else (value, value)
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def probability_groups(rows: WeightedRows, groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Distinct probability of each row, and the group of each of these, by the middle of its tie: equals together."""
    cell = np.unique(rows["probability"], return_inverse=True)[1].ravel()
    weight = mass(cell, rows.weight)
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    grid = np.minimum((middle * groups).astype(np.intp), groups - 1)
    return cell, np.unique(grid, return_inverse=True)[1].ravel()


def hosmer_lemeshow(
    y: ArrayLike, probability: ArrayLike, *, weight: ArrayLike | None = None, groups: int = GROUPS, fitted: int = 0
) -> Significance | None:
    """Do the bads of each tenth of people, by predicted probability, fit what was predicted there?

    Parameters
    ----------
    y, probability, weight
        As in `credit_model.metrics.calibration.brier`.
    groups : int, default 10
        Groups of equal size; people with one probability stay in one group, so there may be fewer.
    fitted : int, default 0
        Degrees of freedom to take off: 2 for the rows a model was fitted to, 0 for rows it has not seen.

    Returns
    -------
    Significance or None
        None with fewer than two groups (or no freedom left), or a group where nothing or everything is expected.

    Notes
    -----
    Formula: ``sum_g (O_g - E_g)^2 / (E_g (1 - E_g / N_g))``, chi-squared with ``groups - fitted`` degrees. With weights
    O and N are effective counts.

    Source: Hosmer and Lemeshow (*Communications in Statistics* A9, 1980); without freedom lost on rows not fitted to:
    Hosmer, Lemeshow and Sturdivant, *Applied Logistic Regression* (2013), 5.2.2.

    Danger: p under 0.05, and the groups tell where.

    Limits: depends on the grouping; with a million people it rejects differences that do not matter, with few bads it
    sees nothing; rows must be different people. Read `jeffreys` by grade first.

    Examples
    --------
    >>> found = hosmer_lemeshow([0, 0, 0, 1] * 5 + [0, 1, 1, 1] * 5, [0.25] * 20 + [0.75] * 20)
    >>> round(found.statistic, 9), found.freedom
    (0.0, 2)
    """
    from scipy.stats import chi2

    rows = rows_of(weight, None, y=y, probability=probability)
    cell, group_of = probability_groups(rows, groups)
    group = group_of[cell]
    statistic, group_count = 0.0, int(group.max()) + 1
    for number in range(group_count):
        own = group == number
        predicted = float(np.average(rows["probability"][own], weights=rows.weight[own]))
        if not 0 < predicted < 1:
            return None
        bads, people = effective_counts(rows["y"][own], rows.weight[own])
        statistic += (bads - people * predicted) ** 2 / (people * predicted * (1 - predicted))
    if group_count < 2 or group_count <= fitted:
        return None
    return Significance(statistic, group_count - fitted, float(chi2.sf(statistic, group_count - fitted)))


def spiegelhalter(
    y: ArrayLike, probability: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None
) -> Significance | None:
    """Is the Brier score what it would be if every probability were right?

    Parameters
    ----------
    y, probability, weight, subject
        As in `credit_model.metrics.calibration.brier`.

    Returns
    -------
    Significance or None
        A normal statistic, two-sided: above 0 the Brier score is worse than promised, below 0 better. None where every
        probability is 0, 1/2 or 1.

    Notes
    -----
    Formula: ``sum w (y - p)(1 - 2p) / sqrt(sum w^2 (1 - 2p)^2 p (1 - p))``; where a person has several rows the
    variance is that of the sums within people.

    Source: Spiegelhalter (*Statistics in Medicine* 5, 1986).

    Danger: p under 0.05: probabilities are off somewhere, or on the whole.

    Limits: where bads are rare it asks almost only whether there are as many as expected.

    Examples
    --------
    >>> round(spiegelhalter([0, 0, 0, 1], [0.25] * 4).statistic, 9)
    0.0
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    p = rows["probability"]
    influence = rows.weight * (rows["y"] - p) * (1 - 2 * p)
    own = rows.weight**2 * (1 - 2 * p) ** 2 * p * (1 - p)
    variance = float(np.sum(own if rows.subject is None else within_people(influence, rows.subject) ** 2))
    if not variance > 0:
        return None
    statistic = float(np.sum(influence)) / math.sqrt(variance)
    return Significance(statistic, None, math.erfc(abs(statistic) / math.sqrt(2)))


def expected_calibration_error(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    groups: int = GROUPS,
    level: float = 0.95,
) -> Estimate:
    """ECE: how far, on average over people, the bad rate of a group lies from its mean probability.

    Parameters
    ----------
    y, probability, weight, subject, level
        As in `credit_model.metrics.calibration.brier`.
    groups : int, default 10
        Groups of equal size, ties kept together.

    Notes
    -----
    Formula: ``sum_g W_g / W |rate_g - mean probability_g|``. Interval: bootstrap of people by counts.

    Source: Naeini, Cooper and Hauskrecht (*AAAI*, 2015).

    Danger: well above the half-width of its own interval.

    Limits: says little where bads are rare: a constant at the bad rate has an ECE near 0. Never 0 by chance alone, so
    its interval lies above what a perfect card would show.

    Examples
    --------
    >>> round(expected_calibration_error([0, 0, 0, 1] * 9, [0.35] * 36).value, 9)
    0.1
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    group = probability_groups(rows, groups)[1]

    def measure(cells: Cells) -> float:
        gap = mass(group, cells.bads - cells.weight * cells.probability)
        return float(np.abs(gap).sum() / cells.weight.sum())

    return _bootstrapped(rows, measure, level)


def integrated_calibration_index(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """ICI: how far, on average over people, a smooth curve of what happened lies from what was predicted.

    Parameters
    ----------
    y, probability, weight, subject, level
        As in `credit_model.metrics.calibration.brier`; probabilities strictly between 0 and 1.

    Returns
    -------
    Estimate
        Undefined where no curve can be fitted: one probability only, or one outcome only.

    Notes
    -----
    Formula: ``sum w |p - c(p)| / sum w``; c is a logistic regression of the outcome on a natural cubic spline of the
    log-odds, with knots where 5, 35, 65 and 95 % of the expected bads are reached (fewer where they coincide).
    Interval: bootstrap of people by counts.

    Source: Austin and Steyerberg (*Statistics in Medicine* 38, 2019), with a spline (their section 2.2) for the loess.

    Danger: a large part of the bad rate.

    Limits: as the ECE, never 0 by chance alone; the curve is smooth and does not see a single bad grade.

    Examples
    --------
    >>> found = integrated_calibration_index([0, 0, 0, 1] * 9 + [0, 1, 1, 1] * 9, [0.25] * 36 + [0.75] * 36)
    >>> round(found.value, 6)
    0.0
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    distinct, cell = np.unique(rows["probability"], return_inverse=True)
    if distinct.size < 2 or distinct[0] <= 0 or distinct[-1] >= 1:
        return UNDEFINED
    expected = mass(cell.ravel(), rows.weight) * distinct
    log_odds = np.log(distinct / (1 - distinct))
    reached = np.cumsum(expected) / expected.sum()
    knots = np.unique(log_odds[[int(np.searchsorted(reached, q)) for q in (0.05, 0.35, 0.65, 0.95)]])
    design = _natural_spline(log_odds, knots)
    start: list[Floats | None] = [None]

    def measure(cells: Cells) -> float | None:
        smooth = _curve(design, cells, start[0])
        if smooth is None:
            return None
        start[0] = smooth if start[0] is None else start[0]
        curve = 1 / (1 + np.exp(-np.clip(design @ smooth, -500, 500)))
        return float(np.sum(cells.weight * np.abs(curve - cells.probability)) / cells.weight.sum())

    return _bootstrapped(rows, measure, level)


def _natural_spline(x: Floats, knots: Floats) -> Floats:
    """Intercept, line, and a cubic for each inner knot, straight beyond the outer ones (Harrell's basis)."""
    columns = [np.ones_like(x), x]
    if knots.size > 2:
        last, before = knots[-1], knots[-2]

        def cube(at: float) -> Floats:
            return np.asarray(np.maximum(x - at, 0) ** 3)

        for knot in knots[:-2]:
            bend = (
                cube(knot)
                - cube(before) * (last - knot) / (last - before)
                + cube(last) * (before - knot) / (last - before)
            )
            columns.append(bend / (last - knots[0]) ** 2)
    return np.stack(columns, axis=1)


def _curve(design: Floats, cells: Cells, start: Floats | None) -> Floats | None:
    """Coefficients of a logistic regression on cells; None where outcomes do not overlap enough for one."""
    weight, bads = cells.weight, cells.bads
    total, bad = float(weight.sum()), float(bads.sum())
    if not 0 < bad < total or np.count_nonzero(weight) < 2:
        return None
    ridge = 1e-9 * total * np.eye(design.shape[1])
    beta = np.zeros(design.shape[1]) if start is None else start.copy()
    if start is None:
        beta[0] = math.log(bad / (total - bad))
    for _ in range(50):
        rate = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        information = (design * (weight * rate * (1 - rate))[:, None]).T @ design + ridge
        uphill = design.T @ (bads - weight * rate)
        step = np.linalg.solve(information, uphill)
        step *= min(1.0, 5 / max(float(np.abs(step).max()), 1e-300))
        beta = beta + step
        if float(uphill @ step) < 1e-10 * total:  # what is left to gain in likelihood
            return beta
    return None
