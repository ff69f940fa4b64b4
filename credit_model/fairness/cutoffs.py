"""Whom each cut-off leaves out, group by group, with what could point at a person left blank.

In: a sample, a grouping of its rows, cut-offs. Out: `Cutoff` by cut-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from credit_model.decisions.cutoffs import step_hidden
from credit_model.evaluation.tables import Counts, Sample, distinct, with_second
from credit_model.fairness.groups import LIMITS, Grouping
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, Shares, gap_estimate, ratio_estimate, share_estimate


@dataclass(frozen=True)
class GroupAtCutoff:
    """What a cut-off does to a group; ``verdict`` is ``reference, within, below, above, hidden`` or ``unsure``.

    ``below``: the whole interval of the eligibility ratio is under 0.8; ``above``: over 1.25; ``unsure``: the ratio is
    outside and its interval reaches inside.
    """

    group: str
    eligible: Estimate
    ratio: Estimate
    tpr: Estimate
    fpr: Estimate
    tpr_gap: Estimate
    fpr_gap: Estimate
    verdict: str


@dataclass(frozen=True)
class Cutoff:
    """All groups at one cut-off; ``equalised_odds`` is the widest gap of true or false positive rates, with a
    simultaneous interval (Bonferroni over the gaps).
    """

    cutoff: float
    groups: tuple[GroupAtCutoff, ...]
    equalised_odds: Estimate


def cutoffs_of(
    sample: Sample, grouping: Grouping, groups: Groups, counts: Sequence[Counts], at: int, cuts: Sequence[float]
) -> tuple[Cutoff, ...]:
    """Rates, ratios and gaps of every group at every cut-off, against the group at a place; cut-offs ascend."""
    hidden = _hidden(sample, grouping, counts, cuts)
    found = []
    for place, cut in enumerate(cuts):
        below = (sample.score < cut).astype(np.float64)
        passed, tpr, fpr = groups.shares(1 - below), groups.shares(below, sample.y), groups.shares(below, 1 - sample.y)
        rows = []
        for i, name in enumerate(grouping.names):
            no_people, no_bads = hidden[place][i] == "all", hidden[place][i] != ""
            no_reference = no_people or hidden[place][at] == "all"
            no_gap = no_bads or hidden[place][at] != ""
            ratio = UNDEFINED if no_reference else ratio_estimate(passed, i, at)
            rows.append(
                GroupAtCutoff(
                    group=name,
                    eligible=UNDEFINED if no_people else share_estimate(passed, i),
                    ratio=ratio,
                    tpr=UNDEFINED if no_bads else share_estimate(tpr, i),
                    fpr=UNDEFINED if no_bads else share_estimate(fpr, i),
                    tpr_gap=UNDEFINED if no_gap else gap_estimate(tpr, i, at),
                    fpr_gap=UNDEFINED if no_gap else gap_estimate(fpr, i, at),
                    verdict="reference" if i == at else _verdict(ratio),
                )
            )
        shown = [i for i in range(len(rows)) if i != at and hidden[place][i] == "" and hidden[place][at] == ""]
        found.append(Cutoff(float(cut), tuple(rows), _widest((tpr, fpr), shown, at)))
    return tuple(found)


def _hidden(sample: Sample, grouping: Grouping, counts: Sequence[Counts], cuts: Sequence[float]) -> list[list[str]]:
    """By cut-off and group, what may not be shown: a step from the last shown cut-off that holds too few people."""
    size = np.bincount(grouping.code, minlength=len(counts)).tolist()
    last = [(0, 0)] * len(counts)
    found = []
    for cut in cuts:
        below = sample.score < cut
        row, now = [], []
        for i, count in enumerate(counts):
            own = grouping.code == i
            low, high = own & below, own & ~below
            people = distinct(sample.subject[low]), distinct(sample.subject[high])
            bads = int(sample.y[low].sum()), int(sample.y[high].sum())
            step = step_hidden(people, bads, last[i])
            row.append("all" if "all" in (count.hidden, step) else count.hidden or step)
            now.append((people[0], bads[0]))
        no_people = with_second([h == "all" for h in row], size)
        no_bads = with_second([h != "" or n for h, n in zip(row, no_people, strict=True)], size)
        row = ["all" if n else "bads" if b else "" for n, b in zip(no_people, no_bads, strict=True)]
        last = [
            (n[0] if h != "all" else was[0], n[1] if h == "" else was[1])
            for h, n, was in zip(row, now, last, strict=True)
        ]
        found.append(row)
    return found


def _verdict(ratio: Estimate) -> str:
    low, high = LIMITS["eligibility_ratio"]
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return "hidden"
    if ratio.high < low or ratio.low > high:
        return "below" if ratio.high < low else "above"
    return "within" if low <= ratio.value <= high else "unsure"


def _widest(rates: Sequence[Shares], groups: Sequence[int], at: int) -> Estimate:
    """Widest absolute gap of several rates; all gaps lie in their intervals at once, so the widest lies in this one."""
    gaps = [
        gap_estimate(shares, i, at, level=1 - 0.05 / (len(rates) * len(groups))) for shares in rates for i in groups
    ]
    ends = [
        (abs(g.value), g.low, g.high) for g in gaps if g.value is not None and g.low is not None and g.high is not None
    ]
    if not ends:
        return UNDEFINED
    least = max(max(0.0, low, -high) for _, low, high in ends)
    return Estimate(max(v for v, _, _ in ends), least, max(max(abs(low), abs(high)) for _, low, high in ends))
