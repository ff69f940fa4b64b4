"""Scored rows as arrays, checked once and sorted by person and date; the card that scored them as plain values.

In: a frame of scored rows; a card, and the points of the rows. Out: a `Sample`; a `CardSummary`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import ArrayValue
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.scorecard.pairs import run_label

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card
    from credit_model.scorecard.characteristic import Attribute, Characteristic
    from credit_model.scorecard.pairs import Pair

_REQUIRED = ("subject_id", "as_of", "y", "score", "probability_of_bad", "grade")


@dataclass(frozen=True, eq=False)
class Sample(ArrayValue):
    """The scored rows as arrays, sorted by person and date; ``order`` says which row of the frame each of them was.

    Optional columns are ``None`` where the frame has none.
    """

    y: NDArray[np.float64]
    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    weight: NDArray[np.float64]
    subject: NDArray[np.intp]
    as_of: NDArray[np.str_]
    grade: NDArray[np.str_]
    record: NDArray[np.bool_] | None
    true_risk: NDArray[np.float64] | None
    attainable: NDArray[np.float64] | None
    order: NDArray[np.intp]
    others: dict[str, NDArray[np.float64]]

    def where(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Sample:
        """Keep some rows, chosen by a mask or put in an order."""
        arrays: dict[str, Any] = {
            name: None if value is None else value[rows] for name, value in vars(self).items() if name != "others"
        }
        return Sample(**arrays, others={name: value[rows] for name, value in self.others.items()})

    @property
    def risk(self) -> NDArray[np.float64]:
        """A number that grows with risk."""
        return -self.score

    @property
    def people(self) -> NDArray[np.intp] | None:
        """Whom rows belong to; None when every row is a person of its own."""
        return None if distinct(self.subject) == self.subject.size else self.subject


def distinct(subjects: NDArray[np.intp]) -> int:
    """Count people among rows sorted by person, as those of a sample are."""
    return int(subjects.size and 1 + np.count_nonzero(subjects[1:] != subjects[:-1]))


def sample_of(frame: pd.DataFrame, others: Sequence[str]) -> Sample:
    """Check a frame of scored rows and take it apart.

    Raises
    ------
    UserError
        With every fault found.
    """
    import pandas as pd

    columns = [*_REQUIRED, *others]
    faults = [f"column {name!r} is missing" for name in columns if name not in frame.columns]
    faults += [
        f"column {name!r} has {int(frame[name].isna().sum())} empty rows"
        for name in (*columns, "weight", "with_record", "true_risk", "attainable")
        if name in frame.columns and frame[name].isna().any()
    ]
    if not faults and len(frame):
        if not frame["y"].isin([0, 1]).all():
            faults.append("column 'y' holds values other than 0 (good) and 1 (bad)")
        probability = frame["probability_of_bad"]
        if ((probability <= 0) | (probability >= 1)).any():
            faults.append("column 'probability_of_bad' holds values outside 0 to 1 (both exclusive)")
        if "weight" in frame.columns and (frame["weight"] <= 0).any():
            faults.append("column 'weight' holds weights of 0 or less")
        if frame.duplicated(["subject_id", "as_of"]).any():
            repeated = int(frame.duplicated(["subject_id", "as_of"]).sum())
            faults.append(f"{repeated} rows repeat a subject_id and as_of")
    if not len(frame):
        faults.append("it has no rows")
    if faults:
        raise UserError(f"Cannot evaluate this frame: {'; '.join(faults)}.", tuple(faults))

    def numbers(name: str) -> NDArray[np.float64] | None:
        return frame[name].to_numpy(np.float64) if name in frame.columns else None

    required = {name: frame[name].to_numpy(np.float64) for name in ("y", "score", "probability_of_bad", *others)}
    weight = numbers("weight")
    day, days = pd.factorize(pd.to_datetime(frame["as_of"]))
    sample = Sample(
        y=required["y"],
        score=required["score"],
        probability=required["probability_of_bad"],
        weight=np.ones(len(frame)) if weight is None else weight,
        subject=pd.factorize(frame["subject_id"], sort=True)[0],
        as_of=pd.DatetimeIndex(days).strftime("%Y-%m-%d").to_numpy(str)[day],
        grade=frame["grade"].astype(str).to_numpy(str),
        record=frame["with_record"].to_numpy(bool) if "with_record" in frame.columns else None,
        true_risk=numbers("true_risk"),
        attainable=numbers("attainable"),
        order=np.arange(len(frame)),
        others={name: required[name] for name in others},
    )
    return sample.where(np.lexsort((sample.as_of, sample.subject)))


class AttributeSummary(TypedDict):
    """One attribute of a term; what is not known of a pair's is None."""

    label_en: str
    label_zh: str
    points: int
    share: float | None
    bad_rate: float | None
    woe: float | None
    reference: bool


class GridLabel(TypedDict):
    """Some neighbouring attributes of one side of a grid."""

    label_en: str
    label_zh: str
    reference: bool


class GridSide(TypedDict):
    """One of the two characteristics of a pair."""

    label_en: str
    label_zh: str
    attributes: list[GridLabel]


class PairGrid(TypedDict):
    """Points of every combination of a pair that can occur."""

    first: GridSide
    second: GridSide
    points: list[list[int]]


class TermSummary(TypedDict):
    """A characteristic or a pair; ``mean_points``, how far it moves scores, where that was measured."""

    name: str
    label_en: str
    label_zh: str
    reason: str
    direction: int
    weight: float | None
    information_value: float | None
    policy: dict[str, str] | None
    attributes: list[AttributeSummary]
    mean_points: NotRequired[float | None]
    grid: NotRequired[PairGrid]


class CardSummary(TypedDict, total=False):
    """Scale and table of a card; empty without one."""

    name: str
    digest: str
    profile_en: str
    profile_zh: str
    reference_points: int
    points_to_double_odds: int
    grades: list[str]
    grade_cuts: list[int]
    characteristics: list[TermSummary]


def mean_movement(points: NDArray[np.float64], weight: ArrayLike | None = None) -> float:
    """How much points move a score: their mean absolute distance from their mean.

    Of an additive score this is the mean of absolute interventional SHAP values, exactly.

    Examples
    --------
    >>> mean_movement(np.array([0.0, 0.0, 0.0, -40.0]))
    15.0
    """
    weights = None if weight is None else np.asarray(weight, np.float64)
    mean = float(np.average(points, weights=weights))
    return float(np.average(np.abs(points - mean), weights=weights))


def movement_by_term(sample: Sample, explanation: pd.DataFrame) -> dict[str, float | None]:
    """`mean_movement` of each term on scored rows; None where few people have other points than the rest."""
    movements: dict[str, float | None] = {}
    for name in explanation.columns.drop("base", errors="ignore"):
        points = explanation[name].to_numpy(np.float64)[sample.order]
        levels, at = np.unique(points, return_inverse=True)
        usual = levels[np.argmax(np.bincount(at.ravel()))] if len(levels) else 0.0
        few = 0 < distinct(sample.subject[points != usual]) < SMALLEST_CELL
        movements[str(name)] = None if few else mean_movement(points, sample.weight)
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


def card_of(card: Card, mean_points: Mapping[str, float | None] | None = None) -> CardSummary:
    """Return scale and table of a card as plain values."""
    profile = card.profile
    terms = [_characteristic(c) for c in card.characteristics] + [_pair_of(card, pair) for pair in card.pairs]
    if mean_points is not None:
        for term in terms:
            term["mean_points"] = mean_points.get(term["name"])
    return {
        "name": card.name,
        "digest": card.digest,
        "profile_en": profile.label_en or profile.name,
        "profile_zh": profile.label_zh or profile.name,
        "reference_points": profile.reference_points,
        "points_to_double_odds": profile.points_to_double_odds,
        "grades": list(profile.grades),
        "grade_cuts": list(profile.grade_cuts),
        "characteristics": terms,
    }


def _characteristic(c: Characteristic) -> TermSummary:
    """Return a characteristic, without the attribute of a missing value where none can be missing."""
    labels = zip(c.attribute_labels("en"), c.attribute_labels("zh"), c.attributes, strict=True)
    attributes: list[AttributeSummary] = [
        {
            "label_en": label_en,
            "label_zh": label_zh,
            "points": attribute.points,
            "share": attribute.share,
            "bad_rate": attribute.bad_rate,
            "woe": attribute.woe,
            "reference": number == c.reference,
        }
        for number, (label_en, label_zh, attribute) in enumerate(labels)
        if number != c.bins.missing or not c.is_never_missing
    ]
    return {
        "name": c.name,
        "label_en": c.label_en,
        "label_zh": c.label_zh,
        "reason": c.reason,
        "direction": c.direction,
        "weight": c.weight,
        "information_value": _information_value(c.attributes),
        "policy": None if c.policy is None else {"approver": c.policy.approver, "ground": c.policy.ground},
        "attributes": attributes,
    }


def term_texts(card: Card) -> dict[str, tuple[str, str, str]]:
    """Of each term of a card: code of its reason, label in English, label in Chinese."""
    texts = {c.name: (c.reason, c.label_en, c.label_zh) for c in card.characteristics}
    for pair in card.pairs:
        parts = card.parts(pair.name)
        texts[pair.name] = (pair.code(parts), pair.label(parts, "en"), pair.label(parts, "zh"))
    return texts


def _pair_of(card: Card, pair: Pair) -> TermSummary:
    """Return a pair in the form of a characteristic, without attributes that have no points."""
    code, label_en, label_zh = term_texts(card)[pair.name]
    parts = card.parts(pair.name)
    return {
        "name": pair.name,
        "label_en": label_en,
        "label_zh": label_zh,
        "reason": code,
        "direction": 0,
        "weight": None,
        "information_value": None,
        "policy": None,
        "attributes": [
            {
                "label_en": row.attributes_en,
                "label_zh": row.attributes_zh,
                "points": row.points,
                "share": None,
                "bad_rate": None,
                "woe": None,
                "reference": False,
            }
            for row in pair.rows(parts)
        ],
        "grid": _grid(parts, pair),
    }


def _grid(parts: Sequence[Characteristic], pair: Pair) -> PairGrid:
    """Points of every combination that can occur, equal neighbours together."""
    sides = []
    for c, runs in zip(parts, pair.runs, strict=True):
        never = c.bins.missing if c.is_never_missing else None
        sides.append([places for run in runs if (places := [place for place in run if place != never])])
    first, second = (_side(c, side) for c, side in zip(parts, sides, strict=True))
    points = [[pair.points[row[0]][column[0]] for column in sides[1]] for row in sides[0]]
    return {"first": first, "second": second, "points": points}


def _side(c: Characteristic, runs: Sequence[Sequence[int]]) -> GridSide:
    labels: list[GridLabel] = [
        {"label_en": run_label(c, run, "en"), "label_zh": run_label(c, run, "zh"), "reference": c.reference in run}
        for run in runs
    ]
    return {"label_en": c.label_en, "label_zh": c.label_zh, "attributes": labels}
