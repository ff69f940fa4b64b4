"""When a record may be used, and why not (skeleton of the public names; the compile follows)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.records.dates import FOREVER as FOREVER
from credit_model.records.dates import NO_DAY as NO_DAY
from credit_model.records.dates import NO_VALUE as NO_VALUE
from credit_model.records.dates import Days
from credit_model.records.dates import add_months as add_months
from credit_model.records.dates import from_days as from_days
from credit_model.records.dates import to_day as to_day
from credit_model.records.dates import to_days as to_days
from credit_model.records.population import Population as Population
from credit_model.records.tables import ROLES as ROLES
from credit_model.records.tables import STATUSES as STATUSES
from credit_model.records.tables import Column
from credit_model.records.tables import Segments as Segments
from credit_model.records.tables import Tables as Tables

if TYPE_CHECKING:
    from credit_model.records.catalogue import Catalogue

SEMANTICS_VERSION: Final = 1
ACTIONS: Final = (
    "served", "challenged", "upheld", "finalised", "corrected", "disputed", "dispute_closed", "partly_performed",
    "performed", "repaired", "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject",
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """Records as known at the start of a day, one row each; in the order of ``Tables.records`` from ``fold_at``."""

    record: NDArray[np.int64]  # row of Tables.records
    day: Days
    known: NDArray[np.bool_]  # known_on < day
    subject_id: Column  # whose file holds it
    tier: NDArray[np.int8]
    amount: NDArray[np.int64]
    hours: NDArray[np.int64]
    outstanding: NDArray[np.int64]
    occurred_on: Days
    decided_on: Days
    attributes: dict[str, Column]
    final_from: Days  # first day with the force of law; FOREVER while a challenge is open
    exit_on: Days  # delisted, closed
    performed: NDArray[np.int8]
    challenge_open: NDArray[np.bool_]
    disputed: NDArray[np.bool_]
    revoked: NDArray[np.bool_]
    sealed: NDArray[np.bool_]
    superseded: NDArray[np.bool_]
    repaired: NDArray[np.bool_]

    @property
    def final(self) -> NDArray[np.bool_]:
        """Whether the decision can no longer be challenged."""
        return self.final_from <= self.day


def parse_correction(value: str, attribute_types: dict[str, str]) -> dict[str, Any]:
    """The new facts of a ``corrected`` amendment, typed; ``UserError`` if they are not facts that may be corrected."""
    raise NotImplementedError


def compile_segments(tables: Tables, catalogue: Catalogue, policy: str, day_of_use: int) -> Segments:
    """Every record of every file, day by day: in force, or the first ground why not."""
    raise NotImplementedError


def fold_at(tables: Tables, catalogue: Catalogue, day: int | Days) -> State:
    """The records as known at the start of a day (one, or one a record)."""
    raise NotImplementedError


def grounds_at(
    tables: Tables, catalogue: Catalogue, policy: str, day: int, day_of_use: int
) -> dict[str, NDArray[Any]]:
    """Every ground at once: ``record_id``, ``subject_id`` and one boolean column for each of ``STATUSES[1:]``."""
    raise NotImplementedError
