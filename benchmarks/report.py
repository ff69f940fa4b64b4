"""A whole report on a million scored rows: performance, samples, decisions, groups, proxies, JSON and page, by part.

The rows are people of a small made city, drawn again with new ids and with outcomes drawn from their true risk, scored by
a card learned there, so that ties are as in life. The development sample has as many rows. Limits: 60 s and 4 GB for the
report alone. Ends with exit code 3 when they do not hold.

    python benchmarks/report.py
    python benchmarks/report.py --rows 100000 --json
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from harness import timed

import credit_model as cm
from credit_model.evaluation.assembly import evaluate, full_evaluation
from credit_model.evaluation.decisions import summarise_decisions
from credit_model.evaluation.fairness_audit import audit_fairness
from credit_model.evaluation.samples import describe_samples
from credit_model.features.dictionary import library
from credit_model.reports.page import render_html
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Y12

SECONDS, GIGABYTES = 60.0, 4.0


def rows(people: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, Any]:
    """Scored rows, attributes, features, points and the card."""
    city = cm.synthesise(profile="L", people=20_000, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        ledger = cm.Ledger.create(f"{folder}/ledger", policy="retention")
        ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
        definitions = [d for d in library() if d.record_monotone]
        sample = build_sample(ledger, Y12, ["2023-09-01"], definitions)
        classifier = cm.ScorecardClassifier(definitions, max_characteristics=12, method="woe_logistic")
        card = classifier.fit(sample.X, sample.y, sample.weight, sample.subject_id).to_card("example")
        rng = np.random.default_rng(seed)
        drawn = rng.integers(0, len(sample), people)
        risk = np.asarray(city.true_risk("2023-09-01").reindex(sample.subject_id), np.float64)[drawn]
    X = sample.X.iloc[drawn].reset_index(drop=True)
    y = (rng.random(people) < risk).astype(int)
    frame = card.score(X[list(card.columns)]).assign(
        subject_id=[f"P{i:08}" for i in range(people)],
        as_of=np.resize(pd.to_datetime([f"2025-{month:02}-01" for month in range(1, 13)]).to_numpy(), people),
        y=y,
        with_record=sample.with_record[drawn],
        true_risk=risk,
        event_month=np.where(y == 1, rng.integers(0, 12, people), np.nan),
        other=risk + rng.normal(0, 0.05, people).clip(-0.2, 0.2),
    )
    attributes = sample.audit.iloc[drawn].reset_index(drop=True).assign(subject_id=frame["subject_id"])
    return frame, attributes, X, card.explain(X[list(card.columns)]), card


def time_part(seconds: dict[str, float], name: str, call: Callable[[], Any]) -> Any:
    """Note the seconds of a part by its name, and return its result."""
    seconds[name], _, result = timed(call)
    return result


def gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--parts", action="store_true", help="time each part by itself as well")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    frame, attributes, features, points, card = rows(asked.rows, asked.seed)
    development = frame.assign(as_of=np.resize(pd.to_datetime(["2022-09-01", "2023-09-01"]).to_numpy(), len(frame)))
    before = gigabytes()
    seconds: dict[str, float] = {}
    processor = time.process_time()
    others = {"other": ("Another ranking", "另一排序")}
    report = time_part(
        seconds,
        "evaluation",
        lambda: full_evaluation(
            frame, card=card, attributes=attributes, explanation=points, features=features, development=development,
            baselines=others,
        ),
    )  # fmt: skip
    text = time_part(seconds, "json", report.to_json)
    page = time_part(seconds, "page", lambda: render_html(report))
    whole, processor = sum(seconds.values()), time.process_time() - processor
    if asked.parts:
        time_part(seconds, "  performance", lambda: evaluate(frame, card=card, explanation=points, baselines=others))
        time_part(seconds, "  samples", lambda: describe_samples({"development": development, "out_of_time": frame}))
        time_part(seconds, "  decisions", lambda: summarise_decisions(frame, card=card, others=others))
        time_part(
            seconds,
            "  groups",
            lambda: audit_fairness(frame, attributes, card=card, explanation=points, features=features),
        )
    holds = whole < SECONDS and gigabytes() < GIGABYTES
    value = {
        "rows": asked.rows,
        "features": features.shape[1],
        "seconds": whole,
        "processor_seconds": processor,
        "parts": seconds,
        "gigabytes_before": before,
        "gigabytes": gigabytes(),
        "json_bytes": len(text.encode()),
        "page_bytes": len(page.encode()),
        "holds": holds,
    }
    if asked.json:
        print(json.dumps(value))
    else:
        print(f"{asked.rows:,} rows, {features.shape[1]} features screened: {whole:.1f} s ({processor:.1f} s of processor), {gigabytes():.2f} GB at most "
              f"(rows alone {before:.2f} GB); JSON {len(text) // 1000} kB, page {len(page) // 1000} kB")  # fmt: skip
        for name, took in seconds.items():
            print(f"  {name:<14} {took:6.1f} s")
    return 0 if holds else 3


if __name__ == "__main__":
    sys.exit(main())
