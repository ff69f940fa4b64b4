"""Periods of law in working days: what should have been removed or answered by now, by the calendar of the year."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import Ledger
from credit_model.catalogue.working_days import WorkingDaysError, load_working_days
from credit_model.cli.main import main
from credit_model.foundation.calendar import from_day, to_day

CALENDAR = load_working_days()


def record(record_id: str, kind: str = "adm_penalty", **more: object) -> dict[str, object]:
    tier = {"tier": "general"} if kind == "adm_penalty" else {}
    days = {"decided_on": "2026-03-01", "final_on": "2026-03-02", "known_on": "2026-03-05"}
    return {"record_id": record_id, "subject_id": "S1", "kind": kind, **days, **tier, **more}


def amendment(record_id: str, action: str, on: str, value: str | None = None, **more: object) -> dict[str, object]:
    return {"record_id": record_id, "action": action, "effective_on": on, "known_on": on, "value": value, **more}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger")


def found(ledger: Ledger, on: str) -> list[tuple[str, str, str, bool]]:
    rows = ledger.watch(on).astype({"due_on": str})
    return list(rows[["finding", "record_id", "due_on", "is_overdue"]].itertuples(index=False, name=None))


# ---------------------------------------------------------------------------------------------- the calendar


@pytest.mark.parametrize(
    ("since", "count", "due"),
    [
        ("2026-06-01", 3, "2026-06-04"),
        ("2026-06-04", 3, "2026-06-09"),  # over a weekend
        ("2026-02-13", 1, "2026-02-14"),  # a Saturday on which people work
        ("2026-02-14", 1, "2026-02-24"),  # the Spring Festival
        ("2026-09-30", 3, "2026-10-10"),  # the National Day, and the Saturday after
        ("2025-12-30", 2, "2026-01-04"),  # into the next year, on a Sunday
        ("2024-09-13", 1, "2024-09-14"),
    ],
)
def test_a_period_ends_on_a_working_day(since: str, count: int, due: str) -> None:
    last = CALENDAR.deadline(to_day(since), count, to_day("2026-12-31"))
    assert last is not None
    assert str(from_day(last)) == due
    assert CALENDAR.deadline(to_day(since), count, last) is None  # on that day it has not passed


@given(st.dates(date(2024, 1, 1), date(2026, 10, 1)), st.integers(1, 25))
def test_a_period_holds_as_many_working_days_as_it_counts(since: date, count: int) -> None:
    last = CALENDAR.deadline(to_day(since), count, to_day("2027-01-01"))
    assert last is not None
    days = range(to_day(since) + 1, last + 1)
    assert sum(map(CALENDAR.is_working, days)) == count
    assert CALENDAR.is_working(last)


@pytest.mark.parametrize(("year", "working"), [(2024, 251), (2025, 248), (2026, 248)])
def test_a_year_has_the_working_days_of_its_notice(year: int, working: int) -> None:
    first = date(year, 1, 1)
    days = [first + timedelta(day) for day in range((date(year + 1, 1, 1) - first).days)]
    assert sum(CALENDAR.is_working(to_day(day)) for day in days) == working


def test_nothing_is_assumed_of_a_year_that_is_not_in_the_calendar(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.ingest(
        records=pd.DataFrame([record("X", decided_on="2023-01-10", final_on=None, known_on="2023-02-01")]),
        amendments=pd.DataFrame([amendment("X", "disputed", "2023-03-01")]),
    )
    with pytest.raises(
        WorkingDaysError, match=r"2023 is not in the calendar of working days, which has 2024, 2025, 2026"
    ):
        ledger.watch("2024-01-10")  # certainly later than five working days, perhaps than twenty
    assert len(ledger.watch("2023-03-01")) == 0  # nothing to count
    (finding,) = ledger.watch("2024-03-01").to_dict(orient="records")  # certain; its day is not assumed
    assert (finding["finding"], finding["is_overdue"], finding["due_on"] is pd.NaT) == ("overdue_dispute", True, True)
    assert main(["watch", str(ledger.path), "--on", "2024-03-01", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["findings"][0]["due_on"] is None
    assert main(["watch", str(ledger.path), "--on", "2024-03-01"]) == 3


def test_every_fault_of_a_calendar_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "days.toml"
    file.write_text(
        "schema = 1\n[years.27]\n[years.2027]\nholidays = [[2027-05-05, 2027-05-01], [2026-10-01, 2026-10-02]]\n"
        "worked = 3\nrest = []\n"
    )
    with pytest.raises(WorkingDaysError) as caught:
        load_working_days(file)
    for fault in (
        "years.27: a year has four digits", "years.2027: 'notice' is missing", "unknown key 'rest'",
        "years.2027.worked: must be a list", "years.2027.holidays: must be days of 2027",
    ):  # fmt: skip
        assert fault in str(caught.value)


# ---------------------------------------------------------------------------------------------- what is late


def test_a_listing_that_stands_three_working_days_after_everything_was_performed_is_overdue(ledger: Ledger) -> None:
    rows = [*(record(name, "dishonest_executee") for name in ("L-1", "L-2", "L-3")), record("P-1")]
    changes = [amendment(name, "performed", "2026-06-01") for name in ("L-1", "L-2", "P-1")]
    changes += [amendment("L-2", "delisted", "2026-06-04"), amendment("L-3", "partly_performed", "2026-06-01")]
    ledger.ingest(records=pd.DataFrame(rows), amendments=pd.DataFrame(changes))
    assert found(ledger, "2026-06-04") == []
    assert found(ledger, "2026-06-05") == [("overdue_delisting", "L-1", "2026-06-04", True)]
    ledger.ingest(amendments=pd.DataFrame([amendment("L-1", "delisted", "2026-06-20")]))
    assert found(ledger, "2026-06-20")
    assert found(ledger, "2026-06-21") == []


def test_an_objection_is_late_after_five_working_days_and_overdue_after_twenty(ledger: Ledger) -> None:
    ledger.ingest(
        records=pd.DataFrame([record("X")]), amendments=pd.DataFrame([amendment("X", "disputed", "2026-07-01")])
    )
    assert found(ledger, "2026-07-08") == []
    assert found(ledger, "2026-07-09") == [("unanswered_dispute", "X", "2026-07-08", False)]
    assert found(ledger, "2026-07-29") == [("unanswered_dispute", "X", "2026-07-08", False)]
    assert found(ledger, "2026-07-30") == [("overdue_dispute", "X", "2026-07-29", True)]
    ledger.ingest(amendments=pd.DataFrame([amendment("X", "dispute_closed", "2026-08-03", "record_confirmed")]))
    assert found(ledger, "2026-08-04") == []


def test_of_several_objections_each_has_its_own_period(ledger: Ledger) -> None:
    changes = [
        amendment("X", "disputed", "2026-07-01"),
        amendment("X", "disputed", "2026-07-03", dispute_id="D2"),
        amendment("X", "disputed", "2026-07-06"),
        amendment("X", "dispute_closed", "2026-07-07", "objection_sustained"),  # the oldest without an id
    ]
    ledger.ingest(records=pd.DataFrame([record("X")]), amendments=pd.DataFrame(changes))
    assert found(ledger, "2026-07-20") == [
        ("unanswered_dispute", "X", "2026-07-10", False), ("unanswered_dispute", "X", "2026-07-13", False)
    ]  # fmt: skip


def test_what_was_revoked_or_became_known_later_is_not_watched(ledger: Ledger) -> None:
    changes = [
        amendment("X", "disputed", "2026-07-01"),
        amendment("X", "revoked", "2026-07-03"),
        {**amendment("Y", "disputed", "2026-07-01"), "known_on": "2026-09-01"},
    ]
    ledger.ingest(records=pd.DataFrame([record("X"), record("Y")]), amendments=pd.DataFrame(changes))
    assert found(ledger, "2026-09-01") == []
    assert [row[:2] for row in found(ledger, "2026-09-02")] == [("overdue_dispute", "Y")]


def test_the_command_exits_3_where_something_is_overdue(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.ingest(
        records=pd.DataFrame([record("X")]), amendments=pd.DataFrame([amendment("X", "disputed", "2026-07-01")])
    )
    call = ["watch", str(ledger.path), "--on"]
    assert main([*call, "2026-07-08"]) == 0
    assert "nothing is late on 2026-07-08" in capsys.readouterr().out
    assert main([*call, "2026-07-09"]) == 0
    assert "unanswered_dispute" in capsys.readouterr().out
    assert main([*call, "2026-07-30", "--json"]) == 3
    value = json.loads(capsys.readouterr().out)
    assert value["overdue"] == 1
    (finding,) = value["findings"]
    assert finding == {"finding": "overdue_dispute", "record_id": "X", "subject_id": "S1", "since": "2026-07-01",
                       "due_on": "2026-07-29", "is_overdue": True}  # fmt: skip
