"""A run from its file to a registered card: the same experiment ends in the same card, undisturbed or killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_experiment import experiment_text

import credit_model
from credit_model import UserError
from credit_model.evaluation.comparison import compare
from credit_model.experiments.data_source import run_folder
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.out_of_time import OutOfTime, OutOfTimeError
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.result import RunResult
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.ledger.ledger import Ledger
from credit_model.registry.runs import RunContent
from credit_model.sample.development import DevelopmentSample, build_sample
from credit_model.scorecard.card import Card

EXPERIMENT = experiment_text(
    "Does a run walk the whole way?",
    """
max_look_back_months = 60
[card]
profile = "zhejiang_1000"
max_characteristics = { low = 2, high = 6 }
max_bins = { low = 2, high = 5 }
penalty = { low = 0.1, high = 10.0 }
trials = 3
[[card.policy_points]]
characteristic = "honours_60m"
points = [0, 6, 10]
approver = "Chen Jing"
ground = "honours are too rare to learn from"
[gates]
gini = 0.99
""",
    people=3_000,
    include=("adverse_*", "honours_60m", "volunteer_hours_24m"),
)
DOCUMENTS = (
    "card.json", "evaluation.json", "experiment.json", "reference.json", "report.html", "report.md", "trials.json",
)  # fmt: skip


@dataclass
class Notebook:
    """A tracker that remembers what it was told."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)

    def log_run(self, experiment: str, *, content: RunContent, **what: Any) -> str:
        self.runs.append({"experiment": experiment, **vars(content), **what})
        return f"run-{len(self.runs)}"

    def register(self, card: Card, run_id: str, **what: Any) -> Any:
        self.versions.append({"card": card, "run_id": run_id, **what})
        return SimpleNamespace(version=len(self.versions))


@dataclass(frozen=True)
class Ran:
    """An undisturbed run and everything it told."""

    result: RunResult
    tracker: Notebook
    said: list[str]
    documents: dict[str, bytes]


def documents(result: RunResult) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(result.folder).iterdir())}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("experiment") / "small.toml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def outside_git() -> Iterator[None]:
    """The commit is part of a card: nobody who commits while the tests run may change the card."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_DIR", os.devnull)
        yield


@pytest.fixture(scope="module")
def undisturbed(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDIT_MODEL_HOME", str(tmp_path_factory.mktemp("home")))
        tracker, said = Notebook(), list[str]()
        result = run(path, tracker=tracker, author="Wang Li", progress=said.append)
        return Ran(result, tracker, said, documents(result))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that nothing was done in yet."""
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def development(experiment: Experiment, ledger: str) -> DevelopmentSample:
    """The development sample of an experiment, observed anew; a made city is known until the end of October 2026."""
    return build_sample(
        Ledger.open(ledger), experiment.outcome, experiment.sample.development, experiment.features,
        day_of_use=experiment.ledger.day_of_use, known_through="2026-10-31", seed=experiment.seed,
    )  # fmt: skip


def test_a_result_names_the_ledger_the_report_and_the_figures(undisturbed: Ran, path: Path) -> None:
    result = undisturbed.result
    assert result.experiment == "small"
    assert result.experiment_digest == load_experiment(path).digest
    assert (result.run_id, result.model, result.version) == ("run-1", "personal-credit", 1)
    assert Ledger.open(result.ledger).policy == "tier"
    assert Path(result.report).read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert sorted(undisturbed.documents) == sorted((*DOCUMENTS, "judged.parquet"))
    value, low, high = result.figures["gini"]
    assert None not in (value, low, high)
    assert -1 <= low <= value <= high <= 1
    assert {"soft_gini", "ks", "brier"} <= set(result.figures)
    assert result.report in str(result)
    assert "models:/personal-credit/1" in str(result)


def test_card_and_evaluation_are_read_back_from_what_the_run_left(undisturbed: Ran) -> None:
    result = undisturbed.result
    assert (result.card.digest, result.card.id) == (result.card_digest, result.card_id)
    measures = result.evaluation.segments["all"].measures
    assert result.figures["gini"] == (measures["gini"].value, measures["gini"].low, measures["gini"].high)


def test_the_report_of_a_run_holds_samples_decisions_and_groups_with_the_audit_table_beside(
    undisturbed: Ran, path: Path
) -> None:
    report = undisturbed.result.evaluation
    assert {attribute.name for attribute in report.fairness.attributes} == {"sex", "age_band", "district"}
    columns = {feature.name for feature in load_experiment(path).features}
    assert not columns & {"sex", "age_band", "district"}
    sample = development(load_experiment(path), undisturbed.result.ledger)
    told = report.data.samples["development"]
    months = [cell for cell in told.rates if cell.segment == "all"]
    assert sum(cell.bads for cell in months) == sample.bads
    for month, vintage in zip(months, told.vintages, strict=True):
        assert vintage.cumulative[-1] == pytest.approx(month.rate)
        shown = [share for share in vintage.cumulative if share is not None]
        assert shown == sorted(shown)
    by_source = [source.development for source in report.fairness.sources]
    assert None in by_source or sum(by_source) == sample.bads
    assert report.decisions.eligible_from <= report.card["reference_points"]


def test_a_gate_that_was_missed_is_told_and_hides_nothing(undisturbed: Ran) -> None:
    (failed,) = undisturbed.result.failed_gates
    assert failed.startswith("gini (all) ")
    assert undisturbed.result.version == 1


def test_a_run_tells_what_it_does_in_order(undisturbed: Ran) -> None:
    said = [message.split(",")[0] for message in undisturbed.said]
    assert said == [
        "Making a city of 3", "Ingesting its records", "Observing the development sample", "Tuning: trial 1 of 3",
        "Tuning: trial 2 of 3", "Tuning: trial 3 of 3", "Fitting the card", "Opening the out-of-time sample",
        "Evaluating the card", "Recording the run",
    ]  # fmt: skip


def test_the_tracker_is_told_everything_that_makes_the_card_again(undisturbed: Ran) -> None:
    result, (told,), (version,) = undisturbed.result, undisturbed.tracker.runs, undisturbed.tracker.versions
    assert told["experiment"] == "small"
    assert told["tags"]["card_digest"] == result.card_digest
    assert told["tags"]["experiment_digest"] == result.experiment_digest
    assert told["tags"]["ledger_digest"] == Ledger.open(result.ledger).digest
    assert told["tags"]["evaluation_digest"] == result.evaluation.digest
    assert told["metrics"]["all/gini"] == result.figures["gini"][0]
    assert [Path(artifact).name for artifact in told["artifacts"]] == list(DOCUMENTS)
    assert (version["run_id"], version["author"], version["name"]) == ("run-1", "Wang Li", "personal-credit")
    assert version["card"].digest == result.card_digest


def test_the_card_has_the_settings_of_the_best_trial_and_the_declared_points(undisturbed: Ran) -> None:
    trials = json.loads(undisturbed.documents["trials.json"])
    card = undisturbed.result.card
    tuned = card.provenance["tuning"]
    assert tuned["trials"] == len(trials) == 3
    assert tuned["out_of_fold_gini"] == max(trial["gini"] for trial in trials)
    wanted = {"gini": tuned["out_of_fold_gini"], **tuned["settings"]}.items()
    assert any(wanted <= trial.items() for trial in trials)
    learned = [c for c in card.characteristics if c.policy is None]
    assert len(learned) <= tuned["settings"]["max_characteristics"]
    (declared,) = [c for c in card.characteristics if c.policy is not None]
    assert declared.name == "honours_60m"
    assert [a.points for a in declared.attributes][:3] == [0, 6, 10]


def test_the_probability_of_the_fitted_classifier_is_the_probability_of_the_card(undisturbed: Ran, path: Path) -> None:
    experiment, card = load_experiment(path), undisturbed.result.card
    sample = development(experiment, undisturbed.result.ledger)
    assert sample.digest == card.provenance["sample"]["digest"]
    classifier = ScorecardClassifier(
        experiment.features, profile=experiment.card.profile, record_monotone=experiment.card.record_monotone,
        policy_points=tuple(points.to_dict() for points in experiment.card.policy_points),
        method="woe_logistic", **card.provenance["tuning"]["settings"],
    )  # fmt: skip
    classifier.fit(sample.X, sample.y, sample.weight, sample.subject_id)
    by_card = card.score(sample.X[list(card.columns)])["probability_of_bad"].to_numpy()
    assert np.array_equal(classifier.predict_proba(sample.X)[:, 1], by_card)
    assert len(np.unique(by_card)) > 2


def test_the_same_experiment_elsewhere_ends_in_the_same_bytes(undisturbed: Ran, path: Path, home: Path) -> None:
    again = run(path, tracker=Notebook())
    assert Path(again.folder).is_relative_to(home)
    assert again.card_digest == undisturbed.result.card_digest
    assert documents(again) == undisturbed.documents


def test_a_second_run_keeps_the_ledger_and_the_trials_and_counts_its_look(path: Path, home: Path) -> None:
    tracker, said = Notebook(), list[str]()
    first = run(path, tracker=tracker)
    before = documents(first)
    second = run(path, tracker=tracker, progress=said.append)
    assert said == [
        "Observing the development sample", "Fitting the card", "Opening the out-of-time sample",
        "Evaluating the card", "Recording the run",
    ]  # fmt: skip
    assert documents(second) == before
    assert second.card_digest == first.card_digest
    # Another question, other settings, but the same rows are looked at once more.
    other = replace(load_experiment(path), question="Another?", name="other", gates={})
    other = replace(other, card=replace(other.card, max_characteristics=2, max_bins=2, penalty=1.0))
    third = run(other, tracker=tracker)
    assert third.card_digest != first.card_digest
    assert third.folder != first.folder
    assert [told["tags"]["openings_of_the_out_of_time_sample"] for told in tracker.runs] == [1, 2, 3]
    assert len((home / "out_of_time.jsonl").read_text().splitlines()) == 3


def test_the_out_of_time_door_opens_once(undisturbed: Ran, path: Path, tmp_path: Path) -> None:
    experiment, card, looks = load_experiment(path), undisturbed.result.card, list[int]()
    sample = development(experiment, undisturbed.result.ledger)

    def observe() -> DevelopmentSample:
        looks.append(1)
        return sample

    door = OutOfTime(observe, tmp_path / "log" / "out_of_time.jsonl")
    assert door.openings == 0
    assert door.open(experiment, card) is sample
    with pytest.raises(OutOfTimeError, match="experiment 'small': the out-of-time sample is open already"):
        door.open(experiment, card)
    assert (door.openings, len(looks)) == (1, 1)
    again = OutOfTime(observe, tmp_path / "log" / "out_of_time.jsonl")
    again.open(experiment, card)
    assert again.openings == 2


def test_openings_are_counted_by_the_observations_whatever_features_were_computed(
    undisturbed: Ran, path: Path, tmp_path: Path
) -> None:
    experiment, card = load_experiment(path), undisturbed.result.card
    sample = development(experiment, undisturbed.result.ledger)
    fewer = development(replace(experiment, features=experiment.features[:3]), undisturbed.result.ledger)
    assert fewer.digest != sample.digest
    other_outcome = replace(sample, y=1 - sample.y, digest="0" * 64)
    log, openings = tmp_path / "out_of_time.jsonl", list[int]()
    log.write_text(json.dumps({"sample": fewer.digest, "card": "", "experiment": "", "name": "of before"}) + "\n")
    for one in (sample, fewer, other_outcome, sample):
        door = OutOfTime(lambda one=one: one, log)
        door.open(experiment, card)
        openings.append(door.openings)
    assert openings == [1, 3, 1, 3], "lines of before are counted by the sample they name"


def test_a_run_is_found_by_its_experiment_and_compared_row_by_row(
    undisturbed: Ran, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(Path(undisturbed.result.folder).parents[1]))
    folder = run_folder(path)
    assert folder == Path(undisturbed.result.folder) == run_folder(folder)
    found = compare(folder, run_folder(path))
    gini = next(c for c in found.contests if c.measure == "gini")
    assert (gini.first.value, gini.first.low) == pytest.approx(undisturbed.result.figures["gini"][:2])
    assert {c.measure for c in found.contests} == {"gini", "soft_gini", "brier", "log_loss"}
    other = tmp_path / "other.toml"
    other.write_text(EXPERIMENT.replace("trials = 3", "trials = 4"))
    with pytest.raises(UserError, match="this experiment was not run here"):
        run_folder(other)


CHILD = """
import os, signal, sys
from test_run import Notebook
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.experiments.pipeline import run

def die():
    os.kill(os.getpid(), signal.SIGKILL)

path, where = sys.argv[1:]
ranked = 0
rank = ScorecardClassifier.decision_function

def killed(self, X):
    global ranked
    ranked += 1
    if ranked == 2 * (3 + 2):  # twice in a fold; the second fold of the second trial
        die()
    return rank(self, X)

if where == "within a trial":
    ScorecardClassifier.decision_function = killed
run(path, tracker=Notebook(), progress=lambda message: die() if message.startswith(where) else None)
"""


@pytest.mark.parametrize("where", ["Ingesting its records", "within a trial", "Evaluating the card"])
def test_a_killed_run_started_again_ends_in_the_same_bytes(
    where: str, undisturbed: Ran, path: Path, home: Path
) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", CHILD, str(path), where]
    killed = subprocess.run(command, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    said = list[str]()
    again = run(path, tracker=Notebook(), progress=said.append)
    assert documents(again) == undisturbed.documents
    left = {"Ingesting its records": [1, 2, 3], "within a trial": [2, 3], "Evaluating the card": []}[where]
    assert [int(message.split()[2]) for message in said if message.startswith("Tuning")] == left
    assert any(message.startswith("Making a city") for message in said) is (where == "Ingesting its records")


AGAIN = """
import sys
import credit_model
from test_run import Notebook
from credit_model.experiments.pipeline import run

print(credit_model.__file__)
run(sys.argv[1], tracker=Notebook(), progress=print)
"""


def test_trials_and_cities_are_reused_by_the_code_that_made_them_whatever_its_comments_say(
    undisturbed: Ran, path: Path, tmp_path: Path
) -> None:
    package = tmp_path / "changed" / "credit_model"
    shutil.copytree(Path(credit_model.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    home = Path(undisturbed.result.ledger).parents[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(package.parent), str(Path(__file__).parent)]),
        "CREDIT_MODEL_HOME": str(shutil.copytree(home, tmp_path / "home")),
    }

    def computed_again() -> list[str]:
        command = [sys.executable, "-c", AGAIN, str(path)]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        assert Path(lines[0]).parent == package
        return [
            message.split(maxsplit=1)[0].rstrip(":") for message in lines if message.startswith(("Making", "Tuning"))
        ]

    def edit(module: str, old: str, new: str) -> None:
        file = package / module
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    for module in ("learning/fitted_scorecard.py", "synthetic/amendments.py"):
        edit(module, '"""', '"""In other words: ')
        edit(module, "\nfrom __future__", "\n# A comment.\n\n\nfrom __future__")
    assert computed_again() == []
    edit("learning/fitted_scorecard.py", "_WORTH = 0.25", "_WORTH = 4.0")
    assert computed_again() == ["Tuning"] * 3  # the city is kept: learning does not make it
    edit("synthetic/amendments.py", "import json", "import json\n\nANOTHER_CITY = True")
    assert computed_again() == ["Making", *["Tuning"] * 3]


def test_a_ledger_in_a_folder_serves_in_place_of_a_made_city(undisturbed: Ran, tmp_path: Path, home: Path) -> None:
    ledger = Ledger.open(undisturbed.result.ledger)
    text = EXPERIMENT.replace('synthetic = { profile = "L", people = 3000 }', f'folder = "{ledger.path}"')
    text = text.replace("day_of_use = 2026-11-24", "day_of_use = 2026-11-24\nknown_through = 2026-10-31")
    path = tmp_path / "by_folder.toml"
    path.write_text(text, encoding="utf-8")
    result = run(path, tracker=Notebook())
    assert Path(result.ledger) == Path(ledger.path)
    assert not (home / "ledgers").exists()
    mine, others = result.card, undisturbed.result.card
    assert mine.provenance["sample"]["digest"] == others.provenance["sample"]["digest"]
    assert mine.characteristics == others.characteristics


def test_a_ledger_made_under_another_policy_is_refused(undisturbed: Ran, path: Path, home: Path) -> None:
    experiment = load_experiment(path)
    plan = replace(experiment.ledger, source=undisturbed.result.ledger, policy="retention")
    with pytest.raises(UserError, match=r"says policy 'retention', but the ledger in .* was made under 'tier'"):
        run(replace(experiment, ledger=plan), tracker=Notebook())
    assert not home.exists()


def test_a_run_whose_card_would_be_empty_is_refused_before_the_out_of_time_sample_is_opened(
    path: Path, home: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.toml"
    alone = EXPERIMENT.replace('"adverse_*", "honours_60m", "volunteer_hours_24m"', '"honours_60m"')
    alone = alone[: alone.index("[[card.policy_points]]")] + alone[alone.index("[gates]") :]
    empty.write_text(alone, encoding="utf-8")
    with pytest.raises(
        UserError, match=r"'empty' cannot end in a card: none of its 1 features earned points on .* bad"
    ):
        run(empty, tracker=Notebook(), author="Wang Li")
    assert not (home / "out_of_time.jsonl").exists()
