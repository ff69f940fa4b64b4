"""An evaluation as a value: what is measured, what is left blank, which gates pass."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluation import CARD, CONTEXT, FRAME, POINTS, REPORT, judged, made_frame

from credit_model import UserError
from credit_model.evaluation.assembly import evaluate
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.metrics.performance import gini
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html


def test_everybody_and_those_with_and_without_a_record_are_measured() -> None:
    record = FRAME["with_record"].to_numpy()
    parts = {"all": record | True, "with_record": record, "without_record": ~record}
    assert list(REPORT.segments) == list(parts)
    for name, rows in parts.items():
        segment, part = REPORT.segments[name], FRAME[rows]
        assert segment.counts.people == segment.counts.observations == rows.sum()
        assert segment.counts.bads == part["y"].sum()
        assert segment.counts.bad_rate == pytest.approx(part["y"].mean())
        assert segment.measures["gini"].value == pytest.approx(gini(part["y"], -part["score"]).value)
        assert segment.measures["soft_gini"].low is not None


def test_the_card_stands_between_the_constant_and_the_truth() -> None:
    soft = {ranking.role: ranking.measures["soft_gini"].value for ranking in REPORT.rankings}
    assert soft["constant"] == 0 < soft["baseline"] < soft["card"] <= soft["attainable"] < soft["truth"]
    gained = {ranking.role: ranking.measures.get("card_minus_this") for ranking in REPORT.rankings}
    assert gained["constant"].low > 0
    assert gained["truth"].value < 0
    assert gained["card"] is None


def test_the_rate_of_development_is_what_the_constant_predicts() -> None:
    own = judged().rankings[0].measures["brier"].value
    wrong = judged(development_rate=0.5).rankings[0].measures["brier"].value
    assert own < wrong


def test_json_keeps_every_value_and_knows_no_nan() -> None:
    text = REPORT.to_json()
    assert EvaluationReport.from_json(text) == REPORT
    assert EvaluationReport.from_json(text).to_json() == text
    assert EvaluationReport.from_dict(REPORT.to_dict()) == REPORT
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "surprise": 3}'])
def test_what_is_no_evaluation_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="Cannot read this as an evaluation") as told:
        EvaluationReport.from_json(text)
    assert "\n" not in str(told.value)


def test_the_order_of_rows_and_labels_changes_no_byte() -> None:
    shuffled = np.random.default_rng(2).permutation(len(FRAME))
    by_label = np.argsort(FRAME["y"].to_numpy(), kind="stable")
    for order in (shuffled, by_label, by_label[::-1]):
        again = judged(FRAME.iloc[order].reset_index(drop=True), POINTS.iloc[order].reset_index(drop=True))
        assert again.digest == REPORT.digest


def test_points_stay_with_their_rows_when_weights_differ() -> None:
    weighted = FRAME.assign(weight=np.resize([1.0, 40.0], len(FRAME)))
    lost = (POINTS.drop(columns="base") < 0).mul(weighted["weight"], axis=0).sum() / weighted["weight"].sum()
    order = np.random.default_rng(4).permutation(len(FRAME))
    report = judged(weighted.iloc[order], POINTS.iloc[order])
    by_code = {c.reason: lost[c.name] for c in CARD.characteristics}
    shown = {reason.code: reason.share for reason in report.reasons if reason.share is not None}
    assert shown == pytest.approx({code: by_code[code] for code in shown}, abs=1e-9)


def test_no_number_has_more_figures_than_another_machine_would_agree_on() -> None:
    figures = re.findall(r"(?<![\w\".])-?\d+\.\d+(?:e-?\d+)?", REPORT.to_json())
    assert len(figures) > 300
    assert max(len(re.sub(r"e.*|\D", "", figure).lstrip("0")) for figure in figures) <= 12


def test_no_person_is_named() -> None:
    for text in (REPORT.to_json(), render_html(REPORT), render_markdown(REPORT)):
        assert "person-" not in text


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(3, 250))
def test_nothing_published_describes_a_few_people_or_one_or_two_bads(seed: int, people: int) -> None:
    frame, points = made_frame(people, seed)
    report = judged(frame, points)
    assert EvaluationReport.from_json(report.to_json()) == report
    assert render_html(report, lang="en")
    grades = [grade.counts for grade in report.grades]
    halves = [segment.counts for name, segment in report.segments.items() if name != "all"]
    for cells in (grades, halves, [month.counts for month in report.months]):
        assert all(cell.people is None or cell.people >= 10 for cell in cells)
        assert all(cell.bads is None or cell.bads == 0 or cell.bads >= 3 for cell in cells)
        assert all(cell.bad_rate is None for cell in cells if cell.bads is None)
        if len(cells) > 1:  # one blank beside a published total would be no secret
            assert [cell.people for cell in cells].count(None) != 1
            assert [cell.bads for cell in cells].count(None) != 1
    told = [grade.cumulative_bads for grade in report.grades]
    blanks = [cell.bads is None for cell in grades]
    assert all(value is None or sum(blanks[i:]) in (0, sum(blanks)) for i, value in enumerate(told))
    assert all(not s.measures for s in report.segments.values() if s.counts.hidden)
    hidden = {name for name, segment in report.segments.items() if segment.counts.hidden}
    assert all(g.value is g.low is g.high is None for g in report.gates if g.segment in hidden)
    score = np.rint(frame["score"])
    for band in report.bands:
        inside = score.between(band.low, band.high)
        assert inside.sum() >= 10
    assert all(r.share is None or r.share * people > 9.5 for r in report.reasons)


def test_small_counts_of_the_context_are_left_blank_too() -> None:
    assert REPORT.context["exclusions"][0] == {**CONTEXT["exclusions"][0], "out_of_time": None}
    assert REPORT.context["samples"][0]["bads"] is None


def test_the_bands_hold_everybody_and_the_mass_point_stands_apart() -> None:
    assert sum(band.share for band in REPORT.bands) == pytest.approx(1)
    (mass,) = (band for band in REPORT.bands if band.mass_point)
    assert (mass.low, mass.high) == (800, 800)
    assert mass.share == pytest.approx((FRAME["score"] == 800).mean())


def test_grades_run_from_the_best_down_with_cumulative_shares_from_the_worst() -> None:
    order = ["AA", "A", "B", "C", "D", "E"]
    assert [grade.grade for grade in REPORT.grades] == [g for g in order if (FRAME["grade"] == g).any()]
    assert REPORT.grades[0].cumulative_people == pytest.approx(1)
    for grade in REPORT.grades:
        rows = FRAME[FRAME["grade"] == grade.grade]
        assert grade.counts.mean_probability == pytest.approx(rows["probability_of_bad"].mean())
        if not grade.counts.hidden:
            assert grade.low <= grade.counts.bad_rate <= grade.high
            assert grade.p_value <= grade.p_value_holm


def test_months_are_the_as_of_dates() -> None:
    assert [month.as_of for month in REPORT.months] == ["2025-03-01", "2025-04-01", "2025-05-01"]
    for month in REPORT.months:
        rows = FRAME[FRAME["as_of"] == month.as_of]
        assert month.measures["gini"].value == pytest.approx(gini(rows["y"], -rows["score"]).value)
        assert month.with_record == pytest.approx(rows["with_record"].mean())


def test_of_many_dates_months_are_followed_and_of_many_months_years() -> None:
    day = np.arange(len(FRAME))
    for step, expected in ((36, 36), (37, 2), (800, 27), (2_000, 6)):
        on = pd.Timestamp("2020-01-01") + pd.to_timedelta(day % step, unit="D")
        assert len(evaluate(FRAME.assign(as_of=on), card=CARD).months) == expected
    assert {len(month.as_of) for month in evaluate(FRAME.assign(as_of=on), card=CARD).months} == {4}


def test_reasons_are_counted_as_people_are_told_them() -> None:
    told: dict[str, int] = {}
    first: dict[str, int] = {}
    for _, row in POINTS.drop(columns="base").iterrows():
        lost = sorted((int(points), place) for place, points in enumerate(row) if points < 0)[:4]
        for rank, (_, place) in enumerate(lost):
            code = CARD.characteristics[place].reason
            told[code] = told.get(code, 0) + 1
            first[code] = first.get(code, 0) + (rank == 0)
    found = {reason.code: reason for reason in REPORT.reasons}
    assert set(found) == set(told)
    for code, reason in found.items():
        assert reason.share == (None if told[code] < 10 else pytest.approx(told[code] / len(POINTS)))
        assert reason.first is None or reason.first == pytest.approx(first[code] / len(POINTS))
    shares = [reason.share or 0 for reason in REPORT.reasons]
    assert shares == sorted(shares, reverse=True)


# -------------------------------------------------------------------------------------------------- gates


def test_a_card_without_characteristics_gives_nobody_a_reason() -> None:
    assert judged(points=POINTS[["base"]]).reasons == ()


def test_a_gate_compares_what_was_found_with_its_limit() -> None:
    passed = {(gate.name, gate.segment): gate for gate in REPORT.gates}
    assert set(passed) == {
        ("soft_gini_to_attainable", "all"),
        ("slope", "all"),
        *(("observed_to_expected", segment) for segment in ("all", "with_record", "without_record")),
    }
    bads = int(FRAME["y"].sum())
    assert passed["observed_to_expected", "all"].high == pytest.approx(1.05 + 2 / np.sqrt(bads))
    value = REPORT.segments["all"].measures["gini"].value
    assert judged(gates={"gini": value - 0.01}).failed_gates == ()
    (failed,) = judged(gates={"gini": value + 0.01}).failed_gates
    assert (failed.name, failed.low, failed.passed) == ("gini", pytest.approx(value + 0.01), False)
    assert [g.segment for g in judged(gates={"observed_to_expected": [3, 4]}).failed_gates] == [
        "all",
        "with_record",
        "without_record",
    ]


def test_what_could_not_be_measured_does_not_pass() -> None:
    without = FRAME.drop(columns=["true_risk", "attainable"])
    (failed,) = judged(without, gates={"soft_gini_to_attainable": 0.9}).failed_gates
    assert failed.value is None


def test_every_fault_of_the_gates_is_named_at_once() -> None:
    with pytest.raises(UserError) as told:
        judged(gates={"gini": "high", "slope": 1, "beauty": 0.5, "ks": [0.5, 0.1], "observed_to_expected": 0.05})
    assert len(told.value.faults) == 4
    assert "beauty" in str(told.value)


def test_every_fault_of_the_frame_is_named_at_once() -> None:
    bad = FRAME.drop(columns="grade").assign(true_risk=np.nan)
    with pytest.raises(UserError) as told:
        judged(bad)
    assert told.value.faults == ("column 'grade' is missing", f"column 'true_risk' has {len(bad)} empty rows")
    wrong = pd.concat([FRAME.assign(y=2, probability_of_bad=1.0, weight=0.0), FRAME.head(1).assign(y=2, weight=1.0)])
    with pytest.raises(UserError) as told:
        judged(wrong)
    assert len(told.value.faults) == 4
    with pytest.raises(UserError, match="no rows"):
        judged(FRAME.head(0))
    with pytest.raises(UserError, match="explain the same rows"):
        judged(points=POINTS.head(3))
    with pytest.raises(UserError, match="plain value"):
        judged(context={"dates": {1, 2}})


def test_a_report_is_a_value_that_nobody_changes() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORT.gates = ()  # type: ignore[misc]


def test_every_measure_can_be_had_by_any_column_and_small_parts_are_left_blank() -> None:
    place = np.where(np.arange(len(FRAME)) % 3 == 0, "Keqiao", "Yuecheng")
    place[:4] = "Xinchang"
    report = judged(FRAME.assign(district=place), segments={"district": ("District", "区县")})
    (found,) = report.breakdowns
    assert (found.label_en, found.label_zh) == ("District", "区县")
    assert {name: part.counts.hidden for name, part in found.parts.items()} == {
        "Keqiao": "all", "Xinchang": "all", "Yuecheng": "",
    }  # fmt: skip
    own = FRAME[place == "Yuecheng"]
    assert found.parts["Yuecheng"].counts.people == len(own)
    assert found.parts["Yuecheng"].measures["gini"].value == pytest.approx(gini(own["y"], -own["score"]).value)
    assert not found.parts["Xinchang"].measures
    assert not found.parts["Xinchang"].tests
    with pytest.raises(UserError, match="break down by street"):
        judged(segments={"street": ("Street", "街道")})


def test_both_directions_of_jeffreys_are_told_of_a_grade() -> None:
    graded = [grade for grade in REPORT.grades if grade.p_value is not None]
    assert graded
    for grade in graded:
        low, high = sorted((grade.understated, grade.overstated))
        assert low >= grade.p_value / 2 - 1e-12
        assert high >= 0.5
