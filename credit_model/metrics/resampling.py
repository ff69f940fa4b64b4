"""A bootstrap of people by counts: how often each kind of person comes up is drawn, not persons.

People with the same rows are of one kind, and a card of integer points knows few kinds, so a draw of a million people
costs as much as one of a thousand. The draws are the same for the same rows in any order.

In: checked rows with a ``probability`` and an outcome ``y``. Out: bads and goods by distinct probability, again and
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from credit_model.metrics.performance import Floats, WeightedRows

DRAWS = 200
"""Bootstrap draws behind an interval."""
_SEED = 20261124


def mass(group: NDArray[np.intp], weight: Floats, size: int = 0) -> Floats:
    """Sum of weights by group."""
    return np.bincount(group, weight, size).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Cells:
    """Distinct probabilities with the weight of the bads and goods there."""

    probability: Floats
    bads: Floats
    goods: Floats

    @property
    def weight(self) -> Floats:
        """Weight of everybody in each cell."""
        return self.bads + self.goods


class Bootstrap:
    """People as kinds, so that a draw is a draw of counts.

    A row is a kind of row (probability, outcome, weight); a person is the kinds of its rows. People alike are one
    pattern, and a draw of people is a multinomial draw of patterns.
    """

    def __init__(self, rows: WeightedRows) -> None:
        self.probability, cell = np.unique(rows["probability"], return_inverse=True)
        weights, of = np.unique(rows.weight, return_inverse=True)
        key = (cell.ravel() * 2 + rows["y"].astype(np.int64)) * weights.size + of.ravel()
        kinds, kind = np.unique(key, return_inverse=True)
        self._weight = weights[kinds % weights.size]
        self._bad = (kinds // weights.size) % 2 == 1
        self._cell = kinds // weights.size // 2
        kind = kind.ravel()
        if rows.subject is None:
            self._patterns = np.bincount(kind)
            self._of = self._entry = np.arange(kinds.size)
            return
        order = np.argsort(rows.subject, kind="stable")
        start = np.flatnonzero(np.diff(rows.subject[order], prepend=-1))
        marks = np.random.default_rng(_SEED).integers(0, 2**63, kinds.size, dtype=np.uint64)
        person = np.add.reduceat(marks[kind[order]], start)  # alike for people with the same rows, and for no others
        _, first, self._patterns = np.unique(person, return_index=True, return_counts=True)
        length = np.diff(np.append(start, kind.size))[first]
        self._of = np.repeat(np.arange(first.size), length)
        place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        self._entry = kind[order][np.repeat(start[first], length) + place]

    def cells(self, patterns: NDArray[np.int64] | None = None) -> Cells:
        """Cells of the rows as they are, or of a draw."""
        patterns_drawn = (self._patterns if patterns is None else patterns)[self._of]
        weight = mass(self._entry, patterns_drawn.astype(np.float64), self._weight.size) * self._weight
        size = self.probability.size
        bads = mass(self._cell, np.where(self._bad, weight, 0.0), size)
        return Cells(self.probability, bads, mass(self._cell, np.where(self._bad, 0.0, weight), size))

    def draws(self, number: int = DRAWS) -> Iterator[Cells]:
        """As many people again, drawn with replacement."""
        random, people = np.random.default_rng(_SEED), int(self._patterns.sum())
        for _ in range(number):
            yield self.cells(random.multinomial(people, self._patterns / people))
