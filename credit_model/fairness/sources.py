"""Which authority the events come from: where one source reports more than before, the label has moved, not people.

Labels are made by inspection and reporting. A base rate that rises in one source alone, or differs between districts
beyond what a card expects, tells of enforcement as much as of conduct.

In: the sources of the events of some samples, and how many people each sample has. Out: `SourceRate` by source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from credit_model import UserError
from credit_model.metrics.performance import FEWEST_BADS, UNDEFINED, Estimate


@dataclass(frozen=True)
class SourceRate:
    """Events of one source: how many for each person observed, in two samples, and the second rate over the first.

    ``flagged`` where the whole interval of the ratio lies outside 0.8 to 1.25. Counts under 3 are left blank.
    """

    source: str
    development: int | None
    out_of_time: int | None
    development_rate: float | None
    out_of_time_rate: float | None
    ratio: Estimate
    flagged: bool


def source_rates(
    development: Sequence[str],
    development_rows: int,
    out_of_time: Sequence[str],
    out_of_time_rows: int,
    *,
    limits: tuple[float, float] = (0.8, 1.25),
    level: float = 0.95,
) -> tuple[SourceRate, ...]:
    """Compare how often each source reported the events of two samples.

    Parameters
    ----------
    development, out_of_time : sequence of str
        Source of the event of every bad row.
    development_rows, out_of_time_rows : int
        Rows of each sample, good and bad.
    limits, level

    Returns
    -------
    tuple of SourceRate
        Most events first; sources with too few in both samples stand together as ``""``.

    Notes
    -----
    Ratio of two Poisson rates, ``se(ln r)^2 = 1/d + 1/o``.

    Examples
    --------
    >>> court, fines = source_rates(["court"] * 40 + ["fines"] * 40, 1000, ["court"] * 20 + ["fines"] * 40, 500)
    >>> court.ratio.value, fines.ratio.value, fines.flagged
    (1.0, 2.0, True)
    """
    if min(development_rows, out_of_time_rows) < 1 or len(development) > development_rows:
        raise UserError("Cannot compare sources: a sample needs rows, and no more events than rows.")
    counts: dict[str, list[int]] = {}
    for place, sources in enumerate((development, out_of_time)):
        for source in sources:
            counts.setdefault(source, [0, 0])[place] += 1
    few = [source for source, found in counts.items() if any(0 < n < FEWEST_BADS for n in found)]
    rest = sorted((s for s in counts if s not in few), key=lambda s: (sum(counts[s]), s))
    # One blank beside a published total would be no secret, and no more would a sum that is itself too small.
    while few and rest and (len(few) == 1 or any(0 < sum(counts[s][i] for s in few) < FEWEST_BADS for i in (0, 1))):
        few.append(rest.pop(0))
    if few:
        joined = [counts.pop(source) for source in few]
        counts[""] = [sum(found[place] for found in joined) for place in (0, 1)]
    rates = [
        _rate(source, found[0], development_rows, found[1], out_of_time_rows, limits, level)
        for source, found in counts.items()
    ]
    return tuple(sorted(rates, key=lambda row: (row.source == "", -(row.development or 0), row.source)))


def _rate(
    source: str, before: int, rows_before: int, after: int, rows: int, limits: tuple[float, float], level: float
) -> SourceRate:
    ratio = UNDEFINED
    if before and after:
        reach = math.exp(NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(1 / before + 1 / after))
        value = (after / rows) / (before / rows_before)
        ratio = Estimate(value, value / reach, value * reach)
    flagged = ratio.high is not None and ratio.low is not None and (ratio.high < limits[0] or ratio.low > limits[1])
    first, second = (None if 0 < n < FEWEST_BADS else n for n in (before, after))
    hidden = first is None or second is None
    return SourceRate(
        source=source,
        development=first,
        out_of_time=second,
        development_rate=None if first is None else first / rows_before,
        out_of_time_rate=None if second is None else second / rows,
        ratio=UNDEFINED if hidden else ratio,
        flagged=flagged and not hidden,
    )
