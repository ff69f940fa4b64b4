"""The catalogue: which kinds of record exist, under which law, how long each may be used, and what may never be kept.

A kind is the unit of rules. Its polarity, tier, finality, time of use and legal basis are facts of configuration
with dates, so that a new edition of a regulation is a change of TOML and not of code. Nothing outside the catalogue
enters a ledger, and no column on its deny-list does either.

In: a TOML file (the package's own ``catalogue.toml`` unless a path is given).
Out: a frozen ``Catalogue``; every fault of the file at once in one ``CatalogueErrors``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from credit_model.catalogue.denylist import Forbidden, normalise_name
from credit_model.catalogue.kind_rules import (
    MOST_SEVERE,
    RULE_KEYS,
    TIERS,
    ListName,
    RuleReader,
    Severity,
)
from credit_model.catalogue.kinds import (
    ATTRIBUTE_TYPES,
    FINALITIES,
    LABELS,
    POLARITIES,
    RECORD_COLUMNS,
    RESERVED_ATTRIBUTES,
    USES,
    AttributeSpec,
    Kind,
    LegalReference,
    PolicyEdition,
)
from credit_model.foundation.decimals import MOST_PLACES
from credit_model.foundation.digests import sha256_json
from credit_model.foundation.errors import UserError
from credit_model.foundation.toml_reader import read_toml

EPOCH = date(1970, 1, 1)
_CODE = re.compile(r"[a-z][a-z0-9_]*")


class CatalogueErrors(UserError):
    """A catalogue that cannot be used; ``faults`` names every one of its faults."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The kinds of record a ledger may hold, its policies and its deny-list.

    ``max_lag_days`` is how long before the ledger received a row its ``known_on`` may lie; None: as long as it says.

    Two catalogues are equal if their content is: ``digest`` is taken over the parsed file, so comments do not count.
    """

    name: str
    version: str
    subjects: str
    kinds: Mapping[str, Kind]
    forbidden: tuple[Forbidden, ...]
    audit_attributes: frozenset[str]
    max_lag_days: int | None
    policies: Mapping[str, tuple[PolicyEdition, ...]]
    categories: Mapping[str, tuple[str, str]]
    dimensions: Mapping[str, tuple[str, str]]
    fields: Mapping[str, tuple[str, str]]
    occupations: Mapping[str, tuple[str, str]]
    lists: Mapping[str, ListName]
    text: str
    digest: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalogue) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def deny(self) -> frozenset[str]:
        """Return every forbidden name, normalised (see ``normalise_name``)."""
        return frozenset(normalise_name(n) for entry in self.forbidden for n in (entry.code, *entry.names))

    @cached_property
    def attribute_types(self) -> dict[str, str]:
        """Return the type every attribute, of all kinds and reserved, is stored in: ``int``, ``text`` or ``date``.

        A decimal is stored as an ``int``: units of its last place (see ``decimal_places``).
        """
        declared = {a: spec.type for kind in self.kinds.values() for a, spec in kind.attributes.items()}
        stored = {name: "int" if type == "decimal" else type for name, type in sorted(declared.items())}
        return {**RESERVED_ATTRIBUTES, **stored}

    @cached_property
    def decimal_places(self) -> dict[str, int]:
        """Return the decimal places of every attribute that is a decimal."""
        specs = {name: spec for kind in self.kinds.values() for name, spec in kind.attributes.items()}
        return {name: spec.places for name, spec in sorted(specs.items()) if spec.places}

    def denied(self, name: str) -> str:
        """Return the code of the forbidden attribute that a column of this name would hold; ``""`` if none.

        Examples
        --------
        >>> catalogue = load_catalogue()
        >>> catalogue.denied("Applicant Sex"), catalogue.denied("宗教信仰"), catalogue.denied("decided_on")
        ('sex', 'religion', '')
        """
        return next((entry.code for entry in self.forbidden if entry.found_in(name)), "")

    def policy(self, name: str, day_of_use: int) -> PolicyEdition:
        """Return the edition of a policy in force on the day of use (days since 1970-01-01).

        Raises
        ------
        UserError
            If there is no such policy, or its first edition is later.

        Examples
        --------
        >>> catalogue = load_catalogue()
        >>> catalogue.policy("tier", 20_780).general, catalogue.policy("retention", 20_780).general
        (12, 60)
        """
        if name not in self.policies:
            raise UserError(f"policy {name!r} is not in catalogue {self.name!r}; it has {', '.join(self.policies)}")
        editions = [e for e in self.policies[name] if e.in_force_from <= day_of_use]
        if not editions:
            first = EPOCH + timedelta(self.policies[name][0].in_force_from)
            raise UserError(
                f"policy {name!r} has no edition in force on {EPOCH + timedelta(day_of_use)}; "
                f"its first is of {first}: choose a later day of use"
            )
        return editions[-1]


def load_catalogue(path: str | Path | None = None) -> Catalogue:
    """Read a catalogue.

    Parameters
    ----------
    path : path-like, optional
        A TOML file; without it, the package's own catalogue of records of natural persons.

    Returns
    -------
    Catalogue

    Raises
    ------
    CatalogueErrors
        If the file cannot be read or parsed, or with every fault of its content at once.

    Examples
    --------
    >>> load_catalogue().kinds["severe_list"].use
    'while_listed'
    """
    source = Path(path) if path is not None else Path(__file__).with_name("catalogue.toml")
    return parse_catalogue(read_toml(source, "catalogue", CatalogueErrors), f"catalogue {source}")


def parse_catalogue(text: str, what: str = "catalogue") -> Catalogue:
    """Read a catalogue from the text of its TOML; ``what`` names it in messages."""
    reader = _Reader(text, what, CatalogueErrors)
    catalogue = reader.catalogue(text)
    reader.end()
    return catalogue


class _Reader(RuleReader):
    """Turns parsed TOML into a catalogue.

    Schema 1 knows no rules of kinds. A catalogue of it is read as version 1 of the package read it: no rule is
    applied, and severity, which version 1 did not have, follows the tier (5 for statutory kinds).
    """

    schemas = (1, 2)

    def catalogue(self, text: str) -> Catalogue:
        raw = self.raw
        self.keys(raw, "the file", ("schema", "name", "version", "subjects", "kinds", "policies", "dimensions"),
                  ("categories", "fields", "occupations", "lists", "deny", "audit", "receipt"))  # fmt: skip
        self.subjects = subjects = self.one_of(raw.get("subjects", "person"), ("person", "organisation"), "subjects")
        self.lists = {name: self.labels(name) for name in ("categories", "dimensions", "fields", "occupations")}
        forbidden = tuple(self.forbidden(*item) for item in self.entries("deny"))
        if subjects == "person" and not forbidden:
            self.faults.append("deny is empty: a catalogue of persons must say what may never be kept")
        audit = self.table(raw.get("audit", {}), "audit")
        self.keys(audit, "audit", (), ("attributes",))
        receipt = self.table(raw.get("receipt", {}), "receipt")
        self.keys(receipt, "receipt", (), ("max_lag_days",))
        catalogue = Catalogue(
            name=self.text(raw, "name", "the file"),
            version=self.text(raw, "version", "the file"),
            subjects=subjects,
            kinds={code: self.kind(code, entry) for code, entry in self.entries("kinds")},
            forbidden=forbidden,
            audit_attributes=frozenset(self.strings(audit.get("attributes", []), "audit.attributes")),
            policies={name: self.editions(name, entries) for name, entries in self.entries("policies")},
            max_lag_days=(
                self.whole(receipt["max_lag_days"], "receipt.max_lag_days", 0) if "max_lag_days" in receipt else None
            ),
            **self.lists,
            lists=self.list_names(),
            text=text,
            digest=sha256_json(raw),
        )
        for name in ("kinds", "policies"):
            if not getattr(catalogue, name):
                self.faults.append(f"{name} is empty: declare at least one")
        self.attributes_agree(catalogue)
        return catalogue

    def entries(self, name: str) -> Iterable[tuple[str, object]]:
        return self.table(self.raw.get(name, {}), name).items()

    def kind(self, code: str, entry: object) -> Kind:
        where = f"kinds.{code}"
        entry = self.table(entry, where)
        if not _CODE.fullmatch(code):
            self.faults.append(f"{where}: a code is lower-case letters, digits and underscores")
        if not self.has_rules:
            entry = self.without_rules(entry, where)
        self.keys(
            entry, where, ("zh", "en", "dimension", "polarity", "finality", "use"),
            ("category", "field", "tier", "prison", "statutory", "label", "label_tier_at_least", "cap", "lawful_from",
             "lawful_to", "legal", "attributes", "enabled", *RULE_KEYS),
        )  # fmt: skip
        polarity = self.one_of(entry.get("polarity", "adverse"), POLARITIES, f"{where}.polarity")
        adverse = polarity == "adverse"
        label = self.one_of(entry.get("label", ""), ("", *LABELS) if adverse else ("",), f"{where}.label")
        uses = USES if adverse else ("valid_to",)
        lawful_from, lawful_to = self.day(entry, "lawful_from", where), self.day(entry, "lawful_to", where)
        if lawful_from is not None and lawful_to is not None and lawful_from >= lawful_to:
            self.faults.append(f"{where}: lawful_from is not before lawful_to")
        cap = entry.get("cap")
        if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
            self.faults.append(f"{where}.cap: must be a whole number of at least 1, got {cap!r}")
            cap = None
        attributes = {
            name: self.attribute(name, spec, where)
            for name, spec in self.table(entry.get("attributes", {}), f"{where}.attributes").items()
        }

        def word(key: str, allowed: Iterable[str], default: str = "") -> str:
            return self.one_of(entry.get(key, default), allowed, f"{where}.{key}")

        kind = Kind(
            code=code,
            label_zh=self.text(entry, "zh", where),
            label_en=self.text(entry, "en", where),
            category=word("category", ("", *self.lists["categories"])),
            dimension=word("dimension", ("", *self.lists["dimensions"])),
            field=word("field", ("", *self.lists["fields"])),
            polarity=polarity,
            tier=word("tier", ("", *TIERS, "by_record") if adverse else ("",)),
            finality=word("finality", FINALITIES, "decision"),
            use=word("use", uses, uses[-1]),
            prison=self.flag(entry, "prison", where),
            statutory=self.flag(entry, "statutory", where),
            label=label,
            label_tier_at_least=word("label_tier_at_least", ("", *TIERS) if label else ("",)),
            cap=cap,
            lawful_from=lawful_from,
            lawful_to=lawful_to,
            legal=tuple(self.legal(ref, where) for ref in self.tables(entry.get("legal", []), f"{where}.legal")),
            attributes=attributes,
            enabled=self.flag(entry, "enabled", where, default=True),
        )
        if not self.has_rules:
            return replace(kind, severity=_severity_of_version_1(kind) if adverse else None)
        lists = {name: spec.values for name, spec in attributes.items() if spec.type == "text"}
        kind = replace(kind, **self.rules(entry, where, lists))
        if self.subjects == "person":
            self.persons_have(kind, where)
        return kind

    @property
    def has_rules(self) -> bool:
        return bool(self.raw.get("schema", 1) != 1)

    def without_rules(self, entry: Mapping[str, object], where: str) -> Mapping[str, object]:
        """Return the table of a kind of schema 1; keys of schema 2 in it are faults."""
        later = [key for key in entry if key in RULE_KEYS]
        self.faults += [f"{where}: {key!r} is of schema 2: write schema = 2" for key in later]
        return {key: value for key, value in entry.items() if key not in later}

    def persons_have(self, kind: Kind, where: str) -> None:
        """Note what a kind of records of persons must say and does not."""
        if kind.polarity == "adverse" and kind.severity is None:
            self.faults.append(f"{where}: severity is missing: give the class, 1 to 5, of each tier of this kind")
        if kind.polarity != "neutral" and kind.enabled and not (kind.plain_zh and kind.plain_en):
            self.faults.append(f"{where}: zh_plain or en_plain is missing: say in plain words what a person is told")

    def attribute(self, name: str, spec: object, where: str) -> AttributeSpec:
        where = f"{where}.attributes.{name}"
        spec = self.table(spec, where)
        self.keys(spec, where, ("type",), ("values", *(("places",) if self.has_rules else ())))
        if not _CODE.fullmatch(name) or name in {*RESERVED_ATTRIBUTES, *RECORD_COLUMNS, "id_number", "id_type"}:
            self.faults.append(f"{where}: the name is reserved or not lower-case letters, digits and underscores")
        values = spec.get("values")
        if isinstance(values, str):  # a code list of this file
            if values not in self.lists:
                self.faults.append(f"{where}.values: no code list {values!r}")
            values = list(self.lists.get(values, ()))
        types = ATTRIBUTE_TYPES if self.has_rules else [t for t in ATTRIBUTE_TYPES if t != "decimal"]
        type = self.one_of(spec.get("type", "text"), types, f"{where}.type")
        if type != "decimal" and "places" in spec:
            self.faults.append(f"{where}.places: only a decimal has it")
        return AttributeSpec(
            type=type,
            values=None if values is None else self.strings(values, f"{where}.values"),
            places=self.whole(spec.get("places"), f"{where}.places", 1, MOST_PLACES) if type == "decimal" else 0,
        )

    def attributes_agree(self, catalogue: Catalogue) -> None:
        type_of: dict[str, str] = {}
        places_of: dict[str, int] = {}
        for kind in catalogue.kinds.values():
            for name, spec in kind.attributes.items():
                where = f"kinds.{kind.code}.attributes.{name}"
                if type_of.setdefault(name, spec.type) != spec.type:
                    self.faults.append(f"{where}: is {spec.type} here and {type_of[name]} in another kind")
                if places_of.setdefault(name, spec.places) != spec.places:
                    self.faults.append(f"{where}.places: {spec.places} here and {places_of[name]} in another kind")
                if spec.values is not None and spec.type != "text":
                    self.faults.append(f"{where}: only text has a list of values")
                if catalogue.denied(name):
                    self.faults.append(f"{where}: the deny-list forbids it ({catalogue.denied(name)})")
        kinds = catalogue.kinds.values()
        values = {value for kind in kinds for spec in kind.attributes.values() for value in spec.values or ()}
        for code in sorted(set(catalogue.lists) - values - set(catalogue.kinds)):
            self.faults.append(f"lists.{code}: no kind and no value of an attribute has this code")
        for name in sorted(catalogue.audit_attributes):
            if not catalogue.denied(name):
                self.faults.append(f"audit.attributes: {name!r} is not on the deny-list, so needs no table apart")

    def forbidden(self, code: str, entry: object) -> Forbidden:
        where = f"deny.{code}"
        entry = self.table(entry, where)
        self.keys(entry, where, ("names",), ("whole", "except"))
        return Forbidden(
            code,
            (code, *self.strings(entry.get("names", []), f"{where}.names")),
            self.flag(entry, "whole", where),
            self.strings(entry.get("except", []), f"{where}.except"),
        )

    def editions(self, name: str, entries: object) -> tuple[PolicyEdition, ...]:
        editions = []
        for i, entry in enumerate(self.tables(entries, f"policies.{name}")):
            where = f"policies.{name}[{i}]"
            self.keys(entry, where, ("in_force_from", *TIERS), ("penalty_term", "keep_after_exit", "retention_months"))
            editions.append(
                PolicyEdition(
                    in_force_from=self.day(entry, "in_force_from", where) or 0,
                    **{tier: self.months(entry.get(tier, "ever"), f"{where}.{tier}") for tier in TIERS},
                    penalty_term=self.flag(entry, "penalty_term", where),
                    keep_after_exit=self.flag(entry, "keep_after_exit", where),
                    retention_months=self.months(entry.get("retention_months", 60), f"{where}.retention_months") or 60,
                )
            )
        days = [e.in_force_from for e in editions]
        if not days or days != sorted(set(days)):
            self.faults.append(f"policies.{name}: must have editions that follow each other by in_force_from")
        return tuple(editions)

    def legal(self, ref: Mapping[str, object], where: str) -> LegalReference:
        where = f"{where}.legal"
        self.keys(ref, where, ("text", "from"), ("to",))
        return LegalReference(
            self.text(ref, "text", where), self.day(ref, "from", where) or 0, self.day(ref, "to", where)
        )

    def labels(self, name: str) -> dict[str, tuple[str, str]]:
        labels_of = {}
        for code, entry in self.entries(name):
            where = f"{name}.{code}"
            entry = self.table(entry, where)
            self.keys(entry, where, ("zh", "en"), ())
            labels_of[code] = (self.text(entry, "zh", where), self.text(entry, "en", where))
        return labels_of

    def months(self, value: object, where: str) -> int | None:
        if value == "ever":
            return None
        if type(value) is not int or value < 1:
            self.faults.append(f'{where}: must be whole months of at least 1, or "ever", got {value!r}')
            return None
        return value


def _severity_of_version_1(kind: Kind) -> Severity:
    """Return the stated default for a catalogue of schema 1: the class follows the tier, a statutory listing is 5."""
    if kind.statutory:
        return Severity(*[MOST_SEVERE] * len(TIERS))
    classes = {tier: TIERS.index(kind.tier if kind.tier in TIERS else tier) + 1 for tier in TIERS}
    return Severity(**classes)
