"""The catalogue of kinds: what it holds, what it refuses, and which columns may never be kept."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.catalogue import Catalogue, CatalogueErrors, load_catalogue
from credit_model.foundation.calendar import to_day

CATALOGUE = load_catalogue()

SMALL = """
schema = 1
name = "small"
version = "1"
subjects = "person"
[dimensions]
conduct = { zh = "行为", en = "Conduct" }
[deny]
sex = { names = ["gender"] }
[[policies.tier]]
in_force_from = 2000-01-01
minor = 3
general = 12
serious = "ever"
[kinds.fine]
zh = "罚款"
en = "Fine"
dimension = "conduct"
polarity = "adverse"
tier = "by_record"
finality = "appeal_period"
use = "window"
"""


def small(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "small.toml"
    path.write_text(text, encoding="utf-8")
    return load_catalogue(path)


def faults_of(tmp_path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(CatalogueErrors) as caught:
        small(tmp_path, text)
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    assert "\n" not in str(caught.value)
    return caught.value.faults


def test_the_package_has_sixteen_fields_fourteen_occupations_and_five_dimensions():
    assert (len(CATALOGUE.fields), len(CATALOGUE.occupations), len(CATALOGUE.dimensions)) == (16, 14, 5)


def test_every_kind_has_both_labels_a_class_a_dimension_and_a_dated_legal_basis():
    for kind in CATALOGUE.kinds.values():
        assert kind.label_zh, kind.code
        assert kind.label_en, kind.code
        assert kind.category, kind.code
        assert kind.dimension, kind.code
        assert kind.legal, kind.code
        assert all(ref.text and ref.in_force_from < to_day("2026-11-24") for ref in kind.legal), kind.code


def test_only_adverse_records_are_outcomes_and_each_of_the_six_labels_has_a_kind():
    labels = {kind.label for kind in CATALOGUE.kinds.values() if kind.label}
    assert labels == {"L1", "L2", "L3", "L4", "L5", "L6"}
    assert all(kind.polarity == "adverse" for kind in CATALOGUE.kinds.values() if kind.label)
    assert CATALOGUE.kinds["adm_penalty"].label_tier_at_least == "general"


def test_lists_and_judgments_have_the_force_of_their_own_decision_and_penalties_wait_for_the_appeal_period():
    for code in ("dishonest_executee", "severe_list", "judgment_unperformed", "criminal_judgment", "abnormal_list"):
        assert CATALOGUE.kinds[code].finality == "decision"
    for code in ("adm_penalty", "commitment_breach", "tax_violation"):
        assert CATALOGUE.kinds[code].finality == "appeal_period"


def test_only_lists_are_statutory_and_last_while_listed():
    statutory = {code for code, kind in CATALOGUE.kinds.items() if kind.statutory}
    assert statutory == {"dishonest_executee", "severe_list", "conscription_refusal"}
    assert all(CATALOGUE.kinds[code].use == "while_listed" for code in statutory)


def test_public_security_violations_are_unlawful_from_2026_and_traffic_penalties_are_off():
    assert CATALOGUE.kinds["public_security_violation"].lawful_to == to_day("2026-01-01")
    assert not CATALOGUE.kinds["traffic_penalty_public_security"].enabled
    assert not CATALOGUE.kinds["blood_donation"].enabled


@pytest.mark.parametrize(
    ("day", "months"),
    [("2026-03-31", (60, 60, 60)), ("2026-04-01", (3, 12, 36)), ("2026-11-24", (3, 12, 36))],
)
def test_use_windows_by_tier_follow_order_36_from_its_first_day(day, months):
    edition = CATALOGUE.policy("tier", to_day(day))
    assert (edition.minor, edition.general, edition.serious) == months


def test_retention_is_five_years_whatever_the_day():
    for day in ("2018-01-01", "2026-11-24"):
        edition = CATALOGUE.policy("retention", to_day(day))
        assert (edition.retention_months, edition.keep_after_exit) == (60, True)


def test_a_policy_has_no_edition_before_its_first_day():
    with pytest.raises(UserError, match=r"no edition in force on 2017-12-31; its first is of 2018-01-01"):
        CATALOGUE.policy("tier", to_day("2017-12-31"))
    with pytest.raises(UserError, match=r"policy 'forever' is not in catalogue"):
        CATALOGUE.policy("forever", to_day("2026-11-24"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sex", "sex"), ("Gender", "sex"), ("applicant_sex", "sex"), ("性别", "sex"), ("申请人性别", "sex"),
        ("民族", "ethnicity"), ("ETHNIC GROUP", "ethnicity"), ("宗教信仰", "religion"),
        ("政治面貌", "political_status"),
        ("maritalStatus", "family"), ("marital-status", "family"), ("血型", "blood"), ("既往病史", "health"),
        ("家庭收入", "income"), ("monthly_income", "income"), ("缴存基数", "contribution_base"), ("姓名", "name"),
        ("full name", "name"), ("home_address", "address"), ("手机号", "contact"), ("户籍类型", "hukou_type"),
        ("ｓｅｘ", "sex"), ("school", "education"), ("芝麻分", "other_scores"), ("信访记录", "complaints"),
        ("tax_paid", "tax_amount"), ("fingerprint", "biometrics"), ("低保金额", "welfare"), ("iname", "name"),
    ],
)  # fmt: skip
def test_a_forbidden_attribute_is_recognised_in_any_spelling(name, code):
    assert CATALOGUE.denied(name) == code


@pytest.mark.parametrize(
    "name",
    [
        "essex", "agency_name", "decided_on", "wage_arrears", "consumption_limit_breach", "health_care",
        "housing_fund_overdue", "real_estate_agent", "source", "district", "hours", "village_address_code", "医疗卫生",
        "sexagesimal", "处罚机关名称",
    ],
)  # fmt: skip
def test_harmless_names_are_not_taken_for_forbidden_ones(name):
    assert CATALOGUE.denied(name) == ""


@given(
    st.sampled_from([(entry.code, name) for entry in CATALOGUE.forbidden for name in entry.names]),
    st.sampled_from(["upper", "title", "snake", "kebab", "padded"]),
)
def test_no_spelling_of_a_forbidden_name_passes(entry, spelling):
    code, name = entry
    if any(name == other or other in name for e in CATALOGUE.forbidden for other in e.exceptions if e.code == code):
        return
    spelt = {
        "upper": name.upper(), "title": name.title(), "snake": name.replace(" ", "_"), "kebab": name.replace(" ", "-"),
        "padded": f"  {name} ",
    }[spelling]  # fmt: skip
    assert CATALOGUE.denied(spelt) != ""


def test_no_attribute_of_the_catalogue_is_forbidden_and_audit_attributes_are():
    assert all(CATALOGUE.denied(name) == "" for name in CATALOGUE.attribute_types)
    assert all(CATALOGUE.denied(name) == name for name in CATALOGUE.audit_attributes)
    assert {"religion", "genes", "blood", "health", "biometrics"}.isdisjoint(CATALOGUE.audit_attributes)


def test_a_catalogue_is_known_by_its_content_not_by_its_comments(tmp_path):
    one, commented = small(tmp_path, SMALL), small(tmp_path, "# a remark\n" + SMALL)
    assert one == commented
    assert hash(one) == hash(commented)
    assert one != small(tmp_path, SMALL.replace("general = 12", "general = 13"))


def test_a_window_may_be_for_ever(tmp_path):
    assert small(tmp_path, SMALL).policy("tier", to_day(dt.date(2024, 1, 1))).serious is None


def test_all_faults_of_a_catalogue_are_named_at_once(tmp_path):
    wrong = (
        SMALL.replace('tier = "by_record"', 'tier = "grave"\ncolour = "red"')
        .replace('use = "window"', 'use = "window"\ncap = 0\nlawful_from = 2026-01-01\nlawful_to = 2025-01-01')
        .replace("minor = 3", "minor = 0")
        .replace("general = 12", 'general = "long"')
        .replace('zh = "罚款"', "zh = 7")
    )
    wrong += '[kinds.fine.attributes]\ngender = { type = "text" }\ntier = { type = "real" }\n'
    faults = faults_of(tmp_path, wrong)
    for part in ("kinds.fine.tier: 'grave'", "unknown key 'colour'", "kinds.fine.cap", "lawful_from is not before",
                 "policies.tier[0].minor", "policies.tier[0].general", "kinds.fine.zh", "attributes.gender: the deny",
                 "attributes.tier: the name is reserved", "'real' is not one of"):  # fmt: skip
        assert any(part in fault for fault in faults), part


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('subjects = "person"', 'subjects = "animal"', "subjects: 'animal' is not one of 'person', 'organisation'"),
        ("schema = 1", "schema = 3", "schema is 3; this version reads schema 1 and 2"),
        ('sex = { names = ["gender"] }', "", "deny is empty"),
        ('polarity = "adverse"', 'polarity = "positive"', "kinds.fine.tier: 'by_record' is not one of ''"),
        ('dimension = "conduct"', 'dimension = "wealth"', "kinds.fine.dimension: 'wealth'"),
        ('polarity = "adverse"', "", "kinds.fine: 'polarity' is missing"),
        ("in_force_from = 2000-01-01", 'in_force_from = "2000"', "must be a date like 2026-04-01"),
        ("[[policies.tier]]", "[policies.tier]", "policies.tier: must be a list of tables"),
        ('use = "window"', 'use = "window"\nlegal = ["art. 1"]', "kinds.fine.legal: must be a list of tables"),
        ('use = "window"', 'use = "window"\nattributes = 1', "kinds.fine.attributes: must be a table"),
        (
            'use = "window"',
            'use = "window"\nattributes.a = { type = "int", values = "fields" }',
            "only text has a list",
        ),
        (
            'use = "window"',
            'use = "window"\nattributes.a = { type = "text", values = "trades" }',
            "no code list 'trades'",
        ),
    ],
)
def test_each_fault_of_a_catalogue_has_its_line(tmp_path, old, new, said):
    assert any(said in fault for fault in faults_of(tmp_path, SMALL.replace(old, new)))


def test_an_attribute_has_one_type_in_all_kinds(tmp_path):
    other = SMALL[SMALL.index("[kinds.fine]") :].replace("kinds.fine", "kinds.other")
    text = f'{SMALL}attributes.points = {{ type = "int" }}\n{other}attributes.points = {{ type = "text" }}\n'
    assert faults_of(tmp_path, text) == ("kinds.other.attributes.points: is text here and int in another kind",)


def test_a_catalogue_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(CatalogueErrors, match=r"cannot be read \(FileNotFoundError\); give a TOML file"):
        load_catalogue(tmp_path / "none.toml")
    with pytest.raises(CatalogueErrors, match=r"not valid TOML"):
        small(tmp_path, "schema = ")


def test_an_organisation_needs_no_deny_list(tmp_path):
    text = SMALL.replace('"person"', '"organisation"').replace('sex = { names = ["gender"] }', "")
    assert small(tmp_path, text).deny == frozenset()


# ---------------------------------------------------------------------- rules of kinds

RULED = (
    SMALL.replace("schema = 1", "schema = 2")
    + """
zh_plain = "被罚款"
en_plain = "a fine"
severity = { minor = 1, general = 2, serious = 3 }
"""
)
GROUND = 'ground = "art. 1", from = 2024-01-01'
LIST = """
[kinds.list]
zh = "名单"
en = "List"
zh_plain = "被列入名单"
en_plain = "an entry on a list"
dimension = "conduct"
polarity = "adverse"
tier = "serious"
finality = "decision"
use = "while_listed"
statutory = true
severity = 5
attributes.reason = { type = "text", values = ["a", "b"] }
"""
ACT = 'attributes.act = { type = "text", values = ["warning", "fine"] }\n'


def test_every_adverse_kind_of_persons_has_a_class_of_severity_and_those_of_each_class_are_as_decided():
    classes = {kind.code: kind.severity for kind in CATALOGUE.kinds.values()}
    assert all((classes[code] is not None) == (kind.polarity == "adverse") for code, kind in CATALOGUE.kinds.items())
    assert [CATALOGUE.kinds["adm_penalty"].severity_of(tier) for tier in ("minor", "general", "serious")] == [1, 2, 3]
    expected = {
        "commitment_breach": 3, "judgment_unperformed": 3, "tax_violation": 3, "housing_fund_fraud": 3,
        "criminal_judgment": 4, "false_litigation": 4, "debt_evasion": 4, "licence_by_deceit": 4,
        "dishonest_executee": 5, "severe_list": 5, "conscription_refusal": 5,
    }  # fmt: skip
    assert {code: CATALOGUE.kinds[code].severity_of("minor") for code in expected} == expected
    assert CATALOGUE.kinds["honour"].severity_of("minor") is None


def test_the_rules_of_the_package_are_those_of_the_articles_they_name():
    penalty, court_list = CATALOGUE.kinds["adm_penalty"], CATALOGUE.kinds["dishonest_executee"]
    assert penalty.repair is not None
    assert [penalty.repair.months_of_tier(tier) for tier in ("minor", "general", "serious")] == [0, 3, 12]
    assert (penalty.repair.needs_performed, penalty.repair.in_force_from) == (True, to_day("2026-04-01"))
    assert court_list.term is not None
    assert set(court_list.term.months.values()) == {24}
    assert set(court_list.attributes["disrupt_type"].values or ()) - set(court_list.term.months) == {"able_refuses"}
    assert penalty.tier_by is not None
    assert penalty.tier_by.lowered("serious", "warning") == "minor"
    assert penalty.tier_by.is_below("general", "licence_revoked")
    assert not penalty.tier_by.is_below("general", "fine")
    assert (penalty.appeal.months, penalty.appeal.days, penalty.appeal.review_days) == (6, None, 15)
    assert [condition.source_contains for condition in penalty.exclude_if] == [("公安", "交警")]
    assert [(c.amount_at_most, dict(c.values)) for c in penalty.summary_if] == [
        (200, {"penalty_type": ("fine",)}), (None, {"penalty_type": ("warning",)}),
    ]  # fmt: skip


def test_what_a_person_may_be_told_of_has_plain_words():
    for kind in CATALOGUE.kinds.values():
        assert bool(kind.plain_zh) == bool(kind.plain_en) == (kind.polarity != "neutral"), kind.code


def test_loading_fails_and_names_the_kind_where_an_adverse_kind_of_persons_has_no_class(tmp_path):
    text = RULED.replace("severity = { minor = 1, general = 2, serious = 3 }", "")
    assert faults_of(tmp_path, text) == (
        "kinds.fine: severity is missing: give the class, 1 to 5, of each tier of this kind",
    )
    organisation = text.replace('"person"', '"organisation"')
    assert small(tmp_path, organisation).kinds["fine"].severity is None


def test_a_catalogue_of_version_1_has_no_rules_and_its_severity_follows_the_tier(tmp_path):
    old = small(tmp_path, SMALL + SMALL[SMALL.index("[kinds.fine]") :].replace("fine", "list") + "statutory = true\n")
    fine = old.kinds["fine"]
    assert [fine.severity_of(tier) for tier in ("minor", "general", "serious")] == [1, 2, 3]
    assert old.kinds["list"].severity_of("minor") == 5
    assert (fine.repair, fine.term, fine.tier_by, fine.exclude_if, fine.summary_if) == (None, None, None, (), ())
    faults = faults_of(tmp_path, SMALL + "severity = 1\n")
    assert faults == ("kinds.fine: 'severity' is of schema 2: write schema = 2",)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("severity = 0", "kinds.fine.severity: must be a whole number from 1 to 5, got 0"),
        ("severity = 5", "kinds.fine.severity: 5 is a listing in force"),
        ("severity = { minor = 2, general = 1, serious = 3 }", "a greater tier is of a lower class: [2, 1, 3]"),
        ("severity = { minor = 1, general = 2 }", "kinds.fine.severity: 'serious' is missing"),
        ("severity = { minor = 1, general = 2, serious = 3, grave = 4 }", "unknown key 'grave'"),
    ],
)
def test_each_fault_of_severity_has_its_line(tmp_path, line, fault):
    text = RULED.replace("severity = { minor = 1, general = 2, serious = 3 }", line)
    assert any(fault in each for each in faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("repair = {}", "kinds.fine.repair: 'ground' is missing"),
        (f"repair = {{ minimum_months = {{ minor = 0, general = 3 }}, {GROUND} }}", "minimum_months: 'serious' is"),
        (f"repair = {{ minimum_months = {{ minor = -1, general = 3, serious = 9 }}, {GROUND} }}", "of at least 0"),
        (f"tier_by = {{ by = 'act', most = {{ jail = 'minor' }}, {GROUND} }}", "'jail' is no value of act"),
        (f"tier_by = {{ by = 'zone', {GROUND} }}", "'zone' is no text attribute with a closed list; the kind has"),
        (f"tier_by = {{ by = 'act', most = {{ fine = 'grave' }}, {GROUND} }}", "'grave' is not one of"),
        (
            f"tier_by = {{ by = 'act', most = {{ fine = 'minor' }}, least = {{ fine = 'general' }}, {GROUND} }}",
            "kinds.fine.tier_by: 'fine' allows no tier",
        ),
        (
            f"term_months = {{ by = 'act', values = {{ fine = 24 }}, {GROUND} }}",
            "only a kind with use = 'while_listed'",
        ),
        (f"exclude_if = [{{ {GROUND} }}]", "so would hold for every row"),
        (f"exclude_if = [{{ act = 'jail', {GROUND} }}]", "kinds.fine.exclude_if[0].act: 'jail' is no value of act"),
        ("exclude_if = [{ act = 'fine' }]", "kinds.fine.exclude_if[0]: 'from' is missing"),
        (f"summary_if = [{{ source_contains = ['a'], {GROUND} }}]", "only exclude_if asks about the source"),
        (f"summary_if = [{{ amount_below = 200, {GROUND} }}]", "unknown key 'amount_below'"),
        ("appeal_months = 6\nappeal_days = 60", "give appeal_months or appeal_days, not both"),
        ("appeal_days = 0", "kinds.fine.appeal_days: must be a whole number of at least 1, got 0"),
    ],
)
def test_each_fault_of_a_rule_has_its_line(tmp_path, lines, fault):
    faults = faults_of(tmp_path, f"{RULED}{lines}\n{ACT}")
    assert any(fault in each for each in faults), faults


def test_rules_stand_only_where_they_can_be_applied(tmp_path):
    term = f"term_months = {{ by = 'reason', values = {{ a = 24 }}, {GROUND} }}\n"
    entries = small(tmp_path, RULED + LIST + term).kinds["list"]
    assert entries.term is not None
    assert (entries.term.attribute, entries.term.months) == ("reason", {"a": 24})
    faults = faults_of(tmp_path, RULED + LIST + "appeal_months = 6\n")
    assert faults == ("kinds.list.appeal_months: only a kind with finality = 'appeal_period' has it",)
    positive = RULED.replace('"adverse"', '"positive"').replace('tier = "by_record"', "").replace("window", "valid_to")
    assert faults_of(tmp_path, positive) == ("kinds.fine.severity: only an adverse kind has it",)
