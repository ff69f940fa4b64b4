"""Leaks of the kernel itself: segments of the future change nothing, and a pass with one comparison broken is caught.

``test_poison`` mutates data under the whole stack; here the pass is mutated. Its source is read, one comparison is
broken, and what it then computes is held against the naive loop of ``test_kernel``. Both forms of the pass are mutated:
the loop (run as it stands, as compiled) and the one in whole columns. Every mutant must be noticed in at least one case
of twenty; days come from one small pool, so that edges coincide.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_kernel import CATALOGUE, DAYS, ENGINES, MADE, in_force, naive, ordinal

from credit_model.features import kernel_compiled as loop
from credit_model.features import kernel_numpy as vectors
from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE
from credit_model.visibility.tables import STATUSES, Segments

CASES, SOAK_CASES, MUST_NOTICE = 240, 4_000, 0.05
KINDS = tuple(CATALOGUE.kinds)
BY_HAND = (
    *(
        FeatureDefinition(name=f"n_{window}", aggregate="count", window=window)
        for window in ("1m", "12m", "24m", "365d")
    ),
    *(
        FeatureDefinition(name=f"visible_{window}", aggregate="count", window=window, window_on="visible_from")
        for window in ("1m", "12m", "1d", "ever")
    ),
    FeatureDefinition(name="ever", aggregate="count"),
    FeatureDefinition(name="at_visit", aggregate="count", window="last_day:visit"),
    FeatureDefinition(name="amount_at_visit", aggregate="sum", of="amount", window="last_day:visit"),
    FeatureDefinition(name="scored", aggregate="mean", of="score", window="24m"),
    FeatureDefinition(name="fresh", aggregate="decayed_sum", half_life_days=90, window="36m"),
    *(
        FeatureDefinition(name=f"cases_{window}", aggregate="count_distinct", of="tier", window=window)
        for window in ("1m", "12m", "36m", "ever")
    ),
    *(
        FeatureDefinition(name=f"last_{trend}", aggregate="last", of="score", trend=trend)
        for trend in ("higher_is_worse", "lower_is_worse")
    ),
    *(
        FeatureDefinition(name=f"cases_{on}_{window}", aggregate="count", window=window, window_on=on, per="case")
        for window in ("12m", "24m", "36m", "last_day:visit")
        for on in ("decided_on", "visible_from")
    ),
    *(
        FeatureDefinition(name=f"worst_{of}_{window}", aggregate="sum", of=of, window=window, per="case")
        for of in ("amount", "score")
        for window in ("12m", "24m", "36m", "ever")
    ),
    FeatureDefinition(name="fresh_cases", aggregate="decayed_sum", half_life_days=90, window="36m", per="case"),
    FeatureDefinition(name="first", aggregate="tenure_days", where={"polarity": "adverse"}),
    FeatureDefinition(name="latest", aggregate="recency_days", where={"polarity": "adverse"}),
    FeatureDefinition(name="least", aggregate="min", of="score"),
    FeatureDefinition(name="greatest", aggregate="max", of="amount", window="24m"),
    FeatureDefinition(
        name="broken", aggregate="ratio", prior=(1, 9), numerator={"tier": "serious"}, denominator={"tier": "minor"}
    ),
)
DEFINITIONS = (*BY_HAND, *MADE[::8])


# ------------------------------------------------------------------------------------------------ made segments
def facts(random: Random, start: int) -> dict[str, Any]:
    """What a record says in one of its segments, decided no later than it begins."""
    past = [ordinal(day) for day in DAYS if ordinal(day) <= start] or [start]
    return {
        "status": 0 if random.random() < 0.75 else random.randrange(1, len(STATUSES)),
        "role": random.randrange(4),
        "tier": random.randrange(4),
        "decided_on": random.choice([*past[-3:], *past]),
        "visible_from": random.choice([start, *past[-2:]]),
        "seq": random.choice([NO_VALUE, 1, 2]),
        "amount": random.choice([NO_VALUE, 5, 1000, 10**9]),
        "score": random.choice([NO_VALUE, -5, 12, 12, 50, 90]),
        "sort": random.randrange(-1, 2),
        "due_on": random.choice([NO_DAY, ordinal(DAYS[4]), ordinal(DAYS[9])]),
        "field_code": random.randrange(-1, 2),
    }


Row = dict[str, Any]


def make_case(random: Random) -> tuple[int, list[Row], list[Row]]:
    """A day, and a file through all of time twice: the same up to the day, drawn anew from then on."""
    day = ordinal(random.choice(DAYS[3:]))
    rows: tuple[list[Row], list[Row]] = ([], [])
    for record in range(5):
        kind = random.choice([*range(len(KINDS)), *[KINDS.index("visit")] * 5])
        past = sorted({ordinal(random.choice([d for d in DAYS if ordinal(d) <= day])) for _ in range(3)})
        known = [(start, facts(random, start)) for start in past[random.randrange(2) :]]
        for file in rows:
            later = sorted({ordinal(random.choice([*DAYS, DAYS[-1]])) for _ in range(2)})
            # a day after the as-of date is the nearest there is: what `<` and `<=` tell apart
            later = [start for start in {day + 1, *later} if start > day and random.random() < 0.7]
            cuts = [*known, *((start, facts(random, start)) for start in sorted(later))]
            ends = [*[start for start, _ in cuts[1:]], FOREVER][: len(cuts)]
            file += [
                {"record": record, "kind": kind, "start": start, "end": end, **said}
                for (start, said), end in zip(cuts, ends, strict=True)
            ]
    return day, *rows


def segments_of(files: list[list[Row]]) -> Segments:
    """One subject a file."""
    rows = [{"subject": subject, **row} for subject, file in enumerate(files) for row in file]

    def column(name: str, dtype: Any) -> NDArray[Any]:
        return np.array([row[name] for row in rows], dtype)

    subject_ids = np.array([f"p{subject:05}" for subject in range(len(files))], object)
    record_ids = np.array([f"r{record}" for record in range(5)], object)
    start = column("start", np.int32)
    return Segments(
        subject_ids=subject_ids,
        record_ids=record_ids,
        case_ids=record_ids,
        kind_codes=KINDS,
        vocabularies={"sort": ("complaint", "routine"), "field_code": ("fire", "food")},
        **{name: column(name, np.int32) for name in ("subject", "record", "end", "decided_on", "visible_from")},
        **{name: column(name, np.int8) for name in ("status", "role", "tier")},
        kind=column("kind", np.int16),
        start=start,
        occurred_on=start,
        known_on=start - 1,
        amount=column("amount", np.int64),
        hours=column("amount", np.int64),
        outstanding=column("amount", np.int64),
        performed=np.zeros(len(rows), np.int8),
        seq=column("seq", np.int64),
        case=column("record", np.int32) // 2,
        attributes={
            "score": column("score", np.int64),
            "sort": column("sort", np.int32),
            "field_code": column("field_code", np.int32),
            "due_on": column("due_on", np.int32),
        },
    )


@cache
def cases(count: int = CASES) -> tuple[NDArray[np.int64], Segments, Segments, NDArray[np.float32]]:
    """Days, segments, segments with another future, and what the naive loop makes of them."""
    random = Random(20261124)
    made = [make_case(random) for _ in range(count)]
    days = np.array([day for day, *_ in made])
    truth = np.empty((count, len(DEFINITIONS)), np.float32)
    for row, (day, file, _) in enumerate(made):
        when = next(d for d in DAYS if ordinal(d) == day)
        held = in_force(segments_of([file]), "p00000", when)
        truth[row] = [naive(held, when, d)[0] for d in DEFINITIONS]
    return days, segments_of([file for _, file, _ in made]), segments_of([file for *_, file in made]), truth


def values(segments: Segments, days: NDArray[np.int64], engine: str) -> NDArray[np.float32]:
    return compute(segments, np.arange(len(days)), days, DEFINITIONS, CATALOGUE, engine)


def differs(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Cases in which some value differs."""
    return (~((one == other) | (np.isnan(one) & np.isnan(other)))).any(axis=1)


# ------------------------------------------------------------------------------------------------ nothing leaks
def wrong_values(count: int) -> dict[str, int]:
    """How many values each engine gets wrong, on the segments and on those with another future."""
    days, segments, other_future, truth = cases(count)
    assert len(segments) > 0
    return {
        engine: sum(int(differs(values(rows, days, engine), truth).sum()) for rows in (segments, other_future))
        for engine in ENGINES
    }


def test_segments_of_the_future_change_nothing_and_values_are_the_naive_ones() -> None:
    assert wrong_values(CASES) == dict.fromkeys(ENGINES, 0)


@pytest.mark.soak
def test_segments_of_the_future_change_nothing_in_many_more_cases() -> None:
    assert wrong_values(SOAK_CASES) == dict.fromkeys(ENGINES, 0)


def test_the_end_of_the_segment_that_holds_the_day_is_not_read_for_its_value() -> None:
    days, segments, _, truth = cases()
    holds = segments.end > days[segments.subject]
    longer = replace(segments, end=np.where(holds & (segments.end < FOREVER), segments.end + 3, segments.end))
    longer = longer.take(segments.start <= days[segments.subject])  # without the segment a longer end runs into
    for engine in ENGINES:
        assert not differs(values(longer, days, engine), truth).any()


# ------------------------------------------------------------------------------------------------ mutants
# name: (what stands in the loop, what is put there); every occurrence is broken
LOOP = {
    "known on the day itself": ("day < rows.start[i]", "day + 1 < rows.start[i]"),
    "first day of a segment left out": ("day < rows.start[i]", "day <= rows.start[i]"),
    "start ignored: later knowledge counts": ("day < rows.start[i]", "False"),
    "last day of a segment counted twice (end <= d for <)": ("rows.end[i] <= day", "rows.end[i] < day"),
    "end ignored: replaced knowledge stays": ("rows.end[i] <= day", "False"),
    "status ignored": ("rows.status[i] != IN_FORCE", "False"),
    "a window a day too short": ("on < days.lows[own + place]", "on <= days.lows[own + place]"),
    "a window a day too long": ("on < days.lows[own + place]", "on + 1 < days.lows[own + place]"),
    "the guess of a window is not put right": ("while place < rungs and on < days.lows[own + place]:", "while False:"),
    "decided on d itself counts": ("age = day - 1 + on_visible - on", "age = day - on"),
    "the other date": (
        "on = rows.visible_from[i] if on_visible else rows.decided_on[i]",
        "on = rows.decided_on[i] if on_visible else rows.visible_from[i]",
    ),
    "null is a value": ("if value == NO_VALUE:", "if False:"),
    "a visit on the day itself is the previous one": ("last < on and on <= until", "last < on and on <= until + 1"),
    "a visit not yet known is the previous one": ("rows.start[i] <= day and day < rows.end[i]", "day < rows.end[i]"),
    "a visit out of force is the previous one": ("rows.status[i] == IN_FORCE and rows.start[i]", "rows.start[i]"),
    "a value stays in the window first seen": ("elif cell < work.slot_cell[slot]:", "elif False:"),
    "of several last values the first": ("later or (tied and value > bins[second])", "later"),
    "the order within a day is ignored": ("(on == bins[cell] and seq > bins[third])", "False"),
    "the last value is the first": ("later = on > bins[cell] or", "later = on < bins[cell] or"),
    "of a case every record": ("if is_shared and plan.by_case[group] != (date >= 0):", "if date >= 0:"),
    "of a case the latest record": ("elif value > work.worst[group]:", "elif False:"),
    "of a case both amounts": ("bins[cell] += value - work.worst[group]", "bins[cell] += value"),
    "records of a case, earliest first": ("other_on >= on", "other_on <= on"),
    "the first record of a case is alone": ("work.is_shared[first] = work.is_shared", "work.is_shared"),
    "records outside stand for their case": ("if cell >= (plan.cell[group] + plan.bins[group]) * tile:", "if False:"),
    "two cases are one": ("or work.worst_case[group] != rows.case[i]", ""),
    "windows not added up": ("if bin > 0:", "if False:"),
    "age off by a day": ("min(day - on, plan.oldest[group])", "min(day - on - 1, plan.oldest[group])"),
}  # fmt: skip
COLUMNS = {
    "known on the day itself": ("(rows.start[row] <= day)", "(rows.start[row] <= day + 1)"),
    "first day of a segment left out": ("(rows.start[row] <= day)", "(rows.start[row] < day)"),
    "last day of a segment counted twice": ("(day < rows.end[row])", "(day <= rows.end[row])"),
    "status ignored": ("(rows.status[row] == loop.IN_FORCE)", "(rows.status[row] >= 0)"),
    "decided on d itself counts": ("place[age < 0] = size", "place[age < -1] = size"),
    "a window a day too short": ("on[doubtful] < self.days.lows", "on[doubtful] <= self.days.lows"),
    "windows of decided_on closed on the right": (
        "until = self.day - 1 + plan.ladder_on[ladder]",
        "until = self.day + 0 * plan.ladder_on[ladder]",
    ),
    "a visit on the day itself is the previous one": ("(on <= until)", "(on <= until + 1)"),
    "null is a value": ("lines[value != loop.NO_VALUE], value[value != loop.NO_VALUE]", "lines, value"),
    "of a case every record": ("if plan.by_case[group]:", "if False:"),
    "records of a case, earliest first": ("np.lexsort((place[shared],", "np.lexsort((-place[shared],"),
    "of a case both amounts": ("np.diff(worst, prepend=0)", "worst"),
    "the order within a day is ignored": ("if not plan.ladder_on[ladder]:  # the order", "if False:  # the order"),
    "of several last values any": (
        "combine_by_cell(np.maximum, loop.NO_VALUE, sign * value)",
        "combine_by_cell(np.minimum, 2**62, sign * value)",
    ),
}  # fmt: skip


def broken(module: ModuleType, old: str, new: str) -> Callable[..., int]:
    """The pass of a module with a piece of its source replaced."""
    source = inspect.getsource(module)
    assert old in source, f"the pass no longer says {old!r}"
    namespace: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source.replace(old, new), module.__name__, "exec"), namespace)
    scan: Callable[..., int] = namespace["scan"]
    return scan


@pytest.mark.parametrize(("module", "engine", "mutants"), [(loop, "python", LOOP), (vectors, "numpy", COLUMNS)])
def test_every_mutant_is_noticed_in_at_least_one_case_of_twenty(
    module: ModuleType,
    engine: str,
    mutants: dict[str, tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    days, segments, _, truth = cases()
    rates = {}
    for name, (old, new) in mutants.items():
        monkeypatch.setattr(module, "scan", broken(module, old, new))
        rates[name] = differs(values(segments, days, engine), truth).mean()
    lines = [f"  {rate:6.1%}  {name}" for name, rate in rates.items()]
    with capsys.disabled():  # to be read in every run
        sys.stdout.write("\n".join([f"\nmutants of {module.__name__} noticed, of {CASES} cases:", *lines, ""]))
    assert [name for name, rate in rates.items() if rate < MUST_NOTICE] == []
