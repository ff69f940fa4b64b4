"""Which settings make the better card: a search inside the development sample, which survives being killed.

Every trial fits a card on earlier dates and other people and ranks later dates with it (see ``tuning_folds``); its
value is the Gini of all rows so ranked. Each finished trial is a line in a journal on disk; a process that dies loses
the trial that was running, which is asked again. Since the proposal of a trial depends only on the seed and on the
trials finished before it, a search that was killed ends in the same settings as one that was not. Every line carries a
digest of itself and all lines before it, so that no altered trial is taken for one that was run.

In: a development sample, a maker of classifiers, the plan of a card, a journal. Out: a ``Tuning``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from credit_model import UserError
from credit_model.measures import gini
from credit_model.sample import DevelopmentSample, tuning_folds
from credit_model.training.experiment import CardPlan, Range

if TYPE_CHECKING:
    import optuna

    from credit_model.learner import ScorecardClassifier

FOLDS: Final = 3
Settings = Mapping[str, Any]  # setting -> whole number or number


@dataclass(frozen=True)
class Trial:
    """One tried setting and the Gini of later rows it ranked, 1 at best."""

    settings: Settings
    value: float


@dataclass(frozen=True)
class Tuning:
    """What the search chose: the settings with the highest value, of equals the plainest card."""

    settings: Settings
    value: float | None
    trials: tuple[Trial, ...] = ()


def tune(
    make: Callable[[Settings], ScorecardClassifier],
    sample: DevelopmentSample,
    plan: CardPlan,
    *,
    seed: int,
    journal: Path,
    progress: Callable[[str], None] | None = None,
) -> Tuning:
    """Search the settings that a plan leaves open.

    Parameters
    ----------
    make : callable
        An unfitted classifier for settings (``max_characteristics``, ``max_bins``, ``penalty``).
    sample : DevelopmentSample
    plan : CardPlan
        Fixed settings, ranges, number of trials.
    seed : int
        Of the folds and of the proposals.
    journal : Path
        File that keeps finished trials; it belongs to this sample, this plan and this seed alone.
    progress : callable, optional
        Told in words before every trial.

    Returns
    -------
    Tuning
        With nothing to search: the fixed settings, no value.

    Raises
    ------
    UserError
        If there are too few bads to judge any setting, or the journal was altered.
    """
    if not plan.searched:
        return Tuning(plan.fixed, None)
    folds = tuning_folds(sample.subject_id, sample.as_of, sample.y, FOLDS, seed)
    _check_folds(sample, folds)
    say = progress or (lambda message: None)
    kept = Journal(journal)
    with _study(plan, kept.read()) as study:
        while (done := len(finished := _finished(study))) < plan.trials:
            so_far = f", best Gini so far {max(trial.value for trial in finished):.3f}" if finished else ""
            say(f"Tuning: trial {done + 1} of {plan.trials}{so_far}")
            asked = _ask(study, plan, seed, done)
            value = _out_of_fold_gini(make, sample, folds, plan.fixed | asked.params, plan.stable)
            kept.append(Trial(asked.params, value))
            study.tell(asked, value)
        trials = tuple(Trial(plan.fixed | trial.params, trial.value) for trial in finished[: plan.trials])
    best = max(trials, key=lambda trial: (trial.value, *_plainness(trial.settings)))
    return Tuning(best.settings, best.value, trials)


def _check_folds(sample: DevelopmentSample, folds: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Refuse folds on which no card can be fitted or judged."""
    bads = [int(sample.y[train].sum()) for train, _ in folds]
    judged = int(sum(sample.y[validate].sum() for _, validate in folds))
    if min(bads) < 1 or judged < 1:
        raise UserError(
            f"tuning: the development sample has {sample.bads} bad rows, and a fold learns from as few as {min(bads)}; "
            "that is too few to compare settings. Take more people or dates, or fix the settings in [card]"
        )


@dataclass
class Journal:
    """Finished trials, a line each, as they were searched (without the settings that are fixed)."""

    path: Path
    _digest: str = field(default="", init=False)

    def read(self) -> list[Trial]:
        """The trials in their order; a last line that a dying process left unfinished is cut away."""
        kept = self.path.read_bytes() if self.path.exists() else b""
        whole = kept[: kept.rfind(b"\n") + 1]
        if whole != kept:
            os.truncate(self.path, len(whole))
        return [self._trial(number, line) for number, line in enumerate(whole.splitlines(), start=1)]

    def append(self, trial: Trial) -> None:
        """Add a trial, and force it to disk."""
        said = {"settings": dict(trial.settings), "gini": trial.value}
        self._digest = self._follow(said)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(json.dumps(said | {"sha256": self._digest}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _trial(self, number: int, line: bytes) -> Trial:
        try:
            said = json.loads(line)
            told = said.pop("sha256")
            self._digest = self._follow(said)
            if told == self._digest:
                return Trial(said["settings"], said["gini"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise UserError(
            f"tuning: {self.path} was altered: line {number} is not what a trial left there; remove the file and run "
            "the same again, its trials are then asked anew"
        )

    def _follow(self, said: Any) -> str:
        """Digest of a line and of all before it."""
        return hashlib.sha256((self._digest + json.dumps(said, sort_keys=True)).encode()).hexdigest()


@contextmanager
def _study(plan: CardPlan, finished: list[Trial]) -> Iterator[optuna.Study]:
    """A study that knows the finished trials."""
    import optuna

    distributions = _distributions(plan)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(study_name="card", direction="maximize")
        for trial in finished:
            study.add_trial(
                optuna.trial.create_trial(params=dict(trial.settings), distributions=distributions, value=trial.value)
            )
        yield study
    finally:
        optuna.logging.set_verbosity(verbosity)


def _finished(study: optuna.Study) -> list[Any]:
    import optuna

    trials: list[Any] = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    return trials


def _ask(study: optuna.Study, plan: CardPlan, seed: int, done: int) -> optuna.Trial:
    """The next proposal: a function of the seed and the finished trials, whatever happened in between."""
    import optuna

    study.sampler = optuna.samplers.TPESampler(seed=seed + done, constant_liar=False)
    return study.ask(_distributions(plan))


def _distributions(plan: CardPlan) -> dict[str, Any]:
    return {name: _distribution(low_high) for name, low_high in plan.searched.items()}


def _distribution(setting: Range) -> Any:
    """Whole numbers evenly, the penalty by its order of magnitude."""
    import optuna

    if isinstance(setting.low, int):
        return optuna.distributions.IntDistribution(setting.low, int(setting.high))
    return optuna.distributions.FloatDistribution(setting.low, setting.high, log=True)


def _out_of_fold_gini(
    make: Callable[[Settings], ScorecardClassifier],
    sample: DevelopmentSample,
    folds: list[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
    stable: bool,
) -> float:
    """Gini of the rows of all folds, each ranked by a card that saw neither its date nor its person."""
    rows = np.concatenate([validate for _, validate in folds])
    risk = np.concatenate(
        [
            make(settings)
            .fit(
                sample.X.iloc[train],
                sample.y[train],
                sample.weight[train],
                sample.subject_id[train],
                periods=years(sample.as_of[train]) if stable else None,
            )
            .decision_function(sample.X.iloc[validate])
            for train, validate in folds
        ]
    )
    return float(gini(sample.y[rows], risk, weight=sample.weight[rows]).value or 0.0)


def years(as_of: np.ndarray) -> np.ndarray:
    """The year of each observation date: the periods in which the order of a stable card must hold."""
    return as_of.astype("datetime64[D]").astype("datetime64[Y]")


def _plainness(settings: Settings) -> tuple[float, ...]:
    """Of two equal cards the one with fewer characteristics, fewer attributes, smaller weights is the plainer."""
    return -settings["max_characteristics"], -settings["max_bins"], settings["penalty"]
