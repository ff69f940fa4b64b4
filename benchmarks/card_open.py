"""Opening a card without MLflow: time from a path to a card whose digest and golden rows are verified.

After imports, in a fresh process: the first opening, then the median of many. Must stay under 50 ms.

    python benchmarks/card_open.py
    python benchmarks/card_open.py --card .credit_model/runs/…/card.json --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from harness import milliseconds

LIMIT = 50.0  # milliseconds


def made_card(folder: Path) -> Path:
    """Learn a card of forty characteristics on noise: the size matters here, not the ranking."""
    from credit_model.learning.classifier import ScorecardClassifier

    rng = np.random.default_rng(20261124)
    X = pd.DataFrame(rng.poisson(1.0, (4_000, 40)).astype(np.float32), columns=[f"c{i:02d}" for i in range(40)])
    y = (rng.random(len(X)) < 1 / (1 + np.exp(4 - X.sum(axis=1) / 20))).astype(int)
    path = folder / "card.json"
    ScorecardClassifier(max_characteristics=40, method="woe_logistic").fit(X, y).to_card("benchmark").save(path)
    return path


def main() -> int:
    """Print the figures; 3 if the limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--card", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.card or made_card(Path(folder))
        from credit_model.scorecard.card import Card

        taken, card = milliseconds(lambda: Card.load(path), 51), Card.load(path)
        size = path.stat().st_size
    figures = {
        "characteristics": len(card.columns),
        "kilobytes": round(size / 1000, 1),
        "first_ms": round(taken[0], 2),
        "median_ms": round(statistics.median(taken[1:]), 2),
    }
    print(json.dumps(figures) if asked.json else "  ".join(f"{name} {value}" for name, value in figures.items()))
    return 0 if max(figures["first_ms"], figures["median_ms"]) < LIMIT else 3


if __name__ == "__main__":
    sys.exit(main())
