"""Binning, and a whole fit, against optbinning: seconds, peak memory, information value, and how cost grows.

Each side runs in a process of its own on the same made columns (normal, counts, half missing, mostly zero, gamma). Lines
that hold: at least ten times as fast as ``BinningProcess`` on a million rows of 50 columns; no higher peak memory; sum of
information values within one per cent or above (on new rows, with the WOE learned, at any size); log-log slope of
processor seconds in rows and in columns at most 1.1.

``--whole`` compares all of ``ScorecardClassifier(method="woe_logistic").fit`` (six binnings, choice, cross-fitted
calibration, points) with all of optbinning's way to a card (``BinningProcess``, WOE, ``LogisticRegression``), and with
``BinningProcess`` alone; AUC on as many new rows stands beside. Ends with exit code 3 when a line does not hold.

    python benchmarks/binning.py
    python benchmarks/binning.py --whole
    python benchmarks/binning.py --rows 100000 --columns 50 --no-slopes --json
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import warnings
from typing import Any

import numpy as np
import pandas as pd
from harness import in_own_process, timed
from sklearn.metrics import roc_auc_score

from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.fine_classes import information_value, weight_of_evidence
from credit_model.learning.transformer import WoeTransformer

LEAST_TIMES, LEAST_VALUE, MOST_SLOPE = 10.0, 0.99, 1.1
SIZES, WIDTHS = (250_000, 500_000, 1_000_000, 2_000_000), (25, 50, 100, 200)
TRENDS = {"auto_asc_desc": "one_way", "auto": "auto"}  # optbinning's name of a constraint, and ours


def made(rows: int, columns: int, draw: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of five kinds, and an outcome of about 10 % that depends on all of them, on some beyond a straight line."""
    weights = np.random.default_rng(20261124).normal(0, 1.2 / columns**0.5, columns)
    rng = np.random.default_rng([20261124, draw])
    frame, log_odds = {}, np.full(rows, -2.5)
    for j in range(columns):
        kind = ("normal", "count", "half_missing", "mostly_zero", "gamma")[j % 5]
        if kind == "normal":
            column = rng.normal(size=rows)
        elif kind == "count":
            column = rng.poisson(3, rows).astype(float)
        elif kind == "half_missing":
            column = np.where(rng.random(rows) < 0.5, np.nan, rng.lognormal(0, 1, rows))
        elif kind == "mostly_zero":
            column = np.where(rng.random(rows) < 0.8, 0.0, rng.lognormal(0, 1, rows))
        else:
            column = rng.gamma(2, 1, rows)
        z = np.nan_to_num((column - np.nanmean(column)) / np.nanstd(column))
        log_odds += weights[j] * (z if j % 10 else 0.7 * (np.abs(z) - 0.8))  # every tenth is U-shaped
        frame[f"{kind}_{j}"] = column
    return pd.DataFrame(frame), (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)


def counted(column: np.ndarray, y: np.ndarray, cuts: np.ndarray) -> list[np.ndarray]:
    """Goods and bads of a column in intervals and missing."""
    part = np.where(np.isnan(column), len(cuts) + 1, np.searchsorted(cuts, column))
    return [np.bincount(part[y == k], minlength=len(cuts) + 2) for k in (0, 1)]


def values(X: pd.DataFrame, y: np.ndarray, cuts: dict[str, Any]) -> tuple[float, float]:
    """Sum of information values, counted alike for both sides: on the rows learned from, and of their WOE on new rows."""
    new, new_y = made(len(X), X.shape[1], draw=1)
    learned = kept = 0.0
    for name, at in cuts.items():
        goods, bads = counted(X[name].to_numpy(), y, at)
        learned += information_value(goods, bads)
        share = [part / part.sum() for part in counted(new[name].to_numpy(), new_y, at)]
        kept += float(((share[0] - share[1]) * weight_of_evidence(goods, bads, smoothing=0.5)).sum())
    return learned, kept


def fitted(side: str, trend: str, X: pd.DataFrame, y: np.ndarray) -> dict[str, Any]:
    """Cuts of every column, as one side finds them."""
    if side == "ours":
        classed = WoeTransformer(trend=TRENDS[trend], max_bins=20, min_share=0.05).fit(X, y)
        return {name: np.asarray(bins.cuts) for name, bins in classed.bins_.items()}
    from optbinning import BinningProcess

    names = list(X.columns)
    process = BinningProcess(names, binning_fit_params={name: {"monotonic_trend": trend} for name in names})
    process.fit(X, y)
    return {name: process.get_binned_variable(name).splits for name in names}


def one(side: str, trend: str, rows: int, columns: int) -> dict[str, Any]:
    """Measure one side; a small fit before loads what is loaded once."""
    X, y = made(rows, columns)
    warnings.simplefilter("ignore")
    fitted(side, trend, X[:5000], y[:5000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fit = timed(lambda: fitted(side, trend, X, y))
    cuts = fit.result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    value, new_value = values(X, y, cuts)
    attributes = sum(len(at) + 1 for at in cuts.values())
    return {
        "seconds": fit.wall, "processor_seconds": fit.processor, "more_mb": (peak - before) / 1024, "peak_mb": peak / 1024,
        "value": value, "new_value": new_value, "attributes": attributes,
    }  # fmt: skip


def measure(side: str, trend: str, rows: int, columns: int) -> dict[str, Any]:
    """Do the same in a process of its own."""
    return in_own_process(__file__, "--one", side, trend, rows, columns)


def whole(side: str, X: pd.DataFrame, y: np.ndarray) -> Any:
    """Fit a model of all columns, as each side comes to one; ``binning`` stops at optbinning's classes."""
    if side == "ours":
        return ScorecardClassifier(method="woe_logistic").fit(X, y)
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    names = list(X.columns)
    process = BinningProcess(names, binning_fit_params={name: {"monotonic_trend": "auto_asc_desc"} for name in names})
    return process.fit(X, y) if side == "binning" else make_pipeline(process, LogisticRegression()).fit(X, y)


def one_whole(side: str, rows: int, columns: int, judged: bool) -> dict[str, Any]:
    """Measure one side; the columns come from a file, so that making them takes no memory here."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "--make", folder, str(rows), str(columns)], check=True)
        values, y = (np.load(f"{folder}/{name}.npy") for name in ("X", "y"))
    X = pd.DataFrame(values, copy=False, columns=[f"column_{j}" for j in range(columns)])
    warnings.simplefilter("ignore")
    whole(side, X[:5000], y[:5000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fit = timed(lambda: whole(side, X, y))
    model = fit.result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {
        "seconds": fit.wall, "processor_seconds": fit.processor, "before_mb": before / 1024, "peak_mb": peak / 1024, "auc": None
    }  # fmt: skip
    if judged and side != "binning":
        new, new_y = made(rows, columns, draw=1)
        found["auc"] = float(roc_auc_score(new_y, model.predict_proba(new.set_axis(X.columns, axis=1))[:, 1]))
    return found


def measure_whole(side: str, rows: int, columns: int, judged: bool = True) -> dict[str, Any]:
    """Do the same in a process of its own."""
    return in_own_process(__file__, "--one-whole", side, rows, columns, int(judged))


def compare_whole(rows: int, columns: int, slopes: bool, tell: Any) -> dict[str, Any]:
    """Time the whole fit beside optbinning's, and how it grows."""
    sides = {side: measure_whole(side, rows, columns) for side in ("ours", "theirs", "binning")}
    tell(f"{rows:,} rows x {columns} columns    processor s, elapsed s, peak MB (before the fit), AUC on new rows")
    for side, name in (("ours", "whole fit"), ("theirs", "optbinning, whole"), ("binning", "optbinning, binning")):
        s = sides[side]
        auc = "" if s["auc"] is None else f"{s['auc']:.4f}"
        tell(
            f"{name:<22} {s['processor_seconds']:>8.2f} {s['seconds']:>8.2f} {s['peak_mb']:>8.0f} "
            f"({s['before_mb']:.0f}) {auc:>8}"
        )
    ours = sides["ours"]
    times = {
        side: {key: sides[side][key] / ours[key] for key in ("processor_seconds", "seconds")}
        for side in ("theirs", "binning")
    }
    for side, name in (("theirs", "its whole way"), ("binning", "its binning alone")):
        tell(
            f"times less than {name}: processor {times[side]['processor_seconds']:.1f}, elapsed {times[side]['seconds']:.1f}"
        )
    found = {"rows": rows, "columns": columns, "sides": sides, "times": times, "slopes": {}}
    if slopes:
        by_rows = [(n, measure_whole("ours", n, 20, False)["processor_seconds"]) for n in SIZES]
        by_columns = [(k, measure_whole("ours", 200_000, k, False)["processor_seconds"]) for k in WIDTHS]
        found["slopes"] = {"rows": slope(by_rows), "columns": slope(by_columns)}
        tell(f"slope of processor seconds in rows {slope(by_rows):.2f}, in columns {slope(by_columns):.2f}")
    found["holds"] = {
        "times its binning": times["binning"]["processor_seconds"] >= LEAST_TIMES,
        "memory": ours["peak_mb"] <= sides["binning"]["peak_mb"],
        "slopes": all(s <= MOST_SLOPE for s in found["slopes"].values()),
    }
    return found


def slope(points: list[tuple[int, float]]) -> float:
    """Slope of a straight line through logarithms."""
    size, seconds = np.log(np.asarray(points)).T
    return float(np.polyfit(size, seconds, 1)[0])


def main() -> int:
    """Print the table; 3 if a line does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--trend", nargs="+", default=list(TRENDS), choices=list(TRENDS))
    parser.add_argument("--no-slopes", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--whole", action="store_true", help="the whole fit instead of the binning")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--one-whole", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        folder, rows, columns = asked.make
        X, y = made(int(rows), int(columns))
        np.save(f"{folder}/X.npy", np.asfortranarray(X.to_numpy()))
        np.save(f"{folder}/y.npy", y)
        return 0
    if asked.one_whole:
        side, rows, columns, judged = asked.one_whole
        print(json.dumps(one_whole(side, int(rows), int(columns), judged == "1")))
        return 0
    if asked.one:
        side, trend, rows, columns = asked.one
        print(json.dumps(one(side, trend, int(rows), int(columns))))
        return 0
    tell = (lambda line: None) if asked.json else (lambda line: print(line, flush=True))
    if asked.whole:
        found = compare_whole(max(asked.rows), asked.columns, not asked.no_slopes, tell)
        if asked.json:
            print(json.dumps(found))
        short = [name for name, kept in found["holds"].items() if not kept]
        tell("all lines hold" if not short else f"NO: {', '.join(short)}")
        return 3 if short else 0
    tell(
        "rows       trend           seconds ours, optbinning, times, processor   peak MB ours, theirs   IV share, on new rows   attributes"
    )
    contests = []
    for rows in asked.rows:
        for trend in asked.trend:
            ours, theirs = (measure(side, trend, rows, asked.columns) for side in ("ours", "theirs"))
            times, worked = (theirs[key] / ours[key] for key in ("seconds", "processor_seconds"))
            share, new_share = (ours[key] / theirs[key] for key in ("value", "new_value"))
            holds = {
                "times": times >= LEAST_TIMES or rows < 1_000_000,
                "memory": ours["peak_mb"] <= theirs["peak_mb"],
                "value": share >= LEAST_VALUE or rows < 1_000_000,
                "value on new rows": new_share >= LEAST_VALUE,
            }
            contests.append(
                {"rows": rows, "columns": asked.columns, "trend": trend, "ours": ours, "optbinning": theirs,
                 "times": times, "processor_times": worked, "value_share": share, "new_value_share": new_share, "holds": holds}
            )  # fmt: skip
            tell(
                f"{rows:<10,} {trend:<14} {ours['seconds']:>8.2f} {theirs['seconds']:>10.2f} {times:>9.1f}x {worked:>6.1f}x "
                f"{ours['peak_mb']:>12.0f} {theirs['peak_mb']:>8.0f} {share:>12.4f} {new_share:>12.4f} "
                f"{ours['attributes']:>7} {theirs['attributes']:>5} {'' if all(holds.values()) else 'NO: ' + ', '.join(k for k in holds if not holds[k])}"
            )
    slopes = {}
    if not asked.no_slopes:
        by_rows = [(n, measure("ours", "auto", n, 20)["processor_seconds"]) for n in SIZES]
        by_columns = [(k, measure("ours", "auto", 200_000, k)["processor_seconds"]) for k in WIDTHS]
        slopes = {"rows": slope(by_rows), "columns": slope(by_columns)}
        tell(f"slope of processor seconds in rows {slopes['rows']:.2f}, in columns {slopes['columns']:.2f}")
    if asked.json:
        print(json.dumps({"contests": contests, "slopes": slopes}))
    held = all(all(contest["holds"].values()) for contest in contests) and all(s <= MOST_SLOPE for s in slopes.values())
    return 0 if held else 3


if __name__ == "__main__":
    sys.exit(main())
