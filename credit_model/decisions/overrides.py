"""The override report: where a person decided otherwise than the score, for which reason, and what became of it.

In: decisions with the score they were taken on. Out: `Overrides`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credit_model import UserError
from credit_model.evaluation.tables import Counts, counts_of, sample_of
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, share_estimate

if TYPE_CHECKING:
    import pandas as pd

DECISIONS = ("incentive", "standard")


@dataclass(frozen=True)
class OverrideRow:
    """Decisions of one side and reason.

    ``side``: ``followed``; ``high_side`` (eligible by score, standard service given) or ``low_side`` (not eligible by
    score, incentive given). ``reason`` is empty where none was recorded.
    """

    side: str
    reason: str
    counts: Counts
    bad_rate: Estimate


@dataclass(frozen=True)
class Overrides:
    """All decisions of a period.

    Attributes
    ----------
    cutoff : float
    decisions : int
    rows : tuple of OverrideRow
        Together all decisions.
    rate : Estimate
        Share of decisions against the score.
    without_reason : int or None
        Overrides whose reason was not recorded; every one of them is a fault. None for fewer than 10, but not none.
    """

    cutoff: float
    decisions: int
    rows: tuple[OverrideRow, ...]
    rate: Estimate
    without_reason: int | None


def override_report(frame: pd.DataFrame, cutoff: float) -> Overrides:
    """Count decisions that followed the score and those that did not, by reason.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `credit_model.evaluation.report.evaluate` takes them, with ``decided`` (``incentive`` or ``standard``)
        and ``reason`` (a code; empty where the score was followed).
    cutoff : float
        From which the score says incentive.

    Returns
    -------
    Overrides

    Raises
    ------
    UserError
        A column is missing, or a decision is neither an incentive nor the standard service.

    Notes
    -----
    High and low side as in Siddiqi, *Credit Risk Scorecards*. Signs of danger: many overrides without a reason; one
    reason for most; low-side overrides that turn bad no less often than others below the cut-off.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(60), "as_of": "2025-04-01", "y": 0, "probability_of_bad": 0.1,
    ...     "grade": "A", "score": [800] * 40 + [700] * 20, "decided": ["incentive"] * 50 + ["standard"] * 10,
    ...     "reason": [""] * 40 + ["volunteer"] * 10 + [""] * 10})
    >>> [(row.side, row.reason, row.counts.people) for row in override_report(frame, 750).rows]
    [('followed', '', 50), ('low_side', 'volunteer', 10)]
    """
    missing = [name for name in ("decided", "reason") if name not in frame.columns]
    if missing:
        raise UserError(f"Cannot report overrides: column {' and '.join(map(repr, missing))} is missing.")
    other = int((~frame["decided"].isin(DECISIONS)).sum())
    if other:
        raise UserError(
            f"Cannot report overrides: {other} decisions are neither 'incentive' nor 'standard'. A score decides "
            "between these two only; nothing worse than the standard service may follow from it."
        )
    sample = sample_of(frame, [])
    decided = (frame["decided"] == "incentive").to_numpy()[sample.order]
    reason = frame["reason"].fillna("").astype(str).to_numpy(object)[sample.order]
    says = sample.score >= cutoff
    side = np.where(decided == says, "followed", np.where(says, "high_side", "low_side"))
    reason = np.where(side == "followed", "", reason)
    keys = sorted({*zip(side.tolist(), reason.tolist(), strict=True)})
    masks = [(side == s) & (reason == r) for s, r in keys]
    counts = counts_of([sample.where(mask) for mask in masks], sample)
    code = np.select(masks, range(len(keys))).astype(np.intp)
    rates = Groups(code, len(keys), sample.weight, sample.people).shares(sample.y)
    rows = [
        OverrideRow(s, r, count, UNDEFINED if count.hidden else share_estimate(rates, i))
        for i, ((s, r), count) in enumerate(zip(keys, counts, strict=True))
    ]
    everybody = Groups(np.zeros(code.size, np.intp), 1, sample.weight, sample.people)
    against = side != "followed"
    bare = [row.counts for row in rows if row.side != "followed" and not row.reason]
    hidden = any(row.counts.hidden == "all" for row in rows)
    return Overrides(
        cutoff=float(cutoff),
        decisions=len(frame),
        rows=tuple(rows),
        rate=UNDEFINED if hidden else share_estimate(everybody.shares(against), 0),
        without_reason=None if any(c.hidden == "all" for c in bare) else sum(c.observations or 0 for c in bare),
    )
