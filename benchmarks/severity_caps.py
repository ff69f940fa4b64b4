"""What a cap on one record of severity class 2 does: ranking, calibration, and people with exactly one such record.

The card of ``experiments/baseline.toml`` on made cities judged out of time, refitted with the settings its search chose
under every cap, all on the same rows. Soft Gini is over the stored lawful attainable. Observed is what happened, true
what the city's own risk says to expect: each over what the card expects, for everybody, for people with a record (good
ones too), for people whose one adverse record is a petty fine (class 1), and for people whose one adverse record is of
class 2. Above 1 the card takes people for safer than they are. Pairs out of order: see `severity_order`.

    python benchmarks/severity_caps.py
    python benchmarks/severity_caps.py --policy retention --seeds 201 202 --caps 100 140 --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from made_city import NoTracker, planned

from credit_model.evaluation.severity_order import measure_severity_order
from credit_model.experiments.data_source import development_sample, open_source, out_of_time_sample
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.pipeline import run
from credit_model.features.build import build_features
from credit_model.features.dictionary import library
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.single_record import SingleRecordCaps
from credit_model.metrics.calibration import calibration_line
from credit_model.metrics.performance import soft_gini
from credit_model.scorecard.card import Card

CAPS = (100, 120, 140, 167)
GROUPS = ("all", "with_record", "one_petty", "one_of_class_2")
COUNTS = ("adverse_60m", "adverse_class2_60m", "adverse_class3_60m", "fines_36m")


@dataclass(frozen=True)
class Trial:
    """One card on one city: figures by name, observed and true over expected by group, people by group."""

    seed: int
    cap: int
    figures: dict[str, float]
    observed: dict[str, float]
    true: dict[str, float]
    people: dict[str, int]


def capped(caps: SingleRecordCaps, cap: int) -> SingleRecordCaps:
    """Return the caps with another one for class 2: no class below it has more, none above it less."""
    lower, _, *higher = caps.points
    return replace(caps, points=(min(lower, cap), cap, *(max(one, cap) for one in higher)))


def refitted(experiment: Experiment, settings: dict[str, Any], caps: SingleRecordCaps, learned: Any) -> Card:
    """Fit the card under other caps, everything else equal."""
    plan = experiment.card
    classifier = ScorecardClassifier(
        experiment.features, profile=plan.profile, method="woe_logistic", single_record=caps,
        policy_points=tuple(own.to_dict() for own in plan.policy_points), **settings,
    )  # fmt: skip
    names = [d.name for d in experiment.features]
    return classifier.fit(learned.X[names], learned.y, learned.weight, learned.subject_id).card_


def trials(profile: str, policy: str, people: int, seed: int, caps: tuple[int, ...]) -> Iterator[Trial]:
    """Make a city, search the settings once, and fit a card under each cap."""
    tell = lambda line: print(line, file=sys.stderr)  # noqa: E731
    experiment = planned(profile, policy, people, seed)
    declared = experiment.card.single_record
    assert declared is not None
    result = run(experiment, tracker=NoTracker(), progress=tell)
    settings = dict(result.card.provenance["tuning"]["settings"])
    source = open_source(experiment, tell)
    learned, judged = development_sample(experiment, source), out_of_time_sample(experiment, source)
    truth = source.true_risk(experiment.sample.out_of_time, judged.subject_id)
    day, use = experiment.sample.out_of_time, experiment.ledger.day_of_use
    rows = pd.DataFrame({"subject_id": judged.subject_id, "as_of": np.datetime64(day, "D")})
    rows["as_of"] = rows["as_of"].astype("datetime64[s]")
    counted = build_features(source.ledger, rows, [d for d in library() if d.name in COUNTS], day_of_use=use)
    one = (counted["adverse_60m"] == 1).to_numpy()
    groups = {
        "all": np.ones(len(rows), bool),
        "with_record": judged.with_record,
        "one_petty": one & (counted["adverse_class2_60m"] == 0).to_numpy() & (counted["fines_36m"] > 0).to_numpy(),
        "one_of_class_2": one
        & (counted["adverse_class2_60m"] == 1).to_numpy()
        & (counted["adverse_class3_60m"] == 0).to_numpy(),
    }
    for cap in caps:
        card = refitted(experiment, settings, capped(declared, cap), learned)
        scored = card.score(judged.X[list(card.columns)])
        expected = scored["probability_of_bad"].to_numpy()
        gini = soft_gini(truth, -scored["score"].to_numpy(float)).value
        order = measure_severity_order(card, source.ledger.catalogue, policy, use)
        assert order is not None
        assert gini is not None
        assert result.attainable is not None
        slope = calibration_line(judged.y, expected).slope.value
        figures = {
            "soft_gini": gini, "share": gini / result.attainable, "slope": slope or float("nan"),
            "pairs": order.pairs, "violations": order.violations, "least": card.least, "greatest": card.greatest,
            **{f"class_{one.severity}": one.most for one in order.classes},
        }  # fmt: skip
        yield Trial(
            seed, cap, figures,
            {name: float(judged.y[at].sum() / expected[at].sum()) for name, at in groups.items() if at.any()},
            {name: float(truth[at].sum() / expected[at].sum()) for name, at in groups.items() if at.any()},
            {name: int(at.sum()) for name, at in groups.items()},
        )  # fmt: skip


def mean_of(rows: list[Trial], part: str, name: str) -> float:
    """Return the mean over cities."""
    values = [getattr(row, part)[name] for row in rows if name in getattr(row, part)]
    return float(np.mean(values)) if values else float("nan")


def main() -> int:
    """Print a line for each cap and city, and for each cap over all cities."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203, 204, 205])
    parser.add_argument("--profile", default="R")
    parser.add_argument("--policy", default="tier")
    parser.add_argument("--caps", type=int, nargs="+", default=list(CAPS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = [
        trial
        for seed in asked.seeds
        for trial in trials(asked.profile, asked.policy, asked.people, seed, tuple(asked.caps))
    ]
    if asked.json:
        print(json.dumps([vars(row) for row in rows]))
        return 0
    print("cap  city  soft Gini  share  slope  O/E and true/expected: " + ", ".join(GROUPS) + "  pairs out of order")
    for cap in asked.caps:
        under = [row for row in rows if row.cap == cap]
        for cities, name in [([row], str(row.seed)) for row in under] + [(under, "mean")]:
            figures = {key: mean_of(cities, "figures", key) for key in under[0].figures}
            ratios = "  ".join(
                f"{mean_of(cities, 'observed', group):.3f} {mean_of(cities, 'true', group):.3f}" for group in GROUPS
            )
            print(
                f"{cap:<4} {name:<5} {figures['soft_gini']:.4f}     {figures['share']:.4f} {figures['slope']:.3f}  "
                f"{ratios}  {figures['violations']:g} of {figures['pairs']:g}"
            )
        costs = ", ".join(f"{mean_of(under, 'figures', f'class_{severity}'):.0f}" for severity in range(1, 6))
        print(f"     most points of one record, classes 1 to 5: {costs}")
    people = {group: sum(row.people[group] for row in rows if row.cap == asked.caps[0]) for group in GROUPS}
    print("people: " + ", ".join(f"{group} {count:,}" for group, count in people.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
