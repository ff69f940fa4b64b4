"""The table of a card as an evaluation holds it, and the measures of the segments that the caller names.

In: a card; scored rows and their points; columns of texts. Out: plain values; segments, small ones left blank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.measures import compute_measures, compute_tests
from credit_model.evaluation.scored_rows import Sample, distinct
from credit_model.evaluation.tables import Segment, counts_of
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.scorecard.pairs import run_label

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.bins import Attribute, Characteristic
    from credit_model.scorecard.card import Card
    from credit_model.scorecard.pairs import Pair


def mean_moved(points: NDArray[np.float64], weight: Any = None) -> float:
    """How much points move a score: their mean absolute distance from their mean.

    Of an additive score this is the mean of absolute interventional SHAP values, exactly.

    Examples
    --------
    >>> mean_moved(np.array([0.0, 0.0, 0.0, -40.0]))
    15.0
    """
    return float(np.average(np.abs(points - np.average(points, weights=weight)), weights=weight))


def moved_by_term(sample: Sample, explanation: pd.DataFrame) -> dict[str, float | None]:
    """`mean_moved` of each term on scored rows; None where few people have other points than the rest."""
    movements: dict[str, float | None] = {}
    for name in explanation.columns.drop("base", errors="ignore"):
        points = explanation[name].to_numpy(np.float64)[sample.order]
        levels, at = np.unique(points, return_inverse=True)
        usual = levels[np.argmax(np.bincount(at.ravel()))] if len(levels) else 0.0
        few = 0 < distinct(sample.subject[points != usual]) < SMALLEST_CELL
        movements[str(name)] = None if few else mean_moved(points, sample.weight)
    return movements


def _information_value(attributes: Sequence[Attribute]) -> float | None:
    """IV over the attributes of the development sample: sum of (share of goods - share of bads) ln(goods / bads)."""
    attribute_shares = [(a.share, a.bad_rate) for a in attributes if a.share and a.bad_rate is not None]
    bads = sum(share * rate for share, rate in attribute_shares)
    goods = sum(share * (1 - rate) for share, rate in attribute_shares)
    if not attribute_shares or not (bads > 0 and goods > 0):
        return None
    both = [(share * (1 - rate) / goods, share * rate / bads) for share, rate in attribute_shares if 0 < rate < 1]
    return sum((good - bad) * math.log(good / bad) for good, bad in both)


def card_of(card: Card, mean_points: Mapping[str, float | None] | None = None) -> dict[str, Any]:
    """Scale and table of a card as plain values; ``moved``: how much each term moves scores."""
    profile = card.profile
    summary: dict[str, Any] = {
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
                        zip(c.attribute_labels("en"), c.attribute_labels("zh"), c.attributes, strict=True)
                    )
                    if number != c.bins.missing or not c.is_never_missing
                ],
            }
            for c in card.characteristics
        ]
        + [_pair_of(card, pair) for pair in card.pairs],
    }
    if mean_points is not None:
        for term in summary["characteristics"]:
            term["mean_points"] = mean_points.get(term["name"])
    return summary


def term_texts(card: Card) -> dict[str, tuple[str, str, str]]:
    """Of each term of a card: code of its reason, label in English, label in Chinese."""
    texts = {c.name: (c.reason, c.label_en, c.label_zh) for c in card.characteristics}
    for pair in card.pairs:
        parts = card.parts(pair.name)
        texts[pair.name] = (pair.code(parts), pair.label(parts, "en"), pair.label(parts, "zh"))
    return texts


def _pair_of(card: Card, pair: Pair) -> dict[str, Any]:
    """Return a pair in the form of a characteristic, without attributes that have no points."""
    code, label_en, label_zh = term_texts(card)[pair.name]
    parts = card.parts(pair.name)
    blank = {"share": None, "bad_rate": None, "woe": None, "reference": False}
    rows = pair.rows(parts)
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
        "grid": _grid(parts, pair),
    }


def _grid(parts: Sequence[Characteristic], pair: Pair) -> dict[str, Any]:
    """Points of every combination that can occur, equal neighbours together."""
    sides = []
    for c, runs in zip(parts, pair.runs, strict=True):
        never = c.bins.missing if c.is_never_missing else None
        sides.append([places for run in runs if (places := [place for place in run if place != never])])
    first, second = (
        {
            "label_en": c.label_en,
            "label_zh": c.label_zh,
            "attributes": [
                {
                    "label_en": run_label(c, run, "en"),
                    "label_zh": run_label(c, run, "zh"),
                    "reference": c.reference in run,
                }
                for run in side
            ],
        }
        for c, side in zip(parts, sides, strict=True)
    )
    points = [[pair.points[row[0]][column[0]] for column in sides[1]] for row in sides[0]]
    return {"first": first, "second": second, "points": points}


@dataclass(frozen=True)
class Breakdown:
    """The measures of each part of the people by one column."""

    column: str
    label_en: str
    label_zh: str
    parts: dict[str, Segment]


def breakdowns_of(sample: Sample, columns: Mapping[str, tuple[str, str, NDArray[np.str_]]]) -> tuple[Breakdown, ...]:
    """Measures by the values of columns, each given with its labels and its values in the order of the sample."""
    breakdowns = []
    for name, (label_en, label_zh, values) in columns.items():
        names = [str(value) for value in np.unique(values)]
        parts = [sample.where(values == value) for value in names]
        cells = {
            value: Segment(
                counts, {} if counts.hidden else compute_measures(part), {} if counts.hidden else compute_tests(part)
            )
            for value, part, counts in zip(names, parts, counts_of(parts, sample), strict=True)
        }
        breakdowns.append(Breakdown(name, label_en, label_zh, cells))
    return tuple(breakdowns)
