"""Fold a record and its amendments into its state at the start of a day.

An amendment counts at d iff it was known strictly before d and its own date has come. Those that count are folded in
the total order ``(effective_on, seq)``, so that one learned late takes its lawful place among the others. Each aspect
of a record's life (finality, dispute, repair, performance, ...) is decided by the last amendment on it; what is once
revoked, sealed or superseded stays so. A record's own ``final_on`` is folded as a ``finalised`` of that day.

In: ``Tables`` and the catalogue. Out: ``State``, one row for each record and day asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE, Days, add_months
from credit_model.visibility.amendments import CODES
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.tables import Column, Tables, pick, spans
from credit_model.visibility.text_columns import constant, is_constant, plain, take

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

SERVICE_DAYS: Final = 7  # service is presumed this long after the decision
APPEAL_MONTHS: Final = 6


@dataclass(frozen=True)
class State:
    """Records as known at the start of a day, one row for each (record, day); every array has shape (n,).

    ``record`` is a row of ``Tables.records`` (inside a compile: of ``CodedTables.records``).
    """

    record: NDArray[np.int64]
    day: Days
    is_known: NDArray[np.bool_]  # known_on < day
    holder: Column  # on whose file it stands
    kind: NDArray[np.int16]
    tier: NDArray[np.int8]  # the kind's where the record has none
    amount: NDArray[np.int64]
    hours: NDArray[np.int64]
    outstanding: NDArray[np.int64]  # of the amount, not yet performed
    performed: NDArray[np.int8]  # 0 no, 1 partly, 2 wholly
    occurred_on: Days
    decided_on: Days
    final_from: Days  # first day beyond challenge; FOREVER while a challenge is open
    exit_on: Days  # off the list, or closed; NO_DAY if not
    challenge_open: NDArray[np.bool_]
    disputed: NDArray[np.bool_]  # open, closed without a known result, or sustained
    sustained: NDArray[np.bool_]  # the last objection was
    repaired: NDArray[np.bool_]
    revoked: NDArray[np.bool_]
    sealed: NDArray[np.bool_]
    superseded: NDArray[np.bool_]
    summary: NDArray[np.bool_]  # decided by summary procedure
    attributes: dict[str, Column]

    @property
    def final(self) -> NDArray[np.bool_]:
        """Return whether the decision is beyond challenge at ``day``."""
        return self.final_from <= self.day

    def take(self, rows: Column) -> State:
        """Return these rows."""
        columns = {f.name: take(getattr(self, f.name), rows) for f in fields(self) if f.name != "attributes"}
        attributes = {name: take(column, rows) for name, column in self.attributes.items()}
        return replace(self, **columns, attributes=attributes)

    def columns(self) -> dict[str, Column]:
        """Return every column by its name."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "attributes"}
        return {**own, **{f"attribute:{name}": column for name, column in self.attributes.items()}}


def fold_at(tables: Tables, catalogue: Catalogue, day: int | Days) -> State:
    """Return the records as known at the start of a day.

    Parameters
    ----------
    tables : Tables
    catalogue : Catalogue
    day : int or ndarray of int32, shape (n_records,)
        One day for all, or one for each record.

    Returns
    -------
    State
        One row for each row of ``tables.records``, in its order; text attributes as text. Rows with ``is_known``
        false were not on file yet.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.foundation.calendar import to_day
    >>> from credit_model.visibility.tables import TIERS
    >>> record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["adm_penalty"], "decided_on": ["2024-01-10"]}
    >>> tables = Tables.of(
    ...     {**record, "known_on": ["2024-02-01"], "tier": ["minor"]},
    ...     {"record_id": ["r"], "action": ["corrected"], "effective_on": ["2024-03-01"], "known_on": ["2024-03-05"],
    ...      "value": ["tier=serious"]})
    >>> [TIERS[fold_at(tables, load_catalogue(), to_day(day)).tier[0]] for day in ("2024-03-05", "2024-03-06")]
    ['minor', 'serious']
    """
    coded = CodedTables.of(tables, catalogue)
    record = coded.index_of(tables.records["record_id"])
    state = fold(coded, record, np.broadcast_to(np.asarray(day, np.int32), record.shape))
    text = {name: pick(plain(words), state.attributes[name], None) for name, words in coded.vocabularies.items()}
    return replace(
        state,
        record=np.arange(len(record)),
        holder=plain(coded.subject_ids)[state.holder],
        attributes={**state.attributes, **text},
    )


def fold(coded: CodedTables, record: NDArray[np.int64], day: Days) -> State:
    """Return the state of each record at the start of its day; both of shape (n,)."""
    state = _without_amendments(coded, record, day)
    first, count = coded.first_amendment[record], np.diff(coded.first_amendment)[record]
    row, place = np.repeat(np.arange(len(record)), count), spans(first, count)
    counts = coded.amendments["counts_from"][place] <= day[row]
    row, place = row[counts], place[counts]
    begins = np.append(True, row[1:] != row[:-1])[: len(row)]
    touched = row[begins]
    if not len(touched):
        return state
    amended = _with_amendments(coded, record[touched], day[touched], np.cumsum(begins) - 1, place).columns()
    attributes = {name: f"attribute:{name}" for name in state.attributes}
    columns: dict[str, Any] = {
        name: _overwrite(column, touched, amended[name]) for name, column in state.columns().items()
    }
    state = replace(state, attributes={name: columns.pop(column) for name, column in attributes.items()})
    return replace(state, **columns)


def _without_amendments(coded: CodedTables, record: NDArray[np.int64], day: Days) -> State:
    """Return the state of records to which no amendment applies."""

    def fact(name: str) -> Column:
        column: Column = take(coded.records[name], record)
        return column

    decided_on, served, final_on, kind = (fact(name) for name in ("decided_on", "served_on", "final_on", "kind"))
    served = np.where(served == NO_DAY, decided_on + SERVICE_DAYS, served)
    final_from = np.where(final_on == NO_DAY, add_months(served, APPEAL_MONTHS), final_on)
    tier, amount, attributes = fact("tier"), fact("amount"), {name: fact(name) for name in coded.attribute_types}
    no = constant(False, len(record))
    return State(
        record=record,
        day=day,
        is_known=fact("known_on") < day,
        holder=fact("subject"),
        kind=kind,
        tier=np.where(tier == 0, coded.kind_tier[kind], tier),
        amount=amount,
        hours=fact("hours"),
        outstanding=np.where(amount == NO_VALUE, NO_VALUE, np.maximum(amount, 0)),
        performed=constant(np.int8(0), len(record)),
        occurred_on=fact("occurred_on"),
        decided_on=decided_on,
        final_from=np.where(coded.by_decision[kind], decided_on, final_from).astype(np.int32),
        exit_on=constant(np.int32(NO_DAY), len(record)),
        challenge_open=no,
        **dict.fromkeys(("disputed", "sustained", "repaired", "revoked", "sealed", "superseded"), no),
        summary=_summary(coded, attributes["procedure"]),
        attributes=attributes,
    )


def _summary(coded: CodedTables, procedure: Column) -> NDArray[np.bool_]:
    return pick(plain(coded.vocabularies["procedure"]) == "summary", procedure, False)


def _with_amendments(
    coded: CodedTables, record: NDArray[np.int64], day: Days, row: NDArray[np.int64], place: NDArray[np.int64]
) -> State:
    """Return the state of records to which amendments apply: ``place`` those of ``row``, at least one each."""
    amendment, action = coded.amendments, coded.amendments["action"]

    def last(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the last counting amendment in a mask, -1 where there is none."""
        latest = np.full(len(record), -1)
        hit = mask[place]
        np.maximum.at(latest, row[hit], place[hit])
        return latest

    def last_of(*actions: str) -> NDArray[np.int64]:
        return last(np.isin(action, [CODES[name] for name in actions]))

    def is_last(row: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
        return pick(action == CODES[name], row, False)

    def fact(name: str) -> Column:
        own: Column = take(coded.records[name], record)
        if name not in coded.corrections:
            return own
        mask, new = coded.corrections[name]
        latest = last(mask)
        return np.where(latest >= 0, new[latest], own)

    def day_of(amendment_row: NDArray[np.int64]) -> Days:
        return pick(amendment["effective_on"], amendment_row, NO_DAY)

    decided_on = fact("decided_on")
    finality, served = last_of("challenged", "upheld", "finalised"), day_of(last_of("served"))
    own_final = coded.records["final_on"][record]
    own_stands = day_of(finality) < own_final
    challenge_open = is_last(finality, "challenged") & ~own_stands
    explicit = np.where(own_stands, own_final, day_of(finality))
    served = np.where(served == NO_DAY, coded.records["served_on"][record], served)
    served = np.where(served == NO_DAY, decided_on + SERVICE_DAYS, served)
    final_from = np.where(explicit == NO_DAY, add_months(served, APPEAL_MONTHS), explicit)
    final_from = np.where(challenge_open, FOREVER, final_from)
    kind = coded.records["kind"][record]
    by_decision = coded.by_decision[kind]
    performance, dispute = last_of("partly_performed", "performed"), last_of("disputed", "dispute_closed")
    tier, amount = fact("tier"), fact("amount")
    # What was last said to be left (the whole amount if nothing was), less every payment since.
    last_statement = last(amendment["left"] != NO_VALUE)
    owed = np.where(last_statement >= 0, pick(amendment["left"], last_statement, 0), amount)
    payments = np.zeros(len(record), np.int64)
    since = place > last_statement[row]
    np.add.at(payments, row[since], amendment["paid"][place[since]])
    left = np.where(owed == NO_VALUE, NO_VALUE, np.maximum(owed - payments, 0))
    whole = is_last(performance, "performed") | ((payments > 0) & (left == 0))
    performed = np.where(whole, 2, np.where(performance >= 0, 1, 0)).astype(np.int8)
    attributes = {name: fact(name) for name in coded.attribute_types}
    holder = pick(amendment["target"], last_of("moved_to_subject"), -1)
    return State(
        record=record,
        day=day,
        is_known=coded.records["known_on"][record] < day,
        holder=np.where(holder < 0, coded.records["subject"][record], holder),
        kind=kind,
        tier=np.where(tier == 0, coded.kind_tier[kind], tier),
        amount=amount,
        hours=fact("hours"),
        outstanding=np.where(performed == 2, 0, left),
        performed=performed,
        occurred_on=fact("occurred_on"),
        decided_on=decided_on,
        final_from=np.where(by_decision, decided_on, final_from).astype(np.int32),
        exit_on=day_of(last_of("delisted")),
        challenge_open=challenge_open & ~by_decision,
        disputed=(dispute >= 0) & ~pick(amendment["confirmed"], dispute, False),
        sustained=pick(amendment["sustained"], dispute, False),
        repaired=is_last(last_of("repaired", "repair_revoked"), "repaired"),
        revoked=last_of("revoked") >= 0,
        sealed=last_of("sealed") >= 0,
        superseded=last(coded.corrections["superseded_by"][0]) >= 0,
        summary=_summary(coded, attributes["procedure"]),
        attributes=attributes,
    )


def _overwrite(column: Column, rows: NDArray[np.int64], values: Column) -> Column:
    """Return the column with other values in some rows; the column may be written to."""
    if is_constant(column):
        if is_constant(values) or (values == column[0]).all():
            return column
        column = column.copy()
    column = column if column.flags.writeable else column.copy()
    column[rows] = values
    return column
