"""Shifts of frozen distributions: the index as printed, limits that chance keeps, movements that are found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.metrics.performance import UNDEFINED, auc
from credit_model.monitoring.drift import ALARM_LEVEL, expected_auc, order_reversals, points_shift, psi, psi_limit

counts = st.lists(st.integers(1, 5_000), min_size=2, max_size=12)


def naive_psi(then: list[int], now: list[int]) -> float:
    """Bin by bin, as a textbook prints it."""
    found = 0.0
    for e, a in zip(then, now, strict=True):
        expected, actual = e / sum(then), a / sum(now)
        found += (actual - expected) * math.log(actual / expected)
    return found


@settings(max_examples=30)
@given(counts, st.randoms(use_true_random=False))
def test_the_index_is_the_textbooks_to_nine_digits(then: list[int], random: object) -> None:
    now = [max(1, round(count * random.uniform(0.3, 3))) for count in then]  # type: ignore[attr-defined]
    assert psi(then, now).value == pytest.approx(naive_psi(then, now), abs=1e-9)


@settings(max_examples=20)
@given(counts, st.integers(2, 20))
def test_twice_the_people_in_the_same_places_have_not_moved(then: list[int], times: int) -> None:
    found = psi(then, [count * times for count in then])
    assert found.value == pytest.approx(0, abs=1e-12)
    assert not found.has_moved


def test_an_empty_bin_counts_as_half_a_person_and_one_empty_on_both_sides_as_none() -> None:
    assert psi([90, 10, 0], [95, 5, 0]).value == pytest.approx(psi([90, 10], [95, 5]).value)
    assert psi([90, 10], [100, 0]).value == pytest.approx(
        (1.0 - 0.9) * math.log(1 / 0.9) + (0.005 - 0.1) * math.log(0.05)
    )
    assert psi([90, 10], [0, 0]) is None


def drawn(share: list[float], people: int, reference: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(people + reference)
    return rng.multinomial(reference, share, draws), rng.multinomial(people, share, draws)


def false_alarms(share: list[float], people: int, reference: int, level: float, draws: int = 2_000) -> float:
    """How often two draws from one world differ by more than the limit."""
    then, now = drawn(share, people, reference, draws)
    limit = psi_limit(tuple(reference * x for x in share), people, level)
    e, a = then / reference, np.maximum(now, 0.5) / people
    return float(np.mean(((a - e) * np.log(a / e)).sum(axis=1) > limit))


@pytest.mark.parametrize("people", [300, 30_000])
@pytest.mark.parametrize("reference", [10_000, 30_000])
def test_nothing_moves_and_five_in_a_hundred_alarms_are_false_at_that_level(people: int, reference: int) -> None:
    found = false_alarms([0.1] * 10, people, reference, 0.95)
    assert 0.035 <= found <= 0.068  # 2,000 draws; benchmarks/monitoring.py makes 20,000


@pytest.mark.parametrize("people", [300, 30_000])
def test_a_point_mass_raises_no_more_false_alarms(people: int) -> None:
    assert false_alarms([0.979, 0.021], people, 10_000, 0.95) <= 0.065


@pytest.mark.parametrize("people", [300, 30_000])
def test_the_monitors_own_level_is_silent_in_a_quiet_world(people: int) -> None:
    assert false_alarms([0.04, 0.06, 0.1, 0.6, 0.15, 0.05], people, 10_000, ALARM_LEVEL, draws=5_000) <= 0.002


def test_half_a_sigma_is_found_among_a_thousand_people() -> None:
    rng = np.random.default_rng(30)
    edges = np.quantile(rng.normal(size=200_000), np.linspace(0, 1, 11)[1:-1])
    found = 0
    then = np.bincount(np.searchsorted(edges, rng.normal(size=10_000)), minlength=10)
    for _ in range(300):
        now = np.bincount(np.searchsorted(edges, rng.normal(0.5, 1, 1_000)), minlength=10)
        found += psi(then, now).has_moved
    assert found >= 298


@pytest.mark.parametrize(("share", "power"), [(0.05, 0.99), (0.04, 0.9)])
def test_more_people_with_a_visible_adverse_record_are_found_among_a_thousand(share: float, power: float) -> None:
    now = np.random.default_rng(31).binomial(1_000, share, 2_000)
    found = [psi([9_790, 210], [1_000 - adverse, adverse], level=0.95, floor=0.0).has_moved for adverse in now]
    assert np.mean(found) > power


def test_one_outlier_is_one_person_in_the_last_bin() -> None:
    rng = np.random.default_rng(32)
    edges = np.linspace(-2, 2, 9)
    then, now = rng.normal(size=5_000), rng.normal(size=1_000)

    def binned(values: np.ndarray) -> np.ndarray:
        return np.bincount(np.searchsorted(edges, values), minlength=10)

    near, far = now.copy(), now.copy()
    near[0], far[0] = 2.5, 1e5
    assert psi(binned(then), binned(far)) == psi(binned(then), binned(near))


def test_people_counted_twice_are_no_more_people() -> None:
    once = psi([4_000, 1_000], [800, 250])
    twice = psi([8_000, 2_000], [800, 250], size=5_000)
    assert (twice.value, twice.limit) == (once.value, once.limit)
    assert psi([8_000, 2_000], [800, 250]).limit < once.limit


def test_a_limit_is_chi_squared_where_bins_are_full_and_drawn_where_they_are_not() -> None:
    from scipy.stats import chi2

    assert psi_limit((5_000.0,) * 4, 2_000, 0.999) == pytest.approx(chi2.ppf(0.999, 3) * (1 / 20_000 + 1 / 2_000))
    sparse = psi_limit((9_900.0, 100.0), 300, 0.999)
    rng = np.random.default_rng(33)
    values = [
        naive_psi([10_000 - a, a], [300 - b, max(b, 0.5)])
        for a, b in zip(rng.binomial(10_000, 0.01, 20_000), rng.binomial(300, 0.01, 20_000), strict=True)
    ]
    assert np.mean(np.array(values) > sparse) <= 0.002


def test_bins_that_do_not_match_are_refused() -> None:
    with pytest.raises(UserError, match="3 bins with 2"):
        psi([1, 2, 3], [1, 2])
    with pytest.raises(UserError, match="none below 0"):
        psi([1, 2], [1, -2])


def test_points_of_characteristics_add_up_to_the_movement_of_the_mean_score() -> None:
    rng = np.random.default_rng(34)
    points = [np.array([0, -20, -45]), np.array([0, 6])]
    then = [rng.integers(0, 3, 4_000), rng.integers(0, 2, 4_000)]
    now = [rng.choice([0, 0, 1, 2], 900), rng.choice([0, 1, 1], 900)]
    moved = sum(
        points_shift(np.bincount(a, minlength=len(p)), np.bincount(b, minlength=len(p)), p).value
        for p, a, b in zip(points, then, now, strict=True)
    )
    means = [sum(p[a].mean() for p, a in zip(points, side, strict=True)) for side in (then, now)]
    assert moved == pytest.approx(means[1] - means[0])
    assert points_shift([0, 0], [1, 2], [0, 5]) == UNDEFINED


def test_the_interval_of_a_shift_in_points_holds_none_when_nothing_moves() -> None:
    rng = np.random.default_rng(35)
    share, held = [0.7, 0.2, 0.1], 0
    for _ in range(400):
        found = points_shift(rng.multinomial(3_000, share), rng.multinomial(800, share), [0, -20, -60])
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_attributes_in_their_order_are_left_alone_and_turned_ones_named() -> None:
    woe, people = [-1.2, -0.4, 0.3], [2_000, 3_000, 9_000]
    assert order_reversals([200, 150, 90], people, woe) == ()
    (turned,) = order_reversals([80, 300, 90], people, woe)
    assert (turned.worse, turned.better) == (0, 1)
    assert order_reversals([1, 2, 0], [20, 20, 20], woe) == ()
    assert order_reversals([5, 90, 0], [100, 100, 0], [-1.0, -1.0, 2.0]) == ()


def test_outcomes_that_only_chance_reorders_seldom_alarm() -> None:
    rng = np.random.default_rng(36)
    false = sum(
        bool(order_reversals(rng.binomial(1_000, 0.03, 4), [1_000] * 4, [-0.3, -0.1, 0.1, 0.3])) for _ in range(400)
    )
    assert false <= 25


def test_ranking_is_foretold_without_an_outcome_where_probabilities_are_right() -> None:
    rng = np.random.default_rng(37)
    score = rng.choice([620, 700, 760, 800], 40_000, p=[0.02, 0.05, 0.13, 0.8])
    probability = 1 / (1 + np.exp(2.0 + (score - 700) / 45))
    foretold = expected_auc(probability, -score)
    came = auc((rng.random(40_000) < probability).astype(int), -score)
    assert came.low < foretold.value < came.high
    assert foretold.low <= foretold.value <= foretold.high
    assert expected_auc([0.0, 0.0], [1, 2]) == UNDEFINED
