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


@dataclass(frozen=True)
class ForgetReport:
    """Proof that a person is gone; it does not name the person.

    Parameters
    ----------
    removed : dict of str to int
        Rows of ``records, amendments, subjects, audit``, lines of ``quarantine``, rows of ``features`` files.
    renamed : int
        Rows of other people that named the person and now name nobody.
    rewritten : tuple of str
        Files written anew or removed with the person in them.
    digest_before, digest_after : str
        Of the ledger.
    checked : int
        Files of the ledger folder (and feature files) whose whole content was searched for the id afterwards.
    remaining : tuple of str
        Those in which it was found: empty, unless a source made the name of somebody else's document of it.
    kept : tuple of LegalRetention
        What law keeps elsewhere; the ledger keeps nothing.
    note_zh, note_en : str
        On versions trained before.
    """

    removed: dict[str, int]
    renamed: int
    rewritten: tuple[str, ...]
    digest_before: str
    digest_after: str
    checked: int
    remaining: tuple[str, ...]
    kept: tuple[LegalRetention, ...] = ()
    note_zh: str = NOTE_ZH
    note_en: str = NOTE_EN

    @property
    def complete(self) -> bool:
        """Whether nothing remains."""
        return not self.remaining

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {**asdict(self), "complete": self.complete}


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
    _check_words("forget", name, reason=reason, approver=approver)
    features = [_feature_file(Path(path)) for path in files]
    manifest = before if before.salt else replace(before, salt=secrets.token_hex(32))
    change = _Change(name, frozenset(_own_records(row_index, subject_id)), manifest.nobody(subject_id))

    parts = []
    for part in before.parts:
        rows = change.apply(part.table, row_index.store.open(part).read())
        if rows is None:
            parts.append(part)
            continue
        change.rewritten.append(f"{PARTS}/{part.file}")
        parts += [transaction.write(part.table, rows)] if rows.num_rows else []
    quarantine = [name_left for file in before.quarantine if (name_left := change.quarantine(transaction.folder, file))]

    is_repeated = manifest.mark(subject_id) in manifest.forgotten_subjects
    if not is_repeated and not change.removed.total() and not change.renamed:
        raise LedgerError(
            f"forget: the ledger in {transaction.folder} holds nothing on this subject, and none of that id was "
            "forgotten. Check the id; nothing was done."
        )
    manifest = with_tombstone(manifest, subject_id, change.records, reason, approver)
    digest = before.digest
    if parts != list(before.parts):
        remaining = Counter[str]()
        for part in parts:
            remaining[part.table] += part.rows
        digest = before.digest_after(f"forget {sorted(remaining.items())}")
        change.rewritten += [f"{CACHE}/{file.name}" for file in (transaction.folder / CACHE).glob("*")]
    transaction.replace(
        parts,
        quarantine=tuple(sorted(set(quarantine))),
        digest=digest,
        salt=manifest.salt,
        forgotten=manifest.forgotten,
    )
    for path in features:
        if rows := _drop_rows(path, subject_id):
            change.removed["features"] += rows
            change.rewritten.append(str(path))
    searched = [(file, name.occurs_in(path)) for file, path in _files_to_search(transaction.folder, features)]
    return ForgetReport(
        removed={kind: change.removed[kind] for kind in (*row_index.schemas, "quarantine", "features")},
        renamed=change.renamed,
        rewritten=tuple(change.rewritten),
        digest_before=before.digest,
        digest_after=digest,
        checked=len(searched),
        remaining=tuple(file for file, there in searched if there),
    )


def readmit(transaction: Transaction, subject_id: str, reason: str, approver: str) -> None:
    """Let a forgotten person be delivered again; see ``Ledger.readmit``."""
    _check_words("readmit", _Name(subject_id), reason=reason, approver=approver)
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
class _Change:
    """What forgetting does to rows and lines, and how many it touched."""

    name: _Name
    records: frozenset[str]  # that go
    nobody: str
    removed: Counter[str] = field(default_factory=Counter)
    renamed: int = 0
    rewritten: list[str] = field(default_factory=list)

    def apply(self, table: str, rows: pa.Table) -> pa.Table | None:
        """Return the rows of a table without the person; None if none of them changes."""
        if table in ("records", "amendments"):
            goes = pc.is_in(rows.column("record_id"), value_set=pa.array(sorted(self.records), pa.string()))
        else:
            goes = pc.equal(rows.column("subject_id"), self.name.subject_id)
        rest = rows.filter(pc.invert(goes))
        self.removed[table] += rows.num_rows - rest.num_rows
        renamed: set[int] = set()
        for place, column in enumerate(rest.column_names):
            if not pa.types.is_string(rest.schema.field(column).type) or column in _NAMES:
                continue
            texts = rest.column(column).combine_chunks()
            hits = _places_of(texts, self.name.subject_id)
            exact = column == "subject_id"  # the id of another may contain this one
            changed = {
                row: self.nobody if exact else self.name.replace_in(text, self.nobody)
                for row, text in zip(hits.tolist(), texts.take(hits).to_pylist(), strict=True)
                if (text == self.name.subject_id if exact else self.name.is_in(text))
            }
            if changed:
                values = texts.to_pylist()
                for row, text in changed.items():
                    values[row] = text
                rest = rest.set_column(place, column, pa.array(values, pa.string()))
                renamed |= changed.keys()
        self.renamed += len(renamed)
        return rest if renamed or rest.num_rows < rows.num_rows else None

    def quarantine(self, folder: Path, file: str) -> str | None:
        """Write the file without the person's lines; return its name, None if nothing is left of it."""
        lines = (folder / QUARANTINE / file).read_bytes().splitlines(keepends=True)
        rest = [line for line in lines if not self._is_of_person(line)]
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

    def _is_of_person(self, line: bytes) -> bool:
        if self.name.is_in(line.decode("utf-8", "replace")):
            return True
        values = json.loads(line)["values"]
        return values.get("record_id") in self.records or any(self.name.is_in(str(value)) for value in values.values())


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


def _check_words(what: str, name: _Name, **words: str) -> None:
    for word, text in words.items():
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"{what}: the {word} is missing. Give it: it stays in the ledger's manifest.")
        if name.subject_id in text or redact(text, None) != unicodedata.normalize("NFKC", text):
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


def _files_to_search(folder: Path, features: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / CATALOGUE:
            yield str(path.relative_to(folder)), path
    yield from ((str(path), path) for path in features)
