"""The tables of an evaluation: by segment, grade, month and score, with what could point at a person left blank.

A cell that describes fewer than 10 people, or 1 or 2 bads, is not published; where one such cell could be found by
subtraction from the total, a second one is left blank too, and cumulative shares stop where they would reveal it.

In: a frame of scored rows. Out: cells as plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.measures import compute_measures, compute_tests
from credit_model.evaluation.scored_rows import Sample, distinct
from credit_model.metrics import bad_rates
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, Estimate
from credit_model.metrics.reliability import Significance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Counts:
    """Who a cell describes; ``hidden`` is ``""``, ``"bads"`` (too few bads) or ``"all"`` (too few people)."""

    hidden: str
    people: int | None
    observations: int | None
    share: float | None
    bads: int | None
    bad_rate: float | None
    mean_probability: float | None
    mean_score: float | None


@dataclass(frozen=True)
class Segment:
    """All people, those with a record, or those without one: counts, every measure and every test by name."""

    counts: Counts
    measures: dict[str, Estimate]
    tests: dict[str, Significance] = field(default_factory=dict)


@dataclass(frozen=True)
class Grade:
    """One grade: its bad rate with Jeffreys' interval and tests, and the shares of people and bads down to it.

    ``p_value`` is two-sided; ``understated`` and ``overstated`` are the two directions, each with Holm's adjustment
    over the grades.
    """

    grade: str
    counts: Counts
    low: float | None
    high: float | None
    p_value: float | None
    p_value_holm: float | None
    cumulative_people: float | None
    cumulative_bads: float | None
    understated: float | None = None
    overstated: float | None = None


@dataclass(frozen=True)
class Month:
    """One as-of date; its month (``2025-04``) or year where there are too many dates to follow."""

    as_of: str
    counts: Counts
    with_record: float | None
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class Band:
    """Scores from ``low`` to ``high`` and the share of people there; the mass point is a band of its own."""

    low: int
    high: int
    share: float
    mass_point: bool


@dataclass(frozen=True)
class ReasonShare:
    """How often a characteristic costs points: at all, as the largest loss, and how many on average."""

    code: str
    text_en: str
    text_zh: str
    share: float | None
    first: float | None
    mean_points: float | None


MONTHS = 36
"""As-of dates, months or years that are followed through time at most."""
MASS = 0.3
"""Share of people at one score from which it is a mass point."""


def with_second(small: list[bool], people: list[int]) -> list[bool]:
    """Leave a second cell blank where a single one could be found by subtracting from the published total."""
    if sum(small) == 1:
        rest = [i for i, n in enumerate(people) if n and not small[i]]
        if rest:
            small[min(rest, key=lambda i: people[i])] = True
    return small


def counts_of(parts: Sequence[Sample], whole: Sample) -> list[Counts]:
    """Describe cells that together make up the whole, leaving blank what could point at a person."""
    people = [distinct(part.subject) for part in parts]
    bads = [int(part.y.sum()) for part in parts]
    few_people = with_second([0 < n < SMALLEST_CELL for n in people], people)
    few_bads = with_second([few or 0 < b < FEWEST_BADS for few, b in zip(few_people, bads, strict=True)], people)
    cells = []
    for part, n, b, no_people, no_bads in zip(parts, people, bads, few_people, few_bads, strict=True):
        weight = float(part.weight.sum())

        def mean(values: NDArray[np.float64], part: Sample = part, weight: float = weight) -> float | None:
            return float(np.sum(part.weight * values)) / weight if weight > 0 else None

        cells.append(
            Counts(
                hidden="all" if no_people else "bads" if no_bads else "",
                people=None if no_people else n,
                observations=None if no_people else int(part.y.size),
                share=None if no_people else weight / float(whole.weight.sum()),
                bads=None if no_bads else b,
                bad_rate=None if no_bads else mean(part.y),
                mean_probability=None if no_people else mean(part.probability),
                mean_score=None if no_people else mean(part.score),
            )
        )
    return cells


def _published(counts: Counts, measures: dict[str, Estimate]) -> dict[str, Estimate]:
    return {} if counts.hidden else measures


def segments_of(sample: Sample) -> tuple[dict[str, Segment], dict[str, dict[str, Estimate]]]:
    """All people, and those with and without a record; beside them the measures as they are, for the gates."""
    parts = {"all": sample}
    counts = counts_of([sample], sample)
    if sample.record is not None and 0 < sample.record.sum() < sample.record.size:
        halves = {"with_record": sample.where(sample.record), "without_record": sample.where(~sample.record)}
        parts |= halves
        counts += counts_of(list(halves.values()), sample)
    estimates = {name: compute_measures(part, lambda measure: True) for name, part in parts.items()}
    segments = {
        name: Segment(c, _published(c, estimates[name]), {} if c.hidden else compute_tests(parts[name]))
        for name, c in zip(parts, counts, strict=True)
    }
    return segments, estimates


def grades_of(sample: Sample) -> tuple[Grade, ...]:
    """Grades from the best down; cumulative shares from the worst up, only where no hidden cell could be deduced."""
    names = sorted(np.unique(sample.grade), key=lambda g: -float(sample.score[sample.grade == g].mean()))
    parts = [sample.where(sample.grade == name) for name in names]
    counts = counts_of(parts, sample)
    tests = []
    for part in parts:
        bads, people = bad_rates.effective_counts(part.y, part.weight)
        predicted = float(np.average(part.probability, weights=part.weight))
        tests.append(bad_rates.jeffreys(bads, people, predicted))
    adjusted = bad_rates.holm([test.p_value for test in tests])
    too_low = bad_rates.holm([test.understated for test in tests])
    too_high = bad_rates.holm([test.overstated for test in tests])
    weights = np.array([part.weight.sum() for part in parts])
    bad = np.array([(part.weight * part.y).sum() for part in parts])
    from_worst = [np.cumsum(x[::-1])[::-1] / (x.sum() or 1.0) for x in (weights, bad)]

    def visible_share(i: int, secret: Sequence[bool], shares: NDArray[np.float64]) -> float | None:
        below = sum(secret[i:])
        return float(shares[i]) if below in (0, sum(secret)) else None

    no_people = [c.hidden == "all" for c in counts]
    no_bads = [c.hidden != "" for c in counts]
    return tuple(
        Grade(
            grade=str(name),
            counts=c,
            low=None if c.hidden else test.low,
            high=None if c.hidden else test.high,
            p_value=None if c.hidden else test.p_value,
            p_value_holm=None if c.hidden else holm,
            cumulative_people=visible_share(i, no_people, from_worst[0]),
            cumulative_bads=visible_share(i, no_bads, from_worst[1]),
            understated=None if c.hidden else too_low[i],
            overstated=None if c.hidden else too_high[i],
        )
        for i, (name, c, test, holm) in enumerate(zip(names, counts, tests, adjusted, strict=True))
    )


def months_of(sample: Sample) -> tuple[Month, ...]:
    """As-of dates in order, with the measures that can be followed through time; of many dates months, then years."""
    for period in (sample.as_of, sample.as_of.astype("U7"), sample.as_of.astype("U4")):
        dates = np.unique(period)
        if len(dates) <= MONTHS:
            break
    parts = [sample.where(period == date) for date in dates]
    months = []
    for date, part, c in zip(dates, parts, counts_of(parts, sample), strict=True):
        estimates = compute_measures(part, lambda measure: measure.by_month)
        with_record = None if part.record is None or c.hidden else float(np.average(part.record, weights=part.weight))
        months.append(Month(str(date), c, with_record, _published(c, estimates)))
    return tuple(months)


def bands_of(sample: Sample) -> tuple[Band, ...]:
    """Bands of equal width, the mass point apart, neighbours joined until each holds enough people."""
    score = np.rint(sample.score).astype(np.int64)
    values, group = np.unique(score, return_inverse=True)
    share = np.bincount(group, sample.weight) / sample.weight.sum()
    top = int(np.argmax(share))
    at_top = score == values[top]
    both_sides = (distinct(sample.subject[rows]) for rows in (at_top, ~at_top))
    has_mass = share[top] >= MASS and min(both_sides) >= SMALLEST_CELL
    ordinary = ~at_top if has_mass else np.ones(score.size, bool)
    width = next(m * 10**e for e in range(20) for m in (1, 2, 5) if np.ptp(score) <= 40 * m * 10**e)
    key = score // width
    bands_keys: list[list[int]] = []
    waiting: list[int] = []
    for band in np.unique(key[ordinary]):
        waiting.append(int(band))
        if distinct(sample.subject[ordinary & np.isin(key, waiting)]) >= SMALLEST_CELL:
            bands_keys.append(waiting)
            waiting = []
    if waiting:
        bands_keys[-1:] = [[*(bands_keys[-1] if bands_keys else []), *waiting]]
    bands = [
        Band(
            low=keys[0] * width,
            high=keys[-1] * width + width - 1,
            share=float(sample.weight[ordinary & np.isin(key, keys)].sum() / sample.weight.sum()),
            mass_point=False,
        )
        for keys in bands_keys
    ]
    if has_mass:
        bands.append(Band(int(values[top]), int(values[top]), float(share[top]), mass_point=True))
    return tuple(sorted(bands, key=lambda band: (band.low, band.high)))


def reasons_by_row(
    points: pd.DataFrame, rows: NDArray[np.intp]
) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Characteristics, points lost by row, which of them a person is told (four at most), and the largest loss."""
    names = [name for name in points.columns if name != "base"]
    losses = np.maximum(-points[names].to_numpy(np.float64)[rows], 0.0)
    order = np.argsort(-losses, axis=1, kind="stable")[:, :4]
    is_reason = np.zeros(losses.shape, bool)
    np.put_along_axis(is_reason, order, True, axis=1)
    largest = order[:, 0] if names else np.zeros(len(losses), np.intp)
    return names, losses, is_reason & (losses > 0), largest


def reasons_of(
    sample: Sample, points: pd.DataFrame, texts: Mapping[str, tuple[str, str, str]]
) -> tuple[ReasonShare, ...]:
    """How often each characteristic is among a person's four largest losses, and how often the largest."""
    names, losses, is_reason, largest = reasons_by_row(points, sample.order)
    total = float(sample.weight.sum())
    rows = []
    for j, name in enumerate(names):
        who = is_reason[:, j]
        if not who.any():
            continue
        code, text_en, text_zh = texts.get(name, (name, name, name))
        if distinct(sample.subject[who]) < SMALLEST_CELL:
            rows.append(ReasonShare(code, text_en, text_zh, None, None, None))
            continue
        first = who & (largest == j)
        is_hidden = 0 < distinct(sample.subject[first]) < SMALLEST_CELL
        rows.append(
            ReasonShare(
                code,
                text_en,
                text_zh,
                share=float(sample.weight[who].sum()) / total,
                first=None if is_hidden else float(sample.weight[first].sum()) / total,
                mean_points=float(np.average(-losses[who, j], weights=sample.weight[who])),
            )
        )
    return tuple(sorted(rows, key=lambda r: (-(r.share or 0.0), r.code)))


@dataclass(frozen=True)
class Breakdown:
    """The measures of each part of the people by one column."""

    column: str
    label_en: str
    label_zh: str
    parts: dict[str, Segment]


def breakdowns_of(sample: Sample, columns: Mapping[str, tuple[str, str, NDArray[np.str_]]]) -> tuple[Breakdown, ...]:
    """Measures by the values of columns, each given with its labels and its values in the order of the sample."""
    breakdowns = []
    for name, (label_en, label_zh, values) in columns.items():
        names = [str(value) for value in np.unique(values)]
        parts = [sample.where(values == value) for value in names]
        cells = {
            value: Segment(
                counts, {} if counts.hidden else compute_measures(part), {} if counts.hidden else compute_tests(part)
            )
            for value, part, counts in zip(names, parts, counts_of(parts, sample), strict=True)
        }
        breakdowns.append(Breakdown(name, label_en, label_zh, cells))
    return tuple(breakdowns)


def step_secret(people: tuple[int, int], bads: tuple[int, int], last: tuple[int, int]) -> str:
    """Return what a nested cut-off must not publish: ``"all"``, ``"bads"`` or nothing.

    Parameters
    ----------
    people, bads : (int, int)
        Below the cut-off, and at or above it.
    last : (int, int)
        People and bads below the last cut-off that was shown.

    Examples
    --------
    >>> step_secret((40, 60), (8, 9), (0, 0)), step_secret((45, 55), (9, 8), (40, 8))
    ('', 'all')
    >>> step_secret((60, 40), (9, 8), (40, 8))
    'bads'
    """
    if any(0 < n < SMALLEST_CELL for n in (people[0] - last[0], people[1])):
        return "all"
    return "bads" if any(0 < n < FEWEST_BADS for n in (bads[0] - last[1], bads[1])) else ""
