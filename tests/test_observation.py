"""Observations that events call for: on which day, of whom; and samples whose rows have days of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_card import penalty, small_ledger

from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.sample.development import DevelopmentSample, build_sample
from credit_model.sample.observation import Event, EventErrors
from credit_model.sample.outcome import Y12

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
