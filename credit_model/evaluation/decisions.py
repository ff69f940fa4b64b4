"""Decisions: the cut-off table, incentive programmes simulated on scored rows, and what past decisions show.

At each score from which somebody is eligible: how many are, and what happened above and below. A programme has a
threshold, never a number of places: places would rank people against each other. Whoever is not eligible has the
standard service, as today.

In: scored rows, cut-offs, programmes. Out: `CutoffRow` by cut-off, `ProgrammeOutcome` by programme, `Decisions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credit_model.evaluation.past_decisions import Overrides, SwapSet, override_report, swaps_of
from credit_model.evaluation.scored_rows import Sample, distinct, sample_of
from credit_model.evaluation.tables import Counts, counts_of, step_secret
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import frame_of
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, share_estimate

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card

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


@dataclass(frozen=True)
class Programme:
    """An incentive and who is eligible for it.

    Parameters
    ----------
    name, label_en, label_zh : str
    cutoff : float, optional
        Score from which somebody is eligible; without one the score plays no part.
    rule : str, optional
        Column of true and false: a rule met, such as three clean years; without one there is no rule.
    both : bool
        Whether score *and* rule are asked for; otherwise either is enough.
    """

    name: str
    label_en: str
    label_zh: str
    cutoff: float | None = None
    rule: str | None = None
    both: bool = False


@dataclass(frozen=True)
class ProgrammeOutcome:
    """What a programme would do.

    Attributes
    ----------
    name, label_en, label_zh : str
    cutoff : float or None
    rule : str or None
    eligible, standard : Counts
        Who would be eligible, and who would have the standard service.
    share, bad_rate : Estimate
        Share eligible, and how many of them turned bad.
    by_score_only, by_rule_only : Estimate
        Share who meet one and not the other; undefined where only one is asked for.
    """

    name: str
    label_en: str
    label_zh: str
    cutoff: float | None
    rule: str | None
    eligible: Counts
    standard: Counts
    share: Estimate
    bad_rate: Estimate
    by_score_only: Estimate
    by_rule_only: Estimate


def simulate_incentives(frame: pd.DataFrame, programmes: Sequence[Programme]) -> tuple[ProgrammeOutcome, ...]:
    """Try programmes out on people whose outcome is known.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `evaluate` takes them, with the columns the rules name.
    programmes : sequence of Programme

    Returns
    -------
    tuple of Outcome
        In their order.

    Raises
    ------
    UserError
        A programme asks for nothing, or a rule is no column of true and false.

    Notes
    -----
    It is a count of the past: people do not change their conduct for the incentive here, and in life they may.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(80), "as_of": "2025-04-01", "y": 0, "probability_of_bad": 0.1,
    ...     "grade": "A", "score": [800] * 40 + [700] * 40, "clean": [True] * 20 + [False] * 40 + [True] * 20})
    >>> either, = simulate_incentives(frame, [Programme("R2", "waived papers", "容缺受理", cutoff=750, rule="clean")])
    >>> either.share.value, either.by_rule_only.value
    (0.75, 0.25)
    """
    faults = [f"{p.name!r} asks for nothing" for p in programmes if p.cutoff is None and p.rule is None]
    for programme in programmes:
        if programme.rule is not None and programme.rule not in frame.columns:
            faults.append(f"{programme.name!r} asks for {programme.rule!r}, which is no column")
        elif programme.rule is not None and frame[programme.rule].dtype.kind != "b":
            faults.append(f"{programme.name!r} asks for {programme.rule!r}, which is not true or false")
    if faults:
        raise UserError(f"Cannot try these programmes: {'; '.join(faults)}.", tuple(faults))
    sample = sample_of(frame, [])
    return tuple(_simulate(sample, programme, frame) for programme in programmes)


def _simulate(sample: Sample, programme: Programme, frame: pd.DataFrame) -> ProgrammeOutcome:
    everybody = Groups(np.zeros(sample.y.size, np.intp), 1, sample.weight, sample.people)
    score = np.full(sample.y.size, True) if programme.cutoff is None else sample.score >= programme.cutoff
    rule = score if programme.rule is None else frame[programme.rule].to_numpy(bool)[sample.order]
    score = rule if programme.cutoff is None else score
    eligible = score & rule if programme.both else score | rule
    eligible_counts, standard = counts_of([sample.where(eligible), sample.where(~eligible)], sample)
    few = [*counts_of([sample.where(score & ~rule), sample.where(rule & ~score)], sample)]
    one = programme.cutoff is None or programme.rule is None
    secret = any(count.hidden == "all" for count in (eligible_counts, standard))

    def share(member: object, is_hidden: bool) -> Estimate:
        return UNDEFINED if is_hidden else share_estimate(everybody.shares(member), 0)  # type: ignore[arg-type]

    return ProgrammeOutcome(
        name=programme.name,
        label_en=programme.label_en,
        label_zh=programme.label_zh,
        cutoff=programme.cutoff,
        rule=programme.rule,
        eligible=eligible_counts,
        standard=standard,
        share=share(eligible, secret),
        bad_rate=UNDEFINED
        if eligible_counts.hidden
        else share_estimate(everybody.shares(sample.y, eligible.astype(np.float64)), 0),
        by_score_only=share(score & ~rule, one or secret or few[0].hidden == "all"),
        by_rule_only=share(rule & ~score, one or secret or few[1].hidden == "all"),
    )


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
    programmes: tuple[ProgrammeOutcome, ...]
    overrides: Overrides | None

    def to_frame(self) -> pd.DataFrame:
        """Return the cut-off table: one row a cut-off."""
        return frame_of(self.cutoffs)


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
        Scored rows as `evaluate` takes them; with ``decided`` and ``reason``, overrides too.
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
