"""What a caller of a learner gives, read once for all learners: columns by name, an outcome, weights.

In: a pandas or polars frame or an array; an outcome; weights.
Out: columns, and which rows are bad; or one line that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from credit_model import UserError

Real = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """The two classes, and of the rows that count (``kept``: weight above 0) which are bad, with their weights."""

    classes: npt.NDArray[Any]
    bad: Flags
    weight: Real
    kept: Flags

    def of(self, column: Any) -> Any:
        """The rows of a column that count."""
        return column if self.kept.all() else getattr(column, "iloc", column)[np.flatnonzero(self.kept)]


def read_columns(estimator: Any, X: Any, reset: bool) -> dict[str, Any]:
    """Columns by name; the columns of an array are called x0, x1, …"""
    if hasattr(X, "columns"):
        if len(set(X.columns)) != len(X.columns):
            raise UserError("the frame has columns of the same name; every column needs a name of its own")
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not len(X.columns) or not len(X):
            raise UserError(
                f"a frame of {len(X)} rows and {len(X.columns)} columns holds nothing to learn from or score"
            )
        return {str(name): X[name] for name in X.columns}
    X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
    return {f"x{j}": X[:, j] for j in range(X.shape[1])}


def read_outcome(rows: int, y: Any, sample_weight: Any) -> Outcome:
    """Which rows are bad, their weights, and which rows count.

    Raises
    ------
    UserError
        Where outcome and weights are not of two classes, of one length, finite.
    """
    if y is None:
        raise UserError("fit: requires y to be passed, but the target y is None")
    y = column_or_1d(y, warn=True)
    weight = np.ones(rows) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if len(y) != rows or weight.shape != (rows,):
        raise UserError(
            f"fit: X has {rows} rows, y {len(y)} and sample_weight {weight.shape}; they must be of one length"
        )
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise UserError("fit: sample_weight must hold finite numbers, none below 0")
    blank = _blanks(y)
    if blank:
        raise UserError(f"fit: y contains NaN or infinity in {blank} of {rows} rows; leave out rows without an outcome")
    check_classification_targets(y)
    kept = weight > 0
    classes = np.unique(y[kept])
    if len(classes) > 2:
        kind = type_of_target(y)
        raise UserError(
            f"fit: Only binary classification is supported. The type of the target is {kind}: y has "
            f"{len(classes)} classes, good and bad are needed"
        )
    if len(classes) < 2:
        raise UserError("fit: y has only one class among rows of weight above zero; a card needs goods and bads")
    return Outcome(classes, (y == classes[1])[kept], weight[kept], kept)


def read_groups(groups: Any, kept: Flags, what: str) -> npt.NDArray[np.intp]:
    """Number of the group of each row that counts."""
    groups = column_or_1d(groups)
    if len(groups) != len(kept):
        raise UserError(f"fit: X has {len(kept)} rows and {what} {len(groups)}; they must be of one length")
    return np.asarray(np.unique(groups[kept], return_inverse=True)[1])


def rows_of(columns: Mapping[str, Any]) -> int:
    """Number of rows of columns."""
    return len(next(iter(columns.values())))


def _blanks(y: npt.NDArray[Any]) -> int:
    """How many outcomes are missing or no finite number."""
    if y.dtype.kind == "f":
        return int((~np.isfinite(y)).sum())
    return sum(1 for value in y if value is None or value != value) if y.dtype.kind == "O" else 0
