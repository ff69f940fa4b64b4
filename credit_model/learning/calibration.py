"""Calibration on scores the fit has not seen: first a line, folded into the weights, then a gentle monotone map.

Rows are scored by the model of the other folds (folds by subject). The line corrects over- or under-confidence and
keeps points exact; the map corrects what a line cannot, and is drawn towards the line so strongly that a small sample
moves it little and no probability becomes 0 or 1.

In: out-of-fold log-odds and points, counts of goods and bads.
Out: a line; a ``ProbabilityMap``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from credit_model.learning.logistic import Limits, Ridge, fit_logistic
from credit_model.scorecard.scale import ProbabilityMap, Profile

Real = npt.NDArray[np.float64]

# Prior precision of the slope about 1, and of each knot's shift about 0 (standard deviation 0.25 in log-odds).
_Number = TypeVar("_Number", float, Real)
_SLOPE_RIDGE = Ridge(10.0, centre=1.0)
_SHIFT_RIDGE = Ridge(16.0)
_MOST_KNOTS = 6  # on either side of the reference row
_EVENTS_PER_KNOT = 40
# Between two knots the map rises at least this share of what the scale says: grades keep their meaning.
_LEAST_RISE = 0.25
# However hard points above the reference row were scaled down, one of them stands for at most ten.
LEAST_CAP_FACTOR = 0.1
LEAST_POLICY_FACTOR = 0.05  # of points that somebody declared: for at most twenty


@dataclass(frozen=True)
class AffineCalibration:
    """Calibrated log-odds are ``shift + slope * log-odds``."""

    shift: float
    slope: float

    def at(self, log_odds: _Number) -> _Number:
        """Calibrated log-odds, of a number or an array."""
        return self.shift + self.slope * log_odds


def fit_line(log_odds: Real, goods: Real, bads: Real, offset: Real | float = 0.0) -> AffineCalibration:
    """Fit the line on out-of-fold log-odds; ``offset`` are log-odds the slope must not touch (points that are set).

    Examples
    --------
    >>> line = fit_line(np.log([9.0, 3.0]), np.array([9e5, 8e5]), np.array([1e5, 2e5]))  # twice the odds, not three
    >>> round(float(line.at(np.log(9))), 3), round(line.slope, 3)
    (2.197, 0.738)
    """
    middle = float(np.average(log_odds, weights=goods + bads))
    centred = (log_odds - middle)[:, None]
    fit = fit_logistic(centred, goods, bads, ridge=_SLOPE_RIDGE, offset=offset, limits=Limits.not_negative(1))
    slope = max(float(fit.weights[0]), 0.0)
    return AffineCalibration(fit.intercept - slope * middle, slope)


def fit_map(
    points: npt.NDArray[np.int64],
    goods: Real,
    bads: Real,
    level: float,
    profile: Profile,
    reach: Sequence[int],
    cap_factor: float = 1.0,
) -> ProbabilityMap:
    """Fit the map from integer score to log-odds.

    Parameters
    ----------
    points : array of int
        Out-of-fold scores less those of the reference row.
    goods, bads : array
        Weighted counts by row; the weights should be near 1 for the rarer outcome.
    level : float
        Calibrated log-odds of the reference row.
    profile : Profile
    reach : (int, int)
        Least and greatest sum of points that a row can get.
    cap_factor : float
        What was multiplied into the points above the reference row: a point there stands for that much more log-odds.

    Notes
    -----
    ``log-odds(p) = level + p / factor + shift(p)``, above the reference ``p / cap_factor`` for ``p``; the shift is
    piecewise linear between knots and constant beyond them. Its mean is free, so that as many bads are expected as
    were seen; what differs between knots is penalised. One knot is the reference row, where most people stand. The
    others share evenly, below and above it, the events that were seen or that the line expects: where few are bad
    there is something to learn too.
    """
    least = int(points.min())
    goods, bads = (np.bincount(points - least, part).astype(np.float64) for part in (goods, bads))
    distinct_scores = np.flatnonzero(goods + bads)  # each score once
    points, goods, bads = (distinct_scores + least).astype(np.int64), goods[distinct_scores], bads[distinct_scores]
    above = 1.0 / cap_factor

    def line(at: npt.NDArray[np.int64] | Real) -> Real:
        return level + np.where(at > 0, above * at, at) / profile.factor

    expected = (goods + bads) / (1.0 + np.exp(np.abs(line(points))))
    knots = _place_knots(points, np.maximum(np.minimum(goods, bads), expected))
    hats = np.stack([np.interp(points, knots, row) for row in np.eye(len(knots))], axis=1)
    limits = Limits(np.diff(np.eye(len(knots)), axis=0), (_LEAST_RISE - 1.0) * np.diff(line(knots)))
    fit = fit_logistic(hats, goods, bads, ridge=_SHIFT_RIDGE, offset=line(points), limits=limits)
    ends = list(reach) if reach[0] < reach[1] else [0, profile.points_to_double_odds]
    at = np.unique(np.concatenate([knots, ends])).astype(np.int64)
    log_odds = line(at) + fit.intercept + np.interp(at, knots, fit.weights)
    return ProbabilityMap(tuple((profile.reference_points + at).tolist()), tuple(log_odds.tolist()))


@dataclass(frozen=True)
class GradeInterval:
    """Probability of bad in one grade: rows, weighted bad rate out of fold, and where it lies 95 times in 100."""

    grade: str
    rows: int
    bad_rate: float | None
    low: float
    high: float


def grade_intervals(points: npt.NDArray[np.int64], counts: Real, profile: Profile) -> tuple[GradeInterval, ...]:
    """Jeffreys intervals of the probability of bad of every grade, from scores of rows their model has not seen.

    Parameters
    ----------
    points : array of int
        Out-of-fold scores less those of the reference row.
    counts : array, shape (4, rows)
        Weighted goods and bads, rows of goods and of bads. Rates are weighted; evidence counts rows.

    Notes
    -----
    ``Beta(n r + 1/2, n (1 - r) + 1/2)``: an end is 0 or 1 only where a grade has no bads or no goods at all, and a
    grade without rows is as wide as can be.
    """
    grade = np.searchsorted(profile.grade_cuts, profile.reference_points + points, side="right")
    intervals = []
    for place, name in enumerate(profile.grades):
        goods, bads, good_rows, bad_rows = counts[:, grade == place].sum(axis=1)
        n = good_rows + bad_rows
        rate = float(bads / (goods + bads)) if n else None
        a, b = n * (rate or 0.0) + 0.5, n * (1 - (rate or 0.0)) + 0.5
        low = float(beta.ppf(0.025, a, b)) if bad_rows else 0.0
        high = float(beta.ppf(0.975, a, b)) if good_rows else 1.0
        intervals.append(GradeInterval(name, int(n), rate, low, high))
    return tuple(intervals)


def _place_knots(points: npt.NDArray[np.int64], evidence: Real) -> Real:
    """Return the reference row, and on either side of it quantiles of the evidence, as many as it carries there."""
    knots = [0]
    for side in (points < 0, points > 0):
        at, share = np.unique(points[side], return_inverse=True)
        reached = np.cumsum(np.bincount(share, weights=evidence[side], minlength=len(at)))
        number = int(min(_MOST_KNOTS, reached[-1] // _EVENTS_PER_KNOT)) if len(at) else 0
        goals = (np.arange(number) + 0.5) / max(number, 1) * (reached[-1] if number else 0.0)
        knots += at[np.searchsorted(reached, goals)].tolist()
    return np.unique(knots).astype(np.float64)
