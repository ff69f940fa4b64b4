"""A kind of record and its values: the unit of rules, and how long each policy lets it be used.

In: what the reader of a catalogue took from TOML. Out: frozen values; days are since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default

from credit_model.catalogue.kind_rules import AppealPeriod, RepairRule, RowRule, Severity, TermRule, TierRule

POLARITIES = ("adverse", "positive", "neutral")
USES = ("window", "while_listed", "until_performed", "valid_to")
FINALITIES = ("appeal_period", "decision")
LABELS = ("L1", "L2", "L3", "L4", "L5", "L6")
PROCEDURES = ("summary", "ordinary")
ATTRIBUTE_TYPES = ("int", "text", "date", "decimal")
# Every record may carry these; a catalogue cannot redefine them.
RESERVED_ATTRIBUTES = {
    "parent_case_id": "text",
    "procedure": "text",
    "valid_to": "date",
    "penalty_ends_on": "date",
    "sentence_ends_on": "date",
}
RECORD_COLUMNS = (
    "record_id", "subject_id", "kind", "case_id", "occurred_on", "decided_on", "served_on", "final_on", "known_on",
    "tier", "amount", "hours", "seq", "source", "received_on",
)  # fmt: skip


@dataclass(frozen=True)
class LegalReference:
    """A provision of law and the days it holds (``in_force_to`` exclusive; days since 1970-01-01)."""

    text: str
    in_force_from: int
    in_force_to: int | None = None


@dataclass(frozen=True)
class AttributeSpec:
    """A further fact of a kind: its type (``int``, ``text``, ``date``, ``decimal``) and, for a closed list, its values.

    ``places`` are the decimal places of a ``decimal``, at least 1; 0 for other types.
    """

    type: str
    values: tuple[str, ...] | None = None
    places: int = 0


@dataclass(frozen=True)
class Kind:
    """One kind of record. Days are since 1970-01-01; ``lawful_to`` is exclusive.

    ``tier`` is the kind's own severity, or ``by_record`` where each record states it. ``finality`` says whether the
    record waits for the end of the appeal period or has the force of its own decision. ``use`` says how its time ends.
    ``label`` makes it a member of the closed set of outcomes; ``cap`` is the most of it that may count for one person.
    ``plain_zh`` and ``plain_en`` say it in plain words, as a person would.

    A rule that is None (or an empty list) is not applied: no rule on repair, no term of a listing, no limit on the
    tier, no row excluded, none taken for summary procedure. ``severity`` is None for kinds that are not adverse, and
    may be for organisations.
    """

    code: str
    label_zh: str
    label_en: str
    category: str
    dimension: str
    field: str
    polarity: str
    tier: str
    finality: str
    use: str
    prison: bool = False
    statutory: bool = False
    label: str = ""
    label_tier_at_least: str = ""
    cap: int | None = None
    lawful_from: int | None = None
    lawful_to: int | None = None
    legal: tuple[LegalReference, ...] = ()
    attributes: Mapping[str, AttributeSpec] = default(default_factory=dict)
    enabled: bool = True
    severity: Severity | None = None
    repair: RepairRule | None = None
    term: TermRule | None = None
    tier_by: TierRule | None = None
    exclude_if: tuple[RowRule, ...] = ()
    summary_if: tuple[RowRule, ...] = ()
    appeal: AppealPeriod = default(default_factory=AppealPeriod)
    plain_zh: str = ""
    plain_en: str = ""

    def severity_of(self, tier: str) -> int | None:
        """Return the class of severity, 1 to 5, of a record of this kind and tier; None where the kind has none.

        Examples
        --------
        >>> from credit_model.catalogue.catalogue import load_catalogue
        >>> kinds = load_catalogue().kinds
        >>> kinds["adm_penalty"].severity_of("general"), kinds["severe_list"].severity_of("serious")
        (2, 5)
        """
        return None if self.severity is None else self.severity.of_tier(tier)

    def is_lawful(self, day: int) -> bool:
        """Return whether the kind may be taken in and used on a day (days since 1970-01-01)."""
        is_begun = self.lawful_from is None or self.lawful_from <= day
        return is_begun and (self.lawful_to is None or day < self.lawful_to)


@dataclass(frozen=True)
class PolicyEdition:
    """How long records are used, from one day of use on: months by tier (``None``: for ever)."""

    in_force_from: int
    minor: int | None
    general: int | None
    serious: int | None
    penalty_term: bool
    keep_after_exit: bool
    retention_months: int = 60
