"""The card against what public records can tell at all: soft Gini over the lawful attainable, slope, observed/expected.

Under both profiles and both policies, on a city of 100,000 people out of time, with the settings of
``experiments/baseline.toml``. Lines that hold: soft Gini at least 0.90 of the stored attainable; slope and
observed/expected within the limits for that number of people. Ends with exit code 3 when one does not.

    python benchmarks/made_city.py
    python benchmarks/made_city.py --people 100000 --seeds 20261124 1 2 --profile R --policy tier --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from credit_model.training import Experiment, load_experiment, run

ROOT = Path(__file__).resolve().parents[1]
LEAST_SHARE = 0.90


class NoTracker:
    """A benchmark leaves nothing in a registry."""

    def log_run(self, experiment: str, **what: Any) -> str:
        return ""

    def register(self, card: Any, run_id: str, **what: Any) -> None:
        return None


def planned(profile: str, policy: str, people: int, seed: int) -> Experiment:
    """The baseline experiment on another city."""
    baseline = load_experiment(ROOT / "experiments" / "baseline.toml")
    source = replace(baseline.ledger.source, profile=profile, people=people, seed=seed)
    return replace(
        baseline,
        name=f"made-city-{profile}-{policy}-{people}-{seed}",
        ledger=replace(baseline.ledger, source=source, policy=policy),
        attainable=f"../data/synthetic/attainable/{profile}_{policy}.txt",
        gates={},
    )


def measure(profile: str, policy: str, people: int, seed: int) -> dict[str, Any]:
    """Make and judge one card."""
    start = time.perf_counter()
    result = run(
        planned(profile, policy, people, seed), tracker=NoTracker(), progress=lambda said: print(said, file=sys.stderr)
    )
    seconds = time.perf_counter() - start
    figures = {name: values[0] for name, values in result.figures.items()}
    segments = result.evaluation.segments
    bads = segments["all"].counts.bads
    low, high = (0.88, 1.12) if people < 200_000 else (0.90, 1.10) if people < 1_000_000 else (0.95, 1.05)
    off = {name: 0.05 + 2 / max(segment.counts.bads or 1, 1) ** 0.5 for name, segment in segments.items()}
    ratios = {name: segment.measures["observed_to_expected"].value for name, segment in segments.items()}
    holds = {
        "share": figures["soft_gini"] / result.attainable >= LEAST_SHARE,
        "slope": low <= figures["slope"] <= high,
        "observed_to_expected": all(abs(ratios[name] - 1) <= off[name] for name in ratios if ratios[name] is not None),
    }
    return {
        "profile": profile, "policy": policy, "people": people, "seed": seed, "bads": bads,
        "soft_gini": figures["soft_gini"], "attainable": result.attainable,
        "share": figures["soft_gini"] / result.attainable, "gini": figures["gini"],
        "gini_interval": result.figures["gini"][1:], "slope": figures["slope"], "observed_to_expected": ratios,
        "holds": holds, "seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> int:
    """Print one line a city; 3 if a line does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20261124])
    parser.add_argument("--profile", nargs="+", default=["R", "L"])
    parser.add_argument("--policy", nargs="+", default=["tier", "retention"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = [measure(p, q, asked.people, seed) for p, q, seed in product(asked.profile, asked.policy, asked.seeds)]
    if asked.json:
        print(json.dumps(rows))
    else:
        print(
            "profile policy     seed      bads  soft  attainable  share  hard (95 %)           slope  O/E      s  holds"
        )
        for r in rows:
            low, high = r["gini_interval"]
            print(
                f"{r['profile']:<7} {r['policy']:<10} {r['seed']:<9} {r['bads']:>4}  {r['soft_gini']:.3f} {r['attainable']:>10.3f}"
                f"  {r['share']:.3f}  {r['gini']:.3f} ({low:.3f}-{high:.3f})  {r['slope']:>6.3f}"
                f"  {r['observed_to_expected']['all']:.3f} {r['seconds']:>6}  {'yes' if all(r['holds'].values()) else 'NO: ' + ', '.join(k for k, v in r['holds'].items() if not v)}"
            )
    return 0 if all(all(r["holds"].values()) for r in rows) else 3


if __name__ == "__main__":
    sys.exit(main())
