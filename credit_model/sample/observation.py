"""Choose who is observed, and when: everybody on file on some dates, or somebody after an event or on its morning.

With dates, an observation is everybody on file on each of them. With an event, it is one record each: the fine that was
served yesterday, the contract that was signed. Such observations have days of their own, as many as there are events,
and a subject is observed as often as it has such records. With the day of an event it is the start of that day, when
nobody knows yet what it brings: the visit of an inspector, the hearing.

In: a ledger; dates, or the event that calls for an observation, or whose day does. Out: a frame ``subject_id, as_of``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kinds import RESERVED_ATTRIBUTES
from credit_model.foundation.calendar import FOREVER, NO_DAY, DateLike, Days, from_days
from credit_model.foundation.errors import UserError, did_you_mean
from credit_model.ledger.ledger import Ledger
from credit_model.visibility.amendments import ACTIONS
from credit_model.visibility.tables import RECORD_TYPES, STATUSES, Segments, matches

if TYPE_CHECKING:
    import pandas as pd

# A record on one of these grounds is nobody's, or never was: nothing that happens to it calls for an observation.
_VOID = ("kind_not_lawful", "sealed", "act_of_minor", "act_of_incapable", "corrected", "revoked", "moved")


class EventErrors(UserError):
    """An event that cannot call for observations; ``faults`` names every fault."""


@dataclass(frozen=True)
class Event:
    """What calls for an observation: that a record of some kinds, or an action on it, became known.

    The observation is the start of the first day on which the event counts: the day after it was known, or its own day
    if that is later. There is one for each record, of the subject on whose file it then stands.

    Parameters
    ----------
    kinds : sequence of str
    action : str, optional
        An action of an amendment, the first of its name; without it, the record itself.

    Examples
    --------
    >>> Event(["traffic_fine"], "served").sentence()
    'the day after served was known of a record of traffic_fine'
    """

    kinds: Sequence[str]
    action: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(self.kinds))

    def check(self, catalogue: Catalogue) -> None:
        """Hold the event against a catalogue; ``EventErrors`` names every word it does not know."""
        faults = [] if self.kinds else ["kinds names none"]
        for what, words, names in (("kind", self.kinds, tuple(catalogue.kinds)), ("action", (self.action,), ACTIONS)):
            for word in words:
                if word is not None and word not in names:
                    faults.append(f"unknown {what} {word!r}{did_you_mean(word, names)}")
        if faults:
            raise EventErrors("observe_after: " + "; ".join(faults), tuple(faults))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that are absent."""
        return {"kinds": list(self.kinds)} | ({} if self.action is None else {"action": self.action})

    def sentence(self, lang: str = "en") -> str:
        """Say when an observation is made."""
        kinds = ", ".join(self.kinds)
        if lang == "zh":
            return f"{kinds}{f'的{self.action}' if self.action else ''}归集次日"
        return f"the day after {self.action or 'it'} was known of a record of {kinds}"

    def observations(self, ledger: Ledger, first: int, last: int, day_of_use: DateLike | None = None) -> pd.DataFrame:
        """Return the observations that events call for from one day to another, both included.

        Parameters
        ----------
        ledger : Ledger
        first, last : int
            Days since 1970-01-01.
        day_of_use : date, optional
            Whose law holds: what it takes from every file calls for nothing.

        Returns
        -------
        DataFrame
            ``subject_id, as_of`` (whole days), distinct, by day, then subject.
        """
        self.check(ledger.catalogue)
        segments = ledger.segments(day_of_use)
        record, day = self._days(ledger, segments)
        inside = (first <= day) & (day <= last)
        record, day = record[inside], day[inside]
        row, subject = _holders(segments, record, day)
        return _observations(segments, subject, day[row])

    def _days(self, ledger: Ledger, segments: Segments) -> tuple[NDArray[np.int64], Days]:
        """Return each record with the event (index of ``segments.record_ids``) and the first day it counts."""
        tables, ids = ledger.tables(), segments.record_ids
        own = np.isin(tables.records["kind"].astype(str), self.kinds)
        place = np.searchsorted(ids, tables.records["record_id"][own])
        on_file, first = np.full((2, len(ids)), FOREVER, np.int32)
        on_file[place] = tables.records["known_on"][own] + 1
        if self.action is None:
            first[place] = np.maximum(on_file[place], tables.records["decided_on"][own])
        else:
            index = {record_id: i for i, record_id in enumerate(ids.tolist())}  # an amendment may come first
            rows = np.flatnonzero(tables.amendments["action"] == self.action)
            place = np.array([index.get(r, -1) for r in tables.amendments["record_id"][rows].tolist()], np.int64)
            rows, place = rows[place >= 0], place[place >= 0]
            counts = np.maximum(tables.amendments["known_on"] + 1, tables.amendments["effective_on"])[rows]
            np.minimum.at(first, place, np.maximum(counts, on_file[place]))
        record = np.flatnonzero(first < FOREVER)
        return record, first[record]


@dataclass(frozen=True)
class EventDay:
    """Whose day calls for an observation: the one that a date of a record of some kind names, at its very start.

    A subject is observed once on each such day, however many records name it. The day is the one first recorded; the
    subject is the one on whose file the record stands once that day has come and the record is known.

    Parameters
    ----------
    kind : str
    column : str
        A date of a record, or an attribute of the kind that is a date.

    Examples
    --------
    >>> EventDay("inspection", "planned_on").sentence()
    'at the start of the day that planned_on of a record of inspection names'
    """

    kind: str
    column: str

    def check(self, catalogue: Catalogue) -> None:
        """Hold kind and column against a catalogue; ``EventErrors`` names what it does not know."""
        kind = catalogue.kinds.get(self.kind)
        if kind is None:
            fault = f"unknown kind {self.kind!r}{did_you_mean(self.kind, tuple(catalogue.kinds))}"
        else:
            declared = {name: spec.type for name, spec in kind.attributes.items()}
            types = {**RECORD_TYPES, **RESERVED_ATTRIBUTES, **declared}
            dates = tuple(name for name, type in types.items() if type == "date")
            if self.column in dates:
                return
            fault = f"unknown column {self.column!r}{did_you_mean(self.column, dates)}"
            if self.column in types:
                fault = f"{self.column!r} of {self.kind} is no date; its dates are {', '.join(dates)}"
        raise EventErrors(f"observe_on: {fault}", (fault,))

    def to_dict(self) -> dict[str, str]:
        """Return plain values."""
        return {"kind": self.kind, "column": self.column}

    def sentence(self, lang: str = "en") -> str:
        """Say when an observation is made."""
        if lang == "zh":
            return f"{self.kind}的{self.column}所载当日零时"
        return f"at the start of the day that {self.column} of a record of {self.kind} names"

    def observations(self, ledger: Ledger, first: int, last: int, day_of_use: DateLike | None = None) -> pd.DataFrame:
        """Return the observations of the days from one to another, both included: as those of an ``Event``."""
        self.check(ledger.catalogue)
        segments, records = ledger.segments(day_of_use), ledger.tables().records
        day = records[self.column]
        rows = np.flatnonzero((records["kind"] == self.kind) & (day != NO_DAY) & (first <= day) & (day <= last))
        record, day = np.searchsorted(segments.record_ids, records["record_id"][rows]), day[rows]
        known = np.maximum(np.maximum(records["known_on"][rows] + 1, records["decided_on"][rows]), day)
        row, subject = _holders(segments, record, known)
        return _observations(segments, subject, day[row])


def _observations(segments: Segments, subject: NDArray[np.int32], day: Days) -> pd.DataFrame:
    """Return each subject and day once, by day, then subject."""
    import pandas as pd

    pairs = np.unique(np.stack([day.astype(np.int64), subject.astype(np.int64)], axis=1), axis=0)
    return pd.DataFrame({"subject_id": segments.subject_ids[pairs[:, 1]], "as_of": from_days(pairs[:, 0])})


def _holders(segments: Segments, record: NDArray[np.int64], day: Days) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the place of each record that is not void on its day, and the subject on whose file it then stands."""
    order = np.argsort(segments.record, kind="stable")
    row, place = matches(segments.record[order], record)
    segment = order[place]
    is_current = (segments.start[segment] <= day[row]) & (day[row] < segments.end[segment])
    is_current &= ~np.isin(segments.status[segment], [STATUSES.index(ground) for ground in _VOID])
    return row[is_current], segments.subject[segment[is_current]]
