"""A ledger as arrays: ``Tables`` as it was recorded, ``Segments`` as it was compiled.

``Tables`` holds the three append-only tables column by column. ``Segments`` says for every record on a subject's
file, from the day after it became known to the end of time, whether it was in force, the first ground if it was not,
and the facts as known then; its rows partition that time. Neither decides anything: ``visibility`` does.

In: columns of records, amendments and subject versions. Out: the same as numpy arrays, dates as days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.calendar import NO_DAY, NO_VALUE, Days, is_null, parse_each, to_days
from credit_model.foundation.errors import UserError
from credit_model.visibility.text_columns import encode, objects

if TYPE_CHECKING:
    import pyarrow as pa

Column = NDArray[Any]

TIERS: Final = ("", "minor", "general", "serious")
ROLES: Final = ("", "listed", "was_listed", "unperformed")
STATUSES: Final = (
    "in_force",
    # the grounds, in the order in which the first one is named
    "kind_not_lawful", "sealed", "act_of_minor", "act_of_incapable", "corrected", "revoked", "moved", "disputed",
    "expired", "not_yet_decided",
    "opted_out",
    "summary_procedure", "not_final", "repaired", "past_use_window",
)  # fmt: skip

RECORD_TYPES: Final = {
    "record_id": "text", "subject_id": "text", "kind": "text", "case_id": "text", "occurred_on": "date",
    "decided_on": "date", "served_on": "date", "final_on": "date", "known_on": "date", "tier": "tier",
    "amount": "int", "hours": "int", "seq": "int", "source": "text",
}  # fmt: skip
AMENDMENT_TYPES: Final = {
    "record_id": "text", "action": "text", "effective_on": "date", "known_on": "date", "seq": "int", "value": "text",
    "dispute_id": "text",
}  # fmt: skip
SUBJECT_TYPES: Final = {
    "subject_id": "text", "born_on": "date", "resident_from": "date", "resident_to": "date", "occupations": "text",
    "district": "text", "standing": "text", "valid_from": "date", "known_on": "date", "seq": "int",
}  # fmt: skip


def typed_column(values: ArrayLike | Sequence[object], type: str) -> Column:
    """Return a column in its type: ``date`` -> int32 days, ``int`` -> int64, ``tier`` -> int8, ``text`` -> object.

    Examples
    --------
    >>> typed_column(["minor", None], "tier").tolist(), typed_column([5, None], "int").tolist()
    ([1, 0], [5, -9223372036854775808])
    """
    if type == "date":
        return to_days(values)
    array = np.asarray(values)
    if type == "text":
        return objects(None if is_null(value) else str(value) for value in array.tolist())
    parse, dtype, expected = _PARSED[type]
    return array.astype(dtype) if array.dtype.kind in "iu" else parse_each(array, parse, dtype, expected)


def pick(column: Column, index: Column, null: object) -> Column:
    """Return ``column[index]``, and ``null`` where the index is -1."""
    picked: Column = np.concatenate([column, np.array([null], column.dtype)])[index]
    return picked


def spans(first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of spans of rows, one span after the other.

    Examples
    --------
    >>> spans(np.array([7, 2]), np.array([2, 3])).tolist()
    [7, 8, 2, 3, 4]
    """
    rows: NDArray[np.int64] = np.arange(count.sum()) + np.repeat(first - (np.cumsum(count) - count), count)
    return rows


def matches(column: Column, values: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each pair (index of a value, row of a sorted column) that agrees, value by value.

    Examples
    --------
    >>> [pair.tolist() for pair in matches(np.array([1, 3, 3]), np.array([3, 2, 1]))]
    [[0, 0, 2], [1, 2, 0]]
    """
    first, past = (np.searchsorted(column, values, side=side) for side in ("left", "right"))
    return np.repeat(np.arange(len(values)), past - first), spans(first, past - first)


def _whole(value: Any) -> int:
    if is_null(value):
        return NO_VALUE
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError
    return int(value)


def _tier(value: Any) -> int:
    return TIERS.index("" if is_null(value) else value)


_PARSED: Final[dict[str, tuple[Callable[[Any], int], Any, str]]] = {
    "int": (_whole, np.int64, "whole numbers"),
    "tier": (_tier, np.int8, "minor, general or serious"),
}


@dataclass(frozen=True)
class Tables:
    """The rows of a ledger, accepted and typed, column by column.

    Parameters
    ----------
    records, amendments, subjects : dict of str to ndarray
        Columns ``RECORD_TYPES`` (and every attribute of the catalogue), ``AMENDMENT_TYPES``, ``SUBJECT_TYPES``.
        Dates int32 days (``NO_DAY`` null), int int64 (``NO_VALUE`` null), tier int8, text object (None null); to be
        compiled, text may be ``Text``.
    """

    records: dict[str, Column]
    amendments: dict[str, Column]
    subjects: dict[str, Column]

    @classmethod
    def of(
        cls,
        records: Mapping[str, ArrayLike | Sequence[object]],
        amendments: Mapping[str, ArrayLike | Sequence[object]] | None = None,
        subjects: Mapping[str, ArrayLike | Sequence[object]] | None = None,
        attribute_types: Mapping[str, str] | None = None,
    ) -> Tables:
        """Take columns as given (frames, dicts of lists, arrays), type them and fill what is absent with nulls.

        Nothing is validated or defaulted but ``case_id = record_id``, ``valid_from = known_on`` and ``seq`` = order
        of the rows, of records apart; that is the ledger's task.

        Parameters
        ----------
        records, amendments, subjects : mapping of str to array-like
        attribute_types : mapping of str to str, optional
            ``catalogue.attribute_types``.
        """
        record = _typed(records, {**RECORD_TYPES, **(attribute_types or {})})
        amendment = _typed({} if amendments is None else amendments, AMENDMENT_TYPES)
        subject = _typed({} if subjects is None else subjects, SUBJECT_TYPES)
        _default(record, "case_id", record["record_id"], None)
        _default(subject, "valid_from", subject["known_on"], NO_DAY)
        for table in (amendment, subject):
            _default(table, "seq", np.arange(len(table["seq"])), NO_VALUE)
        return cls(record, amendment, subject)

    def known_before(self, day: int) -> Tables:
        """Return the rows on file at the start of the day: ``known_on < day``."""
        return Tables(*(_rows(t, t["known_on"] < day) for t in (self.records, self.amendments, self.subjects)))

    def for_subjects(self, subject_ids: Iterable[str]) -> Tables:
        """Return the rows that can touch the files of these subjects, records moved to them included."""
        ids = set(subject_ids)
        is_move = self.amendments["action"] == "moved_to_subject"
        is_move[is_move] = _among(self.amendments["value"][is_move], ids)
        arrived = set(self.amendments["record_id"][is_move].tolist())
        own = _among(self.records["subject_id"], ids) | _among(self.records["record_id"], arrived)
        records = set(self.records["record_id"][own].tolist())
        return Tables(
            _rows(self.records, own),
            _rows(self.amendments, _among(self.amendments["record_id"], records)),
            _rows(self.subjects, _among(self.subjects["subject_id"], ids)),
        )


def _typed(columns: Mapping[str, ArrayLike | Sequence[object]], types: Mapping[str, str]) -> dict[str, Column]:
    typed = {name: typed_column(columns[name], type) for name, type in types.items() if name in columns}
    lengths = {len(column) for column in typed.values()} or {0}
    if len(lengths) > 1:
        raise UserError(f"Columns of one table were given with different lengths: {sorted(lengths)}.")
    absent = [None] * lengths.pop()
    return {name: typed[name] if name in typed else typed_column(absent, type) for name, type in types.items()}


def _default(table: dict[str, Column], name: str, value: Column, null: object) -> None:
    table[name] = np.where(table[name] == null, value, table[name])


def _rows(table: dict[str, Column], rows: Column) -> dict[str, Column]:
    return {name: column[rows] for name, column in table.items()}


def _among(values: Column, words: set[str]) -> NDArray[np.bool_]:
    return np.fromiter((value in words for value in values.tolist()), np.bool_, len(values))


@dataclass(frozen=True)
class Segments:
    """Who may be judged by which record, when: rows sorted by (subject, record, start) that partition time.

    For every record on a subject's file the rows run from the day after it became known (on a file it was moved to:
    from the day the move counts) to ``FOREVER`` without gap or overlap. A record may be used as of day d iff the row
    with ``start <= d < end`` has status 0. ``end`` and later rows are later knowledge: to use them as of d is a leak.

    Parameters
    ----------
    subject_ids, record_ids, case_ids : ndarray of object
        Sorted, distinct; what ``subject``, ``record`` and ``case`` are indices of.
    kind_codes : tuple of str
        The catalogue's kinds; what ``kind`` is an index of.
    vocabularies : dict of str to tuple of str
        For each text attribute, what its codes are indices of.
    subject, record, start, end, status, role, kind, tier, decided_on, occurred_on, visible_from, known_on, amount,
    hours, outstanding, performed, seq, case : ndarray, shape (n,)
        ``status`` indexes ``STATUSES``, ``role`` ``ROLES`` (0 unless in force), ``tier`` ``TIERS`` (the kind's where
        the record has none). ``visible_from`` is the first day of the uninterrupted run in force, ``NO_DAY`` if not in
        force. ``outstanding`` is the amount not yet performed. ``performed``: 0 no, 1 partly, 2 wholly.
        ``seq`` orders records of one day, ``NO_VALUE`` where the source gave no order.
    attributes : dict of str to ndarray
        int64, int32 days, or int32 codes (-1 null).
    """

    subject_ids: Column
    record_ids: Column
    case_ids: Column
    kind_codes: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]]
    subject: NDArray[np.int32]
    record: NDArray[np.int32]
    start: Days
    end: Days
    status: NDArray[np.int8]
    role: NDArray[np.int8]
    kind: NDArray[np.int16]
    tier: NDArray[np.int8]
    decided_on: Days
    occurred_on: Days
    visible_from: Days
    known_on: Days
    amount: NDArray[np.int64]
    hours: NDArray[np.int64]
    outstanding: NDArray[np.int64]
    performed: NDArray[np.int8]
    seq: NDArray[np.int64]
    case: NDArray[np.int32]
    attributes: dict[str, Column]

    row_columns: ClassVar[tuple[str, ...]]  # of one value a row, attributes apart

    def __len__(self) -> int:
        return len(self.subject)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Return the offsets of files: rows of subject i are ``offsets[i]:offsets[i + 1]``."""
        return np.searchsorted(self.subject, np.arange(len(self.subject_ids) + 1, dtype=self.subject.dtype))

    def take(self, rows: Column | slice) -> Segments:
        """Return these rows (indices or mask), with every vocabulary as it is."""
        columns = {name: getattr(self, name)[rows] for name in self.row_columns}
        return replace(self, **columns, attributes={name: column[rows] for name, column in self.attributes.items()})

    def select(self, subject_ids: Iterable[str]) -> Segments:
        """Return the files of these subjects; ids without a file are left out."""
        index = self.subject_index(subject_ids)
        subjects = np.unique(index[index >= 0])
        first, count = self.offsets[subjects], np.diff(self.offsets)[subjects]
        renumbered = np.repeat(np.arange(len(subjects), dtype=np.int32), count)
        return replace(self.take(spans(first, count)), subject_ids=self.subject_ids[subjects], subject=renumbered)

    def range(self, low: int, high: int) -> Segments:
        """Return the files of the subjects of these indices, from ``low`` and before ``high``."""
        rows = slice(*self.offsets[[low, high]])
        return replace(
            self.take(rows), subject_ids=self.subject_ids[low:high], subject=self.subject[rows] - np.int32(low)
        )

    def at(self, day: int) -> Segments:
        """Return one row for each record on file at the start of the day, in force or not."""
        return self.take((self.start <= day) & (day < self.end))

    def subject_index(self, subject_ids: Iterable[str]) -> NDArray[np.int32]:
        """Return the index of each id in ``subject_ids``; -1 for a subject without a file."""
        return np.array([self._index.get(subject_id, -1) for subject_id in subject_ids], np.int32)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {subject_id: i for i, subject_id in enumerate(self.subject_ids.tolist())}

    def to_arrow(self) -> pa.Table:
        """Return one Arrow table; ids, cases and text attributes are dictionary columns."""
        import pyarrow as pa

        vocabularies: dict[str, Any] = {name: getattr(self, ids) for name, ids in _ID_COLUMNS.items()}
        vocabularies |= {f"attribute:{name}": objects(words) for name, words in self.vocabularies.items()}
        columns = {name: getattr(self, name) for name in self.row_columns}
        columns |= {f"attribute:{name}": column for name, column in self.attributes.items()}
        arrays = {}
        for name, column in columns.items():
            if name in vocabularies:
                codes = pa.array(column, mask=column < 0)
                words = vocabularies[name]
                words = pa.array(words, pa.string()) if isinstance(words, np.ndarray) else words
                arrays[name] = pa.DictionaryArray.from_arrays(codes, words)
            else:
                arrays[name] = pa.array(column)
        return pa.table(arrays, metadata={"kind_codes": json.dumps(self.kind_codes)})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Segments:
        """Invert ``to_arrow``; after a stay in Parquet too."""
        columns: dict[str, Column] = {}
        vocabularies: dict[str, Column] = {}
        for name in table.column_names:
            column = table.column(name).combine_chunks()
            if hasattr(column, "dictionary"):
                used, vocabulary = encode(column.dictionary.to_numpy(zero_copy_only=False))
                codes = column.indices.fill_null(-1).to_numpy()
                columns[name] = pick(used, codes, -1)
                vocabularies[name] = vocabulary
            else:
                columns[name] = column.to_numpy()
        text = {name: words for name, words in vocabularies.items() if name not in _ID_COLUMNS}
        return cls(
            **{ids: vocabularies[name] for name, ids in _ID_COLUMNS.items()},
            **{name: columns[name] for name in cls.row_columns},
            kind_codes=tuple(json.loads(table.schema.metadata[b"kind_codes"])),
            vocabularies={name.removeprefix("attribute:"): tuple(words) for name, words in text.items()},
            attributes={
                name.removeprefix("attribute:"): column
                for name, column in columns.items()
                if name.startswith("attribute:")
            },
        )


_ID_COLUMNS = {"subject": "subject_ids", "record": "record_ids", "case": "case_ids"}
Segments.row_columns = tuple(
    f.name
    for f in fields(Segments)
    if f.name not in (*_ID_COLUMNS.values(), "kind_codes", "vocabularies", "attributes")
)
