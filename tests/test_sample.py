"""Who a card is learned from: dates walked back, rows left out by reason, what describes a row and what may not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_card import penalty, small_ledger

from credit_model import UserError
from credit_model.features.build import build_features
from credit_model.features.dictionary import library
from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.sample.development import DevelopmentSample, build_sample
from credit_model.sample.outcome import REASONS, Y12, Outcome
from credit_model.sample.split import OverlapError, check_gap, development_dates, tuning_folds

USE = "2026-11-24"
DATE = "2024-01-01"  # observed; what follows is known from then on, and the label is read on 2025-08-01
CITY_DATES = ("2023-09-01", "2024-09-01")
VISITS = Outcome("visits", "12m", 0, where={"kinds": ["adm_penalty"]})
PENALISED = [feature for feature in library() if feature.name in ("adverse_12m", "adverse_24m", "honours_60m")]


def sampled(ledger: Ledger, outcome: Outcome = Y12, dates: Any = (DATE,), **more: Any) -> DevelopmentSample:
    return build_sample(ledger, outcome, dates, **{"day_of_use": USE, "known_through": USE} | more)


def counted(sample: DevelopmentSample) -> dict[tuple[str, str], int]:
    return sample.counts.groupby(["outcome", "reason"])["rows"].sum().to_dict()


def listing(record_id: str, decided_on: str, **facts: Any) -> dict[str, Any]:
    return {"record_id": record_id, "kind": "severe_list", "decided_on": decided_on} | facts


@pytest.fixture(scope="module")
def full(city_ledger: Ledger) -> DevelopmentSample:
    return sampled(city_ledger, dates=CITY_DATES)


# ---------------------------------------------------------------------------------------------- the gap


@pytest.mark.parametrize(
    ("outcome", "out_of_time", "every_months", "expected"),
    [
        (Y12, "2025-04-01", 12, ["2022-09-01", "2023-09-01"]),
        (VISITS, "2016-10-20", 6, ["2015-04-20", "2015-10-20"]),
        (Outcome("days", "1097d", 2, where={"kinds": ["adm_penalty"]}), "2015-03-02", 1, ["2011-12-01", "2012-01-01"]),
    ],
    ids=["window of 12 months, 7 to mature", "window of 12 months, mature at once", "window in days"],
)
def test_development_dates_precede_by_window_and_maturity(
    outcome: Outcome, out_of_time: str, every_months: int, expected: list[str]
) -> None:
    dates = development_dates(to_day(out_of_time), outcome, n=2, every_months=every_months)
    assert [str(from_days(day)) for day in dates] == expected
    check_gap(dates, to_day(out_of_time), outcome)


def test_a_development_date_a_day_later_overlaps_and_the_latest_allowed_is_named() -> None:
    with pytest.raises(OverlapError) as told:
        check_gap([to_day("2022-09-01"), to_day("2023-09-02")], to_day("2025-04-01"), Y12)
    assert str(told.value) == (
        "development date 2023-09-02: its labels are mature on 2025-04-02, after the out-of-time date 2025-04-01; the "
        "latest date allowed is 2023-09-01"
    )


@pytest.mark.parametrize(("n", "every_months"), [(0, 12), (1, 0)])
def test_no_dates_and_no_months_between_them_are_refused(n: int, every_months: int) -> None:
    with pytest.raises(UserError, match="Ask for at least one date and one month"):
        development_dates(to_day("2025-04-01"), Y12, n, every_months)


# ---------------------------------------------------------------------------------------------- who is a row

TOWN = [
    {"subject_id": "good"}, {"subject_id": "bad"}, {"subject_id": "listed"}, {"subject_id": "open"},
    {"subject_id": "gone", "resident_to": "2023-06-01"}, {"subject_id": "going", "resident_to": "2024-06-01"},
    {"subject_id": "minor", "born_on": "2006-01-02"}, {"subject_id": "adult", "born_on": "2006-01-01"},
    {"subject_id": "new", "resident_from": "2023-01-02"}, {"subject_id": "settled", "resident_from": "2023-01-01"},
    {"subject_id": "dead", "standing": "deceased"}, {"subject_id": "ageless", "born_on": None},
    {"subject_id": "later", "known_on": "2024-01-01"},
]  # fmt: skip
FILES = [
    listing("r1", "2024-06-01", subject_id="bad"),
    listing("r2", "2023-06-01", subject_id="listed"),
    penalty("r3", "2024-06-01", subject_id="open"),
    listing("r4", "2024-06-01", subject_id="minor"),
    listing("r5", "2024-06-01", subject_id="new"),
]
DISPUTE = [{"record_id": "r3", "action": "disputed", "effective_on": "2024-07-01"}]


def test_everybody_on_file_is_a_row_or_is_counted_out_by_reason(tmp_path: Path) -> None:
    sample = sampled(small_ledger(tmp_path / "ledger", FILES, DISPUTE, TOWN))
    assert dict(zip(sample.subject_id, sample.y.tolist(), strict=True)) == {
        "adult": 0,
        "bad": 1,
        "good": 0,
        "settled": 0,
    }
    assert counted(sample) == {
        ("good", "no_event"): 3,
        ("bad", "event"): 1,
        ("excluded", "listed"): 1,
        ("indeterminate", "disputed"): 1,
        ("censored", "moved_away"): 1,
        ("not_observed", "moved_away"): 1,
        ("not_observed", "minor"): 1,
        ("not_observed", "covered_too_short"): 1,
        ("not_observed", "deceased"): 1,
        ("not_observed", "birth_date_unknown"): 1,
        ("not_observed", "unmatched"): 1,
    }
    assert (sample.bads, sample.people, sample.bad_rate, len(sample)) == (1, 4, 0.25, 4)


def test_every_date_counts_everybody_and_every_reason_has_a_text(full: DevelopmentSample, city: Any) -> None:
    on_file = city.subjects["subject_id"].nunique()
    assert full.counts.groupby("as_of")["rows"].sum().tolist() == [on_file, on_file]
    kept = full.counts["outcome"].isin(["good", "bad"])
    assert full.counts.loc[kept, "rows"].sum() == len(full)
    assert set(full.counts.loc[~kept, "reason"]) <= set(REASONS)


def test_rows_are_sorted_by_date_then_subject_and_a_repeated_date_counts_once(
    city_ledger: Ledger, full: DevelopmentSample
) -> None:
    rows = list(zip(full.as_of.tolist(), full.subject_id.tolist(), strict=True))
    assert rows == sorted(set(rows))
    again = sampled(city_ledger, dates=[*reversed(CITY_DATES), CITY_DATES[0]])
    assert again.digest == full.digest


def test_a_cohort_holds_those_with_such_a_record_before_the_date(tmp_path: Path) -> None:
    records = [
        penalty("r1", "2023-12-31", subject_id="penalised", known_on="2023-12-31"),
        penalty("r2", "2023-12-31", subject_id="unheard", known_on="2024-01-01"),
        {"record_id": "r3", "kind": "honour", "decided_on": "2023-06-01", "subject_id": "honoured"},
    ]
    people = [{"subject_id": name} for name in ("penalised", "unheard", "honoured", "clean")]
    ledger = small_ledger(tmp_path / "ledger", records, subjects=people)
    sample = sampled(ledger, cohort={"polarity": "adverse"})
    assert sample.subject_id.tolist() == ["penalised"]
    assert counted(sample) == {("good", "no_event"): 1, ("not_observed", "outside_cohort"): 3}
    everybody = sampled(ledger)
    assert everybody.subject_id[everybody.with_record].tolist() == ["honoured", "penalised"]


def test_an_escalation_is_flagged_on_a_row_that_stays_good(tmp_path: Path) -> None:
    records = [penalty("r1", "2023-05-01", case_id="C"), listing("r2", "2024-05-01", case_id="C")]
    sample = sampled(small_ledger(tmp_path / "ledger", records))
    assert (sample.y.tolist(), sample.escalation.tolist(), sample.event.tolist()) == ([0], [True], [""])


def test_a_date_whose_labels_are_not_mature_is_refused(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger")
    assert len(sampled(ledger, known_through="2025-07-31")) == 1
    with pytest.raises(UserError, match="sample as of 2024-01-01: its labels are mature on 2025-08-01"):
        sampled(ledger, known_through="2025-07-30")


def test_a_sample_without_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no row with a known outcome is left"):
        sampled(small_ledger(tmp_path / "ledger", subjects=[{"subject_id": "a", "born_on": "2010-01-01"}]))


@pytest.mark.parametrize(
    "wrong", [{"goods_share": 0}, {"goods_share": 1.1}, {"train_repaired": "forget"}, {"cohort": {"kinds": ["honor"]}}]
)
def test_an_argument_out_of_bounds_is_refused_by_name(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        sampled(small_ledger(tmp_path / "ledger"), **wrong)


# ---------------------------------------------------------------------------------------------- what describes a row


def test_a_row_is_described_as_a_service_would_have_on_its_day(city_ledger: Ledger, full: DevelopmentSample) -> None:
    observed = pd.DataFrame({"subject_id": full.subject_id, "as_of": from_days(full.as_of).astype("datetime64[s]")})
    pd.testing.assert_frame_equal(full.X, build_features(city_ledger, observed, day_of_use=USE))
    assert full.X.to_numpy().any()


@pytest.mark.parametrize(("day_of_use", "expected"), [("2026-03-31", 1), ("2026-04-01", 0)])
def test_use_windows_are_those_of_the_day_of_use_whatever_the_date(
    tmp_path: Path, day_of_use: str, expected: int
) -> None:
    ledger = small_ledger(tmp_path / "ledger", [penalty("r1", "2022-06-01")])
    sample = sampled(ledger, day_of_use=day_of_use)
    assert sample.X["adverse_24m"].tolist() == [expected]
    assert sample.with_record.tolist() == [bool(expected)]


def test_audit_attributes_are_apart_from_the_features_and_change_nothing_else(tmp_path: Path) -> None:
    samples = []
    for sexes in ("fmfm", "mfmf"):
        people = [{"subject_id": name, "district": "330602"} for name in "abcd"]
        ledger = small_ledger(tmp_path / sexes, [listing("r1", "2024-06-01")], subjects=people)
        assert not ledger.ingest(audit=pd.DataFrame({"subject_id": list("abcd"), "sex": list(sexes)})).rejected
        samples.append(sampled(ledger))
    one, other = samples
    assert one.X.columns.tolist() == [definition.name for definition in library()]
    assert not set(one.X) & {"sex", "age_band", "district"}
    assert (one.audit["sex"].tolist(), other.audit["sex"].tolist()) == (list("fmfm"), list("mfmf"))
    assert one.audit["age_band"].tolist() == ["from 30"] * 4  # born in 1990: 34 years old
    assert one.audit["district"].tolist() == ["330602"] * 4
    pd.testing.assert_frame_equal(one.X, other.X)
    assert one.y.tolist() == other.y.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("repaired_on", "asof", "drop"), [("2024-03-01", 1, 0), ("2025-07-31", 1, 0), ("2025-08-01", 1, 1)]
)
def test_dropping_what_was_repaired_by_the_reading_leaves_it_out_of_the_features_only(
    tmp_path: Path, repaired_on: str, asof: int, drop: int
) -> None:
    amendments = [{"record_id": "r1", "action": "repaired", "effective_on": repaired_on}]
    records = [penalty("r1", "2023-06-01"), listing("r2", "2024-06-01")]
    ledger = small_ledger(tmp_path / "ledger", records, amendments)
    one, other = sampled(ledger), sampled(ledger, train_repaired="drop")
    assert (one.X["adverse_12m"].tolist(), other.X["adverse_12m"].tolist()) == ([asof], [drop])
    assert one.y.tolist() == other.y.tolist() == [1]
    assert one.digest != other.digest


def test_a_case_that_described_the_person_is_no_new_case_once_its_date_is_corrected(tmp_path: Path) -> None:
    # On the day the penalty stood as decided the year before; its date, corrected later, lies in the window.
    records = [penalty("r1", "2023-12-20", known_on="2023-12-20")]
    amendments = [
        {"record_id": "r1", "action": "corrected", "value": "decided_on=2024-01-05", "effective_on": "2024-02-01"}
    ]
    ledger = small_ledger(tmp_path / "ledger", records, amendments)
    sample = sampled(ledger)
    assert sample.bads == 0
    assert sample.escalation.sum() == 1


DAYS = [dt.date.fromisoformat(day) for day in ("2023-06-01", "2023-12-31", DATE, "2024-06-01", "2025-07-31")]
later_rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(DAYS), st.sampled_from(DAYS[2:]), st.booleans()), max_size=6
)
later_changes = st.lists(
    st.tuples(
        st.sampled_from(["p-a", "p-b", "p-c"]),
        st.sampled_from(["revoked", "repaired", "disputed", "challenged"]),
        st.sampled_from(DAYS),
        st.sampled_from(DAYS[2:]),
    ),
    max_size=4,
)


@settings(max_examples=25)
@given(rows=later_rows, changes=later_changes)
def test_what_is_known_on_the_day_or_later_changes_outcomes_only(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], changes: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("future")
    people = [{"subject_id": name} for name in "abc"]
    past = [penalty(f"p-{name}", "2023-06-01", subject_id=name) for name in "abc"]
    future = [
        {
            **(penalty if fined else listing)(f"f{i}", str(decided), subject_id=subject),
            "known_on": str(max(known, decided)),
        }
        for i, (subject, decided, known, fined) in enumerate(rows)
    ]
    amendments = [
        {"record_id": record, "action": action, "effective_on": str(on), "known_on": str(known)}
        for record, action, on, known in changes
    ]
    before = sampled(small_ledger(folder / "before", past, subjects=people), features=PENALISED)
    after = sampled(small_ledger(folder / "after", past + future, amendments, people), features=PENALISED)
    assert before.y.tolist() == [0, 0, 0]
    assert before.subject_id.tolist() == after.subject_id.tolist()
    assert before.with_record.tolist() == after.with_record.tolist()
    assert before.weight.tolist() == after.weight.tolist()
    pd.testing.assert_frame_equal(before.X, after.X)
    new = {r[0] for r in rows if DAYS[2] <= r[1] < dt.date(2025, 1, 1)}
    assert set(after.subject_id[after.y == 1]) == new


# ---------------------------------------------------------------------------------------------- digest and weights


def test_a_digest_is_the_same_twice_and_changes_with_a_row_and_with_the_day_labels_are_read(tmp_path: Path) -> None:
    def outcome(maturity: int) -> Outcome:
        return Outcome("o", "12m", maturity, where={"kinds": ["severe_list"]})

    ledger = small_ledger(
        tmp_path / "ledger", [listing("r1", "2024-06-01")], subjects=[{"subject_id": s} for s in "ab"]
    )
    one = sampled(ledger, outcome(7))
    assert sampled(Ledger.open(tmp_path / "ledger"), outcome(7)).digest == one.digest
    read_later = sampled(ledger, outcome(8))
    assert read_later.y.tolist() == one.y.tolist()
    used_later = sampled(ledger, outcome(7), day_of_use="2026-11-25")
    observed_later = sampled(ledger, outcome(7), dates=["2024-01-02"])
    described_otherwise = sampled(ledger, outcome(7), features=PENALISED)
    ledger.ingest(records=pd.DataFrame([{**listing("r2", "2024-06-01"), "subject_id": "b", "known_on": "2024-06-02"}]))
    another_row = sampled(ledger, outcome(7))
    found = [one, read_later, used_later, observed_later, described_otherwise, another_row]
    assert len({sample.digest for sample in found}) == len(found)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.001])
def test_sampled_goods_represent_all_within_date_and_stratum(
    city_ledger: Ledger, full: DevelopmentSample, share: float
) -> None:
    thin = sampled(city_ledger, dates=CITY_DATES, goods_share=share)

    def totals(sample: DevelopmentSample) -> pd.Series:
        frame = pd.DataFrame({"d": sample.as_of, "r": sample.with_record, "y": sample.y, "w": sample.weight})
        return frame.groupby(["d", "r", "y"])["w"].sum()

    pd.testing.assert_series_equal(totals(thin), totals(full))
    assert thin.bads == full.bads > 0
    assert set(thin.weight[thin.y == 1]) == {1.0}
    assert len(thin) - thin.bads == pytest.approx(share * (len(full) - full.bads), abs=4)
    assert thin.bad_rate == pytest.approx(full.bad_rate)
    place = {key: i for i, key in enumerate(zip(full.as_of.tolist(), full.subject_id, strict=True))}
    rows = [place[key] for key in zip(thin.as_of.tolist(), thin.subject_id, strict=True)]
    assert rows == sorted(rows)
    np.testing.assert_array_equal(thin.X.to_numpy(), full.X.to_numpy()[rows])


def test_the_seed_chooses_which_goods_are_sampled(city_ledger: Ledger) -> None:
    one, again, other = (sampled(city_ledger, dates=CITY_DATES, goods_share=0.2, seed=seed) for seed in (1, 1, 2))
    assert one.digest == again.digest
    assert set(one.subject_id) != set(other.subject_id)


# ---------------------------------------------------------------------------------------------- folds

observations = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 4), st.booleans()), min_size=1, max_size=40
)


@given(rows=observations, n_folds=st.integers(2, 4), seed=st.integers(0, 3), rng=st.randoms(use_true_random=False))
def test_folds_keep_a_person_on_one_side_and_judge_on_later_dates(
    rows: list[Any], n_folds: int, seed: int, rng: Any
) -> None:
    def told(rows: list[Any]) -> tuple[list[Any], list[Any]]:
        subject, day = np.array([r[0] for r in rows], object), np.array([r[1] for r in rows])
        folds = tuning_folds(subject, day, np.array([int(r[2]) for r in rows]), n_folds, seed)
        return folds, [[sorted(rows[i] for i in side) for side in fold] for fold in folds]

    folds, said = told(rows)
    dates = sorted({r[1] for r in rows})
    later = set(dates[(len(dates) + 1) // 2 :]) if len(dates) > 1 else set(dates)
    assert len(folds) == n_folds
    for train, validate in folds:
        assert not {rows[i][0] for i in train} & {rows[i][0] for i in validate}
        if len(dates) > 1:
            assert all(rows[i][1] < min(later) for i in train)
    judged = sorted(i for _, validate in folds for i in validate.tolist())
    assert judged == [i for i, row in enumerate(rows) if row[1] in later]
    rng.shuffle(rows)
    assert told(rows)[1] == said


def test_every_fold_has_its_share_of_the_people_with_an_event() -> None:
    subject = np.array([f"P{i:02}" for i in range(30)], object)
    y = (np.arange(30) < 6).astype(int)
    folds = tuning_folds(subject, np.zeros(30), y, n_folds=3)
    assert [int(y[validate].sum()) for _, validate in folds] == [2, 2, 2]
    assert [int(y[train].sum()) for train, _ in folds] == [4, 4, 4]
