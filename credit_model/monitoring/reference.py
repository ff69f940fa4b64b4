"""The population of a card when it was made: counts by frozen cell, to compare every later month with.

A `Snapshot` is a population as the card sees it on one day or some: everybody scored on the day and on no statutory
list, with or without a record. The same rule holds for the reference and for every later month, and no outcome is read.
A `Reference` holds counts of one and no rows. Its cells are the card's own (its grades, its attributes); neighbours are
joined until a cell holds at least ten people, so that nobody can be identified and because smaller cells say nothing.

In: a ledger, a card, days. Out: a `Snapshot`, kept in memory only; a `Reference`, stored as JSON beside the card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.monitoring.drift import expected_auc
from credit_model.monitoring.snapshot import Snapshot, terms_of

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

SCHEMA = 1
REFERENCE_FILE = "reference.json"
TAIL_BANDS = 5
"""Bands of score among people off the reference score."""


class InvalidReferenceError(UserError):
    """A reference that cannot be used; one line says why."""


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
