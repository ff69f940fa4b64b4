"""Fit an additive model with the few pairs that earn their place, and join its fine classes into few.

Each fold is left out once: five models, whose mean is the model. Trees of three leaves are grown twice: with any pair,
to see which are worth their place; then with those alone, beside every column for itself. Which pairs stay, and the
number of rounds, are judged on the rows each model has not seen; the same rows judge the calibration.

A column has a table of log-odds, and a profile in each of its pairs: how its classes behave for every class of the
other. Neighbours are joined where all of these are alike, in the best of all ways, found by a dynamic programme.

In: a sample; profiles by class, the mass of each class.
Out: the mean model as ``Terms``, log-odds of each row by the model that has not seen it; the joint class of each class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from credit_model.learning.boosting import BinnedSample, Growth, Places, Real, Terms, grow, mean_of


def join_classes(profiles: Real, mass: Real, most: int, loss: float) -> npt.NDArray[np.intp]:
    r"""Join neighbours.

    Parameters
    ----------
    profiles : array, shape (classes, width)
        What each class does; distances are Euclidean.
    mass : array, shape (classes,)
    most : int
        Most joint classes.
    loss : float
        The mean squared distance from the joint profile that is given up gladly: as few classes as stay below it are
        taken, where ``most`` allows so many.

    Returns
    -------
    array of int, shape (classes,)
        Joint class of each, from 0, never falling.

    Notes
    -----
    The cost of a run is :math:`\sum_i m_i \lVert x_i - \bar x \rVert^2`, in closed form from cumulated sums; the best
    :math:`k` runs follow from the best :math:`k - 1`, in :math:`O(k F^2)`.

    Examples
    --------
    >>> join_classes(np.array([[0.0], [0.1], [2.0], [2.1]]), np.ones(4), most=3, loss=0.01).tolist()
    [0, 0, 1, 1]
    """
    classes = len(profiles)
    if classes <= 1:
        return np.zeros(classes, dtype=np.intp)
    most = min(most, classes)
    weight = np.maximum(mass, 1e-12 * max(mass.sum(), 1e-300))
    weight = weight / weight.sum()
    sums = np.vstack([np.zeros(profiles.shape[1]), np.cumsum(weight[:, None] * profiles, axis=0)])
    squares = np.append(0.0, np.cumsum(weight * (profiles**2).sum(axis=1)))
    masses = np.append(0.0, np.cumsum(weight))
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = ((sums[None] - sums[:, None]) ** 2).sum(axis=2) / (masses[None] - masses[:, None])
    cost = np.maximum(squares[None] - squares[:, None] - joint, 0.0)  # cost[i, j]: classes i to j - 1 as one
    cost[np.tril_indices(classes + 1)] = np.inf
    best = cost[0].copy()
    came_from: list[npt.NDArray[np.intp]] = []
    groups = best[classes]
    while groups > loss and len(came_from) < most - 1:
        through = best[:, None] + cost
        came_from.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
        groups = best[classes]
    ends, at = [], classes
    for source in reversed(came_from):
        ends.append(at)
        at = int(source[at])
    ends.append(at)
    return np.searchsorted(np.asarray(ends[::-1]), np.arange(classes), side="right")


_STEADY_ROWS = 20_000  # fewer rows ask for small steps, and for a mean of several growths
_SMALL, _LARGE = Growth(1500, 0.05), Growth(1200, 0.1, leaves=6)
_MOST_AGAIN = 4
_MOST_TRIED = 24  # strongest pairs that are tried
# Log-likelihood out of fold that a pair must add: a quarter of Akaike's price, as for a characteristic of a scorecard.
_WORTH = 0.25


@dataclass(frozen=True, eq=False)
class Additive:
    """The mean model; log-odds of each row by the model that has not seen it, given log-odds left out; rounds."""

    terms: Terms
    unseen: Real
    rounds: int


def fit_additive(sample: BinnedSample, most_pairs: int) -> Additive:
    """Learn an additive model with at most so many pairs.

    Where the sample has one fold there is nothing unseen: rounds are few, and there are no pairs.
    """
    folds = int(sample.fold.max()) + 1
    whole = np.ones(len(sample.fold), dtype=bool)
    training_rows = [sample.fold != fold for fold in range(folds)] if folds > 1 else [whole]
    growth = _LARGE if len(sample.fold) > _STEADY_ROWS else _SMALL
    growth = growth if folds > 1 else replace(growth, rounds=growth.rounds // 15)
    retained_pairs: list[Places] = []
    if most_pairs and folds > 1 and len(sample.sizes) > 1:
        any_pair, _ = _stage(sample, training_rows, replace(growth, rate=2 * growth.rate, rounds=growth.rounds // 2))
        retained_pairs = _worth_keeping(sample, training_rows, any_pair, most_pairs)
    models, rounds = _stage(sample, training_rows, growth, retained_pairs, _again(sample))
    return Additive(mean_of(models).centred(sample.masses), _unseen(sample, training_rows, models), rounds)


def log_loss(sample: BinnedSample, log_odds: Real) -> float:
    """Log loss of rows, weighted and summed; ``log_odds`` without those that are given."""
    total = log_odds + sample.offset
    return float((sample.goods * np.logaddexp(0, -total) + sample.bads * np.logaddexp(0, total)).sum())


def _stage(
    sample: BinnedSample,
    training_rows: Sequence[npt.NDArray[np.bool_]],
    growth: Growth,
    pairs: Sequence[Places] | None = None,
    again: int = 1,
) -> tuple[list[Terms], int]:
    """Return a model for each fold left out, of as many rounds as are best on the rows left out, all folds together."""
    levels = [float(np.log(sample.goods[rows].sum() / sample.bads[rows].sum())) for rows in training_rows]
    growths = [
        [grow(sample, rows, replace(growth, seed=seed), sample.offset + level, pairs) for seed in range(again)]
        for rows, level in zip(training_rows, levels, strict=True)
    ]
    lengths = min(len(g.losses) for some in growths for g in some)
    rounds = growth.rounds
    if lengths:
        weights = [float((sample.goods + sample.bads)[~rows].sum()) for rows in training_rows]
        losses = [np.mean([g.losses[:lengths] for g in some], axis=0) for some in growths]
        rounds = int(np.argmin(np.average(losses, axis=0, weights=weights))) + 1
    models = [mean_of([g.terms(rounds) for g in some]) for some in growths]
    models = [replace(model, level=model.level + level) for model, level in zip(models, levels, strict=True)]
    return [model.centred(sample.masses) for model in models], rounds


def _again(sample: BinnedSample) -> int:
    """Return how many times each model is grown from other draws: the fewer the rows, the more a mean helps."""
    return int(np.clip(_STEADY_ROWS // len(sample.fold), 1, _MOST_AGAIN))


def _unseen(sample: BinnedSample, training_rows: Sequence[npt.NDArray[np.bool_]], models: Sequence[Terms]) -> Real:
    """Log-odds of each row by the model that has not seen it, where there is one."""
    log_odds = np.zeros(len(sample.fold))
    for model, rows in zip(models, training_rows, strict=True):
        held_out = rows if rows.all() else ~rows
        log_odds[held_out] = model.log_odds(sample.codes[held_out])
    return log_odds


def _worth_keeping(
    sample: BinnedSample, training_rows: Sequence[npt.NDArray[np.bool_]], models: Sequence[Terms], most: int
) -> list[Places]:
    """Pairs, strongest first, that lower the log loss on rows their model has not seen."""
    strengths = mean_of(models).strengths(sample.masses)
    useful: list[Places] = []
    log_odds = _unseen(sample, training_rows, [model.with_pairs([]) for model in models])
    so_far = log_loss(sample, log_odds)
    for pair in sorted(strengths, key=lambda pair: (-strengths[pair], pair))[:_MOST_TRIED]:
        if len(useful) == most:
            break
        alone = [Terms(0.0, (), model.with_pairs([pair]).together) for model in models]
        more = log_odds + _unseen(sample, training_rows, alone)
        with_it = log_loss(sample, more)
        if so_far - with_it > _WORTH:
            useful, log_odds, so_far = [*useful, pair], more, with_it
    return useful
