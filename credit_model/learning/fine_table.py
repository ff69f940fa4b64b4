"""A sample in fine classes, identical rows once: what a fit reads, and what makes it quick where people share rows.

In: columns in fine classes, outcomes, weights, subjects.
Out: distinct rows with their counts, dealt into folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from credit_model.learning.fine_classes import BAD_ROWS, BADS, GOOD_ROWS, GOODS, Codes, FineColumn, Real


@dataclass(frozen=True, eq=False)
class FineTable:
    """A sample in fine classes, identical rows given once.

    Attributes
    ----------
    codes : array of uint8, shape (rows, columns)
    fold : array of int, shape (rows,)
    counts : array, shape (4, rows)
        Weighted goods, weighted bads, rows of goods, rows of bads.
    """

    codes: Codes
    fold: npt.NDArray[np.intp]
    counts: npt.NDArray[Any]

    @classmethod
    def build(
        cls,
        columns: list[FineColumn],
        bad: npt.NDArray[np.bool_],
        weight: Real,
        groups: npt.NDArray[np.intp] | None,
        folds: int,
    ) -> FineTable:
        """Join identical rows, and deal folds.

        Folds are dealt by subject where ``groups`` are given, else along rows sorted by outcome and content. Either
        way the order of the rows changes nothing, and each fold gets its part of the bads.
        """
        order, new = _in_order(_packed(columns), bad, weight)
        fold = np.empty(len(bad), dtype=np.intp)
        if groups is None:
            fold[order] = np.arange(len(bad)) % folds
        else:
            has_bad = np.zeros(groups.max() + 1, dtype=bool)
            has_bad[groups[bad]] = True
            dealt = np.empty(len(has_bad), dtype=np.intp)
            dealt[np.argsort(~has_bad, kind="stable")] = np.arange(len(has_bad)) % folds
            fold = dealt[groups]
        row_of = np.arange(len(bad))
        if not new.all():
            _, row_of = np.unique((np.cumsum(new) - 1) * folds + fold[order], return_inverse=True)
        sample = np.empty(int(row_of.max()) + 1, dtype=np.intp)
        sample[row_of] = order
        w, is_bad = weight[order], bad[order]
        parts = (np.where(is_bad, 0.0, w), np.where(is_bad, w, 0.0), ~is_bad, is_bad)
        counts = np.stack([np.bincount(row_of, part, minlength=len(sample)) for part in parts])
        codes = np.empty((len(sample), len(columns)), dtype=np.uint8, order="F")
        for place, column in enumerate(columns):
            np.take(column.codes, sample, out=codes[:, place], mode="clip")
        return cls(codes, fold[sample], counts)

    def by_class(self, column: int, classes: int, folds: int) -> Real:
        """Return counts by fold and fine class of a column, shape (folds, 4, classes + 1)."""
        cell = self._outcome_of_fold * np.uint32(classes + 1) + self.codes[:, column]
        counts = [
            np.bincount(cell, rows, minlength=folds * 2 * (classes + 1)).reshape(folds, 2, -1) for rows in self._rows
        ]
        return np.concatenate(counts if len(counts) == 2 else counts * 2, axis=1).astype(np.float64)

    @cached_property
    def _outcome_of_fold(self) -> npt.NDArray[np.uint32]:
        """Fold and outcome of each row: every row is of goods or of bads."""
        return np.asarray(2 * self.fold + (self.counts[BAD_ROWS] > 0), dtype=np.uint32)

    @cached_property
    def _rows(self) -> tuple[Real | None, ...]:
        """Weight and number of rows in each row; once where they are the same, None where they are 1."""
        weight, rows = self.counts[GOODS] + self.counts[BADS], self.counts[GOOD_ROWS] + self.counts[BAD_ROWS]
        number = None if (rows == 1).all() else rows
        return (number,) if (weight == rows).all() else (weight, number)


def _in_order(
    words: list[npt.NDArray[np.uint64]], bad: npt.NDArray[np.bool_], weight: Real
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Rows by outcome, content and weight; and which of them differ from the one before in outcome or content.

    Where there are many columns, the outcome and the last word tell nearly all rows apart; the rest is asked only of
    those they do not.
    """
    key = words[-1] | (bad.astype(np.uint64) << np.uint64(63))
    order = np.argsort(key)
    new = np.ones(len(key), dtype=bool)
    new[1:] = np.diff(key[order]) != 0
    tied = ~new
    tied[:-1] |= ~new[1:]
    rows = order[tied]
    rest = [word[rows] for word in words[:-1]]
    again = np.lexsort((weight[rows], *rest, key[rows]))
    order[tied] = rows[again]
    apart = np.zeros(len(rows), dtype=bool)
    for word in rest:
        apart[1:] |= np.diff(word[again]) != 0
    new[tied] |= apart
    return order, new


def _packed(columns: list[FineColumn]) -> list[npt.NDArray[np.uint64]]:
    """Each row's codes in as few 63-bit words as hold them."""
    words: list[npt.NDArray[np.uint64]] = []
    free = 0
    for column in columns:
        bits = column.classes.bit_length()
        if free < bits:
            words.append(np.zeros(len(column.codes), dtype=np.uint64))
            free = 63
        words[-1] = (words[-1] << np.uint64(bits)) | column.codes
        free -= bits
    return words
