"""Grow an additive model by boosting: log-odds by the class of each column, and by the classes of two for each pair.

Trees of two leaves add up to one table a column; trees of three leaves, to tables and pairs.
LightGBM grows them under monotone constraints; they are read back into tables exactly, so nothing of the trees is left
in what is kept. A column without an order is put into that of its bad rate among the rows learned from.

In: a sample, the rows to learn from.
Out: a ``Terms``; the log loss on the other rows after each round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from credit_model.foundation.extras import needed_for
from credit_model.foundation.json_values import JsonObject

if TYPE_CHECKING:
    from lightgbm import Dataset

Real = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Places = tuple[int, int]
_PATIENCE = 100  # rounds without a gain on the rows not seen, after which no more are tried
_SMOOTHING = 10.0  # rows added to each class of a nominal column, at the average rate, before it is put in order


@dataclass(frozen=True, eq=False)
class BinnedSample:
    """Rows in classes.

    Parameters
    ----------
    codes : array of uint8, shape (rows, columns)
        Class of each value; the last class of a column is a missing value.
    sizes : tuple of int
        Classes of each column, the missing one included.
    directions : tuple of int
        +1 where a greater class means more risk, -1 where it means less, 0 where nothing is said.
    nominal : tuple of bool
        Whether the classes of a column have no order of their own.
    goods, bads : array, shape (rows,)
        Weighted counts.
    fold : array of int, shape (rows,)
        All rows of one subject are in the same fold.
    ordered : tuple of int
        Classes of each column that stand in order (all named ones of a nominal column); the others stand apart.
    offset : array, shape (rows,)
        Log-odds that are given.
    """

    codes: Codes
    sizes: tuple[int, ...]
    directions: tuple[int, ...]
    nominal: tuple[bool, ...]
    goods: Real
    bads: Real
    fold: npt.NDArray[np.intp]
    ordered: tuple[int, ...]
    offset: Real

    def only(self, columns: Sequence[int]) -> BinnedSample:
        """Return the same rows in fewer columns."""
        places = list(columns)
        return replace(
            self,
            codes=np.asfortranarray(self.codes[:, places]),
            sizes=tuple(self.sizes[j] for j in places),
            directions=tuple(self.directions[j] for j in places),
            nominal=tuple(self.nominal[j] for j in places),
            ordered=tuple(self.ordered[j] for j in places),
        )

    @cached_property
    def masses(self) -> tuple[Real, ...]:
        """Share of the rows in each class of each column."""
        weight = (self.goods + self.bads) / (self.goods + self.bads).sum()
        return tuple(
            np.bincount(self.codes[:, j], weight, minlength=size).astype(np.float64)
            for j, size in enumerate(self.sizes)
        )


@dataclass(frozen=True, eq=False)
class Terms:
    """Log-odds good : bad as a sum: a level, a table for each column, a grid for each pair of columns."""

    level: float
    alone: tuple[Real, ...]
    together: Mapping[Places, Real]

    def log_odds(self, codes: Codes) -> Real:
        """Log-odds of rows."""
        total = np.full(len(codes), self.level)
        for j, table in enumerate(self.alone):
            if table.any():
                total += table[codes[:, j]]
        for (i, j), grid in self.together.items():
            total += grid[codes[:, i], codes[:, j]]
        return total

    def with_pairs(self, pairs: Sequence[Places]) -> Terms:
        """Without the other pairs."""
        return replace(self, together={pair: self.together[pair] for pair in pairs if pair in self.together})

    def centred(self, masses: Sequence[Real]) -> Terms:
        """Return the same model with what a pair does through one column alone in that column's table.

        Every table, and every row and column of a grid, has mean 0 over the masses (with the masses of two columns
        taken as independent), so that the spread of a grid is what the two do together and nothing else.
        """
        level, alone, together = self.level, [table.copy() for table in self.alone], {}
        for (i, j), grid in self.together.items():
            by_first, by_second = grid @ masses[j], masses[i] @ grid
            mean = float(masses[i] @ by_first)
            alone[i] += by_first - mean
            alone[j] += by_second - mean
            level += mean
            together[i, j] = grid - by_first[:, None] - by_second + mean
        for j, table in enumerate(alone):
            mean = float(masses[j] @ table)
            alone[j] = table - mean
            level += mean
        return Terms(level, tuple(alone), together)

    def anchored(self, references: Sequence[int]) -> Terms:
        """Return the same model against a reference row: 0 at each reference, a pair 0 where either is at its own."""
        level, alone, together = self.level, [table.copy() for table in self.alone], {}
        for (i, j), grid in self.together.items():
            by_first, by_second = grid[:, references[j]], grid[references[i]]
            corner = float(grid[references[i], references[j]])
            alone[i] += by_first - corner
            alone[j] += by_second - corner
            level += corner
            together[i, j] = grid - by_first[:, None] - by_second + corner
        for j, table in enumerate(alone):
            level += float(table[references[j]])
            alone[j] = table - table[references[j]]
        return Terms(level, tuple(alone), together)

    def strengths(self, masses: Sequence[Real]) -> dict[Places, float]:
        """Return the standard deviation of each (centred) pair."""
        return {
            (i, j): float(np.sqrt(masses[i] @ grid**2 @ masses[j]))
            for (i, j), grid in self.centred(masses).together.items()
        }


def mean_of(models: Sequence[Terms]) -> Terms:
    """Return the mean of models of the same columns."""
    pairs = dict.fromkeys(pair for model in models for pair in model.together)
    shape = {pair: next(m.together[pair] for m in models if pair in m.together).shape for pair in pairs}
    return Terms(
        float(np.mean([model.level for model in models])),
        tuple(np.mean(tables, axis=0) for tables in zip(*(model.alone for model in models), strict=True)),
        {
            pair: np.sum([m.together.get(pair, np.zeros(shape[pair])) for m in models], axis=0) / len(models)
            for pair in pairs
        },
    )


@dataclass(frozen=True)
class Growth:
    """How trees are grown.

    ``leaves`` are those of a tree that may hold a pair which was chosen.
    ``least_hessian`` is the least sum of p (1 - p) over the rows of a leaf, p being the probability so far.
    """

    rounds: int
    rate: float
    leaves: int = 3
    ridge: float = 1.0
    least_hessian: float = 2.0
    column_share: float = 0.5
    row_share: float = 0.4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Grown:
    """Trees of one fit, and the log loss on rows it has not seen after each of them (empty where it saw all)."""

    trees: Any
    places: tuple[npt.NDArray[np.intp], ...]
    losses: Real
    sizes: tuple[int, ...]

    def terms(self, rounds: int) -> Terms:
        """Return the first ``rounds`` trees as tables."""
        alone = [np.zeros(size) for size in self.sizes]
        together: dict[Places, Real] = {}
        for tree in self.trees.dump_model(num_iteration=rounds)["tree_info"]:
            for value, tests in _leaves(tree["tree_structure"]):
                if not tests:
                    alone[0] += value  # a tree without a split: a constant, wherever it stands
                    continue
                masks = {
                    j: self._classes_of(j, [t for t in tests if t["split_feature"] == j]) for j in _features(tests)
                }
                if len(masks) == 1:
                    (j,) = masks
                    alone[j][masks[j]] += value
                else:
                    i, j = sorted(masks)
                    grid = together.setdefault((i, j), np.zeros((self.sizes[i], self.sizes[j])))
                    grid[np.ix_(masks[i], masks[j])] += value
        return Terms(0.0, tuple(alone), together)

    def _classes_of(self, j: int, tests: Sequence[JsonObject]) -> npt.NDArray[np.bool_]:
        """Return the classes of a column that a leaf takes."""
        passes = np.ones(self.sizes[j], dtype=bool)
        for test in tests:
            place = self.places[j]
            left = place <= test["threshold"]
            # Where no missing value was learned from, LightGBM reads one as 0; such a class has no rows.
            left[place < 0] = test["default_left"] if test["missing_type"] == "NaN" else test["threshold"] >= 0
            passes &= left == test["left"]
        return passes


def grow(
    sample: BinnedSample,
    training_rows: npt.NDArray[np.bool_],
    growth: Growth,
    start: Real,
    pairs: Sequence[Places] | None = None,
) -> Grown:
    """Grow trees on the rows that are ``seen``, on top of log-odds ``start``; of two columns only these ``pairs``."""
    with needed_for("the additive method"):
        import lightgbm
    places = tuple(_places(sample, j, training_rows) for j in range(len(sample.sizes)))
    columns = _as_floats(sample.codes, places)
    # Without a say of which pairs, a third leaf may bring any; a fourth could bring a third column.
    leaves = 3 if pairs is None else growth.leaves if pairs else 2
    settings = {
        "objective": "binary", "metric": "binary_logloss", "num_leaves": leaves, "learning_rate": growth.rate,
        "lambda_l2": growth.ridge, "min_sum_hessian_in_leaf": growth.least_hessian, "min_data_in_leaf": 1,
        "min_data_in_bin": 1, "feature_pre_filter": False, "feature_fraction": growth.column_share,
        "bagging_fraction": growth.row_share, "bagging_freq": 1, "seed": growth.seed,
        "monotone_constraints": [-direction for direction in sample.directions], "deterministic": True,
        "force_row_wise": True, "num_threads": 1, "verbose": -1,
    }  # fmt: skip
    if pairs:
        alone = [[j] for j in range(len(sample.sizes))]
        settings["interaction_constraints"] = [*alone, *(list(pair) for pair in pairs)]
    evaluations: dict[str, Any] = {}
    data = _dataset(sample, columns, training_rows, start, settings)
    watched = [] if training_rows.all() else [_dataset(sample, columns, ~training_rows, start, settings, data)]
    callbacks = (
        [lightgbm.early_stopping(_PATIENCE, verbose=False), lightgbm.record_evaluation(evaluations)] if watched else []
    )
    trees = lightgbm.train(settings, data, growth.rounds, valid_sets=watched, callbacks=callbacks)
    losses = np.asarray(evaluations["valid_0"]["binary_logloss"]) if watched else np.zeros(0)
    return Grown(trees, places, losses, sample.sizes)


def _dataset(
    sample: BinnedSample,
    columns: Real,
    rows: npt.NDArray[np.bool_],
    start: Real,
    settings: Mapping[str, object],
    like: Dataset | None = None,
) -> Dataset:
    """Rows once as goods and once as bads, with their weights; 1 is good."""
    import lightgbm

    x, goods, bads = columns[rows], sample.goods[rows], sample.bads[rows]
    is_good, is_bad = np.flatnonzero(goods > 0), np.flatnonzero(bads > 0)
    both = np.concatenate([is_good, is_bad])
    y = np.repeat([1.0, 0.0], [len(is_good), len(is_bad)])
    weight = np.concatenate([goods[is_good], bads[is_bad]])
    return lightgbm.Dataset(x[both], y, weight=weight, init_score=start[rows][both], params=settings, reference=like)


def _places(sample: BinnedSample, j: int, training_rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Where each class of a column stands; one outside the order of a column nowhere (-1)."""
    size = sample.sizes[j]
    if not sample.nominal[j]:
        return np.append(np.arange(sample.ordered[j]), np.full(size - sample.ordered[j], -1))
    goods, bads = (
        np.bincount(sample.codes[training_rows, j], c[training_rows], minlength=size)
        for c in (sample.goods, sample.bads)
    )
    rate = bads.sum() / (goods.sum() + bads.sum())
    place = np.empty(size, dtype=np.intp)
    place[np.argsort((bads + _SMOOTHING * rate) / (goods + bads + _SMOOTHING), kind="stable")] = np.arange(size)
    return place


def _as_floats(codes: Codes, places: Sequence[npt.NDArray[np.intp]]) -> Real:
    """Places of rows, NaN for none."""
    numbers = np.empty(codes.shape)
    for j, place in enumerate(places):
        numbers[:, j] = np.where(place < 0, np.nan, place)[codes[:, j]]
    return numbers


def _features(tests: Sequence[JsonObject]) -> list[int]:
    return list(dict.fromkeys(test["split_feature"] for test in tests))


def _leaves(root: JsonObject) -> Iterator[tuple[float, list[JsonObject]]]:
    """Every leaf of a tree: its value, and the tests on the way to it with the side taken."""
    waiting: list[tuple[JsonObject, list[JsonObject]]] = [(root, [])]
    while waiting:
        node, path = waiting.pop()
        if "leaf_value" in node:
            yield float(node["leaf_value"]), path
            continue
        for side, left in (("left_child", True), ("right_child", False)):
            waiting.append((node[side], [*path, {**node, "left": left}]))
