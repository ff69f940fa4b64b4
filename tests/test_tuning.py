"""The search of settings: a search that is killed ends as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sample import definitions, sample

from credit_model import UserError
from credit_model.experiments.experiment import CardPlan, Range
from credit_model.experiments.tuning import Settings, Tuning, tune
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.sample.development import DevelopmentSample

PEOPLE = 1_500
DATES = (18_000, 18_365)
TRIALS = 5


def plan(trials: int = TRIALS, **changes: object) -> CardPlan:
    settings = {"max_characteristics": Range(1, 6), "max_bins": Range(2, 6), "penalty": Range(0.1, 100.0)}
    return CardPlan("zhejiang_1000", "personal-credit", **settings | changes, record_monotone=True, trials=trials)  # type: ignore[arg-type]


def observed(base: float = -3.0) -> DevelopmentSample:
    """The same people on two dates."""
    X, y, _ = sample(PEOPLE * len(DATES), seed=3, base=base)
    people = np.array([f"person {n}" for n in range(PEOPLE)] * len(DATES), dtype=object)
    none = np.zeros(len(X), dtype=bool)
    return DevelopmentSample(
        X=X, y=y.astype(np.int8), weight=np.ones(len(X)), subject_id=people,
        as_of=np.repeat(DATES, PEOPLE).astype(np.int32), with_record=none, escalation=none,
        audit=pd.DataFrame(index=range(len(X))), counts=pd.DataFrame(), digest="made up",
    )  # fmt: skip


def make(settings: Settings) -> ScorecardClassifier:
    return ScorecardClassifier(definitions(), method="woe_logistic", **settings)


def search(
    journal: Path,
    wanted: CardPlan | None = None,
    *,
    seed: int = 7,
    make: Callable[[Settings], ScorecardClassifier] = make,
    progress: Callable[[str], None] | None = None,
    base: float = -3.0,
) -> Tuning:
    return tune(make, observed(base), wanted or plan(), seed=seed, journal=journal, progress=progress)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuning, list[str]]:
    """A search that nothing disturbed, and the lines of its journal."""
    journal = tmp_path_factory.mktemp("undisturbed") / "journal"
    tuning = search(journal)
    return tuning, journal.read_text().splitlines(keepends=True)


def test_the_best_of_all_trials_is_chosen_within_the_ranges(undisturbed: tuple[Tuning, list[str]]) -> None:
    tuning, _ = undisturbed
    assert len(tuning.trials) == TRIALS
    assert tuning.value == max(trial.value for trial in tuning.trials)
    assert tuning.settings in [trial.settings for trial in tuning.trials if trial.value == tuning.value]
    for trial in tuning.trials:
        assert 1 <= trial.settings["max_characteristics"] <= 6
        assert 2 <= trial.settings["max_bins"] <= 6
        assert 0.1 <= trial.settings["penalty"] <= 100.0


def test_with_nothing_to_search_the_fixed_settings_are_taken_and_no_card_is_fitted(tmp_path: Path) -> None:
    def refuse(settings: Settings) -> ScorecardClassifier:
        raise AssertionError("nothing was to be searched")

    fixed = {"max_characteristics": 4, "max_bins": 3, "penalty": 2.0}
    journal = tmp_path / "journal"
    tuning = search(journal, plan(**fixed), make=refuse)
    assert (tuning.settings, tuning.value, tuning.trials) == (fixed, None, ())
    assert not journal.exists()


def test_a_fixed_setting_stays_fixed_in_every_trial(tmp_path: Path) -> None:
    tuning = search(tmp_path / "journal", plan(2, max_bins=3))
    assert [trial.settings["max_bins"] for trial in tuning.trials] == [3, 3]


def test_of_equally_good_settings_the_plainest_card_is_chosen(tmp_path: Path) -> None:
    class Indifferent(ScorecardClassifier):
        def decision_function(self, X: pd.DataFrame) -> np.ndarray:
            return np.zeros(len(X))

    tuning = search(tmp_path / "journal", make=lambda settings: Indifferent(definitions(), **settings))
    assert {trial.value for trial in tuning.trials} == {0.0}
    fewest = min(trial.settings["max_characteristics"] for trial in tuning.trials)
    assert tuning.settings["max_characteristics"] == fewest
    assert len({trial.settings["max_characteristics"] for trial in tuning.trials}) > 1


def test_a_journal_cut_anywhere_is_continued_to_the_same_end(
    undisturbed: tuple[Tuning, list[str]], tmp_path: Path
) -> None:
    expected, lines = undisturbed
    for k in np.linspace(2, len(lines) - 1, 6).astype(int):
        journal = tmp_path / f"cut_{k}"
        journal.write_text("".join(lines[:k]))
        assert search(journal) == expected, f"cut after line {k} of {len(lines)}"


@pytest.mark.parametrize("k", [1, 3])
def test_a_search_stopped_after_some_trials_does_only_the_rest(
    k: int, undisturbed: tuple[Tuning, list[str]], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    journal, said = tmp_path / "journal", list[str]()
    assert search(journal, plan(k)).trials == expected.trials[:k]
    assert search(journal, progress=said.append) == expected
    assert [message.split(",")[0] for message in said] == [
        f"Tuning: trial {n} of {TRIALS}" for n in range(k + 1, TRIALS + 1)
    ]


def test_a_finished_search_is_not_done_again(undisturbed: tuple[Tuning, list[str]], tmp_path: Path) -> None:
    expected, lines = undisturbed
    journal = tmp_path / "journal"
    journal.write_text("".join(lines))

    def refuse(settings: Settings) -> ScorecardClassifier:
        raise AssertionError("every trial was finished")

    assert search(journal, make=refuse) == expected


def test_a_process_killed_within_a_trial_loses_that_trial_only(
    undisturbed: tuple[Tuning, list[str]], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    journal = tmp_path / "journal"
    child = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import test_tuning as t\n"
        "fitted = 0\n"
        "def make(settings):\n"
        "    global fitted\n"
        "    fitted += 1\n"
        "    if fitted == 2 * 3 + 2:  # the second fold of the third trial\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return t.make(settings)\n"
        "t.search(Path(sys.argv[1]), make=make)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run([sys.executable, "-c", child, str(journal)], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    said = list[str]()
    assert search(journal, progress=said.append) == expected
    assert said[0].startswith(f"Tuning: trial 3 of {TRIALS}, best Gini so far 0.")


def test_with_more_objectives_a_plainer_card_is_taken_that_gives_up_little(
    undisturbed: tuple[Tuning, list[str]], tmp_path: Path
) -> None:
    wanted = plan(8, objectives=("gini", "stability", "characteristics"), give_up=0.02)
    found = search(tmp_path / "journal", wanted)
    assert search(tmp_path / "journal", wanted) == found
    best = max(trial.value for trial in found.trials)
    near = [trial for trial in found.trials if trial.value >= best - 0.02]
    chosen = next(trial for trial in found.trials if trial.settings == found.settings)
    assert chosen in near
    assert chosen.characteristics == min(trial.characteristics for trial in near)
    assert all(trial.psi >= 0 for trial in found.trials)


def test_folds_may_be_stratified_by_person_instead_of_ordered_in_time(tmp_path: Path) -> None:
    by_time, by_person = (
        search(tmp_path / folds, plan(1, tuning_folds=folds)).trials[0] for folds in ("time", "stratified")
    )
    assert by_time.settings == by_person.settings
    assert by_time.value != by_person.value


def test_another_seed_searches_elsewhere(undisturbed: tuple[Tuning, list[str]], tmp_path: Path) -> None:
    assert search(tmp_path / "journal", plan(1), seed=8).trials[0].settings != undisturbed[0].trials[0].settings


def test_too_few_bads_to_compare_settings_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has 0 bad rows.*or fix the settings in \[card\]"):
        search(tmp_path / "journal", base=-60.0)
