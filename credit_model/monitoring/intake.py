"""Decisions by month and kind, where a change in inspection or in delivery shows first.

A score moves only months after authorities do: a decision has to become final first, and then stand on a file beside
years of others. The count of decisions moves at once. A month is counted as known so many months after its end, and so
is every month it is compared with: a month still coming in is compared with months just as young.

In: a ledger, a day. Out: `Intake` by kind as plain values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.calendar import add_months
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.performance import SMALLEST_CELL

HISTORY = 24
"""Months a month is compared with."""
LAGS = (0, 1)
"""Months after its end at which a month is counted."""
CHANGE = 1.25
"""A count matters when it is at least so many times the usual, or the other way round."""
FEWEST = 10.0
"""Decisions a month, in the usual or in this one, from which a kind is judged by itself."""
_LEVEL = 0.0005  # false alarms in all kinds, lags and directions together


@dataclass(frozen=True)
class Intake:
    """Decisions of one kind in one month.

    Attributes
    ----------
    kind, label_en, label_zh : str
    polarity : str
    month : str
        ``2021-06``.
    months_after : int
        Months after its end at which it, and the usual, are counted.
    decisions : int or None
        None where fewer than ten.
    usual : float
        Median of the months before.
    times : float or None
        Decisions over usual.
    p_value : float
        Two-sided, of this kind alone.
    moved : bool
    """

    kind: str
    label_en: str
    label_zh: str
    polarity: str
    month: str
    months_after: int
    decisions: int | None
    usual: float
    times: float | None
    p_value: float
    moved: bool


@dataclass(frozen=True)
class Episode:
    """Months of the last two years in which decisions of a kind were more, or fewer, than usual."""

    kind: str
    label_en: str
    label_zh: str
    first: str
    last: str
    months: int
    times: float


def intake_of(ledger: Ledger, day: int) -> tuple[Intake, ...]:
    """Count decisions by kind in the last months before a day and compare them with two years of the same age.

    Parameters
    ----------
    ledger : Ledger
    day : int
        Days since 1970-01-01; what was known strictly before it counts.

    Notes
    -----
    The spread of the months before is their own: a robust variance over the mean, at least 1 (a Poisson count). The
    tail is that of a negative binomial with this mean and spread, widened for the error of the median.
    """
    months = [one for lag in LAGS for one in _months(ledger, day, lag, 1)]
    return tuple(_with_verdict(one, len(months)) for one in months)


def episodes_of(ledger: Ledger, day: int) -> tuple[Episode, ...]:
    """Return when, in the last two years, decisions of a kind were out of the usual; characteristics carry them on."""
    months = _months(ledger, day, max(LAGS), HISTORY)
    by_kind: dict[str, list[Intake]] = {}
    for one in months:
        if _with_verdict(one, len(months)).moved:
            by_kind.setdefault(one.kind, []).append(one)
    return tuple(
        Episode(
            kind, unusual[0].label_en, unusual[0].label_zh, min(one.month for one in unusual),
            max(one.month for one in unusual), len(unusual),
            float(np.mean([one.times for one in unusual if one.times is not None])),
        )
        for kind, unusual in by_kind.items()
    )  # fmt: skip


def _months(ledger: Ledger, day: int, lag: int, last: int) -> list[Intake]:
    """Compare every kind in each of the last months that are old enough with the months before it."""
    records = ledger.tables().records
    visible = records["known_on"] < day
    kind = records["kind"][visible].astype(str)
    decided_on, known_on = records["decided_on"][visible], records["known_on"][visible]
    if not len(kind):
        return []
    this = np.int64(day).astype("datetime64[D]").astype("datetime64[M]")
    starts = np.array([this - back for back in range(HISTORY + last + lag, -1, -1)])
    edges = starts.astype("datetime64[D]").astype(np.int64)
    month = np.searchsorted(edges, decided_on, side="right") - 1
    # a month is counted as known before the end of the month `lag` after it
    until = np.array([add_months(int(edge), lag) for edge in edges[1:]])
    inside = (month >= 0) & (decided_on < edges[-1])
    inside[inside] = known_on[inside] < until[month[inside]]
    codes, place = np.unique(kind[inside], return_inverse=True)
    table = np.zeros((len(codes), len(until)))
    np.add.at(table, (place.ravel(), month[inside]), 1)
    first = int(decided_on.min())
    months = []
    for at in range(len(until) - lag - last, len(until) - lag):
        before = [i for i in range(at - HISTORY, at) if edges[i] >= first]
        if len(before) >= HISTORY // 2:
            months += [
                _compare(ledger.catalogue, str(code), str(starts[at]), lag, table[row, at], table[row, before])
                for row, code in enumerate(codes)
            ]
    return months


def _compare(
    catalogue: Catalogue, code: str, month: str, lag: int, count: float, before: NDArray[np.float64]
) -> Intake:
    from scipy.stats import nbinom, poisson

    usual = float(np.median(before))
    usual = usual if usual > 0 else float(before.mean())
    mean = max(usual, 1 / len(before))
    spread = (1.4826 * float(np.median(np.abs(before - usual)))) ** 2 / mean
    variance = mean * max(spread, 1.0) * (1 + math.pi / 2 / len(before))
    if variance > mean * (1 + 1e-9):
        share, size = mean / variance, mean**2 / (variance - mean)
        upper, lower = float(nbinom.sf(count - 1, size, share)), float(nbinom.cdf(count, size, share))
    else:
        upper, lower = float(poisson.sf(count - 1, mean)), float(poisson.cdf(count, mean))
    label = catalogue.kinds[code]
    return Intake(
        code, label.label_en, label.label_zh, label.polarity, month, lag,
        None if 0 < count < SMALLEST_CELL else int(count), usual, float(count / usual) if usual > 0 else None,
        min(1.0, 2 * min(upper, lower)), False,
    )  # fmt: skip


def _with_verdict(one: Intake, tests: int) -> Intake:
    enough = max(one.usual, float(one.decisions or 0)) >= FEWEST
    times = one.times if one.times is not None else math.inf
    matters = times >= CHANGE or times <= 1 / CHANGE
    return replace(one, moved=bool(enough and matters and one.p_value < _LEVEL / max(tests, 1)))
