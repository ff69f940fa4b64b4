"""A challenger keeps the card's signs and rows, gives the same model on any machine, and is judged beside the card."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluation import CHALLENGER, FRAME, POINTS, REPORT, judged, made_frame
from small_sample import NEVER, definitions, sample

from credit_model import UserError
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.experiments.experiment import ChallengerPlan, ExperimentErrors
from credit_model.experiments.reader import read_experiment
from credit_model.learning.challenger import BoostedChallenger
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.metrics.calibration import brier, calibration_line, log_loss
from credit_model.metrics.differences import (
    brier_difference,
    gini_difference,
    log_loss_difference,
    slope_difference,
    soft_gini_difference,
)
from credit_model.metrics.performance import soft_gini
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html
from credit_model.scorecard.loader import open_card

X, Y, _ = sample(8_000, base=-4.0)
SUBJECT = np.arange(8_000) // 2
EXPERIMENTS = Path(__file__).parents[1] / "experiments"
BASELINE = tomllib.loads((EXPERIMENTS / "baseline.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def challenger() -> BoostedChallenger:
    return BoostedChallenger(definitions(), most_trees=100).fit(X, Y, groups=SUBJECT)


# ------------------------------------------------------------------------------------------------- the model


def test_a_value_further_along_its_trend_never_moves_the_risk_the_other_way(challenger: BoostedChallenger) -> None:
    rng = np.random.default_rng(1)
    rows = X.sample(300, random_state=1)
    for definition in definitions():
        steps = np.sort(rng.choice(np.r_[X[definition.name].unique(), 50.0, NEVER], 12))
        risks = np.stack([challenger.decision_function(rows.assign(**{definition.name: np.float32(v)})) for v in steps])
        assert (definition.direction * np.diff(risks, axis=0) >= 0).all()
    assert np.ptp(challenger.decision_function(rows)) > 0.5


def test_a_feature_without_a_trend_may_go_both_ways() -> None:
    rng = np.random.default_rng(3)
    free = [dataclasses.replace(definitions()[1], trend=None)]
    values = pd.DataFrame({"adverse_36m": rng.integers(0, 9, 6_000).astype(np.float32)})
    bad = (rng.random(6_000) < 0.05 + 0.2 * (values["adverse_36m"].to_numpy() == 4)).astype(int)
    found = BoostedChallenger(free, most_trees=50).fit(values, bad)
    risk = found.decision_function(pd.DataFrame({"adverse_36m": np.arange(9, dtype=np.float32)}))
    assert risk[4] > risk[0] + 0.5
    assert risk[4] > risk[8] + 0.5
    bound = BoostedChallenger([definitions()[1]], most_trees=50).fit(values, bad)
    assert (np.diff(bound.decision_function(pd.DataFrame({"adverse_36m": np.arange(9.0)}))) >= 0).all()


def test_the_same_rows_in_any_order_give_the_same_model(challenger: BoostedChallenger) -> None:
    order = np.random.default_rng(2).permutation(len(X))
    again = BoostedChallenger(definitions(), most_trees=100)
    again.fit(X[list(reversed(X.columns))].iloc[order], Y[order], groups=SUBJECT[order])
    assert again.trees_ == challenger.trees_
    assert again.calibration_ == challenger.calibration_
    assert np.array_equal(again.decision_function(X), challenger.decision_function(X))


def test_two_threads_give_the_model_of_one() -> None:
    one, two = (BoostedChallenger(definitions(), most_trees=10, n_jobs=n).fit(X, Y, groups=SUBJECT) for n in (1, 2))
    assert one.calibration_ == two.calibration_
    assert np.array_equal(one.decision_function(X), two.decision_function(X))


def test_two_goods_of_weight_one_are_one_good_of_weight_two() -> None:
    """Weights count everywhere: in the trees, in their number, in the line."""
    goods = np.flatnonzero(Y == 0)
    twice = np.concatenate([np.arange(len(Y)), goods])
    weight = np.where(Y == 0, 2.0, 1.0)
    by_rows = BoostedChallenger(definitions(), most_trees=50).fit(X.iloc[twice], Y[twice], groups=SUBJECT[twice])
    by_weight = BoostedChallenger(definitions(), most_trees=50).fit(X, Y, weight, SUBJECT)
    assert by_rows.trees_ == by_weight.trees_
    assert by_rows.decision_function(X) == pytest.approx(by_weight.decision_function(X), abs=0.03)
    plain = BoostedChallenger(definitions(), most_trees=50).fit(X, Y, groups=SUBJECT)
    assert np.mean(plain.decision_function(X) - by_weight.decision_function(X)) == pytest.approx(np.log(2), abs=0.05)


def test_a_row_of_weight_zero_is_not_there(challenger: BoostedChallenger) -> None:
    more = pd.concat([X, X.iloc[:500] + 1])
    weight = np.r_[np.ones(len(X)), np.zeros(500)]
    again = BoostedChallenger(definitions(), most_trees=100)
    again.fit(more, np.r_[Y, np.ones(500, int)], weight, np.r_[SUBJECT, np.arange(500)])
    assert np.array_equal(again.decision_function(X), challenger.decision_function(X))


def test_it_is_recalibrated_on_people_its_trees_have_not_seen() -> None:
    """Noise makes trees too sure; on fresh people the recalibrated slope is near 1, and the trees' own is not."""
    few, bad, _ = sample(8_000, seed=8, base=-3.0)
    fresh, outcome, _ = sample(60_000, seed=9, base=-3.0)
    found = BoostedChallenger(definitions(), learning_rate=0.5, penalty=0.0, leaves=16).fit(few, bad)
    assert found.calibration_["slope"] < 0.9
    expected = found.predict_proba(fresh)[:, 1]
    slope = calibration_line(outcome, expected).slope.value
    assert abs(slope - 1) < abs(found.calibration_["slope"] * slope - 1) / 2  # what the trees alone would have had
    assert outcome.mean() == pytest.approx(expected.mean(), rel=0.1)


def test_it_ranks_people_as_well_as_the_card_does(challenger: BoostedChallenger) -> None:
    fresh, _, risk = sample(20_000, seed=4, base=-4.0)
    card = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, Y, groups=SUBJECT)
    reached = soft_gini(risk, challenger.decision_function(fresh)).value
    assert reached > 0.95 * soft_gini(risk, card.decision_function(fresh)).value


def test_few_bads_leave_it_as_it_is_and_none_is_refused() -> None:
    few = np.zeros(len(Y), int)
    few[:3] = 1
    found = BoostedChallenger(definitions()).fit(X, few)
    assert found.calibration_ == {"shift": 0.0, "slope": 1.0}
    with pytest.raises(UserError, match="goods and bads are needed"):
        BoostedChallenger(definitions()).fit(X, np.zeros(len(Y), int))


def test_columns_and_definitions_must_match() -> None:
    with pytest.raises(UserError, match="one column for each definition"):
        BoostedChallenger(definitions()[:3]).fit(X, Y)
    found = BoostedChallenger(definitions()[:1], most_trees=10).fit(X[["adverse_12m"]], Y)
    with pytest.raises(UserError, match="columns are missing: adverse_12m"):
        found.predict_proba(X[["adverse_36m"]])


def test_no_door_that_scores_people_loads_a_challenger() -> None:
    program = (
        "import sys, credit_model.assessment, credit_model.scorecard.loader\n"
        "from credit_model.assessment.evaluator import Evaluator\nfrom credit_model.scorecard.loader import open_card\n"
        "assert not {m for m in sys.modules if 'learner' in m or 'lightgbm' in m}, sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert not hasattr(BoostedChallenger, "to_card")
    assert open_card


# ------------------------------------------------------------------------------------------------- differences


def test_a_difference_is_that_of_the_two_measures_and_its_interval_is_paired() -> None:
    rng = np.random.default_rng(6)
    risk = rng.uniform(0.02, 0.4, 4_000)
    y = (rng.random(4_000) < risk).astype(int)
    one, two = np.clip(risk + rng.normal(0, 0.02, (2, 4_000)), 0.01, 0.6)
    assert brier_difference(y, one, two).value == pytest.approx(brier(y, one).value - brier(y, two).value)
    assert log_loss_difference(y, one, two).value == pytest.approx(log_loss(y, one).value - log_loss(y, two).value)
    slopes = [calibration_line(y, p).slope for p in (one, two)]
    assert slope_difference(y, one, two).value == pytest.approx(slopes[0].value - slopes[1].value)
    soft = soft_gini(risk, one).value - soft_gini(risk, two).value
    assert soft_gini_difference(risk, one, two).value == pytest.approx(soft)

    def width(found: object) -> float:
        return found.high - found.low  # type: ignore[attr-defined]

    assert width(brier_difference(y, one, two)) < width(brier(y, one)) / 2
    assert width(slope_difference(y, one, two)) < width(slopes[0])


@pytest.mark.parametrize("name", ["brier", "log_loss", "slope", "soft_gini", "gini"])
def test_the_interval_of_a_difference_covers_what_resampling_people_gives(name: str) -> None:
    rng = np.random.default_rng(7)
    people, visits = 500, 3
    risk = np.repeat(rng.uniform(0.05, 0.5, people), visits)
    y = (rng.random(people * visits) < risk).astype(int)
    one, two = np.clip(risk + np.repeat(rng.normal(0, 0.06, (2, people)), visits, axis=1), 0.02, 0.8)
    subject = np.repeat(np.arange(people), visits)
    measure = {
        "brier": lambda i, **how: brier_difference(y[i], one[i], two[i], **how),
        "log_loss": lambda i, **how: log_loss_difference(y[i], one[i], two[i], **how),
        "slope": lambda i, **how: slope_difference(y[i], one[i], two[i], **how),
        "soft_gini": lambda i, **how: soft_gini_difference(risk[i], one[i], two[i], **how),
        "gini": lambda i, **how: gini_difference(y[i], one[i], two[i], **how),
    }[name]
    found = measure(np.arange(len(y)), subject=subject)
    drawn = []
    for _ in range(200):
        chosen = rng.integers(0, people, people)
        drawn.append(measure((chosen[:, None] * visits + np.arange(visits)).ravel()).value)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(np.std(drawn), rel=0.2)


def test_a_model_differs_from_itself_by_nothing() -> None:
    y, p = [0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.2, 0.4, 0.6, 0.7]
    for difference in (brier_difference, log_loss_difference, slope_difference, gini_difference):
        found = difference(y, p, p)
        assert (found.value, found.low, found.high) == (0, 0, 0)
    assert log_loss_difference([0, 1], [0.0, 0.0], [0.5, 0.5]).value is None
    assert slope_difference([0, 1], [0.5, 0.5], [0.2, 0.4]).value is None


# ------------------------------------------------------------------------------------------------- the report


def test_every_segment_says_what_the_card_gives_up() -> None:
    (found,) = REPORT.challengers
    record = FRAME["with_record"].to_numpy()
    for name, rows in (("all", record | True), ("with_record", record), ("without_record", ~record)):
        part, contest = FRAME[rows], found.segments[name]
        gain = gini_difference(part["y"], part["challenger"], -part["score"])
        assert contest.minus_card["gini"].value == pytest.approx(gain.value)
        assert contest.minus_card["auc"].low == pytest.approx(gain.low / 2)
        losses = [brier(part["y"], part[column]).value for column in ("challenger", "probability_of_bad")]
        assert contest.minus_card["brier"].value == pytest.approx(losses[0] - losses[1])
        assert contest.measures["brier"].value == pytest.approx(losses[0])
        assert set(contest.minus_card) == {"auc", "gini", "soft_gini", "brier", "log_loss", "slope"}
    roles = [ranking.role for ranking in REPORT.rankings]
    assert roles.index("challenger") == roles.index("card") + 1


def test_cells_hold_the_people_of_a_grade_by_fifth() -> None:
    (found,) = REPORT.challengers
    by_grade = {grade: list(cells) for grade, cells in groupby(found.cells, lambda cell: cell.grade)}
    assert list(by_grade) == [grade.grade for grade in REPORT.grades]
    for grade in REPORT.grades:
        rows = FRAME[FRAME["grade"] == grade.grade]
        told = [cell for cell in by_grade[grade.grade] if cell.counts.people is not None]
        assert [cell.fifth for cell in by_grade[grade.grade]] == [1, 2, 3, 4, 5]
        assert sum(cell.counts.people for cell in told) <= len(rows)
        if len(told) == 5:
            assert sum(cell.counts.people for cell in told) == len(rows)
            expected = sum(cell.counts.people * (cell.by_challenger or 0) for cell in told)
            assert expected == pytest.approx(rows["challenger"].sum())
    moved = [
        found.cells[i].counts.people * abs(found.cells[i].by_challenger - found.cells[i].counts.mean_probability)
        for i in found.widest
    ]
    assert len(moved) == 5
    assert moved == sorted(moved, reverse=True)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(3, 250))
def test_no_cell_tells_of_a_few_people_or_of_one_or_two_bads(seed: int, people: int) -> None:
    report = judged(*made_frame(people, seed))
    assert EvaluationReport.from_json(report.to_json()) == report
    assert len(report.challengers) == (0 if report.segments["all"].counts.hidden else 1)
    for challenger in report.challengers:
        hidden = {grade.grade: grade.counts.hidden for grade in report.grades}
        for grade, row in groupby(challenger.cells, lambda cell: cell.grade):
            cells = [cell.counts for cell in row]
            assert all(cell.people is None or cell.people == 0 or cell.people >= 10 for cell in cells)
            assert all(cell.bads is None or cell.bads == 0 or cell.bads >= 3 for cell in cells)
            assert all(cell.bad_rate is None for cell in cells if cell.bads is None)
            # What a grade does not tell, its cells must not add up to; what it tells, must not leave a single blank.
            assert [cell.people for cell in cells].count(None) != 1
            assert [cell.bads for cell in cells].count(None) != 1
            if hidden[grade]:
                assert all(cell.bads is None for cell in cells)
            if hidden[grade] == "all":
                assert all(cell.people is None for cell in cells)


@pytest.mark.parametrize(
    ("noise", "verdict"),
    [(0.0, "kept"), (0.05, "kept"), (0.13, "kept_unsure"), (0.18, "questioned_unsure"), (0.4, "questioned")],
)
def test_the_card_is_kept_unless_much_is_gained(noise: float, verdict: str) -> None:
    """A card that ranks as the challenger does, but for noise of its own."""
    rng = np.random.default_rng(11)
    log_odds = np.log(FRAME["challenger"] / (1 - FRAME["challenger"])).to_numpy()
    wander = rng.normal(size=len(FRAME))
    y = (rng.random(len(FRAME)) < 1 / (1 + np.exp(3 - 2.5 * (log_odds - log_odds.mean())))).astype(int)
    report = judged(FRAME.assign(y=y, score=noise * wander - log_odds), explanation=None, card=None, gates=None)
    (found,) = report.challengers
    gain = found.segments["all"].minus_card["auc"]
    by_hand = ("kept" if gain.high <= 0.02 else "kept_unsure") if gain.value <= 0.02 else (
        "questioned" if gain.low > 0.02 else "questioned_unsure"
    )  # fmt: skip
    assert found.verdict == by_hand == verdict
    page, short = render_html(report, lang="en"), render_markdown(report)
    assert ("the card is kept" in page) is ("the card is kept" in short) is verdict.startswith("kept")


def test_a_page_without_a_challenger_says_nothing_of_one() -> None:
    page = render_html(judged(challenger=None), lang="en")
    assert 'id="challenger"' not in page
    assert "What simplicity costs" not in page
    assert judged(challenger=None).challengers == ()


def test_a_challenger_that_cannot_be_judged_is_refused_in_one_line() -> None:
    for frame, told in ((FRAME.assign(challenger=1.0), CHALLENGER), (FRAME, {"label_en": "Trees"})):
        with pytest.raises(UserError, match="Cannot judge this challenger") as refused:
            judged(frame, POINTS, challenger=told)
        assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="column 'challenger' is missing"):
        judged(FRAME.drop(columns="challenger"))


# ------------------------------------------------------------------------------------------------- the experiment


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"method": "forest"}, r"\[challenger\] method: unknown: 'forest'; known: lightgbm"),
        ({"trees": 10}, r"\[challenger\] trees: unknown key"),
    ],
)
def test_a_fault_of_the_challengers_table_is_named_with_its_place(table: dict[str, object], expected: str) -> None:
    with pytest.raises(ExperimentErrors, match=expected):
        read_experiment(BASELINE | {"challenger": table}, "changed", EXPERIMENTS)


def test_a_challenger_is_asked_for_by_a_table_of_its_own() -> None:
    without = {key: table for key, table in BASELINE.items() if key != "challenger"}
    plain = read_experiment(without, "changed", EXPERIMENTS)
    asked = read_experiment(BASELINE | {"challenger": {}}, "changed", EXPERIMENTS)
    assert plain.challenger is None
    assert asked.challenger == ChallengerPlan("lightgbm")
    assert asked.digest != plain.digest


@pytest.mark.parametrize(("good", "bad"), [("good", "bad"), ("好", "坏"), (False, True)])
def test_known_labels_say_which_is_bad_whatever_their_order(good: Any, bad: Any) -> None:
    settings: dict[str, Any] = {"definitions": definitions(), "most_trees": 20}
    plain = BoostedChallenger(**settings).fit(X, Y)
    labels = np.asarray([bad if is_bad else good for is_bad in Y])
    challenger = BoostedChallenger(**settings).fit(X, labels)
    assert challenger.bad_ == bad
    assert challenger.base_ == plain.base_
    place = list(challenger.classes_).index(bad)
    rows = X.iloc[:500]
    assert np.allclose(challenger.predict_proba(rows)[:, place], plain.predict_proba(rows)[:, 1], atol=1e-15)
    assert ((challenger.predict(rows) == bad) == (plain.predict(rows) == 1)).all()
    assert (challenger.contributions(rows) == plain.contributions(rows)).all(axis=None)


def test_other_labels_need_the_bad_one_said() -> None:
    labels = np.where(Y == 1, 1, 2)  # the greater one is good
    with pytest.raises(UserError, match="do not say which means bad"):
        BoostedChallenger(definitions(), most_trees=10).fit(X, labels)
    challenger = BoostedChallenger(definitions(), most_trees=10, bad=1).fit(X, labels)
    assert challenger.predict_proba(X)[Y == 1, 0].mean() > challenger.predict_proba(X)[Y == 0, 0].mean()
