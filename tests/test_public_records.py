"""Real public records: from raw tables to a ledger by catalogue and mapping alone, held against plain pandas."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import credit_model as cm
from credit_model.experiments.reader import load_experiment
from credit_model.features.dictionary import check_definitions, load_definitions
from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.ledger import Ledger

FOLDER = Path(__file__).parents[1] / "data" / "public" / "sf_restaurants"
EXPERIMENT = FOLDER.parents[2] / "experiments" / "sf_restaurants.toml"
PACKAGE = Path(cm.__file__).parent
USE = "2026-11-24"
DAY = pd.Timestamp("2016-10-20")
TIERS = {"Low Risk": 1, "Moderate Risk": 2, "High Risk": 3}


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    raw = pd.read_parquet(FOLDER / "inspections.parquet")
    return raw[raw["date"] <= "2017-11-07"]


@pytest.fixture(scope="module")
def violations() -> pd.DataFrame:
    raw = pd.read_parquet(FOLDER / "violations.parquet")
    return raw.assign(tier=raw["risk_category"].map(TIERS))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, IngestReport]:
    ledger = Ledger.create(tmp_path_factory.mktemp("public") / "ledger", cm.load_catalogue(FOLDER / "catalogue.toml"))
    tables = [FOLDER / "inspections.parquet", FOLDER / "violations.parquet"]
    return ledger, ledger.ingest(records=tables, mapping=FOLDER / "mapping.toml")


def test_every_raw_row_becomes_a_record_but_two_visits_of_the_future(
    ingested: tuple[Ledger, IngestReport], visits: pd.DataFrame, violations: pd.DataFrame
) -> None:
    ledger, report = ingested
    raw = pd.read_parquet(FOLDER / "inspections.parquet")
    assert len(raw) - len(visits) == 2
    assert report.accepted == len(visits) + len(violations) == 63_826
    assert report.rejected == {"after_source_drawn": 2}
    assert len(ledger.tables().records["record_id"]) == report.accepted


def test_the_two_visits_lie_in_quarantine_with_their_rows(ingested: tuple[Ledger, IngestReport]) -> None:
    quarantine = Path(str(ingested[1].quarantine))
    rows = [json.loads(line) for line in quarantine.read_text(encoding="utf-8").splitlines()]
    raw = pd.read_parquet(FOLDER / "inspections.parquet")
    late = np.flatnonzero(raw["date"] > "2017-11-07")
    assert sorted(row["row"] for row in rows) == (late + 1).tolist()


def test_full_duplicates_are_records_of_their_own(
    ingested: tuple[Ledger, IngestReport], visits: pd.DataFrame, violations: pd.DataFrame
) -> None:
    ledger, report = ingested
    assert report.duplicates == 0
    assert (visits.duplicated().sum(), violations.duplicated().sum()) == (187, 41)
    records = ledger.tables().records
    assert len(set(records["record_id"])) == len(records["record_id"])
    held = pd.DataFrame({name: records[name] for name in ("subject_id", "kind", "decided_on", "score", "type", "item")})
    assert held[held["kind"] == "inspection"].duplicated().sum() == 187


def test_a_delivery_given_twice_adds_nothing(ingested: tuple[Ledger, IngestReport], tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", ingested[0].catalogue)
    table = FOLDER / "violations.parquet"
    first, second = (ledger.ingest(records=table, mapping=FOLDER / "mapping.toml") for _ in range(2))
    assert (first.accepted, second.accepted, second.duplicates) == (37_965, 0, 37_965)


def test_what_is_in_force_is_what_was_known_the_day_before(
    ingested: tuple[Ledger, IngestReport], visits: pd.DataFrame, violations: pd.DataFrame
) -> None:
    held = ingested[0].as_of(DAY, day_of_use=USE)
    counts = held.groupby("kind").size()
    assert counts["inspection"] == (visits["date"] < DAY).sum()
    assert counts["violation"] == (violations["date"] < DAY).sum()
    assert (visits["date"] == DAY).any()
    found = held[held["kind"] == "violation"]["tier"].value_counts()
    plain = violations[violations["date"] < DAY]["risk_category"].value_counts()
    for risk, tier in (("Low Risk", "minor"), ("Moderate Risk", "general"), ("High Risk", "serious")):
        assert found[tier] == plain[risk]


def test_features_equal_plain_pandas(
    ingested: tuple[Ledger, IngestReport], visits: pd.DataFrame, violations: pd.DataFrame
) -> None:
    before, after = DAY - pd.DateOffset(months=12), DAY
    seen = visits[(visits["date"] >= before) & (visits["date"] < after)]
    found = violations[(violations["date"] >= before) & (violations["date"] < after)]
    businesses = np.sort(visits[visits["date"] < DAY]["business_id"].unique())
    observations = pd.DataFrame({"subject_id": businesses.astype(str), "as_of": DAY})
    X = cm.build_features(ingested[0], observations, FOLDER / "features.toml", day_of_use=USE)
    X.index = pd.Index(businesses)
    latest = visits[visits["date"] < DAY].groupby("business_id")["date"].max()
    on_latest = violations.merge(latest.rename("latest"), left_on="business_id", right_index=True)
    on_latest = on_latest[on_latest["date"] == on_latest["latest"]]
    scored = seen.dropna(subset="Score")
    per_business = {
        "min_score_12m": scored.groupby("business_id")["Score"].min(),
        "mean_score_12m": scored.groupby("business_id")["Score"].mean(),
        "low_scores_12m": scored[scored["Score"] <= 85].groupby("business_id").size(),
        "violations_12m": found.groupby("business_id").size(),
        "violations_high_12m": found[found["tier"] == 3].groupby("business_id").size(),
        "violation_items_12m": found.groupby("business_id")["ViolationTypeID"].nunique(),
        "violations_moderate_last_visit": on_latest[on_latest["tier"] >= 2].groupby("business_id").size(),
        "days_since_visit_12m": (DAY - seen.groupby("business_id")["date"].max()).dt.days,
        "complaints_12m": seen[seen["type"].str.contains("Complaint|Foodborne")].groupby("business_id").size(),
    }
    for name, values in per_business.items():
        none = np.nan if name in ("min_score_12m", "mean_score_12m", "days_since_visit_12m") else 0
        expected = values.reindex(X.index, fill_value=none).astype("float32").rename(name)
        pd.testing.assert_series_equal(X[name], expected, check_index_type=False)


def test_the_dictionary_fits_the_catalogue_and_a_card(ingested: tuple[Ledger, IngestReport]) -> None:
    definitions = load_definitions(FOLDER / "features.toml")
    check_definitions(definitions, ingested[0].catalogue, for_card=True)
    assert len({d.reason for d in definitions}) == len(definitions)


def test_outcomes_equal_plain_pandas(ingested: tuple[Ledger, IngestReport], visits: pd.DataFrame) -> None:
    experiment = load_experiment(EXPERIMENT)
    routine = visits[visits["type"].str.startswith("Routine")].dropna(subset="Score")
    expected = {}
    for day in map(pd.Timestamp, ("2015-04-20", "2015-10-20", "2016-10-20")):
        seen = visits[visits["date"] < day]["business_id"].unique()
        following = routine[(routine["date"] >= day) & (routine["date"] < day + pd.DateOffset(months=12))]
        lowest = following.groupby("business_id")["Score"].min().reindex(np.sort(seen))
        words = np.select([lowest.isna(), lowest <= 85], ["indeterminate", "bad"], "good")
        observations = pd.DataFrame({"subject_id": lowest.index.astype(str), "as_of": day})
        found = experiment.outcome.label(ingested[0], observations, day_of_use=USE, known_through="2017-11-07")
        assert found["outcome"].tolist() == words.tolist()
        expected[str(day.date())] = int((words == "bad").sum())
    assert expected == {"2015-04-20": 261, "2015-10-20": 707, "2016-10-20": 988}


def test_the_experiment_is_read_whole_and_looks_back_no_further_than_a_year() -> None:
    experiment = load_experiment(EXPERIMENT)
    assert experiment.ledger.day_of_use == to_day(USE)
    assert [str(day) for day in from_days(experiment.sample.development)] == ["2015-04-20", "2015-10-20"]
    assert {d.window for d in experiment.features} <= {"6m", "12m"}
    assert not experiment.card.record_monotone


def test_the_engine_knows_nothing_of_restaurants() -> None:
    """No word of them in any source; an example may name the experiment's file."""
    words = ("restaurant", "business_id", "sf_food", "risk_category", "reinspection")
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".toml", ".css", ".html")]
    said = {path.name: path.read_text("utf-8").lower().replace("sf_restaurants.toml", "") for path in sources}
    assert len(said) > 20
    assert [name for name, text in said.items() if any(word in text for word in words)] == []
