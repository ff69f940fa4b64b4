"""Fold a record and its amendments into its state at the start of a day.

An amendment counts at d iff it was known strictly before d and its own date has come. Those that count are folded in
the total order ``(effective_on, seq)``, so that one learned late takes its lawful place among the others. Each aspect
of a record's life (finality, stay, repair, performance, ...) is decided by the last amendment on it; what is once
revoked, sealed, superseded or opted out of stays so. A record's own ``final_on`` is folded as a ``finalised`` of that
day. Disputes are counted: each is open until it is closed.

In: ``Tables`` and the catalogue. Out: ``State``, one row for each record and day asked about.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE, Days, add_months
from credit_model.visibility.amendments import CODES, DISPUTE_ACTIONS, RESULTS
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.tables import Column, Tables, pick, spans
from credit_model.visibility.text_columns import constant, is_constant, plain, take

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

SERVICE_DAYS: Final = 7  # service is presumed this long after the decision


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
    occurred_on: Days  # decided_on where it is not known
    act_is_dated: NDArray[np.bool_]  # it is known
    decided_on: Days
    final_from: Days  # first day beyond challenge; FOREVER while a challenge is open or the decision is stayed
    exit_on: Days  # off the list, or closed; NO_DAY if not
    challenge_open: NDArray[np.bool_]
    stayed: NDArray[np.bool_]
    disputed: NDArray[np.bool_]  # open, closed without a known result, or sustained
    sustained: NDArray[np.bool_]  # the last objection was
    repaired: NDArray[np.bool_]
    deceit_on: Days  # the last revocation of a repair got by deceit; NO_DAY if none
    revoked: NDArray[np.bool_]
    sealed: NDArray[np.bool_]
    superseded: NDArray[np.bool_]
    opted_out: NDArray[np.bool_]
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
        One row for each of ``tables.records``; text attributes as text; ``is_known`` is false before it was on file.

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
    columns: dict[str, Any] = {
        name: _overwrite(column, touched, amended[name]) for name, column in state.columns().items()
    }
    state = replace(state, attributes={name: columns.pop(f"attribute:{name}") for name in state.attributes})
    return replace(state, **columns)


def _without_amendments(coded: CodedTables, record: NDArray[np.int64], day: Days) -> State:
    """Return the state of records to which no amendment applies."""

    def fact(name: str) -> Column:
        column: Column = take(coded.records[name], record)
        return column

    decided_on, served, final_on, kind = (fact(name) for name in ("decided_on", "served_on", "final_on", "kind"))
    final_from = np.where(final_on == NO_DAY, _appeal_ends(coded, kind, served, decided_on), final_on)
    tier, amount, attributes = fact("tier"), fact("amount"), {name: fact(name) for name in coded.attribute_types}
    no, occurred_on = constant(False, len(record)), fact("occurred_on")
    act_is_dated = occurred_on != NO_DAY
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
        occurred_on=np.where(act_is_dated, occurred_on, decided_on),
        act_is_dated=act_is_dated,
        decided_on=decided_on,
        final_from=np.where(coded.by_decision[kind], decided_on, final_from).astype(np.int32),
        exit_on=constant(np.int32(NO_DAY), len(record)),
        deceit_on=constant(np.int32(NO_DAY), len(record)),
        **dict.fromkeys(_FLAGS, no),
        summary=_summary(coded, attributes["procedure"]),
        attributes=attributes,
    )


_FLAGS: Final = (
    "challenge_open", "stayed", "disputed", "sustained", "repaired", "revoked", "sealed", "superseded", "opted_out",
)  # fmt: skip


def _appeal_ends(coded: CodedTables, kind: Column, served: Days, decided_on: Days) -> Days:
    """Return the first day on which a decision served on a day can no longer be challenged."""
    served = np.where(served == NO_DAY, decided_on + SERVICE_DAYS, served)
    months, days = coded.appeal_months, coded.appeal_days
    alike = len(months) and (months == months[0]).all()
    ends = add_months(served, int(months[0]) if alike else months[kind])
    return ends if (days < 0).all() else np.where(days[kind] < 0, ends, served + days[kind]).astype(np.int32)


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
        if (hit := mask[place]).any():
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
    kind, served = coded.records["kind"][record], day_of(last_of("served"))
    own_final = coded.records["final_on"][record]
    challenge = last_of("challenged", "challenge_withdrawn", "upheld", "finalised")
    challenge_open = is_last(challenge, "challenged") & (day_of(challenge) >= own_final)
    ruling = last_of("upheld", "finalised")
    explicit = np.where(day_of(ruling) < own_final, own_final, day_of(ruling))
    # A ruling that may be challenged once more is final after the days there are for it, from the day it is known.
    may_appeal = pick(amendment["appealable"], ruling, False) & (day_of(ruling) >= own_final)
    appealed_by = pick(amendment["known_on"], ruling, 0) + coded.review_days[kind] + 1
    explicit = np.where(may_appeal, appealed_by, explicit)
    served = np.where(served == NO_DAY, coded.records["served_on"][record], served)
    final_from = np.where(explicit == NO_DAY, _appeal_ends(coded, kind, served, decided_on), explicit)
    final_from = np.where(challenge_open, FOREVER, final_from)
    by_decision, stayed = coded.by_decision[kind], is_last(last_of("stayed", "stay_lifted"), "stayed")
    final_from = np.where(stayed, FOREVER, np.where(by_decision, decided_on, final_from))
    performance = last_of("partly_performed", "performed")
    disputed, sustained = _disputes(amendment, len(record), row, place)
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
    holder, occurred_on = pick(amendment["target"], last_of("moved_to_subject"), -1), fact("occurred_on")
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
        occurred_on=np.where(occurred_on == NO_DAY, decided_on, occurred_on),
        act_is_dated=occurred_on != NO_DAY,
        decided_on=decided_on,
        final_from=final_from.astype(np.int32),
        exit_on=day_of(last_of("delisted")),
        challenge_open=challenge_open & ~by_decision,
        stayed=stayed,
        disputed=disputed,
        sustained=sustained,
        repaired=is_last(last_of("repaired", "repair_revoked"), "repaired"),
        deceit_on=day_of(last(amendment["deceit"])),
        revoked=last_of("revoked") >= 0,
        sealed=last_of("sealed") >= 0,
        superseded=last(coded.corrections["superseded_by"][0]) >= 0,
        opted_out=last_of("opted_out") >= 0,
        summary=_summary(coded, attributes["procedure"]),
        attributes=attributes,
    )


def _disputes(
    amendment: dict[str, Column], size: int, row: NDArray[np.int64], place: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which of ``size`` rows are disputed, and in which an objection was sustained."""
    disputed, sustained = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    about = np.isin(amendment["action"][place], [CODES[name] for name in DISPUTE_ACTIONS])
    row, place = row[about], place[about]
    if not len(row):
        return disputed, sustained
    first = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    last = np.append(first[1:], len(row)) - 1
    disputed[row[last]] = ~amendment["confirmed"][place[last]]
    sustained[row[last]] = amendment["sustained"][place[last]]
    # Where no two are open at a time the last amendment decides; elsewhere they are followed one by one.
    opens = amendment["action"][place] == CODES["disputed"]
    is_double = opens & np.append(False, opens[:-1])
    is_double[first] = False
    has_several = np.logical_or.reduceat(is_double | (amendment["dispute"][place] >= 0), first)
    for start, stop in zip(first[has_several].tolist(), last[has_several].tolist(), strict=True):
        results = _dispute_results(amendment, place[start : stop + 1].tolist())
        disputed[row[start]] = any(result != RESULTS[0] for result in results)
        sustained[row[start]] = RESULTS[1] in results
    return disputed, sustained


def _dispute_results(amendment: dict[str, Column], places: list[int]) -> list[str | None]:
    """Return the result of each dispute of a record, ``None`` while it is open or where no result is known.

    Without an id each ``disputed`` opens a dispute, and each ``dispute_closed`` closes the oldest that is open; if none
    is, it states another result of the last one. A dispute opened when none without an id is open begins anew: those
    closed before are over.
    """
    open_ones: list[int] = []
    results: dict[int, str | None] = {}  # of those that are closed; keys below 0 are disputes without an id
    for number, place in enumerate(places, start=1):
        key = int(amendment["dispute"][place])
        if amendment["action"][place] == CODES["disputed"]:
            if key < 0:
                if all(other >= 0 for other in open_ones):
                    results = {other: result for other, result in results.items() if other >= 0}
                key = -number
            results.pop(key, None)
            if key not in open_ones:
                open_ones.append(key)
            continue
        if key < 0:
            nameless = [other for other in results if other < 0]
            key = open_ones[0] if open_ones else nameless[-1] if nameless else -number
        if key in open_ones:
            open_ones.remove(key)
        results.pop(key, None)
        results[key] = amendment["value"][place]  # the last closed stands last
    return [*results.values(), *[None for _ in open_ones]]


def _overwrite(column: Column, rows: NDArray[np.int64], values: Column) -> Column:
    """Return the column with other values in some rows; the column may be written to."""
    if is_constant(column):
        if is_constant(values) or (values == column[0]).all():
            return column
        column = column.copy()
    column = column if column.flags.writeable else column.copy()
    column[rows] = values
    return column
