"""Columns of a caller's frame as what bins look up: float32 numbers, or texts.

One value is read by the same rule as a million: numbers are rounded to float32, ``None``, NaN and NA are missing, a
number that stands for a category is written in one way whatever its type. Text is never taken for a number.

In: a pandas or polars frame, a mapping of arrays, or single values.
Out: float32 arrays; codes and category texts.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Column = Collection[object]
"""A column of a caller: of a pandas or polars frame, an array, a list."""


class Frame(Protocol):
    """Named columns of one length: a pandas or polars frame."""

    @property
    def columns(self) -> Iterable[str]:
        """Names of the columns."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: str, /) -> Column: ...


Rows = Frame | Mapping[str, Column]

# What a frame of features carries beside them (``interfaces``: observations).
IGNORED = frozenset({"subject_id", "as_of"})


def check_names(present: Collection[str], required: Collection[str], what: str) -> None:
    """Refuse columns that are missing, unknown or there twice, all in one line."""
    counts = Counter(present)
    faults = {
        "missing": [name for name in required if name not in counts],
        "unknown": [str(name) for name in counts if name not in required and name not in IGNORED],
        "given twice": [str(name) for name, n in counts.items() if n > 1],
    }
    if any(faults.values()):
        messages = tuple(f"{kind}: {', '.join(names)}" for kind, names in faults.items() if names)
        raise UserError(
            f"the card reads {len(required)} columns, and {what} does not match them: {'; '.join(messages)}. "
            "Pass exactly the columns of card.columns (subject_id and as_of may stand beside them).",
            messages,
        )


def column_names(frame: Rows) -> list[str]:
    """Names of the columns of a frame or of a mapping of arrays."""
    if isinstance(frame, Mapping):
        return list(frame)
    if not hasattr(frame, "columns"):
        raise UserError(f"a card scores a frame with named columns or a mapping of arrays, not {type(frame).__name__}")
    return list(frame.columns)


def holds_numbers(column: Column) -> bool:
    """Return whether a raw column is numeric: by its type, or every value of an object column that is not missing."""
    dtype = getattr(column, "dtype", None)
    if getattr(dtype, "is_numeric", bool)():  # polars
        return True
    kind = getattr(dtype, "kind", "O")
    if kind != "O" or hasattr(getattr(column, "cat", None), "categories"):
        return kind in "biuf"
    there = [value for value in column if not _is_missing(value)]
    return bool(there) and not any(isinstance(value, str) for value in there)


def as_numbers(column: Column, name: str) -> npt.NDArray[np.float32]:
    """Return a column as float32; missing values are NaN.

    Raises
    ------
    UserError
        Where it holds text, dates or anything else that is no number; the message counts rows, it shows no value.

    Examples
    --------
    >>> as_numbers([1, None, 2.5], "age").tolist()
    [1.0, nan, 2.5]
    """
    has_kind = hasattr(getattr(column, "dtype", None), "kind")
    array_like = cast("pd.Series[Any]", column if has_kind else np.asarray(column))
    if array_like.dtype.kind in "biuf":
        plain = isinstance(array_like.dtype, np.dtype)
        values = np.asarray(array_like if plain else array_like.to_numpy(dtype=np.float64, na_value=np.nan))
    elif array_like.dtype.kind in "OUS":
        read = [_number(value) for value in array_like]
        wrong = [row for row, value in enumerate(read) if value is None]
        if wrong:
            raise UserError(
                f"column {name!r} must hold numbers: {len(wrong)} of {len(read)} rows hold something else, the first "
                f"in row {wrong[0]}. Convert the column, or read the file with numeric types."
            )
        values = np.asarray(read, dtype=np.float64)
    else:
        raise UserError(f"column {name!r} must hold numbers, it holds {array_like.dtype}")
    if values.ndim != 1:
        raise UserError(f"column {name!r} must have one dimension, it has {values.ndim}")
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float64, copy=False).astype(np.float32)


def as_categories(column: Column, name: str) -> tuple[npt.NDArray[np.intp], tuple[str | None, ...]]:
    """Return a column as codes into its distinct texts; ``None`` among the texts is missing.

    Examples
    --------
    >>> codes, texts = as_categories(["b", None, "a", "b", 1.0, True], "purpose")
    >>> codes.tolist(), texts
    ([0, 1, 2, 0, 3, 3], ('b', None, 'a', '1'))
    """
    categories: Any = getattr(column, "cat", None)
    if hasattr(categories, "categories"):  # pandas: the distinct values are known already
        values, codes = list(categories.categories), np.asarray(categories.codes, dtype=np.intp)
        texts = tuple(_category_name(value, name) for value in values)
        return np.where(codes < 0, len(texts), codes), (*texts, None)
    code_of: dict[Any, int] = {}
    codes = np.empty(len(column), dtype=np.intp)
    for row, value in enumerate(column.tolist() if hasattr(column, "tolist") else column):
        try:
            codes[row] = code_of.setdefault(value, len(code_of))
        except TypeError:
            raise UserError(f"column {name!r} must hold texts or numbers, row {row} holds neither") from None
    return codes, tuple(_category_name(value, name) for value in code_of)


def numbers_of(values: Sequence[object], names: Sequence[str]) -> array[float]:
    """One row of values as float32 numbers, by the rules of :func:`as_numbers`."""
    try:
        return array("f", cast("Sequence[float]", values))
    except (TypeError, OverflowError):
        read = [_number(value) for value in values]
        wrong = [name for name, value in zip(names, read, strict=True) if value is None]
        if wrong:
            raise UserError(f"a number is needed for: {', '.join(wrong)}", tuple(wrong)) from None
        return array("f", [value for value in read if value is not None])


def category_of(value: object, name: str) -> str | None:
    """One value as a category, by the rules of :func:`as_categories`."""
    return value if type(value) is str else _category_name(value, name)


def _number(value: object) -> float | None:
    """Return the value as a double, NaN where it is missing, ``None`` where it is no number."""
    if _is_missing(value):
        return float("nan")
    if isinstance(value, str | bytes):
        return None
    try:
        return float(cast(float, value))
    except (TypeError, ValueError, OverflowError):
        return None


def _category_name(value: object, name: str) -> str | None:
    if _is_missing(value):
        return None
    if isinstance(value, str):
        return str(value)
    number = _number(value)
    if number is None:
        raise UserError(f"column {name!r} must hold texts or numbers, it holds {type(value).__name__}")
    return str(int(number)) if number.is_integer() else repr(number)


def _is_missing(value: object) -> bool:
    # pandas' NA refuses to say whether it equals itself, hence by the name of its type: pandas need not be loaded.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
