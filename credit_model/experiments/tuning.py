"""A search for the settings of the better card, inside the development sample; it survives being killed.

Every trial fits a card on earlier dates and other people and ranks later dates with it (see ``tuning_folds``). Three
things are measured of the rows so ranked: Gini, stability (PSI of the scores of rows ranked against those learned from)
and number of characteristics. A plan names its objectives; of the trials that no other beats in all of them, the one is
taken that gives up at most so much Gini and has the fewest characteristics, then the most stable.

Each finished trial is a line in a journal on disk; a process that dies loses the trial that was running, which is asked
again. Since the proposal of a trial depends only on the seed and on the trials finished before it, a search that was
killed ends in the same settings as one that was not. Every line carries a digest of itself and all lines before it, so
that no altered trial is taken for one that was run.

In: a development sample, a maker of classifiers, the plan of a card, a journal. Out: a ``Tuning``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from credit_model.experiments.experiment import CardPlan, Range
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import gini
from credit_model.sample.development import DevelopmentSample
from credit_model.sample.split import tuning_folds

if TYPE_CHECKING:
    import optuna

    from credit_model.learning.classifier import ScorecardClassifier

FOLDS: Final = 3
Settings = Mapping[str, Any]  # setting -> whole number or number


@dataclass(frozen=True)
class Trial:
    """One tried setting, and what it was measured at on rows its cards had not seen.

    ``value`` is their Gini, 1 at best; ``psi`` the population stability index of their scores against those of the rows
    learned from, 0 at best; ``characteristics`` the mean number in its cards.
    """

    settings: Settings
    value: float
    psi: float
    characteristics: float

    def objectives(self, names: Sequence[str]) -> tuple[float, ...]:
        """Return the objectives, greater being better."""
        values = {"gini": self.value, "stability": -self.psi, "characteristics": -self.characteristics}
        return tuple(values[name] for name in names)


@dataclass(frozen=True)
class Tuning:
    """What the search chose; with Gini as the only objective the highest, of equals the plainest card."""

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
    folds = tuning_folds(sample.subject_id, sample.as_of, sample.y, FOLDS, seed, by_date=plan.tuning_folds == "time")
    _check_folds(sample, folds)
    say = progress or (lambda message: None)
    trial_log = Journal(journal)
    trials = trial_log.read()
    with _study(plan, trials) as study:
        while (count := len(trials)) < plan.trials:
            so_far = f", best Gini so far {max(trial.value for trial in trials):.3f}" if trials else ""
            say(f"Tuning: trial {count + 1} of {plan.trials}{so_far}")
            proposal = _ask(study, plan, seed, count)
            trial = replace(
                _evaluate(make, sample, folds, {**plan.fixed, **proposal.params}, plan.stable), settings=proposal.params
            )
            trial_log.append(trial)
            trials.append(trial)
            study.tell(proposal, trial.objectives(plan.objectives))
    done_trials = tuple(replace(trial, settings={**plan.fixed, **trial.settings}) for trial in trials[: plan.trials])
    best = _best_trial(done_trials, plan)
    return Tuning(best.settings, best.value, done_trials)


def _best_trial(trials: Sequence[Trial], plan: CardPlan) -> Trial:
    """Of the trials nothing beats, the plainest whose Gini is near enough to the best."""

    def beaten(trial: Trial) -> bool:
        own = trial.objectives(plan.objectives)
        return any(
            other != own and all(a >= b for a, b in zip(other, own, strict=True))
            for other in (t.objectives(plan.objectives) for t in trials)
        )

    front = [trial for trial in trials if not beaten(trial)]
    if plan.objectives == ("gini",):
        return max(front, key=lambda trial: (trial.value, *_plainness(trial.settings)))
    near = max(trial.value for trial in front) - plan.give_up
    return max(
        (trial for trial in front if trial.value >= near),
        key=lambda trial: (*trial.objectives(plan.objectives[::-1]), trial.value, *_plainness(trial.settings)),
    )


def _check_folds(sample: DevelopmentSample, folds: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Refuse folds on which no card can be fitted or judged."""
    bads = [int(sample.y[train].sum()) for train, _ in folds]
    bads_validated = int(sum(sample.y[validate].sum() for _, validate in folds))
    if min(bads) < 1 or bads_validated < 1:
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
        """Read the trials in their order; cut away a last line that a dying process left unfinished."""
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(self.path, len(whole))
        return [self._trial(number, line) for number, line in enumerate(whole.splitlines(), start=1)]

    def append(self, trial: Trial) -> None:
        """Add a trial, and force it to disk."""
        entry = {
            "settings": dict(trial.settings), "gini": trial.value, "psi": trial.psi,
            "characteristics": trial.characteristics,
        }  # fmt: skip
        self._digest = self._follow(entry)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(json.dumps(entry | {"sha256": self._digest}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _trial(self, number: int, line: bytes) -> Trial:
        try:
            entry = json.loads(line)
            digest = entry.pop("sha256")
            self._digest = self._follow(entry)
            if digest == self._digest:
                return Trial(entry["settings"], entry["gini"], entry["psi"], entry["characteristics"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        raise UserError(
            f"tuning: {self.path} was altered: line {number} is not what a trial left there; remove the file and run "
            "the same again, its trials are then asked anew"
        )

    def _follow(self, entry: Any) -> str:
        """Digest of a line and of all before it."""
        return sha256(self._digest + json.dumps(entry, sort_keys=True))


@contextmanager
def _study(plan: CardPlan, finished: list[Trial]) -> Iterator[optuna.Study]:
    """Return a study that knows the finished trials."""
    import optuna

    distributions = _distributions(plan)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(study_name="card", directions=["maximize"] * len(plan.objectives))
        for trial in finished:
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(trial.settings), distributions=distributions, values=trial.objectives(plan.objectives)
                )
            )
        yield study
    finally:
        optuna.logging.set_verbosity(verbosity)


def _ask(study: optuna.Study, plan: CardPlan, seed: int, count: int) -> optuna.Trial:
    """Propose the next settings: a function of the seed and the finished trials alone."""
    import optuna

    study.sampler = optuna.samplers.TPESampler(seed=seed + count, constant_liar=False)
    return study.ask(_distributions(plan))


def _distributions(plan: CardPlan) -> dict[str, Any]:
    return {name: _distribution(low_high) for name, low_high in plan.searched.items()}


def _distribution(setting: Range) -> Any:
    """Whole numbers evenly, the penalty by its order of magnitude."""
    import optuna

    if isinstance(setting.low, int):
        return optuna.distributions.IntDistribution(setting.low, int(setting.high))
    return optuna.distributions.FloatDistribution(setting.low, setting.high, log=True)


def _evaluate(
    make: Callable[[Settings], ScorecardClassifier],
    sample: DevelopmentSample,
    folds: list[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
    stable: bool,
) -> Trial:
    """Evaluate settings on the folds, each row ranked by a card that has not seen it."""
    risk, shifts, used = [], [], []
    for train, validate in folds:
        card = make(settings).fit(
            sample.X.iloc[train], sample.y[train], sample.weight[train], sample.subject_id[train],
            periods=years(sample.as_of[train]) if stable else None,
        )  # fmt: skip
        risk.append(card.decision_function(sample.X.iloc[validate]))
        scores = card.decision_function(sample.X.iloc[train])
        shifts.append(stability_index(scores, risk[-1], sample.weight[train], sample.weight[validate]))
        used.append(len(card.card_.terms))
    rows = np.concatenate([validate for _, validate in folds])
    value = float(gini(sample.y[rows], np.concatenate(risk), weight=sample.weight[rows]).value or 0.0)
    return Trial(settings, value, float(np.mean(shifts)), float(np.mean(used)))


def stability_index(
    before: np.ndarray, after: np.ndarray, weight_before: np.ndarray, weight_after: np.ndarray
) -> float:
    """Compute the stability index of a score in at most ten bands of equal weight; half a row in every band.

    Examples
    --------
    >>> round(stability_index(np.arange(100), np.arange(100), np.ones(100), np.ones(100)), 6)
    0.0
    """
    order = np.argsort(before, kind="stable")
    reached = np.cumsum(weight_before[order]) / weight_before.sum()
    cuts = np.unique(before[order][np.searchsorted(reached, np.arange(1, 10) / 10)])
    shares = [
        (np.bincount(np.searchsorted(cuts, values), weight, minlength=len(cuts) + 1) + 0.5)
        / (weight.sum() + 0.5 * (len(cuts) + 1))
        for values, weight in ((before, weight_before), (after, weight_after))
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def years(as_of: np.ndarray) -> np.ndarray:
    """Return the year of each observation date: the periods in which the order of a stable card must hold."""
    return as_of.astype("datetime64[D]").astype("datetime64[Y]")


def _plainness(settings: Settings) -> tuple[float, ...]:
    """Of two equal cards the one with fewer characteristics, fewer attributes, smaller weights is the plainer."""
    return -settings["max_characteristics"], -settings["max_bins"], settings["penalty"]
