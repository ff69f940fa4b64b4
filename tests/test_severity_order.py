"""The measure of order: a graver record never costs fewer points than a lighter one of the same age and amount."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_card import small_card
from small_evaluation import FULL

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.gates import Evidence, check, read_gates
from credit_model.evaluation.severity_order import (
    AMOUNTS,
    MONTHS,
    OutOfOrder,
    SeverityOrder,
    SingleRecord,
    measure_severity_order,
    severity_classes,
)
from credit_model.experiments.recording import metrics_of
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.calendar import to_day
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic

CATALOGUE = load_catalogue()
USE = to_day("2026-11-24")
CLASSES = severity_classes(CATALOGUE, USE)
ADVERSE = {"polarity": "adverse"}
ORGANISATIONS = Path(__file__).parents[1] / "data/public/sf_restaurants/catalogue.toml"


def characteristic(name: str, points: int, **definition: object) -> Characteristic:
    """Points for one record or more."""
    feature = FeatureDefinition(
        name=name, aggregate="count", trend="higher_is_worse", reason="A100", **definition  # type: ignore[arg-type]
    )  # fmt: skip
    attributes = tuple(Attribute(p, 0.0, 0.1, 0.1) for p in (0, points, 0))
    return Characteristic(name, NumericBins((0.5,), whole=True), attributes, 0, 1, definition=feature)


def card_of(*characteristics: Characteristic) -> Card:
    return replace(small_card(), characteristics=characteristics, golden=())


def order_of(*characteristics: Characteristic, policy: str = "retention") -> SeverityOrder:
    order = measure_severity_order(card_of(*characteristics), CATALOGUE, policy, USE)
    assert order is not None
    return order


def test_every_lawful_adverse_kind_and_tier_has_a_class() -> None:
    assert CLASSES["adm_penalty", "minor"] < CLASSES["adm_penalty", "general"] < CLASSES["adm_penalty", "serious"]
    assert {CLASSES[kind, "serious"] for kind in ("dishonest_executee", "severe_list", "conscription_refusal")} == {5}
    assert not any(kind == "public_security_violation" for kind, _ in CLASSES)


@pytest.mark.parametrize("policy", ["tier", "retention"])
def test_a_card_that_counts_all_records_alike_is_in_order(policy: str) -> None:
    order = order_of(characteristic("adverse_60m", -40, where=ADVERSE, window="60m"), policy=policy)
    assert order.violations == 0
    assert order.examples == ()
    assert order.pairs >= 150
    assert [one.severity for one in order.classes] == [1, 2, 3, 4, 5]
    assert {(one.least, one.most) for one in order.classes} == {(40, 40)}


def test_a_card_that_takes_more_for_a_fine_than_for_fraud_is_out_of_order_and_the_pairs_are_named() -> None:
    order = order_of(
        characteristic("adverse_60m", -40, where=ADVERSE, window="60m"),
        characteristic("fines", -30, where={"kinds": ["adm_penalty"]}, window="12m"),
    )
    graver = [pair for pair, severity in CLASSES.items() if severity > 1]
    lighter_first = sum(1 for pair in graver if pair[0] != "adm_penalty")  # than a minor fine
    assert lighter_first
    expected = sum(
        CLASSES[fine] < CLASSES[other]
        for fine in CLASSES
        if fine[0] == "adm_penalty"
        for other in CLASSES
        if other[0] != "adm_penalty"
    )
    assert order.violations == 3 * len(AMOUNTS) * expected  # at 0, 6 and 11 months
    worst = order.examples[0]
    assert worst.less_severe.kind == "adm_penalty"
    assert (worst.less_severe.points, worst.more_severe.points) == (70, 40)
    assert worst.months in MONTHS


def test_a_field_of_one_kind_that_costs_more_is_noticed() -> None:
    order = order_of(
        characteristic("adverse_60m", -40, where=ADVERSE, window="60m"),
        characteristic("safety", -10, where={"field": ["work_safety"]}, window="60m"),
    )
    assert order.violations > 0
    assert {example.less_severe.kind for example in order.examples} == {"adm_penalty"}


def test_records_out_of_use_are_compared_with_nothing() -> None:
    counted = characteristic("adverse_60m", -40, where=ADVERSE, window="60m")
    assert order_of(counted, policy="tier").pairs < order_of(counted, policy="retention").pairs


def test_without_severity_classes_or_definitions_the_measure_is_absent() -> None:
    counted = characteristic("adverse_60m", -40, where=ADVERSE, window="60m")
    assert measure_severity_order(card_of(counted), CATALOGUE, "tier", USE, {}) is None
    raw = replace(counted, name="raw", definition=None)
    assert measure_severity_order(card_of(counted, raw), CATALOGUE, "tier", USE) is None
    assert severity_classes(load_catalogue(ORGANISATIONS), USE) == {}


# ---------------------------------------------------------------------------------------------------- where it is shown

WRONG = SeverityOrder(
    400, 3, (),
    (OutOfOrder(SingleRecord("adm_penalty", "minor", 1, 70), SingleRecord("debt_evasion", "serious", 4, 40), 6, 500),),
)  # fmt: skip


def test_it_survives_json_and_is_left_out_where_it_is_absent() -> None:
    report = replace(FULL, severity_order=WRONG)
    assert EvaluationReport.from_json(report.to_json()) == report
    assert "severity_order" not in replace(FULL, severity_order=None).to_dict()


def test_it_is_tracked_and_stands_on_every_page() -> None:
    report = replace(FULL, severity_order=WRONG)
    assert (metrics_of(report)["severity_order"], metrics_of(report)["severity_order/pairs"]) == (3, 400)
    assert "severity_order" not in metrics_of(replace(FULL, severity_order=None))
    assert "Of 400 pairs of single records of different severity" in render_markdown(report)
    assert "轻重有序" in render_html(report, lang="zh")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (WRONG, "severity_order is 3 of 400 pairs out of order, limit at most 0"),
        (replace(WRONG, violations=0), "severity_order is 0 of 400 pairs out of order, limit at most 0"),
        (None, "severity_order is not in the evaluation, limit at most 0"),
    ],
)
def test_as_a_gate_it_passes_at_nought_only(order: SeverityOrder | None, says: str) -> None:
    gates, faults = read_gates({"severity_order": 0})
    assert faults == {}
    (only,) = check(gates, Evidence(small_card(), replace(FULL, severity_order=order).to_dict()))
    assert str(only) == says
    assert only.passed is (order is not None and order.violations == 0)


@pytest.mark.parametrize("limit", [-1, 0.5, True, "none"])
def test_the_limit_is_a_whole_number_of_pairs(limit: object) -> None:
    assert "severity_order" in read_gates({"severity_order": limit})[1]
