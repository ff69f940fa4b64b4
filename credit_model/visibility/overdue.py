"""Find the periods of law that have passed on records: listings to be removed, objections to be answered.

Nothing is decided here. A finding is for the office whose period it is; the record is used as it stands on file.

In: ``Tables``, the rules, a day, a calendar of working days. Out: a frame of findings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from credit_model.catalogue.kinds import USES
from credit_model.foundation.calendar import NO_DAY, from_days
from credit_model.visibility.amendments import DISPUTE_ACTIONS
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.fold import State, fold
from credit_model.visibility.text_columns import plain
from credit_model.visibility.use_rules import UseRules

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.catalogue.working_days import WorkingDays
    from credit_model.visibility.record_frames import Rules
    from credit_model.visibility.tables import Tables

REMOVAL_DAYS: Final = 3  # working days from performance to the end of a listing (法释〔2017〕7号 art. 10)
ANSWER_DAYS, LATEST_ANSWER_DAYS = 5, 20  # from an objection to its answer; extended (Zhejiang regulation, art. 31)
_PERFORMED: Final = ("performed", "partly_performed")

Finding = tuple[str, int, int, int, bool]  # code, record, since, due, whether no extension is left


def find_overdue(tables: Tables, rules: Rules, calendar: WorkingDays) -> pd.DataFrame:
    """Return the periods that ended before the rules' day of use; see ``Ledger.watch``."""
    import pandas as pd

    on, use = rules.day_of_use, UseRules.of(rules.catalogue, rules.policy, rules.day_of_use)
    coded = CodedTables.of(tables, rules.catalogue)
    days = np.full(len(coded.record_ids), on, np.int32)
    state = use.read(fold(coded, np.arange(len(days)), days), coded)
    record_ids = plain(coded.record_ids)
    row_of = {record_id: row for row, record_id in enumerate(record_ids.tolist())}
    findings = [
        *_not_removed(tables, row_of, state, use.list_end(state, coded), use, calendar),
        *_not_answered(tables, row_of, state, on, calendar),
    ]
    findings.sort(key=lambda finding: (finding[3], finding[1], finding[0]))
    code, record, since, due, is_overdue = zip(*findings, strict=True) if findings else ((), (), (), (), ())
    rows = np.array(record, np.int64)
    return pd.DataFrame(
        {
            "finding": np.array(code, object),
            "record_id": record_ids[rows],
            "subject_id": plain(coded.subject_ids)[state.holder[rows]],
            "since": from_days(np.array(since, np.int32)).astype("datetime64[s]"),
            "due_on": from_days(np.array(due, np.int32)).astype("datetime64[s]"),
            "is_overdue": np.array(is_overdue, np.bool_),
        }
    )


def _not_removed(
    tables: Tables, row_of: dict[str, int], state: State, list_end: np.ndarray, use: UseRules, calendar: WorkingDays
) -> list[Finding]:
    """Return the listings that stand although everything was performed."""
    on, valid_to = use.day_of_use, state.attributes["valid_to"]
    stands = (use.use[state.kind] == USES.index("while_listed")) & state.is_known & (list_end > on)
    stands &= ~state.revoked & ~state.sealed & ~((valid_to != NO_DAY) & (valid_to <= on)) & (state.performed == 2)
    if not stands.any():
        return []
    performed_on: dict[int, int] = {}
    for row in _rows(tables, _PERFORMED, on):
        record = row_of.get(tables.amendments["record_id"][row], -1)
        if record >= 0 and stands[record]:
            performed_on[record] = int(tables.amendments["effective_on"][row])
    findings = []
    for record, since in performed_on.items():
        due = _late(calendar, since, REMOVAL_DAYS, on)
        if due is not None:
            findings.append(("overdue_delisting", record, since, due, True))
    return findings


def _not_answered(
    tables: Tables, row_of: dict[str, int], state: State, on: int, calendar: WorkingDays
) -> list[Finding]:
    """Return the objections whose answer is late: by the first period, or beyond any extension."""
    findings = []
    for record_id, since in open_objections(tables, on):
        record = row_of.get(record_id, -1)
        if record < 0 or not state.is_known[record] or state.revoked[record] or state.sealed[record]:
            continue
        due = _late(calendar, since, ANSWER_DAYS, on)
        latest = None if due is None else _late(calendar, since, LATEST_ANSWER_DAYS, on)
        if latest is not None:
            findings.append(("overdue_dispute", record, since, latest, True))
        elif due is not None:
            findings.append(("unanswered_dispute", record, since, due, False))
    return findings


def _late(calendar: WorkingDays, since: int, count: int, on: int) -> int | None:
    """Return the day on which a period ended before ``on``, None if it did not; ``NO_DAY`` where no calendar tells."""
    if not calendar.has_passed(since, count, on):
        return None
    return calendar.deadline(since, count, on) if calendar.has(since + 1) else NO_DAY


def open_objections(tables: Tables, on: int) -> list[tuple[str, int]]:
    """Return the objections open at the start of a day: each one's record, and since when.

    Without an id each ``disputed`` opens one, and each ``dispute_closed`` closes the oldest that is open.

    Examples
    --------
    >>> from credit_model.foundation.calendar import from_day, to_day
    >>> from credit_model.visibility.tables import Tables
    >>> rows = {"record_id": ["r", "r", "r"], "action": ["disputed", "disputed", "dispute_closed"],
    ...         "effective_on": ["2026-07-01", "2026-07-03", "2026-07-09"]}
    >>> tables = Tables.of({}, {**rows, "known_on": rows["effective_on"]})
    >>> [(record, str(from_day(day))) for record, day in open_objections(tables, to_day("2026-07-10"))]
    [('r', '2026-07-03')]
    """
    amendments = tables.amendments
    by_id: dict[tuple[str, str], int] = {}
    without_id: dict[str, list[int]] = {}
    for row in _rows(tables, DISPUTE_ACTIONS, on):
        record_id, dispute_id = amendments["record_id"][row], amendments["dispute_id"][row]
        opens, day = amendments["action"][row] == DISPUTE_ACTIONS[0], int(amendments["effective_on"][row])
        if dispute_id is not None:
            if opens:
                by_id.setdefault((record_id, dispute_id), day)
            else:
                by_id.pop((record_id, dispute_id), None)
        elif opens:
            without_id.setdefault(record_id, []).append(day)
        elif without_id.get(record_id):
            without_id[record_id].pop(0)
    return [
        *((record_id, day) for (record_id, _), day in by_id.items()),
        *((record_id, day) for record_id, days in without_id.items() for day in days),
    ]


def _rows(tables: Tables, actions: tuple[str, ...], on: int) -> list[int]:
    """Return the rows of amendments with one of these actions that count at the start of a day, in their order."""
    amendments = tables.amendments
    counts = (amendments["known_on"] < on) & (amendments["effective_on"] <= on)
    rows = np.flatnonzero(counts & np.isin(amendments["action"], actions))
    order = np.lexsort((amendments["seq"][rows], amendments["effective_on"][rows]))
    ordered: list[int] = rows[order].tolist()
    return ordered
