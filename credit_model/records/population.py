"""Who is scored: the subject versions in force at a day, and what follows for each person.

In: the subject versions of ``Tables``. Out: ``Population``: standing, birth date, district and occupations as of a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from credit_model.records.dates import Days
from credit_model.records.tables import Column, Tables


@dataclass(frozen=True)
class Population:
    """Subjects by versions. A version counts at d iff known before d and valid from d or earlier; the last one holds."""

    @classmethod
    def from_tables(cls, tables: Tables, subjects: str = "person") -> Population:
        """``subjects`` is the catalogue's: ``person``, or ``organisation`` whose every member is scored."""
        raise NotImplementedError

    def standing(self, subject_ids: Any, as_of: Any) -> Column:
        """``scored``, ``insufficient_records`` or ``not_eligible``; shape (n,)."""
        raise NotImplementedError

    def reason(self, subject_ids: Any, as_of: Any) -> Column:
        """Why not scored: ``minor``, ``deceased``, ...; ``""`` where scored; shape (n,)."""
        raise NotImplementedError

    def born_on(self, subject_ids: Any, as_of: Any) -> Days:
        """Birth date known at each day."""
        raise NotImplementedError

    def resident_to(self, subject_ids: Any, as_of: Any) -> Days:
        """End of residence known at each day."""
        raise NotImplementedError

    def district(self, subject_ids: Any, as_of: Any) -> NDArray[np.object_]:
        """District known at each day."""
        raise NotImplementedError

    def occupations(self, subject_ids: Any, as_of: Any) -> NDArray[np.object_]:
        """Occupation codes, ``;`` between them."""
        raise NotImplementedError
