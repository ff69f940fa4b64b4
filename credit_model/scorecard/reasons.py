"""Why a score is what it is: points lost against the reference row, as ranked reasons.

A reason is a characteristic that cost points; nothing else can be one, and a characteristic with 0 points never is.
The points of a reason are exactly those of the score. What added points stands apart, as a positive.

In: the points of one row, characteristic by characteristic; labels and values of those that moved it.
Out: at most four reasons, most points lost first; the positives, most points first. Ties keep the order of the card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# More than four reasons are "not likely to be helpful" (Regulation B, official comment to 1002.9(b)(2)).
MOST_REASONS = 4
NOTHING = {"zh": "无记录", "en": "nothing on record"}
MISSING = {"zh": "缺失", "en": "missing"}


@dataclass(frozen=True)
class CardReason:
    """One characteristic that moved the score: its code, what it was, and the points it cost (below 0) or added."""

    code: str
    characteristic: str
    points: int
    text_zh: str
    text_en: str


@dataclass(frozen=True)
class ScoredRow:
    """What a card says of one row: ``base + sum(points) = score``."""

    score: int
    probability_of_bad: float
    grade: str
    reasons: tuple[CardReason, ...]
    positives: tuple[CardReason, ...]
    base: int
    points: Mapping[str, int]


def rank(points: Sequence[int]) -> tuple[list[int], list[int]]:
    """Places of the reasons and of the positives among the points of one row.

    Examples
    --------
    >>> rank([-5, 0, -40, 7, -12, -1, -30])
    ([2, 6, 4, 0], [3])
    """
    losses = sorted((place for place, p in enumerate(points) if p < 0), key=points.__getitem__)
    gains = sorted((place for place, p in enumerate(points) if p > 0), key=lambda place: -points[place])
    return losses[:MOST_REASONS], gains


def describe(points: int, label: str, value: float | str | None, lang: str, missing: str) -> str:
    """Return what a characteristic was and the points it cost or added, in words.

    Examples
    --------
    >>> describe(-26, "Adverse records, 24 months", 2.0, "en", "missing")
    'Adverse records, 24 months: 2 (26 points lost)'
    >>> describe(-26, "近24个月不良信息条数", 2.0, "zh", "缺失")
    '近24个月不良信息条数：2（扣26分）'
    """
    return close(statement(label, say(value, missing), lang), points, lang)


def say(value: float | str | None, missing: str) -> str:
    """Return a value as people read it."""
    if value is None:
        return missing
    if isinstance(value, str):
        return value
    if value.is_integer():
        return str(int(value))
    import numpy as np  # the shortest text of a float32 is numpy's; reasons are few

    return np.format_float_positional(np.float32(value), trim="-")  # never with an exponent


def statement(label: str, text: str, lang: str) -> str:
    """Return what a characteristic was."""
    return f"{label}：{text}" if lang == "zh" else f"{label}: {text}"


def close(text: str, points: int, lang: str) -> str:
    """Return a statement with the points it cost or added."""
    size = abs(points)
    if lang == "zh":
        return f"{text}（{'扣' if points < 0 else '加'}{size}分）"
    return f"{text} ({size} {'point' if size == 1 else 'points'} {'lost' if points < 0 else 'added'})"
