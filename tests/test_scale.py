"""The scale and the map to probability: PDO, grades, signs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.scorecard.scale import ProbabilityMap, Profile, load_profile


def test_points_to_double_the_odds_double_the_odds() -> None:
    profile = load_profile("zhejiang_1000")
    assert profile.points(math.log(2)) == profile.points_to_double_odds == 40
    assert profile.factor == pytest.approx(40 / math.log(2))


def test_more_points_mean_less_risk() -> None:
    profile = load_profile("zhejiang_1000")
    assert profile.points(1.0) > 0 > profile.points(-1.0)


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (300, "E"),
        (619, "E"),
        (620, "D"),
        (680, "C"),
        (740, "B"),
        (794, "B"),
        (795, "A"),
        (800, "A"),
        (805, "A"),
        (806, "AA"),
    ],
)
def test_a_score_at_a_cut_has_the_grade_above_it(score: int, grade: str) -> None:
    assert load_profile("zhejiang_1000").grade(score) == grade


def test_positives_may_add_the_cap_and_no_more_than_the_range() -> None:
    profile = load_profile("zhejiang_1000")
    assert (profile.addable_points, profile.removable_points) == (35, 500)
    open_scale = load_profile("open_600")
    assert (open_scale.addable_points, open_scale.removable_points) == (math.inf, math.inf)


def test_a_profile_survives_its_document() -> None:
    profile = load_profile("zhejiang_1000")
    assert Profile.from_dict(profile.to_dict()) == profile


def test_a_profile_of_ones_own_is_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[mine]\nreference_points = 100\npoints_to_double_odds = 10\ngrades = ["b", "a"]\ngrade_cuts = [90]\n'
    )
    assert load_profile(path).grade(90) == "a"
    path.write_text(path.read_text() + "[other]\n")
    with pytest.raises(UserError, match="exactly one profile table, it holds 2"):
        load_profile(path)
    with pytest.raises(UserError, match=r"profile .*: cannot be read \(FileNotFoundError\)"):
        load_profile(tmp_path / "absent.toml")


def test_every_fault_of_a_profile_is_named_at_once() -> None:
    with pytest.raises(UserError, match="unknown profile 'x'; known: zhejiang_1000, open_600"):
        load_profile("x")
    with pytest.raises(UserError) as caught:
        Profile(
            "bad", 800, 0, ("A", "A"), (700, 600), reference_row="mode",  # type: ignore[arg-type]
            least=900, greatest=700, positive_cap=-1,
        )  # fmt: skip
    assert len(caught.value.faults) == 7
    with pytest.raises(UserError, match="reference_points must be a whole number"):
        Profile("bad", 800.5, 40, ("A",), ())  # type: ignore[arg-type]
    with pytest.raises(
        UserError, match="unknown key 'pdo'; key 'points_to_double_odds' is missing; grades must be a list"
    ):
        Profile.from_dict({"reference_points": 1, "pdo": 20, "grades": "A", "grade_cuts": []}, "bad")


def test_probability_falls_as_the_score_rises_and_is_one_half_at_even_odds() -> None:
    line = ProbabilityMap((760, 800), (0.0, math.log(2)))
    assert line.probability(760) == 0.5
    assert line.probability(800) == pytest.approx(1 / 3)
    assert line.log_odds(880) == pytest.approx(3 * math.log(2))  # goes on beyond the last knot


knots = st.lists(
    st.tuples(st.integers(1, 60), st.floats(0.001, 3.0)), min_size=1, max_size=8
)  # fmt: skip


@given(knots, st.integers(-50, 500))
def test_the_map_rises_strictly(steps: list[tuple[int, float]], score: int) -> None:
    scores, log_odds = [300], [-2.0]
    for width, rise in steps:
        scores.append(scores[-1] + width)
        log_odds.append(log_odds[-1] + rise)
    found = ProbabilityMap(tuple(scores), tuple(log_odds))
    assert found.log_odds(score) < found.log_odds(score + 1)
    assert 0 < found.probability(score + 1) <= found.probability(score) < 1 or abs(found.log_odds(score)) > 30
    assert ProbabilityMap.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("scores", "log_odds"),
    [((1,), (0.0,)), ((1, 1), (0.0, 1.0)), ((1, 2), (1.0, 1.0)), ((1, 2), (0.0, math.inf)), ((1.5, 2), (0.0, 1.0))],
)
def test_a_map_that_does_not_rise_is_refused(scores: tuple[int, ...], log_odds: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="probability map"):
        ProbabilityMap(scores, log_odds)
