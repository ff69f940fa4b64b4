"""Recognise rows that the ledger has already, by digests, whatever the order of their arrival.

Every row has two keys of 64 bits: who it is and what it says. A record is known by its ``record_id``; one without an id
gets it from what it says and from its number among equal rows of the same delivery, so that the same file delivered
again gives the same ids. Amendments, subject versions and audit rows are known by what they say, in the same manner.

In: typed rows. Out: which are new, which were there, which contradict one that is there; the new ones with their keys.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.ledger.manifest import Manifest, Part
from credit_model.ledger.parts import KEYS, PartStore, id_keys, text_digests

Keys = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_FEW = 1_000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # sends occurrence numbers far apart


class KeyIndex:
    """A set of keys with a number for each: sorted arrays that are merged as they grow, 16 bytes a key.

    The first keys stay unsorted until more than a few are looked up: to sort the keys of a large ledger takes longer
    than to pass over them for one.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[Keys, Keys]] = []
        self._unsorted: list[tuple[Keys, Keys]] = []

    def add_unsorted(self, keys: Keys, values: Keys) -> None:
        """Add keys as ``add`` does, to be sorted later or never."""
        self._unsorted.append((keys, values))

    def sort(self) -> None:
        """Sort all keys: from now on every look-up is quick."""
        while self._unsorted:
            self.add(*self._unsorted.pop())

    def add(self, keys: Keys, values: Keys) -> None:
        """Add keys that are new among themselves; a key that is there already has its values summed on look-up."""
        while self._levels and len(self._levels[-1][0]) <= 2 * len(keys):
            older = self._levels.pop()
            keys, values = np.concatenate([older[0], keys]), np.concatenate([older[1], values])
        order = np.argsort(keys, kind="stable")
        if len(keys):
            self._levels.append((keys[order], values[order]))

    def find(self, keys: Keys) -> tuple[Mask, Keys]:
        """Return whether each key is in the set, and its value (0 if not)."""
        if len(keys) > _FEW:
            self.sort()
        is_known, value = np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.uint64)
        for level, values in [*self._levels, *(_matching_keys(keys, *unsorted) for unsorted in self._unsorted)]:
            first, last = np.searchsorted(level, keys), np.searchsorted(level, keys, side="right")
            is_known |= last > first
            total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values)])
            value += total[last] - total[first]
        return is_known, value


def _matching_keys(sought: Keys, keys: Keys, values: Keys) -> tuple[Keys, Keys]:
    """Return the entries of a few keys, sorted."""
    if not len(sought):
        return keys[:0], values[:0]
    few = np.unique(sought)
    rows = np.flatnonzero(few[np.searchsorted(few, keys) % len(few)] == keys)
    rows = rows[np.argsort(keys[rows], kind="stable")]
    return keys[rows], values[rows]


class Deduplicator:
    """The rows of one table by their keys; grows with every batch admitted."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._start()

    def _start(self) -> None:
        self.index = KeyIndex()
        self._parts: frozenset[Part] = frozenset()  # whose keys are in the index
        self._occurrences = KeyIndex()  # of equal rows without an id, in this delivery

    def begin(self, store: PartStore, manifest: Manifest) -> None:
        """Get ready for a delivery: read the keys of the parts that are not known yet."""
        listed = frozenset(manifest.parts_of(self.table))
        if not self._parts <= listed:  # merged, or forgotten: what is known is not what is there
            self._start()
        if self._parts:  # not the first delivery here, and not the last
            self.index.sort()
        for part in listed - self._parts:
            rows = store.open(part).read(KEYS)
            self.index.add_unsorted(*(rows.column(key).to_numpy() for key in KEYS))
        self._occurrences = KeyIndex()
        self._parts = listed

    def end(self, manifest: Manifest) -> None:
        """Note that everything admitted is in the parts of this manifest now."""
        self._parts = frozenset(manifest.parts_of(self.table))

    def admit(self, rows: pa.Table) -> tuple[pa.Table, Mask, Mask]:
        """Tell new rows from known ones.

        Parameters
        ----------
        rows : pyarrow.Table
            Accepted by validation.

        Returns
        -------
        new : pyarrow.Table
            The new rows, with record id, case id and ``KEYS``.
        is_new, conflict : ndarray of bool, shape (n,)
            The new rows among those given, and rows with the id of another row that says something else; what is
            neither is a duplicate.
        """
        digests = text_digests(_row_texts(rows))
        if self.table == "records":
            rows = self._with_ids(rows, digests)  # those that were named before keep their ids
            who, content = id_keys(rows.column("record_id")), digests[:, 0]
        else:
            who, content = digests[:, 0] + self._occurrence(digests[:, 0]) * _SPREAD, digests[:, 1]
        is_known, stored_content = self.index.find(who)
        _, first, place = np.unique(who, return_index=True, return_inverse=True)
        is_new = ~is_known & (first[place] == np.arange(len(who)))
        conflict = ~is_new & (np.where(is_known, stored_content, content[first[place]]) != content)
        self.index.add(who[is_new], content[is_new])
        new = rows.filter(pa.array(is_new))
        for name, key in zip(KEYS, (who, content), strict=True):
            new = new.append_column(name, pa.array(key[is_new]))
        return new, is_new, conflict

    def with_ids(self, rows: pa.Table) -> pa.Table:
        """Return accepted records, each with the id under which it will be admitted."""
        return self._with_ids(rows, text_digests(_row_texts(rows)))

    def _with_ids(self, rows: pa.Table, digests: Keys) -> pa.Table:
        """Give records without an id the digest of what they say, and those without a case their own id."""
        ids = rows.column("record_id").combine_chunks()
        nameless = np.flatnonzero(ids.is_null().to_numpy(zero_copy_only=False))
        if len(nameless):
            number = self._occurrence(digests[nameless, 0])
            texts = [row.tobytes().hex() for row in digests[nameless]]
            new_ids = np.full(len(ids), None, object)
            pairs = zip(texts, number.tolist(), strict=True)
            new_ids[nameless] = [f"r{text}-{n + 1}" if n else f"r{text}" for text, n in pairs]
            ids = pc.coalesce(ids, pa.array(new_ids, pa.string()))
            rows = rows.set_column(rows.schema.get_field_index("record_id"), "record_id", ids)
        case = rows.schema.get_field_index("case_id")
        return rows.set_column(case, "case_id", pc.coalesce(rows.column("case_id"), ids))

    def _occurrence(self, keys: Keys) -> Keys:
        """Count the equal rows before each in this delivery."""
        _, before = self._occurrences.find(keys)
        distinct, place, count = np.unique(keys, return_inverse=True, return_counts=True)
        order = np.argsort(place, kind="stable")
        first = np.cumsum(count) - count
        within = np.empty(len(keys), np.uint64)
        within[order] = np.arange(len(keys)) - np.repeat(first, count)
        self._occurrences.add(distinct, count.astype(np.uint64))
        return before + within


def _row_texts(rows: pa.Table) -> pa.Array:
    """Return the content of each row as one text: its columns by name.

    Empty columns are left out, so that a new column changes nothing; so are the id and a case of the record's own.
    """
    parts = []
    own_id = () if "action" in rows.column_names else ("record_id",)  # an amendment names another's
    for name in sorted(set(rows.column_names).difference(own_id)):
        column = rows.column(name).combine_chunks()
        if name == "case_id":
            own = pc.fill_null(pc.equal(column, rows.column("record_id").combine_chunks()), False)
            column = pc.if_else(own, None, column)
        if name == "occurred_on":  # said or not, an act on the day of its decision is the same
            column = pc.coalesce(column, rows.column("decided_on").combine_chunks())
        if column.null_count < len(column):
            parts.append(pc.binary_join_element_wise(f"{name}=", column.cast(pa.string()), ""))
    if not parts:
        return pa.array([""] * rows.num_rows)
    return pc.binary_join_element_wise(*parts, "\x1f", null_handling="skip")
