"""Read the facts of an outcome: records that meet its conditions, old cases, departures, listings.

In: a ledger, days, the table of records that ``Ledger.between`` gives. Out: masks and days, one a row or subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.features.facts import Facts, RecordColumns
from credit_model.foundation.calendar import FOREVER, NO_DAY, Days
from credit_model.ledger.ledger import Ledger
from credit_model.visibility.tables import ROLES, STATUSES, Segments, matches, spans

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.features.conditions import Condition

Mask = NDArray[np.bool_]


def meets(records: pd.DataFrame, conditions: Sequence[Condition], catalogue: Catalogue) -> Mask:
    """Return which rows of ``Ledger.between`` meet every condition; a row without the fact does not."""
    columns = RecordColumns.of_frame(records, {condition.key for condition in conditions}, catalogue)
    return Facts(columns, catalogue).all_of(conditions)


def of_old_case(ledger: Ledger, events: pd.DataFrame, day: Days, known_by: Days, use: int) -> Mask:
    """Return which events belong to a case with an earlier record of the subject, visible or not.

    Whether it was decided before is read as known on the day and as known when the label is: a date that was corrected
    since must not make a case new that already described the person. Days have one entry an event.
    """
    segments = ledger.segments(use)
    old = np.concatenate([cases_before(segments, events["subject_id"], day, on) for on in (day, known_by)])

    def is_old(cases: pd.Series) -> Mask:
        case_ids = np.where(cases.isna(), "", cases.to_numpy(object))
        code = np.minimum(np.searchsorted(segments.case_ids, case_ids), len(segments.case_ids) - 1)
        is_match = segments.case_ids[code] == case_ids
        result: Mask = is_match & np.isin(np.arange(len(cases)) * len(segments.case_ids) + code, old)
        return result

    return is_old(events["case_id"]) | is_old(events["parent_case_id"])


def cases_before(segments: Segments, subjects: Iterable[str], day: Days, as_of: Days) -> NDArray[np.int64]:
    """Return the cases with a record decided before a day on a subject's file, as known at another day.

    Each as ``row * len(segments.case_ids) + case``, where ``row`` is the place of the subject.
    """
    row, segment = on_file(segments, subjects, as_of)
    before = (segments.decided_on[segment] < day[row]) & (segments.status[segment] != STATUSES.index("moved"))
    cases: NDArray[np.int64] = row[before] * len(segments.case_ids) + segments.case[segment[before]]
    return cases


def on_file(segments: Segments, subjects: Iterable[str], day: Days) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a (row, segment) pair for each record on file of each subject at the start of its own day."""
    index = segments.subject_index(subjects)
    first = segments.offsets[index]
    count = np.where(index < 0, 0, segments.offsets[np.minimum(index + 1, len(segments.offsets) - 1)] - first)
    row, segment = np.repeat(np.arange(len(index)), count), spans(first, count)
    is_current = (segments.start[segment] <= day[row]) & (day[row] < segments.end[segment])
    return row[is_current], segment[is_current]


def is_on_list(ledger: Ledger, subjects: Iterable[str], day: Days, use: int) -> Mask:
    """Return whether each subject is on a statutory list in force at the start of its day."""
    segments = ledger.segments(use)
    statutory = np.array([ledger.catalogue.kinds[code].statutory for code in segments.kind_codes], np.bool_)
    row, segment = on_file(segments, subjects, day)
    on_list = (segments.status[segment] == 0) & (segments.role[segment] == ROLES.index("listed"))
    is_on = np.zeros(len(day), np.bool_)
    is_on[row[on_list & statutory[segments.kind[segment]]]] = True
    return is_on


def departures(
    ledger: Ledger, subjects: NDArray[np.object_], day: Days, end: Days, known_by: Days
) -> tuple[NDArray[np.int32], NDArray[np.object_]]:
    """Return the first day in ``[day, end)`` on which each subject had left the population, and why.

    Read from the versions known before ``known_by``. ``FOREVER`` and ``""`` for who stayed.
    """
    on, why = np.full(len(subjects), FOREVER, np.int32), np.full(len(subjects), "", object)
    if ledger.catalogue.subjects == "organisation":
        return on, why
    population = ledger.population()
    versions, code = population.versions, population.codes(subjects)
    row, place = matches(versions["subject"], code)
    is_known = (versions["known_on"][place] < known_by[row]) & (versions["valid_from"][place] < end[row])
    row, place = row[is_known], place[is_known]
    # Versions stand by (subject, valid_from, known_on, seq): each holds until the next of its row begins.
    begins = np.maximum(versions["valid_from"][place], day[row])
    same = np.append(row[1:] == row[:-1], False)
    until = np.where(same, np.append(begins[1:], 0), end[row])
    has_left = np.isin(versions["standing"][place].astype(str), ["deceased", "incapable", "moved_away"])
    moves = versions["resident_to"][place]
    moved_on = np.where(moves == NO_DAY, FOREVER, np.maximum(moves, begins))
    leaves_on = np.where(has_left, begins, moved_on)
    leaves = np.flatnonzero((leaves_on < until) & (begins < until))[::-1]  # the first of a row is written last
    on[row[leaves]] = leaves_on[leaves]
    why[row[leaves]] = np.where(has_left, versions["standing"][place], "moved_away")[leaves]
    return on, why
