"""The kernel against a naive loop, written from the definitions, on ledgers that hypothesis makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features import batching as blocks
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.definition import DefinitionErrors, FeatureDefinition
from credit_model.features.dictionary import check_definitions
from credit_model.features.kernel import compute, trail
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import ROLES, STATUSES, Segments, Tables

CATALOGUE = load_catalogue(Path(__file__).with_name("cases") / "small_catalogue.toml")
TIERS = ("minor", "general", "serious")
# Few days, so that they coincide: month ends, both 29 Februaries, neighbours, whole months and years apart.
DAYS = tuple(
    date.fromisoformat(text)
    for text in (
        "2020-02-28", "2020-02-29", "2020-03-01", "2021-02-28", "2021-03-01", "2022-08-30", "2022-08-31",
        "2023-02-28", "2023-03-01", "2023-08-31", "2023-09-01", "2024-02-28", "2024-02-29", "2024-03-01",
    )
)  # fmt: skip
AFTER = date(2026, 1, 1)
ENGINES = ("numpy", "numba", "python")  # the pass in whole columns, compiled, and as it stands


# ------------------------------------------------------------------------------------------------ made ledgers
def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


days = st.sampled_from(DAYS)
record = st.fixed_dictionaries(
    {
        "subject_id": st.sampled_from("ab"),
        "kind": st.sampled_from(sorted(CATALOGUE.kinds)),
        "seq": maybe(st.integers(1, 3)),
        "case_id": maybe(st.sampled_from(["case 1", "case 2"])),
        "decided_on": days,
        "known_on": st.sampled_from(DAYS[:4]) | days,
        "final_on": maybe(days),
        "tier": maybe(st.sampled_from(TIERS)),
        "amount": maybe(st.integers(0, 10**9)),
        "hours": maybe(st.integers(0, 400)),
        "score": maybe(st.integers(-5, 100)),
        "sort": maybe(st.sampled_from(["routine", "complaint"])),
        "due_on": maybe(days),
        "field_code": maybe(st.sampled_from(["food", "fire"])),
    }
)
amendment = st.fixed_dictionaries(
    {
        "record_id": st.integers(0, 11).map(str),
        "action": st.sampled_from(
            ["challenged", "upheld", "corrected", "disputed", "partly_performed", "performed", "repaired",
             "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject"]
        ),
        "effective_on": days,
        "known_on": days,
    }
)  # fmt: skip
VALUES = {
    "corrected": "tier=serious;amount=77;score=12;sort=follow_up",
    "partly_performed": "5",
    "moved_to_subject": "b",
}


def columns(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


@st.composite
def made_segments(draw: st.DrawFn) -> Segments:
    records = draw(st.lists(record, max_size=12))
    records = [{"record_id": str(i), **row} for i, row in enumerate(records)]
    amendments = [{**row, "value": VALUES.get(row["action"])} for row in draw(st.lists(amendment, max_size=6))]
    tables = Tables.of(columns(records), columns(amendments), attribute_types=CATALOGUE.attribute_types)
    return compile_segments(tables, CATALOGUE, draw(st.sampled_from(["tier", "ever"])), ordinal(AFTER))


# ------------------------------------------------------------------------------------------------ made definitions
CLAUSES: dict[str, Sequence[Any]] = {
    "kinds": ["fault", ["debt", "award"], ["visit", "listing", "fault"]],
    "polarity": ["adverse", ["adverse", "positive"], "neutral"],
    "tier_at_least": TIERS,
    "tier": ["general", ["minor", "serious"]],
    "dimension": ["conduct", "service"],
    "field": ["food", ["fire", "food"]],
    "role": ["listed", ["listed", "was_listed"], "unperformed"],
    "score": [{"le": 85}, {"lt": 12}, {"ge": 0, "le": 50}, {"gt": 50.5}, {"eq": 12}, {"in": [12, 50]}, {"gt": 12}],
    "sort": ["routine", {"in": ["complaint", "follow_up"]}, {"eq": "routine"}],
    "due_on": [{"ge": "2022-08-31"}, {"lt": date(2023, 3, 1)}],
    "amount": [{"ge": 1000}, {"lt": 5}],
}
WINDOWS = ("1m", "6m", "12m", "24m", "36m", "1d", "365d", "366d", "ever", "last_day:visit")
NUMBERS = ("amount", "hours", "outstanding", "tier", "score")


def made_definition(random: Random, name: str) -> FeatureDefinition:
    """Any aggregate over any window of records that meet up to two conditions."""

    def clause() -> dict[str, Any]:
        return {
            key: random.choice(CLAUSES[key]) for key in random.sample(sorted(CLAUSES), random.choice([0, 0, 1, 1, 2]))
        }

    aggregate = random.choice(list(AGGREGATES))
    said: dict[str, Any] = {
        "window": random.choice(WINDOWS),
        "window_on": random.choice(["decided_on", "decided_on", "visible_from"]),
        "trend": random.choice([None, "higher_is_worse", "lower_is_worse", "higher_is_better"]),
        "none": random.choice([None, None, "missing", 0, -1, 1826.5]),
        "cap": random.choice([None, None, 1, 2.5, 400]),
        "scale": random.choice([1, 1, 10, 7]),
        "where": clause(),
    }
    if aggregate in ("sum", "max", "min", "mean", "last"):
        said["of"] = random.choice(NUMBERS)
    elif aggregate == "count_distinct":
        said["of"] = random.choice([*NUMBERS, "kind", "case", "field", "sort", "due_on"])
    elif aggregate == "decayed_sum":
        said["of"], said["half_life_days"] = random.choice([None, *NUMBERS]), random.choice([1, 30, 365])
    elif aggregate in ("ratio", "contrast"):
        said["numerator"], said["denominator"] = clause(), clause()
        if aggregate == "ratio":
            said["prior"] = random.choice([(0, 0), (1, 9), (0.5, 2)])
    if AGGREGATES[aggregate].by_case:
        said["per"] = random.choice([None, "record", "case", "case"])
    return FeatureDefinition(name=name, aggregate=aggregate, **said)


def possible(definition: FeatureDefinition) -> bool:
    """A random clause may ask for what no kind can be."""
    try:
        check_definitions([definition], CATALOGUE)
    except DefinitionErrors as errors:
        if not all("no kind of catalogue" in fault for fault in errors.faults):
            raise
        return False
    return True


MADE = tuple(d for d in (made_definition(Random(i), f"f{i}") for i in range(260)) if possible(d))


# ------------------------------------------------------------------------------------------------ the naive loop
EPOCH = date(1970, 1, 1)


def ordinal(day: date) -> int:
    return (day - EPOCH).days


def months_later(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    try:
        return date(count // 12, count % 12 + 1, day.day)
    except ValueError:
        return date((count + 1) // 12, (count + 1) % 12 + 1, 1)


def in_force(segments: Segments, subject: str, day: date) -> list[dict[str, Any]]:
    """The records in force, as dictionaries with None for null."""
    found = []
    for i in range(len(segments)):
        whole = segments.start[i] <= ordinal(day) < segments.end[i] and segments.status[i] == 0
        if not whole or segments.subject_ids[segments.subject[i]] != subject:
            continue
        kind = CATALOGUE.kinds[segments.kind_codes[segments.kind[i]]]
        row: dict[str, Any] = {"record": int(segments.record[i]), "kind": kind.code, "polarity": kind.polarity}
        for name in ("amount", "hours", "outstanding"):
            row[name] = None if getattr(segments, name)[i] == -(2**63) else int(getattr(segments, name)[i])
        for name, code in (
            ("sort", segments.attributes["sort"][i]),
            ("field_code", segments.attributes["field_code"][i]),
        ):
            row[name] = None if code < 0 else segments.vocabularies[name][code]
        score, due_on = segments.attributes["score"][i], int(segments.attributes["due_on"][i])
        row["score"] = None if score == -(2**63) else int(score)
        row["due_on"] = None if due_on == -(2**31) else EPOCH + timedelta(due_on)
        row["tier"] = int(segments.tier[i]) or None
        row["seq"] = int(segments.seq[i])
        row["role"] = ROLES[segments.role[i]]
        row["field"] = kind.field or row["field_code"]
        row["dimension"] = kind.dimension
        row["case"] = segments.case_ids[segments.case[i]]
        row["decided_on"] = EPOCH + timedelta(int(segments.decided_on[i]))
        row["visible_from"] = EPOCH + timedelta(int(segments.visible_from[i]))
        found.append(row)
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def meets(row: dict[str, Any], where: dict[str, Any]) -> bool:
    for key, said in where.items():
        if key == "tier_at_least":
            ok = row["tier"] is not None and row["tier"] > TIERS.index(said)
        elif key == "tier":
            ok = row["tier"] is not None and TIERS[row["tier"] - 1] in listed(said)
        elif key == "kinds":
            ok = row["kind"] in listed(said)
        elif isinstance(said, dict):
            held = row[key]
            if key == "due_on":
                said = {how: date.fromisoformat(value) for how, value in said.items()}
            ok = held is not None and all(
                {
                    "le": lambda v, held=held: held <= v,
                    "lt": lambda v, held=held: held < v,
                    "ge": lambda v, held=held: held >= v,
                    "gt": lambda v, held=held: held > v,
                    "eq": lambda v, held=held: held == v,
                    "in": lambda v, held=held: held in v,
                }[how](value)
                for how, value in said.items()
            )
        else:
            ok = row[key] in listed(said)
        if not ok:
            return False
    return True


def in_window(row: dict[str, Any], rows: list[dict[str, Any]], day: date, d: FeatureDefinition) -> bool:
    on = row[d.window_on]
    decided = d.window_on == "decided_on"
    if on > day or (decided and on == day):
        return False
    if d.window == "ever":
        return True
    if d.window.startswith("last_day:"):
        visits = [r[d.window_on] for r in rows if r["kind"] == "visit"]
        visits = [on for on in visits if on < day or (not decided and on == day)]
        return bool(visits) and on == max(visits)
    n = int(d.window[:-1])
    if d.window.endswith("d"):
        return 1 <= (day - on).days <= n if decided else 0 <= (day - on).days < n
    return day <= months_later(on, n) if decided else day < months_later(on, n)


@cache
def weight(age: int, half_life: int) -> int:
    with localcontext() as exact:
        exact.prec = 80
        return round(Decimal(2**24) * (-Decimal(2).ln() * age / half_life).exp())


def worst_of_each_case(rows: list[dict[str, Any]], day: date, d: FeatureDefinition) -> list[dict[str, Any]]:
    """Of each case the record that costs most; of equals the latest."""

    def cost(row: dict[str, Any]) -> tuple[int, date]:
        value, age = 1 if d.of is None else row[d.of], (day - row[d.window_on]).days
        return value * weight(age, d.half_life_days) if d.aggregate == "decayed_sum" else value, row[d.window_on]

    by_case: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["case"] not in by_case or cost(row) > cost(by_case[row["case"]]):
            by_case[row["case"]] = row
    return list(by_case.values())


def naive(rows: list[dict[str, Any]], day: date, d: FeatureDefinition) -> tuple[np.float32, set[int]]:
    """The value, and the records used, of the records in force."""
    chosen = [r for r in rows if meets(r, d.where) and in_window(r, rows, day, d)]
    none = np.float32(float("nan") if d.none == "missing" else d.none)
    if d.aggregate in ("ratio", "contrast"):
        part = [r for r in chosen if meets(r, d.numerator)]
        whole = [r for r in chosen if meets(r, d.denominator)]
        used = {r["record"] for r in part + whole}
        if not used:
            return none, used
        above, below = len(part) - len(whole), 1.0
        if d.aggregate == "ratio":
            above, below = len(part) + d.prior[0], len(whole) + d.prior[0] + d.prior[1]
        if not below:
            return none, used
    else:
        if d.of is not None:
            chosen = [r for r in chosen if r[d.of] is not None]
        if d.per == "case":
            chosen = worst_of_each_case(chosen, day, d)
        used = {r["record"] for r in chosen}
        if not chosen:
            return none, used
        values = [1 if d.of is None else r[d.of] for r in chosen]
        ages = [(day - r[d.window_on]).days for r in chosen]
        places = [r["seq"] if d.window_on == "decided_on" else 0 for r in chosen]  # within the day of the decision
        place = max(place for place, age in zip(places, ages, strict=True) if age == min(ages))
        latest = [v for v, age, p in zip(values, ages, places, strict=True) if age == min(ages) and p == place]
        below = 1
        if d.aggregate in ("count", "any"):
            above = len(chosen) if d.aggregate == "count" else 1
        elif d.aggregate == "count_distinct":
            above = len(set(values))
        elif d.aggregate == "recency_days":
            above = min(ages)
        elif d.aggregate == "tenure_days":
            above = max(ages)
        elif d.aggregate == "last":
            above = min(latest) if d.trend in ("lower_is_worse", "higher_is_better") else max(latest)
        elif d.aggregate == "mean":
            above, below = sum(values), len(values)
        elif d.aggregate == "decayed_sum":
            above = sum(v * weight(age, d.half_life_days) for v, age in zip(values, ages, strict=True))
            below = 2**24
        else:
            above = {"sum": sum, "max": max, "min": min}[d.aggregate](values)
    value = above / (below * d.scale)
    return np.float32(value if d.cap is None else min(value, d.cap)), used


# ------------------------------------------------------------------------------------------------ an account
@pytest.mark.parametrize("engine", ENGINES)
def test_the_balance_of_an_account_is_that_of_the_last_posting_of_its_last_day(engine: str) -> None:
    random, rows, balance = Random(7), [], {}
    for account in (f"account {i}" for i in range(20)):
        for day in random.sample(DAYS[:8], 4):
            for seq in range(random.randint(1, 5)):
                amount = random.randint(0, 10**6)
                rows.append({"subject_id": account, "decided_on": day, "known_on": day, "amount": amount, "seq": seq})
                balance[account, day] = amount
    random.shuffle(rows)
    named = [{"record_id": str(i), "kind": "award", **row} for i, row in enumerate(rows)]
    tables = Tables.of(columns(named), attribute_types=CATALOGUE.attribute_types)
    segments = compile_segments(tables, CATALOGUE, "ever", ordinal(AFTER))
    last = FeatureDefinition(name="balance", aggregate="last", of="amount", trend="higher_is_worse")
    for day in DAYS[1:]:
        known = {
            account: max((d for a, d in balance if a == account and d < day), default=None) for account, _ in balance
        }
        observed = [(account, day) for account, then in known.items() if then is not None]
        expected = [balance[account, known[account]] for account, _ in observed]
        assert computed(segments, observed, [last], engine)[:, 0].tolist() == expected


# ------------------------------------------------------------------------------------------------ equal
observations = st.lists(
    st.tuples(st.sampled_from("abz"), days | days.map(lambda day: day + timedelta(1))), min_size=1, max_size=5
)


def computed(
    segments: Segments,
    observed: Sequence[tuple[str, date]],
    definitions: Sequence[FeatureDefinition],
    engine: str = "auto",
) -> NDArray[np.float32]:
    subjects = segments.subject_index(np.array([subject for subject, _ in observed], object))
    as_of = np.array([ordinal(day) for _, day in observed], np.int32)
    return compute(segments, subjects, as_of, definitions, CATALOGUE, engine)


@given(made_segments(), observations)
def test_the_kernel_equals_a_naive_loop_exactly(segments: Segments, observed: list[tuple[str, date]]) -> None:
    rows = [(in_force(segments, subject, day), day) for subject, day in observed]
    expected = np.array([[naive(held, day, d)[0] for d in MADE] for held, day in rows], np.float32)
    for engine in ENGINES:
        values = computed(segments, observed, MADE, engine)
        assert values.dtype == np.float32
        wrong = [MADE[j] for _, j in np.argwhere(~np.isclose(values, expected, rtol=0, atol=0, equal_nan=True))]
        assert not wrong, engine


@settings(max_examples=60)
@given(made_segments(), st.sampled_from("ab"), days)
def test_the_trail_names_the_records_the_naive_loop_used_and_every_other_on_file(
    segments: Segments, subject: str, day: date
) -> None:
    (index,) = segments.subject_index(np.array([subject], object)).tolist()
    held = segments.at(ordinal(day))
    on_file = {int(r): int(s) for r, s, who in zip(held.record, held.status, held.subject, strict=True) if who == index}
    rows = in_force(segments, subject, day)
    for d in MADE[::5]:
        used, left_out = trail(segments, index, ordinal(day), d, CATALOGUE)
        assert set(used) == naive(rows, day, d)[1]
        assert sorted([*used, *(r for r, _ in left_out)]) == sorted(on_file)
        for record, ground in left_out:
            own = {"not_matched", "outside_the_window", "no_value", "marks_the_window", "same_case"}
            assert ground in (own if on_file[record] == 0 else {STATUSES[on_file[record]], "not_matched"})


@settings(max_examples=50)
@given(made_segments(), observations, st.randoms(use_true_random=False))
def test_one_row_is_the_same_alone_in_another_order_and_in_small_batches(
    segments: Segments, observed: list[tuple[str, date]], random: Random
) -> None:
    definitions = MADE[::4]
    whole = computed(segments, observed, definitions)
    order = random.sample(range(len(observed)), len(observed))
    np.testing.assert_array_equal(whole[order], computed(segments, [observed[i] for i in order], definitions))
    for i, row in enumerate(observed):
        np.testing.assert_array_equal(whole[i : i + 1], computed(segments, [row], definitions))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_LINES", 3)
        np.testing.assert_array_equal(whole, computed(segments, observed, definitions))


# ------------------------------------------------------------------------------------------------ by hand
def one(rows: list[dict[str, Any]], day: str, policy: str = "ever", **said: Any) -> float:
    """The value of a feature for subject a, whose records are known on the day of their decision."""
    records = [
        {"record_id": str(i), "subject_id": "a", "known_on": row["decided_on"], **row} for i, row in enumerate(rows)
    ]
    names = {name for row in records for name in row}
    table = {name: [row.get(name) for row in records] for name in names}
    segments = compile_segments(
        Tables.of(table, attribute_types=CATALOGUE.attribute_types), CATALOGUE, policy, ordinal(AFTER)
    )
    definition = FeatureDefinition(name="f", **{"aggregate": "count", **said})
    check_definitions([definition], CATALOGUE)
    value = compute(segments, np.array([0]), np.array([ordinal(date.fromisoformat(day))]), [definition], CATALOGUE)
    return value[0, 0].item()


@pytest.mark.parametrize(
    ("decided_on", "window", "day", "value"),
    [
        ("2024-01-10", "12m", "2024-01-11", 1),  # known on the day of the decision, visible the day after
        ("2024-01-10", "12m", "2025-01-10", 1),
        ("2024-01-10", "12m", "2025-01-11", 0),
        ("2024-02-29", "12m", "2025-03-01", 1),  # 2025 has no 29 February: forward
        ("2024-02-29", "12m", "2025-03-02", 0),
        ("2024-08-31", "6m", "2025-03-01", 1),
        ("2024-08-31", "6m", "2025-03-02", 0),
        ("2024-01-10", "365d", "2025-01-09", 1),
        ("2024-01-10", "365d", "2025-01-10", 0),
        ("2024-01-10", "1d", "2024-01-11", 1),
        ("2024-01-10", "1d", "2024-01-12", 0),
        ("2004-01-10", "ever", "2024-01-11", 1),
    ],
)
def test_a_window_ends_on_the_day_it_says(decided_on: str, window: str, day: str, value: float) -> None:
    assert one([{"kind": "fault", "decided_on": decided_on}], day, window=window) == value


def test_a_window_on_visible_from_counts_from_the_first_usable_day() -> None:
    late = [{"kind": "fault", "decided_on": "2020-01-10", "known_on": "2024-01-09"}]
    on = {"window": "12m", "window_on": "visible_from"}
    assert [one(late, day, **on) for day in ("2024-01-09", "2024-01-10", "2025-01-09", "2025-01-10")] == [0, 1, 1, 0]
    assert one(late, "2024-01-10", window="12m") == 0
    assert one(late, "2024-01-10", aggregate="recency_days", window_on="visible_from") == 0


def test_at_the_previous_visit_means_the_last_day_with_a_visit_before() -> None:
    rows = [
        {"kind": "visit", "decided_on": "2023-01-10", "score": 90},
        {"kind": "visit", "decided_on": "2023-06-10", "score": 70},
        {"kind": "fault", "decided_on": "2023-06-10"},
        {"kind": "fault", "decided_on": "2023-06-10"},
        {"kind": "fault", "decided_on": "2023-07-01"},
        {"kind": "visit", "decided_on": "2023-09-01", "score": 50},
    ]
    at_visit = {"window": "last_day:visit"}
    assert one(rows, "2023-09-01", where={"kinds": "fault"}, **at_visit) == 2
    assert one(rows, "2023-09-02", where={"kinds": "fault"}, **at_visit) == 0
    assert one(rows, "2023-09-01", aggregate="last", of="score", **at_visit) == 70
    assert one(rows, "2023-01-10", aggregate="count", **at_visit) == 0


def test_of_several_last_values_the_worst_counts_and_records_without_a_value_do_not() -> None:
    rows = [{"kind": "visit", "decided_on": "2023-01-10", "score": score} for score in (90, 70, 80)]
    rows.append({"kind": "visit", "decided_on": "2023-02-10"})
    last = {"aggregate": "last", "of": "score"}
    assert one(rows, "2023-03-01", **last) == 90
    assert one(rows, "2023-03-01", **last, trend="higher_is_worse") == 90
    assert one(rows, "2023-03-01", **last, trend="lower_is_worse") == 70
    assert one(rows, "2023-03-01", **last, trend="higher_is_better") == 70


def test_nothing_on_record_is_the_value_of_none_neither_scaled_nor_capped() -> None:
    days_since = {"aggregate": "recency_days", "cap": 100, "scale": 10}
    assert one([], "2023-03-01", **days_since, none=1826) == 1826
    assert np.isnan(one([], "2023-03-01", **days_since))
    assert one([{"kind": "fault", "decided_on": "2023-02-01"}], "2023-03-01", **days_since, none=1826) == np.float32(
        2.8
    )
    assert one([{"kind": "fault", "decided_on": "2003-02-01"}], "2023-03-01", **days_since, none=1826) == 100


def test_a_breach_ratio_is_shrunk_to_its_prior() -> None:
    said = {
        "aggregate": "ratio", "prior": (1, 9), "numerator": {"kinds": "fault"},
        "denominator": {"kinds": ["fault", "award"]},
    }  # fmt: skip
    fault, award = ({"kind": kind, "decided_on": "2023-01-01"} for kind in ("fault", "award"))
    values = [one(rows, "2023-03-01", **said) for rows in ([], [award], [fault], [fault, award])]
    assert values == [np.float32(x) for x in (1 / 10, 1 / 11, 2 / 11, 2 / 12)]


def test_a_record_of_one_half_life_counts_half() -> None:
    rows = [{"kind": "award", "decided_on": "2023-01-01", "hours": 80}]
    half = {"aggregate": "decayed_sum", "half_life_days": 100}
    assert one(rows, "2023-04-11", **half) == 0.5
    assert one(rows, "2023-04-11", of="hours", scale=10, **half) == 4
    assert one(rows, "2023-07-20", of="hours", scale=10, **half) == 2
    assert one(rows, "2029-07-28", **half) == 2**-24
    assert one(rows, "2030-01-01", **half) == 0


def test_a_decayed_sum_that_would_overflow_is_refused() -> None:
    rich = [{"kind": "debt", "decided_on": "2023-01-01", "amount": 2**39}]
    with pytest.raises(UserError, match="too great for a decayed sum"):
        one(rich, "2023-03-01", aggregate="decayed_sum", of="amount", half_life_days=100)


def test_the_field_of_a_record_is_its_kinds_else_its_own() -> None:
    rows = [
        {"kind": "award", "decided_on": "2023-01-01", "field_code": "fire"},
        {"kind": "fault", "decided_on": "2023-01-01", "field_code": "food"},
        {"kind": "fault", "decided_on": "2023-01-01"},
    ]
    assert one(rows, "2023-03-01", where={"field": "food"}) == 2
    assert one(rows, "2023-03-01", aggregate="count_distinct", of="field") == 1


def test_no_observations_and_no_definitions_are_empty_tables() -> None:
    segments = compile_segments(Tables.of({}), CATALOGUE, "ever", ordinal(AFTER))
    definition = FeatureDefinition(name="f", aggregate="count")
    assert compute(segments, np.array([]), np.array([]), [definition], CATALOGUE).shape == (0, 1)
    assert compute(segments, np.array([-1, -1]), np.array([0, 1]), [], CATALOGUE).shape == (2, 0)
    assert compute(segments, np.array([-1]), np.array([0]), [definition], CATALOGUE).tolist() == [[0]]
    assert trail(segments, -1, 0, definition, CATALOGUE) == ((), ())
