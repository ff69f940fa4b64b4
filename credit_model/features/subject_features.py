"""Features of one person at a time: definitions prepared once, then whole numbers and nothing else.

The kernel answers for a city, and numpy asks about a microsecond for every operation however few the records are. A
person has a dozen. Here every definition owns a bit (one a side for ratios and contrasts), and for every kind, tier,
role, field and date a table says which bits accept it: the bits of a record are the "and" of a few look-ups, whatever
the number of definitions. Values are those of the kernel to the last bit.

In: definitions, a catalogue; then ``Segments``, a subject, a day.
Out: one row of float32 values, and the records behind each.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import mul
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from credit_model.catalogue.catalogue import Catalogue
from credit_model.features.program import WEIGHT_BITS, decay_weights
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, to_day, window_end, window_start
from credit_model.foundation.errors import UserError
from credit_model.visibility.tables import ROLES, TIERS, Segments

if TYPE_CHECKING:
    from credit_model.features.conditions import Condition
    from credit_model.features.definition import FeatureDefinition

_BY_KIND: Final = {"kinds": "code", "polarity": "polarity", "dimension": "dimension"}
_LOOKED_UP = (*_BY_KIND, "tier", "role", "field")
_DAYS_KEPT: Final = 64  # days whose windows stay worked out
_MASKS_KEPT: Final = 1 << 14
_DAILY: Final = ("recency_days", "tenure_days", "decayed_sum")
_NULL: Final = {"int": NO_VALUE, "date": NO_DAY, "text": -1}
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "in": lambda held, asked: held in asked,
    "le": lambda held, asked: held <= asked,
    "lt": lambda held, asked: held < asked,
    "ge": lambda held, asked: held >= asked,
    "gt": lambda held, asked: held > asked,
}


class PersonPlan:
    """Definitions prepared for one person at a time.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition, length k
        As accepted by ``check_definitions`` for this catalogue.
    catalogue : Catalogue
        Of the ledgers whose segments are to come.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
    >>> honours = {"record_id": ["h", "i"], "subject_id": ["a", "a"], "kind": ["honour", "honour"]}
    >>> dates = ["2024-01-10", "2024-03-01"]
    >>> catalogue = load_catalogue()
    >>> segments = compile_segments(
    ...     Tables.of({**honours, "decided_on": dates, "known_on": dates}), catalogue, "tier", to_day("2026-11-24")
    ... )
    >>> plan = PersonPlan([FeatureDefinition(name="honours_12m", aggregate="count", window="12m")], catalogue)
    >>> row = plan.one(segments, 0, to_day("2024-12-01"))
    >>> row.values, row.used(0)
    ((2.0,), (0, 1))
    """

    def __init__(self, definitions: Sequence[FeatureDefinition], catalogue: Catalogue) -> None:
        self.definitions = tuple(definitions)
        self.kind_codes = tuple(catalogue.kinds)
        self.none = tuple(array("f", [math.nan if d.missing else float(d.none or 0) for d in definitions]).tolist())
        self._types = catalogue.attribute_types
        self._fields = {code: place for place, code in enumerate(catalogue.fields)}
        self._field_of_kind = [self._fields.get(kind.field) for kind in catalogue.kinds.values()]

        clauses = [
            [(*d.conditions, *side) for side in d.sides] if d.aggregate in ("ratio", "contrast") else [d.conditions]
            for d in self.definitions
        ]
        owners = [place for place, sides in enumerate(clauses) for _ in sides]
        asked = [clause for sides in clauses for clause in sides]
        self.owner = tuple(owners)
        self.ways = tuple(
            (
                _AMOUNTS_TO.get(d.aggregate, _last),
                d,
                tuple(b for b, o in enumerate(owners) if o == place),
                d.scale,
                d.cap,
            )
            for place, d in enumerate(self.definitions)
        )
        self._all = (1 << len(owners)) - 1

        self._by_kind = [
            _mask(
                all(getattr(kind, _BY_KIND[c.key]) in c.value for c in clause if c.key in _BY_KIND) for clause in asked
            )
            for kind in catalogue.kinds.values()
        ]
        self._by_tier = [self._accepting(asked, "tier", tier) for tier in (None, *range(1, len(TIERS)))]
        self._by_role = [self._accepting(asked, "role", role) for role in range(len(ROLES))]
        self._by_field = {field: self._accepting(asked, "field", field) for field in (None, *self._fields.values())}
        self._needs_field = any(c.key == "field" for clause in asked for c in clause) or any(
            d.of == "field" for d in definitions
        )
        facts = sorted({c for clause in asked for c in clause if c.key not in _LOOKED_UP}, key=repr)
        self._facts = [
            (c.key, _COMPARE[c.comparison], self._number(c), self._all & ~_mask(c in clause for clause in asked))
            for c in facts
        ]
        self._windows = [
            (d.window_on, d.span, _mask(owner == place for owner in owners)) for place, d in enumerate(definitions)
        ]
        self._last_days = _together(
            (self.kind_codes.index(span.kind), window_on == "visible_from", bits)
            for window_on, span, bits in self._windows
            if span.unit == "last_day"
        )
        self._cut: dict[int, tuple[tuple[list[int], list[int]], ...]] = {}
        self._split: dict[int, tuple[int, ...]] = {}

    def one(self, segments: Segments, subject: int, as_of: int) -> Row:
        """Compute the features of one subject as of a day.

        Parameters
        ----------
        segments : Segments
            Compiled under the plan's catalogue.
        subject : int
            Index into ``segments.subject_ids``; -1 for a subject without a file.
        as_of : int
            Days since 1970-01-01; the start of the day.

        Returns
        -------
        Row
            ``values`` as ``compute`` gives them, to the last bit.

        Raises
        ------
        UserError
            If values are too great for a decayed sum in 64 bits.
        """
        if segments.kind_codes != self.kind_codes:
            raise UserError("features were asked of segments of another catalogue than the plan was made for")
        low, high = segments.offsets[subject : subject + 2].tolist() if subject >= 0 else (0, 0)
        start, end, status = segments.start[low:high], segments.end[low:high], segments.status[low:high]
        rows = low + np.flatnonzero((start <= as_of) & (as_of < end) & (status == 0))
        return Row(self, segments, rows, as_of)

    # ------------------------------------------------------------------ prepared once

    def _accepting(self, asked: Sequence[Sequence[Condition]], key: str, value: int | None) -> int:
        """Bits of the clauses whose conditions on ``key`` hold for a value (none for null)."""

        def holds(c: Condition) -> bool:
            return c.key != key or (value is not None and _COMPARE[c.comparison](value, self._number(c)))

        if key == "field" and value is None:
            return _mask(not any(c.key == key for c in clause) for clause in asked)
        return _mask(all(map(holds, clause)) for clause in asked)

    def _number(self, c: Condition) -> Any:
        """What a condition compares with, as the columns of ``Row`` hold it."""
        values = c.value if c.comparison == "in" else (c.value,)
        if c.key == "tier":
            values = tuple(TIERS.index(value) for value in values)
        elif c.key == "role":
            values = tuple(ROLES.index(value) for value in values)
        elif c.key == "field":
            values = tuple(self._fields[value] for value in values)
        elif self._types.get(c.key) == "date":
            values = tuple(to_day(value) for value in values)
        return values if c.comparison == "in" else values[0]

    # ------------------------------------------------------------------ prepared once a day

    def cuts(self, as_of: int) -> tuple[tuple[list[int], list[int]], ...]:
        """For ``decided_on`` and ``visible_from``: days in order, and the bits of the windows open before each."""
        if as_of not in self._cut:
            if len(self._cut) >= _DAYS_KEPT:
                self._cut.clear()
            self._cut[as_of] = tuple(
                self._cuts_of(date, until) for date, until in (("decided_on", as_of - 1), ("visible_from", as_of))
            )
        return self._cut[as_of]

    def _cuts_of(self, date: str, until: int) -> tuple[list[int], list[int]]:
        windows = [(span, bits) for window_on, span, bits in self._windows if window_on == date]
        opens: dict[int, int] = {}
        for span, bits in windows:
            if span.unit == "last_day":
                continue
            day = NO_DAY if span.unit == "ever" else window_start(until, span.unit, span.length)
            opens[day] = opens.get(day, 0) | bits
        days, masks = sorted(opens), [0]
        for day in days:
            masks.append(masks[-1] | opens[day])
        return [*days, until + 1], [*masks, 0]

    def split(self, mask: int) -> tuple[int, ...]:
        """The bits of a mask by number; the same few masks come again and again."""
        bits = self._split.get(mask)
        if bits is None:
            if len(self._split) >= _MASKS_KEPT:
                self._split.clear()
            bits = self._split[mask] = tuple(b for b in range(mask.bit_length()) if mask >> b & 1)
        return bits


class Row:
    """The features of one subject as of a day; ``values`` in the order of the plan's definitions, each a float32."""

    def __init__(self, plan: PersonPlan, segments: Segments, rows: Any, as_of: int) -> None:
        self._plan, self._segments, self._rows, self._as_of = plan, segments, rows, as_of
        self._columns: dict[str, list[Any]] = {}
        self._hits: defaultdict[int, list[int]] = defaultdict(list)
        if len(rows):
            self._look()
        self.values = self._evaluate()

    def used(self, column: int) -> tuple[int, ...]:
        """Indices into ``segments.record_ids`` of the records that made a value, as ``trail`` names them."""
        chosen = self._chosen(column)
        return tuple(self._segments.record[self._rows[chosen]].tolist()) if chosen else ()

    # ------------------------------------------------------------------ which records which definition counts

    def _look(self) -> None:
        plan, segments, rows = self._plan, self._segments, self._rows
        (decided_cuts, decided_bits), (visible_cuts, visible_bits) = plan.cuts(self._as_of)
        kinds, tiers, roles = (getattr(segments, name)[rows].tolist() for name in ("kind", "tier", "role"))
        decided, visible = segments.decided_on[rows].tolist(), segments.visible_from[rows].tolist()
        self._columns["decided_on"], self._columns["visible_from"] = decided, visible
        facts = [(self._column(name), holds, asked, others) for name, holds, asked, others in plan._facts]
        fields = self._column("field") if plan._needs_field else []
        last = [
            (on, max((d for d, k in zip(on, kinds, strict=True) if k == kind and d <= until), default=NO_DAY), bits)
            for kind, is_visible, bits in plan._last_days
            for on, until in [(visible, self._as_of) if is_visible else (decided, self._as_of - 1)]
        ]
        by_kind, by_tier, by_role, by_field = plan._by_kind, plan._by_tier, plan._by_role, plan._by_field
        hits, split = self._hits, plan.split
        lines = zip(kinds, tiers, roles, decided, visible, strict=True)
        for line, (kind, tier, role, decided_on, visible_from) in enumerate(lines):
            bits = decided_bits[bisect_right(decided_cuts, decided_on)]
            bits |= visible_bits[bisect_right(visible_cuts, visible_from)]
            for on, latest, those in last:
                if on[line] == latest != NO_DAY:
                    bits |= those
            bits &= by_kind[kind] & by_tier[tier] & by_role[role]
            if fields:
                bits &= by_field[fields[line]]
            for column, holds, asked, others in facts:
                if bits & ~others and (column[line] is None or not holds(column[line], asked)):
                    bits &= others
            for bit in split(bits):
                hits[bit].append(line)

    def _column(self, name: str) -> list[Any]:
        """A fact of the lines; None for null, texts as texts."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> list[Any]:
        plan, segments = self._plan, self._segments
        if name == "field":
            own = [plan._field_of_kind[kind] for kind in segments.kind[self._rows].tolist()]
            if "field_code" not in segments.attributes:
                return own
            said = [plan._fields.get(code) for code in self._column("field_code")]
            return [theirs if field is None else field for field, theirs in zip(own, said, strict=True)]
        attribute = segments.attributes.get(name)
        values = (getattr(segments, name) if attribute is None else attribute)[self._rows].tolist()
        if name == "tier":
            return [value or None for value in values]
        held = plan._types.get(name, "int")
        null, words = _NULL[held], segments.vocabularies[name] if held == "text" else None
        return [None if v == null else v if words is None else words[v] for v in values]

    def _chosen(self, column: int) -> list[int]:
        """The lines that make a value."""
        _, definition, bits, *_ = self._plan.ways[column]
        if len(bits) > 1:
            return sorted({line for bit in bits for line in self._hits.get(bit, ())})
        lines = self._hits.get(bits[0], [])
        if definition.of is None or not lines:
            return lines
        held = self._column(definition.of)
        return [line for line in lines if held[line] is not None]

    # ------------------------------------------------------------------ what they amount to

    def _evaluate(self) -> tuple[float, ...]:
        plan, hits = self._plan, self._hits
        if not hits:
            return plan.none
        values = list(plan.none)
        for column in {plan.owner[bit] for bit in hits}:
            amounts_to, definition, bits, scale, cap = plan.ways[column]
            if len(bits) > 1:
                above, below = _two_sided(definition, *(len(hits.get(bit, ())) for bit in bits))
            else:
                lines = hits[bits[0]] if definition.of is None else self._chosen(column)
                above, below = amounts_to(self, definition, lines) if lines else (0, 0)
            if below > 0:
                value = float(above) / float(below * scale)
                values[column] = value if cap is None or value < cap else cap
        return tuple(array("f", values).tolist())


def _two_sided(d: FeatureDefinition, part: int, whole: int) -> tuple[float, float]:
    a, c = d.prior
    return (part + a, whole + a + c) if d.aggregate == "ratio" else (part - whole, 1)


def _values(row: Row, d: FeatureDefinition, lines: list[int]) -> list[int]:
    held = row._column(d.of or "")
    return [held[line] for line in lines]


def _last(row: Row, d: FeatureDefinition, lines: list[int]) -> tuple[int, int]:
    on = row._columns[d.window_on]
    latest = max(on[line] for line in lines)
    values = _values(row, d, [line for line in lines if on[line] == latest])
    return (min if d.direction < 0 else max)(values), 1  # of several last ones, the worst


def _decayed_sum(row: Row, d: FeatureDefinition, lines: list[int]) -> tuple[int, int]:
    on, weights, day = row._columns[d.window_on], _weights(d.half_life_days or 1), row._as_of
    oldest = len(weights) - 1
    faded = [weights[age if (age := day - on[line]) < oldest else oldest] for line in lines]
    if d.of is None:
        return sum(faded), 1 << WEIGHT_BITS
    values = _values(row, d, lines)
    if max(map(abs, values)) * len(values) >= 1 << (63 - WEIGHT_BITS):
        raise UserError(f"feature {d.name!r}: values of {d.of!r} are too great for a decayed sum; use 'sum'")
    return sum(map(mul, values, faded)), 1 << WEIGHT_BITS


@cache
def _weights(half_life_days: int) -> list[int]:
    weights: list[int] = decay_weights(half_life_days).tolist()
    return weights


# A value as a fraction, of at least one line.
_AMOUNTS_TO: Final[dict[str, Callable[[Row, FeatureDefinition, list[int]], tuple[int, int]]]] = {
    "count": lambda row, d, lines: (len(lines), 1),
    "any": lambda row, d, lines: (1, 1),
    "count_distinct": lambda row, d, lines: (len(set(_values(row, d, lines))), 1),
    "sum": lambda row, d, lines: (sum(_values(row, d, lines)), 1),
    "max": lambda row, d, lines: (max(_values(row, d, lines)), 1),
    "min": lambda row, d, lines: (min(_values(row, d, lines)), 1),
    "mean": lambda row, d, lines: (sum(_values(row, d, lines)), len(lines)),
    "last": _last,
    "recency_days": lambda row, d, lines: (row._as_of - max(map(row._columns[d.window_on].__getitem__, lines)), 1),
    "tenure_days": lambda row, d, lines: (row._as_of - min(map(row._columns[d.window_on].__getitem__, lines)), 1),
    "decayed_sum": _decayed_sum,
}


def days_of_change(definitions: Sequence[FeatureDefinition], segments: Segments, first: int, last: int) -> Any:
    """The days from first to last on which a value may differ from that of the day before.

    Where records become usable and cease to be, where windows end; every day for what counts days or fades.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition
    segments : Segments
        Of the subjects asked about, and nobody else.
    first, last : int
        Days since 1970-01-01, both included.

    Returns
    -------
    ndarray of int64
        In order.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.foundation.calendar import from_days
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
    >>> dates = {"decided_on": ["2024-01-10"], "known_on": ["2024-03-01"]}
    >>> tables = Tables.of({"record_id": ["h"], "subject_id": ["a"], "kind": ["honour"], **dates})
    >>> segments = compile_segments(tables, load_catalogue(), "tier", to_day("2026-11-24"))
    >>> honours = FeatureDefinition(name="honours_12m", aggregate="count", window="12m")
    >>> print(from_days(days_of_change([honours], segments, to_day("2024-02-01"), to_day("2026-01-01"))))
    ['2024-03-02' '2025-01-11']
    """
    if any(d.aggregate in _DAILY for d in definitions):
        return np.arange(first, last + 1)
    edges: list[Any] = [segments.start, segments.end]
    for window_on, span in {(d.window_on, d.span) for d in definitions}:
        on = np.unique(getattr(segments, window_on))
        later = 1 if window_on == "decided_on" else 0
        moved = window_end(on, span.unit, span.length)
        edges += [on + later, moved + later]
    days = np.unique(np.concatenate([np.asarray(edge, np.int64) for edge in edges]))
    return days[(first <= days) & (days <= last)]


def _mask(bits: Iterable[bool]) -> int:
    return sum(1 << place for place, bit in enumerate(bits) if bit)


def _together(windows: Iterable[tuple[int, bool, int]]) -> list[tuple[int, bool, int]]:
    """Windows on the same day, their bits joined."""
    joined: dict[tuple[int, bool], int] = {}
    for kind, is_visible, bits in windows:
        joined[kind, is_visible] = joined.get((kind, is_visible), 0) | bits
    return [(kind, is_visible, bits) for (kind, is_visible), bits in joined.items()]
