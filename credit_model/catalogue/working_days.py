"""Working days by year, as the State Council's notices set them: periods of law are counted in them.

In: a TOML file (the package's own ``working_days.toml`` unless a path is given).
Out: ``WorkingDays``; every fault of the file at once in one ``WorkingDaysError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from credit_model.foundation.calendar import from_day, to_day
from credit_model.foundation.errors import UserError
from credit_model.foundation.toml_reader import TomlReader, read_toml

_EPOCH: Final = date(1970, 1, 1)
_SATURDAY: Final = 5


class WorkingDaysError(UserError):
    """A calendar that cannot be used, or that does not have a year."""


@dataclass(frozen=True)
class WorkingDays:
    """The working days of some years.

    Parameters
    ----------
    source : str
        What messages call it.
    years : tuple of int
        Ascending; of others nothing is known.
    holidays, worked : frozenset of int
        Days off, and days at weekends on which people work; days since 1970-01-01.
    """

    source: str
    years: tuple[int, ...]
    holidays: frozenset[int]
    worked: frozenset[int]

    def has(self, day: int) -> bool:
        """Return whether the year of a day is in the calendar."""
        return (_EPOCH + timedelta(day)).year in self.years

    def is_working(self, day: int) -> bool:
        """Return whether people work on a day (days since 1970-01-01).

        Raises
        ------
        WorkingDaysError
            If its year is not in the calendar.

        Examples
        --------
        >>> calendar = load_working_days()
        >>> [calendar.is_working(to_day(day)) for day in ("2026-02-28", "2026-03-01", "2026-10-07", "2026-10-08")]
        [True, False, False, True]
        """
        on = _EPOCH + timedelta(day)
        if not self.has(day):
            has = ", ".join(map(str, self.years)) or "none"
            raise WorkingDaysError(
                f"count working days: {on.year} is not in the {self.source}, which has {has}. Give one that has it."
            )
        return day in self.worked or (on.weekday() < _SATURDAY and day not in self.holidays)

    def has_passed(self, since: int, count: int, before: int) -> bool:
        """Return whether a period, counted from the day after ``since``, ended before a day.

        Of years that are not in the calendar no day is counted: the period has certainly passed where the others hold
        enough working days.

        Raises
        ------
        WorkingDaysError
            If it depends on a year that is not in the calendar.

        Examples
        --------
        >>> load_working_days().has_passed(to_day("2019-05-01"), 20, to_day("2026-11-01"))
        True
        """
        first = to_day(date(self.years[0], 1, 1)) if self.years else before
        worked = 0
        for day in range(max(since + 1, first), before):
            worked += self.has(day) and self.is_working(day)
            if worked == count:
                return True
        for day in range(since + 1, before):
            self.is_working(day)  # refuses a year that is missing
        return False

    def deadline(self, since: int, count: int, before: int) -> int | None:
        """Return the working day on which a period ends, counted from the day after ``since``; None if not yet.

        Parameters
        ----------
        since : int
            The day that sets the period off, itself not counted.
        count : int
            Working days.
        before : int
            Days from this one on are not looked at.

        Returns
        -------
        int or None
            The last day of the period, if it is before ``before``.

        Examples
        --------
        >>> last = load_working_days().deadline(to_day("2026-09-30"), 3, to_day("2026-11-01"))
        >>> str(from_day(last))
        '2026-10-10'
        """
        worked = 0
        for day in range(since + 1, before):
            worked += self.is_working(day)
            if worked == count:
                return day
        return None


def load_working_days(path: str | Path | None = None) -> WorkingDays:
    """Read a calendar of working days.

    Parameters
    ----------
    path : path-like, optional
        A TOML file; without it the package's own, of mainland China.

    Returns
    -------
    WorkingDays

    Raises
    ------
    WorkingDaysError
        If the file cannot be read, or with every fault of its content at once.

    Examples
    --------
    >>> load_working_days().years
    (2024, 2025, 2026)
    """
    source = Path(__file__).with_name("working_days.toml") if path is None else Path(path)
    what = "calendar of working days" if path is None else f"calendar {source}"
    reader = _Reader(read_toml(source, "calendar", WorkingDaysError), what, WorkingDaysError)
    calendar = reader.calendar()
    reader.end()
    return calendar


class _Reader(TomlReader):
    """Turns parsed TOML into a calendar."""

    def calendar(self) -> WorkingDays:
        self.keys(self.raw, "the file", ("schema", "years"), ())
        years: list[int] = []
        holidays: set[int] = set()
        worked: set[int] = set()
        for name, entry in self.table(self.raw.get("years", {}), "years").items():
            where = f"years.{name}"
            if not (name.isascii() and name.isdigit() and len(name) == 4):
                self.faults.append(f"{where}: a year has four digits")
                continue
            entry = self.table(entry, where)
            self.keys(entry, where, ("notice", "holidays", "worked"), ())
            self.text(entry, "notice", where)
            years.append(int(name))
            for span in self.listed(entry, "holidays", where):
                first, last = self.span(span, int(name), f"{where}.holidays")
                holidays.update(range(first, last + 1))
            for day in self.listed(entry, "worked", where):
                worked.add(self.span([day, day], int(name), f"{where}.worked")[0])
        if both := holidays & worked:
            self.faults.append(f"{from_day(min(both))} is a holiday and a day on which people work")
        return WorkingDays(self.what, tuple(sorted(years)), frozenset(holidays), frozenset(worked))

    def listed(self, entry: Mapping[str, object], key: str, where: str) -> list[object]:
        value = entry.get(key, [])
        if isinstance(value, list):
            return value
        self.faults.append(f"{where}.{key}: must be a list")
        return []

    def span(self, value: object, year: int, where: str) -> tuple[int, int]:
        """Return the first and the last day; a day without length if they are none of this year."""
        days = value if isinstance(value, list) else []
        if len(days) == 2 and all(type(day) is date and day.year == year for day in days) and days[0] <= days[1]:
            return to_day(days[0]), to_day(days[1])
        self.faults.append(f"{where}: must be days of {year}, such as {year}-05-01, got {value!r}")
        return 0, -1
