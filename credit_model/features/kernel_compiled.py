"""The pass: every record of an observation's subject once, every value of the result once.

One source, two ways: compiled, or as it stands (slow, the same to the last bit). So it keeps to what both understand:
flat arrays, integers, ``for``. Numbers are added in int64 and divided once.

Observations go in tiles: bins lie side by side for the observations of a tile, so that adding windows up and writing
values are loops over neighbours, which the compiler makes vectors of. ``& INDEX`` tells it that a place is no negative
one.

In: a plan, ladders seen from the days, class tables, rows of segments, observations. Out: values written in place.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.integer[Any]]  # lists of numbers where the pass runs uncompiled
Floats: TypeAlias = NDArray[np.floating[Any]]

NO_VALUE: Final = -(2**63)
INDEX: Final = 2**48 - 1
IN_FORCE: Final = 0
# How records of a group are combined, and what its planes of bins hold. A least is the greatest of the negatives.
COUNT: Final = 0  # records
DISTINCT: Final = 1  # distinct values
SUM: Final = 2  # sum, and records where nothing is not 0
SIDES: Final = 3  # records of the numerator, of the denominator
DECAYED: Final = 4  # weighted sum, records, the greatest value (for fear of overflow)
GREATEST: Final = 5  # a value or a day
LAST: Final = 6  # the last day, its greatest value, its last place within the day
# How a definition reads its bins, where the family does not say it.
AS_IT_IS: Final = 0
ANY: Final = 1
RATIO: Final = 2
CONTRAST: Final = 3
MEAN: Final = 4
WEIGHTED: Final = 5
WEIGHT: Final = 1 << 24  # the unit of decay weights
_MOST: Final = 2**63 - 1
_ROOM: Final = 1 << 39  # of a sum of values before they are weighted


class Plan(NamedTuple):
    """A program: arrays by ladder, by group (``feature`` one longer), and by definition in the order of groups.

    A group has ``planes`` of ``bins`` cells and one more for what no window holds, from ``cell`` on.
    """

    none: Floats  # by column
    ladder_on: Integers
    ladder_first: Integers
    ladder_size: Integers
    width: Integers
    family: Integers
    fact: Integers
    date: Integers  # whether the value is the date itself
    sign: Integers
    ladder: Integers
    local: Integers
    cell: Integers
    bins: Integers
    planes: Integers
    feature: Integers
    weight: Integers
    oldest: Integers
    by_case: Integers  # whether of the records of a case the worst alone counts
    cells: Integers
    local_cell: Integers
    weights: Integers
    column: Integers
    bin: Integers
    read_as: Integers
    plain: Integers  # whether neither scaled nor capped
    scale: Floats
    cap: Floats
    prior_a: Floats
    prior_c: Floats


class Days(NamedTuple):
    """Ladders seen from the days of observations; ``row`` is each one's row in the tables.

    ``lows[row * width + ladder_first[l] + w]`` is the lowest day of window w of ladder l; the shortest window that may
    still hold an age is ``guess[guess_first[l] + age]``, up to the age ``guess_last[l]``.
    """

    row: Integers
    lows: Integers
    guess: Integers
    guess_first: Integers
    guess_last: Integers


class KernelTables(NamedTuple):
    """By class and ladder the groups it counts in, ``first[c * ladders + l]:first[c * ladders + l + 1]``, and on which
    side; by class and ladder of ``last_day``, whether it is of that kind. ``sides`` says the same by class and group.
    """

    first: Integers
    group: Integers
    side: Integers
    visit: Integers
    sides: Integers


class Rows(NamedTuple):
    """Rows of segments, sorted by subject; ``facts[f * len + i]`` is fact f of row i."""

    start: Integers
    end: Integers
    status: Integers
    code: Integers
    decided_on: Integers
    visible_from: Integers
    case: Integers  # empty where nothing counts cases
    seq: Integers  # order within a day; empty where nothing is a last value
    facts: Integers


class Observations(NamedTuple):
    """Observations: row of the result, day, row of the ladders' table, rows of segments from low to high."""

    row: NDArray[np.int64]
    day: NDArray[np.int64]
    ladder_row: Integers
    low: NDArray[np.int64]
    high: NDArray[np.int64]


class Work(NamedTuple):
    """Scratch: bins of a tile, ``local_cell`` in it, last days, a column of it, a hash table of distinct values.

    For cases: rows in force and whether their case has several of them, a hash table of cases; rows of such cases by
    case, latest first, for each date; by group the case last met and its worst value.
    """

    bins: Integers
    cell: Integers
    last: Integers
    value: Floats
    slot_mark: Integers
    slot_group: Integers
    slot_value: Integers
    slot_cell: Integers
    row: Integers
    is_shared: Integers
    case_mark: Integers
    case_first: Integers
    by_date: Integers
    worst_mark: Integers
    worst_case: Integers
    worst: Integers


class Target(NamedTuple):
    """Where values go: flat, ``step`` from one column to the next."""

    values: NDArray[np.float32]
    step: int


def scan(
    plan: Plan,
    days: Days,
    tables: KernelTables,
    rows: Rows,
    observations: Observations,
    work: Work,
    target: Target,
) -> int:
    """Write the values of some observations into their rows of the target.

    Returns
    -------
    int
        -1, or a group whose values are too great for a decayed sum.
    """
    groups, observed, too_great = len(plan.family), len(observations.row), -1
    ladders, nested, width = len(plan.ladder_on), len(plan.ladder_size), plan.width[0]
    length, slots, tile = len(rows.code), len(work.slot_mark) - 1, len(work.value)
    counts_cases, first_date, last_date = False, 1, 0  # dates in the order of which records of a case are taken
    for group in range(groups):
        if plan.by_case[group]:
            counts_cases = True
            first_date = min(first_date, plan.ladder_on[plan.ladder[group]])
            last_date = max(last_date, plan.ladder_on[plan.ladder[group]])
    bins, out, step = work.bins, target.values, target.step

    for tile_begin in range(0, observed, tile):
        begin = tile_begin & INDEX
        size = min(tile, observed - begin) & INDEX
        for group in range(groups):
            nothing = NO_VALUE if plan.family[group] >= GREATEST else 0
            first = (plan.cell[group] * tile) & INDEX
            many = (plan.planes[group] * (plan.bins[group] + 1) * tile) & INDEX
            for at in range(first, first + many):
                bins[at] = nothing

        # ---------------------------------------------------------------- records into bins
        for t in range(size):
            j = begin + t
            day, low, high = observations.day[j], observations.low[j] & INDEX, observations.high[j] & INDEX
            seen_from = observations.ladder_row[j] * width
            for ladder in range(nested, ladders):  # the last day before with a record of the kind
                on_visible = plan.ladder_on[ladder]
                last, until = NO_VALUE, day - 1 + on_visible
                for i in range(low, high):
                    if rows.status[i] == IN_FORCE and rows.start[i] <= day and day < rows.end[i]:
                        is_visit = tables.visit[rows.code[i] * (ladders - nested) + ladder - nested]
                        on = rows.visible_from[i] if on_visible else rows.decided_on[i]
                        if is_visit and last < on and on <= until:
                            last = on
                work.last[ladder] = last
            in_force, shared, case_slots = 0, 0, 1
            while counts_cases and case_slots < 2 * (high - low):
                case_slots = 2 * case_slots + 1
            for i in range(low, high):
                if rows.status[i] != IN_FORCE or day < rows.start[i] or rows.end[i] <= day:
                    continue
                work.row[in_force] = i
                work.is_shared[in_force] = 0
                if counts_cases:
                    slot = ((rows.case[i] * 2654435761) >> 7) & case_slots
                    while work.case_mark[slot] == j + 1 and (
                        rows.case[work.row[work.case_first[slot] & INDEX] & INDEX] != rows.case[i]
                    ):
                        slot = (slot + 1) & case_slots
                    if work.case_mark[slot] != j + 1:
                        work.case_mark[slot] = j + 1
                        work.case_first[slot] = in_force
                    else:
                        first = work.case_first[slot] & INDEX
                        shared += 1 if work.is_shared[first] else 2
                        work.is_shared[first] = work.is_shared[in_force] = 1
                in_force += 1
            # Records of a case, latest first: windows nest, so each adds what it is worse by than those before it.
            for date in range(first_date, last_date + 1 if shared else first_date):
                begins = (date - first_date) * shared
                place = begins
                for k in range(in_force):
                    if work.is_shared[k]:
                        i, at = work.row[k] & INDEX, place
                        on = rows.visible_from[i] if date else rows.decided_on[i]
                        while at > begins:
                            other = work.by_date[(at - 1) & INDEX] & INDEX
                            other_on = rows.visible_from[other] if date else rows.decided_on[other]
                            if rows.case[other] < rows.case[i] or (rows.case[other] == rows.case[i] and other_on >= on):
                                break
                            work.by_date[at & INDEX] = other
                            at -= 1
                        work.by_date[at & INDEX] = i
                        place += 1
            for k in range(in_force + (last_date - first_date + 1) * shared):
                date, is_shared = -1, 1
                if k < in_force:
                    i, is_shared = work.row[k] & INDEX, work.is_shared[k]
                else:
                    i = work.by_date[k - in_force] & INDEX
                    date = first_date if k < in_force + shared else last_date
                entered = (rows.code[i] * ladders) & INDEX
                for ladder in range(ladders):
                    entry, entries = tables.first[entered + ladder] & INDEX, tables.first[entered + ladder + 1] & INDEX
                    on_visible = plan.ladder_on[ladder]
                    if entry == entries or (date >= 0 and on_visible != date):
                        continue
                    on = rows.visible_from[i] if on_visible else rows.decided_on[i]
                    age = day - 1 + on_visible - on
                    if ladder >= nested:
                        place = 0 if on == work.last[ladder] else 1
                    elif age < 0:
                        place = plan.ladder_size[ladder]
                    else:  # the shortest window that holds the record
                        place = days.guess[(days.guess_first[ladder] + min(age, days.guess_last[ladder])) & INDEX]
                        own, rungs = (seen_from + plan.ladder_first[ladder]) & INDEX, plan.ladder_size[ladder]
                        while place < rungs and on < days.lows[own + place]:
                            place += 1
                    for at in range(entry, entries):
                        group = tables.group[at] & INDEX
                        if is_shared and plan.by_case[group] != (date >= 0):
                            continue
                        cell = (work.cell[(plan.local[group] + place) & INDEX] + t) & INDEX
                        family = plan.family[group]
                        value = 1
                        if plan.fact[group] >= 0:
                            value = rows.facts[(plan.fact[group] * length + i) & INDEX]
                            if value == NO_VALUE:
                                continue
                        if family == COUNT and date < 0:
                            bins[cell] += 1
                            continue
                        plane = (plan.bins[group] + 1) * tile
                        second = (cell + plane) & INDEX
                        if date >= 0:
                            if cell >= (plan.cell[group] + plan.bins[group]) * tile:  # no window holds it
                                continue
                            if family == DECAYED:
                                age = max(0, min(day - on, plan.oldest[group]))
                                third = (cell + 2 * plane) & INDEX
                                bins[third] = max(bins[third], abs(value))
                                value *= plan.weights[plan.weight[group] + age]
                            if work.worst_mark[group] != j + 1 or work.worst_case[group] != rows.case[i]:
                                work.worst_mark[group] = j + 1
                                work.worst_case[group] = rows.case[i]
                                work.worst[group] = value
                                bins[cell] += value
                                if plan.planes[group] > 1:
                                    bins[second] += 1
                            elif value > work.worst[group]:
                                bins[cell] += value - work.worst[group]
                                work.worst[group] = value
                            continue
                        if family == SUM:
                            bins[cell] += value
                            if plan.planes[group] == 2:
                                bins[second] += 1
                        elif family == GREATEST:
                            value = plan.sign[group] * (on if plan.date[group] else value)
                            bins[cell] = max(bins[cell], value)
                        elif family == SIDES:
                            side = tables.side[at]
                            bins[cell] += side & 1
                            bins[second] += side >> 1
                        elif family == LAST:
                            value *= plan.sign[group]
                            third = (cell + 2 * plane) & INDEX
                            seq = NO_VALUE if on_visible else rows.seq[i]  # of the day of the decision
                            tied = on == bins[cell] and seq == bins[third]
                            later = on > bins[cell] or (on == bins[cell] and seq > bins[third])
                            if later or (tied and value > bins[second]):
                                bins[cell] = on
                                bins[second] = value
                                bins[third] = seq
                        elif family == DECAYED:
                            age = max(0, min(day - on, plan.oldest[group]))
                            third = (cell + 2 * plane) & INDEX
                            bins[cell] += value * plan.weights[plan.weight[group] + age]
                            bins[second] += 1
                            bins[third] = max(bins[third], abs(value))
                        else:
                            slot = ((value * 2654435761 + group * 40503) >> 7) & slots
                            while work.slot_mark[slot] == j + 1 and (
                                work.slot_group[slot] != group or work.slot_value[slot] != value
                            ):
                                slot = (slot + 1) & slots
                            if work.slot_mark[slot] != j + 1:
                                work.slot_mark[slot] = j + 1
                                work.slot_group[slot] = group
                                work.slot_value[slot] = value
                                work.slot_cell[slot] = cell
                                bins[cell] += 1
                            elif cell < work.slot_cell[slot]:  # a value belongs to the shortest window that holds it
                                bins[work.slot_cell[slot]] -= 1
                                work.slot_cell[slot] = cell
                                bins[cell] += 1

        # ---------------------------------------------------------------- bins into values
        row, together = observations.row[begin], True
        for t in range(1, size):
            together = together and observations.row[begin + t] == row + t
        for group in range(groups):
            family, since = plan.family[group], plan.date[group]
            times = -plan.sign[group] if since else plan.sign[group]
            plane = ((plan.bins[group] + 1) * tile) & INDEX
            f, last = plan.feature[group], plan.feature[group + 1]
            for bin in range(plan.bins[group]):
                at = ((plan.cell[group] + bin) * tile) & INDEX
                before = (at - tile) & INDEX
                second, third = (at + plane) & INDEX, (at + 2 * plane) & INDEX
                second_before, third_before = (second - tile) & INDEX, (third - tile) & INDEX
                if bin > 0:  # a window holds what the shorter ones hold
                    if family <= DECAYED:
                        for t in range(size):
                            bins[at + t] += bins[before + t]
                    if family <= DECAYED and plan.planes[group] > 1:
                        for t in range(size):
                            bins[second + t] += bins[second_before + t]
                    if family == DECAYED:
                        for t in range(size):
                            bins[third + t] = max(bins[third + t], bins[third_before + t])
                    if family == GREATEST:
                        for t in range(size):
                            bins[at + t] = max(bins[at + t], bins[before + t])
                    if family == LAST:
                        for t in range(size):
                            if bins[before + t] != NO_VALUE:
                                bins[at + t] = bins[before + t]
                                bins[second + t] = bins[second_before + t]
                                bins[third + t] = bins[third_before + t]
                while f < last and plan.bin[f] == bin:
                    how, scale, cap, column = plan.read_as[f], plan.scale[f], plan.cap[f], plan.column[f]
                    none = plan.none[column]
                    to = ((column * step + row) & INDEX) if together else 0
                    values = out if together else work.value
                    if how <= ANY:  # whole numbers: of a day, how long ago
                        marker = (second if family == SUM and plan.planes[group] == 2 else at) & INDEX
                        source = (second if family == LAST else at) & INDEX
                        nothing = NO_VALUE if family >= GREATEST else 0
                        most = 1 if how == ANY else _MOST
                        if plan.plain[f]:
                            for t in range(size):
                                value = since * observations.day[begin + t] + times * min(bins[source + t], most)
                                values[to + t] = float(value) if bins[marker + t] != nothing else none
                        else:
                            for t in range(size):
                                value = since * observations.day[begin + t] + times * min(bins[source + t], most)
                                values[to + t] = min(float(value) / scale, cap) if bins[marker + t] != nothing else none
                    elif how <= CONTRAST:
                        a, c = plan.prior_a[f], plan.prior_c[f]
                        for t in range(size):
                            part, whole = bins[at + t], bins[second + t]
                            above, below = float(part - whole), 1.0
                            if how == RATIO:
                                above, below = float(part) + a, float(whole) + a + c
                            is_defined = part + whole > 0 and below > 0
                            values[to + t] = min(above / (below * scale), cap) if is_defined else none
                    else:
                        for t in range(size):
                            count, below = bins[second + t], float(WEIGHT)
                            if how == MEAN:
                                below = float(count)
                            elif count > 0 and bins[third + t] >= (_ROOM + count - 1) // count:
                                too_great = group
                            values[to + t] = min(float(bins[at + t]) / (below * scale), cap) if count > 0 else none
                    if not together:
                        for t in range(size):
                            out[column * step + observations.row[begin + t]] = work.value[t]
                    f += 1
    return too_great
