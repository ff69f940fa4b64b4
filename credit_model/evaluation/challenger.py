"""A challenger on the card's out-of-time rows: what it gains, for whom, and where the two differ.

A challenger is measured like the card and against it, row by row, so that every difference has an interval of its own.
A card is kept unless the challenger's AUC is greater by more than `WORTH`: a table that anybody can add up is worth
that much, and a difference that small does not survive a year of drift.

In: the scored rows, the challenger's probability among them. Out: a `Challenger` as plain values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.measures import compute_measures
from credit_model.evaluation.scored_rows import Sample
from credit_model.evaluation.tables import Counts, Grade, Segment, counts_of
from credit_model.foundation.errors import UserError
from credit_model.metrics import differences
from credit_model.metrics.performance import Estimate

WORTH = 0.02
"""AUC that a challenger must gain before the card is put in question."""
FIFTHS = 5
_SHOWN = 5  # cells of the widest disagreement


@dataclass(frozen=True)
class Contest:
    """One segment: every measure of the challenger, and what it has more (or less) than the card has."""

    measures: dict[str, Estimate]
    minus_card: dict[str, Estimate]


@dataclass(frozen=True)
class Cell:
    """People of one grade in one fifth of the challenger's ranking (1: least risk); predictions of both in the mean."""

    grade: str
    fifth: int
    counts: Counts
    by_challenger: float | None


@dataclass(frozen=True)
class Attribution:
    """How far a feature moves people on average, in points, either way; ``card`` is None where the card has none."""

    code: str
    text_en: str
    text_zh: str
    card: float | None
    challenger: float


class ChallengerDescription(TypedDict):
    """What the caller of an evaluation knows of a challenger, as plain values."""

    label_en: str
    label_zh: str
    settings: NotRequired[Mapping[str, str | float]]
    attributions: NotRequired[Sequence[Mapping[str, str | float | None]]]
    additivity_gap: NotRequired[float | None]


@dataclass(frozen=True)
class Challenger:
    """What a challenger found on the card's out-of-time rows.

    Attributes
    ----------
    label_en, label_zh : str
    settings : dict
        How it was made.
    verdict : str
        ``kept`` (gains no more than `WORTH`, and the interval says so too), ``kept_unsure`` (gains no more, but the
        interval reaches beyond), ``questioned_unsure``, ``questioned`` (gains more), ``unmeasured``.
    segments : dict of str to Contest
        The segments of the evaluation; empty measures where the segment is hidden.
    cells : tuple of Cell
        By grade, best first, then by fifth.
    widest : tuple of int
        Places in ``cells`` where the two models move most expected events, most first.
    attributions : tuple of Attribution
        By what they move in the card, then in the challenger.
    additivity_gap : float or None
        Greatest distance between a row's prediction and the sum of its attributions.
    """

    label_en: str
    label_zh: str
    settings: dict[str, str | float]
    verdict: str
    segments: dict[str, Contest]
    cells: tuple[Cell, ...]
    widest: tuple[int, ...]
    attributions: tuple[Attribution, ...]
    additivity_gap: float | None


def challenge(
    sample: Sample, segments: Mapping[str, Segment], grades: tuple[Grade, ...], description: ChallengerDescription
) -> Challenger:
    """Measure a challenger (``sample.others["challenger"]``, a probability) against the card.

    Raises
    ------
    UserError
        If a probability is not strictly between 0 and 1, or ``description`` is not as `evaluate` says.
    """
    probability = sample.others["challenger"]
    if ((probability <= 0) | (probability >= 1)).any():
        raise UserError("Cannot judge this challenger: column 'challenger' must hold probabilities between 0 and 1.")
    parts = {name: sample if rows is None else sample.where(rows) for name, rows in _rows(sample).items()}
    contests = {
        name: Contest({}, {}) if segment.counts.hidden else _contest(parts[name]) for name, segment in segments.items()
    }
    cells = _cells(sample, grades)
    try:
        attributions = [Attribution(**cast(Any, row)) for row in description.get("attributions", ())]
        label_en, label_zh = description["label_en"], description["label_zh"]
    except (TypeError, KeyError) as error:
        raise UserError(f"Cannot judge this challenger: its description is incomplete ({error}).") from error
    return Challenger(
        label_en=label_en,
        label_zh=label_zh,
        settings=dict(description.get("settings", {})),
        verdict=_verdict(contests["all"].minus_card.get("auc")),
        segments=contests,
        cells=cells,
        widest=_widest(cells),
        attributions=tuple(sorted(attributions, key=lambda a: (-(a.card or 0.0), -a.challenger, a.code))),
        additivity_gap=description.get("additivity_gap"),
    )


def _rows(sample: Sample) -> dict[str, NDArray[np.bool_] | None]:
    if sample.record is None:
        return {"all": None}
    return {"all": None, "with_record": sample.record, "without_record": ~sample.record}


def _contest(part: Sample) -> Contest:
    """Measure one segment."""
    how: dict[str, Any] = {"weight": part.weight, "subject": part.people}
    probability, card_risk = part.others["challenger"], -part.score
    risk = np.log(probability / (1 - probability))
    gini = differences.gini_difference(part.y, risk, card_risk, **how)
    minus_card = {"auc": _half(gini), "gini": gini}
    if part.true_risk is not None:
        minus_card["soft_gini"] = differences.soft_gini_difference(part.true_risk, risk, card_risk, **how)
    for name in ("brier", "log_loss", "slope"):
        minus_card[name] = getattr(differences, f"{name}_difference")(part.y, probability, part.probability, **how)
    return Contest(compute_measures(dataclasses.replace(part, score=-risk, probability=probability)), minus_card)


def _half(difference: Estimate) -> Estimate:
    """Convert a difference of Ginis into one of AUCs."""
    return Estimate(*(None if value is None else value / 2 for value in dataclasses.astuple(difference)))


def _verdict(gain: Estimate | None) -> str:
    if gain is None or gain.value is None or gain.low is None or gain.high is None:
        return "unmeasured"
    if gain.value > WORTH:
        return "questioned" if gain.low > WORTH else "questioned_unsure"
    return "kept" if gain.high <= WORTH else "kept_unsure"


def _cells(sample: Sample, grades: tuple[Grade, ...]) -> tuple[Cell, ...]:
    """Grade by fifth of the challenger; a row of a grade tells no more than the grade itself does."""
    fifth = _fifths(sample.others["challenger"], sample.weight)
    cells = []
    for grade in grades:
        parts = [sample.where((sample.grade == grade.grade) & (fifth == number)) for number in range(1, FIFTHS + 1)]
        for number, (part, counts) in enumerate(zip(parts, counts_of(parts, sample), strict=True), start=1):
            if grade.counts.hidden == "all":
                counts = Counts("all", *[None] * 7)
            elif grade.counts.hidden and not counts.hidden:
                counts = dataclasses.replace(counts, hidden="bads", bads=None, bad_rate=None)
            there = counts.hidden != "all" and part.y.size
            mean = float(np.average(part.others["challenger"], weights=part.weight)) if there else None
            cells.append(Cell(grade.grade, number, counts, mean))
    return tuple(cells)


def _fifths(risk: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.intp]:
    """Fifth of each row by the middle of its tie, so that people with one prediction stay together."""
    _, group = np.unique(risk, return_inverse=True)
    mass = np.bincount(group, weight)
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.asarray(1 + np.minimum((middle * FIFTHS).astype(np.intp), FIFTHS - 1))[group]


def _widest(cells: tuple[Cell, ...]) -> tuple[int, ...]:
    """Where the two expect the most different numbers of events."""
    expected_events = {
        place: cell.counts.observations * abs(cell.by_challenger - cell.counts.mean_probability)
        for place, cell in enumerate(cells)
        if cell.counts.observations and cell.by_challenger is not None and cell.counts.mean_probability is not None
    }
    return tuple(sorted(expected_events, key=lambda place: (-expected_events[place], place))[:_SHOWN])
