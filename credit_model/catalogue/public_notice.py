"""The catalogue as the public is told of it: each kind in plain words, its degree, how long it is used, by what law.

In: a catalogue, a policy, a day. Out: one ``KindNotice`` for each kind that may be taken in on that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kind_rules import TIERS, RepairRule
from credit_model.catalogue.kinds import Kind, PolicyEdition
from credit_model.foundation.json_values import JsonObject

Words = tuple[str, str]  # Chinese, English

_TIERS: Final[dict[str, Words]] = {
    "minor": ("轻微", "minor"), "general": ("一般", "general"), "serious": ("严重", "serious"),
}  # fmt: skip
_NOTHING: Final[Words] = ("", "")


@dataclass(frozen=True)
class KindNotice:
    """One kind of record in words; every text in Chinese and English, empty where there is nothing to say.

    ``degree`` is the tier with its class of severity; ``final`` says from when a decision may be used, ``use`` for how
    long, ``repair`` after how many months it may be repaired. ``grounds`` are the provisions in force on the day.
    """

    code: str
    polarity: str
    act: Words
    degree: Words
    final: Words
    use: Words
    repair: Words
    grounds: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """Return plain values, for JSON: texts by language."""
        texts = {"act": self.act, "degree": self.degree, "final": self.final, "use": self.use, "repair": self.repair}
        worded = {f"{name}_zh": words[0] for name, words in texts.items()}
        worded |= {f"{name}_en": words[1] for name, words in texts.items()}
        return {"code": self.code, "polarity": self.polarity, **worded, "grounds": list(self.grounds)}


def kind_notices(catalogue: Catalogue, policy: str, day: int) -> tuple[KindNotice, ...]:
    """Return what the public is told of each kind that may be taken in on a day.

    Parameters
    ----------
    catalogue : Catalogue
    policy : str
        Whose edition in force on the day says how long records are used.
    day : int
        Days since 1970-01-01.

    Raises
    ------
    UserError
        If there is no such policy, or no edition of it yet.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> notice = kind_notices(load_catalogue(), "tier", 20_780)[0]
    >>> notice.act[1], notice.use[1]
    ('a penalty by an authority', '3, 12 or 36 months from the decision: minor, general, serious')
    """
    edition = catalogue.policy(policy, day)
    kinds = [kind for kind in catalogue.kinds.values() if kind.enabled and kind.is_lawful(day)]
    return tuple(
        KindNotice(
            code=kind.code,
            polarity=kind.polarity,
            act=(kind.plain_zh or kind.label_zh, kind.plain_en or kind.label_en),
            degree=_degree(kind),
            final=_finality(kind),
            use=_use(kind, edition),
            repair=_NOTHING if kind.repair is None else _repair(kind, kind.repair),
            grounds=_grounds(kind, day),
        )
        for kind in kinds
    )


def _tiers(kind: Kind) -> tuple[str, ...]:
    """Return the tiers that records of the kind may have."""
    return TIERS if kind.tier == "by_record" else (kind.tier,) if kind.tier else ()


def _degree(kind: Kind) -> Words:
    texts: list[Words] = []
    for tier in _tiers(kind):
        (zh, en), severity = _TIERS[tier], kind.severity_of(tier)
        texts.append((zh, en) if severity is None else (f"{zh}（{severity}级）", f"{en} (class {severity})"))
    zh, en = "、".join(zh for zh, _ in texts), ", ".join(en for _, en in texts)
    return (f"由决定载明：{zh}", f"stated by the decision: {en}") if kind.tier == "by_record" else (zh, en)


def _finality(kind: Kind) -> Words:
    if kind.polarity != "adverse":
        return _NOTHING
    if kind.finality == "decision":
        return "决定作出即可使用", "from the decision"
    n = kind.appeal.months if kind.appeal.days is None else kind.appeal.days
    zh, en = ("个月", "months") if kind.appeal.days is None else ("天", "days")
    return f"生效后方可使用；未提出争议的，送达满{n}{zh}生效", f"once final: {n} {en} after service if not challenged"


def _use(kind: Kind, edition: PolicyEdition) -> Words:
    if kind.use == "while_listed":
        zh, en = "在列期间", "while on the list"
        if kind.term is None:
            return zh, en
        months = _listing(sorted(set(kind.term.months.values())))
        return f"{zh}；部分情形满{months[0]}个月终止", f"{en}; on some grounds {months[1]} months at most"
    if kind.use == "until_performed":
        n = edition.retention_months
        return f"履行之前，自决定起最长{n}个月", f"until performed, at most {n} months from the decision"
    if kind.use == "valid_to":
        return "有效期内", "as long as it is valid"
    tiers = _tiers(kind)
    windows = [{"minor": edition.minor, "general": edition.general, "serious": edition.serious}[tier] for tier in tiers]
    if len(set(windows)) == 1:
        tiers = ()
    if None in windows:
        return "无期限", "without end"
    zh, en = _listing([months for months in dict.fromkeys(windows) if months is not None])
    zh, en = f"自决定起{zh}个月", f"{en} months from the decision"
    if not tiers:
        return zh, en
    return (
        f"{zh}（{'、'.join(_TIERS[tier][0] for tier in tiers)}）",
        f"{en}: {', '.join(_TIERS[tier][1] for tier in tiers)}",
    )


def _repair(kind: Kind, rule: RepairRule) -> Words:
    months = [rule.months_of_tier(tier) for tier in _tiers(kind)]
    zh, en = _listing(months)
    if months == [0]:
        return (
            ("义务全部履行后即可", "as soon as every duty is performed")
            if rule.needs_performed
            else ("随时", "at once")
        )
    if rule.needs_performed:
        return f"决定满{zh}个月且义务全部履行后", f"{en} months after the decision, with every duty performed"
    return f"决定满{zh}个月后", f"{en} months after the decision"


def _listing(numbers: list[int]) -> Words:
    """Return numbers in words: 3, 12 or 36."""
    *first, last = map(str, numbers)
    return "、".join([*first, last]), f"{', '.join(first)} or {last}" if first else last


def _grounds(kind: Kind, day: int) -> tuple[str, ...]:
    """Return the provisions in force on a day, of the kind and of its rules."""
    rules = [rule for rule in (kind.repair, kind.term, kind.tier_by, *kind.exclude_if, *kind.summary_if) if rule]
    texts = [
        ref.text
        for ref in kind.legal
        if ref.in_force_from <= day and (ref.in_force_to is None or day < ref.in_force_to)
    ]
    return tuple(dict.fromkeys([*texts, *(rule.ground for rule in rules if rule.is_in_force(day))]))
