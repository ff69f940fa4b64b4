"""Whether a card keeps records in the order of their severity: the graver one never costs fewer points.

One record alone on file, final and known on the day of its decision, costs what the card takes for it, through the
kernel that serves people. Of two records in use at the same age and with the same amount, the one of the lower severity
class must not cost more. What would be out of order is counted, kind by kind and tier by tier.

In: a card of defined features, the catalogue with its severity classes, a policy, a day of use.
Out: a ``SeverityOrder``; None where the catalogue gives no classes, or the card reads raw columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credit_model.features.conditions import TIERS
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import add_months
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments, Tables

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.features.definition import FeatureDefinition
    from credit_model.scorecard.card import Card

MONTHS: Final = (0, 6, 11, 23, 35)
AMOUNTS: Final = (None, 500, 5_000, 50_000, 500_000)
_YEARS_BEFORE_USE: Final = 4  # every age above lies before the day of use
_EXAMPLES: Final = 5
_AGE: Final = 40
_FIELD: Final = "field_code"


@dataclass(frozen=True)
class SingleRecord:
    """A record alone on file: its kind, tier and severity class, and the points it costs."""

    kind: str
    tier: str
    severity: int
    points: int


@dataclass(frozen=True)
class OutOfOrder:
    """Two records of one age and amount of which the less severe costs more.

    ``months`` counts from the first day of use; ``amount`` is in yuan, None without one.
    """

    less_severe: SingleRecord
    more_severe: SingleRecord
    months: int
    amount: int | None


@dataclass(frozen=True)
class ClassCost:
    """Least and most points that one record of a severity class costs on its first day of use."""

    severity: int
    records: int
    least: int
    most: int


@dataclass(frozen=True)
class SeverityOrder:
    """How far a card keeps the order of severity.

    Attributes
    ----------
    pairs : int
        Pairs of single records that were compared: classes differ, both in use, same age and amount.
    violations : int
        Of these, pairs in which the less severe record costs more points.
    classes : tuple of ClassCost
        Least severe first.
    examples : tuple of OutOfOrder
        The worst violations.
    """

    pairs: int
    violations: int
    classes: tuple[ClassCost, ...] = ()
    examples: tuple[OutOfOrder, ...] = ()


def severity_classes(catalogue: Catalogue, day_of_use: int) -> dict[tuple[str, str], int]:
    """Return the severity class of every adverse kind and tier that is lawful on the day of use; none left out.

    Empty where a kind has no class, and for organisations.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> severity_classes(load_catalogue(), 20_780)["adm_penalty", "general"]
    2
    """
    classes: dict[tuple[str, str], int] = {}
    if catalogue.subjects != "person":
        return classes
    for kind in catalogue.kinds.values():
        if kind.polarity != "adverse" or not kind.enabled or not kind.is_lawful(day_of_use):
            continue
        for tier in TIERS if kind.tier == "by_record" else (kind.tier,):
            severity = kind.severity_of(tier)
            if severity is None:
                return {}
            classes[kind.code, tier] = severity
    return classes


def measure_severity_order(
    card: Card, catalogue: Catalogue, policy: str, day_of_use: int, classes: Mapping[tuple[str, str], int] | None = None
) -> SeverityOrder | None:
    """Compare what single records cost, two by two.

    Parameters
    ----------
    card : Card
    catalogue : Catalogue
    policy : str
        Of the use windows.
    day_of_use : int
        Days since 1970-01-01.
    classes : mapping of (kind, tier) to int, optional
        Severity classes; those of the catalogue unless given.

    Returns
    -------
    SeverityOrder or None
        None where there are no classes or the card reads a column without a definition.
    """
    classes = severity_classes(catalogue, day_of_use) if classes is None else classes
    definitions = [c.definition for c in card.characteristics if c.definition is not None]
    if not classes or not definitions or len(definitions) < len(card.characteristics):
        return None
    names = [c.name for c in card.characteristics]
    records = _records(classes, definitions, catalogue)
    decided_on = add_months(day_of_use, -12 * _YEARS_BEFORE_USE)
    segments = _compiled(records, catalogue, policy, decided_on, day_of_use)
    subjects = segments.subject_index(str(i) for i in range(len(records)))
    severity = np.array([classes[record.kind, record.tier] for record in records])
    amount = np.array([AMOUNTS.index(record.amount) for record in records])
    comparable = (severity[:, None] < severity) & (amount[:, None] == amount)
    pairs, violations, examples, on_first_day = 0, 0, list[tuple[int, OutOfOrder]](), tuple[ClassCost, ...]()
    for months in MONTHS:
        day = add_months(decided_on + 1, months)
        X = compute(segments, subjects, np.full(len(records), day), definitions, catalogue)
        costs = card.base - card.scores(dict(zip(names, X.T, strict=True))).astype(np.int64)
        now = segments.at(day)
        in_use = np.isin(subjects, now.subject[now.status == 0])
        both = comparable & in_use[:, None] & in_use
        excess = np.where(both, costs[:, None] - costs, 0)
        pairs, violations = pairs + int(both.sum()), violations + int((excess > 0).sum())
        single = [
            SingleRecord(r.kind, r.tier, c, p)
            for r, c, p in zip(records, severity.tolist(), costs.tolist(), strict=True)
        ]
        for less, more in _worst(excess):
            pair = OutOfOrder(single[less], single[more], months, records[less].amount)
            examples.append((int(excess[less, more]), pair))
        if months == 0:
            on_first_day = _class_costs([one for one, used in zip(single, in_use, strict=True) if used])
    worst = sorted(examples, key=lambda example: -example[0])[:_EXAMPLES]
    return SeverityOrder(pairs, violations, on_first_day, tuple(pair for _, pair in worst))


class _Record(NamedTuple):
    kind: str
    tier: str
    amount: int | None
    field: str | None


def _records(
    classes: Mapping[tuple[str, str], int], definitions: Sequence[FeatureDefinition], catalogue: Catalogue
) -> list[_Record]:
    """Return every kind and tier with every amount, and with every field that the definitions tell apart."""
    clauses = [clause for d in definitions for clause in (d.conditions, *d.sides)]
    fields = {str(field) for clause in clauses for c in clause if c.key == "field" for field in c.value}
    return [
        _Record(kind, tier, amount, field)
        for (kind, tier), amount in product(classes, AMOUNTS)
        for field in (None, *(sorted(fields) if _FIELD in catalogue.kinds[kind].attributes else ()))
    ]


def _compiled(
    records: Sequence[_Record], catalogue: Catalogue, policy: str, decided_on: int, day_of_use: int
) -> Segments:
    """Compile one adult for each record, known and final on the day of its decision."""
    ids, day = [str(i) for i in range(len(records))], [decided_on] * len(records)
    columns: dict[str, Sequence[object]] = {
        "record_id": ids,
        "subject_id": ids,
        "kind": [record.kind for record in records],
        "tier": [record.tier if catalogue.kinds[record.kind].tier == "by_record" else None for record in records],
        "amount": [record.amount for record in records],
        **dict.fromkeys(("decided_on", "known_on", "final_on", "served_on", "occurred_on"), day),
    }
    if _FIELD in catalogue.attribute_types:
        columns[_FIELD] = [record.field for record in records]
    born = [add_months(decided_on, -12 * _AGE)] * len(records)
    subjects: dict[str, Sequence[object]] = {"subject_id": ids, "born_on": born, "known_on": born}
    tables = Tables.of(columns, subjects=subjects, attribute_types=catalogue.attribute_types)
    return compile_segments(tables, catalogue, policy, day_of_use)


def _worst(excess: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the places of the greatest excesses above 0, one for each of the greatest."""
    order = np.argsort(-excess, axis=None, kind="stable")[:_EXAMPLES]
    rows, columns = np.unravel_index(order, excess.shape)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if excess[i, j] > 0]


def _class_costs(records: Sequence[SingleRecord]) -> tuple[ClassCost, ...]:
    points: dict[int, list[int]] = {}
    for record in records:
        points.setdefault(record.severity, []).append(record.points)
    kinds = {severity: {(r.kind, r.tier) for r in records if r.severity == severity} for severity in points}
    return tuple(
        ClassCost(severity, len(kinds[severity]), min(points[severity]), max(points[severity]))
        for severity in sorted(points)
    )
