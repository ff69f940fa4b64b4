"""Fold a record and its amendments into its state at the start of a day.

An amendment counts at d iff it was known strictly before d and its own date has come. Those that count are folded in
the total order ``(effective_on, seq)``, so that one learned late takes its lawful place among the others. Each aspect
of a record's life (finality, dispute, repair, performance, ...) is decided by the last amendment on it; what is once
revoked, sealed or superseded stays so. A record's own ``final_on`` is folded as a ``finalised`` of that day.

In: ``Tables`` and the catalogue. Out: ``State``, one row for each record and day asked about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE, Days, add_months
from credit_model.foundation.errors import UserError
from credit_model.visibility.tables import TIERS, Column, Tables, pick, spans, typed_column
from credit_model.visibility.text_columns import (
    Text,
    Words,
    constant,
    encode,
    encode_together,
    is_constant,
    places,
    plain,
    take,
)

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

ACTIONS: Final = (
    "served", "challenged", "upheld", "finalised", "corrected", "disputed", "dispute_closed", "partly_performed",
    "performed", "repaired", "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject",
)  # fmt: skip
SERVICE_DAYS: Final = 7  # service is presumed this long after the decision
APPEAL_MONTHS: Final = 6
PAID: Final = re.compile(r"paid=(\d{1,18})", re.ASCII)  # one payment; a bare number is what is left of the amount

# What a correction may change beside the attributes; never kind, subject or polarity (revoke, and record anew).
_CORRECTABLE = {"tier": "tier", "amount": "int", "hours": "int", "occurred_on": "date", "decided_on": "date"}
_TYPE_NAMES = {"tier": "minor, general or serious", "int": "a whole number", "date": "a date like 2024-01-31"}
_OWN_TIER = {tier: code for code, tier in enumerate(TIERS)}
_CODE = {action: code for code, action in enumerate(ACTIONS)}
_WITH_VALUE = ("corrected", "dispute_closed", "partly_performed", "moved_to_subject")


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
    state = coded.fold(record, np.broadcast_to(np.asarray(day, np.int32), record.shape))
    text = {name: pick(plain(words), state.attributes[name], None) for name, words in coded.vocabularies.items()}
    return replace(
        state,
        record=np.arange(len(record)),
        holder=plain(coded.subject_ids)[state.holder],
        attributes={**state.attributes, **text},
    )


def parse_correction(value: str | None, attribute_types: Mapping[str, str]) -> dict[str, Any]:
    """Return the new facts of a ``corrected`` amendment, typed as in ``Tables``.

    Parameters
    ----------
    value : str
        A JSON object ``{"tier": "serious", "amount": 5000}``, the short form ``tier=serious;amount=5000`` or a tier.
        ``superseded_by`` names the record that stands in this one's place.
    attribute_types : mapping of str to str
        ``catalogue.attribute_types``.

    Raises
    ------
    UserError
        If there is no fact, a fact that is never corrected, or a value of another type.

    Examples
    --------
    >>> parse_correction("tier=serious;amount=5000", {})
    {'tier': 3, 'amount': 5000}
    """
    types = _fact_types(attribute_types)
    facts = _facts(value or "")
    faults = [f"{name} is never corrected" for name in facts if name not in types]
    typed: dict[str, Any] = {}
    for name in facts.keys() & types.keys():
        try:
            if isinstance(facts[name], (bool, float, list, dict)):
                raise ValueError
            typed[name] = typed_column([facts[name]], types[name]).tolist()[0]
        except ValueError:
            faults.append(f"{name} must be {_TYPE_NAMES.get(types[name], 'text')}")
    if faults or not facts:
        fault = "; ".join(sorted(faults)) or "it names no fact"
        raise UserError(f"A correction was read: {fault}. Give new facts like tier=serious;amount=5000.")
    return {name: typed[name] for name in facts}


def _fact_types(attribute_types: Mapping[str, str]) -> dict[str, str]:
    return {**_CORRECTABLE, **attribute_types, "superseded_by": "text"}


def _facts(value: str) -> dict[str, object]:
    if value.startswith("{"):
        try:
            facts = json.loads(value)
        except json.JSONDecodeError:
            return {}
        return facts if isinstance(facts, dict) else {}
    if value in TIERS[1:]:
        return {"tier": value}
    pairs = [part.partition("=") for part in value.split(";") if part]
    return {name.strip(): new.strip() or None for name, _, new in pairs}


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
    attribute_types: Mapping[str, str]

    @classmethod
    def of(cls, tables: Tables, catalogue: Catalogue) -> CodedTables:
        """Arrange and encode the rows; amendments of records that are not there are left out."""
        code, record_ids = encode(tables.records["record_id"])
        row = np.empty(len(record_ids), np.int64)
        row[code[::-1]] = np.arange(len(code))[::-1]
        unread = ("record_id", "source")
        records = {name: take(column, row) for name, column in tables.records.items() if name not in unread}
        amendments, first = _arrange_amendments(tables.amendments, record_ids, records["known_on"])
        corrections = _corrections(amendments, catalogue.attribute_types)
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
        return cls(
            record_ids=record_ids, subject_ids=subject_ids, case_ids=case_ids, vocabularies=vocabularies,
            records=records, amendments=amendments, corrections=corrections, first_amendment=first,
            attribute_types=catalogue.attribute_types,
            kind_tier=np.array([_OWN_TIER.get(k.tier, 0) for k in catalogue.kinds.values()], np.int8),
            by_decision=np.array([k.finality == "decision" for k in catalogue.kinds.values()], np.bool_),
        )  # fmt: skip

    def index_of(self, record_ids: Column | Text) -> NDArray[np.int64]:
        """Return the index of each record id."""
        codes, words = encode(record_ids)
        return places(words, self.record_ids)[codes]

    def sealed_by(self, day: int) -> NDArray[np.bool_]:
        """Return which records' sealing was effective and known at the *end* of a day; shape (n_records,)."""
        seal = self.amendments["action"] == _CODE["sealed"]
        seal &= (self.amendments["known_on"] <= day) & (self.amendments["effective_on"] <= day)
        sealed = np.zeros(len(self.record_ids), np.bool_)
        sealed[self.amendments["record"][seal]] = True
        return sealed

    def fold(self, record: NDArray[np.int64], day: Days) -> State:
        """Return the state of each record at the start of its day; both of shape (n,)."""
        state = self._without_amendments(record, day)
        first, count = self.first_amendment[record], np.diff(self.first_amendment)[record]
        row, place = np.repeat(np.arange(len(record)), count), spans(first, count)
        counts = self.amendments["counts_from"][place] <= day[row]
        row, place = row[counts], place[counts]
        begins = np.append(True, row[1:] != row[:-1])[: len(row)]
        touched = row[begins]
        if not len(touched):
            return state
        amended = self._with_amendments(record[touched], day[touched], np.cumsum(begins) - 1, place).columns()
        attributes = {name: f"attribute:{name}" for name in state.attributes}
        columns: dict[str, Any] = {
            name: _overwrite(column, touched, amended[name]) for name, column in state.columns().items()
        }
        state = replace(state, attributes={name: columns.pop(column) for name, column in attributes.items()})
        return replace(state, **columns)

    def _without_amendments(self, record: NDArray[np.int64], day: Days) -> State:
        """Return the state of records to which no amendment applies."""

        def fact(name: str) -> Column:
            column: Column = take(self.records[name], record)
            return column

        decided_on, served, final_on, kind = (fact(name) for name in ("decided_on", "served_on", "final_on", "kind"))
        served = np.where(served == NO_DAY, decided_on + SERVICE_DAYS, served)
        final_from = np.where(final_on == NO_DAY, add_months(served, APPEAL_MONTHS), final_on)
        tier, amount, attributes = fact("tier"), fact("amount"), {name: fact(name) for name in self.attribute_types}
        no = constant(False, len(record))
        return State(
            record=record,
            day=day,
            is_known=fact("known_on") < day,
            holder=fact("subject"),
            kind=kind,
            tier=np.where(tier == 0, self.kind_tier[kind], tier),
            amount=amount,
            hours=fact("hours"),
            outstanding=np.where(amount == NO_VALUE, NO_VALUE, np.maximum(amount, 0)),
            performed=constant(np.int8(0), len(record)),
            occurred_on=fact("occurred_on"),
            decided_on=decided_on,
            final_from=np.where(self.by_decision[kind], decided_on, final_from).astype(np.int32),
            exit_on=constant(np.int32(NO_DAY), len(record)),
            challenge_open=no,
            **dict.fromkeys(("disputed", "sustained", "repaired", "revoked", "sealed", "superseded"), no),
            summary=self._summary(attributes["procedure"]),
            attributes=attributes,
        )

    def _summary(self, procedure: Column) -> NDArray[np.bool_]:
        return pick(plain(self.vocabularies["procedure"]) == "summary", procedure, False)

    def _with_amendments(
        self, record: NDArray[np.int64], day: Days, row: NDArray[np.int64], place: NDArray[np.int64]
    ) -> State:
        """Return the state of records to which amendments apply: ``place`` those of ``row``, at least one each."""
        amendment, action = self.amendments, self.amendments["action"]

        def last(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
            """Return the last counting amendment in a mask, -1 where there is none."""
            latest = np.full(len(record), -1)
            hit = mask[place]
            np.maximum.at(latest, row[hit], place[hit])
            return latest

        def last_of(*actions: str) -> NDArray[np.int64]:
            return last(np.isin(action, [_CODE[name] for name in actions]))

        def is_last(row: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
            return pick(action == _CODE[name], row, False)

        def fact(name: str) -> Column:
            own: Column = take(self.records[name], record)
            if name not in self.corrections:
                return own
            mask, new = self.corrections[name]
            latest = last(mask)
            return np.where(latest >= 0, new[latest], own)

        def day_of(amendment_row: NDArray[np.int64]) -> Days:
            return pick(amendment["effective_on"], amendment_row, NO_DAY)

        decided_on = fact("decided_on")
        finality, served = last_of("challenged", "upheld", "finalised"), day_of(last_of("served"))
        own_final = self.records["final_on"][record]
        own_stands = day_of(finality) < own_final
        challenge_open = is_last(finality, "challenged") & ~own_stands
        explicit = np.where(own_stands, own_final, day_of(finality))
        served = np.where(served == NO_DAY, self.records["served_on"][record], served)
        served = np.where(served == NO_DAY, decided_on + SERVICE_DAYS, served)
        final_from = np.where(explicit == NO_DAY, add_months(served, APPEAL_MONTHS), explicit)
        final_from = np.where(challenge_open, FOREVER, final_from)
        kind = self.records["kind"][record]
        by_decision = self.by_decision[kind]
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
        attributes = {name: fact(name) for name in self.attribute_types}
        holder = pick(amendment["target"], last_of("moved_to_subject"), -1)
        return State(
            record=record,
            day=day,
            is_known=self.records["known_on"][record] < day,
            holder=np.where(holder < 0, self.records["subject"][record], holder),
            kind=kind,
            tier=np.where(tier == 0, self.kind_tier[kind], tier),
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
            superseded=last(self.corrections["superseded_by"][0]) >= 0,
            summary=self._summary(attributes["procedure"]),
            attributes=attributes,
        )


def _arrange_amendments(
    table: dict[str, Any], record_ids: Words, known_on: Days
) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """Return the amendments in the order of the fold, and the first of each record."""
    code, words = encode(table["record_id"])
    record = places(words, record_ids)[code]
    is_on_file = record >= 0
    table = {name: column[is_on_file] for name, column in table.items() if name != "record_id"}
    record = record[is_on_file]
    code, action_words = encode(table["action"])
    numbers = [_CODE.get(action, -1) for action in plain(action_words).tolist()]
    if -1 in set(np.array(numbers, np.int64)[np.unique(code)].tolist()):
        raise UserError(f"Amendments were compiled: some actions are none of {', '.join(ACTIONS)}.")
    action, (value, _) = np.array(numbers, np.int8)[code], encode(table["value"])
    # Beyond (effective_on, seq) the order is arbitrary; the rest makes it independent of the order of rows.
    keys = (table["known_on"], value, action, table["seq"], table["effective_on"], record)
    order = np.lexsort(keys)
    if len(order):  # a row that was delivered twice counts once
        order = order[np.append(True, np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0))]
    table = {name: column[order] for name, column in table.items()}
    record, action, effective_on = record[order], action[order], table["effective_on"]
    value = _values(table["value"], action)
    is_closed = action == _CODE["dispute_closed"]
    left, payments = np.full(len(record), NO_VALUE), np.zeros(len(record), np.int64)
    partly = np.flatnonzero(action == _CODE["partly_performed"])
    performance = value[partly].tolist()
    pays = [PAID.fullmatch(text) if text else None for text in performance]
    left[partly] = typed_column([None if pay else text for text, pay in zip(performance, pays, strict=True)], "int")
    payments[partly] = [int(pay[1]) if pay else 0 for pay in pays]
    arranged = {
        "action": action,
        "effective_on": effective_on,
        "known_on": table["known_on"],
        "value": value,
        "counts_from": np.maximum(np.maximum(table["known_on"] + 1, effective_on), known_on[record] + 1),
        "left": left,
        "paid": payments,
        "confirmed": is_closed & (value == "record_confirmed"),
        "sustained": is_closed & (value == "objection_sustained"),
        "record": record,
    }
    return arranged, np.searchsorted(record, np.arange(len(record_ids) + 1))


def _values(values: Column | Text, action: NDArray[np.int8]) -> Column:
    """Return the values of amendments whose action has one, as objects; None elsewhere."""
    read = np.flatnonzero(np.isin(action, [_CODE[name] for name in _WITH_VALUE]))
    column = np.full(len(action), None, object)
    column[read] = plain(values[read])
    return column


def _overwrite(column: Column, rows: NDArray[np.int64], values: Column) -> Column:
    """Return the column with other values in some rows; the column may be written to."""
    if is_constant(column):
        if is_constant(values) or (values == column[0]).all():
            return column
        column = column.copy()
    column = column if column.flags.writeable else column.copy()
    column[rows] = values
    return column


def _only(value: Column, action: Column, name: str) -> Column:
    """Return the values of amendments of one action, None elsewhere."""
    only = value.copy()
    only[action != _CODE[name]] = None
    return only


def _corrections(
    amendments: dict[str, Column], attribute_types: Mapping[str, str]
) -> dict[str, tuple[NDArray[np.bool_], Column]]:
    """Return for each corrected fact which amendments give it, and their values (anything elsewhere)."""
    values, size = amendments["value"], len(amendments["value"])
    rows = np.flatnonzero(amendments["action"] == _CODE["corrected"]).tolist()
    parsed = {value: parse_correction(value, attribute_types) for value in {values[row] for row in rows}}
    news: dict[str, dict[int, Any]] = {"superseded_by": {}}
    for row in rows:
        for name, new in parsed[values[row]].items():
            news.setdefault(name, {})[row] = new
    corrections = {}
    for name, by_row in news.items():
        mask, column = np.zeros(size, np.bool_), typed_column([None] * size, _fact_types(attribute_types)[name])
        mask[list(by_row)] = True
        column[list(by_row)] = list(by_row.values())
        corrections[name] = mask, column
    return corrections
