"""Raw tables into the columns of ingest, declared in TOML: no source needs code of its own.

A mapping has one ``[[table]]`` for each kind of row made from a raw table; a raw table may appear several times, and
each of its rows then gives a row for every output whose ``where`` it meets. The reference::

    schema = 1
    name = "city_penalties"
    drawn_on = 2026-10-31               # the day the source was drawn: a later date in it is refused

    [[table]]
    source = "penalties"                # penalties.parquet, penalties.csv, or records={"penalties": frame}
    target = "records"                  # records (default), amendments, subjects, audit
    encoding = "gb18030"                # of CSV; default utf8
    multiline = true                    # of CSV: a quoted text may go on in the next line; default: it is refused
    where = [{ column = "状态", in = ["有效"] }]     # also not_in, null = true | false; all must hold

    [table.columns]                     # column of ingest = where it comes from
    id_number = "证件号码"               # a raw column, as it is
    kind = { value = "adm_penalty" }    # the same for every row
    tier = { column = "程度", values = { "轻微" = "minor", "一般" = "general", "严重" = "serious" } }
    decided_on = { column = "处罚决定日期", formats = ["%Y/%m/%d", "%Y年%m月%d日"] }    # or format = one of them
    valid_to = { column = "处罚决定日期", format = "%Y/%m/%d", shift_months = 12, shift_days = -1 }
    known_on = { columns = ["归集日期", "处罚决定日期"] }          # the first that is there
    amount = { column = "罚款金额(万元)", multiply = 10000 }       # exact, or refused; round = true rounds
    record_id = { template = "CF-{处罚机关}-{文书号}" }            # empty where a part is
    procedure = { column = "简易", values = { "是" = "summary" }, otherwise = "ordinary" }

A value that ``values`` does not name refuses its row (``unmapped_value``) unless ``otherwise`` says what it becomes
(``""``: nothing). It may name ranges of numbers: ``"0..70"`` has both ends, ``"70..<85"`` not the second, ``"..70"``
and ``"85.."`` are open. Rows that ``where`` leaves out are counted, not refused. ``part = "month"`` (``"year"``,
``"day"``) takes a number out of a date. A ``prefix`` comes last: in a table of amendments
``value = { column = "缴款金额(分)", multiply = 1, prefix = "paid=" }`` says what was paid.

In: a TOML file, a raw Arrow batch. Out: ``Mapping``; batches in the columns of ingest, every fault at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kind_rules import TIERS
from credit_model.foundation.arrow_columns import (
    NumberRange,
    as_mask,
    index_in_ranges,
    multiply_exactly,
    parse_dates,
    read_dates,
    read_text,
    shift_dates,
)
from credit_model.foundation.errors import UserError
from credit_model.foundation.toml_reader import TomlReader, raise_faults, read_toml
from credit_model.ledger.sources import Join, JoinedRows
from credit_model.ledger.validation import TABLE_NAMES, column_faults, column_types
from credit_model.visibility.amendments import ACTIONS

_FIELD = re.compile(r"\{([^{}]+)\}")
_PARTS = {"year": pc.year, "month": pc.month, "day": pc.day}
_LARGEST_FACTOR = 1e12
_UNMATCHED = ("refuse", "exclude", "keep")  # rows that find nothing in a joined table


class MappingErrors(UserError):
    """A mapping that cannot be used; ``faults`` names every one of its faults."""


@dataclass(frozen=True)
class RowCondition:
    """A test of one raw column: among values, not among them, or empty."""

    column: str
    among: tuple[str, ...] | None = None
    not_among: tuple[str, ...] | None = None
    null: bool | None = None

    def holds(self, raw: pa.Table) -> NDArray[np.bool_]:
        """Return a mask of the rows that meet it."""
        text = read_text(raw.column(self.column).combine_chunks())
        absent = text.is_null().to_numpy(zero_copy_only=False)
        holds = np.ones(raw.num_rows, np.bool_)
        for values, is_in in ((self.among, True), (self.not_among, False)):
            if values is not None:
                matches = pc.is_in(text, value_set=pa.array(values, pa.string())).to_numpy(zero_copy_only=False)
                holds &= matches == is_in
        return holds if self.null is None else holds & (absent == self.null)


@dataclass(frozen=True)
class Origin:
    """Where one column of ingest comes from: raw columns, a fixed value or a template, and what is done to it."""

    columns: tuple[str, ...] = ()
    value: str | None = None
    template: str | None = None
    values: MappingABC[str, str] | None = None
    otherwise: str | None = None
    prefix: str = ""
    multiply: int | float | None = None
    round: bool = False
    formats: tuple[str, ...] = ()
    shift_months: int = 0
    shift_days: int = 0
    part: str | None = None

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Every raw column it reads."""
        return (*self.columns, *(_FIELD.findall(self.template) if self.template else ()))

    @property
    def is_date(self) -> bool:
        """Whether it gives a date."""
        return bool(self.formats or self.shift_months or self.shift_days) and not self.part

    @cached_property
    def ranges(self) -> dict[str, NumberRange]:
        """The keys of ``values`` that are ranges of numbers."""
        parsed = {key: NumberRange.parse(key) for key in self.values or {}}
        return {key: one for key, one in parsed.items() if one is not None}

    def read(self, raw: pa.Table) -> tuple[pa.Array, dict[str, NDArray[np.bool_]]]:
        """Return the column, and by reason the rows that it refuses."""
        faults: dict[str, NDArray[np.bool_]] = {}
        if self.value is not None:
            return pa.array([self.value] * raw.num_rows, pa.string()), faults
        if self.template is not None:
            return self._fill(raw), faults
        if len(self.columns) == 1 and not self._changes:
            return raw.column(self.columns[0]).combine_chunks(), faults
        column = pc.coalesce(*(self._text(raw.column(name).combine_chunks()) for name in self.columns))
        if self.values is not None:
            column, faults["unmapped_value"] = self._map(column)
        if self.multiply is not None:
            column = multiply_exactly(column, self.multiply, self.round)
        if self.formats:
            column, faults["ambiguous_date"] = parse_dates(column, self.formats)
        if self.shift_months or self.shift_days:
            column = shift_dates(column, self.shift_months, self.shift_days)
        if self.part is not None:
            days, unreadable = read_dates(column)
            number = _PARTS[self.part](days).cast(pa.string())
            column = pc.if_else(pa.array(unreadable), "?", number)
        if self.prefix:
            column = pc.binary_join_element_wise(self.prefix, column, "")
        return column, faults

    @property
    def _changes(self) -> bool:
        changes = self.formats, self.shift_months, self.shift_days, self.part, self.prefix
        return any((self.values is not None, self.multiply is not None, *changes))

    def _text(self, column: pa.Array) -> pa.Array:
        """Return a raw column as text; dates and times as days where a date is made of them."""
        is_day = pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)
        return read_dates(column)[0].cast(pa.string()) if is_day and self.is_date else read_text(column)

    def _map(self, column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
        """Replace texts and numbers by what ``values`` says, and mark those it does not name."""
        values = dict(self.values or {})
        place = pc.index_in(column, value_set=pa.array(list(values), pa.string()))
        if self.ranges:  # a text that stands there itself goes first
            in_range = index_in_ranges(column, list(self.ranges.values()))
            keys = np.array([list(values).index(key) for key in self.ranges])[in_range]
            place = pc.coalesce(place, pa.array(np.where(in_range < 0, 0, keys), pa.int32(), mask=in_range < 0))
        mapped = pa.array(list(values.values()), pa.string()).take(place)
        if self.otherwise is not None:  # an empty value too becomes this
            return pc.coalesce(mapped, pa.scalar(self.otherwise)), np.zeros(len(column), np.bool_)
        return mapped, as_mask(pc.and_(place.is_null(), column.is_valid()))

    def _fill(self, raw: pa.Table) -> pa.Array:
        parts: list[Any] = _FIELD.split(self.template or "")
        if len(parts) == 1:
            return pa.array(parts * raw.num_rows, pa.string())
        parts[1::2] = [read_text(raw.column(name).combine_chunks()) for name in parts[1::2]]
        return pc.binary_join_element_wise(*(p for p in parts if not isinstance(p, str) or p), "")


@dataclass(frozen=True)
class Output:
    """The rows one raw table gives to one table of the ledger."""

    source: str
    target: str
    columns: MappingABC[str, Origin]
    where: tuple[RowCondition, ...] = ()
    encoding: str = "utf8"
    is_multiline: bool = False
    join: Join | None = None
    joined_known_on: Origin | None = None  # from when a row of the joined table is known

    @cached_property
    def _names(self) -> list[str]:
        """Every column that is read, those of a joined table with its name before them."""
        origins = [*self.columns.values(), *([self.joined_known_on] if self.joined_known_on else [])]
        return list(dict.fromkeys([c.column for c in self.where] + [n for o in origins for n in o.raw_columns]))

    @property
    def raw_columns(self) -> list[str]:
        """Every column of the raw table that is read; no other is."""
        if self.join is None:
            return self._names
        return list(dict.fromkeys([*(n for n in self._names if self.join.column(n) is None), *self.join.on]))

    @property
    def joined_columns(self) -> list[str]:
        """Every column of the joined table that is read."""
        if self.join is None:
            return []
        columns = [column for name in self._names if (column := self.join.column(name)) is not None]
        return list(dict.fromkeys([*self.join.on.values(), *columns]))

    def apply(
        self, raw: pa.Table, join_rows: JoinedRows | None = None
    ) -> tuple[pa.Table, NDArray[np.int64], dict[tuple[str, str], NDArray[np.bool_]]]:
        """Map one raw batch.

        Returns
        -------
        table : pyarrow.Table
            In the columns of ingest.
        places : ndarray of int
            The place in the batch of each of its rows.
        faults : dict
            Rows with a value the mapping does not know or without a row to join, as validation takes them.
        """
        is_matched, faults = np.ones(raw.num_rows, np.bool_), dict[tuple[str, str], NDArray[np.bool_]]()
        if self.join is not None and join_rows is not None:
            names = [name for name in self._names if self.join.column(name) is not None]
            raw, is_matched, faults = self.join.apply(raw, join_rows, names)
        holds = np.logical_and.reduce([np.ones(raw.num_rows, np.bool_), *(c.holds(raw) for c in self.where)])
        if self.join is not None and self.join.unmatched == "exclude":
            holds &= is_matched | faults["ambiguous_join", self.join.source]
        faults = {reason: rows[holds] for reason, rows in faults.items() if rows[holds].any()}
        raw, is_matched = raw.filter(pa.array(holds)), is_matched[holds]
        columns: dict[str, pa.Array] = {}
        for name, origin in self.columns.items():
            columns[name], refusals = origin.read(raw)
            faults |= {(reason, name): rows for reason, rows in refusals.items() if rows.any()}
        if self.joined_known_on is not None:
            joined_days, refusals = self.joined_known_on.read(raw)
            faults |= {(reason, "known_on"): rows for reason, rows in refusals.items() if rows.any()}
            columns["known_on"] = _later(columns["known_on"], joined_days, is_matched)
        return pa.table(columns), np.flatnonzero(holds), faults


@dataclass(frozen=True)
class Mapping:
    """How the raw tables of a source become rows of a ledger."""

    name: str
    outputs: tuple[Output, ...]
    drawn_on: date | None = None

    def outputs_of(self, source: str, only: bool = False) -> list[Output]:
        """Return the outputs of a raw table; if it is the ``only`` one sent, its name does not matter."""
        sources = {output.source for output in self.outputs}
        return [o for o in self.outputs if o.source == source or (only and len(sources) == 1)]

    def check(self, catalogue: Catalogue) -> None:
        """Hold the mapping against a catalogue.

        Raises
        ------
        MappingErrors
            With every column that is forbidden, undeclared or missing, and every code the catalogue does not have.
        """
        faults = []
        for output in self.outputs:
            where = f"{output.source} -> {output.target}"
            faults += column_faults(output.columns, output.target, catalogue, where)
            for name in output.raw_columns:
                denied = catalogue.denied(name)
                if denied and not (output.target == "audit" and denied in output.columns):
                    faults.append(f"{where}: raw column {name!r} holds what may never be kept ({denied})")
            for name in output.joined_columns:
                if denied := catalogue.denied(name):
                    faults.append(f"{where}: joined column {name!r} holds what may never be kept ({denied})")
            types = column_types(output.target, catalogue)
            for name, origin in output.columns.items():
                codes = {"kind": list(catalogue.kinds), "tier": TIERS, "action": ACTIONS}.get(name)
                fixed = [origin.value, origin.otherwise, *(origin.values or {}).values()]
                if codes is not None:
                    faults += [f"{where}: {name} {v!r} does not exist" for v in fixed if v and v not in codes]
                typed = types.get(name)
                fact = (output.target, name) == ("amendments", "value")  # a number or a date, behind a prefix
                number = origin.multiply or origin.part
                if not fact and ((number and typed != "int") or (origin.is_date and typed != "date")):
                    faults.append(f"{where}: {name}: multiply and part are for numbers, format for dates")
                if number and output.target == "records" and name in catalogue.decimal_places:
                    faults.append(f"{where}: {name}: multiply and part give whole numbers, and this is a decimal")
                if name == "known_on" and min(origin.shift_months, origin.shift_days) < 0:
                    faults.append(f"{where}: known_on is moved back: nothing is known before its source says so")
        raise_faults(faults, f"mapping {self.name!r}", MappingErrors)


def _later(own: pa.Array, other: pa.Array, is_matched: NDArray[np.bool_]) -> pa.Array:
    """Return the later of two days as ISO text, null where one lacks; where nothing was joined, the row's own day."""
    (first, bad), (second, bad_too) = read_dates(own), read_dates(other)
    later = pc.if_else(pc.greater(second, first), second, first).cast(pa.string())
    days = pc.if_else(pa.array(is_matched), later, first.cast(pa.string()))
    return pc.if_else(pa.array(bad | (bad_too & is_matched)), "?", days)


def load_mapping(path: str | Path, catalogue: Catalogue | None = None) -> Mapping:
    """Read a mapping from TOML; with a catalogue, check it against that too.

    Parameters
    ----------
    path : path-like
    catalogue : Catalogue, optional

    Returns
    -------
    Mapping

    Raises
    ------
    MappingErrors
        If the file cannot be read, or with every fault of its content at once.
    """
    what = f"mapping {path}"
    reader = _Reader(read_toml(path, "mapping", MappingErrors), what, MappingErrors)
    mapping = reader.mapping()
    reader.end()
    if catalogue is not None:
        mapping.check(catalogue)
    return mapping


class _Reader(TomlReader):
    """Turns parsed TOML into a mapping."""

    def mapping(self) -> Mapping:
        self.keys(self.raw, "the file", ("schema", "name", "table"), ("drawn_on",))
        tables = self.tables(self.raw.get("table", []), "table")
        if not tables:
            self.faults.append("declare at least one [[table]]")
        outputs = tuple(self.output(table, f"table {i}") for i, table in enumerate(tables, 1))
        return Mapping(self.text(self.raw, "name", "the file"), outputs, self.date(self.raw, "drawn_on", "the file"))

    def output(self, table: MappingABC[str, Any], where: str) -> Output:
        self.keys(table, where, ("source", "columns"), ("target", "where", "encoding", "multiline", "join"))
        columns = self.table(table.get("columns", {}), f"{where}.columns")
        conditions = self.tables(table.get("where", []), f"{where}.where")
        join, joined_known_on = self.join(table, where, "known_on" in columns)
        return Output(
            source=self.text(table, "source", where),
            target=self.one_of(table.get("target", "records"), TABLE_NAMES, f"{where}.target"),
            columns={name: self.origin(spec, f"{where}.{name}") for name, spec in columns.items()},
            where=tuple(self.condition(spec, f"{where}.where") for spec in conditions),
            encoding=self.text(table, "encoding", where, default="utf8"),
            is_multiline=self.flag(table, "multiline", where),
            join=join,
            joined_known_on=joined_known_on,
        )

    def join(self, table: MappingABC[str, Any], where: str, has_known_on: bool) -> tuple[Join | None, Origin | None]:
        if "join" not in table:
            return None, None
        spec, where = self.table(table["join"], f"{where}.join"), f"{where}.join"
        self.keys(spec, where, ("source", "on", "known_on"), ("unmatched", "encoding"))
        source, on = self.text(spec, "source", where), spec.get("on", {})
        raw_pairs = {on: on} if isinstance(on, str) else self.table(on, f"{where}.on")
        pairs = {own: other for own, other in raw_pairs.items() if isinstance(other, str)}
        if not pairs or len(pairs) < len(raw_pairs):
            self.faults.append(f"{where}.on: give a column of both tables, or columns of one = columns of the other")
        if not has_known_on:
            self.faults.append(f"{where}: map known_on too: a joined row is known on the later of both days")
        known_on = self.origin(spec.get("known_on", ""), f"{where}.known_on")
        known_on = replace(known_on, columns=tuple(f"{source}.{column}" for column in known_on.columns))
        if not known_on.columns or min(known_on.shift_months, known_on.shift_days) < 0:
            self.faults.append(f"{where}.known_on: give a column of the joined table, not moved back")
        unmatched = self.one_of(spec.get("unmatched", "refuse"), _UNMATCHED, f"{where}.unmatched")
        join = Join(source, pairs, unmatched, self.text(spec, "encoding", where, default="utf8"))
        return join, known_on if has_known_on else None

    def condition(self, spec: MappingABC[str, Any], where: str) -> RowCondition:
        self.keys(spec, where, ("column",), ("in", "not_in", "null"))
        if sum(key in spec for key in ("in", "not_in", "null")) != 1:
            self.faults.append(f"{where}: a condition has one of in, not_in, null")
        among, not_among = (
            self.strings(spec[key], f"{where}.{key}") if key in spec else None for key in ("in", "not_in")
        )
        null = self.flag(spec, "null", where) if "null" in spec else None
        return RowCondition(self.text(spec, "column", where), among, not_among, null)

    def origin(self, spec: Any, where: str) -> Origin:
        spec = {"column": spec} if isinstance(spec, str) else self.table(spec, where)
        self.keys(spec, where, (), _ORIGIN_KEYS)
        if sum(key in spec for key in ("column", "columns", "value", "template")) != 1:
            self.faults.append(f"{where}: give one of column, columns, value, template")
        self.faults += [
            f"{where}: {key} goes with {other}"
            for key, other in (("otherwise", "values"), ("round", "multiply"))
            if key in spec and other not in spec
        ]
        factor = spec.get("multiply")
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if factor is not None and not (number and 0 < abs(factor) <= _LARGEST_FACTOR):
            self.faults.append(f"{where}.multiply: must be a number up to {_LARGEST_FACTOR:g}, not 0, got {factor!r}")
            factor = None
        columns = (self.text(spec, "column", where),) if "column" in spec else ()
        values = self.table(spec.get("values", {}), f"{where}.values")
        self.ranges(values, f"{where}.values")
        return Origin(
            columns=self.strings(spec["columns"], f"{where}.columns") if "columns" in spec else columns,
            value=str(spec["value"]) if "value" in spec else None,
            template=self.text(spec, "template", where) if "template" in spec else None,
            values={old: str(new) for old, new in values.items()} if "values" in spec else None,
            otherwise=str(spec["otherwise"]) if "otherwise" in spec else None,
            prefix=self.text(spec, "prefix", where) if "prefix" in spec else "",
            multiply=factor,
            round=self.flag(spec, "round", where),
            formats=self.formats(spec, where),
            shift_months=self.shift(spec, "shift_months", where, 1_200),
            shift_days=self.shift(spec, "shift_days", where, 36_525),
            part=self.one_of(spec["part"], _PARTS, f"{where}.part") if "part" in spec else None,
        )

    def formats(self, spec: MappingABC[str, Any], where: str) -> tuple[str, ...]:
        if "format" in spec and "formats" in spec:
            self.faults.append(f"{where}: give one of format, formats")
        if "formats" not in spec:
            return (self.text(spec, "format", where),) if "format" in spec else ()
        return self.strings(spec["formats"], f"{where}.formats")

    def shift(self, spec: MappingABC[str, Any], key: str, where: str, most: int) -> int:
        number = spec.get(key, 0)
        if isinstance(number, bool) or not isinstance(number, int) or abs(number) > most:
            self.faults.append(f"{where}.{key}: must be a whole number from {-most:,} to {most:,}, got {number!r}")
            return 0
        return number

    def ranges(self, values: MappingABC[str, Any], where: str) -> None:
        parsed = [(key, NumberRange.parse(key)) for key in values]
        ranges = [(key, one) for key, one in parsed if one is not None]
        for place, (key, one) in enumerate(ranges):
            if one.is_empty:
                self.faults.append(f"{where}: there is no number in {key!r}")
            for other, two in ranges[:place]:
                if one.overlaps(two):
                    self.faults.append(f"{where}: {other!r} and {key!r} share numbers")


_ORIGIN_KEYS = (
    "column", "columns", "value", "template", "values", "otherwise", "prefix", "multiply", "round", "format",
    "formats", "shift_months", "shift_days", "part",
)  # fmt: skip
