"""From fine classes to a card by boosting: shapes and a few pairs, joined into attributes, calibrated, rounded.

It ends in the same card as the WOE-logistic way. Shapes are learned on fine classes; each column is then cut into as
few attributes as keep them, stated against the reference row, and rounded to points.

In: a table of fine classes, what to predict with, limits from the profile.
Out: a ``Card``, and what was learned on the way to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from credit_model.learning.additive_fit import fit_additive, join_classes
from credit_model.learning.boosting import BinnedSample, Terms
from credit_model.learning.calibration import AffineCalibration, GradeInterval, fit_line, fit_map, grade_intervals
from credit_model.learning.fine_classes import BADS, GOODS, FineColumn, cut_between, information_value
from credit_model.learning.fine_table import FineTable
from credit_model.learning.fitted_scorecard import choose
from credit_model.learning.logistic import Limits, Ridge, fit_logistic
from credit_model.learning.predictors import Bins, Predictor
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.pairs import Pair
from credit_model.scorecard.scale import Profile

Real = npt.NDArray[np.float64]

# Mean squared change of log-odds that joining classes of a column may make: a hundredth of a typical shape's.
_LOSS = 2e-4
_LEAST_SPREAD = 0.005  # log-odds: a shape or pair flatter than this is left out


@dataclass(frozen=True)
class AdditiveRules:
    """Limits of an additive card; ``addable_points`` and ``removable_points`` leave the policy's own out."""

    max_bins: int
    max_characteristics: int
    max_pairs: int
    ridge: float
    addable_points: float
    removable_points: float


@dataclass(frozen=True, eq=False)
class Joined:
    """A column in attributes: its bins, the attribute of each fine class, counts by attribute, its reference."""

    bins: Bins
    attribute_of: npt.NDArray[np.intp]
    counts: Real
    reference: int

    @property
    def information_value(self) -> float:
        """Information value, half an event added to goods and to bads of every attribute."""
        counts = self.counts[:, self.counts.sum(axis=0) > 0] + 0.5
        return information_value(counts[GOODS], counts[BADS])


def make_additive_card(
    predictors: Sequence[Predictor],
    table: FineTable,
    folds: int,
    rules: AdditiveRules,
    profile: Profile,
    kernel: int | None,
) -> tuple[Card, dict[str, Joined], AffineCalibration, tuple[GradeInterval, ...]]:
    """Make a card of a table; see :func:`credit_model.learning.fitted_scorecard.make_card`."""
    set_points = np.zeros(len(table.fold))
    for j, p in enumerate(predictors):
        if p.set_points is not None:
            set_points += np.asarray(p.set_points)[table.codes[:, j]]
    whole = _sample(predictors, table, folds, set_points / profile.factor)
    free = [j for j, p in enumerate(predictors) if p.set_points is None]
    varying = [j for j in free if np.count_nonzero(whole.masses[j]) > 1] or free  # a constant would move the draws
    # A pair can give points where a cap on points added is already used up by its columns; there are none under a cap.
    pairs = 0 if np.isfinite(rules.addable_points) else rules.max_pairs
    fit = fit_additive(whole.only(varying), pairs)
    if _count(fit.terms) > rules.max_characteristics:
        room = rules.max_characteristics - min(len(fit.terms.together), rules.max_characteristics // 4)
        pairs_in_card = _strongest(whole.only(varying), fit.terms, rules.ridge, room)
        varying = [varying[place] for place in pairs_in_card]
        fit = fit_additive(whole.only(varying), min(pairs, rules.max_characteristics - len(varying)))
    line = AffineCalibration(0.0, 1.0)
    if folds > 1:
        line = fit_line(fit.unseen, whole.goods, whole.bads, whole.offset)
    terms = _add_constant_columns(_prune_pairs(fit.terms, whole.only(varying)), varying, whole)
    steps_by_name = {p.name: _join_column(p, j, terms, whole, rules, line.slope) for j, p in enumerate(predictors)}
    steps = [steps_by_name[p.name] for p in predictors]
    anchored = _coarse(terms, steps, whole).anchored([step.reference for step in steps])
    alone, grids = _points(anchored, steps, predictors, line.slope * profile.factor, rules)

    characteristics, used = [], {j for pair in grids for j in pair}
    for j, p in enumerate(predictors):
        points = p.set_points or tuple(int(v) for v in alone[j])
        if any(points) or j in used:
            characteristics.append(_characteristic(p, steps[j], points))
    pair_terms = tuple(
        Pair(predictors[i].name, predictors[j].name, tuple(tuple(int(v) for v in row) for row in grid))
        for (i, j), grid in grids.items()
    )
    ends = [[end(c.points) for c in characteristics] for end in (min, max)]
    reach = [sum(ends[0]) + sum(p.least for p in pair_terms), sum(ends[1]) + sum(p.greatest for p in pair_terms)]
    level = float(line.at(anchored.level))
    shift = profile.factor * (line.at(fit.unseen) - level)
    points_unseen = np.rint(shift + set_points).astype(np.int64)
    probabilities = fit_map(points_unseen, whole.goods, whole.bads, level, profile, reach)
    card = Card(
        name="scorecard",
        profile=profile,
        characteristics=tuple(characteristics),
        probabilities=probabilities,
        pairs=pair_terms,
        kernel_version=kernel,
    )
    return card, steps_by_name, line, grade_intervals(points_unseen, table.counts, profile)


def _sample(predictors: Sequence[Predictor], table: FineTable, folds: int, offset: Real) -> BinnedSample:
    fines = [p.fine for p in predictors]
    nominal = [f.ends is None and not isinstance(f.preset, NumericBins) for f in fines]
    return BinnedSample(
        table.codes,
        tuple(f.classes + 1 for f in fines),
        tuple(p.direction or 0 for p in predictors),
        tuple(nominal),
        table.counts[GOODS],
        table.counts[BADS],
        table.fold if folds > 1 else np.zeros_like(table.fold),
        # Of a nominal column the class of rare or other categories stands apart too.
        tuple(
            f.classes - 1 if apart else f.preset.intervals if isinstance(f.preset, NumericBins) else f.ordered
            for f, apart in zip(fines, nominal, strict=True)
        ),
        offset,
    )


def _count(terms: Terms) -> int:
    return sum(bool(table.any()) for table in terms.alone) + len(terms.together)


def _strongest(sample: BinnedSample, terms: Terms, ridge: float, most: int) -> list[int]:
    """Return the columns to keep: of shapes in a logistic regression, the one missed least goes first."""
    design = np.stack([table[sample.codes[:, j]] for j, table in enumerate(terms.alone)], axis=1)
    limits = Limits.not_negative(design.shape[1])
    fit = fit_logistic(design, sample.goods, sample.bads, ridge=Ridge(ridge, 1.0), offset=sample.offset, limits=limits)
    return [int(place) for place in choose(fit, most)]


def _prune_pairs(terms: Terms, sample: BinnedSample) -> Terms:
    """Without shapes and pairs that hardly move anybody; a class without rows moves nobody where it stands apart."""
    masses, strengths = sample.masses, terms.strengths(sample.masses)
    together = {pair: grid.copy() for pair, grid in terms.together.items() if strengths[pair] >= _LEAST_SPREAD}
    alone = []
    for j, table in enumerate(terms.alone):
        spread = float(np.sqrt(masses[j] @ table**2))
        apart = (masses[j] == 0) & (np.arange(len(table)) >= sample.ordered[j])
        alone.append(np.where(apart, 0.0, table) if spread >= _LEAST_SPREAD else np.zeros(len(table)))
        for (first, second), grid in together.items():
            if first == j:
                grid[apart] = 0.0
            if second == j:
                grid[:, apart] = 0.0
    return Terms(terms.level, tuple(alone), together)


def _add_constant_columns(terms: Terms, columns: Sequence[int], whole: BinnedSample) -> Terms:
    """Return the terms of some columns as terms of all, with tables of zeros for the others."""
    alone = [np.zeros(size) for size in whole.sizes]
    for place, j in enumerate(columns):
        alone[j] = terms.alone[place]
    together = {(columns[i], columns[j]): grid for (i, j), grid in terms.together.items()}
    return Terms(terms.level, tuple(alone), together)


def _join_column(
    p: Predictor, j: int, terms: Terms, sample: BinnedSample, rules: AdditiveRules, slope: float
) -> Joined:
    """Return a column in attributes: neighbours alike in its shape and in all its pairs are one."""
    masses, fine, ordered = sample.masses, p.fine, sample.ordered[j]
    if fine.preset is not None:
        bins: Bins = fine.preset
        attribute_of = np.arange(fine.preset.count)
    else:
        profiles = [terms.alone[j][:, None]]
        profiles += [grid * np.sqrt(masses[b]) for (a, b), grid in terms.together.items() if a == j]
        profiles += [(np.sqrt(masses[a])[:, None] * grid).T for (a, b), grid in terms.together.items() if b == j]
        order = np.arange(ordered)
        if sample.nominal[j]:
            order = np.argsort(-terms.alone[j][:ordered], kind="stable")
        profile = slope * np.hstack(profiles)[order]
        at = join_classes(profile, masses[j][order], rules.max_bins, _LOSS)
        bins = _bins(fine, order, at)
        apart = np.arange(len(bins.groups) if isinstance(bins, CategoricalBins) else bins.intervals, bins.count)
        attribute_of = np.empty(len(masses[j]), dtype=np.intp)
        attribute_of[order] = at
        attribute_of[ordered:] = apart
    counts = np.stack(
        [
            np.bincount(attribute_of[sample.codes[:, j]], outcome, minlength=bins.count).astype(np.float64)
            for outcome in (sample.goods, sample.bads)
        ]
    )
    reference = int(np.argmax(counts.sum(axis=0)))
    if p.reference is not None and isinstance(bins, NumericBins):
        reference = bins.index_of(float(np.float32(p.reference)))
    return Joined(bins, attribute_of, counts, reference)


def _bins(fine: FineColumn, order: npt.NDArray[np.intp], at: npt.NDArray[np.intp]) -> Bins:
    """Bins of joint classes."""
    if fine.ends is None or fine.starts is None:
        groups: list[list[str]] = [[] for _ in range(int(at[-1]) + 1 if len(at) else 0)]
        for place, joint in zip(order, at, strict=True):
            groups[joint].append(str(fine.texts[place]))
        return CategoricalBins(tuple(map(tuple, groups)))
    lasts = np.flatnonzero(np.diff(at))
    cuts = [cut_between(fine.ends[last], fine.starts[last + 1]) for last in lasts]
    return NumericBins(tuple(cuts), fine.whole, fine.special)


def _coarse(terms: Terms, steps: Sequence[Joined], sample: BinnedSample) -> Terms:
    """Terms by attribute: means over the classes of each."""
    means = []
    for step, mass in zip(steps, sample.masses, strict=True):
        weights = np.zeros((step.bins.count, len(mass)))
        weights[step.attribute_of, np.arange(len(mass))] = np.maximum(mass, 1e-12)
        means.append(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300))
    return Terms(
        terms.level,
        tuple(mean @ table for mean, table in zip(means, terms.alone, strict=True)),
        {(i, j): means[i] @ grid @ means[j].T for (i, j), grid in terms.together.items()},
    )


def _points(
    anchored: Terms, steps: Sequence[Joined], predictors: Sequence[Predictor], factor: float, rules: AdditiveRules
) -> tuple[list[Real], Mapping[tuple[int, int], Real]]:
    """Whole points against the reference, within the limits of the profile and in the lawful order."""
    alone = [factor * table for table in anchored.alone]
    grids = {pair: np.rint(factor * grid) for pair, grid in anchored.together.items()}
    grids = {pair: grid for pair, grid in grids.items() if grid.any()}
    moving = sum(bool((table > 0).any()) for table in alone)
    addable = sum(max(float(table.max(initial=0.0)), 0.0) for table in alone)
    if moving and np.isfinite(rules.addable_points):
        cap_factor = min(1.0, max(rules.addable_points - 0.5 * moving, 0.0) / max(addable, 1e-9))
        alone = [np.where(table > 0, cap_factor * table, table) for table in alone]
    removable = -sum(float(table.min(initial=0.0)) for table in alone) - sum(float(g.min()) for g in grids.values())
    if np.isfinite(rules.removable_points) and removable > rules.removable_points - 0.5 * len(alone):
        share = max(rules.removable_points - 0.5 * (len(alone) + len(grids)), 0.0) / removable
        alone = [share * table for table in alone]
        grids = {pair: np.fix(share * grid) for pair, grid in grids.items()}
    rounded = [np.rint(table) for table in alone]
    for j, (p, step) in enumerate(zip(predictors, steps, strict=True)):
        if p.direction and isinstance(step.bins, NumericBins):
            rounded[j] = _in_order(rounded[j], j, grids, p.direction, step)
    return rounded, grids


def _in_order(table: Real, j: int, grids: Mapping[tuple[int, int], Real], direction: int, step: Joined) -> Real:
    """Return the table with what rounding a pair put against the trend taken back, step by step from the reference."""
    intervals = step.bins.intervals if isinstance(step.bins, NumericBins) else 0
    against = np.zeros(max(intervals - 1, 0))
    worst = [
        (np.diff((grid if pair[0] == j else grid.T)[:intervals], axis=0) * direction).max(axis=1)
        for pair, grid in grids.items()
        if j in pair
    ]
    against = np.maximum(np.diff(table[:intervals]) * direction + sum(worst, np.zeros(max(intervals - 1, 0))), 0.0)
    ordered = table.copy()
    ordered[:intervals] -= direction * np.append(0.0, np.cumsum(against))
    if step.reference < intervals:
        ordered[:intervals] -= ordered[step.reference]
    return ordered


def _characteristic(p: Predictor, step: Joined, points: tuple[int, ...]) -> Characteristic:
    goods, bads = step.counts
    whole = step.counts.sum()
    smooth = step.counts + 0.5
    woe = np.log(smooth[GOODS] / smooth[BADS]) - np.log(goods.sum() / bads.sum())
    attributes = tuple(
        Attribute(
            point, float(w) if g + b > 0 else 0.0, float((g + b) / whole), float(b / (g + b)) if g + b > 0 else None
        )
        for point, w, g, b in zip(points, woe, goods, bads, strict=True)
    )
    if isinstance(step.bins, NumericBins):
        ends = [(high > low) - (high < low) for low, high in pairwise(points[: step.bins.intervals])]
        trend = 0 if {1, -1} <= set(ends) else -max(ends, default=0) or -min(ends, default=0)
    else:
        trend = 0
    return Characteristic(
        p.name, step.bins, attributes, step.reference, p.direction or trend, 0.0, p.policy, p.definition
    )
