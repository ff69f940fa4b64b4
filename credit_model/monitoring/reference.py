"""The population of a card when it was made: counts by frozen cell, to compare every later month with.

A `Snapshot` is a population as the card sees it on one day or some: everybody scored on the day and on no statutory
list, with or without a record. The same rule holds for the reference and for every later month, and no outcome is read.
A `Reference` holds counts of one and no rows. Its cells are the card's own (its grades, its attributes); neighbours are
joined until a cell holds at least ten people, so that nobody can be identified and because smaller cells say nothing.

In: a ledger, a card, days. Out: a `Snapshot`, kept in memory only; a `Reference`, stored as JSON beside the card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import from_days, to_day
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import ArrayValue
from credit_model.foundation.json_values import JsonObject
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.monitoring.drift import expected_auc
from credit_model.sample.events import is_on_list
from credit_model.scorecard.bins import CategoricalBins, attributes_of
from credit_model.scorecard.columns import Column, Rows

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

DateLike = date | np.datetime64 | str | int
SCHEMA = 1
REFERENCE_FILE = "reference.json"
TAIL_BANDS = 5
"""Bands of score among people off the reference score."""
_ANYTHING = FeatureDefinition(name="anything", aggregate="any")


class InvalidReferenceError(UserError):
    """A reference that cannot be used; one line says why."""


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


@dataclass(frozen=True)
class CellCounts:
    """Counts by frozen cell; a cell is one number of a grade, band or attribute, or several joined.

    Examples
    --------
    >>> cells = CellCounts.freeze([400, 3, 30])
    >>> cells.members, cells.counts, cells.count([380, 9, 40])
    (((0,), (1, 2)), (400, 33), (380, 49))
    """

    members: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]

    @classmethod
    def freeze(cls, counts: Sequence[int]) -> CellCounts:
        """Join neighbours until each cell holds enough people; a number nobody had joins its neighbour."""
        members: list[list[int]] = [[]]
        sums = [0]
        for number, count in enumerate(counts):
            if sums[-1] >= SMALLEST_CELL:
                members.append([])
                sums.append(0)
            members[-1].append(number)
            sums[-1] += int(count)
        if len(sums) > 1 and sums[-1] < SMALLEST_CELL:
            last, rest = members.pop(), sums.pop()
            members[-1] += last
            sums[-1] += rest
        return cls(tuple(map(tuple, members)), tuple(sums))

    def count(self, counts: Sequence[int] | NDArray[np.intp]) -> tuple[int, ...]:
        """Join counts by number into these cells."""
        return tuple(int(sum(int(counts[number]) for number in cell)) for cell in self.members)


@dataclass(frozen=True)
class Reference:
    """Frozen counts of a card's population on the days it was learned from.

    Attributes
    ----------
    card_digest : str
        Whose it is.
    days : tuple of str
        Observation dates, ISO.
    rows, people : int
        Rows counted, and different people among them: the sampling theory's size.
    score_cuts : tuple of int
        Cuts of the bands of score below the reference score.
    grades, tail, characteristics
        Counts by cell: of grades from the worst up; of bands of score among people off the reference score; of
        attributes, by term.
    with_record, off_reference : int or None
        Rows with anything on file, and with another score than the reference.
    missing : dict of str to int or None
        Rows without a value, of characteristics that can lack one; None where fewer than ten.
    mean_score, mean_probability, expected_auc : float or None
    cohort : dict
        Conditions that say who is looked at; empty for everybody scored.
    """

    card_digest: str
    days: tuple[str, ...]
    rows: int
    people: int
    score_cuts: tuple[int, ...]
    grades: CellCounts
    tail: CellCounts
    characteristics: dict[str, CellCounts]
    with_record: int | None
    off_reference: int
    missing: dict[str, int | None] = field(default_factory=dict)
    mean_score: float = 0.0
    mean_probability: float = 0.0
    expected_auc: float | None = None
    cohort: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    @classmethod
    def of(cls, card: Card, snapshot: Snapshot, cohort: JsonObject | None = None) -> Reference:
        """Count a snapshot of a card's population."""
        if len(snapshot.score) < 2 * SMALLEST_CELL:
            raise InvalidReferenceError(
                f"card {card.id}: {len(snapshot.score)} rows are too few for a reference; it takes {2 * SMALLEST_CELL}"
            )
        off = snapshot.score != card.base
        cuts = _tail_cuts(snapshot.score[off])
        terms, missing = terms_of(card), {}
        for term in terms:
            if term.missing is not None:
                lacking = int((snapshot.attributes[term.name] == term.missing).sum())
                missing[term.name] = lacking if lacking == 0 or lacking >= SMALLEST_CELL else None
        expected = expected_auc(snapshot.probability, -snapshot.score.astype(np.float64))
        return cls(
            card_digest=card.digest,
            days=snapshot.days,
            rows=len(snapshot.score),
            people=snapshot.people,
            score_cuts=cuts,
            grades=CellCounts.freeze(np.bincount(snapshot.grade, minlength=len(card.profile.grades)).tolist()),
            tail=CellCounts.freeze(count_bands(snapshot.score[off], cuts).tolist()),
            characteristics={
                term.name: CellCounts.freeze(
                    np.bincount(snapshot.attributes[term.name], minlength=len(term.labels)).tolist()
                )
                for term in terms
            },
            with_record=None if snapshot.with_record is None else int(snapshot.with_record.sum()),
            off_reference=int(off.sum()),
            missing=missing,
            mean_score=round(float(snapshot.score.mean()), 6),
            mean_probability=float(f"{snapshot.probability.mean():.9g}"),
            expected_auc=None if expected.value is None else round(expected.value, 6),
            cohort=dict(cohort or {}),
        )

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the JSON form."""
        return sha256(self.to_json())

    def to_json(self) -> str:
        """Return the canonical JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Reference:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidReferenceError
            Not a reference, or of another version.
        """
        try:
            plain = json.loads(text)
            if plain["schema"] != SCHEMA:
                raise InvalidReferenceError(
                    f"cannot read this reference: its schema is {plain['schema']!r}, this version reads {SCHEMA}; "
                    "run the experiment again"
                )
            for name in ("grades", "tail"):
                plain[name] = _cells(plain[name])
            plain["characteristics"] = {name: _cells(cells) for name, cells in plain["characteristics"].items()}
            return cls(**{**plain, "days": tuple(plain["days"]), "score_cuts": tuple(plain["score_cuts"])})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, UserError):
                raise
            raise InvalidReferenceError(
                f"cannot read this as a reference ({type(error).__name__}): give the {REFERENCE_FILE} of a run"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read a reference from a file."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidReferenceError(
                f"cannot read the reference {path}: {type(error).__name__}. Give the {REFERENCE_FILE} of a run."
            ) from error

    def check(self, card: Card) -> None:
        """Refuse the reference of another card."""
        if self.card_digest != card.digest:
            raise InvalidReferenceError(
                f"this reference belongs to card {self.card_digest[:12]}, not to {card.id}: give that of its run"
            )


def count_bands(score: NDArray[np.int32], cuts: Sequence[int]) -> NDArray[np.intp]:
    """Count scores by band."""
    return np.bincount(np.searchsorted(np.asarray(cuts), score, side="right"), minlength=len(cuts) + 1)


def _tail_cuts(score: NDArray[np.int32]) -> tuple[int, ...]:
    """Return cuts into bands of about as many people."""
    if not len(score):
        return ()
    ordered = np.sort(score)
    return tuple(
        sorted({int(ordered[len(ordered) * i // TAIL_BANDS]) for i in range(1, TAIL_BANDS)} - {int(ordered[0])})
    )


def _cells(plain: JsonObject) -> CellCounts:
    return CellCounts(tuple(tuple(cell) for cell in plain["members"]), tuple(plain["counts"]))
