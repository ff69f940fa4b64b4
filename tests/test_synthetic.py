"""The made city: reproducible, lawful in form, and true to the risk it states."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import credit_model as cm
from credit_model.records import load_catalogue, validate_id_number
from credit_model.sample import Y12, build_sample

SEED = 20261124
SAMPLE = Path(__file__).parents[1] / "data" / "synthetic" / "sample"
ACTIONS = {
    "served", "challenged", "upheld", "finalised", "corrected", "disputed", "dispute_closed", "partly_performed",
    "performed", "repaired", "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject",
}  # fmt: skip


@pytest.fixture(scope="module")
def city():
    return cm.synthesise("R", people=2_000, seed=SEED)


@pytest.fixture(scope="module")
def large():
    return cm.synthesise("R", people=40_000, seed=SEED)


def test_the_same_seed_makes_the_same_bytes(city, tmp_path):
    again = cm.synthesise("R", people=2_000, seed=SEED)
    assert city.write(tmp_path / "one") == again.write(tmp_path / "other")


def test_another_seed_makes_other_people(city):
    other = cm.synthesise("R", people=2_000, seed=SEED + 1)
    assert not city.subjects["born_on"].equals(other.subjects["born_on"])


def test_the_committed_sample_is_what_the_recipe_makes(tmp_path):
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
    assert (report.accepted, report.rejected, report.warnings) == (rows, {}, ())


def test_amendments_of_all_kinds_happen(large):
    assert set(large.amendments["action"]) == ACTIONS
    assert set(large.amendments.loc[large.amendments["action"] == "dispute_closed", "value"].dropna()) == {
        "record_confirmed",
        "objection_sustained",
    }


def test_kinds_are_of_the_catalogue_and_sex_stands_in_the_audit_table_alone(city):
    assert set(city.records["kind"]) <= set(load_catalogue().kinds)
    assert "sex" in city.audit.columns
    assert all("sex" not in frame.columns for frame in (city.records, city.amendments, city.subjects))


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


def test_the_true_risk_is_that_of_what_happens(large):
    ledger_events = large.records[
        large.records["kind"].isin(["dishonest_executee", "severe_list", "judgment_unperformed", "commitment_breach"])
        | ((large.records["kind"] == "adm_penalty") & large.records["tier"].isin(["general", "serious"]))
        | (large.records["kind"] == "criminal_judgment_integrity")
    ]
    decided = pd.to_datetime(ledger_events["decided_on"])
    expected = observed = 0.0
    for start in ("2021-12-01", "2022-12-01", "2023-12-01", "2024-12-01"):
        day = pd.Timestamp(start)
        risk = large.true_risk(start)
        earlier = set(ledger_events.loc[decided < day, "case_id"])
        window = ledger_events[(decided >= day) & (decided < day + pd.DateOffset(months=12))]
        bad = set(window.loc[~window["case_id"].isin(earlier), "subject_id"])
        expected += risk.sum()
        observed += len(bad)
    assert 0.9 * expected < observed + 3 * np.sqrt(expected)
    assert observed < expected + 4 * np.sqrt(expected)


def test_the_true_risk_depends_on_the_past_alone():
    risk = cm.synthesise("L", people=500, seed=5).true_risk("2020-01-01")
    assert ((risk >= 0) & (risk <= 0.5 + 1e-9)).all()
    assert risk.nunique() > 400


def test_the_true_risk_is_asked_on_the_first_of_a_month(city):
    with pytest.raises(cm.UserError, match="first day of a month"):
        city.true_risk("2025-04-02")


@pytest.mark.parametrize(("profile", "people", "line"), [("X", 10, "there are R, L"), ("R", 0, "at least one person")])
def test_a_city_that_cannot_be_made_is_refused_in_one_line(profile, people, line):
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
    names = ["adverse_60m", "honours_60m", "volunteer_hours_24m", "commitments_kept_36m", "contracts_performed_60m"]
    from credit_model.features import library

    definitions = [d for d in library() if d.name in names]
    sample = build_sample(ledger, Y12, ["2025-04-01"], definitions, day_of_use="2026-11-24")
    assert 0.004 < sample.bad_rate < 0.008
    assert 0.030 < (sample.X["adverse_60m"] > 0).mean() < 0.062
    assert 0.5 < (sample.X == 0).all(axis=1).mean() < 0.75
