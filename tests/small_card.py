"""A card small enough to add up by hand, and ledgers small enough to read: what the tests of the doors share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.features.dictionary import library
from credit_model.ledger.ledger import Ledger
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic, Policy
from credit_model.scorecard.scale import ProbabilityMap, load_profile

DAY_OF_USE = "2026-07-01"
POINTS = {
    "adverse_24m": ((0.5, 1.5), (0, -26, -40)),
    "adverse_serious_36m": ((0.5,), (0, -50)),
    "listed_now": ((0.5,), (0, -80)),
    "commitment_breaches_36m": ((0.5,), (0, -12)),
    "unperformed_judgments": ((0.5,), (0, -20)),
    "honours_60m": ((0.5, 1.5), (0, 6, 10)),
}
POLICY = {"honours_60m": Policy("Chen Jing", "honours are too rare to learn from")}
PERSON = {"born_on": "1990-01-01", "resident_from": "1990-01-01", "known_on": "1990-01-02"}


def small_card(policy: str = "tier", **more: Any) -> Card:
    """Six characteristics with points set by hand, for the package's catalogue."""
    definitions = {definition.name: definition for definition in library()}
    characteristics = tuple(
        Characteristic(
            name,
            NumericBins(cuts, whole=True),
            tuple(Attribute(p, 0.0, 0.0, None) for p in (*points, 0)),
            reference=0,
            direction=definitions[name].direction,
            policy=POLICY.get(name),
            definition=definitions[name],
        )
        for name, (cuts, points) in POINTS.items()
    )
    return Card(
        "small",
        load_profile("zhejiang_1000"),
        characteristics,
        ProbabilityMap((500, 900), (1.0, 6.0)),
        kernel_version=1,
        provenance={"ledger": {"policy": policy}} | more,
    )


def penalty(record_id: str, decided_on: str, tier: str = "general", **facts: Any) -> dict[str, Any]:
    """A penalty, final on the day of its decision."""
    return {
        "record_id": record_id,
        "kind": "adm_penalty",
        "tier": tier,
        "decided_on": decided_on,
        "final_on": decided_on,
    } | facts


def raw_card() -> Card:
    """A card of a raw column, without feature definitions."""
    points = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -10, 0))
    only = Characteristic("x", NumericBins((0.5,)), points, reference=0)
    return Card("raw", load_profile("zhejiang_1000"), (only,), ProbabilityMap((700, 800), (1.0, 2.0)))


def small_ledger(
    folder: Path,
    records: list[dict[str, Any]] = (),
    amendments: list[dict[str, Any]] = (),
    subjects: list[dict[str, Any]] = ({"subject_id": "a"},),
    policy: str = "tier",
) -> Ledger:
    """A ledger of these rows; what a row leaves out is unremarkable (an adult who always lived here, known at once)."""
    ledger = Ledger.create(folder, catalogue=load_catalogue(), policy=policy)
    rows = [{"subject_id": "a", "known_on": record["decided_on"], **record} for record in records]
    changes = [{"known_on": amendment["effective_on"], **amendment} for amendment in amendments]
    people = [PERSON | subject for subject in subjects]
    report = ledger.ingest(
        records=pd.DataFrame(rows) if rows else None,
        amendments=pd.DataFrame(changes) if changes else None,
        subjects=pd.DataFrame(people),
    )
    assert not report.rejected, report
    return ledger


DATA = "9f" * 32  # digest of the rows an evaluation was made on


def small_evaluation(*gates: tuple[str, float | None, float | None, float | None], **context: Any) -> EvaluationReport:
    """An evaluation with nothing but gates (name, value, least, greatest) and the digest of its data."""
    made = [
        {"name": name, "segment": "all", "value": value, "low": low, "high": high}
        | {"passed": value is not None and (low is None or value >= low) and (high is None or value <= high)}
        for name, value, low, high in gates
    ]
    told = {"question": "Does it rank?", "digests": {"out-of-time sample": DATA}} | context
    return EvaluationReport.from_dict({"schema": 1, "context": told, "gates": made})
