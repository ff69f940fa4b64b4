"""Judge new rows by what else is on file or in the same delivery.

What does not fit is taken in, for the body that decided answers for it; it is a finding for the source. Only an
amendment that may never be is refused.

In: batches of new rows, and the transaction they belong to. Out: findings by source and row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.arrow_columns import as_mask
from credit_model.foundation.calendar import add_months
from credit_model.ledger.lookup import join_rows, to_arrays
from credit_model.ledger.parts import OpenPart, id_keys
from credit_model.ledger.transaction import Transaction
from credit_model.ledger.validation import ValidatedBatch, arrow_schema, column_types
from credit_model.visibility.capacity import IN_DUBIO_MONTHS
from credit_model.visibility.population import ADULT_MONTHS
from credit_model.visibility.repair_check import check_repairs
from credit_model.visibility.tables import SUBJECT_TYPES, Tables

_FEW: Final = 1_000  # ids, up to which a part finds their rows faster than it is read


@dataclass
class AmendmentCheck:
    """The amendments of one delivery; what is asked of the ledger is asked only where an amendment calls for it."""

    catalogue: Catalogue
    transaction: Transaction
    _repairs: list[tuple[str, pa.Table]] = field(default_factory=list)  # source; record, day, number of the row

    def refuse(self, checked: ValidatedBatch) -> None:
        """Refuse to opt out of records that are known and not positive."""
        rows = checked.table
        is_out = as_mask(pc.equal(rows.column("action").combine_chunks(), "opted_out"))
        if not is_out.any():
            return
        records = self._rows("records", rows.column("record_id").filter(pa.array(is_out)))
        positive = [code for code, kind in self.catalogue.kinds.items() if kind.polarity == "positive"]
        is_other = pc.invert(pc.is_in(records.column("kind"), value_set=pa.array(positive, pa.string())))
        others = records.column("record_id").filter(is_other).combine_chunks()
        is_refused = is_out & as_mask(pc.is_in(rows.column("record_id").combine_chunks(), value_set=others))
        if is_refused.any():
            checked.faults["opt_out_not_positive", "action"] = is_refused

    def note(self, source: str, rows: pa.Table, numbers: NDArray[np.int64]) -> None:
        """Keep the repairs among new rows, to be judged when the whole delivery is there."""
        rules = [kind.repair.in_force_from for kind in self.catalogue.kinds.values() if kind.repair is not None]
        if not rules:
            return
        days = rows.column("effective_on").cast(pa.int32())
        is_repair = pc.and_(pc.equal(rows.column("action"), "repaired"), pc.greater_equal(days, min(rules)))
        repairs = rows.select(["record_id", "effective_on"]).append_column("number", pa.array(numbers))
        if (repairs := repairs.filter(is_repair)).num_rows:
            self._repairs.append((source, repairs))

    def findings(self) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
        """Yield each finding about the repairs of the delivery, the source and the numbers of its rows."""
        if not self._repairs:
            return
        ids = pa.chunked_array([chunk for _, rows in self._repairs for chunk in rows.column("record_id").chunks])
        types = {table: column_types(table, self.catalogue) for table in ("records", "amendments")}
        records, amendments = (to_arrays(self._rows(table, ids), types[table]) for table in types)
        nobody = to_arrays(arrow_schema("subjects", self.catalogue).empty_table(), SUBJECT_TYPES)
        for code, is_odd in check_repairs(Tables(records, amendments, nobody), self.catalogue).items():
            odd = set(zip(*(amendments[name][is_odd].tolist() for name in ("record_id", "effective_on")), strict=True))
            for source, rows in self._repairs:
                days = rows.column("effective_on").cast(pa.int32()).to_pylist()
                pairs = zip(rows.column("record_id").to_pylist(), days, strict=True)
                is_meant = np.fromiter((pair in odd for pair in pairs), np.bool_, rows.num_rows)
                yield code, source, rows.column("number").to_numpy()[is_meant]

    def _rows(self, table: str, record_ids: pa.ChunkedArray) -> pa.Table:
        """Return the rows about some records, of the ledger and of this delivery; part after part."""
        schema, ids = arrow_schema(table, self.catalogue), pc.unique(record_ids.drop_null())
        manifest, store = self.transaction.manifest, self.transaction.store
        parts = [*manifest.parts_of(table), *self.transaction.new_parts(table)]
        tables = chain(
            *(_rows_in(store.open(part), table, ids, schema.names) for part in parts), self.transaction.buffered(table)
        )
        return join_rows((rows.filter(pc.is_in(rows.column("record_id"), value_set=ids)) for rows in tables), schema)


@dataclass
class RecordCheck:
    """The records of one delivery: acts without a day near the 18th birthday, and cases that two sources sent."""

    catalogue: Catalogue
    transaction: Transaction
    _undated: list[tuple[str, pa.Table]] = field(default_factory=list)  # source; subject, decision, number of the row
    _shared: list[tuple[str, pa.Table]] = field(default_factory=list)  # source; subject, case and kind, number

    def note(self, source: str, rows: pa.Table, numbers: NDArray[np.int64]) -> None:
        """Keep what may call for a finding, to be judged when the whole delivery is there."""
        rows = rows.append_column("number", pa.array(numbers))
        if self.catalogue.subjects == "person":
            adverse = [code for code, kind in self.catalogue.kinds.items() if kind.polarity == "adverse"]
            is_adverse = pc.is_in(rows.column("kind"), value_set=pa.array(adverse, pa.string()))
            undated = rows.filter(pc.and_(is_adverse, pc.is_null(rows.column("occurred_on"))))
            if undated.num_rows:
                self._undated.append((source, undated.select(["subject_id", "decided_on", "number"])))
        is_shared = pc.not_equal(rows.column("case_id"), rows.column("record_id"))
        shared = rows.filter(pc.and_(is_shared, pc.is_valid(rows.column("source"))))
        if shared.num_rows:
            shared = shared.append_column("case", _case_and_kind(shared))
            self._shared.append((source, shared.select(["subject_id", "case", "number"])))

    def findings(self) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
        """Yield each finding about the records of the delivery, the source and the numbers of its rows."""
        if self._undated:
            births = self._rows("subjects", self._undated, ["subject_id", "born_on"])
            births = births.filter(pc.is_valid(births.column("born_on"))).group_by(births.column_names).aggregate([])
            for source, rows in self._undated:
                both = rows.join(births, "subject_id", join_type="inner")
                born, decided = (both.column(name).cast(pa.int32()).to_numpy() for name in ("born_on", "decided_on"))
                is_near = (add_months(born, ADULT_MONTHS) <= decided) & (decided < add_months(born, IN_DUBIO_MONTHS))
                yield "act_undated", source, np.unique(both.column("number").to_numpy()[is_near])
        if self._shared:
            records = self._rows("records", self._shared, ["subject_id", "case_id", "kind", "source"])
            records = records.append_column("case", _case_and_kind(records))
            sources = records.group_by("case").aggregate([("source", "count_distinct")])
            several = sources.filter(pc.greater(sources.column("source_count_distinct"), 1)).column("case")
            for source, rows in self._shared:
                is_several = pc.is_in(rows.column("case"), value_set=several.combine_chunks())
                yield "case_of_two_sources", source, rows.column("number").filter(is_several).to_numpy()

    def _rows(self, table: str, noted: list[tuple[str, pa.Table]], columns: list[str]) -> pa.Table:
        """Return columns of the rows of the subjects of noted rows, of the ledger and of this delivery."""
        chunks = (rows.column("subject_id").chunks for _, rows in noted)
        ids = pc.unique(pa.chunked_array([*chain(*chunks)], pa.string()))
        manifest, store = self.transaction.manifest, self.transaction.store
        parts = map(store.open, [*manifest.parts_of(table), *self.transaction.new_parts(table)])
        few = sorted(ids.to_pylist()) if len(ids) <= _FEW else None
        tables = chain(
            *([part.read(columns)] if few is None else part.find(few, columns) for part in parts),
            self.transaction.buffered(table),
        )
        schema = pa.schema([arrow_schema(table, self.catalogue).field(name) for name in columns])
        return join_rows((rows.filter(pc.is_in(rows.column("subject_id"), value_set=ids)) for rows in tables), schema)


def _case_and_kind(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows.column("case_id"), rows.column("kind"), "\x1f")


def _rows_in(part: OpenPart, table: str, record_ids: pa.Array, columns: list[str]) -> list[pa.Table]:
    """Return rows of a part among which are all those about some records."""
    if len(record_ids) > _FEW:
        return [part.read(columns)]
    if table == "amendments":
        return part.find(sorted(record_ids.to_pylist()), columns)
    keys = part.read(["row_key", "subject_id"])
    place = np.flatnonzero(np.isin(keys.column("row_key").to_numpy(), id_keys(record_ids)))
    return part.find(sorted(set(keys.column("subject_id").take(place).to_pylist())), columns)
