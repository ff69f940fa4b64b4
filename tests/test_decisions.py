"""What cut-offs decide: tables that add up, two cards on the same people, overrides by reason; incentives only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluation import CARD, FRAME, REPORT, made_frame

from credit_model import UserError
from credit_model.evaluation.decisions import Programme, cutoff_table, simulate_incentives, summarise_decisions
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.past_decisions import matching_cutoff, override_report, swap_set

CUTS = list(CARD.profile.grade_cuts)


def frame_of(score: list[int], y: list[int], times: int = 10) -> pd.DataFrame:
    """Rows written by hand, each standing for as many people as a cell must hold to be shown."""
    people = len(score) * times
    return pd.DataFrame({
        "subject_id": [f"P{i:04}" for i in range(people)], "as_of": "2025-04-01", "y": np.repeat(y, times),
        "score": np.repeat(score, times), "probability_of_bad": 0.2, "grade": "A",
    })  # fmt: skip


# ---------------------------------------------------------------------------------------------------- the cut-off table


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(10, 3_000))
def test_the_table_is_that_of_plain_counting_and_tells_of_no_few_people(seed: int, people: int) -> None:
    frame, _ = made_frame(people, seed)
    last, last_bads = 0, 0
    for row in cutoff_table(frame, range(680, 810, 10)):
        below = frame["score"] < row.cutoff
        low, bads = int(below.sum()), int(frame["y"][below].sum())
        if row.share.value is not None:
            assert row.share.value == pytest.approx(1 - below.mean())
            assert (row.eligible.people, row.below.people) == (people - low, low)
            assert all(n == 0 or n >= 10 for n in (low - last, people - low))
            last = low
        if row.bads_below.value is not None or row.bad_rate.value is not None:
            assert row.bad_rate.value == pytest.approx(frame["y"][~below].mean())
            assert row.bads_below.value == (pytest.approx(bads / frame["y"].sum()) if frame["y"].any() else None)
            assert all(n == 0 or n >= 3 for n in (bads - last_bads, int(frame["y"].sum()) - bads))
            last_bads = bads


def test_expected_stands_beside_actual() -> None:
    for row in cutoff_table(FRAME, CUTS):
        below = FRAME["score"] < row.cutoff
        if row.below.mean_probability is not None:
            assert row.below.mean_probability == pytest.approx(FRAME["probability_of_bad"][below].mean())
            assert row.eligible.mean_probability == pytest.approx(FRAME["probability_of_bad"][~below].mean())


# --------------------------------------------------------------------------------------------------------- the swap set

NEW = [800, 800, 800, 800, 800, 700, 700, 700, 700, 800, 700, 700]
OLD = [9, 9, 9, 2, 2, 9, 9, 1, 1, 9, 1, 1]
BAD = [0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0]


def test_the_four_cells_hold_everybody_and_have_the_bad_rates_of_the_fixture() -> None:
    found = swap_set(frame_of(NEW, BAD), np.repeat(OLD, 10), 750, 5)
    cells = {cell.name: cell for cell in found.cells}
    people = {name: cell.counts.people for name, cell in cells.items()}
    assert people == {"both": 40, "swap_in": 20, "swap_out": 20, "neither": 40}
    assert sum(people.values()) == 120
    assert {n: c.bad_rate.value for n, c in cells.items()} == {
        "both": 0.25,
        "swap_in": 0,
        "swap_out": 1,
        "neither": 0.5,
    }
    assert (found.share.value, found.old_share.value) == (0.5, 0.5)
    assert found.bad_rate_change.value == pytest.approx(10 / 60 - 30 / 60)
    assert found.bad_rate_change.high < 0


def test_two_cards_are_compared_at_equal_generosity_unless_told_otherwise() -> None:
    found = swap_set(FRAME, -FRAME["single"], 795)
    assert found.old_share.value == pytest.approx(found.share.value, abs=0.2)
    shares = {cut: np.mean([s >= cut for s in OLD]) for cut in set(OLD)}
    for share in (0.0, 0.3, 0.5, 0.7, 1.0):
        best = min(shares.values(), key=lambda have: abs(have - share))
        assert shares[matching_cutoff(OLD, share)] == best


def test_the_interval_of_the_change_in_bad_rate_is_that_of_redrawn_people() -> None:
    frame = FRAME.head(2_000)
    new, old, y = frame["score"].to_numpy() >= 795, frame["single"].to_numpy() <= 0.02, frame["y"].to_numpy()
    found = swap_set(frame, -frame["single"], 795, -0.02).bad_rate_change
    rng = np.random.default_rng(1)
    redrawn = []
    for _ in range(800):
        rows = rng.integers(0, len(frame), len(frame))
        redrawn.append(y[rows][new[rows]].mean() - y[rows][old[rows]].mean())
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(redrawn), rel=0.12)


def test_a_small_cell_is_never_the_only_blank_of_what_one_card_decides() -> None:
    score, old = NEW * 10, OLD * 10
    frame = frame_of(score, BAD * 10, times=1)
    few = np.array(old)
    few[np.array(score) == 800] = 9
    few[:3] = 1  # three people swapped in
    cells = {cell.name: cell.counts for cell in swap_set(frame, few, 750, 5).cells}
    assert cells["swap_in"].people is None
    assert cells["both"].people is None
    assert cells["neither"].people == 40


def test_another_score_must_be_of_the_same_rows() -> None:
    with pytest.raises(UserError, match="Score the same rows"):
        swap_set(FRAME, [1.0, 2.0], 795)


# ---------------------------------------------------------------------------------------------------------- overrides


def decided() -> pd.DataFrame:
    frame = frame_of([800] * 6 + [700] * 6, [0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0])
    given_ = ["incentive"] * 4 + ["standard"] * 2 + ["incentive"] * 3 + ["standard"] * 3
    reason = ["", "", "", "", "fraud alert", "", "volunteer", "volunteer", "appeal", "", "", ""]
    return frame.assign(decided=np.repeat(given_, 10), reason=np.repeat(reason, 10))


def test_overrides_by_reason_reconcile_with_the_decisions() -> None:
    found = override_report(decided(), 750)
    rows = {(row.side, row.reason): row.counts.people for row in found.rows}
    assert rows == {
        ("followed", ""): 70, ("high_side", ""): 10, ("high_side", "fraud alert"): 10, ("low_side", "appeal"): 10,
        ("low_side", "volunteer"): 20,
    }  # fmt: skip
    assert sum(rows.values()) == found.decisions == 120
    assert found.rate.value == pytest.approx(50 / 120)
    assert found.without_reason == 10
    low_side = {row.reason: row.bad_rate.value for row in found.rows if row.side == "low_side"}
    assert low_side == {"volunteer": 0.5, "appeal": 1}


def test_nothing_but_an_incentive_or_the_standard_service_can_be_decided() -> None:
    with pytest.raises(UserError, match="nothing worse than the standard service"):
        override_report(decided().replace("standard", "refused"), 750)
    with pytest.raises(UserError, match="'reason' is missing"):
        override_report(decided().drop(columns="reason"), 750)


# ------------------------------------------------------------------------------------------------------- programmes


def test_programmes_count_who_meets_the_score_the_rule_or_both() -> None:
    frame = FRAME.assign(clean=~FRAME["with_record"])
    either, both, rule = simulate_incentives(
        frame,
        [
            Programme("either", "e", "e", cutoff=795, rule="clean"),
            Programme("both", "b", "b", cutoff=795, rule="clean", both=True),
            Programme("rule", "r", "r", rule="clean"),
        ],
    )
    score, clean = (FRAME["score"] >= 795).to_numpy(), ~FRAME["with_record"].to_numpy()
    assert either.share.value == pytest.approx((score | clean).mean())
    assert both.share.value == pytest.approx((score & clean).mean())
    assert rule.share.value == pytest.approx(clean.mean())
    assert either.by_score_only.value == pytest.approx((score & ~clean).mean())
    assert rule.by_score_only.value is None
    assert either.eligible.people + either.standard.people == len(FRAME)
    assert both.bad_rate.value == pytest.approx(FRAME["y"][score & clean].mean())


def test_a_programme_must_ask_for_something_that_is_there() -> None:
    with pytest.raises(UserError) as told:
        simulate_incentives(
            FRAME,
            [Programme("a", "", ""), Programme("b", "", "", rule="nowhere"), Programme("c", "", "", rule="score")],
        )
    assert len(told.value.faults) == 3


# ------------------------------------------------------------------------------------------------------ all of it


def test_a_card_makes_whoever_has_nothing_on_record_eligible() -> None:
    found = summarise_decisions(FRAME, card=CARD, others={"single": ("Best single", "最佳单一")})
    assert found.eligible_from == max(cut for cut in CUTS if cut <= CARD.profile.reference_points)
    assert [row.cutoff for row in found.cutoffs] == [
        c for c in CUTS if FRAME["score"].min() < c <= FRAME["score"].max()
    ]
    assert found.swaps[0].label_zh == "最佳单一"
    assert found.overrides is None
    with pytest.raises(UserError, match="give cutoffs"):
        summarise_decisions(FRAME)


def test_decisions_are_kept_in_the_evaluation_and_do_not_depend_on_order() -> None:
    def told(frame: pd.DataFrame) -> EvaluationReport:
        frame = frame.assign(decided="standard", reason="")
        programmes = [Programme("R2", "waived papers", "容缺受理", cutoff=795)]
        given_ = summarise_decisions(frame, card=CARD, others={"single": ("a", "b")}, programmes=programmes)
        return REPORT.with_sections(decisions=given_)

    report = told(FRAME)
    assert EvaluationReport.from_json(report.to_json()) == report
    assert told(FRAME.sample(frac=1, random_state=3)).digest == report.digest
    assert report.decisions.overrides.rows[0].side == "followed"
    assert "person-" not in report.to_json()
