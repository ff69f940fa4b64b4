"""Evaluate conditions over columns: of segments, of a table of records, or of classes of records.

This is the one place where a condition is answered. Rows that agree on everything conditions ask for are one *class*:
conditions are answered once for a class (some dozens) and a row is a number to look up. Only a condition on a number,
a date or a text is answered row by row, once.

In: segments or a frame, some of their rows, conditions of definitions. Out: int64 columns, masks, class codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, to_day, to_days
from credit_model.foundation.decimals import decimal_units
from credit_model.visibility.tables import ROLES, TIERS, Segments

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.features.conditions import Condition

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Column = NDArray[np.integer[Any]]

_COMPARE: Final = {"le": np.less_equal, "lt": np.less, "ge": np.greater_equal, "gt": np.greater}
_WORDS: Final = {"tier": TIERS, "role": ROLES}
BY_KIND: Final = ("kinds", "polarity", "dimension")
_MOST_CLASSES: Final = 1 << 14  # more are counted before they are used


@dataclass(frozen=True)
class RecordColumns:
    """Columns of records as segments hold them, whatever they come from."""

    kind_codes: tuple[str, ...]
    vocabularies: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, Column]

    @classmethod
    def of_frame(cls, records: pd.DataFrame, keys: Iterable[str], catalogue: Catalogue) -> RecordColumns:
        """Encode the columns of a frame (as ``Ledger.between`` gives it) that conditions on these keys read."""
        place = {code: i for i, code in enumerate(catalogue.kinds)}
        columns: dict[str, Column] = {"kind": records["kind"].map(place).to_numpy(np.int64)}
        vocabularies: dict[str, tuple[str, ...]] = {}
        for key in {"field_code" if key == "field" else key for key in keys} & {*records.columns} - {*BY_KIND}:
            column, stored = records[key], catalogue.attribute_types.get(key, "int")
            if key in _WORDS:
                columns[key] = column.fillna("").map(_WORDS[key].index).to_numpy(np.int64)
            elif stored == "date":
                columns[key] = to_days(column)
            elif stored == "text":
                columns[key], words = column.factorize()
                vocabularies[key] = tuple(words)
            elif key in catalogue.decimal_places:
                units = partial(decimal_units, places=catalogue.decimal_places[key])
                columns[key] = column.map(units, na_action="ignore").astype("Int64").fillna(NO_VALUE).to_numpy(np.int64)
            else:
                columns[key] = column.astype("Int64").fillna(NO_VALUE).to_numpy(np.int64)
        return cls(tuple(catalogue.kinds), vocabularies, columns)


@dataclass(frozen=True)
class Facts:
    """Columns of some rows.

    Parameters
    ----------
    segments : Segments or RecordColumns
    catalogue : Catalogue
    rows : slice or ndarray of int
    answers : mapping, optional
        Columns and answers given instead of read: those of classes.
    """

    segments: Segments | RecordColumns
    catalogue: Catalogue
    rows: slice | Ints | Mask = field(default_factory=lambda: slice(None))
    answers: Mapping[str | Condition, Column] = field(default_factory=dict)

    def raw(self, name: str) -> Column:
        """Return a column as segments hold it."""
        if name in self.answers:
            return self.answers[name]
        attribute = self.segments.attributes.get(name)
        column: Column = getattr(self.segments, name) if attribute is None else attribute
        values: Column = column[self.rows]
        return values

    def number(self, name: str) -> Ints:
        """Return a column as int64, whatever it holds (numbers, days, codes), with ``NO_VALUE`` for null."""
        if name == "field":
            return cast(Ints, self.answers["field"]) if "field" in self.answers else self._fields()
        column = self.raw(name)
        stored = self.catalogue.attribute_types.get(name, "tier" if name == "tier" else "int")
        if stored == "int":
            return cast(Ints, column.astype(np.int64, copy=False))
        return np.where(column == {"tier": 0, "date": NO_DAY, "text": -1}[stored], NO_VALUE, column.astype(np.int64))

    def _fields(self) -> Ints:
        """Return the field of each record: its kind's, else its own (attribute ``field_code``)."""
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
        if condition in self.answers:
            return cast(Mask, self.answers[condition])
        key, comparison, value = condition.key, condition.comparison, condition.value
        if key in BY_KIND:
            name = {"kinds": "code"}.get(key, key)
            kinds = [self.catalogue.kinds[code] for code in self.segments.kind_codes]
            return cast(Mask, np.array([getattr(kind, name) in value for kind in kinds], np.bool_)[self.raw("kind")])
        if key == "severity":
            return cast(Mask, self._severities()[self.raw("kind"), self.raw("tier")] >= value)
        column = self.number(key)
        if comparison == "in":
            return np.isin(column, [self._number(key, v) for v in value])
        return cast(Mask, _COMPARE[comparison](column, self._number(key, value)) & (column != NO_VALUE))

    def _severities(self) -> Ints:
        """Return the severity class of each kind and tier; 0 where there is none."""
        kinds = [self.catalogue.kinds[code] for code in self.segments.kind_codes]
        return np.array([[0, *(kind.severity_of(tier) or 0 for tier in TIERS[1:])] for kind in kinds], np.int64)

    def _number(self, key: str, value: str | float | date) -> int | float:
        """Return a value of a condition as columns hold it; -1 for a text that no record holds."""
        if key == "tier":
            return TIERS.index(str(value))
        stored = self.catalogue.attribute_types.get(key)
        if stored == "date":
            return to_day(value)
        words = {"role": ROLES, "field": tuple(self.catalogue.fields)}.get(key)
        if stored == "text":
            words = self.segments.vocabularies[key]
        if words is not None:
            return words.index(str(value)) if value in words else -1
        if key in self.catalogue.decimal_places:
            return decimal_units(value, self.catalogue.decimal_places[key])
        return cast(float, value)

    def classes(self, conditions: Sequence[Condition]) -> Classes:
        """Group rows by what decides whether they meet the conditions (and by kind)."""
        sources: list[tuple[str | Condition, int]] = [("kind", len(self.segments.kind_codes))]
        keys = {condition.key for condition in conditions}
        keys |= {"tier"} if "severity" in keys else set()
        sources += [(key, len(words)) for key, words in (("tier", TIERS), ("role", ROLES)) if key in keys]
        if "field" in keys and "field_code" in self.segments.attributes:
            sources.append(("field", len(self.catalogue.fields) + 1))
        direct = {*BY_KIND, "tier", "role", "field", "severity"}
        sources += [(condition, 2) for condition in conditions if condition.key not in direct]
        sizes = tuple(size for _, size in sources)
        code, count = self.raw("kind").astype(np.int32), sizes[0]
        digits: list[Ints] | None = None  # by source, where classes that no row has are left out
        for place, (source, size) in enumerate(sources[1:], 1):
            code = code * np.int32(size) + self._digit(source)
            count *= size
            if digits is not None:
                digits = [*(np.repeat(column, size) for column in digits), np.tile(np.arange(size), count // size)]
            if count > _MOST_CLASSES:
                present = np.zeros(count, np.bool_)
                present[code] = True
                code = (np.cumsum(present, dtype=np.int32) - 1)[code]
                digits = list(np.unravel_index(np.arange(count), sizes[: place + 1])) if digits is None else digits
                digits = [column[present] for column in digits]
                count = int(present.sum())
        return Classes(code.astype(np.int32, copy=False), count, self, tuple(sources), digits)

    def _digit(self, source: str | Condition) -> Column | Mask:
        """Return what tells rows apart in one respect, counted from 0."""
        if not isinstance(source, str):
            return self.meets(source)
        return np.maximum(self.number(source), -1).astype(np.int32) + 1 if source == "field" else self.raw(source)


class Classes(NamedTuple):
    """The class of each row, and how classes differ: ``digits`` by source, or every combination there may be."""

    code: NDArray[np.int32]
    number: int
    rows: Facts
    sources: tuple[tuple[str | Condition, int], ...]
    digits: list[Ints] | None

    @property
    def key(self) -> tuple[tuple[str, ...], bool] | None:
        """What the classes depend on besides the conditions; None where it is the rows."""
        if self.digits is not None:
            return None
        return self.rows.segments.kind_codes, any(source == "field" for source, _ in self.sources)

    def facts(self) -> Facts:
        """Return what each class holds."""
        digits = self.digits or np.unravel_index(np.arange(self.number), [size for _, size in self.sources])
        cache: dict[str | Condition, Column] = {}
        for (source, _), column in zip(self.sources, digits, strict=True):
            cache[source] = column if isinstance(source, str) else column == 1
        if "field" in cache:
            cache["field"] = np.where(cache["field"] == 0, NO_VALUE, cache["field"] - 1)
        return Facts(self.rows.segments, self.rows.catalogue, answers=cache)
