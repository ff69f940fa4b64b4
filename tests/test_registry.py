"""Runs, registered cards, promotion and loading, on a real MLflow store in a SQLite file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_card import small_card, small_evaluation

from credit_model import load_evaluator
from credit_model.registry.promotion import ApprovalError, GateError, Promotion, promote
from credit_model.registry.registration import register
from credit_model.registry.runs import RunContent, fetch_artifact, log_run
from credit_model.registry.store import RegistryError
from credit_model.scorecard.card import Card

CARD = small_card()
GOOD = small_evaluation(("gini", 0.41, 0.30, None), ("slope", 1.01, 0.88, 1.12))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with one model: version 1 good, 2 with failed gates, 3 of another card."""
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        figures = folder / "evaluation.json"
        figures.write_text(GOOD.to_json(), encoding="utf-8")
        run = log_run(
            "made-city",
            content=RunContent(
                params={"seed": 1, "penalty": 0.5},
                metrics={"gini": 0.41, "unmeasured": None, "undefined": float("nan")},
                tags={"ledger_digest": "abc", "dates": ["2023-09-01"]},
                artifacts=[figures],
            ),
            run_name="first",
        )
        register(CARD, run, author="Li Wei", evaluation=GOOD, tags={"experiment_digest": "e1"})
        bad = small_evaluation(("soft_gini_to_attainable", 0.85, 0.90, None), ("slope", None, 0.88, 1.12))
        register(CARD, log_run("made-city"), author="Li Wei", evaluation=bad)
        register(small_card(seed=2), log_run("made-city"), author="Li Wei", evaluation=GOOD)
        yield folder


@pytest.fixture(scope="module")
def client(store: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{store / 'mlflow.db'}")


def test_a_run_keeps_what_was_asked_measured_and_shown(client: Any) -> None:
    experiment = client.get_experiment_by_name("made-city")
    run = next(r for r in client.search_runs([experiment.experiment_id]) if r.info.run_name == "first")
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "1", "penalty": "0.5"}
    assert run.data.metrics == {"gini": 0.41}  # what was not measured is left out, not written as 0
    assert run.data.tags.items() >= {"ledger_digest": "abc", "dates": '["2023-09-01"]'}.items()
    assert fetch_artifact(run.info.run_id, "evaluation.json").read_text(encoding="utf-8") == GOOD.to_json()


def test_trials_of_a_search_are_runs_nested_in_the_run_and_none_is_recorded_twice(client: Any, store: Path) -> None:
    trials = [({"max_bins": k}, {"gini": k / 10, "psi": 0.01}) for k in (3, 4)]
    run = log_run("searched", content=RunContent(trials=trials[:1]), by=("someone", "something"), finished=False)
    experiment = client.get_run(run).info.experiment_id
    client.create_run(experiment, tags={"mlflow.parentRunId": run, "trial": "2"})  # a process died here
    assert log_run("searched", content=RunContent(trials=trials), by=("someone", "something")) == run
    nested = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run}'", order_by=["tags.trial"])
    assert [(r.data.params, r.data.metrics["gini"], r.info.status) for r in nested] == [
        ({"max_bins": "3"}, 0.3, "FINISHED"), ({"max_bins": "4"}, 0.4, "FINISHED"),
    ]  # fmt: skip


def test_a_version_carries_its_evidence_in_its_tags(client: Any) -> None:
    tags = client.get_model_version("personal-credit", "1").tags
    assert tags["author"] == "Li Wei"
    assert tags["card_digest"] == CARD.digest
    assert tags["evaluation_digest"] == GOOD.digest
    assert tags["experiment_digest"] == "e1"
    assert tags["gates_passed"] == "true"
    assert [gate["name"] for gate in json.loads(tags["gates"])] == ["gini", "slope"]


def test_the_registered_card_is_the_card(store: Path) -> None:
    evaluator = load_evaluator("models:/personal-credit/1")
    assert evaluator.card == CARD
    assert (evaluator.version, evaluator.source) == (1, "models:/personal-credit/1")


def test_a_run_loads_the_version_registered_from_it(client: Any) -> None:
    run = client.get_model_version("personal-credit", "3").run_id
    assert load_evaluator(f"runs:/{run}").version == 3


def test_files_stay_beside_the_store_wherever_the_caller_stands(store: Path) -> None:
    assert (store / "mlruns").is_dir()
    assert list(Path.cwd().iterdir()) == []


def test_nothing_that_is_kept_could_run_code(store: Path) -> None:
    kept = [path for path in (store / "mlruns").rglob("*") if path.is_file()]
    assert {path.name for path in kept} >= {"card.json", "MLmodel", "requirements.txt"}
    for path in kept:
        path.read_bytes().decode("utf-8")  # a pickle is no text
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".bin", ".npy"}


def test_promotion_moves_the_alias_and_says_what_it_pointed_at_before(client: Any) -> None:
    first = promote(1, approver="Zhou Min")
    assert first == Promotion("personal-credit", 1, "champion", "Li Wei", "Zhou Min", CARD.digest, previous=None)
    assert load_evaluator("models:/personal-credit@champion").version == 1
    second = promote("3", approver="Zhou Min")
    assert (second.version, second.previous) == (3, 1)
    assert load_evaluator("models:/personal-credit@champion").version == 3
    tags = client.get_model_version("personal-credit", "3").tags
    assert tags["champion_approver"] == "Zhou Min"
    assert tags["champion_since"]


def test_the_latest_version_is_the_one_of_the_greatest_number(client: Any) -> None:
    newest = max(int(version.version) for version in client.search_model_versions("name = 'personal-credit'"))
    assert promote("latest", approver="Zhou Min", alias="newest").version == newest
    with pytest.raises(RegistryError, match="no model 'none' is registered"):
        promote("latest", approver="Zhou Min", name="none")


@pytest.mark.parametrize("approver", ["", "  "])
def test_without_an_approver_nothing_is_promoted(approver: str, store: Path) -> None:
    with pytest.raises(ApprovalError, match="cannot promote version 1 of 'personal-credit': no approver is named"):
        promote(1, approver=approver)


@pytest.mark.parametrize("approver", ["Li Wei", " li wei "])
def test_an_author_cannot_approve_their_own_work(approver: str, store: Path) -> None:
    with pytest.raises(ApprovalError, match="made it and cannot approve it too"):
        promote(1, approver=approver)


def test_an_author_has_to_be_named(store: Path) -> None:
    with pytest.raises(ApprovalError, match="it has no author"):
        register(CARD, "unused", author=" ", evaluation=GOOD)


def test_a_card_without_characteristics_is_not_registered(store: Path) -> None:
    empty = Card("empty", CARD.profile, (), CARD.probabilities, kernel_version=1)
    with pytest.raises(RegistryError, match=f"cannot register card {empty.id}: it has no characteristics"):
        register(empty, "unused", author="Li Wei", evaluation=GOOD)


def test_a_failed_gate_stops_promotion_with_its_value_and_its_limit(store: Path) -> None:
    with pytest.raises(GateError) as caught:
        promote(2, approver="Zhou Min", alias="challenger")
    assert caught.value.faults == (
        "soft_gini_to_attainable (all) is 0.85, limit at least 0.9",
        "slope (all) was not measured, limit 0.88 to 1.12",
    )
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    assert CARD.digest[:12] in str(caught.value)
    with pytest.raises(RegistryError, match="has no alias 'challenger'"):
        load_evaluator("models:/personal-credit@challenger")


def test_a_version_made_elsewhere_cannot_be_promoted(client: Any) -> None:
    client.create_registered_model("foreign")
    client.create_model_version("foreign", source=client.get_model_version("personal-credit", "1").source)
    with pytest.raises(RegistryError, match="was not registered by credit_model"):
        promote(1, approver="Zhou Min", name="foreign")
    with pytest.raises(RegistryError, match="registered was none"):
        load_evaluator("models:/foreign/1")


def test_an_altered_card_is_neither_loaded_nor_promoted(store: Path, client: Any) -> None:
    register(CARD, log_run("made-city"), author="Li Wei", evaluation=GOOD, name="altered")
    source = client.get_model_version("altered", "1").source.removeprefix("models:/")
    path = store / "mlruns" / "models" / source / "artifacts" / "data" / "card" / "card.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"points": -80', '"points": -8'), encoding="utf-8")
    refusal = "version 1 of 'altered' cannot be used: .*card.json: the card was altered"
    with pytest.raises(RegistryError, match=refusal):
        load_evaluator("models:/altered/1")
    with pytest.raises(RegistryError, match=refusal):
        promote(1, approver="Zhou Min", name="altered")
    other = small_card(seed=3)
    other.save(path)  # a sound card, but not the one that was registered
    with pytest.raises(
        RegistryError, match=f"its card has digest {other.digest[:12]}, registered was {CARD.digest[:12]}"
    ):
        load_evaluator("models:/altered/1")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/nobody@champion", r"no model 'nobody' is registered in .* \(registered: .*personal-credit"),
        ("models:/personal-credit@shadow", r"model 'personal-credit' has no alias 'shadow' \(aliases: "),
        ("models:/personal-credit/99", r"model 'personal-credit' has no version 99 \(versions: 1, 2, 3\)"),
        ("models:/personal-credit", "a registry URI reads models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID"),
        ("runs:/0123456789abcdef", "no registered version came from that run"),
    ],
)
def test_what_the_registry_does_not_hold_is_said_in_one_line(uri: str, message: str, store: Path) -> None:
    with pytest.raises(RegistryError, match=message) as caught:
        load_evaluator(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("run", "path"), [("0123456789abcdef", "evaluation.json"), ("no such run!", "x")])
def test_a_file_of_an_unknown_run_is_said_in_one_line(run: str, path: str, store: Path) -> None:
    with pytest.raises(RegistryError, match="no such run or file in"):
        fetch_artifact(run, path)


def test_an_unknown_version_cannot_be_promoted(store: Path) -> None:
    with pytest.raises(RegistryError, match="model 'personal-credit' has no version 77"):
        promote(77, approver="Zhou Min")


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegistryError, match=r"no MLflow store at mlflow\.db\. Run an experiment first"):
        load_evaluator("models:/personal-credit@champion")
    assert list(tmp_path.iterdir()) == []


def test_a_registry_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"the MLflow registry at http://127\.0\.0\.1:9 does not answer") as caught:
        load_evaluator("models:/personal-credit@champion")
    assert "\n" not in str(caught.value)


def test_the_registry_says_nothing_on_its_own(tmp_path: Path) -> None:
    """A fresh store, in a fresh process: MLflow's migrations, logs and hints stay silent."""
    program = (
        "from small_card import small_card, small_evaluation\n"
        "from credit_model.registry.registration import register\n"
        "from credit_model.registry.runs import log_run\n"
        "from credit_model.registry.promotion import promote\n"
        "register(small_card(), log_run('x'), author='a', evaluation=small_evaluation())\n"
        "promote(1, approver='b', without_gates='a trial')\n"
    )
    ours = f"{Path(__file__).parents[1]}:{Path(__file__).parent}"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ours, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "mlruns", "mlflow.history", "mlflow.heads"}


def test_a_card_from_its_path_needs_no_mlflow(tmp_path: Path) -> None:
    CARD.save(tmp_path / "card.json")
    program = (
        "import sys; from credit_model import load_evaluator\n"
        f"assert load_evaluator({str(tmp_path)!r}).card.name == 'small'\n"
        f"assert load_evaluator({str(tmp_path / 'card.json')!r}).version is None\n"
        "assert not {'mlflow', 'pandas', 'pyarrow', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
