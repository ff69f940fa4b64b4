"""One delivery into a ledger: from sources to parts, with a report of what became of every row.

All columns of all sources are judged before anything is written. Then each source streams through mapping,
validation and recognition: a row that was delivered before is a duplicate, one that has the id of another but says
something else is a conflict, the rest is added. What is refused goes to quarantine, without numbers that name a
person. The whole delivery counts at once or not at all.

In: sources, catalogue, mapping, a folder. Out: the new manifest and ``IngestReport``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.identity import KEY_VARIABLE, WITHHELD, key_check, pseudonym_key, redact
from credit_model.foundation.calendar import to_day
from credit_model.ledger.deduplication import Deduplicator
from credit_model.ledger.delivery_check import AmendmentCheck, RecordCheck
from credit_model.ledger.forgetting import with_tombstone
from credit_model.ledger.ingest_report import IngestReport, Quarantine, RowOutcome, RowOutcomes, WarningLog
from credit_model.ledger.manifest import QUARANTINE, DeliveryCounts, LedgerError, Manifest
from credit_model.ledger.mapping import Mapping as ColumnMapping
from credit_model.ledger.mapping import Output
from credit_model.ledger.parts import RECEIVED_ON, PartStore, id_keys
from credit_model.ledger.sources import Batch, JoinedRows, Source
from credit_model.ledger.transaction import Transaction
from credit_model.ledger.validation import (
    ID_COLUMNS,
    TABLE_NAMES,
    ColumnErrors,
    ValidatedBatch,
    column_faults,
    column_types,
    validate,
)

Faults = Mapping[tuple[str, str], NDArray[np.bool_]]
Progress = Callable[[str, int], None]

_UNREADABLE = ("unreadable_date", "unreadable_number")


def _is_plain(type: pa.DataType) -> bool:
    """Whether a column holds text, numbers, dates or truth values."""
    if pa.types.is_dictionary(type):
        type = type.value_type
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer,
        pa.types.is_floating, pa.types.is_decimal, pa.types.is_date, pa.types.is_timestamp, pa.types.is_boolean,
        pa.types.is_null,
    )  # fmt: skip
    return any(test(type) for test in tests)


@dataclass(frozen=True)
class Input:
    """A source on its way to one table, through one output of a mapping or as it is."""

    source: Source
    table: str
    output: Output | None = None
    others: tuple[Source, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Columns to read."""
        return self.source.columns if self.output is None else self.output.raw_columns

    @property
    def carries_id_numbers(self) -> bool:
        """Whether pseudonyms have to be made."""
        return "id_number" in (self.source.columns if self.output is None else self.output.columns)

    def faults(self, catalogue: Catalogue) -> list[str]:
        """Return the faults of its columns."""
        label, have = self.source.label, self.source.columns
        expected = (
            [*column_types(self.table, catalogue), *ID_COLUMNS] if self.output is None else self.output.raw_columns
        )
        if self.source.is_csv and not set(have) & set(expected):  # what would be named are values of a person, then
            return [f"{label}: none of its {len(have)} columns has a name that is expected here "
                    f"({', '.join(expected[:4])}, …); is its first line a header?"]  # fmt: skip
        faults = [f"{label}: two columns are named {name!r}" for name in sorted({n for n in have if have.count(n) > 1})]
        if self.output is None:
            faults += column_faults(have, self.table, catalogue, label)
            id_columns = ["id_number"]
        else:
            faults += [f"{label}: the mapping reads column {name!r}, which is not there; it has {', '.join(have)}"
                      for name in self.output.raw_columns if name not in have]  # fmt: skip
            origin = self.output.columns.get("id_number")
            id_columns = list(origin.raw_columns) if origin else []
            faults += [f"{other.label}: the mapping joins column {name!r}, which is not there; it has "
                       f"{', '.join(other.columns)}"
                       for other in self.others for name in self.output.joined_columns
                       if name not in other.columns]  # fmt: skip
        unreadable = [f.name for f in self.source.schema if f.name in self.columns and not _is_plain(f.type)]
        faults += [
            f"{label}: column {name!r} holds lists, bytes or other values that are no facts" for name in unreadable
        ]
        for name in id_columns:
            if name in have and pa.types.is_floating(self.source.schema.field(name).type):
                faults.append(f"{label}: column {name!r} came as decimals, its last digits are lost: read it as text")
        return faults


def plan(by_table: Mapping[str, list[Source]], mapping: ColumnMapping | None, catalogue: Catalogue) -> list[Input]:
    """Assign each source to its tables; raise ``ColumnErrors`` with every fault of every column at once."""
    inputs, faults = [], []
    if mapping is None:
        inputs = [Input(source, table) for table in TABLE_NAMES for source in by_table[table]]
    else:
        mapping.check(catalogue)
        sources = [source for table in TABLE_NAMES for source in by_table[table]]
        for source in sources:
            outputs = mapping.outputs_of(source.name, only=len(sources) == 1)
            joins = [o.join for o in mapping.outputs if o.join is not None and o.join.source == source.name]
            if not outputs and not joins:
                names = ", ".join(sorted({o.source for o in mapping.outputs}))
                faults.append(f"{source.label}: mapping {mapping.name!r} has no table {source.name!r}; it has {names}")
            source.encoding = outputs[0].encoding if outputs else joins[0].encoding if joins else source.encoding
            source.is_multiline = any(output.is_multiline for output in outputs)
            for output in outputs:
                name = None if output.join is None else output.join.source
                others = tuple(other for other in sources if other.name == name)
                if name is not None and not others:
                    faults.append(f"{source.label}: the mapping joins table {name!r}, which was not sent")
                inputs.append(Input(source, output.target, output, others))
        inputs.sort(key=lambda one: TABLE_NAMES.index(one.table))
    faults += [fault for one in inputs for fault in one.faults(catalogue)]
    if faults:
        listing = "; ".join(faults)
        raise ColumnErrors(
            f"ingest: {len(faults)} fault(s) in the columns, nothing was written: {listing}", tuple(faults)
        )
    return inputs


@dataclass(frozen=True)
class DeliveryResult:
    """A delivery that counts: the new manifest, the report, and what the next delivery need not read again."""

    manifest: Manifest
    report: IngestReport
    deduplicators: dict[str, Deduplicator]


@dataclass
class Delivery:
    """One call of ingest, while it runs."""

    transaction: Transaction
    catalogue: Catalogue
    inputs: list[Input]
    drawn_on: date | None
    received_on: date  # never said by the source
    progress: Progress | None
    key: bytes | None
    quarantine: Quarantine
    next_seq: int
    earlier: dict[str, Deduplicator]  # from the delivery before, on the same ledger
    deduplicators: dict[str, Deduplicator] = field(default_factory=dict)
    returning: dict[str, set[str]] = field(default_factory=dict)  # forgotten subjects delivered again: their records
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    warnings: WarningLog = field(default_factory=WarningLog)
    outcomes: dict[int, RowOutcomes] = field(default_factory=dict)  # by source

    def __post_init__(self) -> None:
        self.amendments = AmendmentCheck(self.catalogue, self.transaction)
        self.records = RecordCheck(self.catalogue, self.transaction)

    @classmethod
    def run(
        cls,
        store: PartStore,
        catalogue: Catalogue,
        inputs: list[Input],
        drawn_on: date | None,
        received_on: date,
        progress: Progress | None,
        earlier: dict[str, Deduplicator],
    ) -> DeliveryResult:
        """Carry out a delivery, from lock to commit."""
        key = pseudonym_key() if any(one.carries_id_numbers for one in inputs) else None
        with Transaction.begin(store) as transaction, closing(Quarantine(store.folder / QUARANTINE)) as quarantine:
            next_seq = transaction.manifest.next_seq
            delivery = cls(
                transaction, catalogue, inputs, drawn_on, received_on, progress, key, quarantine, next_seq, earlier
            )
            mark = delivery.recognise_key()
            for one in inputs:
                delivery.take(one)
            report = delivery.end(mark)
        for deduplicator in delivery.deduplicators.values():
            deduplicator.end(transaction.manifest)
        return DeliveryResult(transaction.manifest, report, {**earlier, **delivery.deduplicators})

    def recognise_key(self) -> str:
        """Return the check value of the key; refuse one other than that of the ledger's pseudonyms."""
        mark = self.transaction.manifest.key_check
        if self.key is None:
            return mark
        if len(self.key) < 32:
            self.warnings.add("short_key")
        if mark not in ("", key_check(self.key)):
            raise LedgerError(
                f"ingest: {KEY_VARIABLE} is not the key this ledger's pseudonyms were made with: a person would "
                "have two ids; nothing was written. Set the first key again."
            )
        return key_check(self.key)

    def take(self, one: Input) -> None:
        """Stream one source into its table."""
        counts = self.counts.setdefault(one.table, Counter(accepted=0, duplicates=0, rejected=0, left_out=0))
        join_rows = self._open_join(one)
        read = 0
        for batch in one.source.batches(one.columns):
            self._take_batch(one, batch, counts, join_rows)
            read += batch.table.num_rows
            if self.progress is not None:
                self.progress(one.table, read)
        if one is next(other for other in self.inputs if other.source is one.source):  # read once for each output
            unreadable = one.source.unreadable
            counts["rejected"] += len(unreadable)
            self._outcomes(one).add(np.array([row.row for row in unreadable], np.int64), RowOutcome.REFUSED)
            for row in unreadable:
                self.quarantine.add((one.source, one.table), row.row, [(row.reason, "")], {}, row.line)
            if one.source.further_lines:
                self.warnings.add("line_of_row_above", one.source.label, count=one.source.further_lines)

        for code, number in join_rows.count().items() if join_rows is not None else ():
            if number:
                self.warnings.add(code, one.others[0].label, count=number)

    def _open_join(self, one: Input) -> JoinedRows | None:
        """Hold the rows of the table that is joined; lines of it that cannot be read are warned of."""
        if one.output is None or one.output.join is None:
            return None
        batches = chain.from_iterable(source.batches(one.output.joined_columns) for source in one.others)
        join_rows = JoinedRows(batches, one.output.join)
        for source in one.others:
            if source.unreadable:
                self.warnings.add("joined_row_unreadable", source.label, count=len(source.unreadable))
        return join_rows

    def _take_batch(self, one: Input, batch: Batch, counts: Counter[str], join_rows: JoinedRows | None) -> None:
        raw, rows, places = batch.table, batch.rows, np.arange(len(batch.rows))
        faults: dict[tuple[str, str], NDArray[np.bool_]] = {}
        if one.output is not None:
            raw, places, faults = one.output.apply(raw, join_rows)
            counts["left_out"] += len(rows) - len(places)
            self._outcomes(one).add(rows, RowOutcome.EXCLUDED)
            rows = rows[places]
        checked = validate(
            raw,
            one.table,
            self.catalogue,
            received_on=self.received_on,
            drawn_on=self.drawn_on,
            key=self.key,
            faults=faults,
        )
        if one.table == "amendments":
            self.amendments.refuse(checked)
        is_forgotten = self._find_forgotten(one.table, checked)
        good = np.flatnonzero(~checked.is_refused)
        deduplicator = self._deduplicator(one.table)
        candidates = checked.table.take(good)
        if self.transaction.manifest.expired_records and one.table in ("records", "amendments"):
            candidates = deduplicator.with_ids(candidates) if one.table == "records" else candidates
            is_expired = self._find_expired(candidates)
            candidates = candidates.filter(pa.array(~is_expired))
            checked.faults["expired", "record_id"] = np.isin(np.arange(len(rows)), good[is_expired])
            is_forgotten, good = is_forgotten | checked.faults["expired", "record_id"], good[~is_expired]
        new, is_new, conflict = deduplicator.admit(candidates)
        faults = dict(checked.faults)
        if conflict.any():
            faults["conflict", "record_id"] = np.isin(np.arange(len(rows)), good[conflict])
        rejected = np.flatnonzero(ValidatedBatch(checked.table, faults).is_refused)
        for place, values in zip(rejected.tolist(), self._redact(raw, checked, rejected), strict=True):
            why = [why for why, mask in faults.items() if mask[place]]
            if is_forgotten[place]:  # nothing that went comes back, not even here
                why, values = [reason for reason in why if reason[0] in ("forgotten", "expired")], {}
            line = None if batch.lines is None else int(batch.lines[places[place]])
            self.quarantine.add((one.source, one.table), int(rows[place]), why, values, line)
        outcome = np.full(len(rows), RowOutcome.REFUSED)
        outcome[good] = np.where(
            conflict, RowOutcome.REFUSED, np.where(is_new, RowOutcome.ACCEPTED, RowOutcome.DUPLICATE)
        )
        self._outcomes(one).add(rows, outcome)
        duplicates = len(good) - new.num_rows - int(conflict.sum())
        counts.update(accepted=new.num_rows, rejected=len(rejected), duplicates=duplicates)
        if new.num_rows:
            self._warn(one, new, rows, checked, good[is_new])
            new = self._anonymise(new)
            new = new if one.table == "records" else self._number(new)
            stamp = pa.repeat(pa.scalar(self.received_on, pa.date32()), new.num_rows)
            self.transaction.add(one.table, new.append_column(RECEIVED_ON, stamp))

    def _warn(
        self, one: Input, new: pa.Table, rows: NDArray[np.int64], checked: ValidatedBatch, place: NDArray[np.int64]
    ) -> None:
        """Note what is odd in new rows: their places in the batch, and the numbers of its rows in their source."""
        numbers = rows[place]

        def note(code: str, is_odd: NDArray[np.bool_]) -> None:
            self.warnings.add(code, one.source.label, numbers[is_odd])

        for code, mask in checked.findings.items():
            note(code, mask[place])
        limit = self.catalogue.max_lag_days
        if limit is not None and "known_on" in new.column_names:
            receipt_day, known_on = to_day(self.received_on), new.column("known_on").cast(pa.int32())
            lag = pc.subtract(pa.scalar(receipt_day, pa.int32()), known_on)
            note("back_dated", pc.fill_null(pc.greater(lag, limit), False).to_numpy(zero_copy_only=False))
        if one.table == "amendments":
            is_known, _ = self._deduplicator("records").index.find(id_keys(new.column("record_id")))
            note("unknown_record", ~is_known)
            self.amendments.note(one.source.label, new, numbers)
        elif one.table == "records":
            self.records.note(one.source.label, new, numbers)

    def _outcomes(self, one: Input) -> RowOutcomes:
        return self.outcomes.setdefault(id(one.source), RowOutcomes())

    def _deduplicator(self, table: str) -> Deduplicator:
        if table not in self.deduplicators:
            deduplicator = self.earlier.pop(table, None) or Deduplicator(table)
            deduplicator.begin(self.transaction.store, self.transaction.manifest)
            self.deduplicators[table] = deduplicator
        return self.deduplicators[table]

    def _find_forgotten(self, table: str, checked: ValidatedBatch) -> NDArray[np.bool_]:
        """Mark the rows that would bring a forgotten person back; they are refused for that alone."""
        manifest, rows = self.transaction.manifest, checked.table
        is_forgotten = np.zeros(rows.num_rows, np.bool_)
        if not manifest.forgotten_subjects:
            return is_forgotten
        column = "record_id" if table == "amendments" else "subject_id"
        ids = rows.column(column).to_pylist()
        if table == "amendments":
            returning = {manifest.mark(r) for records in self.returning.values() for r in records}
            marks = manifest.forgotten_records | returning
            is_known, _ = self._deduplicator("records").index.find(id_keys(pc.fill_null(rows.column(column), "")))
            is_forgotten |= ~is_known  # a record that is there again, as somebody else's, may be amended
        else:
            marks = frozenset(manifest.forgotten_subjects)
            is_forgotten |= True
        among = {name: manifest.mark(name) in marks for name in set(ids) if name is not None}
        is_forgotten &= np.fromiter((among.get(name, False) for name in ids), np.bool_, len(ids))
        if table == "records":
            for place in np.flatnonzero(is_forgotten).tolist():
                record_id = rows.column("record_id")[place].as_py()
                self.returning.setdefault(ids[place], set()).update([record_id] if record_id else [])
        if is_forgotten.any():
            checked.faults["forgotten", column] = is_forgotten
        return is_forgotten

    def _find_expired(self, rows: pa.Table) -> NDArray[np.bool_]:
        """Mark the rows of records that expired and are not in the ledger again."""
        manifest, ids = self.transaction.manifest, rows.column("record_id")
        is_known, _ = self._deduplicator("records").index.find(id_keys(ids))
        marks = (manifest.mark(name) in manifest.expired_records for name in ids.to_pylist())
        return ~is_known & np.fromiter(marks, np.bool_, len(ids))

    def _anonymise(self, rows: pa.Table) -> pa.Table:
        """Replace a forgotten person to whom an amendment moves a record by nobody."""
        manifest = self.transaction.manifest
        if "action" not in rows.column_names or not manifest.forgotten_subjects:
            return rows
        moves = pc.fill_null(pc.equal(rows.column("action"), "moved_to_subject"), False).to_pylist()
        values = [
            manifest.nobody(value) if is_move and manifest.mark(value) in manifest.forgotten_subjects else value
            for is_move, value in zip(moves, rows.column("value").to_pylist(), strict=True)
        ]
        return rows.set_column(rows.schema.get_field_index("value"), "value", pa.array(values, pa.string()))

    def _number(self, rows: pa.Table) -> pa.Table:
        """Give the next numbers to rows without a ``seq`` in order of arrival."""
        if "seq" not in rows.column_names:
            return rows
        delivered = rows.column("seq").combine_chunks()
        absent = delivered.is_null().to_numpy(zero_copy_only=False)
        first = max(self.next_seq, (pc.max(delivered).as_py() or 0) + 1)
        seq = np.where(absent, first - 1 + np.cumsum(absent), delivered.fill_null(0).to_numpy())
        self.next_seq = max(first, int(seq.max()) + 1)
        return rows.set_column(rows.schema.get_field_index("seq"), "seq", pa.array(seq))

    def _redact(self, raw: pa.Table, checked: ValidatedBatch, places: NDArray[np.int64]) -> list[dict[str, str]]:
        """Return refused rows without what names a person: identity numbers replaced, unreadable values withheld."""
        rows = []
        has_id_numbers = "id_number" in raw.column_names
        subjects = checked.table.column("subject_id").take(places).to_pylist() if has_id_numbers else []
        for i, row in enumerate(raw.take(places).to_pylist()):
            values = {}
            for name, value in row.items():
                if value is None or name in ID_COLUMNS:
                    continue
                unread = (checked.faults.get((why, name)) for why in _UNREADABLE)
                withheld = any(mask is not None and mask[places[i]] for mask in unread)
                values[name] = WITHHELD if withheld or self._is_forgotten(str(value)) else redact(str(value), self.key)
            if subjects and subjects[i]:
                values["subject_id"] = subjects[i]
            rows.append(values)
        return rows

    def _is_forgotten(self, text: str) -> bool:
        manifest = self.transaction.manifest
        return bool(manifest.forgotten_subjects) and manifest.mark(text.strip()) in manifest.forgotten_subjects

    def count(self) -> DeliveryCounts:
        """Add up what became of every row, against the rows and lines of the sources.

        Raises
        ------
        LedgerError
            If a row of a source is accepted, known, refused and excluded by nobody; nothing was written.
        """
        sources = {id(one.source): one.source for one in self.inputs}
        read = sum(source.count_rows() for source in sources.values())
        total = sum((outcomes.count() for outcomes in self.outcomes.values()), Counter())
        counts = DeliveryCounts(
            read,
            total[RowOutcome.ACCEPTED],
            total[RowOutcome.DUPLICATE],
            total[RowOutcome.REFUSED],
            dict(sorted(self.quarantine.reasons.items())),
            total[RowOutcome.EXCLUDED],
        )
        if counts.read != counts.accepted + counts.duplicates + counts.rejected_rows + counts.excluded:
            raise LedgerError(
                f"ingest: of {counts.read:,} rows, {counts.accepted:,} were accepted, {counts.duplicates:,} known "
                f"already, {counts.rejected_rows:,} refused and {counts.excluded:,} excluded, which does not add up. "
                "Nothing was written; report it."
            )
        return counts

    def end(self, mark: str) -> IngestReport:
        """Commit, and report."""
        counts = self.count()
        for code, source, numbers in (*self.amendments.findings(), *self.records.findings()):
            self.warnings.add(code, source, numbers)
        path = self.quarantine.commit()
        manifest = self.transaction.manifest
        is_added = any(table["accepted"] for table in self.counts.values())
        brings_news = is_added or (path is not None and path.name not in manifest.quarantine)
        deliveries = manifest.deliveries
        if deliveries is not None and brings_news:  # the same delivery again counts once
            deliveries += counts
        listed = set(manifest.quarantine) | ({path.name} if path else set())
        for subject_id, record_ids in self.returning.items():
            manifest = with_tombstone(manifest, subject_id, record_ids)
        self.transaction.commit(
            key_check=mark,
            next_seq=self.next_seq,
            quarantine=tuple(sorted(listed)),
            forgotten=manifest.forgotten,
            deliveries=deliveries,
        )
        return IngestReport(
            **vars(counts),
            quarantine=path,
            warnings=self.warnings.warnings(),
            tables={table: dict(counts) for table, counts in self.counts.items()},
        )
