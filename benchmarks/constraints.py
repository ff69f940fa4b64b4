"""What each constraint on a card costs in Gini: one city, the card refitted with one of them lifted, side by side.

The card of ``experiments/baseline.toml`` on a made city, with the settings its search chose, and the same card without
one constraint, all judged on the same out-of-time rows by the true risk (soft Gini: no luck of who had an event). Each
line gives Gini with and without the constraint, and the difference with its paired 95 % interval: above 0 is what the
constraint costs. Some lines have a "with" of their own, since the constraint can be lifted only where another one is:
they say so. Constraints the baseline does not use are put on, for their price. First come the constraints of proportion
(decision 41), laid on one after the other; the lines below them are of a plain card, without those.

    python benchmarks/constraints.py
    python benchmarks/constraints.py --profile R --policy retention --seed 71 --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
from made_city import NoTracker, planned

from credit_model.experiments.data_source import development_sample, open_source, out_of_time_sample
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.pipeline import run
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.learning import fitted_scorecard
from credit_model.learning.challenger import BoostedChallenger
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.logistic import Limits, Ridge, fit_logistic
from credit_model.learning.transformer import WoeTransformer
from credit_model.metrics.differences import soft_gini_difference
from credit_model.metrics.performance import soft_gini
from credit_model.sample.development import DevelopmentSample
from credit_model.scorecard.scale import Profile, load_profile

ADVERSE: dict[str, Any] = {"where": {"polarity": "adverse"}, "window": "60m", "reason": "A100"}
# Families that one more adverse record could improve, so that no record-monotone card may use them.
UNSAFE = (
    *(
        FeatureDefinition(
            name=f"exactly_{tier}_60m", aggregate="count", trend="higher_is_worse",
            **{**ADVERSE, "where": {"polarity": "adverse", "tier": tier}},
        )
        for tier in ("minor", "general", "serious")
    ),
    FeatureDefinition(
        name="mean_tier_60m", aggregate="mean", of="tier", none=0, trend="higher_is_worse", **ADVERSE
    ),
    FeatureDefinition(name="last_tier_60m", aggregate="last", of="tier", none=0, trend="higher_is_worse", **ADVERSE),
    FeatureDefinition(name="first_60m", aggregate="tenure_days", none=0, trend="higher_is_worse", **ADVERSE),
)  # fmt: skip
Risk = np.ndarray[Any, Any]
LONGEST = 60  # months a feature looks back


@dataclass(frozen=True)
class Bench:
    """One city: rows to learn from, rows to judge on, and the settings that the search chose."""

    experiment: Experiment  # of a plain card: without the constraints of proportion
    constrained: Experiment
    settings: dict[str, Any]
    learned: DevelopmentSample
    judged: DevelopmentSample
    truth: Risk

    @property
    def names(self) -> list[str]:
        return [d.name for d in self.experiment.features]

    def card(self, *, unsafe: bool = False, signs: bool = True, **changed: Any) -> tuple[Risk, int]:
        """Fit a card with some settings changed: risk of the judged rows (points below 0), and its characteristics."""
        plan, learned = self.experiment.card, self.learned
        definitions = changed.pop("definitions", (*self.experiment.features, *(UNSAFE if unsafe else ())))
        if not signs:
            definitions = tuple(replace(d, trend=None) for d in definitions)
        given = {
            "definitions": definitions, "profile": plan.profile, "method": "woe_logistic",
            "policy_points": tuple(p.to_dict() for p in plan.policy_points),
            "record_monotone": signs and not unsafe, **self.settings,
        }  # fmt: skip
        periods = changed.pop("periods", None)
        classifier = ScorecardClassifier(**{**given, **changed})
        names = [d.name for d in definitions]
        classifier.fit(learned.X[names], learned.y, learned.weight, learned.subject_id, periods=periods)
        card = classifier.card_
        return -card.scores(self.judged.X[list(card.columns)]).astype(float), len(card.characteristics)

    def in_order(self, declared: Sequence[str], points: Sequence[int] = (), floors: bool = True) -> tuple[Risk, int]:
        """Fit the card of features in the order of severity, with the points of some declared, under caps if any."""
        plan = self.constrained.card
        assert plan.single_record is not None
        policy = [
            {name: value for name, value in p.to_dict().items() if floors or name != "cuts"}
            for p in plan.policy_points
            if p.characteristic in declared
        ]
        caps = replace(plan.single_record, points=tuple(points)) if points else None
        return self.card(definitions=self.constrained.features, policy_points=tuple(policy), single_record=caps)

    def weights(self, limits: Limits | None) -> tuple[Risk, int]:
        """WOEs in their lawful order, a weight for each, no choice, no cap, no points: risk by the plain sum."""
        trends = {d.name: "ascending" if d.direction > 0 else "descending" for d in self.experiment.features}
        classed = WoeTransformer(trends, max_bins=self.settings["max_bins"], min_share=0.0)
        X, y, w = self.learned.X[self.names], self.learned.y, self.learned.weight
        design = classed.fit(X, y, sample_weight=w).transform(X)
        fit = fit_logistic(
            np.asarray(design), w * (y == 0), w * (y == 1), ridge=Ridge(self.settings["penalty"]), limits=limits
        )
        found = np.asarray(classed.transform(self.judged.X[self.names])) @ fit.weights
        return -found, int((np.abs(fit.weights) > 1e-6).sum())

    def free_bins(self) -> dict[str, Any]:
        """Attributes in whatever order of risk the rows show; policy points keep theirs."""
        classed = WoeTransformer("none", max_bins=self.settings["max_bins"], min_share=0.0)
        classed.fit(self.learned.X[self.names], self.learned.y, sample_weight=self.learned.weight)
        set_by_policy = {p.characteristic for p in self.experiment.card.policy_points}
        return {name: bins for name, bins in classed.bins_.items() if name not in set_by_policy}

    def boosted(self, signs: bool) -> tuple[Risk, int]:
        """Fit the challenger: no bins, weights, points or caps at all."""
        features = self.experiment.features
        if not signs:
            features = tuple(replace(d, trend=None) for d in features)
        made = BoostedChallenger(features, seed=self.experiment.seed)
        made.fit(self.learned.X[self.names], self.learned.y, self.learned.weight, self.learned.subject_id)
        return made.predict_proba(self.judged.X[self.names])[:, 1], len(features)


def opened(profile: str, policy: str, people: int, seed: int) -> Bench:
    """Run the baseline for its settings, then observe the same rows with the features it may not use beside them."""
    experiment = planned(profile, policy, people, seed)
    tell = lambda line: print(line, file=sys.stderr)  # noqa: E731
    result = run(experiment, tracker=NoTracker(), progress=tell)
    settings = dict(result.card.provenance["tuning"]["settings"])
    honours = tuple(p for p in experiment.card.policy_points if p.characteristic == "honours_60m")
    features = tuple(d for d in library() if d.look_back_months is not None and d.look_back_months <= LONGEST)
    plain = replace(
        experiment, features=features, card=replace(experiment.card, single_record=None, policy_points=honours)
    )
    wider = replace(plain, features=(*features, *UNSAFE))
    source = open_source(experiment, tell)
    learned, judged = development_sample(wider, source), out_of_time_sample(wider, source)
    truth = source.true_risk(experiment.sample.out_of_time, judged.subject_id)
    return Bench(plain, experiment, settings, learned, judged, truth)


def proportion(bench: Bench) -> Iterator[tuple[str, Callable[[], tuple[Risk, int]], Callable[[], tuple[Risk, int]]]]:
    """Yield the constraints of proportion, one laid on after the other."""
    everything = tuple(p.characteristic for p in bench.constrained.card.policy_points)
    positive = tuple(name for name in everything if name != "listed_now")
    caps = bench.constrained.card.single_record
    assert caps is not None
    loose = (10_000,) * 5
    card, fit = cache(bench.card), cache(bench.in_order)
    yield "order: features at or above a class", lambda: fit(("honours_60m",)), card
    yield "positive by policy (without: learned)", lambda: fit(positive, floors=False), lambda: fit(("honours_60m",))
    yield "floors of positive records", lambda: fit(positive), lambda: fit(positive, floors=False)
    yield "a listing by policy (200)", lambda: repeated(bench, everything, loose), lambda: fit(positive)
    yield "the same people once", lambda: fit(everything, loose), lambda: repeated(bench, everything, loose)
    yield f"caps on one record {caps.points}", lambda: fit(everything, caps.points), lambda: fit(everything, loose)
    yield "all of proportion", lambda: fit(everything, caps.points), card


def repeated(bench: Bench, declared: Sequence[str], points: Sequence[int]) -> tuple[Risk, int]:
    """Fit with characteristics that hold the same people tried together."""
    with patch.object(fitted_scorecard, "distinct_holders", lambda away, *rest: np.arange(away.shape[1])):
        return bench.in_order(declared, points)


def lines(bench: Bench) -> Iterator[tuple[str, Callable[[], tuple[Risk, int]], Callable[[], tuple[Risk, int]]]]:
    """Name of the constraint; the card with it; the card without it."""
    profile = load_profile(bench.experiment.card.profile)
    free = replace(profile, positive_cap=None, greatest=None, least=None)
    card = cache(bench.card)
    points = [p.to_dict() for p in bench.experiment.card.policy_points]
    fine, times = finer(profile, 1000), 1000
    fine_points = tuple({**p, "points": tuple(times * n for n in p["points"])} for p in points)
    s = bench.settings
    year = bench.learned.as_of

    yield (
        f"cap on points added ({profile.positive_cap})",
        card,
        lambda: bench.card(profile=replace(profile, positive_cap=None, greatest=None)),
    )
    yield (
        f"cap on points taken ({profile.reference_points - (profile.least or 0)})",
        card,
        lambda: bench.card(profile=replace(profile, least=None)),
    )
    yield "whole points (without: thousandths)", card, lambda: bench.card(profile=fine, policy_points=fine_points)
    yield f"most characteristics ({s['max_characteristics']})", card, lambda: bench.card(max_characteristics=100)
    yield f"most attributes ({s['max_bins']})", card, lambda: bench.card(max_bins=50)
    yield "least events of an attribute (5)", card, lambda: bench.card(min_events=1)
    yield f"ridge on the weights ({s['penalty']:.3g})", card, lambda: bench.card(penalty=1e-3)
    yield "each characteristic worth its place", card, lambda: without_worth(bench)
    yield "honours by policy (without: learned)", card, lambda: bench.card(policy_points=())
    yield "record-monotone features only", card, lambda: bench.card(unsafe=True)
    yield "trend by law (without: the better of both)", card, lambda: bench.card(signs=False)
    yield "monotone trend (without: any order)", card, lambda: bench.card(signs=False, bins=bench.free_bins())
    yield (
        "weights of lawful sign (WOE sums, all columns)",
        lambda: bench.weights(Limits.not_negative(len(bench.names))),
        lambda: bench.weights(None),
    )
    yield (
        "no pairs (additive, caps lifted)",
        lambda: bench.card(method="additive", profile=free, max_pairs=0, max_bins=12, max_characteristics=40),
        lambda: bench.card(method="additive", profile=free, max_pairs=10, max_bins=12, max_characteristics=40),
    )
    yield "all caps, counts, events, ridge, whole points", card, lambda: bench.card(
        profile=finer(free, times), policy_points=fine_points, max_characteristics=100, max_bins=50, min_events=1,
        penalty=1e-3,
    )  # fmt: skip
    yield "being a card at all (boosting, same signs)", card, lambda: bench.boosted(signs=True)
    yield "the signs (boosting, without: no signs)", lambda: bench.boosted(True), lambda: bench.boosted(False)
    yield "put on: least share of an attribute, 5 %", lambda: bench.card(min_share=0.05), card
    yield "put on: least share of an attribute, 1 %", lambda: bench.card(min_share=0.01), card
    yield "put on: order holds on every date", lambda: bench.card(periods=year), card


def without_worth(bench: Bench) -> tuple[Risk, int]:
    with patch.object(fitted_scorecard, "_WORTH", 0.0):
        return bench.card()


def finer(profile: Profile, times: int) -> Profile:
    """Return the same scale in points so many times finer."""
    said = {
        name: value if value is None else times * value
        for name in ("reference_points", "points_to_double_odds", "least", "greatest", "positive_cap")
        for value in [getattr(profile, name)]
    }
    return replace(profile, grade_cuts=tuple(times * cut for cut in profile.grade_cuts), **said)


def main() -> int:
    """Print a line for each constraint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--profile", default="R")
    parser.add_argument("--policy", default="tier")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    bench = opened(asked.profile, asked.policy, asked.people, asked.seed)
    rows, tell = [], (lambda line: None) if asked.json else (lambda line: print(line, flush=True))
    tell(f"{asked.profile} {asked.policy}, {asked.people:,} people, seed {asked.seed}; settings {bench.settings}")
    tell(f"{'constraint':<50} Gini with  without   cost, 10^-4 (95 %)    characteristics")
    for name, with_it, without_it in (*proportion(bench), *lines(bench)):
        (risk, count), (other, more) = with_it(), without_it()
        one, two = (soft_gini(bench.truth, r).value for r in (risk, other))
        cost = soft_gini_difference(bench.truth, other, risk)
        rows.append(
            {"constraint": name, "with": one, "without": two, "cost": [cost.value, cost.low, cost.high],
             "characteristics": [count, more]}
        )  # fmt: skip
        value, low, high = (1e4 * v for v in rows[-1]["cost"])
        tell(f"{name:<50} {one:>9.4f} {two:>8.4f} {value:>+8.1f} ({low:+.1f} to {high:+.1f})  {count:>4} {more:>4}")
    if asked.json:
        print(json.dumps({"settings": bench.settings, "lines": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
