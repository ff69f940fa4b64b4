"""The cut-off table: at each score from which somebody is eligible, how many are, and what happened above and below.

In: scored rows, cut-offs. Out: `CutoffRow` by cut-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credit_model.evaluation.scored_rows import Sample, distinct, sample_of
from credit_model.evaluation.tables import Counts, counts_of
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, share_estimate

if TYPE_CHECKING:
    import pandas as pd

BLANK = Counts("all", *[None] * 7)


@dataclass(frozen=True)
class CutoffRow:
    """One cut-off.

    Attributes
    ----------
    cutoff : float
        Score from which somebody is eligible.
    eligible, below : Counts
        People on either side: numbers, bad rate, and what the card predicted (``mean_probability``).
    share : Estimate
        Share eligible.
    bad_rate, bad_rate_below : Estimate
        What happened on either side.
    bads_below, goods_below : Estimate
        Share of all bads, and of all goods, that the cut-off leaves out.
    """

    cutoff: float
    eligible: Counts
    below: Counts
    share: Estimate
    bad_rate: Estimate
    bad_rate_below: Estimate
    bads_below: Estimate
    goods_below: Estimate


def step_secret(people: tuple[int, int], bads: tuple[int, int], last: tuple[int, int]) -> str:
    """Return what a nested cut-off must not publish: ``"all"``, ``"bads"`` or nothing.

    Parameters
    ----------
    people, bads : (int, int)
        Below the cut-off, and at or above it.
    last : (int, int)
        People and bads below the last cut-off that was shown.

    Examples
    --------
    >>> step_secret((40, 60), (8, 9), (0, 0)), step_secret((45, 55), (9, 8), (40, 8))
    ('', 'all')
    >>> step_secret((60, 40), (9, 8), (40, 8))
    'bads'
    """
    if any(0 < n < SMALLEST_CELL for n in (people[0] - last[0], people[1])):
        return "all"
    return "bads" if any(0 < n < FEWEST_BADS for n in (bads[0] - last[1], bads[1])) else ""


def cutoff_table(frame: pd.DataFrame, cutoffs: Sequence[float]) -> tuple[CutoffRow, ...]:
    """Describe what each cut-off does.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `evaluate` takes them.
    cutoffs : sequence of float

    Returns
    -------
    tuple of CutoffRow
        From the lowest up. Cut-offs nest, so one within 10 people (or 1 or 2 bads) of the last one shown is blank.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(200), "as_of": "2025-04-01", "y": [1, 0, 0, 0] * 20 + [0] * 120,
    ...     "score": [700] * 80 + [800] * 120, "probability_of_bad": 0.1, "grade": "A"})
    >>> row, = cutoff_table(frame, [750])
    >>> row.share.value, row.bad_rate.value, row.bad_rate_below.value, row.bads_below.value
    (0.6, 0.0, 0.25, 1.0)
    """
    return table_of(sample_of(frame, []), cutoffs)


def table_of(sample: Sample, cutoffs: Sequence[float]) -> tuple[CutoffRow, ...]:
    """As `cutoff_table`, of a sample."""
    everybody = Groups(np.zeros(sample.y.size, np.intp), 1, sample.weight, sample.people)
    last, rows = (0, 0), []
    for cut in sorted(cutoffs):
        below = sample.score < cut
        parts = [sample.where(~below), sample.where(below)]
        people = distinct(parts[1].subject), distinct(parts[0].subject)
        bads = int(parts[1].y.sum()), int(parts[0].y.sum())
        secret = step_secret(people, bads, last)
        counts = counts_of(parts, sample)
        secret = "all" if "all" in (secret, *(c.hidden for c in counts)) else secret or max(c.hidden for c in counts)
        if secret:
            counts = [_blank(count, secret) for count in counts]
        last = (people[0] if secret != "all" else last[0], bads[0] if secret == "" else last[1])
        low, bad = below.astype(np.float64), sample.y

        def share(member: object, among: object, secret: bool) -> Estimate:
            return UNDEFINED if secret else share_estimate(everybody.shares(member, among), 0)  # type: ignore[arg-type]

        rows.append(
            CutoffRow(
                cutoff=float(cut),
                eligible=counts[0],
                below=counts[1],
                share=share(1 - low, None, secret == "all"),
                bad_rate=share(bad, 1 - low, secret != ""),
                bad_rate_below=share(bad, low, secret != ""),
                bads_below=share(low, bad, secret != ""),
                goods_below=share(low, 1 - bad, secret != ""),
            )
        )
    return tuple(rows)


def _blank(counts: Counts, secret: str) -> Counts:
    if secret == "all":
        return BLANK
    return Counts(
        "bads", counts.people, counts.observations, counts.share, None, None, counts.mean_probability, counts.mean_score
    )
