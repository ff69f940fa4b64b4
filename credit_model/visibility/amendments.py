"""What may happen to a record after it was recorded: the actions, what their values say, and the order they count in.

In: the amendments of ``Tables``. Out: columns of numbers in the total order of the fold; corrected facts, typed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import NO_VALUE, Days
from credit_model.foundation.decimals import decimal_units
from credit_model.foundation.errors import UserError
from credit_model.visibility.tables import TIERS, Column, typed_column
from credit_model.visibility.text_columns import Text, Words, encode, places, plain

ACTIONS: Final = (
    "served", "challenged", "challenge_withdrawn", "upheld", "finalised", "stayed", "stay_lifted", "corrected",
    "disputed", "dispute_closed", "partly_performed", "performed", "repaired", "repair_revoked", "revoked", "delisted",
    "sealed", "moved_to_subject", "opted_out", "statement",
)  # fmt: skip
DISPUTE_ACTIONS: Final = ("disputed", "dispute_closed")  # those that may name an objection by dispute_id
RESULTS: Final = ("record_confirmed", "objection_sustained")  # of a dispute that was closed
APPEALABLE: Final = ("by=reconsideration", "by=first_instance")  # upheld, and may be challenged once more
UPHELD_BY: Final = (*APPEALABLE, "by=final")
DECEIT: Final = "deceit"  # why a repair was revoked
LONGEST_STATEMENT: Final = 200  # characters of what a person says to a record
PAID: Final = re.compile(r"paid=(\d{1,18})", re.ASCII)  # one payment; a bare number is what is left of the amount

# What a correction may change beside the attributes; never kind, subject or polarity (revoke, and record anew).
_CORRECTABLE = {"tier": "tier", "amount": "int", "hours": "int", "occurred_on": "date", "decided_on": "date"}
_TYPE_NAMES = {"tier": "minor, general or serious", "int": "a whole number", "date": "a date like 2024-01-31"}
CODES: Final = {action: code for code, action in enumerate(ACTIONS)}
_WITH_VALUE = ("upheld", "corrected", "dispute_closed", "partly_performed", "repair_revoked", "moved_to_subject")


def parse_correction(
    value: str | None, attribute_types: Mapping[str, str], decimal_places: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Return the new facts of a ``corrected`` amendment, typed as in ``Tables``.

    Parameters
    ----------
    value : str
        A JSON object ``{"tier": "serious", "amount": 5000}``, the short form ``tier=serious;amount=5000`` or a tier.
        ``superseded_by`` names the record that stands in this one's place.
    attribute_types : mapping of str to str
        ``catalogue.attribute_types``.
    decimal_places : mapping of str to int, optional
        ``catalogue.decimal_places``: of the attributes that are decimals.

    Raises
    ------
    UserError
        If there is no fact, a fact that is never corrected, or a value of another type.

    Examples
    --------
    >>> parse_correction("tier=serious;amount=5000", {})
    {'tier': 3, 'amount': 5000}
    """
    types, places = _fact_types(attribute_types), decimal_places or {}
    facts = _facts(value or "")
    faults = [f"{name} is never corrected" for name in facts if name not in types]
    typed: dict[str, Any] = {}
    for name in facts.keys() & types.keys():
        try:
            if name in places:
                typed[name] = NO_VALUE if facts[name] is None else decimal_units(facts[name], places[name])
                continue
            if isinstance(facts[name], (bool, Decimal, list, dict)):
                raise ValueError
            typed[name] = typed_column([facts[name]], types[name]).tolist()[0]
        except ValueError:
            expected = f"a number of at most {places[name]} decimal places" if name in places else None
            faults.append(f"{name} must be {expected or _TYPE_NAMES.get(types[name], 'text')}")
    if faults or not facts:
        fault = "; ".join(sorted(faults)) or "it names no fact"
        raise UserError(f"A correction was read: {fault}. Give new facts like tier=serious;amount=5000.")
    return {name: typed[name] for name in facts}


def _fact_types(attribute_types: Mapping[str, str]) -> dict[str, str]:
    return {**_CORRECTABLE, **attribute_types, "superseded_by": "text"}


def _facts(value: str) -> dict[str, object]:
    if value.startswith("{"):
        try:
            facts = json.loads(value, parse_float=Decimal)
        except json.JSONDecodeError:
            return {}
        return facts if isinstance(facts, dict) else {}
    if value in TIERS[1:]:
        return {"tier": value}
    pairs = [part.partition("=") for part in value.split(";") if part]
    return {name.strip(): new.strip() or None for name, _, new in pairs}


def arrange_amendments(
    table: dict[str, Any], record_ids: Words, known_on: Days
) -> tuple[dict[str, Column], NDArray[np.int64]]:
    """Return the amendments in the order of the fold, and the first of each record."""
    code, words = encode(table["record_id"])
    record = places(words, record_ids)[code]
    is_on_file = record >= 0
    table = {name: column[is_on_file] for name, column in table.items() if name != "record_id"}
    record = record[is_on_file]
    code, action_words = encode(table["action"])
    numbers = [CODES.get(action, -1) for action in plain(action_words).tolist()]
    if -1 in set(np.array(numbers, np.int64)[np.unique(code)].tolist()):
        raise UserError(f"Amendments were compiled: some actions are none of {', '.join(ACTIONS)}.")
    action, (value, _) = np.array(numbers, np.int8)[code], encode(table["value"])
    dispute, _ = encode(table["dispute_id"])
    # Beyond (effective_on, seq) the order is arbitrary; the rest makes it independent of the order of rows.
    keys = (table["known_on"], dispute, value, action, table["seq"], table["effective_on"], record)
    order = np.lexsort(keys)
    if len(order):  # a row that was delivered twice counts once
        order = order[np.append(True, np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0))]
    table = {name: column[order] for name, column in table.items()}
    record, action, effective_on = record[order], action[order], table["effective_on"]
    value = _values(table["value"], action)
    is_closed = action == CODES["dispute_closed"]
    left, payments = np.full(len(record), NO_VALUE), np.zeros(len(record), np.int64)
    partly = np.flatnonzero(action == CODES["partly_performed"])
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
        "dispute": dispute[order],
        "appealable": (action == CODES["upheld"]) & ((value == APPEALABLE[0]) | (value == APPEALABLE[1])),
        "deceit": (action == CODES["repair_revoked"]) & (value == DECEIT),
        "record": record,
    }
    return arranged, np.searchsorted(record, np.arange(len(record_ids) + 1))


def _values(values: Column | Text, action: NDArray[np.int8]) -> Column:
    """Return the values of amendments whose action has one, as objects; None elsewhere."""
    read = np.flatnonzero(np.isin(action, [CODES[name] for name in _WITH_VALUE]))
    column = np.full(len(action), None, object)
    column[read] = plain(values[read])
    return column


def corrections_of(
    amendments: dict[str, Column], attribute_types: Mapping[str, str], decimal_places: Mapping[str, int]
) -> dict[str, tuple[NDArray[np.bool_], Column]]:
    """Return for each corrected fact which amendments give it, and their values (anything elsewhere)."""
    values, size = amendments["value"], len(amendments["value"])
    rows = np.flatnonzero(amendments["action"] == CODES["corrected"]).tolist()
    parsed = {
        value: parse_correction(value, attribute_types, decimal_places) for value in {values[row] for row in rows}
    }
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
