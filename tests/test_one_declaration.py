"""One declaration of a measure, and its texts, put it everywhere; a declaration without texts is named."""

from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_evaluation import CARD, FRAME, GATES, judged
from small_experiment import experiment_text

from credit_model.evaluation.gates import Evidence, verdicts_of
from credit_model.evaluation.measures import LEAST, MEASURES, TESTS, Measure, missing_texts
from credit_model.experiments.experiment import ExperimentErrors
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.recording import metrics_of
from credit_model.metrics.detection import lift
from credit_model.metrics.performance import Estimate
from credit_model.registry.runs import RunContent, log_run
from credit_model.registry.store import connected
from credit_model.reports.markdown import render_markdown
from credit_model.reports.model_card import ModelCard, render_model_card
from credit_model.reports.page import render_html
from credit_model.texts import words

ROOT = Path(__file__).parents[1]
LABELS = {"en": "Bads in the riskiest fifth", "zh": "风险最高五分之一所含坏样本"}
TEXTS = f"""
[measure]
capture_20 = {{ en = "{LABELS["en"]}", zh = "{LABELS["zh"]}" }}
capture_20_asks = {{ en = "How many bads are met there.", zh = "其中含有多少坏样本。" }}
"""


def share_of_bads(y: Any, risk: Any, share: float, **how: Any) -> Estimate:
    """Share of all bads met among the riskiest share of people.

    Notes
    -----
    Formula: the lift times the share.
    """
    times = lift(y, risk, share, **how)
    assert times.value is not None
    assert times.low is not None
    assert times.high is not None
    return Estimate(share * times.value, share * times.low, share * times.high)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Measure]:
    """A measure declared once, and the texts of the package with those of the measure."""
    measure = Measure(
        "capture_20", share_of_bads, ("y", "risk"), "percent", {"share": 0.2},
        gate=LEAST, gauge=(0, 1), headline=True, by_month=True, by_sample=True,
    )  # fmt: skip
    monkeypatch.setitem(MEASURES, measure.name, measure)
    folder = tmp_path / "texts"
    shutil.copytree(ROOT / "credit_model" / "texts", folder)
    report = folder / "report.toml"
    report.write_text(report.read_text(encoding="utf-8").replace("\n[measure]\n", TEXTS, 1), encoding="utf-8")
    monkeypatch.setattr(words, "files", lambda package: folder)
    words.load_texts.cache_clear()
    yield measure
    words.load_texts.cache_clear()


def test_an_evaluation_measures_it_in_every_part_that_its_declaration_names(declared: Measure) -> None:
    halves = FRAME.assign(half=FRAME["subject_id"].str[-1].astype(int) % 2)
    report = judged(halves, segments={"half": ("Half", "半数")})
    shown = report.segments["all"].measures[declared.name]
    assert shown.value is not None
    assert shown.low is not None
    assert shown.low < shown.value
    (breakdown,) = report.breakdowns
    for measures in (
        *(segment.measures for segment in report.segments.values() if not segment.counts.hidden),
        *(month.measures for month in report.months if not month.counts.hidden),
        *(cell.measures for cell in breakdown.parts.values() if not cell.counts.hidden),
        report.challengers[0].segments["all"].measures,
    ):
        assert declared.name in measures


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_pages_and_the_model_card_show_it_in_their_language(declared: Measure, language: str) -> None:
    report = judged()
    page = render_html(report, lang=language)
    tile, row = page.partition('<section id="gates">')[0], page.partition('<section id="ranking">')[2]
    path = f'data-from="segments/all/measures/{declared.name}/value"'
    assert LABELS[language] in tile
    assert path in tile
    assert LABELS[language] in row
    assert path in row
    card = ModelCard("personal-credit", 1, "Li Wei", CARD, report, report.digest)
    value = report.segments["all"].measures[declared.name].value
    assert value is not None
    assert f"| {LABELS[language]} | {value:.1%} (" in render_model_card(card, language)
    if language == "en":
        assert f"| {LABELS['en']} | {value:.1%} (" in render_markdown(report)


def test_a_tracked_run_holds_its_metrics(declared: Measure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    report = judged()
    run_id = log_run("one declaration", content=RunContent(metrics=metrics_of(report)))
    with connected() as client:
        run = client.get_run(run_id)
    estimate = report.segments["all"].measures[declared.name]
    for suffix, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
        assert run.data.metrics[f"all/{declared.name}{suffix}"] == value


def test_the_page_of_measures_takes_its_entry_from_the_docstring_of_its_function(declared: Measure) -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_measures.py"))["render_page"]()
    entry = page.partition("\n### share_of_bads\n")[2].partition("\n### ")[0]
    assert "- **Purpose.** Share of all bads met among the riskiest share of people." in entry
    assert "- **Formula.** the lift times the share." in entry


@pytest.mark.parametrize(("limit", "passes"), [(0.05, True), (0.99, False)])
def test_an_experiment_may_set_a_gate_on_it_which_the_run_and_the_promotion_judge(
    declared: Measure, tmp_path: Path, limit: float, passes: bool
) -> None:
    file = tmp_path / "gated.toml"
    file.write_text(experiment_text("A new gate?", f"[card]\n[gates]\n{declared.name} = {limit}\n"), encoding="utf-8")
    gates = load_experiment(file).gates
    assert gates == {declared.name: limit}
    report = judged(gates=GATES | gates)
    assert [gate.passed for gate in report.gates if gate.name == declared.name] == [passes]
    (verdict,) = verdicts_of(gates, Evidence(CARD, report.to_dict()))
    assert verdict.passed is passes
    section = render_html(report, lang="en").partition('<section id="gates">')[2].partition("</section>")[0]
    assert LABELS["en"] in section


def test_a_limit_of_another_form_is_refused_by_the_reader(declared: Measure, tmp_path: Path) -> None:
    file = tmp_path / "gated.toml"
    file.write_text(experiment_text("A wrong limit?", f"[card]\n[gates]\n{declared.name} = true\n"), encoding="utf-8")
    with pytest.raises(ExperimentErrors, match=r"capture_20.*the limit must be a least value"):
        load_experiment(file)


def test_no_declared_measure_lacks_a_text() -> None:
    assert missing_texts() == ()


def test_a_measure_declared_without_texts_is_named_with_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEASURES, "silent", Measure("silent", share_of_bads, ("y", "risk"), "percent", {"share": 0.2}))
    assert missing_texts()[0] == (
        "measure 'silent' is declared without 'silent' in 'en': add it to [measure] in texts/report.toml"
    )
    assert len(missing_texts()) == 4


def test_every_measure_and_test_is_declared_under_its_own_name() -> None:
    for name, declaration in (*MEASURES.items(), *TESTS.items()):
        assert declaration.name == name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
