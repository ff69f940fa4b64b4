"""A run is its experiment and its data: changed data make another run, which leaves the first as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from small_fines import EXPERIMENT, VARIABLE, invented_log, invented_tables
from typer.testing import CliRunner

from credit_model import UserError
from credit_model.cli.main import app, main
from credit_model.evaluation.comparison import compare
from credit_model.experiments.data_source import run_folder
from credit_model.experiments.pipeline import run
from credit_model.experiments.result import RunResult

SMALL = (("trials = 12", "trials = 2"), ('"road_traffic_fines/', f'"{EXPERIMENT.with_suffix("").as_posix()}/'))
DATA = {"first": 20261124, "second": 7, "third": 8}


@dataclass(frozen=True)
class Runs:
    """One experiment, run on two deliveries of the same table."""

    toml: Path
    data: dict[str, Path]
    first: RunResult
    first_documents: dict[str, bytes]
    second: RunResult


def documents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    root = tmp_path_factory.mktemp("data_of_runs")
    text = EXPERIMENT.read_text(encoding="utf-8")
    for before, after in SMALL:
        assert before in text
        text = text.replace(before, after)
    toml = root / "fines.toml"
    toml.write_text(text, encoding="utf-8")
    data = {name: invented_tables(root / name, invented_log(2_000, seed)) for name, seed in DATA.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDIT_MODEL_HOME", str(root / "home"))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        patch.setenv(VARIABLE, str(data["first"]))
        first = run(toml, author="Wang Li")
        before_second = documents(first.folder)
        patch.setenv(VARIABLE, str(data["second"]))
        second = run(toml, author="Wang Li")
        yield Runs(toml, data, first, before_second, second)


def test_a_run_on_changed_data_leaves_the_first_run_as_it_was(runs: Runs) -> None:
    assert runs.first.experiment_digest == runs.second.experiment_digest
    assert runs.first.data_digest != runs.second.data_digest
    assert runs.first.folder != runs.second.folder
    assert documents(runs.first.folder) == runs.first_documents
    assert Path(runs.first.report).read_bytes() != Path(runs.second.report).read_bytes()


def test_a_rerun_on_the_same_data_finds_the_same_folder(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(runs.data["first"]))
    again = run(runs.toml, author="Wang Li")
    assert (again.folder, again.data_digest) == (runs.first.folder, runs.first.data_digest)
    assert documents(again.folder) == runs.first_documents


def test_an_experiment_names_its_run_on_the_data_as_they_are_now(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, result in (("first", runs.first), ("second", runs.second)):
        monkeypatch.setenv(VARIABLE, str(runs.data[name]))
        assert run_folder(runs.toml) == Path(result.folder)
    monkeypatch.setenv(VARIABLE, str(runs.data["third"]))
    with pytest.raises(UserError, match=r"was run here on other data only.* name the folder of a run"):
        run_folder(runs.toml)


def test_a_run_id_names_the_run_that_recorded_it(runs: Runs) -> None:
    for result in (runs.first, runs.second):
        assert run_folder(result.run_id) == Path(result.folder)


def test_a_run_id_whose_folder_holds_something_else_by_now_is_refused(runs: Runs) -> None:
    card = Path(runs.first.folder) / "card.json"
    kept = card.read_bytes()
    try:
        card.write_bytes(kept + b"\n")
        with pytest.raises(UserError, match="holds what a later run left"):
            run_folder(runs.first.run_id)
    finally:
        card.write_bytes(kept)


def test_runs_on_different_data_are_never_told_to_show_no_difference(runs: Runs) -> None:
    answer = CliRunner().invoke(app, ["compare", runs.first.run_id, runs.second.run_id])
    assert "no difference shown" not in answer.output
    with pytest.raises(UserError, match="were not judged on the same rows"):
        compare(run_folder(runs.first.run_id), run_folder(runs.second.run_id))


def test_the_same_run_named_twice_is_refused_with_the_other_runs_of_the_experiment(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", runs.first.folder, runs.first.run_id, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert f"both name the run {Path(runs.first.folder).name}" in error
    assert runs.second.folder in error


def test_the_tracker_is_told_which_data_and_counts_openings_for_each(runs: Runs) -> None:
    client = mlflow.MlflowClient()
    tags = [client.get_run(result.run_id).data.tags for result in (runs.first, runs.second)]
    assert [tag["data_digest"] for tag in tags] == [runs.first.data_digest, runs.second.data_digest]
    assert [tag["openings_of_the_out_of_time_sample"] for tag in tags] == ["1", "1"]
