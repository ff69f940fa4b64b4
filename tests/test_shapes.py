"""Drawings of what a card learned: exact sizes, both languages, text that stays text."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from small_card import small_card

from credit_model import UserError
from credit_model.reports.shapes import importance, importance_svg, shape_svg
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.pairs import Pair


def paired_card() -> Card:
    some = small_card()
    points = [Attribute(p, 0.0, 0.25, None) for p in (0, -8, -20, 0)]
    debts = Characteristic("debts <all>", NumericBins((0.5, 2.5), whole=True), tuple(points), 0)
    home = Characteristic("home", CategoricalBins((("own",), ("rent",))), tuple(points), 0)
    grid = ((0,) * 4, (0, -3, 5, 0), (0, -3, 5, 0), (0,) * 4)
    pair = Pair("debts <all>", "home", grid)
    return Card("drawn", some.profile, (*some.characteristics, debts, home), some.probabilities, 1, pairs=(pair,))


def rows(card: Card) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    numbers = {name: rng.integers(0, 4, 200).astype(float) for name in card.columns if name != "home"}
    return pd.DataFrame(numbers | {"home": rng.choice(["own", "rent", "tent"], 200)})[list(card.columns)]


def test_importance_is_the_mean_of_absolute_points_less_their_mean() -> None:
    card = paired_card()
    X = rows(card)
    weight = np.arange(1.0, 201)
    found = importance(card, X, weight).set_index("term")
    assert set(found.index) == set(card.terms)
    assert found["mean_points"].is_monotonic_decreasing
    for term, told in card.explain(X).drop(columns="base").items():
        mean = sum(w * p for w, p in zip(weight, told, strict=True)) / weight.sum()
        naive = sum(w * abs(p - mean) for w, p in zip(weight, told, strict=True)) / weight.sum()
        assert found.loc[term, "mean_points"] == pytest.approx(naive)
    assert found.loc["debts <all> × home", "range"] == 8


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_drawings_are_well_formed_and_say_every_attribute_with_its_points(lang: str) -> None:
    card = paired_card()
    for drawing in (*(shape_svg(card, term, lang) for term in card.terms), importance_svg(card, rows(card), lang=lang)):
        root = ET.fromstring(drawing)
        assert root.attrib["aria-label"]
    texts = " ".join(node.text or "" for node in ET.fromstring(shape_svg(card, "debts <all>", lang)).iter())
    assert all(label in texts for label in card.parts("debts <all>")[0].attribute_labels(lang))
    assert all(said in texts for said in ("0", "−8", "−20"))
    paired = " ".join(node.text or "" for node in ET.fromstring(shape_svg(card, card.terms[-1], lang)).iter())
    assert "−3" in paired
    assert "+5" in paired


def test_a_term_the_card_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="has no term 'age'"):
        shape_svg(paired_card(), "age")
