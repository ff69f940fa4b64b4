"""Groups of people under one card: published reference values, honest intervals, nothing that points at a person."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from small_evaluation import CARD, FRAME, POINTS, REPORT, beside, made_frame

from credit_model import UserError
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.fairness_audit import AuditSettings, audit_fairness
from credit_model.evaluation.fairness_rates import eligibility_ratio, error_rates, screen_proxies, source_rates
from credit_model.metrics.performance import auc

COUNTS = pd.read_csv(Path(__file__).parent / "cases" / "compas_counts.csv")
ROWS = COUNTS.loc[COUNTS.index.repeat(COUNTS["people"])].reset_index(drop=True)
HIGH = ROWS["decile"] >= 5


def audited(frame: pd.DataFrame = FRAME, attributes: pd.DataFrame | None = None, points: pd.DataFrame = POINTS):
    attributes = beside(frame) if attributes is None else attributes
    return audit_fairness(frame, attributes, card=CARD, explanation=points, features=points.drop(columns="base"))


AUDIT = audited()


# ---------------------------------------------------------------------------------------- published reference values


def test_compas_at_decile_five_has_the_published_rates_by_group() -> None:
    rates = error_rates(ROWS["outcome"], HIGH, ROWS["race"])
    black, white = rates["African-American"], rates["Caucasian"]
    published = [(black.fpr, 44.85), (white.fpr, 23.45), (black.accuracy, 63.8), (white.accuracy, 67.0)]
    for found, percent in published:
        assert 100 * found.value == pytest.approx(percent, abs=0.05)
        assert found.low < found.value < found.high
    assert 100 * (1 - black.tpr.value) == pytest.approx(27.99, abs=0.005)
    assert 100 * (1 - white.tpr.value) == pytest.approx(47.72, abs=0.005)


def test_compas_as_a_whole_has_the_published_accuracy_and_auc() -> None:
    everybody = error_rates(ROWS["outcome"], HIGH, ["all"] * len(ROWS))["all"]
    assert len(ROWS) == 7214
    assert 100 * everybody.accuracy.value == pytest.approx(65.4, abs=0.05)
    assert (100 * everybody.fpr.value, 100 - 100 * everybody.tpr.value) == pytest.approx((32.35, 37.40), abs=0.005)
    assert auc(ROWS["outcome"], ROWS["decile"]).value == pytest.approx(0.7022, abs=0.00005)


def test_the_audit_of_compas_finds_what_was_published_of_it() -> None:
    people = [f"P{i:04}" for i in range(len(ROWS))]
    frame = pd.DataFrame({
        "subject_id": people, "as_of": "2013-06-01", "y": ROWS["outcome"], "score": 11 - ROWS["decile"],
        "probability_of_bad": ROWS["decile"] / 12, "grade": ROWS["decile"].astype(str),
    })  # fmt: skip
    attributes = pd.DataFrame({"race": ROWS["race"].to_numpy()}, index=pd.Index(people, name="subject_id"))
    found = audit_fairness(frame, attributes, cutoffs=[7], settings=AuditSettings(references={"race": "Caucasian"}))
    (race,) = found.attributes
    groups = {row.group: row for row in race.cutoffs[0].groups}
    gap = groups["African-American"].fpr_gap
    assert 100 * gap.value == pytest.approx(44.85 - 23.45, abs=0.01)
    assert race.cutoffs[0].equalised_odds.low > 0.1
    assert ("eligibility", "African-American") in {(f.kind, f.group) for f in found.findings}
    assert groups["African-American"].ratio.high < 0.8


# --------------------------------------------------------------------------------------------- ratios and their power


def drawn(ratio: float, base: float, people: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    eligible = np.concatenate([rng.random(people) < base, rng.random(people) < ratio * base])
    return eligible, ["most"] * people + ["few"] * people


def test_an_injected_ratio_of_seven_tenths_is_found_and_one_of_nine_tenths_is_not_called_less_than_eight() -> None:
    rng = np.random.default_rng(20261124)
    found = {
        ratio: [eligibility_ratio(*drawn(ratio, 0.5, 5_000, rng), "most")["few"] for _ in range(120)]
        for ratio in (0.7, 0.9)
    }
    assert all(one.high < 0.8 for one in found[0.7])
    assert sum(one.high < 0.8 for one in found[0.9]) <= 0.05 * 120
    covered = [one.low <= ratio <= one.high for ratio, many in found.items() for one in many]
    assert 0.9 < np.mean(covered) < 0.99


@settings(max_examples=25)
@given(st.integers(0, 1_000_000), st.booleans())
def test_ratios_and_rates_are_those_of_plain_counting(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(20, 200))
    y, positive = rng.integers(0, 2, (2, size))
    group = rng.choice(["a", "b", "c"], size)
    weight = rng.integers(1, 6, size) if weighted else np.ones(size, int)
    rates = error_rates(y, positive, group, weight=weight)
    for name in np.unique(group):
        own = [(y[i], positive[i], weight[i]) for i in range(size) if group[i] == name]
        for value, (hits, among) in {
            "tpr": (lambda b, p: p, lambda b: b == 1), "fpr": (lambda b, p: p, lambda b: b == 0),
            "eligible": (lambda b, p: not p, lambda b: True), "accuracy": (lambda b, p: b == p, lambda b: True),
        }.items():  # fmt: skip
            total = sum(w for b, _, w in own if among(b))
            counted = sum(w for b, p, w in own if among(b) and hits(b, p))
            found = getattr(rates[str(name)], value)
            assert found.value == (None if total == 0 else pytest.approx(counted / total))
            assert found.value is None or 0 <= found.low <= found.value <= found.high <= 1
    ratio = eligibility_ratio(1 - positive, group, str(group[0]), weight=weight)
    base = rates[str(group[0])].eligible.value
    for name, one in ratio.items():
        assert one.value == (None if base == 0 else pytest.approx(rates[name].eligible.value / base))


def test_the_interval_of_a_ratio_is_the_textbook_one() -> None:
    eligible, group = drawn(0.7, 0.5, 400, np.random.default_rng(1))
    found = eligibility_ratio(eligible, group, "most")["few"]
    a, b = int(eligible[400:].sum()), int(eligible[:400].sum())
    error = math.sqrt(1 / a - 1 / 400 + 1 / b - 1 / 400)
    assert math.log(found.high / found.value) == pytest.approx(1.959964 * error * math.sqrt(400 / 399), rel=1e-6)


def test_rows_of_one_person_are_no_further_evidence() -> None:
    eligible, group = drawn(0.7, 0.5, 300, np.random.default_rng(2))
    once = eligibility_ratio(eligible, group, "most", subject=np.arange(600))["few"]
    thrice = eligibility_ratio(np.tile(eligible, 3), group * 3, "most", subject=np.tile(np.arange(600), 3))["few"]
    assert (thrice.value, thrice.low, thrice.high) == pytest.approx((once.value, once.low, once.high), rel=1e-9)


def test_a_group_of_whom_nobody_is_eligible_is_found_too() -> None:
    found = eligibility_ratio([1] * 50 + [0] * 50, ["a"] * 50 + ["b"] * 50, "a")["b"]
    assert found.value == found.low == 0
    assert 0.03 < found.high < 0.08
    assert eligibility_ratio([0, 1], ["a", "b"], "a")["b"].value is None


# --------------------------------------------------------------------------------------------------------- the audit


def test_groups_are_measured_as_if_they_were_alone() -> None:
    attributes = beside()
    (sex, district) = AUDIT.attributes
    assert [sex.name, district.name] == ["sex", "district"]
    for audit in (sex, district):
        sizes = [group.counts.people for group in audit.groups]
        assert sizes == sorted(sizes, reverse=True)
        assert audit.reference == audit.groups[0].name
        for group in audit.groups:
            rows = FRAME[(attributes[audit.name] == group.name).to_numpy()]
            assert group.counts.bads == rows["y"].sum()
            assert group.measures["auc"].value == pytest.approx(auc(rows["y"], -rows["score"]).value)
            assert group.mean_true_risk == pytest.approx(rows["true_risk"].mean())
    reference = FRAME[(attributes["district"] == district.reference).to_numpy()]["score"].mean()
    gaps = {g.name: g.measures["mean_score_gap"].value for g in district.groups}
    for name, gap in gaps.items():
        rows = FRAME[(attributes["district"] == name).to_numpy()]
        assert gap == pytest.approx(rows["score"].mean() - reference, abs=1e-9)


def test_what_goes_with_the_score_is_found_and_what_is_drawn_by_lot_is_not() -> None:
    found = {(f.kind, f.attribute) for f in AUDIT.findings}
    assert ("proxy", "district") in found
    assert not {f for f in found if f[1] == "sex"}
    assert AUDIT.attributes[1].proxies[0].auc.low > 0.55


def test_neither_the_order_of_rows_nor_of_labels_changes_the_audit() -> None:
    for order in (np.random.default_rng(3).permutation(len(FRAME)), np.argsort(FRAME["y"].to_numpy(), kind="stable")):
        again = audited(FRAME.iloc[order], beside().sample(frac=1, random_state=1), POINTS.iloc[order])
        assert json.dumps(asdict(again)) == json.dumps(asdict(AUDIT))


def test_reasons_are_told_to_shares_of_each_group() -> None:
    attributes = beside()
    codes = {c.name: c.reason for c in CARD.characteristics}
    lost = (POINTS.drop(columns="base") < 0).rename(columns=codes)  # nobody here has more than four
    assert lost.sum(axis=1).max() <= 4
    for audit in AUDIT.attributes:
        for group in audit.groups:
            own = lost[(attributes[audit.name] == group.name).to_numpy()].mean()
            for code, share in group.reasons.items():
                assert share.value is None or share.value == pytest.approx(own[code])
                assert share.value is None or share.low <= share.value <= share.high


def test_attributes_are_refused_among_the_data() -> None:
    with pytest.raises(UserError, match="'sex' is a column of the scored rows"):
        audited(FRAME.assign(sex="F"))
    with pytest.raises(UserError, match=r"rows repeat subject_id"):
        audited(attributes=pd.concat([beside(), beside().head(2)]))
    with pytest.raises(UserError, match="no attribute"):
        audited(attributes=beside()[["subject_id"]])
    with pytest.raises(UserError, match="more than 40 groups"):
        audited(attributes=beside().assign(house=FRAME["subject_id"]))
    with pytest.raises(UserError, match="'subject_id' is missing"):
        audited(attributes=beside().drop(columns="subject_id"))
    with pytest.raises(UserError, match="no group 'X'"):
        audit_fairness(FRAME, beside(), card=CARD, settings=AuditSettings(references={"sex": "X"}))
    with pytest.raises(UserError, match="give cutoffs"):
        audit_fairness(FRAME, beside())
    with pytest.raises(UserError, match="give the same rows"):
        audit_fairness(FRAME, beside(), card=CARD, features=POINTS.head(2))


def test_whoever_is_not_on_the_table_is_a_group_of_its_own() -> None:
    found = audited(attributes=beside().iloc[:3_000])
    assert {group.name for group in found.attributes[0].groups} == {"F", "M", "unknown"}
    assert sum(group.counts.people or 0 for group in found.attributes[0].groups) == len(FRAME)


def test_an_attribute_may_change_with_the_date() -> None:
    table = pd.concat([beside().assign(as_of=day) for day in ("2025-03-01", "2025-04-01", "2025-05-01")])
    assert audited(attributes=table) == AUDIT


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(20, 2_000))
def test_nothing_an_audit_tells_describes_a_few_people(seed: int, people: int) -> None:
    frame, points = made_frame(people, seed)
    attributes = beside(frame, seed)
    found = audit_fairness(frame, attributes, card=CARD, explanation=points, cutoffs=range(680, 810, 5))
    for audit in found.attributes:
        member = {g.name: (attributes[audit.name] == g.name).to_numpy() for g in audit.groups}
        assert [g.counts.people for g in audit.groups].count(None) != 1 or len(audit.groups) == 1
        last = dict.fromkeys(member, (0, 0))
        for cut in audit.cutoffs:
            assert [row.eligible.value for row in cut.groups].count(None) != 1 or len(audit.groups) == 1
            for row in cut.groups:
                own, below = member[row.group], (frame["score"] < cut.cutoff).to_numpy()
                low, bads = int((own & below).sum()), int(frame["y"][own & below].sum())
                steps = [low - last[row.group][0], int(own.sum()) - low]
                if row.eligible.value is not None:
                    assert all(n == 0 or n >= 10 for n in steps)
                    last[row.group] = (low, last[row.group][1])
                if row.tpr.value is not None or row.fpr.value is not None:
                    assert all(n == 0 or n >= 3 for n in (bads - last[row.group][1], int(frame["y"][own].sum()) - bads))
                    last[row.group] = (low, bads)
        for group in audit.groups:
            for share in group.reasons.values():
                own = member[group.name].sum()
                assert not share.value or share.value * own > 9.5
                assert share.value in (None, 1) or (1 - share.value) * own > 9.5
        for reason in found.reasons:
            assert [g.reasons[reason.code].value for g in audit.groups].count(None) != 1 or len(audit.groups) == 1


def test_an_audit_is_kept_in_the_evaluation_and_names_nobody() -> None:
    report = REPORT.with_sections(fairness=AUDIT)
    assert EvaluationReport.from_json(report.to_json()) == report
    assert report.fairness.attributes[0].name == "sex"
    assert "person-" not in report.to_json()
    with pytest.raises(TypeError):
        REPORT.with_sections(fairnes=AUDIT)


# ----------------------------------------------------------------------------------------------------------- proxies


@settings(max_examples=25)
@given(st.integers(0, 1_000_000))
def test_a_proxy_has_the_auc_and_the_correlation_of_other_libraries(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], 120)
    feature = rng.integers(0, 6, 120) + 2.0 * (group == "a") * rng.random()
    (found,) = screen_proxies(pd.DataFrame({"x": feature}), group)
    member = (group == found.group).astype(int)
    plain = roc_auc_score(member, feature)
    assert found.auc.value == pytest.approx(max(plain, 1 - plain), abs=1e-12)
    assert found.rho == pytest.approx(spearmanr(feature, member).statistic, abs=1e-12)
    ours = auc(member, feature)
    assert (
        found.auc.high - found.auc.value == pytest.approx((ours.high - ours.low) / 2, rel=1e-6) or found.auc.high == 1
    )


def test_a_missing_value_is_a_value_and_a_constant_tells_nothing() -> None:
    frame = pd.DataFrame({"gap": [np.nan] * 30 + [1.0] * 30, "same": [3.0] * 60})
    (found,) = screen_proxies(frame, ["a"] * 30 + ["b"] * 30)
    assert (found.name, found.auc.value, found.flagged) == ("gap", 1.0, True)
    assert screen_proxies(frame, ["a"] * 55 + ["b"] * 5) == ()
    with pytest.raises(UserError, match="60 rows of features"):
        screen_proxies(frame, ["a"])


# ----------------------------------------------------------------------------------------------------------- sources


def test_a_source_that_reports_more_than_before_is_flagged() -> None:
    before, after = ["court"] * 200 + ["fines"] * 300, ["court"] * 100 + ["fines"] * 260
    fines, court = source_rates(before, 40_000, after, 20_000)
    assert (court.source, court.ratio.value, court.flagged) == ("court", 1.0, False)
    assert fines.ratio.value == pytest.approx(260 / 150)
    assert fines.flagged


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.lists(st.sampled_from("abcdef"), max_size=30))
def test_one_or_two_events_of_a_source_are_never_told(before: list[str], after: list[str]) -> None:
    rows = source_rates(before, 100, after, 100)
    for row in rows:
        for count in (row.development, row.out_of_time):
            assert count is None or count == 0 or count >= 3
    named = {row.source for row in rows}
    told = [sum(row.development or 0 for row in rows), sum(row.out_of_time or 0 for row in rows)]
    assert named <= {*before, *after, ""}
    if all(None not in (row.development, row.out_of_time) for row in rows):
        assert told == [len(before), len(after)]
