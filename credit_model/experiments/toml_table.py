"""A table of an experiment file, read key by key: each once, in its type, with every fault collected.

In: a parsed table of TOML, its place in the file, the common list of faults. Out: values; what is wrong joins the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from credit_model.experiments.experiment import SEARCHABLE, Range
from credit_model.foundation.calendar import to_day
from credit_model.foundation.errors import UserError, did_you_mean

_REQUIRED: Final = object()
_YEARS: Final = (1900, 2200)
_TYPES: Final = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", date: "a date",
                 list: "a list", dict: "a table"}  # fmt: skip


class Table:
    """One table of the file: hands out each key once, in its type; what is wrong goes to the common list."""

    def __init__(self, raw: Mapping[str, Any], where: str, faults: list[str]) -> None:
        self.raw, self.where, self.faults = raw, where, faults
        self.known: list[str] = []

    def fault(self, key: str, message: str) -> None:
        """Remember what is wrong with a key."""
        self.faults.append(f"{self.where}{key}: {message}")

    def take(self, key: str, kind: type, default: Any = _REQUIRED, among: Iterable[str] = ()) -> Any:
        """Return the value of a key; the default (for a required key: None) where it is absent or wrong."""
        self.known.append(key)
        fallback = None if default is _REQUIRED else default
        if key not in self.raw:
            if default is _REQUIRED:
                self.fault(key, "is missing")
            return fallback
        value = self.raw[key]
        accepted = (int, float) if kind is float else kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            self.fault(key, f"must be {_TYPES[kind]}, not {type(value).__name__}")
            return fallback
        among = tuple(among)
        if among and value not in among:
            self.fault(key, f"unknown: {value!r}{did_you_mean(value, among)}")
            return fallback
        return value

    def whole(self, key: str, least: int, most: int, default: Any = _REQUIRED) -> Any:
        """Return a whole number within bounds; what is outside becomes the bound."""
        number = self.take(key, int, default)
        if number is None or least <= number <= most:
            return number
        self.fault(key, f"must be at least {least}" if number < least else f"must be at most {most:,}")
        return least if number < least else most

    def day(self, key: str, default: Any = _REQUIRED) -> int | None:
        """Return a date as days since 1970-01-01."""
        value = self.take(key, date, None if default is None else default)
        if value is not None and not _YEARS[0] <= value.year <= _YEARS[1]:
            self.fault(key, f"must be of the years {_YEARS[0]} to {_YEARS[1]}")
            return None
        return None if value is None else to_day(value)

    def texts(self, key: str, default: Any = ()) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self.take(key, list, list(default) if default is not _REQUIRED else default) or []
        if not all(isinstance(value, str) for value in values):
            self.fault(key, "must be a list of texts")
        return tuple(value for value in values if isinstance(value, str))

    def setting(self, key: str, kind: type, default: float) -> Any:
        """Return a number, or a range ``{ low, high }`` to search."""
        self.known.append(key)
        raw, (least, most) = self.raw.get(key, default), SEARCHABLE[key]
        ends = [raw.get("low"), raw.get("high")] if isinstance(raw, dict) and set(raw) == {"low", "high"} else [raw]
        accepted = (int, float) if kind is float else (int,)
        numbers = [end for end in ends if isinstance(end, accepted) and not isinstance(end, bool)]
        if len(numbers) < len(ends):
            self.fault(key, f"must be {_TYPES[kind]}, or a range {{ low = …, high = … }}")
        elif not all(least <= number <= most for number in numbers):
            self.fault(key, f"must lie between {least:g} and {most:g}")
        elif len(numbers) == 2 and not numbers[0] < numbers[1]:
            self.fault(key, "low must be below high")
        else:
            return kind(numbers[0]) if len(numbers) == 1 else Range(kind(numbers[0]), kind(numbers[1]))
        return kind(default)

    def table(self, key: str, default: Any = _REQUIRED) -> Table:
        """Return a table within this one."""
        return Table(self.take(key, dict, default) or {}, f"{self.where}[{key}] ", self.faults)

    def tables(self, key: str) -> Iterator[Table]:
        """Each of an array of tables."""
        for number, raw in enumerate(self.take(key, list, []), start=1):
            if isinstance(raw, dict):
                yield Table(raw, f"{self.where}[[{key}]] {number} ", self.faults)
            else:
                self.fault(key, "must be an array of tables")

    def close(self) -> None:
        """Name the keys nobody asked for."""
        for key in self.raw:
            if key not in self.known:
                self.fault(key, f"unknown key{did_you_mean(key, self.known)}")


def faults_of(errors: UserError) -> tuple[str, ...]:
    """Return the faults of an error, or the error itself."""
    return errors.faults or (str(errors),)
