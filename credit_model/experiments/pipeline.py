"""From an experiment to a registered card, top to bottom.

    ledger → development sample → search → fit → card → out-of-time sample, opened once → evaluation → tracked run

The same experiment under the same code ends in the same card, whether the run was undisturbed or killed and started
again: the ledger is kept, finished trials are kept, and everything after them is computed anew. What a run that died
had begun to record is finished by the run that is started again; two runs of one experiment wait for each other.

In: an experiment (a path or a value), a tracker (MLflow through ``credit_model.registry`` unless given).
Out: a ``RunResult``; card, evaluation and pages in a folder of their own.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from credit_model.assessment.evaluator import Evaluator
from credit_model.evaluation.comparison import Judged
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.gates import read_gates
from credit_model.evaluation.severity_order import measure_severity_order
from credit_model.experiments.context import Samples
from credit_model.experiments.data_source import (
    DataSource,
    code_digest,
    development_sample,
    folder_of,
    home,
    lock_in_home,
    open_source,
    out_of_time_sample,
)
from credit_model.experiments.experiment import Experiment, ExperimentErrors
from credit_model.experiments.judgement import fit_challenger, freeze, judge, judge_gates, refuse_empty, true_risk_of
from credit_model.experiments.out_of_time import OutOfTime
from credit_model.experiments.provenance import code_versions, library_versions
from credit_model.experiments.raw_rows import check_raw_rows
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.recording import MLFLOW, FinishedRun, Tracker, record_run
from credit_model.experiments.result import RunResult
from credit_model.experiments.tuning import Settings, Tuning, tune, years
from credit_model.foundation.calendar import from_days
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import write_atomically
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.monitoring.reference import REFERENCE_FILE, Reference
from credit_model.registry.versions import champion
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html
from credit_model.sample.development import DevelopmentSample
from credit_model.scorecard.card import Card
from credit_model.visibility.segments import SEMANTICS_VERSION

DOCUMENTS: Final = (
    "card.json", "evaluation.json", REFERENCE_FILE, "report.md", "report.html", "experiment.json", "trials.json",
)  # fmt: skip
Progress = Callable[[str], None]


def run(
    experiment: str | Path | Experiment,
    *,
    tracker: Tracker | None = None,
    author: str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Make, judge, record and register the card of an experiment.

    Parameters
    ----------
    experiment : path or Experiment
    tracker : Tracker, optional
        Where the run is recorded; MLflow unless given.
    author : str, optional
        Who answers for the card; the user's name unless given. Somebody else has to approve it.
    progress : callable, optional
        Told in words what is being done.

    Returns
    -------
    RunResult

    Raises
    ------
    ExperimentErrors
        With every fault of the file.
    UserError
        What only the records show: labels not mature, too few bads.
    RefusedRowsError
        If more raw rows were refused than the experiment allows; nothing was learned and no sample opened.
    """
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    if faults := tuple(f"[gates] {name}: {fault}" for name, fault in read_gates(experiment.gates)[1].items()):
        raise ExperimentErrors(f"experiment {experiment.name!r}: {'; '.join(faults)}", faults)
    say: Progress = progress or (lambda message: None)
    source = open_source(experiment, say)
    check_raw_rows(experiment, source)
    with lock_in_home(
        home() / "runs" / f"{experiment.name}-{experiment.digest[:12]}",
        lambda: say("Waiting for another run of this experiment"),
    ):
        return _run(experiment, source, tracker or MLFLOW, author or getpass.getuser(), say)


def _run(experiment: Experiment, source: DataSource, tracker: Tracker, author: str, say: Progress) -> RunResult:
    champion = _champion(experiment)
    say("Observing the development sample")
    development = development_sample(experiment, source)

    tuning = _tune(experiment, development, say)

    say("Fitting the card")
    classifier = _classifier(experiment, tuning.settings)
    classifier.fit(
        development.X, development.y, development.weight, development.subject_id,
        periods=years(development.as_of) if experiment.card.stable else None,
    )  # fmt: skip
    card = classifier.to_card(experiment.card.model, _provenance(experiment, source, development, tuning))
    refuse_empty(card, experiment, development)

    if experiment.challenger is not None:
        say("Fitting the challenger")
    challenger = fit_challenger(experiment, development)

    say("Opening the out-of-time sample")
    door = OutOfTime(lambda: out_of_time_sample(experiment, source), home() / "out_of_time.jsonl")
    out_of_time = door.open(experiment, card)

    say("Evaluating the card")
    best = max(experiment.features, key=lambda feature: classifier.information_values_[feature.name])
    samples = Samples(development, out_of_time)
    evaluation = judge(experiment, source, card, best, samples, challenger, champion)
    reference, stability = freeze(experiment, source, card, samples)
    ledger = source.ledger
    order = measure_severity_order(card, ledger.catalogue, ledger.policy, experiment.ledger.day_of_use)
    evaluation = evaluation.with_sections(stability=stability, severity_order=order)
    evaluation = judge_gates(experiment, evaluation, card, DOCUMENTS, champion)
    folder = _write(folder_of(experiment, source), experiment, card, evaluation, tuning, reference)
    Judged.of(card, out_of_time, true_risk_of(experiment, source, out_of_time)).write(folder)

    say("Recording the run")
    finished = FinishedRun(experiment, source, card, evaluation, tuning, folder, door.openings)
    return record_run(finished, tracker, author)


def _champion(experiment: Experiment) -> Evaluator | None:
    """Return the card in force where a gate compares this one with it; None where none is in force."""
    if "gini_minus_champion" not in experiment.gates:
        return None
    model, policy = experiment.card.model, experiment.ledger.policy
    evaluator = champion(model)
    if evaluator is None:
        return None
    made_under = evaluator.card.provenance.get("ledger", {}).get("policy")
    if made_under != policy or any(c.definition is None for c in evaluator.card.characteristics):
        raise UserError(
            f"experiment {experiment.name!r}: gini_minus_champion cannot be measured, for version {evaluator.version} "
            f"of {model!r} was made under policy {made_under!r} and reads records otherwise than {policy!r}. Name "
            "another model in [card], or leave the gate out."
        )
    return evaluator


# ---------------------------------------------------------------------------------------------------- making the card


def _classifier(experiment: Experiment, settings: Settings) -> ScorecardClassifier:
    plan = experiment.card
    return ScorecardClassifier(
        definitions=experiment.features, profile=plan.profile, method=plan.method, record_monotone=plan.record_monotone,
        policy_points=tuple(points.to_dict() for points in plan.policy_points), bins=plan.bins,
        single_record=plan.single_record, **settings,
    )  # fmt: skip


def _tune(experiment: Experiment, development: DevelopmentSample, say: Progress) -> Tuning:
    """Search what the plan leaves open; the journal is named by everything a trial depends on."""
    depends_on = json.dumps([experiment.digest, development.digest, code_digest(), library_versions()])
    journal = home() / "tuning" / f"{experiment.name}-{sha256(depends_on)[:16]}.journal"
    return tune(
        lambda settings: _classifier(experiment, settings), development, experiment.card,
        seed=experiment.seed, journal=journal, progress=say,
    )  # fmt: skip


def _provenance(
    experiment: Experiment, source: DataSource, development: DevelopmentSample, tuning: Tuning
) -> dict[str, Any]:
    """Where the card comes from: everything that would have to be the same to make it again."""
    ledger, plan = source.ledger, experiment.sample
    return {
        "experiment": {"name": experiment.name, "digest": experiment.digest, "question": experiment.question},
        "ledger": {"digest": ledger.digest, "policy": ledger.policy, "semantics": SEMANTICS_VERSION},
        "catalogue": {
            "name": ledger.catalogue.name,
            "version": ledger.catalogue.version,
            "digest": ledger.catalogue.digest,
        },
        "day_of_use": _iso(experiment.ledger.day_of_use),
        "outcome": experiment.outcome.to_dict(),
        "sample": {
            "digest": development.digest,
            "development": [_iso(day) for day in plan.development],
            "labels_read_on": [_iso(experiment.outcome.mature_on(day)) for day in plan.development],
            "out_of_time": _iso(plan.out_of_time),
            **({} if plan.observe_after is None else {"observe_after": plan.observe_after.to_dict()}),
            **({} if plan.observe_on is None else {"observe_on": plan.observe_on.to_dict()}),
            "train_repaired": plan.train_repaired,
            "goods_share": plan.goods_share,
        },
        "tuning": {"trials": len(tuning.trials), "out_of_fold_gini": tuning.value, "settings": dict(tuning.settings)},
        **({} if (caps := experiment.card.single_record) is None else {"single_record": caps.to_dict()}),
        "seed": experiment.seed,
        "code": code_versions(),
    }


# ---------------------------------------------------------------------------------------------------- leaving it


def _write(
    folder: Path, experiment: Experiment, card: Card, evaluation: EvaluationReport, tuning: Tuning, reference: Reference
) -> Path:
    """Write the documents of the run into a folder of its own; the same run writes the same bytes."""
    folder.mkdir(exist_ok=True)
    trials = [
        {"gini": t.value, "psi": t.psi, "characteristics": t.characteristics, **t.settings} for t in tuning.trials
    ]
    texts = (
        card.to_json(),
        evaluation.to_json(),
        reference.to_json(),
        render_markdown(evaluation),
        render_html(evaluation),
        experiment.to_json(),
        json.dumps(trials, indent=1) + "\n",
    )
    for name, text in zip(DOCUMENTS, texts, strict=True):
        write_atomically(folder / name, text, under_lock=True)
    return folder


def _iso(day: int) -> str:
    return str(from_days(day))
