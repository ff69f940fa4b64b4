"""Read rows of features as a caller sends them, in the types a card scores.

In: a request, a card. Out: columns of features; or a :class:`Refusal` that names what is wrong, never a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.json_values import JsonObject
from credit_model.scorecard.bins import NumericBins
from credit_model.service.requests import (
    IDENTIFYING,
    Refusal,
    check_count,
    names_refusal,
    read_object,
    read_subjects,
)

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card
    from credit_model.scorecard.characteristic import Characteristic

FeatureColumn = NDArray[np.float64] | list[str | None]


@dataclass(frozen=True)
class FeatureRows:
    """Rows of features by column, in the types a card scores, and the people they are about, where that is sent."""

    columns: Mapping[str, FeatureColumn]
    count: int
    subject_ids: tuple[str, ...]


def read_features(message: JsonObject, card: Card, most: int) -> FeatureRows:
    """Read rows of features for a card, sent row by row (``rows``) or column by column (``columns``).

    A number is any JSON number a double holds. ``null`` is a missing value, where the feature can be missing: a feature
    with a definition that gives everybody a number cannot. A category is text.
    """
    if ("rows" in message) == ("columns" in message):
        text = "send rows (a list of objects) or columns (an object of lists), one of them."
        raise Refusal(422, "missing_field", text)
    in_rows = "rows" in message
    if in_rows:
        values, subject_ids = _by_row(message["rows"], card, most)
    else:
        values, subject_ids = _by_column(message["columns"], card, most)
    numbers = _all_numbers(values) if all(isinstance(c.bins, NumericBins) for c in card.characteristics) else None
    if numbers is not None:
        columns = dict(zip(card.columns, np.ascontiguousarray(numbers.T) if in_rows else numbers, strict=True))
    else:
        listed = zip(*values, strict=True) if in_rows else iter(values)
        by_characteristic = zip(card.characteristics, listed, strict=True)
        columns = {c.name: _values(list(column), c, in_rows) for c, column in by_characteristic}
    return FeatureRows(columns, len(columns[card.columns[0]]), read_subjects(subject_ids))


def check_names_once(body: bytes, message: JsonObject, rows: FeatureRows) -> None:
    """Refuse a name that stands twice in what was read quickly.

    Outside of texts a colon follows every name and nothing else: there must be as many as names and colons in texts.
    """
    tables = message["rows"] if "rows" in message else [message["columns"]]
    texts = [message["purpose"], message["authorisation"], *rows.subject_ids]
    for column in rows.columns.values():
        texts += [text for text in column if text is not None] if isinstance(column, list) else []
    expected = len(message) + sum(map(len, tables)) + sum(text.count(":") for text in texts)
    if b"\\" in body or body.count(b":") != expected:
        read_object(body)


def _by_row(rows: object, card: Card, most: int) -> tuple[list[Sequence[object]], list[object]]:
    """Return the values of each row in the order of the card, and whom the rows are about, where they say so."""
    if not isinstance(rows, list) or not rows or not all(type(row) is dict for row in rows):
        raise Refusal(422, "wrong_type", "rows must be a list of one or more objects.", ["rows"])
    check_count(len(rows), most)
    expected = set(card.columns)
    for number, row in enumerate(rows):
        if row.keys() != expected:
            _check_columns(list(row), card, f"rows[{number}]")
    subject_ids = [row["subject_id"] for row in rows if "subject_id" in row]
    if len(card.columns) == 1:
        return [(row[card.columns[0]],) for row in rows], subject_ids
    return list(map(itemgetter(*card.columns), rows)), subject_ids


def _by_column(columns: object, card: Card, most: int) -> tuple[list[Sequence[object]], list[object]]:
    """Return the values of each column in the order of the card, and whom the rows are about, where they say so."""
    if not isinstance(columns, dict):
        raise Refusal(422, "wrong_type", "columns must be an object of lists.", ["columns"])
    _check_columns(list(columns), card, "columns")
    wrong = [name for name, values in columns.items() if not isinstance(values, list)]
    if wrong:
        raise Refusal(422, "wrong_type", "every column must be a list.", [f"columns.{name}" for name in wrong])
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1 or lengths == {0}:
        raise Refusal(422, "unlike_columns", "every column must have as many values, at least one.", ["columns"])
    check_count(max(lengths), most)
    return [columns[name] for name in card.columns], columns.get("subject_id", [])


def _all_numbers(values: list[Sequence[object]]) -> NDArray[np.float64] | None:
    """Read numbers as one array at once; None where anything else is among them, to be named one by one."""
    if not set(map(type, chain.from_iterable(values))) <= {int, float}:
        return None
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        return None
    return None if np.isinf(numbers).any() else numbers


def _check_columns(names: Sequence[str], card: Card, where: str) -> None:
    expected = card.columns
    present = set(names)
    missing = [name for name in expected if name not in present]
    unknown = [name for name in names if name not in expected and name not in IDENTIFYING]
    if missing or unknown:
        raise names_refusal("missing_columns" if missing else "unknown_columns", where, missing, unknown)


def _values(values: list[object], characteristic: Characteristic, in_rows: bool) -> FeatureColumn:
    """Read one column in the type the card scores."""
    name, is_number = characteristic.name, isinstance(characteristic.bins, NumericBins)
    types: set[type] = {int, float} if is_number else {str}
    if not characteristic.is_never_missing:
        types.add(type(None))
    wrong = next((row for row, value in enumerate(values) if type(value) not in types), None)
    if wrong is None:
        if not is_number:
            return cast("list[str | None]", values)
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError:
            numbers = np.array([math.inf])
        if np.isinf(numbers).any():  # JSON has no infinity: the number was too large
            raise Refusal(422, "number_too_large", f"{name} holds a number no double holds.", [name])
        return numbers
    where = [f"rows[{wrong}].{name}" if in_rows else f"columns.{name}[{wrong}]"]
    if values[wrong] is None:
        text = f"{name} cannot be missing: by its definition everybody has a value, 0 where nothing is on record."
        raise Refusal(422, "null_not_allowed", text, where)
    missing = "" if characteristic.is_never_missing else " or null"
    text = f"{name} must hold {'numbers' if is_number else 'text'}{missing}, not true, false, lists or objects."
    raise Refusal(422, "wrong_type", text, where)
