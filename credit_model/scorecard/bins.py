"""A characteristic and its attributes: which values belong together, and the points and evidence each carries.

Bins are values: people read them, compare them and edit them (``merge``, ``split``, ``move``); an edit gives new bins.
Numeric bins are the intervals between float32 cuts, each closed on the right, so that together they cover every number
from minus to plus infinity exactly once. Categorical bins are groups of texts, with one attribute for every other text.
Either kind ends with an attribute for a missing value.

In: cuts or groups; values, one or many.
Out: the number of the attribute each value belongs to; labels.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.scorecard.columns import Column, as_categories, as_numbers
from credit_model.scorecard.reasons import MISSING

if TYPE_CHECKING:
    pass

Value = float | str | None
Float32 = npt.NDArray[np.float32]
Index = npt.NDArray[np.int16]
Attributes = npt.NDArray[np.int16] | npt.NDArray[np.intp]

# Above so many cuts a binary search is faster than one comparison for each cut.
_MANY_CUTS = 24
_OTHER = {"zh": "其他", "en": "any other"}


@dataclass(frozen=True)
class NumericBins:
    """Intervals of numbers ``(-inf, cuts[0]], (cuts[0], cuts[1]], …, (cuts[-1], inf]``, special values, missing.

    Parameters
    ----------
    cuts : tuple of float
        Strictly rising, each exactly a float32. No cut: one interval holds every number.
    whole : bool
        The values are whole numbers; labels then read ``2 to 3`` instead of ``1.5 < x ≤ 3.5``.
    special : tuple of float
        Numbers with a meaning of their own (-999: not asked), each an attribute outside the order, each a float32.

    Examples
    --------
    >>> bins = NumericBins((0.5, 2.5), whole=True)
    >>> bins.labels(), bins.index_of(2.0), bins.index_of(float("nan"))
    (('≤ 0', '1 to 2', '≥ 3', 'missing'), 1, 3)
    """

    cuts: tuple[float, ...]
    whole: bool = False
    special: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if any(not math.isfinite(number) or float(np.float32(number)) != number for number in self.cuts + self.special):
            raise UserError("numeric bins: every cut must be a finite number that float32 holds exactly")
        if len(set(self.special)) < len(self.special):
            raise UserError("numeric bins: a special value may be given once only")
        if any(low >= high for low, high in pairwise(self.cuts)):
            raise UserError("numeric bins: cuts must rise strictly")

    @classmethod
    def of(cls, cuts: Iterable[float]) -> NumericBins:
        """Bins of cuts as people write them: rounded to float32, of whole numbers where every cut lies between two."""
        at = tuple(float(np.float32(cut)) for cut in cuts)
        return cls(at, whole=bool(at) and all(cut % 1 == 0.5 for cut in at))

    @property
    def count(self) -> int:
        """Number of attributes, special ones and the missing one included."""
        return self.missing + 1

    @property
    def intervals(self) -> int:
        """Number of the attributes that stand in order: neither special nor missing."""
        return len(self.cuts) + 1

    @property
    def missing(self) -> int:
        """Number of the attribute of a missing value."""
        return self.intervals + len(self.special)

    @cached_property
    def _cuts32(self) -> Float32:
        return np.asarray(self.cuts, dtype=np.float32)

    @cached_property
    def steps(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Cuts and the attribute of each interval between them, a special value being an interval of its own."""
        apart = {float(np.nextafter(np.float32(v), np.float32(-np.inf))) for v in self.special} | set(self.special)
        cuts = tuple(sorted({*self.cuts, *apart}))
        return cuts, tuple(self.index_of(value) for value in (*cuts, math.inf))

    def index(self, values: Float32) -> Index:
        """Attribute of each value: the number of cuts below it; the last where it is NaN."""
        if len(self.cuts) > _MANY_CUTS:
            indices = np.searchsorted(self._cuts32, values, side="left").astype(np.int16)
        else:
            indices = np.zeros(values.shape, dtype=np.int16)
            for cut in self._cuts32:
                indices += values > cut
        for place, value in enumerate(self.special, start=self.intervals):
            indices[values == np.float32(value)] = place
        indices[np.isnan(values)] = self.missing
        return indices

    def index_of(self, value: float) -> int:
        """Attribute of one value, which must already be a float32 number."""
        if value in self.special:
            return self.intervals + self.special.index(value)
        return self.missing if value != value else bisect_left(self.cuts, value)

    def labels(self, lang: str = "en") -> tuple[str, ...]:
        """Return what people read, one text an attribute."""
        if not self.cuts:
            texts = ["任意值" if lang == "zh" else "any value"]
        elif self.whole:
            ends = [math.floor(cut) for cut in self.cuts]
            inner = [
                f"{low + 1}" if high == low + 1 else f"{low + 1}{'至' if lang == 'zh' else ' to '}{high}"
                for low, high in pairwise(ends)
            ]
            texts = [f"≤ {ends[0]}", *inner, f"≥ {ends[-1] + 1}"]
        else:
            cuts = [str(cut) for cut in self._cuts32]
            texts = [f"≤ {cuts[0]}", *(f"{low} < x ≤ {high}" for low, high in pairwise(cuts)), f"> {cuts[-1]}"]
        return (*texts, *(f"= {np.float32(value)!s}".removesuffix(".0") for value in self.special), MISSING[lang])

    def merge(self, first: int) -> NumericBins:
        """Join attribute ``first`` with the next one."""
        if not 0 <= first < len(self.cuts):
            raise UserError(f"merge: attribute {first} has no neighbour above it; it can be 0 to {len(self.cuts) - 1}")
        return replace(self, cuts=(*self.cuts[:first], *self.cuts[first + 1 :]))

    def split(self, at: float) -> NumericBins:
        """Add a cut: values up to ``at`` part from those above it."""
        cut = float(np.float32(at))
        if cut in self.cuts:
            raise UserError(f"split: there is a cut at {at!r} already")
        return replace(self, cuts=tuple(sorted((*self.cuts, cut))))

    def move(self, cut: int, to: float) -> NumericBins:
        """Put cut number ``cut`` at another place between its neighbours."""
        if not 0 <= cut < len(self.cuts):
            raise UserError(f"move: there is no cut number {cut}; there are {len(self.cuts)}")
        return replace(self, cuts=(*self.cuts[:cut], float(np.float32(to)), *self.cuts[cut + 1 :]))

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        special = {"special": list(self.special)} if self.special else {}
        return {"cuts": list(self.cuts), "whole": self.whole, **special}


@dataclass(frozen=True)
class CategoricalBins:
    """Groups of categories, then one attribute for every other text, then missing.

    Examples
    --------
    >>> bins = CategoricalBins((("own", "free"), ("rent",)))
    >>> bins.labels(), bins.index_of("rent"), bins.index_of("tent"), bins.index_of(None)
    (('own, free', 'rent', 'any other', 'missing'), 1, 2, 3)
    """

    groups: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        names = [name for group in self.groups for name in group]
        if not all(self.groups) or not all(isinstance(name, str) for name in names):
            raise UserError("categorical bins: every group must hold at least one text")
        if len(names) != len(set(names)):
            raise UserError("categorical bins: a category may stand in one group only")

    @property
    def count(self) -> int:
        """Number of attributes, the other and the missing one included."""
        return len(self.groups) + 2

    @property
    def other(self) -> int:
        """Number of the attribute of a category in no group."""
        return len(self.groups)

    @property
    def missing(self) -> int:
        """Number of the attribute of a missing value."""
        return len(self.groups) + 1

    @cached_property
    def _index(self) -> dict[str | None, int]:
        places: dict[str | None, int] = {name: i for i, group in enumerate(self.groups) for name in group}
        return places | {None: self.missing}

    def index(self, categories: Iterable[str | None]) -> Index:
        """Attribute of each category; ``None`` is missing."""
        places, other = self._index, self.other
        return np.fromiter((places.get(name, other) for name in categories), dtype=np.int16)

    def index_of(self, category: str | None) -> int:
        """Attribute of one category; ``None`` is missing."""
        return self._index.get(category, self.other)

    def labels(self, lang: str = "en") -> tuple[str, ...]:
        """Return what people read, one text an attribute."""
        comma = "、" if lang == "zh" else ", "
        return (*(comma.join(group) for group in self.groups), _OTHER[lang], MISSING[lang])

    def merge(self, first: int | str, second: int | str) -> CategoricalBins:
        """Join two groups, named by number or by a category in each; it stands in the place of the first."""
        low, high = sorted(self.index_of(at) if isinstance(at, str) else at for at in (first, second))
        if low == high or not 0 <= low < high < len(self.groups):
            raise UserError(f"merge: two different groups are needed, each 0 to {len(self.groups) - 1}")
        union = (*self.groups[low], *self.groups[high])
        return CategoricalBins((*self.groups[:low], union, *self.groups[low + 1 : high], *self.groups[high + 1 :]))

    def split(self, category: str) -> CategoricalBins:
        """Give a category a group of its own, at the end."""
        rest = tuple(tuple(name for name in group if name != category) for group in self.groups)
        return CategoricalBins((*(group for group in rest if group), (category,)))

    def move(self, category: str, beside: str) -> CategoricalBins:
        """Put a category into the group of another."""
        apart = self.split(category)
        if category == beside or apart.index_of(beside) == apart.other:
            raise UserError(f"move: there is no group of {beside!r} that {category!r} could join")
        return apart.merge(beside, category)

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return {"groups": [list(group) for group in self.groups]}


Bins = NumericBins | CategoricalBins


@dataclass(frozen=True)
class BinEdits:
    """Edits of bins that have yet to be learned: each the name of a method of bins, and what it is given.

    Examples
    --------
    >>> BinEdits((("merge", 0), ("split", 9.0))).apply(NumericBins((0.5, 2.5))).cuts
    (2.5, 9.0)
    """

    steps: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        for step in self.steps:
            if not step or step[0] not in ("merge", "split", "move") or not 2 <= len(step) <= 3:
                raise UserError(f"edits of bins: {list(step)} is none; there are merge, split and move")

    def apply(self, bins: Bins) -> Bins:
        """Return the bins after every edit."""
        for name, *arguments in self.steps:
            try:
                bins = getattr(bins, name)(*arguments)
            except UserError:
                raise
            except (TypeError, ValueError):
                raise UserError(f"{name}: {arguments} does not suit bins of {type(bins).__name__}") from None
        return bins

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return {"edits": [list(step) for step in self.steps]}


def attributes_of(bins: Bins, column: Column, name: str) -> Index:
    """Attribute of each value of a caller's column."""
    if isinstance(bins, NumericBins):
        return bins.index(as_numbers(column, name))
    codes, texts = as_categories(column, name)
    return bins.index(texts)[codes]
