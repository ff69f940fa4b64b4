"""What the card gives up: gradient boosting with the same signs on the card's own rows, judged on its out-of-time rows.

For each city (settings of ``experiments/baseline.toml``) and for the inspections of San Francisco: challenger minus card
with its paired 95 % interval, for all, with and without a record. Where there are several seeds, the mean of them below.

    python benchmarks/challenger.py --seeds 20261124 41 42 43
    python benchmarks/challenger.py --profile R --policy tier --people 1000000 --no-public
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from made_city import NoTracker, planned

from credit_model.experiments.experiment import Experiment
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import load_experiment

PUBLIC = Path(__file__).resolve().parents[1] / "experiments" / "sf_restaurants.toml"
MEASURES = ("auc", "soft_gini", "brier", "log_loss", "slope")


def measure(name: str, experiment: Experiment) -> dict[str, Any]:
    result = run(experiment, tracker=NoTracker(), progress=lambda said: print(said, file=sys.stderr))
    (challenger,) = result.evaluation.challengers
    segments = {}
    for segment, contest in challenger.segments.items():
        counts = result.evaluation.segments[segment].counts
        found = {m: vars(contest.minus_card[m]) for m in MEASURES if m in contest.minus_card}
        slopes = (result.evaluation.segments[segment].measures, contest.measures)
        segments[segment] = {
            "people": counts.people,
            "bads": counts.bads,
            "minus_card": found,
            "slopes": [measures["slope"].value for measures in slopes if "slope" in measures],
        }
    trees = challenger.settings["trees"], challenger.settings["slope"]
    return {"name": name, "verdict": challenger.verdict, "trees": trees[0], "slope_of_trees": trees[1], **segments}


def told(found: dict[str, Any] | None) -> str:
    if not found or found["value"] is None:
        return f"{'-':>26}"
    return f"{found['value']:>+9.5f} ({found['low']:+.4f},{found['high']:+.4f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20261124])
    parser.add_argument("--profile", nargs="+", default=["R", "L"])
    parser.add_argument("--policy", nargs="+", default=["tier", "retention"])
    parser.add_argument("--no-public", action="store_true", help="made cities only")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows, print_row = [], print if not asked.json else lambda line: None
    for profile, policy in product(asked.profile, asked.policy):
        city = [
            measure(f"{profile} {policy} {seed}", planned(profile, policy, asked.people, seed)) for seed in asked.seeds
        ]
        rows += city
        for row in city:
            report(row, print_row)
        if len(city) > 1:
            means = {
                m: np.mean([row["all"]["minus_card"][m]["value"] for row in city]) for m in MEASURES
            }  # cities are drawn independently
            print_row(
                f"{profile} {policy}, mean of {len(city)}: " + ", ".join(f"{m} {v:+.5f}" for m, v in means.items())
            )
    if not asked.no_public:
        rows.append(measure("San Francisco", replace(load_experiment(PUBLIC), gates={})))
        report(rows[-1], print_row)
    if asked.json:
        print(json.dumps(rows))
    return 0


def report(row: dict[str, Any], say: Any) -> None:
    say(f"{row['name']}: {row['verdict']}; {row['trees']} trees, slope out of fold {row['slope_of_trees']:.3f}")
    for segment in ("all", "with_record", "without_record"):
        if row.get(segment):
            found = row[segment]["minus_card"]
            slopes = " -> ".join(f"{slope:.3f}" for slope in row[segment]["slopes"] if slope is not None)
            bads = row[segment]["bads"]
            say(f"  {segment:<15} {bads!s:>5} bads  " + "  ".join(f"{m} {told(found.get(m))}" for m in MEASURES))
            say(f"  {'':<15} slope card -> challenger {slopes}")


if __name__ == "__main__":
    sys.exit(main())
