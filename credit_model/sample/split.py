"""Choose the days a card is learned on, and the folds that validate it while it is tuned.

The out-of-time date is fixed first; everything else is walked back from it. A development label may still be
changing until its performance window and its maturity are over, so the last development date is the latest day
whose labels are mature on the out-of-time date: **the gap is window + maturity; it is derived, never a setting.**
The worked example below is the default outcome (12 months + 7 months): out-of-time 2025-04-01, hence the last
development date 2023-09-01, and with two dates a year apart the other one 2022-09-01.

In: an outcome (window, maturity), the out-of-time date, the number of dates.
Out: development dates; folds of the development sample that respect time and never split a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from credit_model.foundation.calendar import add_months, from_days
from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    from credit_model.sample.outcome import Outcome


class OverlapError(UserError):
    """A development label would still be open on the out-of-time date."""


def development_dates(out_of_time: int, outcome: Outcome, n: int, every_months: int) -> tuple[int, ...]:
    """Walk back from the out-of-time date to `n` development dates.

    Parameters
    ----------
    out_of_time : int
        Days since 1970-01-01.
    outcome : Outcome
        Gives window and maturity, hence the gap.
    n : int
        Number of dates, at least 1.
    every_months : int
        Months from one date to the next, at least 1.

    Returns
    -------
    tuple of int
        Ascending; the last one is the latest whose labels are mature on the out-of-time date.

    Examples
    --------
    >>> from credit_model.foundation.calendar import from_days, to_day
    >>> from credit_model.sample.outcome import Y12
    >>> [str(from_days(day)) for day in development_dates(to_day("2025-04-01"), Y12, n=2, every_months=12)]
    ['2022-09-01', '2023-09-01']
    """
    if n < 1 or every_months < 1:
        raise UserError(
            f"development dates were derived: {n} dates, {every_months} months apart, were asked for. "
            "Ask for at least one date and one month between dates."
        )
    last = outcome.latest_mature(out_of_time)
    return tuple(int(add_months(last, -every_months * back)) for back in range(n - 1, -1, -1))


def check_gap(development: Sequence[int], out_of_time: int, outcome: Outcome) -> None:
    """Refuse development dates whose labels are not mature on the out-of-time date.

    Raises
    ------
    OverlapError
        Naming the first such date and the latest date allowed.
    """
    for day in development:
        mature = outcome.mature_on(day)
        if mature > out_of_time:
            raise OverlapError(
                f"development date {from_days(day)}: its labels are mature on {from_days(mature)}, after the "
                f"out-of-time date {from_days(out_of_time)}; the latest date allowed is "
                f"{from_days(outcome.latest_mature(out_of_time))}"
            )


def shuffle_keys(subject_ids: Iterable[str], seed: int) -> list[bytes]:
    """Return sort keys that put subjects into an order of chance, whatever the order they come in."""
    return [hashlib.blake2b(f"{seed}:{one}".encode(), digest_size=8).digest() for one in subject_ids]


def tuning_folds(
    subject_id: np.ndarray, as_of: np.ndarray, y: np.ndarray, n_folds: int = 3, seed: int = 0, by_date: bool = True
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split a development sample: learn on earlier dates and other people, validate on later dates.

    People are dealt to `n_folds` groups, those with an event first, so that every group has its share of the few
    events. Fold *i* judges group *i* on the later half of the dates and learns from the other groups on the earlier
    half. With a single date the folds are by person only.

    Parameters
    ----------
    subject_id, as_of, y : ndarray, shape (n,)
        Rows of the sample; `y` is 1 for bad.
    n_folds : int
        Groups of people.
    seed : int
        Another seed deals people differently; the order of rows never matters.
    by_date : bool
        Without, every date is learned from and judged: the folds are by person only, each with its share of events.

    Returns
    -------
    list of (train, validate)
        Row numbers.

    Examples
    --------
    >>> subject = np.array(["a", "b", "c", "a", "b", "c"], dtype=object)
    >>> day = np.array([0, 0, 0, 365, 365, 365])
    >>> for train, validate in tuning_folds(subject, day, np.zeros(6), n_folds=3):
    ...     assert day[train].max() < day[validate].min()
    ...     assert not set(subject[train]) & set(subject[validate])
    """
    people, person = np.unique(subject_id.astype(str), return_inverse=True)
    ever_bad = np.bincount(person, weights=(y == 1), minlength=len(people)) > 0
    keys = shuffle_keys(people, seed)
    order = sorted(range(len(people)), key=lambda i: (not ever_bad[i], keys[i]))
    group_of_person = np.empty(len(people), dtype=np.int64)
    group_of_person[order] = np.arange(len(people)) % n_folds
    group = group_of_person[person]

    dates = np.unique(as_of) if by_date else as_of[:1]
    first_later = dates[(len(dates) + 1) // 2] if len(dates) > 1 else None
    earlier = as_of < first_later if first_later is not None else np.ones(len(as_of), dtype=bool)
    later = as_of >= first_later if first_later is not None else earlier
    return [
        (np.flatnonzero(earlier & (group != fold)), np.flatnonzero(later & (group == fold))) for fold in range(n_folds)
    ]
