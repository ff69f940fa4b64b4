"""Road traffic fines: an event log becomes a ledger by catalogue and mapping alone, and each fine is observed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from small_fines import (
    COLLECTED,
    CREATED,
    EXPERIMENT,
    NOTIFIED,
    PAID,
    SENT,
    VARIABLE,
    event_log,
    invented_log,
    invented_tables,
)

import credit_model as cm
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.experiments.data_source import DataSource, development_sample, open_source, out_of_time_sample
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import PERSONS_MODEL, load_experiment
from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.sample.development import DevelopmentSample
from credit_model.sample.split import tuning_folds
from credit_model.visibility.tables import STATUSES

FILES = EXPERIMENT.with_suffix("")
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "fines.yaml").read_text(encoding="utf-8"))
USE = "2026-11-24"
EVER = to_day("1990-01-01"), to_day("2020-01-01")


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return invented_log()


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory, log: pd.DataFrame) -> Iterator[Experiment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDIT_MODEL_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv(VARIABLE, str(invented_tables(tmp_path_factory.mktemp("data"), log)))
        yield load_experiment(EXPERIMENT)


@pytest.fixture(scope="module")
def source(experiment: Experiment) -> DataSource:
    return open_source(experiment, lambda said: None)


@pytest.fixture(scope="module")
def development(experiment: Experiment, source: DataSource) -> DevelopmentSample:
    return development_sample(experiment, source)


# ---------------------------------------------------------------------------------------------- case by case


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Every case as a fine of its own in one ledger."""
    rows = [
        {"case_id": f"F{number:02}", "timestamp": day, "activity": activity, **(facts[0] if facts else {})}
        for number, case in enumerate(CASES)
        for day, activity, *facts in case["events"]
    ]
    ledger = Ledger.create(tmp_path_factory.mktemp("read") / "ledger", load_catalogue(FILES / "catalogue.toml"))
    report = ledger.ingest(records=event_log(rows), mapping=FILES / "mapping.toml")
    assert report.rejected == {}
    return ledger


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[case["case"] for case in CASES])
def test_case(number: int, case: dict[str, Any], read: Ledger, experiment: Experiment) -> None:
    event, fine = experiment.sample.observe_after, f"F{number:02}"
    assert event is not None
    observed = event.observations(read, *EVER, day_of_use=USE)
    own = observed[observed["subject_id"] == fine]
    assert [str(day.date()) for day in own["as_of"]] == ([str(case["observed"])] if "observed" in case else [])
    if "expected" in case:
        label = experiment.outcome.label(read, own, USE, experiment.ledger.known_through)
        assert label[["outcome", "reason"]].iloc[0].tolist() == case["expected"].split(", ")
    for day, said in case.get("fine", {}).items():
        file = read.segments(USE).select([fine]).at(to_day(day))
        file = file.take(file.record_ids[file.record] == fine)
        found = [[STATUSES[s], int(left)] for s, left in zip(file.status, file.outstanding, strict=True)]
        assert found == ([] if said == "not on file" else [said]), day


# ---------------------------------------------------------------------------------------------- against plain pandas


def days_of(log: pd.DataFrame, activity: str, which: str = "first") -> pd.Series:
    return getattr(log[log["activity"] == activity].groupby("case_id")["timestamp"], which)()


def test_the_samples_are_the_fines_that_plain_pandas_finds(
    log: pd.DataFrame, experiment: Experiment, source: DataSource, development: DevelopmentSample
) -> None:
    notified, collected = days_of(log, NOTIFIED), days_of(log, COLLECTED)
    within = (collected.reindex(notified.index) - notified).dt.days <= 1_096
    for sample, first, last in (
        (development, "2000-01-01", "2003-12-22"),
        (out_of_time_sample(experiment, source), "2006-12-22", "2010-06-18"),
    ):
        chosen = notified[(notified >= first) & (notified <= last)]
        found = pd.Series(sample.y, pd.Index(sample.subject_id)).sort_index()
        assert found.to_dict() == within[chosen.index].astype(int).to_dict()
        waited = from_days(sample.as_of) - chosen[sample.subject_id].to_numpy("datetime64[D]")
        assert (waited == np.timedelta64(1, "D")).all()
        assert 0.1 < sample.bad_rate < 0.9


def test_features_equal_plain_pandas(log: pd.DataFrame, development: DevelopmentSample) -> None:
    X = development.X.set_axis(pd.Index(development.subject_id), axis=0)
    as_of = pd.Series(from_days(development.as_of).astype("datetime64[s]"), X.index)
    wrote = log[log["activity"] == CREATED].set_index("case_id").loc[X.index]
    sent = log[log["activity"] == SENT].set_index("case_id").loc[X.index]
    paid = log[(log["activity"] == PAID) & (log["timestamp"] < log["case_id"].map(as_of))]
    expected = {
        "amount": (wrote["amount"] * 100).round(),
        "fee": (sent["expense"] * 100).round(),
        "points": wrote["points"],
        "restricted_area": wrote["article"] == 7,
        "papers": wrote["article"].isin([180, 181]),
        "days_since_written": (as_of - wrote["timestamp"]).dt.days,
        "days_since_sent": (as_of - sent["timestamp"]).dt.days,
        "not_by_post": wrote["amount"] * 0,
        "month_written": wrote["timestamp"].dt.month,
        "month_notified": (as_of - pd.Timedelta(days=1)).dt.month,
        "paid_before": (paid.groupby("case_id")["paymentAmount"].sum() * 100).round().reindex(X.index, fill_value=0),
    }
    for name, values in expected.items():
        pd.testing.assert_series_equal(
            X[name], values.astype("float32").rename(name), check_index=False, check_names=False
        )
    assert (X["paid_before"] > 0).any()


def test_every_row_of_the_log_is_accounted_for(log: pd.DataFrame, experiment: Experiment, tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", load_catalogue(FILES / "catalogue.toml"))
    report = ledger.ingest(records=log, mapping=FILES / "mapping.toml")
    count = log["activity"].value_counts()
    assert report.rejected == {}
    records = 2 * count[CREATED] + count[SENT] + count[PAID] + count[COLLECTED]
    assert report.tables["records"]["accepted"] == records
    amendments = 3 * count[NOTIFIED] + count[COLLECTED] + count[PAID] + count["Add penalty"]
    assert report.tables["amendments"]["accepted"] == amendments


# ---------------------------------------------------------------------------------------------- the gap and the folds


def test_every_label_is_mature_on_the_out_of_time_date_and_a_day_later_would_not_be(
    experiment: Experiment, development: DevelopmentSample
) -> None:
    plan, outcome = experiment.sample, experiment.outcome
    assert [str(from_days(day)) for day in plan.development] == ["2000-01-01", "2003-12-23"]
    assert outcome.mature_on(int(development.as_of.max())) <= plan.out_of_time
    assert outcome.mature_on(plan.development[-1] + 1) > plan.out_of_time
    # 1,097 days lie between the last notification of development and the first that is out of time.
    assert plan.out_of_time - 1 - (plan.development[-1] - 1) == 1_096


def test_folds_keep_time_and_split_no_fine(development: DevelopmentSample) -> None:
    folds = tuning_folds(development.subject_id, development.as_of, development.y, n_folds=3, seed=1)
    for train, validate in folds:
        assert development.as_of[train].max() < development.as_of[validate].min()
        assert not set(development.subject_id[train]) & set(development.subject_id[validate])
    assert len(set(development.subject_id)) == len(development)


# ---------------------------------------------------------------------------------------------- end to end


class Tracker:
    def __init__(self) -> None:
        self.names: list[str] = []

    def log_run(self, experiment: str, **what: Any) -> str:
        return "run-1"

    def register(self, card: cm.Card, run_id: str, **what: Any) -> Any:
        self.names.append(what["name"])
        return SimpleNamespace(version=1)


def test_the_experiment_ends_in_a_card_of_a_model_of_its_own(experiment: Experiment) -> None:
    tracker = Tracker()
    small = replace(experiment, card=replace(experiment.card, max_bins=5, penalty=1.0, trials=1))
    result = run(small, tracker=tracker, author="Wang Li")
    assert tracker.names == [result.model] == ["road-traffic-fines"]
    assert result.model != PERSONS_MODEL
    origin = result.card.provenance["sample"]
    assert origin["observe_after"] == {"kinds": ["traffic_fine"], "action": "served"}
    assert origin["labels_read_on"][-1] <= origin["out_of_time"] == "2006-12-23"
    gini = result.figures["gini"][0]
    assert gini is not None
    assert gini > 0.2
    assert {c.name for c in result.card.characteristics} >= {"amount", "days_since_sent"}
    dates = result.evaluation.context["dates"]
    assert dates["development"] == ["2000-01-01", "2003-12-23"]
    assert dates["out_of_time"][0] >= "2006-12-23"
    assert len(result.evaluation.months) <= 36


def test_the_engine_knows_nothing_of_fines() -> None:
    words = ("insert fine", "prefecture", "vehicleclass", "violation_report")
    sources = [path for path in Path(cm.__file__).parent.rglob("*") if path.suffix in (".py", ".toml", ".css", ".html")]
    assert len(sources) > 20
    found = [(path.name, w) for path in sources for w in words if w in path.read_text("utf-8").lower()]
    assert found == []
