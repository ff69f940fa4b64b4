"""Judge a finished card on rows it has not seen, beside a plain ranking and, on a synthetic city, the true risk.

In: an experiment, its source, the fitted card and its challenger, both samples. Out: an ``EvaluationReport``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from credit_model.evaluation.assembly import EvaluationSettings, full_evaluation
from credit_model.evaluation.challenger import ChallengerDescription
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.fairness_audit import AuditSettings
from credit_model.evaluation.fairness_rates import source_rates
from credit_model.evaluation.gates import Evidence, gate_rules, verdicts_of
from credit_model.experiments.context import Samples, context_of, iso_days
from credit_model.experiments.data_source import DataSource
from credit_model.experiments.experiment import Experiment
from credit_model.features.build import build_features
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.calendar import add_months, from_days
from credit_model.foundation.errors import UserError
from credit_model.learning.challenger import BoostedChallenger
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.metrics.stability import Stability
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.monitoring.stability import compare
from credit_model.sample.development import DevelopmentSample
from credit_model.sample.outcome import Y12
from credit_model.scorecard.bins import attributes_of
from credit_model.scorecard.card import Card

if TYPE_CHECKING:
    from credit_model.assessment.evaluator import Evaluator


def judge(
    experiment: Experiment,
    source: DataSource,
    card: Card,
    best: FeatureDefinition,
    samples: Samples,
    challenger: BoostedChallenger | None = None,
    champion: Evaluator | None = None,
) -> EvaluationReport:
    """Evaluate a card on the out-of-time rows, and its challenger and the champion on the same.

    Parameters
    ----------
    experiment : Experiment
    source : Source
        Of a synthetic city, the true risk is read from it; of the experiment's stored model, the attainable.
    card : Card
    best : FeatureDefinition
        The single characteristic that stands beside the card as a baseline.
    samples : Samples
    challenger : BoostedChallenger, optional
        Fitted to the development sample.
    champion : Evaluator, optional
        The card in force, which this one would replace.
    """
    development, out_of_time = samples
    X, used = out_of_time.X, list(card.columns)
    events, later_events = (_events(source, sample) for sample in samples)
    frame = _scored(experiment, card, out_of_time, later_events).assign(
        single=_single(experiment, best, development, X)
    )
    truth = true_risk_of(experiment, source, out_of_time)
    if truth is not None:
        frame["true_risk"] = truth
    if experiment.attainable is not None:
        frame["attainable"] = _attainable(experiment, source, frame)
    if challenger is not None:
        frame["challenger"] = challenger.predict_proba(X)[:, 1]
    context = context_of(experiment, source, card, samples)
    baselines = {"single": (f"Best single characteristic: {best.label_en}", f"最佳单一特征：{best.label_zh}")}
    if champion is not None:
        frame["champion"] = _probability(champion, experiment, source, frame)
        baselines["champion"] = (f"Champion, version {champion.version}", f"现行模型（版本{champion.version}）")
        context["champion"] = {"version": champion.version, "card": champion.card.digest}
    rates = (events["source"], len(development), later_events["source"], len(out_of_time))
    audit = AuditSettings(
        texts={d.name: (d.reason or d.name, d.label_en, d.label_zh) for d in experiment.features},
        labels={code: (en, zh) for code, (zh, en) in source.ledger.catalogue.occupations.items()},
        sources=source_rates(*rates) if out_of_time.bads and development.bads else (),
    )
    return full_evaluation(
        frame,
        card=card,
        attributes=out_of_time.audit.assign(subject_id=frame["subject_id"], as_of=frame["as_of"]),
        explanation=card.explain(X[used]),
        features=X,
        development=_scored(experiment, card, development, events),
        settings=EvaluationSettings(window_months=_window(experiment), audit=audit),
        baselines=baselines,
        development_rate=development.bad_rate,
        gates={name: limit for name, limit in experiment.gates.items() if gate_rules()[name].measure},
        context=context,
        challenger=None if challenger is None else _description(challenger, experiment, card, samples),
    )


def _window(experiment: Experiment) -> int:
    """Return the performance window in whole months, rounded up."""
    return max(1, math.ceil(experiment.outcome.window_months))


def _scored(experiment: Experiment, card: Card, sample: DevelopmentSample, events: dict[str, Any]) -> pd.DataFrame:
    """Scored rows of a sample, with the month after the observation in which a bad row's event was decided."""
    decided, month = events["decided_on"], np.zeros(len(sample))
    for months in range(1, _window(experiment)):
        month += decided >= add_months(sample.as_of, months)
    return card.score(sample.X[list(card.columns)]).assign(
        subject_id=sample.subject_id,
        as_of=from_days(sample.as_of).astype("datetime64[s]"),
        y=sample.y,
        weight=sample.weight,
        with_record=sample.with_record,
        event_month=np.where(sample.y == 1, month, np.nan),
    )


def _events(source: DataSource, sample: DevelopmentSample) -> dict[str, Any]:
    """Source of the event of every bad row, and the day it was decided, of every row (0 where there is none)."""
    bad = sample.y == 1
    if sample.event is None or not bad.any():
        return {"source": [], "decided_on": np.zeros(len(sample))}
    records = source.ledger.tables(sorted(set(sample.subject_id[bad]))).records
    rows = pd.DataFrame({name: records[name] for name in ("source", "decided_on")}, index=records["record_id"])
    own = rows[~rows.index.duplicated()].reindex(sample.event[bad])
    decided = np.zeros(len(sample))
    decided[bad] = own["decided_on"].fillna(0)
    return {"source": own["source"].fillna("").astype(str).tolist(), "decided_on": decided}


def refuse_empty(card: Card, experiment: Experiment, development: DevelopmentSample) -> None:
    """Refuse a card of no characteristics before a look at the out-of-time sample is spent on it.

    Raises
    ------
    UserError
        If no feature of the experiment earned points.
    """
    if not card.characteristics:
        raise UserError(
            f"experiment {experiment.name!r} cannot end in a card: none of its {len(experiment.features)} features "
            f"earned points on the development sample ({len(development):,} rows, {development.bads:,} bad). Give more "
            "people or more dates, offer other features, or lower the penalty."
        )


def freeze(experiment: Experiment, source: DataSource, card: Card, samples: Samples) -> tuple[Reference, Stability]:
    """Count the people the card was learned from, and those it is judged on, outcome known or not.

    Where observations are called for by events there is nobody else to look at than the rows of the samples.
    """
    plan, use = experiment.sample, experiment.ledger.day_of_use
    if plan.event is None:
        dates = plan.development, [plan.out_of_time]
        then, now = (Snapshot.take(source.ledger, card, days, use, plan.cohort) for days in dates)
    else:
        then, now = (
            Snapshot.of_rows(
                card,
                sample.X,
                sample.subject_id,
                iso_days([sample.as_of.min(), sample.as_of.max()]),
                sample.with_record,
            )
            for sample in samples
        )
    reference = Reference.of(card, then, plan.cohort)
    return reference, compare(card, reference, now)


def true_risk_of(experiment: Experiment, source: DataSource, out_of_time: DevelopmentSample) -> np.ndarray | None:
    """Return the true risk of out-of-time rows of a synthetic city, where the outcome is the one it draws."""
    if source.city is None or experiment.outcome != Y12 or experiment.sample.event is not None:
        return None
    return np.asarray(source.true_risk(experiment.sample.out_of_time, out_of_time.subject_id))


def fit_challenger(experiment: Experiment, development: DevelopmentSample) -> BoostedChallenger | None:
    """Fit the challenger of an experiment to the card's own rows; None where it has none."""
    if experiment.challenger is None:
        return None
    challenger = BoostedChallenger(experiment.features, seed=experiment.seed)
    return challenger.fit(development.X, development.y, development.weight, development.subject_id)


def _description(
    challenger: BoostedChallenger, experiment: Experiment, card: Card, samples: Samples
) -> ChallengerDescription:
    """Describe how the challenger was made, and what each feature moves in it and in the card.

    Both in points, both against the mean of the development sample, both as interventional SHAP values of the
    out-of-time rows.
    """
    development, out_of_time = samples
    moves = challenger.contributions(out_of_time.X)
    gap = np.abs(challenger.base_ + moves.to_numpy().sum(axis=1) - challenger.decision_function(out_of_time.X)).max()
    points = _by_feature(card, out_of_time.X, development)

    def mean(values: pd.Series) -> float:
        return float(np.average(np.abs(values), weights=out_of_time.weight))

    signed = sum(definition.direction != 0 for definition in experiment.features)
    return {
        "label_en": "Gradient boosting, same signs",
        "label_zh": "梯度提升（同向约束）",
        "settings": {
            "method": f"lightgbm {version('lightgbm')}",
            "trees": challenger.trees_,
            "slope": challenger.calibration_["slope"],
            "features_with_a_sign": signed,
            "features_without_a_sign": len(experiment.features) - signed,
            **{
                name: getattr(challenger, name)
                for name in ("leaves", "learning_rate", "penalty", "feature_share", "seed")
            },
        },
        "attributions": [
            {
                "code": d.reason or d.name,
                "text_en": d.label_en,
                "text_zh": d.label_zh,
                "card": mean(points[d.name]) if d.name in points else None,
                "challenger": card.profile.factor * mean(moves[d.name]),
            }
            for d in experiment.features
        ],
        "additivity_gap": float(gap),
    }


def _by_feature(card: Card, X: pd.DataFrame, development: DevelopmentSample) -> pd.DataFrame:
    """Points by column of the card; a pair's are parted between its two."""
    used, weight = list(card.columns), development.weight
    points = card.explain(X[used])[used] - np.average(card.explain(development.X[used])[used], axis=0, weights=weight)
    for pair in card.pairs:
        here, there = (
            tuple(attributes_of(c.bins, rows[c.name], c.name) for c in card.parts(pair.name))
            for rows in (X, development.X)
        )
        joint = np.zeros(pair.grid.shape)
        np.add.at(joint, there, weight / weight.sum())
        for name, part in zip((pair.first, pair.second), pair.shared(joint), strict=True):
            points[name] += part[here]
    return points


def _single(
    experiment: Experiment, definition: FeatureDefinition, development: DevelopmentSample, X: pd.DataFrame
) -> np.ndarray:
    """Probability of bad by one characteristic alone, learned as the card was."""
    plan = experiment.card
    alone = ScorecardClassifier(
        [definition], profile=plan.profile, record_monotone=plan.record_monotone, method="woe_logistic"
    )
    alone.fit(development.X[[definition.name]], development.y, development.weight, development.subject_id)
    return np.asarray(alone.predict_proba(X[[definition.name]])[:, 1])


def _probability(champion: Evaluator, experiment: Experiment, source: DataSource, frame: pd.DataFrame) -> pd.Series:
    """Probability of bad by the card in force, from features of its own as of the same days."""
    definitions = [c.definition for c in champion.card.characteristics if c.definition is not None]
    X = build_features(
        source.ledger, frame[["subject_id", "as_of"]], definitions, day_of_use=experiment.ledger.day_of_use
    )
    return champion.card.score(cast("pd.DataFrame", X))["probability_of_bad"]


def _attainable(experiment: Experiment, source: DataSource, frame: pd.DataFrame) -> np.ndarray:
    """Risk by the stored model of the best lawful use of the same records."""
    import lightgbm

    model = lightgbm.Booster(model_file=str(experiment.path(str(experiment.attainable))))
    features = build_features(
        source.ledger, frame[["subject_id", "as_of"]], model.feature_name(), day_of_use=experiment.ledger.day_of_use
    )
    return np.asarray(model.predict(features))


def judge_gates(
    experiment: Experiment, evaluation: EvaluationReport, card: Card, files: Iterable[str], champion: Evaluator | None
) -> EvaluationReport:
    """Return the evaluation with a verdict on every declared gate that a run can judge.

    ``files`` are those the run leaves; ``champion`` is the card in force that was measured on the same rows.
    """
    in_force = "" if champion is None else champion.card.digest
    evidence = Evidence(card, evaluation.to_dict(), frozenset(files), in_force=in_force)
    return replace(evaluation, verdicts=verdicts_of(experiment.gates, evidence))
