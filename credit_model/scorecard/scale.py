"""The scale of a card, and the sign convention of the whole package, stated once.

The target is 1 = bad. Odds are good : bad. ``WOE = ln(share of goods / share of bads)``. **More points mean less
risk.** ``factor = PDO / ln 2``: a score higher by the points to double the odds (PDO) has twice the odds. Points are
integers stated against a reference row, which scores ``reference_points``; the score is those plus the sum of the
points, exactly and without clipping.

In: a profile's name (``profiles.toml`` of this package), a TOML path, or a ``Profile``.
Out: a frozen ``Profile``; points for log-odds, a grade for a score.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.foundation.toml_reader import load_toml

_OWN_PROFILES = Path(__file__).with_name("profiles.toml")
_REFERENCE_ROWS = ("nothing_on_record", "most_frequent")


@dataclass(frozen=True)
class Profile:
    """A scale: the score of the reference row, points to double the odds, range, grades, cap on positives.

    Parameters
    ----------
    name : str
    reference_points : int
        Score of the reference row.
    points_to_double_odds : int
    grades : tuple of str
        From low to high, one more than ``grade_cuts``.
    grade_cuts : tuple of int
        Rising. A score at or above a cut belongs to the grade above it.
    reference_row : {"nothing_on_record", "most_frequent"}
        What points are stated against, where features have definitions.
    least, greatest : int, optional
        Range that every possible score must lie in; none where not given.
    positive_cap : int, optional
        The most that all characteristics together may add above the reference row.
    label_zh, label_en : str

    Raises
    ------
    UserError
        With every fault of the profile.

    Examples
    --------
    >>> profile = load_profile("zhejiang_1000")
    >>> profile.grade(800), profile.grade(619), profile.points(-math.log(2))
    ('A', 'E', -40)
    """

    name: str
    reference_points: int
    points_to_double_odds: int
    grades: tuple[str, ...]
    grade_cuts: tuple[int, ...]
    reference_row: Literal["nothing_on_record", "most_frequent"] = "nothing_on_record"
    least: int | None = None
    greatest: int | None = None
    positive_cap: int | None = None
    label_zh: str = ""
    label_en: str = ""

    def __post_init__(self) -> None:
        faults = tuple(_profile_faults(self))
        if faults:
            raise UserError(f"profile {self.name!r} cannot be used: " + "; ".join(faults), faults)

    @cached_property
    def factor(self) -> float:
        """Points per unit of log-odds, ``PDO / ln 2``."""
        return self.points_to_double_odds / math.log(2)

    @property
    def addable_points(self) -> float:
        """The most points a card may add above the reference row."""
        room = math.inf if self.greatest is None else self.greatest - self.reference_points
        return room if self.positive_cap is None else min(self.positive_cap, room)

    @property
    def removable_points(self) -> float:
        """The most points a card may take off the reference row."""
        return math.inf if self.least is None else self.reference_points - self.least

    def points(self, log_odds: float) -> int:
        """Log-odds good : bad against the reference, as whole points."""
        return round(self.factor * log_odds)

    def grade(self, score: int) -> str:
        """Return the grade of a score."""
        return self.grades[bisect_right(self.grade_cuts, score)]

    def to_dict(self) -> JsonObject:
        """Plain values, without what is not given."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v not in (None, "")}

    @classmethod
    def from_dict(cls, table: JsonObject, name: str | None = None) -> Profile:
        """Make a profile of a table of TOML or JSON; unknown and missing keys are named."""
        entries = {"name": name, **table} if name is not None else dict(table)
        keys = {f.name for f in fields(cls)}
        required = ("name", "reference_points", "points_to_double_odds", "grades", "grade_cuts")
        faults = [f"unknown key {key!r}" for key in entries if key not in keys]
        faults += [f"key {key!r} is missing" for key in required if key not in entries]
        faults += [
            f"{key} must be a list" for key in ("grades", "grade_cuts") if not isinstance(entries.get(key, []), list)
        ]
        if faults:
            raise UserError(f"profile {entries.get('name', '?')!r} cannot be used: " + "; ".join(faults), tuple(faults))
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entries.items()}
        return cls(**values)


@dataclass(frozen=True)
class ProbabilityMap:
    """Knots (integer score, log-odds good : bad), both strictly rising; at least two.

    Examples
    --------
    >>> even = ProbabilityMap((0, 40), (0.0, math.log(2)))
    >>> even.log_odds(20) == math.log(2) / 2, round(even.probability(40), 6)
    (True, 0.333333)
    """

    scores: tuple[int, ...]
    log_odds_at: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.log_odds_at) or len(self.scores) < 2:
            raise UserError("probability map: at least two knots are needed, each a score and its log-odds")
        if any(type(score) is not int for score in self.scores) or not all(map(math.isfinite, self.log_odds_at)):
            raise UserError("probability map: scores must be whole numbers and log-odds finite")
        for knots in (self.scores, self.log_odds_at):
            if any(low >= high for low, high in pairwise(knots)):
                raise UserError("probability map: scores and log-odds must rise strictly from knot to knot")

    def log_odds(self, score: int) -> float:
        """Log-odds good : bad of a score."""
        piece = min(max(bisect_right(self.scores, score) - 1, 0), len(self.scores) - 2)
        at, rise = self.scores[piece], self.log_odds_at[piece + 1] - self.log_odds_at[piece]
        return self.log_odds_at[piece] + rise * ((score - at) / (self.scores[piece + 1] - at))

    def probability(self, score: int) -> float:
        """Probability of bad at a score, ``1 / (1 + odds)``."""
        log_odds = self.log_odds(score)
        if log_odds > 0:
            unlikely = math.exp(-log_odds)
            return unlikely / (1.0 + unlikely)
        return 1.0 / (1.0 + math.exp(log_odds))

    def shifted(self, by: float) -> ProbabilityMap:
        """Return the map with as much added to every log-odds: another base rate, the same ranking."""
        return ProbabilityMap(self.scores, tuple(value + by for value in self.log_odds_at))

    def to_dict(self) -> JsonObject:
        """Plain values for JSON."""
        return {"scores": list(self.scores), "log_odds": list(self.log_odds_at)}

    @classmethod
    def from_dict(cls, table: JsonObject) -> ProbabilityMap:
        """Read what :meth:`to_dict` wrote."""
        return cls(tuple(table["scores"]), tuple(float(value) for value in table["log_odds"]))


def _profile_faults(profile: Profile) -> list[str]:
    whole = ["reference_points", "points_to_double_odds"]
    whole += [key for key in ("least", "greatest", "positive_cap") if getattr(profile, key) is not None]
    faults = [f"{key} must be a whole number" for key in whole if type(getattr(profile, key)) is not int]
    if any(type(cut) is not int for cut in profile.grade_cuts):
        faults.append("grade_cuts must be whole numbers")
    if faults:
        return faults
    if profile.points_to_double_odds <= 0:
        faults.append("points_to_double_odds must be above 0")
    if profile.reference_row not in _REFERENCE_ROWS:
        faults.append(f"reference_row must be one of {', '.join(_REFERENCE_ROWS)}")
    if len(set(profile.grades)) != len(profile.grade_cuts) + 1 or len(profile.grades) != len(set(profile.grades)):
        faults.append("there must be one grade more than grade_cuts, and no grade twice")
    if any(low >= high for low, high in pairwise(profile.grade_cuts)):
        faults.append("grade_cuts must rise")
    if profile.least is not None and profile.least > profile.reference_points:
        faults.append("least lies above reference_points")
    if profile.greatest is not None and profile.greatest < profile.reference_points:
        faults.append("greatest lies below reference_points")
    if profile.positive_cap is not None and profile.positive_cap < 0:
        faults.append("positive_cap must not be below 0")
    return faults


def load_profile(source: str | Path | Profile) -> Profile:
    """Return a profile of this package by name, or the single profile of a TOML file of the same form.

    Parameters
    ----------
    source : str, Path or Profile
        A name, a path that ends in ``.toml``, or a profile, which is returned as it is.

    Raises
    ------
    UserError

    Examples
    --------
    >>> load_profile("zhejiang_1000").reference_points
    800
    """
    if isinstance(source, Profile):
        return source
    is_file = str(source).endswith(".toml")
    path = Path(source) if is_file else _OWN_PROFILES
    tables = load_toml(path, "profile", UserError)
    if is_file and len(tables) != 1:
        raise UserError(f"{path} must hold exactly one profile table, it holds {len(tables)}")
    name = next(iter(tables)) if is_file else str(source)
    if not isinstance(tables.get(name), dict):
        raise UserError(f"unknown profile {name!r}; known: {', '.join(tables)}, or the path of a TOML file")
    return Profile.from_dict(tables[name], name)
