"""The scorecard as a scikit-learn classifier: fit it to a development sample, and what it is, is its card.

    bin -> WOE -> logistic of lawful sign -> line (cross-fitted, folded into the weights) -> integer points -> map
    boost -> shapes and pairs -> few attributes -> line (cross-fitted) -> integer points -> map

Two methods, one kind of card.

``predict_proba`` is the probability of the card, to the last bit: there is no second model behind it.

In: a frame of features (or any raw frame), outcomes, weights, subjects.
Out: a fitted classifier, and its ``Card``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.learning.additive_card import AdditiveRules, make_additive_card
from credit_model.learning.calibration import AffineCalibration
from credit_model.learning.fine_table import FineTable
from credit_model.learning.fitted_scorecard import ScorecardRules, make_card
from credit_model.learning.frames import Table, read_columns, read_groups, read_outcome, rows_of
from credit_model.learning.optimal_binning import BinningRules
from credit_model.learning.predictors import (
    Bins,
    Predictor,
    Prior,
    SetPoints,
    is_number,
    is_whole,
    predictor_of,
    with_edits,
)
from credit_model.learning.single_record import SingleRecordCaps
from credit_model.scorecard.bins import BinEdits, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.scale import Profile, load_profile

if TYPE_CHECKING:
    from credit_model.features.definition import FeatureDefinition

Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FOLDS = 5
LEAST_EVENTS = 5
MOST_PAIRS = 10
# With the most characteristics and the most attributes of each, where nothing is said.
METHODS = {"woe_logistic": (20, 8), "additive": (40, 20)}


class ScorecardClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scorecard: binary classifier whose prediction is a sum of integer points that people can read.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition, optional
        One for each column: trend, value of "nothing on record", labels, reason. Without, columns are raw: numbers or
        categories, the trend chosen from the data, points against the most frequent attribute of each.
    profile : str, Path or Profile, optional
        The scale. Default: ``zhejiang_1000`` with definitions, ``open_600`` without.
    method : {"additive", "woe_logistic"}
        How points are learned. ``additive``: boosting finds the shape of each column, which may turn where no trend is
        declared, and pairs of columns; needs LightGBM. ``woe_logistic``: bins of greatest information value, one weight
        for each column, every column in one trend. What the method does not take is refused.
    max_characteristics : int, optional
        Most characteristics in the card, pairs among them, policy ones not counted. Default: 20, ``additive`` 40.
    max_pairs : int
        Most pairs, ``additive`` only; each must lower the log loss out of fold. None where the profile caps what may be
        added.
    max_bins : int, optional
        Most attributes of a characteristic, beside the missing one. Default: 8; ``additive`` 20,
        and no more than a shape needs.
    min_share : float, optional
        Least weighted share of rows in an attribute, ``woe_logistic`` only. Default: 0 with definitions, since a record
        may be as rare as it is telling; without, that of 50 rows, at most 0.05.
    min_events : int
        Least number of rows of the rarer outcome in an attribute: seen, or expected there at the average rate;
        ``woe_logistic`` only.
    penalty : float
        Ridge on the weights of the WOEs.
    policy_points : sequence of mappings
        Points set instead of learned: ``characteristic``, ``points`` (one an attribute, absence first), ``approver``,
        ``ground`` and, unless the values are 0, 1, 2, …, ``cuts``.
    record_monotone : bool, optional
        Demand that one more adverse record can never raise the score, nor one more positive record lower it.
        Default: demanded with definitions.
    bins : mapping of str to NumericBins, CategoricalBins or BinEdits, optional
        Bins to use as they are, for example an edited ``clf.bins_[name].merge(1)``, or, ``woe_logistic`` only, edits of
        what is learned from all rows.
    special_values : mapping of str to sequence of float, optional
        Numbers with a meaning of their own in raw columns (-999: not asked), each an attribute outside the trend;
        ``woe_logistic`` only.
    bad : label, optional
        The label of ``y`` that means bad. Not needed for 0 and 1, False and True, and pairs of words with one meaning
        (good and bad, paid, performing or non-default and default, 好 and 坏, 正常 and 违约); any other pair is refused
        without it.
    single_record : SingleRecordCaps, optional
        The most points that one record may cost through all learned characteristics together, by its severity class;
        of characteristics that hold the same people one is tried. With the method ``woe_logistic``.

    Attributes
    ----------
    card_ : Card
        What was learned; see :meth:`to_card`.
    bins_ : dict of str to NumericBins or CategoricalBins
        Bins of every column, whether the card uses it or not.
    information_values_ : dict of str to float
        Information value of every column in its bins.
    calibration_ : dict
        ``shift`` and ``slope`` of the cross-fitted line.
    grades_ : tuple of GradeInterval
        Of every grade, lowest first: probability of bad on rows not seen, with its 95 % interval (Jeffreys).
    classes_, n_features_in_, feature_names_in_
        As everywhere in scikit-learn: the labels are sorted, whichever of them is bad.
    bad_ : label
        The one of ``classes_`` that means bad.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"arrears": rng.poisson(0.5, 2000), "age": rng.integers(18, 80, 2000)})
    >>> y = (rng.random(2000) < 1 / (1 + np.exp(2.5 - X["arrears"]))).astype(int)
    >>> clf = ScorecardClassifier().fit(X, y)
    >>> card = clf.to_card("demo")
    >>> bool((clf.predict_proba(X)[:, 1] == card.score(X[list(card.columns)])["probability_of_bad"]).all())
    True
    """

    def __init__(
        self,
        definitions: Sequence[FeatureDefinition] | None = None,
        profile: str | Path | Profile | None = None,
        max_characteristics: int | None = None,
        max_bins: int | None = None,
        min_share: float | None = None,
        min_events: int = LEAST_EVENTS,
        penalty: float = 3.0,
        policy_points: Sequence[object] = (),
        record_monotone: bool | None = None,
        bins: Mapping[str, Bins | BinEdits] | None = None,
        special_values: Mapping[str, Sequence[float]] | None = None,
        method: str = "additive",
        max_pairs: int = MOST_PAIRS,
        bad: object = None,
        single_record: SingleRecordCaps | None = None,
    ) -> None:
        self.definitions = definitions
        self.profile = profile
        self.max_characteristics = max_characteristics
        self.max_bins = max_bins
        self.min_share = min_share
        self.min_events = min_events
        self.penalty = penalty
        self.policy_points = policy_points
        self.record_monotone = record_monotone
        self.bins = bins
        self.special_values = special_values
        self.method = method
        self.max_pairs = max_pairs
        self.bad = bad
        self.single_record = single_record

    def fit(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        periods: npt.ArrayLike | None = None,
    ) -> ScorecardClassifier:
        """Learn a card.

        Parameters
        ----------
        X : frame or array, shape (rows, columns)
        y : array, shape (rows,)
            Two labels, of which one means bad (see ``bad``).
        sample_weight : array, optional
            Used everywhere; least numbers of events count rows.
        groups : array, optional
            Subjects: all rows of one are in the same fold of the cross-fitted calibration.
        periods : array, optional
            Period of each row: the order of the attributes by WOE must hold in every one, over all rows;
            ``woe_logistic`` only.

        Raises
        ------
        UserError
            With everything that is wrong with the settings, the columns or the outcome.
        """
        columns = read_columns(self, X, reset=True)
        outcome = read_outcome(rows_of(columns), y, sample_weight, self.bad)
        bad, weight = outcome.bad, outcome.weight
        self.classes_, self._bad_place = outcome.classes, outcome.bad_place
        self.bad_ = self.classes_[self._bad_place]
        subjects = None if groups is None else read_groups(groups, outcome.has_weight, "groups")
        self._in_periods = periods is not None
        period = None if periods is None else read_groups(periods, outcome.has_weight, "periods")
        profile = load_profile(self.profile or ("zhejiang_1000" if self.definitions is not None else "open_600"))
        definitions, set_points = self._checked(list(columns), profile)
        bins, special = self.bins or {}, self.special_values or {}

        def prior_of(name: str) -> Prior:
            return Prior(definitions.get(name), set_points.get(name), bins.get(name), special.get(name, ()))

        predictors = [
            predictor_of(name, outcome.of(column), weight, profile, prior_of(name)) for name, column in columns.items()
        ]
        empty = [p.name for p in predictors if p.definition is None and p.fine.is_empty]
        if empty:
            raise UserError(f"fit: every value is missing in: {', '.join(empty)}. Leave these columns out.")
        fewest = int(min(bad.sum(), (~bad).sum()))
        folds = FOLDS if fewest >= FOLDS else 1
        rules = self._rules(predictors, profile, len(bad))
        if period is not None:
            predictors = [replace(p, fine=p.fine.with_periods(bad, weight, period)) for p in predictors]
        predictors = [
            with_edits(p, edits, outcome.of(columns[p.name]), bad, weight, rules.binning)
            if isinstance(edits := bins.get(p.name), BinEdits)
            else p
            for p in predictors
        ]
        table = FineTable.build([p.fine for p in predictors], bad, weight, subjects, folds)
        predictors = [replace(p, fine=p.fine.without_rows()) for p in predictors]
        kernel = _kernel_version() if definitions else None
        with threadpool_limits(1, user_api="blas"):  # the same card on any number of cores, and no waiting for them
            if self.method == "additive":
                additive = self._additive_rules(predictors, profile)
                card, binnings, line, grades = make_additive_card(predictors, table, folds, additive, profile, kernel)
                self.bins_ = {name: column.bins for name, column in binnings.items()}
                self.information_values_ = {name: column.information_value for name, column in binnings.items()}
            else:
                card, fit, line, grades = make_card(predictors, table, folds, rules, profile, kernel)
                self.bins_ = {p.name: binning.bins for p, binning in zip(predictors, fit.binnings, strict=True)}
                self.information_values_ = {p.name: fit.information_value(j) for j, p in enumerate(predictors)}
        self.card_ = replace(card, provenance={"development": self._summary(bad, weight, line)})
        self.calibration_ = dict(vars(line))
        self.grades_ = grades
        return self

    def to_card(self, name: str = "scorecard", provenance: JsonObject | None = None) -> Card:
        """Return the card, named, with what the caller knows of where it comes from added to its provenance."""
        check_is_fitted(self, "card_")
        return replace(self.card_, name=name, provenance={**self.card_.provenance, **(provenance or {})})

    def predict_proba(self, X: Table) -> Real:
        """Return the probability of each class, in the order of ``classes_``; that of bad is the card's."""
        scores = self._scores(X)
        bad = self.card_.probability(scores)
        return np.column_stack([1.0 - bad, bad] if self._bad_place else [bad, 1.0 - bad])

    def decision_function(self, X: Table) -> Real:
        """Return the log-odds of ``classes_[1]``, by the card's map: bad : good where bad is the greater label."""
        scores = self._scores(X)
        steps = range(self.card_.least, self.card_.greatest + 1)
        sign = -1.0 if self._bad_place else 1.0
        table = np.asarray([sign * self.card_.probabilities.log_odds(score) for score in steps])
        return table[scores - self.card_.least]

    def predict(self, X: Table) -> npt.NDArray[np.generic]:
        """Return the more likely class."""
        is_greater = self.decision_function(X) > 0
        return np.asarray(self.classes_[is_greater.astype(int)])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def _scores(self, X: Table) -> npt.NDArray[np.int32]:
        check_is_fitted(self, "card_")
        columns = read_columns(self, X, reset=False)
        used = {name: columns[name] for name in self.card_.columns}
        return self.card_.scores(used) if used else np.full(rows_of(columns), self.card_.base, dtype=np.int32)

    # ------------------------------------------------------------------ settings

    def _checked(
        self, columns: list[str], profile: Profile
    ) -> tuple[dict[str, FeatureDefinition], dict[str, SetPoints]]:
        """Definitions and set points by column, once every setting is right."""
        share = 0.0 if self.min_share is None else self.min_share
        faults = [
            f"{name} must be {what}, not {getattr(self, name)!r}"
            for name, right, what in (
                ("method", self.method in METHODS, f"one of {', '.join(METHODS)}"),
                ("max_characteristics", is_whole(self._most_characteristics, 1), "a whole number from 1"),
                ("max_pairs", is_whole(self.max_pairs, 0), "a whole number from 0"),
                ("max_bins", is_whole(self._most_bins, 2, 50), "a whole number from 2 to 50"),
                ("min_events", is_whole(self.min_events, 1), "a whole number from 1"),
                ("min_share", is_number(share) and 0 <= share < 0.5, "a share from 0 to below 0.5"),
                ("penalty", is_number(self.penalty) and self.penalty > 0, "a number above 0"),
            )
            if not right
        ]
        definitions = {d.name: d for d in self.definitions or ()}
        if self.definitions is not None:
            faults += [f"column {name!r} has no definition" for name in columns if name not in definitions]
            faults += [f"there is no column for definition {name!r}" for name in definitions if name not in columns]
        if self.record_monotone and self.definitions is None:
            faults.append("record_monotone needs definitions: how records move a raw column is not known")
        if self.record_monotone is not False:
            unsafe = [name for name, d in definitions.items() if not d.record_monotone]
            if unsafe:
                faults.append(
                    f"not record-monotone: {', '.join(unsafe)} (one more adverse record could raise the score); leave "
                    "them out, or set record_monotone=False for an exploration"
                )
        for name, bins in (self.bins or {}).items():
            if name not in columns:
                faults.append(f"bins are given for an unknown column {name!r}")
            elif name in definitions and not isinstance(bins, NumericBins | BinEdits):
                faults.append(f"the bins of feature {name!r} must be numeric")
        for name in self.special_values or {}:
            if name not in columns or name in definitions:
                faults.append(f"special values are given for {name!r}, which is no raw column")
        faults += self._foreign_arguments()
        reserved = [name for name in columns if name in ("subject_id", "as_of", "base")]
        if reserved:
            faults.append(f"a characteristic cannot be called {', '.join(reserved)}: the name has a meaning of its own")
        policies = {}
        for entry in self.policy_points:
            points = SetPoints.read(entry, definitions, faults)
            if points.characteristic not in columns:
                faults.append(f"policy points for an unknown characteristic {points.characteristic!r}")
            if points.characteristic in policies:
                faults.append(f"policy points for {points.characteristic!r} are given twice")
            policies[points.characteristic] = points
        if self.single_record is not None:
            faults += [
                f"column {name!r} counts no adverse record; beside single_record= only policy points may add"
                for name in columns
                if name not in policies and name not in self.single_record.counts_from
            ]
        addable = sum(max(p.points, default=0) for p in policies.values())
        removable = -sum(min(p.points, default=0) for p in policies.values())
        if addable > profile.addable_points or removable > profile.removable_points:
            faults.append(
                f"policy points may add {addable} and take {removable}; profile {profile.name!r} allows "
                f"{profile.addable_points} and {profile.removable_points}"
            )
        if faults:
            raise UserError("fit: " + "; ".join(faults), tuple(faults))
        return definitions, policies

    def _rules(self, predictors: Sequence[Predictor], profile: Profile, rows: int) -> ScorecardRules:
        """Return what a scorecard must keep to: policy points have used their part of what may be added or taken."""
        share = self.min_share
        if share is None:
            share = 0.0 if self.definitions is not None else min(0.05, 50 / rows)
        rules = BinningRules(self._most_bins, share, self.min_events)
        addable, removable = _left_by_policy(predictors, profile)
        unit = profile.factor
        caps = self.single_record
        return ScorecardRules(
            rules, self._most_characteristics, self.penalty, addable / unit, removable / unit, 0.5 / unit,
            caps, () if caps is None else tuple(cap / unit for cap in caps.points),
        )  # fmt: skip

    def _additive_rules(self, predictors: Sequence[Predictor], profile: Profile) -> AdditiveRules:
        addable, removable = _left_by_policy(predictors, profile)
        return AdditiveRules(
            self._most_bins, self._most_characteristics, self.max_pairs, self.penalty, addable, removable
        )

    def _foreign_arguments(self) -> list[str]:
        """Name the arguments that only the other method takes."""
        if self.method == "woe_logistic":
            other, foreign = "additive", {"max_pairs=": self.max_pairs != MOST_PAIRS}
        elif self.method == "additive":
            edits = any(isinstance(bins, BinEdits) for bins in (self.bins or {}).values())
            other, foreign = "woe_logistic", {
                "min_share=": self.min_share is not None, "min_events=": self.min_events != LEAST_EVENTS,
                "special_values=": bool(self.special_values), "periods=": self._in_periods, "edits in bins=": edits,
                "single_record=": self.single_record is not None,
            }  # fmt: skip
        else:
            return []
        names = ", ".join(name for name, is_given in foreign.items() if is_given)
        rest = f'leave out what is not taken, or pass method="{other}"'
        return [f'method="{self.method}" does not take {names}; {rest}'] if names else []

    @property
    def _most_characteristics(self) -> int:
        if self.max_characteristics is not None:
            return self.max_characteristics
        return METHODS.get(self.method, METHODS["additive"])[0]

    @property
    def _most_bins(self) -> int:
        return self.max_bins if self.max_bins is not None else METHODS.get(self.method, METHODS["additive"])[1]

    def _summary(self, bad: Flags, weight: Real, line: AffineCalibration) -> JsonObject:
        settings = ["max_characteristics", "max_bins", "min_share", "min_events", "penalty", "record_monotone"]
        settings += ["method", "max_pairs"] if self.method == "additive" else []
        used = {"max_characteristics": self._most_characteristics, "max_bins": self._most_bins}
        return {
            "rows": len(bad),
            "bads": int(bad.sum()),
            "weight": float(weight.sum()),
            "bad_rate": float(weight[bad].sum() / weight.sum()),
            "calibration": vars(line),
            "settings": {name: getattr(self, name) for name in settings} | used,
        }


def _left_by_policy(predictors: Sequence[Predictor], profile: Profile) -> tuple[float, float]:
    """Points that may be added and taken once policy points have used their part."""
    by_policy = [p.set_points for p in predictors if p.set_points is not None]
    addable = profile.addable_points - sum(max(points) for points in by_policy)
    return addable, profile.removable_points + sum(min(points) for points in by_policy)


def _kernel_version() -> int:
    from credit_model.features.kernel import KERNEL_VERSION

    return KERNEL_VERSION
