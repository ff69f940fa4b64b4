"""Facts an outcome is read from: which records meet its conditions, which cases are old, who left, who was listed.

In: a ledger, days, the table of records that ``Ledger.between`` gives. Out: masks and days, one a row or subject.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.law import FOREVER, NO_DAY, Catalogue, to_day
from credit_model.records import Ledger
from credit_model.visibility import ROLES, STATUSES

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.features.definition import Condition

Mask = NDArray[np.bool_]

TIERS = ("", "minor", "general", "serious")
_COMPARE = {"le": operator.le, "lt": operator.lt, "ge": operator.ge, "gt": operator.gt}


def meets(records: pd.DataFrame, conditions: Sequence[Condition], catalogue: Catalogue) -> Mask:
    """Rows of ``Ledger.between`` that meet every condition; a row without the fact meets none on it."""
    mask = np.ones(len(records), np.bool_)
    for condition in conditions:
        facts = _facts(records, condition.key, catalogue)
        said = condition.value if condition.comparison == "in" else (condition.value,)
        values = [_comparable(value, condition.key, catalogue) for value in said]
        if condition.comparison == "in":
            mask &= np.array([fact in values for fact in facts], np.bool_)
        else:
            compare = _COMPARE[condition.comparison]
            mask &= np.array([fact is not None and compare(fact, values[0]) for fact in facts], np.bool_)
    return mask


def _facts(records: pd.DataFrame, key: str, catalogue: Catalogue) -> list[Any]:
    """What each record says on the key of a condition; None where it says nothing."""
    kinds = [catalogue.kinds[code] for code in records["kind"]]
    if key == "kinds":
        return [kind.code for kind in kinds]
    if key in ("polarity", "dimension"):
        return [getattr(kind, key) for kind in kinds]
    if key == "field":
        own = records["field_code"].tolist() if "field_code" in records else [None] * len(kinds)
        return [kind.field or fact for kind, fact in zip(kinds, own, strict=True)]
    column = records[key]
    return [
        None if missing else _comparable(fact, key, catalogue)
        for fact, missing in zip(column.tolist(), column.isna(), strict=True)
    ]


def _comparable(value: Any, key: str, catalogue: Catalogue) -> Any:
    """Tiers by their order, dates as days, everything else as it is."""
    if key == "tier":
        return TIERS.index(value)
    return to_day(value) if catalogue.attribute_types.get(key) == "date" else value


def of_old_case(ledger: Ledger, events: pd.DataFrame, day: int, known_by: int, use: int) -> Mask:
    """Events whose case, or parent case, has a record of the same subject decided before the day, visible or not.

    Whether it was decided before is read as known on the day and as known when the label is: a date that was corrected
    since must not make a case new that already described the person.
    """
    files, old = ledger.segments(use).select(events["subject_id"]), set()
    for past in (files.at(day), files.at(known_by)):
        past = past.take((past.decided_on < day) & (past.status != STATUSES.index("moved")))
        old |= set(zip(past.subject_ids[past.subject], past.case_ids[past.case], strict=True))
    own, parent = (
        [pair in old for pair in zip(events["subject_id"], events[case], strict=True)]
        for case in ("case_id", "parent_case_id")
    )
    return np.array(own, np.bool_) | np.array(parent, np.bool_)


def listed(ledger: Ledger, day: int, use: int) -> NDArray[np.object_]:
    """Subjects on a statutory list in force at the start of the day."""
    held = ledger.segments(use).at(day)
    statutory = np.array([ledger.catalogue.kinds[code].statutory for code in held.kind_codes], np.bool_)
    on_list = (held.status == 0) & (held.role == ROLES.index("listed")) & statutory[held.kind]
    return np.asarray(held.subject_ids[np.unique(held.subject[on_list])], object)


def left(
    ledger: Ledger, subjects: NDArray[Any], day: int, end: int, known_by: int
) -> tuple[NDArray[np.int32], NDArray[np.object_]]:
    """First day in ``[day, end)`` on which each subject had died, moved away or lost capacity, and which of these.

    Read from the versions known before ``known_by``. ``FOREVER`` and ``""`` for who stayed.
    """
    on, why = np.full(len(subjects), FOREVER, np.int32), np.full(len(subjects), "", object)
    if ledger.catalogue.subjects == "organisation":
        return on, why
    population = ledger.population()
    rows = population.versions
    known = np.flatnonzero((rows["known_on"] < known_by) & (rows["valid_from"] < end))
    # Versions stand by (subject, valid_from, known_on, seq): each holds until the next of its subject begins.
    subject, begins = rows["subject"][known], np.maximum(rows["valid_from"][known], day)
    same = np.append(subject[1:] == subject[:-1], False)
    until = np.where(same, np.append(begins[1:], end), end)
    gone = np.isin(rows["standing"][known].astype(str), ["deceased", "incapable"])
    moves = rows["resident_to"][known]
    moved_on = np.where(moves == NO_DAY, FOREVER, np.maximum(moves, begins))
    leaves_on = np.where(gone, begins, moved_on)
    leaves = np.flatnonzero((leaves_on < until) & (begins < until))[::-1]  # the first of a subject is written last
    first_on = dict(zip(subject[leaves].tolist(), leaves_on[leaves].tolist(), strict=True))
    first_why = dict(
        zip(subject[leaves].tolist(), np.where(gone, rows["standing"][known], "moved_away")[leaves], strict=True)
    )
    for row, code in enumerate(population.codes(subjects).tolist()):
        if code in first_on:
            on[row], why[row] = first_on[code], first_why[code]
    return on, why
