"""Rules of a kind of record that the law gives as facts of configuration, and their reader.

How grave a record is, when it may be repaired, how long an entry of a list lasts, which tier an act allows, which rows
are never taken in and which count as decided by summary procedure. Each rule names its ground in law and the first
day on which it holds; a rule that is absent is not applied.

In: the table of one kind, as parsed from TOML. Out: frozen values on ``Kind``; faults are noted by the reader.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypedDict

from credit_model.foundation.calendar import to_day
from credit_model.foundation.toml_reader import TomlReader

TIERS: Final = ("minor", "general", "serious")
MOST_SEVERE: Final = 5  # a listing in force
ADVERSE_KEYS: Final = (
    "severity", "repair", "term_months", "tier_by", "summary_if", "appeal_months", "appeal_days", "review_days",
)  # fmt: skip
RULE_KEYS: Final = (*ADVERSE_KEYS, "exclude_if", "zh_plain", "en_plain")  # since schema 2
Lists = Mapping[str, tuple[str, ...] | None]  # each attribute of a kind, and its closed list of values if it has one


@dataclass(frozen=True)
class Rule:
    """A rule with its ground in law and the first day on which it holds (days since 1970-01-01)."""

    ground: str
    in_force_from: int

    def is_in_force(self, day: int) -> bool:
        """Return whether the rule holds on a day."""
        return self.in_force_from <= day


@dataclass(frozen=True)
class Severity:
    """The class of severity, 1 to 5, of an adverse kind by the tier of the record.

    1 minor penalty; 2 general; 3 serious, breach of a commitment, judgment not performed, finding on funds or tax;
    4 conviction, sham litigation, evasion of debt, deceit; 5 listing in force.
    """

    minor: int
    general: int
    serious: int

    def of_tier(self, tier: str) -> int:
        """Return the class of a record of this tier.

        Examples
        --------
        >>> Severity(1, 2, 3).of_tier("general")
        2
        """
        return {"minor": self.minor, "general": self.general, "serious": self.serious}[tier]


@dataclass(frozen=True)
class RepairRule(Rule):
    """What a repair needs: months since the decision by tier, and whether every duty must be performed."""

    minor: int
    general: int
    serious: int
    needs_performed: bool

    def months_of_tier(self, tier: str) -> int:
        """Return the least months between the decision and the repair of a record of this tier.

        Examples
        --------
        >>> RepairRule("art. 12", 0, minor=0, general=3, serious=12, needs_performed=True).months_of_tier("serious")
        12
        """
        return {"minor": self.minor, "general": self.general, "serious": self.serious}[tier]


@dataclass(frozen=True)
class TermRule(Rule):
    """After how many months an entry of a list ends by itself, by the value of an attribute; other values: never."""

    attribute: str
    months: Mapping[str, int]


@dataclass(frozen=True)
class TierRule(Rule):
    """The greatest and the least tier that each value of an attribute allows; a value in neither allows all."""

    attribute: str
    most: Mapping[str, str]
    least: Mapping[str, str]

    def lowered(self, tier: str, value: str | None) -> str:
        """Return the tier a record is used with: never above what its value allows.

        Examples
        --------
        >>> rule = TierRule("arts. 8-10", 0, "penalty_type", most={"warning": "minor"}, least={})
        >>> rule.lowered("serious", "warning"), rule.lowered("serious", "fine")
        ('minor', 'serious')
        """
        return min(tier, self.most.get(value or "", tier), key=TIERS.index)

    def is_below(self, tier: str, value: str | None) -> bool:
        """Return whether a tier is below the least that the value allows; it is used as sent, with a warning."""
        return TIERS.index(tier) < TIERS.index(self.least.get(value or "", "minor"))


@dataclass(frozen=True)
class RowRule(Rule):
    """Rows of which all holds: attributes have one of the values, the amount is small, the source has one of the words.

    ``amount_at_most`` and ``source_contains`` (empty) are absent where they are not asked about; a row without an
    amount is never of a small one.
    """

    values: Mapping[str, tuple[str, ...]]
    amount_at_most: int | None = None
    source_contains: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppealPeriod:
    """When a decision becomes final by itself: after service, and after an upheld challenge.

    ``days`` stands in place of ``months`` where it is given. ``review_days`` is the time to sue after reconsideration.
    """

    months: int = 6
    days: int | None = None
    review_days: int = 15


class ListName(NamedTuple):
    """The name of a list, and the authority that keeps it where a record does not say."""

    zh: str
    en: str
    authority_zh: str
    authority_en: str


class KindRules(TypedDict):
    """The rules of one kind, named as the fields of ``Kind``."""

    severity: Severity | None
    repair: RepairRule | None
    term: TermRule | None
    tier_by: TierRule | None
    exclude_if: tuple[RowRule, ...]
    summary_if: tuple[RowRule, ...]
    appeal: AppealPeriod
    plain_zh: str
    plain_en: str


class RuleReader(TomlReader):
    """Reads the rules of a kind from its table."""

    def rules(self, entry: Mapping[str, object], where: str, attributes: Lists) -> KindRules:
        """Return the rules of a kind; ``attributes`` are those it declares."""
        if entry.get("polarity") != "adverse":
            for_adverse = [key for key in ADVERSE_KEYS if key in entry]
            self.faults += [f"{where}.{key}: only an adverse kind has it" for key in for_adverse]
            entry = {key: value for key, value in entry.items() if key not in for_adverse}
        if "term_months" in entry and entry.get("use") != "while_listed":
            self.faults.append(f"{where}.term_months: only a kind with use = 'while_listed' has it")
        return KindRules(
            severity=self.severity(entry, where),
            repair=self.repair(entry, where),
            term=self.term(entry, where, attributes),
            tier_by=self.tier_rule(entry, where, attributes),
            exclude_if=self.conditions(entry, "exclude_if", where, attributes),
            summary_if=self.conditions(entry, "summary_if", where, attributes),
            appeal=self.appeal(entry, where),
            plain_zh=self.text(entry, "zh_plain", where) if "zh_plain" in entry else "",
            plain_en=self.text(entry, "en_plain", where) if "en_plain" in entry else "",
        )

    def severity(self, entry: Mapping[str, object], where: str) -> Severity | None:
        """Return the class of severity of each tier, None if none is given."""
        if "severity" not in entry:
            return None
        where, value = f"{where}.severity", entry["severity"]
        if isinstance(value, dict):
            self.keys(value, where, TIERS, ())
        of_tier = {tier: value.get(tier, 1) if isinstance(value, dict) else value for tier in TIERS}
        classes = [self.whole(of_tier[tier], where, 1, MOST_SEVERE) for tier in TIERS]
        if classes != sorted(classes):
            self.faults.append(f"{where}: a greater tier is of a lower class: {classes}")
        if (max(classes) == MOST_SEVERE) != (entry.get("statutory") is True):
            self.faults.append(f"{where}: 5 is a listing in force: for statutory kinds, and for no other")
        return Severity(*classes)

    def repair(self, entry: Mapping[str, object], where: str) -> RepairRule | None:
        """Return what a repair needs, None if no rule is given."""
        if "repair" not in entry:
            return None
        where = f"{where}.repair"
        table = self.table(entry["repair"], where)
        self.keys(table, where, ("minimum_months", "ground", "from"), ("needs_performed",))
        months = self.table(table.get("minimum_months", {}), f"{where}.minimum_months")
        self.keys(months, f"{where}.minimum_months", TIERS, ())
        ground, day = self.ground(table, where)
        minor, general, serious = (self.whole(months.get(tier, 0), f"{where}.{tier}", 0) for tier in TIERS)
        return RepairRule(ground, day, minor, general, serious, self.flag(table, "needs_performed", where))

    def term(self, entry: Mapping[str, object], where: str, attributes: Lists) -> TermRule | None:
        """Return when an entry of a list ends by itself, None if no rule is given."""
        if "term_months" not in entry:
            return None
        where = f"{where}.term_months"
        table = self.table(entry["term_months"], where)
        self.keys(table, where, ("by", "values", "ground", "from"), ())
        attribute = self.attribute_of(table, where, attributes)
        months = self.table(table.get("values", {}), f"{where}.values")
        self.listed(months, attribute, f"{where}.values", attributes)
        ground, day = self.ground(table, where)
        return TermRule(
            ground, day, attribute, {value: self.whole(n, f"{where}.values.{value}", 1) for value, n in months.items()}
        )

    def tier_rule(self, entry: Mapping[str, object], where: str, attributes: Lists) -> TierRule | None:
        """Return which tiers the values of an attribute allow, None if no rule is given."""
        if "tier_by" not in entry:
            return None
        where = f"{where}.tier_by"
        table = self.table(entry["tier_by"], where)
        self.keys(table, where, ("by", "ground", "from"), ("most", "least"))
        attribute = self.attribute_of(table, where, attributes)
        limits: dict[str, dict[str, str]] = {}
        for name in ("most", "least"):
            tiers = self.table(table.get(name, {}), f"{where}.{name}")
            self.listed(tiers, attribute, f"{where}.{name}", attributes)
            limits[name] = {value: self.one_of(tier, TIERS, f"{where}.{name}.{value}") for value, tier in tiers.items()}
        for value in limits["most"].keys() & limits["least"].keys():
            if TIERS.index(limits["most"][value]) < TIERS.index(limits["least"][value]):
                self.faults.append(f"{where}: {value!r} allows no tier")
        return TierRule(*self.ground(table, where), attribute, limits["most"], limits["least"])

    def conditions(self, entry: Mapping[str, object], key: str, where: str, attributes: Lists) -> tuple[RowRule, ...]:
        """Return the conditions of ``exclude_if`` or ``summary_if``; any one of them is enough."""
        conditions = []
        for i, table in enumerate(self.tables(entry.get(key, []), f"{where}.{key}")):
            place = f"{where}.{key}[{i}]"
            values = {name: value for name, value in table.items() if name in attributes}
            own = {name: value for name, value in table.items() if name not in attributes}
            self.keys(own, place, ("ground", "from"), ("amount_at_most", "source_contains"))
            if not values and not {"amount_at_most", "source_contains"} & own.keys():
                self.faults.append(f"{place}: it names no attribute, amount or source, so would hold for every row")
            if key == "summary_if" and "source_contains" in own:
                self.faults.append(f"{place}.source_contains: only exclude_if asks about the source")
            words = {
                name: self.strings([value] if isinstance(value, str) else value, f"{place}.{name}")
                for name, value in values.items()
            }
            for name, codes in words.items():
                self.listed(codes, name, f"{place}.{name}", attributes)
            conditions.append(
                RowRule(
                    *self.ground(table, place),
                    values=words,
                    amount_at_most=self.whole(own["amount_at_most"], f"{place}.amount_at_most", 0)
                    if "amount_at_most" in own
                    else None,
                    source_contains=self.strings(own.get("source_contains", []), f"{place}.source_contains"),
                )
            )
        return tuple(conditions)

    def appeal(self, entry: Mapping[str, object], where: str) -> AppealPeriod:
        """Return when a decision becomes final by itself."""
        keys = [key for key in ("appeal_months", "appeal_days", "review_days") if key in entry]
        if keys and entry.get("finality") != "appeal_period":
            self.faults.append(f"{where}.{keys[0]}: only a kind with finality = 'appeal_period' has it")
        if {"appeal_months", "appeal_days"} <= set(keys):
            self.faults.append(f"{where}: give appeal_months or appeal_days, not both")
        standard = AppealPeriod()
        return AppealPeriod(
            months=self.whole(entry.get("appeal_months", standard.months), f"{where}.appeal_months", 1),
            days=self.whole(entry["appeal_days"], f"{where}.appeal_days", 1) if "appeal_days" in entry else None,
            review_days=self.whole(entry.get("review_days", standard.review_days), f"{where}.review_days", 1),
        )

    def list_names(self) -> dict[str, ListName]:
        """Return the names of lists, by the code of a kind or the value of an attribute."""
        names = {}
        for code, entry in self.table(self.raw.get("lists", {}), "lists").items():
            where = f"lists.{code}"
            table, parts = self.table(entry, where), ListName._fields
            self.keys(table, where, parts, ())
            names[code] = ListName(*(self.text(table, part, where) for part in parts))
        return names

    def ground(self, table: Mapping[str, object], where: str) -> tuple[str, int]:
        """Return the ground in law of a rule and the first day on which it holds."""
        return self.text(table, "ground", where), self.day(table, "from", where) or 0

    def attribute_of(self, table: Mapping[str, object], where: str, attributes: Lists) -> str:
        """Return the attribute that a rule goes by: text with a closed list."""
        name = table.get("by")
        if isinstance(name, str) and attributes.get(name) is not None:
            return name
        lists = [attribute for attribute, values in attributes.items() if values is not None]
        self.faults.append(f"{where}.by: {name!r} is no text attribute with a closed list; the kind has {lists}")
        return ""

    def listed(self, words: Iterable[str], attribute: str, where: str, attributes: Lists) -> None:
        """Note words that are not among the values of the attribute."""
        values: Collection[str] | None = attributes.get(attribute)
        if values is not None:
            self.faults += [f"{where}: {word!r} is no value of {attribute}" for word in words if word not in values]

    def whole(self, value: object, where: str, least: int, most: int = 10**9) -> int:
        """Return a whole number within limits; the least if it is none."""
        if type(value) is int and least <= value <= most:
            return value
        limits = f"from {least} to {most}" if most < 10**9 else f"of at least {least}"
        self.faults.append(f"{where}: must be a whole number {limits}, got {value!r}")
        return least

    def day(self, entry: Mapping[str, object], key: str, where: str) -> int | None:
        """Return a date in days since 1970-01-01."""
        value = self.date(entry, key, where)
        return None if value is None else to_day(value)
