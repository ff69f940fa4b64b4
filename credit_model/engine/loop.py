"""The pass: every observation once, every record of its subject once, every bin of what it touched once.

One source, two ways: compiled, or as it stands (slow, the same to the last bit). So it keeps to what both understand:
flat arrays, integers, ``for``. Numbers are added in int64 and divided once.

In: a plan, ladders seen from the days, class tables, rows of segments, observations. Out: values written in place.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

NO_VALUE: Final = -(2**63)
IN_FORCE: Final = 0
# Of bins, ``n`` counts records and ``v`` holds what is combined; ``u`` is what ``v`` depends on.
COUNT: Final = 0
DISTINCT: Final = 1  # n: distinct values
SUM: Final = 2
SIDES: Final = 3  # n: records of the numerator, v: of the denominator
DECAYED: Final = 4  # v: weighted sum, u: the greatest value, for fear of overflow
LEAST: Final = 5
EARLIEST: Final = 6  # v: the first day
LATEST: Final = 7  # v: the last day
GREATEST: Final = 8
LAST_LEAST: Final = 9  # v: the least value of the last day, u: that day
LAST_GREATEST: Final = 10
# How a definition reads its bin, in the order of AGGREGATES.
_ANY: Final = 1
_MEAN: Final = 6
_RECENCY: Final = 8
_TENURE: Final = 9
_DECAYED_SUM: Final = 10
_RATIO: Final = 11
_CONTRAST: Final = 12
_WEIGHT: Final = 1 << 24
_ROOM: Final = 1 << 39  # of a sum of values before they are weighted


class Plan(NamedTuple):
    """A program; by ladder, by group (``feature`` one longer) and by definition in the order of groups."""

    none: Any
    ladder_on: Any
    ladder_first: Any
    ladder_size: Any
    width: Any
    family: Any
    fact: Any
    ladder: Any
    local: Any
    cell: Any
    bins: Any
    feature: Any
    weight: Any
    oldest: Any
    cells: Any
    local_bin: Any
    weights: Any
    column: Any
    bin: Any
    read_as: Any
    scale: Any
    cap: Any
    prior_a: Any
    prior_c: Any


class Tables(NamedTuple):
    """By class: the groups ``first[c]:first[c + 1]`` it counts in, on which side; for ``last_day``, of which kind."""

    first: Any
    group: Any
    side: Any
    visit: Any


class Rows(NamedTuple):
    """Rows of segments, sorted by subject; ``facts[f * len + i]`` is fact f of row i."""

    start: Any
    end: Any
    status: Any
    code: Any
    decided_on: Any
    visible_from: Any
    facts: Any


class Seen(NamedTuple):
    """Observations: row of the result, day, row of the ladders' table, rows of segments from low to high."""

    row: Any
    day: Any
    ladder_row: Any
    low: Any
    high: Any


class Work(NamedTuple):
    """Scratch: by bin, by group, by ladder, and a hash table of distinct values."""

    n: Any
    v: Any
    u: Any
    mark: Any
    touched: Any
    place: Any
    last: Any
    slot_mark: Any
    slot_group: Any
    slot_value: Any
    slot_bin: Any


def scan(
    plan: Plan,
    days: Any,
    tables: Tables,
    rows: Rows,
    seen: Seen,
    work: Work,
    out: Any,
) -> int:
    """Write the values of some observations into ``out`` (flat, one row after the other).

    Returns
    -------
    int
        -1, or a group whose values are too great for a decayed sum.
    """
    columns, groups_too_great = len(plan.none), -1
    ladders, nested, width = len(plan.ladder_on), len(plan.ladder_size), plan.width[0]
    length, slots = len(rows.code), len(work.slot_mark) - 1
    for j in range(len(seen.row)):
        base = seen.row[j] * columns
        for c in range(columns):
            out[base + c] = plan.none[c]
        day, low, high, mark, touched = seen.day[j], seen.low[j], seen.high[j], j + 1, 0
        seen_from = seen.ladder_row[j] * width

        for ladder in range(nested, ladders):  # the last day before with a record of the kind
            on_visible = plan.ladder_on[ladder]
            last, until = NO_VALUE, day - 1 + on_visible
            for i in range(low, high):
                if rows.status[i] == IN_FORCE and rows.start[i] <= day and day < rows.end[i]:
                    kind = tables.visit[rows.code[i] * (ladders - nested) + ladder - nested]
                    on = rows.visible_from[i] if on_visible else rows.decided_on[i]
                    if kind and last < on and on <= until:
                        last = on
            work.last[ladder] = last

        for i in range(low, high):
            if rows.status[i] != IN_FORCE or day < rows.start[i] or rows.end[i] <= day:
                continue
            code = rows.code[i]
            entry, entries = tables.first[code], tables.first[code + 1]
            if entry == entries:
                continue
            for ladder in range(ladders):  # the shortest window of each ladder that holds the record
                on_visible = plan.ladder_on[ladder]
                on = rows.visible_from[i] if on_visible else rows.decided_on[i]
                age = day - 1 + on_visible - on
                if ladder >= nested:
                    place = 0 if on == work.last[ladder] else 1
                elif age < 0:
                    place = plan.ladder_size[ladder]
                else:
                    place = days.guess[days.guess_first[ladder] + min(age, days.guess_last[ladder])]
                    own, size = seen_from + plan.ladder_first[ladder], plan.ladder_size[ladder]
                    while place < size and on < days.lows[own + place]:
                        place += 1
                work.place[ladder] = place
            for at in range(entry, entries):
                group = tables.group[at]
                ladder = plan.ladder[group]
                place = plan.local_bin[plan.local[group] + work.place[ladder]]
                if place < 0:
                    continue
                value = 1
                if plan.fact[group] >= 0:
                    value = rows.facts[plan.fact[group] * length + i]
                    if value == NO_VALUE:
                        continue
                first = plan.cell[group]
                if work.mark[group] != mark:
                    work.mark[group] = mark
                    work.touched[touched] = group
                    touched += 1
                    for cell in range(first, first + plan.bins[group]):
                        work.n[cell] = 0
                        work.v[cell] = 0
                        work.u[cell] = 0
                cell = first + place
                family = plan.family[group]
                if family == COUNT:
                    work.n[cell] += 1
                elif family == SUM:
                    work.n[cell] += 1
                    work.v[cell] += value
                elif family == SIDES:
                    side = tables.side[at]
                    work.n[cell] += side & 1
                    work.v[cell] += side >> 1
                elif family == DISTINCT:
                    slot = (value * 2654435761 + group * 40503) >> 7 & slots
                    while work.slot_mark[slot] == mark and (
                        work.slot_group[slot] != group or work.slot_value[slot] != value
                    ):
                        slot = (slot + 1) & slots
                    if work.slot_mark[slot] != mark:
                        work.slot_mark[slot] = mark
                        work.slot_group[slot] = group
                        work.slot_value[slot] = value
                        work.slot_bin[slot] = place
                        work.n[cell] += 1
                    elif place < work.slot_bin[slot]:  # a value belongs to the shortest window that holds it
                        work.n[first + work.slot_bin[slot]] -= 1
                        work.slot_bin[slot] = place
                        work.n[cell] += 1
                else:
                    on_visible = plan.ladder_on[ladder]
                    on = rows.visible_from[i] if on_visible else rows.decided_on[i]
                    count = work.n[cell]
                    if EARLIEST <= family <= LATEST:
                        value = on
                    if family == DECAYED:
                        age = min(day - on, plan.oldest[group])
                        work.v[cell] += value * plan.weights[plan.weight[group] + age]
                        work.u[cell] = max(work.u[cell], abs(value))
                    elif family >= LAST_LEAST:
                        if count == 0 or on > work.u[cell]:
                            work.u[cell] = on
                            work.v[cell] = value
                        elif on == work.u[cell] and (value > work.v[cell]) == (family == LAST_GREATEST):
                            work.v[cell] = value
                    elif count == 0 or (value > work.v[cell]) == (family >= LATEST):
                        work.v[cell] = value
                    work.n[cell] = count + 1

        for t in range(touched):
            group = work.touched[t]
            family, first = plan.family[group], plan.cell[group]
            for cell in range(first + 1, first + plan.bins[group]):  # a window holds what the shorter ones hold
                count, value = work.n[cell - 1], work.v[cell - 1]
                if family <= DISTINCT:
                    work.n[cell] += count
                    continue
                if family <= SIDES:
                    work.v[cell] += value
                elif family == DECAYED:
                    work.v[cell] += value
                    work.u[cell] = max(work.u[cell], work.u[cell - 1])
                elif count > 0 and (
                    work.n[cell] == 0 or family >= LAST_LEAST or (value > work.v[cell]) == (family >= LATEST)
                ):
                    work.v[cell] = value
                work.n[cell] += count
            for f in range(plan.feature[group], plan.feature[group + 1]):
                cell = first + plan.bin[f]
                count, total, how = work.n[cell], work.v[cell], plan.read_as[f]
                if count == 0 and (family != SIDES or total == 0):
                    continue
                above, below = float(total), 1.0
                if family <= DISTINCT:
                    above = 1.0 if how == _ANY else float(count)
                elif how == _MEAN:
                    below = float(count)
                elif _RECENCY <= how <= _TENURE:
                    above = float(day - total)
                elif how == _DECAYED_SUM:
                    below = float(_WEIGHT)
                    if work.u[cell] >= (_ROOM + count - 1) // count:
                        groups_too_great = group
                elif how == _RATIO:
                    above = float(count) + plan.prior_a[f]
                    below = float(total) + plan.prior_a[f] + plan.prior_c[f]
                elif how == _CONTRAST:
                    above = float(count - total)
                if below > 0:
                    out[base + plan.column[f]] = min(above / (below * plan.scale[f]), plan.cap[f])
    return groups_too_great
