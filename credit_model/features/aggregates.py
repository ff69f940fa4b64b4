"""Declare every aggregate: its words, what it may be of, how the pass combines records and how a value is read.

An aggregate that combines records as another does is one entry here. A new way of combining is a family: a branch in
``kernel_compiled`` and one in ``kernel_numpy``.

In: the families and readings of the pass. Out: ``AGGREGATES``, which definitions, program and grid follow.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from credit_model.features.kernel_compiled import (
    ANY,
    AS_IT_IS,
    CONTRAST,
    COUNT,
    DECAYED,
    DISTINCT,
    GREATEST,
    LAST,
    MEAN,
    RATIO,
    SIDES,
    SUM,
    WEIGHTED,
)


class Aggregate(NamedTuple):
    """How records become a value.

    ``of`` says whether a column is aggregated; ``sign`` is -1 for the least, 0 for the worst by the trend; ``of_days``
    that the date is the value; ``daily`` that it changes from day to day without a new record; ``by_case`` that records
    of one case may count once.
    """

    en: str
    zh: str
    family: int
    of: Literal["needed", "allowed", ""] = ""
    read_as: int = AS_IT_IS
    sign: Literal[1, 0, -1] = 1
    missing: bool = False  # where nothing is counted, unless the definition says otherwise
    of_days: bool = False
    daily: bool = False
    by_case: bool = False
    grid_name: str = ""  # in names of a grid, where not its own


# fmt: off
AGGREGATES: Final[dict[str, Aggregate]] = {
    "count": Aggregate("number of {records}", "{records}条数", COUNT, by_case=True),
    "any": Aggregate(
        "whether there are {records} (1 or 0)", "有无{records}(有为1，无为0)", COUNT, read_as=ANY, by_case=True
    ),
    "count_distinct": Aggregate(
        "number of different {of} among {records}", "{records}中不同{of}的个数", DISTINCT, "needed",
        grid_name="distinct",
    ),
    "sum": Aggregate("total {of} of {records}", "{records}的{of}合计", SUM, "needed", by_case=True),
    "max": Aggregate("greatest {of} of {records}", "{records}的最高{of}", GREATEST, "needed", missing=True),
    "min": Aggregate("least {of} of {records}", "{records}的最低{of}", GREATEST, "needed", sign=-1, missing=True),
    "mean": Aggregate("mean {of} of {records}", "{records}的平均{of}", SUM, "needed", MEAN, missing=True),
    "last": Aggregate(
        "{of} of the latest of {records}", "最近一条{records}的{of}", LAST, "needed", sign=0, missing=True
    ),
    "recency_days": Aggregate(
        "days since the latest of {records}", "距最近一条{records}的天数", GREATEST,
        missing=True, of_days=True, daily=True, grid_name="days_since",
    ),
    "tenure_days": Aggregate(
        "days since the earliest of {records}", "距最早一条{records}的天数", GREATEST,
        sign=-1, missing=True, of_days=True, daily=True, grid_name="days_since_first",
    ),
    "decayed_sum": Aggregate(
        "{of} of {records}, halved every {half_life} days", "{records}的{of}(每{half_life}天减半)", DECAYED, "allowed",
        WEIGHTED, daily=True, by_case=True, grid_name="decayed",
    ),
    "ratio": Aggregate(
        "share of {part} among {whole}, shrunk by ({a}, {c})", "{whole}中{part}所占比例(收缩{a}、{c})", SIDES,
        read_as=RATIO,
    ),
    "contrast": Aggregate(
        "number of {part} less number of {whole}", "{part}条数减{whole}条数", SIDES, read_as=CONTRAST
    ),
}
# fmt: on
