"""The people a card sees on a day, as scores and attributes; the terms they are counted by.

In: a ledger or rows, a card. Out: a `Snapshot`; a `CardTerm` a characteristic or pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import from_days, to_day
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import ArrayValue
from credit_model.foundation.json_values import JsonObject
from credit_model.ledger.ledger import Ledger
from credit_model.sample.events import is_on_list
from credit_model.scorecard.bins import CategoricalBins, attributes_of
from credit_model.scorecard.columns import Column, Rows

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

DateLike = date | np.datetime64 | str | int
_ANYTHING = FeatureDefinition(name="anything", aggregate="any")


@dataclass(frozen=True, eq=False)
class Snapshot(ArrayValue):
    """Rows as a card sees them; every array has one entry a row.

    Parameters
    ----------
    days : tuple of str
        Observation dates, ISO.
    subject : ndarray of object
    score : ndarray of int32
    probability : ndarray of float64
    grade : ndarray of int
        Number of the grade, 0 the worst.
    attributes : dict of str to ndarray of int
        Attribute of each row, by term: by characteristic, and by pair (see `CardTerm`).
    with_record : ndarray of bool or None
        Whether anything at all was in force on the file.
    """

    days: tuple[str, ...]
    subject: NDArray[np.object_]
    score: NDArray[np.int32]
    probability: NDArray[np.float64]
    grade: NDArray[np.intp]
    attributes: dict[str, NDArray[np.intp]]
    with_record: NDArray[np.bool_] | None

    @property
    def people(self) -> int:
        """Number of different people."""
        return len(set(self.subject.tolist()))

    @classmethod
    def of_rows(
        cls, card: Card, X: Rows, subject: ArrayLike, days: Sequence[str], with_record: NDArray[np.bool_] | None = None
    ) -> Snapshot:
        """Score rows whose features are given: a frame or a mapping of the card's columns."""
        columns = {name: X[name] for name in card.columns}
        score = card.scores(columns)
        return cls(
            days=tuple(days),
            subject=np.asarray(subject, object),
            score=score,
            probability=card.probability(score),
            grade=np.searchsorted(card.profile.grade_cuts, score, side="right"),
            attributes=_attributes(card, columns),
            with_record=with_record,
        )

    @classmethod
    def take(
        cls,
        ledger: Ledger,
        card: Card,
        days: Sequence[DateLike],
        day_of_use: DateLike | None = None,
        cohort: JsonObject | None = None,
    ) -> Snapshot:
        """Score everybody eligible on some days and on no statutory list (of a cohort: its members).

        Raises
        ------
        UserError
            The card has no features of records, or nobody is scored on these days.
        """
        if card.features is None:
            raise UserError(
                f"card {card.id} reads raw columns, not records: a ledger cannot be described for it. Monitor a card "
                "made by an experiment."
            )
        use = to_day(date.today() if day_of_use is None else day_of_use)
        segments, population = ledger.segments(use), ledger.population()
        everybody = np.union1d(population.subject_ids, segments.subject_ids)
        subjects, on = [], []
        dates = sorted({to_day(day) for day in days})
        for one in dates:
            on_day = np.full(len(everybody), one, np.int32)
            eligible = population.reason(everybody, on_day) == ""
            eligible &= ~is_on_list(ledger, everybody, on_day, use)
            subjects.append(everybody[eligible])
            on.append(on_day[eligible])
        subject, day = np.concatenate(subjects), np.concatenate(on)
        if not len(subject):
            raise UserError(
                f"nobody is scored on {', '.join(str(from_days(one)) for one in dates)}: there is nothing to monitor; "
                "see the date and the ledger"
            )
        belongs = FeatureDefinition(name="cohort", aggregate="any", where=cohort or {})
        definitions = [*card.features, _ANYTHING, belongs]
        values = compute(segments, segments.subject_index(subject), day, definitions, ledger.catalogue)
        if cohort:
            member = values[:, -1] > 0
            subject, day, values = subject[member], day[member], values[member]
        X = {definition.name: values[:, i] for i, definition in enumerate(card.features)}
        day_texts = sorted({str(from_days(one)) for one in np.unique(day)})
        return cls.of_rows(card, X, subject, day_texts, values[:, -2] > 0)


@dataclass(frozen=True)
class CardTerm:
    """A characteristic, or a pair, whose attributes are the points it can give, least first.

    ``missing`` and ``unseen`` (a text the card has never seen) are attributes; None where there is none of its own.
    ``share`` is that of each attribute among the rows the card was learned from, of a pair as if its two were
    independent.
    """

    name: str
    label_en: str
    label_zh: str
    labels: tuple[tuple[str, str], ...]
    points: tuple[int, ...]
    share: tuple[float, ...]
    reference: int
    missing: int | None = None
    unseen: int | None = None


def terms_of(card: Card) -> tuple[CardTerm, ...]:
    """Return the terms of a card, in its order."""
    terms = []
    for c in card.characteristics:
        labels = tuple(zip(c.attribute_labels("en"), c.attribute_labels("zh"), strict=True))
        share = tuple(attribute.share for attribute in c.attributes)
        missing = None if c.is_never_missing else c.bins.missing
        unseen = c.bins.other if isinstance(c.bins, CategoricalBins) else None
        terms.append(CardTerm(c.name, c.label_en, c.label_zh, labels, c.points, share, c.reference, missing, unseen))
    for pair in card.pairs:
        parts = card.parts(pair.name)
        first, second = ([attribute.share for attribute in c.attributes] for c in parts)
        both = np.outer(first, second)
        share = tuple(float(both[pair.grid == level].sum()) for level in pair.levels)
        terms.append(
            CardTerm(
                pair.name, pair.label(parts, "en"), pair.label(parts, "zh"),
                tuple((f"{level:+d} points", f"{level:+d}分") for level in pair.levels),
                pair.levels, share, pair.levels.index(0),
            )
        )  # fmt: skip
    return tuple(terms)


def _attributes(card: Card, columns: Mapping[str, Column]) -> dict[str, NDArray[np.intp]]:
    attributes = {c.name: attributes_of(c.bins, columns[c.name], c.name).astype(np.intp) for c in card.characteristics}
    for pair in card.pairs:
        points = pair.points_at(attributes[pair.first], attributes[pair.second])
        attributes[pair.name] = np.searchsorted(pair.levels, points)
    return attributes
