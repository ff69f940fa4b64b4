"""What rows of segments hold, as numbers, and which of them meet a condition.

Rows that agree on everything conditions ask for are one *class*: conditions are answered once for a class (some dozens)
and a row is a number to look up. Only a condition on a number, a date or a text is answered row by row, once.

In: segments, some of their rows, conditions of definitions. Out: int64 columns, masks, class codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, to_day
from credit_model.visibility.tables import ROLES, TIERS, Segments

if TYPE_CHECKING:
    from credit_model.features.conditions import Condition

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_COMPARE: Final = {"le": np.less_equal, "lt": np.less, "ge": np.greater_equal, "gt": np.greater}
_BY_KIND: Final = ("kinds", "polarity", "dimension")
_MOST_CLASSES: Final = 1 << 14  # more are counted before they are used


class Classes(NamedTuple):
    """The class of each row, and what each class holds (``facts``)."""

    code: NDArray[np.int32]
    number: int
    facts: Facts


@dataclass(frozen=True)
class Facts:
    """Columns of some rows.

    Parameters
    ----------
    segments : Segments
    catalogue : Catalogue
    rows : slice or ndarray of int
    known : mapping, optional
        Columns and answers given instead of read: those of classes.
    """

    segments: Segments
    catalogue: Catalogue
    rows: Any = field(default_factory=lambda: slice(None))
    known: Mapping[Any, NDArray[Any]] = field(default_factory=dict)

    def raw(self, name: str) -> NDArray[Any]:
        """A column as segments hold it."""
        if name in self.known:
            return self.known[name]
        attribute = self.segments.attributes.get(name)
        column: NDArray[Any] = (getattr(self.segments, name) if attribute is None else attribute)[self.rows]
        return column

    def number(self, name: str) -> Ints:
        """A column as int64, whatever it holds (numbers, days, codes), with ``NO_VALUE`` for null."""
        if name == "field":
            return self._fields()
        column = self.raw(name)
        held = self.catalogue.attribute_types.get(name, "tier" if name == "tier" else "int")
        if held == "int":
            return cast(Ints, column.astype(np.int64, copy=False))
        return np.where(column == {"tier": 0, "date": NO_DAY, "text": -1}[held], NO_VALUE, column.astype(np.int64))

    def _fields(self) -> Ints:
        """The field of a record: its kind's, else its own (attribute ``field_code``)."""
        number = {code: i for i, code in enumerate(self.catalogue.fields)}
        by_kind = [number.get(self.catalogue.kinds[code].field, NO_VALUE) for code in self.segments.kind_codes]
        fields: Ints = np.array(by_kind, np.int64)[self.raw("kind")]
        if "field_code" in self.segments.attributes:
            words = self.segments.vocabularies["field_code"]
            by_code = np.array([*(number.get(word, NO_VALUE) for word in words), NO_VALUE], np.int64)
            return np.where(fields == NO_VALUE, by_code[self.raw("field_code")], fields)
        return fields

    def all_of(self, conditions: Iterable[Condition]) -> Mask:
        """Rows that meet every condition."""
        mask = np.ones(len(self.raw("kind")), np.bool_)
        for condition in conditions:
            mask &= self.meets(condition)
        return mask

    def meets(self, condition: Condition) -> Mask:
        """Rows that meet a condition; a row without the fact does not."""
        if condition in self.known:
            return cast(Mask, self.known[condition])
        key, comparison, value = condition.key, condition.comparison, condition.value
        if key in _BY_KIND:
            name = {"kinds": "code"}.get(key, key)
            kinds = [self.catalogue.kinds[code] for code in self.segments.kind_codes]
            return cast(Mask, np.array([getattr(kind, name) in value for kind in kinds], np.bool_)[self.raw("kind")])
        column = self.number(key)
        if comparison == "in":
            return np.isin(column, [self._number(key, v) for v in value])
        return cast(Mask, _COMPARE[comparison](column, self._number(key, value)) & (column != NO_VALUE))

    def _number(self, key: str, value: Any) -> Any:
        """A value of a condition as columns hold it; -1 for a text that no record holds."""
        if key == "tier":
            return TIERS.index(value)
        held = self.catalogue.attribute_types.get(key)
        if held == "date":
            return to_day(value)
        words = {"role": ROLES, "field": tuple(self.catalogue.fields)}.get(key)
        if held == "text":
            words = self.segments.vocabularies[key]
        return value if words is None else words.index(value) if value in words else -1

    def classes(self, conditions: Sequence[Condition]) -> Classes:
        """Rows by what decides whether they meet the conditions (and by kind)."""
        sources: list[tuple[Any, int]] = [("kind", len(self.segments.kind_codes))]
        keys = {condition.key for condition in conditions}
        sources += [(key, len(words)) for key, words in (("tier", TIERS), ("role", ROLES)) if key in keys]
        if "field" in keys and "field_code" in self.segments.attributes:
            sources.append(("field_code", len(self.segments.vocabularies["field_code"]) + 1))
        direct = {*_BY_KIND, "tier", "role", "field"}
        sources += [(condition, 2) for condition in conditions if condition.key not in direct]

        code = self.raw("kind").astype(np.int32)
        count = sources[0][1]
        held: dict[Any, NDArray[Any]] = {"kind": np.arange(count)}
        for source, size in sources[1:]:
            values = self.raw(source) if isinstance(source, str) else self.meets(source)
            if source == "field_code":
                values = values + 1
            code = code * np.int32(size) + values
            held = {name: np.repeat(column, size) for name, column in held.items()}
            held[source] = np.tile(np.arange(size), count)
            count *= size
            if count > _MOST_CLASSES:
                present = np.zeros(count, np.bool_)
                present[code] = True
                code = (np.cumsum(present, dtype=np.int32) - 1)[code]
                held = {name: column[present] for name, column in held.items()}
                count = int(present.sum())
        if "field_code" in held:
            held["field_code"] = held["field_code"] - 1
        answers = {name: column if isinstance(name, str) else column == 1 for name, column in held.items()}
        return Classes(code.astype(np.int32, copy=False), count, Facts(self.segments, self.catalogue, known=answers))
