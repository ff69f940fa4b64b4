"""An additive model with the few pairs that earn their place, learned without looking at what judges it.

Each fold is left out once: five models, whose mean is the model. Trees of three leaves are grown twice: with any pair,
to see which are worth their place; then with those alone, beside every column for itself. Which pairs stay, and the
number of rounds, are judged on the rows each model has not seen; the same rows judge the calibration.

In: a sample.
Out: the mean model as ``Terms``; log-odds of each row by the model that has not seen it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from credit_model.fitting.boosting import Growth, grow
from credit_model.fitting.terms import Places, Real, Sample, Terms, mean_of

_STEADY_ROWS = 20_000  # fewer rows ask for small steps, and for a mean of several growths
_SMALL, _LARGE = Growth(1500, 0.05), Growth(1200, 0.1, leaves=6)
_MOST_AGAIN = 4
_MOST_TRIED = 24  # strongest pairs that are tried
# Log-likelihood out of fold that a pair must add: a quarter of Akaike's price, as for a characteristic of a draft.
_WORTH = 0.25


@dataclass(frozen=True)
class Additive:
    """The mean model; log-odds of each row by the model that has not seen it, given log-odds left out; rounds."""

    terms: Terms
    unseen: Real
    rounds: int


def fit_additive(sample: Sample, most_pairs: int) -> Additive:
    """Learn an additive model with at most so many pairs.

    Where the sample has one fold there is nothing unseen: rounds are few, and there are no pairs.
    """
    folds = int(sample.fold.max()) + 1
    whole = np.ones(len(sample.fold), dtype=bool)
    seen = [sample.fold != fold for fold in range(folds)] if folds > 1 else [whole]
    growth = _LARGE if len(sample.fold) > _STEADY_ROWS else _SMALL
    growth = growth if folds > 1 else replace(growth, rounds=growth.rounds // 15)
    kept: list[Places] = []
    if most_pairs and folds > 1 and len(sample.sizes) > 1:
        any_pair, _ = _stage(sample, seen, replace(growth, rate=2 * growth.rate, rounds=growth.rounds // 2))
        kept = _worth_keeping(sample, seen, any_pair, most_pairs)
    models, rounds = _stage(sample, seen, growth, kept, _again(sample))
    return Additive(mean_of(models).centred(sample.masses), _unseen(sample, seen, models), rounds)


def log_loss(sample: Sample, log_odds: Real) -> float:
    """Log loss of rows, weighted and summed; ``log_odds`` without those that are given."""
    found = log_odds + sample.offset
    return float((sample.goods * np.logaddexp(0, -found) + sample.bads * np.logaddexp(0, found)).sum())


def _stage(
    sample: Sample,
    seen: Sequence[npt.NDArray[np.bool_]],
    growth: Growth,
    pairs: Sequence[Places] | None = None,
    again: int = 1,
) -> tuple[list[Terms], int]:
    """A model for each fold left out, of as many rounds as are best on the rows left out, all folds together."""
    levels = [float(np.log(sample.goods[rows].sum() / sample.bads[rows].sum())) for rows in seen]
    grown = [
        [grow(sample, rows, replace(growth, seed=seed), sample.offset + level, pairs) for seed in range(again)]
        for rows, level in zip(seen, levels, strict=True)
    ]
    lengths = min(len(g.losses) for some in grown for g in some)
    rounds = growth.rounds
    if lengths:
        weights = [float((sample.goods + sample.bads)[~rows].sum()) for rows in seen]
        losses = [np.mean([g.losses[:lengths] for g in some], axis=0) for some in grown]
        rounds = int(np.argmin(np.average(losses, axis=0, weights=weights))) + 1
    models = [mean_of([g.terms(rounds) for g in some]) for some in grown]
    models = [replace(model, level=model.level + level) for model, level in zip(models, levels, strict=True)]
    return [model.centred(sample.masses) for model in models], rounds


def _again(sample: Sample) -> int:
    """How often each model is grown anew from other draws: the fewer rows, the more a mean of several steadies it."""
    return int(np.clip(_STEADY_ROWS // len(sample.fold), 1, _MOST_AGAIN))


def _unseen(sample: Sample, seen: Sequence[npt.NDArray[np.bool_]], models: Sequence[Terms]) -> Real:
    """Log-odds of each row by the model that has not seen it, where there is one."""
    found = np.zeros(len(sample.fold))
    for model, rows in zip(models, seen, strict=True):
        judged = rows if rows.all() else ~rows
        found[judged] = model.log_odds(sample.codes[judged])
    return found


def _worth_keeping(
    sample: Sample, seen: Sequence[npt.NDArray[np.bool_]], models: Sequence[Terms], most: int
) -> list[Places]:
    """Pairs, strongest first, that lower the log loss on rows their model has not seen."""
    strengths = mean_of(models).strengths(sample.masses)
    kept: list[Places] = []
    found = _unseen(sample, seen, [model.with_pairs([]) for model in models])
    so_far = log_loss(sample, found)
    for pair in sorted(strengths, key=lambda pair: (-strengths[pair], pair))[:_MOST_TRIED]:
        if len(kept) == most:
            break
        alone = [Terms(0.0, (), model.with_pairs([pair]).together) for model in models]
        more = found + _unseen(sample, seen, alone)
        with_it = log_loss(sample, more)
        if so_far - with_it > _WORTH:
            kept, found, so_far = [*kept, pair], more, with_it
    return kept
