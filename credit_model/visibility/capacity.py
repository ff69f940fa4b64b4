"""Who answered for the act: acts of minors, and of those declared incapable, are never used.

In: subject versions and the days of acts. Out: whether each act was such a one, and the days on which that changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import NO_DAY, Days, add_months, pack
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.population import ADULT_MONTHS, Population
from credit_model.visibility.tables import Column, Tables, matches, pick
from credit_model.visibility.text_columns import places
from credit_model.visibility.use_rules import UseRules

IN_DUBIO_MONTHS: Final = 19 * 12  # who was decided on before this age may have acted as a minor


class Act(NamedTuple):
    """The day of each act, and whether it was sent: else it is that of the decision."""

    occurred_on: Days
    is_dated: NDArray[np.bool_]


@dataclass(frozen=True)
class Capacity:
    """The age and standing of subjects at their acts.

    Minors: by the birth date known by the day of use, or by the one known at d. Incapable: by the standing on the day
    of the act, as known at d.
    """

    population: Population
    code: NDArray[np.int32]  # of each subject, in the population
    born_on: Days  # of each subject, as known by the day of use
    contested: NDArray[np.bool_]  # subjects for whom another birth date was known at some time
    incapable: NDArray[np.bool_]  # subjects who were declared incapable at some time

    @classmethod
    def of(cls, coded: CodedTables, tables: Tables, rules: UseRules) -> Capacity:
        """Arrange the birth dates and standings of the subjects of a ledger."""
        population = Population.from_tables(tables if rules.persons else Tables.of({}))
        code, born = places(coded.subject_ids, population.subject_ids).astype(np.int32), population.versions["born_on"]
        born_by_use = pick(born, population.version_known_by(rules.day_of_use), NO_DAY)
        subject, _, version = population.timeline
        other = (born[version] != NO_DAY) & (born[version] != born_by_use[subject])
        contested, incapable = (np.zeros(len(population.subject_ids), np.bool_) for _ in range(2))
        contested[subject[other]] = True
        incapable[population.versions["subject"][population.is_incapable]] = True
        flags = (pick(mask, code, False) for mask in (contested, incapable))
        return cls(population, code, pick(born_by_use, code, NO_DAY), *flags)

    def is_minor(self, subject: NDArray[np.int32], act: Act, day: Days) -> NDArray[np.bool_]:
        """Return whether each act was, or in doubt may have been, a minor's, as of each day; shape (n,)."""
        adult_on = add_months(self.born_on, ADULT_MONTHS)
        minor = act.occurred_on < adult_on[subject]
        undated = np.flatnonzero(~act.is_dated)
        if len(undated):
            beyond_doubt = add_months(self.born_on, IN_DUBIO_MONTHS)
            minor[undated] = act.occurred_on[undated] < beyond_doubt[subject[undated]]
        rows = np.flatnonzero(self.contested[subject])
        version = self.population.version_at(self.code[subject[rows]], day[rows])
        born = pick(self.population.versions["born_on"], version, NO_DAY)
        months = np.where(act.is_dated[rows], ADULT_MONTHS, IN_DUBIO_MONTHS)
        minor[rows] |= act.occurred_on[rows] < add_months(born, months)
        return minor

    def is_incapable(self, subject: NDArray[np.int32], act: Act, day: Days) -> NDArray[np.bool_]:
        """Return whether each act was of one who then had no full capacity, as known at each day; shape (n,)."""
        versions, incapable = self.population.versions, np.zeros(len(subject), np.bool_)
        rows = np.flatnonzero(self.incapable[subject])
        row, version = matches(versions["subject"], self.code[subject[rows]])
        then = (versions["known_on"][version] < day[rows[row]]) & (
            versions["valid_from"][version] <= act.occurred_on[rows[row]]
        )
        latest = np.full(len(rows), -1)
        np.maximum.at(latest, row[then], version[then])
        incapable[rows] = pick(self.population.is_incapable, latest, False)
        return incapable

    def changes(self, subject: NDArray[np.int32], start: Days, end: Days) -> NDArray[np.int64]:
        """Return packed (row, day) on which what is known of a subject changes the answer inside a row."""
        subject_of, day, _ = self.population.timeline
        learned_on = self.population.versions["known_on"]
        learned_on = np.where(learned_on == NO_DAY, NO_DAY, learned_on + 1)
        return np.concatenate(
            [
                self._inside(self.contested, subject_of, day, (subject, start, end)),
                self._inside(self.incapable, self.population.versions["subject"], learned_on, (subject, start, end)),
            ]
        )

    def _inside(
        self, concerned: NDArray[np.bool_], subject_of: Column, day: Days, spans: tuple[Column, Days, Days]
    ) -> NDArray[np.int64]:
        """Return packed (row, day) of the days of concerned subjects that lie inside a span of theirs."""
        subject, start, end = spans
        rows = np.flatnonzero(concerned[subject])
        row, place = matches(subject_of, self.code[subject[rows]])
        row = rows[row]
        inside = (start[row] < day[place]) & (day[place] < end[row])
        return pack(row[inside], day[place[inside]])
