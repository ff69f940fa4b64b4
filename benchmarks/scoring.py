"""Scoring a batch beside optbinning's ``Scorecard.score``: rows a second, the same frame, one run.

Forty numeric columns, both cards learned from the same 20,000 rows; the best of three.

    python benchmarks/scoring.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings

import numpy as np
import pandas as pd
from harness import timed
from sklearn.linear_model import LogisticRegression

COLUMNS, LEARNED = 40, 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    from optbinning import BinningProcess, Scorecard

    from credit_model.learning.classifier import ScorecardClassifier

    rng = np.random.default_rng(20261124)
    names = [f"c{j:02d}" for j in range(COLUMNS)]
    X = pd.DataFrame(rng.normal(size=(asked.rows, COLUMNS)), columns=names)
    few = X.iloc[:LEARNED]
    y = (rng.random(LEARNED) < 1 / (1 + np.exp(2 - few.sum(axis=1) / 4))).astype(int).to_numpy()
    ours = ScorecardClassifier(max_characteristics=COLUMNS, max_bins=7, method="woe_logistic").fit(few, y).to_card()
    peer = Scorecard(
        BinningProcess(names, max_n_bins=7), LogisticRegression(max_iter=1000), scaling_method="min_max",
        scaling_method_params={"min": 300, "max": 850},
    ).fit(few, y)  # fmt: skip
    used = X[list(ours.columns)]
    seconds = {"card": timed(lambda: ours.scores(used), 3).wall, "optbinning": timed(lambda: peer.score(X), 3).wall}
    figures = {f"{name}_rows_per_second": round(asked.rows / taken) for name, taken in seconds.items()}
    figures |= {"columns": len(ours.columns), "ratio": round(seconds["optbinning"] / seconds["card"], 1)}
    print(json.dumps(figures) if asked.json else "  ".join(f"{name} {value}" for name, value in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
