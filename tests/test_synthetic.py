"""The made city: reproducible, lawful in form, and true to the risk it states."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import credit_model as cm
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.catalogue.identity import validate_id_number
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Y12

SEED = 20261124
SAMPLE = Path(__file__).parents[1] / "data" / "synthetic" / "sample"
ACTIONS = {
    "served", "challenged", "upheld", "finalised", "corrected", "disputed", "dispute_closed", "partly_performed",
    "performed", "repaired", "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject",
}  # fmt: skip
LABELS = (
    "dishonest_executee", "severe_list", "judgment_unperformed", "commitment_breach", "criminal_judgment_integrity",
)  # fmt: skip


@pytest.fixture(scope="module")
def large():
    return cm.synthesise("R", people=40_000, seed=SEED)


def test_the_same_seed_makes_the_same_bytes(city, tmp_path):
    again = cm.synthesise("R", people=2_000, seed=SEED)
    assert city.write(tmp_path / "one") == again.write(tmp_path / "other")


def test_another_seed_makes_other_people(city):
    other = cm.synthesise("R", people=2_000, seed=SEED + 1)
    assert not city.subjects["born_on"].equals(other.subjects["born_on"])


def test_the_committed_sample_follows_from_the_recipe(tmp_path):
    made = cm.synthesise("R", people=200, seed=SEED).write(tmp_path, csv=True)
    sealed = dict(line.split()[::-1] for line in (SAMPLE / "SHA256SUMS").read_text().splitlines())
    assert made == sealed
    assert {name: hashlib.sha256((SAMPLE / name).read_bytes()).hexdigest() for name in sealed} == sealed


@pytest.mark.parametrize("profile", ["R", "L"])
def test_a_ledger_accepts_every_row_of_a_city(profile, tmp_path):
    city = cm.synthesise(profile, people=1_000, seed=3)
    ledger = cm.Ledger.create(tmp_path / "ledger")
    report = ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
    rows = sum(len(frame) for frame in (city.records, city.amendments, city.subjects, city.audit))
    assert (report.accepted, report.rejected) == (rows, {})
    # convictions of the young come without an end of the sentence: nothing else is odd, no tier and no repair
    assert {warning.code for warning in report.warnings} <= {"sentence_end_missing"}


def test_amendments_of_all_kinds_happen(large):
    assert set(large.amendments["action"]) == ACTIONS
    assert set(large.amendments.loc[large.amendments["action"] == "dispute_closed", "value"].dropna()) == {
        "record_confirmed",
        "objection_sustained",
    }


def test_kinds_and_occupations_are_of_the_catalogue(large):
    catalogue = load_catalogue()
    assert set(large.records["kind"]) <= set(catalogue.kinds)
    held = set(large.subjects["occupations"].str.split(";").explode()) - {""}
    assert held == set(catalogue.occupations)


def test_people_come_of_age_arrive_leave_and_die_within_the_timeline(large):
    subjects = large.subjects
    born = pd.to_datetime(subjects["born_on"])
    assert born.between("2000-11-01", "2007-10-31").any()
    assert subjects["resident_from"].notna().any()
    assert subjects["resident_to"].notna().any()
    assert {"deceased", "incapable"} <= set(subjects["standing"].dropna())


def test_inspections_were_more_frequent_in_the_shock(large):
    fines = large.records[large.records["kind"] == "adm_penalty"]
    decided = pd.to_datetime(fines["decided_on"])
    within = decided.between("2021-06-01", "2021-11-30").sum()
    year_before = decided.between("2020-06-01", "2020-11-30").sum()
    assert within > 1.4 * year_before


def happened(city, day):
    """Who had a new serious event within 12 months of a day, read from the raw records alone."""
    records = city.records
    events = records[
        records["kind"].isin(LABELS)
        | ((records["kind"] == "adm_penalty") & records["tier"].isin(["general", "serious"]))
    ]
    after = events["decided_on"] >= day
    old = events.loc[~after, "case_id"].dropna()
    window = events[after & (events["decided_on"] < day + pd.DateOffset(months=12)) & events["case_id"].notna()]
    return window.loc[~window["case_id"].isin(old), "subject_id"].unique()


@pytest.mark.parametrize("who", ["everybody", "at some risk", "after an event"])
def test_the_true_risk_is_the_rate_of_events(large, who):
    expected = observed = variance = 0.0
    for day in pd.to_datetime(["2020-12-01", "2021-12-01", "2022-12-01", "2023-12-01", "2024-12-01"]):
        risk = large.true_risk(day)
        chosen = {
            "everybody": np.full(len(risk), True),
            "at some risk": risk > 0.02,
            "after an event": risk.index.isin(happened(large, day - pd.DateOffset(months=12))),
        }[who]
        risk = risk[chosen & ~risk.index.isin(gone_within_a_year(large, day))]
        expected, variance = expected + risk.sum(), variance + (risk * (1 - risk)).sum()
        observed += risk.index.isin(happened(large, day)).sum()
    assert expected > 50
    assert abs(observed - expected) < 3 * np.sqrt(variance)


def gone_within_a_year(city, day):
    left = city.subjects[city.subjects["resident_to"].notna() | city.subjects["standing"].ne("")]
    return left.loc[left["valid_from"] < day + pd.DateOffset(months=12), "subject_id"]


def test_nobody_who_is_gone_is_at_risk_and_nobody_is_certain_to_fail(large):
    day = pd.Timestamp("2024-12-01")
    risk = large.true_risk(day)
    left = large.subjects[large.subjects["resident_to"].notna() | large.subjects["standing"].ne("")]
    assert (risk[left.loc[left["valid_from"] < day, "subject_id"].unique()] == 0).all()
    assert 0.4 < risk.max() <= 0.5 + 1e-9


def test_truth_and_audit_attributes_are_apart_from_what_a_ledger_takes_in(city, tmp_path):
    city.write(tmp_path)
    tables = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")}
    assert tables == {
        "records.parquet",
        "amendments.parquet",
        "subjects.parquet",
        "audit.parquet",
        "truth/true_risk.parquet",
    }
    assert not {"true_risk", "conduct", "hardship", "sex"} & {
        column for frame in (city.records, city.amendments, city.subjects) for column in frame
    }


def test_an_unperformed_judgment_may_end_on_the_list_in_the_same_case(large):
    listed = large.records[large.records["kind"] == "dishonest_executee"]
    judged = large.records[large.records["kind"] == "judgment_unperformed"]
    both = judged.merge(listed, on=["subject_id", "case_id"], suffixes=("", "_listed"))
    assert len(both) > 20
    assert (both["decided_on_listed"] - both["decided_on"]).dt.days.between(28, 184).all()


def test_an_act_at_seventeen_is_on_file_and_never_in_force(city_ledger, city):
    born = city.subjects.drop_duplicates("subject_id").set_index("subject_id")["born_on"]
    acted = city.records.set_index("record_id")
    young = acted[acted["occurred_on"] < acted["subject_id"].map(born) + pd.DateOffset(years=18)]
    assert len(young)
    for day in ("2019-01-01", "2023-01-01", "2026-10-01"):
        assert not set(young.index) & set(city_ledger.as_of(day, day_of_use="2026-11-24")["record_id"])


def test_the_true_risk_is_known_on_the_first_of_a_month(city):
    with pytest.raises(cm.UserError, match="first day of a month"):
        city.true_risk("2025-04-02")


@pytest.mark.parametrize(("profile", "people", "line"), [("X", 10, "there are R, L"), ("R", 0, "at least one person")])
def test_an_impossible_city_is_refused_in_one_line(profile, people, line):
    with pytest.raises(cm.UserError, match=line) as refusal:
        cm.synthesise(profile, people=people)
    assert "\n" not in str(refusal.value)


def test_made_up_id_numbers_are_valid_and_of_a_county_that_does_not_exist():
    subjects = cm.synthesise("R", people=300, seed=2, with_id_numbers=True).subjects
    numbers = subjects["id_number"].drop_duplicates()
    assert numbers.str.startswith("999999").all()
    assert [validate_id_number(number) for number in numbers[:50]]


def test_rates_are_those_the_recipe_states(large, tmp_path):
    ledger = cm.Ledger.create(tmp_path / "ledger", policy="retention")
    ledger.ingest(records=large.records, amendments=large.amendments, subjects=large.subjects, audit=large.audit)
    sample = build_sample(ledger, Y12, ["2025-04-01"], day_of_use="2026-11-24", known_through="2026-10-31")
    assert 0.0045 < sample.bad_rate < 0.0065
    assert 0.040 < (sample.X["adverse_60m"] > 0).mean() < 0.053
    nothing = sample.X.mode().iloc[0]
    assert 0.57 < sample.X.eq(nothing).all(axis=1).mean() < 0.63
