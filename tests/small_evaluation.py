"""A made-up scored population, and its evaluation: what the tests of the value and of the page share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from small_card import small_card

from credit_model.evaluation.assembly import EvaluationSettings, evaluate, full_evaluation
from credit_model.evaluation.decisions import Programme
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.fairness_audit import AuditSettings
from credit_model.evaluation.fairness_rates import source_rates
from credit_model.metrics.stability import Stability
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.monitoring.stability import compare

CARD = small_card()
BASELINE = {"single": ("Best single characteristic", "最佳单一特征")}
CONTEXT = {
    "experiment": "made-city",
    "question": "Does a longer look-back rank better?",
    "made_city": True,
    "outcome_en": "y12: a new serious adverse event within 12 months",
    "outcome_zh": "y12：12个月内新发严重不良事件",
    "dates": {
        "development": ["2022-09-01", "2023-09-01"],
        "out_of_time": ["2025-04-01"],
        "window_months": 12,
        "maturity_months": 7,
        "day_of_use": "2026-11-24",
    },
    "samples": [{"name_en": "Development", "name_zh": "开发样本", "observations": 8000, "people": 4000, "bads": 2}],
    "exclusions": [{"reason_en": "Listed", "reason_zh": "在名单内", "development": 81, "out_of_time": 3}],
    "notes": [{"text_en": "Rows as a service saw them.", "text_zh": "按服务当日所见。"}],
    "digests": {"ledger": "9f" * 32},
}
CHALLENGER = {
    "label_en": "Gradient boosting, same signs",
    "label_zh": "梯度提升（同向约束）",
    "settings": {"trees": 120, "slope": 0.94},
    "attributions": [
        {"code": c.reason, "text_en": c.label_en, "text_zh": c.label_zh, "card": 0.8 / n, "challenger": 1.2 / n}
        for n, c in enumerate(CARD.characteristics, start=1)
    ]
    + [{"code": "V1", "text_en": "Volunteer hours", "text_zh": "志愿服务时长", "card": None, "challenger": 0.4}],
    "additivity_gap": 3e-13,
}
GATES = {"soft_gini_to_attainable": 0.9, "slope": [0.5, 1.5], "observed_to_expected": 0.05}


def made_values(people: int, rng: np.random.Generator, more: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """The card's columns of made-up people, and what no record tells of them; ``more`` adverse records, in logs."""
    conduct, unseen = rng.normal(size=(2, people))
    columns = {
        "adverse_24m": rng.poisson(np.exp(more - 2 + 1.2 * conduct).clip(0, 3)),
        "adverse_serious_36m": rng.poisson(np.exp(-4 + 1.2 * conduct).clip(0, 2)),
        "listed_now": rng.random(people) < 0.004,
        "commitment_breaches_36m": rng.random(people) < 0.02,
        "unperformed_judgments": rng.random(people) < 0.01,
        "honours_60m": rng.random(people) < 0.03,
    }
    return pd.DataFrame({name: np.asarray(column, np.float32) for name, column in columns.items()}), unseen


def made_frame(people: int = 4_000, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scored rows of made-up people with a known risk, three in four at one score; and the points behind them."""
    rng = np.random.default_rng(seed)
    values, unseen = made_values(people, rng)
    scored = CARD.score(values)
    probability = 1 / (1 + np.exp(3.2 + (scored["score"].to_numpy() - 800) / 57.7))
    truth = 1 / (1 + np.exp(3.6 + (scored["score"].to_numpy() - 800) / 57.7 - 0.4 * unseen))
    frame = pd.DataFrame(
        {
            "subject_id": [f"person-{i:05}" for i in range(people)],
            "as_of": np.resize(pd.to_datetime(["2025-03-01", "2025-04-01", "2025-05-01"]).to_numpy(), people),
            "y": (rng.random(people) < truth).astype(int),
            "score": scored["score"].to_numpy(),
            "probability_of_bad": probability,
            "grade": scored["grade"].to_numpy(),
            "with_record": (values.drop(columns="honours_60m") > 0).any(axis=1).to_numpy(),
            "true_risk": truth,
            "attainable": -scored["score"].to_numpy() + 8 * unseen,
            "challenger": 1 / (1 + np.exp(3.4 + (scored["score"].to_numpy() - 800) / 57.7 - 0.2 * np.rint(unseen))),
            "single": 0.02 + 0.05 * values["adverse_24m"].clip(upper=3).to_numpy(),
        }
    )
    return frame, CARD.explain(values)


FRAME, POINTS = made_frame()


def judged(frame: pd.DataFrame = FRAME, points: pd.DataFrame = POINTS, **other: Any) -> EvaluationReport:
    given_ = {"card": CARD, "explanation": points, "baselines": BASELINE, "gates": GATES, "context": CONTEXT}
    given_ |= {"challenger": CHALLENGER, **other}
    return evaluate(frame, **given_)


REPORT = judged()


def beside(frame: pd.DataFrame = FRAME, seed: int = 5) -> pd.DataFrame:
    """Attributes of the made-up people: one at random, one that goes with the score."""
    rng = np.random.default_rng(seed)
    low, lot = frame["score"].to_numpy() < 800, rng.choice(["hill", "shore"], len(frame))
    return pd.DataFrame(
        {
            "subject_id": frame["subject_id"],
            "sex": rng.choice(["F", "M"], len(frame)),
            "district": np.where(low & (rng.random(len(frame)) < 0.7), "hill", lot),
        }
    )


def full(frame: pd.DataFrame = FRAME, points: pd.DataFrame = POINTS, **other: Any) -> EvaluationReport:
    """Everything a report can hold: samples with event months, decisions with overrides and programmes, groups."""
    rng = np.random.default_rng(6)
    given_ = (frame["score"] >= 795) ^ (rng.random(len(frame)) < 0.04)
    frame = frame.assign(
        event_month=np.where(frame["y"] == 1, rng.integers(0, 12, len(frame)), np.nan),
        decided=np.where(given_, "incentive", "standard"),
        reason=rng.choice(["appeal", "new records", ""], len(frame)),
        clean=~frame["with_record"],
    )
    # More people on fewer dates than out of time, and a month whose goods were never followed up.
    development = frame.assign(as_of=np.resize(pd.to_datetime(["2022-09-01", "2023-09-01"]).to_numpy(), len(frame)))
    lost = development.assign(as_of=pd.Timestamp("2023-10-01"), y=1).head(120)
    development = pd.concat([development, lost.assign(subject_id=lost["subject_id"] + "+")])
    sources = source_rates(["court"] * 90 + ["fines"] * 60, 9_000, ["court"] * 40 + ["fines"] * 60, 4_000)
    told: dict[str, Any] = {
        "card": CARD, "explanation": points, "features": points.drop(columns="base"), "attributes": beside(frame),
        "development": development, "baselines": BASELINE, "gates": GATES, "context": CONTEXT, "challenger": CHALLENGER,
        "settings": EvaluationSettings(
            programmes=[Programme("R2", "Waived papers", "容缺受理", cutoff=795, rule="clean")],
            audit=AuditSettings(sources=sources),
        ),
    }  # fmt: skip
    return full_evaluation(frame, **(told | other)).with_sections(stability=made_stability())


def made_stability(more: float = 0.5) -> Stability:
    """People with more adverse records than those the card was learned from."""
    then, now = (
        Snapshot.of_rows(CARD, made_values(people, np.random.default_rng(people), how)[0], range(people), [day])
        for people, how, day in ((6_000, 0.0, "2023-09-01"), (4_000, more, "2025-04-01"))
    )
    return compare(CARD, Reference.of(CARD, then), now)


FULL = full()
