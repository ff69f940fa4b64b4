"""Read what a caller of an estimator gives: columns by name, an outcome of two labels, weights.

Labels are sorted, as everywhere in scikit-learn, and their order does not say which is bad: "bad" comes before "good".

In: a pandas or polars frame or an array; an outcome, and the label that means bad; weights.
Out: columns, and which rows are bad; or one line that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from credit_model.foundation.errors import UserError

# The bad word of each pair that has one meaning only, by its good word.
_WORDS: Final = {
    "good": "bad",
    "paid": "default",
    "performing": "default",
    "non-default": "default",
    "好": "坏",
    "正常": "违约",
}


def bad_place(classes: npt.NDArray[Any], bad: Any = None) -> int:
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


@dataclass(frozen=True, eq=False)
class TargetColumn:
    """The two classes, and of the rows that count (``kept``: weight above 0) which are bad, with their weights."""

    classes: npt.NDArray[Any]
    bad_place: int
    bad: Flags
    weight: Real
    kept: Flags

    def of(self, column: Any) -> Any:
        """Return the rows of a column that count."""
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


def read_outcome(rows: int, y: Any, sample_weight: Any, bad: Any = None) -> TargetColumn:
    """Return which rows are bad, their weights, and which rows count.

    Raises
    ------
    UserError
        Where outcome and weights are not of two classes, of one length, finite, or it is in doubt which class is bad.
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
    has_weight = weight > 0
    classes = np.unique(y[has_weight])
    if len(classes) > 2:
        kind = type_of_target(y)
        raise UserError(
            f"fit: Only binary classification is supported. The type of the target is {kind}: y has "
            f"{len(classes)} classes, good and bad are needed"
        )
    if len(classes) < 2:
        raise UserError("fit: y has only one class among rows of weight above zero; goods and bads are needed")
    place = bad_place(classes, bad)
    return TargetColumn(classes, place, (y == classes[place])[has_weight], weight[has_weight], has_weight)


def read_groups(groups: Any, rows: Flags, what: str) -> npt.NDArray[np.intp]:
    """Return the number of the group of each row that counts."""
    groups = column_or_1d(groups)
    if len(groups) != len(rows):
        raise UserError(f"fit: X has {len(rows)} rows and {what} {len(groups)}; they must be of one length")
    return np.asarray(np.unique(groups[rows], return_inverse=True)[1])


def rows_of(columns: Mapping[str, Any]) -> int:
    """Return the number of rows of columns."""
    return len(next(iter(columns.values())))


def _blanks(y: npt.NDArray[Any]) -> int:
    """Count the outcomes that are missing or no finite number."""
    if y.dtype.kind == "f":
        return int((~np.isfinite(y)).sum())
    return sum(1 for value in y if value is None or value != value) if y.dtype.kind == "O" else 0
