"""What version 1 left behind opens, and answers what version 1 answered; MLflow's own loader after one command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_card import small_card, small_evaluation

import credit_model as cm
from credit_model.cli.main import main
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.features.aggregates import AGGREGATES
from credit_model.foundation.calendar import NO_VALUE
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.registry.upgrade import upgrade

LEFT = Path(__file__).parent / "cases" / "version1"
DAY = "2025-04-01"


@pytest.fixture
def ledger(tmp_path: Path) -> cm.Ledger:
    """A copy of a ledger that version 1 wrote: 120 people of the synthetic city."""
    shutil.copytree(LEFT / "ledger", tmp_path / "ledger")
    (tmp_path / "ledger" / "quarantine").mkdir()  # Git keeps no empty folder
    return cm.Ledger.open(tmp_path / "ledger")


def test_features_of_a_ledger_of_version_1_are_what_they_were(ledger: cm.Ledger) -> None:
    expected = pd.read_csv(LEFT / "features.csv", dtype={"subject_id": str})
    names = [name for name in expected.columns if name != "subject_id"]
    observations = expected[["subject_id"]].assign(as_of=DAY)
    features = cm.build_features(ledger, observations, names, day_of_use="2026-11-24")
    pd.testing.assert_frame_equal(features, expected[names].astype("float32"), check_exact=True)


def test_a_card_of_version_1_gives_the_scores_it_gave(ledger: cm.Ledger) -> None:
    evaluator = cm.load_evaluator(LEFT / "card.json", ledger=ledger)
    for row in pd.read_csv(LEFT / "assessments.csv", dtype={"subject_id": str}).itertuples():
        answer = evaluator.assess(row.subject_id, as_of=DAY, purpose="model_validation")
        score = None if pd.isna(row.score) else row.score
        grade = None if pd.isna(row.grade) else row.grade
        points = sum(reason.points for reason in answer.reasons)
        assert (answer.status, answer.score, answer.grade, points) == (row.status, score, grade, row.points)


def test_a_card_of_version_1_counts_every_record_as_it_did_and_is_written_as_it_was() -> None:
    card = cm.load_evaluator(LEFT / "card.json").card
    counting = [d for d in card.features or () if AGGREGATES[d.aggregate].by_case]
    assert counting
    assert {d.per for d in counting} == {"record"}
    assert card.to_json() == (LEFT / "card.json").read_text(encoding="utf-8")


def test_a_delivery_can_be_added_to_a_ledger_of_version_1(ledger: cm.Ledger) -> None:
    before = len(ledger.as_of(DAY))
    row = {"subject_id": "S0000001", "kind": "honour", "decided_on": "2025-01-10", "known_on": "2025-01-12"}
    assert ledger.ingest(records=pd.DataFrame([row])).accepted == 1
    assert len(ledger.as_of(DAY)) == before + 1


def test_records_of_version_1_have_no_place_within_their_day_and_new_ones_may_have(
    ledger: cm.Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credit_model.ledger.transaction.MAX_UNMERGED", 1)  # old rows and new ones share a part
    row = {"subject_id": "S0000001", "kind": "honour", "decided_on": "2025-01-10", "known_on": "2025-01-12"}
    ledger.ingest(records=pd.DataFrame([{**row, "seq": 3}]))
    for records in (ledger.tables().records, ledger.tables(["S0000001"]).records):
        assert set(records["seq"].tolist()) == {3, NO_VALUE}
    assert set(ledger.segments("2026-11-24").seq.tolist()) == {3, NO_VALUE}


def test_a_ledger_of_version_1_keeps_the_catalogue_it_was_made_with_and_no_later_rule_is_applied(
    ledger: cm.Ledger,
) -> None:
    assert (
        ledger.catalogue.digest
        == json.loads((LEFT / "ledger" / "ledger.json").read_text(encoding="utf-8"))["catalogue"]
    )
    penalty = ledger.catalogue.kinds["adm_penalty"]
    assert (penalty.repair, penalty.tier_by, penalty.exclude_if, penalty.summary_if) == (None, None, (), ())
    assert ledger.catalogue.kinds["dishonest_executee"].term is None
    classes = [ledger.catalogue.kinds[kind].severity_of("serious") for kind in ("adm_penalty", "severe_list", "honour")]
    assert classes == [3, 5, None]  # by the tier, and of a statutory listing: version 1 had no classes
    row = {"subject_id": "S0000001", "kind": "adm_penalty", "tier": "general", "decided_on": "2025-01-10"}
    police = {"field_code": "traffic_safety", "source": "交警", "known_on": "2025-01-12"}
    assert ledger.ingest(records=pd.DataFrame([row | police])).accepted == 1


def test_an_evaluation_of_version_1_is_read_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (LEFT / "evaluation.json").read_text(encoding="utf-8")
    assert EvaluationReport.from_json(text).segments["all"].measures["gini"].value == pytest.approx(0.442, abs=5e-4)
    shutil.copy(LEFT / "evaluation.json", tmp_path)
    assert main(["report", str(tmp_path / "evaluation.json"), "--json"]) == 0
    assert (tmp_path / json.loads(capsys.readouterr().out)["report"]).is_file()


@pytest.fixture
def former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registered card whose description names the loader where version 1 had it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    register(small_card(), log_run("former"), author="Li Wei", evaluation=small_evaluation(("gini", 0.4, 0.3, None)))
    (description,) = tmp_path.rglob("MLmodel")
    text = description.read_text(encoding="utf-8")
    assert "credit_model.scorecard.loader" in text
    description.write_text(text.replace("credit_model.scorecard.loader", "credit_model.serving"), encoding="utf-8")
    return "models:/personal-credit/1"


def test_one_command_lets_mlflow_load_what_version_1_registered(
    former: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import pyfunc

    with pytest.raises(ModuleNotFoundError, match=r"credit_model\.serving"):
        pyfunc.load_model(former)
    assert cm.load_evaluator(former).card.digest == small_card().digest  # which needs no upgrade
    assert main(["upgrade", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "personal-credit", "versions": ["1"]}
    rows = pd.DataFrame([dict(zip(small_card().columns, row.values, strict=True)) for row in small_card().golden])
    pd.testing.assert_frame_equal(pyfunc.load_model(former).predict(rows), small_card().score(rows))


def test_an_upgrade_may_be_run_again(former: str) -> None:
    assert upgrade() == ("1",)
    assert upgrade() == ()
