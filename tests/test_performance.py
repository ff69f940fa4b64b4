"""Measures of a card: equal to naive and independent ones, blind to the order of rows, intervals that cover."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from credit_model import UserError
from credit_model.metrics.bad_rates import effective_counts, holm, jeffreys
from credit_model.metrics.calibration import (
    brier,
    calibration_line,
    log_loss,
    observed_to_expected,
    observed_to_expected_limit,
)
from credit_model.metrics.curves import cumulative_curve, ks
from credit_model.metrics.differences import gini_difference, soft_gini_ratio
from credit_model.metrics.performance import Estimate, auc, gini, rough_error, soft_gini

NOTHING = Estimate(None, None, None)


@st.composite
def tied_rows(draw: st.DrawFn) -> dict[str, Any]:
    """Rows of which 60 to 99 in a hundred share one risk, with both outcomes, weights and repeated people."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(30, 200))
    tied = draw(st.floats(0.6, 0.99))
    risk = np.where(rng.random(size) < tied, 3.0, rng.integers(0, 8, size).astype(float))
    y = (rng.random(size) < 0.1 + 0.08 * risk).astype(int)
    y[:2] = (0, 1)
    return {
        "y": y,
        "risk": risk,
        "probability": (0.02 + risk / 10).round(3),
        "true_risk": rng.random(size).round(2),
        "weight": rng.choice([0.3, 1.0, 2.7, 19.1], size),
        "subject": rng.integers(0, size // 2, size),
    }


def every_measure(rows: dict[str, Any]) -> dict[str, Any]:
    how = {"weight": rows["weight"], "subject": rows["subject"]}
    y, risk, probability, truth = rows["y"], rows["risk"], rows["probability"], rows["true_risk"]
    return {
        "auc": auc(y, risk, **how),
        "gini": gini(y, risk, **how),
        "ks": ks(y, risk, **how),
        "soft gini": soft_gini(truth, risk, **how),
        "ratio": soft_gini_ratio(truth, risk, truth, **how),
        "difference": gini_difference(y, risk, truth, **how),
        "brier": brier(y, probability, **how),
        "log loss": log_loss(y, probability, **how),
        "line": calibration_line(y, probability, **how),
        "observed to expected": observed_to_expected(y, probability, **how),
        "curve": cumulative_curve(y, risk, weight=rows["weight"]),
    }


@given(tied_rows(), st.randoms(use_true_random=False))
def test_neither_shuffling_nor_sorting_by_label_moves_a_measure_by_a_single_bit(
    rows: dict[str, Any], random: Any
) -> None:
    expected = every_measure(rows)
    shuffled = list(range(len(rows["y"])))
    random.shuffle(shuffled)
    by_label = np.argsort(rows["y"], kind="stable")
    for order in (np.array(shuffled), by_label, by_label[::-1]):
        assert every_measure({name: column[order] for name, column in rows.items()}) == expected


@given(tied_rows())
def test_the_auc_is_the_share_of_pairs_ranked_right(rows: dict[str, Any]) -> None:
    y, risk, weight = rows["y"], rows["risk"], rows["weight"]
    right = whole = 0.0
    for i, j in product(np.flatnonzero(y == 1), np.flatnonzero(y == 0)):
        pair = weight[i] * weight[j]
        whole += pair
        right += pair * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    assert auc(y, risk, weight=weight).value == pytest.approx(right / whole, abs=1e-12)


@given(tied_rows())
def test_the_soft_gini_weighs_every_row_as_a_bad_by_its_risk_and_as_a_good_by_the_rest(rows: dict[str, Any]) -> None:
    truth, risk, weight = rows["true_risk"], rows["risk"], rows["weight"]
    as_bad, as_good = weight * truth, weight * (1 - truth)
    above = (risk[:, None] > risk[None, :]) + 0.5 * (risk[:, None] == risk[None, :])
    expected = 2 * (as_bad @ above @ as_good) / (as_bad.sum() * as_good.sum()) - 1
    assert soft_gini(truth, risk, weight=weight).value == pytest.approx(expected, abs=1e-12)


def delong(y: np.ndarray, risk: np.ndarray) -> tuple[float, float]:
    """The AUC and its standard error as DeLong, DeLong and Clarke-Pearson print them, pair by pair."""
    bad, good = risk[y == 1], risk[y == 0]
    kernel = (bad[:, None] > good[None, :]) + 0.5 * (bad[:, None] == good[None, :])
    area = kernel.mean()
    s10 = ((kernel.mean(axis=1) - area) ** 2).sum() / (len(bad) - 1)
    s01 = ((kernel.mean(axis=0) - area) ** 2).sum() / (len(good) - 1)
    return area, math.sqrt(s10 / len(bad) + s01 / len(good))


def half_width(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2 / 1.959963984540054


def test_the_interval_is_delongs_to_nine_digits() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        risk = rng.integers(0, 6, 300).astype(float)
        y = (rng.random(300) < 0.2 + 0.05 * risk).astype(int)
        area, error = delong(y, risk)
        found = auc(y, risk)
        assert found.value == pytest.approx(area, abs=1e-9)
        assert half_width(found) == pytest.approx(error, abs=1e-9)


def test_the_paired_interval_is_delongs_of_the_difference() -> None:
    rng = np.random.default_rng(4)
    risk, other = rng.normal(size=(2, 400))
    y = (rng.random(400) < 1 / (1 + np.exp(-risk))).astype(int)
    placements = []
    for ranking in (risk, other):
        bad, good = ranking[y == 1], ranking[y == 0]
        kernel = (bad[:, None] > good[None, :]) + 0.5 * (bad[:, None] == good[None, :])
        placements.append((kernel.mean(axis=1), kernel.mean(axis=0), kernel.mean()))
    (a10, a01, a), (b10, b01, b) = placements
    variance = np.var(a10 - b10, ddof=1) / len(a10) + np.var(a01 - b01, ddof=1) / len(a01)
    found = gini_difference(y, risk, other)
    assert found.value == pytest.approx(2 * (a - b), abs=1e-9)
    assert half_width(found) == pytest.approx(2 * math.sqrt(variance), abs=1e-9)


@pytest.mark.parametrize("measure", [gini, ks, brier, log_loss, observed_to_expected])
def test_a_person_counted_twice_is_no_second_person(measure: Any) -> None:
    rng = np.random.default_rng(5)
    p = rng.integers(1, 9, 400) / 10
    y = (rng.random(400) < p).astype(int)
    once = measure(y, p)
    twice = measure(np.tile(y, 2), np.tile(p, 2), subject=np.tile(np.arange(400), 2))
    naive = measure(np.tile(y, 2), np.tile(p, 2))
    assert twice.value == pytest.approx(once.value, rel=1e-12)
    assert half_width(twice) == pytest.approx(half_width(once), rel=1e-9)
    assert half_width(naive) < 0.8 * half_width(once)


@given(tied_rows())
def test_a_whole_weight_counts_as_that_many_rows(rows: dict[str, Any]) -> None:
    times = np.random.default_rng(6).integers(1, 4, len(rows["y"]))
    again = np.repeat(np.arange(len(times)), times)
    for measure, column in (
        (gini, "risk"),
        (ks, "risk"),
        (brier, "probability"),
        (observed_to_expected, "probability"),
    ):
        weighted = measure(rows["y"], rows[column], weight=times).value
        assert weighted == pytest.approx(measure(rows["y"][again], rows[column][again]).value, abs=1e-9)


def test_measures_agree_with_scipy_and_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    p = rng.integers(1, 10, 2_000) / 20
    y, weight = (rng.random(2_000) < p).astype(int), rng.choice([1.0, 3.0, 0.5], 2_000)
    assert auc(y, p, weight=weight).value == pytest.approx(roc_auc_score(y, p, sample_weight=weight), abs=1e-9)
    assert brier(y, p, weight=weight).value == pytest.approx(brier_score_loss(y, p, sample_weight=weight), abs=1e-9)
    assert log_loss(y, p, weight=weight).value == pytest.approx(sklearn_log_loss(y, p, sample_weight=weight), abs=1e-9)
    assert ks(y, p).value == pytest.approx(ks_2samp(p[y == 1], p[y == 0]).statistic, abs=1e-9)
    line = calibration_line(y, p, weight=weight)
    fitted = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(np.log(p / (1 - p))[:, None], y, weight)
    assert line.slope.value == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    assert line.intercept.value == pytest.approx(fitted.intercept_[0], abs=1e-5)


def test_a_tie_leaves_no_room_for_a_cut_off() -> None:
    y = [1, 1, 0, 0, 0, 0]
    assert ks(y, [1] * 6).value == 0
    assert gini(y, [1] * 6) == Estimate(0.0, 0.0, 0.0)
    assert ks(y, [2, 1, 1, 1, 1, 1]).value == 0.5


def test_ninety_five_in_a_hundred_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(8)
    draws, size = 400, 1_500
    grid = np.array([0.02, 0.05, 0.1, 0.3])
    truth = {"observed to expected": 1.0, "slope": 1.0, "brier": float(np.mean(grid * (1 - grid)))}
    bad, good = grid / grid.sum(), (1 - grid) / (1 - grid).sum()
    above = (grid[:, None] > grid[None, :]) + 0.5 * (grid[:, None] == grid[None, :])
    truth["gini"] = float(2 * bad @ above @ good - 1)
    held = dict.fromkeys(truth, 0)
    for _ in range(draws):
        p = rng.choice(grid, size)
        y = (rng.random(size) < p).astype(int)
        found = {
            "gini": gini(y, p),
            "brier": brier(y, p),
            "slope": calibration_line(y, p).slope,
            "observed to expected": observed_to_expected(y, p),
        }
        for name, estimate in found.items():
            held[name] += estimate.low <= truth[name] <= estimate.high
    assert {name: 0.92 <= count / draws <= 0.98 for name, count in held.items()} == dict.fromkeys(truth, True)


def test_the_soft_gini_is_the_hard_gini_without_the_luck_of_the_draw() -> None:
    rng = np.random.default_rng(9)
    truth = rng.beta(1, 12, 3_000)
    risk = np.digitize(truth + rng.normal(0, 0.05, 3_000), [0.02, 0.08, 0.2])
    drawn = [gini((rng.random(3_000) < truth).astype(int), risk).value for _ in range(200)]
    soft = soft_gini(truth, risk).value
    assert abs(np.mean(drawn) - soft) < 4 * np.std(drawn) / math.sqrt(200) + 0.002


def test_the_intervals_of_soft_gini_and_ratio_are_those_of_a_bootstrap() -> None:
    rng = np.random.default_rng(10)
    truth = rng.beta(1, 12, 1_500)
    best = np.digitize(truth + rng.normal(0, 0.05, 1_500), np.linspace(0, 0.3, 20))
    card = np.digitize(best, [3, 6, 12])
    soft, ratio = [], []
    for _ in range(300):
        chosen = rng.integers(0, 1_500, 1_500)
        soft.append(soft_gini(truth[chosen], card[chosen]).value)
        ratio.append(soft_gini_ratio(truth[chosen], card[chosen], best[chosen]).value)
    assert half_width(soft_gini(truth, card)) == pytest.approx(np.std(soft), rel=0.15)
    assert half_width(soft_gini_ratio(truth, card, best)) == pytest.approx(np.std(ratio), rel=0.15)


@given(tied_rows())
def test_the_attainable_reaches_all_of_itself_whatever_its_scale(rows: dict[str, Any]) -> None:
    truth = rows["true_risk"]
    found = soft_gini_ratio(truth, np.exp(truth), truth)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))


def test_the_calibration_line_finds_what_was_done_to_the_probabilities() -> None:
    rng = np.random.default_rng(11)
    log_odds = rng.normal(-3, 1.2, 60_000)
    y = (rng.random(60_000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    told = 1 / (1 + np.exp(-(2 * log_odds + 0.5)))
    line = calibration_line(y, told)
    assert line.slope.low < 0.5 < line.slope.high
    assert line.intercept.low < -0.25 < line.intercept.high
    assert half_width(line.slope) < 0.02


def test_twice_too_low_a_probability_shows_as_two_bads_for_one_expected() -> None:
    rng = np.random.default_rng(12)
    p = np.full(20_000, 0.05)
    found = observed_to_expected((rng.random(20_000) < 2 * p).astype(int), p)
    assert found.low < 2 < found.high
    assert found.value == pytest.approx(2, abs=0.1)


def test_without_a_bad_the_ratio_runs_from_zero_to_the_poisson_end() -> None:
    found = observed_to_expected([0] * 100, [0.01] * 100)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(3.688879, abs=1e-6)


def test_the_limit_of_observed_to_expected_is_five_in_a_hundred_and_two_standard_errors() -> None:
    assert observed_to_expected_limit(400) == pytest.approx(0.15)
    assert observed_to_expected_limit(400, 0.1) == pytest.approx(0.2)
    assert observed_to_expected_limit(0) == observed_to_expected_limit(1)


def test_what_cannot_be_measured_is_undefined_and_not_a_number_out_of_the_air() -> None:
    assert gini([0, 0, 0], [1, 2, 3]) == NOTHING
    assert ks([1, 1], [1, 2]) == NOTHING
    assert gini_difference([0, 0], [1, 2], [2, 1]) == NOTHING
    assert soft_gini([0.0, 0.0], [1, 2]) == NOTHING
    assert soft_gini_ratio([0.1, 0.2], [1, 2], [1, 1]) == NOTHING
    assert log_loss([1, 0], [0.0, 0.5]) == NOTHING
    assert observed_to_expected([0, 1], [0.0, 0.0]) == NOTHING
    constant = calibration_line([0, 1, 0], [0.2, 0.2, 0.2])
    separated = calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    assert constant.slope == constant.intercept == separated.slope == NOTHING


def test_jeffreys_gives_the_published_value_and_both_sides() -> None:
    found = jeffreys(2, 6, 0.0367)
    assert found.understated == pytest.approx(0.0044, abs=5e-5)
    assert found.overstated == pytest.approx(1 - found.understated)
    assert found.p_value == pytest.approx(2 * found.understated)
    assert jeffreys(0, 5_000, 0.01).p_value < 0.001
    assert jeffreys(0, 5_000, 0.01).overstated < 0.001


def test_jeffreys_is_the_area_under_its_posterior() -> None:
    rate = (np.arange(200_000) + 0.5) / 200_000
    density = rate ** (7 - 0.5) * (1 - rate) ** (193 - 0.5)
    below = np.cumsum(density) / density.sum()
    found = jeffreys(7, 200, 0.05)
    assert found.understated == pytest.approx(np.interp(0.05, rate, below), abs=1e-4)
    assert (found.low, found.high) == pytest.approx(np.interp([0.025, 0.975], below, rate), abs=1e-4)


def test_more_bads_than_people_are_refused() -> None:
    with pytest.raises(UserError, match="7 bads among 6 people"):
        jeffreys(7, 6, 0.1)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_exactly_what_the_step_down_procedure_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected, left = set(), sorted(range(len(p_values)), key=lambda i: p_values[i])
        while left and p_values[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        assert {i for i, p in enumerate(adjusted) if p <= level} == rejected


def test_goods_kept_one_in_fifty_count_as_fifty() -> None:
    assert effective_counts([1] * 3 + [0] * 10, [1] * 3 + [50] * 10) == (3, 503)
    assert effective_counts([0] * 10, [50] * 10) == (0, 10)
    assert effective_counts([1] * 4 + [0] * 4, [7] * 8) == pytest.approx((4, 8))


@given(tied_rows())
def test_a_published_curve_tells_of_no_few_people(rows: dict[str, Any]) -> None:
    curve = np.array(cumulative_curve(rows["y"], rows["risk"]))
    steps = np.diff(curve, axis=0) * [len(rows["y"]), (rows["y"] == 0).sum(), (rows["y"] == 1).sum()]
    assert curve[0].tolist() == [0, 0, 0]
    assert curve[-1] == pytest.approx([1, 1, 1])
    if len(steps) > 1:
        assert (steps[:, 0] > 9.5).all()
        assert ((steps[:, 2] < 0.5) | (steps[:, 2] > 2.5)).all()


def test_the_curve_holds_the_gini() -> None:
    rng = np.random.default_rng(13)
    p = rng.beta(1, 20, 40_000)
    y = (rng.random(40_000) < p).astype(int)
    _, goods, bads = np.array(cumulative_curve(y, p)).T
    area = float(np.sum(np.diff(goods) * (bads[1:] + bads[:-1]) / 2))
    assert 2 * area - 1 == pytest.approx(gini(y, p).value, abs=0.003)


def test_the_rough_error_is_near_the_measured_one_where_bads_are_rare() -> None:
    rng = np.random.default_rng(14)
    risk = rng.normal(size=50_000)
    y = (rng.random(50_000) < 1 / (1 + np.exp(5.2 - 0.8 * risk))).astype(int)
    assert half_width(gini(y, risk)) == pytest.approx(rough_error(int(y.sum())), rel=0.15)
    assert rough_error(0) == math.inf


def test_every_fault_of_the_arrays_is_named_at_once() -> None:
    with pytest.raises(UserError) as told:
        brier([0, 1, 2], [0.1, 1.4, 0.2], weight=[1, -1, 1], subject=["a", "b"])
    assert len(told.value.faults) == 4
    with pytest.raises(UserError, match="'risk' has 1 rows that are not finite"):
        auc([0, 1], [0.1, math.nan])
    with pytest.raises(UserError, match="there is no row"):
        auc([], [])
    with pytest.raises(UserError, match="exactly 0 or 1"):
        calibration_line([0, 1], [0.0, 0.5])
