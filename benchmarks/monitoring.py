"""What the monitor finds, what it raises for nothing, and what a full report of a million rows costs.

    python benchmarks/monitoring.py            # about three minutes, 2 GB
    python benchmarks/monitoring.py --json

False alarms and power of the PSI in draws from a known world; one report of a million scored rows; then a made city of
100,000 people month by month: the shock in inspection, quiet months, and ranking foretold without labels.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from typing import Any

import numpy as np
import pandas as pd
from harness import timed

import credit_model as cm
from credit_model.evaluation.assembly import evaluate
from credit_model.features.dictionary import library
from credit_model.foundation.calendar import add_months, from_day, to_day
from credit_model.metrics.performance import soft_gini
from credit_model.monitoring.drift import ALARM_FLOOR, ALARM_LEVEL, psi, psi_limit
from credit_model.monitoring.monitor import monitor
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Y12

SEED, DRAWS = 20261124, 20_000
WORLDS = {
    "ten bins": [0.1] * 10,
    "six grades": [0.04, 0.06, 0.1, 0.6, 0.15, 0.05],
    "point mass": [0.979, 0.021],
}
LEARNED, SHOCK, DAY_OF_USE = ["2022-09-01", "2023-09-01"], "2021-06-01", "2026-11-24"


def indices(then: np.ndarray, now: np.ndarray) -> np.ndarray:
    """PSI of many draws at once, as the textbook has it, an empty bin as half a person."""
    e = np.maximum(then, 0.5) / then.sum(axis=1, keepdims=True)
    a = np.maximum(now, 0.5) / now.sum(axis=1, keepdims=True)
    return ((a - e) * np.log(a / e)).sum(axis=1)


def false_alarms(level: float, floor: float) -> dict[str, float]:
    rng, found = np.random.default_rng(SEED), {}
    for name, share in WORLDS.items():
        for people in (300, 30_000):
            for reference in (10_000, 30_000):
                limit = psi_limit(tuple(reference * x for x in share), people, level)
                drawn = (rng.multinomial(n, share, DRAWS) for n in (reference, people))
                found[f"{name}, n = {people:,}, reference {reference:,}"] = float(
                    (indices(*drawn) > max(limit, floor)).mean()
                )
    return found


def power() -> dict[str, float]:
    rng, found = np.random.default_rng(SEED), {}
    edges = np.quantile(rng.normal(size=1_000_000), np.linspace(0, 1, 11)[1:-1])
    then = np.bincount(np.searchsorted(edges, rng.normal(size=10_000)), minlength=10)
    hits = [
        psi(then, np.bincount(np.searchsorted(edges, rng.normal(0.5, 1, 1_000)), minlength=10)).has_moved
        for _ in range(2_000)
    ]
    found["half a sigma, n = 1,000, level .999, floor .01"] = float(np.mean(hits))
    for level, floor in ((0.95, 0.0), (ALARM_LEVEL, 0.0)):
        limit = psi_limit((9_790.0, 210.0), 1_000, level)
        for share in (0.05, 0.04):
            adverse = rng.binomial(1_000, share, DRAWS)
            then_, now = (
                np.stack([n - x, x], 1) for n, x in ((10_000, rng.binomial(10_000, 0.021, DRAWS)), (1_000, adverse))
            )
            found[f"visible adverse 2.1 % to {share:.0%}, n = 1,000, level {level}"] = float(
                (indices(then_, now) > max(limit, floor)).mean()
            )
    return found


def outlier() -> float:
    """How much one outlier of 1e5 moves the index more than any other person in the last bin."""
    rng = np.random.default_rng(SEED)
    edges, then, now = np.linspace(-2, 2, 9), rng.normal(size=10_000), rng.normal(size=1_000)
    values = []
    for extreme in (2.5, 1e5):
        now[0] = extreme
        values.append(psi(*(np.bincount(np.searchsorted(edges, side), minlength=10) for side in (then, now))).value)
    return values[1] - values[0]


def report(rows: int) -> dict[str, float]:
    """Evaluate many scored rows in full: every measure of all people and of two segments, every interval."""
    rng = np.random.default_rng(SEED)
    lost = rng.choice([0, 6, 12, 26, 40, 66, 80, 120], rows, p=[0.7, 0.08, 0.07, 0.06, 0.04, 0.03, 0.015, 0.005])
    score = 800 - lost + rng.choice([0, 6, 10], rows, p=[0.96, 0.03, 0.01])
    truth = 1 / (1 + np.exp(4.6 + (score - 800) / 57.7))
    cuts = [620, 680, 740, 795, 806]
    frame = pd.DataFrame(
        {
            "subject_id": np.arange(rows),
            "as_of": "2025-04-01",
            "y": (rng.random(rows) < truth).astype(int),
            "score": score,
            "probability_of_bad": truth,
            "grade": np.array(list("FEDCBA"))[np.searchsorted(cuts, score, side="right")],
            "with_record": lost > 0,
            "true_risk": truth,
            "attainable": truth,
        }
    )
    seconds = timed(lambda: evaluate(frame)).wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"rows": rows, "seconds": seconds, "peak GB of the whole process": peak}


def made_city(people: int) -> dict[str, Any]:
    city = cm.synthesise(profile="R", people=people, seed=SEED)
    ledger = cm.Ledger.create(tempfile.mkdtemp() + "/ledger", policy="tier")
    ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
    definitions = [d for d in library() if d.record_monotone]
    sample = build_sample(ledger, Y12, LEARNED, definitions, day_of_use=DAY_OF_USE)
    learner = cm.ScorecardClassifier(definitions, max_characteristics=12, method="woe_logistic")
    card = learner.fit(sample.X, sample.y, sample.weight, sample.subject_id).to_card(
        "benchmark", {"outcome": Y12.to_dict(), "sample": {"development": LEARNED}}
    )
    before = Reference.of(card, Snapshot.take(ledger, card, ["2020-06-01", "2021-05-01"], DAY_OF_USE))
    found: dict[str, Any] = {"people": people, "shock begins": SHOCK}
    watched = [add_months(to_day(SHOCK), i) for i in range(13)]
    alarms = {str(from_day(day)): monitor(ledger, card, before, day, DAY_OF_USE).alarms for day in watched}
    for kind in ("intake", "characteristic"):
        first = next((day for day, told in alarms.items() if any(a.kind == kind for a in told)), None)
        found[f"first alarm of kind {kind}"] = first
        found[f"what it says ({kind})"] = next((a.text_en for a in alarms.get(first or "", ()) if a.kind == kind), None)
    reference = Reference.of(card, Snapshot.take(ledger, card, LEARNED, DAY_OF_USE))
    gaps, raised, quiet = [], [], [add_months(to_day("2023-10-01"), i) for i in range(24)]
    for day in quiet:
        month = monitor(ledger, card, reference, day, DAY_OF_USE)
        raised += [(str(from_day(day)), alarm.kind, alarm.name) for alarm in month.alarms]
        now = Snapshot.take(ledger, card, [day], DAY_OF_USE)
        truth = city.true_risk(day).reindex(now.subject.tolist())
        known = truth.notna().to_numpy()
        if known.any():
            expected = (1 + soft_gini(truth[known], -now.score[known].astype(float)).value) / 2
            gaps.append(month.stability.expected_auc_now.value - expected)
    found["quiet months"] = len(quiet)
    found["alarms in quiet months"] = raised
    found["label-free AUC less AUC under true risk, mean"] = float(np.mean(gaps))
    found["label-free AUC less AUC under true risk, widest"] = float(np.max(np.abs(gaps)))
    found["seconds a month"] = timed(lambda: monitor(ledger, card, reference, quiet[0], DAY_OF_USE)).wall
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--people", type=int, default=100_000)
    asked.add_argument("--rows", type=int, default=1_000_000)
    told = asked.parse_args()
    found: dict[str, Any] = {"report": report(told.rows)} if told.rows else {}
    found["false alarms at level .95, no floor"] = false_alarms(0.95, 0.0)
    found["false alarms at the monitor's level .999, floor .01"] = false_alarms(ALARM_LEVEL, ALARM_FLOOR)
    found["power"] = power()
    found["index moved by one outlier of 1e5"] = outlier()
    if told.people:
        found["made city"] = made_city(told.people)
    if told.json:
        json.dump(found, sys.stdout, ensure_ascii=False, indent=1)
        return
    for title, part in found.items():
        print(f"\n{title}")
        for name, value in part.items() if isinstance(part, dict) else [("", part)]:
            print(f"  {name:<56} {value:.4f}" if isinstance(value, float) else f"  {name:<56} {value}")


if __name__ == "__main__":
    main()
