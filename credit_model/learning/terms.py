"""An additive model as tables: log-odds by the class of each column, and by the classes of two for each pair.

In: classes of rows.
Out: log-odds; the same model stated in another way (means, parts of a pair moved to where they belong).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]
Places = tuple[int, int]


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
