"""Compare the cumulative shares of goods and bads from the riskiest down: the widest gap, and the curve itself.

In: arrays of equal length, one row an observation. Out: `Estimate`; a table of shares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.metrics.performance import (
    FEWEST_BADS,
    SMALLEST_CELL,
    UNDEFINED,
    Estimate,
    Subjects,
    interval,
    rows_of,
    standard_error,
)


def ks(
    y: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None, level: float = 0.95
) -> Estimate:
    """Kolmogorov-Smirnov distance: the widest gap between the shares of bads and of goods at or above one risk.

    Parameters as `auc`.

    Returns
    -------
    Estimate
        The interval takes the cut-off as given (it was chosen where the gap is widest, so it is a little optimistic).

    Notes
    -----
    Formula: ``max_s |F_bad(s) - F_good(s)|`` at the distinct values only: inside a tie there is no cut-off to
    choose.

    Source: Siddiqi, *Credit Risk Scorecards* (2006).

    Danger: as `gini`; a widest gap at a score far from every cut-off in use.

    Limits: one point of the curve, blind to the rest of it, and chosen where it is greatest, so a little
    optimistic.

    Examples
    --------
    >>> ks([0, 0, 1, 1], [1, 1, 1, 2]).value
    0.5
    """
    rows = rows_of(weight, subject, y=y, risk=risk)
    bad, good = rows.weight * rows["y"], rows.weight * (1 - rows["y"])
    total_bad, total_good = float(bad.sum()), float(good.sum())
    if not (total_bad > 0 and total_good > 0):
        return UNDEFINED
    values, group = np.unique(rows["risk"], return_inverse=True)
    bads = np.cumsum(np.bincount(group, bad)) / total_bad
    goods = np.cumsum(np.bincount(group, good)) / total_good
    at = int(np.argmax(np.abs(goods - bads)))
    gap = float(goods[at] - bads[at])
    below = rows["risk"] <= values[at]
    influence = good * (below - goods[at]) / total_good - bad * (below - bads[at]) / total_bad
    return interval(abs(gap), standard_error(influence, rows.subject), level, 0, 1)


def _publishable(cell: NDArray[np.float64]) -> bool:
    """Return whether a step (weight, goods, bads, rows, bad rows) tells of no few people."""
    return bool(cell[3] >= SMALLEST_CELL and (cell[4] == 0 or cell[4] >= FEWEST_BADS))


def cumulative_curve(
    y: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, points: int = 200
) -> list[tuple[float, float, float]]:
    """Shares of people, goods and bads met when going from the riskiest down: the ROC and CAP curves in one table.

    Parameters
    ----------
    y, risk, weight
        As in `auc`.
    points : int, default 200
        About how many steps to keep.

    Returns
    -------
    list of (people, goods, bads)
        Starts at (0, 0, 0), ends at (1, 1, 1). Neighbouring risks are joined until a step holds at least 10 rows and
        either no bad or at least 3, so the curve can be published; a tie is one straight step.

    Notes
    -----
    Formula: cumulative shares of people, goods and bads at each step from the riskiest down.

    Source: Sobehart, Keenan and Stein, *Benchmarking quantitative default risk models* (Moody's, 2000).

    Danger: a curve that falls below the diagonal anywhere: those scores stand in the wrong order.

    Limits: a drawing, without an interval; long straight stretches are ties.

    Examples
    --------
    >>> cumulative_curve([0] * 30 + [1] * 10, [1] * 20 + [2] * 20)
    [(0.0, 0.0, 0.0), (0.5, 0.3333333333333333, 1.0), (1.0, 1.0, 1.0)]
    """
    rows = rows_of(weight, None, y=y, risk=risk)
    bad, good = rows.weight * rows["y"], rows.weight * (1 - rows["y"])
    group = np.unique(-rows["risk"], return_inverse=True)[1].ravel()
    weights = np.bincount(group, rows.weight)
    grid = np.floor((np.cumsum(weights) - weights / 2) / weights.sum() * points).astype(np.intp)
    step = np.unique(grid, return_inverse=True)[1].ravel()[group]
    cells = np.stack([np.bincount(step, column) for column in (rows.weight, good, bad, np.ones(step.size), rows["y"])])
    steps: list[NDArray[np.float64]] = [np.zeros(5)]
    for cell in cells.T:
        if _publishable(steps[-1]):
            steps.append(np.zeros(5))
        steps[-1] = steps[-1] + cell
    while len(steps) > 1 and not _publishable(steps[-1]):
        steps[-2:] = [steps[-2] + steps[-1]]
    totals = cells[:3].sum(axis=1)
    shares = np.cumsum(np.stack(steps)[:, :3], axis=0) / np.where(totals > 0, totals, 1)
    return [(0.0, 0.0, 0.0), *((float(p), float(g), float(b)) for p, g, b in shares)]
