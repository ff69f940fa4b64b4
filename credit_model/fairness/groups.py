"""Attributes of the people of a sample, taken from a frame of their own and put beside its rows.

In: a sample and a frame keyed by person. Out: `Grouping` by attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model import UserError

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
    UNKNOWN: ("not recorded", "未登记"),
}
"""How attributes and groups are written, in English and Chinese; what is not named is written as it is."""


@dataclass(frozen=True)
class Grouping:
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
    found = tuple(_grouping(name, beside[name].iloc[order]) for name in names)
    many = [g.name for g in found if len(g.names) > MOST]
    if many:
        raise UserError(
            f"Cannot audit by {', '.join(many)}: more than {MOST} groups. Join them into bands before the audit."
        )
    return found


def _grouping(name: str, column: pd.Series) -> Grouping:
    import pandas as pd

    found, values = pd.factorize(column, use_na_sentinel=False)
    names = [UNKNOWN if pd.isna(value) else str(value) for value in values]
    groups, same = np.unique(np.array(names), return_inverse=True)  # an empty value and the text "unknown" are one
    rows = np.bincount(same[found], minlength=len(groups))
    by_size = sorted(range(len(groups)), key=lambda i: (-rows[i], groups[i]))
    place = np.empty(len(groups), np.intp)
    place[by_size] = np.arange(len(groups))
    return Grouping(name, tuple(str(groups[i]) for i in by_size), place[same[found]])


def label(name: str, labels: Mapping[str, tuple[str, str]] | None) -> tuple[str, str]:
    """Text of an attribute or a group in English and Chinese."""
    return (labels or {}).get(name) or LABELS.get(name, (name, name))
