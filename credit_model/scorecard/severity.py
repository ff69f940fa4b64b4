"""Whether a feature keeps records in the order of their severity, and the most that one record can make of it.

A feature keeps the order if a record that it may count leaves no graver record uncounted: whatever it counts, it counts
at or above a severity class. Then, of two records alone on file with one age and one amount, the graver never has the
better value, and a card of such features never takes fewer points for it. Decided for every kind and tier of the
catalogue; a condition that depends on more than kind and tier (a field, an attribute) may hold and may not.

In: a definition and the catalogue. Out: a fault in words, the least class a feature counts, a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from credit_model.features.facts import BY_KIND, Facts, RecordColumns
from credit_model.visibility.tables import TIERS

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.catalogue.kinds import Kind
    from credit_model.features.conditions import Condition
    from credit_model.features.definition import FeatureDefinition

# What a single record gives depends on its age and amount alone, which are the same on both sides.
_OF_ONE: Final = {
    "count": (None,), "any": (None,), "count_distinct": ("case", "kind"), "sum": ("amount", "outstanding"),
    "max": ("amount", "outstanding"), "decayed_sum": (None, "amount", "outstanding"), "recency_days": (None,),
}  # fmt: skip
_LISTED: Final = frozenset({"listed", "was_listed"})


class _Case(NamedTuple):
    """A kind and tier of adverse record, its severity class, and whether a feature may count it, and must."""

    kind: str
    tier: str
    severity: int
    may: bool
    must: bool


def severity_fault(definition: FeatureDefinition, catalogue: Catalogue) -> str:
    """Say why a feature might hold a record against somebody more than a graver one; empty where it cannot.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.features.definition import FeatureDefinition
    >>> count = {"name": "n", "aggregate": "count", "window": "36m", "trend": "higher_is_worse"}
    >>> fines = FeatureDefinition(**count, where={"kinds": ["adm_penalty"]})
    >>> severity_fault(fines, load_catalogue())
    'counts adm_penalty (minor, class 1), and not every record of adm_coercion (general, class 2)'
    >>> graver = FeatureDefinition(**count, where={"polarity": "adverse", "severity_at_least": 2})
    >>> severity_fault(graver, load_catalogue())
    ''
    """
    cases = _cases(definition, catalogue)
    if not any(case.may for case in cases):
        return ""
    if definition.of not in _OF_ONE.get(definition.aggregate, ()):
        of = f" of {definition.of}" if definition.of else ""
        return f"gives one record a value ({definition.aggregate}{of}) that depends on more than its age and amount"
    if definition.window_on != "decided_on" or definition.span.unit == "last_day":
        return "has a window that starts on another day than that of the decision"
    least = min((case for case in cases if case.may), key=lambda case: case.severity)
    left_out = [case for case in cases if case.severity > least.severity and not case.must]
    return "" if not left_out else f"counts {_say(least)}, and not every record of {_say(left_out[0])}"


def least_severity(definition: FeatureDefinition, catalogue: Catalogue) -> int | None:
    """Return the least severity class of which a feature may count a record; None where it counts no adverse one."""
    return min((case.severity for case in _cases(definition, catalogue) if case.may), default=None)


def counts_every_listing(definition: FeatureDefinition, catalogue: Catalogue) -> bool:
    """Return whether a feature counts every listing of the gravest class for as long as it is in use, and nothing else.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.features.dictionary import library
    >>> [d.name for d in library() if counts_every_listing(d, load_catalogue())]
    ['listed_now', 'listed_or_was']
    """
    cases = _cases(definition, catalogue)
    gravest = max((case.severity for case in cases), default=0)
    roles = [condition.value for condition in definition.conditions if condition.key == "role"]
    return (
        definition.aggregate in ("count", "any")
        and definition.span.unit == "ever"
        and any("listed" in values for values in roles)
        and all(case.may == (case.severity == gravest) for case in cases)
    )


def worst_of_one(definition: FeatureDefinition) -> float:
    """Return the worst value that one record can give a feature that keeps the order, whatever its age and amount.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> worst_of_one(FeatureDefinition(name="n", aggregate="count", cap=10)), worst_of_one(
    ...     FeatureDefinition(name="n", aggregate="sum", of="amount", cap=1000)
    ... )
    (1.0, 1000.0)
    """
    most = math.inf if definition.of in ("amount", "outstanding") else 1.0 / definition.scale
    return most if definition.cap is None else min(most, float(definition.cap))


def _say(case: _Case) -> str:
    return f"{case.kind} ({case.tier}, class {case.severity})"


def _cases(definition: FeatureDefinition, catalogue: Catalogue) -> list[_Case]:
    kinds = [kind for kind in catalogue.kinds.values() if kind.polarity == "adverse"]
    places = [
        (kind, tier)
        for kind in kinds
        for tier in (range(1, len(TIERS)) if kind.tier == "by_record" else (TIERS.index(kind.tier),))
    ]
    codes = tuple(catalogue.kinds)
    columns = {
        "kind": np.array([codes.index(kind.code) for kind, _ in places], np.int64),
        "tier": np.array([tier for _, tier in places], np.int64),
    }
    facts = Facts(RecordColumns(codes, {}, columns), catalogue)
    may, must = np.ones(len(places), np.bool_), np.ones(len(places), np.bool_)
    for condition in _conditions(definition):
        if condition.key in (*BY_KIND, "tier", "severity"):
            holds = facts.meets(condition)
            may, must = may & holds, must & holds
        else:
            answers = [_answer(condition, kind) for kind, _ in places]
            may &= [one for one, _ in answers]
            must &= [always for _, always in answers]
    return [
        _Case(kind.code, TIERS[tier], kind.severity_of(TIERS[tier]) or 0, bool(one), bool(always))
        for (kind, tier), one, always in zip(places, may, must, strict=True)
    ]


def _conditions(definition: FeatureDefinition) -> Iterator[Condition]:
    """Yield what a record must meet to change the value; of a ratio, what its whole asks for."""
    yield from definition.conditions
    yield from definition.sides[1]


def _answer(condition: Condition, kind: Kind) -> tuple[bool, bool]:
    """Return whether some record of a kind meets a condition, and whether every one does."""
    values: Iterable[object] = condition.value if condition.comparison == "in" else ()
    if condition.key == "role":
        roles = {"while_listed": _LISTED, "until_performed": {"unperformed"}}.get(kind.use, {""})
        return bool(roles & {*values}), roles <= {*values}
    if condition.key == "field" and (kind.field or "field_code" not in kind.attributes):
        return kind.field in values, kind.field in values
    return True, False
