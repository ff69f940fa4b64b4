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
(``""``: nothing). Rows that ``where`` leaves out are counted, not refused.

In: a TOML file, a raw Arrow batch. Out: ``Mapping``; batches in the columns of ingest, every fault at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model import UserError
from credit_model.records.catalogue import TIERS, Catalogue
from credit_model.records.fold import ACTIONS
from credit_model.records.validation import TABLE_NAMES, column_faults, column_types, read_text

_FIELD = re.compile(r"\{([^{}]+)\}")
_EXACT = 1e-6  # of a whole unit: what multiplication in binary may lose


class MappingErrors(UserError):
    """A mapping that cannot be used; ``faults`` names every one of its faults."""


@dataclass(frozen=True)
class Condition:
    """A test of one raw column: among values, not among them, or empty."""

    column: str
    among: tuple[str, ...] | None = None
    not_among: tuple[str, ...] | None = None
    null: bool | None = None

    def holds(self, raw: Any) -> NDArray[np.bool_]:
        """Rows of the batch that meet it."""
        text = read_text(raw.column(self.column).combine_chunks())
        absent = text.is_null().to_numpy(zero_copy_only=False)
        met = np.ones(raw.num_rows, np.bool_)
        for values, wanted in ((self.among, True), (self.not_among, False)):
            if values is not None:
                found = pc.is_in(text, value_set=pa.array(values, pa.string())).to_numpy(zero_copy_only=False)
                met &= found == wanted
        return met if self.null is None else met & (absent == self.null)


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

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Every raw column it reads."""
        return (*self.columns, *(_FIELD.findall(self.template) if self.template else ()))

    def read(self, raw: Any) -> tuple[Any, NDArray[np.bool_]]:
        """The column, and the rows whose value the mapping does not know."""
        unknown = np.zeros(raw.num_rows, np.bool_)
        if self.value is not None:
            return pa.array([self.value] * raw.num_rows, pa.string()), unknown
        if self.template is not None:
            return self._filled(raw), unknown
        if len(self.columns) == 1 and not self._changes:
            return raw.column(self.columns[0]).combine_chunks(), unknown
        column = pc.coalesce(*(read_text(raw.column(name).combine_chunks()) for name in self.columns))
        if self.values is not None:
            place = pc.index_in(column, value_set=pa.array(list(self.values), pa.string()))
            mapped = pa.array(list(self.values.values()), pa.string()).take(place)
            new = pc.and_(place.is_null(), column.is_valid())
            if self.otherwise is None:
                unknown = new.to_numpy(zero_copy_only=False)
            else:  # an empty value too becomes what is said
                mapped = pc.coalesce(mapped, pa.scalar(self.otherwise))
            column = mapped
        if self.prefix:
            column = pc.binary_join_element_wise(self.prefix, column, "")
        if self.multiply is not None:
            column = self._multiplied(column)
        if self.format is not None:
            column = self._dated(column)
        return column, unknown

    @property
    def _changes(self) -> bool:
        return any((self.values is not None, self.prefix, self.multiply is not None, self.format is not None))

    def _filled(self, raw: Any) -> Any:
        parts: list[Any] = _FIELD.split(self.template or "")
        parts[1::2] = [read_text(raw.column(name).combine_chunks()) for name in parts[1::2]]
        return pc.binary_join_element_wise(*(p for p in parts if not isinstance(p, str) or p), "")

    def _multiplied(self, column: Any) -> Any:
        """Whole numbers of the unit; what cannot be read or is not whole is left as text, to be refused."""
        readable = pc.match_substring_regex(column, r"^[+-]?[0-9]{1,15}(\.[0-9]*)?$")
        numbers = pc.if_else(readable, column, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
        exact = numbers * self.multiply
        whole = np.rint(exact)
        good = np.isfinite(exact) & (self.round | (np.abs(exact - whole) < _EXACT))
        result = pa.array(np.where(good, whole, 0).astype(np.int64)).cast(pa.string())
        return pc.if_else(pa.array(good), result, pc.if_else(column.is_valid(), "?", None))

    def _dated(self, column: Any) -> Any:
        """ISO dates; what the format does not fit is left as text, to be refused."""
        stamps = pc.strptime(column, format=self.format, unit="s", error_is_null=True)
        again = pc.strftime(stamps, format=self.format)  # strptime lets 31 February pass
        iso = pc.if_else(pc.equal(again, column), pc.strftime(stamps, format="%Y-%m-%d"), None)
        return pc.if_else(iso.is_valid(), iso, pc.if_else(column.is_valid(), "?", None))


@dataclass(frozen=True)
class Output:
    """The rows one raw table gives to one table of the ledger."""

    source: str
    target: str
    columns: MappingABC[str, Origin]
    where: tuple[Condition, ...] = ()
    encoding: str = "utf8"

    @property
    def raw_columns(self) -> list[str]:
        """Every raw column that is read; no other is."""
        names = [c.column for c in self.where] + [n for o in self.columns.values() for n in o.raw_columns]
        return list(dict.fromkeys(names))

    def apply(self, raw: Any) -> tuple[Any, NDArray[np.int64], dict[tuple[str, str], NDArray[np.bool_]]]:
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
        met = np.logical_and.reduce([np.ones(raw.num_rows, np.bool_), *(c.holds(raw) for c in self.where)])
        raw = raw.filter(pa.array(met))
        columns, faults = {}, {}
        for name, origin in self.columns.items():
            columns[name], unknown = origin.read(raw)
            if unknown.any():
                faults["unmapped_value", name] = unknown
        return pa.table(columns), np.flatnonzero(met), faults


@dataclass(frozen=True)
class Mapping:
    """How the raw tables of a source become rows of a ledger."""

    name: str
    outputs: tuple[Output, ...]
    drawn_on: date | None = None

    def outputs_of(self, source: str, only: bool = False) -> list[Output]:
        """The outputs of a raw table; ``only``: it is the single one given, so its name does not matter."""
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
                if (origin.multiply is not None and types.get(name) != "int") or (
                    origin.format is not None and types.get(name) != "date"
                ):
                    faults.append(f"{where}: {name}: multiply is for numbers, format for dates")
        _raise(faults, f"mapping {self.name!r}")


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
    source = Path(path)
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MappingErrors(f"mapping {source}: cannot be read ({type(error).__name__}); give a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise MappingErrors(f"mapping {source}: not valid TOML: {error}") from None
    faults: list[str] = []
    mapping = _read_mapping(raw, faults)
    _raise(faults, f"mapping {source}")
    if catalogue is not None:
        mapping.check(catalogue)
    return mapping


def _raise(faults: list[str], what: str) -> None:
    if faults:
        raise MappingErrors(f"{what}: {len(faults)} fault(s): {'; '.join(faults)}", tuple(faults))


def _read_mapping(raw: dict[str, Any], faults: list[str]) -> Mapping:
    _unknown(raw, {"schema", "name", "drawn_on", "table"}, "the file", faults)
    if raw.get("schema") != 1:
        faults.append(f"schema is {raw.get('schema')!r}; this version reads schema 1")
    drawn_on = raw.get("drawn_on")
    if drawn_on is not None and type(drawn_on) is not date:
        faults.append(f"drawn_on must be a date like 2026-10-31, got {drawn_on!r}")
        drawn_on = None
    tables = raw.get("table")
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        faults.append("declare at least one [[table]]")
        tables = []
    outputs = tuple(_read_output(table, f"table {i}", faults) for i, table in enumerate(tables, 1))
    return Mapping(str(raw.get("name", "mapping")), outputs, drawn_on)


def _read_output(table: dict[str, Any], where: str, faults: list[str]) -> Output:
    _unknown(table, {"source", "target", "where", "columns", "encoding"}, where, faults)
    if not isinstance(table.get("source"), str):
        faults.append(f"{where}: source must name a raw table")
    target = table.get("target", "records")
    if target not in TABLE_NAMES:
        faults.append(f"{where}: target {target!r} is not one of {', '.join(TABLE_NAMES)}")
        target = "records"
    columns = table.get("columns")
    if not isinstance(columns, dict) or not columns:
        faults.append(f"{where}: [table.columns] is missing")
        columns = {}
    conditions = table.get("where", [])
    if not isinstance(conditions, list):
        faults.append(f"{where}.where: must be a list of conditions")
        conditions = []
    return Output(
        source=str(table.get("source")),
        target=target,
        columns={name: _read_origin(spec, f"{where}.{name}", faults) for name, spec in columns.items()},
        where=tuple(_read_condition(spec, f"{where}.where", faults) for spec in conditions),
        encoding=str(table.get("encoding", "utf8")),
    )


def _read_condition(spec: Any, where: str, faults: list[str]) -> Condition:
    if not isinstance(spec, dict) or not isinstance(spec.get("column"), str):
        faults.append(f"{where}: a condition names a column")
        return Condition("")
    _unknown(spec, {"column", "in", "not_in", "null"}, where, faults)
    tests = {key: spec[key] for key in ("in", "not_in", "null") if key in spec}
    if len(tests) != 1 or not isinstance(tests.get("null", True), bool):
        faults.append(f"{where}: a condition has one of in, not_in, null = true or false")
    among, not_among = (
        tuple(map(str, spec[key])) if isinstance(spec.get(key), list) else None for key in ("in", "not_in")
    )
    return Condition(spec["column"], among, not_among, spec.get("null"))


def _read_origin(spec: Any, where: str, faults: list[str]) -> Origin:
    if isinstance(spec, str):
        return Origin((spec,))
    if not isinstance(spec, dict):
        faults.append(f"{where}: must be the name of a raw column or a table, got {type(spec).__name__}")
        return Origin()
    allowed = {"column", "columns", "value", "template", "values", "otherwise", "prefix", "multiply", "round", "format"}
    _unknown(spec, allowed, where, faults)
    if sum(key in spec for key in ("column", "columns", "value", "template")) != 1:
        faults.append(f"{where}: give one of column, columns, value, template")
    for key, type_ in (("column", str), ("columns", list), ("template", str), ("values", dict), ("otherwise", str),
                       ("prefix", str), ("round", bool), ("format", str), ("multiply", (int, float))):  # fmt: skip
        if key in spec and not isinstance(spec[key], type_):
            faults.append(f"{where}.{key}: has a wrong type ({type(spec[key]).__name__})")
            return Origin()
    if "otherwise" in spec and "values" not in spec:
        faults.append(f"{where}: otherwise goes with values")
    if "round" in spec and "multiply" not in spec:
        faults.append(f"{where}: round goes with multiply")
    return Origin(
        columns=tuple(map(str, [spec["column"]] if "column" in spec else spec.get("columns", ()))),
        value=None if "value" not in spec else str(spec["value"]),
        template=spec.get("template"),
        values=None if "values" not in spec else {str(k): str(v) for k, v in spec["values"].items()},
        otherwise=spec.get("otherwise"),
        prefix=spec.get("prefix", ""),
        multiply=spec.get("multiply"),
        round=spec.get("round", False),
        format=spec.get("format"),
    )


def _unknown(table: dict[str, Any], allowed: set[str], where: str, faults: list[str]) -> None:
    faults += [f"{where}: unknown key {key!r}" for key in table if key not in allowed]
