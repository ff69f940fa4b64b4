"""The end of retention: adverse records are deleted for good, what is open stays, and what is lost is said."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from test_forget import files_naming

from credit_model import Ledger
from credit_model.cli.main import main
from credit_model.foundation.errors import UserError
from credit_model.ledger.manifest import LedgerError

USE, ON, WHO = "2026-11-24", "2026-01-10", "Zhou Min"


def record(record_id: str, kind: str = "adm_penalty", **more: object) -> dict[str, object]:
    row = {"record_id": record_id, "subject_id": "S1", "kind": kind, "decided_on": "2019-06-10",
           "known_on": "2019-07-01", **({"tier": "general"} if kind == "adm_penalty" else {}), **more}  # fmt: skip
    return row


def amendment(record_id: str, action: str, value: str | None = None, on: str = "2019-08-01") -> dict[str, object]:
    return {"record_id": record_id, "action": action, "effective_on": on, "known_on": on, "value": value}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger", policy="retention")


def ids(ledger: Ledger) -> list[str]:
    return sorted(ledger.tables().records["record_id"].tolist())


def test_no_byte_of_an_expired_record_is_left_in_any_file(ledger: Ledger) -> None:
    rows = [record("OLD-1", source="office"), record("OLD-2"), record("NEW-1", decided_on="2024-06-10"),
            record("OLD-1", tier="serious"), record("OLD-3", tier="grave")]  # fmt: skip
    changes = [amendment("OLD-1", "repaired"), amendment("NEW-1", "challenged")]
    ledger.ingest(records=pd.DataFrame(rows), amendments=pd.DataFrame(changes))
    ledger.segments(USE)
    ledger.buckets(USE).open(0)
    assert {Path(file).parent.name for file in files_naming(ledger.path, "OLD-1")} == {"parts", "quarantine", "cache"}
    report = ledger.expire(ON, WHO)
    assert files_naming(ledger.path, "OLD-1", "OLD-2", "office") == []
    assert report.removed == {"records": 2, "amendments": 1, "quarantine": 1}
    assert (report.complete, report.subjects, report.skipped) == (True, 1, {})
    assert report.digest_before != report.digest_after == Ledger.open(ledger.path).digest
    assert ids(ledger) == ids(Ledger.open(ledger.path)) == ["NEW-1"]
    assert "OLD" not in json.dumps(report.to_dict())


def test_what_stays_answers_as_before(ledger: Ledger) -> None:
    rows = [record("OLD-1"), record("NEW-1", decided_on="2024-06-10"), record("NEW-2", subject_id="S2", decided_on=ON)]
    ledger.ingest(
        records=pd.DataFrame(rows), amendments=pd.DataFrame([amendment("NEW-1", "repaired", on="2025-01-01")])
    )

    def rest() -> pd.DataFrame:
        segments = ledger.segments(USE).to_arrow().to_pandas().astype(str)
        return segments[segments["record"] != "OLD-1"].reset_index(drop=True)

    before, answer = rest(), ledger.as_of(ON, USE)
    ledger.expire(ON, WHO)
    pd.testing.assert_frame_equal(rest(), before)
    pd.testing.assert_frame_equal(ledger.as_of(ON, USE), answer)


@pytest.mark.parametrize(
    ("row", "changes", "last_day", "first_day"),
    [
        (record("X"), [], "2024-06-09", "2024-06-10"),  # five years from the decision
        (record("X", penalty_ends_on="2025-09-01"), [], "2025-08-31", "2025-09-01"),  # a ban outlasts it
        (record("X", "criminal_judgment", sentence_ends_on="2020-10-10"), [], "2025-10-09", "2025-10-10"),
        (record("X", "criminal_judgment"), [], "2024-06-09", "2024-06-10"),  # the end unknown: from the judgment
        (record("X", "dishonest_executee"), [amendment("X", "delisted", on="2025-11-02")], "2025-11-02", "2025-11-03"),
        (record("X"), [amendment("X", "corrected", "decided_on=2020-02-01")], "2025-01-31", "2025-02-01"),
        (record("X"), [amendment("X", "dispute_closed", "objection_sustained")], "2024-06-09", "2024-06-10"),
    ],
)
def test_a_record_goes_on_the_day_its_retention_ends_and_not_before(
    ledger: Ledger, row: dict[str, object], changes: list[dict[str, object]], last_day: str, first_day: str
) -> None:
    ledger.ingest(records=pd.DataFrame([row]), amendments=pd.DataFrame(changes) if changes else None)
    assert ledger.expire(last_day, WHO).removed["records"] == 0
    report = ledger.expire(first_day, WHO)
    assert report.removed["records"] == 1
    assert report.affected_from == "2019-07-02"


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        (record("X"), [amendment("X", "challenged")], "under_challenge"),
        (record("X"), [amendment("X", "disputed")], "disputed"),
        (record("X", "dishonest_executee"), [], "listed"),
        (record("X"), [amendment("X", "stayed")], "under_challenge"),
        (
            record("X"),
            [
                amendment("X", "disputed"),
                {**amendment("X", "disputed"), "dispute_id": "D2"},
                amendment("X", "dispute_closed", "objection_sustained", "2019-09-01"),
            ],
            "disputed",
        ),
        (record("X", "severe_list"), [amendment("X", "repaired")], "listed"),  # a repair ends no listing
        (record("X", "judgment_unperformed"), [amendment("X", "partly_performed", "5")], "unperformed"),
    ],
)
def test_what_is_open_stays(
    ledger: Ledger, row: dict[str, object], changes: list[dict[str, object]], reason: str
) -> None:
    ledger.ingest(records=pd.DataFrame([row]), amendments=pd.DataFrame(changes) if changes else None)
    report = ledger.expire(ON, WHO)
    assert (report.removed["records"], report.skipped) == (0, {reason: 1})
    assert report.digest_before == report.digest_after
    assert report.note_en == "No adverse record is past its retention."


def test_positive_records_and_those_held_for_a_lawsuit_stay(ledger: Ledger) -> None:
    ledger.ingest(records=pd.DataFrame([record("H-1", "honour"), record("OLD-1"), record("OLD-2")]))
    report = ledger.expire(ON, WHO, holds=["OLD-2"])
    assert (ids(ledger), report.skipped) == (["H-1", "OLD-2"], {"held": 1})


def test_it_is_said_what_cannot_be_computed_again(ledger: Ledger) -> None:
    ledger.ingest(records=pd.DataFrame([record("OLD-1"), record("OLD-2", subject_id="S2", known_on="2020-01-05")]))
    report = ledger.expire(ON, WHO)
    assert (report.affected_from, report.affected_to, report.subjects) == ("2019-07-02", "2024-06-10", 2)
    assert "2 subject(s) as of days from 2019-07-02 up to, but not on, 2024-06-10" in report.note_en
    assert "2019-07-02 起、2024-06-10 之前各日对 2 名主体" in report.note_zh


def test_a_deleted_record_that_comes_again_is_refused_and_nothing_of_it_is_kept(ledger: Ledger) -> None:
    nameless = {**record("", source="office"), "record_id": None}
    rows = pd.DataFrame([record("OLD-1", source="office"), nameless, nameless])
    ledger.ingest(records=rows)
    assert ledger.expire(ON, WHO).removed["records"] == 3
    changes = pd.DataFrame([amendment("OLD-1", "repaired", "office"), amendment("NEW-9", "repaired")])
    for store in (ledger, Ledger.open(ledger.path)):
        report = store.ingest(records=pd.concat([rows, pd.DataFrame([record("NEW-1", decided_on=ON)])]))
        assert report.rejected == {"expired": 3}
    report = ledger.ingest(amendments=changes.assign(value=None))
    assert report.rejected == {"expired": 1}
    assert ids(ledger) == ["NEW-1"]
    assert files_naming(ledger.path, "OLD-1", "office") == []


def test_a_call_that_is_wrong_deletes_nothing(ledger: Ledger) -> None:
    ledger.ingest(records=pd.DataFrame([record("OLD-1")]))
    with pytest.raises(UserError, match=r"expire: 2999-01-01 is in the future\. Give a day that has come\."):
        ledger.expire("2999-01-01", WHO)
    with pytest.raises(UserError, match=r"expire: the approver is missing"):
        ledger.expire(ON, " ")
    with pytest.raises(UserError, match=r"1 of 2 records to hold are not in the ledger"):
        ledger.expire(ON, WHO, holds=["OLD-1", "OLD-2"])
    with pytest.raises(LedgerError, match=r"expire: this is the ledger as recorded at"):
        ledger.as_recorded_at("2999-01-01").expire(ON, WHO)
    assert ids(ledger) == ["OLD-1"]


def test_what_the_policy_still_uses_stays(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", policy="tier")
    ledger.ingest(records=pd.DataFrame([record("X", penalty_ends_on="2027-01-01"), record("Y")]))
    assert ledger.expire(ON, WHO).removed["records"] == 1
    assert ids(ledger) == ["X"]


def test_the_command_deletes_and_says_what_stays(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.ingest(records=pd.DataFrame([record("OLD-1"), record("L-1", "severe_list"), record("OLD-2")]))
    call = ["expire", str(ledger.path), "--on", ON, "--approver", WHO]
    assert main([*call, "--hold", "OLD-2"]) == 0
    text = capsys.readouterr().out
    assert "deleted: 1 records; past retention and kept: 1 held, 1 listed" in text
    assert main([*call, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["removed"]["records"], value["skipped"], value["complete"]) == (1, {"listed": 1}, True)
    assert main([*call[:3], "10.01.2026", *call[4:]]) == 2
