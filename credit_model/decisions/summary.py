"""Everything an evaluation tells of decisions, in one value.

In: scored rows, and what stands beside them. Out: `Decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credit_model import UserError
from credit_model.decisions.cutoffs import CutoffRow, table_of
from credit_model.decisions.incentives import Outcome, Programme, simulate_incentives
from credit_model.decisions.overrides import Overrides, override_report
from credit_model.decisions.swaps import SwapSet, swaps_of
from credit_model.evaluation.tables import sample_of

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card


@dataclass(frozen=True)
class Decisions:
    """What cut-offs decide.

    Attributes
    ----------
    eligible_from : float
        The cut-off that swap sets and overrides are about.
    cutoffs : tuple of CutoffRow
    swaps : tuple of SwapSet
        Against each other ranking, at equal generosity: from ``eligible_from`` on, and from the cut-off that parts
        people most evenly, where most is to be seen.
    programmes : tuple of Outcome
    overrides : Overrides or None
        None without decisions.
    """

    eligible_from: float
    cutoffs: tuple[CutoffRow, ...]
    swaps: tuple[SwapSet, ...]
    programmes: tuple[Outcome, ...]
    overrides: Overrides | None


def summarise_decisions(
    frame: pd.DataFrame,
    *,
    card: Card | None = None,
    cutoffs: Sequence[float] | None = None,
    eligible_from: float | None = None,
    others: Mapping[str, tuple[str, str]] | None = None,
    programmes: Sequence[Programme] = (),
) -> Decisions:
    """Describe what cut-offs decide on scored rows.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `credit_model.evaluation.report.evaluate` takes them; with ``decided`` and ``reason``, overrides too.
    card : Card, optional
        Its grade cuts are the cut-offs.
    cutoffs : sequence of float, optional
        Instead of the card's.
    eligible_from : float, optional
        Unless given, the highest grade cut that lets the card's reference row (nothing on record) through; without a
        card, the middle one of the cut-offs.
    others : mapping of str to (str, str), optional
        Columns of risk by another card or ranking (growing with risk) to their labels: a swap set each.
    programmes : sequence of Programme, optional

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(80), "as_of": "2025-04-01", "y": 0, "probability_of_bad": 0.1,
    ...     "grade": "A", "score": [800] * 40 + [700] * 40})
    >>> summarise_decisions(frame, cutoffs=[750]).eligible_from
    750.0
    """
    cuts = sorted(card.profile.grade_cuts if cutoffs is None and card is not None else cutoffs or ())
    if not cuts:
        raise UserError("Cannot describe decisions: give cutoffs, or the card whose grade cuts they are.")
    if eligible_from is None:
        reference = None if card is None else card.profile.reference_points
        reached = [cut for cut in cuts if reference is not None and cut <= reference]
        eligible_from = reached[-1] if reached else cuts[len(cuts) // 2]
    sample = sample_of(frame, list(others or {}))
    passing = {cut: float(np.average(sample.score >= cut, weights=sample.weight)) for cut in cuts}
    balanced = min(cuts, key=lambda cut: abs(passing[cut] - 0.5))
    swaps = tuple(
        swaps_of(sample, -sample.others[column], cut, None, label)
        for column, label in (others or {}).items()
        for cut in dict.fromkeys([float(eligible_from), float(balanced)])
    )
    decided = {"decided", "reason"} <= set(frame.columns)
    return Decisions(
        eligible_from=float(eligible_from),
        cutoffs=table_of(sample, [cut for cut in cuts if sample.score.min() < cut <= sample.score.max()]),
        swaps=swaps,
        programmes=simulate_incentives(frame, programmes) if programmes else (),
        overrides=override_report(frame, eligible_from) if decided else None,
    )
