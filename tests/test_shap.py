"""Points less their mean are the interventional SHAP values of the score, and trees add up likewise: against shap."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sample import definitions, sample

from credit_model.learning.challenger import BoostedChallenger
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic, Policy
from credit_model.scorecard.scale import ProbabilityMap, load_profile

with warnings.catch_warnings():  # shap loads its plots, which warn of what matplotlib will change
    warnings.simplefilter("ignore")
    import shap

PROFILE = load_profile("open_600")
TOLERANCE = 1e-9


def exact(predict: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, background: np.ndarray) -> Any:
    """What shap's exact explainer says: every coalition, every row of the background, no sampling."""
    masker = shap.maskers.Independent(background, max_samples=len(background))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return shap.explainers.ExactExplainer(predict, masker)(rows)


@st.composite
def cards_and_rows(draw: st.DrawFn) -> tuple[Card, list[list[Any]], np.ndarray, np.ndarray]:
    """A card of two to five characteristics, the values each may take, and rows and background as places in those."""
    characteristics, values = [], []
    for j in range(draw(st.integers(2, 5))):
        if draw(st.booleans()):
            cuts = sorted(draw(st.sets(st.integers(-3, 3), min_size=1, max_size=3)))
            bins: NumericBins | CategoricalBins = NumericBins(tuple(map(float, cuts)))
            values.append([float("nan"), -np.inf, -9.0, -0.5, 0.0, *map(float, cuts), 2.5, 9.0, np.inf])
        else:
            bins = CategoricalBins((("a",), ("b", "c")))
            values.append([None, "a", "b", "c", "unseen"])
        points = draw(st.lists(st.integers(-40, 10), min_size=bins.count, max_size=bins.count))
        reference = draw(st.integers(0, bins.count - 1))
        points[reference] = 0
        policy = Policy("Chen Jing", "rare") if draw(st.booleans()) else None
        attributes = tuple(Attribute(p, 0.0, 0.0, None) for p in points)
        characteristics.append(Characteristic(f"x{j}", bins, attributes, reference, policy=policy))
    card = Card("drawn", PROFILE, tuple(characteristics), ProbabilityMap((300, 900), (0.0, 6.0)))
    places = st.tuples(*(st.integers(0, len(known) - 1) for known in values))
    rows, background = (np.asarray(draw(st.lists(places, min_size=1, max_size=n)), float) for n in (4, 12))
    return card, values, rows, background


@given(cards_and_rows())
@settings(max_examples=20)
def test_points_less_their_mean_are_the_shap_values_of_the_score(
    drawn: tuple[Card, list[list[Any]], np.ndarray, np.ndarray],
) -> None:
    card, values, rows, background = drawn

    pools = [np.asarray(known, dtype=object) for known in values]

    def frame(places: np.ndarray) -> dict[str, np.ndarray]:
        return {f"x{j}": pool[places[:, j].astype(int)] for j, pool in enumerate(pools)}

    found = exact(lambda places: card.scores(frame(places)).astype(float), rows, background)
    own = card.explain(frame(rows)) - card.explain(frame(background)).mean()
    assert np.abs(own[list(card.columns)].to_numpy() - found.values).max() <= TOLERANCE
    assert (own["base"] == 0).all()
    assert np.abs(found.base_values - card.scores(frame(background)).mean()).max() <= TOLERANCE


def test_a_fitted_card_with_policy_points_has_the_shap_values_of_its_points() -> None:
    X, y, _ = sample(6_000)
    honours = {"characteristic": "honours_60m", "points": [0, 6], "approver": "Chen Jing", "ground": "rare"}
    card = ScorecardClassifier(definitions(), policy_points=[honours], method="woe_logistic").fit(X, y).to_card()
    columns = list(card.columns)
    assert any(c.policy for c in card.characteristics)
    rows, background = X[columns].iloc[:20], X[columns].iloc[-50:]
    found = exact(
        lambda values: card.scores(pd.DataFrame(values, columns=columns)).astype(float),
        rows.to_numpy(float),
        background.to_numpy(float),
    )
    own = (card.explain(rows) - card.explain(background).mean())[columns]
    assert np.abs(own.to_numpy() - found.values).max() <= TOLERANCE
    assert np.abs(own.to_numpy()).max() > 1


def test_points_are_not_the_shap_values_of_the_probability() -> None:
    """The claim is about the score in points; were any additive reading right, the test above would say nothing."""
    X, y, _ = sample(6_000)
    card = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, y).to_card()
    columns = list(card.columns)
    rows = X[columns][(X["adverse_36m"] > 1).to_numpy()].iloc[:10].to_numpy(float)
    found = exact(
        lambda values: card.score(pd.DataFrame(values, columns=columns))["probability_of_bad"].to_numpy(),
        rows,
        X[columns].iloc[-50:].to_numpy(float),
    )
    own = card.explain(pd.DataFrame(rows, columns=columns))[columns].to_numpy() - card.explain(X[columns].iloc[-50:])[
        columns
    ].mean().to_numpy()  # fmt: skip
    scale = (found.values * own).sum() / (own**2).sum()
    assert np.abs(found.values - scale * own).max() > 0.05 * np.abs(found.values).max()


# ------------------------------------------------------------------------------------------------- the challenger


@pytest.fixture(scope="module")
def boosted() -> tuple[BoostedChallenger, pd.DataFrame]:
    """A challenger of few rows, a column with missing values among them, and rows to explain."""
    X, y, _ = sample(1_500, base=-3.0)
    X.loc[::7, "noise_36m"] = np.nan
    return BoostedChallenger(definitions(), most_trees=40).fit(X, y), X.iloc[:60]


def test_the_contributions_of_a_challenger_are_its_exact_shap_values(
    boosted: tuple[BoostedChallenger, pd.DataFrame],
) -> None:
    """Against every coalition of seven features, the background being every development row."""
    challenger, X = boosted
    names = list(X.columns)
    all_rows, _, _ = sample(1_500, base=-3.0)
    all_rows.loc[::7, "noise_36m"] = np.nan
    background = all_rows.drop_duplicates()
    mass = all_rows.groupby(names, dropna=False).size()
    weight = mass.reindex(pd.MultiIndex.from_frame(background)).to_numpy()
    rows = X.drop_duplicates().iloc[:6]
    own = challenger.contributions(rows).to_numpy()

    def mixed(row: np.ndarray, kept: tuple[bool, ...]) -> float:
        made = background.copy()
        for name, value, from_row in zip(names, row, kept, strict=True):
            if from_row:
                made[name] = value
        return float(np.average(challenger.decision_function(made), weights=weight))

    for row, found in zip(rows.to_numpy(), own, strict=True):
        worth = {kept: mixed(row, kept) for kept in np.ndindex(*(2,) * len(names))}
        assert found == pytest.approx(_shapley(worth, len(names)), abs=TOLERANCE)
        assert worth[(0,) * len(names)] == pytest.approx(challenger.base_, abs=TOLERANCE)


def _shapley(worth: dict[tuple[int, ...], float], n: int) -> list[float]:
    """Shapley values by their definition, over all coalitions."""
    factorial = [1]
    for k in range(1, n + 1):
        factorial.append(factorial[-1] * k)
    found = []
    for j in range(n):
        total = 0.0
        for kept, value in worth.items():
            if kept[j]:
                before = sum(kept) - 1
                without = (*kept[:j], 0, *kept[j + 1 :])
                share = factorial[before] * factorial[n - before - 1] / factorial[n]
                total += share * (value - worth[without])
        found.append(total)
    return found


def test_the_contributions_of_a_challenger_are_those_of_shaps_own_explainer_for_trees(
    boosted: tuple[BoostedChallenger, pd.DataFrame],
) -> None:
    """The explainer knows nothing of weights, so background rows stand as often as they occur; it adds up to 1e-7."""
    challenger, X = boosted
    rows, place = challenger._read(X)
    background = np.repeat(challenger._background, np.rint(challenger._mass * 1_500).astype(int), axis=0)
    assert len(background) == 1_500
    masker = shap.maskers.Independent(background, max_samples=len(background))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = shap.TreeExplainer(challenger._booster, masker, feature_perturbation="interventional")
        found = explainer.shap_values(rows, check_additivity=False)
    own = challenger.contributions(X).to_numpy()
    assert np.abs(challenger.calibration_["slope"] * found[place] - own).max() < 1e-6
    assert np.abs(own).max() > 0.1


def test_what_features_move_adds_up_to_the_prediction(boosted: tuple[BoostedChallenger, pd.DataFrame]) -> None:
    challenger, X = boosted
    total = challenger.base_ + challenger.contributions(X).sum(axis=1)
    assert np.abs(total - challenger.decision_function(X)).max() < TOLERANCE
