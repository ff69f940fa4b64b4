r"""The dynamic programme: the best way of all to join neighbouring classes into few runs under a trend.

``best[j, c, m, i]`` is the value of the first ``j`` classes of column ``c`` in ``m + 1`` runs, the last of which is
``(i, j]``. It extends the best ``best[i, c, m - 1, h]`` whose last run ``(h, i]`` has a bad rate on the lawful side, in
every period. A trend that turns has a second table, entered from the first by a step the other way. The cost is
:math:`O(M F^3)` for ``F`` classes and ``M`` runs, all columns and all ``m`` at once.

Without periods the best lawful one is read off a running maximum over runs in the order of their bad rate, which
leaves :math:`O(M F^2 \log F)`.

In: values of all runs of classes, their bad rates, a trend.
Out: the value of the best joining, and the last class of each of its runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]

# Trend of the bad rate with the value: the steps it may take, in their order.
TRENDS: Final = {"ascending": (1,), "descending": (-1,), "peak": (1, -1), "valley": (-1, 1), "none": (0,)}
_Way = tuple[int, ...]


@dataclass(frozen=True)
class Joining:
    """A way to join classes: its value, the last class of each run, and the run at which the trend turns."""

    trend: str
    value: float
    lasts: tuple[int, ...]
    turn: int | None = None


@dataclass(frozen=True)
class Runs:
    """All runs of neighbouring classes of several columns.

    Parameters
    ----------
    value : array, shape (columns, F + 1, F + 1)
        ``value[c, i, j]``: of the run ``(i, j]``; minus infinity where it may not be an attribute.
    rate : array, shape (periods, columns, F + 1, F + 1)
        Bad rate of the run, in all and in every period in which the order must hold.
    classes : sequence of int
        Number of classes of each column, at most F.
    """

    value: Real
    rate: Real
    classes: Sequence[int]

    def best(self, trends: Sequence[str], most: int) -> list[list[Joining]]:
        """The best joining of each column into at most ``most`` runs, under each of the trends."""
        tables = self._tables({TRENDS[trend] for trend in trends}, most)
        return [
            [self._traced(tables, column, trend, TRENDS[trend]) for trend in trends]
            for column in range(len(self.classes))
        ]

    def _tables(self, wanted: set[_Way], most: int) -> dict[_Way, Real]:
        """Tables of the ways wanted, and of those that lead to them."""
        columns, width = self.value.shape[:2]
        ways = sorted({way[: n + 1] for way in wanted for n in range(len(way))}, key=len)
        tables = {way: np.full((width, columns, most, width), -np.inf) for way in ways}
        for way in ways:
            if len(way) == 1:
                tables[way][:, :, 0, 0] = self.value[:, 0, :].T
        for i in range(1, width - 1):
            for way in ways:
                before = self._before(tables, way, i)[:, :-1, :i]
                there = np.flatnonzero(np.isfinite(before).any(axis=(0, 2)))
                if len(there):  # few classes make few runs
                    runs = there[-1] + 1
                    reached = self._reached(before[:, :runs], way[-1], i)
                    found = self.value[:, None, i, i + 1 :] + reached
                    tables[way][i + 1 :, :, 1 : runs + 1, i] = found.transpose(2, 0, 1)
        return tables

    def _reached(self, before: Real, step: int, i: int) -> Real:
        """The best that each run ``(i, j]`` may follow, shape (columns, runs, j > i)."""
        if step == 0:
            return np.asarray(before.max(axis=2, keepdims=True))
        if len(self.rate) > 1:
            found: Real = (before[..., None] + self._barred(step, i)[:, None]).max(axis=2)
            return found
        rate = step * self.rate[0, :, :i, i]
        order = np.argsort(rate, axis=1, kind="stable")
        ranked = np.take_along_axis(before, order[:, None, :], axis=2)
        running = np.concatenate([np.full((*before.shape[:2], 1), -np.inf), np.maximum.accumulate(ranked, 2)], axis=2)
        lawful = (rate[:, :, None] <= step * self.rate[0, :, None, i, i + 1 :]).sum(axis=1)
        return np.take_along_axis(running, lawful[:, None, :], axis=2)

    @staticmethod
    def _before(tables: dict[_Way, Real], way: _Way, i: int) -> Real:
        """What a step of a way may follow, by the class ``i`` it starts after."""
        found = tables[way][i]
        return np.asarray(found if len(way) == 1 else np.maximum(found, tables[way[:-1]][i]))

    def _barred(self, step: int, i: int) -> Real:
        """Minus infinity where ``(i, j]`` may not follow ``(h, i]``, else 0: shape (columns, h < i, j > i)."""
        low, high = self.rate[:, :, :i, i, None], self.rate[:, :, None, i, i + 1 :]
        if step == 0:
            return np.zeros((len(self.classes), i, 1))
        lawful = (low <= high) if step > 0 else (low >= high)
        return np.where(lawful.all(axis=0), 0.0, -np.inf)

    def _traced(self, tables: dict[_Way, Real], column: int, trend: str, way: _Way) -> Joining:
        """Follow the best end back to the first class."""
        j = self.classes[column]
        ends = tables[way][j, column]
        m, i = divmod(int(np.argmax(ends)), ends.shape[1])
        if not j or not np.isfinite(ends[m, i]):
            return Joining(trend, -np.inf, ())
        value, lasts, turn = float(ends[m, i]), [j - 1], None
        while i > 0:
            lawful = self._barred(way[-1], i)[column]
            came = self._before(tables, way, i)[column, m - 1, :i] + lawful[:, min(j - i, lawful.shape[1]) - 1]
            h = int(np.argmax(came))
            lasts.append(i - 1)
            if len(way) > 1 and tables[way[:-1]][i, column, m - 1, h] >= tables[way][i, column, m - 1, h]:
                way, turn = way[:-1], m - 1
            i, j, m = h, i, m - 1
        return Joining(trend, value, tuple(lasts[::-1]), turn)
