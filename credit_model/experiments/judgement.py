"""Judge a finished card on rows it has not seen, beside a plain ranking and, on a synthetic city, the true risk.

In: an experiment, its source, the fitted card and its challenger, both samples. Out: an ``EvaluationReport``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import pandas as pd

from credit_model.evaluation.assembly import EvaluationSettings, full_evaluation
from credit_model.evaluation.challenger import ChallengerDescription
from credit_model.evaluation.evaluation import EvaluationContext, EvaluationReport
from credit_model.evaluation.fairness_audit import AuditSettings
from credit_model.evaluation.fairness_rates import source_rates
from credit_model.evaluation.gates import Evidence, gate_rules, verdicts_of
from credit_model.experiments.data_source import DataSource
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.raw_rows import RawRows
from credit_model.features.build import build_features
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.calendar import add_months, from_days
from credit_model.foundation.errors import UserError
from credit_model.learning.challenger import BoostedChallenger
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.metrics.stability import Stability
from credit_model.monitoring.reference import Reference, Snapshot
from credit_model.monitoring.stability import compare
from credit_model.sample.development import REASONS, DevelopmentSample
from credit_model.sample.outcome import Y12
from credit_model.scorecard.bins import attributes_of
from credit_model.scorecard.card import Card

if TYPE_CHECKING:
    from credit_model.assessment.evaluator import Evaluator

FEWEST_CHARACTERISTICS: Final = 3


class Samples(NamedTuple):
    """The two samples of an experiment: rows to learn from, and later rows to judge on."""

    development: DevelopmentSample
    out_of_time: DevelopmentSample


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
    context = _context(experiment, source, card, samples)
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
    if plan.observe_after is None:
        dates = plan.development, [plan.out_of_time]
        then, now = (Snapshot.take(source.ledger, card, days, use, plan.cohort) for days in dates)
    else:
        then, now = (
            Snapshot.of_rows(
                card, sample.X, sample.subject_id, _iso([sample.as_of.min(), sample.as_of.max()]), sample.with_record
            )
            for sample in samples
        )
    reference = Reference.of(card, then, plan.cohort)
    return reference, compare(card, reference, now)


def true_risk_of(experiment: Experiment, source: DataSource, out_of_time: DevelopmentSample) -> np.ndarray | None:
    """Return the true risk of out-of-time rows of a synthetic city, where the outcome is the one it draws."""
    if source.city is None or experiment.outcome != Y12 or experiment.sample.observe_after is not None:
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


def _context(experiment: Experiment, source: DataSource, card: Card, samples: Samples) -> EvaluationContext:
    """Return the context of the evaluation: question, dates, samples, exclusions, digests."""
    development, out_of_time = samples
    outcome, plan, catalogue = experiment.outcome, experiment.sample, source.ledger.catalogue
    judged_on, rows = [plan.out_of_time], RawRows.of(experiment, source)
    if plan.observe_after is not None:
        judged_on = [int(out_of_time.as_of.min()), int(out_of_time.as_of.max())]
    names = (("Development", "开发样本", development), ("Out of time", "跨时间样本", out_of_time))
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "made_city": source.city is not None,
        "subjects": catalogue.subjects,
        "outcome_en": outcome.sentence("en"),
        "outcome_zh": outcome.sentence("zh"),
        "dates": {
            "development": _iso(plan.development),
            "out_of_time": _iso(judged_on),
            "window_months": outcome.window_months,
            "maturity_months": outcome.maturity_months,
            "day_of_use": _iso([experiment.ledger.day_of_use])[0],
        },
        "samples": [
            {"name_en": en, "name_zh": zh, "observations": len(sample), "people": sample.people, "bads": sample.bads}
            for en, zh, sample in names
        ],
        "exclusions": _exclusions(samples),
        **({} if rows is None else {"ingest": rows.to_section()}),
        "notes": [
            {"text_en": en[0].upper() + en[1:], "text_zh": zh}
            for en, zh in (*card_warnings(card), *_notes(experiment, samples))
        ],
        "digests": {
            "experiment": experiment.digest,
            "ledger": source.ledger.digest,
            "catalogue": catalogue.digest,
            "development sample": development.digest,
            "out-of-time sample": out_of_time.digest,
        },
    }


def _exclusions(samples: Samples) -> list[dict[str, Any]]:
    """How many on file are not rows of a sample, by reason."""
    rows_by_reason: dict[str, dict[str, Any]] = {}
    for name, sample in samples._asdict().items():
        left_out = sample.counts[~sample.counts["outcome"].isin(["good", "bad"])]
        totals = left_out.groupby(["outcome", "reason"], as_index=False)["rows"].sum()
        for outcome, reason, rows in totals.itertuples(index=False):
            en, zh = REASONS[reason]
            if outcome == "censored":
                en, zh = f"{en} within the performance window", f"表现期内{zh}"
            row = rows_by_reason.setdefault(en, {"reason_en": en, "reason_zh": zh, "development": 0, "out_of_time": 0})
            row[name] = int(rows)
    return list(rows_by_reason.values())


def card_warnings(card: Card) -> tuple[tuple[str, str], ...]:
    """Return what is doubtful of a card whatever its figures, in English (as part of a line) and Chinese."""
    count = len(card.characteristics)
    if count >= FEWEST_CHARACTERISTICS:
        return ()
    few = "1 characteristic" if count == 1 else f"{count} characteristics"
    return (
        (
            f"the card has {few}, fewer than {FEWEST_CHARACTERISTICS}: one record decides most of a score, and people "
            "who differ in anything else get the same. Look at [features] and at max_characteristics.",
            f"评分卡仅有{count}项特征，少于{FEWEST_CHARACTERISTICS}项：一条记录即可决定大部分分数，其他方面不同的人得分相同。"
            "请检查[features]和max_characteristics。",
        ),
    )


def judge_gates(
    experiment: Experiment, evaluation: EvaluationReport, card: Card, files: Iterable[str], champion: Evaluator | None
) -> EvaluationReport:
    """Return the evaluation with a verdict on every declared gate that a run can judge.

    ``files`` are those the run leaves; ``champion`` is the card in force that was measured on the same rows.
    """
    in_force = "" if champion is None else champion.card.digest
    evidence = Evidence(card, evaluation.to_dict(), frozenset(files), in_force=in_force)
    return replace(evaluation, verdicts=verdicts_of(experiment.gates, evidence))


def _notes(experiment: Experiment, samples: Samples) -> Iterable[tuple[str, str]]:
    """Yield what a reader must know to read the figures rightly."""
    escalations = [int(sample.escalation.sum()) for sample in samples]
    yield (
        f"An event of an old case is not an outcome: {escalations[0]} development and {escalations[1]} out-of-time "
        "rows met such an escalation.",
        f"旧案件的后续事件不计为结果：开发样本{escalations[0]}行、跨时间样本{escalations[1]}行出现此类升级事件。",
    )
    if (event := experiment.sample.observe_after) is not None:
        yield (
            f"Observations have days of their own, {event.sentence('en')}; the dates named are the first and the last.",
            f"每项观察各有其日期（{event.sentence('zh')}）；所列日期为首末两日。",
        )
    if experiment.sample.train_repaired == "drop":
        yield (
            "Records repaired after the observation date were dropped from the development features (train_repaired = "
            "drop). Nobody could know them on that day; the records that remain look harsher than they are (1.27 times "
            "where it was measured), so the probabilities of people with a record are too high. Not for registration.",
            "开发样本的特征剔除了观察日之后才修复的信息（train_repaired = drop）。当日无从得知，余下信息显得更严重"
            "（实测约1.27倍），有信息人员的概率偏高，不得用于注册。",
        )
    if experiment.sample.goods_share < 1:
        yield (
            f"Of the goods of the development sample {experiment.sample.goods_share:.0%} were kept, with weights.",
            f"开发样本中的好样本按{experiment.sample.goods_share:.0%}抽样并加权。",
        )
    if (caps := experiment.card.single_record) is not None:
        points = " / ".join(map(str, caps.points))
        yield (
            f"Set, not learned: one record may cost at most {points} points by its severity class, 1 to 5, through all "
            f"learned characteristics together. Approved by {caps.approver}. Ground: {caps.ground}",
            f"政策设定（非学习所得）：一条信息通过全部学习所得特征合计扣分，按轻重等级1至5级分别不超过{points}分。"
            f"批准人：{caps.approver}。依据：{caps.ground}",
        )
    if experiment.left_out:
        yield (
            f"{len(experiment.left_out)} features that the experiment includes by a pattern were left out: "
            + "; ".join(f"{name} {why}" for name, why in experiment.left_out.items()),
            f"按通配纳入的特征中有{len(experiment.left_out)}项因回溯期或单调性未使用。",
        )


def _iso(days: Iterable[int]) -> list[str]:
    return [str(day) for day in from_days(list(days))]
