"""Without an extra: what the base installation does it goes on doing, and the rest names the extra in one line."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_card import penalty, small_card, small_evaluation, small_ledger
from small_evaluation import made_values
from small_experiment import experiment_text
from test_compare import left, observed

from credit_model import UserError
from credit_model.cli.main import app
from credit_model.features.build import build_features
from credit_model.foundation.extras import LIBRARIES, MissingExtraError, missing_extra, needed_for
from credit_model.ledger.ledger import Ledger
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot

ROOT = Path(__file__).parents[1]
# Runs commands as where these libraries are not installed, and prints code, stdout and stderr of each.
PROGRAM = """
import contextlib, io, json, sys
hidden, commands = json.loads(sys.argv[1])

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])

sys.meta_path.insert(0, Hide())
from credit_model.cli.main import main
answers = []
for command in commands:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(command)
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""
EXPERIMENT = experiment_text(
    "What does a run need?",
    """
[card]
""",
    people=300,
    include=("adverse_*",),
)
FIXED, SEARCHED = "max_characteristics = 3", "max_characteristics = { low = 2, high = 3 }\ntrials = 2"


def answers(folder: Path, hidden: list[str], commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """What commands answer in a process that cannot import the hidden libraries."""
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([hidden, commands])],
        capture_output=True, text=True, check=True, cwd=folder, env=environment,
    )  # fmt: skip
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger, a card, an experiment, observations, an evaluation."""
    folder = tmp_path_factory.mktemp("extras")
    ledger = small_ledger(
        folder / "ledger",
        [penalty("r1", "2025-10-10")],
        subjects=[{"subject_id": who} for who in "abcdefghijklmnopqrstuvwxyz"],
    )
    small_card().save(folder / "card.json")
    for name, card in {"small": FIXED, "searched": SEARCHED, "additive": f'{FIXED}\nmethod = "additive"'}.items():
        (folder / f"{name}.toml").write_text(EXPERIMENT + card, encoding="utf-8")
    reference = Reference.of(small_card(), Snapshot.take(ledger, small_card(), ["2025-12-01"]))
    (folder / "reference.json").write_text(reference.to_json(), encoding="utf-8")
    (folder / "mlflow.db").touch()
    (folder / "rows.csv").write_text("subject_id,as_of\na,2026-01-01\n", encoding="utf-8")
    (folder / "evaluation.json").write_text(small_evaluation(("gini", 0.4, 0.3, None)).to_json(), encoding="utf-8")
    rows = observed()[0]
    rows = replace(rows, X=made_values(len(rows), np.random.default_rng(1))[0])
    for name in ("run", "other run"):
        left(folder / name, SimpleNamespace(to_card=lambda name: small_card()), rows)
    return folder


EVERY_EXTRA = [library for library in LIBRARIES if library != "pydantic_core"]  # newer versions of typer bring it
PERSON = ["a", "--ledger", "ledger"]
APPROVED = ["--approver", "Zhou Min"]
LOG = ["--log", "log", "--log-head", "head"]
WITH_BASE = [
    ["synthesise", "city", "--people", "60"],
    ["ingest", "other", "--records", "city/records.parquet", "--subjects", "city/subjects.parquet"],
    ["features", "ledger", "rows.csv", "--out", "X.parquet"],
    ["explain", *PERSON, "--as-of", "2026-01-01", "--feature", "adverse_24m"],
    ["assess", *PERSON, "--model", "card.json"],
    ["history"],
    ["served-at", "2026-01-01"],
    ["serve", "--verify", *LOG],
    ["report", "evaluation.json"],
    ["compare", "run", "other run"],
    ["forget", *PERSON, *APPROVED, "--reason", "left"],
    ["expire", "ledger", "--on", "2018-06-01", *APPROVED],
    ["watch", "ledger", "--on", "2018-06-01"],
    ["catalogue"],
]
WITH_EXTRA = [
    ("train", ["run", "small.toml"]),
    ("train", ["monitor", "--ledger", "ledger", "--model", "card.json", "--reference", "reference.json"]),
    ("serve", ["promote", "1", *APPROVED]),
    ("serve", ["rollback", *APPROVED]),
    ("serve", ["card", "1"]),
    ("serve", ["upgrade"]),
    ("serve", ["serve", "card.json", "--ledger", "ledger", *LOG]),
]
"""Each with the extra it needs."""


def test_the_base_installation_does_all_its_commands(desk: Path) -> None:
    for command, (code, out, err) in zip(WITH_BASE, answers(desk, EVERY_EXTRA, WITH_BASE), strict=True):
        assert (command, code, err) == (command, 0, "")
        assert out


def test_a_command_that_needs_an_extra_names_it_in_one_line(desk: Path) -> None:
    as_json = [[*command, "--json"] for _, command in WITH_EXTRA]
    found = answers(desk, EVERY_EXTRA, [command for _, command in WITH_EXTRA] + as_json)
    for (extra, (name, *_)), (code, out, err), (json_code, json_out, json_err) in zip(
        WITH_EXTRA, found[: len(WITH_EXTRA)], found[len(WITH_EXTRA) :], strict=True
    ):
        line = rf"credit-model {name}: [\w-]+ is not installed\. Install it with: pip install 'credit-model\[{extra}\]'"
        assert re.fullmatch(f"error: {line}\n", err), err
        assert (code, out) == (2, "")
        assert re.fullmatch(line, json.loads(json_out)["error"])
        assert (json_code, json_err) == (2, "")


@pytest.mark.parametrize(
    ("library", "distribution", "experiment"),
    [
        ("sklearn", "scikit-learn", "small"),
        ("scipy", "scipy", "small"),
        ("threadpoolctl", "threadpoolctl", "small"),
        ("optuna", "optuna", "searched"),
        ("lightgbm", "lightgbm", "additive"),
    ],
)
def test_each_library_of_a_run_is_named_when_it_alone_is_missing(
    library: str, distribution: str, experiment: str, desk: Path
) -> None:
    ((code, out, err),) = answers(desk, [library], [["run", f"{experiment}.toml"]])
    assert (code, out) == (2, "")
    assert err == (
        f"error: credit-model run: {distribution} is not installed. "
        "Install it with: pip install 'credit-model[train]'\n"
    )


def test_no_command_is_left_out() -> None:
    registered = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = {command[0] for command in [*WITH_BASE, *(command for _, command in WITH_EXTRA)]}
    assert registered == named


def test_in_python_the_message_names_the_attribute() -> None:
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import credit_model as cm\n"
        "try:\n    cm.ScorecardClassifier\n"
        "except ImportError as error:\n    print(isinstance(error, cm.UserError), error, sep='|')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "ScorecardClassifier: scikit-learn is not installed. Install it with: pip install" in done.stdout
    assert done.stdout.startswith("True|")


def test_spark_asked_for_without_its_extra_is_named(monkeypatch: pytest.MonkeyPatch, desk: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.delitem(sys.modules, "pyspark.sql", raising=False)
    rows = pd.DataFrame({"subject_id": ["b"], "as_of": ["2026-01-01"]})  # "a" is forgotten by another test
    with pytest.raises(UserError, match=r"^Spark: pyspark is not installed\..* 'credit-model\[spark\]'$"):
        build_features(Ledger.open(desk / "ledger"), rows, engine="spark")


def test_a_library_that_is_there_but_does_not_serve_is_not_called_missing() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"a card: the scipy that is installed does not serve \(.*--upgrade"),
        needed_for("a card"),
    ):
        from scipy.stats import no_such_distribution  # noqa: F401


def test_an_import_that_fails_for_another_reason_stays_what_it_is() -> None:
    assert missing_extra(ModuleNotFoundError("No module named 'pandas'", name="pandas"), "x") is None
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needed_for("a card"):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401


def test_what_is_missing_is_told_by_whoever_was_asked_and_by_another_process() -> None:
    error = missing_extra(ModuleNotFoundError(name="sklearn"), "a card")
    assert error is not None
    assert str(missing_extra(error, "credit-model run")).startswith("credit-model run: the scikit-learn that")
    assert isinstance(error, UserError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_every_library_of_an_extra_is_known_with_an_extra_that_brings_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    brought = {
        extra: {re.split(r"[<>=\[]", one)[0].removesuffix("-skinny") for one in requirements}
        for extra, requirements in extras.items()
        if extra not in ("bench", "dev")
    }
    known = {name for name, _ in LIBRARIES.values()}
    assert known - {"nbformat"} == set().union(*brought.values())  # nbclient brings nbformat
    assert all(name in brought[extra] for name, extra in LIBRARIES.values() if name != "nbformat")
