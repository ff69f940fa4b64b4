"""Commitments that were not kept: from the day a breach is known, a record of the same case that said "kept" is wrong.

A breach is a record of its own. It corrects the kept record of its case on the file it stands on, until it is itself
revoked, corrected or moved: one commitment is never both.

In: the folded state of records, and the files they stand on. Out: which records a breach corrects, and the days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import Days, pack
from credit_model.visibility.tables import Column, matches

if TYPE_CHECKING:
    from credit_model.catalogue.kinds import Kind
    from credit_model.visibility.coded_tables import CodedTables
    from credit_model.visibility.fold import State

COMMITMENT: Final = "commitment"  # the category of the catalogue


@dataclass(frozen=True)
class Breaches:
    """The spans in which a breach stands on a file, sorted by file and case."""

    is_kept: NDArray[np.bool_]  # of each kind: it says that a commitment was kept
    cases: int
    case: NDArray[np.int64]  # (file, case) in one number, sorted
    start: Days
    end: Days

    @classmethod
    def of(
        cls, coded: CodedTables, kinds: tuple[Kind, ...], state: State, files: tuple[Column, Column], end: Days
    ) -> Breaches:
        """Find the breaches; ``files`` are epoch and subject of each row, ``end`` its end."""
        of_commitments = [kind.category == COMMITMENT for kind in kinds]
        polarity = np.array([kind.polarity if own else "" for kind, own in zip(kinds, of_commitments, strict=True)])
        epoch, subject = files
        rows = np.flatnonzero((polarity == "adverse")[state.kind][epoch])
        at = epoch[rows]
        rows = rows[(state.holder[at] == subject[rows]) & ~state.revoked[at] & ~state.superseded[at]]
        at = epoch[rows]
        case = subject[rows].astype(np.int64) * len(coded.case_ids) + coded.records["case"][state.record[at]]
        order = np.argsort(case, kind="stable")
        return cls(polarity == "positive", len(coded.case_ids), case[order], state.day[at][order], end[rows][order])

    def changes(self, files: tuple[Column, Column, Column], start: Days, end: Days) -> NDArray[np.int64]:
        """Return packed (row, day) on which a breach begins or ceases to stand inside a row of a kept commitment.

        ``files`` are kind, subject and case of each row.
        """
        rows, row, place = self._pairs(*files)
        row = rows[row]
        packed = []
        for day in (self.start[place], self.end[place]):
            inside = (start[row] < day) & (day < end[row])
            packed.append(pack(row[inside], day[inside]))
        return np.concatenate(packed)

    def corrects(self, files: tuple[Column, Column, Column], day: Days) -> NDArray[np.bool_]:
        """Return whether a breach stands against each row on its day; shape (n,)."""
        rows, row, place = self._pairs(*files)
        corrected = np.zeros(len(day), np.bool_)
        row = rows[row]
        corrected[row[(self.start[place] <= day[row]) & (day[row] < self.end[place])]] = True
        return corrected

    def _pairs(
        self, kind: Column, subject: Column, case: Column
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of kept commitments, and each pair of one of them (by its place) and a breach of its case."""
        rows = np.flatnonzero(self.is_kept[kind]) if len(self.case) else np.zeros(0, np.int64)
        return rows, *matches(self.case, subject[rows].astype(np.int64) * self.cases + case[rows])
