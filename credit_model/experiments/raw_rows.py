"""Counts of the raw rows behind a run, against the limit of the experiment.

In: an experiment and its source. Out: ``RawRows``, or a refusal before anything is learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from credit_model.evaluation.evaluation import IngestSection
from credit_model.experiments.data_source import DataSource
from credit_model.experiments.experiment import Experiment
from credit_model.ledger.ingest_report import check_refusals
from credit_model.ledger.validation import REASONS


@dataclass(frozen=True)
class RawRows:
    """Counts of the raw rows behind a ledger: every row read is accepted, a duplicate, refused or excluded.

    A raw row that a mapping sends to two tables is one. ``rejected`` counts refusals by reason (a row with two reasons
    counts under both); refused rows lie in ``quarantine``, a file or a folder of files. An excluded row is one that no
    table of the mapping asks for.
    """

    read: int
    accepted: int
    duplicates: int
    rejected_rows: int
    rejected: Mapping[str, int]
    excluded: int
    rejected_share: float
    max_rejected_share: float
    quarantine: str | None

    @classmethod
    def of(cls, experiment: Experiment, source: DataSource) -> RawRows | None:
        """Read the counts from the ledger; None where it kept none, or nothing was delivered."""
        counts = source.ledger.deliveries
        if counts is None or not counts.read:
            return None
        return cls(
            **vars(counts),
            rejected_share=counts.rejected_share,
            max_rejected_share=experiment.max_rejected_share,
            quarantine=None if source.ledger.quarantine is None else str(source.ledger.quarantine),
        )

    def to_section(self) -> IngestSection:
        """Return what an evaluation keeps of them."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected_rows": self.rejected_rows,
            "excluded": self.excluded,
            "rejected_share": self.rejected_share,
            "max_rejected_share": self.max_rejected_share,
            "reasons": [
                {"code": code, "text_en": REASONS[code][1], "text_zh": REASONS[code][0], "rows": rows}
                for code, rows in sorted(self.rejected.items(), key=lambda item: (-item[1], item[0]))
            ],
        }

    def to_metrics(self) -> dict[str, float]:
        """Return the counts by names that a tracker takes."""
        return {
            "ingest/read": self.read,
            "ingest/accepted": self.accepted,
            "ingest/duplicates": self.duplicates,
            "ingest/rejected": self.rejected_rows,
            "ingest/excluded": self.excluded,
            "ingest/rejected_share": self.rejected_share,
        }

    def __str__(self) -> str:
        refusals = f"{self.rejected_rows:,} refused"
        if self.rejected_rows:
            refusals += f" ({100 * self.rejected_share:.2g}%; limit {100 * self.max_rejected_share:.2g}%)"
        counts = f"{self.read:,} read, {self.accepted:,} accepted, {self.duplicates:,} known already"
        return f"{counts}, {refusals}, {self.excluded:,} excluded by the mapping"


def check_raw_rows(experiment: Experiment, source: DataSource) -> None:
    """Stop a run whose ledger is missing more raw rows than the experiment allows.

    Raises
    ------
    RefusedRowsError
        If more were refused; nothing was learned and no sample opened.
    """
    counts = source.ledger.deliveries
    if counts is None:
        return
    ledger_folder = isinstance(experiment.ledger.source, str)
    mend = "Mend the rows and ingest them into a new ledger" if ledger_folder else "Mend the raw tables or the mapping"
    check_refusals(
        f"experiment {experiment.name!r}",
        counts,
        experiment.max_rejected_share,
        source.ledger.quarantine,
        mend + " and run again; if they are rightly refused, write [ingest] max_rejected_share = {share} into the "
        "experiment, with a comment that says why.",
    )
