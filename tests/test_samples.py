"""What samples tell before any card: event rates, labels that cannot be right, vintages; and one whole report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_evaluation import CARD, FRAME, FULL, beside

from credit_model import UserError
from credit_model.evaluation.assembly import EvaluationSettings, full_evaluation
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.samples import describe_samples
from credit_model.reports.page import render_html

MONTHS = pd.read_csv(Path(__file__).parent / "cases" / "compas_months.csv")


def compas() -> pd.DataFrame:
    """One row a person screened, by month and outcome, with a score of its own that says nothing."""
    rows = MONTHS.loc[MONTHS.index.repeat(MONTHS["people"])].reset_index(drop=True)
    return pd.DataFrame({
        "subject_id": [f"P{i:04}" for i in range(len(rows))], "as_of": rows["month"] + "-01", "y": rows["outcome"],
        "score": np.resize([700, 750, 800], len(rows)), "probability_of_bad": np.resize([0.5, 0.45, 0.4], len(rows)),
        "grade": np.resize(["C", "B", "A"], len(rows)),
    })  # fmt: skip


def test_a_report_on_compas_flags_its_mislabelled_late_rows_and_no_others() -> None:
    frame = compas()
    report = full_evaluation(frame, settings=EvaluationSettings(cutoffs=[750]))
    cells = report.data.samples["out_of_time"].rates
    flagged = {cell.period for cell in cells if cell.flag}
    assert {cell.flag for cell in cells} == {"", "all_bad"}
    assert flagged == {f"2014-{month:02}" for month in range(4, 13)}
    assert report.data.flagged_observations == (frame["as_of"] >= "2014-04-01").sum() == 1007
    assert all(cell.rate > 0.97 for cell in cells if cell.flag)
    page = render_html(report, lang="en")
    assert "Some labels cannot be right" in page
    assert page.count("hardly any good left") == 9


def rows(rates: dict[str, float], people: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = np.concatenate([rng.random(people) < rate for rate in rates.values()]).astype(int)
    return pd.DataFrame({"subject_id": range(len(y)), "as_of": np.repeat([f"{m}-01" for m in rates], people), "y": y})


@settings(max_examples=25)
@given(st.integers(0, 1_000_000), st.sampled_from([0.004, 0.05, 0.4]), st.sampled_from([60, 3_000]))
def test_months_that_differ_as_months_do_are_not_doubted(seed: int, rate: float, people: int) -> None:
    # Between half and twice the usual rate: drift that monitoring speaks of, and no reason to doubt a label.
    rng = np.random.default_rng(seed)
    frame = rows({f"20{20 + i // 12}-{i % 12 + 1:02}": rate * 2 ** rng.uniform(-1, 1) for i in range(24)}, people, seed)
    assert describe_samples({"out_of_time": frame}).flagged_observations == 0


def test_a_month_whose_bads_never_arrived_is_doubted_where_enough_were_due() -> None:
    for people, flag in ((20_000, "all_good"), (300, "")):
        frame = rows({"2024-01": 0.01, "2024-02": 0.01, "2024-03": 0.0}, people, 3)
        cells = {c.period: c.flag for c in describe_samples({"out_of_time": frame}).samples["out_of_time"].rates}
        assert cells == {"2024-01": "", "2024-02": "", "2024-03": flag}


def test_one_segment_of_a_month_is_doubted_too() -> None:
    frame = rows({"2024-01": 0.3, "2024-02": 0.3}, 2_000, 4).assign(segment=np.resize(["a", "b"], 4_000))
    late = (frame["as_of"] == "2024-02-01") & (frame["segment"] == "b")
    found = describe_samples({"out_of_time": frame.assign(y=frame["y"].mask(late, 1))})
    cells = {(c.period, c.segment): c.flag for c in found.samples["out_of_time"].rates}
    assert [cell for cell, flag in cells.items() if flag] == [("2024-02", "b")]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(20, 400))
def test_vintages_are_cumulative_shares_and_tell_of_no_one_or_two(seed: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random(people) < 0.2).astype(int)
    month = np.where(y == 1, rng.integers(0, 12, people), np.nan)
    frame = pd.DataFrame({"subject_id": range(people), "as_of": "2024-01-01", "y": y, "event_month": month})
    (vintage,) = describe_samples({"out_of_time": frame}).samples["out_of_time"].vintages
    last = 0
    for number, share in enumerate(vintage.cumulative):
        bads = int((month <= number).sum())
        if share is not None:
            assert share == pytest.approx(bads / people)
            assert bads == last or (bads - last >= 3 and not 0 < y.sum() - bads < 3)
            last = bads


def test_a_sample_that_cannot_be_described_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="'y' is missing"):
        describe_samples({"out_of_time": FRAME.drop(columns="y")})
    with pytest.raises(UserError, match="more than 0 and 1"):
        describe_samples({"out_of_time": FRAME.assign(y=2)})


def test_one_evaluation_holds_everything_and_depends_on_no_order() -> None:
    assert EvaluationReport.from_json(FULL.to_json()) == FULL
    assert FULL.data.samples.keys() == {"development", "out_of_time"}
    assert {finding.kind for finding in FULL.fairness.findings} >= {"proxy", "eligibility", "source"}
    assert FULL.decisions.overrides.decisions == len(FRAME)
    assert len(FULL.decisions.programmes) == 1
    first = full_evaluation(FRAME, card=CARD, attributes=beside())
    order = np.random.default_rng(1).permutation(len(FRAME))
    assert full_evaluation(FRAME.iloc[order], card=CARD, attributes=beside()).digest == first.digest
    assert "person-" not in FULL.to_json() + render_html(FULL)


def test_without_a_card_the_cut_offs_are_those_between_grades() -> None:
    report = full_evaluation(FRAME)
    least = FRAME.groupby("grade")["score"].min().sort_values().tolist()
    assert report.decisions.eligible_from in least[1:]
    assert {row.cutoff for row in report.decisions.cutoffs} <= set(least[1:])


def test_the_sections_of_an_evaluation_are_values_with_a_table_each() -> None:
    cutoffs, groups = FULL.decisions.to_frame(), FULL.fairness.to_frame()
    assert cutoffs["share_value"].tolist() == [row.share.value for row in FULL.decisions.cutoffs]
    assert len(groups) == sum(len(c.groups) for attribute in FULL.fairness.attributes for c in attribute.cutoffs)
    assert set(groups["attribute"]) == {"sex", "district"}
    rates = FULL.data.to_frame()
    assert rates.groupby("sample").size().to_dict() == {n: len(d.rates) for n, d in FULL.data.samples.items()}
    movements = FULL.stability.to_frame()
    assert movements["kind"].tolist() == [movement.kind for movement in FULL.stability.movements]
    assert {"points_value", "points_low"} <= set(movements)
    assert not {"points", "shares"} & set(movements)


def test_an_older_document_with_plain_shares_is_read_and_written_as_it_is() -> None:
    path = Path(__file__).parents[1] / "reports" / "cards" / "personal-credit-v1.json"
    plain = json.loads(path.read_text(encoding="utf-8"))["evaluation"]
    report = EvaluationReport.from_dict(plain)
    assert report.to_dict() == plain | {"verdicts": []}
    assert len(report.fairness.to_frame()) == 65
