"""Inputs nobody would send: valid documents with something deleted, doubled, retyped or nested; bytes cut and flipped.

In: a valid document and a source of chance. Out: another document, of which nothing is known.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

CANARY = "CANARY"  # part of every value of a person; no message may hold it
NUMBERS = (0, 1, -1, 2, 7, 10**6, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 5e-324,
           math.inf, -math.inf, math.nan)  # fmt: skip
TEXTS = ("", " ", "\t", "x", "NaN", "null", "-1", "1e400", "2024-02-30", "24m", "0m", "-3d", "99999999999m", "ever",
         "\x00", "a\nb", "\u202e王", "é", "\U0001f600", "x" * 5_000, "../../etc/passwd", "*", "[", "{0}", "{", "%s",
         "%Y-%m-%d", "subject_id", "records", "adverse")  # fmt: skip
DAYS = (date(1, 1, 1), date(1970, 1, 1), date(2024, 2, 29), date(9999, 12, 31), datetime(2024, 1, 1, 12), time(12))


def anything(chance: random.Random, days: bool = True) -> Any:
    """Some value of some type."""
    kinds = [
        lambda: chance.choice(NUMBERS), lambda: chance.choice(TEXTS), lambda: chance.choice((True, False)),
        lambda: chance.randrange(-100, 100), lambda: [], lambda: {}, lambda: [chance.choice(NUMBERS)] * 3,
        lambda: {chance.choice(TEXTS): chance.choice(NUMBERS)}, lambda: [[1], {"a": [2]}], lambda: nested(chance),
    ]  # fmt: skip
    return chance.choice([*kinds, *([lambda: chance.choice(DAYS)] * 2 if days else [lambda: None] * 2)])()


def nested(chance: random.Random) -> Any:
    """Lists or tables within each other, few or more than anyone needs."""
    value: Any = 1
    for _ in range(chance.choice((3, 25, 60))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def mutated(document: Any, chance: random.Random, days: bool = True) -> Any:
    """The document with one to three changes anywhere in it."""
    document = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            return document
        parent, key = chance.choice(places)
        _change(parent, key, chance, days, places)
    return document


def _places(value: Any) -> Any:
    """Every (parent, key) of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)


def _change(parent: Any, key: Any, chance: random.Random, days: bool, places: list[Any]) -> None:
    what = chance.randrange(7)
    if what == 0:
        del parent[key]
    elif what == 1 and isinstance(parent, dict):
        parent[chance.choice((str(key)[:-1], f"{key}x", chance.choice(TEXTS)))] = parent.pop(key)
    elif what == 2 and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    elif what == 3:
        other, name = chance.choice(places)
        if name in other if isinstance(other, dict) else name < len(other):
            parent[key] = copy.deepcopy(other[name])
    elif what == 4 and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = chance.choice((-parent[key], parent[key] + 1, parent[key] * 10**9, chance.choice(NUMBERS)))
    elif what == 5 and isinstance(parent, dict):
        parent[chance.choice(TEXTS)] = anything(chance, days)
    else:
        parent[key] = anything(chance, days)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes cut, flipped, doubled, or with something in between that no text holds."""
    if not data:
        return b"\xff"
    at, what = chance.randrange(len(data)), chance.randrange(6)
    if what == 0:
        return data[:at]
    if what == 1:
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    if what == 2:
        return (
            data[:at]
            + chance.choice((b"\x00", b"\xff\xfe", b"\xc3", b'"', b"'", b"\n", b"\r", b",", b"[", b"="))
            + data[at:]
        )
    if what == 3:
        end = chance.randrange(at, len(data))
        return data[:at] + data[end:]
    if what == 4:
        end = min(len(data), at + chance.randrange(1, 200))
        return data[:end] + data[at:end] + data[end:]
    return bytes(chance.randrange(256) for _ in range(chance.randrange(64)))


def to_toml(table: Mapping[str, Any]) -> str:
    """A document as TOML, every table inline."""
    return "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return "nan" if value != value else repr(value)
    if isinstance(value, int):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else _key(str(value))


def _key(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
