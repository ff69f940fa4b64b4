"""Record-monotone: proved from the structure of the card, refused where it cannot be.

The proof needs no data: features that one more adverse record can only worsen, tables of points in the order of the
trend, a sum, a rising map. Here the proof itself is tested, and the learner's promise to make only such cards.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sample import definitions, sample

from credit_model import UserError
from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import KERNEL_VERSION
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import ProbabilityMap, load_profile

ADVERSE: dict[str, Any] = {"aggregate": "count", "where": {"polarity": "adverse"}, "trend": "higher_is_worse"}


def card_of(*characteristics: Characteristic) -> Card:
    return Card(
        "proof", load_profile("zhejiang_1000"), characteristics, ProbabilityMap((700, 800), (3.0, 5.0)), KERNEL_VERSION
    )


def adverse(
    points: tuple[int, ...], definition: FeatureDefinition | None = None, name: str = "adverse"
) -> Characteristic:
    cuts = tuple(0.5 + k for k in range(len(points) - 1))
    attributes = tuple(Attribute(p, 0.0, 0.1, 0.1) for p in (*points, 0))
    return Characteristic(name, NumericBins(cuts, whole=True), attributes, 0, 1, definition=definition)


def test_a_falling_table_of_a_safe_feature_is_proven() -> None:
    safe = FeatureDefinition(name="adverse", **ADVERSE)
    assert card_of(adverse((0, -26, -26, -40), safe)).monotone_faults() == ()


def test_each_gap_in_the_proof_is_named() -> None:
    unsafe = FeatureDefinition(name="mean_tier", aggregate="mean", of="tier", trend="higher_is_worse")
    safe = FeatureDefinition(name="adverse", **ADVERSE)
    card = card_of(
        adverse((0, -26, -20), safe),
        adverse((0, -5), unsafe, "mean_tier"),
        adverse((0, -5), name="raw"),
        Characteristic(
            "grouped", CategoricalBins((("a",),)), tuple(Attribute(0, 0.0, 0.1, None) for _ in range(3)), 0,
            definition=FeatureDefinition(name="grouped", **ADVERSE),
        ),
    )  # fmt: skip
    assert card.monotone_faults() == (
        "adverse: its points do not follow the trend higher_is_worse",
        "mean_tier: mean is not record-monotone by its definition",
        "raw: a raw column; how records move it is not known",
        "grouped: its points do not follow the trend higher_is_worse",
    )


@given(st.lists(st.integers(-40, 0), min_size=1, max_size=6))
def test_a_table_is_proven_exactly_when_it_never_rises(points: list[int]) -> None:
    table = (0, *points)
    proven = card_of(adverse(table, FeatureDefinition(name="adverse", **ADVERSE))).monotone_faults() == ()
    assert proven == (list(table) == sorted(table, reverse=True))


@given(st.integers(0, 2**31), st.integers(2, 8), st.sampled_from([0.1, 3.0, 50.0]))
@settings(max_examples=12)
def test_every_card_learned_from_safe_features_is_proven(seed: int, max_bins: int, penalty: float) -> None:
    """Whatever the data say, noise included: signs and orders are those of the definitions."""
    rng = np.random.default_rng(seed)
    X, y, _ = sample(1500, seed, base=-2)
    if rng.random() < 0.5:
        y = rng.permutation(y)  # nothing to learn: what is learned all the same must be lawful
    card = (
        ScorecardClassifier(definitions(), max_bins=max_bins, penalty=penalty, min_events=2, method="woe_logistic")
        .fit(X, y)
        .card_
    )
    assert card.monotone_faults() == ()


def test_a_worse_record_never_raises_a_score_among_people_with_records() -> None:
    """The smoke test beside the proof: 10,000 random additions."""
    X, y, _ = sample(20_000, seed=1, base=-4)
    card = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, y).card_
    X = X[X["adverse_36m"] > 0].sample(10_000, replace=True, random_state=0)
    rng = np.random.default_rng(0)
    serious, recent, days = rng.random(10_000) < 0.3, rng.random(10_000) < 0.5, rng.integers(1, 1000, 10_000)
    worse = X.assign(
        adverse_36m=X["adverse_36m"] + 1,
        adverse_12m=X["adverse_12m"] + recent,
        serious_36m=X["serious_36m"] + serious,
        last_adverse=np.minimum(X["last_adverse"], days),
    )
    better = X.assign(honours_60m=X["honours_60m"] + 1, volunteer_24m=X["volunteer_24m"] + rng.integers(0, 3, 10_000))
    columns = list(card.columns)
    scores = card.scores(X[columns])
    assert (card.scores(worse[columns]) <= scores).all()
    assert (card.scores(better[columns]) >= scores).all()
    assert (card.scores(worse[columns]) < scores).mean() > 0.5  # the trial can fail


@pytest.mark.parametrize("record_monotone", [None, True])
def test_features_that_are_not_safe_are_refused_by_name(record_monotone: bool | None) -> None:
    X, y, _ = sample(500, base=-1)
    unsafe = FeatureDefinition(name="severity", aggregate="mean", of="tier", trend="higher_is_worse", none=0)
    made, frame = (*definitions(), unsafe), X.assign(severity=X["serious_36m"])
    with pytest.raises(
        UserError, match=r"not record-monotone: severity .* leave them out, or set record_monotone=False"
    ):
        ScorecardClassifier(made, record_monotone=record_monotone, method="woe_logistic").fit(frame, y)
    explored = ScorecardClassifier(made, record_monotone=False, method="woe_logistic").fit(frame, y)
    assert "severity" in explored.bins_


def test_raw_columns_cannot_promise_it() -> None:
    with pytest.raises(UserError, match="record_monotone needs definitions"):
        ScorecardClassifier(record_monotone=True, method="woe_logistic").fit(
            pd.DataFrame({"x": np.arange(20)}), np.arange(20) % 2
        )
