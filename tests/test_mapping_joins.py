"""A mapping joins two raw tables: known on the later of both days, and nothing lost in silence."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from credit_model import UserError
from credit_model.foundation.calendar import from_day
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import MappingErrors

FINES = {
    "id": ["R0", "R1", "R2", "R3", "R4"],
    "case": ["C0", "C1", "C2", "C9", None],
    "day": ["2024-01-10"] * 5,
    "sent": ["2024-02-01"] * 5,
}
CASES = {
    "no": ["C0", "C1", "C2", "C2", "C7", None],
    "who": ["S0", "S1", "S2", "S3", "S7", "S8"],
    "closed": ["2024-01-20", "2024-05-01", "2024-01-01", "2024-01-01", "2024-01-01", "2024-01-01"],
}


def text(join: str, where: str = "", subject: str = '"cases.who"') -> str:
    return f"""
schema = 1
name = "fines"
[[table]]
source = "fines"
join = {{ source = "cases", on = {{ case = "no" }}, known_on = "closed"{join} }}
{where}
[table.columns]
record_id = "id"
subject_id = {subject}
kind = {{ value = "adm_penalty" }}
tier = {{ value = "general" }}
decided_on = "day"
known_on = "sent"
"""


def ingest(folder: Path, mapping: str, fines: Any = None, cases: Any = None) -> tuple[IngestReport, Ledger]:
    file = folder / "mapping.toml"
    file.write_text(mapping, encoding="utf-8")
    ledger = Ledger.create(folder / "ledger")
    sent = {"fines": pd.DataFrame(FINES) if fines is None else fines}
    sent |= {"cases": pd.DataFrame(CASES) if cases is None else cases}
    return ledger.ingest(records=sent, mapping=file), ledger


def rows(ledger: Ledger) -> dict[str, tuple[str, date | None]]:
    records = ledger.tables().records
    columns = zip(records["record_id"], records["subject_id"], records["known_on"], strict=True)
    return {str(record): (str(subject), from_day(int(day))) for record, subject, day in columns}


def balance(report: IngestReport) -> tuple[int, int, int, int]:
    return report.read, report.accepted, report.rejected_rows, report.excluded


def test_a_joined_fact_is_known_on_the_later_of_both_days(tmp_path: Path) -> None:
    report, ledger = ingest(tmp_path, text(""))
    assert rows(ledger) == {"R0": ("S0", date(2024, 2, 1)), "R1": ("S1", date(2024, 5, 1))}
    assert balance(report) == (5, 2, 3, 0)
    assert (report.rejected["ambiguous_join"], report.rejected["unmatched_join"]) == (1, 2)


def test_rows_of_the_joined_table_that_join_nothing_are_counted(tmp_path: Path) -> None:
    report, _ = ingest(tmp_path, text(""))
    assert {warning.code: warning.count for warning in report.warnings} == {
        "joined_key_repeated": 2, "joined_without_key": 1, "joined_row_unused": 1,
    }  # fmt: skip


def test_rows_without_a_match_may_be_excluded_or_kept_on_their_own_day(tmp_path: Path) -> None:
    for name in ("exclude", "keep"):
        (tmp_path / name).mkdir()
    report, ledger = ingest(tmp_path / "exclude", text(', unmatched = "exclude"'))
    assert balance(report) == (5, 2, 1, 2), "a key that is there twice is still refused"
    report, ledger = ingest(
        tmp_path / "keep", text(', unmatched = "keep"', subject='{ columns = ["cases.who", "id"] }')
    )
    assert balance(report) == (5, 4, 1, 0)
    assert rows(ledger)["R3"] == ("R3", date(2024, 2, 1))


def test_a_row_whose_joined_day_is_unknown_is_never_known(tmp_path: Path) -> None:
    cases = pd.DataFrame({"no": ["C0", "C1"], "who": ["S0", "S1"], "closed": [None, "soon"]})
    report, ledger = ingest(tmp_path, text(', unmatched = "exclude"'), cases=cases)
    assert report.rejected == {"missing_required": 1, "unreadable_date": 1}
    assert rows(ledger) == {}


def test_conditions_may_read_joined_columns_and_files_are_joined_like_frames(tmp_path: Path) -> None:
    pd.DataFrame(FINES).to_csv(tmp_path / "fines.csv", index=False)
    pd.DataFrame(CASES).to_csv(tmp_path / "cases.csv", index=False, encoding="gb18030")
    where = 'where = [{ column = "cases.who", in = ["S1"] }]'
    file = tmp_path / "mapping.toml"
    file.write_text(text(', encoding = "gb18030"', where), encoding="utf-8")
    ledger = Ledger.create(tmp_path / "ledger")
    report = ledger.ingest(records=[tmp_path / "fines.csv", tmp_path / "cases.csv"], mapping=file)
    assert rows(ledger) == {"R1": ("S1", date(2024, 5, 1))}
    assert balance(report) == (5, 1, 0, 4)


def test_faults_of_a_join_are_named_before_a_row_is_read(tmp_path: Path) -> None:
    wrong = text(', unmatched = "drop"').replace('known_on = "sent"\n', "").replace('{ case = "no" }', "{}")
    with pytest.raises(MappingErrors) as caught:
        ingest(tmp_path, wrong)
    assert "table 1.join.unmatched: 'drop' is not one of 'refuse', 'exclude', 'keep'" in caught.value.faults
    assert any(fault.startswith("table 1.join.on: give a column") for fault in caught.value.faults)
    assert any("a joined row is known on the later of both days" in fault for fault in caught.value.faults)
    for name, fines, cases, message in (
        ("one", None, pd.DataFrame(CASES).drop(columns="closed"), "joins column 'closed', which is not there"),
        ("two", pd.DataFrame(FINES).drop(columns="case"), None, "reads column 'case', which is not there"),
    ):
        (tmp_path / name).mkdir()
        with pytest.raises(UserError, match=message):
            ingest(tmp_path / name, text(""), fines, cases)
    with pytest.raises(UserError, match="joins table 'cases', which was not sent"):
        Ledger.create(tmp_path / "three").ingest(
            records={"fines": pd.DataFrame(FINES)}, mapping=tmp_path / "one/mapping.toml"
        )


def test_what_may_never_be_kept_may_not_be_joined_either(tmp_path: Path) -> None:
    cases = pd.DataFrame(CASES).assign(ethnic_group="x")
    with pytest.raises(MappingErrors, match="joined column 'ethnic_group' holds what may never be kept"):
        ingest(tmp_path, text("", 'where = [{ column = "cases.ethnic_group", in = ["x"] }]'), cases=cases)
