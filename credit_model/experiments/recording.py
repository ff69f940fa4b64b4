"""Record a finished run: its figures and documents, and the card as a registered version.

In: everything a run ended in, a tracker. Out: a ``RunResult``.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from credit_model.evaluation.comparison import FILE as JUDGED
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.measures import MEASURES
from credit_model.experiments.context import card_warnings
from credit_model.experiments.data_source import (
    DataSource,
    data_digest,
    home,
)
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.raw_rows import RawRows
from credit_model.experiments.result import RunResult
from credit_model.experiments.tuning import Tuning
from credit_model.foundation.digests import sha256
from credit_model.metrics.performance import Estimate
from credit_model.registry.registration import RegisteredVersion, register
from credit_model.registry.runs import RunContent, log_run
from credit_model.scorecard.card import Card


class Tracker(Protocol):
    """Where a run is recorded: ``credit_model.registry``, or whatever offers the same two functions."""

    def log_run(
        self, experiment: str, *, content: RunContent, run_name: str, by: tuple[str, str], finished: bool
    ) -> str:
        """Record a run; returns its id."""

    def register(
        self, card: Card, run_id: str, *, author: str, evaluation: EvaluationReport, name: str,
        tags: Mapping[str, object], gates: Mapping[str, Any],
    ) -> RegisteredVersion:  # fmt: skip
        """Make the card a version of a registered model."""


class _Mlflow:
    """The package's own registry as a tracker."""

    log_run = staticmethod(log_run)
    register = staticmethod(register)


MLFLOW: Tracker = _Mlflow()


@dataclass(frozen=True)
class FinishedRun:
    """A run whose documents are written: what there is to record."""

    experiment: Experiment
    source: DataSource
    card: Card
    evaluation: EvaluationReport
    tuning: Tuning
    folder: Path
    openings: int

    @property
    def is_exploration(self) -> bool:
        """Return whether the card may only be explored: it saw the future, or an adverse record may raise its score."""
        if self.experiment.sample.train_repaired == "drop":
            return True
        return self.source.ledger.catalogue.subjects == "person" and bool(self.card.monotone_faults())

    @property
    def digests(self) -> dict[str, str]:
        """Return the digests of everything the run depends on or wrote."""
        origin, stability = self.card.provenance, self.evaluation.stability
        return {
            "experiment_digest": self.experiment.digest,
            "data_digest": data_digest(self.experiment, self.source),
            "ledger_digest": origin["ledger"]["digest"],
            "catalogue_digest": origin["catalogue"]["digest"],
            "sample_digest": origin["sample"]["digest"],
            "evaluation_digest": self.evaluation.digest,
            "reference_digest": stability.reference_digest if stability else "",
            "commit": origin["code"]["commit"],
        }


def record_run(run: FinishedRun, tracker: Tracker, author: str) -> RunResult:
    """Record the run, and register the card unless it may only be explored."""
    experiment, card, evaluation, tuning = run.experiment, run.card, run.evaluation, run.tuning
    origin, plan, rows = card.provenance, experiment.card, RawRows.of(experiment, run.source)
    digests = run.digests
    settings = {
        "question": experiment.question,
        "seed": experiment.seed,
        "outcome": experiment.outcome.name,
        "policy": experiment.ledger.policy,
        "day_of_use": origin["day_of_use"],
        "profile": plan.profile,
        "trials": plan.trials,
        **{name: value for name, value in origin["sample"].items() if name != "digest"},
        **tuning.settings,
    }
    figures = metrics_of(evaluation) | {"tuning/out_of_fold_gini": tuning.value}
    content = RunContent(
        params=settings,
        metrics=figures | ({} if rows is None else rows.to_metrics()),
        tags={**digests, "card_digest": card.digest, "openings_of_the_out_of_time_sample": run.openings},
        artifacts=[run.folder / name for name in sorted(path.name for path in run.folder.iterdir()) if name != JUDGED],
        trials=[
            (t.settings, {"gini": t.value, "psi": t.psi, "characteristics": t.characteristics}) for t in tuning.trials
        ],
    )
    run_id = tracker.log_run(
        experiment.name, content=content, run_name=f"{experiment.name} {card.id}",
        by=_recorder(experiment, card, evaluation, author), finished=run.is_exploration,
    )  # fmt: skip
    registered = None
    if not run.is_exploration:
        registered = tracker.register(
            card, run_id, author=author, evaluation=evaluation, name=plan.model, tags=digests, gates=experiment.gates
        )
    measures = evaluation.segments["all"].measures
    headlines: dict[str, Estimate] = {
        name: measures[name] for name, measure in MEASURES.items() if measure.headline and name in measures
    }
    for challenger in evaluation.challengers:
        headlines["auc_given_up"] = challenger.segments["all"].minus_card["auc"]
    best = [row.measures["soft_gini"].value for row in evaluation.rankings if row.role == "attainable"]
    return RunResult(
        experiment=experiment.name,
        experiment_digest=experiment.digest,
        data_digest=digests["data_digest"],
        run_id=run_id,
        model=plan.model,
        version=None if registered is None else registered.version,
        card_id=card.id,
        card_digest=card.digest,
        figures={name: (estimate.value, estimate.low, estimate.high) for name, estimate in headlines.items()},
        attainable=best[0] if best else None,
        gates_passed=evaluation.gates_passed,
        gates_declared=tuple(experiment.gates),
        gates_not_judged={
            verdict.name: verdict.reason_en for verdict in evaluation.gate_verdicts if verdict.passed is None
        },
        failed_gates=tuple(
            str(one) for verdict in evaluation.gate_verdicts for one in verdict.checks if not one.passed
        ),
        warnings=tuple(english for english, _ in card_warnings(card)),
        definitions=experiment.definitions,
        report=str(run.folder / "report.html"),
        folder=str(run.folder),
        ledger=str(run.source.ledger.path),
        ingest=rows,
    )


def _recorder(experiment: Experiment, card: Card, evaluation: EvaluationReport, author: str) -> tuple[str, str]:
    """Return who records (this experiment in this home: one at a time), and what."""
    who = socket.gethostname(), str(home().resolve()), experiment.name, experiment.digest
    what = card.digest, evaluation.digest, author
    return _short(who), _short(what)


def _short(parts: tuple[str, ...]) -> str:
    return sha256(json.dumps(parts))[:16]


def metrics_of(evaluation: EvaluationReport) -> dict[str, float | None]:
    """Return every measure with its interval, by a name that a tracker takes."""
    groups = {f"{name}/": segment.measures for name, segment in evaluation.segments.items()}
    roles = {ranking.role: ranking.measures for ranking in evaluation.rankings}
    groups |= {f"{role}/": measures for role, measures in roles.items() if role not in ("card", "challenger")}
    for challenger in evaluation.challengers:
        for name, contest in challenger.segments.items():
            groups[f"challenger_{name}/"] = contest.measures
            groups[f"challenger_minus_card_{name}/"] = contest.minus_card
    order = evaluation.severity_order
    counts = {} if order is None else {"severity_order/pairs": order.pairs, "severity_order": order.violations}
    return counts | {
        f"{prefix}{name}{suffix}": value
        for prefix, measures in groups.items()
        for name, estimate in measures.items()
        for suffix, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high))
    }
