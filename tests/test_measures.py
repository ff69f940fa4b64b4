"""Measures beyond rank and level: equal to independent ones, blind to order, with intervals that hold the truth."""

from __future__ import annotations

import inspect
import math
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaincc
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from test_performance import half_width, tied_rows

from credit_model import UserError
from credit_model.metrics.brier_parts import brier_parts
from credit_model.metrics.calibration import brier
from credit_model.metrics.detection import average_precision, lift
from credit_model.metrics.odds import odds_line
from credit_model.metrics.performance import UNDEFINED, auc
from credit_model.metrics.reliability import (
    expected_calibration_error,
    hosmer_lemeshow,
    integrated_calibration_index,
    spiegelhalter,
)

ROOT = Path(__file__).parents[1]
make_measures = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "make_measures.py")))


def every_measure(rows: dict[str, Any]) -> dict[str, Any]:
    how = {"weight": rows["weight"], "subject": rows["subject"]}
    y, risk, probability = rows["y"], rows["risk"], rows["probability"]
    return {
        "average precision": average_precision(y, risk, **how),
        "lift": lift(y, risk, 0.2, **how),
        "parts": brier_parts(y, probability, **how),
        "ece": expected_calibration_error(y, probability, **how),
        "ici": integrated_calibration_index(y, probability, **how),
        "line": odds_line(y, -risk, 0.0, **how),
        "hosmer lemeshow": hosmer_lemeshow(y, probability, weight=rows["weight"]),
        "spiegelhalter": spiegelhalter(y, probability, **how),
    }


@pytest.mark.parametrize("seed", range(3))
def test_neither_shuffling_nor_sorting_by_label_moves_a_measure_by_a_single_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = 150
    risk = np.where(rng.random(size) < 0.7, 3.0, rng.integers(0, 8, size))
    rows = {
        "y": (rng.random(size) < 0.1 + 0.08 * risk).astype(int),
        "risk": risk,
        "probability": (0.02 + risk / 10).round(3),
        "weight": rng.choice([0.3, 1.0, 2.7, 19.1], size),
        "subject": rng.integers(0, size // 2, size),
    }
    expected = every_measure(rows)
    by_label = np.argsort(rows["y"], kind="stable")
    for order in (rng.permutation(size), by_label, by_label[::-1]):
        assert every_measure({name: column[order] for name, column in rows.items()}) == expected


@given(tied_rows())
def test_average_precision_is_scikit_learns(rows: dict[str, Any]) -> None:
    found = average_precision(rows["y"], rows["risk"], weight=rows["weight"]).value
    assert found == pytest.approx(
        average_precision_score(rows["y"], rows["risk"], sample_weight=rows["weight"]), abs=1e-9
    )


@given(tied_rows(), st.integers(1, 100))
def test_a_lift_is_that_of_ties_broken_every_way_in_the_mean(rows: dict[str, Any], hundredths: int) -> None:
    y, risk = rows["y"], rows["risk"]
    cut = hundredths / 100 * len(y)
    expected = 0.0  # bads expected among the first `cut` places, a tie giving each of its own the same chance
    for value in np.unique(risk):
        above, tied = (risk > value).sum(), (risk == value).sum()
        expected += y[risk == value].sum() * min(max((cut - above) / tied, 0.0), 1.0)
    assert lift(y, risk, hundredths / 100).value == pytest.approx(expected / y.sum() / (hundredths / 100), abs=1e-9)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.2])
def test_a_lift_of_no_share_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="above 0 and at most 1"):
        lift([0, 1], [1, 2], share)


def test_the_intervals_of_average_precision_and_lift_are_those_of_a_bootstrap() -> None:
    rng = np.random.default_rng(20)
    risk = np.round(rng.normal(size=1_200), 1)
    y = (rng.random(1_200) < 1 / (1 + np.exp(1.5 - risk))).astype(int)
    drawn = []
    for _ in range(150):
        rows = rng.integers(0, 1_200, 1_200)
        drawn.append((average_precision(y[rows], risk[rows]).value, lift(y[rows], risk[rows], 0.1).value))
    spread = np.std(drawn, axis=0)
    assert half_width(average_precision(y, risk)) == pytest.approx(spread[0], rel=0.2)
    assert half_width(lift(y, risk, 0.1)) == pytest.approx(spread[1], rel=0.2)


@pytest.mark.parametrize("measure", [average_precision, lift, expected_calibration_error, integrated_calibration_index])
def test_a_person_counted_twice_is_no_second_person(measure: Any) -> None:
    rng = np.random.default_rng(5)
    p = rng.integers(1, 9, 600) / 10
    y = (rng.random(600) < p).astype(int)
    once = measure(y, p)
    twice = measure(np.tile(y, 2), np.tile(p, 2), subject=np.tile(np.arange(600), 2))
    naive = measure(np.tile(y, 2), np.tile(p, 2))
    assert twice.value == pytest.approx(once.value, abs=1e-7)
    assert half_width(twice) == pytest.approx(half_width(once), rel=0.4)
    assert half_width(naive) < 0.88 * half_width(once)


def test_a_draw_of_counts_spreads_as_a_draw_of_people_does() -> None:
    rng = np.random.default_rng(21)
    p = rng.choice([0.1, 0.2, 0.3, 0.5], 800)
    person = np.sort(rng.integers(0, 400, 800))
    y = (rng.random(800) < p).astype(int)
    of = [np.flatnonzero(person == one) for one in np.unique(person)]
    drawn = []
    for _ in range(100):
        rows = np.concatenate([of[i] for i in rng.integers(0, len(of), len(of))])
        drawn.append(brier_parts(y[rows], p[rows]).resolution.value)
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = brier_parts(y, p, subject=person).resolution
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.25, abs=0.002)


@given(tied_rows(), st.integers(2, 10))
def test_the_parts_of_a_brier_score_add_up_to_it(rows: dict[str, Any], groups: int) -> None:
    y, p, weight = rows["y"], rows["probability"], rows["weight"]
    parts = brier_parts(y, p, weight=weight, groups=groups)
    whole = parts.reliability.value - parts.resolution.value + parts.uncertainty.value + parts.within.value
    assert whole == pytest.approx(brier(y, p, weight=weight).value, abs=1e-12)


def naive_hosmer_lemeshow(y: np.ndarray, p: np.ndarray, groups: int) -> tuple[float, int]:
    """By sorting and slicing, as textbooks print it; p must have no ties."""
    statistic = 0.0
    for rows in np.array_split(np.argsort(p), groups):
        good = 1 - p[rows]
        statistic += (y[rows].sum() - p[rows].sum()) ** 2 / p[rows].sum()
        statistic += ((1 - y[rows]).sum() - good.sum()) ** 2 / good.sum() * 1.0
    return statistic, groups


def test_hosmer_lemeshow_is_the_textbooks_to_nine_digits() -> None:
    rng = np.random.default_rng(22)
    for _ in range(10):
        p = rng.beta(1, 6, 1_000)
        y = (rng.random(1_000) < p).astype(int)
        statistic, freedom = naive_hosmer_lemeshow(y, p, 10)
        found = hosmer_lemeshow(y, p)
        assert found.statistic == pytest.approx(statistic, abs=1e-9)
        assert found.freedom == freedom
        assert found.p_value == pytest.approx(gammaincc(freedom / 2, statistic / 2), abs=1e-9)
    assert hosmer_lemeshow(y, p, fitted=2).freedom == 8


def test_tests_of_a_right_card_reject_five_in_a_hundred_and_of_a_wrong_one_nearly_always() -> None:
    rng = np.random.default_rng(23)
    rejected = {"hosmer_lemeshow": 0, "spiegelhalter": 0}
    found_wrong = dict(rejected)
    for _ in range(300):
        p = rng.choice([0.05, 0.1, 0.2, 0.35, 0.5], 1_500)
        y = (rng.random(1_500) < p).astype(int)
        off = p * 0.8
        for name, test in (("hosmer_lemeshow", hosmer_lemeshow), ("spiegelhalter", spiegelhalter)):
            rejected[name] += test(y, p).p_value < 0.05
            found_wrong[name] += test(y, off).p_value < 0.05
    assert all(4 <= count <= 28 for count in rejected.values())
    assert all(count > 260 for count in found_wrong.values())


def test_spiegelhalters_statistic_is_a_sum_over_rows() -> None:
    rng = np.random.default_rng(24)
    p = rng.uniform(0.05, 0.95, 300)
    y = (rng.random(300) < p).astype(int)
    above = sum((float(a) - b) * (1 - 2 * b) for a, b in zip(y, p, strict=True))
    below = math.sqrt(sum((1 - 2 * b) ** 2 * b * (1 - b) for b in p))
    assert spiegelhalter(y, p).statistic == pytest.approx(above / below, abs=1e-9)


def test_the_smooth_curve_finds_how_far_probabilities_are_off() -> None:
    rng = np.random.default_rng(25)
    told = rng.choice(np.round(np.linspace(0.01, 0.6, 60), 3), 60_000)
    happens = np.clip(told**1.5, 0, 1)
    y = (rng.random(60_000) < happens).astype(int)
    found = integrated_calibration_index(y, told)
    assert found.low < np.abs(happens - told).mean() < found.high
    assert found.value == pytest.approx(np.abs(happens - told).mean(), rel=0.05)
    right = integrated_calibration_index((rng.random(60_000) < told).astype(int), told)
    assert right.value < 0.005


def test_doubling_the_odds_takes_the_points_the_scale_was_made_with() -> None:
    rng = np.random.default_rng(26)
    score = rng.integers(600, 840, 60_000)
    log_odds = 2.0 + (score - 800) * math.log(2) / 40
    y = (rng.random(60_000) < 1 / (1 + np.exp(log_odds))).astype(int)
    line = odds_line(y, score, 800)
    assert line.points_to_double_odds.low < 40 < line.points_to_double_odds.high
    assert line.log_odds_at_reference.low < 2.0 < line.log_odds_at_reference.high
    assert odds_line([0, 1] * 50, rng.permutation(100), 0).points_to_double_odds == UNDEFINED


def test_what_cannot_be_measured_is_undefined() -> None:
    assert average_precision([0, 0], [1, 2]) == lift([0, 0], [1, 2]) == UNDEFINED
    assert integrated_calibration_index([0, 1], [0.2, 0.2]) == UNDEFINED
    assert integrated_calibration_index([0, 0], [0.2, 0.3]) == UNDEFINED
    assert hosmer_lemeshow([0, 1], [0.2, 0.2]) is None
    assert hosmer_lemeshow([0, 1], [0.0, 1.0]) is None
    assert spiegelhalter([0, 1], [0.5, 0.5]) is None
    assert odds_line([0, 0], [1, 2], 0).points_to_double_odds == UNDEFINED


def test_logistic_regression_on_the_clients_of_taiwan_has_the_published_auc() -> None:
    clients = pd.read_parquet(ROOT / "data/public/taiwan_default/clients.parquet")
    X, y = clients.drop(columns="target"), clients["target"]
    parts = train_test_split(X, y, test_size=0.25, random_state=42)
    scaler = StandardScaler().fit(parts[0])
    model = LogisticRegression(max_iter=1_000).fit(scaler.transform(parts[0]), parts[2])
    risk = model.predict_proba(scaler.transform(parts[1]))[:, 1]
    assert auc(parts[3], risk).value == pytest.approx(0.7232, abs=5e-5)


def test_every_measure_says_what_it_is_for_how_it_is_made_where_from_when_to_worry_and_where_it_ends() -> None:
    wanted = ("Purpose", *make_measures.ITEMS)
    lacking = {
        name: [item for item in wanted if not make_measures.items_of(inspect.getdoc(function) or "").get(item)]
        for name, function in make_measures.measure_functions().items()
    }
    assert {name: missing for name, missing in lacking.items() if missing} == {}


def test_the_page_of_measures_is_what_the_measures_say() -> None:
    page = make_measures.PAGE.read_text(encoding="utf-8")
    assert page == make_measures.render_page(), "run: python docs/make_measures.py"
