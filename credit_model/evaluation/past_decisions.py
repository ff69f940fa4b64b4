"""Past decisions: whom a new card makes eligible that an old one did not, and where a person overrode the score.

In: scored rows, the score of another card and both cut-offs; decisions with the score they were taken on.
Out: a `SwapSet`; `Overrides`.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.evaluation.scored_rows import Sample, sample_of
from credit_model.evaluation.tables import Counts, counts_of
from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, share_estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SwapCell:
    """People of one cell: ``both``, ``swap_in`` (new only), ``swap_out`` (old only) or ``neither`` eligible."""

    name: str
    counts: Counts
    bad_rate: Estimate


@dataclass(frozen=True)
class SwapSet:
    """Two cards, each at its cut-off, on the same people.

    Attributes
    ----------
    label_en, label_zh : str
        The old card.
    cutoff, old_cutoff : float
    cells : tuple of SwapCell
        The four cells, which hold everybody.
    share, old_share : Estimate
        Eligible under either card.
    bad_rate_change : Estimate
        Bad rate among the new card's eligible less that among the old card's, paired.
    """

    label_en: str
    label_zh: str
    cutoff: float
    old_cutoff: float
    cells: tuple[SwapCell, ...]
    share: Estimate
    old_share: Estimate
    bad_rate_change: Estimate


def matching_cutoff(score: ArrayLike, share: float, weight: ArrayLike | None = None) -> float:
    """Cut-off at which the share at or above it is nearest to the one asked for; of two, the more generous.

    Two cards are compared at equal generosity: otherwise the stricter one always looks better. Ties may leave the
    share far from what was asked.

    Examples
    --------
    >>> matching_cutoff([1, 2, 3, 4], 0.5)
    3.0
    """
    values, group = np.unique(np.asarray(score, np.float64), return_inverse=True)
    mass = np.bincount(group.ravel(), None if weight is None else np.asarray(weight, np.float64))
    at_or_above = np.cumsum(mass[::-1])[::-1] / mass.sum()
    return float(values[int(np.argmin(np.abs(at_or_above - share)))])


def swap_set(
    frame: pd.DataFrame,
    old_score: ArrayLike,
    cutoff: float,
    old_cutoff: float | None = None,
    *,
    label: tuple[str, str] = ("the other card", "另一评分卡"),
) -> SwapSet:
    """Compare what two cards decide.

    Parameters
    ----------
    frame : DataFrame
        Rows scored by the new card, as `evaluate` takes them.
    old_score : array_like of float, shape (n,)
        The old card's score of the same rows, more is better.
    cutoff, old_cutoff : float
        From which somebody is eligible; the old one at equal generosity unless given.
    label : (str, str)
        Of the old card, in English and Chinese.

    Raises
    ------
    UserError
        Lengths differ or a score is not finite.

    Notes
    -----
    The card is better on the swap set if whom it lets in (``swap_in``) turn bad less often than whom it leaves out
    (``swap_out``). Small cells are blank, and with each its neighbour under the same decision of the new card.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(80), "as_of": "2025-04-01", "y": 0, "probability_of_bad": 0.1,
    ...     "grade": "A", "score": [800] * 40 + [700] * 40})
    >>> [cell.counts.people for cell in swap_set(frame, [800] * 20 + [700] * 40 + [800] * 20, 750, 750).cells]
    [20, 20, 20, 20]
    """
    old = np.asarray(old_score, np.float64).ravel()
    if old.size != len(frame) or not np.isfinite(old).all():
        raise UserError(
            f"Cannot compare two cards: the frame has {len(frame)} rows, the other score {old.size}, of them "
            f"{int(np.isfinite(old).sum())} finite numbers. Score the same rows with both."
        )
    sample = sample_of(frame, [])
    return swaps_of(sample, old[sample.order], cutoff, old_cutoff, label)


def swaps_of(
    sample: Sample, old: NDArray[np.float64], cutoff: float, old_cutoff: float | None, label: tuple[str, str]
) -> SwapSet:
    """As `swap_set`, of a sample and the other score of its rows."""
    new = sample.score >= cutoff
    if old_cutoff is None:
        old_cutoff = matching_cutoff(old, float(np.average(new, weights=sample.weight)), sample.weight)
    before = old >= old_cutoff
    # By what the new card decides: with its total known from the cut-off table, one blank of two would be no secret.
    names = ("both", "swap_in", "swap_out", "neither")
    masks = (new & before, new & ~before, ~new & before, ~new & ~before)
    counts = [c for pair in (masks[:2], masks[2:]) for c in counts_of([*map(sample.where, pair)], sample)]
    code = np.select(masks, range(4)).astype(np.intp)
    rates = Groups(code, 4, sample.weight, sample.people).shares(sample.y)
    cells = tuple(
        SwapCell(name, count, UNDEFINED if count.hidden else share_estimate(rates, i))
        for i, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    everybody = Groups(np.zeros(code.size, np.intp), 1, sample.weight, sample.people)
    secret = any(count.hidden for count in counts)
    return SwapSet(
        *label,
        cutoff=float(cutoff),
        old_cutoff=float(old_cutoff),
        cells=cells,
        share=UNDEFINED if secret else share_estimate(everybody.shares(new), 0),
        old_share=UNDEFINED if secret else share_estimate(everybody.shares(before), 0),
        bad_rate_change=UNDEFINED if secret else _change(everybody, sample, new, before),
    )


def _change(everybody: Groups, sample: Sample, new: NDArray[np.bool_], before: NDArray[np.bool_]) -> Estimate:
    """Difference of two bad rates on overlapping people, by the difference of each row's influences."""
    totals = [float(sample.weight[rows].sum()) for rows in (new, before)]
    if not min(totals) > 0:
        return UNDEFINED
    rates = [float(np.average(sample.y[rows], weights=sample.weight[rows])) for rows in (new, before)]
    influence = new * (sample.y - rates[0]) / totals[0] - before * (sample.y - rates[1]) / totals[1]
    reach = NormalDist().inv_cdf(0.975) * everybody.error_of(influence)
    change = rates[0] - rates[1]
    return Estimate(change, change - reach, change + reach)


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
        Scored rows as `evaluate` takes them, with ``decided`` (``incentive`` or ``standard``)
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
    is_hidden = any(row.counts.hidden == "all" for row in rows)
    return Overrides(
        cutoff=float(cutoff),
        decisions=len(frame),
        rows=tuple(rows),
        rate=UNDEFINED if is_hidden else share_estimate(everybody.shares(against), 0),
        without_reason=None if any(c.hidden == "all" for c in bare) else sum(c.observations or 0 for c in bare),
    )
