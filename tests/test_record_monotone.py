"""One more adverse record never helps, one more positive record never harms: every feature of the dictionary, tried."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import to_day
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Tables

CATALOGUE = load_catalogue()
USE, AS_OF = to_day("2026-11-24"), to_day("2024-06-03")
PEOPLE = 400
TIERS = ("minor", "general", "serious")
REFUSED = (
    FeatureDefinition(name="mean", aggregate="mean", of="tier", where={"polarity": "adverse"}, trend="higher_is_worse"),
    FeatureDefinition(name="exact", aggregate="count", where={"tier": "general"}, trend="higher_is_worse"),
    FeatureDefinition(name="first", aggregate="tenure_days", where={"polarity": "adverse"}, trend="lower_is_worse"),
    FeatureDefinition(name="last", aggregate="last", of="tier", where={"polarity": "adverse"}, trend="higher_is_worse"),
)


def make_record(random: Random, person: int, kind: str) -> dict[str, Any]:
    decided_on = AS_OF - random.choice([1, 2, 30, 91, 92, 365, 366, 700, 1000, 1500, 1826, 2000])
    return {
        "subject_id": f"p{person:04}",
        "kind": kind,
        "case_id": f"case {random.randint(0, 3)}",
        "decided_on": decided_on,
        "final_on": decided_on,
        "known_on": decided_on,
        "tier": random.choice(TIERS) if CATALOGUE.kinds[kind].tier == "by_record" else None,
        "amount": random.choice([None, 0, 500, 2_000_000]),
        "hours": random.choice([None, 20, 3000]),
        "field_code": random.choice(["tax_payment", "fire_safety", None]) if kind == "adm_penalty" else None,
    }


def values(
    people: list[list[dict[str, Any]]], policy: str, definitions: tuple[FeatureDefinition, ...]
) -> NDArray[np.float64]:
    """Features of each person, whose records are given."""
    rows = [{**row, "record_id": f"{i}-{j}"} for i, records in enumerate(people) for j, row in enumerate(records)]
    table = {name: [row[name] for row in rows] for name in rows[0]}
    segments = compile_segments(Tables.of(table, None, None, CATALOGUE.attribute_types), CATALOGUE, policy, USE)
    subjects = segments.subject_index(np.array([f"p{i:04}" for i in range(len(people))], object))
    return compute(segments, subjects, np.full(len(people), AS_OF), definitions, CATALOGUE).astype(np.float64)


def made(seed: int) -> tuple[Random, list[list[dict[str, Any]]]]:
    random, kinds = Random(seed), [code for code, kind in CATALOGUE.kinds.items() if kind.enabled]
    return random, [[make_record(random, i, random.choice(kinds)) for _ in range(i % 6)] for i in range(PEOPLE)]


def risk_added(before: NDArray[np.float64], after: NDArray[np.float64], definitions: Any) -> NDArray[np.float64]:
    added = (after - before) * [d.direction for d in definitions]
    return np.where(np.isnan(added), 0.0, added)


@pytest.mark.parametrize("policy", ["tier", "retention"])
@pytest.mark.parametrize(("polarity", "sign"), [("adverse", 1), ("positive", -1)])
def test_one_more_record_never_moves_a_feature_the_wrong_way(policy: str, polarity: str, sign: int) -> None:
    random, people = made(1)
    before = values(people, policy, library())
    for kind in [code for code, kind in CATALOGUE.kinds.items() if kind.polarity == polarity and kind.enabled]:
        more = [[*records, make_record(random, i, kind)] for i, records in enumerate(people)]
        added = risk_added(before, values(more, policy, library()), library())
        wrong = {d.name for d, bad in zip(library(), (sign * added < 0).any(axis=0), strict=True) if bad}
        assert not wrong, (kind, wrong)


@pytest.mark.parametrize("policy", ["tier", "retention"])
def test_a_severer_record_never_helps(policy: str) -> None:
    random, people = made(2)
    penalties = [[*records, make_record(random, i, "adm_penalty")] for i, records in enumerate(people)]
    tiers = [[[*p[:-1], {**p[-1], "tier": tier}] for p in penalties] for tier in TIERS]
    mild, middle, severe = (values(people, policy, library()) for people in tiers)
    assert (risk_added(mild, middle, library()) >= 0).all()
    assert (risk_added(middle, severe, library()) >= 0).all()


def test_the_families_that_are_refused_do_move_the_wrong_way() -> None:
    random, people = made(3)
    more = [[*records, make_record(random, i, "adm_penalty")] for i, records in enumerate(people)]
    added = risk_added(values(people, "retention", REFUSED), values(more, "retention", REFUSED), REFUSED)
    severe = [[{**row, "tier": row["tier"] and "serious"} for row in records] for records in more]
    raised = risk_added(values(more, "retention", REFUSED), values(severe, "retention", REFUSED), REFUSED)
    assert ((added < 0).any(axis=0) | (raised < 0).any(axis=0)).all()
    assert not any(definition.record_monotone for definition in REFUSED)
