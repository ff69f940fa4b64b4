"""Measure how many points doubled the odds of good in what happened.

In: arrays of equal length, one row an observation; scores. Out: `OddsLine`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from credit_model.metrics.calibration import fit_logistic
from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Subjects,
    interval,
    rows_of,
    standard_error,
)


@dataclass(frozen=True)
class OddsLine:
    """The odds of good as the score tells them: points that double them, and their logarithm at the reference."""

    points_to_double_odds: Estimate
    log_odds_at_reference: Estimate


def odds_line(
    y: ArrayLike,
    score: ArrayLike,
    reference: float,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> OddsLine:
    """Odds-to-score line: how many points doubled the odds of good in what happened (realised PDO).

    Parameters
    ----------
    y, weight, subject, level
        As in `credit_model.metrics.calibration.brier`.
    score : array_like of float, shape (n,)
        Points; more is better.
    reference : float
        The score at which the odds are stated.

    Returns
    -------
    OddsLine
        Points undefined where the line does not surely rise.

    Notes
    -----
    Formula: ``ln(odds of good) = a + b (score - reference)`` by maximum weighted likelihood over rows, not over the
    logarithms of observed rates; ``PDO = ln 2 / b``, interval through b.

    Source: Siddiqi, *Credit Risk Scorecards* (2006), scaling; Thomas, *Consumer Credit Models* (2009), 2.3.

    Danger: the interval leaves out the points the scale promises: equal differences of score do not mean what the card
    says they mean.

    Limits: one straight line; a curve in it shows in the calibration by grade.

    Examples
    --------
    >>> line = odds_line([0, 0, 0, 1] * 50 + [0, 1] * 50, [840] * 200 + [800] * 100, 800)
    >>> round(line.points_to_double_odds.value, 1), round(abs(line.log_odds_at_reference.value), 6)
    (25.2, 0.0)
    """
    rows = rows_of(weight, subject, y=y, score=score)
    unit = 100.0
    fit = fit_logistic(rows, (reference - rows["score"]) / unit)
    if fit is None:
        return OddsLine(UNDEFINED, UNDEFINED)
    (level_at, slope), influence = fit
    at = interval(-float(level_at), standard_error(influence[0], rows.subject), level)
    steep = interval(float(slope), standard_error(influence[1], rows.subject), level)
    if steep.low is None or steep.high is None or steep.low <= 0:
        return OddsLine(UNDEFINED, at)
    double = math.log(2) * unit
    return OddsLine(Estimate(double / float(slope), double / steep.high, double / steep.low), at)
