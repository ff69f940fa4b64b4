"""Compare a population with a card's reference: what has moved beyond chance and by enough to matter, without labels.

Three questions of each distribution. Has its shape moved (PSI over frozen cells)? Has the share of people off the
reference attribute moved by a fifth or more? Has the share without a value, or with one the card never saw? All levels
together give at most two false alarms in a thousand months.

In: a card, its `Reference`, a `Snapshot`. Out: a `Stability` as plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.metrics.stability import Movement, Share, Stability
from credit_model.monitoring.drift import ALARM_FLOOR, ALARM_LEVEL, TAIL_FLOOR, Shift, expected_auc, points_shift, psi
from credit_model.monitoring.reference import CellCounts, Reference, count_bands
from credit_model.monitoring.snapshot import CardTerm, Snapshot, terms_of

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

CHANGE = 1.2
"""A share matters when it is at least so many times what it was, or the other way round."""
_FALSE_ALARMS = 0.001  # in all comparisons besides the grades


def compare(card: Card, reference: Reference, snapshot: Snapshot) -> Stability:
    """Compare a snapshot with the reference of its card.

    Raises
    ------
    UserError
        The reference is another card's.
    """
    reference.check(card)
    terms = [term for term in terms_of(card) if term.name in reference.characteristics]  # older ones count no pairs
    false_alarms = _FALSE_ALARMS / max(4 + 3 * len(terms), 1)
    expected = expected_auc(snapshot.probability, -snapshot.score.astype(np.float64))
    movements = [*_of_score(card, reference, snapshot, 1 - false_alarms)]
    for term in terms:
        movements += _of_term(term, reference, snapshot, 1 - false_alarms)
    return Stability(
        reference_digest=reference.digest,
        days_then=reference.days,
        days_now=snapshot.days,
        people_then=reference.people,
        people_now=snapshot.people,
        mean_score_then=reference.mean_score,
        mean_score_now=float(snapshot.score.mean()),
        mean_probability_then=reference.mean_probability,
        mean_probability_now=float(snapshot.probability.mean()),
        expected_auc_then=reference.expected_auc,
        expected_auc_now=expected,
        movements=tuple(movements),
    )


def _of_score(card: Card, reference: Reference, snapshot: Snapshot, level: float) -> list[Movement]:
    grades = reference.grades.count(np.bincount(snapshot.grade, minlength=len(card.profile.grades)))
    names = [(name, name) for name in card.profile.grades]
    shift = psi(reference.grades.counts, grades, level=ALARM_LEVEL, floor=ALARM_FLOOR, size=reference.people)
    movements = [_movement("grades", shift, ALARM_FLOOR, shares=_shares(reference.grades, grades, names))]
    off = snapshot.score != card.base
    tail = reference.tail.count(count_bands(snapshot.score[off], reference.score_cuts))
    ends = [None, *reference.score_cuts, None]
    bands = [
        (f"{'below' if low is None else f'{low} to'} {'above' if high is None else high - 1 if low else high}",) * 2
        for low, high in pairwise(ends)
    ]
    size = sum(reference.tail.counts) * reference.people / reference.rows
    shift = psi(reference.tail.counts, tail, level=level, floor=TAIL_FLOOR, size=size) if sum(tail) else None
    movements.append(_movement("tail", shift, TAIL_FLOOR, shares=_shares(reference.tail, tail, bands)))
    movements.append(_share("off_reference", reference.off_reference, int(off.sum()), reference, snapshot, level))
    if reference.with_record is not None and snapshot.with_record is not None:
        now = int(snapshot.with_record.sum())
        movements.append(_share("with_record", reference.with_record, now, reference, snapshot, level))
    return movements


def _of_term(term: CardTerm, reference: Reference, snapshot: Snapshot, level: float) -> list[Movement]:
    by_attribute = np.bincount(snapshot.attributes[term.name], minlength=len(term.labels))
    cells = reference.characteristics[term.name]
    now = cells.count(by_attribute)
    shift = psi(cells.counts, now, level=level, floor=ALARM_FLOOR, size=reference.people)
    home = next(i for i, members in enumerate(cells.members) if term.reference in members)
    off = _share("", reference.rows - cells.counts[home], sum(now) - now[home], reference, snapshot, level)
    worth = [term.points[max(members, key=term.share.__getitem__)] for members in cells.members]
    labels = {"name": term.name, "label_en": term.label_en, "label_zh": term.label_zh}
    has_moved = bool(shift and shift.has_moved) or off.moved
    movements = [
        Movement(
            kind="characteristic", **labels, value=None if shift is None else shift.value,
            limit=None if shift is None else max(shift.limit, ALARM_FLOOR), moved=has_moved, then=off.then, now=off.now,
            points=points_shift(cells.counts, now, worth, size=reference.people),
            shares=_shares(cells, now, term.labels),
        )
    ]  # fmt: skip
    if term.missing is not None:
        then, lacking = reference.missing.get(term.name), int(by_attribute[term.missing])
        movements.append(_share("missing", then or 0, lacking, reference, snapshot, level, term))
    if term.unseen is not None:
        movements.append(_share("unseen", 0, int(by_attribute[term.unseen]), reference, snapshot, level, term))
    return movements


def _movement(kind: str, shift: Shift | None, floor: float, shares: tuple[Share, ...]) -> Movement:
    limit = None if shift is None else max(shift.limit, floor)
    value = None if shift is None else shift.value
    return Movement(kind, "", "", "", value, limit, bool(shift and shift.has_moved), shares=shares)


def _share(
    kind: str, then: int, now: int, reference: Reference, snapshot: Snapshot, level: float, term: CardTerm | None = None
) -> Movement:
    """Compare a share of people; it has moved when chance does not explain it and it is a fifth more or less."""
    rows = len(snapshot.score)
    shift = psi((then, reference.rows - then), (now, rows - now), level=level, floor=0.0, size=reference.people)
    before, after = max(then, 0.5) / reference.rows, max(now, 0.5) / rows
    times = max(after / before, before / after)
    value = limit = None
    has_moved = False
    if shift is not None:
        value, limit = shift.value, shift.limit
        has_moved = shift.has_moved and times >= CHANGE and max(then, now) >= SMALLEST_CELL
    shares = _publishable_share(then, reference.rows), _publishable_share(now, rows)
    names = ("", "", "") if term is None else (term.name, term.label_en, term.label_zh)
    return Movement(kind, *names, value, limit, has_moved, *shares)


def _publishable_share(count: int, total: int) -> float | None:
    return None if 0 < count < SMALLEST_CELL else count / total


def _shares(cells: CellCounts, now: Sequence[int], labels: Sequence[tuple[str, str]]) -> tuple[Share, ...]:
    """Return shares by cell; leave blank those that could point at a person."""
    small = [0 < count < SMALLEST_CELL for count in now]
    if sum(small) == 1:
        rest = [i for i, count in enumerate(now) if count and not small[i]]
        if rest:
            small[min(rest, key=lambda i: now[i])] = True
    then_all, now_all = sum(cells.counts) or 1, sum(now) or 1
    return tuple(
        Share(
            " | ".join(labels[i][0] for i in members),
            "｜".join(labels[i][1] for i in members),
            None if 0 < then < SMALLEST_CELL else then / then_all,
            None if is_small else count / now_all,
        )
        for members, then, count, is_small in zip(cells.members, cells.counts, now, small, strict=True)
    )
