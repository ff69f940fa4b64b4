"""Delete adverse records past their retention, and say what cannot be answered again without them.

Retention runs from the decision (of a prison sentence, from its end), not before the end of a penalty with a term or of
a listing. What is open stays: challenges, stays, objections, listings that stand, judgments that are not performed,
what the ledger's policy still uses, and whatever is held for another procedure.

In: a transaction, the rules of the ledger, a day. Out: the ledger without the records, and an ``ExpiryReport``.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from credit_model.catalogue.kinds import USES
from credit_model.foundation.calendar import FOREVER, NO_DAY, Days, add_months, from_day
from credit_model.foundation.errors import UserError
from credit_model.ledger.forgetting import Removal, RemovalReport, check_words, files_to_search
from credit_model.ledger.lookup import RowIndex
from credit_model.ledger.manifest import PARTS, Tombstone
from credit_model.ledger.transaction import Transaction
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.fold import State, fold
from credit_model.visibility.overdue import open_objections
from credit_model.visibility.record_frames import Rules
from credit_model.visibility.tables import Tables
from credit_model.visibility.use_rules import UseRules

OPEN: Final = ("held", "under_challenge", "disputed", "listed", "unperformed", "in_use")  # why a record stays


@dataclass(frozen=True, kw_only=True)
class ExpiryReport(RemovalReport):
    """Proof that records past their retention are gone; it names none of them.

    Parameters
    ----------
    removed, rewritten, digest_before, digest_after, checked, remaining
        As for ``RemovalReport``; what is searched for are the ids of the records.
    subjects : int
        On whose files they stood.
    skipped : dict of str to int
        Records past their retention that stay, by the first reason of ``OPEN``.
    affected_from, affected_to : str
        As-of days, the first and the first beyond, on which one of them was on file and could be used: answers of these
        days cannot be computed again. Empty where nothing was deleted.
    note_zh, note_en : str
        The same in words.
    """

    subjects: int
    skipped: dict[str, int]
    affected_from: str
    affected_to: str
    note_zh: str
    note_en: str


@dataclass(frozen=True)
class _Selection:
    """The records past their retention on a day."""

    records: frozenset[str]
    subjects: int
    skipped: dict[str, int]
    first: int
    beyond: int


def expire(
    transaction: Transaction, row_index: RowIndex, rules: Rules, approver: str, holds: Iterable[str] = ()
) -> ExpiryReport:
    """Delete what is past its retention on the rules' day of use; see ``Ledger.expire``."""
    check_words("expire", "", approver=approver)
    before = transaction.manifest
    on_hold = frozenset(holds)
    selection = _select(row_index.all_tables(), rules, on_hold)
    removal = Removal(selection.records)
    if selection.records:
        manifest = before if before.salt else replace(before, salt=secrets.token_hex(32))
        marks = tuple(sorted(map(manifest.mark, selection.records)))
        reason = f"retention ended by {from_day(rules.day_of_use)}"
        tombstone = Tombstone(str(date.today()), reason, approver, records=marks)
        removal.write(transaction)
        removal.commit(transaction, replace(manifest, forgotten=(*manifest.forgotten, tombstone)), "expire")
    searched = [(file, _names_any(path, selection.records)) for file, path in files_to_search(transaction.folder)]
    note_zh, note_en = _notes(selection)
    return ExpiryReport(
        removed={kind: removal.removed[kind] for kind in ("records", "amendments", "quarantine")},
        rewritten=tuple(removal.rewritten),
        digest_before=before.digest,
        digest_after=transaction.manifest.digest,
        checked=len(searched),
        remaining=tuple(file for file, is_there in searched if is_there),
        subjects=selection.subjects,
        skipped=selection.skipped,
        affected_from=str(from_day(selection.first)) if selection.records else "",
        affected_to=str(from_day(selection.beyond)) if selection.records else "",
        note_zh=note_zh,
        note_en=note_en,
    )


def _select(tables: Tables, rules: Rules, on_hold: frozenset[str]) -> _Selection:
    record_ids = tables.records["record_id"]
    unknown = on_hold - set(record_ids.tolist())
    if unknown:
        raise UserError(
            f"expire: {len(unknown):,} of {len(on_hold):,} records to hold are not in the ledger. Check their ids; "
            "nothing was done."
        )
    on, use = rules.day_of_use, UseRules.of(rules.catalogue, rules.policy, rules.day_of_use)
    coded = CodedTables.of(tables, rules.catalogue)
    record = coded.index_of(record_ids)
    state = use.read(fold(coded, record, np.full(len(record), on, np.int32)), coded)
    list_end = use.list_end(state, coded)
    retained_until, use_end = _retained_until(state, use, list_end), use.use_end(state, list_end)
    past = use.adverse[state.kind] & state.is_known & (retained_until <= on)
    is_open = _open(state, use, list_end, on)
    is_open["held"] = np.fromiter((name in on_hold for name in record_ids.tolist()), np.bool_, len(record_ids))
    is_open["in_use"] = use_end > on
    objected = {record_id for record_id, _ in open_objections(tables, on)}
    is_open["disputed"] |= np.fromiter((name in objected for name in record_ids.tolist()), np.bool_, len(record_ids))
    skipped: Counter[str] = Counter()
    goes = past.copy()
    for reason in OPEN:
        stays = goes & is_open[reason]
        skipped[reason] += int(stays.sum())
        goes &= ~stays
    return _Selection(
        frozenset(record_ids[goes].tolist()),
        len(np.unique(state.holder[goes])),
        {reason: count for reason, count in skipped.items() if count},
        int(tables.records["known_on"][goes].min(initial=FOREVER - 1)) + 1,
        int(np.maximum(use_end, retained_until)[goes].max(initial=NO_DAY)),
    )


def _retained_until(state: State, use: UseRules, list_end: Days) -> Days:
    """Return the first day after the retention of each record, whatever is still open."""
    sentence, valid_to = state.attributes["sentence_ends_on"], state.attributes["valid_to"]
    start = np.where(use.prison[state.kind] & (sentence != NO_DAY), sentence, state.decided_on)
    ends = [add_months(start, use.retention_months), state.attributes["penalty_ends_on"], valid_to, state.exit_on]
    until: Days = np.maximum.reduce([*ends, np.where(list_end == FOREVER, NO_DAY, list_end)]).astype(np.int32)
    return until


def _open(state: State, use: UseRules, list_end: Days, on: int) -> dict[str, NDArray[np.bool_]]:
    """Return for each reason of ``OPEN`` that lies in the records themselves which of them stay for it."""
    way, valid_to = use.use[state.kind], state.attributes["valid_to"]
    is_over = (list_end <= on) | ((valid_to != NO_DAY) & (valid_to <= on))
    is_ended = (state.exit_on != NO_DAY) | (state.performed == 2)
    return {
        "under_challenge": state.challenge_open | state.stayed | (state.final_from == FOREVER),
        "disputed": state.disputed & ~state.sustained,  # open, or closed without a known result
        "listed": (way == USES.index("while_listed")) & ~is_over,
        "unperformed": (way == USES.index("until_performed")) & ~is_ended,
    }


def _names_any(path: Path, records: frozenset[str]) -> bool:
    """Return whether a text of a Parquet file is the id of one of the records, or a line of another file holds one."""
    if not records:
        return False
    data = path.read_bytes()
    if path.parent.name != PARTS:
        text = data.decode("utf-8", "replace")
        return any(f'"{name}"' in text for name in records)
    ids = pa.array(sorted(records), pa.string())
    columns = (column for column in pq.read_table(pa.BufferReader(data)).columns if pa.types.is_string(column.type))
    return any(pc.any(pc.is_in(column, value_set=ids)).as_py() for column in columns)


def _notes(selection: _Selection) -> tuple[str, str]:
    if not selection.records:
        return "没有超过保存期限的失信信息。", "No adverse record is past its retention."
    first, beyond = from_day(selection.first), from_day(selection.beyond)
    return (
        f"{first} 起、{beyond} 之前各日对 {selection.subjects} 名主体的评价、特征和样本，不能再由本台账重算；"
        "此后同案的新信息会被当作新案。此前留存的报告、样本和模型仍保有当时的数值。",
        f"What was answered about {selection.subjects:,} subject(s) as of days from {first} up to, but not on, "
        f"{beyond} (assessments, features, samples) cannot be computed from this ledger again, and a later record of "
        "one of their cases will look like a new case. Reports, samples and cards of before hold the values of then.",
    )
