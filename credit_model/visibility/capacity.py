"""Who was of age at the act: acts of minors are never used against them.

In: subject versions and the days of acts. Out: whether each act was a minor's, and the days on which that changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import NO_DAY, Days, add_months, pack
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.population import ADULT_MONTHS, Population
from credit_model.visibility.tables import Tables, matches, pick
from credit_model.visibility.text_columns import places
from credit_model.visibility.use_rules import UseRules


@dataclass(frozen=True)
class Births:
    """Who was a minor at the act: by the birth date known by the day of use, or by the one known at d."""

    population: Population
    code: NDArray[np.int32]  # of each subject, in the population
    adult_on: Days  # of each subject, by the birth date known by the day of use
    contested: NDArray[np.bool_]  # subjects for whom another birth date was known at some time

    @classmethod
    def of(cls, coded: CodedTables, tables: Tables, rules: UseRules) -> Births:
        """Arrange the birth dates of the subjects of a ledger."""
        population = Population.from_tables(tables if rules.persons else Tables.of({}))
        code, born = places(coded.subject_ids, population.subject_ids).astype(np.int32), population.versions["born_on"]
        born_by_use = pick(born, population.version_known_by(rules.day_of_use), NO_DAY)
        subject, _, version = population.timeline
        other = (born[version] != NO_DAY) & (born[version] != born_by_use[subject])
        contested = np.zeros(len(population.subject_ids), np.bool_)
        contested[subject[other]] = True
        return cls(
            population, code, add_months(pick(born_by_use, code, NO_DAY), ADULT_MONTHS), pick(contested, code, False)
        )

    def minor(self, subject: NDArray[np.int32], occurred_on: Days, day: Days) -> NDArray[np.bool_]:
        """Return whether each act was a minor's, as of each day; shape (n,)."""
        minor = occurred_on < self.adult_on[subject]
        rows = np.flatnonzero(self.contested[subject])
        version = self.population.version_at(self.code[subject[rows]], day[rows])
        born = pick(self.population.versions["born_on"], version, NO_DAY)
        minor[rows] |= occurred_on[rows] < add_months(born, ADULT_MONTHS)
        return minor

    def changes(self, subject: NDArray[np.int32], start: Days, end: Days) -> NDArray[np.int64]:
        """Return packed (row, day) on which another version of a contested subject comes into force inside a row."""
        subject_of, day, _ = self.population.timeline
        rows = np.flatnonzero(self.contested[subject])
        row, place = matches(subject_of, self.code[subject[rows]])
        row = rows[row]
        inside = (start[row] < day[place]) & (day[place] < end[row])
        return pack(row[inside], day[place[inside]])
