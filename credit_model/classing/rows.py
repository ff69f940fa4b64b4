"""A sample in fine classes, identical rows once: what a fit reads, and what makes it quick where people share rows.

In: columns in fine classes, outcomes, weights, subjects.
Out: distinct rows with their counts, dealt into folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from credit_model.classing.fine import Codes, FineColumn, Real


@dataclass(frozen=True)
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
        words = _packed(columns)
        order = np.lexsort((weight, *words, bad))
        fold = np.empty(len(bad), dtype=np.intp)
        if groups is None:
            fold[order] = np.arange(len(bad)) % folds
        else:
            has_bad = np.zeros(groups.max() + 1, dtype=bool)
            has_bad[groups[bad]] = True
            dealt = np.empty(len(has_bad), dtype=np.intp)
            dealt[np.argsort(~has_bad, kind="stable")] = np.arange(len(has_bad)) % folds
            fold = dealt[groups]
        new = np.zeros(len(bad), dtype=bool)
        new[0] = True
        for key in (*words, bad):
            new[1:] |= np.diff(key[order].astype(np.int64)) != 0
        place = (np.cumsum(new) - 1) * folds + fold[order]
        used, row_of = np.unique(place, return_inverse=True)
        sample = np.empty(len(used), dtype=np.intp)
        sample[row_of] = order
        w, is_bad = weight[order], bad[order]
        parts = (np.where(is_bad, 0.0, w), np.where(is_bad, w, 0.0), ~is_bad, is_bad)
        counts = np.stack([np.bincount(row_of, part, minlength=len(used)) for part in parts])
        codes = np.asfortranarray(np.stack([column.codes[sample] for column in columns], axis=1))
        return cls(codes, fold[sample], counts)

    def by_class(self, column: int, classes: int, folds: int) -> Real:
        """Counts by fold and fine class of a column, shape (folds, 4, classes + 1)."""
        cell = self.fold * (classes + 1) + self.codes[:, column]
        found = [np.bincount(cell, row, minlength=folds * (classes + 1)).reshape(folds, -1) for row in self.counts]
        return np.stack(found, axis=1)


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
