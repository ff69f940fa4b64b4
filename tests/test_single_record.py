"""What one record may cost: features in the order of severity, caps by class, and a listing that outlasts both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.evaluation.severity_order import measure_severity_order
from credit_model.experiments.experiment import ExperimentErrors
from credit_model.experiments.reader import load_experiment
from credit_model.features.definition import DefinitionErrors, FeatureDefinition
from credit_model.features.dictionary import check_definitions, library
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import to_day
from credit_model.foundation.errors import UserError
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.single_record import SingleRecordCaps, distinct_holders
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import ProbabilityMap, load_profile
from credit_model.scorecard.severity import least_severity, severity_fault, worst_of_one
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Tables

CATALOGUE = load_catalogue()
USE = to_day("2026-11-24")
ROOT = Path(__file__).resolve().parents[1]
ORDERED = [d for d in library() if least_severity(d, CATALOGUE) and not severity_fault(d, CATALOGUE)]
POSITIVE = [d for d in library() if least_severity(d, CATALOGUE) is None]
LISTED = {"characteristic": "listed_now", "points": [0, -200], "approver": "Chen Jing", "ground": "art. 24"}
LEARNED = [d for d in ORDERED if d.name != "listed_now"]


def define(**more: Any) -> FeatureDefinition:
    return FeatureDefinition(**{"name": "n", "aggregate": "count", "window": "36m", "trend": "higher_is_worse"} | more)


def card_of(definitions: list[FeatureDefinition], points: list[int]) -> Card:
    """Points for whatever one record makes of each feature: the least value that differs from nothing on record."""
    characteristics = []
    for d, p in zip(definitions, points, strict=True):
        falling = d.direction < 0
        cuts = (float(d.none) - 0.5,) if falling else (0.0,)  # type: ignore[arg-type]
        table = (-p, 0, 0) if falling else (0, -p, 0)
        attributes = tuple(Attribute(one, 0.0, 0.1, 0.1) for one in table)
        characteristics.append(
            Characteristic(d.name, NumericBins(cuts), attributes, int(falling), d.direction, definition=d)
        )
    profile = replace(load_profile("zhejiang_1000"), least=-10_000)
    return Card("order", profile, tuple(characteristics), ProbabilityMap((700, 800), (3.0, 5.0)), 1)


# ---------------------------------------------------------------------------------------------------- the order


def test_the_dictionary_offers_features_of_every_class_that_keep_the_order() -> None:
    assert {least_severity(d, CATALOGUE) for d in ORDERED} == {1, 2, 3, 4, 5}
    assert {d.name for d in POSITIVE} == {
        "honours_60m", "volunteer_hours_24m", "commitments_kept_36m", "rewards_60m", "contracts_performed_60m",
    }  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(points=st.lists(st.integers(0, 90), min_size=len(ORDERED), max_size=len(ORDERED)), data=st.data())
def test_whatever_points_features_of_that_kind_have_a_graver_record_never_costs_less(
    points: list[int], data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from(["tier", "retention"]))
    order = measure_severity_order(card_of(ORDERED, points), CATALOGUE, policy, USE)
    assert order is not None
    assert order.pairs >= 150
    assert (order.violations, order.examples) == (0, ())


@pytest.mark.parametrize("name", [d.name for d in library() if least_severity(d, CATALOGUE) and d not in ORDERED])
def test_a_feature_that_is_refused_can_be_put_out_of_order_or_takes_more_than_age_and_amount(name: str) -> None:
    (d,) = (d for d in library() if d.name == name)
    fault = severity_fault(d, CATALOGUE)
    order = measure_severity_order(card_of([d], [40]), CATALOGUE, "retention", USE)
    assert order is not None
    assert order.violations > 0 or "depends on more than its age and amount" in fault


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"where": {"polarity": "adverse", "severity_at_least": 2}}, ""),
        ({"where": {"kinds": ["dishonest_executee"], "role": "listed"}, "window": "ever"}, ""),
        ({"where": {"kinds": ["honour"]}, "trend": "higher_is_better"}, ""),
        ({"where": {"field": "tax_payment"}}, "counts adm_penalty"),
        ({"where": {"polarity": "adverse", "amount": {"ge": 1000}}}, "not every record"),
        ({"where": {"polarity": "adverse"}, "window_on": "visible_from"}, "another day than that of the decision"),
        ({"where": {"polarity": "adverse"}, "aggregate": "max", "of": "tier", "none": 0}, "max of tier"),
        ({"where": {"role": "unperformed"}, "window": "ever"}, "counts judgment_unperformed"),
    ],
)
def test_a_feature_keeps_the_order_if_it_leaves_no_graver_record_out(more: dict[str, Any], says: str) -> None:
    fault = severity_fault(define(**more), CATALOGUE)
    assert says in fault
    assert bool(says) == bool(fault)


def test_severity_at_least_is_said_in_both_languages_and_only_a_class_is_taken() -> None:
    graver = define(where={"polarity": "adverse", "severity_at_least": 3})
    assert "adverse records of severity class 3 or worse" in graver.sentence("en")
    assert "轻重等级3级及以上不良信息" in graver.sentence("zh")
    assert graver.record_monotone
    for wrong in (0, 6, "3", True):
        with pytest.raises(DefinitionErrors, match="severity_at_least takes a class from 1 to 5"):
            check_definitions([define(where={"severity_at_least": wrong})], CATALOGUE)
    with pytest.raises(DefinitionErrors, match="severity_at_least takes"):
        check_definitions([define(where={"severity": {"le": 2}})], CATALOGUE)


def test_the_worst_one_record_can_do_is_counted_once_and_at_most_the_cap() -> None:
    assert worst_of_one(define(cap=10)) == 1
    assert worst_of_one(define(aggregate="sum", of="amount", cap=1000)) == 1000
    assert worst_of_one(define(aggregate="recency_days", cap=1826, none=1826, trend="lower_is_worse")) == 1


# ---------------------------------------------------------------------------------------------------- the caps


def sample(people: int = 12_000, seed: int = 7) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Records of five classes, most people with none; each feature counts from its class, windows as nested shares."""
    rng = np.random.default_rng(seed)
    rates = np.array([0.05, 0.04, 0.02, 0.015, 0.01])
    records = rng.poisson(rates, (people, 5))
    columns = {}
    for d in [*LEARNED, *POSITIVE, next(d for d in ORDERED if d.name == "listed_now")]:
        least = least_severity(d, CATALOGUE)
        held = rng.binomial(1, 0.1, people) * 12 if least is None else records[:, least - 1 :].sum(axis=1)
        if least is not None and d.span.unit == "months" and d.span.length < 60:
            held = rng.binomial(held, d.span.length / 60)
        if d.aggregate == "any":
            held = np.minimum(held, 1)
        values = held.astype(np.float32)
        if d.aggregate == "recency_days":
            values = np.where(held > 0, 1, float(d.none)).astype(np.float32)  # type: ignore[arg-type]
        columns[d.name] = values
    log_odds = -4.5 + records @ np.array([0.8, 2.0, 3.0, 3.5, 4.0])
    y = (rng.random(people) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return pd.DataFrame(columns), y


X, Y = sample()
DEFINITIONS = [d for d in library() if d.name in X.columns]
BONUS = [
    {"characteristic": d.name, "points": [0, 4], "cuts": [9.5], "approver": "Chen Jing", "ground": "art. 9"}
    for d in POSITIVE
]


def fitted(points: tuple[int, ...], policy: Any = (LISTED, *BONUS)) -> Card:
    caps = SingleRecordCaps.of(points, "Chen Jing", "art. 5", LEARNED, CATALOGUE)
    classifier = ScorecardClassifier(
        DEFINITIONS, method="woe_logistic", policy_points=policy, single_record=caps, penalty=0.1
    )
    return classifier.fit(X[[d.name for d in DEFINITIONS]], Y).card_


@settings(max_examples=10, deadline=None)
@given(points=st.lists(st.integers(5, 200), min_size=5, max_size=5).map(sorted))
def test_no_record_costs_more_than_the_cap_of_its_class_and_a_listing_costs_at_least_as_much(points: list[int]) -> None:
    card = fitted(tuple(points))
    assert card.profile.least is not None
    assert card.profile.least <= card.least
    for policy in ("tier", "retention"):
        order = measure_severity_order(card, CATALOGUE, policy, USE)
        assert order is not None
        assert order.violations == 0
        by_class = {one.severity: one for one in order.classes}
        assert all(by_class[severity].most <= points[severity - 1] for severity in (1, 2, 3, 4))
        assert by_class[5].least >= 200
        assert by_class[5].most <= 200 + points[4]


def test_a_listing_costs_no_less_after_ten_years_and_is_told_as_a_reason() -> None:
    card = fitted((60, 140, 170, 200, 200))
    listed_on, last_day = to_day("2016-01-04"), to_day("2026-01-05")
    columns = {
        "record_id": ["a", "b", "c"],
        "subject_id": ["listed", "fraud", "off"],
        "kind": ["severe_list", "criminal_judgment_integrity", "severe_list"],
        "decided_on": [listed_on, last_day - 1, listed_on],
        "known_on": [listed_on, last_day - 1, listed_on],
    }
    exit_day = to_day("2020-03-02")
    off = {"record_id": ["c"], "action": ["delisted"], "effective_on": [exit_day], "known_on": [exit_day]}
    segments = compile_segments(Tables.of(columns, amendments=off), CATALOGUE, "tier", USE)
    definitions = [c.definition for c in card.characteristics if c.definition is not None]
    subjects = segments.subject_index(["listed", "fraud", "off"])
    values = compute(segments, subjects, np.full(3, last_day), definitions, CATALOGUE)
    rows = [card.score_one(dict(zip(card.columns, row, strict=True))) for row in values.tolist()]
    assert card.base - rows[0].score >= max(card.base - rows[1].score, 200)
    assert rows[2].score == card.base
    assert rows[0].reasons[0].code == "A411"
    # whatever else is on record: at most three characteristics can cost more, and four reasons are told
    assert sum(min(c.points) < -200 for c in card.characteristics) <= 3


def test_the_caps_bind_and_without_them_one_record_costs_more() -> None:
    loose, tight = fitted((500,) * 5), fitted((20, 60, 80, 100, 100))
    costs = [
        {one.severity: one.most for one in order.classes}
        for card in (loose, tight)
        if (order := measure_severity_order(card, CATALOGUE, "retention", USE)) is not None
    ]
    assert costs[0][2] > 60
    assert 55 <= costs[1][2] <= 60  # the cap is used: half a point a characteristic is left for rounding


def test_where_nothing_tells_bad_from_good_only_policy_points_are_left() -> None:
    caps = SingleRecordCaps.of((100,) * 5, "Chen Jing", "art. 5", LEARNED, CATALOGUE)
    nothing = X.assign(**{d.name: np.float32(d.none) for d in LEARNED})  # type: ignore[arg-type]
    classifier = ScorecardClassifier(
        DEFINITIONS, method="woe_logistic", policy_points=(LISTED, *BONUS), single_record=caps
    )
    card = classifier.fit(nothing[[d.name for d in DEFINITIONS]], Y).card_
    assert all(c.policy for c in card.characteristics)


def test_of_characteristics_that_hold_the_same_people_one_is_tried() -> None:
    twins = X.assign(adverse_class2_60m=X["adverse_class2_36m"])
    caps = SingleRecordCaps.of((200,) * 5, "Chen Jing", "art. 5", LEARNED, CATALOGUE)
    classifier = ScorecardClassifier(
        DEFINITIONS, method="woe_logistic", policy_points=(LISTED, *BONUS), single_record=caps, penalty=0.1
    )
    card = classifier.fit(twins[[d.name for d in DEFINITIONS]], Y).card_
    assert len({"adverse_class2_36m", "adverse_class2_60m"} & {*card.columns}) < 2


def test_nested_classes_are_tried_together_unless_their_people_are_the_very_same() -> None:
    away = np.array([[True, True, True]] * 19 + [[True, False, False]])
    value = np.array([3.0, 2.0, 1.0])
    assert distinct_holders(away, np.ones(20), np.array([1, 1, 2]), value).tolist() == [0, 2]
    assert distinct_holders(away[:19], np.ones(19), np.array([1, 1, 2]), value).tolist() == [0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"points": (10, 20, 30)}, "points must be 5 whole numbers above 0"),
        ({"points": (50, 40, 60, 70, 80)}, "must not fall from class to class"),
        ({"approver": " "}, "approver is missing"),
        ({"ground": ""}, "ground is missing"),
    ],
)
def test_caps_have_a_number_for_each_class_an_approver_and_a_ground(change: dict[str, Any], says: str) -> None:
    whole = {"points": (10, 20, 30, 40, 50), "approver": "Chen Jing", "ground": "art. 5", "counts_from": {}}
    with pytest.raises(UserError, match=says):
        SingleRecordCaps(**whole | change)


def test_beside_caps_a_feature_out_of_order_and_a_learned_positive_one_are_refused() -> None:
    fines = next(d for d in library() if d.name == "fines_36m")
    with pytest.raises(UserError, match="'fines_36m' counts adm_penalty"):
        SingleRecordCaps.of((10,) * 5, "Chen Jing", "art. 5", [fines], CATALOGUE)
    with pytest.raises(UserError, match=r"'honours_60m' counts no adverse record; beside single_record= only policy"):
        fitted((100,) * 5, policy=(LISTED,))


# ---------------------------------------------------------------------------------------------------- experiments


def written(folder: Path, text: str) -> Path:
    path = folder / "capped.toml"
    path.write_text(text.replace('"../', f'"{ROOT.as_posix()}/'), encoding="utf-8")
    return path


BASELINE = (ROOT / "experiments" / "baseline.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["baseline", "retention", "learnable"])
def test_the_cards_of_persons_learn_from_features_in_order_and_count_positive_records_by_policy(name: str) -> None:
    experiment = load_experiment(ROOT / "experiments" / f"{name}.toml")
    by_policy = {own.characteristic for own in experiment.card.policy_points}
    assert {d.name for d in experiment.features} <= {d.name for d in ORDERED} | by_policy
    assert {d.name for d in POSITIVE} <= by_policy
    assert "out of the order of severity" in experiment.left_out["fines_36m"]
    assert experiment.gates["severity_order"] == 0
    assert experiment.card.single_record is not None
    assert max(experiment.card.single_record.points) <= 200


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("points = [60, 140, 170, 200, 200]", "points = [60, 140]", "points must be 5 whole numbers"),
        (
            "points = [0, -200]",
            "points = [0, -150]",
            "a listing in use must cost at least as much as any single record",
        ),
        ('characteristic = "rewards_60m"', 'characteristic = "adverse_60m"', "policy_points"),
        ('include = ["*"]', 'include = ["*", "fines_36m"]', "'fines_36m' counts adm_penalty"),
        (
            'characteristic = "listed_now"',
            'characteristic = "adverse_60m"',
            "policy points for 'adverse_60m' take up to 200: beside caps on single records they may take for a listing",
        ),
        ('method = "woe_logistic"', 'method = "additive"', "is for the method woe_logistic"),
    ],
)
def test_faults_of_caps_are_named_before_anything_runs(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in BASELINE
    with pytest.raises(ExperimentErrors) as caught:
        load_experiment(written(tmp_path, BASELINE.replace(old, new, 1)))
    assert says in str(caught.value)


def test_without_caps_every_feature_may_be_learned_as_before(tmp_path: Path) -> None:
    start = BASELINE.index("# What one record may cost")
    text = BASELINE[:start] + BASELINE[BASELINE.index("[gates]") :]
    experiment = load_experiment(written(tmp_path, text))
    assert experiment.card.single_record is None
    assert "fines_36m" in {d.name for d in experiment.features}
