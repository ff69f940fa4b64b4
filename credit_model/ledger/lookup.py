"""What touches the files of a few subjects, without reading the rest of the ledger.

Records, subject versions and audit rows are found by their subject, amendments by their record. Moves between files are
few and kept in memory: who a record was moved to, and whose it was.

In: parts of a manifest, ids of subjects. Out: ``Tables`` with the rows ``Tables.for_subjects`` gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credit_model.catalogue.catalogue import TIERS
from credit_model.foundation.calendar import NO_DAY, NO_VALUE
from credit_model.ledger.manifest import Manifest, Part
from credit_model.ledger.parts import Shelf, keys_of
from credit_model.visibility.tables import Tables
from credit_model.visibility.text_columns import Text

MOVED = "moved_to_subject"
_NULLS: Final = {"date": (NO_DAY, np.int32), "int": (NO_VALUE, np.int64), "tier": (0, np.int8), "text": (None, object)}
_LOOKED_AT: Final = 1_000  # texts that tell whether most of a column are distinct
_SOUGHT_ONE_BY_ONE: Final = 1_000  # ids, where a part finds its rows faster than it is read
_TABLES = ("records", "amendments", "subjects")


class Finder:
    """A view of a ledger's parts that finds rows by subject.

    Parameters
    ----------
    shelf : Shelf
    types : dict of str to dict of str to str
        Columns of ``records``, ``amendments``, ``subjects`` and ``audit`` and their types.
    schemas : dict of str to pyarrow.Schema
    manifest : Manifest
    """

    def __init__(
        self, shelf: Shelf, types: Mapping[str, Mapping[str, str]], schemas: Mapping[str, Any], manifest: Manifest
    ) -> None:
        self.shelf = shelf
        self.types = types
        self.schemas = schemas
        self._manifest = manifest
        self._knows_moves = False
        self._moves: dict[Part, list[tuple[str, str]]] = {}  # record id and new holder, by part of amendments
        self._owners: dict[Part, dict[str, str]] = {}  # whose a moved record was, by part of records
        self._held: tuple[Any, Any] | None = None  # all amendments, with the parts they were read from
        self._sought: dict[Part, set[str]] = {}  # moved record ids that a part of records was searched for

    def look_at(self, manifest: Manifest) -> None:
        """Look at another state of the ledger; what was opened and found before is kept as far as it is part of it."""
        self._manifest, self._knows_moves = manifest, False
        self.shelf.keep(manifest.parts)

    def table(self, table: str) -> Any:
        """All rows of a table, as Arrow."""
        names = self.schemas[table].names
        parts = [self.shelf.open(part).read(names) for part in self._manifest.parts_of(table)]
        return pa.concat_tables([self.schemas[table].empty_table(), *parts])

    def all_tables(self) -> Tables:
        """Every row."""
        return Tables(*(arrays(self.table(table), self.types[table]) for table in _TABLES))

    def rows(self, table: str, ids: Iterable[str]) -> Any:
        """The rows of a table that some ids name (of amendments: record ids), as Arrow, in their order of arrival."""
        names, wanted = self.schemas[table].names, sorted(set(ids))
        parts = [self.shelf.open(part).find(wanted, names) for part in self._manifest.parts_of(table) if wanted]
        return pa.concat_tables([self.schemas[table].empty_table(), *(rows for found in parts for rows in found)])

    def bounds(self, rows: int) -> list[str]:
        """Subject ids that cut the records into ranges of about so many rows; ascending."""
        groups = sorted(group for part in self._manifest.parts_of("records") for group in self.shelf.open(part).groups)
        bounds: list[str] = []
        before = 0
        for first, count in groups:
            if before >= rows and (not bounds or first > bounds[-1]):
                bounds.append(first)
                before = 0
            before += count
        return bounds

    def tables_between(self, first: str, beyond: str | None) -> Tables:
        """The rows that can touch the files of the subjects of a range (see ``OpenPart.between``); text as ``Text``."""
        records = self._between("records", first, beyond)
        self._know_moves()
        moves = (move for moved in self._moves.values() for move in moved)
        arrived = {record for record, holder in moves if first <= holder and (beyond is None or holder < beyond)}
        owners = {owner for owners in self._owners.values() for record, owner in owners.items() if record in arrived}
        away = [owner for owner in owners if owner < first or (beyond is not None and owner >= beyond)]
        if away:
            held = self.rows("records", away)
            here = pc.is_in(held.column("record_id"), value_set=pa.array(sorted(arrived), pa.string()))
            records = pa.concat_tables([records, held.filter(here)])
        amendments = self._amendments()
        own = pc.is_in(amendments.column("record_id"), value_set=records.column("record_id").combine_chunks())
        subjects = self._between("subjects", first, beyond)
        return Tables(
            arrays(records, self.types["records"], coded=True),
            arrays(amendments.filter(own), self.types["amendments"], coded=True),
            arrays(subjects, self.types["subjects"], coded=True),
        )

    def _between(self, table: str, first: str, beyond: str | None) -> Any:
        names = self.schemas[table].names
        parts = [self.shelf.open(part).between(first, beyond, names) for part in self._manifest.parts_of(table)]
        return pa.concat_tables([self.schemas[table].empty_table(), *parts])

    def _amendments(self) -> Any:
        """All amendments, read once: they lie by record, and any may belong to any range of subjects."""
        parts = self._manifest.parts_of("amendments")
        if self._held is None or self._held[0] != parts:
            self._held = parts, self.table("amendments")
        return self._held[1]

    def moved_to(self, subject_ids: Iterable[str]) -> set[str]:
        """Ids of the records that were moved to some subjects, on the ledger or not."""
        wanted = set(subject_ids)
        self._know_moves()
        return {record_id for moves in self._moves.values() for record_id, holder in moves if holder in wanted}

    def records_of(self, subject_ids: Iterable[str]) -> Any:
        """The records that stand or stood on the files of some subjects, as Arrow."""
        wanted = set(subject_ids)
        arrived = self.moved_to(wanted)
        owners = {owner for owners in self._owners.values() for r, owner in owners.items() if r in arrived}
        if not owners - wanted:
            return self.rows("records", wanted)
        found = self.rows("records", wanted | owners)
        own = pc.is_in(found.column("subject_id"), value_set=pa.array(sorted(wanted), pa.string()))
        here = pc.is_in(found.column("record_id"), value_set=pa.array(sorted(arrived), pa.string()))
        return found.filter(pc.or_(own, here))

    def unknown(self, subject_ids: Any) -> Any:
        """Return those of some distinct ids (an Arrow array) that no row names, neither as its own nor as moved to."""
        for table in ("subjects", "records", "audit"):  # most of the unknown to one are known to the first
            few = len(subject_ids) <= _SOUGHT_ONE_BY_ONE
            for part in self._manifest.parts_of(table):
                if not len(subject_ids):
                    return subject_ids
                opened, key = self.shelf.open(part), ["subject_id"]
                tables = opened.find(sorted(subject_ids.to_pylist()), key) if few else [opened.read(key)]
                for rows in tables:
                    named = pc.is_in(subject_ids, value_set=rows.column(0))
                    subject_ids = subject_ids.filter(pc.invert(named))
        if not len(subject_ids):
            return subject_ids
        self._know_moves()
        holders = sorted({holder for moves in self._moves.values() for _, holder in moves})
        return subject_ids.filter(pc.invert(pc.is_in(subject_ids, value_set=pa.array(holders, pa.string()))))

    def tables(self, subject_ids: Iterable[str]) -> Tables:
        """The rows that can touch the files of some subjects, records moved to them included."""
        wanted = set(subject_ids)
        records = self.records_of(wanted)
        amendments = self.rows("amendments", records.column("record_id").to_pylist())
        return Tables(
            arrays(records, self.types["records"]),
            arrays(amendments, self.types["amendments"]),
            arrays(self.rows("subjects", wanted), self.types["subjects"]),
        )

    def _know_moves(self) -> None:
        """Read the moves of parts not looked at before, and whose the moved records were."""
        if self._knows_moves:
            return
        for known in (self._moves, self._owners, self._sought):
            for part in known.keys() - set(self._manifest.parts):
                del known[part]
        for part in self._manifest.parts_of("amendments"):
            if part not in self._moves:
                self._moves[part] = self._moves_in(part)
        moved = {record_id for moves in self._moves.values() for record_id, _ in moves}
        for part in self._manifest.parts_of("records"):
            if missing := moved - self._sought.get(part, set()):
                self._owners.setdefault(part, {}).update(self._owners_in(part, missing))
                self._sought[part] = moved
        self._knows_moves = True

    def _moves_in(self, part: Part) -> list[tuple[str, str]]:
        opened = self.shelf.open(part)
        moved = pc.fill_null(pc.equal(opened.read(["action"]).column(0), MOVED), False)
        if not pc.any(moved).as_py():
            return []
        rows = opened.read(["record_id", "value"]).filter(moved)
        return list(zip(*(rows.column(name).to_pylist() for name in ("record_id", "value")), strict=True))

    def _owners_in(self, part: Part, record_ids: set[str]) -> dict[str, str]:
        opened = self.shelf.open(part)
        keys = opened.read(["row_key"]).column(0).to_numpy()
        places = np.flatnonzero(np.isin(keys, keys_of(pa.array(sorted(record_ids), pa.string()))))
        if not len(places):
            return {}
        rows = opened.read(["record_id", "subject_id"]).take(places)
        return dict(zip(*(rows.column(name).to_pylist() for name in ("record_id", "subject_id")), strict=True))


def arrays(rows: Any, types: Mapping[str, str], coded: bool = False) -> dict[str, Any]:
    """Columns of the store as ``Tables`` holds them; with ``coded`` its text stays out of Python's objects."""
    rows = rows.combine_chunks()
    found: dict[str, Any] = {}
    for name, type in types.items():
        column = rows.column(name)
        if coded and name == "case_id" and column.equals(rows.column("record_id")):  # most are cases of their own
            found[name] = found["record_id"]
        else:
            found[name] = _array(column.chunk(0) if column.num_chunks else column.combine_chunks(), type, coded)
    return found


def _array(column: Any, type: str, coded: bool) -> Any:
    if coded and type == "text":
        return Text.of_arrow(column)
    if column.null_count == len(column):
        null, dtype = _NULLS[type]
        return np.broadcast_to(np.array(null, dtype), len(column)) if coded else np.full(len(column), null, dtype)
    if type == "date":
        return column.cast(pa.int32()).fill_null(NO_DAY).to_numpy()
    if type == "int":
        return column.fill_null(NO_VALUE).to_numpy()
    if type == "text" and len(column) and 2 * len(column[:_LOOKED_AT].unique()) > min(len(column), _LOOKED_AT):
        return column.to_numpy(zero_copy_only=False)  # ids: hardly one stands twice
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    words = np.array([*encoded.dictionary.to_pylist(), None], object)
    if type == "tier":
        words = np.array([0 if word is None else TIERS.index(word) + 1 for word in words.tolist()], np.int8)
    return words[codes]
