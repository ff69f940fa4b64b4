"""What a delivery into a ledger ended in, as a value.

In: counts of rows. Out: ``IngestReport``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from credit_model.store.manifest import DeliveryCounts


@dataclass(frozen=True)
class IngestReport:
    """What became of a delivery.

    Parameters
    ----------
    read, accepted, duplicates : int
        Rows that came to a table (a raw row that a mapping sends to two tables is two), rows added, and rows that were
        there already, over all tables. Every row that was read is accepted, a duplicate or refused.
    rejected : dict of str to int
        Refused rows by reason (a key of ``REASONS``); a row with two reasons counts under both.
    rejected_rows : int
        Refused rows.
    quarantine : Path or None
        JSON lines: source, its SHA-256, row number from 1, every reason, and the row without what names a person.
    warnings : tuple of str
    tables : dict of str to dict of str to int
        ``accepted``, ``duplicates``, ``rejected`` and ``left_out`` (by the mapping) for each table.
    """

    read: int
    accepted: int
    duplicates: int
    rejected: dict[str, int]
    rejected_rows: int
    quarantine: Path | None
    warnings: tuple[str, ...]
    tables: dict[str, dict[str, int]]

    @property
    def counts(self) -> DeliveryCounts:
        """Return the counts over all tables."""
        return DeliveryCounts(self.read, self.accepted, self.duplicates, self.rejected_rows, self.rejected)

    @property
    def rejected_share(self) -> float:
        """Return the share of refused rows among those read."""
        return self.counts.rejected_share

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {**asdict(self), "rejected_share": self.rejected_share,
                "quarantine": None if self.quarantine is None else str(self.quarantine),
                "warnings": list(self.warnings)}  # fmt: skip
