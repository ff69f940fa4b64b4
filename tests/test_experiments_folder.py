"""Every experiment of the repository loads, and runs to a card when it is made small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_fines import VARIABLE, invented_tables

from credit_model.experiments.experiment import SyntheticCity
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import load_experiment
from credit_model.ledger.ledger import Ledger
from credit_model.registry.runs import RunContent
from credit_model.scorecard.card import Card

EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").glob("*.toml"))
NAMES = [path.stem for path in EXPERIMENTS]
# The profile with many events, so that three thousand people are enough to learn from.
SMALL_CITY = SyntheticCity("L", 3_000, 20261124)


class Tracker:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.registered: list[Card] = []

    def log_run(self, experiment: str, *, content: RunContent, **what: Any) -> str:
        self.told = {"experiment": experiment, **vars(content), **what}
        return "run-1"

    def register(self, card: Card, run_id: str, **what: Any) -> Any:
        self.registered.append(card)
        return SimpleNamespace(version=1)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all of them: a city that two experiments share is made once."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("CREDIT_MODEL_HOME", str(home))
        # Tables that may not be kept here are stood in for by invented ones.
        patch.setenv(VARIABLE, str(invented_tables(tmp_path_factory.mktemp("data"))))
        yield home


def test_there_are_experiments_and_the_reference_card_is_among_them() -> None:
    assert {"baseline", "sf_restaurants"} <= set(NAMES)


def test_no_two_experiments_say_the_same() -> None:
    digests = {load_experiment(path).digest for path in EXPERIMENTS}
    assert len(digests) == len(EXPERIMENTS)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=NAMES)
def test_an_experiment_loads_and_asks_a_question(path: Path) -> None:
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    assert experiment.question.endswith("?")
    assert experiment.features
    assert max(experiment.sample.development) < experiment.sample.out_of_time


@pytest.mark.parametrize("path", EXPERIMENTS, ids=NAMES)
def test_an_experiment_made_small_runs_to_a_card(path: Path, home: Path) -> None:
    experiment = load_experiment(path)
    if isinstance(experiment.ledger.source, SyntheticCity):
        experiment = replace(experiment, ledger=replace(experiment.ledger, source=SMALL_CITY))
    experiment = replace(experiment, card=replace(experiment.card, trials=2))
    tracker = Tracker()
    result = run(experiment, tracker=tracker, author="Wang Li")
    assert Path(result.folder).is_relative_to(home)
    assert Path(result.report).is_file()
    assert Ledger.open(result.ledger).policy == experiment.ledger.policy
    card = result.card
    assert card.digest == result.card_digest == tracker.told["tags"]["card_digest"]
    assert {c.name for c in card.characteristics} <= {feature.name for feature in experiment.features}
    assert sorted(c.name for c in card.characteristics if c.policy) == sorted(
        p.characteristic for p in experiment.card.policy_points
    )
    value, low, high = result.figures["gini"]
    assert None not in (value, low, high)
    assert -1 <= low <= value <= high <= 1
    # Only a card that may be used on people, or one of businesses, becomes a version.
    assert [card.digest for card in tracker.registered] == ([] if result.version is None else [result.card_digest])
    assert (result.attainable is not None) == (experiment.attainable is not None)
    # A challenger is judged beside the card, and nothing of it is kept but what the evaluation says.
    challengers = result.evaluation.challengers
    assert len(challengers) == (experiment.challenger is not None)
    assert {path.name for path in Path(result.folder).iterdir()} == {
        *(
            "card.json",
            "evaluation.json",
            "experiment.json",
            "reference.json",
            "report.html",
            "report.md",
            "trials.json",
            "judged.parquet",
        ),
    }
    for challenger in challengers:
        assert challenger.additivity_gap < 1e-9
        gain = challenger.segments["all"].minus_card["auc"]
        assert result.figures["auc_given_up"] == (gain.value, gain.low, gain.high)
        assert tracker.told["metrics"]["challenger_minus_card_all/auc"] == gain.value
        used = {a.code for a in challenger.attributions if a.card is not None}
        assert used <= {c.reason for c in card.characteristics}
