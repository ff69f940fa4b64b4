"""What is said of a person: the cases in words, and what must hold whatever the records."""

from __future__ import annotations

import json
import tempfile
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from small_card import DAY_OF_USE, penalty, raw_card, small_card, small_ledger

from credit_model import UserError, build_features
from credit_model.assessment.assessment import Assessment
from credit_model.assessment.evaluator import PURPOSES, Evaluator, PurposeError
from credit_model.scorecard.card import Card

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("assessment.yaml").read_text(encoding="utf-8"))
EVALUATOR = Evaluator(small_card())
FIELDS_RELIED_ON = {
    "status", "thin_file", "score", "probability_of_bad", "grade", "reasons", "positives", "statutory_status", "as_of",
    "live", "card_id", "card_digest", "record_ids", "purpose", "authorisation", "requires_human",
}  # fmt: skip


def _said(value: Any) -> Any:
    """A case as an assessment writes it: dates as text."""
    if isinstance(value, dict):
        return {key: _said(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_said(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_said(row) for row in rows]


def _agrees(found: Any, expected: Any) -> bool:
    """Whether what a case names is as it says; what it does not name is free."""
    if isinstance(expected, dict):
        return all(_agrees(found[key], item) for key, item in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(_agrees, found, expected))
    return bool(found == expected)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_cases_in_words(case: dict[str, Any], tmp_path: Path) -> None:
    ledger = small_ledger(
        tmp_path / "ledger",
        _rows(case.get("records", [])),
        _rows(case.get("amendments", [])),
        _rows(case.get("subjects", [{"subject_id": "a"}])),
        case.get("policy", "tier"),
    )
    card = small_card(case.get("policy", "tier"))
    purpose = case.get("purpose", "self_query")
    assessment = Evaluator(card, ledger).assess(
        case.get("subject", "a"), case.get("as_of"), purpose=purpose, day_of_use=DAY_OF_USE
    )
    found, expected = assessment.to_dict(), _said(case["expect"])
    assert _agrees(found, expected), {key: found[key] for key in expected}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One person with something of everything, one with nothing, one under age."""
    return small_ledger(
        tmp_path_factory.mktemp("assess") / "ledger",
        [
            penalty("penalty", "2025-10-10"),
            {"record_id": "list", "kind": "severe_list", "decided_on": "2024-01-10"},
            {"record_id": "breach", "kind": "commitment_breach", "decided_on": "2025-09-01", "final_on": "2025-09-01"},
            {"record_id": "unpaid", "kind": "judgment_unperformed", "decided_on": "2024-05-01", "amount": 5000},
            {"record_id": "honour", "kind": "honour", "decided_on": "2025-05-01"},
        ],
        subjects=[{"subject_id": "a"}, {"subject_id": "b"}, {"subject_id": "c", "born_on": "2012-01-01"}],
    )  # fmt: skip


def test_an_assessment_has_every_field_callers_rely_on_and_is_plain_json(ledger: Any) -> None:
    assessment = EVALUATOR.assess("a", "2026-07-01", ledger, "audit", "case 17", DAY_OF_USE)
    assert {field.name for field in fields(Assessment)} >= FIELDS_RELIED_ON
    plain = assessment.to_dict()
    assert list(plain) == [field.name for field in fields(Assessment)]
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["purpose"], plain["authorisation"], plain["card_digest"]) == (
        "audit",
        "case 17",
        EVALUATOR.card.digest,
    )
    assert set(plain["reasons"][0]) == {"code", "text_zh", "text_en", "points", "record_ids", "earliest_change_on"}


def test_at_most_four_reasons_are_given_greatest_loss_first_each_in_two_languages_with_its_records(ledger: Any) -> None:
    assessment = EVALUATOR.assess("a", "2026-07-01", ledger, day_of_use=DAY_OF_USE)
    points = [reason.points for reason in assessment.reasons]
    assert points == [-80, -50, -40, -20]  # the breach's 12 points are lost too, and are the fifth
    assert assessment.score == 800 - 80 - 50 - 40 - 20 - 12 + 6
    for reason in (*assessment.reasons, *assessment.positives):
        assert reason.text_zh
        assert reason.text_en
        assert reason.record_ids
        assert set(reason.record_ids) <= set(assessment.record_ids)


def test_one_by_one_equals_many_in_any_order(ledger: Any) -> None:
    days = pd.to_datetime(["2026-07-01", "2026-07-01", "2026-01-01", "2024-03-01", "2026-07-01"])
    observations = pd.DataFrame({"subject_id": ["c", "a", "b", "a", "nobody"], "as_of": days})
    many = EVALUATOR.assess_many(observations, ledger, day_of_use=DAY_OF_USE)
    single = tuple(
        EVALUATOR.assess(subject, day, ledger, day_of_use=DAY_OF_USE)
        for subject, day in observations.itertuples(index=False)
    )
    assert many == single
    assert EVALUATOR.assess_many(observations[::-1], ledger, day_of_use=DAY_OF_USE) == many[::-1]


def test_observations_without_dates_are_answered_live(ledger: Any) -> None:
    many = EVALUATOR.assess_many(pd.DataFrame({"subject_id": ["a", "b"]}), ledger, day_of_use=DAY_OF_USE)
    assert [(answer.live, answer.as_of) for answer in many] == [(True, date(2026, 7, 2))] * 2


def test_without_a_day_of_use_a_live_answer_is_as_of_tomorrow(ledger: Any) -> None:
    before = date.today()
    answer = EVALUATOR.assess("b", ledger=ledger)
    assert answer.live
    assert before + timedelta(1) <= answer.as_of <= date.today() + timedelta(1)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_permitted_purpose_gives_the_same_score(purpose: str, ledger: Any) -> None:
    answer = EVALUATOR.assess("a", "2026-07-01", ledger, purpose, day_of_use=DAY_OF_USE)
    assert answer.score == 604
    assert answer.purpose == purpose


@pytest.mark.parametrize("purpose", ["deny_service", "hiring", "", "SELF_QUERY"])
def test_any_other_purpose_is_refused_with_the_permitted_ones_named(purpose: str, ledger: Any) -> None:
    with pytest.raises(PurposeError, match="permitted are self_query, incentive, service_priority, model_validation"):
        EVALUATOR.assess("a", "2026-07-01", ledger, purpose)


def test_a_statutory_status_stands_beside_the_score_and_never_changes_it(tmp_path: Path) -> None:
    """A card without the characteristic of lists gives a listed person the points of anybody else."""
    listed = small_ledger(
        tmp_path / "l", [{"record_id": "r", "kind": "dishonest_executee", "decided_on": "2019-01-10"}]
    )
    blind = Card(
        "blind", EVALUATOR.card.profile, (EVALUATOR.card.characteristics[-1],), EVALUATOR.card.probabilities, 1
    )
    answer = Evaluator(blind, listed).assess("a", "2026-07-01", day_of_use=DAY_OF_USE)
    assert [status.kind for status in answer.statutory_status] == ["dishonest_executee"]
    assert (answer.score, answer.reasons) == (800, ())


def test_what_becomes_known_later_changes_no_word_of_an_answer(tmp_path: Path) -> None:
    records = [
        {
            "record_id": "r1",
            "kind": "adm_penalty",
            "tier": "general",
            "decided_on": "2025-10-10",
            "final_on": "2025-10-10",
        }
    ]
    before = small_ledger(tmp_path / "before", records)
    later = [
        penalty("r2", "2025-11-10", "serious", known_on="2026-04-01"),
        {"record_id": "r3", "kind": "severe_list", "decided_on": "2026-04-01"},
    ]
    changes = [
        {"record_id": "r1", "action": "repaired", "effective_on": "2026-01-01", "known_on": "2026-04-01"},
        {"record_id": "r1", "action": "corrected", "effective_on": "2026-04-02", "value": "tier=minor"},
    ]
    after = small_ledger(tmp_path / "after", records + later, changes)
    answers = [EVALUATOR.assess("a", "2026-04-01", each, day_of_use=DAY_OF_USE) for each in (before, after)]
    assert answers[0] == answers[1]
    assert answers[0].reasons[0].earliest_change_on == date(2026, 10, 10)


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["adm_penalty", "commitment_breach", "honour"]),
            "tier": st.sampled_from(["minor", "general", "serious"]),
            "age": st.integers(min_value=1, max_value=1200),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(made=RECORDS)
@settings(max_examples=15)
def test_the_first_day_of_change_is_the_first_day_on_which_fewer_points_are_lost(made: list[dict[str, Any]]) -> None:
    """Brute force: nothing more is ingested, and the card is asked as of every day of the next five years."""
    today, use = date(2026, 7, 2), "2026-07-01"
    rows = []
    for number, record in enumerate(made):
        decided = (today - timedelta(record["age"])).isoformat()
        facts = {"tier": record["tier"]} if record["kind"] == "adm_penalty" else {}
        final = {} if record["kind"] == "honour" else {"final_on": decided}
        rows.append({"record_id": f"r{number}", "kind": record["kind"], "decided_on": decided, **facts, **final})
    with tempfile.TemporaryDirectory() as folder:
        ledger = small_ledger(Path(folder, "ledger"), rows)
        answer = EVALUATOR.assess("a", today, ledger, day_of_use=use)
        days = [today + timedelta(day) for day in range(1, 5 * 366)]
        later = pd.DataFrame({"subject_id": "a", "as_of": pd.to_datetime(days)})
        points = EVALUATOR.card.explain(build_features(ledger, later, EVALUATOR.card.features, day_of_use=use))
    name_of = {characteristic.reason: characteristic.name for characteristic in EVALUATOR.card.characteristics}
    for reason in answer.reasons:
        fewer_lost = points[name_of[reason.code]].to_numpy() > reason.points
        assert reason.earliest_change_on == next((d for d, fewer in zip(days, fewer_lost, strict=True) if fewer), None)


def test_without_a_ledger_there_is_nothing_to_assess_from() -> None:
    with pytest.raises(UserError, match="nothing to assess from: give a ledger"):
        EVALUATOR.assess("a")


def test_a_day_beyond_tomorrow_is_refused(ledger: Any) -> None:
    with pytest.raises(
        UserError, match="cannot assess as of 2026-07-03: on 2026-07-01, the day of use, nothing can be"
    ):
        EVALUATOR.assess("a", "2026-07-03", ledger, day_of_use=DAY_OF_USE)


def test_a_card_made_under_another_policy_is_refused(ledger: Any) -> None:
    with pytest.raises(UserError, match="was made under policy 'retention', here it is 'tier'"):
        Evaluator(small_card("retention"), ledger).assess("a", day_of_use=DAY_OF_USE)


def test_a_card_of_raw_columns_cannot_assess_from_a_ledger(ledger: Any) -> None:
    with pytest.raises(UserError, match="reads raw columns without feature definitions"):
        Evaluator(raw_card(), ledger).assess("a", day_of_use=DAY_OF_USE)
