"""The rows of a ledger in canonical order, ids and text as codes: what fold and segments work on.

In: ``Tables`` and the catalogue. Out: ``CodedTables``, the same for any order of the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError
from credit_model.visibility.amendments import CODES, arrange_amendments, corrections_of
from credit_model.visibility.tables import TIERS, Column, Tables, typed_column
from credit_model.visibility.text_columns import (
    Text,
    Words,
    constant,
    encode,
    encode_together,
    places,
    plain,
    take,
)

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

_OWN_TIER: Final = {tier: code for code, tier in enumerate(TIERS)}


@dataclass(frozen=True)
class CodedTables:
    """The rows of a ledger in canonical order, ids and text as codes: the same for any order of the same rows.

    ``records`` has one entry for each distinct record id, sorted by it; ``amendments`` are sorted by
    (record, effective_on, seq), so that of two of one record the greater index is the later in law.
    """

    record_ids: Words
    subject_ids: Words
    case_ids: Words
    vocabularies: dict[str, Words]
    records: dict[str, Column]
    amendments: dict[str, Column]
    corrections: dict[str, tuple[NDArray[np.bool_], Column]]  # fact -> which amendments give it, and what
    first_amendment: NDArray[np.int64]  # of each record; one more at the end
    kind_tier: NDArray[np.int8]  # of each kind: its own, 0 if the record states it
    by_decision: NDArray[np.bool_]  # of each kind: final by the decision itself
    appeal_months: NDArray[np.int64]  # of each kind: to challenge a decision after service
    appeal_days: NDArray[np.int64]  # of each kind: the same where it is given in days; -1 where it is not
    review_days: NDArray[np.int64]  # of each kind: to challenge it once more after it was upheld
    attribute_types: Mapping[str, str]

    @classmethod
    def of(cls, tables: Tables, catalogue: Catalogue) -> CodedTables:
        """Arrange and encode the rows; amendments of records that are not there are left out."""
        code, record_ids = encode(tables.records["record_id"])
        row = np.empty(len(record_ids), np.int64)
        row[code[::-1]] = np.arange(len(code))[::-1]
        unread = ("record_id", "source")
        records = {name: take(column, row) for name, column in tables.records.items() if name not in unread}
        amendments, first = arrange_amendments(tables.amendments, record_ids, records["known_on"])
        corrections = corrections_of(amendments, catalogue.attribute_types, catalogue.decimal_places)
        vocabularies: dict[str, Words] = {}
        for name, type in catalogue.attribute_types.items():
            if name not in records:
                records[name] = constant(typed_column([None], type)[0], len(row))
            if type == "text" and name in corrections:
                is_given, new = corrections[name]
                records[name], codes, vocabularies[name] = encode_together(records[name], new)
                corrections[name] = is_given, codes
            elif type == "text":
                records[name], vocabularies[name] = encode(records[name])
        target = _only(amendments["value"], amendments["action"], "moved_to_subject")
        records["subject"], amendments["target"], subject_ids = encode_together(records["subject_id"], target)
        cases, ids = tables.records["case_id"], tables.records["record_id"]
        if cases is ids or (isinstance(cases, np.ndarray) and (records["case_id"] == record_ids).all()):
            records["case"], case_ids = np.arange(len(row), dtype=np.int32), record_ids
        else:
            records["case"], case_ids = encode(records["case_id"])

        kinds, (code, kind_words) = {kind: i for i, kind in enumerate(catalogue.kinds)}, encode(records["kind"])
        numbers = [kinds.get(kind, -1) for kind in plain(kind_words).tolist()]
        if -1 in numbers:
            raise UserError(
                f"Records were compiled: {numbers.count(-1)} of their kinds are not in catalogue {catalogue.name!r}. "
                "Open the ledger with the catalogue it was made with."
            )
        records["kind"] = np.array(numbers, np.int16)[code]
        appeals = [kind.appeal for kind in catalogue.kinds.values()]
        return cls(
            record_ids=record_ids, subject_ids=subject_ids, case_ids=case_ids, vocabularies=vocabularies,
            records=records, amendments=amendments, corrections=corrections, first_amendment=first,
            attribute_types=catalogue.attribute_types,
            kind_tier=np.array([_OWN_TIER.get(k.tier, 0) for k in catalogue.kinds.values()], np.int8),
            by_decision=np.array([k.finality == "decision" for k in catalogue.kinds.values()], np.bool_),
            appeal_months=np.array([appeal.months for appeal in appeals], np.int64),
            appeal_days=np.array([-1 if appeal.days is None else appeal.days for appeal in appeals], np.int64),
            review_days=np.array([appeal.review_days for appeal in appeals], np.int64),
        )  # fmt: skip

    def words(self, attribute: str) -> Column:
        """Return the words that the codes of a text attribute index; none of an attribute that is not text."""
        return plain(self.vocabularies[attribute])

    def index_of(self, record_ids: Column | Text) -> NDArray[np.int64]:
        """Return the index of each record id."""
        codes, words = encode(record_ids)
        return places(words, self.record_ids)[codes]

    def sealed_by(self, day: int) -> NDArray[np.bool_]:
        """Return which records' sealing was effective and known at the *end* of a day; shape (n_records,)."""
        seal = self.amendments["action"] == CODES["sealed"]
        seal &= (self.amendments["known_on"] <= day) & (self.amendments["effective_on"] <= day)
        sealed = np.zeros(len(self.record_ids), np.bool_)
        sealed[self.amendments["record"][seal]] = True
        return sealed


def _only(value: Column, action: Column, name: str) -> Column:
    """Return the values of amendments of one action, None elsewhere."""
    only = value.copy()
    only[action != CODES[name]] = None
    return only
