"""Definitions as a program of integers: which groups a record counts in, and what is read off a group at the end.

Definitions that ask for the same records, of the same date, in the same way, differ in their windows alone: they are
one *group*, with one *bin* for each of their windows. A record adds to one bin of each group of its class. At the end
of an observation the bins are added up from the shortest window on, and each definition reads the bin of its window.

Seen from a day, each window is a lowest day, and the windows of one unit on one date nest. The bin of a record is
guessed from its age in days and put right by the lowest day itself, so the pass needs no calendar arithmetic.

In: definitions, catalogue. Out: a ``Program`` (once for a list of definitions); class tables for a block of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.facts import Classes
from credit_model.features.kernel_compiled import (
    DECAYED,
    LAST,
    SIDES,
    SUM,
    Days,
    KernelTables,
    Plan,
)
from credit_model.foundation.calendar import EVER, window_start

if TYPE_CHECKING:
    from credit_model.features.conditions import Condition
    from credit_model.features.definition import FeatureDefinition


Ints = NDArray[np.int64]

_SPARE_DAYS = 1_000  # days nobody observes that a table may hold so that a day is its own address


class Rung(NamedTuple):
    """Windows of one unit on one date, shortest first."""

    on: str
    unit: str
    lengths: tuple[int, ...]


def days_of(day: Ints, rungs: Sequence[Rung]) -> Days:
    """Return the tables of ladders for observations on these days."""
    first, last = (int(day.min()), int(day.max())) if len(day) else (0, 0)
    if last - first <= len(day) + _SPARE_DAYS * (len(day) > 1):
        days, row = np.arange(first, last + 1), day - first
    else:
        days, row = np.unique(day, return_inverse=True)
    lows: list[Ints] = []
    guesses: list[Ints] = []
    for rung in rungs:
        until = last_days(days, rung.on)
        columns = [window_start(until, rung.unit, length) for length in rung.lengths]
        lows += columns
        reach = [int((until - low).max()) for low, length in zip(columns, rung.lengths, strict=True) if length > 0]
        age = np.arange(max(reach, default=-1) + 2)
        guesses.append(np.searchsorted(np.array(reach, np.int64), age, side="left"))
    size = np.array([len(guess) for guess in guesses], np.int64)
    end = np.cumsum(size)
    table = np.column_stack(lows).ravel() if lows else np.zeros(0, np.int64)
    guess = np.concatenate(guesses).astype(np.int64) if guesses else np.zeros(0, np.int64)
    return Days(np.ascontiguousarray(row, np.int64), table, guess, end - size, size - 1)


def last_days(day: Ints, on: str) -> Ints:
    """Return the last day a window holds: what was decided by the day before, or became usable by the day itself."""
    return day - 1 if on == "decided_on" else day


WEIGHT_BITS: Final = 24  # decay weights count 2**-24, the precision of float32

_PLANES: Final = {SIDES: 2, DECAYED: 3, LAST: 3}  # planes of bins of a family, where not one
_BY_GROUP: Final = (
    "family", "fact", "date", "sign", "ladder", "local", "cell", "bins", "planes", "feature", "weight", "oldest",
    "by_case",
)  # fmt: skip


class Group(NamedTuple):
    """What the definitions of a group have in common."""

    clauses: tuple[tuple[Condition, ...], ...]  # where, numerator, denominator
    family: int
    date: bool  # of days rather than values
    sign: int  # -1 for the least
    of: str | None
    ladder: tuple[str, str, str]  # on which date, in which unit, at the last day of which kind
    half_life: int
    by_case: bool


_Arrays = TypeVar("_Arrays", bound=tuple[Any, ...])


@dataclass(frozen=True)
class Program:
    """A list of definitions, compiled.

    Parameters
    ----------
    definitions : tuple of FeatureDefinition
    catalogue : Catalogue
    groups : tuple of Group
    rungs : tuple of Rung
        The ladders of windows that nest; those of ``last_day`` windows come after them.
    visits : tuple of (str, str)
        The date and the kind of each ladder of ``last_day`` windows.
    facts : tuple of str
        What is aggregated; ``plan.fact`` counts in it.
    conditions : tuple of Condition
        Every one that any definition asks for.
    plan : Plan
        The same as arrays.
    """

    definitions: tuple[FeatureDefinition, ...]
    catalogue: Catalogue
    groups: tuple[Group, ...]
    rungs: tuple[Rung, ...]
    visits: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    conditions: tuple[Condition, ...]
    plan: Plan
    _tables: dict[Any, KernelTables] = field(default_factory=dict, repr=False, compare=False)
    _lists: dict[int, tuple[Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    def days(self, day: Ints) -> Days:
        """Return the ladders as seen from the days of observations."""
        return days_of(day, self.rungs)

    def tables(self, classes: Classes) -> KernelTables:
        """Return which groups each class counts in; worked out once where it does not depend on the rows."""
        key = classes.key
        if key is None:
            return self._tables_of(classes)
        tables = self._tables.get(key)
        if tables is None:
            tables = self._tables[key] = self._tables_of(classes)
        return tables

    def lists_of(self, arrays: _Arrays) -> _Arrays:
        """Return the plan or tables as lists; worked out once where they are kept."""
        cached: tuple[_Arrays, _Arrays] | None = self._lists.get(id(arrays))
        if cached is not None:
            return cached[1]
        lists = as_lists(arrays)
        if arrays is self.plan or any(arrays is tables for tables in self._tables.values()):
            self._lists[id(arrays)] = arrays, lists
        return lists

    def _tables_of(self, classes: Classes) -> KernelTables:
        """For each class the groups it counts in (and as which side of a ratio), and whose last day it makes."""
        facts = classes.facts()
        answers = {condition: facts.meets(condition) for condition in self.conditions}
        everything = np.ones(classes.number, np.int64)

        def all_of(clause: Sequence[Condition]) -> Ints:
            mask = everything
            for condition in clause:
                mask = mask & answers[condition]
            return mask

        sides = np.zeros((classes.number, len(self.groups)), np.int64)
        for number, group in enumerate(self.groups):
            where, *parts = map(all_of, group.clauses)
            sides[:, number] = where * (parts[0] + 2 * parts[1]) if group.family == SIDES else where
        ladders = len(self.plan.ladder_on)
        by_ladder = np.argsort(self.plan.ladder, kind="stable")
        class_number, counts_in = np.nonzero(sides[:, by_ladder])
        counts_in = by_ladder[counts_in]
        first = np.searchsorted(
            class_number * ladders + self.plan.ladder[counts_in], np.arange(classes.number * ladders + 1)
        )
        kinds, code = facts.segments.kind_codes, facts.raw("kind")
        at_visit = [code == kinds.index(kind) for _, kind in self.visits]
        visit = np.column_stack(at_visit).astype(np.int64).ravel() if at_visit else np.zeros(0, np.int64)
        return KernelTables(
            first.astype(np.int64),
            counts_in.astype(np.int64),
            sides[class_number, counts_in],
            visit,
            sides.astype(np.int8),
        )


def as_lists(arrays: _Arrays) -> _Arrays:
    """Return the same named tuple with its arrays as lists of numbers."""
    return type(arrays)(*(array.tolist() for array in arrays))


def program_of(definitions: Sequence[FeatureDefinition], catalogue: Catalogue) -> Program:
    """Compile definitions; the programs last asked for are kept.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> windows = [FeatureDefinition(name=f"n_{n}m", aggregate="count", window=f"{n}m") for n in (3, 12, 60)]
    >>> program = program_of(windows, load_catalogue())
    >>> len(program.groups), program.rungs[0].lengths
    (1, (3, 12, 60))
    """
    return _program(_Same(tuple(definitions)), catalogue)


def columns_read(definitions: Sequence[FeatureDefinition], catalogue: Catalogue) -> tuple[str, ...]:
    """Name the columns of segments (attributes by their own name) that the definitions need.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> count = FeatureDefinition(name="n", aggregate="count", window="12m", where={"tier_at_least": "general"})
    >>> columns_read([count], load_catalogue())
    ('start', 'end', 'status', 'kind', 'decided_on', 'case', 'tier')
    """
    program = program_of(definitions, catalogue)
    columns = [on for on, *_ in program.rungs] + [on for on, _ in program.visits] + list(program.facts)
    columns += ["seq"] if (program.plan.family == LAST).any() else []
    columns += ["case"] if program.plan.by_case.any() else []
    columns += [c.key for c in program.conditions if c.key not in ("kinds", "polarity", "dimension")]
    names = dict.fromkeys(["start", "end", "status", "kind", *columns])
    if names.pop("field", "absent") is None and "field_code" in catalogue.attribute_types:
        names["field_code"] = None
    return tuple(names)


class _Same:
    """A list of definitions that is the same if every one is the same object: nothing is compared, nothing hashed."""

    def __init__(self, definitions: tuple[FeatureDefinition, ...]) -> None:
        self.definitions = definitions
        self._ids = tuple(map(id, definitions))

    def __hash__(self) -> int:
        return hash(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._ids == other._ids


@lru_cache(maxsize=256)
def _program(same: _Same, catalogue: Catalogue) -> Program:
    definitions = same.definitions
    members: dict[Group, list[int]] = {}
    for column, d in enumerate(definitions):
        members.setdefault(_group(d, catalogue), []).append(column)
    groups = tuple(members)
    nested = list(dict.fromkeys(g.ladder for g in groups if not g.ladder[2]))
    visits = list(dict.fromkeys(g.ladder for g in groups if g.ladder[2]))
    lengths: Mapping[tuple[str, str, str], set[int]] = {ladder: set() for ladder in nested}
    for d in definitions:
        if _ladder(d) in lengths:
            lengths[_ladder(d)].add(_length(d))
    rungs = tuple(Rung(on, unit, _shortest_first(lengths[on, unit, kind])) for on, unit, kind in nested)
    facts = tuple(dict.fromkeys(g.of for g in groups if g.of is not None))
    conditions = tuple(dict.fromkeys(c for g in groups for clause in g.clauses for c in clause))
    plan = _plan(definitions, members, rungs, [*nested, *visits], facts, catalogue.decimal_places)
    return Program(
        definitions, catalogue, groups, rungs, tuple((on, kind) for on, _, kind in visits), facts, conditions, plan
    )


def _shortest_first(lengths: set[int]) -> tuple[int, ...]:
    return tuple(sorted(lengths, key=lambda length: (length == EVER, length)))


def _ladder(d: FeatureDefinition) -> tuple[str, str, str]:
    unit = {"ever": "months"}.get(d.span.unit, d.span.unit)
    return d.window_on, unit, d.span.kind


def _length(d: FeatureDefinition) -> int:
    return EVER if d.span.unit == "ever" else d.span.length


def _group(d: FeatureDefinition, catalogue: Catalogue) -> Group:
    aggregate = AGGREGATES[d.aggregate]
    family, sign = aggregate.family, aggregate.sign or (-1 if d.direction < 0 else 1)  # the worst last one
    sides = d.sides if family == SIDES else ((), ())
    half_life = d.half_life_days or 1 if family == DECAYED else 0
    of = None if family == SIDES else d.of
    by_case = d.counts_cases(catalogue)
    return Group((d.conditions, *sides), family, aggregate.of_days, sign, of, _ladder(d), half_life, by_case)


def _planes(group: Group, definitions: Sequence[FeatureDefinition]) -> int:
    """Planes of bins; a sum needs none to count records where "none" is what the sum of nothing is."""
    zero = all(d.aggregate == "sum" and not d.missing and not d.none and (d.cap or 0) >= 0 for d in definitions)
    return _PLANES.get(group.family, 1) + (group.family == SUM and not zero)


def _plan(
    definitions: Sequence[FeatureDefinition],
    columns: Mapping[Group, list[int]],
    rungs: Sequence[Rung],
    ladders: list[tuple[str, str, str]],
    facts: tuple[str, ...],
    decimal_places: Mapping[str, int],
) -> Plan:
    """Write the program as arrays: ``local`` leads from windows of a ladder to the bins of a group."""
    local: list[int] = []
    weights: dict[int, int] = {0: 0}
    table = [np.zeros(1, np.int32)]
    groups: list[tuple[int, ...]] = []
    order: list[int] = []
    bins: list[int] = []
    cells = 0
    for group, members in columns.items():
        ladder = ladders.index(group.ladder)
        whole = list(rungs[ladder].lengths) if ladder < len(rungs) else [0]
        members = sorted(members, key=lambda c: whole.index(_length(definitions[c])))
        own = sorted({whole.index(_length(definitions[c])) for c in members})
        if group.half_life not in weights:
            weights[group.half_life] = sum(map(len, table))
            table.append(decay_weights(group.half_life))
        oldest = len(decay_weights(group.half_life)) - 1 if group.half_life else 0
        planes = _planes(group, [definitions[c] for c in members])
        groups.append(
            (group.family, facts.index(group.of) if group.of else -1, group.date, group.sign, ladder, len(local),
             cells, len(own), planes, len(order), weights[group.half_life], oldest, group.by_case)
        )  # fmt: skip
        local += [cells + int(np.searchsorted(own, window)) for window in range(len(whole))] + [cells + len(own)]
        cells += planes * (len(own) + 1)
        order += members
        bins += [own.index(whole.index(_length(definitions[c]))) for c in members]
    by_group = dict(zip(_BY_GROUP, np.array(groups, np.int64).reshape(-1, len(_BY_GROUP)).T.copy(), strict=True))
    by_group["feature"] = np.append(by_group["feature"], len(order))
    ordered = [definitions[c] for c in order]
    scale = [_divisor(d, decimal_places) for d in ordered]
    width = [len(rung.lengths) for rung in rungs]
    return Plan(
        none=np.array([np.nan if d.missing else float(d.none or 0) for d in definitions], np.float32),
        ladder_on=np.array([on == "visible_from" for on, *_ in ladders], np.int64),
        ladder_first=np.cumsum([0, *width])[:-1].astype(np.int64),
        ladder_size=np.array(width, np.int64),
        width=np.array([sum(width)], np.int64),
        **by_group,
        cells=np.array([cells], np.int64),
        local_cell=np.array(local, np.int64),
        weights=np.concatenate(table).astype(np.int64),
        column=np.array(order, np.int64),
        bin=np.array(bins, np.int64),
        read_as=np.array([AGGREGATES[d.aggregate].read_as for d in ordered], np.int64),
        plain=np.array([s == 1 and d.cap is None for d, s in zip(ordered, scale, strict=True)], np.int64),
        scale=np.array(scale, np.float64),
        cap=np.array([np.inf if d.cap is None else d.cap for d in ordered], np.float64),
        prior_a=np.array([d.prior[0] for d in ordered], np.float64),
        prior_c=np.array([d.prior[1] for d in ordered], np.float64),
    )


def _divisor(d: FeatureDefinition, decimal_places: Mapping[str, int]) -> int:
    """Return what a value is divided by, once: its scale, and the units of a decimal, of which a count has none."""
    places = 0 if d.of is None or d.aggregate == "count_distinct" else decimal_places.get(d.of, 0)
    return d.scale * int(10**places)


@cache
def decay_weights(half_life_days: int) -> NDArray[np.int32]:
    """2**24 * 2**(-age / half-life) for each age in days, rounded; 0 from the age where it is half a unit.

    Decimals of 60 digits stand in for exact arithmetic: ``exp`` of one library is not that of another.
    """
    with localcontext() as exact:
        exact.prec = 60
        step = Decimal(2) ** (Decimal(-1) / half_life_days)
        weight, table = Decimal(1 << WEIGHT_BITS), []
        for _ in range((WEIGHT_BITS + 1) * half_life_days):
            table.append(int(weight.to_integral_value()))
            weight *= step
    return np.array([*table, 0], np.int32)


def too_great(program: Program, group: int) -> str:
    """Names the feature whose decayed sum does not fit."""
    d: Any = next(d for d in program.definitions if _group(d, program.catalogue) == program.groups[group])
    return f"feature {d.name!r}: values of {d.of!r} are too great for a decayed sum; use 'sum'"
