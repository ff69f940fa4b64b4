"""The pass in whole columns: for machines without a compiler, and for batches too small to load one.

The same plan, tables and ladders as in ``loop``, the same integers, the same values to the last bit. An observation
joined with the records it sees is a *line*; a group picks lines and combines them by (observation, bin).

In: as ``loop.scan``. Out: values written in place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from credit_model.features import kernel_compiled as loop
from credit_model.features.facts import Mask
from credit_model.features.kernel_compiled import Days, KernelTables, Observations, Plan, Rows
from credit_model.features.program import Ints
from credit_model.visibility.tables import spans


def scan(
    plan: Plan, days: Days, tables: KernelTables, rows: Rows, observations: Observations, out: NDArray[np.float32]
) -> int:
    """Write the values of some observations into their rows of ``out`` (two-dimensional); returns as ``loop.scan``."""
    lines = _Lines(plan, days, tables, rows, observations)
    too_great = -1
    for group in range(len(plan.family)):
        planes = lines.planes(group)
        for f in range(plan.feature[group], plan.feature[group + 1]):
            planes_at_bin = [plane[:, plan.bin[f]] for plane in planes]
            column = plan.column[f]
            has_value, value = _read(plan, group, f, planes_at_bin, observations.day)
            out[observations.row, column] = np.where(has_value, value, plan.none[column])
            if plan.family[group] == loop.DECAYED and _is_too_great(planes_at_bin[1], planes_at_bin[2]):
                too_great = group
    return too_great


def records_used(
    plan: Plan, days: Days, tables: KernelTables, rows: Rows, observations: Observations
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the rows in force, in order of observations, and by row and definition whether it made the value."""
    lines = _Lines(plan, days, tables, rows, observations)
    places = np.stack(lines.places)[plan.ladder] if len(plan.family) else np.zeros((0, len(lines.row)), np.int64)
    bins = plan.local_cell[plan.local[:, None] + places] - plan.cell[:, None]
    counts = tables.sides[lines.code].T > 0
    for fact in np.unique(plan.fact[plan.fact >= 0]):
        counts[plan.fact == fact] &= rows.facts[fact * len(rows.code) + lines.row] != loop.NO_VALUE
    group = np.repeat(np.arange(len(plan.family)), np.diff(plan.feature))
    uses = np.empty((len(lines.row), len(plan.column)), np.bool_)
    uses[:, plan.column] = (counts[group] & (bins[group] <= plan.bin[:, None])).T
    for f in np.flatnonzero(plan.by_case[group]) if len(plan.by_case) and lines.is_shared.any() else ():
        used = np.flatnonzero(uses[:, plan.column[f]])
        value, on = lines.values(group[f], used), lines.on[plan.ladder_on[plan.ladder[group[f]]]][used]
        uses[used[~is_worst_of_case(lines.case[used], value, on)], plan.column[f]] = False
    return lines.row, uses


def is_worst_of_case(case: Ints, value: Ints, on: Ints) -> Mask:
    """Mark one record of each case, the one that counts: of the greatest value, of equals the latest.

    Examples
    --------
    >>> is_worst_of_case(np.array([7, 7, 8]), np.array([1, 1, 5]), np.array([20, 30, 10])).tolist()
    [False, True, True]
    """
    order = np.lexsort((-on, -value, case))
    is_worst = np.zeros(len(case), np.bool_)
    is_worst[order[np.flatnonzero(np.diff(case[order], prepend=-1))]] = True
    return is_worst


def _is_too_great(counts: Ints, value: Ints) -> bool:
    """Whether a decayed sum of so many values so great may not fit into 64 bits."""
    return bool(((counts > 0) & (value >= -(-(1 << 39) // np.maximum(counts, 1)))).any())


def _read(
    plan: Plan, group: int, f: int, planes_at_bin: list[Ints], day: Ints
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Read a definition off its bins: where anything was counted, and the value there."""
    family, how, first = plan.family[group], plan.read_as[f], planes_at_bin[0]
    has_value, above, below = planes_at_bin[-1] > 0, first, np.ones(len(first))
    if family == loop.SUM and len(planes_at_bin) == 1:
        has_value = first != 0  # else nothing is 0, as the sum of nothing is
    elif how == loop.ANY:
        above = np.minimum(first, 1)
    elif how == loop.MEAN:
        below = planes_at_bin[1].astype(np.float64)
    elif family == loop.GREATEST:
        has_value, above = first != loop.NO_VALUE, plan.sign[group] * first
        above = day - above if plan.date[group] else above
    elif family == loop.LAST:
        has_value, above = first != loop.NO_VALUE, plan.sign[group] * planes_at_bin[1]
    elif family == loop.DECAYED:
        has_value, below = planes_at_bin[1] > 0, np.full(len(first), float(loop.WEIGHT))
    elif family == loop.SIDES:
        has_value, above = first + planes_at_bin[1] > 0, first - planes_at_bin[1]
        if how == loop.RATIO:
            above, below = first + plan.prior_a[f], planes_at_bin[1] + plan.prior_a[f] + plan.prior_c[f]
            has_value &= below > 0
    value = above / np.where(has_value, below * plan.scale[f], 1.0)
    return has_value, np.minimum(value, plan.cap[f])


class _Lines:
    """One line for each record in force at the start of an observation's day, in order of observations."""

    def __init__(self, plan: Plan, days: Days, tables: KernelTables, rows: Rows, observations: Observations) -> None:
        row_counts = observations.high - observations.low
        at = np.repeat(np.arange(len(row_counts)), row_counts)
        row = spans(observations.low, row_counts)
        day = observations.day[at]
        in_force = (rows.status[row] == loop.IN_FORCE) & (rows.start[row] <= day) & (day < rows.end[row])
        self.plan, self.days, self.tables, self.rows = plan, days, tables, rows
        self.observation_count = len(row_counts)
        self.at, self.row, self.day = at[in_force], row[in_force], day[in_force]
        self.code = rows.code[self.row]
        self.ladder_row = observations.ladder_row[self.at] * int(plan.width[0])
        self.on = tuple(column[self.row].astype(np.int64) for column in (rows.decided_on, rows.visible_from))
        self.places = [self._places(ladder) for ladder in range(len(plan.ladder_on))]
        self.case = np.zeros(0, np.int64)  # of each line, its observation's own
        self.is_shared = np.zeros(len(self.row), np.bool_)
        if plan.by_case.any():
            case = self.at * (int(rows.case.max(initial=0)) + 1) + rows.case[self.row]
            _, self.case, count = np.unique(case, return_inverse=True, return_counts=True)
            self.is_shared = count[self.case] > 1

    def _places(self, ladder: int) -> Ints:
        """Return the shortest window of a ladder that holds each line."""
        plan, on = self.plan, self.on[self.plan.ladder_on[ladder]]
        until = self.day - 1 + plan.ladder_on[ladder]
        nested = len(plan.ladder_size)
        if ladder >= nested:
            visit = self.tables.visit.reshape(-1, len(plan.ladder_on) - nested)[self.code, ladder - nested]
            last = np.full(self.observation_count, loop.NO_VALUE)
            visit_lines = np.flatnonzero((visit == 1) & (on <= until))
            np.maximum.at(last, self.at[visit_lines], on[visit_lines])
            outside: Ints = (on != last[self.at]).astype(np.int64)
            return outside
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

    def planes(self, group: int) -> list[Ints]:
        """Return the planes of a group by observation and bin, each bin with what the shorter ones hold."""
        plan, family, width = self.plan, self.plan.family[group], int(self.plan.bins[group])
        ladder, sign = plan.ladder[group], plan.sign[group]
        place = plan.local_cell[plan.local[group] + self.places[ladder]] - plan.cell[group]
        side = self.tables.sides[self.code, group]
        lines = np.flatnonzero((place < width) & (side > 0))
        value = self._facts(group, lines)
        lines, value = lines[value != loop.NO_VALUE], value[value != loop.NO_VALUE]
        place, on = place[lines], self.on[plan.ladder_on[ladder]][lines]
        if family == loop.DISTINCT:
            place, lines = self._first_places(lines, value, place, width)
        value_of_record, is_first = value, np.ones(len(lines), np.bool_)
        if family == loop.DECAYED:
            value = self._weighted(group, lines, value)
        if plan.by_case[group]:
            value, is_first = self._beyond_the_case(lines, place, value)
        key = self.at[lines] * width + place

        def count(among: Mask | slice = slice(None)) -> Ints:
            return np.bincount(key[among], minlength=self.observation_count * width).reshape(-1, width).cumsum(axis=1)

        def combine_by_cell(combine: np.ufunc, nothing: int, values: Ints) -> Ints:
            cells = np.full(self.observation_count * width, nothing, np.int64)
            combine.at(cells, key, values)
            return cells.reshape(-1, width)

        if family <= loop.DISTINCT:
            return [count(is_first)]
        if family == loop.SIDES:
            return [count((side[lines] & 1) > 0), count(side[lines] > 1)]
        if family == loop.SUM:
            summed = combine_by_cell(np.add, 0, value).cumsum(axis=1)
            return [summed, count(is_first)] if plan.planes[group] == 2 else [summed]
        if family == loop.GREATEST:
            greatest = combine_by_cell(np.maximum, loop.NO_VALUE, sign * (on if plan.date[group] else value))
            return [np.maximum.accumulate(greatest, axis=1)]
        if family == loop.DECAYED:
            greatest = combine_by_cell(np.maximum, 0, np.abs(value_of_record))
            weighted = combine_by_cell(np.add, 0, value).cumsum(axis=1)
            return [weighted, count(is_first), np.maximum.accumulate(greatest, axis=1)]
        latest = combine_by_cell(np.maximum, loop.NO_VALUE, on)
        last = latest.ravel()[key] == on
        key, value, seq = key[last], value[last], self.rows.seq[self.row[lines[last]]]
        if not plan.ladder_on[ladder]:  # the order within a day is of the day of the decision
            last = combine_by_cell(np.maximum, loop.NO_VALUE, seq).ravel()[key] == seq
            key, value = key[last], value[last]
        greatest = combine_by_cell(np.maximum, loop.NO_VALUE, sign * value)
        for bin in range(1, width):
            for plane in (greatest, latest):
                plane[:, bin] = np.where(latest[:, bin - 1] != loop.NO_VALUE, plane[:, bin - 1], plane[:, bin])
        return [latest, greatest]

    def values(self, group: int, lines: Ints) -> Ints:
        """Return what each line that has a value adds to a group, weighted where the group weighs."""
        value = self._facts(group, lines)
        return self._weighted(group, lines, value) if self.plan.family[group] == loop.DECAYED else value

    def _facts(self, group: int, lines: Ints) -> Ints:
        fact = int(self.plan.fact[group])
        if fact < 0:
            return np.ones(len(lines), np.int64)
        values: Ints = self.rows.facts[fact * len(self.rows.code) + self.row[lines]]
        return values

    def _weighted(self, group: int, lines: Ints, value: Ints) -> Ints:
        plan, on = self.plan, self.on[self.plan.ladder_on[self.plan.ladder[group]]][lines]
        weighted: Ints = value * plan.weights[plan.weight[group] + np.clip(self.day[lines] - on, 0, plan.oldest[group])]
        return weighted

    def _beyond_the_case(self, lines: Ints, place: Ints, value: Ints) -> tuple[Ints, Mask]:
        """Return by how much each line is worse than its case in shorter windows, and whether it is its first."""
        value, is_first = value.copy(), np.ones(len(lines), np.bool_)
        shared = np.flatnonzero(self.is_shared[lines])
        order = shared[np.lexsort((place[shared], self.case[lines[shared]]))]
        begins = np.diff(self.case[lines[order]], prepend=-1) != 0
        levels, level = np.unique(value[order], return_inverse=True)
        step = np.cumsum(begins) * len(levels)  # a running maximum that starts anew with every case
        worst = levels[np.maximum.accumulate(level + step) - step]
        value[order] = np.where(begins, worst, np.diff(worst, prepend=0))
        is_first[order] = begins
        return value, is_first

    def _first_places(self, lines: Ints, value: Ints, place: Ints, width: int) -> tuple[Ints, Ints]:
        """Of each observation's distinct values one line each, in the shortest window that holds the value."""
        words, code = np.unique(value, return_inverse=True)
        pair = self.at[lines] * max(len(words), 1) + code
        packed = np.unique(pair * width + place)
        first = np.flatnonzero(np.diff(packed // width, prepend=-1))
        packed = packed[first]
        # any line of the observation stands for it: only its observation is read
        line = np.searchsorted(self.at, packed // width // max(len(words), 1))
        return packed % width, line
