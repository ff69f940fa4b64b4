"""Read one state of a ledger: all rows, or those that touch the files of a few subjects without reading the rest.

Records, subject versions and audit rows are looked up by their subject, amendments by their record. Moves between files
are few and stay in memory: to whom a record was moved, and whose it was. A view follows the newest state when asked to
or when it has to: a part is missing where parts were merged, or a person was forgotten, since the manifest was read.

In: a folder, a manifest, ids of subjects. Out: ``Tables``, from the parts of one manifest, never of two; of some
subjects with the rows ``Tables.for_subjects`` gives.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kind_rules import TIERS
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, from_day
from credit_model.foundation.digests import sha256
from credit_model.ledger.manifest import (
    LedgerError,
    Manifest,
    ManifestVersion,
    MissingPartError,
    Part,
    manifest_version,
)
from credit_model.ledger.parts import RECEIVED_ON, PartStore, id_keys
from credit_model.ledger.validation import TABLE_NAMES, arrow_schema, column_types
from credit_model.visibility.tables import Tables
from credit_model.visibility.text_columns import Text

T = TypeVar("T")

MOVED = "moved_to_subject"
_NULLS: Final = {"date": (NO_DAY, np.int32), "int": (NO_VALUE, np.int64), "tier": (0, np.int8), "text": (None, object)}
_SAMPLE_SIZE: Final = 1_000  # texts that tell whether most of a column are distinct
_MAX_SINGLE_LOOKUPS: Final = 1_000  # ids, where a part finds its rows faster than it is read
_TABLES = ("records", "amendments", "subjects")


class RowIndex:
    """An index of a ledger's parts by subject.

    Parameters
    ----------
    store : PartStore
    types : dict of str to dict of str to str
        Columns of ``records``, ``amendments``, ``subjects`` and ``audit`` and their types.
    schemas : dict of str to pyarrow.Schema
    manifest : Manifest
    """

    def __init__(
        self,
        store: PartStore,
        types: Mapping[str, Mapping[str, str]],
        schemas: Mapping[str, pa.Schema],
        manifest: Manifest,
    ) -> None:
        self.store = store
        self.types = types
        self.schemas = schemas
        self._manifest = manifest
        self._moves_are_read = False
        self._moves: dict[Part, list[tuple[str, str]]] = {}  # record id and new holder, by part of amendments
        self._owners: dict[Part, dict[str, str]] = {}  # whose a moved record was, by part of records
        self._amendment_cache: tuple[tuple[Part, ...], pa.Table] | None = (
            None  # all amendments, with the parts they were read from
        )
        self._searched_ids: dict[Part, set[str]] = {}  # moved record ids that a part of records was searched for

    def look_at(self, manifest: Manifest) -> None:
        """Take up another state of the ledger; what was read of parts it still has is not read again."""
        self._manifest, self._moves_are_read = manifest, False
        self.store.keep(manifest.parts)

    def table(self, table: str) -> pa.Table:
        """Return all rows of a table."""
        schema = self.schemas[table]
        parts = [self.store.open(part).read(schema.names) for part in self._manifest.parts_of(table)]
        return join_rows(parts, schema)

    def all_tables(self) -> Tables:
        """Return every row of the ledger."""
        return Tables(*(to_arrays(self.table(table), self.types[table]) for table in _TABLES))

    def receipt_days(self) -> Counter[int | None]:
        """Count the rows of each day of receipt; None for rows of ledgers that had no such day."""
        days: Counter[int | None] = Counter()
        for part in self._manifest.parts:
            rows = self.store.open(part).read([RECEIVED_ON])
            unstamped = part.rows if RECEIVED_ON not in rows.column_names else rows.column(0).null_count
            days[None] += unstamped
            if unstamped < part.rows:
                counts = rows.column(0).drop_null().cast(pa.int32()).value_counts()
                days.update({count["values"]: count["counts"] for count in counts.to_pylist()})
        return +days

    def rows(self, table: str, ids: Iterable[str]) -> pa.Table:
        """Return the rows of some ids (of amendments: record ids), in order of arrival within each part."""
        schema, sought = self.schemas[table], sorted(set(ids))
        parts = [self.store.open(part).find(sought, schema.names) for part in self._manifest.parts_of(table) if sought]
        return join_rows([rows for tables in parts for rows in tables], schema)

    def bounds(self, rows: int) -> list[str]:
        """Return the subject ids, ascending, that cut the records into ranges of about so many rows."""
        groups = sorted(group for part in self._manifest.parts_of("records") for group in self.store.open(part).groups)
        bounds: list[str] = []
        before = 0
        for first, count in groups:
            if before >= rows and (not bounds or first > bounds[-1]):
                bounds.append(first)
                before = 0
            before += count
        return bounds

    def tables_between(self, first: str, beyond: str | None) -> Tables:
        """Return the rows that can touch the files of a range of subjects (see ``OpenPart.between``)."""
        records = self._between("records", first, beyond)
        self._read_moves()
        moves = (move for of_part in self._moves.values() for move in of_part)
        arrived = {record for record, holder in moves if first <= holder and (beyond is None or holder < beyond)}
        owners = {owner for owners in self._owners.values() for record, owner in owners.items() if record in arrived}
        away = [owner for owner in owners if owner < first or (beyond is not None and owner >= beyond)]
        if away:
            others = self.rows("records", away)
            here = pc.is_in(others.column("record_id"), value_set=pa.array(sorted(arrived), pa.string()))
            records = pa.concat_tables([records, others.filter(here)])
        amendments = self._amendments()
        own = pc.is_in(amendments.column("record_id"), value_set=records.column("record_id").combine_chunks())
        subjects = self._between("subjects", first, beyond)
        return Tables(
            to_arrays(records, self.types["records"], coded=True),
            to_arrays(amendments.filter(own), self.types["amendments"], coded=True),
            to_arrays(subjects, self.types["subjects"], coded=True),
        )

    def _between(self, table: str, first: str, beyond: str | None) -> pa.Table:
        schema = self.schemas[table]
        parts = [self.store.open(part).between(first, beyond, schema.names) for part in self._manifest.parts_of(table)]
        return join_rows(parts, schema)

    def _amendments(self) -> pa.Table:
        """Read all amendments once: they lie by record, and any may belong to any range of subjects."""
        parts = self._manifest.parts_of("amendments")
        if self._amendment_cache is None or self._amendment_cache[0] != parts:
            self._amendment_cache = parts, self.table("amendments")
        return self._amendment_cache[1]

    def moved_to(self, subject_ids: Iterable[str]) -> set[str]:
        """Return the ids of the records that were moved to some subjects, on the ledger or not."""
        holders = set(subject_ids)
        self._read_moves()
        return {record_id for moves in self._moves.values() for record_id, holder in moves if holder in holders}

    def records_of(self, subject_ids: Iterable[str]) -> pa.Table:
        """Return the records that stand or stood on the files of some subjects."""
        subjects = set(subject_ids)
        arrived = self.moved_to(subjects)
        owners = {owner for owners in self._owners.values() for r, owner in owners.items() if r in arrived}
        if not owners - subjects:
            return self.rows("records", subjects)
        candidates = self.rows("records", subjects | owners)
        own = pc.is_in(candidates.column("subject_id"), value_set=pa.array(sorted(subjects), pa.string()))
        here = pc.is_in(candidates.column("record_id"), value_set=pa.array(sorted(arrived), pa.string()))
        return candidates.filter(pc.or_(own, here))

    def unknown(self, subject_ids: pa.Array) -> pa.Array:
        """Return those of some distinct ids that no row names, neither as its own nor as moved to."""
        for table in ("subjects", "records", "audit"):  # most of the unknown to one are known to the first
            few = len(subject_ids) <= _MAX_SINGLE_LOOKUPS
            for part in self._manifest.parts_of(table):
                if not len(subject_ids):
                    return subject_ids
                open_part, key = self.store.open(part), ["subject_id"]
                tables = open_part.find(sorted(subject_ids.to_pylist()), key) if few else [open_part.read(key)]
                for rows in tables:
                    is_present = pc.is_in(subject_ids, value_set=rows.column(0))
                    subject_ids = subject_ids.filter(pc.invert(is_present))
        if not len(subject_ids):
            return subject_ids
        self._read_moves()
        holders = sorted({holder for moves in self._moves.values() for _, holder in moves})
        return subject_ids.filter(pc.invert(pc.is_in(subject_ids, value_set=pa.array(holders, pa.string()))))

    def tables(self, subject_ids: Iterable[str]) -> Tables:
        """Return the rows that can touch the files of some subjects, records moved to them included."""
        subjects = set(subject_ids)
        records = self.records_of(subjects)
        amendments = self.rows("amendments", records.column("record_id").to_pylist())
        return Tables(
            to_arrays(records, self.types["records"]),
            to_arrays(amendments, self.types["amendments"]),
            to_arrays(self.rows("subjects", subjects), self.types["subjects"]),
        )

    def _read_moves(self) -> None:
        """Read the moves in new parts, and whose the moved records were."""
        if self._moves_are_read:
            return
        for by_part in (self._moves, self._owners, self._searched_ids):
            for part in by_part.keys() - set(self._manifest.parts):
                del by_part[part]
        for part in self._manifest.parts_of("amendments"):
            if part not in self._moves:
                self._moves[part] = self._moves_in(part)
        moved_ids = {record_id for moves in self._moves.values() for record_id, _ in moves}
        for part in self._manifest.parts_of("records"):
            if missing := moved_ids - self._searched_ids.get(part, set()):
                self._owners.setdefault(part, {}).update(self._owners_in(part, missing))
                self._searched_ids[part] = moved_ids
        self._moves_are_read = True

    def _moves_in(self, part: Part) -> list[tuple[str, str]]:
        open_part = self.store.open(part)
        is_move = pc.fill_null(pc.equal(open_part.read(["action"]).column(0), MOVED), False)
        if not pc.any(is_move).as_py():
            return []
        rows = open_part.read(["record_id", "value"]).filter(is_move)
        return list(zip(*(rows.column(name).to_pylist() for name in ("record_id", "value")), strict=True))

    def _owners_in(self, part: Part, record_ids: set[str]) -> dict[str, str]:
        open_part = self.store.open(part)
        keys = open_part.read(["row_key"]).column(0).to_numpy()
        places = np.flatnonzero(np.isin(keys, id_keys(pa.array(sorted(record_ids), pa.string()))))
        if not len(places):
            return {}
        rows = open_part.read(["record_id", "subject_id"]).take(places)
        return dict(zip(*(rows.column(name).to_pylist() for name in ("record_id", "subject_id")), strict=True))


class View:
    """A view of one state of a ledger.

    Parameters
    ----------
    folder : Path
    types, schemas : dict
        As for ``RowIndex``.
    manifest : Manifest
    version : tuple, optional
        Of the manifest's file; without it the next refresh reads the manifest.
    recorded_by : int, optional
        Rows received after this day are not seen.
    """

    def __init__(
        self,
        folder: Path,
        types: Mapping[str, Mapping[str, str]],
        schemas: Mapping[str, pa.Schema],
        manifest: Manifest,
        version: ManifestVersion | None = None,
        recorded_by: int | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.recorded_by = recorded_by
        self.lock = threading.RLock()
        self.types, self.schemas = types, schemas
        self._version = version
        self._row_index = self.row_index(self.store(), manifest)
        self._digest: tuple[str, str] | None = None  # of the ledger, and of what is seen of it

    @classmethod
    def of(cls, folder: Path, catalogue: Catalogue, manifest: Manifest, version: ManifestVersion | None) -> View:
        """Return a view of the tables that a catalogue declares."""
        types = {table: column_types(table, catalogue) for table in TABLE_NAMES}
        schemas = {table: arrow_schema(table, catalogue) for table in TABLE_NAMES}
        types["amendments"] = {name: type for name, type in types["amendments"].items() if name != "source"}
        return cls(folder, types, schemas, manifest, version)

    def recorded_at(self, day: int) -> View:
        """Return a view of what the ledger had received by the end of a day; see ``Ledger.as_recorded_at``."""
        rows_by_day = self.look(RowIndex.receipt_days)
        first = min((on for on in rows_by_day if on is not None), default=None)
        if rows_by_day[None] and (first is None or day < first):
            advice = "Deliver to it first" if first is None else f"Give {from_day(first)} or a later day"
            raise LedgerError(
                f"read the ledger as recorded at {from_day(day)}: {rows_by_day[None]:,} rows in {self.folder} bear no "
                f"day of receipt, they came before the ledger kept it. {advice}."
            )
        day = day if self.recorded_by is None else min(day, self.recorded_by)
        return View(self.folder, self.types, self.schemas, self.manifest, recorded_by=day)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the ledger; where not all is seen, of it and how much is, by day of receipt."""
        if self.recorded_by is None:
            return self.manifest.digest
        with self.lock:
            if self._digest is None or self._digest[0] != self.manifest.digest:
                receipts = sorted(self.look(RowIndex.receipt_days).items(), key=str)
                content = f"{self.manifest.digest}\nrecorded by {self.recorded_by}\n{receipts}"
                self._digest = self.manifest.digest, sha256(content)
            return self._digest[1]

    def store(self) -> PartStore:
        """Return the parts, each to be opened anew, as this view sees them."""
        return PartStore(self.folder, self.recorded_by)

    def row_index(self, store: PartStore, manifest: Manifest) -> RowIndex:
        """Return a row index apart from the one readers share, for a writer."""
        return RowIndex(store, self.types, self.schemas, manifest)

    def look(self, read: Callable[[RowIndex], T]) -> T:
        """Read; where a part is missing, read again in the newest state, as often as there is a newer one."""
        with self.lock:
            while True:
                try:
                    return read(self._row_index)
                except MissingPartError:
                    before = self.manifest.parts
                    self._move_on()
                    if self.manifest.parts == before:
                        raise

    def refresh(self) -> bool:
        """Take in the newest state; return whether the content changed."""
        if self._version is not None and manifest_version(self.folder) == self._version:
            return False
        with self.lock:
            before = self.manifest.digest
            self._move_on()
            return self.manifest.digest != before

    def adopt(self, manifest: Manifest, version: ManifestVersion | None = None) -> None:
        """Read this state from now on, unless a newer one is read already."""
        with self.lock:
            if manifest.generation >= self.manifest.generation or version is not None:
                self.manifest = manifest
                self._row_index.look_at(manifest)
            self._version = version

    def _move_on(self) -> None:
        manifest, version = Manifest.read_with_version(self.folder)
        if manifest.catalogue != self.manifest.catalogue or manifest.policy != self.manifest.policy:
            raise LedgerError(f"read the ledger: {self.folder} has another ledger now. Open it anew.")
        self.adopt(manifest, version)


def join_rows(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Join rows of parts; a column that a part was written without is null in its rows."""
    parts = [schema.empty_table(), *tables]
    if all(part.schema.equals(schema) for part in parts):  # unifying schemas costs more than a person's rows
        return pa.concat_tables(parts)
    return pa.concat_tables(parts, promote_options="default").select(schema.names)


def to_arrays(rows: pa.Table, types: Mapping[str, str], coded: bool = False) -> dict[str, Any]:
    """Convert Arrow columns to those of ``Tables``; with ``coded`` text does not become Python objects."""
    rows = rows.combine_chunks()
    columns: dict[str, Any] = {}
    for name, type in types.items():
        column = rows.column(name)
        if coded and name == "case_id" and column.equals(rows.column("record_id")):  # most are cases of their own
            columns[name] = columns["record_id"]
        else:
            columns[name] = _array(column.chunk(0) if column.num_chunks else column.combine_chunks(), type, coded)
    return columns


def _array(column: pa.Array, type: str, coded: bool) -> Any:
    if coded and type == "text":
        return Text.of_arrow(column)
    if column.null_count == len(column):
        null, dtype = _NULLS[type]
        return np.broadcast_to(np.array(null, dtype), len(column)) if coded else np.full(len(column), null, dtype)
    if type == "date":
        return column.cast(pa.int32()).fill_null(NO_DAY).to_numpy()
    if type == "int":
        return column.fill_null(NO_VALUE).to_numpy()
    if type == "text" and len(column) and 2 * len(column[:_SAMPLE_SIZE].unique()) > min(len(column), _SAMPLE_SIZE):
        return column.to_numpy(zero_copy_only=False)  # ids: hardly one stands twice
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    words = np.array([*encoded.dictionary.to_pylist(), None], object)
    if type == "tier":
        words = np.array([0 if word is None else TIERS.index(word) + 1 for word in words.tolist()], np.int8)
    return words[codes]
