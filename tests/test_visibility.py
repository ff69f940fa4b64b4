"""What may be used on which day: the cases in words, and what holds of every ledger."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_visibility_naive import CATALOGUE, TRIAL, pool_of, random_ledger, tables_of

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue, parse_catalogue
from credit_model.foundation.calendar import FOREVER, NO_DAY, to_day
from credit_model.visibility.amendments import parse_correction
from credit_model.visibility.segments import compile_segments, grounds_at
from credit_model.visibility.tables import ROLES, STATUSES, TIERS, Segments, Tables
from credit_model.visibility.text_columns import Text

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("visibility.yaml").read_text(encoding="utf-8"))
COLUMNS = [
    "subject", "record", "start", "end", "status", "role", "kind", "tier", "decided_on", "occurred_on", "visible_from",
    "known_on", "amount", "hours", "outstanding", "performed", "case",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_case_in_words(case: dict[str, Any]) -> None:
    catalogue = load_catalogue()
    record = {"record_id": "r1", "subject_id": "a", **case["record"]}
    amendments = [[*a, None][:4] for a in case.get("amendments", [])]
    names = ("action", "effective_on", "known_on", "value")
    tables = Tables.of(
        {name: [value] for name, value in record.items()},
        {"record_id": ["r1"] * len(amendments), **dict(zip(names, zip(*amendments, strict=True), strict=False))},
        {"subject_id": ["a" for _ in case.get("subjects", [])], **columns(case.get("subjects", []))},
        catalogue.attribute_types,
    )
    use = to_day(case.get("day_of_use", "2026-11-24"))
    segments = compile_segments(tables, catalogue, case.get("policy", "tier"), use)
    said = {day: say(segments, case.get("file", "a"), day) for day in case["expect"]}
    for day, expected in case["expect"].items():
        wanted = expected if isinstance(expected, dict) else {"status": expected}
        assert {name: said[day].get(name) for name in wanted} == wanted, f"on {day}"


def columns(rows: list[dict]) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def say(segments: Segments, subject: str, day: dt.date) -> dict[str, Any]:
    row = segments.select([subject]).at(to_day(day))
    if not len(row):
        return {"status": "not on file"}
    role = f" as {ROLES[row.role[0]]}" if row.role[0] else ""
    return {
        "status": STATUSES[row.status[0]].replace("_", " ") + role,
        "tier": TIERS[row.tier[0]],
        "decided_on": dt.date(1970, 1, 1) + dt.timedelta(int(row.decided_on[0])),
        **{name: int(getattr(row, name)[0]) for name in ("amount", "performed", "outstanding")},
    }


# ---------------------------------------------------------------------------------------------- of every ledger


def compiled(tables: Tables, use: int, policy: str = "retention") -> Segments:
    return compile_segments(tables, TRIAL, policy, use)


def rows_of(segments: Segments, *without: str) -> list[tuple]:
    """Every row as plain values, ids and words for codes, so that segments of different ledgers compare."""
    named = {name: getattr(segments, name).tolist() for name in COLUMNS if name not in without}
    named |= {"subject": segments.subject_ids[segments.subject], "record": segments.record_ids[segments.record]}
    named["case"] = segments.case_ids[segments.case]
    for name, column in segments.attributes.items():
        words = (*segments.vocabularies.get(name, ()), None)
        named[name] = [words[i] for i in column] if name in segments.vocabularies else column.tolist()
    return list(zip(*named.values(), strict=True))


def days_of(pool: list[dt.date]) -> list[int]:
    return sorted({to_day(day) + step for day in pool for step in (0, 1)})


@given(st.randoms(use_true_random=False))
def test_segments_partition_time_from_the_day_after_the_record_is_known(rng: random.Random) -> None:
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x")])
    segments = compiled(tables, to_day(rng.choice(pool)))
    first = np.append(True, (np.diff(segments.subject) != 0) | (np.diff(segments.record) != 0))
    last = np.append(first[1:], True)
    assert (segments.start < segments.end).all()
    assert (segments.end[~last] == segments.start[1:][~first[1:]]).all()
    assert (segments.end[last] == FOREVER).all()
    owner = dict(zip(tables.records["record_id"], tables.records["subject_id"], strict=True))
    own = np.array([owner[r] for r in segments.record_ids[segments.record]]) == segments.subject_ids[segments.subject]
    assert (segments.start[first & own] == segments.known_on[first & own] + 1).all()
    assert set(owner.values()) <= set(segments.subject_ids)
    order = list(zip(segments.subject, segments.record, segments.start, strict=True))
    assert order == sorted(order)
    assert np.array_equal(np.bincount(segments.subject), np.diff(segments.offsets))


@given(st.randoms(use_true_random=False))
def test_neighbours_differ_so_that_no_segment_is_cut_for_nothing(rng: random.Random) -> None:
    pool = pool_of(rng)
    rows = rows_of(compiled(tables_of([random_ledger(rng, pool, "x")]), to_day(rng.choice(pool))), "start", "end")
    assert all(a != b for a, b in pairwise(rows))


@given(st.randoms(use_true_random=False))
def test_a_run_in_force_is_visible_from_its_first_day(rng: random.Random) -> None:
    pool = pool_of(rng)
    segments = compiled(tables_of([random_ledger(rng, pool, "x")]), to_day(rng.choice(pool)))
    run: dict[tuple[int, int], int] = {}
    for i in range(len(segments)):
        file = (segments.subject[i], segments.record[i])
        if segments.status[i] == 0:
            assert segments.visible_from[i] == run.setdefault(file, segments.start[i])
        else:
            assert segments.visible_from[i] == NO_DAY
            run.pop(file, None)


@given(st.randoms(use_true_random=False))
def test_order_and_duplicates_of_rows_change_nothing(rng: random.Random) -> None:
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x"), random_ledger(rng, pool, "y")])
    use = to_day(rng.choice(pool))

    def shuffled(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        n = len(table["known_on"])
        rows = [*range(n), *(rng.choices(range(n), k=3) if n else [])]
        rng.shuffle(rows)
        return {name: column[rows] for name, column in table.items()}

    again = Tables(*(shuffled(table) for table in (tables.records, tables.amendments, tables.subjects)))
    assert compiled(again, use).to_arrow().equals(compiled(tables, use).to_arrow())


def test_a_payment_delivered_twice_is_paid_once() -> None:
    record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["dishonest_executee"], "decided_on": ["2024-01-10"],
              "known_on": ["2024-01-11"], "amount": [100]}  # fmt: skip
    paid = {"record_id": "r", "action": "partly_performed", "effective_on": "2024-02-01", "known_on": "2024-02-02"}
    rows = [{**paid, "seq": 1, "value": "paid=30"}] * 2 + [{**paid, "seq": 2, "value": "paid=30"}]
    amendments = {name: [row[name] for row in rows] for name in rows[0]}
    segments = compile_segments(Tables.of(record, amendments), load_catalogue(), "tier", to_day("2026-11-24"))
    assert segments.outstanding.tolist() == [100, 40]


@given(st.randoms(use_true_random=False))
def test_text_out_of_arrow_compiles_to_the_same_segments(rng: random.Random) -> None:
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x"), random_ledger(rng, pool, "y")])
    use = to_day(rng.choice(pool))

    def coded(table: dict[str, np.ndarray]) -> dict[str, Any]:
        text = {name: column for name, column in table.items() if column.dtype == object}
        return {**table, **{name: Text.of_arrow(pa.array(column, pa.string())) for name, column in text.items()}}

    again = Tables(*(coded(table) for table in (tables.records, tables.amendments, tables.subjects)))
    assert compiled(again, use).to_arrow().equals(compiled(tables, use).to_arrow())


@given(st.randoms(use_true_random=False))
def test_the_future_changes_nothing_when_the_day_of_use_is_before_it(rng: random.Random) -> None:
    """Both ways: an outlook from what was known at d, and rows added that became known on d or later."""
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x"), random_ledger(rng, pool, "y")])
    day = rng.choice(days_of(pool))
    use = day - rng.choice([1, 1, 2, 400])
    known, all_of_it = (compiled(t, use).at(day) for t in (tables.known_before(day), tables))
    assert rows_of(known, "end") == rows_of(all_of_it, "end")


@given(st.randoms(use_true_random=False))
def test_by_a_later_day_of_use_only_seals_and_minors_acts_are_added(rng: random.Random) -> None:
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x"), random_ledger(rng, pool, "y")])
    day = rng.choice(days_of(pool))
    use = day + rng.choice([0, 1, 200, 4000])
    known, later = (grounds_at(t, TRIAL, "tier", day, use) for t in (tables.known_before(day), tables))
    born: dict[str, set[int]] = {}
    for subject, born_on in zip(tables.subjects["subject_id"], tables.subjects["born_on"], strict=True):
        born.setdefault(subject, set()).add(int(born_on))
    # A birth date that is corrected may show that somebody was of age after all.
    uncorrected = np.array([len(born.get(subject, ())) < 2 for subject in later["subject_id"]], dtype=bool)
    for name in ("subject_id", "record_id", *STATUSES[1:]):
        if name == "sealed":
            assert (known[name] <= later[name]).all()
        elif name == "act_of_minor":
            assert (known[name] <= later[name])[uncorrected].all()
        else:
            assert (known[name] == later[name]).all()


@given(st.randoms(use_true_random=False))
def test_one_subjects_rows_compile_to_that_subjects_file(rng: random.Random) -> None:
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, "x"), random_ledger(rng, pool, "y")])
    use = to_day(rng.choice(pool))
    subject = rng.choice(tables.records["subject_id"])
    alone = compiled(tables.for_subjects([subject]), use).select([subject])
    assert rows_of(alone) == rows_of(compiled(tables, use).select([subject]))


def test_the_first_ground_is_named_and_all_are_given_on_request() -> None:
    rng = random.Random(9)
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, f"{i}") for i in range(40)])
    use, day = to_day(pool[0]), to_day(max(pool))
    segments, grounds = compiled(tables, use, "tier").at(day), grounds_at(tables, TRIAL, "tier", day, use)
    assert list(segments.record_ids[segments.record]) == list(grounds["record_id"])
    first = [next((g for g in STATUSES[1:] if grounds[g][i]), "in_force") for i in range(len(segments))]
    assert [STATUSES[i] for i in segments.status] == first
    assert sum(grounds[g].sum() for g in STATUSES[1:]) > sum(ground != "in_force" for ground in first)


def test_an_organisation_has_no_age() -> None:
    rng = random.Random(6)
    pool = pool_of(rng)
    tables = tables_of([random_ledger(rng, pool, f"{i}") for i in range(30)])
    firms = parse_catalogue(CATALOGUE.replace('subjects = "person"', 'subjects = "organisation"'))
    minor = STATUSES.index("act_of_minor")
    assert (compiled(tables, to_day(pool[0])).status == minor).any()
    assert not (compile_segments(tables, firms, "tier", to_day(pool[0])).status == minor).any()


# ---------------------------------------------------------------------------------------------- as a table


def some_segments() -> Segments:
    rng = random.Random(2)
    pool = pool_of(rng)
    return compiled(tables_of([random_ledger(rng, pool, f"{i}") for i in range(5)]), to_day("2030-01-01"))


def test_segments_survive_arrow_and_parquet(tmp_path: Path) -> None:
    segments = some_segments()
    again = Segments.from_arrow(segments.to_arrow())
    pq.write_table(segments.to_arrow(), tmp_path / "segments.parquet")
    stored = Segments.from_arrow(pq.read_table(tmp_path / "segments.parquet"))
    for other in (again, stored):
        assert rows_of(other) == rows_of(segments)
        assert other.kind_codes == segments.kind_codes
        assert list(other.subject_ids) == list(segments.subject_ids)


def test_an_empty_ledger_compiles_to_no_segments() -> None:
    segments = compiled(Tables.of({}, attribute_types=TRIAL.attribute_types), to_day("2026-11-24"))
    assert len(segments) == 0
    assert list(segments.offsets) == [0]
    assert len(Segments.from_arrow(segments.to_arrow())) == 0
    assert segments.to_arrow().schema.field("start").type == pa.int32()


def test_a_subject_without_a_file_has_index_minus_one() -> None:
    segments = some_segments()
    known = segments.subject_ids[1]
    assert segments.subject_index([known, "nobody"]).tolist() == [1, -1]
    assert len(segments.select(["nobody"])) == 0


def test_a_record_without_any_tier_is_used_as_the_mildest() -> None:
    tables = Tables.of(
        {"record_id": ["r"], "subject_id": ["a"], "kind": ["penalty"], "decided_on": ["2024-01-10"],
         "final_on": ["2024-01-10"], "known_on": ["2024-01-11"]}
    )  # fmt: skip
    segments = compiled(tables, to_day("2025-01-01"), "tier")
    assert [STATUSES[i] for i in segments.status] == ["in_force", "past_use_window"]
    assert segments.end[0] == to_day("2024-04-10")


# ---------------------------------------------------------------------------------------------- what is refused


def test_records_of_a_kind_outside_the_catalogue_are_refused() -> None:
    tables = Tables.of({"record_id": ["r"], "subject_id": ["a"], "kind": ["other"], "decided_on": ["2024-01-10"],
                        "known_on": ["2024-01-11"]})  # fmt: skip
    with pytest.raises(UserError, match="1 of their kinds are not in catalogue 'trial'"):
        compiled(tables, 0)


def test_frames_and_plain_columns_give_the_same_tables() -> None:
    record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["penalty"], "decided_on": ["2024-01-10"],
              "known_on": ["2024-01-11"], "amount": [None]}  # fmt: skip
    amendment = {"record_id": ["r"], "action": ["repaired"], "effective_on": ["2024-02-01"], "known_on": ["2024-02-01"]}
    plain, framed = Tables.of(record, amendment), Tables.of(pd.DataFrame(record), pd.DataFrame(amendment))
    assert rows_of(compiled(plain, 20_000)) == rows_of(compiled(framed, 20_000))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(UserError, match=r"different lengths: \[1, 2\]"):
        Tables.of({"record_id": ["r"], "subject_id": ["a", "b"]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "it names no fact"),
        ("{", "it names no fact"),
        ("severe", "severe is never corrected"),
        ("kind=honour", "kind is never corrected"),
        ('{"subject_id": "b", "amount": 1.5}', "amount must be a whole number; subject_id is never corrected"),
        ("tier=grave", "tier must be minor, general or serious"),
        ("decided_on=2024-02-30", "decided_on must be a date like 2024-01-31"),
        ('{"procedure": ["summary"]}', "procedure must be text"),
    ],
)
def test_a_correction_that_cannot_be_read_is_refused(value: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_correction(value, load_catalogue().attribute_types)


def test_a_correction_may_take_a_fact_away() -> None:
    types = load_catalogue().attribute_types
    assert parse_correction('{"penalty_ends_on": null, "amount": null}', types) == {
        "penalty_ends_on": NO_DAY, "amount": -(2**63)
    }  # fmt: skip
    assert parse_correction("procedure=", types) == {"procedure": None}
