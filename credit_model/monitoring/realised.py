"""Expected against realised, once outcomes are known: level, ranking, and the order of attributes.

Outcomes of an observation date are known a window and a maturity later: until then only drift can
be seen. The latest date whose outcomes are mature, and from which the card did not learn, is read like any sample.

In: a ledger, a card with its provenance, a day. Out: `Realised`, or None while nothing is mature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import from_day, from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.calibration import observed_to_expected
from credit_model.metrics.calibration import observed_to_expected_limit as limit_of
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, Estimate, auc
from credit_model.monitoring.drift import expected_auc, order_reversals
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Outcome
from credit_model.scorecard.bins import attributes_of

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.monitoring.snapshot import DateLike
    from credit_model.scorecard.card import Card

_LEVEL = 0.999


@dataclass(frozen=True)
class AttributeReversal:
    """A characteristic of which a better attribute turned out worse than the one below it."""

    name: str
    label_en: str
    label_zh: str
    worse_en: str
    worse_zh: str
    better_en: str
    better_zh: str
    p_value: float


@dataclass(frozen=True)
class Realised:
    """Outcomes of the people observed on a day, beside those the card expected.

    Attributes
    ----------
    as_of : str
        The observation date.
    people : int
    bads : int or None
        None where 1 or 2.
    observed_to_expected : Estimate
    limit : float
        How far from 1 it may lie.
    auc : Estimate
        Measured, at level .999.
    expected_auc : Estimate
        Estimated before outcomes were known.
    off_level, off_ranking : bool
        Whether either contradicts the card.
    turned : tuple of AttributeReversal
    """

    as_of: str
    people: int
    bads: int | None
    observed_to_expected: Estimate
    limit: float
    auc: Estimate
    expected_auc: Estimate
    off_level: bool
    off_ranking: bool
    turned: tuple[AttributeReversal, ...]


def realised_of(ledger: Ledger, card: Card, day: int, day_of_use: DateLike | None = None) -> Realised | None:
    """Read the outcomes of the latest observation date whose labels are mature on a day.

    Parameters
    ----------
    ledger : Ledger
    card : Card
        Its provenance says what it predicts and from which dates it learned.
    day : int
        Days since 1970-01-01; what was known strictly before it counts.
    day_of_use : date, optional

    Returns
    -------
    Realised or None
        None where no date since development is mature, or the card does not say what it predicts.
    """
    definition, sample = card.provenance.get("outcome"), card.provenance.get("sample", {})
    if not definition or card.features is None or sample.keys() & {"observe_after", "observe_on"}:
        return None
    outcome = Outcome(**definition)
    latest = outcome.latest_mature(day)
    if latest <= max((to_day(one) for one in sample.get("development", [])), default=latest - 1):
        return None
    rows = build_sample(
        ledger, outcome, [latest], card.features, day_of_use=day_of_use, known_through=from_day(day - 1)
    )
    score = card.scores(rows.X[list(card.columns)])
    probability, y = card.probability(score), rows.y.astype(np.float64)
    level = observed_to_expected(y, probability)
    limit = limit_of(rows.bads)
    observed, expected = auc(y, -score, level=_LEVEL), expected_auc(probability, -score)
    return Realised(
        as_of=str(from_days(latest)),
        people=len(rows),
        bads=None if 0 < rows.bads < FEWEST_BADS else rows.bads,
        observed_to_expected=level,
        limit=limit,
        auc=observed,
        expected_auc=expected,
        off_level=bool(
            level.value is not None and abs(level.value - 1) > limit and not (level.low or 0) <= 1 <= (level.high or 0)
        ),
        off_ranking=bool(observed.high is not None and expected.value is not None and observed.high < expected.value),
        turned=_reversals(card, rows.X, y),
    )


def _reversals(card: Card, X: pd.DataFrame, y: NDArray[np.float64]) -> tuple[AttributeReversal, ...]:
    reversals = []
    for c in card.characteristics:
        attribute = attributes_of(c.bins, X[c.name], c.name)
        people = np.bincount(attribute, minlength=c.bins.count)
        bads = np.bincount(attribute, weights=y, minlength=c.bins.count).astype(np.int64)
        sizeable = np.where(people >= SMALLEST_CELL, people, 0)
        en, zh = c.attribute_labels("en"), c.attribute_labels("zh")
        woe = [a.woe if c.policy is None else float(a.points) for a in c.attributes]
        for one in order_reversals(bads, sizeable, woe, level=(1 - _LEVEL) / len(card.characteristics)):
            i, j = one.worse, one.better
            reversals.append(AttributeReversal(c.name, c.label_en, c.label_zh, en[i], zh[i], en[j], zh[j], one.p_value))
    return tuple(reversals)
