"""Compare the bad rate of a grade with the probability it was given.

In: counts of bads and people, or rows; p-values. Out: `Jeffreys`; effective counts; p-values held together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import (
    rows_of,
)


@dataclass(frozen=True)
class Jeffreys:
    """What the Jeffreys posterior of a grade's bad rate says about its predicted probability.

    Attributes
    ----------
    low, high : float
        Interval of the rate.
    understated : float
        Posterior probability that the rate is at most the predicted one; small: the card understates risk.
    overstated : float
        The other side; small: the card overstates risk, which harms people.
    p_value : float
        Two-sided, ``2 min(understated, overstated)``.
    """

    low: float
    high: float
    understated: float
    overstated: float
    p_value: float


def jeffreys(bads: float, people: float, probability: float, *, level: float = 0.95) -> Jeffreys:
    """Jeffreys test of one grade: could the observed bads have come from the predicted probability?

    Parameters
    ----------
    bads, people : float
        Counts; with weights the effective counts of `effective_counts`.
    probability : float
        Predicted probability of bad, the mean over the grade.

    Notes
    -----
    Formula: the posterior of the rate is ``Beta(D + 1/2, N - D + 1/2)``; each side is its mass up to, and from,
    the predicted probability.

    Source: ECB, *Instructions for reporting the validation results of internal models* (2019), there one-sided.

    Danger: a side under 0.05 after `holm` over the grades.

    Limits: rows must be different people; with very many bads any card fails, with very few none does.

    Examples
    --------
    >>> round(jeffreys(2, 6, 0.0367).understated, 4)
    0.0044
    """
    from scipy.stats import beta

    if not 0 <= bads <= people:
        raise UserError(f"Cannot test a grade with {bads:g} bads among {people:g} people: bads must be 0 to people.")
    posterior = beta(bads + 0.5, people - bads + 0.5)
    understated, overstated = float(posterior.cdf(probability)), float(posterior.sf(probability))
    return Jeffreys(
        low=float(posterior.ppf((1 - level) / 2)) if bads > 0 else 0.0,
        high=float(posterior.ppf((1 + level) / 2)) if bads < people else 1.0,
        understated=understated,
        overstated=overstated,
        p_value=min(1.0, 2 * min(understated, overstated)),
    )


def effective_counts(y: ArrayLike, weight: ArrayLike | None = None) -> tuple[float, float]:
    """Bads and people a weighted cell is worth: the rate is kept, the bads count as Kish's effective number.

    Notes
    -----
    ``D = (sum_bad w)^2 / sum_bad w^2`` and ``N = D / rate``. Goods sub-sampled under weights with every bad kept at
    weight 1 give ``D`` = bads and ``N`` = people represented. Without a bad, N is Kish's number of all rows.

    Examples
    --------
    >>> effective_counts([1, 1, 0, 0], [1, 1, 49, 49])
    (2.0, 100.0)
    """
    rows = rows_of(weight, None, y=y)
    bad = rows.weight * rows["y"]
    total, total_bad = float(rows.weight.sum()), float(bad.sum())
    if total_bad == 0:
        squares = float(np.sum(rows.weight**2))
        return 0.0, total**2 / squares if squares else 0.0
    effective = total_bad**2 / float(np.sum(bad**2))
    return effective, effective * total / total_bad


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: under 0.05 holds for the whole family of tests, whatever their dependence.

    Notes
    -----
    In ascending order ``max over k <= i of (m - k + 1) p_(k)``, at most 1. Source: Holm, *Scandinavian Journal of
    Statistics* 6 (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted
