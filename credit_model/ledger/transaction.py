"""Write to a ledger: add parts, commit them at once, and merge small ones.

A delivery is committed first, by one swap of the manifest; then parts are merged and the manifest is swapped again,
with the same digest. Only neighbours are merged, so that rows keep their order of arrival.

In: typed Arrow tables with ``KEYS``. Out: the new manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from credit_model.foundation.files import exclusive_lock, force
from credit_model.ledger.manifest import (
    LOCK,
    PARTS,
    QUARANTINE,
    LedgerError,
    Manifest,
    Part,
    sweep,
)
from credit_model.ledger.parts import KEYS, SMALL_ROWS, PartStore, write_part

PART_ROWS = 1_000_000
MAX_UNMERGED: Final = 16  # neighbours of a kind that stay unmerged: small ones, and such as could make one of PART_ROWS


@dataclass
class Transaction:
    """A change of a ledger under its lock; nothing counts before ``commit``."""

    store: PartStore
    manifest: Manifest
    _new: list[Part] = field(default_factory=list)
    _buffers: dict[str, list[pa.Table]] = field(default_factory=dict)
    _digests: dict[str, hashlib._Hash] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def begin(cls, store: PartStore) -> Iterator[Transaction]:
        """Take the lock, read the newest manifest and sweep; on an error, sweep again."""
        folder = store.folder
        with exclusive_lock(folder / LOCK):
            manifest = Manifest.read(folder)
            store.keep(manifest.parts)
            sweep(folder, manifest)
            try:
                yield cls(store, manifest)
            except BaseException:
                sweep(folder, Manifest.read(folder))
                raise

    @property
    def folder(self) -> Path:
        """Folder of the ledger."""
        return self.store.folder

    def add(self, table: str, rows: pa.Table) -> None:
        """Add typed rows, with ``KEYS``; written to disk once there are enough for a part."""
        buffer = self._buffers.setdefault(table, [])
        buffer.append(rows)
        keys = np.column_stack([rows.column(key).to_numpy() for key in KEYS])  # row by row: batches do not matter
        self._digests.setdefault(table, hashlib.sha256()).update(keys.tobytes())
        if sum(t.num_rows for t in buffer) >= PART_ROWS:
            self._flush(table)

    def new_parts(self, table: str) -> list[Part]:
        """Return the parts of a table written so far."""
        return [part for part in self._new if part.table == table]

    def buffered(self, table: str) -> list[pa.Table]:
        """Return the rows of a table that were added and are in no part yet."""
        return self._buffers.get(table, [])

    def commit(self, **changes: Any) -> Manifest:
        """Make everything added count, with these changes of the manifest."""
        for table in list(self._buffers):
            self._flush(table)
        if self._new:
            contents = "\n".join(f"{table} {digest.hexdigest()}" for table, digest in sorted(self._digests.items()))
            changes |= {"parts": (*self.manifest.parts, *self._new), "digest": self.manifest.digest_after(contents)}
        self._swap(replace(self.manifest, **changes))
        self._merge()
        return self.manifest

    def write(self, table: str, rows: pa.Table) -> Part:
        """Write a part under a name that no manifest ever had."""
        name = f"{table}-{self.manifest.generation + 1:06d}-{len(self._new):04d}.parquet"
        self._new.append(write_part(self.folder, table, name, rows))
        return self._new[-1]

    def replace(self, parts: Sequence[Part], **changes: Any) -> None:
        """Replace all parts of the ledger by these, and remove the files that are no longer listed."""
        self._swap(replace(self.manifest, parts=tuple(parts), **changes))
        self.store.keep(self.manifest.parts)
        sweep(self.folder, self.manifest)

    def _swap(self, manifest: Manifest) -> None:
        if manifest == self.manifest:
            return
        if manifest.parts != self.manifest.parts:
            manifest = replace(manifest, generation=manifest.generation + 1)
        force(self.folder / PARTS)
        force(self.folder / QUARANTINE)
        manifest.write(self.folder)
        self.manifest, self._new = manifest, []

    def _flush(self, table: str) -> None:
        rows = pa.concat_tables(self._buffers.pop(table))
        if rows.num_rows:
            self.write(table, rows)

    def _merge(self) -> None:
        """Merge what has become many. The delivery counts already: a full disk or a damaged part does not undo it."""
        try:
            parts = self.manifest.parts
            for least, limit in ((0, SMALL_ROWS), (SMALL_ROWS, PART_ROWS)):
                for run in _runs(parts, least, limit):
                    tables = [self.store.open(part).read() for part in run]  # of an older ledger with fewer columns
                    rows = pa.concat_tables(tables, promote_options="default")
                    merged, place = self.write(run[0].table, rows), parts.index(run[0])
                    others = [part for part in parts if part not in run]
                    parts = (*others[:place], merged, *others[place:])
            if parts != self.manifest.parts:
                self.replace(parts)
        except (OSError, LedgerError):
            self._new = []
            sweep(self.folder, self.manifest)


def _runs(parts: Sequence[Part], least: int, limit: int) -> Iterator[list[Part]]:
    """Yield neighbours of a table below the limit, to be merged where more than MAX_UNMERGED have the least rows."""
    for table in sorted({part.table for part in parts}):
        run: list[Part] = []
        for part in [*(p for p in parts if p.table == table), None]:
            if part is not None and part.rows < limit:
                run.append(part)
                continue
            if sum(p.rows >= least for p in run) > MAX_UNMERGED:
                yield from _cut(run)
            run = []


def _cut(run: Sequence[Part]) -> Iterator[list[Part]]:
    """Cut a run into pieces of at most PART_ROWS; leave out pieces of one part."""
    piece: list[Part] = []
    for part in [*run, None]:
        if part is not None and sum(p.rows for p in piece) + part.rows <= PART_ROWS:
            piece.append(part)
            continue
        if len(piece) > 1:
            yield piece
        piece = [] if part is None else [part]
