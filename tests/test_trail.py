"""The records behind a value: the cases in words, and that those named, and no others, give the value."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from small_card import DAY_OF_USE, small_ledger
from test_kernel import CATALOGUE, MADE, days, made_segments, ordinal

import credit_model as cm
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import compute, trail
from credit_model.features.subject_features import SubjectFeatures
from credit_model.visibility.tables import Segments

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("trail.yaml").read_text(encoding="utf-8"))


def as_text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in rows]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_cases_in_words(case: dict[str, Any], tmp_path: Path) -> None:
    records, amendments = as_text(case["records"]), as_text(case.get("amendments", []))
    ledger = small_ledger(tmp_path / "ledger", records, amendments)
    said = case["feature"]
    features = [FeatureDefinition(**said)] if isinstance(said, dict) else None
    name = features[0].name if features else said
    explanation = cm.explain_feature(ledger, "a", case["as_of"], name, features, DAY_OF_USE)
    told = explanation.rows.set_index("record_id")
    assert sorted(told.index[told["used"]]) == sorted(case.get("used", []))
    assert told.loc[~told["used"], "ground"].to_dict() == case.get("left_out", {})
    observed = pd.DataFrame({"subject_id": ["a"], "as_of": [case["as_of"]]})
    (value,) = cm.build_features(ledger, observed, features or [name], day_of_use=DAY_OF_USE)[name]
    assert value == explanation.value == case["value"]


@settings(max_examples=40)
@given(made_segments(), st.sampled_from("ab"), days)
def test_the_records_used_and_those_that_mark_the_window_alone_give_the_value(
    segments: Segments, subject: str, day: date
) -> None:
    (index,) = segments.subject_index([subject]).tolist()
    as_of = ordinal(day)
    whole = compute(segments, [index], [as_of], MADE, CATALOGUE)[0]
    for value, definition in list(zip(whole, MADE, strict=True))[::4]:
        used, left_out = trail(segments, index, as_of, definition, CATALOGUE)
        marks = [record for record, ground in left_out if ground == "marks_the_window"]
        alone = segments.take(np.isin(segments.record, [*used, *marks]))
        (again,) = compute(alone, [index], [as_of], [definition], CATALOGUE)[0]
        assert again.tobytes() == value.tobytes()
        if not used:
            assert again.tobytes() == np.float32(SubjectFeatures([definition], CATALOGUE).none[0]).tobytes()


def test_what_hypothesis_makes_holds_every_aggregate() -> None:
    assert {definition.aggregate for definition in MADE[::4]} == set(AGGREGATES)
