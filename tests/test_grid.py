"""A grid of features: every cell is a definition, or is named with the reason why not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_card import penalty, small_ledger
from test_kernel import MADE

from credit_model import UserError, build_features
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.catalogue.kind_rules import AppealPeriod
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import check_definitions, library, load_definitions, save_definitions
from credit_model.features.grid import feature_grid

CATALOGUE = load_catalogue()
USE = "2026-07-01"
AGGREGATES = ("count", "any", "sum:amount", "max:amount", "mean:amount", "last:tier", "recency_days", "tenure_days",
              "decayed_sum/365d", "decayed_sum:amount/180d", "count_distinct:field", "ratio")  # fmt: skip
WINDOWS = ("3m", "365d", "24m", "60m", "72m", "ever", "last_day:adm_inspection")


def names_of(refused: dict[str, str], words: str) -> set[str]:
    return {name for name, why in refused.items() if words in why}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([*CATALOGUE.kinds, "adverse", "positive"]), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(AGGREGATES), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True),
    st.sampled_from([("",), ("", "general", "serious")]),
    st.booleans(),
)
def test_every_cell_is_a_definition_or_is_named_and_what_is_made_may_enter_a_card(
    kinds: list[str], aggregates: list[str], windows: list[str], tiers: tuple[str, ...], record_monotone: bool
) -> None:
    grid = feature_grid(CATALOGUE, kinds, aggregates, windows, tiers, day_of_use=USE, record_monotone=record_monotone)
    made = {definition.name for definition in grid.definitions}
    assert not made & set(grid.refused)
    assert len(made) + len(grid.refused) == len(list(product(kinds, aggregates, windows, tiers)))
    assert all(grid.refused.values())
    check_definitions(
        grid.definitions, CATALOGUE, max_look_back_months=60, for_card=record_monotone, record_monotone=record_monotone
    )
    for lang in ("label_zh", "label_en"):
        assert len({getattr(definition, lang) for definition in grid.definitions}) == len(made)
    if not record_monotone:
        assert "record-monotone" not in "".join(grid.refused.values())


def test_a_minor_record_that_is_final_only_after_its_use_is_over_fills_no_cell_unless_finality_is_stated() -> None:
    kinds = ["housing_fund_overdue", "adm_penalty", "utility_default"]  # minor; by record; minor, final at once
    grid = feature_grid(CATALOGUE, kinds, ["count"], ["3m", "12m"], day_of_use=USE)
    assert {d.name for d in grid.definitions} == {
        "adm_penalty_count_12m", "utility_default_count_3m", "utility_default_count_12m"
    }  # fmt: skip
    assert set(grid.refused) == names_of(grid.refused, "final 6 months after service at the earliest unless")
    stated = feature_grid(CATALOGUE, kinds, ["count"], ["3m", "12m"], day_of_use=USE, finality_stated=kinds[:1])
    assert set(stated.refused) == {"adm_penalty_count_3m"}
    retained = feature_grid(CATALOGUE, kinds, ["count"], ["3m", "12m"], day_of_use=USE, policy="retention")
    assert "housing_fund_overdue_count_12m" not in retained.refused


def test_the_appeal_period_of_the_kind_says_which_cells_stay_empty() -> None:
    kind = replace(CATALOGUE.kinds["housing_fund_overdue"], appeal=AppealPeriod(days=60))
    catalogue = replace(CATALOGUE, kinds={**CATALOGUE.kinds, kind.code: kind})
    grid = feature_grid(catalogue, [kind.code], ["count"], ["1m", "3m"], day_of_use=USE)
    assert {d.name for d in grid.definitions} == {"housing_fund_overdue_count_3m"}
    assert set(grid.refused) == names_of(grid.refused, "final 1.97 months after service at the earliest unless")


def test_a_refused_cell_is_empty_in_a_ledger_of_the_hardest_case_and_the_made_one_is_not(tmp_path: Path) -> None:
    """Served on the day of the decision, never challenged: the soonest that finality can be presumed."""
    minor = {"record_id": "m", "kind": "housing_fund_overdue", "decided_on": "2025-08-01", "served_on": "2025-08-01"}
    general = penalty("g", "2025-08-01") | {"final_on": None, "served_on": "2025-08-01"}
    ledger = small_ledger(tmp_path / "ledger", [minor, general])
    days = pd.date_range("2025-08-01", "2026-09-01").strftime("%Y-%m-%d")
    observed = pd.DataFrame({"subject_id": "a", "as_of": days})
    kinds = ["housing_fund_overdue", "adm_penalty"]
    made = feature_grid(CATALOGUE, kinds, ["count"], ["12m"], day_of_use=USE).definitions
    every = feature_grid(CATALOGUE, kinds, ["count"], ["12m"], day_of_use=USE, finality_stated=True).definitions
    found = build_features(ledger, observed, every, day_of_use=USE).max()
    assert found.to_dict() == {"housing_fund_overdue_count_12m": 0, "adm_penalty_count_12m": 1}
    assert [definition.name for definition in made] == ["adm_penalty_count_12m"]


def test_what_a_card_would_refuse_says_so_and_is_there_to_explore() -> None:
    asked = (CATALOGUE, ["adm_penalty"], ["mean:amount", "tenure_days", "count"], ["24m"])
    grid = feature_grid(*asked, day_of_use=USE)
    assert [definition.name for definition in grid.definitions] == ["adm_penalty_count_24m"]
    assert len(names_of(grid.refused, "record-monotone")) == 2
    assert len(feature_grid(*asked, day_of_use=USE, record_monotone=False).definitions) == 3


@pytest.mark.parametrize(
    ("kind", "aggregate", "window", "tier", "why"),
    [
        ("public_security_violation", "count", "24m", "", "none of its kinds is lawful on the day of use"),
        ("blood_donation", "count", "24m", "", "none of its kinds is lawful on the day of use"),
        ("adm_coercion", "count", "24m", "serious", "none of its kinds is ever of tier serious or worse"),
        ("honour", "max:level", "24m", "", "max needs a number, and level is a text"),
        ("honour", "count_distinct:offence", "24m", "", "none of its kinds has an attribute offence"),
        ("adm_penalty", "count", "72m", "", "beyond the longest look-back of 60 months"),
        ("adm_penalty", "sum", "24m", "", "sum needs 'of'"),
        ("adm_penalty", "ratio", "24m", "", "numerator is needed by ratio"),
        ("adm_penalty", "decayed_sum", "24m", "", "half_life_days is needed"),
        ("adm_penalty", "sum:sex", "24m", "", "deny-list"),
    ],
)
def test_a_cell_left_out_says_why(kind: str, aggregate: str, window: str, tier: str, why: str) -> None:
    grid = feature_grid(CATALOGUE, [kind], [aggregate], [window], [tier], day_of_use=USE)
    assert not grid.definitions
    assert [why in said for said in grid.refused.values()] == [True], grid.refused


def test_names_labels_and_sentences_follow_one_form_in_both_languages() -> None:
    said = feature_grid(
        CATALOGUE,
        ["adm_penalty", "adverse"],
        ["recency_days", "decayed_sum/365d"],
        ["24m"],
        ["general"],
        day_of_use=USE,
    ).definitions
    assert [(d.name, d.label_zh, d.label_en) for d in said] == [
        ("adm_penalty_general_days_since_24m", "近24个月距最近一条一般及以上“行政处罚”信息的天数",
         'Days since the latest of records of "Administrative penalty" of tier general or worse, 24 months'),
        ("adm_penalty_general_decayed_365d_24m", "近24个月一般及以上“行政处罚”信息的条数(每365天减半)",
         'Number of records of "Administrative penalty" of tier general or worse, halved every 365 days, 24 months'),
        ("adverse_general_days_since_24m", "近24个月距最近一条一般及以上不良信息的天数",
         "Days since the latest of adverse records of tier general or worse, 24 months"),
        ("adverse_general_decayed_365d_24m", "近24个月一般及以上不良信息的条数(每365天减半)",
         "Number of adverse records of tier general or worse, halved every 365 days, 24 months"),
    ]  # fmt: skip
    for definition in said:
        assert definition.sentence("en", CATALOGUE).endswith(".")
        assert definition.sentence("zh", CATALOGUE).endswith("。")


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"kinds": ["adm_penalti"]}, "did you mean 'adm_penalty'"),
        ({"tiers": ["grave"]}, "tier 'grave', unknown"),
        ({"aggregates": ["count of all"]}, "write AGGREGATE, AGGREGATE:OF"),
        ({"policy": "none"}, "policy 'none' is not in catalogue"),
    ],
)
def test_an_axis_that_is_none_is_refused_in_one_line(axes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        feature_grid(CATALOGUE, day_of_use=USE, **axes)  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*MADE, *library()]), min_size=1, max_size=6, unique_by=lambda d: d.name))
def test_definitions_written_to_a_file_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, definitions: list[FeatureDefinition]
) -> None:
    path = save_definitions(definitions, tmp_path_factory.mktemp("grid") / "features.toml")
    assert load_definitions(path) == tuple(definitions)
