"""One feature, as data: which records, which aggregate, over which window, and what a greater value means.

A definition never holds code. What it says can be checked against a catalogue, written as TOML, stored in a card,
read out as a sentence and executed by the kernel; whether one more adverse record could ever help is derived from it.

In: keyword arguments or a table of TOML.
Out: a frozen ``FeatureDefinition``; every fault of every definition at once in one ``DefinitionErrors``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

from credit_model.features.aggregates import AGGREGATES
from credit_model.features.conditions import (
    NAMES,
    NUMBERS,
    TIERS,
    Condition,
    Window,
    phrase_records,
    phrase_value,
    read_where,
    words,
)
from credit_model.foundation.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

# Does a greater value mean more risk (+1) or less (-1)? Each may be said in two ways.
TRENDS = {"higher_is_worse": 1, "lower_is_better": 1, "lower_is_worse": -1, "higher_is_better": -1}


class DefinitionErrors(UserError):
    """Definitions that cannot be used; ``faults`` names every fault of every one."""

    def __init__(self, faults: Sequence[str]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"feature definitions: {count}: " + "; ".join(faults), tuple(faults))


@dataclass(frozen=True, kw_only=True)
class FeatureDefinition:
    """A feature: an aggregate of the records in force that match, within a window before the as-of date.

    Parameters
    ----------
    name : str
        Column name.
    aggregate : str
        One of ``AGGREGATES``.
    label_zh, label_en : str
        What it is called; the name where not given.
    where : mapping
        Conditions a record must meet: ``kinds``, ``polarity``, ``tier``, ``tier_at_least``, ``dimension``, ``field``,
        ``role`` (a value or a list), ``severity_at_least`` (a class of the catalogue, 1 to 5), or a comparison of an
        attribute, ``amount``, ``hours`` or ``outstanding``:
        ``{"score": {"le": 85}}``. A record without the attribute never matches.
    of : str, optional
        What is aggregated: ``amount, hours, outstanding, tier, case, kind, field`` or an attribute.
        Records without a value are left out.
    window : str
        ``"24m"``: decided_on < d <= decided_on + 24 months; ``"365d"``: 1 to 365 days before d; ``"ever"``;
        ``"last_day:KIND"``: the last day before d with a record of KIND in force.
    window_on : {"decided_on", "visible_from"}
        The date that windows, recency, tenure, decay and ``last`` look at. On ``visible_from``, day d itself counts.
        Of several last records on one day of decision the last by ``seq`` counts, without an order the worst.
    none : float or "missing", optional
        The value where no record is left (``"missing"``: NaN). Default: 0 for counts, sums and ``any``, the prior's own
        ratio for ``ratio``, missing for the rest.
    trend : str, optional
        One of ``TRENDS``.
    reason : str
        Code of the reason a card gives when this feature costs or adds points.
    cap, scale : optional
        The value is divided by ``scale`` (integer), then at most ``cap``. ``none`` is neither scaled nor capped.
    half_life_days : int, optional
        For ``decayed_sum``: a record of that age counts half.
    numerator, denominator : mapping, optional
        For ``ratio`` and ``contrast``: further where-clauses, each on top of ``where``.
    prior : (a, c)
        ``ratio`` is (numerator + a) / (denominator + a + c).
    per : {"case", "record"}, optional
        Of counts, ``any``, sums and decayed sums: whether of the records of a ``case_id`` the worst alone counts (the
        greatest amount, the greatest weight), or each. Without it ``case`` for persons, ``record`` for organisations.

    Raises
    ------
    DefinitionErrors
        With every fault of the definition.

    Examples
    --------
    >>> FeatureDefinition(
    ...     name="adverse_24m", where={"polarity": "adverse"}, aggregate="count", window="24m",
    ...     trend="higher_is_worse", reason="A101",
    ... ).record_monotone
    True
    """

    name: str
    aggregate: str
    label_zh: str = ""
    label_en: str = ""
    where: Mapping[str, Any] = field(default_factory=dict, hash=False)
    of: str | None = None
    window: str = "ever"
    window_on: str = "decided_on"
    none: float | str | None = None
    trend: str | None = None
    reason: str = ""
    cap: float | None = None
    scale: int = 1
    half_life_days: int | None = None
    numerator: Mapping[str, Any] | None = field(default=None, hash=False)
    denominator: Mapping[str, Any] | None = field(default=None, hash=False)
    prior: tuple[float, float] = (0, 0)
    per: str | None = None

    def __post_init__(self) -> None:
        faults = list(_form_faults(self))
        if faults:
            raise DefinitionErrors([f"feature {self.name!r}: {fault}" for fault in faults])
        settle = object.__setattr__
        settle(self, "label_zh", self.label_zh or self.name)
        settle(self, "label_en", self.label_en or self.name)
        settle(self, "prior", tuple(self.prior))
        for clause in ("where", "numerator", "denominator"):
            settle(self, clause, _plain(getattr(self, clause)))
        if self.none is None:
            a, c = self.prior
            aggregate = AGGREGATES.get(str(self.aggregate))
            missing = (aggregate is not None and aggregate.missing) or (self.aggregate == "ratio" and not a + c)
            settle(self, "none", "missing" if missing else a / (a + c) if self.aggregate == "ratio" else 0)

    @property
    def absent_wording(self) -> tuple[str, ...]:
        """What is needed in force and absent yet: labels, of which the name takes the place, and a reason code."""
        labels = [key for key in ("label_zh", "label_en") if getattr(self, key) == self.name]
        return (*labels, *(() if self.reason else ("reason",)))

    @classmethod
    def from_dict(cls, table: Mapping[str, object]) -> FeatureDefinition:
        """Make a definition of a table of TOML or JSON; keys it does not know are faults.

        Raises
        ------
        DefinitionErrors
        """
        keys = [f.name for f in fields(cls)]
        faults = [f"unknown key {key!r}{did_you_mean(key, keys)}" for key in table if key not in keys]
        faults += [f"{key} is missing" for key in ("name", "aggregate") if key not in table]
        entries: dict[str, Any] = {key: value for key, value in table.items() if key in keys}
        definition = None
        try:
            definition = cls(**{"name": "?", "aggregate": "count", **entries})
        except DefinitionErrors as errors:
            faults += [fault.split(": ", 1)[1] for fault in errors.faults]
        if faults or definition is None:
            raise DefinitionErrors([f"feature {table.get('name', '?')!r}: {fault}" for fault in faults])
        return definition

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON or TOML, without what equals a default.

        Examples
        --------
        >>> FeatureDefinition(name="n", aggregate="count", window="12m").to_dict()
        {'name': 'n', 'aggregate': 'count', 'label_zh': 'n', 'label_en': 'n', 'window': '12m', 'none': 0}
        """
        usual = {"where": {}, "window_on": "decided_on", "scale": 1, "prior": [0, 0]}
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {k: v for k, v in values.items() if v not in (None, "") and usual.get(k) != v}

    @cached_property
    def span(self) -> Window:
        """The window, read."""
        return Window.parse(self.window)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """``where`` as conditions."""
        return read_where(self.where, "where", [])

    @cached_property
    def sides(self) -> tuple[tuple[Condition, ...], tuple[Condition, ...]]:
        """``numerator`` and ``denominator`` as conditions."""
        part, whole = (read_where(side or {}, "", []) for side in (self.numerator, self.denominator))
        return part, whole

    @property
    def direction(self) -> int:
        """+1 where a greater value means more risk, -1 where it means less, 0 where nothing is expected."""
        return TRENDS.get(self.trend or "", 0)

    @property
    def missing(self) -> bool:
        """Whether "no record" is a missing value rather than a number."""
        return self.none == "missing"

    @property
    def look_back_months(self) -> int | None:
        """Months the feature looks back; 0 for a present state (``role``), ``None`` where nothing bounds it."""
        if any(c.key == "role" for c in self.conditions):
            return 0
        lengths = {"months": self.span.length, "days": -(-self.span.length * 12 // 366)}
        return lengths.get(self.span.unit)

    def counts_cases(self, catalogue: Catalogue | None) -> bool:
        """Return whether records of one case count once; without a catalogue, where the definition itself says so.

        Examples
        --------
        >>> from credit_model.catalogue.catalogue import load_catalogue
        >>> d = FeatureDefinition(name="n", aggregate="count")
        >>> d.counts_cases(load_catalogue()), replace(d, per="record").counts_cases(load_catalogue())
        (True, False)
        """
        of_person = catalogue is not None and catalogue.subjects == "person"
        return AGGREGATES[self.aggregate].by_case and (self.per or ("case" if of_person else "record")) == "case"

    @property
    def record_monotone(self) -> bool:
        """Whether one more record of the adverse kind can never help, nor one more of the positive kind ever harm.

        Only the families shown safe qualify: counts (of no exact tier), sums, maxima and decayed sums of amounts that
        cannot be negative, recency with "never" at the best end, and a ratio whose prior stands for "none".
        """
        if not self.direction or self.span.unit == "last_day" or not all(map(_keeps_the_severer, self.conditions)):
            return False
        none = None if self.missing else float(self.none or 0)
        if self.aggregate in ("count", "any", "count_distinct"):
            return none is not None and none <= 0
        if self.aggregate in ("sum", "max", "decayed_sum"):
            return none is not None and none <= 0 and self.of in (None, *NUMBERS, "tier")
        if self.aggregate == "recency_days":
            return none is not None and self.cap is not None and none >= self.cap
        if self.aggregate == "ratio":
            (a, c), (part, whole) = self.prior, self.sides
            return min(a, c) > 0 and none == a / (a + c) and _within(part, whole)
        return False

    def sentence(self, lang: str = "en", catalogue: Catalogue | None = None) -> str:
        """Say in one sentence what the feature is; kinds are named from the catalogue where one is given.

        Examples
        --------
        >>> d = FeatureDefinition(
        ...     name="n", where={"polarity": "adverse", "tier_at_least": "general"}, aggregate="count", window="24m",
        ...     cap=10, trend="higher_is_worse")
        >>> d.sentence()
        'Number of adverse records of tier general or worse, decided in the 24 months before the as-of date; at most 10;
        0 where there is none; more is worse.'
        >>> d.sentence("zh")
        '一般及以上不良信息条数，基准日前24个月内认定；最多计10；没有时为0；越大越差。'
        """
        say = words(lang)
        span = self.span
        window = say[span.unit].format(n=span.length, kind=phrase_value("kinds", span.kind, lang, catalogue))
        parts = [say[self.window_on].format(aggregate=_aggregate(self, lang, catalogue), window=window)]
        parts += [say["by_case"]] if self.counts_cases(catalogue) else []
        parts += [say["scale"].format(v=self.scale)] if self.scale != 1 else []
        parts += [say["cap"].format(v=self.cap)] if self.cap is not None else []
        none = say["missing" if self.missing else "none"].format(v=self.none)
        parts += [none, say[str(self.direction)]]
        text = say["join"].join(filter(None, parts)) + say["end"]
        return text[0].upper() + text[1:]


def with_meaning_of(definition: FeatureDefinition, kernel_version: int | None) -> FeatureDefinition:
    """Return a definition that says what it meant to a version of the kernel: version 1 counted every record.

    Raises
    ------
    DefinitionErrors
        If that version could not count as the definition says.

    Examples
    --------
    >>> with_meaning_of(FeatureDefinition(name="n", aggregate="count"), 1).per
    'record'
    """
    if kernel_version != 1 or not AGGREGATES[definition.aggregate].by_case or definition.per == "record":
        return definition
    if definition.per == "case":
        raise DefinitionErrors([f"feature {definition.name!r}: feature kernel 1 counts no cases; leave 'per' out"])
    return replace(definition, per="record")


def label(definition: FeatureDefinition, lang: str = "en", catalogue: Catalogue | None = None) -> str:
    """Call a feature by what it aggregates and its window, in one way for all.

    Parameters
    ----------
    definition : FeatureDefinition
    lang : {"en", "zh"}
    catalogue : Catalogue, optional

    Examples
    --------
    >>> d = FeatureDefinition(name="n", where={"polarity": "adverse"}, aggregate="count", window="24m")
    >>> label(d), label(d, "zh")
    ('Number of adverse records, 24 months', '近24个月不良信息条数')
    """
    say, span = words(lang), definition.span
    window = say[f"short_{span.unit}"].format(n=span.length, kind=phrase_value("kinds", span.kind, lang, catalogue))
    text = say["label"].format(aggregate=_aggregate(definition, lang, catalogue), window=window)
    return text[0].upper() + text[1:]


def _aggregate(definition: FeatureDefinition, lang: str, catalogue: Catalogue | None) -> str:
    """Put into words what is aggregated of which records."""
    words(lang)  # refuses other languages
    part, whole = (phrase_records((*definition.conditions, *side), lang, catalogue) for side in definition.sides)
    aggregate = AGGREGATES[definition.aggregate]
    return (aggregate.en if lang == "en" else aggregate.zh).format(
        records=phrase_records(definition.conditions, lang, catalogue), part=part, whole=whole,
        of=NAMES[lang].get(definition.of or "", definition.of), half_life=definition.half_life_days,
        a=definition.prior[0], c=definition.prior[1],
    )  # fmt: skip


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def _keeps_the_severer(condition: Condition) -> bool:
    """Whether a record that turns severer still meets the condition: at or above, never exactly or up to."""
    if condition.key == "tier" and condition.comparison == "in":
        return set(condition.value) in [set(TIERS[i:]) for i in range(len(TIERS))]
    return condition.key not in (*NUMBERS, "severity") or condition.comparison in ("ge", "gt")


def _within(part: Sequence[Condition], whole: Sequence[Condition]) -> bool:
    """Whether every record that meets ``part`` meets ``whole``: each condition of it is there, equal or narrower."""

    def narrows(p: Condition, c: Condition) -> bool:
        return p == c or (p.key == c.key and p.comparison == c.comparison == "in" and set(p.value) <= set(c.value))

    return bool(part) and all(any(narrows(p, c) for p in part) for c in whole)


def _form_faults(d: FeatureDefinition) -> Iterable[str]:
    """Find what is wrong with a definition by itself, before any catalogue."""
    if not isinstance(d.name, str) or not d.name.strip() or d.name in ("subject_id", "as_of"):
        yield "name must be a text of its own"
    aggregate = AGGREGATES.get(str(d.aggregate))
    if aggregate is None:
        yield f"unknown aggregate {d.aggregate!r}{did_you_mean(d.aggregate, AGGREGATES)}"
    for name in ("of", "label_zh", "label_en", "reason"):
        if getattr(d, name) is not None and not isinstance(getattr(d, name), str):
            yield f"{name} must be a text, not {type(getattr(d, name)).__name__}"
    try:
        Window.parse(d.window)
    except ValueError as error:
        yield str(error)
    if d.window_on not in ("decided_on", "visible_from"):
        yield f"window_on {d.window_on!r} is not known; write 'decided_on' or 'visible_from'"
    if d.trend is not None and d.trend not in tuple(TRENDS):
        yield f"unknown trend {d.trend!r}{did_you_mean(d.trend, TRENDS)}"
    if d.of is None and aggregate is not None and aggregate.of == "needed":
        yield f"{d.aggregate} needs 'of': what is aggregated"
    if d.of is not None and aggregate is not None and not aggregate.of:
        yield f"{d.aggregate} takes no 'of'; leave it out"
    if not (d.none is None or d.none == "missing" or _is_number(d.none)):
        yield f"none must be a number or 'missing', not {d.none!r}"
    if d.cap is not None and not (_is_number(d.cap) and d.cap > 0):
        yield f"cap must be a number above 0, not {d.cap!r}"
    if not _is_count(d.scale):
        yield f"scale must be a whole number above 0, not {d.scale!r}"
    if (d.half_life_days is not None) != (d.aggregate == "decayed_sum"):
        yield "half_life_days is needed by decayed_sum, and by nothing else"
    elif d.half_life_days is not None and not _is_count(d.half_life_days):
        yield f"half_life_days must be a whole number above 0, not {d.half_life_days!r}"
    if d.per not in (None, "case", "record"):
        yield f"per {d.per!r} is not known; write 'case' or 'record'"
    elif d.per is not None and aggregate is not None and not aggregate.by_case:
        yield f"{d.aggregate} takes no 'per'; it belongs to {', '.join(n for n, a in AGGREGATES.items() if a.by_case)}"
    two_sided = d.aggregate in ("ratio", "contrast")
    for side in ("numerator", "denominator"):
        if (getattr(d, side) is not None) != two_sided:
            yield f"{side} is needed by ratio and contrast, and by nothing else"
    prior = d.prior if isinstance(d.prior, list | tuple) else ()
    if len(prior) != 2 or not all(_is_number(x) and x >= 0 for x in prior):
        yield f"prior must be two numbers (a, c), neither below 0, not {d.prior!r}"
    elif any(prior) and d.aggregate != "ratio":
        yield "prior belongs to ratio alone"
    reading: list[str] = []
    for clause in ("where", "numerator", "denominator"):
        if clause == "where" or getattr(d, clause) is not None:
            read_where(getattr(d, clause), clause, reading)
    yield from reading


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
