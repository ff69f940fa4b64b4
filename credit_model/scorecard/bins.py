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
from credit_model.scorecard.columns import Column, as_categories, as_numbers, category_of, numbers_of
from credit_model.scorecard.document import CardError
from credit_model.scorecard.reasons import MISSING, NOTHING, CardReason, close, say, statement

if TYPE_CHECKING:
    from credit_model.features.definition import FeatureDefinition

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


@dataclass(frozen=True)
class Attribute:
    """One attribute of a characteristic: its points, WOE, and share and bad rate in the development sample."""

    points: int
    woe: float
    share: float
    bad_rate: float | None


@dataclass(frozen=True)
class Policy:
    """Who approved points that were set rather than learned, and on what ground."""

    approver: str
    ground: str


@dataclass(frozen=True)
class Characteristic:
    """A predictor of the card: its bins, the points of each attribute, and the attribute of the reference row.

    Parameters
    ----------
    name : str
        Name of the column it reads.
    bins : NumericBins or CategoricalBins
    attributes : tuple of Attribute
        One for each attribute of the bins, in their order.
    reference : int
        Number of the attribute that points are stated against; its points are 0.
    direction : int
        +1 where a greater value means more risk, -1 where it means less, 0 where nothing is said.
    weight : float
        Coefficient of the WOE, calibration included; 0 where points are policy.
    policy : Policy, optional
        Given where points were set, not learned.
    definition : FeatureDefinition, optional
        How the value is computed from records; none for a raw column.
    """

    name: str
    bins: Bins
    attributes: tuple[Attribute, ...]
    reference: int
    direction: int = 0
    weight: float = 0.0
    policy: Policy | None = None
    definition: FeatureDefinition | None = None

    def __post_init__(self) -> None:
        faults = []
        if len(self.attributes) != self.bins.count:
            faults.append(f"{self.bins.count} attributes are needed, {len(self.attributes)} are given")
        elif not 0 <= self.reference < self.bins.count or self.attributes[self.reference].points:
            faults.append("the reference must be one of the attributes, and have 0 points")
        if any(type(a.points) is not int for a in self.attributes):
            faults.append("points must be whole numbers")
        if self.definition is not None and self.definition.name != self.name:
            faults.append(f"its definition is called {self.definition.name!r}")
        if faults:
            raise CardError(f"characteristic {self.name!r} cannot be used: " + "; ".join(faults), tuple(faults))

    @property
    def label_zh(self) -> str:
        """What it is called, in Chinese."""
        return self.definition.label_zh if self.definition else self.name

    @property
    def label_en(self) -> str:
        """What it is called, in English."""
        return self.definition.label_en if self.definition else self.name

    @property
    def reason(self) -> str:
        """Code of the reason it gives."""
        return (self.definition.reason if self.definition else "") or self.name

    @property
    def is_never_missing(self) -> bool:
        """Whether its definition gives a number to every subject, "nothing on record" included."""
        return self.definition is not None and not self.definition.missing

    @cached_property
    def points(self) -> tuple[int, ...]:
        """Points by attribute."""
        return tuple(a.points for a in self.attributes)

    def attribute_labels(self, lang: str = "en") -> tuple[str, ...]:
        """Return what people read of its attributes; a missing value may mean that nothing is on record."""
        labels = self.bins.labels(lang)
        return (*labels[:-1], NOTHING[lang]) if self.definition and self.definition.missing else labels

    def points_of(self, column: Column) -> npt.NDArray[np.int32]:
        """Points of each value of a caller's column."""
        return self.points_at(attributes_of(self.bins, column, self.name))

    def points_at(self, attributes: Attributes) -> npt.NDArray[np.int32]:
        """Points of rows, from the attribute each has."""
        return np.asarray(self.points, dtype=np.int32).take(attributes)

    def label(self, lang: str) -> str:
        """Return its name."""
        return self.label_zh if lang == "zh" else self.label_en

    def describe(self, value: object, lang: str) -> str:
        """Return a caller's value as people read it."""
        parsed: Value
        if isinstance(self.bins, NumericBins):
            number = numbers_of([value], [self.name])[0]
            parsed = None if number != number else number
        else:
            parsed = category_of(value, self.name)
        missing = NOTHING if self.definition and self.definition.missing else MISSING
        return say(parsed, missing[lang])

    def reason_for(self, value: object, points: int) -> CardReason:
        """Return the reason that a value and its points give."""
        zh, en = (
            close(statement(self.label(lang), self.describe(value, lang), lang), points, lang) for lang in ("zh", "en")
        )
        return CardReason(self.reason, self.name, points, zh, en)

    def is_ordered(self, direction: int) -> bool:
        """Return whether points never rise with the value (direction +1), or never fall with it (-1)."""
        if isinstance(self.bins, CategoricalBins):
            return False
        return all((high - low) * direction <= 0 for low, high in pairwise(self.points[: self.bins.intervals]))

    def example(self, attribute: int) -> Value:
        """Return an invented value of an attribute; of an interval, its upper end."""
        if attribute == self.bins.missing:
            return None
        if isinstance(self.bins, CategoricalBins):
            return "-" if attribute == self.bins.other else self.bins.groups[attribute][0]
        if attribute < len(self.bins.cuts):
            return self.bins.cuts[attribute]
        if attribute >= self.bins.intervals:
            return self.bins.special[attribute - self.bins.intervals]
        return float(np.float32(2 * abs(self.bins.cuts[-1]) + 1)) if self.bins.cuts else 0.0

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        table: dict[str, Any] = {"name": self.name, **self.bins.to_dict(), "reference": self.reference}
        table |= {"direction": self.direction, "weight": self.weight}
        table["attributes"] = [vars(a) for a in self.attributes]
        if self.policy:
            table["policy"] = vars(self.policy)
        if self.definition:
            table["definition"] = self.definition.to_dict()
        return table

    @classmethod
    def from_dict(cls, table: JsonObject) -> Characteristic:
        """Read what :meth:`to_dict` wrote."""
        rest = dict(table)
        bins: Bins
        if "groups" in rest:
            bins = CategoricalBins(tuple(tuple(group) for group in rest.pop("groups")))
        else:
            special = tuple(map(float, rest.pop("special", ())))
            bins = NumericBins(tuple(map(float, rest.pop("cuts"))), rest.pop("whole"), special)
        attributes = tuple(Attribute(**a) for a in rest.pop("attributes"))
        policy, definition = rest.pop("policy", None), rest.pop("definition", None)
        if definition is not None:
            from credit_model.features.definition import FeatureDefinition

            definition = FeatureDefinition.from_dict(definition)
        return cls(
            bins=bins,
            attributes=attributes,
            policy=None if policy is None else Policy(**policy),
            definition=definition,
            **rest,
        )


def attributes_of(bins: Bins, column: Column, name: str) -> Index:
    """Attribute of each value of a caller's column."""
    if isinstance(bins, NumericBins):
        return bins.index(as_numbers(column, name))
    codes, texts = as_categories(column, name)
    return bins.index(texts)[codes]
