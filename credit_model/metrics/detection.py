"""How many of the bads a card finds among those it ranks worst: average precision and lift, each with its interval.

Where bads are rare an AUC is mostly about goods that nobody would ever look at; these measures ask about the worst end
alone. They work on the distinct values of risk, as `credit_model.metrics.performance` does: a tie is one step, and a
cut that falls inside it takes the tie's average.

In: arrays of equal length, one row an observation. Out: `Estimate`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Floats,
    Subjects,
    WeightedRows,
    interval,
    rows_of,
    standard_error,
)
from credit_model.metrics.resampling import mass


def _steps(rows: WeightedRows) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Step of each row from the riskiest value down, and the weight of all and of bads by step."""
    step = np.unique(-rows["risk"], return_inverse=True)[1].ravel()
    return step, mass(step, rows.weight), mass(step, rows.weight * rows["y"])


def average_precision(
    y: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None, level: float = 0.95
) -> Estimate:
    """Area under the precision-recall curve: the bad rate met on the way to every bad, averaged over bads.

    Parameters
    ----------
    y, risk, weight, subject, level
        As in `credit_model.metrics.performance.auc`.

    Returns
    -------
    Estimate
        Undefined without a bad.

    Notes
    -----
    Formula: ``sum_k b_k / D * B_k / N_k`` over distinct risks from the riskiest down; ``b_k`` bads at the value,
    ``B_k`` and ``N_k`` bads and people down to it. Interval from influence functions.

    Source: Davis and Goadrich (*ICML*, 2006); the step form, without interpolation, of Manning et al. (2008).

    Danger: a value near the bad rate finds bads no better than a lottery.

    Limits: grows with the bad rate, so it compares cards on the same rows only, never two cities or two years.

    Examples
    --------
    >>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8]).value
    0.8333333333333333
    """
    rows = rows_of(weight, subject, y=y, risk=risk)
    step, people, bads = _steps(rows)
    total = float(bads.sum())
    if not total > 0:
        return UNDEFINED
    below = np.cumsum(people)
    cumulative = np.cumsum(bads)
    precision = np.divide(cumulative, below, out=np.zeros_like(cumulative), where=below > 0)
    value = float(np.sum(bads * precision)) / total
    # one more bad (good) at a step moves the precision of every step from there down
    by_bad = np.divide(bads * (below - cumulative), below**2, out=np.zeros_like(cumulative), where=below > 0)
    by_good = np.divide(bads * cumulative, below**2, out=np.zeros_like(cumulative), where=below > 0)
    as_bad = (precision - value + np.cumsum(by_bad[::-1])[::-1]) / total
    as_good = -np.cumsum(by_good[::-1])[::-1] / total
    influence = rows.weight * np.where(rows["y"] == 1, as_bad[step], as_good[step])
    return interval(value, standard_error(influence, rows.subject), level, 0, 1)


def lift(
    y: ArrayLike,
    risk: ArrayLike,
    share: float = 0.1,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Bad rate among the riskiest share of people, as a multiple of everybody's.

    Parameters
    ----------
    y, risk, weight, subject, level
        As in `credit_model.metrics.performance.auc`.
    share : float, default 0.1
        Share of people, above 0 and at most 1.

    Returns
    -------
    Estimate
        Undefined without a bad.

    Notes
    -----
    Formula: ``CAP(q) / q``, CAP the share of bads met among the riskiest share q of people, straight inside a tie.

    Source: Siddiqi, *Credit Risk Scorecards* (2006), gains table.

    Danger: 1 finds bads no better than a lottery; a lift that falls while the Gini holds says the worst end is blurred.

    Limits: at most 1/q; with most people tied at one score the share is filled up from that tie, and the lift is
    diluted by people the card does not tell apart.

    Examples
    --------
    >>> lift([0] * 8 + [1, 1], [0] * 8 + [1, 2], 0.1).value
    5.0
    """
    if not 0 < share <= 1:
        raise UserError(f"Cannot measure a lift of the riskiest {share!r}: the share must be above 0 and at most 1.")
    rows = rows_of(weight, subject, y=y, risk=risk)
    step, people, bads = _steps(rows)
    total, whole = float(bads.sum()), float(people.sum())
    if not total > 0:
        return UNDEFINED
    reached = np.cumsum(people)
    at = min(int(np.searchsorted(reached, share * whole * (1 - 1e-12))), people.size - 1)
    part = (share * whole - (reached[at] - people[at])) / people[at]
    rate = float(bads[at] / people[at])
    captured = float(bads[:at].sum() + part * bads[at])
    within = np.where(step < at, 1.0, np.where(step == at, part, 0.0))
    # a person above the cut pushes others out of the share; one below it makes room: both at the rate of the cut
    rate_influence = within * (rows["y"] - rate) + share * rate - captured / total * rows["y"]
    influence = rows.weight * rate_influence / (total * share)
    return interval(captured / total / share, standard_error(influence, rows.subject), level, 0, 1 / share)
