"""Real fines: the card of ``experiments/road_traffic_fines.toml`` beside logistic regression and LightGBM.

From the event log to a judged card: ingest, observations, features, search, fit, calibration, report. The other two learn
from the same rows and features (logistic regression: months one-hot, the rest standardised; LightGBM: its defaults).

Two splits. *mature*: every development label was mature before the first out-of-time day, as in the experiment. *known
figures*: as in the table of baselines beside the data, everything before the out-of-time day is learned from, though the
last three years of it could not have had their labels yet. The out-of-time rows are opened once, when all models of
both splits are fitted, and are the same in both. Then 5-fold cross-validation over all rows, and what moves by year.

    python benchmarks/road_traffic_fines.py
    python benchmarks/road_traffic_fines.py --json

The tables are read from the folder in ``CREDIT_MODEL_BENCHMARK_DATA`` (default ``../shared/data``).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from credit_model.experiments.context import Samples
from credit_model.experiments.data_source import development_sample, home, open_source, out_of_time_sample
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.judgement import judge
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.tuning import tune
from credit_model.foundation.calendar import from_days
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.calibration import brier, calibration_line, log_loss
from credit_model.metrics.curves import ks
from credit_model.metrics.performance import auc
from credit_model.reports.page import render_html
from credit_model.sample.development import DevelopmentSample, build_sample

EXPERIMENT = Path(__file__).resolve().parents[1] / "experiments" / "road_traffic_fines.toml"
MEASURES = ("auc", "ks", "brier", "log_loss", "slope", "ece")
SEED = 42
DRAWS = 200
Model = Any
Array = np.ndarray


def main() -> int:
    """Print rows and rates, a table of figures for each split, and the drift."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    watch = Watch()
    experiment = load_experiment(EXPERIMENT)
    plan = experiment.sample
    source = open_source(experiment, lambda said: print(said, file=sys.stderr))
    watch("ledger")
    develop = development_sample(experiment, source)
    watch("development sample")
    gap = between(experiment, source.ledger, plan.development[-1] + 1, plan.out_of_time - 1)

    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "search.journal"
        chosen = tune(
            lambda settings: card_of(experiment, settings), develop, experiment.card,
            seed=experiment.seed, journal=journal, progress=lambda said: print(said, file=sys.stderr),
        )  # fmt: skip
    watch("search")
    makers: dict[str, Callable[[], Model]] = {
        "card": lambda: card_of(experiment, chosen.settings),
        "logistic regression": logistic,
        "LightGBM": boosted,
    }
    splits = {"mature": [develop], "known figures": [develop, gap]}
    fitted = {
        (split, name): fit(make(), *joined(rows)) for split, rows in splits.items() for name, make in makers.items()
    }
    watch("fits")

    later = out_of_time_sample(experiment, source)
    figures = [
        {"split": split, "model": name, "learned_from": sum(map(len, splits[split])), **judged(later, model)}
        for (split, name), model in fitted.items()
    ]
    watch("out of time")
    reference, differences = reference_figures(splits, later)
    watch("reference columns")
    report = folder_of_report(experiment, source, fitted["mature", "card"], develop, later)
    watch("report")

    X, y, _ = joined([develop, gap, later])
    figures += [{"split": "cv5", "model": name, **cross_validated(make, X, y)} for name, make in makers.items()]
    watch("cross-validation")
    found = {
        "rows": {"development": len(develop), "gap": len(gap), "out_of_time": len(later), "all": len(X)},
        "event_rate": {
            "development": develop.bad_rate, "gap": gap.bad_rate, "out_of_time": later.bad_rate, "all": float(y.mean()),
        },
        "settings": dict(chosen.settings), "out_of_fold_gini": chosen.value,
        "characteristics": [c.name for c in fitted["mature", "card"].card_.characteristics],
        "hand_over_days": hand_over_days(source.ledger), "labels_unlike_reference": differences, "figures": figures + reference, "known": known_figures(), "drift": drift(fitted, develop, gap, later),
        "calendar": calendar(X, y, [develop, gap, later]), "seconds": watch.seconds, "report": str(report),
    }  # fmt: skip
    print(json.dumps(found) if asked.json else told(found))
    return 0


class Watch:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._since, 1)
        self._since = now


# ---------------------------------------------------------------------------------------------- rows and models


def between(experiment: Experiment, ledger: Ledger, first: int, last: int) -> DevelopmentSample:
    """Fines whose labels were not mature on the out-of-time date."""
    plan, use = experiment.sample, experiment.ledger.day_of_use
    observed = plan.observe_after.observations(ledger, first, last, use)
    known_through = experiment.ledger.known_through
    return build_sample(
        ledger, experiment.outcome, observed, experiment.features, day_of_use=use, known_through=known_through
    )


def hand_over_days(ledger: Ledger) -> int:
    """On how many days anything was handed to credit collection."""
    records = ledger.tables().records
    return len(np.unique(records["decided_on"][records["kind"] == "credit_collection"]))


def joined(samples: list[DevelopmentSample]) -> tuple[pd.DataFrame, Array, Array]:
    """Features, outcomes and subjects of some samples, one after the other."""
    X = pd.concat([sample.X for sample in samples], ignore_index=True)
    y, subject = (np.concatenate([getattr(sample, name) for sample in samples]) for name in ("y", "subject_id"))
    return X, y, subject


def card_of(experiment: Experiment, settings: Any) -> ScorecardClassifier:
    plan = experiment.card
    return ScorecardClassifier(
        experiment.features, plan.profile, record_monotone=plan.record_monotone, method="woe_logistic", **settings
    )


def logistic() -> Model:
    months = ["month_notified", "month_written"]
    encoder = make_column_transformer((OneHotEncoder(), months), remainder=StandardScaler())
    return make_pipeline(encoder, LogisticRegression(max_iter=2_000))


def boosted() -> Model:
    return lightgbm.LGBMClassifier(n_jobs=1, random_state=0, verbose=-1)


def fit(model: Model, X: pd.DataFrame, y: Array, subject: Array) -> Model:
    return model.fit(X, y, groups=subject) if isinstance(model, ScorecardClassifier) else model.fit(X, y)


def risk_of(model: Model, X: pd.DataFrame) -> Array:
    return np.asarray(model.predict_proba(X))[:, 1]


# ---------------------------------------------------------------------------------------------- figures


def judged(sample: DevelopmentSample, model: Model) -> dict[str, list[float | None]]:
    return measured(sample.y, risk_of(model, sample.X))


def measured(y: Array, p: Array) -> dict[str, list[float | None]]:
    """Each measure with its 95 % interval."""
    slope = calibration_line(y, p).slope
    estimates = {"auc": auc(y, p), "ks": ks(y, p), "brier": brier(y, p), "log_loss": log_loss(y, p), "slope": slope}
    figures = {name: [e.value, e.low, e.high] for name, e in estimates.items()}
    rng = np.random.default_rng(SEED)
    found = ece(y, p)
    drawn = np.array([ece(y[rows], p[rows]) for rows in (rng.integers(0, len(y), len(y)) for _ in range(DRAWS))])
    low, high = 2 * found - np.quantile(drawn, [0.975, 0.025])  # draws are farther off than the rows themselves
    return figures | {"ece": [found, max(float(low), 0.0), float(high)]}


def ece(y: Array, p: Array, bins: int = 10) -> float:
    """Compute the expected calibration error: mean gap of observed and expected over tenths of the rows by risk."""
    tenth = np.digitize(p, np.quantile(p, np.linspace(0, 1, bins + 1))[1:-1])
    count = np.bincount(tenth, minlength=bins)
    return float(np.abs(np.bincount(tenth, y - p, minlength=bins)).sum() / count.sum())


def cross_validated(make: Callable[[], Model], X: pd.DataFrame, y: Array) -> dict[str, Any]:
    """Figures of pooled out-of-fold risks, and the mean and spread of the AUC over folds."""
    p, folds = np.empty(len(y)), []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=SEED).split(X, y):
        model = fit(make(), X.iloc[train], y[train], train)
        p[test] = risk_of(model, X.iloc[test])
        folds.append(auc(y[test], p[test]).value)
    return measured(y, p) | {"auc_of_folds": [float(np.mean(folds)), float(np.std(folds, ddof=1))]}


def known_figures() -> list[dict[str, Any]]:
    """Return what the table of baselines beside the data says, as it is."""
    table = pd.read_csv(data_folder() / "baselines.csv")
    own = table[table["data"] == "road_traffic_fines"]
    kept = own[["split", "model", "auc", "ks", "brier", "logloss", "ece10_pooled"]]
    return kept.to_dict("records")


def reference_figures(
    splits: dict[str, list[DevelopmentSample]], later: DevelopmentSample
) -> tuple[list[dict[str, Any]], int]:
    """LightGBM on the columns of the known figures, in both splits; and how many labels differ from theirs.

    Theirs hold the officer's number and a code of dismissal that may have been written later; ours hold neither.
    """
    table = pd.read_parquet(data_folder() / "road_traffic_fines" / "reference_features.parquet").set_index("case_id")
    X = table.drop(columns=["asof", "created", "target"])
    for name in ("article", "vehicleClass", "dismissal0", "resource"):
        X[name] = X[name].astype(str).astype("category")
    differences = 0
    for sample in (*splits["known figures"], later):
        differences += int((table["target"][sample.subject_id].to_numpy() != sample.y).sum())
    figures = []
    for split, samples in splits.items():
        _, y, subject = joined(samples)
        p = risk_of(boosted().fit(X.loc[subject], y), X.loc[later.subject_id])
        told = {"split": split, "model": "LightGBM, their columns", "learned_from": len(y)}
        figures.append(told | measured(later.y, p))
    return figures, differences


def data_folder() -> Path:
    """Return the folder of the shared tables, as the experiment finds it."""
    experiment = load_experiment(EXPERIMENT)
    return experiment.path(experiment.ledger.source.records[0]).parents[1]


def folder_of_report(experiment: Experiment, source: Any, model: Model, *samples: DevelopmentSample) -> Path:
    """Write the report of the card of the experiment's own split."""
    card = model.to_card(experiment.card.model)
    best = max(experiment.features, key=lambda feature: model.information_values_[feature.name])
    evaluation = judge(experiment, source, card, best, Samples(*samples))
    page = home() / "benchmarks" / "road_traffic_fines.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_html(evaluation), encoding="utf-8")
    return page


# ---------------------------------------------------------------------------------------------- drift


def drift(fitted: dict[Any, Model], *samples: DevelopmentSample) -> list[dict[str, Any]]:
    """By year of observation: rows, event rate, the card's expectation, PSI of its score, and in years without a
    development row the AUC of each model.
    """
    X, y, _ = joined(list(samples))
    year = from_days(np.concatenate([sample.as_of for sample in samples])).astype("datetime64[Y]").astype(str)
    models = {name: model for (split, name), model in fitted.items() if split == "mature"}
    card = models["card"].card_
    score = card.score(X[list(card.columns)])["score"].to_numpy()
    cuts = np.unique(np.quantile(score[: len(samples[0])], np.linspace(0, 1, 11))[1:-1])
    base = shares(score[: len(samples[0])], cuts)
    learned, rows = set(year[: len(samples[0])].tolist()), []
    for of in np.unique(year):
        own = year == of
        risks = {name: risk_of(model, X[own]) for name, model in models.items()}
        share = shares(score[own], cuts)
        rows.append(
            {
                "year": str(of), "rows": int(own.sum()), "event_rate": float(y[own].mean()),
                "expected": float(risks["card"].mean()), "psi": float(((share - base) * np.log(share / base)).sum()),
                "auc": {name: auc(y[own], p).value for name, p in risks.items()} if of not in learned else {},
            }
        )  # fmt: skip
    return rows


def shares(score: Array, cuts: Array) -> Array:
    """Share of each bin; an empty one counts half a row."""
    count = np.maximum(np.bincount(np.searchsorted(cuts, score, side="right"), minlength=len(cuts) + 1), 0.5)
    return count / count.sum()


def calendar(X: pd.DataFrame, y: Array, samples: list[DevelopmentSample]) -> dict[str, float]:
    """How much of LightGBM's cross-validated rank is knowing the year: AUC when a fine of the same month may be learned
    from, when no fine of the same year may, and of the fee and the amount alone.
    """
    year = from_days(np.concatenate([sample.as_of for sample in samples])).astype("datetime64[Y]").astype(int)

    def ranked(columns: list[str], folds: Any) -> tuple[float, float]:
        p = np.empty(len(y))
        for train, test in folds:
            p[test] = risk_of(boosted().fit(X.iloc[train][columns], y[train]), X.iloc[test][columns])
        by_year = [(auc(y[year == of], p[year == of]).value, (year == of).sum()) for of in np.unique(year)]
        return auc(y, p).value, float(np.average([a for a, _ in by_year], weights=[n for _, n in by_year]))

    shuffled = list(StratifiedKFold(5, shuffle=True, random_state=SEED).split(X, y))
    by_year = [(np.flatnonzero(year != of), np.flatnonzero(year == of)) for of in np.unique(year)]
    every = list(X.columns)
    pooled, within = ranked(every, shuffled)
    _, unseen = ranked(every, by_year)
    money, _ = ranked(["fee", "amount"], shuffled)
    rate = np.array([y[year == of].mean() for of in np.unique(year)])
    return {
        "cv5_pooled": pooled, "cv5_within_years": within, "other_years_within_years": unseen,
        "fee_and_amount_cv5": money, "year_alone": auc(y, rate[np.unique(year, return_inverse=True)[1]]).value,
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------- printing


def told(found: dict[str, Any]) -> str:
    lines = [f"rows {found['rows']}  labels unlike the reference {found['labels_unlike_reference']}"]
    lines += [f"days of hand-over {found['hand_over_days']}"]
    lines += ["event rate " + str({k: round(v, 4) for k, v in found["event_rate"].items()})]
    lines += [f"search {found['settings']}  {', '.join(found['characteristics'])}"]
    for row in found["figures"]:
        shown = (f"{m} {row[m][0]:.4f} ({row[m][1]:.3f}-{row[m][2]:.3f})" for m in MEASURES)
        folds = row.get("auc_of_folds")
        spread = f"  folds {folds[0]:.4f} sd {folds[1]:.4f}" if folds else ""
        lines.append(f"{row['split']:<14} {row['model']:<24} " + "  ".join(shown) + spread)
    lines += [f"known {row}" for row in found["known"]]
    for row in found["drift"]:
        by_model = "  ".join(f"{name} {value:.3f}" for name, value in row["auc"].items())
        lines.append(
            f"{row['year']}  rows {row['rows']:>6}  rate {row['event_rate']:.3f}  expected {row['expected']:.3f}  "
            f"PSI {row['psi']:.3f}  AUC {by_model}"
        )
    lines += [f"calendar {found['calendar']}", f"seconds {found['seconds']}", f"report {found['report']}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
