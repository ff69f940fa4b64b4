"""Read requests strictly: plain JSON, known names, right types; or refuse them in one line without their values.

A message names fields, columns and rows, never what stood in them. A caller's own name for a column is repeated only if
it looks like the name of a column.

In: the bytes of a body. Out: plain values, tables of records; or a :class:`Refusal`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NoReturn

import pyarrow as pa

from credit_model.assessment.evaluator import PURPOSES
from credit_model.catalogue.identity import looks_like_id_number
from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject

# No control characters and no strange blanks, and spaces not at first; the OpenAPI page has the same pattern.
_CONTROL = r"\u0000-\u001f\u007f-\u00a0\u1680\u2000-\u206f\u3000\ufeff\ufff0-\uffff"
TEXT: Final = rf"^[^ {_CONTROL}][^{_CONTROL}]*$"
LONGEST_TEXT: Final = 200
COLUMN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
IDENTIFYING: Final = ("subject_id",)  # may stand beside the features of a row
OWN_TABLES: Final = ("records", "amendments")
_TEXT, _COLUMN = re.compile(TEXT.removesuffix("$")), re.compile(COLUMN.removesuffix("$"))
_MOST_NAMES = 10


class Refusal(Exception):
    """A request that is not answered: status, a code for programs, one line for people, and the fields meant."""

    def __init__(self, status: int, code: str, message: str, where: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.where = tuple(where)[:_MOST_NAMES]


@dataclass(frozen=True)
class OwnRows:
    """A person's records as the caller holds them: columns of ingest, every value as text."""

    subjects: pa.Table
    records: pa.Table | None
    amendments: pa.Table | None


# ---------------------------------------------------------------------- the body


def read_object(body: bytes) -> JsonObject:
    """Parse the JSON object of a body.

    Examples
    --------
    >>> read_object(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no character
    except (ValueError, RecursionError):
        raise Refusal(422, "not_json", "the body is not JSON in UTF-8; send one JSON object.") from None
    if not isinstance(value, dict):
        raise Refusal(422, "wrong_type", "the body must be a JSON object.")
    return value


def read_quickly(body: bytes) -> JsonObject:
    """Parse a long body as :func:`read_object` does, but take the last of a name that stands twice, unnoticed."""
    from pydantic_core import from_json

    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        return read_object(body)  # which says what is wrong
    return value if isinstance(value, dict) else read_object(body)


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise Refusal(422, "name_twice", "a name stands twice in one JSON object; send it once.")
    return table


def _constant(_: str) -> NoReturn:
    raise Refusal(422, "not_a_number", "NaN and Infinity are no JSON; send null where a value is missing.")


def check_fields(message: Mapping[str, object], required: Collection[str], optional: Collection[str]) -> None:
    """Refuse a body without what it needs, or with what nobody knows."""
    missing = [name for name in required if name not in message]
    unknown = [name for name in message if name not in required and name not in optional]
    if missing or unknown:
        raise names_refusal("missing_field" if missing else "unknown_field", "the body", missing, unknown)


def read_purpose(message: Mapping[str, object]) -> str:
    """Read the purpose, one of those permitted."""
    purpose = message.get("purpose")
    if not isinstance(purpose, str) or purpose not in PURPOSES:
        permitted = ", ".join(PURPOSES)
        raise Refusal(422, "purpose_not_permitted", f"purpose must be one of: {permitted}.", ["purpose"])
    return purpose


def read_authorisation(message: Mapping[str, object]) -> str:
    """Read the reference of the authorisation."""
    if message.get("authorisation") in (None, ""):
        text = "authorisation is required: the reference under which the query is made."
        raise Refusal(422, "authorisation_required", text, ["authorisation"])
    return read_text(message["authorisation"], "authorisation")


def read_text(value: object, where: str) -> str:
    """Read a reference or a pseudonym: visible characters, not an identity number."""
    if not isinstance(value, str):
        raise Refusal(422, "wrong_type", f"{where} must be text.", [where])
    if len(value) > LONGEST_TEXT or not _TEXT.fullmatch(value):
        text = f"{where} must be 1 to {LONGEST_TEXT} visible characters, and not begin with a space."
        raise Refusal(422, "not_a_reference", text, [where])
    if looks_like_id_number(pa.array([value]))[0]:
        text = f"{where} looks like it holds an identity number: send a pseudonym or a reference instead."
        raise Refusal(422, "identity_number", text, [where])
    return value


def read_subjects(values: Sequence[object]) -> tuple[str, ...]:
    """Return ids of subjects in the form in which the ledger and the log have them."""
    texts = [read_text(value, "subject_id") for value in values]
    try:
        return tuple(read_subject_ids(texts, "subject_id").to_pylist())
    except UserError:
        raise Refusal(422, "not_a_reference", "subject_id must not be blank.", ["subject_id"]) from None


def read_day(value: object, where: str, today: date) -> date | None:
    """Read a date, at most tomorrow: as of a day is as of its start; None for a live answer."""
    if value is None:
        return None
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise Refusal(422, "not_a_date", f"{where} must be a date like 2024-01-31, or left out.", [where])
    if day > today + timedelta(days=1):
        raise Refusal(422, "date_ahead", f"{where} lies ahead: at most tomorrow, the start of that day.", [where])
    return day


# ---------------------------------------------------------------------- a caller's own records


def read_own_rows(message: JsonObject, most: int) -> OwnRows:
    """Read a person, records and amendments as the caller has them, for the ledger's own ingest.

    What names the person (``subject_id``, or ``id_number`` and ``id_type``) is taken from ``subject`` for every record.
    """
    subject = _rows_of([message["subject"]], "subject")[0]
    person = {name: subject[name] for name in ("subject_id", "id_number", "id_type") if subject.get(name) is not None}
    if ("subject_id" in person) == ("id_number" in person):
        raise Refusal(422, "missing_field", "subject needs a subject_id or an id_number, one of them.", ["subject"])
    if "subject_id" in person:
        read_text(person["subject_id"], "subject.subject_id")
    rows = {table: _rows_of(message.get(table, []), table) for table in OWN_TABLES}
    check_count(sum(map(len, rows.values())), most)
    for number, record in enumerate(rows["records"]):
        other = [
            name
            for name in ("subject_id", "id_number", "id_type")
            if record.get(name, person.get(name)) != person.get(name)
        ]
        if other:
            text = "a record is of another person than subject; leave out what names the person, or repeat it."
            raise Refusal(422, "another_person", text, [f"records[{number}].{name}" for name in other])
    record_ids = {record.get("record_id") for record in rows["records"]}
    for number, amendment in enumerate(rows["amendments"]):
        if amendment.get("record_id") not in record_ids:
            text = "an amendment names a record that is not among the records sent."
            raise Refusal(422, "amendment_without_record", text, [f"amendments[{number}].record_id"])
    records = [{**record, **person} for record in rows["records"]]
    return OwnRows(_table([subject]), _table(records), _table(rows["amendments"]))


def _rows_of(rows: object, table: str) -> list[JsonObject]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        kind = "an object" if table == "subject" else "a list of objects"
        raise Refusal(422, "wrong_type", f"{table} must be {kind}.", [table])
    for number, row in enumerate(rows):
        at = table if table == "subject" else f"{table}[{number}]"
        for name, value in row.items():
            if not _is_column(name):
                raise names_refusal("unknown_columns", at, [], [name])
            if type(value) not in (str, int, float, type(None)) or value in (math.inf, -math.inf):
                raise Refusal(422, "wrong_type", "a value must be text, a number or null.", [f"{at}.{name}"])
    return rows


def _table(rows: Sequence[JsonObject]) -> pa.Table | None:
    """Return rows as an Arrow table of text, which ingest reads as it reads CSV; None where there are none."""
    if not rows:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[None if row.get(name) is None else str(row[name]) for row in rows] for name in names]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=names)


# ---------------------------------------------------------------------- names


def check_count(count: int, most: int) -> None:
    """Refuse more rows than are taken at once."""
    if count > most:
        raise Refusal(413, "too_many_rows", f"at most {most:,} rows are taken at once; send them in parts.")


def _is_column(name: str) -> bool:
    return _COLUMN.fullmatch(name) is not None and re.search(r"\d{6}", name) is None


def names_refusal(code: str, where: str, missing: Sequence[str], unknown: Sequence[str]) -> Refusal:
    """Return the refusal of missing and unknown names; the caller's own words only where they look like names."""
    plain_names = [name for name in unknown if _is_column(name)]
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    others = len(unknown) - len(plain_names)
    if unknown:
        listing = [
            *plain_names[:_MOST_NAMES],
            *([f"{others} that {'is' if others == 1 else 'are'} no column's name"] if others else []),
        ]
        parts.append(f"unknown: {', '.join(listing)}")
    return Refusal(422, code, f"{where} does not have the names it must: {'; '.join(parts)}.", [*missing, *plain_names])
