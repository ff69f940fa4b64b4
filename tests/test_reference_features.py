"""Tables of features that others computed from raw records, reproduced through catalogue, mapping and TOML alone."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

import credit_model as cm
from credit_model.features.build import UnknownSubjectsWarning

ROOT = Path(__file__).parents[1]
PUBLIC = ROOT / "data" / "public" / "sf_restaurants"
DEFINITIONS = ROOT / "experiments" / "sf_restaurants" / "reference_features.toml"
VISITS = Path(__file__).with_name("cases") / "visits"


def built(folder: Path, tables: Any, place: Path, observations: pd.DataFrame, features: Path) -> pd.DataFrame:
    ledger = cm.Ledger.create(place / "ledger", cm.load_catalogue(folder / "catalogue.toml"))
    ledger.ingest(records=tables, mapping=folder / "mapping.toml")
    found = cm.build_features(ledger, observations, features)
    assert isinstance(found, pd.DataFrame)
    return found


# ------------------------------------------------------------------------------------------------ real
@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table computed elsewhere, and ours."""
    theirs = pd.read_parquet(PUBLIC / "reference_features.parquet")
    tables = [PUBLIC / "inspections.parquet", PUBLIC / "violations.parquet"]
    observations = pd.DataFrame({"subject_id": theirs["business_id"].astype(str), "as_of": theirs["asof"]})
    return theirs, built(PUBLIC, tables, tmp_path_factory.mktemp("real"), observations, DEFINITIONS)


def test_every_column_of_the_published_table_is_defined_and_nothing_else(
    real: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    theirs, ours = real
    assert list(ours) == [name for name in theirs if name not in ("business_id", "asof", "target")]


def test_every_cell_is_equal_where_the_raw_tables_state_which_visit_was_the_last(
    real: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    theirs, ours = real
    visits = pd.read_parquet(PUBLIC / "inspections.parquet").dropna(subset=["Score"])
    for name in ours:
        expected = theirs[name].astype(np.float32)
        equal = (expected == ours[name]) | (expected.isna() & ours[name].isna())
        for row in np.flatnonzero(~equal).tolist():
            assert name == "last_score"
            before = visits[
                (visits["business_id"] == theirs["business_id"][row]) & (visits["date"] < theirs["asof"][row])
            ]
            scores = before.loc[before["date"] == before["date"].max(), "Score"]
            assert ours[name][row] == scores.min() < expected[row] <= scores.max()


# ------------------------------------------------------------------------------------------------ of the same kind
def made_visits(random: Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Businesses with up to six visits, some on the same day, some with findings, in no order."""
    visits: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    for business in range(150):
        day = date(2019, 1, 1) + timedelta(random.randrange(400))
        for _ in range(random.randrange(7)):
            score = random.choice([None, *range(60, 101)])
            result, count = random.choice(["Pass", "Pass", "Fail"]), random.choice([0, 0, 1, 3])
            visit = {"business": f"B{business}", "date": day, "score": score, "result": result, "reported": count}
            visits.append(visit)
            for _ in range(count):
                found = {"critical": random.choice("YN"), "item": random.choice("1234")}
                findings.append({"business": f"B{business}", "date": day, **found})
            day += timedelta(random.choice([0, 1, 30, 364, 365, 366, 500]))
    random.shuffle(visits)
    random.shuffle(findings)
    return visits, findings


def naive(visits: list[dict[str, Any]], findings: list[dict[str, Any]], business: str, day: date) -> dict[str, float]:
    """What the definitions say, in plain Python."""
    nan = float("nan")
    seen = [v for v in visits if v["business"] == business and v["date"] < day]
    found = [f for f in findings if f["business"] == business and f["date"] < day]
    last = max((v["date"] for v in seen), default=None)
    on_last = [v for v in seen if v["date"] == last]
    found_on_last = [f for f in found if f["date"] == last]
    scores = [v["score"] for v in on_last if v["score"] is not None]
    return {
        "previous_score": min(scores, default=nan),
        "failed_previous_visit": float(any(v["result"] == "Fail" for v in on_last)),
        "findings_at_previous_visit": len(found_on_last),
        "critical_at_previous_visit": sum(f["critical"] == "Y" for f in found_on_last),
        "different_items_at_previous_visit": len({f["item"] for f in found_on_last}),
        "findings_a_visit_of_the_previous_day": len(found_on_last) / len(on_last) if on_last else nan,
        "days_since_last_visit": 730 if last is None else min((day - last).days, 365),
        "years_since_last_visit": 2 if last is None else min((day - last).days / 365, 2),
        "reported_at_previous_visit": sum(v["reported"] for v in on_last),
        "first_visit": float(not seen),
        "visits_before": len(seen),
        "findings_within_a_year": sum((day - f["date"]).days <= 365 for f in found),
    }


def test_features_of_the_previous_visit_follow_from_toml_alone(tmp_path: Path) -> None:
    visits, findings = made_visits(Random(20261124))
    observed = [(visit["business"], visit["date"]) for visit in visits] + [("nobody", date(2020, 6, 1))]
    tables = {"visits": pd.DataFrame(visits).astype({"score": "Int64"}), "findings": pd.DataFrame(findings)}
    observations = pd.DataFrame(observed, columns=["subject_id", "as_of"])
    with pytest.warns(UnknownSubjectsWarning, match="name 1 subject"):
        ours = built(VISITS, tables, tmp_path, observations, VISITS / "features.toml")
    expected = pd.DataFrame([naive(visits, findings, *row) for row in observed], dtype="float32")
    pd.testing.assert_frame_equal(ours, expected, check_exact=True)
    assert set(expected["first_visit"]) == {0, 1}
    assert expected["previous_score"].isna().any()
