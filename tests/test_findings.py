"""Rows that are taken in as they are and yet do not fit a rule of their kind: warnings for the source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import credit_model as cm
from credit_model.foundation.calendar import add_months, from_day, to_day
from credit_model.ledger.ingest_report import WARNINGS, IngestReport
from credit_model.visibility.repair_check import check_repairs
from credit_model.visibility.tables import Tables

PENALTY = {"record_id": "P", "subject_id": "S", "kind": "adm_penalty", "tier": "general", "decided_on": "2026-04-10",
           "known_on": "2026-04-20"}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> cm.Ledger:
    return cm.Ledger.create(tmp_path / "ledger")


def records(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([{**PENALTY, "record_id": f"P{i}", **change} for i, change in enumerate(changes, 1)])


def amendments(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Amendments of the first record: action, day of effect and of knowledge, value."""
    lines = [(*row, None)[:3] for row in rows]
    frame = pd.DataFrame(lines, columns=["action", "effective_on", "value"]).astype(object)
    return frame.assign(record_id="P1", known_on=frame["effective_on"])


def places_by_code(report: IngestReport) -> dict[str, tuple[str, ...]]:
    return {warning.code: warning.rows for warning in report.warnings}


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"penalty_type": "warning", "tier": "general"}, "tier_above_act"),
        ({"penalty_type": "public_criticism", "tier": "serious"}, "tier_above_act"),
        ({"penalty_type": "warning", "tier": "minor"}, None),
        ({"penalty_type": "licence_revoked", "tier": "general"}, "tier_below_act"),
        ({"penalty_type": "licence_revoked", "tier": "serious"}, None),
        ({"penalty_type": "confiscate_goods", "tier": "minor"}, "tier_below_act"),
        ({"penalty_type": "confiscate_goods", "tier": "serious"}, None),
        ({"penalty_type": "fine", "tier": "serious"}, None),
        ({"tier": "serious"}, None),
        ({"kind": "criminal_judgment", "tier": None}, "sentence_end_missing"),
        ({"kind": "criminal_judgment", "tier": None, "sentence_ends_on": "2028-01-01"}, None),
    ],
)
def test_a_record_that_does_not_fit_the_catalogue_is_taken_in_with_a_warning(ledger, record, code):
    report = ledger.ingest(records=records({}, record))
    assert report.accepted == 2
    assert places_by_code(report) == ({code: ("records:2",)} if code else {})


def test_a_row_that_was_delivered_before_or_refused_is_not_warned_of_again(ledger):
    odd = records({"penalty_type": "warning"})
    assert list(places_by_code(ledger.ingest(records=odd))) == ["tier_above_act"]
    again = ledger.ingest(records=pd.concat([odd, odd.assign(record_id="P2", decided_on="soon")]))
    assert (again.duplicates, again.rejected_rows, again.warnings) == (1, 1, ())


@pytest.mark.parametrize(
    ("record", "events", "codes"),
    [
        ({}, [("repaired", "2026-07-09")], ["early_repair"]),
        ({}, [("repaired", "2026-07-10")], []),
        ({"tier": "minor"}, [("repaired", "2026-04-21")], []),
        ({"tier": "serious"}, [("repaired", "2027-04-09")], ["early_repair"]),
        ({"tier": "serious"}, [("repaired", "2027-04-10")], []),
        ({"tier": "serious"}, [("corrected", "2026-06-01", "tier=minor"), ("repaired", "2026-06-02")], []),
        ({"penalty_type": "warning"}, [("repaired", "2026-04-21")], ["tier_above_act"]),
        ({"amount": 50_000}, [("partly_performed", "2026-05-01", "paid=10000"), ("repaired", "2026-08-01")],
         ["repair_unperformed"]),
        ({"amount": 50_000}, [("repaired", "2026-08-01"), ("performed", "2026-08-02")], ["repair_unperformed"]),
        ({"amount": 50_000}, [("repaired", "2026-08-01"), ("performed", "2026-08-01")], []),
        ({"amount": 50_000}, [("partly_performed", "2026-05-01", "paid=50000"), ("repaired", "2026-08-01")], []),
        ({}, [("partly_performed", "2026-05-01"), ("repaired", "2026-08-01")], ["repair_unperformed"]),
        ({"penalty_ends_on": "2026-12-31"}, [("repaired", "2026-08-01")], ["repair_within_term"]),
        ({"penalty_ends_on": "2026-08-01"}, [("repaired", "2026-08-01")], []),
        ({"decided_on": "2026-01-10"}, [("repaired", "2026-03-31")], []),
        ({"kind": "judgment_unperformed", "amount": 1}, [("repaired", "2026-04-21")], []),
    ],
)  # fmt: skip
def test_a_repair_that_does_not_fit_the_rule_of_its_kind_is_taken_in_with_a_warning(ledger, record, events, codes):
    report = ledger.ingest(records=records(record), amendments=amendments(*events))
    assert report.accepted == 1 + len(events)
    assert list(places_by_code(report)) == codes
    number = [action for action, *_ in events].index("repaired") + 1
    assert all(places_by_code(report)[code] == (f"amendments:{number}",) for code in codes if code != "tier_above_act")


def test_a_repair_is_judged_by_what_the_ledger_holds_already_whatever_order_it_came_in(ledger):
    ledger.ingest(records=records({"amount": 500}))
    ledger.ingest(amendments=amendments(("performed", "2026-08-01")))
    assert ledger.ingest(amendments=amendments(("repaired", "2026-08-02"))).warnings == ()
    other = amendments(("repaired", "2026-06-01")).assign(record_id="P9")
    assert list(places_by_code(ledger.ingest(amendments=other))) == ["unknown_record"]


def test_only_the_holder_of_a_positive_record_may_opt_out_of_it(ledger):
    honour = {"kind": "honour", "tier": None}
    ledger.ingest(records=records({}, honour))
    out = amendments(("opted_out", "2026-06-01"), ("opted_out", "2026-06-01"))
    report = ledger.ingest(amendments=out.assign(record_id=["P1", "P2"]))
    assert (report.accepted, report.rejected) == (1, {"opt_out_not_positive": 1})
    both = ledger.ingest(
        records=records(honour, {}).assign(record_id=["P3", "P4"]), amendments=out.assign(record_id=["P3", "P4"])
    )
    assert (both.accepted, both.rejected) == (3, {"opt_out_not_positive": 1})


DAYS = st.dates(dt.date(2026, 4, 1), dt.date(2026, 4, 30))


@given(
    tier=st.sampled_from(["minor", "general", "serious"]),
    amount=st.sampled_from([100, 500]),
    act=st.sampled_from([None, "warning", "fine", "licence_revoked"]),
    decided=DAYS,
    months=st.sampled_from([0, 3, 12]),
    days=st.integers(-2, 2),
    events=st.lists(st.tuples(st.sampled_from([None, 200, 300, 500]), st.integers(-2, 2)), max_size=3),
    ends=st.none() | st.integers(-2, 2),
)
def test_repairs_are_judged_as_one_would_by_hand(tier, amount, act, decided, months, days, events, ends):
    """Day by day around the least time, with payments (None: wholly performed) around the day of the repair."""
    first = to_day(decided)
    repaired = max(add_months(first, months) + days, to_day("2026-04-01"))
    record = {"record_id": ["r"], "subject_id": ["s"], "kind": ["adm_penalty"], "tier": [tier], "amount": [amount],
              "decided_on": [decided], "known_on": ["2029-01-01"], "penalty_type": [act],
              "penalty_ends_on": [None if ends is None else from_day(repaired + ends)]}  # fmt: skip
    acts = [("partly_performed", f"paid={paid}") if paid else ("performed", None) for paid, _ in events]
    rows = [(action, repaired + shift, value) for (action, value), (_, shift) in zip(acts, events, strict=True)]
    names, effective_on, values = zip(*rows, ("repaired", repaired, None), strict=True)
    same = {"record_id": ["r"] * len(names), "known_on": ["2029-01-02"] * len(names)}
    amendment = {**same, "action": names, "value": values, "effective_on": [from_day(day) for day in effective_on]}
    catalogue = cm.load_catalogue()
    findings = check_repairs(Tables.of(record, amendment, attribute_types=catalogue.attribute_types), catalogue)
    least = {"minor": 0, "general": 3, "serious": 12}["minor" if act == "warning" else tier]
    before = [paid for paid, shift in sorted(events, key=lambda event: event[1]) if shift <= 0]
    paid_off = (bool(before) and before[-1] is None) or sum(paid for paid in before if paid) >= amount  # the last word
    expected = {
        "early_repair": repaired < add_months(first, least),
        "repair_unperformed": not paid_off,
        "repair_within_term": ends is not None and ends > 0,
    }
    assert {name: bool(rows[-1]) for name, rows in findings.items()} == expected
    assert not any(rows[:-1].any() for rows in findings.values())


def test_every_warning_is_put_in_both_languages():
    assert all(zh and en for zh, en in WARNINGS.values())


# ---------------------------------------------------------------------------------------------- by what else is on file

BORN = "2008-05-01"


def birth(subject: str = "S", born: str = BORN) -> pd.DataFrame:
    return pd.DataFrame({"subject_id": [subject], "born_on": [born], "known_on": ["2020-01-01"]})


@pytest.mark.parametrize(
    ("record", "is_odd"),
    [
        ({"decided_on": "2026-05-01"}, True),  # the 18th birthday
        ({"decided_on": "2026-04-30"}, False),  # the act of a minor without any doubt
        ({"decided_on": "2026-05-01", "occurred_on": "2026-05-01"}, False),
        ({"decided_on": "2026-05-01", "kind": "honour", "tier": None}, False),
    ],
)
@pytest.mark.parametrize("order", ["birth before", "birth with it", "large"])
def test_a_day_of_act_that_is_missing_near_the_18th_birthday_is_told(
    ledger: cm.Ledger, record: dict[str, object], is_odd: bool, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if order == "large":
        monkeypatch.setattr("credit_model.ledger.delivery_check._FEW", 0)
    if order != "birth with it":
        ledger.ingest(subjects=birth())
    rows = records({"subject_id": "other", **record, "known_on": "2026-06-01"}, {**record, "known_on": "2026-06-01"})
    report = ledger.ingest(records=rows, subjects=birth() if order == "birth with it" else None)
    assert places_by_code(report) == ({"act_undated": ("records:2",)} if is_odd else {})


def test_a_decision_from_the_19th_birthday_on_needs_no_day_of_the_act(ledger: cm.Ledger) -> None:
    for born, odd in (("2007-04-10", False), ("2007-04-11", True)):
        report = ledger.ingest(records=records({"subject_id": born}).assign(record_id=born), subjects=birth(born, born))
        assert ("act_undated" in places_by_code(report)) is odd


def test_a_case_that_two_sources_send_is_told(ledger: cm.Ledger) -> None:
    case = {"case_id": "C-1", "occurred_on": "2026-04-01"}
    first = ledger.ingest(records=records({**case, "source": "police"}, {**case, "source": "police"}))
    assert first.warnings == ()
    odd = records({**case, "source": "tax"}, {**case, "source": None}, {**case, "case_id": "C-2", "source": "tax"})
    judgment = {**case, "source": "court", "kind": "judgment_unperformed", "tier": None}
    report = ledger.ingest(records=pd.concat([odd, records(judgment)]).assign(record_id=["Q1", "Q2", "Q3", "Q4"]))
    assert places_by_code(report) == {"case_of_two_sources": ("records:1",)}
    both = records({**case, "case_id": "C-3", "source": "a"}, {**case, "case_id": "C-3", "source": "b"})
    report = ledger.ingest(records=both.assign(record_id=["R1", "R2"]))
    assert places_by_code(report) == {"case_of_two_sources": ("records:1", "records:2")}
