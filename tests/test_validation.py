"""What ingest accepts and refuses: rows by the cases in words, columns before anything is written."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.validation import REASONS, ColumnErrors

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "validation.yaml").read_text(encoding="utf-8"))
TABLES = ("records", "amendments", "subjects", "audit")
FINE = CASES["sound"]["records"]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger")


def lines_of(report: IngestReport) -> list[dict]:
    if report.quarantine is None:
        return []
    return [json.loads(line) for line in report.quarantine.read_text(encoding="utf-8").splitlines()]


def reasons_by_row(report: IngestReport) -> dict[tuple[str, int], set[str]]:
    return {(line["table"], line["row"]): {why["code"] for why in line["reasons"]} for line in lines_of(report)}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def fine(**changes: object) -> pd.DataFrame:
    return pd.DataFrame([{**FINE, **changes}])


# ---------------------------------------------------------------------------------------------- rows


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every case of the file, each a row of one delivery: no fault of one row touches another."""
    delivery = {table: [case for case in CASES["cases"] if case["table"] == table] for table in TABLES}
    frames = {}
    for table, cases in delivery.items():
        frames[table] = pd.DataFrame([{**CASES["sound"][table], **case["row"]} for case in cases], dtype=object)
    report = Ledger.create(tmp_path_factory.mktemp("judged") / "ledger").ingest(**frames)
    found = reasons_by_row(report)
    return {case["case"]: found.get((t, row), set()) for t in TABLES for row, case in enumerate(delivery[t], 1)}


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["case"])
def test_case_in_words(case, judged):
    assert judged[case["case"]] == set(case["refused"])


def test_every_reason_has_a_case_or_a_test_of_its_own():
    told = {reason for case in CASES["cases"] for reason in case["refused"]}
    elsewhere = {reason for reason in REASONS if reason.startswith(("id_number_", "unknown_id_type"))}
    elsewhere |= {
        "after_source_drawn",
        "unmapped_value",
        "too_many_places",
        "ambiguous_date",
        "expired",
        "unmatched_join",
        "ambiguous_join",
        "conflict",
        "opt_out_not_positive",
        "unreadable_row",
        "unbalanced_quote",
        "forgotten",
    }
    assert told | elsewhere == set(REASONS)
    assert all(zh and en for zh, en in REASONS.values())


def test_a_report_counts_rows_and_reasons(ledger):
    rows = pd.concat([fine(), fine(tier="severe", kind="jaywalking"), fine(tier="grave")])
    report = ledger.ingest(records=rows)
    assert (report.accepted, report.duplicates, report.rejected_rows) == (1, 0, 2)
    assert report.rejected == {"bad_tier": 2, "unknown_kind": 1}
    assert report.tables == {"records": {"accepted": 1, "duplicates": 0, "rejected": 2, "left_out": 0}}
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_quarantine_tells_where_a_row_came_from_why_it_was_refused_and_what_it_said(ledger, tmp_path):
    path = tmp_path / "fines.csv"
    pd.concat([fine(), fine(tier="severe", amount="five hundred")]).to_csv(path, index=False)
    (line,) = lines_of(ledger.ingest(records=path))
    assert (line["source"], line["table"], line["row"]) == ("records (fines.csv)", "records", 2)
    assert len(line["source_sha256"]) == 64
    assert {(why["code"], why["column"]) for why in line["reasons"]} == {
        ("bad_tier", "tier"), ("unreadable_number", "amount")}  # fmt: skip
    assert all(why["zh"] and why["en"] for why in line["reasons"])
    assert line["values"]["tier"] == "severe"
    assert line["values"]["amount"] == "[withheld]"


def test_a_row_of_another_width_is_refused_alone(ledger, tmp_path):
    path = tmp_path / "fines.csv"
    text = fine().to_csv(index=False)
    sound = text.splitlines()[1]
    wrong = sound.replace("general", "grave")
    path.write_text(f"{text}{sound},one too many\n{sound}\ntoo few\n{wrong}\n", encoding="utf-8")
    report = ledger.ingest(records=path)
    assert (report.accepted, report.rejected) == (2, {"bad_tier": 1, "unreadable_row": 2})
    told = {row: reasons for (_, row), reasons in reasons_by_row(report).items()}
    assert told == {2: {"unreadable_row"}, 4: {"unreadable_row"}, 5: {"bad_tier"}}


def test_without_a_day_of_drawing_no_clock_is_consulted(ledger):
    assert ledger.ingest(records=fine(decided_on="2199-01-01", known_on="2199-01-02")).accepted == 1


def received(ledger: Ledger, day: str) -> Ledger:
    """The ledger on the day it takes in a delivery."""
    return Ledger.open(ledger.path, clock=lambda: dt.date.fromisoformat(day))


@pytest.mark.parametrize(("day", "accepted"), [("2025-12-31", 1), ("2026-01-01", 0)])
def test_the_law_of_the_day_of_receipt_says_what_may_be_taken_in(ledger, day, accepted):
    report = received(ledger, day).ingest(records=fine(kind="public_security_violation"))
    assert (report.accepted, report.rejected) == (accepted, {} if accepted else {"kind_not_lawful": 1})


def test_rows_that_are_on_file_stay_when_their_kind_is_no_longer_lawful_and_are_not_used(ledger):
    violation = fine(kind="public_security_violation", final_on="2024-02-01")
    received(ledger, "2025-12-31").ingest(records=violation)
    assert received(ledger, "2026-01-01").ingest(records=violation).rejected == {"kind_not_lawful": 1}
    ledger.refresh()
    assert len(ledger.tables().records["record_id"]) == 1
    assert [len(ledger.as_of("2024-06-01", day_of_use=use)) for use in ("2025-12-31", "2026-01-01")] == [1, 0]


def test_rows_are_excluded_from_the_first_day_of_the_law_on(ledger):
    early = received(ledger, "2025-12-31")
    assert early.ingest(records=fine(field_code="traffic_safety", source="交警")).accepted == 1


def test_a_row_is_excluded_only_where_all_of_a_condition_holds(tmp_path):
    text = (Path(__file__).parents[1] / "credit_model/catalogue/catalogue.toml").read_text(encoding="utf-8")
    start = text.index("exclude_if = [{")
    condition = 'penalty_type = ["fine", "warning"], amount_at_most = 50, ground = "art. 1", from = 2024-01-01'
    own = tmp_path / "own.toml"
    own.write_text(f"{text[:start]}exclude_if = [{{ {condition} }}]\n{text[text.index(chr(10), start) + 1 :]}", "utf-8")
    ledger = Ledger.create(tmp_path / "ledger", load_catalogue(own))
    rows = [("fine", 50), ("warning", 0), ("fine", 51), ("fine", None), ("closure", 50), (None, 50)]
    frames = [fine(penalty_type=penalty, amount=amount) for penalty, amount in rows]
    report = ledger.ingest(records=pd.concat(frames))
    assert (report.accepted, report.rejected) == (4, {"excluded": 2})
    assert {row for _, row in reasons_by_row(report)} == {1, 2}


# ---------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    "day",
    [
        "2024-01-10", dt.date(2024, 1, 10), dt.datetime(2024, 1, 10, 15), pd.Timestamp("2024-01-10"),
        np.datetime64("2024-01-10"), "2024-01-10 15:30:00", "2024-01-10T15:30:00+08:00",
        pd.Timestamp("2024-01-10 02:00", tz="Asia/Shanghai"),
    ],
)  # fmt: skip
def test_a_date_is_read_however_it_is_kept(ledger, day):
    report = ledger.ingest(records=pd.DataFrame({**{k: [v] for k, v in FINE.items()}, "decided_on": [day]}))
    assert report.accepted == 1
    assert ledger.tables().records["decided_on"].tolist() == [(dt.date(2024, 1, 10) - dt.date(1970, 1, 1)).days]


@pytest.mark.parametrize("amount", [500, 500.0, "500", " 500 ", "+500", Decimal("500.00"), np.int16(500)])
def test_a_number_is_read_however_it_is_kept(ledger, amount):
    assert ledger.ingest(records=fine(amount=amount)).accepted == 1
    assert ledger.tables().records["amount"].tolist() == [500]


def test_an_id_that_was_a_number_with_gaps_is_still_whole(ledger):
    frame = pd.DataFrame({**{k: [v, v] for k, v in FINE.items()}, "record_id": [17.0, np.nan]})
    ledger.ingest(records=frame)
    assert "17" in ledger.tables().records["record_id"].tolist()


def test_pandas_polars_arrow_parquet_and_csv_say_the_same(tmp_path):
    frame = pd.DataFrame(
        [
            {**FINE, "record_id": "CF-1", "amount": 500},
            {**FINE, "record_id": "CF-2", "amount": None, "source": "市场监管局"},
        ]
    )
    table = pa.Table.from_pandas(frame.astype({"decided_on": "datetime64[s]", "known_on": "datetime64[s]"}))
    pq.write_table(table, tmp_path / "fines.parquet")
    frame.to_csv(tmp_path / "fines.csv", index=False)
    dictionary = table.set_column(2, "kind", table.column("kind").dictionary_encode())
    digests = set()
    for number, given_as in enumerate(
        [frame, pl.from_arrow(table), table, dictionary, table.to_batches()[0], tmp_path / "fines.parquet",
         str(tmp_path / "fines.csv"), [frame[:1], table.slice(1)], {"a": frame[:1], "b": frame[1:]}]
    ):  # fmt: skip
        ledger = Ledger.create(tmp_path / f"ledger{number}")
        assert ledger.ingest(records=given_as).accepted == 2
        digests.add(ledger.digest)
        assert ledger.tables().records["amount"].tolist()[0] == 500
    assert len(digests) == 1


@settings(max_examples=30)  # each example writes a ledger to disk
@given(st.lists(st.one_of(st.text(max_size=12), st.none(), st.floats(), st.dates()), min_size=1, max_size=8))
def test_whatever_stands_in_a_column_it_is_judged_and_never_stops_the_delivery(tmp_path_factory, values):
    frames = []
    for column in ("decided_on", "amount", "kind", "subject_id"):
        frame = pd.DataFrame([{**FINE, "record_id": f"{column}-{i}"} for i in range(len(values))])
        frames.append(frame.assign(**{column: pd.Series(values, dtype=object)}))
    report = Ledger.create(tmp_path_factory.mktemp("any") / "ledger").ingest(records=frames)
    assert report.accepted + report.rejected_rows == 4 * len(values)


# ---------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("records", "sex", "records: column 'sex' holds what may never be kept (sex): leave it out"),
        ("records", "民族", "records: column '民族' holds what may never be kept (ethnicity): leave it out"),
        ("subjects", "Full Name", "subjects: column 'Full Name' holds what may never be kept (name): leave it out"),
        ("audit", "religion", "audit: column 'religion' holds what may never be kept (religion): leave it out"),
        ("audit", "gender", "audit: column 'gender' must be named 'sex'"),
        ("records", "decided_at", "records: column 'decided_at' is not declared; did you mean decided_on?"),
        ("records", "colour", "records: column 'colour' is not declared: leave it out, or use a mapping"),
        ("amendments", "id_number", "amendments: column 'id_number' is not declared: leave it out, or use a mapping"),
        ("records", "id_number", "records: give subject_id or id_number, not both"),
    ],
)
def test_a_column_that_has_no_place_refuses_the_delivery(ledger, table, column, said):
    before = files_in(ledger.path)
    with pytest.raises(ColumnErrors) as caught:
        ledger.ingest(**{table: pd.DataFrame([{**CASES["sound"][table], column: "Zhang San"}])})
    assert said in caught.value.faults
    assert "Zhang San" not in str(caught.value)
    assert files_in(ledger.path) == before


def test_all_faults_of_all_columns_are_told_in_one_line(ledger):
    with pytest.raises(ColumnErrors) as caught:
        ledger.ingest(
            records=fine(sex="f", colour="red").drop(columns="known_on"),
            subjects=pd.DataFrame({"person": ["S1"], "income": [1]}),
        )
    assert len(caught.value.faults) == 6
    assert str(caught.value).startswith("ingest: 6 fault(s) in the columns, nothing was written: ")
    assert "\n" not in str(caught.value)


def test_columns_of_every_file_are_judged_before_the_first_is_read(ledger, tmp_path):
    fine().to_parquet(tmp_path / "good.parquet")
    fine(religion="none").to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(ColumnErrors, match=r"records \(bad.parquet\): column 'religion'"):
        ledger.ingest(records=[tmp_path / "good.parquet", tmp_path / "bad.parquet"])
    assert len(ledger.tables().records["record_id"]) == 0


def test_columns_with_the_same_name_or_with_lists_are_refused(ledger):
    twice = pa.table([pa.array(["a"])] * 2, names=["record_id", "record_id"])
    with pytest.raises(ColumnErrors, match="two columns are named 'record_id'"):
        ledger.ingest(records=twice)
    with pytest.raises(UserError, match="two columns have the same name"):
        ledger.ingest(records=pd.concat([fine(), fine()], axis=1))
    with pytest.raises(ColumnErrors, match="column 'source' holds lists, bytes or other values"):
        ledger.ingest(records=pa.table({**{k: [v] for k, v in FINE.items()}, "source": [["a", "b"]]}))


def test_identity_numbers_that_went_through_decimals_are_refused(ledger, monkeypatch):
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", "k" * 32)
    frame = fine().rename(columns={"subject_id": "id_number"}).assign(id_number=3.60426199101010071e17)
    with pytest.raises(ColumnErrors, match="'id_number' came as decimals, its last digits are lost: read it as text"):
        ledger.ingest(records=frame)


@pytest.mark.parametrize(
    ("given_as", "said"),
    [
        (42, "ingest: records is of type int. Give a pandas or polars frame, an Arrow table, or paths of files."),
        (
            "nowhere.parquet",
            "ingest: records: there is no file nowhere.parquet. Give a Parquet or CSV file, or a frame.",
        ),
    ],
)
def test_what_is_no_table_is_refused(ledger, given_as, said):
    with pytest.raises(UserError) as caught:
        ledger.ingest(records=given_as)
    assert str(caught.value) == said


def test_a_file_that_is_not_what_its_name_says_is_refused_without_quoting_it(ledger, tmp_path):
    (tmp_path / "fines.parquet").write_text("360426199101010071 Zhang San")
    (tmp_path / "fines.csv").write_bytes(
        "subject_id,kind,decided_on,known_on\n张三,x,2024-01-01,2024-01-01\n".encode("gb18030")
    )
    for name, kind in (("fines.parquet", "Parquet"), ("fines.csv", "CSV in utf8")):
        with pytest.raises(
            UserError, match=rf"records \({name}\) cannot be read as {kind} \(\w+\); nothing was written"
        ) as e:
            ledger.ingest(records=tmp_path / name)
        assert "Zhang" not in str(e.value)


def test_an_empty_file_says_so(ledger, tmp_path):
    (tmp_path / "fines.csv").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"^ingest: records \(fines.csv\) is empty; nothing was written. Give a file with a header.$"
    ):
        ledger.ingest(records=tmp_path / "fines.csv")


def test_nothing_given_is_a_mistake(ledger):
    with pytest.raises(UserError, match=r"ingest: there are no rows\. Give records, amendments, subjects or audit."):
        ledger.ingest()


# ---------------------------------------------------------------------------------------------- organisations


def test_an_organisation_has_no_deny_list_and_no_occupations(tmp_path):
    catalogue = tmp_path / "shops.toml"
    catalogue.write_text(
        'schema = 1\nname = "shops"\nversion = "1"\nsubjects = "organisation"\n'
        '[dimensions]\nhygiene = { zh = "卫生", en = "Hygiene" }\n'
        '[[policies.tier]]\nin_force_from = 2000-01-01\nminor = "ever"\ngeneral = "ever"\nserious = "ever"\n'
        '[kinds.inspection]\nzh = "检查"\nen = "Inspection"\ndimension = "hygiene"\npolarity = "neutral"\n'
        'finality = "decision"\nuse = "valid_to"\nattributes.score = { type = "int" }\n',
        encoding="utf-8",
    )  # fmt: skip
    ledger = Ledger.create(tmp_path / "ledger", load_catalogue(catalogue))
    days = {"decided_on": "2016-05-13", "known_on": "2016-05-13"}
    rows = pd.DataFrame({"subject_id": [1, 2], "kind": "inspection", **days, "score": [94.0, 85.5]})
    report = ledger.ingest(records=rows)
    assert (report.accepted, report.rejected) == (1, {"unreadable_number": 1})
    assert ledger.tables().records["score"].tolist() == [94]
