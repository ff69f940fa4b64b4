"""Groups of the people of a sample, and whom each cut-off leaves out, group by group.

What could point at a person is left blank.

In: a sample, a frame of attributes keyed by person, cut-offs. Out: `Grouping` by attribute; `Cutoff` by cut-off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.scored_rows import Sample, distinct
from credit_model.evaluation.tables import Counts, step_secret, with_second
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import ArrayValue
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, Shares, gap_estimate, ratio_estimate, share_estimate

if TYPE_CHECKING:
    import pandas as pd


UNKNOWN = "unknown"
MOST = 40
"""Groups an attribute may have: more of them are no attribute but a description."""

LIMITS: dict[str, tuple[float, float]] = {
    "eligibility_ratio": (0.8, 1.25),
    "slope": (0.9, 1.1),
    "base_rate_ratio": (0.8, 1.25),
    "proxy": (0.6, 0.3),
}
"""What a finding is held against (own choice, not law); ``proxy`` is an AUC and an absolute correlation."""

LABELS: dict[str, tuple[str, str]] = {
    "sex": ("Sex", "性别"),
    "F": ("Female", "女"),
    "M": ("Male", "男"),
    "age_band": ("Age band", "年龄段"),
    "under 30": ("under 30", "30岁以下"),
    "from 30": ("30 to 39", "30至39岁"),
    "from 40": ("40 to 49", "40至49岁"),
    "from 50": ("50 to 59", "50至59岁"),
    "from 60": ("60 and over", "60岁及以上"),
    "district": ("District", "区县"),
    "330602": ("330602 Yuecheng", "330602 越城区"),
    "330603": ("330603 Keqiao", "330603 柯桥区"),
    "330604": ("330604 Shangyu", "330604 上虞区"),
    "330624": ("330624 Xinchang", "330624 新昌县"),
    "330681": ("330681 Zhuji", "330681 诸暨市"),
    "330683": ("330683 Shengzhou", "330683 嵊州市"),
    "occupation": ("Occupation", "职业"),
    "occupations": ("Occupations", "职业"),
    UNKNOWN: ("not recorded", "未登记"),
}
"""How attributes and groups are written, in English and Chinese; what is not named is written as it is."""


@dataclass(frozen=True, eq=False)
class Grouping(ArrayValue):
    """One attribute: names of its groups, most rows first, and the group of each row of the sample."""

    name: str
    names: tuple[str, ...]
    code: NDArray[np.intp]


def groupings(frame: pd.DataFrame, attributes: pd.DataFrame, order: NDArray[np.intp]) -> tuple[Grouping, ...]:
    """Look up the attributes of every row of a frame of scored rows, in the order of its sample.

    Raises
    ------
    UserError
        An attribute is a column of the scored rows, a person is named twice, or an attribute has too many groups.
    """
    import pandas as pd

    table = attributes if "subject_id" in attributes.columns else attributes.reset_index()
    keys = ["subject_id", *(["as_of"] if "as_of" in table.columns else [])]
    names = [str(name) for name in table.columns if name not in keys and name != "index"]
    faults = [f"{name!r} is a column of the scored rows; it belongs beside them" for name in names if name in frame]
    if "subject_id" not in table.columns:
        faults.append("column 'subject_id' is missing")
    elif table.duplicated(keys).any():
        faults.append(f"{int(table.duplicated(keys).sum())} rows repeat {' and '.join(keys)}")
    if not names:
        faults.append("it holds no attribute")
    if faults:
        raise UserError(f"Cannot audit by these attributes: {'; '.join(faults)}.", tuple(faults))
    rows = frame[keys].copy()
    if "as_of" in keys:
        table = table.assign(as_of=pd.to_datetime(table["as_of"]).astype("datetime64[s]"))
        rows["as_of"] = pd.to_datetime(rows["as_of"]).astype("datetime64[s]")
    beside = rows.merge(table, on=keys, how="left", validate="many_to_one")
    grouping_list = tuple(_grouping(name, beside[name].iloc[order]) for name in names)
    many = [g.name for g in grouping_list if len(g.names) > MOST]
    if many:
        raise UserError(
            f"Cannot audit by {', '.join(many)}: more than {MOST} groups. Join them into bands before the audit."
        )
    return grouping_list


def _grouping(name: str, column: pd.Series) -> Grouping:
    import pandas as pd

    codes, values = pd.factorize(column, use_na_sentinel=False)
    names = [UNKNOWN if pd.isna(value) else str(value) for value in values]
    groups, same = np.unique(np.array(names), return_inverse=True)  # an empty value and the text "unknown" are one
    rows = np.bincount(same[codes], minlength=len(groups))
    by_size = sorted(range(len(groups)), key=lambda i: (-rows[i], groups[i]))
    place = np.empty(len(groups), np.intp)
    place[by_size] = np.arange(len(groups))
    return Grouping(name, tuple(str(groups[i]) for i in by_size), place[same[codes]])


def label(name: str, labels: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """Text of an attribute or a group in English and Chinese."""
    return labels.get(name) or LABELS.get(name, (name, name))


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
    secret = _secret(sample, grouping, counts, cuts)
    cutoffs = []
    for place, cut in enumerate(cuts):
        below = (sample.score < cut).astype(np.float64)
        eligible, tpr, fpr = (
            groups.shares(1 - below),
            groups.shares(below, sample.y),
            groups.shares(below, 1 - sample.y),
        )
        rows = []
        for i, name in enumerate(grouping.names):
            no_people, no_bads = secret[place][i] == "all", secret[place][i] != ""
            no_reference = no_people or secret[place][at] == "all"
            no_gap = no_bads or secret[place][at] != ""
            ratio = UNDEFINED if no_reference else ratio_estimate(eligible, i, at)
            rows.append(
                GroupAtCutoff(
                    group=name,
                    eligible=UNDEFINED if no_people else share_estimate(eligible, i),
                    ratio=ratio,
                    tpr=UNDEFINED if no_bads else share_estimate(tpr, i),
                    fpr=UNDEFINED if no_bads else share_estimate(fpr, i),
                    tpr_gap=UNDEFINED if no_gap else gap_estimate(tpr, i, at),
                    fpr_gap=UNDEFINED if no_gap else gap_estimate(fpr, i, at),
                    verdict="reference" if i == at else _verdict(ratio),
                )
            )
        visible = [i for i in range(len(rows)) if i != at and secret[place][i] == "" and secret[place][at] == ""]
        cutoffs.append(Cutoff(float(cut), tuple(rows), _widest((tpr, fpr), visible, at)))
    return tuple(cutoffs)


def _secret(sample: Sample, grouping: Grouping, counts: Sequence[Counts], cuts: Sequence[float]) -> list[list[str]]:
    """Return what may not be shown by cut-off and group: a step from the last shown one that holds too few people."""
    size = np.bincount(grouping.code, minlength=len(counts)).tolist()
    last = [(0, 0)] * len(counts)
    cells = []
    for cut in cuts:
        below = sample.score < cut
        row, now = [], []
        for i, count in enumerate(counts):
            own = grouping.code == i
            low, high = own & below, own & ~below
            people = distinct(sample.subject[low]), distinct(sample.subject[high])
            bads = int(sample.y[low].sum()), int(sample.y[high].sum())
            step = step_secret(people, bads, last[i])
            row.append("all" if "all" in (count.hidden, step) else count.hidden or step)
            now.append((people[0], bads[0]))
        no_people = with_second([h == "all" for h in row], size)
        no_bads = with_second([h != "" or n for h, n in zip(row, no_people, strict=True)], size)
        row = ["all" if n else "bads" if b else "" for n, b in zip(no_people, no_bads, strict=True)]
        last = [
            (n[0] if h != "all" else was[0], n[1] if h == "" else was[1])
            for h, n, was in zip(row, now, last, strict=True)
        ]
        cells.append(row)
    return cells


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
