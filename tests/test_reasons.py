"""Reasons: points lost, ranked; positives apart; nothing that did not move the score."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import KERNEL_VERSION
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import ProbabilityMap, Profile

OPEN = Profile("open", 600, 40, ("B", "A"), (600,))
EVEN = ProbabilityMap((0, 1200), (-5.0, 5.0))


def card_of(points: list[int], **more: Any) -> Card:
    """One characteristic for each number: its points where the value is 1, none where it is 0."""
    bins = NumericBins((0.5,), whole=True)
    return Card(
        "reasons",
        OPEN,
        tuple(
            Characteristic(f"c{j}", bins, tuple(Attribute(x, 0.0, 0.5, 0.1) for x in (0, p, 0)), 0, **more)
            for j, p in enumerate(points)
        ),
        EVEN,
    )


def test_at_most_four_reasons_most_points_lost_first() -> None:
    card = card_of([-5, -40, 7, -12, -1, -30, 0, 3])
    row = card.score_one(dict.fromkeys(card.columns, 1))
    assert [r.points for r in row.reasons] == [-40, -30, -12, -5]
    assert [r.points for r in row.positives] == [7, 3]


def test_equal_losses_keep_the_order_of_the_card() -> None:
    card = card_of([-5, -9, -5, -9, -5, -5])
    row = card.score_one(dict.fromkeys(reversed(card.columns), 1))
    assert [r.characteristic for r in row.reasons] == ["c1", "c3", "c0", "c2"]


@given(st.lists(st.integers(-30, 30), min_size=1, max_size=8), st.data())
def test_only_what_moved_the_score_is_a_reason(points: list[int], data: st.DataObject) -> None:
    card = card_of(points)
    row = {name: data.draw(st.sampled_from([0, 1, None])) for name in card.columns}
    told = card.score_one(row)
    lost = {name: p for name, p in told.points.items() if p < 0}
    assert all(r.points == told.points[r.characteristic] < 0 for r in told.reasons)
    assert {r.characteristic: r.points for r in told.positives} == {n: p for n, p in told.points.items() if p > 0}
    assert len(told.reasons) == min(4, len(lost))
    rest = [p for name, p in lost.items() if name not in {r.characteristic for r in told.reasons}]
    assert not rest or min(rest) >= max(r.points for r in told.reasons)
    if len(lost) <= 4:
        assert told.base + sum(r.points for r in (*told.reasons, *told.positives)) == told.score


@given(st.lists(st.integers(-30, 30), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_a_row_changes_no_reason(points: list[int], random: Any) -> None:
    card = card_of(points)
    names = list(card.columns)
    random.shuffle(names)
    assert card.score_one(dict.fromkeys(names, 1)) == card.score_one(dict.fromkeys(card.columns, 1))


def test_a_reason_names_label_value_and_exact_points_in_both_languages() -> None:
    definition = FeatureDefinition(
        name="adverse_24m", label_zh="近24个月不良信息条数", label_en="Adverse records, 24 months",
        where={"polarity": "adverse"}, aggregate="count", trend="higher_is_worse", reason="A101",
    )  # fmt: skip
    c = Characteristic(
        "adverse_24m",
        NumericBins((0.5,)),
        tuple(Attribute(p, 0.0, 0.5, 0.1) for p in (0, -26, 0)),
        0,
        definition=definition,
    )
    reason = Card("one", OPEN, (c,), EVEN, kernel_version=KERNEL_VERSION).score_one({"adverse_24m": 2.0}).reasons[0]
    assert (reason.code, reason.points) == ("A101", -26)
    assert reason.text_zh == "近24个月不良信息条数：2（扣26分）"
    assert reason.text_en == "Adverse records, 24 months: 2 (26 points lost)"


def test_a_value_is_told_as_it_was_looked_up() -> None:
    card = card_of([-1])
    assert card.score_one({"c0": 0.6}).reasons[0].text_en == "c0: 0.6 (1 point lost)"
    assert card.score_one({"c0": math.inf}).reasons[0].text_en == "c0: inf (1 point lost)"


def test_a_missing_value_and_a_category_are_told_in_words() -> None:
    bins = CategoricalBins((("own",), ("rent",)))
    c = Characteristic("home", bins, tuple(Attribute(p, 0.0, 0.2, 0.1) for p in (0, 4, -3, -8)), 0)
    card = Card("home", OPEN, (c,), EVEN)
    assert card.score_one({"home": None}).reasons[0].text_zh == "home：缺失（扣8分）"
    assert card.score_one({"home": "tent"}).reasons[0].text_en == "home: tent (3 points lost)"
    assert card.score_one({"home": "rent"}).positives[0].text_en == "home: rent (4 points added)"


def test_where_nothing_on_record_is_a_missing_value_the_reason_says_so() -> None:
    definition = FeatureDefinition(
        name="last_score", aggregate="last", of="score", where={"kinds": ["inspection"]}, trend="higher_is_better"
    )
    assert definition.missing
    c = Characteristic(
        "last_score",
        NumericBins((85.0,)),
        tuple(Attribute(p, 0.0, 0.5, 0.1) for p in (-20, 0, -5)),
        1,
        definition=definition,
    )
    card = Card("visits", OPEN, (c,), EVEN, kernel_version=KERNEL_VERSION)
    assert card.score_one({"last_score": None}).reasons[0].text_en == "last_score: nothing on record (5 points lost)"
    assert card.table()["attribute_zh"].tolist()[-1] == "无记录"
