"""Read what a caller of an estimator gives: columns by name, an outcome of two labels, weights.

Labels are sorted, as everywhere in scikit-learn, and their order does not say which is bad: "bad" comes before "good".

In: a pandas or polars frame or an array; an outcome, and the label that means bad; weights.
Out: columns, and which rows are bad; or one line that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from credit_model.foundation.errors import UserError
from credit_model.scorecard.columns import Column, Frame

# The bad word of each pair that has one meaning only, by its good word.
_WORDS: Final = {
    "good": "bad",
    "paid": "default",
    "performing": "default",
    "non-default": "default",
    "好": "坏",
    "正常": "违约",
}


def bad_place(classes: npt.NDArray[np.generic], bad: object = None) -> int:
    """Return the place of the label that means bad.

    Parameters
    ----------
    classes : ndarray, shape (2,)
        The labels, sorted.
    bad : label, optional
        The one that means bad. Without it, 1 of 0 and 1, True of False and True, and the bad word of a known pair
        (good and bad, paid, performing or non-default and default, 好 and 坏, 正常 and 违约, in any case).

    Returns
    -------
    int
        0 or 1.

    Raises
    ------
    UserError
        If ``bad`` is no label, or if it is not given and the labels do not say which is bad.

    Examples
    --------
    >>> import numpy as np
    >>> bad_place(np.array(["bad", "good"])), bad_place(np.array([1, 2]), bad=2)
    (0, 1)
    """
    labels = classes.tolist()
    pair = f"{labels[0]!r} and {labels[1]!r}"
    if bad is not None:
        for place, label in enumerate(labels):
            if label == bad:
                return place
        raise UserError(f"fit: bad={bad!r} is no label of y, which has {pair}. Give the one of them that means bad.")
    if not any(isinstance(label, str) for label in labels):
        if labels == [0, 1]:  # False and True as well
            return 1
    elif all(isinstance(label, str) for label in labels):
        words = [label.strip().casefold().replace("_", "-").replace(" ", "-") for label in labels]
        for place in (0, 1):
            if _WORDS.get(words[1 - place]) == words[place]:
                return place
    raise UserError(f"fit: the labels {pair} do not say which means bad. Give bad={labels[0]!r} or bad={labels[1]!r}.")


Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Table = Frame | npt.ArrayLike
"""Rows of a caller: a pandas or polars frame, or an array of two dimensions."""


@dataclass(frozen=True, eq=False)
class TargetColumn:
    """The two classes, and of the rows that count (``has_weight``) which are bad, with their weights."""

    classes: npt.NDArray[np.generic]
    bad_place: int
    bad: Flags
    weight: Real
    has_weight: Flags

    def of(self, column: Column) -> Column:
        """Return the rows of a column that count."""
        if self.has_weight.all():
            return column
        positions: Any = getattr(column, "iloc", column)
        return cast(Column, positions[np.flatnonzero(self.has_weight)])


def is_frame(X: object) -> TypeGuard[Frame]:
    """Return whether rows have named columns."""
    return hasattr(X, "columns")


def read_columns(estimator: BaseEstimator, X: Table, reset: bool) -> dict[str, Column]:
    """Return the columns by name; the columns of an array are called x0, x1, …"""
    if is_frame(X):
        names = list(X.columns)
        if len(set(names)) != len(names):
            raise UserError("the frame has columns of the same name; every column needs a name of its own")
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not names or not len(X):
            raise UserError(f"a frame of {len(X)} rows and {len(names)} columns holds nothing to learn from or score")
        return {str(name): X[name] for name in names}
    rows = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
    return {f"x{j}": rows[:, j] for j in range(rows.shape[1])}


def read_outcome(
    rows: int, y: npt.ArrayLike | None, sample_weight: npt.ArrayLike | None, bad: object = None
) -> TargetColumn:
    """Return which rows are bad, their weights, and which rows count.

    Raises
    ------
    UserError
        Where outcome and weights are not of two classes, of one length, finite, or it is in doubt which class is bad.
    """
    if y is None:
        raise UserError("fit: requires y to be passed, but the target y is None")
    labels: npt.NDArray[np.generic] = column_or_1d(y, warn=True)
    weight = np.ones(rows) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if len(labels) != rows or weight.shape != (rows,):
        raise UserError(
            f"fit: X has {rows} rows, y {len(labels)} and sample_weight {weight.shape}; they must be of one length"
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise UserError("fit: sample_weight must hold finite numbers, none below 0")
    blank = _blanks(labels)
    if blank:
        raise UserError(f"fit: y contains NaN or infinity in {blank} of {rows} rows; leave out rows without an outcome")
    check_classification_targets(labels)
    has_weight = weight > 0
    classes = np.unique(labels[has_weight])
    if len(classes) > 2:
        kind = type_of_target(labels)
        raise UserError(
            f"fit: Only binary classification is supported. The type of the target is {kind}: y has "
            f"{len(classes)} classes, good and bad are needed"
        )
    if len(classes) < 2:
        raise UserError("fit: y has only one class among rows of weight above zero; goods and bads are needed")
    place = bad_place(classes, bad)
    return TargetColumn(classes, place, (labels == classes[place])[has_weight], weight[has_weight], has_weight)


def read_groups(groups: npt.ArrayLike, rows: Flags, what: str) -> npt.NDArray[np.intp]:
    """Return the number of the group of each row that counts."""
    labels: npt.NDArray[np.generic] = column_or_1d(groups)
    if len(labels) != len(rows):
        raise UserError(f"fit: X has {len(rows)} rows and {what} {len(labels)}; they must be of one length")
    return np.asarray(np.unique(labels[rows], return_inverse=True)[1])


def rows_of(columns: Mapping[str, Sized]) -> int:
    """Return the number of rows of columns."""
    return len(next(iter(columns.values())))


def _blanks(y: npt.NDArray[np.generic]) -> int:
    """Count the outcomes that are missing or no finite number."""
    if y.dtype.kind == "f":
        return int((~np.isfinite(y)).sum())
    return sum(1 for value in y if value is None or value != value) if y.dtype.kind == "O" else 0
