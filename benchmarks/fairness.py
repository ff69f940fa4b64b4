"""How often a group that is left out is found: the eligibility ratio's flag by true ratio, base rate and group size.

For each cell, 20,000 pairs of groups are drawn as counts; flagged is an interval wholly below 0.8. Under a true ratio of
0.7 that is power, at 0.8 and above a false alarm. Below stands COMPAS beside fairlearn, where that is installed.

    python benchmarks/fairness.py
    python benchmarks/fairness.py --draws 2000 --json
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from credit_model.evaluation.fairness_rates import eligibility_ratio, error_rates
from credit_model.metrics.shares import Shares, ratio_estimate

RATIOS = (0.7, 0.8, 0.9, 1.0)
BASES = (0.02, 0.1, 0.3, 0.5, 0.9, 0.99)
SIZES = (500, 5_000, 50_000)
COUNTS = Path(__file__).resolve().parents[1] / "tests" / "cases" / "compas_counts.csv"


def flagged(ratio: float, base: float, people: int, draws: int, rng: np.random.Generator) -> dict[str, Any]:
    """Share of draws that are flagged, and share whose interval holds the true ratio."""
    share = rng.binomial(people, (base, ratio * base), (draws, 2)) / people
    error = np.sqrt(share * (1 - share) / (people - 1))
    found = [
        ratio_estimate(Shares(value, spread, np.full(2, float(people))), 1, 0)
        for value, spread in zip(share, error, strict=True)
    ]
    known = [one for one in found if one.high is not None and one.low is not None]
    return {
        "ratio": ratio,
        "base": base,
        "people": people,
        "flagged": sum(one.high < 0.8 for one in known) / draws,
        "covered": sum(one.low <= ratio <= one.high for one in known) / max(len(known), 1),
    }


def compas() -> dict[str, Any]:
    counts = pd.read_csv(COUNTS)
    rows = counts.loc[counts.index.repeat(counts["people"])]
    rows = rows[rows["race"].isin(["African-American", "Caucasian"])].reset_index(drop=True)
    high = (rows["decile"] >= 5).astype(int)
    ours = error_rates(rows["outcome"], high, rows["race"])
    ratio = eligibility_ratio(1 - high, rows["race"], "Caucasian")["African-American"]
    told: dict[str, Any] = {
        "ratio": ratio.value,
        "gap": max(abs(ours["African-American"].fpr.value - ours["Caucasian"].fpr.value),
                   abs(ours["African-American"].tpr.value - ours["Caucasian"].tpr.value)),
    }  # fmt: skip
    try:
        from fairlearn.metrics import demographic_parity_ratio, equalized_odds_difference
    except ImportError:
        return told | {"fairlearn": "not installed"}
    return told | {
        "fairlearn_ratio": demographic_parity_ratio(rows["outcome"], 1 - high, sensitive_features=rows["race"]),
        "fairlearn_gap": equalized_odds_difference(rows["outcome"], high, sensitive_features=rows["race"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    cells = [flagged(*cell, asked.draws, rng) for cell in product(RATIOS, BASES, SIZES)]
    beside = compas()
    if asked.json:
        print(json.dumps({"draws": asked.draws, "cells": cells, "compas": beside}))
        return 0
    print("people a group   base   " + "   ".join(f"ratio {ratio}" for ratio in RATIOS))
    for people, base in product(SIZES, BASES):
        row = [cell for cell in cells if (cell["people"], cell["base"]) == (people, base)]
        print(f"{people:>14,}  {base:>5.0%}   " + "   ".join(f"{cell['flagged']:>9.2%}" for cell in row))
    covered = [cell["covered"] for cell in cells]
    print(f"coverage of the interval: {min(covered):.1%} to {max(covered):.1%} over {len(cells)} cells")
    print(
        "COMPAS, decile 5 and above: "
        + ", ".join(f"{k} {v:.6f}" if isinstance(v, float) else f"{k} {v}" for k, v in beside.items())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
