"""The file of a person at the start of a day, and how it will age if nothing new is recorded.

The outlook compiles the rows known at that day and nothing later, then asks every day to come: windows end, records
fade, a repair already decided takes effect. A record the law of the day of use has removed comes back in none.

In: a ledger, subjects, a day of use; characteristics of a card.
Out: records behind a value, statutory status, the first day on which points get better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.assessment.assessment import StatutoryStatus
from credit_model.features.kernel import compute
from credit_model.features.subject_features import days_of_change
from credit_model.foundation.calendar import NO_DAY, add_months, from_day
from credit_model.visibility.population import Population
from credit_model.visibility.segments import compile_segments, entries_at
from credit_model.visibility.tables import STATUSES

if TYPE_CHECKING:
    from pathlib import Path

    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.features.subject_features import SubjectRow
    from credit_model.ledger.ledger import Ledger
    from credit_model.scorecard.card import Card
    from credit_model.visibility.tables import Segments, Tables

OUTLOOK_MONTHS: Final = 61  # beyond every window and retention of 60 months

# Removed by the law in force on the day of use for every as-of date, so no outlook brings them back.
_REMOVED_BY_LAW = ("kind_not_lawful", "sealed", "act_of_minor", "act_of_incapable")


@dataclass(frozen=True)
class Files:
    """The files of the people asked about, compiled under the law of the day of use."""

    tables: Tables
    segments: Segments
    offsets: NDArray[np.int64]
    population: Population
    catalogue: Catalogue
    policy: str
    path: Path
    day_of_use: int

    @classmethod
    def of(cls, ledger: Ledger, subject_ids: NDArray[np.object_], day_of_use: int) -> Files:
        """Compile what the ledger holds on these subjects, and nothing else of it."""
        tables = ledger.tables(sorted(set(subject_ids.tolist())))
        segments = compile_segments(tables, ledger.catalogue, ledger.policy, day_of_use)
        population = Population.from_tables(tables, ledger.catalogue.subjects)
        return cls(
            tables, segments, segments.offsets, population, ledger.catalogue, ledger.policy, ledger.path, day_of_use
        )

    def outlook(self, subject_id: str, day: int) -> Segments:
        """Compile the file of one person from the rows known at the start of a day."""
        if self._latest_known_on < day:
            return self.segments.select([subject_id])
        tables = self.tables.for_subjects([subject_id]).known_before(day)
        return compile_segments(tables, self.catalogue, self.policy, self.day_of_use)

    @cached_property
    def _latest_known_on(self) -> int:
        tables = (self.tables.records, self.tables.amendments, self.tables.subjects)
        return max(int(table["known_on"].max(initial=NO_DAY)) for table in tables)

    def file(self, subject_id: str, subject: int, day: int) -> PersonFile:
        """Return the file of one person (``subject`` is -1 for none) at the start of a day."""
        low, high = (0, 0) if subject < 0 else self.offsets[subject : subject + 2]
        return PersonFile(self, subject_id, subject, day, self.segments.take(np.arange(low, high)).at(day))


@dataclass(frozen=True)
class PersonFile:
    """The file of one person at the start of a day."""

    files: Files
    subject_id: str
    subject: int
    day: int
    segments: Segments  # one row a record, in force or not

    @property
    def is_thin(self) -> bool:
        """Whether nothing is in force on it."""
        return not (self.segments.status == 0).any()

    @property
    def is_disputed(self) -> bool:
        """Whether a record on it is out of use for a dispute."""
        return bool((self.segments.status == STATUSES.index("disputed")).any())

    def statutory_status(self) -> tuple[StatutoryStatus, ...]:
        """Return lists and bans in force by a written decision, disputed ones too; a former listing is none."""
        rows, files = self.segments, self.files
        in_question = np.isin(rows.status, [STATUSES.index("in_force"), STATUSES.index("disputed")])
        is_statutory = np.array([files.catalogue.kinds[code].statutory for code in rows.kind_codes], np.bool_)
        places = np.flatnonzero(in_question & is_statutory[rows.kind])
        if not len(places):
            return ()
        tables = files.tables.for_subjects([self.subject_id])
        entries = entries_at(tables, files.catalogue, files.policy, self.day, files.day_of_use)
        own = entries["subject_id"] == self.subject_id
        facts = zip(*(entries[name][own].tolist() for name in ("record_id", "ends_on", "disputed")), strict=True)
        entry = {record_id: (ends_on, disputed) for record_id, ends_on, disputed in facts}
        sources = dict(zip(tables.records["record_id"].tolist(), tables.records["source"].tolist(), strict=True))
        statuses = []
        for place in places.tolist():
            record_id = str(rows.record_ids[rows.record[place]])
            if record_id in entry:
                statuses.append(self._status(place, record_id, *entry[record_id], source=sources[record_id]))
        return tuple(sorted(statuses, key=lambda status: status.record_id))

    def _status(self, place: int, record_id: str, ends_on: int, disputed: bool, source: str | None) -> StatutoryStatus:
        """Return the status of an entry: the name of its list, its authority and its end."""
        rows, catalogue = self.segments, self.files.catalogue
        kind = catalogue.kinds[rows.kind_codes[rows.kind[place]]]
        codes = [rows.attributes[name][place] for name in kind.attributes if name in rows.vocabularies]
        words = [rows.vocabularies[name] for name in kind.attributes if name in rows.vocabularies]
        names = [words_of[code] for words_of, code in zip(words, codes, strict=True) if code >= 0]
        name = next((catalogue.lists[code] for code in (*names, kind.code) if code in catalogue.lists), None)
        return StatutoryStatus(
            kind=kind.code,
            label_zh=name.zh if name else kind.label_zh,
            label_en=name.en if name else kind.label_en,
            record_id=record_id,
            decided_on=from_day(int(rows.decided_on[place])),
            authority_zh=source or (name.authority_zh if name else ""),
            authority_en=source or (name.authority_en if name else ""),
            ends_on=from_day(ends_on),
            disputed=disputed,
        )

    def records_behind(self, names: Sequence[str], features: SubjectRow) -> dict[str, tuple[str, ...]]:
        """Return the ids of the records behind each value."""
        ids = self.files.segments.record_ids
        return {name: tuple(str(ids[r]) for r in features.used(column)) for column, name in enumerate(names)}

    def earliest_changes(self, card: Card, costs: Sequence[tuple[str, int]]) -> list[date | None]:
        """Return, for each term of a card and its points, the first later day on which time alone brings more."""
        if not costs:
            return []
        files = self.files
        removed = np.isin(self.segments.status, [STATUSES.index(ground) for ground in _REMOVED_BY_LAW])
        removed_ids = self.segments.record_ids[self.segments.record[removed]].tolist()
        outlook = files.outlook(self.subject_id, self.day)
        outlook = outlook.take(~np.isin(outlook.record_ids[outlook.record], removed_ids))
        subject = outlook.subject_index([self.subject_id])
        last = add_months(self.day, OUTLOOK_MONTHS)
        changes: list[date | None] = []
        for term, points in costs:
            definitions = [c.definition for c in card.parts(term) if c.definition is not None]
            days = days_of_change(definitions, outlook, self.day + 1, last)
            columns = compute(outlook, np.repeat(subject, len(days)), days, definitions, files.catalogue).T
            better = np.flatnonzero(card.points_of(term, list(columns)) > points)
            changes.append(from_day(int(days[better[0]])) if len(better) else None)
        return changes
