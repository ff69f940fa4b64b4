"""The out-of-time rows of a run as its card judged them, so that two runs can be compared row by row.

They stay in the run's own folder and go to no registry. A row has no name: rows stand in the order of their subjects,
people are numbered, and a digest tells whether two runs judged the same rows.

In: a sample and a card. Out: ``judged.parquet``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from credit_model import UserError

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

FILE = "judged.parquet"
_DIGEST = b"credit_model_rows"
COLUMNS = ("person", "y", "weight", "with_record", "score", "probability_of_bad", "true_risk")


@dataclass(frozen=True)
class Judged:
    """Rows with outcome, score and probability, by column; ``digest`` is of who was judged when, and how it ended."""

    digest: str
    columns: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, card: Card, sample: Any, true_risk: npt.NDArray[np.float64] | None = None) -> Judged:
        """Judge a ``DevelopmentSample`` by a card."""
        order = np.lexsort((sample.as_of, sample.subject_id.astype(str)))
        people, person = np.unique(sample.subject_id.astype(str), return_inverse=True)
        digest = hashlib.sha256("\n".join(people).encode())
        for part in (person, sample.as_of, sample.y, sample.weight):
            digest.update(np.ascontiguousarray(np.asarray(part, dtype=np.float64)[order]).tobytes())
        scored = card.score(sample.X[list(card.columns)])
        columns: dict[str, npt.NDArray[Any]] = {
            "person": person.astype(np.int32), "y": np.asarray(sample.y, dtype=np.int8),
            "weight": np.asarray(sample.weight, dtype=np.float64), "with_record": np.asarray(sample.with_record),
            "score": scored["score"].to_numpy(), "probability_of_bad": scored["probability_of_bad"].to_numpy(),
        }  # fmt: skip
        if true_risk is not None:
            columns["true_risk"] = np.asarray(true_risk, dtype=np.float64)
        return cls(digest.hexdigest(), {name: values[order] for name, values in columns.items()})

    def write(self, folder: Path) -> Path:
        """Write the rows into a run's folder, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(self.columns).replace_schema_metadata({_DIGEST: self.digest.encode()})
        part = folder / f"{FILE}.part"
        pq.write_table(table, part)
        return part.replace(folder / FILE)

    @classmethod
    def read(cls, folder: Path) -> Judged:
        """Read the rows of a run's folder."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(folder / FILE)
            digest = (table.schema.metadata or {})[_DIGEST].decode()
            columns = {name: table[name].to_numpy() for name in table.column_names if name in COLUMNS}
        except (OSError, KeyError, pa.ArrowException) as error:
            raise UserError(
                f"compare: {folder} holds no rows that a run judged ({type(error).__name__}); run its experiment here "
                "again, it ends in the same card"
            ) from None
        return cls(digest, columns)
