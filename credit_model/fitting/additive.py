"""An additive model with the few pairs that earn their place, learned without looking at what judges it.

Each fold is left out once: five models, whose mean is the model. The number of rounds, and which pairs stay, are those
of least log loss on the rows each model has not seen; the same rows judge the calibration.

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

_RATE = 0.05
_ROUNDS = 800  # of trees with two leaves
_PAIR_ROUNDS = 1200  # of trees with three
_STEADY_ROWS = 20_000
_MOST_AGAIN = 4
_MOST_TRIED = 24  # strongest pairs that are tried
_WORTH = 0.75  # log-likelihood out of fold that a pair must add


@dataclass(frozen=True)
class Additive:
    """The mean model; log-odds of each row by the model that has not seen it, given log-odds left out; rounds."""

    terms: Terms
    unseen: Real
    rounds: tuple[int, int]


def fit_additive(sample: Sample, most_pairs: int) -> Additive:
    """Learn an additive model with at most so many pairs.

    Where the sample has one fold there is nothing unseen: rounds are few, and there are no pairs.
    """
    folds = int(sample.fold.max()) + 1
    whole = np.ones(len(sample.fold), dtype=bool)
    seen = [sample.fold != fold for fold in range(folds)] if folds > 1 else [whole]
    quick = len(sample.fold) > _STEADY_ROWS  # many rows bear greater steps
    rate, fewer = (2 * _RATE, 2) if quick else (_RATE, 1)
    growth = Growth(_ROUNDS // fewer if folds > 1 else _ROUNDS // 8, rate)
    levels = [float(np.log(sample.goods[rows].sum() / sample.bads[rows].sum())) for rows in seen]
    plain, rounds = _stage(sample, seen, 2, growth, [sample.offset + level for level in levels])
    plain = [replace(model, level=level) for model, level in zip(plain, levels, strict=True)]
    masses = sample.masses
    models, pair_rounds = plain, 0
    if most_pairs and folds > 1 and len(sample.sizes) > 1:
        growth = Growth(_PAIR_ROUNDS // fewer, rate)
        starts = [sample.offset + model.log_odds(sample.codes) for model in plain]
        more, _ = _stage(sample, seen, 3, growth, starts)
        paired = [_sum(a, b).centred(masses) for a, b in zip(plain, more, strict=True)]
        kept = _worth_keeping(sample, seen, plain, paired, most_pairs)
        if kept:
            more, pair_rounds = _stage(sample, seen, 3, growth, starts, kept)
            models = [_sum(a, b).centred(masses).with_pairs(kept) for a, b in zip(plain, more, strict=True)]
    return Additive(mean_of(models).centred(masses), _unseen(sample, seen, models), (rounds, pair_rounds))


def log_loss(sample: Sample, log_odds: Real) -> float:
    """Log loss of rows, weighted and summed; ``log_odds`` without those that are given."""
    found = log_odds + sample.offset
    return float((sample.goods * np.logaddexp(0, -found) + sample.bads * np.logaddexp(0, found)).sum())


def _stage(
    sample: Sample,
    seen: Sequence[npt.NDArray[np.bool_]],
    leaves: int,
    growth: Growth,
    starts: Sequence[Real],
    pairs: Sequence[Places] | None = None,
) -> tuple[list[Terms], int]:
    """A model for each fold left out, of as many rounds as are best on the rows left out, all folds together."""
    grown = [
        [grow(sample, rows, leaves, replace(growth, seed=seed), start, pairs) for seed in range(_again(sample))]
        for rows, start in zip(seen, starts, strict=True)
    ]
    lengths = min(len(g.losses) for some in grown for g in some)
    rounds = growth.rounds
    if lengths:
        weights = [float((sample.goods + sample.bads)[~rows].sum()) for rows in seen]
        losses = [np.mean([g.losses[:lengths] for g in some], axis=0) for some in grown]
        rounds = int(np.argmin(np.average(losses, axis=0, weights=weights))) + 1
    return [mean_of([g.terms(rounds) for g in some]) for some in grown], rounds


def _again(sample: Sample) -> int:
    """How often each model is grown anew from other draws: the fewer rows, the more a mean of several steadies it."""
    return int(np.clip(_STEADY_ROWS // len(sample.fold), 1, _MOST_AGAIN))


def _sum(first: Terms, second: Terms) -> Terms:
    alone = tuple(a + b for a, b in zip(first.alone, second.alone, strict=True))
    return Terms(first.level + second.level, alone, {**first.together, **second.together})


def _unseen(sample: Sample, seen: Sequence[npt.NDArray[np.bool_]], models: Sequence[Terms]) -> Real:
    """Log-odds of each row by the model that has not seen it, where there is one."""
    found = np.zeros(len(sample.fold))
    for model, rows in zip(models, seen, strict=True):
        judged = rows if rows.all() else ~rows
        found[judged] = model.log_odds(sample.codes[judged])
    return found


def _worth_keeping(
    sample: Sample,
    seen: Sequence[npt.NDArray[np.bool_]],
    plain: Sequence[Terms],
    paired: Sequence[Terms],
    most: int,
) -> list[Places]:
    """Pairs, strongest first, as long as they lower the log loss on rows their model has not seen."""
    strengths = mean_of(paired).strengths(sample.masses)
    kept: list[Places] = []
    so_far = log_loss(sample, _unseen(sample, seen, [model.with_pairs([]) for model in paired]))
    for pair in sorted(strengths, key=lambda pair: (-strengths[pair], pair))[:_MOST_TRIED]:
        with_it = log_loss(sample, _unseen(sample, seen, [model.with_pairs([*kept, pair]) for model in paired]))
        if len(kept) < most and so_far - with_it > _WORTH:
            kept, so_far = [*kept, pair], with_it
    return kept if so_far < log_loss(sample, _unseen(sample, seen, plain)) else []
