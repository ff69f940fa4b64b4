"""Take a Brier score apart: wrong probabilities, what ranking gains, what no card could know.

In: arrays of equal length, one row an observation. Out: `BrierParts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Subjects,
    rows_of,
)
from credit_model.metrics.reliability import GROUPS, probability_groups
from credit_model.metrics.resampling import Bootstrap, Cells, mass


@dataclass(frozen=True)
class BrierParts:
    """Murphy's parts of a Brier score: ``reliability - resolution + uncertainty + within = brier``."""

    reliability: Estimate
    resolution: Estimate
    uncertainty: Estimate
    within: Estimate


def brier_parts(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    groups: int = GROUPS,
    level: float = 0.95,
) -> BrierParts:
    """Brier score taken apart: wrong probabilities, what ranking gains, what no card could know.

    Parameters
    ----------
    y, probability, weight, subject, level
        As in `credit_model.metrics.calibration.brier`.
    groups : int, default 10
        Groups of equal size, ties kept together.

    Returns
    -------
    BrierParts
        Their sum is the Brier score exactly.

    Notes
    -----
    Formula: reliability ``sum_g W_g (p_g - r_g)^2 / W`` (0 is best), resolution ``sum_g W_g (r_g - r)^2 / W`` (more is
    better), uncertainty ``r (1 - r)``; within: what probabilities that differ inside a group add (their variance less
    twice their covariance with the outcome). Interval: bootstrap of people by counts.

    Source: Murphy (*Journal of Applied Meteorology* 12, 1973); within: Stephenson, Coelho and Jolliffe (*Weather and
    Forecasting* 23, 2008).

    Danger: reliability that is not small beside resolution: the card loses by its level what it gains by its ranking.

    Limits: both first parts come out too large on few rows; compare the same grouping only.

    Examples
    --------
    >>> parts = brier_parts([0, 0, 0, 1] * 5 + [0, 1, 1, 1] * 5, [0.3] * 20 + [0.75] * 20)
    >>> round(parts.reliability.value, 6), round(parts.resolution.value, 6), parts.uncertainty.value
    (0.00125, 0.0625, 0.25)
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    group = probability_groups(rows, groups)[1]
    kinds = Bootstrap(rows)
    if not kinds.cells().weight.sum() > 0:
        return BrierParts(UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED)

    def measure(cells: Cells) -> tuple[float, ...]:
        whole, p = float(cells.weight.sum()), cells.probability
        weight = mass(group, cells.weight)
        share = np.where(weight > 0, weight, 1.0)
        predicted = mass(group, cells.weight * p) / share
        rate = mass(group, cells.bads) / share
        overall = float(cells.bads.sum()) / whole
        spread = cells.weight * (p - predicted[group]) ** 2
        together = (p - predicted[group]) * (cells.bads - cells.weight * rate[group])
        return (
            float(np.sum(weight * (predicted - rate) ** 2)) / whole,
            float(np.sum(weight * (rate - overall) ** 2)) / whole,
            overall * (1 - overall),
            float(np.sum(spread - 2 * together)) / whole,
        )

    estimates = np.array([measure(cells) for cells in kinds.draws()])
    ends = np.quantile(estimates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return BrierParts(
        *(
            Estimate(value, float(min(low, value)), float(max(high, value)))
            for value, low, high in zip(measure(kinds.cells()), *ends, strict=True)
        )
    )
