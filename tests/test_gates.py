"""One table of gates, read by the experiment and by the judge; what was declared, what passed, what is not judged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_card import small_card, small_evaluation
from small_evaluation import CARD, FULL, judged
from small_experiment import experiment_text

from credit_model.cli.main import main
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.gates import Evidence, gate_rules, verdicts_of
from credit_model.evaluation.measures import LEAST, MEASURES
from credit_model.experiments.experiment import Experiment, ExperimentErrors
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import load_experiment
from credit_model.features.dictionary import library
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html

EXPERIMENT = experiment_text(
    "What do the gates say?",
    """
[card]
profile = "zhejiang_1000"
max_characteristics = 3
max_bins = 3
penalty = 0.1
""",
    people=6_000,
    include=("*",),
)
OWN = """
schema = 1
[[feature]]
name = "my_records_24m"
label_zh = "近24个月不良信息条数"
label_en = "Adverse records, 24 months"
where = { polarity = "adverse" }
aggregate = "count"
window = "24m"
trend = "higher_is_worse"
reason = "A901"
"""
ALONE = (
    "1 definition of own.toml alone, without the default dictionary "
    '(extends = "default" under [features] would add them to it)'
)
LIMITS: dict[str, Any] = {
    **{name: 0.1 for name, measure in MEASURES.items() if measure.gate is LEAST},
    "gini_minus_champion": 0.1,
    "slope": [0.5, 1.5],
    "observed_to_expected": 0.1,
    "psi_of_grades": 0.1,
    "psi_of_tail": 0.1,
    "eligibility_ratio": 0.8,
    "record_monotone": True,
    "severity_order": 0,
    "reasons": True,
    "latency_ms": 1_000.0,
    "documents": ["card.json", "report.html"],
    "impact_assessment": True,
}


def load(text: str, folder: Path, definitions: str = OWN) -> Experiment:
    (folder / "own.toml").write_text(definitions, encoding="utf-8")
    (folder / "gated.toml").write_text(text, encoding="utf-8")
    return load_experiment(folder / "gated.toml")


def with_gates(**limits: Any) -> str:
    return EXPERIMENT + "[gates]\n" + "".join(f"{name} = {json.dumps(limit)}\n" for name, limit in limits.items())


# ---------------------------------------------------------------------------------------------------- one table


def test_every_gate_that_a_file_may_declare_is_judged_and_named_on_every_page(tmp_path: Path) -> None:
    assert LIMITS.keys() == gate_rules().keys()
    declared = load(with_gates(**LIMITS), tmp_path).gates
    assert declared.keys() == LIMITS.keys()
    report = judged_by_run(declared)
    assert [verdict.name for verdict in report.verdicts] == list(LIMITS)
    for verdict in report.verdicts:
        assert (verdict.passed is None) == bool(verdict.reason_en and verdict.reason_zh), verdict
    for language in ("en", "zh"):
        section = render_html(report, lang=language).partition('<section id="gates">')[2].partition("</section>")[0]
        labels = set(re.findall(r'<th scope="row">(.*?)</th>', section))
        assert len(labels) == len(LIMITS)
        assert not labels & {said for name in LIMITS for said in (name, name.replace("_", " "))}, "named in words"


def test_a_gate_declared_with_a_measure_is_read_judged_and_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MEASURES, "auc", replace(MEASURES["auc"], gate=LEAST))
    declared = load(with_gates(auc=0.99), tmp_path).gates
    report = judged(gates=declared)
    assert [(gate.name, gate.passed) for gate in report.failed_gates] == [("auc", False)]
    assert "AUC" in render_html(report, lang="en")
    assert "AUC" in render_markdown(report)


@pytest.mark.parametrize("gates", [{"beauty": 0.5}, {"slope": 1.0}])
def test_a_gate_the_judge_does_not_know_is_refused_before_anything_is_made(
    gates: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(tmp_path / "home"))
    with pytest.raises(ExperimentErrors, match=rf"\[gates\] {next(iter(gates))}"):
        load(with_gates(**gates), tmp_path)
    experiment = replace(load(EXPERIMENT, tmp_path), gates=gates)
    said: list[str] = []
    with pytest.raises(ExperimentErrors, match=rf"\[gates\] {next(iter(gates))}"):
        run(experiment, tracker=SimpleNamespace(), progress=said.append)  # type: ignore[arg-type]
    assert said == []
    assert not (tmp_path / "home").exists()


# ---------------------------------------------------------------------------------------------------- what is said


def judged_by_run(declared: Any) -> EvaluationReport:
    """The evaluation with every declared gate, as a run leaves it."""
    measured = judged(gates={name: limit for name, limit in declared.items() if gate_rules()[name].measure})
    report = replace(FULL, gates=measured.gates, segments=measured.segments)
    found = verdicts_of(declared, Evidence(CARD, report.to_dict(), frozenset({"card.json", "report.html"})))
    return replace(report, verdicts=found)


def test_the_report_says_how_many_gates_were_declared_passed_and_why_some_are_not_judged() -> None:
    report = judged_by_run({"soft_gini": 0.0, "reasons": True, "latency_ms": 50.0, "impact_assessment": True})
    assert report.gates_passed is True
    page = render_html(report, lang="en")
    assert "2 of 4 declared gates passed; 2 are judged at promotion." in page
    assert "timed on the machine that promotes" in page
    assert "attached at promotion" in page
    assert "2 of 4 declared gates passed; 2 are judged at promotion." in render_markdown(report)
    assert "声明的4项门槛中有2项通过；2项在启用时判定" in render_html(report, lang="zh")
    failed = judged_by_run({"gini": 0.99, "ks": 0.0, "impact_assessment": True})
    assert failed.gates_passed is False
    assert "1 of 3 declared gates failed, 1 passed; 1 is judged at promotion." in render_markdown(failed)
    assert judged_by_run({"impact_assessment": True}).gates_passed is None


def test_what_an_evaluation_says_of_its_gates_survives_json() -> None:
    report = judged_by_run({"gini": 0.99, "reasons": True, "impact_assessment": True})
    assert EvaluationReport.from_json(report.to_json()) == report


def test_without_declared_gates_nothing_is_passed() -> None:
    assert judged(gates=None).gates_passed is None
    assert "No gates were declared for this run, so none was passed." in render_html(judged(gates=None), lang="en")


def test_a_version_without_declared_gates_is_not_tagged_as_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)

    def tags(evaluation: EvaluationReport, gates: Any) -> Any:
        made = register(small_card(), log_run("made"), author="Li Wei", evaluation=evaluation, gates=gates)
        found = MlflowClient(store).get_model_version(made.name, str(made.version)).tags
        return {name: json.loads(found[name]) for name in ("gates_passed", "gates_declared", "gates_not_judged")}

    none = {"gates_passed": None, "gates_declared": [], "gates_not_judged": []}
    assert tags(small_evaluation(), {}) == none
    pending = {"gates_passed": None, "gates_declared": ["impact_assessment"], "gates_not_judged": ["impact_assessment"]}
    assert tags(small_evaluation(), {"impact_assessment": True}) == pending
    good = small_evaluation(("gini", 0.41, 0.3, None))
    some = {"gates_passed": True, "gates_declared": ["gini", "latency_ms"], "gates_not_judged": ["latency_ms"]}
    assert tags(good, {"gini": 0.3, "latency_ms": 50.0}) == some


@pytest.mark.parametrize(
    ("value", "limit", "says"),
    [
        (0.412345678901, 0.5, "gini (all) is 0.4123, limit at least 0.5"),
        (0.499999999, 0.5, "gini (all) is 0.4999, limit at least 0.5"),
    ],
)
def test_a_value_has_four_figures_and_never_reads_like_the_limit_it_missed(
    value: float, limit: float, says: str
) -> None:
    evaluation = small_evaluation(("gini", value, limit, None))
    (verdict,) = verdicts_of({"gini": limit}, Evidence(CARD, evaluation.to_dict()))
    assert [str(check) for check in verdict.checks] == [says]


# ---------------------------------------------------------------------------------------------------- definitions


def test_own_definitions_are_added_to_the_dictionary_with_a_word(tmp_path: Path) -> None:
    alone = load(EXPERIMENT.replace('include = ["*"]', 'definitions = "own.toml"'), tmp_path)
    added = load(EXPERIMENT.replace('include = ["*"]', 'extends = "default"\ndefinitions = "own.toml"'), tmp_path)
    assert [d.name for d in alone.features] == ["my_records_24m"]
    assert [d.name for d in added.features] == [*(d.name for d in library()), "my_records_24m"]
    assert alone.definitions == ALONE
    assert added.definitions == f"the default dictionary ({len(library())} definitions) and 1 of own.toml"
    assert load(EXPERIMENT, tmp_path).definitions == f"the default dictionary ({len(library())} definitions)"


@pytest.mark.parametrize(
    ("said", "definitions", "fault"),
    [
        ('extends = "defautl"\ndefinitions = "own.toml"', OWN, "did you mean 'default'?"),
        ('extends = "default"', OWN, "[features] extends: goes with definitions"),
        (
            'extends = "default"\ndefinitions = "own.toml"',
            OWN.replace("my_records_24m", library()[0].name),
            f"[features] definitions: {library()[0].name!r} is in the default dictionary already",
        ),
    ],
)
def test_a_word_that_cannot_be_followed_is_a_fault_of_the_file(
    said: str, definitions: str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(ExperimentErrors) as caught:
        load(EXPERIMENT.replace('include = ["*"]', said), tmp_path, definitions)
    assert any(fault in one for one in caught.value.faults), caught.value.faults


# ---------------------------------------------------------------------------------------------------- the command


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command in this process, at a desk with nothing on it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_card_of_one_characteristic_without_gates_is_warned_of_and_not_passed(
    command: Command, tmp_path: Path
) -> None:
    load(EXPERIMENT.replace('include = ["*"]', 'definitions = "own.toml"'), tmp_path)
    code, out, _ = command("run", tmp_path / "gated.toml", "--author", "Li Wei", "--json")
    result = json.loads(out)
    assert code == 0
    assert (result["gates_passed"], result["gates_declared"], result["failed_gates"]) == (None, [], [])
    assert result["definitions"] == ALONE
    (warning,) = result["warnings"]
    assert warning.startswith("the card has 1 characteristic, fewer than 3: ")
    report = json.loads((Path(result["folder"]) / "evaluation.json").read_text(encoding="utf-8"))
    assert warning in [note["text_en"][0].lower() + note["text_en"][1:] for note in report["context"]["notes"]]
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "The card has 1 characteristic, fewer than 3" in page
    assert "评分卡仅有1项特征" in page

    code, out, _ = command("run", tmp_path / "gated.toml", "--author", "Li Wei")
    assert code == 0
    assert f"features from {ALONE}" in out
    assert "warning: the card has 1 characteristic, fewer than 3" in out
    assert "no gates declared" in out
    assert "--without-gates" in out
    code, out, err = command("promote", "1", "--approver", "Zhou Min")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "its experiment declares no gates" in err


def test_a_run_that_fails_a_gate_leaves_with_three_and_says_value_limit_and_what_is_not_judged(
    command: Command, tmp_path: Path
) -> None:
    limits = {"gini": 0.99, "record_monotone": True, "reasons": True, "documents": ["card.json"], "latency_ms": 50.0}
    text = with_gates(**limits, impact_assessment=True).replace('include = ["*"]', 'include = ["adverse_*"]')
    load(text, tmp_path)
    code, out, _ = command("run", tmp_path / "gated.toml", "--author", "Li Wei", "--json")
    result = json.loads(out)
    assert code == 3
    assert (result["gates_passed"], result["version"]) == (False, 1)
    assert result["gates_declared"] == [*limits, "impact_assessment"]
    assert result["gates_not_judged"].keys() == {"latency_ms", "impact_assessment"}
    (failed,) = result["failed_gates"]
    value = failed.removeprefix("gini (all) is ").removesuffix(", limit at least 0.99")
    assert value == f"{result['figures']['gini'][0]:.4g}"

    code, out, _ = command("run", tmp_path / "gated.toml", "--author", "Li Wei")
    assert code == 3
    assert f"gate failed: {failed}" in out
    assert "gates: 6 declared, 3 passed, 1 failed, 2 judged at promotion" in out
    assert "latency_ms: timed on the machine that promotes" in out
    page = Path(result["report"]).read_text(encoding="utf-8")
    assert "1 of 6 declared gates failed, 3 passed; 2 are judged at promotion." in page
