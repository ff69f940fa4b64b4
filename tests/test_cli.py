"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_card import DAY_OF_USE, penalty, small_card, small_evaluation, small_ledger
from small_evaluation import CARD, FRAME, beside
from small_experiment import experiment_text

from credit_model.cli.main import app, main
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.registry.registration import register
from credit_model.registry.runs import RunContent, log_run

EXPERIMENT = experiment_text(
    "Does the command line walk the whole way?",
    """
[card]
method = "woe_logistic"
profile = "zhejiang_1000"
max_characteristics = 3
max_bins = 3
penalty = 1.0
[[card.policy_points]]
characteristic = "honours_60m"
points = [0, 6, 10]
approver = "Chen Jing"
ground = "honours are too rare to learn from"
[gates]
gini = 0.99
""",
    people=2_000,
    include=("adverse_*", "honours_60m"),
)
COMMANDS = (
    "synthesise",
    "ingest",
    "catalogue",
    "features",
    "run",
    "report",
    "compare",
    "promote",
    "rollback",
    "history",
    "served-at",
    "card",
    "forget",
    "expire",
    "watch",
    "upgrade",
    "assess",
    "explain",
    "serve",
    "monitor",
)


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        value = json.loads(line)
        assert isinstance(value, dict)
        return value


Run = Callable[..., Answer]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger, a card, a store with a good version and one that failed a gate; the current folder is elsewhere."""
    folder = tmp_path_factory.mktemp("desk")
    small_ledger(
        folder / "ledger",
        [
            penalty("r1", "2025-10-10"),
            {"record_id": "r2", "kind": "dishonest_executee", "decided_on": "2022-03-01"},
            {"record_id": "r3", "kind": "honour", "decided_on": "2025-05-01"},
        ],
        subjects=[{"subject_id": "a"}, {"subject_id": "b"}, {"subject_id": "c", "born_on": "2015-01-01"}],
    )
    small_card().save(folder / "card.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.chdir(tmp_path_factory.mktemp("current"))
        for low in (0.3, 0.5):
            evaluation = small_evaluation(("gini", 0.41, low, None))
            (folder / "evaluation.json").write_text(evaluation.to_json(), encoding="utf-8")
            run = log_run("desk", content=RunContent(artifacts=[folder / "evaluation.json"]))
            register(small_card(), run, author="Li Wei", evaluation=evaluation)
        (folder / "run_id").write_text(run, encoding="utf-8")
        yield folder


def _assess(desk: Path, subject: str = "a", **options: str) -> list[object]:
    given = {"model": str(desk / "card.json"), "day-of-use": DAY_OF_USE} | options
    return ["assess", subject, "--ledger", desk / "ledger", *(part for k, v in given.items() for part in (f"--{k}", v))]


def test_there_is_a_command_for_every_step_and_for_nothing_that_is_not_built() -> None:
    assert tuple(command.name or command.callback.__name__ for command in app.registered_commands) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_ends_in_an_example(name: str, command: Run) -> None:
    answer = command(name, "--help")
    assert answer.code == 0
    assert f"Example: credit-model {name} " in " ".join(answer.out.split())
    assert "--json" in answer.out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "credit_model", "assess"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: Missing argument 'subject'. See `credit-model assess --help`.\n"


def test_a_city_goes_from_raw_tables_to_features(command: Run, tmp_path: Path) -> None:
    city, ledger = tmp_path / "city", tmp_path / "ledger"
    made = command("synthesise", city, "--people", "60", "--profile", "L", "--json").json
    assert (made["people"], made["profile"]) == (60, "L")
    assert "truth/true_risk.parquet" in made["files"]
    tables = ("records", "amendments", "subjects", "audit")
    files = [part for table in tables for part in (f"--{table}", city / f"{table}.parquet")]
    report = command("ingest", ledger, *files, "--json").json
    assert report["tables"]["records"]["accepted"] == made["rows"]["records"]
    again = command("ingest", ledger, *files, "--json").json
    assert again["accepted"] == 0
    observations = tmp_path / "observations.csv"
    observations.write_text("subject_id,as_of\nS0000001,2025-01-01\nS0000002,2025-06-01\n", encoding="utf-8")
    out = tmp_path / "X.parquet"
    answer = command("features", ledger, observations, "--out", out, "--json")
    assert answer.json == {"observations": 2, "out": str(out), "unknown_subjects": 0}
    assert answer.err == ""
    assert pd.read_parquet(out)["subject_id"].tolist() == ["S0000001", "S0000002"]


def test_what_was_refused_at_ingest_is_said_with_its_reasons_and_too_much_of_it_is_exit_3(
    command: Run, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "subject_id,kind,decided_on,known_on\na,honour,2025-01-01,2025-01-02\na,gossip,2025-01-01,2025-01-02\n",
        encoding="utf-8",
    )
    answer = command("ingest", tmp_path / "ledger", "--records", rows)
    assert answer.code == 3
    assert "1 rows accepted, 0 known already\n1 refused: unknown_kind" in answer.out
    assert "refused rows are in" in answer.out
    assert "1 of 2 rows were refused (50%)" in answer.err
    allowed = command("ingest", tmp_path / "ledger", "--records", rows, "--max-rejected", "0.5")
    assert (allowed.code, allowed.err) == (0, "")


def test_an_experiment_ends_in_a_registered_card_its_figures_and_its_report(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(tmp_path / "home"))
    (tmp_path / "walk.toml").write_text(EXPERIMENT, encoding="utf-8")
    answer = command("run", tmp_path / "walk.toml", "--author", "Li Wei", "--json")
    result = answer.json
    assert (answer.code, answer.err) == (3, "")  # a gate of the experiment is out of reach
    assert (result["experiment"], result["model"], result["version"]) == ("walk", "personal-credit", 1)
    assert {"gini", "soft_gini", "slope", "observed_to_expected"} <= set(result["figures"])
    assert Path(result["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    again = tmp_path / "again.html"
    assert command("report", result["run_id"], "--out", again).out == f"report in {again}\n"
    assert again.read_text(encoding="utf-8") == Path(result["report"]).read_text(encoding="utf-8")
    refused = command("promote", "1", "--approver", "Zhou Min")
    assert refused.code == 3
    assert "gini (all) is" in refused.err

    shown = command("run", tmp_path / "walk.toml", "--author", "Li Wei").out
    for said in (
        result["card_id"],
        "version 2",
        "out of time",
        "gini",
        "observed to expected",
        "gate failed",
        "report",
    ):
        assert said in shown


def test_a_person_reads_score_reasons_status_and_how_to_object(command: Run, desk: Path) -> None:
    answer = command(*_assess(desk))
    assert (answer.code, answer.err) == (0, "")
    for said in ("700", "失信被执行人", "A411", "-80", "A104", "-26", "r1", "2026-10-10", "P201", "+6", "now 实时"):
        assert said in answer.out
    assert "可向信用主管部门提出异议" in answer.out
    assert "You may object" in answer.out


def test_who_is_not_scored_reads_why(command: Run, desk: Path) -> None:
    answer = command(*_assess(desk, "c"))
    assert answer.code == 0
    assert "Not scored: the person is under 18." in answer.out
    assert "Score" not in answer.out


def test_an_assessment_as_json_has_the_fields_of_the_returned_value(command: Run, desk: Path) -> None:
    from credit_model import Ledger, load_evaluator

    answer = command(*_assess(desk, **{"as-of": "2026-07-01", "purpose": "audit", "authorisation": "A-1"}), "--json")
    evaluator = load_evaluator(desk / "card.json", Ledger.open(desk / "ledger"))
    expected = evaluator.assess("a", "2026-07-01", None, "audit", "A-1", DAY_OF_USE)
    assert answer.json == expected.to_dict()
    assert answer.err == ""


def test_explain_names_the_records_of_a_feature_and_the_ground_of_those_left_out(command: Run, desk: Path) -> None:
    arguments = ["explain", "a", "--ledger", desk / "ledger", "--as-of", "2026-07-01", "--feature", "adverse_24m"]
    value = command(*arguments, "--day-of-use", DAY_OF_USE, "--json").json
    assert (value["subject_id"], value["as_of"], value["feature"]) == ("a", "2026-07-01", "adverse_24m")
    found = {row["record_id"]: (row["used"], row["ground"], row["decided_on"][:10]) for row in value["records"]}
    assert found == {
        "r1": (True, "", "2025-10-10"),
        "r2": (False, "outside_the_window", "2022-03-01"),
        "r3": (False, "not_matched", "2025-05-01"),
    }
    shown = command(*arguments, "--day-of-use", DAY_OF_USE).out
    assert "outside_the_window" in shown
    assert (value["value"], value["sentence_zh"][-1]) == (1, "。")
    assert shown.startswith("adverse_24m = 1.0. Number of adverse records, decided in the 24 months")


def test_ids_that_look_like_markup_are_printed_as_they_stand(command: Run, desk: Path, tmp_path: Path) -> None:
    subject, record = "[/] a:star:", "[bold]r[/red] :smile:"
    small_ledger(
        tmp_path / "ledger",
        [penalty(record, "2025-10-10") | {"subject_id": subject}, penalty("old", "2021-10-10")],
        subjects=[{"subject_id": subject}, {"subject_id": "a"}],
    )
    common = ["--ledger", tmp_path / "ledger", "--as-of", "2026-07-01", "--day-of-use", DAY_OF_USE]
    explained = command("explain", subject, *common, "--feature", "adverse_24m")
    assert (explained.code, record in explained.out) == (0, True)
    assessed = command("assess", subject, *common, "--model", desk / "card.json")
    assert (assessed.code, record in assessed.out, subject in assessed.out) == (0, True, True)


def test_a_record_that_may_never_be_used_leaves_its_first_day_blank(command: Run, tmp_path: Path) -> None:
    small_ledger(tmp_path / "ledger", [penalty("petty", "2025-10-10", tier="minor")])
    arguments = ["explain", "a", "--ledger", tmp_path / "ledger", "--as-of", "2026-07-01", "--feature", "adverse_24m"]
    (row,) = command(*arguments, "--day-of-use", DAY_OF_USE, "--json").json["records"]
    assert (row["visible_from"], row["used"]) == (None, False)
    (line,) = [line for line in command(*arguments, "--day-of-use", DAY_OF_USE).out.splitlines() if "petty" in line]
    assert line.split() == ["petty", "False", row["ground"], "adm_penalty", "2025-10-10", "2025-10-10"]


def test_a_person_is_forgotten_with_proof_and_without_being_named(command: Run, tmp_path: Path) -> None:
    small_ledger(
        tmp_path / "ledger", [penalty("r1", "2025-10-10")], subjects=[{"subject_id": "a"}, {"subject_id": "b"}]
    )
    asked = ["forget", "a", "--ledger", tmp_path / "ledger", "--approver", "Zhou Min", "--reason", "left the register"]
    value = command(*asked, "--json").json
    assert (value["removed"]["records"], value["removed"]["subjects"], value["complete"]) == (1, 1, True)
    again = command(*asked)
    assert again.code == 0
    assert "nothing left to remove; " in again.out
    assert "files searched afterwards, in none" in again.out
    unknown = command("forget", "nobody", *asked[2:])
    assert unknown.code == 2


def test_promote_and_assess_through_the_registry(command: Run, desk: Path) -> None:
    answer = command("promote", "1", "--approver", "Zhou Min")
    assert answer.code == 0
    assert answer.out == "models:/personal-credit@champion is now version 1, approved by Zhou Min; gates: gini (all)\n"
    value = command("promote", "1", "--approver", "Zhou Min", "--json").json
    assert (value["version"], value["previous"], value["author"]) == (1, 1, "Li Wei")
    through = command(*_assess(desk, model="models:/personal-credit@champion"), "--json").json
    assert through == command(*_assess(desk), "--json").json


def test_a_gate_that_says_no_leaves_with_three(command: Run, desk: Path) -> None:
    answer = command("promote", "2", "--approver", "Zhou Min", "--json")
    assert answer.code == 3
    assert answer.json.keys() == {"error"}
    assert "gini (all) is 0.41, limit at least 0.5" in answer.json["error"]
    assert answer.err == ""


def test_scored_rows_and_attributes_become_a_report_and_its_json_in_one_command(command: Run, tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "scored.parquet")
    FRAME.to_csv(tmp_path / "scored.csv", index=False)
    beside().to_csv(tmp_path / "audit.csv", index=False)
    CARD.save(tmp_path / "card.json")
    pages = []
    for rows in ("scored.parquet", "scored.csv"):
        given_ = (tmp_path / rows, "--attributes", tmp_path / "audit.csv", "--card", tmp_path / "card.json")
        out = tmp_path / f"{rows}.html"
        told = command("report", *given_, "--lang", "zh", "--out", out, "--json").json
        assert told["report"] == str(out)
        evaluation = EvaluationReport.from_json(Path(told["evaluation"]).read_text(encoding="utf-8"))
        assert {attribute.name for attribute in evaluation.fairness.attributes} == {"sex", "district"}
        pages.append((out.read_bytes(), evaluation.digest))
    assert pages[0] == pages[1]
    wrong = command("report", tmp_path / "card.json", "--cutoff", "700")
    assert (wrong.code, "for scored rows" in wrong.err) == (2, True)
    missing = command("report", tmp_path / "missing.parquet")
    assert (missing.code, "Cannot read" in missing.err) == (2, True)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_report_is_rendered_again_from_a_run_or_its_figures(
    lang: str, command: Run, desk: Path, tmp_path: Path
) -> None:
    pages = []
    for number, source in enumerate([(desk / "run_id").read_text(), desk / "evaluation.json"]):
        out = tmp_path / f"{number}.html"
        assert command("report", source, "--lang", lang, "--out", out, "--json").json == {
            "report": str(out),
            "lang": lang,
        }
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]
    assert f'lang="{lang}'.encode() in pages[0]


def test_an_error_is_one_line_on_stderr_or_one_object_on_stdout(command: Run, desk: Path) -> None:
    line = (
        "purpose 'deny' is not permitted; permitted are self_query, incentive, service_priority, model_validation, "
        "audit, dispute_review."
    )
    arguments = _assess(desk, purpose="deny")
    assert command(*arguments) == Answer(2, "", f"error: {line}\n")
    answer = command(*arguments, "--json")
    assert (answer.code, answer.json, answer.err) == (2, {"error": line}, "")


def test_a_fault_of_ours_is_one_line_that_tells_no_value(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: object) -> None:
        raise RuntimeError("诺一")

    monkeypatch.setattr("credit_model.ledger.ledger.Ledger.open", fail)
    arguments = ["explain", "a", "--ledger", "x", "--as-of", "2026-01-01", "--feature", "f"]
    answer = command(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: a fault of ours (RuntimeError).")
    assert "诺一" not in answer.err
    monkeypatch.setenv("CREDIT_MODEL_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="诺一"):
        main(arguments)


def test_an_interrupted_command_says_so(command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("credit_model.ledger.ledger.Ledger.open", interrupt)
    answer = command("explain", "a", "--ledger", "x", "--as-of", "2026-01-01", "--feature", "f")
    assert answer == Answer(130, "", "error: interrupted.\n")


def test_without_a_command_the_help_is_shown(command: Run) -> None:
    answer = command()
    assert answer.code == 2
    assert "Usage: credit-model" in answer.out + answer.err
    assert "error:" not in answer.err
