"""The one place where features are computed: segments, observations and definitions in, a matrix out.

An observation (subject, day d) sees the segments of its subject with ``start <= d < end`` and status "in force", and
of those nothing but facts. Joined, they make one line for each (observation, record); a definition is a mask over the
lines and an aggregate by observation, and definitions share the masks they have in common. Arithmetic is in integers
up to one division and the rounding to float32: no order of summation and no platform changes a bit.

In: ``Segments``, subjects and as-of days of the observations, checked definitions, the catalogue.
Out: float32, one row an observation, one column a definition; or the trail of records behind one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model import UserError
from credit_model.features.checks import matching_kinds
from credit_model.features.definition import TIERS, Condition, FeatureDefinition, Window
from credit_model.law import NO_DAY, NO_VALUE, Catalogue, add_months, to_day
from credit_model.visibility import ROLES, STATUSES, Segments

KERNEL_VERSION: Final = 1  # raised whenever the same segments and definitions may give another value

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_LINES = 1 << 21  # segments joined at once: bounds memory, changes no value
_WEIGHT_BITS = 24  # decay weights count 2**-24, the precision of float32
_COMPARE = {"le": np.less_equal, "lt": np.less, "ge": np.greater_equal, "gt": np.greater}


class Trail(NamedTuple):
    """The records behind one value, as indices into ``record_ids``: used, and on file but left out on a ground."""

    used: tuple[int, ...]
    left_out: tuple[tuple[int, str], ...]


def compute(
    segments: Segments,
    subjects: ArrayLike,
    as_of: ArrayLike,
    definitions: Sequence[FeatureDefinition],
    catalogue: Catalogue,
) -> NDArray[np.float32]:
    """Compute the features of observations, each as of its own day.

    Parameters
    ----------
    segments : Segments
    subjects : array-like of int, shape (n,)
        Index into ``segments.subject_ids``; -1 for a subject without a file.
    as_of : array-like of int, shape (n,)
        Days since 1970-01-01; the start of the day.
    definitions : sequence of FeatureDefinition, length k
        As accepted by ``check_definitions`` for this catalogue.
    catalogue : Catalogue

    Returns
    -------
    ndarray of float32, shape (n, k)
        A row depends on nothing but its own subject and day.

    Raises
    ------
    UserError
        If values are too great for a decayed sum in 64 bits.

    Examples
    --------
    >>> from credit_model.law import load_catalogue
    >>> from credit_model.visibility import Tables, compile_segments
    >>> honours = {"record_id": ["h", "i"], "subject_id": ["a", "a"], "kind": ["honour", "honour"]}
    >>> dates = ["2024-01-10", "2024-03-01"]
    >>> catalogue = load_catalogue()
    >>> segments = compile_segments(
    ...     Tables.of({**honours, "decided_on": dates, "known_on": dates}), catalogue, "tier", to_day("2026-11-24")
    ... )
    >>> count = FeatureDefinition(name="honours_12m", aggregate="count", window="12m")
    >>> as_of = [to_day(day) for day in ("2024-01-10", "2024-01-11", "2024-12-01", "2025-01-11")]
    >>> compute(segments, [0, 0, 0, 0], as_of, [count], catalogue)[:, 0].tolist()
    [0.0, 1.0, 2.0, 1.0]
    """
    subject, day = np.asarray(subjects, np.int64), np.asarray(as_of, np.int64)
    values = np.empty((len(subject), len(definitions)), np.float32)
    offsets = segments.offsets
    held = np.diff(offsets, append=offsets[-1])[subject]  # the last, 0, is for subjects without a file
    for rows in _batches(held):
        lines = _Lines(segments, offsets, catalogue, subject[rows], day[rows])
        for column, definition in enumerate(definitions):
            values[rows, column] = _feature(lines, definition)
    return values


def trail(segments: Segments, subject: int, as_of: int, definition: FeatureDefinition, catalogue: Catalogue) -> Trail:
    """Name the records that made the value of a feature, and those on file that did not.

    Parameters
    ----------
    segments : Segments
    subject : int
        Index into ``segments.subject_ids``; -1 for a subject without a file.
    as_of : int
        Day since 1970-01-01. A record that was not known before it is not on file.
    definition : FeatureDefinition
    catalogue : Catalogue

    Returns
    -------
    Trail
        Grounds are those of ``STATUSES`` and ``not_matched``, ``outside_the_window``, ``no_value``.

    Examples
    --------
    >>> from credit_model.law import load_catalogue
    >>> from credit_model.visibility import Tables, compile_segments
    >>> record = {"record_id": ["h"], "subject_id": ["a"], "kind": ["honour"]}
    >>> tables = Tables.of({**record, "decided_on": ["2024-01-10"], "known_on": ["2024-01-10"]})
    >>> catalogue = load_catalogue()
    >>> segments = compile_segments(tables, catalogue, "tier", to_day("2026-11-24"))
    >>> count = FeatureDefinition(name="honours_12m", aggregate="count", window="12m")
    >>> trail(segments, 0, to_day("2024-01-11"), count, catalogue)
    Trail(used=(0,), left_out=())
    >>> trail(segments, 0, to_day("2026-01-10"), count, catalogue)
    Trail(used=(), left_out=((0, 'outside_the_window'),))
    """
    one, day = np.array([subject], np.int64), np.array([as_of], np.int64)
    offsets = segments.offsets
    seen = _Lines(segments, offsets, catalogue, one, day)
    matched = seen.counted_by(definition)
    inside = matched & seen.within(definition.span, definition.window_on)
    used = inside & seen.has(definition.of)
    ground = np.select([used, inside, matched], ["", "no_value", "outside_the_window"], "not_matched")
    grounds = dict(zip(seen.segment.tolist(), ground.tolist(), strict=True))
    on_file = _Lines(segments, offsets, catalogue, one, day, in_force=False)
    would_match = on_file.counted_by(definition, role=False).tolist()
    for segment, would in zip(on_file.segment.tolist(), would_match, strict=True):
        grounds.setdefault(segment, STATUSES[segments.status[segment]] if would else "not_matched")
    named = [(int(segments.record[segment]), ground) for segment, ground in sorted(grounds.items())]
    return Trail(tuple(r for r, ground in named if not ground), tuple((r, g) for r, g in named if g))


def _batches(held: Ints) -> Iterator[slice]:
    """Consecutive observations whose subjects hold at most ``_LINES`` segments together (or one observation)."""
    total = np.cumsum(held)
    start = 0
    while start < len(held):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _LINES, side="right")))
        yield slice(start, stop)
        start = stop


class _Lines:
    """One line for each record in force (or on file) at the start of an observation's day, in order of observations.

    Columns are int64 with ``NO_VALUE`` for null, whatever they hold: numbers, days or codes.
    """

    def __init__(
        self,
        segments: Segments,
        offsets: Ints,
        catalogue: Catalogue,
        subjects: Ints,
        as_of: Ints,
        in_force: bool = True,
    ) -> None:
        held = np.diff(offsets, append=offsets[-1])[subjects]
        row = np.repeat(np.arange(len(subjects)), held)
        segment = np.arange(len(row)) + np.repeat(offsets[subjects] - np.cumsum(held) + held, held)
        day = as_of[row]
        kept = (segments.start[segment] <= day) & (day < segments.end[segment])
        if in_force:
            kept &= segments.status[segment] == 0
        self.segments, self.catalogue, self.observations = segments, catalogue, len(subjects)
        self.row, self.segment, self.day = row[kept], segment[kept], day[kept]
        self._columns: dict[str, Ints] = {}
        self._masks: dict[object, Mask] = {}

    def column(self, name: str) -> Ints:
        """A fact of the lines."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> Ints:
        if name == "field":
            return self._fields()
        attribute = self.segments.attributes.get(name)
        values = np.asarray(getattr(self.segments, name) if attribute is None else attribute)[self.segment]
        null = {"tier": 0, "int": NO_VALUE, "date": NO_DAY, "text": -1}
        held = self.catalogue.attribute_types.get(name, "tier" if name == "tier" else "int")
        return np.where(values == null[held], NO_VALUE, values.astype(np.int64))

    def _fields(self) -> Ints:
        """The field of a record: its kind's, else its own (attribute ``field_code``)."""
        number = {code: i for i, code in enumerate(self.catalogue.fields)}
        by_kind = [number.get(self.catalogue.kinds[code].field, NO_VALUE) for code in self.segments.kind_codes]
        fields = np.array(by_kind, np.int64)[self.column("kind")]
        if "field_code" in self.segments.attributes:
            words = self.segments.vocabularies["field_code"]
            by_code = np.array([*(number.get(word, NO_VALUE) for word in words), NO_VALUE], np.int64)
            own = by_code[self.segments.attributes["field_code"][self.segment]]
            fields = np.where(fields == NO_VALUE, own, fields)
        return fields

    def where(self, conditions: Sequence[Condition]) -> Mask:
        """Lines that meet every condition."""
        mask = np.ones(len(self.row), np.bool_)
        for condition in conditions:
            if condition not in self._masks:
                self._masks[condition] = self._meets(condition)
            mask &= self._masks[condition]
        return mask

    def _meets(self, condition: Condition) -> Mask:
        key, comparison, value = condition.key, condition.comparison, condition.value
        if key in ("kinds", "polarity", "dimension"):
            codes = {kind.code for kind in matching_kinds([condition], self.catalogue)}
            return np.array([code in codes for code in self.segments.kind_codes], np.bool_)[self.column("kind")]
        column = self.column(key)
        if comparison == "in":
            return np.isin(column, [self._number(key, v) for v in value])
        return cast(Mask, _COMPARE[comparison](column, self._number(key, value)) & (column != NO_VALUE))

    def _number(self, key: str, value: Any) -> Any:
        """A value of a condition as columns hold it; -1 for a text that no record holds."""
        if key == "tier":
            return TIERS.index(value) + 1
        held = self.catalogue.attribute_types.get(key)
        if held == "date":
            return to_day(value)
        words = {"role": ROLES, "field": tuple(self.catalogue.fields)}.get(key)
        if held == "text":
            words = self.segments.vocabularies[key]
        return value if words is None else words.index(value) if value in words else -1

    def within(self, window: Window, date: str) -> Mask:
        """Lines whose ``date`` falls into the window before (on ``visible_from``: up to and with) their day."""
        if (window, date) not in self._masks:
            self._masks[window, date] = self._falls_into(window, date)
        return self._masks[window, date]

    def _falls_into(self, window: Window, date: str) -> Mask:
        on = self.column(date)
        until = self.day - 1 if date == "decided_on" else self.day
        inside: Mask = on <= until
        if window.unit == "days":
            inside &= until < on + window.length
        elif window.unit == "months":
            inside &= until < add_months(on, window.length)
        elif window.unit == "last_day":
            visits = np.flatnonzero(inside & (self.column("kind") == self.segments.kind_codes.index(window.kind)))
            last = self.by_observation(np.maximum, visits, on[visits], none=NO_VALUE)
            inside &= on == last[self.row]
        return inside

    def has(self, of: str | None) -> Mask:
        """Lines with a value of what is aggregated."""
        return np.ones(len(self.row), np.bool_) if of is None else self.column(of) != NO_VALUE

    def counted_by(self, definition: FeatureDefinition, role: bool = True) -> Mask:
        """Lines a definition asks for, inside its window or not; with ``role=False`` whatever state they are in."""
        clauses = (definition.conditions, *definition.sides)
        clause, part, whole = ([c for c in clause if role or c.key != "role"] for clause in clauses)
        return self.where(clause) & (self.where(part) | self.where(whole))

    def count(self, lines: Ints | Mask) -> Ints:
        """Lines by observation."""
        return np.bincount(self.row[lines], minlength=self.observations)

    def by_observation(self, combine: np.ufunc, lines: Ints, values: Ints, none: int = 0) -> Ints:
        """Combine the values of lines (ascending) by observation."""
        combined = np.full(self.observations, none, np.int64)
        if len(lines):
            row = self.row[lines]
            first = np.flatnonzero(np.diff(row, prepend=-1))
            combined[row[first]] = combine.reduceat(values, first)
        return combined


def _feature(lines: _Lines, d: FeatureDefinition) -> NDArray[np.float64]:
    inside = lines.where(d.conditions) & lines.within(d.span, d.window_on)
    if d.aggregate in ("ratio", "contrast"):
        part, whole = (lines.count(inside & lines.where(side)) for side in d.sides)
        found = part + whole > 0
        a, c = d.prior
        above, below = (part + a, whole + a + c) if d.aggregate == "ratio" else (part - whole, np.ones_like(whole))
    else:
        chosen = np.flatnonzero(inside & lines.has(d.of))
        found = lines.count(chosen) > 0
        above, below = _aggregate(lines, chosen, d)
    defined = found & (below > 0)
    value = above / np.where(defined, below * d.scale, 1)
    if d.cap is not None:
        value = np.minimum(value, d.cap)
    return np.where(defined, value, np.nan if d.missing else float(d.none or 0))


def _aggregate(lines: _Lines, chosen: Ints, d: FeatureDefinition) -> tuple[Any, Any]:
    """An aggregate of the chosen lines by observation, as a fraction of integers."""
    count = lines.count(chosen)
    one = np.ones_like(count)
    if d.aggregate == "count":
        return count, one
    if d.aggregate == "any":
        return np.minimum(count, 1), one
    on = lines.column(d.window_on)[chosen]
    if d.aggregate in ("recency_days", "tenure_days"):
        nearest = np.minimum if d.aggregate == "recency_days" else np.maximum
        return lines.by_observation(nearest, chosen, lines.day[chosen] - on), one
    values = np.ones(len(chosen), np.int64) if d.of is None else lines.column(d.of)[chosen]
    if d.aggregate == "count_distinct":
        return _distinct(lines, chosen, values), one
    if d.aggregate == "decayed_sum":
        weight = _decay_weights(d.half_life_days or 1)
        if np.abs(values).max(initial=0) * count.max(initial=0) >= 1 << (63 - _WEIGHT_BITS):
            raise UserError(f"feature {d.name!r}: values of {d.of!r} are too great for a decayed sum; use 'sum'")
        decayed = values * weight[np.minimum(lines.day[chosen] - on, len(weight) - 1)]
        return lines.by_observation(np.add, chosen, decayed), one << _WEIGHT_BITS
    if d.aggregate == "last":
        latest = lines.by_observation(np.maximum, chosen, on)[lines.row[chosen]] == on
        chosen, values = chosen[latest], values[latest]
    worst = np.minimum if d.direction < 0 else np.maximum  # of several last ones, the worst
    combine = {"max": np.maximum, "min": np.minimum, "last": worst}.get(d.aggregate, np.add)
    return lines.by_observation(combine, chosen, values), np.maximum(count, 1) if d.aggregate == "mean" else one


def _distinct(lines: _Lines, chosen: Ints, values: Ints) -> Ints:
    words, code = np.unique(values, return_inverse=True)
    pairs = np.unique(lines.row[chosen] * max(len(words), 1) + code)
    return np.bincount(pairs // max(len(words), 1), minlength=lines.observations)


@cache
def _decay_weights(half_life_days: int) -> NDArray[np.int32]:
    """2**24 * 2**(-age / half-life) for each age in days, rounded; 0 from the age where it is half a unit.

    Decimals of 60 digits stand in for exact arithmetic: ``exp`` of one library is not that of another.
    """
    with localcontext() as exact:
        exact.prec = 60
        step = Decimal(2) ** (Decimal(-1) / half_life_days)
        weight, table = Decimal(1 << _WEIGHT_BITS), []
        for _ in range((_WEIGHT_BITS + 1) * half_life_days):
            table.append(int(weight.to_integral_value()))
            weight *= step
    return np.array([*table, 0], np.int32)
