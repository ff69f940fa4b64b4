"""Raw tables become rows of a ledger by a mapping in TOML, and by nothing else."""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import credit_model.ledger.mapping as mapping_module
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.foundation.calendar import from_days
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import Mapping, MappingErrors, load_mapping
from credit_model.ledger.validation import ColumnErrors

SHOPS = """
schema = 1
name = "shops"
version = "1"
subjects = "organisation"
[dimensions]
hygiene = { zh = "卫生", en = "Hygiene" }
[[policies.tier]]
in_force_from = 2000-01-01
minor = "ever"
general = "ever"
serious = "ever"
[kinds.violation]
zh = "违规"
en = "Violation"
dimension = "hygiene"
polarity = "adverse"
tier = "by_record"
finality = "decision"
use = "window"
attributes.code = { type = "text" }
[kinds.inspection]
zh = "检查"
en = "Inspection"
dimension = "hygiene"
polarity = "neutral"
finality = "decision"
use = "valid_to"
attributes.score = { type = "int" }
attributes.visit = { type = "text", values = ["routine", "complaint", "other"] }
"""

RESTAURANTS = """
schema = 1
name = "restaurants"
drawn_on = 2017-11-07

[[table]]
source = "violations"
[table.columns]
subject_id = { column = "business_id", prefix = "B" }
kind = { value = "violation" }
decided_on = "date"
known_on = "date"
code = "ViolationTypeID"
[table.columns.tier]
column = "risk_category"
values = { "Low Risk" = "minor", "Moderate Risk" = "general", "High Risk" = "serious" }

[[table]]
source = "inspections"
[table.columns]
subject_id = { column = "business_id", prefix = "B" }
kind = { value = "inspection" }
decided_on = "date"
known_on = "date"
score = "Score"
source = { value = "DataSF" }
[table.columns.visit]
column = "type"
values = { "Routine - Unscheduled" = "routine", "Complaint" = "complaint" }
otherwise = "other"
"""

# One row of an event log is a record, an amendment or neither, by what happened.
FINES = """
schema = 1
name = "road_traffic_fines"

[[table]]
source = "events"
where = [{ column = "activity", in = ["Create Fine"] }]
[table.columns]
record_id = { template = "F-{case_id}" }
subject_id = { template = "driver of {case_id}" }
kind = { value = "violation" }
decided_on = "timestamp"
known_on = "timestamp"
tier = { value = "minor" }
amount = { column = "amount", multiply = 1, round = true }

[[table]]
source = "events"
target = "amendments"
where = [
  { column = "activity", in = ["Insert Fine Notification", "Insert Date Appeal to Prefecture", "Payment"] },
  { column = "case_id", null = false },
]
[table.columns]
record_id = { template = "F-{case_id}" }
effective_on = "timestamp"
known_on = "timestamp"
seq = "seq"
[table.columns.action]
column = "activity"
[table.columns.action.values]
"Insert Fine Notification" = "served"
"Insert Date Appeal to Prefecture" = "challenged"
"Payment" = "performed"
"""


@pytest.fixture
def shops(tmp_path: Path) -> Ledger:
    (tmp_path / "shops.toml").write_text(SHOPS, encoding="utf-8")
    return Ledger.create(tmp_path / "ledger", load_catalogue(tmp_path / "shops.toml"))


@pytest.fixture
def city(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger")


def mapping(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path)


def penalties(columns: str, more: str = "") -> str:
    required = {"subject_id": '"who"', "kind": '{ value = "adm_penalty" }', "tier": '{ value = "general" }',
                "decided_on": '"day"', "known_on": '"day"'}  # fmt: skip
    lines = [f"{name} = {origin}" for name, origin in required.items() if f"\n{name} =" not in f"\n{columns}"]
    return f'schema = 1\nname = "penalties"\n[[table]]\nsource = "raw"\n{more}\n[table.columns]\n' + "\n".join(
        [*lines, columns]
    )


def raw(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"who": ["S1"], "day": ["2024-01-10"], **columns})


def test_inspections_and_violations_come_from_their_raw_tables(shops, tmp_path):
    day = pd.to_datetime(["2016-05-13", "2016-05-13", "2017-11-07", "2017-11-08"])
    risks = ["Low Risk", "Low Risk", "Moderate Risk", "High Risk"]
    items = [103144, 103144, 7, 103157]
    violations = pd.DataFrame(
        {"business_id": [19, 19, 19, 24], "date": day, "ViolationTypeID": items, "risk_category": risks}
    )
    inspections = pd.DataFrame({"business_id": [19, 19], "date": day[:2], "Score": [94.0, None],
                                "type": ["Routine - Unscheduled", "New Ownership"]})  # fmt: skip
    report = shops.ingest(
        records={"violations": violations, "inspections": inspections}, mapping=mapping(tmp_path, RESTAURANTS)
    )
    assert report.accepted == 5  # two equal violations of one day are two records
    assert report.rejected == {"after_source_drawn": 1}
    records = pd.DataFrame(shops.tables().records)
    assert sorted(records["subject_id"]) == ["B19"] * 5
    assert records.groupby("kind").size().to_dict() == {"inspection": 2, "violation": 3}
    assert records["visit"].dropna().tolist() == ["routine", "other"]
    assert records["code"].dropna().tolist() == ["103144", "103144", "7"]


def test_numbers_and_dates_of_an_amendment_stand_behind_a_prefix(city, tmp_path):
    columns = """
record_id = { value = "CF-1" }
action = { column = "what", values = { "paid" = "partly_performed", "raised" = "corrected" } }
effective_on = "day"
known_on = "day"
"""
    text = (
        'schema = 1\nname = "m"\n[[table]]\nsource = "raw"\ntarget = "amendments"\n'
        f'where = [{{ column = "what", in = ["paid"] }}]\n[table.columns]{columns}'
        'value = { column = "euros", multiply = 100, prefix = "paid=" }\n'
        '[[table]]\nsource = "raw"\ntarget = "amendments"\n'
        f'where = [{{ column = "what", in = ["raised"] }}]\n[table.columns]{columns}'
        'value = { column = "until", format = "%d.%m.%Y", prefix = "penalty_ends_on=" }\n'
    )
    frame = pd.DataFrame(
        {"what": ["paid", "paid", "raised"], "day": ["2024-01-10"] * 3, "euros": ["62.59", "1.005", None],
         "until": [None, None, "31.12.2024"]}
    )  # fmt: skip
    rules = mapping(tmp_path, text)
    rules.check(city.catalogue)
    city.ingest(records=raw(record_id="CF-1"), mapping=mapping(tmp_path, penalties('record_id = "record_id"')))
    report = city.ingest(amendments=frame, mapping=rules)
    assert report.rejected == {"amendment_value": 1}  # half a cent is no payment
    assert sorted(city.tables().amendments["value"]) == ["paid=6259", "penalty_ends_on=2024-12-31"]


def test_a_part_of_a_date_is_a_number(shops, tmp_path):
    opened = ["2016-05-13", "2015-12-31T10:00", None, "spring", "2016-02-30"]
    rows = pd.DataFrame({"business_id": [19] * 5, "date": "2016-05-13", "type": "Complaint", "opened": opened})
    text = RESTAURANTS.replace('"Score"', '{ column = "opened", part = "month" }')
    report = shops.ingest(records={"inspections": rows}, mapping=mapping(tmp_path, text))
    assert report.rejected == {"unreadable_number": 2}
    assert sorted(shops.tables().records["score"].tolist())[1:] == [5, 12]
    with pytest.raises(MappingErrors, match="'weekday' is not one of 'year', 'month', 'day'"):
        mapping(tmp_path, text.replace('"month"', '"weekday"'))


def test_a_file_finds_its_table_by_its_name(shops, tmp_path):
    frame = pd.DataFrame({"business_id": [19], "date": ["2016-05-13"], "Score": ["94"], "type": ["Complaint"]})
    frame.to_csv(tmp_path / "inspections.csv", index=False)
    (tmp_path / "mapping.toml").write_text(RESTAURANTS, encoding="utf-8")
    report = shops.ingest(records=[tmp_path / "inspections.csv"], mapping=tmp_path / "mapping.toml")
    assert report.accepted == 1
    frame.to_csv(tmp_path / "visits.csv", index=False)
    with pytest.raises(
        ColumnErrors, match="mapping 'restaurants' has no table 'visits'; it has inspections, violations"
    ):
        shops.ingest(records=[tmp_path / "visits.csv"], mapping=tmp_path / "mapping.toml")


def test_one_event_log_gives_records_and_amendments(shops, tmp_path):
    events = pd.DataFrame(
        {
            "case_id": ["A", "A", "A", "B", "B"],
            "timestamp": pd.to_datetime(["2000-01-01", "2000-02-01", "2000-05-01", "2000-01-02", "2000-03-01"]),
            "activity": ["Create Fine", "Insert Fine Notification", "Payment", "Create Fine", "Send Fine"],
            "amount": [62.59, None, None, 31.30, None],
            "seq": [0, 1, 2, 0, 1],
        }
    )
    report = shops.ingest(records=events, mapping=mapping(tmp_path, FINES))
    assert report.tables == {
        "records": {"accepted": 2, "duplicates": 0, "rejected": 0, "left_out": 3},
        "amendments": {"accepted": 2, "duplicates": 0, "rejected": 0, "left_out": 3},
    }
    tables = shops.tables()
    assert tables.records["amount"].tolist() == [63, 31]
    assert tables.amendments["action"].tolist() == ["served", "performed"]
    assert tables.amendments["record_id"].tolist() == ["F-A", "F-A"]
    assert report.warnings == ()


@pytest.mark.parametrize(
    ("wan", "yuan"),
    [("0.35", 3500), ("1.2", 12000), (1.2, 12000), ("3", 30000), (0.0001, 1), ("1.00005", None), ("x", None)],
)
def test_fines_in_ten_thousands_become_whole_yuan_exactly_or_not_at_all(city, tmp_path, wan, yuan):
    text = penalties('amount = { column = "罚款金额(万元)", multiply = 10000 }')
    report = city.ingest(records=raw(**{"罚款金额(万元)": [wan]}), mapping=mapping(tmp_path, text))
    assert city.tables().records["amount"].tolist() == ([] if yuan is None else [yuan])
    assert report.rejected == ({"unreadable_number": 1} if yuan is None else {})


@pytest.mark.parametrize(
    ("written", "rounded", "exact"),
    [
        (3e-7, 0, None),
        (0.00012, 1, None),
        ("2.5e-05", 0, None),
        ("3E-4", 3, 3),
        ("1.2e+1", 120_000, 120_000),
        (-0.0, 0, 0),
        ("1e-400", 0, 0),
        ("1e400", None, None),
        ("1e", None, None),
        ("e5", None, None),
    ],
)
def test_floats_with_an_exponent_are_read_like_any_other(city, tmp_path, written, rounded, exact):
    for rule, yuan in ((", round = true", rounded), ("", exact)):
        text = penalties(f'amount = {{ column = "wan", multiply = 10000{rule} }}')
        ledger = Ledger.create(tmp_path / f"ledger{len(rule)}", catalogue=city.catalogue)
        report = ledger.ingest(records=raw(wan=[written]), mapping=mapping(tmp_path, text))
        assert ledger.tables().records["amount"].tolist() == ([] if yuan is None else [yuan])
        assert report.rejected == ({"unreadable_number": 1} if yuan is None else {})


@pytest.mark.parametrize(
    ("written", "day"),
    [("2024/01/10", "2024-01-10"), ("2024/1/10", "2024-01-10"), ("2024/02/30", None), ("10.01.2024", None)],
)
def test_a_date_in_another_notation_is_declared_not_guessed(city, tmp_path, written, day):
    text = penalties('decided_on = { column = "day", format = "%Y/%m/%d" }\nknown_on = { value = 2024-03-01 }')
    report = city.ingest(records=raw(day=[written]), mapping=mapping(tmp_path, text))
    days = [str(d) for d in from_days(city.tables().records["decided_on"])]
    assert days == ([] if day is None else [day])
    assert report.rejected == ({"unreadable_date": 1} if day is None else {})


def test_the_first_column_that_is_there_is_taken(city, tmp_path):
    text = penalties('known_on = { columns = ["received", "day"] }')
    frame = raw(received=["2024-02-01"])
    frame = pd.concat([frame, frame.assign(received=None), frame.assign(received="")])
    city.ingest(records=frame, mapping=mapping(tmp_path, text))
    assert [str(d) for d in from_days(city.tables().records["known_on"])] == ["2024-02-01", "2024-01-10", "2024-01-10"]


def test_a_template_with_an_empty_part_is_empty(city, tmp_path):
    text = penalties('record_id = { template = "CF-{office}-{number}" }')
    city.ingest(records=raw(office=["A"], number=["7"]), mapping=mapping(tmp_path, text))
    city.ingest(records=raw(office=["A"], number=[None]), mapping=mapping(tmp_path, text))
    first, second = city.tables().records["record_id"].tolist()
    assert first == "CF-A-7"
    assert second.startswith("r")


def test_a_value_the_mapping_does_not_know_refuses_its_row_and_only_it(city, tmp_path):
    text = penalties('tier = { column = "grade", values = { "轻微" = "minor", "一般" = "general" } }')
    frame = pd.concat([raw(grade=["轻微"]), raw(grade=["特别严重"]), raw(grade=[None])])
    report = city.ingest(records=frame, mapping=mapping(tmp_path, text))
    assert report.accepted == 1
    assert report.rejected == {"tier_missing": 2, "unmapped_value": 1}
    first = json.loads(report.quarantine.read_text(encoding="utf-8").splitlines()[0])
    assert [why["code"] for why in first["reasons"]] == ["unmapped_value", "tier_missing"]


def test_otherwise_takes_what_is_not_named_and_may_be_nothing(city, tmp_path):
    text = penalties('procedure = { column = "simple", values = { "是" = "summary" }, otherwise = "ordinary" }\n'
                     'penalty_type = { column = "type", values = { "罚款" = "fine" }, otherwise = "" }')  # fmt: skip
    frame = pd.concat([raw(simple=["是"], type=["罚款"]), raw(simple=[None], type=["没收"])])
    city.ingest(records=frame, mapping=mapping(tmp_path, text))
    records = city.tables().records
    assert records["procedure"].tolist() == ["summary", "ordinary"]
    assert records["penalty_type"].tolist() == ["fine", None]


def test_rows_may_be_left_out_by_a_value_or_by_its_absence(city, tmp_path):
    more = 'where = [{ column = "state", not_in = ["撤销"] }, { column = "number", null = false }]'
    frame = pd.concat(
        [raw(state=["有效"], number=["1"]), raw(state=["撤销"], number=["2"]), raw(state=["有效"], number=[None])]
    )
    report = city.ingest(records=frame, mapping=mapping(tmp_path, penalties("", more)))
    assert report.tables["records"] == {"accepted": 1, "duplicates": 0, "rejected": 0, "left_out": 2}


def test_a_file_in_gb18030_is_declared(city, tmp_path):
    frame = raw(**{"机关": ["越城区市场监督管理局"]})
    frame.to_csv(tmp_path / "raw.csv", index=False, encoding="gb18030")
    text = penalties('source = "机关"', 'encoding = "gb18030"')
    assert city.ingest(records=tmp_path / "raw.csv", mapping=mapping(tmp_path, text)).accepted == 1
    assert pd.DataFrame(city.tables().records)["source"].tolist() == ["越城区市场监督管理局"]


def test_what_the_mapping_does_not_name_is_never_read(city, tmp_path):
    frame = raw(**{"姓名": ["张三"], "sex": ["f"], "decided_on_typo": [1], "bytes": [b"x"]})
    frame.to_parquet(tmp_path / "raw.parquet")
    assert city.ingest(records=tmp_path / "raw.parquet", mapping=mapping(tmp_path, penalties(""))).accepted == 1


def test_audit_attributes_may_be_mapped_to_the_audit_table_only(city, tmp_path):
    text = """
schema = 1
name = "people"
[[table]]
source = "people"
target = "subjects"
columns = { subject_id = "who", born_on = "born" }
[[table]]
source = "people"
target = "audit"
columns = { subject_id = "who", sex = "性别" }
"""
    people = pd.DataFrame({"who": ["S1"], "born": [dt.date(1990, 5, 1)], "性别": ["女"]})
    report = city.ingest(subjects=people, mapping=mapping(tmp_path, text))
    assert {name: table["accepted"] for name, table in report.tables.items()} == {"subjects": 1, "audit": 1}
    assert (report.read, report.accepted) == (1, 1), "a raw row of two tables is one"
    assert city.audit()["sex"].to_dict() == {"S1": "女"}
    with pytest.raises(MappingErrors, match="raw column '性别' holds what may never be kept \\(sex\\)"):
        city.ingest(records=raw(), mapping=mapping(tmp_path, penalties('source = "性别"')))


def test_a_forbidden_column_may_not_even_choose_rows(city, tmp_path):
    more = 'where = [{ column = "ethnic_group", in = ["x"] }]'
    with pytest.raises(MappingErrors, match="raw column 'ethnic_group' holds what may never be kept"):
        city.ingest(records=raw(ethnic_group=["x"]), mapping=mapping(tmp_path, penalties("", more)))


def test_all_faults_of_a_mapping_file_are_named_at_once(tmp_path):
    text = """
schema = 2
drawn_on = "yesterday"
author = "me"
[[table]]
target = "people"
where = [{ column = "a" }, { in = ["x"] }]
[table.columns]
kind = { column = "a", value = "b" }
tier = { column = "a", otherwise = "minor" }
amount = { column = "a", multiply = "10000", round = true }
hours = { column = "a", factor = 10 }
source = 7
"""
    with pytest.raises(MappingErrors) as caught:
        mapping(tmp_path, text)
    for said in (
        "schema is 2; this version reads schema 1", "the file: 'name' is missing",
            "the file: unknown key 'author'; known: schema, name, table, drawn_on",
        "the file.drawn_on: must be a date like 2026-04-01, got 'yesterday'", "table 1: 'source' is missing",
        "table 1.target: 'people' is not one of 'records', 'amendments', 'subjects', 'audit'",
        "table 1.where: a condition has one of in, not_in, null", "table 1.where: 'column' is missing",
        "table 1.kind: give one of column, columns, value, template", "table 1.tier: otherwise goes with values",
        "table 1.amount.multiply: must be a number up to 1e+12, not 0, got '10000'",
        "table 1.hours: unknown key 'factor'; known: column, columns, value, template, values, otherwise, prefix, "
            "multiply, round, format, formats, shift_months, shift_days, part",
        "table 1.source: must be a table, got int",
    ):  # fmt: skip
        assert said in caught.value.faults, said
    assert "\n" not in str(caught.value)


def test_all_faults_against_the_catalogue_are_named_at_once(tmp_path):
    text = penalties(
        'kind = { column = "k", values = { "1" = "adm_penalty", "2" = "adm_penaltee" } }\n'
        'tier = { value = "grave" }\ncolour = "c"\ndecided_on = { column = "day", multiply = 2 }\n'
        'address = "a"\nprocedure = { column = "p", format = "%Y" }'
    ).replace('known_on = "day"\n', "")
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(MappingErrors) as caught:
        load_mapping(tmp_path / "m.toml", load_catalogue())
    assert set(caught.value.faults) == {
        "raw -> records: kind 'adm_penaltee' does not exist",
        "raw -> records: tier 'grave' does not exist",
        "raw -> records: column 'colour' is not declared: leave it out, or use a mapping",
        "raw -> records: column 'address' holds what may never be kept (address): leave it out",
        "raw -> records: column 'known_on' is missing",
        "raw -> records: decided_on: multiply and part are for numbers, format for dates",
        "raw -> records: procedure: multiply and part are for numbers, format for dates",
    }


def test_the_reference_in_the_documentation_is_a_mapping(city, tmp_path):
    indented = (mapping_module.__doc__ or "").split("::\n\n")[1].split("\nA value that")[0]
    text = textwrap.dedent(indented)
    mapping(tmp_path, text).check(city.catalogue)
    frame = pd.DataFrame(
        {"状态": ["有效"], "证件号码": ["S1"], "程度": ["轻微"], "处罚决定日期": ["2024/1/5"],
         "归集日期": ["2024-02-01"], "罚款金额(万元)": ["0.5"], "处罚机关": ["A"], "文书号": ["7"], "简易": ["是"]}
    )  # fmt: skip
    by_name = mapping(tmp_path, text.replace("id_number =", "subject_id ="))
    assert city.ingest(records={"penalties": frame}, mapping=by_name).accepted == 1
    records = city.tables().records
    assert (records["record_id"][0], records["amount"][0], records["procedure"][0]) == ("CF-A-7", 5000, "summary")


def test_a_raw_column_that_is_not_there_is_named(city, tmp_path):
    with pytest.raises(ColumnErrors, match="the mapping reads column 'day', which is not there; it has who, date"):
        city.ingest(records=raw().rename(columns={"day": "date"}), mapping=mapping(tmp_path, penalties("")))


def test_a_mapping_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(MappingErrors, match=r"cannot be read \(FileNotFoundError\); give a TOML file"):
        load_mapping(tmp_path / "none.toml")
    with pytest.raises(MappingErrors, match="not valid TOML"):
        mapping(tmp_path, "[[table]")
