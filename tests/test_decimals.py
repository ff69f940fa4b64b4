"""Decimals of a kind: kept exactly, shown as they were written, refused where they have more places than declared."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.catalogue import CatalogueErrors, parse_catalogue
from credit_model.features.build import build_features
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import check_definitions
from credit_model.features.kernel import KERNEL_VERSION, compute
from credit_model.features.subject_features import explain_feature
from credit_model.foundation.decimals import decimal_of, decimal_units
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import MappingErrors, load_mapping
from credit_model.sample.events import meets
from credit_model.scorecard.bins import NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import ProbabilityMap, Profile
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Tables

TEXT = """
schema = 2
name = "loans"
version = "1"
subjects = "organisation"
[dimensions]
credit = { zh = "信贷", en = "Credit" }
[[policies.tier]]
in_force_from = 2000-01-01
minor = "ever"
general = "ever"
serious = "ever"
[kinds.statement]
zh = "月结单"
en = "Monthly statement"
dimension = "credit"
polarity = "neutral"
finality = "decision"
use = "valid_to"
attributes.balance = { type = "decimal", places = 2 }
"""
CATALOGUE = parse_catalogue(TEXT)
DAYS = {"decided_on": "2024-03-01", "known_on": "2024-03-01"}
AS_OF = "2024-06-01"


def rows(*balances: object) -> pd.DataFrame:
    """Records of one subject, with these balances."""
    count = len(balances)
    ids = [f"r{i}" for i in range(count)]
    return pd.DataFrame(
        {"record_id": ids, "subject_id": "s1", "kind": "statement", **DAYS, "balance": pd.Series(balances)}
    )


def ledger_of(folder: Path, *balances: object) -> Ledger:
    ledger = Ledger.create(folder / "ledger", CATALOGUE)
    ledger.ingest(records=rows(*balances))
    return ledger


def feature(aggregate: str, **more: object) -> FeatureDefinition:
    return FeatureDefinition.from_dict({"name": aggregate, "aggregate": aggregate, "window": "12m", **more})


# ---------------------------------------------------------------------------------------------- the number


@given(st.integers(-(10**13), 10**13), st.integers(1, 9))
def test_a_decimal_that_is_read_and_printed_is_the_same_text(units: int, places: int) -> None:
    text = f"{decimal_of(units, places):f}"
    assert decimal_units(text, places) == units
    assert f"{decimal_of(decimal_units(text, places), places):f}" == text


@given(st.decimals(-(10**9), 10**9, places=4, allow_nan=False), st.integers(1, 3))
def test_a_decimal_is_taken_exactly_or_not_at_all(value: Decimal, places: int) -> None:
    if value == round(value, places):
        assert decimal_of(decimal_units(f"{value:f}", places), places) == value
    else:
        with pytest.raises(ValueError, match="more than"):
            decimal_units(f"{value:f}", places)


@pytest.mark.parametrize("value", ["", "nan", "inf", "1_000", "７", "1,5", True, None, "1e999", "9" * 50])
def test_what_is_no_decimal_number_is_not_read(value: object) -> None:
    with pytest.raises(ValueError, match="no decimal number"):
        decimal_units(value, 2)


# ---------------------------------------------------------------------------------------------- the catalogue


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ('{ type = "decimal" }', "attributes.balance.places: must be a whole number from 1 to 9, got None"),
        ('{ type = "decimal", places = 10 }', "attributes.balance.places: must be a whole number from 1 to 9, got 10"),
        ('{ type = "int", places = 2 }', "attributes.balance.places: only a decimal has it"),
    ],
)
def test_a_decimal_says_its_places_and_nothing_else_has_any(spec: str, fault: str) -> None:
    with pytest.raises(CatalogueErrors, match=fault):
        parse_catalogue(TEXT.replace('{ type = "decimal", places = 2 }', spec))


def test_two_kinds_that_share_a_decimal_have_the_same_places() -> None:
    kind = TEXT[TEXT.index("[kinds.statement]") :].replace("statement]", "offer]").replace("places = 2", "places = 3")
    with pytest.raises(CatalogueErrors, match=r"kinds\.offer\.attributes\.balance\.places: 3 here and 2 in another"):
        parse_catalogue(TEXT + kind)


# ---------------------------------------------------------------------------------------------- the ledger


@pytest.mark.parametrize("values", [["74.08", "-3.5"], [74.08, -3.5], [Decimal("74.08"), Decimal("-3.50")]])
def test_a_decimal_comes_as_text_or_number_and_is_shown_with_its_places(tmp_path: Path, values: list[object]) -> None:
    ledger = ledger_of(tmp_path, *values)
    assert ledger.tables().records["balance"].tolist() == [7408, -350]
    assert sorted(map(str, ledger.as_of(AS_OF)["balance"])) == ["-3.50", "74.08"]
    assert sorted(map(str, ledger.between("2024-01-01", AS_OF, known_by=AS_OF)["balance"])) == ["-3.50", "74.08"]


def test_a_value_of_more_places_is_refused_with_its_row_and_column(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", CATALOGUE)
    report = ledger.ingest(records=rows("74.08", "74.083", "74.0800", "1e14"))
    assert (report.accepted, report.rejected) == (2, {"too_many_places": 1, "number_out_of_range": 1})
    first = json.loads(report.quarantine.read_text(encoding="utf-8").splitlines()[0])
    assert first["row"] == 2
    assert first["reasons"][0]["column"] == "balance"
    assert '"74.083"' in json.dumps(first)


@pytest.mark.parametrize("value", ["balance=80.1", '{"balance": 80.1}', '{"balance": "80.10"}'])
def test_a_correction_gives_a_decimal_as_text_or_number(tmp_path: Path, value: str) -> None:
    ledger = ledger_of(tmp_path, "74.08")
    amendment = {"record_id": "r0", "action": "corrected", "known_on": "2024-04-01", "effective_on": "2024-04-01"}
    too_fine = value.replace("80.1", "80.123").replace("80.1230", "80.123")
    report = ledger.ingest(amendments=pd.DataFrame([{**amendment, "value": v} for v in (value, too_fine)]))
    assert (report.accepted, report.rejected) == (1, {"amendment_value": 1})
    assert str(ledger.as_of(AS_OF)["balance"].item()) == "80.10"


def test_a_mapping_gives_decimals_and_multiplies_none(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    text = (
        'schema = 1\nname = "m"\n[[table]]\nsource = "s"\n[table.columns]\nsubject_id = "who"\n'
        'kind = { value = "statement" }\ndecided_on = "day"\nknown_on = "day"\nbalance = "left"\n'
    )
    file.write_text(text, encoding="utf-8")
    ledger = Ledger.create(tmp_path / "ledger", CATALOGUE)
    raw = pd.DataFrame({"who": ["a", "b"], "day": "2024-03-01", "left": ["74.08", "0.1"]})
    assert ledger.ingest({"s": raw}, mapping=load_mapping(file, CATALOGUE)).accepted == 2
    assert sorted(ledger.tables().records["balance"].tolist()) == [10, 7408]
    file.write_text(text.replace('"left"', '{ column = "left", multiply = 100 }'), encoding="utf-8")
    with pytest.raises(MappingErrors, match="balance: multiply and part give whole numbers, and this is a decimal"):
        load_mapping(file, CATALOGUE)


# ---------------------------------------------------------------------------------------------- features


@settings(max_examples=40, deadline=None)
@given(st.lists(st.decimals(-(10**4), 10**4, places=2), min_size=1, max_size=12))
def test_aggregates_of_decimals_are_those_of_exact_decimals(values: list[Decimal]) -> None:
    records = {name: column.tolist() for name, column in rows(*values).items()}
    records["balance"] = [decimal_units(value, 2) for value in values]
    tables = Tables.of(records, attribute_types=CATALOGUE.attribute_types)
    segments = compile_segments(tables, CATALOGUE, "tier", 20_780)
    expected = {
        "sum": sum(values), "max": max(values), "min": min(values), "count_distinct": len(set(values)),
        "mean": Decimal(sum(decimal_units(v, 2) for v in values)) / (100 * len(values)),
    }  # fmt: skip
    definitions = [feature(name, of="balance") for name in expected]
    day = (pd.Timestamp(AS_OF) - pd.Timestamp(0)).days
    (row,) = compute(segments, [0], [day], definitions, CATALOGUE)
    assert row.tolist() == [np.float32(float(value)) for value in expected.values()]


@pytest.mark.parametrize("limit", [74.08, "74.08"])
def test_a_condition_is_written_as_a_decimal(tmp_path: Path, limit: float | str) -> None:
    ledger = ledger_of(tmp_path, "74.07", "74.08", "100", None)
    at_least = feature("count", where={"balance": {"ge": limit}})
    frame = pd.DataFrame({"subject_id": ["s1"], "as_of": [AS_OF]})
    assert build_features(ledger, frame, features=[at_least]).iloc[0, -1] == 2
    equal = feature("count", where={"balance": limit})
    assert build_features(ledger, frame, features=[equal]).iloc[0, -1] == 1
    records = ledger.between("2024-01-01", AS_OF, known_by=AS_OF)
    assert meets(records, at_least.conditions, CATALOGUE).sum() == 2


def test_a_condition_of_more_places_is_refused_with_its_value() -> None:
    fine = feature("count", where={"balance": {"ge": 74.083}}, trend="higher_is_worse")
    with pytest.raises(UserError, match=r"at most 2 decimal places: 74\.083 has more than 2 decimal places"):
        check_definitions([fine], CATALOGUE)


def test_an_explanation_and_a_reason_show_the_decimal(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, "70.00", "4.08")
    total = feature("sum", of="balance", trend="higher_is_worse", label_zh="余额", label_en="Balance")
    assert explain_feature(ledger, "s1", AS_OF, "sum", features=[total]).value == 74.08
    points = tuple(Attribute(p, 0.0, 0.5, 0.1) for p in (0, -10, 0))
    column = Characteristic("sum", NumericBins((50.0,)), points, 0, definition=total)
    profile, even = Profile("open", 600, 40, ("B", "A"), (600,)), ProbabilityMap((0, 1200), (-5.0, 5.0))
    card = Card("one", profile, (column,), even, kernel_version=KERNEL_VERSION)
    values = build_features(ledger, pd.DataFrame({"subject_id": ["s1"], "as_of": [AS_OF]}), features=[total])
    reason = card.score_one({"sum": float(values["sum"].iloc[0])}).reasons[0]
    assert (reason.text_en, reason.text_zh) == ("Balance: 74.08 (10 points lost)", "余额：74.08（扣10分）")
