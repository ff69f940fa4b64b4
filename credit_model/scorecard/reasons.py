"""Why a score is what it is: points lost against the reference row, as ranked reasons.

A reason is a characteristic that cost points; nothing else can be one, and a characteristic with 0 points never is.
The points of a reason are exactly those of the score. What added points stands apart, as a positive.

In: the points of one row by characteristic.
Out: at most four reasons, most points lost first; the positives, most points first. Ties keep the order of the card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# More than four reasons are "not likely to be helpful" (Regulation B, official comment to 1002.9(b)(2)).
MOST_REASONS = 4
NOTHING = {"zh": "无记录", "en": "nothing on record"}
MISSING = {"zh": "缺失", "en": "missing"}


@dataclass(frozen=True)
class Reason:
    """One characteristic that moved the score: its code, what it was, and the points it cost (below 0) or added."""

    code: str
    characteristic: str
    points: int
    text_zh: str
    text_en: str


@dataclass(frozen=True)
class Moved:
    """What a reason is made of, before it is put into words."""

    code: str
    characteristic: str
    points: int
    label_zh: str
    label_en: str
    value: float | str | None
    is_nothing: bool  # a missing value means that nothing is on record

    def worded(self) -> Reason:
        """Put it into words: label, value, points."""
        said = {lang: self._value(lang) for lang in ("zh", "en")}
        lost, size = self.points < 0, abs(self.points)
        text_zh = f"{self.label_zh}：{said['zh']}（{'扣' if lost else '加'}{size}分）"
        unit = "point" if size == 1 else "points"
        text_en = f"{self.label_en}: {said['en']} ({size} {unit} {'lost' if lost else 'added'})"
        return Reason(self.code, self.characteristic, self.points, text_zh, text_en)

    def _value(self, lang: str) -> str:
        if self.value is None:
            return (NOTHING if self.is_nothing else MISSING)[lang]
        if isinstance(self.value, str):
            return self.value
        import numpy as np  # here: the shortest text of a float32 is numpy's, and reasons are few

        return str(int(self.value)) if float(self.value).is_integer() else str(np.float32(self.value))


def rank(moved: Iterable[Moved]) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    """Reasons and positives of one row.

    Examples
    --------
    >>> lost = Moved("A101", "adverse_24m", -26, "近24个月不良信息条数", "Adverse records, 24 months", 2.0, False)
    >>> reasons, positives = rank([lost])
    >>> reasons[0].text_en, reasons[0].text_zh, positives
    ('Adverse records, 24 months: 2 (26 points lost)', '近24个月不良信息条数：2（扣26分）', ())
    """
    by_loss = sorted(moved, key=lambda m: m.points)  # stable: ties keep the order of the card
    lost = [m.worded() for m in by_loss if m.points < 0]
    added = [m.worded() for m in sorted(by_loss, key=lambda m: -m.points) if m.points > 0]
    return tuple(lost[:MOST_REASONS]), tuple(added)
