"""Records of a ledger as data frames: those in force on a day, and those decided in a span of days.

In: segments or tables of a ledger, its rules, days. Out: data frames with one row a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kind_rules import TIERS
from credit_model.foundation.calendar import NO_VALUE, Days, from_days
from credit_model.foundation.decimals import decimal_of
from credit_model.visibility.fold import fold_at
from credit_model.visibility.segments import files_at, grounds_at
from credit_model.visibility.tables import RECORD_TYPES, ROLES, Segments, Tables

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("amount", "hours", "outstanding")


class Rules(NamedTuple):
    """The rules by which records may be used: a catalogue, one of its policies, and whose law applies."""

    catalogue: Catalogue
    policy: str
    day_of_use: int


def records_in_force(segments: Segments, catalogue: Catalogue) -> pd.DataFrame:
    """Return the usable records of segments that hold on one day; see ``Ledger.as_of``."""
    active = segments.take(segments.status == 0)
    columns = {
        "subject_id": active.subject_ids[active.subject],
        "record_id": active.record_ids[active.record],
        "kind": np.array(active.kind_codes, object)[active.kind],
        "case_id": active.case_ids[active.case],
        **{name: getattr(active, name) for name in ("occurred_on", "decided_on", "known_on", "tier", *_NUMBERS)},
        "role": np.array(ROLES, object)[active.role],
        "visible_from": active.visible_from,
    }
    text = {name: np.array([*words, None], object) for name, words in active.vocabularies.items()}
    attributes = {name: text[name][c] if name in text else c for name, c in active.attributes.items()}
    return _frame({**columns, **attributes}, catalogue)


def records_decided(tables: Tables, rules: Rules, span: tuple[int, int], known_by: int) -> pd.DataFrame:
    """Return the records decided in a span of days, as known at the start of one day; see ``Ledger.between``."""
    first, last = span
    tables = _decided_between(tables, first, last)
    state = fold_at(tables, rules.catalogue, known_by)
    grounds = grounds_at(tables, rules.catalogue, rules.policy, known_by, rules.day_of_use)
    row_of = {record_id: row for row, record_id in enumerate(tables.records["record_id"].tolist())}
    row = np.fromiter((row_of[r] for r in grounds["record_id"].tolist()), np.int64, len(grounds["record_id"]))
    inside = (first <= state.decided_on[row]) & (state.decided_on[row] < last)
    row, grounds = row[inside], {name: column[inside] for name, column in grounds.items()}
    facts = {
        "record_id": grounds.pop("record_id"),
        "subject_id": grounds.pop("subject_id"),
        **{name: tables.records[name][row] for name in ("kind", "case_id")},
        **{name: getattr(state, name)[row] for name in ("occurred_on", "decided_on")},
        "known_on": tables.records["known_on"][row],
        **{name: getattr(state, name)[row] for name in ("tier", *_NUMBERS)},
        **{name: column[row] for name, column in state.attributes.items()},
        **{name: getattr(state, name)[row] for name in ("final", "challenge_open", "sustained")},
    }
    return _frame({**facts, **grounds}, rules.catalogue)


def records_decided_each(
    tables: Tables, rules: Rules, subject_ids: NDArray[np.object_], spans: tuple[Days, Days], known_by: Days
) -> pd.DataFrame:
    """Return the records of each subject decided in its own span; see ``Ledger.between_each``."""
    first, last = spans
    tables = _decided_between(tables, *((int(first.min()), int(last.max())) if len(subject_ids) else (0, 0)))
    files = files_at(tables, rules.catalogue, rules.policy, subject_ids, known_by, rules.day_of_use)
    row = files["row"]
    inside = (first[row] <= files["decided_on"]) & (files["decided_on"] < last[row])
    return _frame({name: column[inside] for name, column in files.items()}, rules.catalogue)


def _decided_between(tables: Tables, first: int, last: int) -> Tables:
    """Return the rows of the records that were decided in a span, or may have been by a correction."""
    decided_on = tables.records["decided_on"]
    corrected = set(tables.amendments["record_id"][tables.amendments["action"] == "corrected"].tolist())
    in_span = (first <= decided_on) & (decided_on < last) | _among(tables.records["record_id"], corrected)
    records = {name: column[in_span] for name, column in tables.records.items()}
    of_records = _among(tables.amendments["record_id"], set(records["record_id"].tolist()))
    return Tables(records, {name: column[of_records] for name, column in tables.amendments.items()}, tables.subjects)


def _frame(columns: Mapping[str, NDArray[Any]], catalogue: Catalogue) -> pd.DataFrame:
    import pandas as pd

    types = {**RECORD_TYPES, **catalogue.attribute_types, "outstanding": "int", "visible_from": "date"}
    frame: dict[str, Any] = {}
    for name, column in columns.items():
        if types.get(name) == "date":
            frame[name] = from_days(column).astype("datetime64[s]")
        elif name in catalogue.decimal_places:
            frame[name] = decimals(column, catalogue.decimal_places[name])
        elif types.get(name) == "int":
            frame[name] = pd.array(column, dtype="Int64")
            frame[name][column == NO_VALUE] = pd.NA
        else:
            frame[name] = np.array(["", *TIERS], object)[column] if name == "tier" else column
    return pd.DataFrame(frame)


def decimals(units: NDArray[np.int64], places: int) -> NDArray[np.object_]:
    """Return decimals as people write them, None for null, from units of the last place.

    Examples
    --------
    >>> [str(value) for value in decimals(np.array([7408, NO_VALUE]), 2)]
    ['74.08', 'None']
    """
    values = [None if value == NO_VALUE else decimal_of(value, places) for value in units.tolist()]
    return np.array([*values, None], object)[:-1]


def _among(values: NDArray[np.object_], members: set[str]) -> NDArray[np.bool_]:
    return np.fromiter((value in members for value in values.tolist()), np.bool_, len(values))
