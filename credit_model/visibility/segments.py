"""Decide when a record may be used, and if not, on which ground.

``status(record, d)`` is a rule applied to what was known of the record at the start of d. Since that state changes
only on days when a new row counts, and the rule, given a state, only on the few days it compares, the whole of time
compiles to few segments: first cut where knowledge changes, then where the rule's own dates fall, then merge equal
neighbours. The law in force on the day of use ``u`` is applied to every d: kinds no longer lawful, records sealed by
u and acts of minors are gone for all of time; use windows are those of u.

One record on its way: a penalty decided 2024-01-10 is known on 2024-03-01, so its segments begin on 03-02:
``not_final`` until the appeal period has run out on 2024-07-17 (seven days to service, six months), ``in_force``
until its window ends on 2025-01-10, ``past_use_window`` from then on.

In: ``Tables``, catalogue, policy, day of use. Out: ``Segments``; all grounds at once on request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, Days, distinct, pack, unpack
from credit_model.visibility.capacity import Act, Capacity
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.commitments import Breaches
from credit_model.visibility.fold import State, fold
from credit_model.visibility.tables import ROLES, STATUSES, Column, Segments, Tables, matches, pick, spans
from credit_model.visibility.text_columns import encode, is_constant, places, plain, take
from credit_model.visibility.use_rules import UseRules

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

SEMANTICS_VERSION: Final = 2  # of fold and rule; part of every cache key and card
# Editions whose cards are still read: the law of the day of use holds for every date, so a card of edition 1 is given
# what may be used now.
READ_SEMANTICS: Final = (1, 2)


def compile_segments(tables: Tables, catalogue: Catalogue, policy: str, day_of_use: int) -> Segments:
    """Compile every record of every file through all of time: in force, or the first ground why not.

    Parameters
    ----------
    tables : Tables
    catalogue : Catalogue
    policy : str
        ``tier``, ``retention`` or another of the catalogue.
    day_of_use : int
        Whose law applies; days since 1970-01-01.

    Returns
    -------
    Segments
        Ids are arrays of objects; where the text of ``tables`` is ``Text`` out of Arrow, they are Arrow arrays.

    Examples
    --------
    >>> from credit_model.foundation.calendar import from_days, to_day
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["adm_penalty"], "tier": ["general"]}
    >>> tables = Tables.of({**record, "decided_on": ["2024-01-10"], "known_on": ["2024-03-01"]})
    >>> segments = compile_segments(tables, load_catalogue(), "tier", to_day("2026-11-24"))
    >>> for start, status in zip(from_days(segments.start), segments.status):
    ...     print(start, STATUSES[status])
    2024-03-02 not_final
    2024-07-17 in_force
    2025-01-10 past_use_window
    """
    coded = CodedTables.of(tables, catalogue)
    pieces = _Pieces.of(coded, tables, UseRules.of(catalogue, policy, day_of_use))
    holds = pieces.grounds.any(axis=0)
    status = np.where(holds, pieces.grounds.argmax(axis=0) + 1, 0).astype(np.int8)
    role = np.where(holds, 0, pieces.role).astype(np.int8)

    # Facts change between epochs only, and the pieces of a record on a file take them up one after the other.
    state, epoch, subject, start = pieces.state, pieces.epoch, pieces.subject, pieces.start
    differs = _changes(*(getattr(state, name) for name in _SHOWN), *state.attributes.values())
    begins = _changes(subject, state.record[epoch], status, role) | (_changes(epoch) & differs[epoch])
    rows = np.flatnonzero(begins)
    epoch, status, subject, start = epoch[rows], status[rows], subject[rows], start[rows]
    record = state.record[epoch]

    opens = _changes(subject, record)
    in_force = status == 0
    run = in_force & (opens | ~np.roll(in_force, 1))
    latest_run = np.maximum.accumulate(np.where(run, np.arange(len(run)), 0))
    return Segments(
        subject_ids=coded.subject_ids,
        record_ids=coded.record_ids,
        case_ids=coded.case_ids,
        kind_codes=tuple(catalogue.kinds),
        vocabularies={name: tuple(plain(words).tolist()) for name, words in coded.vocabularies.items()},
        subject=subject,
        record=record.astype(np.int32),
        start=start,
        end=_ends(start, opens),
        status=status,
        role=role[rows],
        visible_from=np.where(in_force, start[latest_run], NO_DAY).astype(np.int32),
        known_on=coded.records["known_on"][record],
        seq=np.array(take(coded.records["seq"], record)),
        case=coded.records["case"][record],
        **{name: take(getattr(state, name), epoch) for name in _SHOWN},
        attributes={name: take(column, epoch) for name, column in state.attributes.items()},
    )


_SHOWN = ("kind", "tier", "decided_on", "occurred_on", "amount", "hours", "outstanding", "performed")


def entries_at(tables: Tables, catalogue: Catalogue, policy: str, day: int, day_of_use: int) -> dict[str, Column]:
    """Return the entries of lists, and other decisions, that stand at the start of a day, whether disputed or not.

    Parameters
    ----------
    tables, catalogue, policy, day_of_use
        As for ``compile_segments``.
    day : int
        As-of date, days since 1970-01-01.

    Returns
    -------
    dict of str to ndarray
        ``subject_id``, ``record_id``, ``ends_on`` (as known then; ``NO_DAY`` where only an exit ends it) and
        ``disputed``; one row for each record on no ground other than ``disputed``, former entries left out.
    """
    coded = CodedTables.of(tables, catalogue)
    pieces = _Pieces.of(coded, tables, UseRules.of(catalogue, policy, day_of_use))
    rows = pieces.at(day)
    grounds = pieces.grounds[:, rows]
    disputed = grounds[STATUSES.index("disputed") - 1]
    stands = (grounds.sum(axis=0) == disputed) & (pieces.role[rows] != ROLES.index("was_listed"))
    rows, disputed = rows[stands], disputed[stands]
    epoch = pieces.epoch[rows]
    valid_to, list_end = pieces.state.attributes["valid_to"][epoch], pieces.list_end[epoch]
    ends_on = np.where(valid_to != NO_DAY, valid_to, np.where(list_end == FOREVER, NO_DAY, list_end))
    return {
        "subject_id": plain(coded.subject_ids)[pieces.subject[rows]],
        "record_id": plain(coded.record_ids)[pieces.record[rows]],
        "ends_on": ends_on,
        "disputed": disputed,
    }


def grounds_at(tables: Tables, catalogue: Catalogue, policy: str, day: int, day_of_use: int) -> dict[str, Column]:
    """Return all grounds of every record on file at the start of a day, not the first only.

    Parameters
    ----------
    tables, catalogue, policy, day_of_use
        As for ``compile_segments``.
    day : int
        As-of date, days since 1970-01-01.

    Returns
    -------
    dict of str to ndarray
        ``subject_id``, ``record_id`` and for each of ``STATUSES[1:]`` whether it holds; one row for each record on a
        file. A row on which none holds is in force.
    """
    coded = CodedTables.of(tables, catalogue)
    pieces = _Pieces.of(coded, tables, UseRules.of(catalogue, policy, day_of_use))
    rows = pieces.at(day)
    return {
        "subject_id": plain(coded.subject_ids)[pieces.subject[rows]],
        "record_id": plain(coded.record_ids)[pieces.record[rows]],
        **dict(zip(STATUSES[1:], pieces.grounds[:, rows], strict=True)),
    }


def files_at(
    tables: Tables, catalogue: Catalogue, policy: str, subject_ids: Column, days: Days, day_of_use: int
) -> dict[str, Column]:
    """Return the files of subjects, each at the start of a day of its own: every record, facts and all grounds.

    Parameters
    ----------
    tables, catalogue, policy, day_of_use
        As for ``compile_segments``; the rows are compiled once, whatever the number of days.
    subject_ids : ndarray of object, shape (n,)
        A subject may come with several days; one without a file has no rows.
    days : ndarray of int32, shape (n,)
        As-of dates, days since 1970-01-01.

    Returns
    -------
    dict of str to ndarray
        ``row`` (place in ``subject_ids``), the facts of the record (text as text), ``final, challenge_open,
        stayed, sustained``, and each of ``STATUSES[1:]``; by row, then record.
    """
    coded = CodedTables.of(tables, catalogue)
    pieces = _Pieces.of(coded, tables, UseRules.of(catalogue, policy, day_of_use))
    words, row_code = encode(subject_ids)[::-1]
    code = places(words, coded.subject_ids)[row_code]
    row, place = matches(pieces.subject, code)
    is_on_file = (pieces.start[place] <= days[row]) & (days[row] < pieces.end[place])
    row, place = row[is_on_file], place[is_on_file]
    state = replace(pieces.state.take(pieces.epoch[place]), day=pieces.start[place])
    text = {name: pick(plain(words), state.attributes[name], None) for name, words in coded.vocabularies.items()}
    return {
        "row": row,
        "record_id": plain(coded.record_ids)[state.record],
        "subject_id": plain(coded.subject_ids)[pieces.subject[place]],
        "kind": np.array([*catalogue.kinds], object)[state.kind],
        "case_id": plain(coded.case_ids)[coded.records["case"][state.record]],
        "known_on": coded.records["known_on"][state.record],
        **{name: getattr(state, name) for name in _FACTS},
        **{name: text.get(name, column) for name, column in state.attributes.items()},
        **{name: getattr(state, name) for name in ("final", "challenge_open", "stayed", "sustained")},
        **dict(zip(STATUSES[1:], pieces.grounds[:, place], strict=True)),
    }


_FACTS = ("occurred_on", "decided_on", "tier", "amount", "hours", "outstanding")


@dataclass(frozen=True)
class _Pieces:
    """The files cut so finely that nothing changes inside a piece; sorted by (subject, record, start)."""

    subject: NDArray[np.int32]
    epoch: NDArray[np.int64]  # row of ``state``
    start: Days
    state: State  # of every record in every epoch of what is known
    grounds: NDArray[np.bool_]
    role: NDArray[np.int8]
    list_end: Days  # of each row of ``state``

    @property
    def record(self) -> NDArray[np.int64]:
        """Return the record of each piece."""
        return self.state.record[self.epoch]

    @property
    def end(self) -> Days:
        """Return the start of the next piece of the same record on the same file."""
        return _ends(self.start, _changes(self.subject, self.record))

    def at(self, day: int) -> NDArray[np.intp]:
        """Return the rows of the pieces that hold a day."""
        return np.flatnonzero((self.start <= day) & (day < self.end))

    @classmethod
    def of(cls, coded: CodedTables, tables: Tables, rules: UseRules) -> _Pieces:
        epochs = distinct(
            [
                pack(np.arange(len(coded.record_ids)), coded.records["known_on"] + 1),
                pack(coded.amendments["record"], coded.amendments["counts_from"]),
            ]
        )
        state = rules.read(fold(coded, *unpack(epochs)), coded)
        epoch, subject = _files(coded, state)
        capacity = Capacity.of(coded, tables, rules)

        # Inside an epoch what is known stands still, so the rule can change only on the days it compares.
        start, end = state.day[epoch], _ends(state.day, _changes(state.record))[epoch]
        breaches = Breaches.of(coded, rules.kinds, state, (epoch, subject), end)
        case = coded.records["case"][state.record]
        list_end = rules.list_end(state, coded)
        use_end = rules.use_end(state, list_end)
        valid_to = state.attributes["valid_to"]
        compared = np.stack([state.decided_on, valid_to, state.final_from, list_end, use_end])[:, epoch]
        which, row = np.nonzero((start < compared) & (compared < end))
        row, start = unpack(
            distinct(
                [
                    pack(np.arange(len(epoch)), start),
                    pack(row, compared[which, row]),
                    capacity.changes(subject, start, end),
                    breaches.changes((state.kind[epoch], subject, case[epoch]), start, end),
                ]
            )
        )
        epoch, subject = epoch[row], subject[row]
        act = Act(state.occurred_on[epoch], state.act_is_dated[epoch])
        by_day = (
            capacity.is_minor(subject, act, start),
            capacity.is_incapable(subject, act, start),
            breaches.corrects((state.kind[epoch], subject, case[epoch]), start),
            state.holder[epoch] != subject,
        )
        sealed = coded.sealed_by(rules.day_of_use)[state.record]
        grounds = rules.grounds(state, (list_end, use_end), sealed, epoch, start, by_day)
        return cls(subject, epoch, start, state, grounds, rules.role(state, list_end, epoch, start), list_end)


def _files(coded: CodedTables, state: State) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return on whose file each epoch of a record stands: its own subject's, and after a move the new holder's too."""
    own = coded.records["subject"][state.record]
    away = np.flatnonzero(state.holder != own)
    _, first = np.unique(state.record[away] * len(coded.subject_ids) + state.holder[away], return_index=True)
    arrival = away[first]
    count = np.searchsorted(state.record, state.record[arrival], side="right") - arrival
    epoch = np.concatenate([np.arange(len(own)), spans(arrival, count)])
    subject = np.concatenate([own, np.repeat(state.holder[arrival], count)])
    order = np.lexsort((epoch, subject))
    return epoch[order], subject[order].astype(np.int32)


def _changes(*columns: Column) -> NDArray[np.bool_]:
    """Return the rows in which some column differs from the row before; the first row does."""
    begins = np.ones(len(columns[0]), np.bool_)
    begins[1:] = False
    for column in columns:
        if not is_constant(column):
            begins[1:] |= column[1:] != column[:-1]
    return begins


def _ends(start: Days, begins: NDArray[np.bool_]) -> Days:
    """Return the start of the next row of the same file; ``FOREVER`` for its last."""
    return np.where(np.roll(begins, -1), FOREVER, np.roll(start, -1)).astype(np.int32)  # the first row begins
