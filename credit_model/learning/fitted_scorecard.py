"""Make a card of fine classes: bin, fit, choose, calibrate on rows the fit has not seen, round to points.

Every step that looks at the outcome runs once for each fold without it, so that calibration sees honest scores, and
then once on everybody. Characteristics are left out one by one, the least useful first, until the rest are few enough
and each is worth its place.

In: a table of fine classes, what to predict with, limits from the profile.
Out: a ``Card``, and what was learned on the way to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from credit_model.learning.calibration import (
    LEAST_CAP_FACTOR,
    LEAST_POLICY_FACTOR,
    AffineCalibration,
    GradeInterval,
    fit_line,
    fit_map,
    grade_intervals,
)
from credit_model.learning.fine_classes import BADS, GOODS, Binning
from credit_model.learning.fine_table import FineTable
from credit_model.learning.logistic import Limits, LogisticFit, LookedUp, Ridge, fit_logistic
from credit_model.learning.optimal_binning import BinningRules, optimal_binnings, ordered_woe
from credit_model.learning.predictors import Predictor
from credit_model.learning.single_record import SingleRecordCaps, distinct_holders
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import Profile

Real = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

# A characteristic stays if it adds at least this much log-likelihood. Akaike's price of a parameter is 1; with weights
# that cannot be negative a quarter of it ranks better on unseen rows.
_WORTH = 0.25
# Of very many columns, those of the greatest information value are tried.
_MOST_TRIED = 120
_NO_WEIGHT = 1e-6


@dataclass(frozen=True)
class ScorecardRules:
    """Limits of a scorecard: ``addable_points`` and ``removable_points`` are log-odds against the reference row.

    ``capped_points`` are the log-odds that one record of each severity class may cost, under ``caps``.
    Rounding to points may move each characteristic by ``half_point`` (in log-odds); room is left for it. What would be
    taken beyond the limit is a limit on the weights; what would be added is scaled down, see
    :meth:`FittedScorecard.log_odds`.
    """

    binning: BinningRules
    max_characteristics: int
    ridge: float
    addable_points: float
    removable_points: float
    half_point: float
    caps: SingleRecordCaps | None = None
    capped_points: tuple[float, ...] = ()

    def before(self, line: AffineCalibration) -> ScorecardRules:
        """Return the limit on weights that the slope of a line has yet to multiply."""
        slope = max(line.slope, 1e-9)
        return replace(
            self,
            removable_points=self.removable_points / slope,
            half_point=self.half_point / slope,
            capped_points=tuple(cap / slope for cap in self.capped_points),
        )


@dataclass(frozen=True, eq=False)
class FittedScorecard:
    """What was learned of each column: binning; counts, WOE and reference by attribute; weight (0: not used).

    ``intercept`` are the log-odds of the reference row. ``before`` is the fit of all columns before any was left
    out, the log-odds where every WOE is 0 first: where the fit of much the same rows may start.
    """

    intercept: float
    binnings: tuple[Binning, ...]
    counts: tuple[Real, ...]
    woes: tuple[Real, ...]
    references: tuple[int, ...]
    weights: Real
    before: Real

    def relative(self, column: int) -> Real:
        """WOE by attribute against the reference attribute."""
        woe = self.woes[column]
        return np.asarray(woe - woe[self.references[column]])

    def parts(self, codes: npt.NDArray[np.uint8]) -> tuple[Real, Real]:
        """Log-odds of rows of fine codes below and above those of the reference row, without points that are set."""
        below, above = np.zeros(len(codes)), np.zeros(len(codes))
        for j in np.flatnonzero(self.weights).tolist():
            parts = (self.weights[j] * self.relative(j))[self.binnings[j].attribute_of]
            for total, part in ((below, np.minimum(parts, 0.0)), (above, np.maximum(parts, 0.0))):
                if part.any():
                    total += part[codes[:, j]]
        return below, above

    def cap_factor(self, slope: float, rules: ScorecardRules) -> float:
        """Return what everything above the reference row is multiplied by, so that together it stays below the cap."""
        used = np.flatnonzero(self.weights).tolist()
        above = [slope * self.weights[j] * self.relative(j).max() for j in used]
        moving = sum(most > 0 for most in above)
        room = max(rules.addable_points - rules.half_point * moving, 0.0)
        return float(min(1.0, room / sum(above))) if moving else 1.0

    def log_odds(self, column: int, slope: float, cap_factor: float) -> Real:
        """Log-odds by attribute as points will state them: calibrated, against the reference, scaled down above it.

        A common factor keeps the order among people who have only positive records. Limits on the weights would not:
        the likelihood then spends the cap on the strongest characteristics and drops the others.
        """
        log_odds = slope * self.weights[column] * self.relative(column)
        return np.asarray(np.where(log_odds > 0, cap_factor * log_odds, log_odds), np.float64)

    def information_value(self, column: int) -> float:
        """Information value of a column in its (smoothed) WOE."""
        by_outcome = self.counts[column][[GOODS, BADS]]
        share = by_outcome / by_outcome.sum(axis=1, keepdims=True)
        return float(((share[0] - share[1]) * self.woes[column]).sum())


def make_card(
    predictors: Sequence[Predictor],
    table: FineTable,
    folds: int,
    rules: ScorecardRules,
    profile: Profile,
    kernel: int | None,
) -> tuple[Card, FittedScorecard, AffineCalibration, tuple[GradeInterval, ...]]:
    """Make a card of a table.

    Parameters
    ----------
    predictors : sequence of Predictor
        One for each column of the table.
    table : FineTable
    folds : int
        Folds of the table. Where there is one, or goods or bads are missing outside one, there is nothing unseen to
        calibrate on, and the fit is taken as it is.
    rules : ScorecardRules
    profile : Profile
    kernel : int or None
        Version of the kernel that computes the features; None for raw columns.
    """
    by_fold = [table.by_class(j, p.fine.classes, folds) for j, p in enumerate(predictors)]
    loss, gain = np.zeros((2, len(table.fold)))
    for j, p in enumerate(predictors):
        if p.set_points is not None:
            points = np.asarray(p.set_points)
            loss += np.minimum(points, 0)[table.codes[:, j]]
            gain += np.maximum(points, 0)[table.codes[:, j]]
    set_points = loss + gain
    goods, bads = table.counts[GOODS], table.counts[BADS]
    policy_factor = _policy_factor(rules, gain / profile.factor, goods, bads)
    offset = (loss + gain / policy_factor) / profile.factor
    everybody = np.ones(len(goods), dtype=bool)
    others = [table.fold != fold for fold in range(folds)]
    if folds < 2 or any(goods[rows].sum() == 0 or bads[rows].sum() == 0 for rows in others):
        others = [everybody]
    # Each row is judged by a model that has not seen it, where there is one.
    models: list[tuple[FittedScorecard, Rows]] = []
    for fold, rows in enumerate(others):
        training_rows, start = _outside(by_fold, fold, len(others)), models[-1][0] if models else None
        models.append((fit_scorecard(predictors, table, training_rows, rows, offset, rules, start), rows))
    level_of, below, above = np.zeros((3, len(goods)))
    for model, rows in models:
        test_rows = ~rows if len(others) > 1 else rows
        level_of[test_rows] = model.intercept
        below[test_rows], above[test_rows] = model.parts(table.codes[test_rows])
    line = fit_line(level_of + below + above, goods, bads, offset) if len(others) > 1 else AffineCalibration(0.0, 1.0)

    # The line is folded into the weights, so the last fit leaves it room within the limits.
    final = fit_scorecard(
        predictors, table, _outside(by_fold, 0, 1), everybody, offset, rules.before(line), models[-1][0]
    )
    cap_factor = final.cap_factor(line.slope, rules)
    characteristics = tuple(
        c
        for j, p in enumerate(predictors)
        if any((c := _characteristic(p, final, j, line.slope, cap_factor, profile)).points)
    )
    reach = [sum(end(c.points) for c in characteristics) for end in (min, max)]
    # A row gets the points of its own model, on the scale of the last one. Where not all of them state their points
    # against the same row (that of the most frequent attributes may be another), their levels are compared too.
    level = line.at(final.intercept)
    log_odds = line.slope * (below + cap_factor * above)
    if any(p.reference is None for p in predictors):
        log_odds += line.at(level_of) - level
    points = np.rint(profile.factor * log_odds + set_points).astype(np.int64)
    stands_for = min(max(cap_factor, LEAST_CAP_FACTOR), policy_factor)
    probabilities = fit_map(points, goods, bads, level, profile, reach, stands_for)
    card = Card("scorecard", profile, characteristics, probabilities, kernel)
    return card, final, line, grade_intervals(points, table.counts, profile)


def _policy_factor(rules: ScorecardRules, gain: Real, goods: Real, bads: Real) -> float:
    """Return what part of the log-odds that positive records stand for a policy gives in points, where it gives all.

    Declared points are few and what they stand for is not: whoever has them would otherwise be taken for riskier than
    they are, and so would everybody else for safer.
    """
    if rules.caps is None or not gain.any():  # beside caps, nothing that is learned may add
        return 1.0
    fit = fit_logistic(gain[:, None], goods, bads, ridge=Ridge(0.01, centre=1.0), limits=Limits.not_negative(1))
    return float(np.clip(1.0 / max(fit.weights[0], 1e-9), LEAST_POLICY_FACTOR, 1.0))


def _outside(by_fold: Sequence[Real], fold: int, folds: int) -> list[Real]:
    """Return counts of each column outside a fold, or of everybody where there is but one."""
    return [counts.sum(axis=0) - (counts[fold] if folds > 1 else 0.0) for counts in by_fold]


def fit_scorecard(
    predictors: Sequence[Predictor],
    table: FineTable,
    counts: Sequence[Real],
    rows: Rows,
    offset: Real,
    rules: ScorecardRules,
    start: FittedScorecard | None = None,
) -> FittedScorecard:
    """Class every column, then fit and choose.

    Parameters
    ----------
    predictors, table
        As in :func:`make_card`.
    counts : sequence of array, shape (4, classes + 1)
        By fine class of each column, of the rows to learn from.
    rows : array of bool
        Rows of the table to learn from.
    offset : array
        Log-odds by row of points that are set.
    rules : ScorecardRules
    start : FittedScorecard, optional
        Of the same columns and much the same rows.
    """
    binnings = optimal_binnings([p.fine for p in predictors], counts, [p.direction for p in predictors], rules.binning)
    by_attribute = [binning.counts(fine) for binning, fine in zip(binnings, counts, strict=True)]
    woes, references = [], []
    for p, binning, attribute_counts in zip(predictors, binnings, by_attribute, strict=True):
        woe = ordered_woe(attribute_counts, binning, rules.binning)
        reference = _reference(p, binning, attribute_counts)
        missing = binning.bins.missing
        # The kernel gives no missing value where "none" is a number; should one come all the same, it costs nothing.
        if p.definition is not None and not p.definition.missing and not attribute_counts[:, missing].any():
            woe[missing] = woe[reference]
        woes.append(woe)
        references.append(reference)
    none = np.zeros(len(predictors))
    blank = FittedScorecard(0.0, tuple(binnings), tuple(by_attribute), tuple(woes), tuple(references), none, none)
    value = np.array([blank.information_value(j) if p.set_points is None else 0.0 for j, p in enumerate(predictors)])
    candidates = np.sort(np.argsort(-value, kind="stable")[:_MOST_TRIED])
    candidates = candidates[value[candidates] > 1e-9]
    if rules.caps is not None and len(candidates):
        people = (table.counts[GOODS] + table.counts[BADS])[rows]
        classes = np.array([rules.caps.counts_from.get(predictors[j].name, 0) for j in candidates.tolist()], np.intp)
        away = _away(blank, table, candidates, rows)
        candidates = candidates[distinct_holders(away, people, classes, value[candidates])]
    return _fit_and_choose(blank, predictors, candidates, table, rows, offset, rules, start)


def _away(blank: FittedScorecard, table: FineTable, columns: npt.NDArray[np.intp], rows: Rows) -> Rows:
    """Return which rows stand away from the reference of each column."""
    off = [blank.binnings[j].attribute_of != blank.references[j] for j in columns.tolist()]
    return np.stack([one[table.codes[rows, j]] for one, j in zip(off, columns.tolist(), strict=True)], axis=1)


def _costs_of_one(
    blank: FittedScorecard, predictors: Sequence[Predictor], columns: npt.NDArray[np.intp], rules: ScorecardRules
) -> list[Real]:
    """Return, for each capped class, what one record of it takes in WOE through each column, at its worst."""
    costs = [np.zeros(len(columns)) for _ in rules.capped_points]
    for place, j in enumerate(columns.tolist()):
        definition, bins = predictors[j].definition, blank.binnings[j].bins
        if rules.caps is None or definition is None or not isinstance(bins, NumericBins):
            continue
        for severity, cost in enumerate(costs, 1):
            value = rules.caps.worst(definition, severity)
            if value is not None:
                cost[place] = max(-blank.relative(j)[bins.index_of(float(np.float32(value)))], 0.0)
    return costs


def _reference(p: Predictor, binning: Binning, counts: Real) -> int:
    if p.reference is None or not isinstance(binning.bins, NumericBins):
        return int(np.argmax(counts[GOODS] + counts[BADS]))
    return binning.bins.index_of(float(np.float32(p.reference)))


def _fit_and_choose(
    blank: FittedScorecard,
    predictors: Sequence[Predictor],
    candidates: npt.NDArray[np.intp],
    table: FineTable,
    rows: Rows,
    offset: Real,
    rules: ScorecardRules,
    start: FittedScorecard | None,
) -> FittedScorecard:
    """Return the scorecard with its weights: fit the candidates, drop what is not worth its place, fit the rest."""
    goods, bads = (np.where(rows, table.counts[outcome], 0.0) for outcome in (GOODS, BADS))
    relative = [blank.relative(j) for j in candidates.tolist()]
    tables = [
        woe[blank.binnings[j].attribute_of].astype(np.float32)
        for woe, j in zip(relative, candidates.tolist(), strict=True)
    ]
    below = np.array([max(-woe.min(), 0.0) for woe in relative])
    of_one = _costs_of_one(blank, predictors, candidates, rules)

    def fit(columns: npt.NDArray[np.intp], start: LogisticFit | None) -> LogisticFit:
        moving = min(int((below[columns] > 0).sum()), rules.max_characteristics)
        room = max(rules.removable_points - rules.half_point * moving, 0.0)
        limits = Limits.not_negative(len(columns)).and_at_most(below[columns], room)
        for costs, cap in zip(of_one, rules.capped_points, strict=True):
            moving = min(int((costs[columns] > 0).sum()), rules.max_characteristics)
            limits = limits.and_at_most(costs[columns], max(cap - rules.half_point * moving, 0.0))
        design = LookedUp(table.codes, candidates[columns].tolist(), [tables[place] for place in columns.tolist()])
        return fit_logistic(design, goods, bads, ridge=Ridge(rules.ridge), offset=offset, limits=limits, start=start)

    middle = np.array([blank.woes[j][blank.references[j]] for j in candidates.tolist()])
    near = None
    if start is not None:
        weights = start.before[1 + candidates]
        near = LogisticFit(float(start.before[0] + weights @ middle), weights, None)
    first = fit(np.arange(len(candidates)), near)
    chosen_columns = choose(first, rules.max_characteristics)
    last = fit(chosen_columns, _without(first, chosen_columns))
    weights, before = np.zeros(len(blank.weights)), np.zeros(1 + len(blank.weights))
    weights[candidates[chosen_columns]] = np.where(last.weights > _NO_WEIGHT, last.weights, 0.0)
    before[0], before[1 + candidates] = first.intercept - first.weights @ middle, first.weights
    return replace(blank, intercept=last.intercept, weights=weights, before=before)


def _without(fit: LogisticFit, columns: npt.NDArray[np.intp]) -> LogisticFit:
    """Where a fit goes, by its curvature, when only some of its weights are kept."""
    assert fit.curvature is not None
    at = np.concatenate([[0], columns + 1])
    omitted = np.setdiff1d(np.arange(len(fit.weights)), columns)
    curvature = fit.curvature[np.ix_(at, at)]
    change = np.linalg.solve(curvature, fit.curvature[np.ix_(at, omitted + 1)] @ fit.weights[omitted])
    return LogisticFit(fit.intercept + float(change[0]), np.maximum(fit.weights[columns] + change[1:], 0.0), curvature)


def choose(fit: LogisticFit, most: int) -> npt.NDArray[np.intp]:
    """Return which weights to keep: the one whose loss costs least likelihood goes, until the rest are worth it.

    The cost is read from the curvature H at the fit, ``w² / 2 (H⁻¹)``; leaving one out moves the others accordingly.
    """
    columns = np.flatnonzero(fit.weights > _NO_WEIGHT)
    weights = fit.weights[columns]
    assert fit.curvature is not None
    at = np.concatenate([[0], columns + 1])
    spread = np.linalg.inv(fit.curvature[np.ix_(at, at)])[1:, 1:]
    while len(columns):
        cost = np.where(weights <= 0, 0.0, weights**2 / (2 * np.diag(spread)))
        least = int(np.argmin(cost))
        if len(columns) <= most and cost[least] >= _WORTH:
            break
        weights = np.delete(weights - spread[:, least] * weights[least] / spread[least, least], least)
        spread = spread - np.outer(spread[:, least], spread[least]) / spread[least, least]
        spread = np.delete(np.delete(spread, least, axis=0), least, axis=1)
        columns = np.delete(columns, least)
    return columns


def _characteristic(
    p: Predictor, scorecard: FittedScorecard, column: int, slope: float, cap_factor: float, profile: Profile
) -> Characteristic:
    """Return a column as a characteristic of the card, with whole points against its reference."""
    weight = slope * float(scorecard.weights[column])
    points = p.set_points or tuple(profile.points(v) for v in scorecard.log_odds(column, slope, cap_factor).tolist())
    goods, bads = scorecard.counts[column][GOODS], scorecard.counts[column][BADS]
    share = (goods + bads) / (goods + bads).sum()
    attributes = tuple(
        Attribute(point, float(woe), float(s), float(b / (g + b)) if g + b > 0 else None)
        for point, woe, s, g, b in zip(points, scorecard.woes[column], share, goods, bads, strict=True)
    )
    binning = scorecard.binnings[column]
    return Characteristic(
        p.name,
        binning.bins,
        attributes,
        scorecard.references[column],
        binning.direction,
        weight,
        p.policy,
        p.definition,
    )
