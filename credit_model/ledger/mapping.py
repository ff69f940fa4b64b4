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
    decided_on = { column = "处罚决定日期", format = "%Y/%m/%d" }
    known_on = { columns = ["归集日期", "处罚决定日期"] }          # the first that is there
    amount = { column = "罚款金额(万元)", multiply = 10000 }       # exact, or refused; round = true rounds
    record_id = { template = "CF-{处罚机关}-{文书号}" }            # empty where a part is
    procedure = { column = "简易", values = { "是" = "summary" }, otherwise = "ordinary" }

A value that ``values`` does not name refuses its row (``unmapped_value``) unless ``otherwise`` says what it becomes
(``""``: nothing). Rows that ``where`` leaves out are counted, not refused. ``part = "month"``
(``"year"``, ``"day"``) takes a number out of a date. A ``prefix`` comes last: in a table of amendments
``value = { column = "缴款金额(分)", multiply = 1, prefix = "paid=" }`` says what was paid.

In: a TOML file, a raw Arrow batch. Out: ``Mapping``; batches in the columns of ingest, every fault at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kind_rules import TIERS
from credit_model.foundation.arrow_columns import read_dates, read_text
from credit_model.foundation.errors import UserError
from credit_model.foundation.toml_reader import TomlReader, raise_faults, read_toml
from credit_model.ledger.validation import TABLE_NAMES, column_faults, column_types
from credit_model.visibility.amendments import ACTIONS

_FIELD = re.compile(r"\{([^{}]+)\}")
# Floats are written with an exponent where they are small; a large one is kept below what would overflow.
_NUMBER = r"^[+-]?[0-9]{1,15}(\.[0-9]*)?([eE](\+?[0-9]{1,2}|-[0-9]{1,3}))?$"
_PARTS = {"year": pc.year, "month": pc.month, "day": pc.day}
_GREATEST = 1e18  # of what a whole number of 64 bits holds; validation allows much less
_LARGEST_FACTOR = 1e12
_EXACT = 1e-6  # of a whole unit: what multiplication in binary may lose


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
    format: str | None = None
    part: str | None = None

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Every raw column it reads."""
        return (*self.columns, *(_FIELD.findall(self.template) if self.template else ()))

    def read(self, raw: pa.Table) -> tuple[pa.Array, NDArray[np.bool_]]:
        """Return the column, and the rows whose value the mapping does not know."""
        unknown = np.zeros(raw.num_rows, np.bool_)
        if self.value is not None:
            return pa.array([self.value] * raw.num_rows, pa.string()), unknown
        if self.template is not None:
            return self._fill(raw), unknown
        if len(self.columns) == 1 and not self._changes:
            return raw.column(self.columns[0]).combine_chunks(), unknown
        column = pc.coalesce(*(read_text(raw.column(name).combine_chunks()) for name in self.columns))
        if self.values is not None:
            place = pc.index_in(column, value_set=pa.array(list(self.values), pa.string()))
            mapped = pa.array(list(self.values.values()), pa.string()).take(place)
            new = pc.and_(place.is_null(), column.is_valid())
            if self.otherwise is None:
                unknown = new.to_numpy(zero_copy_only=False)
            else:  # an empty value too becomes this
                mapped = pc.coalesce(mapped, pa.scalar(self.otherwise))
            column = mapped
        if self.multiply is not None:
            column = self._multiply(column)
        if self.format is not None:
            column = self._parse_dates(column)
        if self.part is not None:
            days, unreadable = read_dates(column)
            number = _PARTS[self.part](days).cast(pa.string())
            column = pc.if_else(pa.array(unreadable), "?", number)
        if self.prefix:
            column = pc.binary_join_element_wise(self.prefix, column, "")
        return column, unknown

    @property
    def _changes(self) -> bool:
        return any((self.values is not None, self.prefix, self.multiply is not None, self.format, self.part))

    def _fill(self, raw: pa.Table) -> pa.Array:
        parts: list[Any] = _FIELD.split(self.template or "")
        if len(parts) == 1:
            return pa.array(parts * raw.num_rows, pa.string())
        parts[1::2] = [read_text(raw.column(name).combine_chunks()) for name in parts[1::2]]
        return pc.binary_join_element_wise(*(p for p in parts if not isinstance(p, str) or p), "")

    def _multiply(self, column: pa.Array) -> pa.Array:
        """Convert to whole numbers of the unit; leave what is unreadable or not whole as text, to be refused."""
        readable = pc.match_substring_regex(column, _NUMBER)
        numbers = pc.if_else(readable, column, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
        exact = numbers * self.multiply
        whole = np.rint(exact)
        good = (np.abs(exact) < _GREATEST) & (self.round | (np.abs(exact - whole) < _EXACT))
        result = pa.array(np.where(good, whole, 0).astype(np.int64)).cast(pa.string())
        return pc.if_else(pa.array(good), result, pc.if_else(column.is_valid(), "?", None))

    def _parse_dates(self, column: pa.Array) -> pa.Array:
        """Convert to ISO dates; leave what does not fit the format as text, to be refused."""
        stamps = pc.strptime(column, format=self.format, unit="s", error_is_null=True)
        again = pc.strftime(stamps, format=self.format)  # strptime lets 31 February pass
        iso = pc.if_else(
            pc.equal(_without_zeros(again), _without_zeros(column)), pc.strftime(stamps, format="%Y-%m-%d"), None
        )
        return pc.if_else(iso.is_valid(), iso, pc.if_else(column.is_valid(), "?", None))


@dataclass(frozen=True)
class Output:
    """The rows one raw table gives to one table of the ledger."""

    source: str
    target: str
    columns: MappingABC[str, Origin]
    where: tuple[RowCondition, ...] = ()
    encoding: str = "utf8"
    is_multiline: bool = False

    @property
    def raw_columns(self) -> list[str]:
        """Every raw column that is read; no other is."""
        names = [c.column for c in self.where] + [n for o in self.columns.values() for n in o.raw_columns]
        return list(dict.fromkeys(names))

    def apply(self, raw: pa.Table) -> tuple[pa.Table, NDArray[np.int64], dict[tuple[str, str], NDArray[np.bool_]]]:
        """Map one raw batch.

        Returns
        -------
        table : pyarrow.Table
            In the columns of ingest.
        places : ndarray of int
            The place in the batch of each of its rows.
        faults : dict
            Rows with a value the mapping does not know, as validation takes them.
        """
        holds = np.logical_and.reduce([np.ones(raw.num_rows, np.bool_), *(c.holds(raw) for c in self.where)])
        raw = raw.filter(pa.array(holds))
        columns, faults = {}, {}
        for name, origin in self.columns.items():
            columns[name], unknown = origin.read(raw)
            if unknown.any():
                faults["unmapped_value", name] = unknown
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
            types = column_types(output.target, catalogue)
            for name, origin in output.columns.items():
                codes = {"kind": list(catalogue.kinds), "tier": TIERS, "action": ACTIONS}.get(name)
                fixed = [origin.value, origin.otherwise, *(origin.values or {}).values()]
                if codes is not None:
                    faults += [f"{where}: {name} {v!r} does not exist" for v in fixed if v and v not in codes]
                typed = types.get(name)
                fact = (output.target, name) == ("amendments", "value")  # a number or a date, behind a prefix
                number, day = origin.multiply or origin.part, origin.format and not origin.part
                if not fact and ((number and typed != "int") or (day and typed != "date")):
                    faults.append(f"{where}: {name}: multiply and part are for numbers, format for dates")
        raise_faults(faults, f"mapping {self.name!r}", MappingErrors)


def _without_zeros(dates: pa.Array) -> pa.Array:
    """Remove zeros before a number: 2024/1/5 is 2024/01/05."""
    return pc.replace_substring_regex(dates, r"\b0+([0-9])", r"\1")


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
        self.keys(table, where, ("source", "columns"), ("target", "where", "encoding", "multiline"))
        columns = self.table(table.get("columns", {}), f"{where}.columns")
        conditions = self.tables(table.get("where", []), f"{where}.where")
        return Output(
            source=self.text(table, "source", where),
            target=self.one_of(table.get("target", "records"), TABLE_NAMES, f"{where}.target"),
            columns={name: self.origin(spec, f"{where}.{name}") for name, spec in columns.items()},
            where=tuple(self.condition(spec, f"{where}.where") for spec in conditions),
            encoding=self.text(table, "encoding", where, default="utf8"),
            is_multiline=self.flag(table, "multiline", where),
        )

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
        return Origin(
            columns=self.strings(spec["columns"], f"{where}.columns") if "columns" in spec else columns,
            value=str(spec["value"]) if "value" in spec else None,
            template=self.text(spec, "template", where) if "template" in spec else None,
            values={old: str(new) for old, new in values.items()} if "values" in spec else None,
            otherwise=str(spec["otherwise"]) if "otherwise" in spec else None,
            prefix=self.text(spec, "prefix", where) if "prefix" in spec else "",
            multiply=factor,
            round=self.flag(spec, "round", where),
            format=self.text(spec, "format", where) if "format" in spec else None,
            part=self.one_of(spec["part"], _PARTS, f"{where}.part") if "part" in spec else None,
        )


_ORIGIN_KEYS = (
    "column", "columns", "value", "template", "values", "otherwise", "prefix", "multiply", "round", "format",
    "part",
)  # fmt: skip
