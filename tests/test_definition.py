"""A feature definition says what it is, and every fault of it at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.conditions import Window
from credit_model.features.definition import DefinitionErrors, FeatureDefinition, with_meaning_of
from credit_model.features.dictionary import check_definitions, library, load_definitions

CATALOGUE = load_catalogue()
ADVERSE = {"polarity": "adverse"}


def define(**said: object) -> FeatureDefinition:
    usual = {"name": "f", "aggregate": "count", "where": ADVERSE, "window": "24m", "trend": "higher_is_worse"}
    return FeatureDefinition(**{**usual, **said})


# ------------------------------------------------------------------------------------------------ form
@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("24m", Window("months", 24)),
        ("365d", Window("days", 365)),
        ("ever", Window("ever")),
        ("last_day:adm_inspection", Window("last_day", kind="adm_inspection")),
    ],
)
def test_a_window_is_read(text: str, window: Window) -> None:
    assert Window.parse(text) == window


@pytest.mark.parametrize("text", ["24", "0m", "24w", "m24", "24 m", "last_day:", "-3m", "", None, 24])
def test_a_malformed_window_is_a_fault(text: object) -> None:
    with pytest.raises(DefinitionErrors, match="is not understood; write '24m', '365d', 'ever' or 'last_day:KIND'"):
        define(window=text)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"name": " "}, "name must be a text of its own"),
        ({"name": "as_of"}, "name must be a text of its own"),
        ({"aggregate": "counts"}, "unknown aggregate 'counts'; did you mean 'count'?"),
        ({"trend": "higher_is_wrose"}, "unknown trend 'higher_is_wrose'; did you mean 'higher_is_worse'?"),
        ({"window_on": "known_on"}, "window_on 'known_on' is not known"),
        ({"aggregate": "sum"}, "sum needs 'of'"),
        ({"of": "amount"}, "count takes no 'of'; leave it out"),
        ({"per": "person"}, "per 'person' is not known; write 'case' or 'record'"),
        (
            {"aggregate": "tenure_days", "per": "case"},
            "tenure_days takes no 'per'; it belongs to count, any, sum, decayed",
        ),
        ({"none": "nothing"}, "none must be a number or 'missing'"),
        ({"none": float("nan")}, "none must be a number or 'missing'"),
        ({"cap": 0}, "cap must be a number above 0"),
        ({"scale": 2.5}, "scale must be a whole number above 0"),
        ({"scale": True}, "scale must be a whole number above 0"),
        ({"aggregate": "decayed_sum"}, "half_life_days is needed by decayed_sum"),
        ({"half_life_days": 365}, "half_life_days is needed by decayed_sum, and by nothing else"),
        ({"aggregate": "decayed_sum", "half_life_days": 0}, "half_life_days must be a whole number above 0"),
        ({"aggregate": "ratio", "numerator": {}}, "denominator is needed by ratio and contrast"),
        ({"numerator": {}}, "numerator is needed by ratio and contrast, and by nothing else"),
        ({"prior": (1, 1)}, "prior belongs to ratio alone"),
        ({"prior": (1,)}, "prior must be two numbers"),
        ({"prior": (-1, 2)}, "prior must be two numbers"),
        ({"where": ["adverse"]}, "where must be a table of conditions"),
        ({"where": {"kinds": []}}, "where: kinds needs a value or a list of values"),
        ({"where": {"kinds": {"le": 3}}}, "where: kinds needs a value or a list of values"),
        ({"where": {"score": {"lte": 3}}}, "score: unknown comparison 'lte'; did you mean 'lt'?"),
        ({"where": {"score": {"in": 3}}}, "'in' takes a list and only 'in' does"),
        ({"where": {"score": {"le": [3]}}}, "'in' takes a list and only 'in' does"),
    ],
)
def test_a_fault_of_form_is_named(said: dict[str, object], fault: str) -> None:
    with pytest.raises(DefinitionErrors, match="feature ") as caught:
        define(**said)
    assert any(fault in found for found in caught.value.faults), caught.value.faults


def test_all_faults_of_a_definition_come_at_once() -> None:
    with pytest.raises(UserError) as caught:
        define(aggregate="sums", window="x", trend="up", none="no")
    assert len(caught.value.faults) == 4


def test_none_is_zero_for_counts_missing_for_values_and_the_prior_for_a_ratio() -> None:
    assert define().none == 0
    assert define(aggregate="mean", of="amount").none == "missing"
    assert define(aggregate="recency_days").missing
    assert define(aggregate="ratio", numerator={}, denominator={}, prior=(1, 9)).none == 0.1
    assert define(aggregate="ratio", numerator={}, denominator={}).missing


# ------------------------------------------------------------------------------------------------ against a catalogue
@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"where": {"kinds": "adm_penalti"}}, "where: unknown kind 'adm_penalti'; did you mean 'adm_penalty'?"),
        ({"where": {"dimension": "law"}}, "where: unknown dimension 'law'; "),
        ({"where": {"field": ["traffic"]}}, "where: unknown field 'traffic'; did you mean 'traffic_safety'?"),
        ({"where": {"polarity": "bad"}}, "unknown polarity 'bad'; known: adverse, positive, neutral"),
        ({"where": {"tier_at_least": "grave"}}, "where: unknown tier 'grave'"),
        ({"where": {"tier": ["general", "serius"]}}, "unknown tier 'serius'; did you mean 'serious'?"),
        ({"where": {"role": "list"}}, "unknown role 'list'; did you mean 'listed'?"),
        ({"where": {"penalty_typ": "fine"}}, "unknown attribute 'penalty_typ'; did you mean 'penalty_type'?"),
        ({"where": {"penalty_type": "fines"}}, "penalty_type never holds 'fines'; did you mean 'fine'?"),
        ({"where": {"penalty_type": {"le": "fine"}}}, "penalty_type is a text: compare it with 'eq' or 'in'"),
        ({"where": {"amount": {"ge": "much"}}}, "amount must be compared with a number"),
        ({"where": {"valid_to": {"ge": 2024}}}, "valid_to must be compared with a date"),
        ({"where": {"applicant_sex": "f"}}, "'applicant_sex' is on the deny-list (sex): no feature may use it"),
        ({"aggregate": "max", "of": "income"}, "of: 'income' is on the deny-list (income)"),
        ({"aggregate": "max", "of": "amont"}, "of: unknown attribute 'amont'; did you mean 'amount'?"),
        ({"aggregate": "max", "of": "penalty_type"}, "of: max needs a number, and penalty_type is a text"),
        ({"aggregate": "mean", "of": "valid_to"}, "of: mean needs a number, and valid_to is a date"),
        ({"aggregate": "sum", "of": "case"}, "of: sum needs a number, and case is a text"),
        ({"window": "last_day:adm_inspecton"}, "window: unknown kind 'adm_inspecton'; did you mean 'adm_inspection'?"),
        ({"where": {"kinds": "honour", "polarity": "adverse"}}, "where: no kind of catalogue"),
        ({"window": "61m"}, "window '61m' reaches beyond the longest look-back of 60 months"),
        ({"window": "ever"}, "window 'ever' reaches beyond the longest look-back of 60 months"),
        ({"window": "1900d"}, "window '1900d' reaches beyond the longest look-back of 60 months"),
        ({"trend": None}, "trend is missing"),
        ({"aggregate": "mean", "of": "tier"}, "not record-monotone"),
        ({"trend": "higher_is_better"}, "not record-monotone: under trend 'higher_is_better' it must count positive"),
        ({"where": {"kinds": ["honour", "adm_penalty"]}}, "it must count adverse records, yet: honour"),
    ],
)
def test_a_fault_against_the_catalogue_is_named(said: dict[str, object], fault: str) -> None:
    definition = define(**{"label_zh": "数", "label_en": "n", "reason": "A1", **said})
    with pytest.raises(DefinitionErrors) as caught:
        check_definitions([definition], CATALOGUE, max_look_back_months=60, for_card=True, record_monotone=True)
    assert any(fault in found for found in caught.value.faults), caught.value.faults


def test_labels_and_a_reason_code_may_be_absent_until_a_version_is_promoted() -> None:
    bare = define(label_zh="", label_en="", reason="")
    check_definitions([bare], CATALOGUE, max_look_back_months=60, for_card=True, record_monotone=True)
    assert (bare.label_zh, bare.label_en) == (bare.name, bare.name), "the name serves until then"
    assert bare.absent_wording == ("label_zh", "label_en", "reason")
    assert define(label_zh="数", label_en="count", reason="A1").absent_wording == ()
    assert all(not definition.absent_wording for definition in library())


def test_of_organisations_a_trend_may_be_left_to_the_data() -> None:
    shops = load_catalogue(Path(__file__).parents[1] / "data" / "public" / "sf_restaurants" / "catalogue.toml")
    visits = {"where": {"kinds": ["inspection"]}, "label_zh": "次", "label_en": "n", "reason": "B1", "trend": None}
    check_definitions([define(**visits)], shops, for_card=True)
    with pytest.raises(DefinitionErrors, match="not record-monotone"):
        check_definitions([define(**visits)], shops, for_card=True, record_monotone=True)


def test_faults_of_all_definitions_come_in_one_message_and_names_are_unique() -> None:
    wrong = [define(where={"kinds": "a_kind"}), define(where={"field": "a_field"}), define(name="g")]
    with pytest.raises(DefinitionErrors) as caught:
        check_definitions(wrong, CATALOGUE)
    assert len(caught.value.faults) == 3
    assert "feature 'f': 2 definitions share the name" in caught.value.faults


def test_a_breach_ratio_whose_whole_holds_another_adverse_kind_is_refused() -> None:
    diluted = define(
        where={}, aggregate="ratio", numerator={"kinds": ["commitment_breach"]}, prior=(1, 9),
        denominator={"kinds": ["commitment_breach", "commitment_fulfilled", "debt_evasion"]},
    )  # fmt: skip
    assert diluted.record_monotone  # by its form
    with pytest.raises(DefinitionErrors, match="it must count adverse records, yet: debt_evasion"):
        check_definitions([diluted], CATALOGUE, record_monotone=True)


# ------------------------------------------------------------------------------------------------ record-monotone
RATIO = {"aggregate": "ratio", "where": {}, "numerator": {"kinds": ["a"]}, "denominator": {"kinds": ["a", "b"]}}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"aggregate": "any"},
        {"cap": 3},
        {"where": {"tier_at_least": "general"}},
        {"where": {"tier": ["serious", "general"]}},
        {"where": {"amount": {"ge": 1000}}},
        {"window": "ever"},
        {"window_on": "visible_from"},
        {"aggregate": "count_distinct", "of": "kind"},
        {"aggregate": "sum", "of": "amount"},
        {"aggregate": "max", "of": "tier", "none": 0},
        {"aggregate": "decayed_sum", "half_life_days": 365},
        {"aggregate": "recency_days", "trend": "lower_is_worse", "cap": 1826, "none": 1826},
        {**RATIO, "prior": (1, 9)},
        {"where": {"polarity": "positive"}, "trend": "higher_is_better"},
    ],
)
def test_the_safe_families_are_record_monotone(said: dict[str, object]) -> None:
    assert define(**said).record_monotone


@pytest.mark.parametrize(
    "said",
    [
        {"aggregate": "mean", "of": "tier"},
        {"aggregate": "min", "of": "amount"},
        {"aggregate": "last", "of": "tier"},
        {"aggregate": "tenure_days"},
        {"aggregate": "contrast", "numerator": {}, "denominator": {"tier": "minor"}},
        {"trend": None},
        {"none": 1},
        {"none": "missing"},
        {"where": {"tier": "general"}},
        {"where": {"amount": {"le": 1000}}},
        {"window": "last_day:adm_inspection"},
        {"aggregate": "sum", "of": "score"},
        {"aggregate": "recency_days", "trend": "lower_is_worse", "cap": 1826, "none": 0},
        {"aggregate": "recency_days", "trend": "lower_is_worse", "none": 1826},
        {"aggregate": "recency_days", "trend": "lower_is_worse", "cap": 1826},
        {**RATIO},
        {**RATIO, "prior": (1, 9), "none": 0.0},
        {**RATIO, "prior": (1, 9), "denominator": {"kinds": ["b"]}},
        {**RATIO, "prior": (1, 9), "denominator": {"kinds": ["a", "b"], "tier_at_least": "general"}},
    ],
)
def test_everything_else_is_not(said: dict[str, object]) -> None:
    assert not define(**said).record_monotone


# ------------------------------------------------------------------------------------------------ text
def test_a_definition_survives_json() -> None:
    for definition in library():
        again = FeatureDefinition.from_dict(json.loads(json.dumps(definition.to_dict())))
        assert again == definition
        assert hash(again) == hash(definition)


def test_toml_reads_the_same_keys(tmp_path: Path) -> None:
    path = tmp_path / "features.toml"
    path.write_text(
        """
        [[feature]]
        name = "low_scores"
        where = { kinds = ["adm_inspection"], valid_to = { ge = 2024-01-01 } }
        aggregate = "ratio"
        numerator = { result = "fail" }
        denominator = {}
        prior = [1, 4]
        window = "365d"
        """
    )
    (definition,) = load_definitions(path)
    assert definition == FeatureDefinition(
        name="low_scores", where={"kinds": ["adm_inspection"], "valid_to": {"ge": "2024-01-01"}}, aggregate="ratio",
        numerator={"result": "fail"}, denominator={}, prior=(1, 4), window="365d",
    )  # fmt: skip
    check_definitions([definition], CATALOGUE)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("feature = [", ["not valid TOML"]),
        ("schema = 1", ["there is no [[feature]] in it"]),
        ("schema = 2\n[[features]]", ["unknown key 'features'; did you mean 'feature'?", "schema 2 is not known"]),
        (
            "[[feature]]\nname='a'\nagregate='count'\n[[feature]]\nname='b'\naggregate='median'",
            ["feature 'a': unknown key 'agregate'; did you mean 'aggregate'?", "feature 'a': aggregate is missing",
             "feature 'b': unknown aggregate 'median'"],
        ),
    ],
)  # fmt: skip
def test_a_faulty_file_is_reported_with_every_fault(tmp_path: Path, text: str, faults: list[str]) -> None:
    path = tmp_path / "features.toml"
    path.write_text(text)
    with pytest.raises(DefinitionErrors) as caught:
        load_definitions(path)
    for fault in faults:
        assert any(fault in found for found in caught.value.faults), caught.value.faults


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionErrors, match=r"nowhere\.toml: cannot be read"):
        load_definitions(tmp_path / "nowhere.toml")


# ------------------------------------------------------------------------------------------------ the dictionary
def test_the_dictionary_may_enter_a_card_whole() -> None:
    check_definitions(library(), CATALOGUE, max_look_back_months=60, for_card=True, record_monotone=True)
    assert 40 <= len(library()) <= 60


def test_the_dictionary_gives_every_feature_its_own_labels_and_reason() -> None:
    for key in ("name", "label_zh", "label_en", "reason"):
        assert len({getattr(definition, key) for definition in library()}) == len(library())
    adverse = [d for d in library() if d.reason.startswith("A")]
    assert {d.reason[0] for d in library()} == {"A", "P"}
    assert len(adverse) > len(library()) - len(adverse) > 0


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_feature_can_be_said_in_a_sentence_of_its_own(lang: str) -> None:
    said = [definition.sentence(lang, CATALOGUE) for definition in library()]
    assert len(set(said)) == len(said)
    assert not any("{" in text or "None" in text for text in said)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_every_aggregate_has_words(aggregate: str) -> None:
    needs = {
        **{name: {"of": "tier"} for name, declared in AGGREGATES.items() if declared.of == "needed"},
        "decayed_sum": {"half_life_days": 30},
        "ratio": {"numerator": {"tier": "serious"}, "denominator": {"field": "tax_payment"}, "prior": (1, 1)},
        "contrast": {"numerator": {"role": "listed"}, "denominator": {"amount": {"gt": 5}}},
    }
    definition = define(aggregate=aggregate, **needs.get(aggregate, {}))
    other = replace(definition, window="last_day:adm_inspection", window_on="visible_from", scale=10)
    for changed in (definition, other):
        assert changed.sentence("en").endswith(".")
        assert changed.sentence("zh").endswith("。")


def test_of_persons_cases_count_once_unless_the_definition_says_otherwise() -> None:
    count, organisations = define(), replace(CATALOGUE, subjects="organisation")
    assert count.counts_cases(CATALOGUE)
    assert not count.counts_cases(organisations)
    assert replace(count, per="case").counts_cases(organisations)
    assert not replace(count, per="record").counts_cases(CATALOGUE)
    assert "records of one case count once" in count.sentence("en", CATALOGUE)
    assert "同一案件只计一次" in count.sentence("zh", CATALOGUE)
    assert "one case" not in replace(count, per="record").sentence("en", CATALOGUE)
    assert "per" not in count.to_dict()
    assert replace(count, per="record").to_dict()["per"] == "record"


def test_version_1_of_the_kernel_counted_every_record() -> None:
    assert with_meaning_of(define(), 1) == define(per="record")
    assert with_meaning_of(define(), 2) == define()
    assert with_meaning_of(define(aggregate="recency_days"), 1) == define(aggregate="recency_days")
    with pytest.raises(DefinitionErrors, match="feature kernel 1 counts no cases; leave 'per' out"):
        with_meaning_of(define(per="case"), 1)


def test_a_sentence_in_another_language_is_refused() -> None:
    with pytest.raises(UserError, match="there is 'en' and 'zh'"):
        define().sentence("fr")
