"""The one place where features are computed: segments, observations and definitions in, a matrix out.

An observation (subject, day d) sees the segments of its subject with ``start <= d < end`` and status "in force", and
of those nothing but facts. The room ``engine`` makes of the definitions a program that fills all windows in one pass.
Arithmetic is in integers up to one division and the rounding to float32: no order of summation and no platform
changes a bit.

In: ``Segments``, subjects and as-of days of the observations, checked definitions, the catalogue.
Out: float32, one row an observation, one column a definition; or the trail of records behind one value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.features.batching import run
from credit_model.features.definition import FeatureDefinition
from credit_model.features.facts import Facts
from credit_model.features.kernel_numpy import is_worst_of_case
from credit_model.features.program import decay_weights, last_days, program_of
from credit_model.foundation.calendar import EVER, NO_VALUE, window_start
from credit_model.visibility.tables import STATUSES, Segments

KERNEL_VERSION: Final = 2  # raised whenever the same segments and definitions may give another value
KERNEL_VERSIONS: Final = (1, 2)  # whose meaning is known here: ``definition.with_meaning_of``


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
    engine: str = "auto",
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
    engine : {"auto", "numba", "numpy", "python"}
        How the pass is run; the values are the same. ``auto`` compiles where numba is installed and the batch repays
        it, so that one person needs numpy alone.

    Returns
    -------
    ndarray of float32, shape (n, k), in Fortran order
        A row depends on nothing but its own subject and day.

    Raises
    ------
    UserError
        If values are too great for a decayed sum in 64 bits; if the engine is unknown or not installed.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.foundation.calendar import to_day
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
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
    values: NDArray[np.float32] = run(program_of(definitions, catalogue), segments, subjects, as_of, engine)
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
        Grounds are those of ``STATUSES`` and ``not_matched``, ``outside_the_window``, ``no_value``, ``same_case``
        (another record of its case, as bad or worse, stands for both), and
        ``marks_the_window``: not counted, but its day is the window (``last_day:KIND``).

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.foundation.calendar import to_day
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
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
    low, high = (0, 0) if subject < 0 else segments.offsets[subject : subject + 2]
    file = np.arange(low, high)
    file = file[(segments.start[file] <= as_of) & (as_of < segments.end[file])]
    facts = Facts(segments, catalogue, file)
    in_force = segments.status[file] == 0
    matched = in_force & _counted_by(facts, definition)
    within = _within(facts, definition, as_of, in_force)
    inside = matched & within
    used = inside if definition.of is None else inside & (facts.number(definition.of) != NO_VALUE)
    repeats = used.copy()
    if definition.counts_cases(catalogue):
        used[used] = _is_worst(Facts(segments, catalogue, file[used]), definition, as_of)
    marks = within & (facts.raw("kind") == [*segments.kind_codes, definition.span.kind].index(definition.span.kind))
    would_match = in_force | _counted_by(facts, definition, role=False)
    grounds = np.where(in_force, "not_matched", np.array(STATUSES, object)[segments.status[file]])
    names = ["", "same_case", "marks_the_window", "no_value", "outside_the_window", "not_matched"]
    grounds = np.select(
        [used, repeats, marks, inside, matched, ~would_match], names, grounds
    )  # a mark may lack a value
    records_and_grounds = list(zip(segments.record[file].tolist(), grounds.tolist(), strict=True))
    return Trail(
        tuple(r for r, ground in records_and_grounds if not ground), tuple((r, g) for r, g in records_and_grounds if g)
    )


def _is_worst(facts: Facts, d: FeatureDefinition, day: int) -> NDArray[np.bool_]:
    """Rows that stand for their case in a count, a sum or a decayed sum."""
    on, case = facts.number(d.window_on), facts.number("case")
    value = np.ones(len(on), np.int64) if d.of is None else facts.number(d.of)
    if d.half_life_days is not None:
        weights = decay_weights(d.half_life_days).astype(np.int64)
        value = value * weights[np.clip(day - on, 0, len(weights) - 1)]
    return is_worst_of_case(case, value, on)


def _counted_by(facts: Facts, definition: FeatureDefinition, role: bool = True) -> NDArray[np.bool_]:
    """Rows a definition asks for, inside its window or not; with ``role=False`` whatever state they are in."""
    clauses = (definition.conditions, *definition.sides)
    clause, part, whole = ([c for c in clause if role or c.key != "role"] for clause in clauses)
    return facts.all_of(clause) & (facts.all_of(part) | facts.all_of(whole))


def _within(facts: Facts, d: FeatureDefinition, day: int, in_force: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows whose date falls into the window before (on ``visible_from``: up to and with) a day."""
    on = facts.number(d.window_on)
    until = last_days(np.array([day]), d.window_on)
    inside: NDArray[np.bool_] = in_force & (on <= until)
    if d.span.unit == "last_day":
        visits = on[inside & (facts.raw("kind") == facts.segments.kind_codes.index(d.span.kind))]
        inside &= on == visits.max(initial=NO_VALUE)
        return inside
    unit, length = ("months", EVER) if d.span.unit == "ever" else (d.span.unit, d.span.length)
    return inside & (on >= window_start(until, unit, length))
