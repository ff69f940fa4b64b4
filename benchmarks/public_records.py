"""Real public records: the card of ``experiments/sf_restaurants.toml`` beside logistic regression and LightGBM.

Same ledger, same features, same rows. All three are fitted on the development dates with settings fixed beforehand
(the card with the settings its own search chose); then the out-of-time rows are opened once and all are judged.

    python benchmarks/public_records.py
    python benchmarks/public_records.py --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from credit_model.evaluation.assembly import evaluate
from credit_model.experiments.data_source import open_source
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.tuning import tune
from credit_model.foundation.calendar import from_days
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.sample.development import build_sample

EXPERIMENT = Path(__file__).resolve().parents[1] / "experiments" / "sf_restaurants.toml"
MEASURES = ("gini", "ks", "brier", "log_loss", "slope", "observed_to_expected")


def main() -> int:
    """Print a table, one row a model, with 95 % intervals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    experiment = load_experiment(EXPERIMENT)
    source = open_source(experiment, lambda said: print(said, file=sys.stderr))

    def observe(dates: Any) -> Any:
        return build_sample(
            source.ledger, experiment.outcome, dates, experiment.features, cohort=experiment.sample.cohort,
            day_of_use=experiment.ledger.day_of_use, known_through=source.known_through,
        )  # fmt: skip

    develop = observe(experiment.sample.development)

    def card_of(settings: Any) -> ScorecardClassifier:
        plan = experiment.card
        return ScorecardClassifier(
            experiment.features, plan.profile, record_monotone=plan.record_monotone, method="woe_logistic", **settings
        )

    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "search.journal"
        chosen = tune(card_of, develop, experiment.card, seed=experiment.seed, journal=journal)
    card = card_of(chosen.settings).fit(develop.X, develop.y, develop.weight, develop.subject_id)
    logistic = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler(), LogisticRegression(max_iter=2_000)
    ).fit(develop.X, develop.y)
    boosted = lightgbm.LGBMClassifier(n_jobs=1, random_state=0, verbose=-1).fit(develop.X, develop.y)

    later = observe([experiment.sample.out_of_time])
    frame = pd.DataFrame(
        {
            "subject_id": later.subject_id,
            "as_of": from_days(later.as_of).astype("datetime64[s]"),
            "y": later.y,
            "weight": later.weight,
            "with_record": later.with_record,
        }
    )
    rows = []
    for name, model in {"card": card, "logistic regression": logistic, "LightGBM": boosted}.items():
        probability = np.asarray(model.predict_proba(later.X))[:, 1]
        report = evaluate(frame.assign(probability_of_bad=probability, score=rank_of(probability), grade="all"))
        measures = report.segments["all"].measures
        rows.append(
            {
                "model": name,
                **{m: [measures[m].value, measures[m].low, measures[m].high] for m in MEASURES if m in measures},
            }
        )
    found = {
        "development_rows": len(develop), "out_of_time_rows": len(later), "out_of_time_bad_rate": round(later.bad_rate, 4),
        "features": develop.X.shape[1], "models": rows,
    }  # fmt: skip
    if asked.json:
        print(json.dumps(found))
        return 0
    print({name: value for name, value in found.items() if name != "models"})
    for row in rows:
        auc = [(value + 1) / 2 for value in row["gini"]]
        shown = {"auc": auc, **{m: row[m] for m in MEASURES if m in row}}
        print(
            f"{row['model']:<20}",
            "  ".join(
                f"{m} {v:.3f}" + (f" ({lo:.3f}-{hi:.3f})" if lo is not None else "") for m, (v, lo, hi) in shown.items()
            ),
        )
    return 0


def rank_of(probability: np.ndarray) -> np.ndarray:
    """Return an integer score in the order of the probability, ties kept: less risk, more points."""
    return np.unique(-probability, return_inverse=True)[1]


if __name__ == "__main__":
    sys.exit(main())
