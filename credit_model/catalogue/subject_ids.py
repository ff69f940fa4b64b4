"""The one form of a subject id, wherever it is given: at ingest, in observations, in an explanation or an assessment.

An id is text. Whole numbers are their digits, and lose the decimal point they get in a column with gaps: ``30790``,
``30790.0`` and the text ``"30790.0"`` are ``"30790"``. What is no text and no whole number names nobody.

In: an Arrow array, a column of a frame, or one value.
Out: Arrow text; what was refused, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError

NO_ID: Final = "\0"  # in no id; marks, in a column of text, what came as something that cannot be one
_POINT: Final = ".0"
_DECIMAL: Final = r"^(-?[0-9]+)\.0+$"
# Beyond it a float does not hold every whole number: the id may be that of somebody else.
_EXACT_UP_TO: Final = {pa.float16(): 2**11, pa.float32(): 2**24, pa.float64(): 2**53}
_UNFIT: Final = (pa.ArrowException, TypeError, ValueError, OverflowError)  # for one Arrow array
_ADVICE: Final = "Give text or whole numbers"
_FEW: Final = 64  # ids looked at one by one: an assessment reads one, and Arrow's functions cost more than that


def canonical_ids(column: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return the canonical ids of a column, and the rows whose value cannot be an id.

    Parameters
    ----------
    column : pyarrow.Array, shape (n,)

    Returns
    -------
    ids : pyarrow.Array of string, shape (n,)
        Null where the value is missing, blank or refused.
    refused : ndarray of bool, shape (n,)
        Fractional numbers, numbers that are not finite or too large to be exact, booleans, dates, lists; text with a
        NUL.

    Examples
    --------
    >>> ids, refused = canonical_ids(pa.array([30790.0, 0.5, None]))
    >>> ids.to_pylist(), refused.tolist()
    (['30790', None, None], [False, True, False])
    """
    type = column.type
    if pa.types.is_dictionary(type):
        return canonical_ids(column.cast(type.value_type))
    if pa.types.is_floating(type):
        limit = _EXACT_UP_TO[type]
        column = column.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), float(limit)))
        ids = pc.if_else(whole, column, None).cast(pa.int64()).cast(pa.string())
    elif pa.types.is_decimal(type):
        text = column.cast(pa.string())
        ids = canonical_text(text)
        ids = pc.if_else(pc.match_substring_regex(ids, r"^-?[0-9]+$"), ids, None)
    elif pa.types.is_integer(type):
        ids = column.cast(pa.string())
    elif _is_text(type):
        ids = canonical_text(column.cast(pa.string()))
        spoilt = pc.fill_null(pc.match_substring(ids, NO_ID), False)
        return pc.if_else(spoilt, None, ids), spoilt.to_numpy(zero_copy_only=False)
    else:
        ids = pa.nulls(len(column), pa.string())
    is_refused: NDArray[np.bool_] = pc.and_(ids.is_null(), column.is_valid()).to_numpy(zero_copy_only=False)
    return ids, is_refused


def canonical_text(text: pa.Array) -> pa.Array:
    """Return ids given as text (an Arrow array) in canonical form; null where they are blank."""
    text = pc.utf8_trim_whitespace(text)
    if pc.any(pc.match_substring(text, _POINT)).as_py():
        text = pc.replace_substring_regex(text, _DECIMAL, r"\1")
    return pc.if_else(pc.equal(text, ""), None, text)


def read_subject_ids(values: Iterable[object], place: str) -> pa.Array:
    """Return the canonical ids of a column that must hold one in every row.

    Parameters
    ----------
    values : Series or array-like, shape (n,)
    place : str
        What messages call the column.

    Returns
    -------
    pyarrow.Array of string, shape (n,)

    Raises
    ------
    UserError
        If rows hold no id; with their number, the first of them and what is wrong with it.

    Examples
    --------
    >>> read_subject_ids([30790.0, 30791.0], "observations, column subject_id").to_pylist()
    ['30790', '30791']
    """
    if isinstance(values, list) and len(values) <= _FEW and all(map(_is_canonical, values)):
        return pa.array(values, pa.string())
    try:
        column = pa.array(values, from_pandas=True)
    except _UNFIT:
        column = id_texts(values, place)
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    ids, _ = canonical_ids(column)
    if ids.null_count:
        row = int(np.argmax(ids.is_null().to_numpy(zero_copy_only=False)))
        first = f"first: row {row}, {_fault_of(column[row])}"
        raise UserError(f"{place}: {ids.null_count} rows have no subject id ({first}). {_ADVICE}.")
    return ids


def id_texts(values: Iterable[object], place: str | None = None) -> pa.Array:
    """Return ids of several types in one column as Arrow text, null where they are missing.

    What cannot be an id is refused at once, or where no ``place`` is named for the message, left to ``canonical_ids``
    to refuse, behind a mark.
    """

    def text_of(row: int, value: object) -> str | None:
        try:
            return _as_text(value, f"{place}: row {row} is")
        except UserError:
            if place is not None:
                raise
            return f"{NO_ID}{value}"

    return pa.array([text_of(row, value) for row, value in enumerate(values)], pa.string())


def subject_id(value: object) -> str:
    """Return the canonical form of one id.

    Raises
    ------
    UserError
        If it is missing, blank, or no text and no whole number.

    Examples
    --------
    >>> subject_id(30790.0), subject_id(" S000123 "), subject_id("30790.0")
    ('30790', 'S000123', '30790')
    """
    if _is_canonical(value):
        return str(value)
    column = pa.array([_as_text(value, "the subject id is")], pa.string())
    name: str | None = canonical_ids(column)[0][0].as_py()
    if name is None:
        raise UserError(f"the subject id is {_fault_of(column[0])}. {_ADVICE}.")
    return name


def _is_canonical(value: object) -> bool:
    """Return whether a value is an id in its canonical form beyond doubt: ASCII letters and digits only."""
    return isinstance(value, str) and value.isascii() and value.isalnum()


def _as_text(value: object, place: str) -> str | None:
    """Return an id of any type as text, None where it is missing; refuse what cannot be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        column = pa.array([value], from_pandas=True)
    except _UNFIT:
        raise UserError(f"{place} a value of type {type(value).__name__}. {_ADVICE}.") from None
    ids, is_refused = canonical_ids(column)
    if is_refused[0]:
        raise UserError(f"{place} {_fault_of(column[0])}. {_ADVICE}.")
    text: str | None = ids[0].as_py()
    return text


def _is_text(type: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(check(type) for check in checks)


def _fault_of(value: pa.Scalar) -> str:
    """Say why an Arrow scalar is no id; a large number, which may be an identity number, is not repeated."""
    if not value.is_valid:
        return "missing"
    if pa.types.is_boolean(value.type):
        return f"{value.as_py()}, a boolean"
    if pa.types.is_floating(value.type):
        number = float(value.as_py())
        if not np.isfinite(number):
            return f"{number}, not a finite number"
        return "a float too large to be exact" if number == np.floor(number) else f"{number}, a fraction"
    if pa.types.is_decimal(value.type):
        return f"{value.as_py()}, a fraction"
    if _is_text(value.type):
        return "text with a NUL character" if NO_ID in value.as_py() else "blank"
    return f"a value of type {value.type}"
