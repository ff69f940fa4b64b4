"""The learner beside its rivals on public sets: five folds (stratified, shuffled, seed 42), side by side in one run.

One call, ``ScorecardClassifier().fit(X, y)``, raw frames, no setting of any set. Rivals: logistic regression (one-hot,
standardised), optbinning's WOE and logistic regression, EBM (settings of ``baselines.csv``; the fines as the larger sets), LightGBM
and scikit-learn's gradient boosting with their defaults. ECE: ten bins of equal mass on the pooled out-of-fold predictions. Ends with the means,
the mean rank by AUC and the lines that do not hold (exit code 3): AUC at least optbinning's and EBM's less 0.002 on every set, mean
Brier and log loss not above EBM's, ECE at most that of the best other and 0.005 under 10,000 rows, 0.002 above. With
``--calibrators``, the out-of-fold scores of the card are calibrated again by isotonic, beta and Venn-Abers maps
(cross-fitted), to see whether any helps.

    python benchmarks/learner.py --data ../shared/data --sets german,compas --models card,ebm,woe
    python benchmarks/learner.py --data ../shared/data --frontier german --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

SMALLER = {"outer_bags": 4, "interactions": 10}
LARGER = {"outer_bags": 2, "interactions": 5, "max_rounds": 3000, "learning_rate": 0.03}
FOLDERS = {
    "german": "german_statlog/data", "taiwan": "taiwan_default/data", "spanish": "spanish_credit_data/data",
    "compas": "compas_two_year/data", "sf": "sf_restaurants/reference_features",
    "fines": "road_traffic_fines/reference_features",
}  # fmt: skip
COMPAS = ["sex", "age", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count", "c_charge_degree"]


def load(data: Path, name: str) -> tuple[pd.DataFrame, np.ndarray]:
    frame = pd.read_parquet(data / f"{FOLDERS[name]}.parquet")
    if name == "compas":  # ProPublica's filter
        near = frame["days_b_screening_arrest"].between(-30, 30)
        known = (frame["is_recid"] != -1) & (frame["c_charge_degree"] != "O") & (frame["score_text"] != "N/A")
        target = "target" if "target" in frame else "two_year_recid"
        frame = frame.loc[near & known, [*COMPAS, target]].rename(columns={target: "target"})
    frame = frame.drop(columns=["business_id", "case_id", "asof", "created"], errors="ignore").reset_index(drop=True)
    if name == "fines":
        frame[["resource", "article"]] = frame[["resource", "article"]].astype(str)
    return frame.drop(columns="target"), frame["target"].to_numpy(int)


# ---------------------------------------------------------------------- models: X, y, Xt -> probabilities


def card(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    from credit_model.learning.classifier import ScorecardClassifier

    return ScorecardClassifier().fit(X, y).predict_proba(Xt)[:, 1]


def lr(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    texts = [c for c in X if X[c].dtype.kind not in "biuf"]
    numbers = [c for c in X if c not in texts]
    middle = X[numbers].median()
    X, Xt = (
        f.assign(**{c: f[c].fillna(middle[c]) for c in numbers}).fillna(dict.fromkeys(texts, "?")) for f in (X, Xt)
    )
    shape = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), texts), (StandardScaler(), numbers), sparse_threshold=0
    )
    return make_pipeline(shape, LogisticRegression(max_iter=2000)).fit(X, y).predict_proba(Xt)[:, 1]


def woe(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    from optbinning import BinningProcess

    plain = {c: X[c].dtype.kind not in "biuf" for c in X}
    X, Xt = (f.astype({c: object for c, text in plain.items() if text}) for f in (X, Xt))
    binning = BinningProcess(list(X.columns), categorical_variables=[c for c, text in plain.items() if text])
    woes = binning.fit(X, y).transform(X, metric="woe", metric_missing="empirical")
    unseen = binning.transform(Xt, metric="woe", metric_missing="empirical")
    return LogisticRegression(max_iter=2000).fit(woes, y).predict_proba(unseen)[:, 1]


def ebm(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    from interpret.glassbox import ExplainableBoostingClassifier

    settings = SMALLER if name in ("german", "compas", "spanish") else LARGER
    return ExplainableBoostingClassifier(**settings, n_jobs=1, random_state=42).fit(X, y).predict_proba(Xt)[:, 1]


def _categories(X: pd.DataFrame, Xt: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    texts = [c for c in X if X[c].dtype.kind not in "biuf"]
    kinds = {c: pd.CategoricalDtype(sorted(X[c].dropna().unique())) for c in texts}
    return X.astype(kinds), Xt.astype(kinds)


def lgbm(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    from lightgbm import LGBMClassifier

    X, Xt = _categories(X, Xt)
    return LGBMClassifier(n_jobs=1, random_state=42, verbose=-1).fit(X, y).predict_proba(Xt)[:, 1]


def gb(name: str, X: pd.DataFrame, y: np.ndarray, Xt: pd.DataFrame) -> np.ndarray:
    X, Xt = _categories(X, Xt)
    few = {c: X[c].cat.codes for c in X if X[c].dtype == "category" and len(X[c].cat.categories) > 255}
    rest = {c: Xt[c].cat.codes for c in few}
    model = HistGradientBoostingClassifier(random_state=42, categorical_features="from_dtype")
    return model.fit(X.assign(**few), y).predict_proba(Xt.assign(**rest))[:, 1]


MODELS: dict[str, Callable[..., np.ndarray]] = {
    "card": card, "woe": woe, "ebm": ebm, "lr": lr, "lgbm": lgbm, "gb": gb,
}  # fmt: skip


# ---------------------------------------------------------------------- measures


def ece(y: np.ndarray, p: np.ndarray) -> float:
    parts = np.array_split(np.argsort(p, kind="stable"), 10)
    return float(sum(abs(p[part].mean() - y[part].mean()) * len(part) for part in parts) / len(y))


def measured(name: str, X: pd.DataFrame, y: np.ndarray, model: Callable[..., np.ndarray]) -> tuple[dict[str, Any], Any]:
    pooled, folds, start = np.zeros(len(y)), [], time.perf_counter()
    for learn, test in StratifiedKFold(5, shuffle=True, random_state=42).split(X, y):
        p = pooled[test] = model(name, X.iloc[learn], y[learn], X.iloc[test])
        folds.append((roc_auc_score(y[test], p), brier_score_loss(y[test], p), log_loss(y[test], p)))
    auc, brier, loss = np.mean(folds, axis=0)
    found = {"auc": auc, "auc_sd": np.std([f[0] for f in folds]), "brier": brier, "log_loss": loss}
    found |= {"ece": ece(y, pooled), "seconds": time.perf_counter() - start}
    return {key: round(float(value), 5) for key, value in found.items()}, pooled


# ---------------------------------------------------------------------- calibrators, on out-of-fold scores


def venn_abers(s: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Inductive Venn-Abers: isotonic fits with each test point as good and as bad, joined as p1 / (1 - p0 + p1)."""
    at, where = np.unique(t, return_inverse=True)
    both = []
    for outcome in (0, 1):
        fitted = [IsotonicRegression().fit(np.append(s, v), np.append(y, outcome)).predict([v])[0] for v in at]
        both.append(np.asarray(fitted)[where])
    return both[1] / (1 - both[0] + both[1])


def beta(s: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    shape = [np.stack([np.log(p), -np.log1p(-p)], axis=1) for p in (s, t)]
    return LogisticRegression(C=1e6, max_iter=2000).fit(shape[0], y).predict_proba(shape[1])[:, 1]


def isotonic(s: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    return IsotonicRegression(out_of_bounds="clip").fit(s, y).predict(t)


def platt(s: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    model = LogisticRegression(C=1e6).fit(logit(s)[:, None], y)
    return np.asarray(expit(model.decision_function(logit(t)[:, None])))


def recalibrated(y: np.ndarray, pooled: np.ndarray) -> dict[str, Any]:
    """Compute what another calibration of the card's probabilities would do, learned on other rows than it is judged on."""
    found = {"none": pooled}
    for name, method in (("platt", platt), ("beta", beta), ("isotonic", isotonic), ("venn_abers", venn_abers)):
        p = np.zeros(len(y))
        for learn, test in StratifiedKFold(5, shuffle=True, random_state=1).split(pooled[:, None], y):
            p[test] = method(pooled[learn], y[learn], pooled[test])
        found[name] = p
    return {
        name: {
            "brier": round(brier_score_loss(y, p), 5),
            "log_loss": round(log_loss(y, np.clip(p, 1e-6, 1 - 1e-6)), 5),
            "ece": round(ece(y, p), 5),
        }
        for name, p in found.items()
    }


def frontier(name: str, X: pd.DataFrame, y: np.ndarray, sizes: list[int]) -> dict[int, float]:
    """AUC of the best card of at most so many characteristics."""
    from credit_model.learning.classifier import ScorecardClassifier

    def of(most: int) -> Callable[..., np.ndarray]:
        return lambda _, X, y, Xt: (
            ScorecardClassifier(max_characteristics=most, method="additive").fit(X, y).predict_proba(Xt)[:, 1]
        )

    return {most: measured(name, X, y, of(most))[0]["auc"] for most in sizes}


def summary(figures: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """Means over the sets, the mean rank by AUC, and which lines do not hold."""
    found: dict[str, Any] = {}
    for model in models:
        rows = [of[model] for of in figures.values()]
        found[model] = {
            key: round(float(np.mean([row[key] for row in rows])), 5) for key in ("auc", "brier", "log_loss", "ece")
        }
        ranks = [1 + sum(of[other]["auc"] > of[model]["auc"] for other in models) for of in figures.values()]
        found[model]["mean_rank"] = round(float(np.mean(ranks)), 2)
    missed = []
    if {"card", "woe", "ebm"} <= set(models):
        for name, of in figures.items():
            best = min(of[model]["ece"] for model in models if model != "card")
            room = 0.005 if of["rows"] < 10_000 else 0.002
            lines = {
                "AUC of optbinning": of["card"]["auc"] >= of["woe"]["auc"],
                "AUC of EBM less 0.002": of["card"]["auc"] >= of["ebm"]["auc"] - 0.002,
                "ECE": of["card"]["ece"] <= best + room,
            }
            missed += [f"{name}: {line}" for line, holds in lines.items() if not holds]
        missed += [f"mean {key}" for key in ("brier", "log_loss") if found["card"][key] > found["ebm"][key]]
    return {"means": found, "missed": missed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join(FOLDERS))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--calibrators", action="store_true")
    parser.add_argument("--frontier", help="a set: AUC by the most characteristics")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    figures: dict[str, Any] = {}
    if asked.frontier:
        figures[asked.frontier] = frontier(asked.frontier, *load(asked.data, asked.frontier), [2, 3, 5, 8, 12, 20])
        print(json.dumps(figures) if asked.json else figures)
        return 0
    for name in asked.sets.split(","):
        X, y = load(asked.data, name)
        figures[name] = {"rows": len(y)}
        for model in asked.models.split(","):
            figures[name][model], pooled = measured(name, X, y, MODELS[model])
            if not asked.json:
                print(name, model, figures[name][model], flush=True)
            if model == "card" and asked.calibrators:
                figures[name]["calibrators"] = recalibrated(y, pooled)
                if not asked.json:
                    print(name, figures[name]["calibrators"], flush=True)
    found = summary(figures, asked.models.split(","))
    if asked.json:
        print(json.dumps({"sets": figures, **found}))
    else:
        for model, means in found["means"].items():
            print("mean", model, means)
        print("lines that do not hold:", "; ".join(found["missed"]) or "none")
    return 3 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
