"""The append-only store under a ledger: parts that never change, and a manifest that says which of them count.

A part is a Parquet file of accepted rows, named with its SHA-256 in the manifest. To write is to add parts, force them
to disk, and swap the manifest by one atomic rename: a reader, or a machine that dies at any moment, sees the old ledger
or the new one, never a half. What the manifest does not name does not exist, and the next writer sweeps it away.

In: typed Arrow tables. Out: the same, or an error that names the part that was altered.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from credit_model import UserError

MANIFEST, LOCK, PARTS, QUARANTINE, CACHE = "ledger.json", "ledger.lock", "parts", "quarantine", "cache"
KEYS = ("row_key", "content_key")  # digests kept beside each row: who it is, what it says
PART_ROWS = 1_000_000


class LedgerError(UserError):
    """A ledger that is not there, is there already, or is damaged; the message names the file."""


@dataclass(frozen=True)
class Part:
    """One file of rows; ``content`` is a digest of what the rows say, whatever wrote the file."""

    table: str
    file: str
    rows: int
    sha256: str
    content: str


@dataclass(frozen=True)
class Manifest:
    """Which parts are the ledger, and what it was made with. ``key_check`` recognises the key of its pseudonyms."""

    policy: str
    catalogue: str
    generation: int = 0
    key_check: str = ""
    next_seq: int = 0
    parts: tuple[Part, ...] = ()
    quarantine: tuple[str, ...] = ()
    schema: int = 1

    @property
    def digest(self) -> str:
        """SHA-256 of the catalogue, the policy and every row in its order of arrival."""
        said = [self.catalogue, self.policy, *(f"{part.table}:{part.content}" for part in self.parts)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a ledger."""
        path = folder / MANIFEST
        if not path.is_file():
            raise LedgerError(f"there is no ledger in {folder} (no {MANIFEST}); make one with Ledger.create")
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            digest = raw.pop("digest")
            raw["parts"] = tuple(Part(**part) for part in raw["parts"])
            raw["quarantine"] = tuple(raw["quarantine"])
            manifest = cls(**raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LedgerError(f"{path} is damaged: restore it from a copy") from None
        if manifest.schema != 1:
            raise LedgerError(f"{path} is of schema {manifest.schema}; this version reads schema 1")
        if manifest.digest != digest:
            raise LedgerError(f"{path} was altered: its digest does not fit what it lists; restore it from a copy")
        return manifest

    def write(self, folder: Path) -> None:
        """Put this manifest in the place of the old one, at once or not at all."""
        text = json.dumps({**asdict(self), "digest": self.digest}, indent=1)
        new = folder / f"{MANIFEST}.new"
        write_forced(new, text.encode())
        os.replace(new, folder / MANIFEST)
        _force_folder(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a ledger; waits for another one to end. The lock dies with the process."""
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what a writer that died left behind; only under the lock."""
    named = {part.file for part in manifest.parts} | set(manifest.quarantine)
    for file in [*(folder / PARTS).iterdir(), *(folder / QUARANTINE).iterdir(), *folder.glob("*.new")]:
        if file.name not in named:
            file.unlink()


def write_forced(path: Path, data: Any) -> None:
    """Write a file and force it to disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_part(folder: Path, part: Part, columns: Sequence[str] | None = None) -> Any:
    """The rows of a part, after its SHA-256 was verified."""
    path = folder / PARTS / part.file
    try:
        with pa.memory_map(str(path)) as file:
            buffer = file.read_buffer()
            if hashlib.sha256(memoryview(buffer)).hexdigest() != part.sha256:
                raise LedgerError(f"{path} was altered or cut short: its SHA-256 is not the manifest's; restore it")
            return pq.read_table(pa.BufferReader(buffer), columns=None if columns is None else list(columns))
    except FileNotFoundError:
        raise LedgerError(f"{path} is missing: the manifest lists it; restore it from a copy") from None
    except (OSError, pa.ArrowException):
        raise LedgerError(f"{path} was altered or cut short: it cannot be read; restore it from a copy") from None


@dataclass
class Writing:
    """Parts and refused rows on their way in; nothing counts before ``commit``."""

    folder: Path
    manifest: Manifest
    new: list[Part] = field(default_factory=list)
    _held: dict[str, list[Any]] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def begin(cls, folder: Path) -> Iterator[Writing]:
        """Take the lock, read the newest manifest and sweep; on an error, sweep again."""
        with locked(folder):
            manifest = Manifest.read(folder)
            sweep(folder, manifest)
            try:
                yield cls(folder, manifest)
            except BaseException:
                sweep(folder, Manifest.read(folder))
                raise

    def add(self, table: str, rows: Any) -> None:
        """Add typed rows, with ``KEYS``; written to disk once there are enough for a part."""
        held = self._held.setdefault(table, [])
        held.append(rows)
        if sum(t.num_rows for t in held) >= PART_ROWS:
            self._flush(table)

    def commit(self, **changes: Any) -> Manifest:
        """Make everything added count, with these changes of the manifest."""
        for table in list(self._held):
            self._flush(table)
        if self.new or changes:
            _force_folder(self.folder / PARTS)
            _force_folder(self.folder / QUARANTINE)
            generation = self.manifest.generation + bool(self.new)
            parts = (*self.manifest.parts, *self.new)
            manifest = replace(self.manifest, parts=parts, generation=generation, **changes)
            if manifest != self.manifest:
                manifest.write(self.folder)
            self.manifest = manifest
        return self.manifest

    def _flush(self, table: str) -> None:
        rows = pa.concat_tables(self._held.pop(table)).combine_chunks()
        if not rows.num_rows:
            return
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        data = sink.getvalue()
        name = f"{table}-{self.manifest.generation + 1:06d}-{len(self.new):04d}.parquet"
        write_forced(self.folder / PARTS / name, data)
        content = hashlib.sha256(b"".join(rows.column(key).to_numpy().tobytes() for key in KEYS)).hexdigest()
        self.new.append(Part(table, name, rows.num_rows, hashlib.sha256(data).hexdigest(), content))


def _force_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
