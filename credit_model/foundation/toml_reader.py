"""Read a TOML file that a person wrote: every fault is noted, and reading goes on with something harmless.

In: the text or path of a TOML file. Out: its values, checked one by one; one error that names all faults at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from credit_model.foundation.errors import UserError, did_you_mean
from credit_model.foundation.json_values import JsonObject

_DEEPEST = 30
_TOO_DEEP = f"tables and lists lie more than {_DEEPEST} deep in each other"


def read_toml(path: str | Path, what: str, error: Callable[[str], UserError]) -> str:
    """Return the text of a file; ``what`` it is and the class of error are the caller's."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise error(f"{what} {path}: cannot be read ({type(cause).__name__}); give a TOML file in UTF-8") from None


def load_toml(path: str | Path, what: str, error: Callable[[str], UserError]) -> JsonObject:
    """Return the values of a TOML file; ``what`` it is and the class of error are the caller's."""
    text = read_toml(path, what, error)
    try:
        return parse_toml(text)
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{what} {path}: not valid TOML: {cause}") from None


def parse_toml(text: str) -> JsonObject:
    """Return the values of a TOML text.

    Raises
    ------
    tomllib.TOMLDecodeError
        Also of what a parser, or whoever walks through the values, stumbles over: tables within tables without end,
        numbers of thousands of digits.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from None
    except ValueError as error:
        raise tomllib.TOMLDecodeError(str(error)) from None
    level: list[Any] = [values]
    for _ in range(_DEEPEST):
        inner = [
            list(item.values()) if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)
        ]
        level = list(chain.from_iterable(inner))
    if level:
        raise tomllib.TOMLDecodeError(_TOO_DEEP)
    return values


class TomlReader:
    """The parsed file, and what is wrong with it so far; ``schemas`` are the forms of file the reader understands."""

    schemas: ClassVar[tuple[int, ...]] = (1,)

    def __init__(self, text: str, what: str, error: type[UserError]) -> None:
        self.what, self.error = what, error
        self.faults: list[str] = []
        try:
            self.raw: Mapping[str, Any] = parse_toml(text)
        except tomllib.TOMLDecodeError as cause:
            raise error(f"{what}: not valid TOML: {cause}") from None
        if self.raw.get("schema", 1) not in self.schemas:
            readable = " and ".join(map(str, self.schemas))
            self.faults.append(f"schema is {self.raw['schema']!r}; this version reads schema {readable}")

    def end(self) -> None:
        """Raise one error for all faults noted so far, if there are any."""
        raise_faults(self.faults, self.what, self.error)

    def table(self, value: object, where: str) -> Mapping[str, object]:
        """Return a table; an empty one if it is none."""
        if isinstance(value, dict):
            return value
        self.faults.append(f"{where}: must be a table, got {type(value).__name__}")
        return {}

    def tables(self, value: object, where: str) -> list[Mapping[str, object]]:
        """Return a list of tables."""
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        self.faults.append(f"{where}: must be a list of tables")
        return []

    def keys(
        self, entry: Mapping[str, object], where: str, required: Collection[str], optional: Collection[str]
    ) -> None:
        """Name the keys that are missing, and those nobody knows."""
        self.faults += [f"{where}: {key!r} is missing" for key in sorted(set(required) - set(entry))]
        names = (*required, *optional)
        self.faults += [f"{where}: unknown key {key!r}{did_you_mean(key, names)}" for key in entry if key not in names]

    def one_of(self, value: object, allowed: Iterable[str], where: str) -> str:
        """Return one of these words; the first if it is none."""
        allowed = tuple(allowed)
        if value in allowed:
            return str(value)
        self.faults.append(f"{where}: {value!r} is not one of {', '.join(map(repr, allowed))}")
        return allowed[0]

    def text(self, entry: Mapping[str, object], key: str, where: str, default: str = " ") -> str:
        """Return a text that is not empty."""
        value = entry.get(key, default)
        if not isinstance(value, str) or not value:
            self.faults.append(f"{where}.{key}: must be text, got {value!r}")
        return str(value)

    def strings(self, values: object, where: str) -> tuple[str, ...]:
        """Return a list of texts."""
        if isinstance(values, list) and all(isinstance(v, str) for v in values):
            return tuple(values)
        self.faults.append(f"{where}: must be a list of text")
        return ()

    def flag(self, entry: Mapping[str, object], key: str, where: str, default: bool = False) -> bool:
        """Return true or false."""
        value = entry.get(key, default)
        if not isinstance(value, bool):
            self.faults.append(f"{where}.{key}: must be true or false, got {value!r}")
        return bool(value)

    def date(self, entry: Mapping[str, object], key: str, where: str) -> date | None:
        """Return a date without a time of day."""
        value = entry.get(key)
        if type(value) is date:
            return value
        if value is not None:
            self.faults.append(f"{where}.{key}: must be a date like 2026-04-01, got {value!r}")
        return None


def raise_faults(faults: Collection[str], what: str, error: type[UserError]) -> None:
    """Raise one error for all faults, if there are any."""
    if faults:
        raise error(f"{what}: {len(faults)} fault(s): {'; '.join(faults)}", tuple(faults))
