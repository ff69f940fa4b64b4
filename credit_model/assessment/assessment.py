"""The answer as a value: the assessment of one person as of one date, and its words.

In: plain values. Out: :class:`Assessment`, :class:`Reason`, :class:`StatutoryStatus`; all of it as JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

# Why a person is not scored, by the reason that ``Population`` gives.
NOT_SCORED: Final = {
    "unmatched": (
        "本登记册中无此主体，或身份未能匹配",
        "no such person is on this register, or the identity is unmatched",
    ),
    "deceased": ("已故", "the person is deceased"),
    "incapable": ("被宣告无民事行为能力或限制民事行为能力", "the person is declared to be without full legal capacity"),
    "birth_date_unknown": ("出生日期未知", "the date of birth is not known"),
    "minor": ("未满18周岁", "the person is under 18"),
    "moved_away": ("已迁出本登记册覆盖范围", "the person no longer lives where this register covers"),
    "covered_too_short": ("登记册覆盖未满12个月", "the register has covered the person for less than 12 months"),
}


@dataclass(frozen=True)
class Reason:
    """A characteristic that cost points (below 0) or added them, with the records behind it.

    ``earliest_change_on`` is the first day, nothing new being learned, on which it costs fewer points; ``None`` where
    time alone does not mend it, and for what added points.
    """

    code: str
    text_zh: str
    text_en: str
    points: int
    record_ids: tuple[str, ...]
    earliest_change_on: date | None


@dataclass(frozen=True)
class StatutoryStatus:
    """A status in force by a written decision: shown beside the score, never part of it.

    The labels name the list. The authority is the one that the record names, else the one that keeps such a list;
    ``""`` where neither is known. ``ends_on`` is the day on which the entry ends by itself, ``None`` where only an exit
    ends it. ``disputed``: an objection keeps the entry out of the score, but it stands until that is decided.
    """

    kind: str
    label_zh: str
    label_en: str
    record_id: str
    decided_on: date | None
    authority_zh: str
    authority_en: str
    ends_on: date | None
    disputed: bool


@dataclass(frozen=True)
class Assessment:
    """Assessment of one person as of one date.

    ``status`` is ``scored``, ``insufficient_records`` or ``not_eligible``; without ``scored`` there is no score, grade
    or reason, and ``explanation_zh``, ``explanation_en`` say why. ``thin_file``: nothing is visible on record, which
    earns the points of the reference row. ``live``: as of everything known by now. ``record_ids`` are the records that
    made the values of the card's characteristics, whether or not they moved points.

    ``requires_human`` is True where something about the person may be decided (purposes ``incentive``,
    ``service_priority``, ``dispute_review``), and whatever the purpose where the person is not scored, has a statutory
    status or an open dispute: the answer alone must not settle the matter (个人信息保护法 art. 24).
    """

    status: str
    thin_file: bool
    score: int | None
    probability_of_bad: float | None
    grade: str | None
    reasons: tuple[Reason, ...]
    positives: tuple[Reason, ...]
    statutory_status: tuple[StatutoryStatus, ...]
    as_of: date
    live: bool
    card_id: str
    card_digest: str
    record_ids: tuple[str, ...]
    purpose: str
    authorisation: str | None
    requires_human: bool
    explanation_zh: str
    explanation_en: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values under the names of the fields; dates as ISO text."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def explanation(why: str, as_of: date | None, live: bool, is_thin: bool) -> tuple[str, str]:
    """Explain why there is no score, or what the score rests on, in Chinese and in English.

    Examples
    --------
    >>> explanation("minor", date(2026, 7, 2), live=False, is_thin=True)[1]
    'Not scored: the person is under 18.'
    """
    if why:
        zh, en = NOT_SCORED.get(why, (why, why))
        return f"不予评分：{zh}。", f"Not scored: {en}."
    zh = "依据截至目前已知的全部记录评分" if live else f"依据{as_of}当日开始前已知的记录评分"
    en = "Scored on everything known by now" if live else f"Scored on what was known before {as_of}"
    if is_thin:
        return f"{zh}；无可用记录，按基准分计。", f"{en}; nothing is on record, which earns the reference points."
    return f"{zh}。", f"{en}."


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
