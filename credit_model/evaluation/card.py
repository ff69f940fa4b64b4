"""The table of a card as an evaluation keeps it: scale, characteristics with their strength, attributes.

In: a card. Out: plain values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from credit_model.scorecard import Attribute, Card, Pair


def _information_value(attributes: Sequence[Attribute]) -> float | None:
    """IV over the attributes of the development sample: sum of (share of goods - share of bads) ln(goods / bads)."""
    seen = [(a.share, a.bad_rate) for a in attributes if a.share and a.bad_rate is not None]
    bads = sum(share * rate for share, rate in seen)
    goods = sum(share * (1 - rate) for share, rate in seen)
    if not seen or not (bads > 0 and goods > 0):
        return None
    both = [(share * (1 - rate) / goods, share * rate / bads) for share, rate in seen if 0 < rate < 1]
    return sum((good - bad) * math.log(good / bad) for good, bad in both)


def card_of(card: Card) -> dict[str, Any]:
    """Scale and table of a card as plain values."""
    profile = card.profile
    return {
        "name": card.name,
        "digest": card.digest,
        "profile_en": profile.label_en or profile.name,
        "profile_zh": profile.label_zh or profile.name,
        "reference_points": profile.reference_points,
        "points_to_double_odds": profile.points_to_double_odds,
        "grades": list(profile.grades),
        "grade_cuts": list(profile.grade_cuts),
        "characteristics": [
            {
                "name": c.name,
                "label_en": c.label_en,
                "label_zh": c.label_zh,
                "reason": c.reason,
                "direction": c.direction,
                "weight": c.weight,
                "information_value": _information_value(c.attributes),
                "policy": None if c.policy is None else {"approver": c.policy.approver, "ground": c.policy.ground},
                "attributes": [
                    {
                        "label_en": label_en,
                        "label_zh": label_zh,
                        "points": attribute.points,
                        "share": attribute.share,
                        "bad_rate": attribute.bad_rate,
                        "woe": attribute.woe,
                        "reference": number == c.reference,
                    }
                    for number, (label_en, label_zh, attribute) in enumerate(
                        zip(c.bins.labels("en"), c.bins.labels("zh"), c.attributes, strict=True)
                    )
                ],
            }
            for c in card.characteristics
        ]
        + [_pair_of(card, pair) for pair in card.pairs],
    }


def term_texts(card: Card) -> dict[str, tuple[str, str, str]]:
    """Of each term of a card: code of its reason, label in English, label in Chinese."""
    found = {c.name: (c.reason, c.label_en, c.label_zh) for c in card.characteristics}
    for pair in card.pairs:
        parts = card.parts(pair.name)
        found[pair.name] = (pair.code(parts), pair.label(parts, "en"), pair.label(parts, "zh"))
    return found


def _pair_of(card: Card, pair: Pair) -> dict[str, Any]:
    """A pair in the form of a characteristic; where it has no points it says nothing."""
    code, label_en, label_zh = term_texts(card)[pair.name]
    blank = {"share": None, "bad_rate": None, "woe": None, "reference": False}
    rows = pair.rows(card.parts(pair.name))
    return {
        "name": pair.name,
        "label_en": label_en,
        "label_zh": label_zh,
        "reason": code,
        "direction": 0,
        "weight": None,
        "information_value": None,
        "policy": None,
        "attributes": [{"label_en": en, "label_zh": zh, "points": points, **blank} for *_, zh, en, points in rows],
    }
