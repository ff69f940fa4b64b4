"""Observations that events call for: on which day, of whom; and samples whose rows have days of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_card import penalty, small_ledger

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.sample.development import DevelopmentSample, build_sample
from credit_model.sample.observation import Event, EventDay, EventErrors
from credit_model.sample.outcome import Y12, Outcome

USE = "2026-11-24"
SERVED = Event(["adm_penalty"], "served")
EVER = to_day("2000-01-01"), to_day("2030-01-01")
TOWN = [{"subject_id": name} for name in "abc"]


def amended(record_id: str, action: str, effective_on: str, known_on: str, value: Any = None) -> dict[str, Any]:
    return {
        "record_id": record_id,
        "action": action,
        "effective_on": effective_on,
        "known_on": known_on,
        "value": value,
    }


def called_for(
    ledger: Ledger, event: Event = SERVED, first: int = EVER[0], last: int = EVER[1]
) -> list[tuple[str, str]]:
    found = event.observations(ledger, first, last, USE)
    return [
        (who, str(day.date())) for who, day in zip(found["subject_id"], pd.DatetimeIndex(found["as_of"]), strict=True)
    ]


RECORDS = [
    penalty("r1", "2024-01-10", subject_id="a"),
    penalty("r2", "2024-01-10", subject_id="b"),
    penalty("r3", "2024-01-10", subject_id="c"),
    {"record_id": "h1", "kind": "honour", "decided_on": "2024-03-01", "subject_id": "c"},
]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([amended("r1", "served", "2024-01-12", "2024-01-20")], [("a", "2024-01-21")]),
        ([amended("r1", "served", "2024-02-01", "2024-01-20")], [("a", "2024-02-01")]),
        ([amended("r1", "served", "2024-01-05", "2024-01-06")], [("a", "2024-01-11")]),
        (
            [amended("r1", "served", "2024-03-01", "2024-03-01"), amended("r1", "served", "2024-02-01", "2024-02-01")],
            [("a", "2024-02-02")],
        ),
        (
            [amended("r2", "served", "2024-02-01", "2024-02-01"), amended("r1", "served", "2024-02-01", "2024-02-01")],
            [("a", "2024-02-02"), ("b", "2024-02-02")],
        ),
        (
            [amended("r1", "served", "2024-02-01", "2024-02-01"), amended("r1", "revoked", "2024-01-31", "2024-02-01")],
            [],
        ),
        (
            [amended("r1", "served", "2024-02-01", "2024-02-01"), amended("r1", "revoked", "2024-01-31", "2024-02-02")],
            [("a", "2024-02-02")],
        ),
        (
            [
                amended("r1", "served", "2024-02-01", "2024-02-01"),
                amended("r1", "moved_to_subject", "2024-01-15", "2024-01-15", "b"),
            ],
            [("b", "2024-02-02")],
        ),
        ([amended("h1", "served", "2024-04-01", "2024-04-01")], []),
        ([amended("unknown", "served", "2024-02-01", "2024-02-01")], []),
    ],
    ids=[
        "the day after it was known", "its own day where that is later", "not before the record itself is on file",
        "the first of two", "by day, then subject", "nothing where the record is revoked by then",
        "what is known later changes nothing", "on the file it has moved to", "no other kind",
        "no record that is not there",
    ],
)  # fmt: skip
def test_an_event_calls_for_an_observation(
    tmp_path: Path, rows: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    assert called_for(small_ledger(tmp_path / "ledger", RECORDS, rows, TOWN)) == expected


def test_without_an_action_the_record_itself_calls(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger", RECORDS, [], TOWN)
    assert called_for(ledger, Event(["adm_penalty", "honour"])) == [
        ("a", "2024-01-11"), ("b", "2024-01-11"), ("c", "2024-01-11"), ("c", "2024-03-02"),
    ]  # fmt: skip


def test_both_ends_of_the_span_are_included(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger", RECORDS, [], TOWN)
    day = to_day("2024-03-02")
    spans = [(day, day), (day - 1, day - 1), (day + 1, day + 1)]
    assert [len(called_for(ledger, Event(["honour"]), *span)) for span in spans] == [1, 0, 0]


def test_every_unknown_word_of_an_event_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(EventErrors) as told:
        called_for(small_ledger(tmp_path / "ledger"), Event(["adm_penalti"], "serve"))
    assert str(told.value) == (
        "observe_after: unknown kind 'adm_penalti'; did you mean 'adm_penalty'?; unknown action 'serve'; did you mean "
        "'served'?"
    )
    with pytest.raises(EventErrors, match="kinds names none"):
        called_for(small_ledger(tmp_path / "other"), Event([]))


# ---------------------------------------------------------------------------------------------- samples of own days


def sampled(ledger: Ledger, dates: Any, **more: Any) -> DevelopmentSample:
    return build_sample(ledger, Y12, dates, day_of_use=USE, known_through=USE, **more)


def rows_of(sample: DevelopmentSample) -> pd.DataFrame:
    told = {"y": sample.y, "escalation": sample.escalation, "with_record": sample.with_record, "weight": sample.weight}
    index = pd.MultiIndex.from_arrays([sample.as_of, sample.subject_id])
    return pd.concat([sample.X, sample.audit, pd.DataFrame(told)], axis=1).set_axis(index, axis=0)


@pytest.fixture(scope="module")
def observed(city_ledger: Ledger) -> pd.DataFrame:
    """Six hundred people of the city, each on one or two of forty days, in no order, some said twice."""
    rng = np.random.default_rng(3)
    people = np.array(city_ledger.population().subject_ids, object)
    days = to_day("2023-01-01") + rng.choice(700, 40, replace=False)
    chosen = {"subject_id": rng.choice(people, 900), "as_of": from_days(rng.choice(days, 900))}
    frame = pd.DataFrame(chosen)
    return pd.concat([frame, frame[:50], pd.DataFrame({"subject_id": ["nobody"], "as_of": [frame["as_of"][0]]})])


def test_rows_with_days_of_their_own_are_those_of_each_day_alone(city_ledger: Ledger, observed: pd.DataFrame) -> None:
    together = sampled(city_ledger, observed)
    alone = [sampled(city_ledger, of_day) for _, of_day in observed.groupby("as_of")]
    pd.testing.assert_frame_equal(rows_of(together), pd.concat([rows_of(sample) for sample in alone]))
    counts = pd.concat([sample.counts for sample in alone], ignore_index=True)
    pd.testing.assert_frame_equal(together.counts, counts)
    assert together.counts["rows"].sum() == len(observed.drop_duplicates())
    assert (together.counts["reason"] == "unmatched").any()
    assert together.digest == sampled(city_ledger, observed[::-1]).digest


def test_everybody_on_some_dates_is_the_sample_of_those_dates(city_ledger: Ledger) -> None:
    dates = ["2023-09-01", "2024-09-01"]
    people = city_ledger.population().subject_ids
    everybody = pd.concat([pd.DataFrame({"subject_id": people, "as_of": day}) for day in dates])
    by_dates, by_rows = sampled(city_ledger, dates), sampled(city_ledger, everybody)
    assert by_dates.digest == by_rows.digest
    pd.testing.assert_frame_equal(by_dates.counts, by_rows.counts)


def test_goods_are_thinned_over_all_days_together_and_weigh_as_many(
    city_ledger: Ledger, observed: pd.DataFrame
) -> None:
    whole, half = sampled(city_ledger, observed), sampled(city_ledger, observed, goods_share=0.5)
    goods = int((whole.y == 0).sum())
    assert abs(int((half.y == 0).sum()) - goods / 2) <= 1
    assert half.weight[half.y == 0].sum() == pytest.approx(goods)
    assert half.bads == whole.bads


# ------------------------------------------------------------------------------------------- on the morning of an event

REGISTER = Path(__file__).parents[1] / "data" / "public" / "sf_restaurants" / "catalogue.toml"
VISIT = EventDay("inspection", "planned_on")
VISITS: list[dict[str, Any]] = [
    {"record_id": "v1", "subject_id": "a", "decided_on": "2015-03-02", "planned_on": "2015-03-02"},
    {"record_id": "v2", "subject_id": "a", "decided_on": "2015-06-01", "planned_on": "2015-06-01"},
    {"record_id": "v3", "subject_id": "a", "decided_on": "2015-06-01", "planned_on": "2015-06-01"},
    {"record_id": "v4", "subject_id": "b", "decided_on": "2015-06-01", "planned_on": "2015-06-01"},
    {"record_id": "v5", "subject_id": "b", "decided_on": "2015-07-01"},
]
VIOLATIONS: list[dict[str, Any]] = [
    {"record_id": "f1", "subject_id": "a", "decided_on": "2015-03-02", "tier": "serious"},
    {"record_id": "f2", "subject_id": "a", "decided_on": "2015-06-01", "tier": "minor"},
    {"record_id": "f3", "subject_id": "b", "decided_on": "2015-06-02", "tier": "serious"},
]
FOUND_THAT_DAY = Outcome("found", "1d", 0, where={"kinds": ["violation"]})


def register(folder: Path, amendments: list[dict[str, Any]] | None = None) -> Ledger:
    """Return a register of visits whose planned day is an attribute; what a visit finds is recorded on its day."""
    text = REGISTER.read_text(encoding="utf-8")
    assert text.count("[kinds.inspection.attributes]\n") == 1
    path = folder / "catalogue.toml"
    path.write_text(
        text.replace(
            "[kinds.inspection.attributes]\n", '[kinds.inspection.attributes]\nplanned_on = { type = "date" }\n'
        ),
        encoding="utf-8",
    )
    ledger = Ledger.create(folder / "ledger", load_catalogue(path))
    for kind, rows in (("inspection", VISITS), ("violation", VIOLATIONS)):
        records = pd.DataFrame([{"kind": kind, "known_on": row["decided_on"], **row} for row in rows])
        changes = None if kind == "inspection" or not amendments else pd.DataFrame(amendments)
        assert not ledger.ingest(records=records, amendments=changes).rejected
    return ledger


def mornings(ledger: Ledger, event: EventDay = VISIT) -> list[tuple[str, str]]:
    called = event.observations(ledger, *EVER, USE)
    return list(zip(called["subject_id"], pd.DatetimeIndex(called["as_of"]).strftime("%Y-%m-%d"), strict=True))


def test_a_subject_is_observed_once_on_each_day_a_record_names(tmp_path: Path) -> None:
    ledger = register(tmp_path)
    planned = [("a", "2015-03-02"), ("a", "2015-06-01"), ("b", "2015-06-01")]
    assert mornings(ledger) == planned
    assert mornings(ledger, EventDay("inspection", "decided_on")) == [*planned, ("b", "2015-07-01")]
    day = to_day("2015-06-01")
    spans = [(day, day), (day + 1, day + 9), (day - 9, day - 1)]
    assert [len(VISIT.observations(ledger, *span, USE)) for span in spans] == [2, 0, 0]


def test_a_visit_that_is_void_or_another_subjects_once_it_is_known_is_read_so(tmp_path: Path) -> None:
    changes = [
        amended("v1", "revoked", "2015-03-02", "2015-03-02"),
        amended("v4", "moved_to_subject", "2015-06-01", "2015-06-01", "c"),
        amended("v2", "revoked", "2015-06-05", "2015-06-05"),
    ]
    assert mornings(register(tmp_path, changes)) == [("a", "2015-06-01"), ("c", "2015-06-01")]


def test_the_morning_of_a_visit_knows_nothing_of_it_and_the_label_is_what_the_day_brings(tmp_path: Path) -> None:
    ledger = register(tmp_path)
    before = [
        FeatureDefinition(name="visits", aggregate="count", where={"kinds": ["inspection"]}, window="12m"),
        FeatureDefinition(name="violations", aggregate="count", where={"kinds": ["violation"]}, window="12m"),
    ]
    sample = build_sample(
        ledger,
        FOUND_THAT_DAY,
        VISIT.observations(ledger, *EVER, USE),
        before,
        day_of_use=USE,
        known_through="2017-01-01",
    )
    rows = pd.DataFrame({"who": sample.subject_id, "day": from_days(sample.as_of).astype(str), "y": sample.y})
    told = [*rows.itertuples(index=False, name=None)]
    assert told == [("a", "2015-03-02", 1), ("a", "2015-06-01", 1), ("b", "2015-06-01", 0)]
    assert sample.X[["visits", "violations"]].to_numpy().tolist() == [[0, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("kind", "column", "fault"),
    [
        ("inspektion", "planned_on", "unknown kind 'inspektion'; did you mean 'inspection'?"),
        ("inspection", "planed_on", "unknown column 'planed_on'; did you mean 'planned_on'?"),
        ("inspection", "score", "'score' of inspection is no date; its dates are occurred_on, decided_on, served_on, "),
        ("violation", "planned_on", "unknown column 'planned_on'; known: occurred_on, "),
    ],
)
def test_a_day_that_no_record_can_name_is_refused_in_one_line(
    tmp_path: Path, kind: str, column: str, fault: str
) -> None:
    with pytest.raises(EventErrors) as refused:
        mornings(register(tmp_path), EventDay(kind, column))
    assert str(refused.value).startswith(f"observe_on: {fault}")
    assert "\n" not in str(refused.value)
