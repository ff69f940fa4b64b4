"""The manifest of a ledger: which files of rows count, the digest of what was delivered, and who was forgotten.

A part is a Parquet file of accepted rows, named with its SHA-256 in the manifest. To write is to add parts, force them
to disk, and swap the manifest by one atomic rename: a reader, or a machine that dies at any moment, sees the old ledger
or the new one, never a half. What the manifest does not name does not exist, and the next writer sweeps it away.

The digest of the content is a chain over deliveries: merging parts does not move it. The manifest's own checksum finds
alterations of the manifest.

In: a folder. Out: ``Manifest``, or an error that names what is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from credit_model.foundation.digests import canonical_json, sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import exclusive_lock, write_atomically, write_forced

MANIFEST, LOCK, PARTS, QUARANTINE, CACHE = "ledger.json", "ledger.lock", "parts", "quarantine", "cache"
CATALOGUE = "catalogue.toml"  # made before anybody was on record, and never written again
SCHEMA = 2

ManifestVersion = tuple[int, int, int]  # of the manifest's file: what changes whenever it is swapped


class LedgerError(UserError):
    """A ledger that is not there, is there already, or is damaged; the message names the file."""


class MissingPartError(LedgerError):
    """A part that is not there: merged or forgotten since the manifest was read, or lost."""


@dataclass(frozen=True)
class Part:
    """One file of rows of a table."""

    table: str
    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Tombstone:
    """One person who was forgotten, or records that expired: when, why, by whom, and salted hashes of what went.

    By the hashes a new delivery is recognised. Records that expired name no subject.

    ``lifted`` says when, why and by whom the person was readmitted; the hashes are removed then.
    """

    on: str
    reason: str
    approver: str
    subject: str = ""
    records: tuple[str, ...] = ()
    lifted: str = ""


@dataclass(frozen=True)
class DeliveryCounts:
    """Count what became of the rows that were delivered.

    Parameters
    ----------
    read, accepted, duplicates, rejected_rows : int
        Rows of the sources: for a CSV file, its lines without header and empty ones. Of them, rows that added
        something, rows that were there already, rows refused. A row that a mapping sends to two tables is one: refused
        if either refuses it, else accepted if either adds it.
    rejected : dict of str to int
        Refusals by reason; a row with two reasons, or refused by two tables, counts under each.
    excluded : int
        Rows that no table of the mapping asks for.

    Examples
    --------
    >>> counts = DeliveryCounts(1000, 990, 8, 2, {"bad_tier": 2})
    >>> counts.rejected_share, (counts + counts).rejected
    (0.002, {'bad_tier': 4})
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected_rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    excluded: int = 0

    def __add__(self, other: DeliveryCounts) -> DeliveryCounts:
        reasons = Counter(self.rejected) + Counter(other.rejected)
        return DeliveryCounts(
            self.read + other.read,
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.rejected_rows + other.rejected_rows,
            dict(sorted(reasons.items())),
            self.excluded + other.excluded,
        )

    @property
    def rejected_share(self) -> float:
        """Return the share of refused rows among those read, 0 where none was read."""
        return self.rejected_rows / self.read if self.read else 0.0


@dataclass(frozen=True)
class Manifest:
    """Which parts are the ledger, and what it was made with. ``key_check`` recognises the key of its pseudonyms.

    ``digest`` is the SHA-256 of catalogue, policy and every delivery in its order of arrival; ``salt`` is made when the
    first person is forgotten. ``deliveries`` counts every delivery that brought something new; None in a ledger that
    was begun before counts were kept.
    """

    policy: str
    catalogue: str
    digest: str
    generation: int = 0
    key_check: str = ""
    next_seq: int = 0
    parts: tuple[Part, ...] = ()
    quarantine: tuple[str, ...] = ()
    salt: str = ""
    forgotten: tuple[Tombstone, ...] = ()
    deliveries: DeliveryCounts | None = None
    schema: int = SCHEMA

    @classmethod
    def new(cls, policy: str, catalogue: str) -> Manifest:
        """Return the manifest of an empty ledger."""
        return cls(policy, catalogue, sha256(f"{catalogue}\n{policy}"), deliveries=DeliveryCounts())

    def parts_of(self, table: str) -> tuple[Part, ...]:
        """Return the parts of a table, in order of arrival."""
        return tuple(part for part in self.parts if part.table == table)

    def digest_after(self, delivery: str) -> str:
        """Return the digest of the content after one more delivery."""
        return sha256(f"{self.digest}\n{delivery}")

    # -- who was forgotten

    def mark(self, name: str) -> str:
        """Return the salted hash of an id."""
        return hashlib.blake2b(name.encode(), key=bytes.fromhex(self.salt), digest_size=16).hexdigest()

    def nobody(self, subject_id: str) -> str:
        """Return the name put in the place of a forgotten person on the file of another."""
        return f"forgotten-{self.mark(f'nobody {subject_id}')[:16]}"

    @cached_property
    def forgotten_subjects(self) -> dict[str, int]:
        """Place in ``forgotten`` of each forgotten subject, by hash."""
        return {one.subject: place for place, one in enumerate(self.forgotten) if one.subject}

    @cached_property
    def forgotten_records(self) -> frozenset[str]:
        """Hashes of the record ids that went with them."""
        return frozenset(mark for one in self.forgotten if one.subject for mark in one.records)

    @cached_property
    def expired_records(self) -> frozenset[str]:
        """Hashes of the ids of the records that expired."""
        return frozenset(mark for one in self.forgotten if not one.subject for mark in one.records)

    # -- on disk

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a ledger."""
        return cls.read_with_version(folder)[0]

    @classmethod
    def read_with_version(cls, folder: Path) -> tuple[Manifest, ManifestVersion]:
        """Read the manifest, with the version of the very file that was read."""
        path = folder / MANIFEST
        try:
            with path.open("rb") as file:
                version, data = _version_of(os.fstat(file.fileno())), file.read()
        except (FileNotFoundError, NotADirectoryError):
            raise LedgerError(
                f"read the ledger: there is no ledger in {folder} (no {MANIFEST}). Create one first."
            ) from None
        try:
            raw = json.loads(data)
            schema, checksum = raw.get("schema"), raw.pop("checksum", None)
        except (ValueError, AttributeError):
            raise LedgerError(f"read the ledger: {path} is damaged. Restore it from a copy.") from None
        if isinstance(schema, int) and schema != SCHEMA:
            raise LedgerError(
                f"read the ledger: {path} is of schema {schema}; this version reads schema {SCHEMA}. Ingest the "
                "sources again into a new folder."
            )
        if checksum != _checksum(raw):
            raise LedgerError(
                f"read the ledger: {path} was altered: its checksum does not fit. Restore it from a copy."
            )
        try:
            raw["parts"] = tuple(Part(**part) for part in raw["parts"])
            raw["quarantine"] = tuple(raw["quarantine"])
            raw["forgotten"] = tuple(Tombstone(**one | {"records": tuple(one["records"])}) for one in raw["forgotten"])
            if raw.get("deliveries") is not None:
                raw["deliveries"] = DeliveryCounts(**raw["deliveries"])
            return cls(**raw), version
        except (KeyError, TypeError):
            raise LedgerError(f"read the ledger: {path} is damaged. Restore it from a copy.") from None

    def write(self, folder: Path) -> None:
        """Put this manifest in the place of the old one, at once or not at all."""
        content = asdict(self)
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=1, ensure_ascii=False)
        write_atomically(folder / MANIFEST, text, forced=True, under_lock=True)


def make_folder(path: Path, policy: str, catalogue: str, digest: str, exist_ok: bool) -> None:
    """Make the folder of an empty ledger with the text of its catalogue; finish what a process that died had begun.

    Raises
    ------
    LedgerError
        If the folder holds something else, or a ledger, unless one may be there.
    """
    ours = {MANIFEST, LOCK, PARTS, QUARANTINE, CACHE, CATALOGUE}  # a manifest: somebody else was quicker
    foreign = path.is_dir() and any(item.name not in ours and item.suffix != ".new" for item in path.iterdir())
    if foreign or (path.exists() and not path.is_dir()):
        raise LedgerError(f"create a ledger: {path} is not an empty folder. Give a new one.")
    for name in (PARTS, QUARANTINE, CACHE):
        (path / name).mkdir(parents=True, exist_ok=True)
    with exclusive_lock(path / LOCK):
        if not (path / MANIFEST).exists():
            write_forced(path / CATALOGUE, catalogue.encode())
            Manifest.new(policy, digest).write(path)
        elif not exist_ok:  # somebody else was quicker
            raise LedgerError(f"create a ledger: there is one in {path} already. Open it, or give another folder.")


def manifest_version(folder: Path) -> ManifestVersion | None:
    """Return the version of the manifest on disk; None where it cannot be looked at."""
    try:
        return _version_of(os.stat(f"{folder}/{MANIFEST}"))
    except OSError:
        return None


def _version_of(stat: os.stat_result) -> ManifestVersion:
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what a writer that died left behind, and caches of another content; only under the lock."""
    listed = {part.file for part in manifest.parts} | set(manifest.quarantine)
    stray = [file for kind in (PARTS, QUARANTINE) for file in (folder / kind).iterdir() if file.name not in listed]
    cached = (folder / CACHE).glob("*")  # a folder that anybody may remove
    old = [file for file in cached if not file.name.startswith(cache_prefix(manifest)) or file.suffix == ".new"]
    for file in [*stray, *old, *folder.glob("*.new")]:
        if not file.is_dir():
            file.unlink(missing_ok=True)


def cache_prefix(manifest: Manifest) -> str:
    """Return the beginning of the name of every cache file of this content."""
    return f"{manifest.digest[:16]}-"


def _checksum(content: dict[str, Any]) -> str:
    return sha256(canonical_json(content, ascii_only=True))
