"""Decide who is scored: by the version of a subject in force at a day.

A subject is known by versions, never updated in place. The version in force at d is, among those known before d and
valid from d or earlier, the last by (valid_from, known_on, seq). Scored are adults, resident, identified, of full
capacity and covered for twelve months; nothing on record is no obstacle, for the register covers everyone.

In: the subject versions of ``Tables``. Out: ``Population``: standing, reason and facts of a subject as of a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.calendar import NO_DAY, DateLike, Days, add_months, pack, to_day, to_days
from credit_model.visibility.tables import SUBJECT_TYPES, Column, Tables, pick
from credit_model.visibility.text_columns import encode, plain

ADULT_MONTHS: Final = 18 * 12
COVERED_MONTHS: Final = 12
_FACTS: Final = ("born_on", "resident_from", "resident_to", "occupations", "district", "standing")


@dataclass(frozen=True)
class Population:
    """Subjects by versions, ready to be asked as of any day.

    Parameters
    ----------
    subjects : str
        The catalogue's: ``person``, or ``organisation``, whose every member is scored.
    subject_ids : ndarray of object
        Sorted, distinct.
    versions : dict of str to ndarray
        Subject versions sorted by (subject, valid_from, known_on, seq); ``subject`` is an index of ``subject_ids``.

    Examples
    --------
    >>> people = {"subject_id": ["a", "b"], "born_on": ["1990-05-01", "2010-05-01"]}
    >>> population = Population.from_tables(Tables.of({}, subjects=people))
    >>> population.standing(["a", "b", "c"], "2024-01-01").tolist()
    ['scored', 'not_eligible', 'not_eligible']
    >>> population.reason(["a", "b", "c"], "2024-01-01").tolist()
    ['', 'minor', 'unmatched']
    """

    subjects: str
    subject_ids: Column
    versions: dict[str, Column]

    @classmethod
    def from_tables(cls, tables: Tables, subjects: str = "person") -> Population:
        """Arrange the subject versions of a ledger; ``subjects`` is the catalogue's."""
        rows = tables.subjects
        subject, subject_ids = encode(rows["subject_id"])
        # Beyond seq the order is arbitrary; the facts make it independent of the order of rows.
        facts = [encode(rows[name])[0] if SUBJECT_TYPES[name] == "text" else rows[name] for name in _FACTS]
        order = np.lexsort((*facts, rows["seq"], rows["known_on"], rows["valid_from"], subject))
        versions = {name: column[order] for name, column in rows.items() if name != "subject_id"}
        return cls(subjects, subject_ids, {"subject": subject[order], **versions})

    def standing(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> NDArray[np.object_]:
        """Return ``scored``, ``insufficient_records`` or ``not_eligible``; shape (n,).

        Parameters
        ----------
        subject_ids : array-like of str, shape (n,)
        as_of : date or array-like of dates, shape (n,)
        """
        reason = self.reason(subject_ids, as_of)
        standing = np.full(len(reason), "not_eligible", object)
        standing[reason == ""] = "scored"
        standing[reason == "covered_too_short"] = "insufficient_records"
        return standing

    def reason(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> NDArray[np.object_]:
        """Return why a subject is not scored, the first that applies; ``""`` where it is scored; shape (n,).

        ``unmatched``, ``deceased``, ``incapable``, ``birth_date_unknown``, ``minor``, ``moved_away``: not eligible;
        ``covered_too_short``: insufficient records.
        """
        codes, day = self._observations(subject_ids, as_of)
        version = self.version_at(codes, day)
        reason = np.full(len(codes), "", object)
        if self.subjects == "organisation":
            return reason
        born, left = self._fact("born_on", version), self._fact("resident_to", version)
        # The last assignment is the first reason.
        reason[add_months(self._fact("resident_from", version), COVERED_MONTHS) > day] = "covered_too_short"
        reason[(left != NO_DAY) & (left <= day)] = "moved_away"
        reason[add_months(born, ADULT_MONTHS) > day] = "minor"
        reason[born == NO_DAY] = "birth_date_unknown"
        declared = self._fact("standing", version)
        is_declared = declared != None  # noqa: E711 (elementwise)
        is_declared &= (declared != "") & (declared != "adult")  # who is declared to be of age is, by age
        reason[is_declared] = declared[is_declared]
        reason[version < 0] = "unmatched"
        return reason

    def born_on(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> Days:
        """Return the birth date known at each day, ``NO_DAY`` if none; shape (n,)."""
        return self._fact("born_on", self.version_at(*self._observations(subject_ids, as_of)))

    def resident_to(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> Days:
        """Return the end of residence known at each day, ``NO_DAY`` if none; shape (n,)."""
        return self._fact("resident_to", self.version_at(*self._observations(subject_ids, as_of)))

    def district(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> NDArray[np.object_]:
        """Return the district known at each day, None if none; shape (n,)."""
        return self._fact("district", self.version_at(*self._observations(subject_ids, as_of)))

    def occupations(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> NDArray[np.object_]:
        """Return the occupation codes known at each day, joined by ``;``, None if none; shape (n,)."""
        return self._fact("occupations", self.version_at(*self._observations(subject_ids, as_of)))

    # -- for those who work with codes and days

    def codes(self, subject_ids: ArrayLike) -> NDArray[np.int32]:
        """Return the index of each id in ``subject_ids``, -1 for an unknown one."""
        listed = np.asarray(subject_ids, object).tolist()
        return np.fromiter((self._index.get(s, -1) for s in listed), np.int32, len(listed))

    def version_at(self, codes: NDArray[np.int32], day: Days) -> NDArray[np.int64]:
        """Return the row of ``versions`` in force at the start of each day, -1 where none is known."""
        subject, start, version = self.timeline
        if not len(subject):
            return np.full(len(codes), -1)
        place = np.searchsorted(pack(subject, start), pack(codes, day), side="right") - 1
        is_match = (place >= 0) & (subject[place] == codes)
        return np.where(is_match, version[place], -1)

    def version_known_by(self, day: int) -> NDArray[np.int64]:
        """Return for each subject the row of ``versions`` known and valid at the *end* of a day, -1 if none."""
        rows = np.flatnonzero((self.versions["known_on"] <= day) & (self.versions["valid_from"] <= day))
        version = np.full(len(self.subject_ids), -1)
        np.maximum.at(version, self.versions["subject"][rows], rows)
        return version

    @cached_property
    def is_incapable(self) -> NDArray[np.bool_]:
        """Return which rows of ``versions`` declare a subject to be without full legal capacity."""
        is_incapable: NDArray[np.bool_] = plain(self.versions["standing"]) == "incapable"
        return is_incapable

    @cached_property
    def timeline(self) -> tuple[NDArray[np.int32], Days, NDArray[np.int64]]:
        """Return subject, first day and row of ``versions``, sorted: the version in force from each day on."""
        subject, known_on = self.versions["subject"], self.versions["known_on"]
        known_from = np.where(known_on == NO_DAY, NO_DAY, known_on + 1)
        start = np.maximum(known_from, self.versions["valid_from"]).astype(np.int32)
        order = np.lexsort((start, subject))
        # Rows stand in order of precedence, so the greatest row so far is in force; a later subject's are greater.
        return subject[order], start[order], np.maximum.accumulate(order)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {subject_id: i for i, subject_id in enumerate(self.subject_ids.tolist())}

    def _observations(self, subject_ids: ArrayLike, as_of: DateLike | ArrayLike) -> tuple[NDArray[np.int32], Days]:
        codes = self.codes(subject_ids)
        if np.ndim(cast(ArrayLike, as_of)) == 0:
            return codes, np.full(len(codes), to_day(cast(DateLike, as_of)), np.int32)
        return codes, to_days(cast(ArrayLike, as_of))

    def _fact(self, name: str, version: NDArray[np.int64]) -> Column:
        column = self.versions[name]
        return pick(column, version, None if column.dtype == object else NO_DAY)
