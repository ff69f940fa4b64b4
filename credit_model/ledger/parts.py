"""A part: one Parquet file of rows, sorted by the id they are looked up by, in small row groups.

Rows of one id stand in their order of arrival. Footers say the first and the last id of every row group, so that the
rows of a person are read without the rest. A part is opened once: its SHA-256 is verified through the handle that is
read from afterwards, and a part of few rows stays in memory.

In: typed Arrow tables with ``KEYS``. Out: the same rows, or an error that names the part that was altered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from credit_model.foundation.digests import sha256, sha256_parts
from credit_model.foundation.files import write_forced
from credit_model.ledger.manifest import PARTS, LedgerError, MissingPartError, Part

RECEIVED_ON: Final = "received_on"  # the day on which the ledger received the row, stamped by itself; null in old parts
KEYS = ("row_key", "content_key")  # digests stored with each row: of its id, of its content
SORTED_BY: Final = {"records": "subject_id", "amendments": "record_id", "subjects": "subject_id", "audit": "subject_id"}
SMALL_ROWS = 4_096  # a part of so many rows stays in memory once it is read
_ROW_GROUP = 1_024
_BLOCK = 1 << 20

Keys = NDArray[np.uint64]


def write_part(folder: Path, table: str, name: str, rows: pa.Table) -> Part:
    """Write rows as a part and force it to disk; it counts once a manifest names it."""
    rows = rows.combine_chunks()
    rows = rows.take(pc.array_sort_indices(rows.column(SORTED_BY[table]).combine_chunks()))  # a stable sort
    sink = pa.BufferOutputStream()
    # What makes a row group quick to read: LZ4, no dictionaries, and statistics of the one column for look-up.
    pq.write_table(
        rows,
        sink,
        compression="lz4",
        row_group_size=_ROW_GROUP,
        use_dictionary=False,
        write_statistics=[SORTED_BY[table]],
    )
    data = sink.getvalue()
    write_forced(folder / PARTS / name, data)
    return Part(table, name, rows.num_rows, sha256(data))


class OpenPart:
    """A part whose SHA-256 was verified; raises ``MissingPartError`` where there is no such file.

    With ``recorded_by`` (days since 1970-01-01) its rows are those the ledger had received by the end of that day.
    """

    def __init__(self, folder: Path, part: Part, recorded_by: int | None = None) -> None:
        self.part = part
        self._recorded_by = recorded_by
        self._path = folder / PARTS / part.file
        self._key = SORTED_BY[part.table]
        try:
            self._file = pa.OSFile(str(self._path))
            if sha256_parts(iter(lambda: self._file.read(_BLOCK), b"")) != part.sha256:
                raise LedgerError(
                    f"read the ledger: {self._path} was altered or cut short: its SHA-256 is not the manifest's. "
                    "Restore it from a copy."
                )
            self._parquet = pq.ParquetFile(self._file)
        except FileNotFoundError:
            raise MissingPartError(
                f"read the ledger: {self._path} is missing, the manifest lists it. Restore it from a copy."
            ) from None
        except (OSError, pa.ArrowException):
            raise self._unreadable() from None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read all rows, or some columns of them."""
        return self._read(None, columns)

    def find(self, ids: Sequence[str], columns: Sequence[str]) -> list[pa.Table]:
        """Return the rows of some ids (sorted, distinct), as tables."""
        if self.part.rows <= SMALL_ROWS:
            own = sorted(place for name in ids for place in self._places.get(name, ()))
            here = [name for name in columns if name in self._rows.column_names]  # older parts have fewer
            return [self._rows.select(here).take(own)] if own else []
        sought, tables = pa.array(ids, pa.string()), []
        for group in self._groups_of(ids):
            is_sought = pc.is_in(self._group(group, [self._key]).column(0), value_set=sought)
            places = np.flatnonzero(is_sought.to_numpy(zero_copy_only=False))
            if len(places) and places[-1] - places[0] + 1 == len(places):  # one id: one run
                tables.append(self._group(group, columns).slice(places[0], len(places)))
            elif len(places):
                tables.append(self._group(group, columns).take(places))
        return tables

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Return the first id and the number of rows of every row group."""
        first, footer = self._bounds[0], self._parquet.metadata
        return [(name, footer.row_group(group).num_rows) for group, name in enumerate(first)]

    def between(self, first: str, beyond: str | None, columns: Sequence[str]) -> pa.Table:
        """Return the rows whose id is not before ``first``, and before ``beyond`` if that is given."""
        low, high = self._bounds
        start = bisect_left(high, first)
        stop = len(low) if beyond is None else bisect_left(low, beyond)
        rows = self._read(list(range(start, max(start, stop))), columns)
        ids = rows.column(self._key)  # sorted
        start = pc.sum(pc.less(ids, first)).as_py() or 0
        stop = rows.num_rows if beyond is None else pc.sum(pc.less(ids, beyond)).as_py() or 0
        return rows.slice(start, max(stop - start, 0))

    def _group(self, group: int, columns: Sequence[str]) -> pa.Table:
        return self._read([group], columns)

    def _read(self, groups: list[int] | None, columns: Sequence[str] | None) -> pa.Table:
        """Read row groups (all of them: None) without the rows received too late."""
        names = None if columns is None else list(columns)
        if names is not None and self._recorded_by is not None:
            names.append(RECEIVED_ON)
        try:
            if groups is None:
                rows = self._parquet.read(names)
            else:
                rows = self._parquet.read_row_groups(groups, names, use_threads=len(groups) > 1)
        except (OSError, pa.ArrowException):
            raise self._unreadable() from None
        if self._recorded_by is None or RECEIVED_ON not in rows.column_names:
            return rows
        last = pa.scalar(self._recorded_by, pa.int32()).cast(pa.date32())
        rows = rows.filter(pc.fill_null(pc.less_equal(rows.column(RECEIVED_ON), last), True))
        return rows if columns is None or RECEIVED_ON in columns else rows.drop_columns([RECEIVED_ON])

    def _groups_of(self, ids: Iterable[str]) -> list[int]:
        """Return the row groups in which these ids may stand."""
        first, last = self._bounds
        groups = set()
        for name in ids:
            group = bisect_left(last, name)
            while group < len(first) and first[group] <= name:
                groups.add(group)
                group += 1
        return sorted(groups)

    @cached_property
    def _bounds(self) -> tuple[list[str], list[str]]:
        """Return the first and the last id of every row group."""
        footer = self._parquet.metadata
        column = self._parquet.schema_arrow.get_field_index(self._key)
        bounds = []
        for group in range(footer.num_row_groups):
            statistics = footer.row_group(group).column(column).statistics
            if statistics is not None and statistics.has_min_max:
                bounds.append((statistics.min, statistics.max))
            else:  # ids too long for a footer
                ids = self._parquet.read_row_group(group, [self._key], use_threads=False).column(0)
                bounds.append((ids[0].as_py(), ids[-1].as_py()))
        return [low for low, _ in bounds], [high for _, high in bounds]

    @cached_property
    def _rows(self) -> pa.Table:
        return self.read().combine_chunks()

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, name in enumerate(self._rows.column(self._key).to_pylist()):
            places.setdefault(name, []).append(place)
        return places

    def _unreadable(self) -> LedgerError:
        return LedgerError(f"read the ledger: {self._path} was altered or cut short. Restore it from a copy.")


class PartStore:
    """The open parts of a ledger, each verified once; those no longer listed are closed.

    With ``recorded_by`` they show what the ledger had received by the end of that day.
    """

    def __init__(self, folder: Path, recorded_by: int | None = None) -> None:
        self.folder = folder
        self._recorded_by = recorded_by
        self._open: dict[Part, OpenPart] = {}

    def open(self, part: Part) -> OpenPart:
        """Open a part and verify it."""
        if part not in self._open:
            self._open[part] = OpenPart(self.folder, part, self._recorded_by)
        return self._open[part]

    def keep(self, parts: Iterable[Part]) -> None:
        """Close all parts but these."""
        self._open = {part: self._open[part] for part in parts if part in self._open}


def text_digests(texts: pa.Array) -> Keys:
    """Return the BLAKE2b digest of each text as two numbers of 64 bits; shape (n, 2)."""
    data = b"".join([blake2b(value, digest_size=16).digest() for value in texts.cast(pa.binary()).to_pylist()])
    return np.frombuffer(data, "<u8").reshape(-1, 2)


def id_keys(texts: pa.Array) -> Keys:
    """Return the key of each id; shape (n,)."""
    return text_digests(texts)[:, 0]
