"""Two characteristics together: points that neither carries alone.

A pair reads two characteristics of its card, in their attributes, and adds a whole number for each combination. It is
one characteristic more: it has its own row, its own reason, its own points. It has 0 points wherever either of the two
stands at its reference, so a pair speaks only of rows that depart from the reference in both, and what a
characteristic does alone stands in its own table.

In: the attributes of two characteristics.
Out: points; texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from credit_model.foundation.json_values import JsonObject
from credit_model.scorecard.bins import Attributes, NumericBins
from credit_model.scorecard.reasons import CardReason, close, statement

if TYPE_CHECKING:
    from credit_model.scorecard.characteristic import Characteristic

Points = npt.NDArray[np.int32]
Real = npt.NDArray[np.float64]
TIMES = " × "


class PairRow(NamedTuple):
    """Some attributes of both characteristics of a pair, and their points."""

    name: str
    label_zh: str
    label_en: str
    reason: str
    attributes_zh: str
    attributes_en: str
    points: int


@dataclass(frozen=True)
class Pair:
    """Points by the attributes of two characteristics of a card.

    Parameters
    ----------
    first, second : str
        Names of the two characteristics.
    points : tuple of tuple of int
        One row for each attribute of the first, in it one number for each attribute of the second.

    Examples
    --------
    >>> Pair("arrears", "age", ((0, 0, 0), (0, -4, 0), (0, 0, 0))).name
    'arrears × age'
    """

    first: str
    second: str
    points: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """What it is called among the terms of a card."""
        return f"{self.first}{TIMES}{self.second}"

    @property
    def least(self) -> int:
        """The least points it can give."""
        return min(map(min, self.points))

    @property
    def greatest(self) -> int:
        """The most points it can give."""
        return max(map(max, self.points))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The points it can give, least first; 0 is among them."""
        return tuple(sorted({points for row in self.points for points in row}))

    @cached_property
    def runs(self) -> tuple[list[list[int]], list[list[int]]]:
        """Attributes of the first and of the second, equal neighbours together."""
        return _runs(self.grid.tolist()), _runs(self.grid.T.tolist())

    @cached_property
    def grid(self) -> Points:
        """The points as an array, shape (attributes of the first, attributes of the second)."""
        return np.asarray(self.points, dtype=np.int32)

    def points_at(self, first: Attributes, second: Attributes) -> Points:
        """Points of rows, from the attribute each of the two has in them."""
        cells = first.astype(np.intp) * self.grid.shape[1]
        cells += second
        return np.asarray(self.grid.ravel().take(cells), dtype=np.int32)

    def shared(self, joint: Real) -> tuple[Real, Real]:
        """Return what each of the two has of the points, by cell: its interventional Shapley value.

        Parameters
        ----------
        joint : array of float, shape of ``grid``
            Share of the background's rows in each cell; they add up to 1.

        Returns
        -------
        (array, array)
            Of the first and of the second; together the points less their mean over the background.

        Notes
        -----
        Formula: half of what the one adds where the other is the row's, half where the other is the background's.

        Examples
        --------
        >>> first, second = Pair("arrears", "age", ((0, 0), (0, -8))).shared(np.array([[0.5, 0.0], [0.5, 0.0]]))
        >>> first.tolist(), second.tolist()
        ([[0.0, 2.0], [0.0, -2.0]], [[0.0, -2.0], [0.0, -6.0]])
        """
        others_first = joint.sum(axis=1) @ self.grid
        others_second = (self.grid @ joint.sum(axis=0))[:, None]
        mean = (joint * self.grid).sum()
        return (
            (self.grid - others_first + others_second - mean) / 2,
            (self.grid - others_second + others_first - mean) / 2,
        )

    def reason_for(self, parts: Sequence[Characteristic], values: Sequence[object], points: int) -> CardReason:
        """Return the reason that two values and their points give."""
        texts = {
            lang: [
                statement(c.label(lang), c.describe(value, lang), lang) for c, value in zip(parts, values, strict=True)
            ]
            for lang in ("zh", "en")
        }
        return CardReason(
            self.code(parts),
            self.name,
            points,
            close("；".join(texts["zh"]), points, "zh"),
            close("; ".join(texts["en"]), points, "en"),
        )

    def faults(self, by_name: Mapping[str, Characteristic]) -> Iterator[str]:
        """Return the reasons why it does not fit the characteristics of its card."""
        parts = [by_name.get(name) for name in (self.first, self.second)]
        if self.first == self.second or parts[0] is None or parts[1] is None:
            yield f"pair {self.name!r} must name two different characteristics of the card"
            return
        rows, columns = parts[0].bins.count, parts[1].bins.count
        if len(self.points) != rows or any(len(row) != columns for row in self.points):
            yield f"pair {self.name!r} needs {rows} rows of {columns} points"
        elif any(type(p) is not int for row in self.points for p in row):
            yield f"pair {self.name!r}: points must be whole numbers"
        elif self.grid[parts[0].reference].any() or self.grid[:, parts[1].reference].any():
            yield f"pair {self.name!r} must have 0 points wherever one of the two is at its reference"

    def worst_steps(self, name: str, intervals: int, direction: int) -> Points:
        """Return the most that each step up in one of the two can do against the direction, whatever the other is.

        Points against the direction count above 0; the first ``intervals`` attributes are those in order.
        """
        grid = (self.grid if name == self.first else self.grid.T)[:intervals]
        return np.asarray((np.diff(grid, axis=0) * direction).max(axis=1))

    def rows(self, parts: Sequence[Characteristic]) -> Iterator[PairRow]:
        """Yield its rows of a printed card, equal neighbours together, without what has no points."""
        head = (self.name, self.label(parts, "zh"), self.label(parts, "en"), self.code(parts))
        for some in product(*self.runs):
            points = self.points[some[0][0]][some[1][0]]
            if points:
                yield PairRow(*head, self._words(parts, some, "zh"), self._words(parts, some, "en"), points)

    def label(self, parts: Sequence[Characteristic], lang: str) -> str:
        """Return its name, in words."""
        return TIMES.join(c.label(lang) for c in parts)

    def code(self, parts: Sequence[Characteristic]) -> str:
        """Code of the reason it gives."""
        return "+".join(c.reason for c in parts)

    def _words(self, parts: Sequence[Characteristic], some: Sequence[Sequence[int]], lang: str) -> str:
        """Attributes of both, in words."""
        runs = [run_label(c, places, lang) for c, places in zip(parts, some, strict=True)]
        sentences = [statement(c.label(lang), text, lang) for c, text in zip(parts, runs, strict=True)]
        return ("；" if lang == "zh" else "; ").join(sentences)

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return {"first": self.first, "second": self.second, "points": [list(row) for row in self.points]}

    @classmethod
    def from_dict(cls, table: JsonObject) -> Pair:
        """Read what :meth:`to_dict` wrote."""
        rest = dict(table)
        return cls(points=tuple(tuple(row) for row in rest.pop("points")), **rest)


def run_label(c: Characteristic, places: Sequence[int], lang: str) -> str:
    """Return what people read of some neighbouring attributes; intervals become one."""
    if len(places) > 1 and isinstance(c.bins, NumericBins) and places[-1] < c.bins.intervals:
        low, high = c.bins.cuts[: places[0]][-1:], c.bins.cuts[places[-1] : places[-1] + 1]
        return NumericBins((*low, *high), c.bins.whole).labels(lang)[len(low)]
    return (" 或 " if lang == "zh" else " or ").join(c.attribute_labels(lang)[place] for place in places)


def _runs(table: list[list[int]]) -> list[list[int]]:
    return [list(run) for _, run in groupby(range(len(table)), key=table.__getitem__)]


def monotone_faults(characteristics: Sequence[Characteristic], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return why a card of these is not proven record-monotone; see ``Card.monotone_faults``."""
    faults = []
    for c in characteristics:
        if c.definition is None:
            faults.append(f"{c.name}: a raw column; how records move it is not known")
        elif not c.definition.record_monotone:
            faults.append(f"{c.name}: {c.definition.aggregate} is not record-monotone by its definition")
        elif not isinstance(c.bins, NumericBins) or _steps_against(c, c.bins.intervals, c.definition.direction, pairs):
            faults.append(f"{c.name}: its points do not follow the trend {c.definition.trend}")
    return tuple(faults)


def _steps_against(c: Characteristic, intervals: int, direction: int, pairs: Sequence[Pair]) -> bool:
    """Return whether a step up can go against the direction, in own points and pairs together."""
    worst = np.asarray([(high - low) * direction for low, high in pairwise(c.points[:intervals])])
    for pair in pairs:
        if c.name in (pair.first, pair.second):
            worst = worst + pair.worst_steps(c.name, intervals, direction)
    return bool((worst > 0).any())
