"""Remove a person from every table, from quarantine, caches and feature files, and prove it.

A record belongs to the person it was last moved to. The person's own records go, with their amendments, from every file
they stood on; one that was moved to somebody else stays on that file, without the person's name. The
manifest keeps salted hashes, so that a source that delivers the person again is refused.

The new parts are written first and count by one swap of the manifest: killed at any moment, the ledger is with the
person or without. What is left over then, the next writer removes; to forget once more finishes the job.

In: a ledger being written to, an id. Out: ``ForgetReport``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from credit_model.catalogue.identity import redact
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import force, write_forced
from credit_model.ledger.lookup import MOVED, RowIndex
from credit_model.ledger.manifest import (
    CACHE,
    CATALOGUE,
    PARTS,
    QUARANTINE,
    LedgerError,
    Manifest,
    Part,
    Tombstone,
)
from credit_model.ledger.transaction import Transaction

NOTE_ZH: Final = (
    "此前训练的模型版本只含汇总痕迹(分箱、计数与权重),不含本人记录;欲完全消除,请以新摘要的台账重新训练并发布。"
)
NOTE_EN: Final = (
    "Versions trained before hold aggregate traces of the person (bins, counts, weights) and no record; the remedy is "
    "to train again from the ledger of the new digest, and to promote that version."
)
_NAMES = ("record_id", "case_id", "parent_case_id")  # of documents, by their source: a change would break its links
_CERTAIN = 16  # characters from which on an id inside another word is no accident
_WORD = r"[\w-]"


@dataclass(frozen=True)
class LegalRetention:
    """Data on a forgotten person that law requires to keep: what, on which ground, until when."""

    what: str
    ground: str
    until: str


@dataclass(frozen=True, kw_only=True)
class RemovalReport:
    """Proof that rows are gone from a ledger.

    Parameters
    ----------
    removed : dict of str to int
        Rows of ``records, amendments, subjects, audit``, lines of ``quarantine``, rows of ``features`` files.
    rewritten : tuple of str
        Files written anew or removed with the rows in them.
    digest_before, digest_after : str
        Of the ledger.
    checked : int
        Files of the ledger folder (and feature files) whose whole content was searched for ids afterwards.
    remaining : tuple of str
        Those in which one was found: empty, unless a source made the name of another document of it.
    """

    removed: dict[str, int]
    rewritten: tuple[str, ...]
    digest_before: str
    digest_after: str
    checked: int
    remaining: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing remains."""
        return not self.remaining

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {**asdict(self), "complete": self.complete}


@dataclass(frozen=True, kw_only=True)
class ForgetReport(RemovalReport):
    """Proof that a person is gone; it does not name the person.

    Parameters
    ----------
    removed, rewritten, digest_before, digest_after, checked, remaining
        As for ``RemovalReport``; what is searched for is the person's id.
    renamed : int
        Rows of other people that named the person and now name nobody.
    kept : tuple of LegalRetention
        What law keeps elsewhere; the ledger keeps nothing.
    note_zh, note_en : str
        On versions trained before.
    """

    renamed: int
    kept: tuple[LegalRetention, ...] = ()
    note_zh: str = NOTE_ZH
    note_en: str = NOTE_EN


def forget(
    transaction: Transaction,
    row_index: RowIndex,
    subject_id: str,
    reason: str,
    approver: str,
    files: Sequence[str | Path] = (),
) -> ForgetReport:
    """Remove a person; see ``Ledger.forget``."""
    name, before = _Name(subject_id), transaction.manifest
    check_words("forget", name.subject_id, reason=reason, approver=approver)
    features = [_feature_file(Path(path)) for path in files]
    manifest = before if before.salt else replace(before, salt=secrets.token_hex(32))
    change = Removal(frozenset(_own_records(row_index, subject_id)), name, manifest.nobody(subject_id))
    change.write(transaction)
    is_repeated = manifest.mark(subject_id) in manifest.forgotten_subjects
    if not is_repeated and not change.removed.total() and not change.renamed:
        raise LedgerError(
            f"forget: the ledger in {transaction.folder} holds nothing on this subject, and none of that id was "
            "forgotten. Check the id; nothing was done."
        )
    manifest = with_tombstone(manifest, subject_id, change.records, reason, approver)
    change.commit(transaction, manifest, "forget")
    for path in features:
        if rows := _drop_rows(path, subject_id):
            change.removed["features"] += rows
            change.rewritten.append(str(path))
    searched = [(file, name.occurs_in(path)) for file, path in files_to_search(transaction.folder, features)]
    return ForgetReport(
        removed={kind: change.removed[kind] for kind in (*row_index.schemas, "quarantine", "features")},
        renamed=change.renamed,
        rewritten=tuple(change.rewritten),
        digest_before=before.digest,
        digest_after=transaction.manifest.digest,
        checked=len(searched),
        remaining=tuple(file for file, there in searched if there),
    )


def readmit(transaction: Transaction, subject_id: str, reason: str, approver: str) -> None:
    """Let a forgotten person be delivered again; see ``Ledger.readmit``."""
    check_words("readmit", _Name(subject_id).subject_id, reason=reason, approver=approver)
    manifest = transaction.manifest
    place = manifest.forgotten_subjects.get(manifest.mark(subject_id)) if manifest.salt else None
    if place is None:
        raise LedgerError(
            f"readmit: no subject of that id was forgotten in {transaction.folder}. Check the id; nothing was done."
        )
    lifted = replace(
        manifest.forgotten[place], subject="", records=(), lifted=f"{date.today()} by {approver}: {reason}"
    )
    forgotten = [*manifest.forgotten]
    forgotten[place] = lifted
    transaction.replace(manifest.parts, forgotten=tuple(forgotten))


def with_tombstone(
    manifest: Manifest, subject_id: str, record_ids: Iterable[str], reason: str = "", approver: str = ""
) -> Manifest:
    """Return the manifest with salted hashes of a forgotten person and of these records of the person."""
    subject, marks = manifest.mark(subject_id), {manifest.mark(record_id) for record_id in record_ids}
    forgotten, place = [*manifest.forgotten], manifest.forgotten_subjects.get(subject)
    if place is None:
        forgotten.append(Tombstone(str(date.today()), reason, approver, subject, tuple(sorted(marks))))
    else:
        forgotten[place] = replace(forgotten[place], records=tuple(sorted(marks | set(forgotten[place].records))))
    return replace(manifest, forgotten=tuple(forgotten))


def _own_records(row_index: RowIndex, subject_id: str) -> list[str]:
    """Return the ids of the records that are the person's by their last move, on the ledger or only amended so far."""
    records = row_index.records_of([subject_id])
    holder = dict(zip(*(records.column(n).to_pylist() for n in ("record_id", "subject_id")), strict=True))
    amendments = row_index.rows("amendments", {*holder, *row_index.moved_to([subject_id])})
    moves = amendments.filter(pc.equal(amendments.column("action"), MOVED)).to_pylist()
    for move in sorted(moves, key=lambda m: (m["effective_on"], m["seq"], m["value"])):  # the order of the fold
        holder[move["record_id"]] = move["value"]
    return [record_id for record_id, last in holder.items() if last == subject_id]


@dataclass
class Removal:
    """Records, or a person, on their way out of a ledger: what stays is written anew and counts at once."""

    records: frozenset[str]  # that go
    name: _Name | None = None  # of a person whose other rows go too, and whom rows of others name no more
    nobody: str = ""  # whom they name instead
    removed: Counter[str] = field(default_factory=Counter)
    renamed: int = 0
    rewritten: list[str] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)
    _quarantine: list[str] = field(default_factory=list)

    def write(self, transaction: Transaction) -> None:
        """Write what stays of every file that something goes from; nothing counts before ``commit``."""
        before = transaction.manifest
        for part in before.parts:
            rows = self._rest(part.table, transaction.store.open(part).read())
            if rows is None:
                self._parts.append(part)
                continue
            self.rewritten.append(f"{PARTS}/{part.file}")
            self._parts += [transaction.write(part.table, rows)] if rows.num_rows else []
        names = [self._rest_of_quarantine(transaction.folder, file) for file in before.quarantine]
        self._quarantine = sorted({name for name in names if name is not None})

    def commit(self, transaction: Transaction, manifest: Manifest, event: str) -> None:
        """Let it count, with the marks of what went that this manifest has; old files and all caches are removed."""
        before, digest = transaction.manifest, transaction.manifest.digest
        if self._parts != list(before.parts):
            remaining = Counter[str]()
            for part in self._parts:
                remaining[part.table] += part.rows
            digest = before.digest_after(f"{event} {sorted(remaining.items())}")
            self.rewritten += [f"{CACHE}/{file.name}" for file in (transaction.folder / CACHE).glob("*")]
        transaction.replace(
            self._parts,
            quarantine=tuple(self._quarantine),
            digest=digest,
            salt=manifest.salt,
            forgotten=manifest.forgotten,
        )

    def _rest(self, table: str, rows: pa.Table) -> pa.Table | None:
        """Return the rows of a table that stay, as they stay; None if none of them changes."""
        rest = rows
        if table in ("records", "amendments"):
            goes = pc.is_in(rows.column("record_id"), value_set=pa.array(sorted(self.records), pa.string()))
            rest = rows.filter(pc.invert(goes))
        elif self.name is not None:
            rest = rows.filter(pc.invert(pc.equal(rows.column("subject_id"), self.name.subject_id)))
        self.removed[table] += rows.num_rows - rest.num_rows
        changed = rest if self.name is None else self._without_name(rest, self.name)
        return changed if changed is not rest or rest.num_rows < rows.num_rows else None

    def _without_name(self, rest: pa.Table, name: _Name) -> pa.Table:
        """Return rows of others with nobody in the place of the person; the same table where the person is in none."""
        renamed: set[int] = set()
        for place, column in enumerate(rest.column_names):
            if not pa.types.is_string(rest.schema.field(column).type) or column in _NAMES:
                continue
            texts = rest.column(column).combine_chunks()
            hits = _places_of(texts, name.subject_id)
            exact = column == "subject_id"  # the id of another may contain this one
            changed = {
                row: self.nobody if exact else name.replace_in(text, self.nobody)
                for row, text in zip(hits.tolist(), texts.take(hits).to_pylist(), strict=True)
                if (text == name.subject_id if exact else name.is_in(text))
            }
            if changed:
                values = texts.to_pylist()
                for row, text in changed.items():
                    values[row] = text
                rest = rest.set_column(place, column, pa.array(values, pa.string()))
                renamed |= changed.keys()
        self.renamed += len(renamed)
        return rest

    def _rest_of_quarantine(self, folder: Path, file: str) -> str | None:
        """Write a file without the lines that go; return its name, None if nothing is left of it."""
        lines = (folder / QUARANTINE / file).read_bytes().splitlines(keepends=True)
        rest = [line for line in lines if not self._line_goes(line)]
        if len(rest) == len(lines):
            return file
        self.removed["quarantine"] += len(lines) - len(rest)
        self.rewritten.append(f"{QUARANTINE}/{file}")
        if not rest:
            return None
        data = b"".join(rest)
        name = f"{sha256(data)[:16]}.jsonl"
        write_forced(folder / QUARANTINE / name, data)
        return name

    def _line_goes(self, line: bytes) -> bool:
        name, values = self.name, json.loads(line)["values"]
        if name is not None:
            texts = [line.decode("utf-8", "replace"), *map(str, values.values())]
            if any(map(name.is_in, texts)):
                return True
        return values.get("record_id") in self.records


@dataclass(frozen=True)
class _Name:
    """A pseudonym as it may stand in a text: as a word, or inside one where that is no accident."""

    subject_id: str

    def __post_init__(self) -> None:
        if not isinstance(self.subject_id, str) or not self.subject_id:
            raise UserError(
                "forget: there is no subject_id. Give the one under which the ledger has the person, as text."
            )

    @property
    def _pattern(self) -> re.Pattern[str]:
        escaped = re.escape(self.subject_id)
        return re.compile(escaped if len(self.subject_id) >= _CERTAIN else f"(?<!{_WORD}){escaped}(?!{_WORD})")

    def is_in(self, text: str) -> bool:
        return self.subject_id in text and self._pattern.search(text) is not None

    def replace_in(self, text: str, by: str) -> str:
        return self._pattern.sub(lambda _: by, text)

    def occurs_in(self, path: Path) -> bool:
        """Return whether a file contains it: every text of a table, in full; any other file as text."""
        data = path.read_bytes()
        if path.suffix == ".segments":
            data = data[32:]
        if data[:4] != b"PAR1":
            return self.is_in(data.decode("utf-8", "replace"))
        rows = pq.read_table(pa.BufferReader(data))
        for column in rows.columns:
            words = column.combine_chunks()
            words = words.dictionary if pa.types.is_dictionary(words.type) else words
            texts = words if pa.types.is_string(words.type) or pa.types.is_large_string(words.type) else words[:0]
            if len(texts) and any(map(self.is_in, texts.take(_places_of(texts, self.subject_id)).to_pylist())):
                return True
        return False


def _places_of(texts: pa.Array, part: str) -> NDArray[np.int64]:
    """Return the places of the texts that contain a part of text."""
    return np.flatnonzero(pc.fill_null(pc.match_substring(texts, part), False).to_numpy(zero_copy_only=False))


def check_words(what: str, subject_id: str, **words: str) -> None:
    """Refuse words to be kept in the manifest that are missing or name a person."""
    for word, text in words.items():
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"{what}: the {word} is missing. Give it: it stays in the ledger's manifest.")
        if (subject_id and subject_id in text) or redact(text, None) != unicodedata.normalize("NFKC", text):
            raise UserError(f"{what}: the {word} names the person, and it is kept. Leave the id out of it.")


def _feature_file(path: Path) -> Path:
    try:
        has_subjects = "subject_id" in pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        raise UserError(f"forget: {path} is no Parquet file; nothing was done. Give files of features.") from None
    if not has_subjects:
        raise UserError(f"forget: {path} has no column subject_id; nothing was done. Give files of features.")
    return path


def _drop_rows(path: Path, subject_id: str) -> int:
    """Take a person's rows out of a Parquet file, at once or not at all; return how many there were."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    removed = 0
    try:
        with pq.ParquetFile(path) as old:
            groups = range(old.num_row_groups)
            schema, codec = old.schema_arrow, old.metadata.row_group(0).column(0).compression if groups else "SNAPPY"
            with pq.ParquetWriter(new, schema, compression=codec) as writer:
                for group in groups:
                    rows = old.read_row_group(group)
                    ids = rows.column("subject_id").cast(pa.string())
                    rest = rows.filter(pc.fill_null(pc.not_equal(ids, subject_id), True))
                    removed += rows.num_rows - rest.num_rows
                    writer.write_table(rest)
        if removed:
            force(new)
            os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return removed


def files_to_search(folder: Path, features: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """Return the files of a ledger, the catalogue apart, and others: what messages call each, and its path."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / CATALOGUE:
            yield str(path.relative_to(folder)), path
    yield from ((str(path), path) for path in features)
