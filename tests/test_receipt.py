"""The day of receipt: stamped by the ledger itself, so that what it knew on a day can be asked whatever sources say."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from small_card import small_card

from credit_model import Ledger, build_features, library
from credit_model.catalogue.catalogue import load_catalogue, parse_catalogue
from credit_model.cli.main import main
from credit_model.foundation.errors import UserError
from credit_model.ledger import transaction
from credit_model.ledger.manifest import LedgerError
from credit_model.ledger.validation import ColumnErrors

USE, AS_OF = "2026-11-24", "2025-06-01"
FIRST = date(2025, 7, 1)


class Clock:
    """A clock that stands where it was set."""

    def __init__(self, day: date = FIRST) -> None:
        self.day = day

    def __call__(self) -> date:
        return self.day


def penalties(*numbers: int, known_on: str = "2024-03-01", **more: object) -> pd.DataFrame:
    rows = [
        {"record_id": f"CF-{n}", "subject_id": f"S{n % 3}", "kind": "adm_penalty", "tier": "serious", "amount": n,
         "decided_on": "2024-01-10", "final_on": "2024-02-20", "known_on": known_on, **more}
        for n in numbers
    ]  # fmt: skip
    return pd.DataFrame(rows)


def repair(number: int) -> pd.DataFrame:
    days = {"effective_on": ["2025-02-01"], "known_on": ["2025-02-03"]}
    return pd.DataFrame({"record_id": [f"CF-{number}"], "action": ["repaired"], **days})


def birth(subject: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject_id": [subject],
            "born_on": ["1990-05-01"],
            "resident_from": ["2000-01-01"],
            "known_on": ["2001-01-01"],
        }
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger.open(Ledger.create(tmp_path / "ledger").path, clock=clock)


def features(ledger: Ledger) -> bytes:
    observations = pd.DataFrame({"subject_id": ["S0", "S1", "S2"], "as_of": AS_OF})
    names = [definition.name for definition in library()]
    return build_features(ledger, observations, names, day_of_use=USE).to_numpy(np.float32).tobytes()


def test_rows_are_seen_as_recorded_on_the_day_of_their_receipt_and_not_the_day_before(
    ledger: Ledger, clock: Clock
) -> None:
    ledger.ingest(records=penalties(1), subjects=birth("S1"))
    clock.day += timedelta(10)
    ledger.ingest(records=penalties(2, 4), amendments=repair(1), audit=pd.DataFrame({"subject_id": ["S1"], "sex": "f"}))
    before, on = (ledger.as_recorded_at(clock.day - timedelta(days)) for days in (1, 0))
    assert before.tables().records["record_id"].tolist() == ["CF-1"]
    assert before.tables(["S1", "S2"]).records["record_id"].tolist() == ["CF-1"]
    assert len(before.tables().amendments["record_id"]) == len(before.audit()) == 0
    assert before.as_of(AS_OF, USE)["record_id"].tolist() == ["CF-1"]
    assert on.as_of(AS_OF, USE)["record_id"].tolist() == ledger.as_of(AS_OF, USE)["record_id"].tolist()
    assert len({before.digest, on.digest, ledger.digest}) == 3
    assert len(ledger.as_recorded_at(FIRST - timedelta(1)).tables().records["record_id"]) == 0


def test_nothing_is_written_to_a_ledger_as_it_was(ledger: Ledger) -> None:
    ledger.ingest(records=penalties(1))
    past = ledger.as_recorded_at(FIRST)
    for attempt in (
        lambda: past.ingest(records=penalties(2)),
        lambda: past.forget("S1", reason="left", approver="Zhou Min"),
        lambda: past.readmit("S1", reason="came back", approver="Zhou Min"),
    ):
        with pytest.raises(LedgerError, match=r"this is the ledger as recorded at 2025-07-01, for reading\. Open the"):
            attempt()
    assert past.as_recorded_at("2030-01-01").digest == past.digest


def test_a_source_cannot_say_when_the_ledger_received_its_rows(ledger: Ledger) -> None:
    with pytest.raises(ColumnErrors, match="column 'received_on' is stamped by the ledger at delivery: leave it out"):
        ledger.ingest(records=penalties(1, received_on="2024-03-01"))


def test_the_day_of_receipt_is_no_part_of_the_content(ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    later = Ledger.open(Ledger.create(tmp_path / "later").path, clock=Clock(date(2026, 1, 1)))
    for one in (ledger, later):
        one.ingest(records=penalties(1, 2))
    assert later.digest == ledger.digest
    clock.day += timedelta(300)
    assert ledger.ingest(records=penalties(1, 2)).duplicates == 2
    assert len(ledger.as_recorded_at(FIRST).tables().records["record_id"]) == 2  # what came again stays received


# ---------------------------------------------------------------------------------------------- before version 2


def test_of_rows_of_version_1_the_past_is_refused_and_the_time_since_is_not(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent / "cases" / "version1" / "ledger", tmp_path / "ledger")
    (tmp_path / "ledger" / "quarantine").mkdir()  # Git keeps no empty folder
    version_1 = Ledger.open(tmp_path / "ledger")
    with pytest.raises(LedgerError, match=r"rows in .* bear no day of receipt.*Deliver to it first\."):
        version_1.as_recorded_at("2030-01-01")
    stamped = Ledger.open(version_1.path, clock=Clock())
    number = len(stamped.tables().records["record_id"])
    stamped.ingest(records=penalties(1))
    with pytest.raises(LedgerError, match=r"as recorded at 2025-06-30: .*\. Give 2025-07-01 or a later day\."):
        stamped.as_recorded_at(FIRST - timedelta(1))
    assert len(stamped.as_recorded_at(FIRST).tables().records["record_id"]) == number + 1


# ---------------------------------------------------------------------------------------------- what comes back-dated

Delivery = tuple[int, Sequence[int], int | None, str | None]
deliveries = st.lists(
    st.tuples(
        st.integers(0, 3),  # days since the delivery before
        st.lists(st.integers(0, 8), max_size=3, unique=True),
        st.none() | st.integers(0, 8),
        st.sampled_from([None, "S0", "S1", "S2"]),
    ),
    min_size=2,
    max_size=6,
)


def deliver(ledger: Ledger, delivery: Delivery) -> None:
    _, numbers, repaired, subject = delivery
    rows = {
        "records": penalties(*numbers) if numbers else None,
        "amendments": None if repaired is None else repair(repaired),
        "subjects": None if subject is None else birth(subject),
    }
    if any(frame is not None for frame in rows.values()):
        ledger.ingest(**rows)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(planned=deliveries, cut=st.integers(0, 12))
def test_a_back_dated_delivery_changes_nothing_as_recorded_at_an_earlier_day(planned: list[Delivery], cut: int) -> None:
    asked = FIRST + timedelta(cut)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "MAX_UNMERGED", 2)  # rows of different days share a part
        clock = Clock()
        whole, then = (
            Ledger.open(Ledger.create(Path(folder) / name, policy="retention").path, clock=clock)
            for name in ("whole", "then")
        )
        for one in (whole, then):
            one.ingest(subjects=pd.concat(map(birth, ("S0", "S1", "S2"))).assign(born_on="1991-06-01"))
        for delivery in planned:
            clock.day += timedelta(delivery[0])
            deliver(whole, delivery)
            if clock.day <= asked:
                deliver(then, delivery)
        past = whole.as_recorded_at(asked)
        assert features(past) == features(then)
        assert past.segments(USE).to_arrow().equals(then.segments(USE).to_arrow())
        assert past.buckets(USE).open(0).to_arrow().equals(then.buckets(USE).open(0).to_arrow())
        for subject in ("S0", "S1", "S2"):
            assert sorted(past.tables([subject]).records["record_id"]) == sorted(
                then.tables([subject]).records["record_id"]
            )


@pytest.fixture
def strict(tmp_path: Path, clock: Clock) -> Ledger:
    """A ledger whose catalogue allows sixty days from knowledge to receipt."""
    text = load_catalogue().text + "\n[receipt]\nmax_lag_days = 60\n"
    folder = Ledger.create(tmp_path / "strict", parse_catalogue(text)).path
    return Ledger.open(folder, clock=clock)


def test_rows_that_come_later_than_the_catalogue_allows_are_counted_and_named(strict: Ledger, ledger: Ledger) -> None:
    rows = pd.concat([penalties(1, known_on="2025-05-02"), penalties(2, known_on="2025-05-01")])
    report = strict.ingest(records=rows, amendments=repair(1))
    assert (report.accepted, report.back_dated) == (3, 2)
    (warning,) = report.warnings
    assert (warning.code, warning.rows) == ("back_dated", ("records:2", "amendments:1"))
    assert strict.ingest(records=rows).back_dated == 0  # what was there already is nothing new
    assert ledger.ingest(records=rows).back_dated == 0  # a catalogue without a limit checks none


def test_the_command_says_what_came_back_dated(
    strict: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    penalties(1, 2).to_csv(tmp_path / "records.csv", index=False)
    penalties(4).to_csv(tmp_path / "more.csv", index=False)
    assert main(["ingest", str(strict.path), "--records", str(tmp_path / "records.csv"), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["back_dated"] == 2
    assert [(w["code"], w["count"], w["rows"]) for w in value["warnings"]] == [
        ("back_dated", 2, ["records (records.csv):1", "records (records.csv):2"])
    ]
    assert main(["ingest", str(strict.path), "--records", str(tmp_path / "more.csv")]) == 0
    text = capsys.readouterr().out
    assert "warning: 1 back_dated: known longer before its receipt than the catalogue allows" in text
    assert "records (more.csv):1" in text


@pytest.mark.parametrize("out", ["X.parquet", "X"])
def test_the_commands_answer_as_recorded_at_a_day(
    ledger: Ledger, clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    everybody = pd.concat(map(birth, ("S0", "S1", "S2")))
    ledger.ingest(records=penalties(1), subjects=everybody)
    clock.day += timedelta(10)
    ledger.ingest(records=penalties(2, 4))
    pd.DataFrame({"subject_id": ["S1", "S2"], "as_of": AS_OF}).to_csv(tmp_path / "rows.csv", index=False)
    card = str(small_card("tier").save(tmp_path / "card.json"))
    values, scores = [], []
    for option in ([], ["--recorded-at", str(FIRST)]):
        to = tmp_path / f"{len(values)}{out}"
        call = ["features", str(ledger.path), str(tmp_path / "rows.csv"), "--out", str(to), "--day-of-use", USE]
        assert main([*call, *option]) == 0
        rows = pd.read_parquet(to if to.is_file() else sorted(to.glob("*.parquet")))
        values.append(rows["adverse_serious_36m"].tolist())
        capsys.readouterr()
        call = ["assess", "S2", "--ledger", str(ledger.path), "--model", card, "--as-of", AS_OF, "--day-of-use", USE]
        assert main([*call, *option, "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out)["score"])
    assert values == [[2, 1], [1, 0]]
    assert scores[0] < scores[1]


def test_a_limit_of_receipt_is_a_whole_number_of_days() -> None:
    with pytest.raises(UserError, match=r"receipt\.max_lag_days: must be a whole number of at least 0, got 'soon'"):
        parse_catalogue(load_catalogue().text + '\n[receipt]\nmax_lag_days = "soon"\n')
