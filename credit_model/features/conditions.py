"""Read which records a definition counts and how far back it looks, and put both into words.

In: a where-clause and a window, as text and tables; the catalogue for names of kinds, dimensions and fields.
Out: conditions and a window, hashable; faults; phrases in Chinese and English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from credit_model.foundation.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue


TIERS = ("minor", "general", "serious")
POLARITIES = ("adverse", "positive", "neutral")
MEMBERSHIP = ("kinds", "polarity", "tier", "dimension", "field", "role")
NUMBERS = ("amount", "hours", "outstanding")
_COMPARISONS = ("le", "lt", "ge", "gt", "eq", "in")


@dataclass(frozen=True)
class Window:
    """How far back a feature looks: ``24m``, ``365d``, ``ever`` or ``last_day:KIND``.

    Examples
    --------
    >>> Window.parse("24m")
    Window(unit='months', length=24, kind='')
    """

    unit: Literal["months", "days", "ever", "last_day"]
    length: int = 0
    kind: str = ""

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read a window; a ``ValueError`` says what may be written."""
        match = re.fullmatch(r"(?:([1-9]\d{0,4})([md])|(ever)|last_day:(\w+))", text if isinstance(text, str) else "")
        if match is None:
            raise ValueError(f"window {text!r} is not understood; write '24m', '365d', 'ever' or 'last_day:KIND'")
        length, unit, ever, kind = match.groups()
        if ever:
            return cls("ever")
        if kind:
            return cls("last_day", kind=kind)
        return cls("months" if unit == "m" else "days", int(length))


@dataclass(frozen=True)
class Condition:
    """One test on a record: a key, a comparison and the value it is compared with (hashable)."""

    key: str
    comparison: str
    value: Any


def read_where(where: object, of: str, faults: list[str]) -> tuple[Condition, ...]:
    """Read a where-clause as conditions in a fixed order; add what cannot be read to ``faults``."""
    if not isinstance(where, Mapping):
        faults.append(f"{of} must be a table of conditions, not {type(where).__name__}")
        return ()
    conditions = []
    for key, requirement in where.items():
        if key == "tier_at_least":
            conditions.append(
                Condition("tier", "ge", requirement if isinstance(requirement, str) else repr(requirement))
            )
        elif key == "severity_at_least":
            conditions.append(Condition("severity", "ge", requirement))
        elif key in MEMBERSHIP or not isinstance(requirement, Mapping):
            values = tuple(requirement) if isinstance(requirement, list | tuple) else (requirement,)
            if not values or not all(isinstance(value, str | int | float | date) for value in values):
                faults.append(f"{of}: {key} needs a value or a list of values")
            conditions.append(Condition(key, "in", values))
        else:
            for comparison, value in requirement.items():
                if comparison not in _COMPARISONS:
                    faults.append(
                        f"{of}: {key}: unknown comparison {comparison!r}{did_you_mean(comparison, _COMPARISONS)}"
                    )
                elif (comparison == "in") != isinstance(value, list | tuple):
                    faults.append(f"{of}: {key}: 'in' takes a list and only 'in' does")
                else:
                    is_list = comparison in ("in", "eq")
                    values = tuple(value) if comparison == "in" else (value,)
                    conditions.append(Condition(key, "in" if is_list else comparison, values if is_list else value))
    return tuple(sorted(conditions, key=lambda c: (c.key, c.comparison, repr(c.value))))


SAY = {
    "en": {
        "decided_on": "{aggregate}, decided {window}", "visible_from": "{aggregate}, first usable {window}",
        "months": "in the {n} months before the as-of date", "days": "in the {n} days before the as-of date",
        "ever": "before the as-of date", "last_day": "on the last day before the as-of date with {kind}",
        "records": "{polarity} records", "of_kinds": "records of {kinds}", "tier": "of tier {v}",
        "at_least": "of tier {v} or worse",
        "severity": "of severity class {v} or worse", "dimension": "on {v}", "field": "in the field of {v}",
        "role": "{v}",
        "le": "with {k} at most {v}", "lt": "with {k} below {v}", "ge": "with {k} at least {v}",
        "gt": "with {k} above {v}", "in": "with {k} {v}", "or": " or ", "quoted": '"{v}"',
        "by_case": "records of one case count once",
        "scale": "divided by {v}", "cap": "at most {v}", "none": "{v} where there is none",
        "missing": "missing where there is none", "1": "more is worse", "-1": "more is better", "0": "",
        "join": "; ", "end": ".", "label": "{aggregate}, {window}", "short_months": "{n} months",
        "short_days": "{n} days", "short_ever": "ever", "short_last_day": "on the last day with {kind}",
    },
    "zh": {
        "decided_on": "{aggregate}，{window}认定", "visible_from": "{aggregate}，{window}开始可用",
        "months": "基准日前{n}个月内", "days": "基准日前{n}天内", "ever": "基准日前",
        "last_day": "基准日前最近一个有{kind}之日", "records": "{polarity}信息", "of_kinds": "{kinds}信息",
        "tier": "{v}", "at_least": "{v}及以上",
        "severity": "轻重等级{v}级及以上", "dimension": "{v}类", "field": "{v}领域", "role": "{v}",
        "le": "{k}不高于{v}的", "lt": "{k}低于{v}的", "ge": "{k}不低于{v}的", "gt": "{k}高于{v}的", "in": "{k}为{v}的",
        "or": "或", "quoted": "“{v}”", "by_case": "同一案件只计一次", "scale": "除以{v}", "cap": "最多计{v}",
        "none": "没有时为{v}",
        "missing": "没有时为缺失", "1": "越大越差", "-1": "越大越好", "0": "", "join": "；", "end": "。",
        "label": "{window}{aggregate}", "short_months": "近{n}个月", "short_days": "近{n}天", "short_ever": "历来",
        "short_last_day": "最近一个有{kind}之日的",
    },
}  # fmt: skip
NAMES = {
    "en": {
        "": "number", "listed": "now on the list", "was_listed": "off the list and still usable",
        "unperformed": "still unperformed", "outstanding": "outstanding amount", "case": "cases", "kind": "kinds",
        "field": "fields",
    },
    "zh": {
        "": "条数", "adverse": "不良", "positive": "守信", "neutral": "中性", "minor": "轻微", "general": "一般",
        "serious": "严重", "listed": "当前在列", "was_listed": "已移出仍可用", "unperformed": "尚未履行",
        "amount": "金额", "hours": "时长", "outstanding": "未履行金额", "tier": "程度",
        "case": "案件", "kind": "种类", "field": "领域",
    },
}  # fmt: skip


def words(lang: str) -> dict[str, str]:
    """Return the phrases of a language."""
    if lang not in SAY:
        raise UserError(f"a sentence was asked for in {lang!r}; there is 'en' and 'zh'")
    return SAY[lang]


def phrase_records(conditions: Sequence[Condition], lang: str, catalogue: Catalogue | None) -> str:
    """Put the records that meet the conditions into a noun phrase."""
    say, noun, further = SAY[lang], SAY[lang]["records"].format(polarity="").strip(), []
    for c in sorted(conditions, key=lambda c: c.key == "kinds"):  # kinds name the records better than polarity
        values = c.value if c.comparison == "in" else (c.value,)
        value = say["or"].join(phrase_value(c.key, v, lang, catalogue) for v in values)
        at_least = c.key == "tier" and c.comparison == "ge" and c.value != TIERS[-1]
        if c.key == "kinds":
            noun = say["of_kinds"].format(kinds=value)
        elif c.key == "polarity":
            noun = say["records"].format(polarity=value)
        elif c.key in ("tier", "dimension", "field", "role", "severity"):
            further.append(say["at_least" if at_least else c.key].format(v=value))
        else:
            further.append(say[c.comparison].format(k=NAMES[lang].get(c.key, c.key), v=value))
    return " ".join([noun, *further]) if lang == "en" else "".join([*further, noun])


def phrase_value(key: str, value: object, lang: str, catalogue: Catalogue | None) -> str:
    """Put a value of a condition into words."""
    phrase = NAMES[lang].get(str(value), str(value))
    if key not in ("kinds", "dimension", "field"):
        return phrase
    if catalogue is not None:
        kinds = {code: (kind.label_zh, kind.label_en) for code, kind in catalogue.kinds.items()}
        labels = {"kinds": kinds, "dimension": catalogue.dimensions, "field": catalogue.fields}[key]
        phrase = labels.get(str(value), (phrase, phrase))[lang == "en"]
    return SAY[lang]["quoted"].format(v=phrase)
