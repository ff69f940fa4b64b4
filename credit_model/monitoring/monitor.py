"""Monitor one day of a card in use: decisions received, people as the card sees them, outcomes known by then.

In: a ledger, a card, its reference, a day. Out: a `Monitoring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credit_model.features.dictionary import matching_kinds
from credit_model.foundation.calendar import add_months, from_days, to_day
from credit_model.foundation.errors import UserError
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.monitoring.intake import episodes_of, intake_of
from credit_model.monitoring.realised import realised_of
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import DateLike, Snapshot
from credit_model.monitoring.stability import compare
from credit_model.monitoring.wording import Migration, Monitoring

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card


def monitor(
    ledger: Ledger, card: Card, reference: Reference, as_of: DateLike, day_of_use: DateLike | None = None
) -> Monitoring:
    """Compare a day with a card's own reference.

    Parameters
    ----------
    ledger : Ledger
    card : Card
    reference : Reference
        Of this card.
    as_of : date
        The start of the day; what was known strictly before it counts.
    day_of_use : date, optional
        The day whose law applies; today unless given.

    Raises
    ------
    UserError
        The reference is another card's, the card reads no records, or nobody is scored on the day.
    """
    day = to_day(as_of)
    reference.check(card)
    now = Snapshot.take(ledger, card, [day], day_of_use, reference.cohort)
    return Monitoring(
        card_id=card.id,
        as_of=str(from_days(day)),
        stability=compare(card, reference, now),
        intake=intake_of(ledger, day),
        episodes=episodes_of(ledger, day),
        reads=_reads(card, ledger),
        migration=_migration(ledger, card, reference, now, add_months(day, -1), day_of_use),
        realised=realised_of(ledger, card, day, day_of_use),
    )


def _reads(card: Card, ledger: Ledger) -> dict[str, tuple[str, ...]]:
    reads = {
        d.name: tuple(
            kind.code for kind in matching_kinds((*d.conditions, *(d.sides[1] or d.sides[0])), ledger.catalogue)
        )
        for d in card.features or ()
    }
    both = {pair.name: tuple(dict.fromkeys((*reads[pair.first], *reads[pair.second]))) for pair in card.pairs}
    return reads | both


def _migration(
    ledger: Ledger, card: Card, reference: Reference, now: Snapshot, before: int, day_of_use: DateLike | None
) -> Migration | None:
    try:
        then = Snapshot.take(ledger, card, [before], day_of_use, reference.cohort)
    except UserError:  # nobody was scored yet
        return None
    _, at_now, at_then = np.intersect1d(now.subject, then.subject, assume_unique=True, return_indices=True)
    people = len(at_now)
    if people < SMALLEST_CELL:
        return None
    change = np.sign(now.grade[at_now] - then.grade[at_then])
    counts = [int((change == way).sum()) for way in (1, 0, -1)]
    small = any(0 < count < SMALLEST_CELL for count in counts)
    points = float((now.score[at_now].astype(np.int64) - then.score[at_then]).mean())
    better, same, worse = (None if small else count / people for count in counts)
    return Migration(str(from_days(before)), people, better, same, worse, points)
