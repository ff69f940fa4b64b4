"""Rows that are taken in as they are and yet do not fit a rule of their kind: warnings for the source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import credit_model as cm
from credit_model.ledger.ingest_report import WARNINGS, IngestReport

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


def test_every_warning_is_put_in_both_languages():
    assert all(zh and en for zh, en in WARNINGS.values())
