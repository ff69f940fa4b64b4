"""What a mapping makes of single values: dates in several forms, dates that are moved, ranges of numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model.foundation.calendar import add_months, from_day, to_day
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import MappingErrors

REST = {
    "record_id": '"id"',
    "subject_id": '{ value = "S1" }',
    "kind": '{ value = "adm_penalty" }',
    "tier": '{ value = "general" }',
    "decided_on": '"day"',
    "known_on": '{ value = "2099-01-01" }',
}


def ingest(folder: Path, frame: dict[str, list[Any]], **columns: str) -> tuple[IngestReport, Ledger]:
    lines = [f"{name} = {origin}" for name, origin in {**REST, **columns}.items()]
    text = 'schema = 1\nname = "m"\n[[table]]\nsource = "raw"\n[table.columns]\n' + "\n".join(lines)
    file = folder / "mapping.toml"
    file.write_text(text, encoding="utf-8")
    rows = len(next(iter(frame.values())))
    raw = pd.DataFrame({"id": [f"R{i}" for i in range(rows)], "day": ["2024-01-10"] * rows} | frame)
    ledger = Ledger.create(folder / "ledger")
    return ledger.ingest(records={"raw": raw}, mapping=file), ledger


def decided(ledger: Ledger) -> dict[str, date | None]:
    records = ledger.tables().records
    days = zip(records["record_id"], records["decided_on"], strict=True)
    return {str(record): from_day(int(day)) for record, day in days}


FORMATS = 'formats = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "excel"]'


@pytest.mark.parametrize(
    "written", ["2024-01-05", "2024/1/5", "20240105", "2024年1月5日", "２０２４年１月５日", "45296"]
)
def test_a_date_is_read_in_whichever_of_the_declared_forms_it_has(tmp_path: Path, written: str) -> None:
    report, ledger = ingest(tmp_path, {"day": [written]}, decided_on=f'{{ column = "day", {FORMATS} }}')
    assert report.accepted == 1
    assert decided(ledger) == {"R0": date(2024, 1, 5)}


def test_a_date_in_no_declared_form_or_in_two_is_refused(tmp_path: Path) -> None:
    days = ["05/01/2024", "25/01/2024", "01/25/2024", "05/05/2024", "31/02/2024", "soon"]
    origin = '{ column = "day", formats = ["%d/%m/%Y", "%m/%d/%Y"] }'
    report, ledger = ingest(tmp_path, {"day": days}, decided_on=origin)
    assert report.rejected == {"ambiguous_date": 1, "unreadable_date": 2}
    jan, may = date(2024, 1, 25), date(2024, 5, 5)
    assert decided(ledger) == {"R1": jan, "R2": jan, "R3": may}, "the same day by both forms is no doubt"


@settings(max_examples=15)
@given(st.dates(date(1990, 1, 1), date(2050, 1, 1)), st.integers(-40, 40), st.integers(-400, 400))
def test_a_date_moves_by_months_and_then_days(
    tmp_path_factory: pytest.TempPathFactory, day: date, months: int, days: int
) -> None:
    origin = f'{{ column = "day", shift_months = {months}, shift_days = {days} }}'
    for value in (day.isoformat(), pd.Timestamp(day)):
        folder = tmp_path_factory.mktemp("moved")
        report, ledger = ingest(folder, {"day": [value]}, decided_on=origin, known_on='{ value = "2099-01-01" }')
        assert report.accepted == 1, report.rejected
        assert decided(ledger) == {"R0": from_day(add_months(to_day(day), months) + days)}


def test_nothing_is_known_before_its_source_says_so(tmp_path: Path) -> None:
    for back in ("shift_days", "shift_months"):
        (tmp_path / back).mkdir()
        with pytest.raises(MappingErrors, match="known_on is moved back"):
            ingest(tmp_path / back, {"day": ["2024-01-10"]}, known_on=f'{{ column = "day", {back} = -1 }}')


def test_what_is_no_date_is_not_moved_but_refused(tmp_path: Path) -> None:
    frame = {"day": ["soon", None, "2024-01-31"]}
    report, ledger = ingest(tmp_path, frame, decided_on='{ column = "day", shift_months = 1 }')
    assert report.rejected == {"missing_required": 1, "unreadable_date": 1}
    assert decided(ledger) == {"R2": date(2024, 3, 1)}, "forward, where the day does not exist"


def tiers(ledger: Ledger) -> dict[str, str]:
    records = ledger.tables().records
    return {str(record): str(tier) for record, tier in zip(records["record_id"], records["tier"], strict=True)}


def test_a_range_of_numbers_says_what_becomes_of_every_number_in_it(tmp_path: Path) -> None:
    values = '{ "..70" = "serious", "71..<85.5" = "general", "85.5.." = "minor", "100" = "general", "none" = "minor" }'
    scores = ["-3", "70", "70.5", "71", "85.4", "85.5", "100", "100.0", "none", "few", "1e2"]
    report, ledger = ingest(tmp_path, {"score": scores}, tier=f'{{ column = "score", values = {values} }}')
    names = ("", "minor", "general", "serious")
    by_record = {record: names[int(tier)] for record, tier in tiers(ledger).items()}
    assert by_record == {
        "R0": "serious", "R1": "serious", "R3": "general", "R4": "general", "R5": "minor", "R6": "general",
        "R7": "minor", "R8": "minor", "R10": "minor",
    }  # fmt: skip
    assert report.rejected["unmapped_value"] == report.rejected_rows == 2, "70.5 lies in none of them"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("0..70", "70..80"), "'0..70' and '70..80' share numbers"),
        (("70..80", "0..70"), "'70..80' and '0..70' share numbers"),
        (("..5", "..3"), "share numbers"),
        (("8..7",), "there is no number in '8..7'"),
        (("8..<8",), "there is no number in '8..<8'"),
    ],
)
def test_ranges_that_overlap_or_are_empty_are_named(tmp_path: Path, keys: tuple[str, ...], message: str) -> None:
    values = ", ".join(f'"{key}" = "minor"' for key in keys)
    with pytest.raises(MappingErrors, match=message):
        ingest(tmp_path, {"score": ["1"]}, tier=f'{{ column = "score", values = {{ {values} }} }}')


def test_the_two_ways_to_give_formats_are_not_given_together(tmp_path: Path) -> None:
    origin = '{ column = "day", format = "%Y", formats = ["%Y"], shift_days = 1.5 }'
    with pytest.raises(MappingErrors) as caught:
        ingest(tmp_path, {"day": ["2024"]}, decided_on=origin)
    assert "table 1.decided_on: give one of format, formats" in caught.value.faults
    assert (
        "table 1.decided_on.shift_days: must be a whole number from -36,525 to 36,525, got 1.5" in caught.value.faults
    )
