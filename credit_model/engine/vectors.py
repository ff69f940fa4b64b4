"""The pass in whole columns: for machines without a compiler, and for batches too small to load one.

The same plan, tables and ladders as in ``loop``, the same integers, the same values to the last bit. An observation
joined with the records it sees is a *line*; a group picks lines and combines them by (observation, bin).

In: as ``loop.scan``. Out: values written in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from credit_model.engine import loop
from credit_model.engine.ladders import Days, Ints
from credit_model.engine.loop import Plan, Rows, Seen, Tables
from credit_model.visibility import spans

_COMBINE: dict[int, tuple[np.ufunc, int]] = {
    loop.SUM: (np.add, 0),
    loop.GREATEST: (np.maximum, -(2**63)),
    loop.LATEST: (np.maximum, -(2**63)),
    loop.LEAST: (np.minimum, 2**63 - 1),
    loop.EARLIEST: (np.minimum, 2**63 - 1),
    loop.LAST_GREATEST: (np.maximum, -(2**63)),
    loop.LAST_LEAST: (np.minimum, 2**63 - 1),
    loop.DECAYED: (np.add, 0),
}  # family: how values are combined, and what changes nothing


def scan(plan: Plan, days: Days, tables: Tables, rows: Rows, seen: Seen, out: NDArray[np.float32]) -> int:
    """Write the values of some observations into their rows of ``out`` (two-dimensional); returns as ``loop.scan``."""
    lines = _Lines(plan, days, tables, rows, seen)
    out[seen.row] = plan.none
    groups_too_great = -1
    for group in range(len(plan.family)):
        n, v, u = lines.bins(group)
        if group_is_too_great(plan, group, n, u):
            groups_too_great = group
        for f in range(plan.feature[group], plan.feature[group + 1]):
            defined, value = read(plan, f, n[:, plan.bin[f]], v[:, plan.bin[f]], seen.day)
            out[seen.row[defined], plan.column[f]] = value[defined]
    return groups_too_great


def group_is_too_great(plan: Plan, group: int, n: Ints, u: Ints) -> bool:
    """Whether a decayed sum of the group may not fit into 64 bits."""
    used = plan.bin[plan.feature[group] : plan.feature[group + 1]]
    n, u = n[:, used], u[:, used]
    return bool(plan.family[group] == loop.DECAYED and ((n > 0) & (u >= -(-(1 << 39) // np.maximum(n, 1)))).any())


def read(plan: Plan, f: int, n: Ints, v: Ints, day: Ints) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """What a definition reads off its bins: where it is defined, and the value there."""
    name = _READ[plan.read_as[f]]
    found, above, below = n > 0, v.astype(np.float64), np.ones(len(n))
    if name in ("count", "count_distinct", "any"):
        above = found.astype(np.float64) if name == "any" else n.astype(np.float64)
    elif name == "mean":
        below = n.astype(np.float64)
    elif name in ("recency_days", "tenure_days"):
        above = (day - v).astype(np.float64)
    elif name == "decayed_sum":
        below = np.full(len(n), float(1 << 24))
    elif name in ("ratio", "contrast"):
        found = found | (v > 0)
        above = (n - v).astype(np.float64)
        if name == "ratio":
            a, c = plan.prior_a[f], plan.prior_c[f]
            above, below = n + a, v + a + c
    defined = found & (below > 0)
    value = above / np.where(defined, below * plan.scale[f], 1.0)
    return defined, np.minimum(value, plan.cap[f])


_READ = (
    "count", "any", "count_distinct", "sum", "max", "min", "mean", "last", "recency_days", "tenure_days",
    "decayed_sum", "ratio", "contrast",
)  # fmt: skip


class _Lines:
    """One line for each record in force at the start of an observation's day, in order of observations."""

    def __init__(self, plan: Plan, days: Days, tables: Tables, rows: Rows, seen: Seen) -> None:
        held = seen.high - seen.low
        at = np.repeat(np.arange(len(held)), held)
        row = spans(seen.low, held)
        day = seen.day[at]
        kept = (rows.status[row] == loop.IN_FORCE) & (rows.start[row] <= day) & (day < rows.end[row])
        self.plan, self.days, self.tables, self.rows = plan, days, tables, rows
        self.observations = len(held)
        self.at, self.row, self.day = at[kept], row[kept], day[kept]
        self.code = rows.code[self.row]
        self.ladder_row = seen.ladder_row[self.at] * int(plan.width[0])
        self.on = tuple(column[self.row].astype(np.int64) for column in (rows.decided_on, rows.visible_from))
        self.places = [self._places(ladder) for ladder in range(len(plan.ladder_on))]
        classes = len(tables.first) - 1
        self.side = np.zeros((classes, len(plan.family)), np.int64)  # by class and group; 0: does not count
        self.side[np.repeat(np.arange(classes), np.diff(tables.first)), tables.group] = tables.side

    def _places(self, ladder: int) -> Ints:
        """The shortest window of a ladder that holds each line."""
        plan, on = self.plan, self.on[self.plan.ladder_on[ladder]]
        until = self.day - 1 + plan.ladder_on[ladder]
        nested = len(plan.ladder_size)
        if ladder >= nested:
            visit = self.tables.visit.reshape(-1, len(plan.ladder_on) - nested)[self.code, ladder - nested]
            last = np.full(self.observations, loop.NO_VALUE)
            made = np.flatnonzero((visit == 1) & (on <= until))
            np.maximum.at(last, self.at[made], on[made])
            missed: Ints = (on != last[self.at]).astype(np.int64)
            return missed
        size, age = plan.ladder_size[ladder], until - on
        place: Ints = self.days.guess[
            self.days.guess_first[ladder] + np.clip(age, 0, self.days.guess_last[ladder])
        ].copy()
        own = self.ladder_row + plan.ladder_first[ladder]
        doubtful = np.flatnonzero(place < size)
        while len(doubtful):
            doubtful = doubtful[on[doubtful] < self.days.lows[own[doubtful] + place[doubtful]]]
            place[doubtful] += 1
            doubtful = doubtful[place[doubtful] < size]
        place[age < 0] = size
        return place

    def bins(self, group: int) -> tuple[Ints, Ints, Ints]:
        """``n, v, u`` of a group by observation and bin, each bin with what the shorter ones hold."""
        plan, family, width = self.plan, self.plan.family[group], int(self.plan.bins[group])
        ladder = plan.ladder[group]
        place = plan.local_bin[plan.local[group] + self.places[ladder]]
        side = self.side[self.code, group]
        chosen = np.flatnonzero((place >= 0) & (side > 0))
        value = np.ones(len(chosen), np.int64)
        if plan.fact[group] >= 0:
            value = self.rows.facts[plan.fact[group] * len(self.rows.code) + self.row[chosen]]
            chosen, value = chosen[value != loop.NO_VALUE], value[value != loop.NO_VALUE]
        place, on = place[chosen], self.on[plan.ladder_on[ladder]][chosen]
        if family == loop.DISTINCT:
            place, chosen = self._first_places(chosen, value, place, width)
        key = self.at[chosen] * width + place
        size = self.observations * width

        def counted(lines: Any = slice(None)) -> Ints:
            return np.bincount(key[lines], minlength=size).reshape(-1, width).cumsum(axis=1)

        n = counted()
        nothing = np.zeros_like(n)
        if family in (loop.COUNT, loop.DISTINCT):
            return n, nothing, nothing
        if family == loop.SIDES:
            return counted((side[chosen] & 1) > 0), counted(side[chosen] > 1), nothing
        combine, neutral = _COMBINE[family]
        if family in (loop.LATEST, loop.EARLIEST):
            value = on
        u = nothing
        if family == loop.DECAYED:
            age = np.minimum(self.day[chosen] - on, plan.oldest[group])
            u = self._combined(np.maximum, 0, key, np.abs(value), size).reshape(-1, width)
            u = np.maximum.accumulate(u, axis=1)
            value = value * plan.weights[plan.weight[group] + age]
        elif family in (loop.LAST_GREATEST, loop.LAST_LEAST):
            last = self._combined(np.maximum, loop.NO_VALUE, key, on, size)[key] == on
            key, value = key[last], value[last]
        v = self._combined(combine, neutral, key, value, size).reshape(-1, width)
        if family in (loop.LAST_GREATEST, loop.LAST_LEAST):
            for bin in range(1, width):
                v[:, bin] = np.where(n[:, bin - 1] > 0, v[:, bin - 1], v[:, bin])
        else:
            v = combine.accumulate(v, axis=1)
        return n, np.where(n > 0, v, 0), u

    @staticmethod
    def _combined(combine: np.ufunc, neutral: int, key: Ints, value: Ints, size: int) -> Ints:
        result = np.full(size, neutral, np.int64)
        combine.at(result, key, value)
        return result

    def _first_places(self, chosen: Ints, value: Ints, place: Ints, width: int) -> tuple[Ints, Ints]:
        """Of each observation's distinct values one line each, in the shortest window that holds the value."""
        words, code = np.unique(value, return_inverse=True)
        pair = self.at[chosen] * max(len(words), 1) + code
        packed = np.unique(pair * width + place)
        first = np.flatnonzero(np.diff(packed // width, prepend=-1))
        packed = packed[first]
        # any line of the observation stands for it: only its observation is read
        line = np.searchsorted(self.at, packed // width // max(len(words), 1))
        return packed % width, line
