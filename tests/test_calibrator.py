"""The fit within limits and the calibration: against independent solvers, and against certainty."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize
from sklearn.linear_model import LogisticRegression

from credit_model import UserError
from credit_model.learning.calibration import fit_line, fit_map, grade_intervals
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.logistic import Limits, LogisticFit, Ridge, fit_logistic, minimise_quadratic
from credit_model.scorecard.scale import load_profile

PROFILE = load_profile("zhejiang_1000")


def made(seed: int, rows: int = 400, k: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(rows, k))
    p = 1 / (1 + np.exp(-(1 + design @ np.linspace(-1, 1, k))))
    goods = rng.binomial(20, p).astype(float)
    return design, goods, 20 - goods


def test_without_limits_it_is_the_ridge_logistic_of_scikit_learn() -> None:
    design, goods, bads = made(0)
    fit = fit_logistic(design, goods, bads, ridge=Ridge(3.0))
    peer = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=1000)
    peer.fit(np.vstack([design, design]), np.repeat([1, 0], len(design)), np.concatenate([goods, bads]))
    assert fit.weights == pytest.approx(peer.coef_[0], abs=1e-5)
    assert fit.intercept == pytest.approx(peer.intercept_[0], abs=1e-5)


def test_many_rows_in_single_precision_end_where_scikit_learn_ends() -> None:
    """So many that the first steps are taken on a few of them, and the rest on blocks."""
    rng = np.random.default_rng(6)
    design = np.asfortranarray(rng.normal(size=(250_001, 3)).astype(np.float32))
    bads = (rng.random(len(design)) < 1 / (1 + np.exp(2 + design @ [1.0, -0.5, 0.0]))).astype(float)
    fit = fit_logistic(design, 1 - bads, bads, ridge=Ridge(3.0))
    peer = LogisticRegression(C=1 / 3, tol=1e-10, solver="newton-cholesky").fit(design.astype(float), 1 - bads)
    assert [fit.intercept, *fit.weights] == pytest.approx([peer.intercept_[0], *peer.coef_[0]], abs=2e-5)


@pytest.mark.parametrize("away", [0.0, 0.3, 5.0])
def test_where_a_fit_starts_does_not_move_it(away: float) -> None:
    design, goods, bads = made(3)
    limits = Limits.not_negative(4).and_at_most(np.ones(4), 1.2)
    fit = fit_logistic(design, goods, bads, ridge=Ridge(1.0), limits=limits)
    elsewhere = LogisticFit(fit.intercept - away, fit.weights * (1 - away / 10), fit.curvature)
    for start in (elsewhere, replace(elsewhere, curvature=None), replace(elsewhere, weights=fit.weights - 1)):
        again = fit_logistic(design, goods, bads, ridge=Ridge(1.0), limits=limits, start=start)
        assert [again.intercept, *again.weights] == pytest.approx([fit.intercept, *fit.weights], abs=1e-4)


def test_rows_that_count_nothing_change_nothing() -> None:
    design, goods, bads = made(4)
    counts = np.arange(len(goods)) % 3 > 0
    fit = fit_logistic(design, goods * counts, bads * counts, ridge=Ridge(1.0))
    peer = fit_logistic(design[counts], goods[counts], bads[counts], ridge=Ridge(1.0))
    assert [fit.intercept, *fit.weights] == pytest.approx([peer.intercept, *peer.weights], abs=1e-6)


@given(st.integers(0, 2**31), st.integers(1, 6))
@settings(max_examples=60)
def test_the_quadratic_programme_finds_what_a_general_solver_finds(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k, k))
    curvature, linear = root @ root.T + np.eye(k), rng.normal(size=k) * 3
    limits = Limits.not_negative(k).and_at_most(rng.uniform(0, 1, k), 0.5).and_at_most(rng.uniform(0, 1, k), math.inf)
    x = minimise_quadratic(curvature, linear, limits)
    assert (limits.left @ x >= limits.right - 1e-9).all()
    peer = minimize(
        lambda v: v @ curvature @ v / 2 - linear @ v, np.zeros(k), jac=lambda v: curvature @ v - linear, method="SLSQP",
        constraints=[{"type": "ineq", "fun": lambda v: limits.left @ v - limits.right}], options={"ftol": 1e-13},
    )  # fmt: skip
    assert x @ curvature @ x / 2 - linear @ x <= peer.fun + 1e-7


def test_limits_hold_and_cost_no_more_than_they_must() -> None:
    design, goods, bads = made(1)
    limits = Limits.not_negative(4).and_at_most(np.ones(4), 0.6)
    fit = fit_logistic(design, goods, bads, ridge=Ridge(1.0), limits=limits)
    assert (fit.weights >= -1e-12).all()
    assert fit.weights.sum() <= 0.6 + 1e-9

    def objective(x: np.ndarray) -> float:
        z = x[0] + design @ x[1:]
        return float((goods * np.logaddexp(0, -z) + bads * np.logaddexp(0, z)).sum() + 0.5 * (x[1:] ** 2).sum())

    bounds = LinearConstraint(np.hstack([np.zeros((5, 1)), limits.left]), limits.right, np.inf)
    peer = minimize(objective, np.full(5, 0.1), method="SLSQP", constraints=[bounds], options={"ftol": 1e-12})
    assert [fit.intercept, *fit.weights] == pytest.approx(peer.x, abs=1e-4)


def test_limits_without_a_choice_are_told() -> None:
    with pytest.raises(ArithmeticError, match="no choice"):
        minimise_quadratic(np.eye(1), np.zeros(1), Limits(np.array([[1.0], [-1.0]]), np.array([1.0, 0.0])))


def test_a_separable_sample_keeps_finite_weights() -> None:
    fit = fit_logistic(np.array([[0.0], [1.0]]), np.array([50.0, 0.0]), np.array([0.0, 50.0]), ridge=Ridge(1.0))
    assert -10 < fit.weights[0] < -3


def test_the_line_undoes_overconfidence() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(2, 1, 50_000)
    bads = (rng.random(50_000) > 1 / (1 + np.exp(-truth))).astype(float)
    line = fit_line(1.5 * truth - 0.4, 1 - bads, bads)
    assert line.slope == pytest.approx(1 / 1.5, rel=0.05)
    assert line.at(1.5 * 2 - 0.4) == pytest.approx(2, abs=0.05)


def test_a_line_never_turns_a_score_round() -> None:
    line = fit_line(np.array([0.0, 1.0]), np.array([9000.0, 5000.0]), np.array([1000.0, 5000.0]))
    assert line.slope == 0


def test_few_events_leave_the_line_near_one() -> None:
    assert fit_line(np.array([0.0, 1.0]), np.array([3.0, 3.0]), np.array([2.0, 1.0])).slope == pytest.approx(
        1, abs=0.15
    )


points_of = st.lists(st.integers(-300, 35), min_size=1, max_size=60)


@given(points_of, st.integers(0, 2**31))
@settings(max_examples=60)
def test_the_map_rises_strictly_and_gives_no_certainty(points: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.asarray(points)
    goods, bads = rng.integers(0, 300, len(at)).astype(float), rng.integers(0, 9, len(at)).astype(float)
    goods[0], bads[0] = goods[0] + 1, bads[0] + 1
    found = fit_map(at, goods, bads, 4.0, PROFILE, (-310, 35))
    values = [found.log_odds(score) for score in range(480, 850)]
    assert all(low < high for low, high in pairwise(values))
    assert 0 < found.probability(850) < found.probability(480) < 1


def test_as_many_bads_are_expected_as_were_seen() -> None:
    rng = np.random.default_rng(3)
    points = rng.integers(-200, 30, 5000)
    bads = (rng.random(5000) < 0.1).astype(float)
    found = fit_map(points, 1 - bads, bads, 3.0, PROFILE, (-200, 30))
    expected = sum(found.probability(800 + int(p)) for p in points)
    assert expected == pytest.approx(bads.sum(), rel=1e-6)


def test_the_map_is_the_same_of_rows_and_of_their_counts() -> None:
    rng = np.random.default_rng(5)
    points = rng.choice([-40, -12, 0, 7], 3000)
    bads = (rng.random(3000) < 0.2).astype(float)
    single = fit_map(points, 1 - bads, bads, 2.0, PROFILE, (-40, 7))
    at, place = np.unique(points, return_inverse=True)
    counted = fit_map(at, np.bincount(place, 1 - bads), np.bincount(place, bads), 2.0, PROFILE, (-40, 7))
    assert single == counted


def test_a_bend_that_a_line_cannot_follow_is_learned_where_there_are_events() -> None:
    """Risk that stops falling below -100 points: the map follows, the identity would not."""
    rng = np.random.default_rng(4)
    points = rng.integers(-200, 1, 200_000)
    truth = 3 + np.maximum(points, -100) / PROFILE.factor
    bads = (rng.random(len(points)) > 1 / (1 + np.exp(-truth))).astype(float)
    found = fit_map(points, 1 - bads, bads, 3.0, PROFILE, (-200, 0))
    assert found.log_odds(800) == pytest.approx(3.0, abs=0.15)
    assert found.log_odds(760) == pytest.approx(3 - 40 / PROFILE.factor, abs=0.15)
    assert found.log_odds(650) == pytest.approx(
        3 - 100 / PROFILE.factor, abs=0.3
    )  # the line would say 3 - 150 / factor


# ---------------------------------------------------------------------- grades, and another base rate


@given(st.integers(0, 2**31 - 1), st.integers(1, 400))
@settings(max_examples=30)
def test_every_grade_has_an_interval_that_holds_its_rate_and_few_rows_make_it_wide(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    profile = load_profile("open_600")
    points, bad = rng.integers(-200, 200, n), rng.random(n) < 0.3
    grades = grade_intervals(points, np.stack([~bad, bad, ~bad, bad]).astype(float), profile)
    assert [g.grade for g in grades] == list(profile.grades)
    assert sum(g.rows for g in grades) == n
    for g in grades:
        assert 0 <= g.low < g.high <= 1
        if g.rows == 0:
            assert (g.bad_rate, g.low, g.high) == (None, 0.0, 1.0)
        else:
            assert g.bad_rate is not None
            assert g.low <= g.bad_rate <= g.high
            assert g.high - g.low > 1 / (4 * g.rows)


def test_another_base_rate_moves_all_odds_by_one_factor_and_no_order() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=4000)})
    y = (rng.random(4000) < 1 / (1 + np.exp(2.2 - X["a"]))).astype(int)
    card = ScorecardClassifier(method="woe_logistic").fit(X, y).to_card()
    doubled = card.at_bad_rate(2 * y.mean())
    before, after = (c.score(X)["probability_of_bad"].to_numpy() for c in (card, doubled))
    assert (card.scores(X) == doubled.scores(X)).all()
    factor = (after / (1 - after)) / (before / (1 - before))
    told = (2 * y.mean() / (1 - 2 * y.mean())) / (y.mean() / (1 - y.mean()))
    assert factor == pytest.approx(np.full(len(y), told))
    assert doubled.provenance["bad_rate"] == {"was": pytest.approx(y.mean()), "is": pytest.approx(2 * y.mean())}
    back = doubled.at_bad_rate(y.mean(), was=2 * y.mean())
    assert back.score(X)["probability_of_bad"].to_numpy() == pytest.approx(before)
    for wrong in (0.0, 1.0):
        with pytest.raises(UserError, match="must lie between 0 and 1"):
            card.at_bad_rate(wrong)
