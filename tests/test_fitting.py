"""Boosted shapes and pairs: read back from trees exactly, joined exactly, lawful, ending in a card like any other."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from small_sample import definitions, sample

from credit_model import UserError
from credit_model.learning.additive_fit import join_classes
from credit_model.learning.boosting import BinnedSample, Growth, Terms, grow
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.scorecard.bins import BinEdits
from credit_model.scorecard.scale import Profile

FREE = Profile("free", 600, 40, ("B", "A"), (600,), reference_row="nothing_on_record")


def drawn_sample(rows: int = 1500, seed: int = 0, directions: tuple[int, ...] = (1, 0, 0)) -> BinnedSample:
    """Two ordered columns with missing values and a nominal one; the first two act together."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, rows) for size in (6, 5, 4)], axis=1).astype(np.uint8)
    z = -1 + 0.4 * codes[:, 0] + 0.8 * (codes[:, 2] == 1) + 1.5 * ((codes[:, 0] > 2) & (codes[:, 1] > 2))
    bad = rng.random(rows) < 1 / (1 + np.exp(-z))
    weight = rng.integers(1, 3, rows).astype(float)
    return BinnedSample(
        codes, (6, 5, 4), directions, (False, False, True), weight * ~bad, weight * bad, np.arange(rows) % 5,
        (5, 4, 2), np.zeros(rows),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pairs", "leaves", "found"),
    [([], 3, set()), (None, 3, {(0, 1), (0, 2)}), ([(0, 1)], 3, {(0, 1)}), ([(0, 1), (1, 2)], 6, {(0, 1)})],
)
def test_trees_and_the_tables_read_from_them_say_the_same_of_every_row(
    pairs: list[tuple[int, int]] | None, leaves: int, found: set[tuple[int, int]]
) -> None:
    some = drawn_sample()
    grown = grow(some, some.fold != 0, Growth(40, 0.1, leaves), some.offset, pairs)
    places = np.stack([np.where(p < 0, np.nan, p)[some.codes[:, j]] for j, p in enumerate(grown.places)], axis=1)
    terms = grown.terms(30)
    assert set(terms.together) >= found
    assert pairs is None or set(terms.together) <= set(pairs)
    assert all(table.any() for table in terms.alone)
    said = grown.trees.predict(places, raw_score=True, num_iteration=30)
    assert np.abs(terms.log_odds(some.codes) - said).max() < 1e-9


@st.composite
def terms_and_codes(draw: st.DrawFn) -> tuple[Terms, np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    sizes = (4, 3, 5)
    grids = {pair: rng.normal(size=(sizes[pair[0]], sizes[pair[1]])) for pair in combinations(range(3), 2)}
    masses = [rng.dirichlet(np.ones(size)) for size in sizes]
    codes = np.stack([rng.integers(0, size, 50) for size in sizes], axis=1).astype(np.uint8)
    return Terms(rng.normal(), tuple(rng.normal(size=size) for size in sizes), grids), codes, masses


@given(terms_and_codes())
def test_stating_a_model_in_another_way_changes_no_row(drawn: Any) -> None:
    terms, codes, masses = drawn
    references = [1, 0, 2]
    for other in (terms.centred(masses), terms.anchored(references), terms.centred(masses).anchored(references)):
        assert np.allclose(other.log_odds(codes), terms.log_odds(codes))
    anchored = terms.anchored(references)
    assert all(table[at] == 0 for table, at in zip(anchored.alone, references, strict=True))
    for (i, j), grid in anchored.together.items():
        assert np.allclose(grid[references[i]], 0)
        assert np.allclose(grid[:, references[j]], 0)


@given(st.integers(0, 2**31), st.integers(1, 7), st.integers(1, 5))
@settings(max_examples=40)
def test_no_other_way_to_join_as_few_classes_loses_less(seed: int, classes: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    profiles, mass = rng.normal(size=(classes, 2)), rng.dirichlet(np.ones(classes))

    def lost(group: np.ndarray) -> float:
        means = {g: np.average(profiles[group == g], axis=0, weights=mass[group == g]) for g in set(group.tolist())}
        return sum(
            float(m * ((x - means[g]) ** 2).sum()) for m, x, g in zip(mass, profiles, group.tolist(), strict=True)
        )

    found = join_classes(profiles, mass, most, loss=0.0)
    ways = [
        np.searchsorted(np.array(cuts), np.arange(classes), side="right")
        for k in range(min(most, classes))
        for cuts in combinations(range(1, classes), k)
    ]
    assert (np.diff(found) >= 0).all()
    assert len(set(found.tolist())) <= most
    assert lost(found) <= min(map(lost, ways)) + 1e-9


def two_together(n: int = 4000, seed: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    """Neither column says anything alone; together they say much."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    X = pd.DataFrame({"a": a, "b": np.where(rng.random(n) < 0.1, np.nan, b), "noise": rng.normal(size=n)})
    y = (rng.random(n) < 1 / (1 + np.exp(1.2 - 1.5 * np.sign(a) * np.sign(b)))).astype(int)
    return X, y


def test_a_pair_earns_its_place_where_two_columns_act_together() -> None:
    X, y = two_together(2400)
    half = len(y) // 2
    paired = ScorecardClassifier().fit(X[:half], y[:half])
    plain = ScorecardClassifier(max_pairs=0).fit(X[:half], y[:half])
    aucs = [roc_auc_score(y[half:], clf.predict_proba(X[half:])[:, 1]) for clf in (paired, plain)]
    assert paired.card_.pairs[0].name == "a × b"  # the strongest first
    assert aucs[0] > 0.65 > 0.55 > aucs[1]
    assert not plain.card_.pairs
    told = paired.card_.explain(X[list(paired.card_.columns)])
    assert told.sum(axis=1).tolist() == paired.card_.score(X[list(paired.card_.columns)])["score"].tolist()


def test_shapes_and_pairs_of_defined_features_are_proven_record_monotone() -> None:
    X, y, _ = sample(6000)
    clf = ScorecardClassifier(definitions(), profile=FREE, method="additive").fit(X, y)
    card = clf.to_card()
    assert card.characteristics
    assert card.monotone_faults() == ()


def test_a_capped_profile_holds_its_cap_and_policy_points_stay_as_they_are_set() -> None:
    X, y, _ = sample(6000)
    honours = {"characteristic": "honours_60m", "points": [0, 6, 10], "approver": "Chen Jing", "ground": "too rare"}
    card = ScorecardClassifier(definitions(), method="additive", policy_points=[honours]).fit(X, y).to_card()
    by_name = {c.name: c for c in card.characteristics}
    assert by_name["honours_60m"].points[:3] == (0, 6, 10)
    assert card.greatest - card.base <= card.profile.addable_points
    assert not card.pairs
    nothing = {d.name: d.none for d in card.features or ()}
    assert card.score_one({name: nothing[name] for name in card.columns}).score == card.base


def test_at_most_so_many_characteristics_are_kept_pairs_among_them() -> None:
    X, y = two_together(600)
    X["c"] = np.random.default_rng(5).normal(size=len(y)) + y
    for most in (1, 3):
        card = ScorecardClassifier(max_characteristics=most).fit(X, y).to_card()
        assert len(card.terms) <= most
        assert "c" in card.columns


def test_a_few_bads_make_no_probability_0_or_1() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.choice(list("xyz"), 300)})
    for bads in (1, 3, 8, 297):
        y = (np.argsort(np.argsort(-X["a"])) < bads).astype(int)
        p = ScorecardClassifier().fit(X, y).predict_proba(X)[:, 1]
        assert 0.0003 < p.min() <= p.max() < 0.9997


def test_a_method_that_does_not_exist_is_refused() -> None:
    X, y = two_together(200)
    with pytest.raises(UserError, match="method must be one of woe_logistic, additive"):
        ScorecardClassifier(method="boosting").fit(X, y)


@pytest.mark.parametrize(
    ("arguments", "foreign"),
    [
        ({"special_values": {"a": [-1.0]}}, "special_values="),
        ({"bins": {"a": BinEdits((("merge", 0),))}}, "edits in bins="),
        ({"min_share": 0.1, "min_events": 9}, "min_share=, min_events="),
    ],
)
def test_what_the_method_does_not_take_is_refused_in_one_line_that_names_the_other(
    arguments: dict[str, Any], foreign: str
) -> None:
    X, y = two_together(200)
    X.columns = ["a", "b", *X.columns[2:]]
    with pytest.raises(UserError) as caught:
        ScorecardClassifier(**arguments).fit(X, y)
    assert str(caught.value) == (
        f'fit: method="additive" does not take {foreign}; leave out what is not taken, or pass method="woe_logistic"'
    )


def test_periods_are_refused_by_the_additive_method_and_pairs_by_the_other() -> None:
    X, y = two_together(200)
    with pytest.raises(UserError, match=r'method="additive" does not take periods=; .* pass method="woe_logistic"$'):
        ScorecardClassifier().fit(X, y, periods=np.arange(len(y)) % 2)
    with pytest.raises(UserError, match=r'method="woe_logistic" does not take max_pairs=; .* pass method="additive"$'):
        ScorecardClassifier(method="woe_logistic", max_pairs=3).fit(X, y)


def test_features_with_definitions_take_the_stated_default_like_any_frame() -> None:
    X, y, _ = sample(2_000, base=-2)
    by_default = ScorecardClassifier(definitions()).fit(X, y)
    assert by_default.get_params()["method"] == "additive"
    assert by_default.card_ == ScorecardClassifier(definitions(), method="additive").fit(X, y).card_
