"""Shifts of frozen distributions, compared with what chance alone would do.

The usual limits of a PSI, .10 and .25, know neither how many people were counted nor into how many bins: with a
thousand people chance alone reaches .02, with a million .00002 means something. Here limits follow from both counts.
Bins are frozen: they come with the reference, so that one outlier, however far out, is one person in the last bin.

In: counts by frozen bin, then and now; points, bads. Out: `Shift`, `Estimate`, reversals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from credit_model.foundation.errors import UserError
from credit_model.metrics.bad_rates import holm
from credit_model.metrics.performance import UNDEFINED, Estimate, Floats, Subjects, interval, soft_gini

ALARM_LEVEL = 0.999
"""Level of an alarm: one false alarm in a thousand comparisons."""
ALARM_FLOOR = 0.01
"""A PSI under this is of no consequence, however sure."""
TAIL_FLOOR = 0.10
"""As `ALARM_FLOOR`, among people off the reference."""
_FEWEST_EXPECTED = 30.0
_BLOCK = 20_000
_SEED = 20261124


@dataclass(frozen=True)
class Shift:
    """A PSI, its limit by chance alone at a level, and whether it is beyond that limit and large enough to matter."""

    value: float
    limit: float
    has_moved: bool


def _shares(counts: Floats, total: Floats | float) -> Floats:
    """Shares, an empty bin taken as half a person: its logarithm is needed."""
    return np.asarray(np.maximum(counts, 0.5) / total)


def _index(then: Floats, now: Floats) -> Floats:
    """PSI along the last axis; a bin that is empty on both sides says nothing."""
    here = _shares(now, now.sum(axis=-1, keepdims=True))
    there = _shares(then, then.sum(axis=-1, keepdims=True))
    gap = np.where((then > 0) | (now > 0), (here - there) * np.log(here / there), 0.0)
    return np.asarray(gap.sum(axis=-1))


def psi(
    reference: ArrayLike,
    counts: ArrayLike,
    *,
    level: float = ALARM_LEVEL,
    floor: float = ALARM_FLOOR,
    size: float | None = None,
) -> Shift | None:
    """Measure how far people have moved between the frozen bins since the reference: population stability index.

    Parameters
    ----------
    reference, counts : array_like of int, shape (k,)
        People by bin, then and now.
    level : float, default 0.999
        How rarely chance may pass for movement.
    floor : float, default 0.01
        What is smaller than this has not moved, however sure.
    size : float, optional
        Different people behind the reference, where some of them are counted more than once.

    Returns
    -------
    Shift or None
        None where nobody was counted on one side.

    Notes
    -----
    Formula: ``sum_k (a_k - e_k) ln(a_k / e_k)``, a and e the shares now and then; an empty bin counts as half a
    person. Limit: ``chi2(K - 1, level) (1/n + 1/m)``, K the bins that held anybody, n and m the people now and then;
    where fewer than 30 are expected in a bin, the quantile of draws from the reference. For CSI, give the counts by
    attribute.

    Source: Kullback and Leibler (*Annals of Mathematical Statistics* 22, 1951), symmetrised; limit: Yurdakul,
    *Statistical properties of population stability index* (Western Michigan University, 2018).

    Danger: more than limit and floor: the card is used on other people than it was made for, or records come in
    otherwise than they did.

    Limits: says that, not why nor whether for the worse; a shift inside a bin is not seen; people who are in both
    counts make it smaller than chance would.

    Examples
    --------
    >>> psi([500, 300, 200], [50, 30, 20]).value
    0.0
    >>> psi([9790, 210], [950, 50]).has_moved
    True
    """
    then, now = (np.asarray(side, np.float64).ravel() for side in (reference, counts))
    if then.size != now.size or (then < 0).any() or (now < 0).any():
        raise UserError(
            f"Cannot compare {then.size} bins with {now.size}: count the same frozen bins, none below 0, on both sides."
        )
    if not (then.sum() > 0 and now.sum() > 0):
        return None
    people = float(then.sum() if size is None else size)
    value = float(_index(then, now))
    scaled = tuple(float(x) for x in np.rint(then * people / then.sum() * 1e6) / 1e6)
    limit = psi_limit(scaled, float(now.sum()), level)
    return Shift(value, limit, value > max(limit, floor))


@lru_cache(maxsize=4096)
def psi_limit(reference: tuple[float, ...], people: float, level: float = ALARM_LEVEL) -> float:
    """Return the PSI that chance alone stays under at a level; formula and source as `psi`.

    Examples
    --------
    >>> round(psi_limit((5000.0, 5000.0), 1000, 0.95), 6)
    0.004226
    """
    from scipy.stats import chi2

    then = np.asarray([x for x in reference if x > 0])
    if then.size < 2:
        return 0.0
    size, share = float(then.sum()), then / then.sum()
    if share.min() * min(people, size) >= _FEWEST_EXPECTED:
        return float(chi2.ppf(level, then.size - 1)) * (1 / people + 1 / size)
    random, draw_level = np.random.default_rng(_SEED), min(level, ALARM_LEVEL)
    simulated = []
    for _ in range(math.ceil(40 / (1 - draw_level) / _BLOCK)):
        sides = (random.multinomial(round(n), share, _BLOCK).astype(np.float64) for n in (size, people))
        simulated.append(_index(*sides))
    # rarer than draws can tell: as much further out as chi-squared's own quantile lies
    further = float(chi2.ppf(level, then.size - 1) / chi2.ppf(draw_level, then.size - 1))
    return float(np.quantile(np.concatenate(simulated), draw_level)) * further


def points_shift(
    reference: ArrayLike, counts: ArrayLike, points: ArrayLike, *, size: float | None = None, level: float = 0.95
) -> Estimate:
    """Characteristic stability in points: how far the mean score has moved by this characteristic alone.

    Parameters
    ----------
    reference, counts : array_like of int, shape (k,)
        People by attribute, then and now.
    points : array_like of float, shape (k,)
        Points of each attribute.
    size : float, optional
        As in `psi`.

    Notes
    -----
    Formula: ``sum_k (a_k - e_k) points_k``, with the normal interval of a difference of two means. Over all
    characteristics and pairs these add up to the movement of the mean score.

    Source: Siddiqi, *Credit Risk Scorecards* (2006), characteristic analysis.

    Danger: a sum that moves people over a cut-off; several characteristics that move the same way.

    Limits: movements up and down cancel; the index `psi` of the same counts does not.

    Examples
    --------
    >>> round(points_shift([90, 10], [80, 20], [0, -30]).value, 9)
    -3.0
    """
    then, now, worth = (np.asarray(side, np.float64).ravel() for side in (reference, counts, points))
    if not (then.sum() > 0 and now.sum() > 0):
        return UNDEFINED
    means, variance = [], 0.0
    for side, people in ((then, size), (now, None)):
        share = side / side.sum()
        mean = float(np.sum(share * worth))
        variance += float(np.sum(share * (worth - mean) ** 2)) / float(side.sum() if people is None else people)
        means.append(mean)
    return interval(means[1] - means[0], math.sqrt(variance), level)


@dataclass(frozen=True)
class Reversal:
    """Two attributes whose bad rates stand the other way round than their WOE, beyond chance."""

    worse: int
    better: int
    p_value: float


def order_reversals(
    bads: ArrayLike, people: ArrayLike, woe: Sequence[float], *, level: float = 0.05
) -> tuple[Reversal, ...]:
    """WOE-order stability: attributes that turned out worse than one the card thinks worse.

    Parameters
    ----------
    bads, people : array_like of int, shape (k,)
        By attribute, once outcomes are known.
    woe : sequence of float, length k
        Of the card; greater is better.
    level : float, default 0.05
        Of the whole family of neighbours, after Holm's adjustment.

    Returns
    -------
    tuple of Reversal
        Neighbours in the order of WOE that stand the other way round.

    Notes
    -----
    Formula: neighbours by WOE among attributes with anybody in them; Fisher's exact test, one-sided, that the better
    one's bad rate is the greater; `holm` over the neighbours.

    Source: Siddiqi, *Credit Risk Scorecards* (2006), on logical trends; Fisher, *Statistical Methods for Research
    Workers* (1934).

    Danger: any: points of this characteristic tell the wrong way now.

    Limits: with few bads it finds nothing; neighbours only, so a slow flattening goes unseen until it turns.

    Examples
    --------
    >>> order_reversals([5, 60], [1000, 1000], [-1.0, 0.5])[0].better
    1
    >>> order_reversals([60, 5], [1000, 1000], [-1.0, 0.5])
    ()
    """
    from scipy.stats import fisher_exact

    bad, all_ = np.asarray(bads, np.int64), np.asarray(people, np.int64)
    order = sorted((i for i in range(len(woe)) if all_[i] > 0), key=lambda i: woe[i])
    pairs = [(i, j) for i, j in pairwise(order) if woe[i] < woe[j]]
    p_values = [
        float(fisher_exact([[bad[j], all_[j] - bad[j]], [bad[i], all_[i] - bad[i]]], "greater")[1]) for i, j in pairs
    ]
    adjusted = holm(p_values)
    return tuple(Reversal(i, j, p) for (i, j), p in zip(pairs, adjusted, strict=True) if p < level)


def expected_auc(
    probability: ArrayLike, risk: ArrayLike, *, weight: ArrayLike | None = None, subject: Subjects = None
) -> Estimate:
    """AUC to expect of a ranking if the probabilities are right: performance before any outcome is known.

    Parameters
    ----------
    probability : array_like of float in [0, 1], shape (n,)
        Predicted probability of bad.
    risk : array_like of float, shape (n,)
        The ranking; grows with risk.
    weight, subject
        As in `credit_model.metrics.performance.auc`.

    Notes
    -----
    Formula: `auc` with every row a bad with weight p and a good with weight 1 - p.

    Source: as in confidence-based performance estimation: Guillory et al. (*ICCV*, 2021); the sum is that of
    `soft_gini`.

    Danger: a fall since the reference: people have become more alike to the card, and it will tell fewer of them apart.

    Limits: blind to a change of what the same records mean; it holds as long as the calibration does. The interval is
    that of the draw of people, not of the probabilities.

    Examples
    --------
    >>> round(expected_auc([0.1, 0.1, 0.4], [1, 1, 2]).value, 4)
    0.7083
    """
    gini = soft_gini(probability, risk, weight=weight, subject=subject)
    if gini.value is None or gini.low is None or gini.high is None:
        return UNDEFINED
    return Estimate((1 + gini.value) / 2, (1 + gini.low) / 2, (1 + gini.high) / 2)
