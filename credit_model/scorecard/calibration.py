"""From an integer score to a probability: a stored, strictly rising map to log-odds.

The map is piecewise linear between knots and goes on with the slope of its last piece beyond them. A card looks every
score up in one table, so a single row and a batch get the very same number.

In: integer scores.
Out: log-odds good : bad, probability of bad.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from credit_model import UserError


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"scores": list(self.scores), "log_odds": list(self.log_odds_at)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> ProbabilityMap:
        """Read what :meth:`to_dict` wrote."""
        return cls(tuple(table["scores"]), tuple(float(value) for value in table["log_odds"]))
