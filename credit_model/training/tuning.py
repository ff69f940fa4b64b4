"""Which settings make the better card: a search inside the development sample, which survives being killed.

Every trial fits a card on earlier dates and other people and ranks later dates with it (see ``tuning_folds``); its
value is the Gini of all rows so ranked. Each finished trial is a line in a journal on disk. A trial that was running
when the process died is marked as failed and asked again. Since the proposal of a trial depends only on the seed and
on the trials finished before it, a search that was killed ends in the same settings as one that was not.

In: a development sample, a maker of classifiers, the plan of a card, a journal. Out: a ``Tuning``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from credit_model import UserError
from credit_model.evaluation import gini
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
        If there are too few bads to judge any setting.
    """
    if not plan.searched:
        return Tuning(plan.fixed, None)
    folds = tuning_folds(sample.subject_id, sample.as_of, sample.y, FOLDS, seed)
    _check_folds(sample, folds)
    say = progress or (lambda message: None)
    with _study(journal) as study:
        while (done := len(finished := _finished(study))) < plan.trials:
            so_far = f", best Gini so far {max(trial.value for trial in finished):.3f}" if finished else ""
            say(f"Tuning: trial {done + 1} of {plan.trials}{so_far}")
            asked = _ask(study, plan, seed, done)
            settings = plan.fixed | asked.params
            study.tell(asked, _out_of_fold_gini(make, sample, folds, settings))
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


@contextmanager
def _study(journal: Path) -> Iterator[optuna.Study]:
    """The study in a journal, made when new; trials left running by a process that died are marked as failed."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    journal.parent.mkdir(parents=True, exist_ok=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
        study = optuna.create_study(storage=storage, study_name="card", direction="maximize", load_if_exists=True)
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
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

    distributions = {name: _distribution(low_high) for name, low_high in plan.searched.items()}
    study.sampler = optuna.samplers.TPESampler(seed=seed + done, constant_liar=False)
    return study.ask(distributions)


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
) -> float:
    """Gini of the rows of all folds, each ranked by a card that saw neither its date nor its person."""
    rows = np.concatenate([validate for _, validate in folds])
    risk = np.concatenate(
        [
            make(settings)
            .fit(sample.X.iloc[train], sample.y[train], sample.weight[train], sample.subject_id[train])
            .decision_function(sample.X.iloc[validate])
            for train, validate in folds
        ]
    )
    return float(gini(sample.y[rows], risk, weight=sample.weight[rows]).value or 0.0)


def _plainness(settings: Settings) -> tuple[float, ...]:
    """Of two equal cards the one with fewer characteristics, fewer attributes, smaller weights is the plainer."""
    return -settings["max_characteristics"], -settings["max_bins"], settings["penalty"]
