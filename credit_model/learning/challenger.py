"""A challenger: gradient boosting that is held to the card's signs, to see what the card gives up for being a table.

It learns from the very rows the card learns from: the same fine classes, weights and folds by subject. A trend that a
definition declares binds it as it binds the card; it is free in everything a card is not: any shape along the trend,
any interaction, no limit on characteristics, no cap on positives, no whole points. How many trees it has is chosen out
of fold, and since trees of one sign come out too sure (slopes of .91 to .97) it is recalibrated out of fold as well, by
the line the card uses. It is no card, so it cannot be registered.

In: features with their definitions, outcomes, weights, subjects.
Out: probabilities of bad; for each row, what each feature moved (interventional SHAP values, exact).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import needed_for
from credit_model.foundation.json_values import JsonObject
from credit_model.learning.calibration import AffineCalibration, fit_line
from credit_model.learning.classifier import FOLDS
from credit_model.learning.fine_classes import BADS, GOODS, FineColumn, cut_between, fine_numbers
from credit_model.learning.fine_table import FineTable
from credit_model.learning.frames import read_groups, read_outcome
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.columns import Frame, as_numbers

if TYPE_CHECKING:
    import pandas as pd
    from lightgbm import Booster

    from credit_model.features.definition import FeatureDefinition

Real = npt.NDArray[np.float64]

_STEP = 10  # trees are counted in tens
_UNSEARCHED = 100  # trees, where too few are bad to leave any out


class BoostedChallenger(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Gradient boosting with monotone constraints, cross-fitted and recalibrated: binary classifier.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition
        One for each column; a declared trend is a constraint, a feature without one is free.
    most_trees : int
        Their number is searched up to here, in tens, by the recalibrated log loss out of fold.
    leaves : int
        Most leaves of a tree.
    learning_rate, penalty, feature_share : float
        Shrinkage of each tree, ridge on its leaves, share of the features each tree may use (drawn from ``seed``).
    seed : int
    n_jobs : int
        Threads. The model is the same on any number of them; one is fastest, since the table is small.
    bad : label, optional
        The label of ``y`` that means bad; what needs none is said at :class:`ScorecardClassifier`.

    Attributes
    ----------
    trees_ : int
        Number of trees.
    calibration_ : dict
        ``shift`` and ``slope`` of the cross-fitted line; a slope under 1: the trees alone were too sure.
    base_ : float
        Mean log-odds (bad : good) of the development rows: what the contributions of a row are added to.
    classes_, feature_names_in_
        As everywhere in scikit-learn: the labels are sorted, whichever of them is bad.
    bad_ : label
        The one of ``classes_`` that means bad.

    Notes
    -----
    The settings were chosen on out-of-fold log loss of development samples, where they hardly matter.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from credit_model.features.definition import FeatureDefinition
    >>> arrears = FeatureDefinition(name="arrears", aggregate="count", where={"polarity": "adverse"}, window="24m",
    ...                             trend="higher_is_worse", reason="A1")
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"arrears": rng.poisson(0.5, 4000)})
    >>> y = (rng.random(4000) < 1 / (1 + np.exp(3 - X["arrears"]))).astype(int)
    >>> challenger = BoostedChallenger([arrears], most_trees=50).fit(X, y)
    >>> worst_last = challenger.predict_proba(pd.DataFrame({"arrears": [0, 1, 2, 3]}))[:, 1]
    >>> bool((np.diff(worst_last) >= 0).all())
    True
    """

    def __init__(
        self,
        definitions: Sequence[FeatureDefinition],
        most_trees: int = 400,
        leaves: int = 8,
        learning_rate: float = 0.05,
        penalty: float = 20.0,
        feature_share: float = 0.5,
        seed: int = 0,
        n_jobs: int = 1,
        bad: object = None,
    ) -> None:
        self.definitions = definitions
        self.most_trees = most_trees
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.penalty = penalty
        self.feature_share = feature_share
        self.seed = seed
        self.n_jobs = n_jobs
        self.bad = bad

    def fit(
        self,
        X: Frame,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
    ) -> BoostedChallenger:
        """Learn from the rows a card is learned from.

        Parameters
        ----------
        X : frame
            One column for each definition.
        y : array, shape (rows,)
            Two labels, of which one means bad (see ``bad``).
        sample_weight : array, optional
        groups : array, optional
            Subjects: all rows of one are in the same fold.

        Raises
        ------
        UserError
            Columns without a definition or the reverse, an outcome without two classes, or LightGBM is not installed.
        """
        names = [definition.name for definition in self.definitions]
        if sorted(map(str, X.columns)) != sorted(names):
            raise UserError("challenger: the frame must have exactly one column for each definition; pass X[names]")
        outcome = read_outcome(len(X), y, sample_weight, self.bad)
        bad, weight = outcome.bad, outcome.weight
        self.classes_, self._bad_place = outcome.classes, outcome.bad_place
        self.bad_ = self.classes_[self._bad_place]
        fine = [fine_numbers(as_numbers(X[name], name)[outcome.has_weight], weight) for name in names]
        subjects = None if groups is None else read_groups(groups, outcome.has_weight, "groups")
        folds = FOLDS if min(bad.sum(), (~bad).sum()) >= FOLDS else 1
        table = FineTable.build(fine, bad, weight, subjects, folds)

        self.feature_names_in_ = np.asarray(names, dtype=object)
        self._bins = {name: _bins(column) for name, column in zip(names, fine, strict=True)}
        rows = _as_floats(table.codes, [column.missing for column in fine])
        counts = table.counts[[GOODS, BADS]]
        self.trees_, line = _UNSEARCHED, AffineCalibration(0.0, 1.0)
        if folds > 1:
            with threadpool_limits(1, user_api="blas"):  # the same line on any number of cores
                self.trees_, line = self._search(rows, counts, table.fold)
        self.calibration_ = dict(vars(line))
        self._line = line
        self._booster = self._boost(rows, counts, self.trees_)
        self._leaves = tuple(_leaves_of(self._booster.dump_model()["tree_info"]))
        self._background, self._mass = rows, counts.sum(axis=0) / counts.sum()
        self.base_ = float(np.sum(self._mass * self._log_odds(rows)))  # a matrix product may move a bit
        return self

    def predict_proba(self, X: Frame) -> Real:
        """Return the probability of each class, in the order of ``classes_``."""
        greater = 1.0 / (1.0 + np.exp(-self.decision_function(X)))
        return np.column_stack([1.0 - greater, greater])

    def decision_function(self, X: Frame) -> Real:
        """Return the recalibrated log-odds of ``classes_[1]``: bad : good where bad is the greater label."""
        rows, place = self._read(X)
        log_odds = self._log_odds(rows)[place]
        return log_odds if self._bad_place else -log_odds

    def predict(self, X: Frame) -> npt.NDArray[np.generic]:
        """Return the more likely class."""
        is_greater = self.decision_function(X) > 0
        return np.asarray(self.classes_[is_greater.astype(int)])

    def contributions(self, X: Frame) -> pd.DataFrame:
        """Return what each feature moved, row by row, in log-odds bad : good: interventional SHAP values.

        Background is the whole development sample with its weights, so nothing is sampled: ``base_`` plus the sum of a
        row is its log-odds.

        Returns
        -------
        DataFrame
            One column for each definition; index as ``X``.

        Notes
        -----
        Shapley values of ``v(S) = E[f(x_S, Z)]``, Z drawn from the background as a whole (Lundberg et al., *Nature
        Machine Intelligence* 2, 2020). A leaf is reached by a row made of x and z if every feature on its path lets x
        or z through. With the features that let only x through (a of them) and only z (b of them), each of the former
        moves the leaf's value by ``(a-1)! b! / (a+b)!``, each of the latter by ``-a! (b-1)! / (a+b)!``. Of what a row
        does on a path there are few patterns, so rows and background are counted by pattern.
        """
        import pandas as pd

        rows, place = self._read(X)
        contributions = np.zeros(rows.shape)
        for leaf in self._leaves:
            change = leaf.moves(np.bincount(leaf.pattern(self._background), self._mass, minlength=leaf.patterns))
            contributions[:, leaf.features] += change[leaf.pattern(rows)]
        return pd.DataFrame(
            self._line.slope * contributions[place],
            columns=list(self.feature_names_in_),
            index=getattr(X, "index", None),
        )

    # ------------------------------------------------------------------ trees

    def _search(self, rows: Real, counts: Real, fold: npt.NDArray[np.intp]) -> tuple[int, AffineCalibration]:
        """Return the number of trees with the least recalibrated log loss out of fold, and its calibration line."""
        steps = max(self.most_trees // _STEP, 1)
        unseen = np.zeros((steps, len(rows)))
        for left_out in range(int(fold.max()) + 1):
            out = fold == left_out
            booster = self._boost(rows[~out], counts[:, ~out], steps * _STEP)
            so_far = np.zeros(int(out.sum()))
            for step in range(steps):
                if step * _STEP < booster.num_trees():  # fewer where no split was worth making
                    so_far = so_far + booster.predict(
                        rows[out],
                        raw_score=True,
                        start_iteration=step * _STEP,
                        num_iteration=_STEP,
                        num_threads=self.n_jobs,
                    )
                unseen[step, out] = so_far
        goods, bads = counts
        candidates = []
        for step, log_odds in enumerate(unseen):
            line = fit_line(-log_odds, goods, bads)
            good = line.at(-log_odds)
            loss = float(np.sum(goods * np.logaddexp(0, -good) + bads * np.logaddexp(0, good)))
            candidates.append((loss, step, line))
        _, step, line = min(candidates, key=lambda candidate: candidate[:2])
        return (step + 1) * _STEP, line

    def _boost(self, rows: Real, counts: Real, trees: int) -> Booster:
        with needed_for("a challenger"):
            import lightgbm
        both = np.concatenate([rows, rows])
        y, weight = np.repeat([0.0, 1.0], len(rows)), counts.ravel()
        there = weight > 0
        settings = {
            "objective": "binary", "num_leaves": self.leaves, "learning_rate": self.learning_rate,
            "lambda_l2": self.penalty, "feature_fraction": self.feature_share, "seed": self.seed,
            # Rows stand for many people, so what counts in a leaf is their weight, not their number.
            "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 1.0, "min_data_in_bin": 1, "feature_pre_filter": False,
            "monotone_constraints": [definition.direction for definition in self.definitions],
            "deterministic": True, "force_row_wise": True, "num_threads": self.n_jobs, "verbose": -1,
        }  # fmt: skip
        data = lightgbm.Dataset(both[there], y[there], weight=weight[there], params=settings)
        return lightgbm.train(settings, data, trees)

    def _log_odds(self, rows: Real) -> Real:
        raw = np.asarray(self._booster.predict(rows, raw_score=True, num_threads=self.n_jobs), np.float64)
        return np.asarray(-self._line.at(-raw))

    def _read(self, X: Frame) -> tuple[Real, npt.NDArray[np.intp]]:
        """Return the distinct rows (most people share one), and which of them each row is."""
        check_is_fitted(self, "classes_")
        missing = [name for name in self._bins if name not in X.columns]
        if missing:
            raise UserError(f"challenger: columns are missing: {', '.join(missing)}", tuple(missing))
        codes = [bins.index(as_numbers(X[name], name)) for name, bins in self._bins.items()]
        distinct, place = _distinct(np.stack(codes, axis=1).astype(np.uint8))
        return _as_floats(distinct, [bins.missing for bins in self._bins.values()]), place


def _distinct(codes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    """Distinct rows, and which of them each row is; eight codes at a time are compared as one number."""
    words = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8))).view(np.uint64)
    order = np.lexsort(words.T)
    new = np.concatenate([[True], (words[order[1:]] != words[order[:-1]]).any(axis=1)])
    place = np.empty(len(codes), dtype=np.intp)
    place[order] = np.cumsum(new) - 1
    return codes[order[new]], place


def _bins(column: FineColumn) -> NumericBins:
    """Fine classes as bins that look up any value."""
    starts, ends = column.starts, column.ends
    if starts is None or ends is None:
        raise UserError("challenger: every column must hold numbers")
    return NumericBins(tuple(cut_between(end, start) for end, start in zip(ends[:-1], starts[1:], strict=True)))


def _as_floats(codes: npt.NDArray[np.uint8], missing: Sequence[int]) -> Real:
    """Codes as numbers, NaN where missing: small whole numbers, which every tree library compares alike."""
    numbers = codes.astype(np.float64)
    numbers[codes == np.asarray(missing)] = np.nan
    return numbers


# ---------------------------------------------------------------------------------------------------- leaves


@dataclass(frozen=True)
class _Test:
    """One question on the way to a leaf, and the answer that leads there."""

    feature: int
    threshold: float
    left: bool
    missing_left: bool

    def passes(self, rows: Real) -> npt.NDArray[np.bool_]:
        values = rows[:, self.feature]
        left = np.where(np.isnan(values), self.missing_left, values <= self.threshold)
        return np.asarray(left == self.left)


@dataclass(frozen=True)
class _Leaf:
    """A leaf: its value, and what each feature on the way to it must pass."""

    value: float
    tests: Mapping[int, tuple[_Test, ...]]

    @property
    def features(self) -> list[int]:
        return list(self.tests)

    @property
    def patterns(self) -> int:
        return 1 << len(self.tests)

    def pattern(self, rows: Real) -> npt.NDArray[np.intp]:
        """Return which features let each row through, as bits."""
        pattern = np.zeros(len(rows), dtype=np.intp)
        for bit, tests in enumerate(self.tests.values()):
            passes = np.ones(len(rows), dtype=bool)
            for test in tests:
                passes &= test.passes(rows)
            pattern |= passes.astype(np.intp) << bit
        return pattern

    def moves(self, background: npt.NDArray[np.number]) -> Real:
        """Return what each feature moves, by pattern of the row, against background patterns of these masses."""
        moves = np.zeros((self.patterns, len(self.tests)))
        everything = self.patterns - 1
        for mine in range(self.patterns):
            for other in np.flatnonzero(background).tolist():
                if mine | other != everything:
                    continue
                only_mine, only_other = mine & ~other, other & ~mine
                a, b = only_mine.bit_count(), only_other.bit_count()
                whole = self.value * background[other] / factorial(a + b)
                for bit in range(len(self.tests)):
                    if only_mine >> bit & 1:
                        moves[mine, bit] += whole * factorial(a - 1) * factorial(b)
                    elif only_other >> bit & 1:
                        moves[mine, bit] -= whole * factorial(a) * factorial(b - 1)
        return moves


def _leaves_of(trees: Sequence[JsonObject]) -> Iterator[_Leaf]:
    """Every leaf of every tree that asks anything."""
    for tree in trees:
        waiting: list[tuple[JsonObject, tuple[_Test, ...]]] = [(tree["tree_structure"], ())]
        while waiting:
            node, path = waiting.pop()
            if "leaf_value" in node:
                by_feature: dict[int, tuple[_Test, ...]] = {}
                for test in path:
                    by_feature[test.feature] = (*by_feature.get(test.feature, ()), test)
                if by_feature:
                    yield _Leaf(float(node["leaf_value"]), by_feature)
                continue
            threshold = float(node["threshold"])
            # Where training saw no missing value in the feature, LightGBM reads one as 0.
            missing_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
            for side, left in (("left_child", True), ("right_child", False)):
                test = _Test(int(node["split_feature"]), threshold, left, bool(missing_left))
                waiting.append((node[side], (*path, test)))
