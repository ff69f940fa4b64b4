"""The ledger: rows go in once and stay, whole or not at all, and what comes out is what went in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.foundation.calendar import NO_VALUE, from_days, to_day
from credit_model.ledger import sources, transaction
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.manifest import CACHE, MANIFEST, PARTS, QUARANTINE, LedgerError

USE = "2026-11-24"


def fines(*numbers: int, **changes: object) -> pd.DataFrame:
    """Penalties with an id each, of a few subjects."""
    rows = [
        {"record_id": f"CF-{n}", "subject_id": f"S{n % 7:04d}", "kind": "adm_penalty", "tier": "general", "amount": n,
         "decided_on": "2024-01-10", "final_on": "2024-02-20", "known_on": "2024-03-01", **changes}
        for n in numbers
    ]  # fmt: skip
    return pd.DataFrame(rows)


def amendment(record_id: str, action: str, effective_on: str, known_on: str, value: str | None = None) -> dict:
    return {
        "record_id": record_id,
        "action": action,
        "effective_on": effective_on,
        "known_on": known_on,
        "value": value,
    }


def ids_of(ledger: Ledger) -> list[str]:
    return sorted(ledger.tables().records["record_id"].tolist())


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger")


# ---------------------------------------------------------------------------------------------- making and opening


def test_a_ledger_keeps_the_catalogue_and_the_policy_it_was_made_with(tmp_path):
    made = Ledger.create(tmp_path / "ledger", policy="retention")
    opened = Ledger.open(tmp_path / "ledger")
    assert (opened.policy, opened.catalogue, opened.digest) == ("retention", load_catalogue(), made.digest)
    assert opened.digest != Ledger.create(tmp_path / "other", policy="tier").digest


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (
            lambda folder: Ledger.create(folder),
            "create a ledger: there is one in .* already. Open it, or give another folder.",
        ),
        (lambda folder: (folder / "thesis.doc").write_text("x"), "is not an empty folder. Give a new one."),
    ],
)
def test_a_ledger_is_made_in_an_empty_folder_only(tmp_path, prepare, said):
    prepare(tmp_path)
    with pytest.raises(LedgerError, match=said):
        Ledger.create(tmp_path)


def test_a_ledger_needs_a_policy_of_its_catalogue_and_a_catalogue(tmp_path):
    with pytest.raises(UserError, match=r"policy 'forever' is not in the catalogue\. Choose one of: tier, retention"):
        Ledger.create(tmp_path / "ledger", policy="forever")
    with pytest.raises(UserError, match=r"catalogue is a str\. Load it with load_catalogue"):
        Ledger.create(tmp_path / "ledger", catalogue="catalogue.toml")
    assert not (tmp_path / "ledger").exists()


def test_where_there_is_no_ledger_none_is_opened(tmp_path):
    with pytest.raises(LedgerError, match=r"read the ledger: there is no ledger in .*\. Create one first"):
        Ledger.open(tmp_path)


# ---------------------------------------------------------------------------------------------- what goes in comes out


def test_rows_come_out_as_they_went_in(ledger):
    ledger.ingest(
        records=fines(1, penalty_type="fine", penalty_ends_on="2024-06-01", source="office"),
        amendments=pd.DataFrame([amendment("CF-1", "repaired", "2024-05-01", "2024-05-03")]),
        subjects=pd.DataFrame({"subject_id": ["S0001"], "born_on": ["1990-05-01"], "known_on": ["2015-01-10"]}),
        audit=pd.DataFrame({"subject_id": ["S0001"], "sex": ["f"]}),
    )
    tables = Ledger.open(ledger.path).tables()
    record = {name: column[0] for name, column in tables.records.items()}
    told = {"record_id": "CF-1", "subject_id": "S0001", "kind": "adm_penalty", "case_id": "CF-1", "source": "office",
            "penalty_type": "fine"}  # fmt: skip
    assert {name: record[name] for name in told} == told
    assert (record["tier"], record["amount"], record["hours"]) == (2, 1, -(2**63))
    assert (record["decided_on"], record["occurred_on"]) == (to_day("2024-01-10"), -(2**31))  # not sent, not made up
    assert record["penalty_ends_on"] == to_day("2024-06-01")
    assert record["served_on"] == -(2**31)
    assert tables.amendments["action"].tolist() == ["repaired"]
    assert tables.subjects["valid_from"].tolist() == [to_day("2015-01-10")]
    assert ledger.audit()["sex"].to_dict() == {"S0001": "f"}


def test_of_audit_attributes_the_last_delivered_holds(ledger):
    ledger.ingest(audit=pd.DataFrame({"subject_id": ["S1", "S2"], "sex": ["f", "m"]}))
    ledger.ingest(audit=pd.DataFrame({"subject_id": ["S1"], "sex": ["m"]}))
    assert ledger.audit()["sex"].to_dict() == {"S1": "m", "S2": "m"}


def test_amendments_are_numbered_in_order_of_arrival_over_deliveries(ledger):
    ledger.ingest(records=fines(1))
    first = [amendment("CF-1", "disputed", "2024-05-01", "2024-05-01")]
    then = [amendment("CF-1", "dispute_closed", "2024-05-01", "2024-05-02", "record_confirmed"),
            amendment("CF-1", "disputed", "2024-05-01", "2024-05-03")]  # fmt: skip
    ledger.ingest(amendments=pd.DataFrame(first))
    ledger.ingest(amendments=pd.DataFrame([{**row, "seq": seq} for row, seq in zip(then, (40, None), strict=True)]))
    ledger.ingest(amendments=pd.DataFrame([amendment("CF-1", "repaired", "2024-06-01", "2024-06-01")]))
    numbers = ledger.tables().amendments["seq"].tolist()
    assert numbers == sorted(numbers)
    assert numbers[1] == 40
    assert len(set(numbers)) == 4


def test_a_record_keeps_the_place_within_its_day_that_the_source_gave_it(ledger):
    ledger.ingest(records=fines(1).assign(seq=7))
    ledger.ingest(records=fines(2), subjects=pd.DataFrame({"subject_id": ["S0001"], "known_on": ["2015-01-10"]}))
    assert ledger.tables().records["seq"].tolist() == [7, NO_VALUE]
    segments, (bucket,) = ledger.segments(USE), list(map(ledger.buckets(USE).open, range(1)))
    for compiled in (segments, bucket):
        places = dict(zip(compiled.record_ids[compiled.record], compiled.seq, strict=True))
        assert places == {"CF-1": 7, "CF-2": NO_VALUE}


def test_an_amendment_of_a_record_not_there_is_kept_and_told(ledger):
    rows = pd.DataFrame([amendment("CF-1", "repaired", "2024-05-01", "2024-05-03"),
                         amendment("CF-9", "repaired", "2024-05-01", "2024-05-03")])  # fmt: skip
    report = ledger.ingest(records=fines(1), amendments=rows)
    assert report.tables["amendments"]["accepted"] == 2
    (warning,) = report.warnings
    assert (warning.code, warning.count, warning.rows) == ("unknown_record", 1, ("amendments:2",))
    ledger.ingest(records=fines(9))
    assert len(ledger.tables().amendments["record_id"]) == 2


def test_only_the_rows_of_the_subjects_asked_for_are_given(ledger):
    ledger.ingest(records=fines(1, 2, 3, 8))
    assert sorted(ledger.tables(["S0001"]).records["record_id"].tolist()) == ["CF-1", "CF-8"]
    assert ledger.tables("S0002").records["record_id"].tolist() == ["CF-2"]


# ---------------------------------------------------------------------------------------------- once and only once


def test_the_same_delivery_again_changes_nothing(ledger, tmp_path):
    fines(1, 2, 3).to_csv(tmp_path / "fines.csv", index=False)
    rows = pd.DataFrame([amendment("CF-1", "disputed", "2024-05-01", "2024-05-03")] * 2)
    delivery = {"records": tmp_path / "fines.csv", "amendments": rows,
                "subjects": pd.DataFrame({"subject_id": ["S0001"], "born_on": ["1990-05-01"]})}  # fmt: skip
    first = ledger.ingest(**delivery)
    digest, files = ledger.digest, files_in(ledger.path)
    again = Ledger.open(ledger.path).ingest(**delivery)
    assert (first.accepted, first.duplicates) == (6, 0)
    assert (again.accepted, again.duplicates) == (0, 6)
    assert Ledger.open(ledger.path).digest == digest
    assert files_in(ledger.path) == files


def test_equal_rows_without_an_id_are_different_records_and_keep_their_ids_when_delivered_again(ledger):
    nameless = fines(1, 1, 1, 2).drop(columns="record_id")
    assert ledger.ingest(records=nameless).accepted == 4
    ids = ids_of(ledger)
    assert len(set(ids)) == 4
    assert ledger.tables().records["case_id"].tolist() == ledger.tables().records["record_id"].tolist()
    again = ledger.ingest(records=nameless.iloc[::-1])
    assert (again.accepted, again.duplicates) == (0, 4)
    assert ids_of(ledger) == ids


def test_equal_rows_are_counted_through_batches_and_files(ledger, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", 3)
    nameless = fines(*[1] * 8, 2).drop(columns="record_id")
    assert ledger.ingest(records=[nameless, nameless]).accepted == 18
    assert ledger.ingest(records=[nameless, nameless]).duplicates == 18


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(ledger):
    ledger.ingest(records=fines(1))
    report = ledger.ingest(records=pd.concat([fines(1, tier="serious"), fines(1), fines(2), fines(2, amount=7)]))
    assert (report.accepted, report.duplicates, report.rejected) == (1, 1, {"conflict": 2})
    assert ledger.tables().records["tier"].tolist() == [2, 2]
    lines = [json.loads(line) for line in report.quarantine.read_text(encoding="utf-8").splitlines()]
    assert [(line["row"], line["values"]["record_id"]) for line in lines] == [(1, "CF-1"), (4, "CF-2")]


def test_a_case_of_its_own_said_or_not_is_the_same_content(ledger):
    ledger.ingest(records=fines(1))
    assert ledger.ingest(records=fines(1, case_id="CF-1")).duplicates == 1
    assert ledger.ingest(records=fines(1, case_id="AJ-1")).rejected == {"conflict": 1}


def test_a_conflict_delivered_again_is_the_same_conflict(ledger):
    ledger.ingest(records=fines(1))
    reports = [ledger.ingest(records=fines(1, tier="serious")) for _ in range(2)]
    assert reports[0] == reports[1]
    assert len(list((ledger.path / QUARANTINE).iterdir())) == 1


@settings(max_examples=15)  # each example writes several ledgers to disk
@given(st.permutations(range(8)), st.lists(st.integers(1, 7), max_size=3, unique=True), st.booleans())
def test_order_splitting_and_repetition_of_deliveries_change_nothing_that_is_kept(
    tmp_path_factory, order, cuts, repeat
):
    frame = fines(*range(8))
    whole = Ledger.create(tmp_path_factory.mktemp("whole") / "ledger")
    whole.ingest(records=frame)
    parts = Ledger.create(tmp_path_factory.mktemp("parts") / "ledger")
    for piece in np.split(np.array(order), sorted(cuts)):
        for _ in range(1 + repeat):
            parts.ingest(records=frame.iloc[piece])
    shown = [pd.DataFrame(one.tables().records).sort_values("record_id", ignore_index=True) for one in (whole, parts)]
    pd.testing.assert_frame_equal(*shown)
    pd.testing.assert_frame_equal(*(one.as_of("2024-06-01", USE) for one in (whole, parts)))


def test_any_row_changes_the_digest(ledger):
    seen = {ledger.digest}
    for delivery in (
        {"records": fines(1)},
        {"amendments": pd.DataFrame([amendment("CF-1", "repaired", "2024-05-01", "2024-05-03")])},
        {"subjects": pd.DataFrame({"subject_id": ["S1"]})},
        {"audit": pd.DataFrame({"subject_id": ["S1"], "sex": ["f"]})},
    ):
        ledger.ingest(**delivery)
        seen.add(ledger.digest)
    assert len(seen) == 5


# ---------------------------------------------------------------------------------------------- whole or not at all


def test_killed_at_any_moment_a_delivery_leaves_the_old_ledger_or_the_new(ledger, tmp_path, monkeypatch):
    """What a kill leaves is what is on disk at that moment: a copy of the folder at every step of the writer."""
    ledger.ingest(records=fines(1, 2))
    old, moments = ledger.digest, []

    def kill(*_: object, **__: object) -> None:
        moments.append(tmp_path / f"moment{len(moments)}")
        shutil.copytree(ledger.path, moments[-1])

    for module, name in ((os, "fsync"), (os, "replace"), (Path, "replace"), (pq, "write_table"), (Path, "unlink")):
        real = getattr(module, name)

        def stepped(*args: object, real: object = real, **options: object) -> object:
            kill()
            result = real(*args, **options)
            kill()
            return result

        monkeypatch.setattr(module, name, stepped)
    (ledger.path / PARTS / "records-000009-0000.parquet").write_bytes(b"left by a writer that died")
    ledger.ingest(
        records=pd.concat([fines(3, 4), fines(1, tier="serious")]),
        amendments=pd.DataFrame([amendment("CF-1", "repaired", "2024-05-01", "2024-05-03")]),
    )
    new = ledger.digest
    monkeypatch.undo()

    assert len(moments) > 15
    digests = [Ledger.open(moment).digest for moment in moments]
    assert digests == sorted(digests, key=[old, new].index)  # old up to one moment, new from then on
    assert set(digests) == {old, new}
    for moment, digest in zip(moments, digests, strict=True):
        found = Ledger.open(moment)
        assert ids_of(found) == (["CF-1", "CF-2"] if digest == old else ["CF-1", "CF-2", "CF-3", "CF-4"])
        found.ingest(records=fines(3, 4))
        named = {part["file"] for part in json.loads((moment / MANIFEST).read_text())["parts"]}
        assert {path.name for path in (moment / PARTS).iterdir()} == named


def test_a_writer_that_is_really_killed_leaves_a_whole_ledger(tmp_path):
    script = textwrap.dedent(
        """
        import sys, pandas as pd
        from credit_model.ledger.ledger import Ledger
        ledger = Ledger.create(sys.argv[1])
        for n in range(1000):
            ids = [f"CF-{n}-{i}" for i in range(500)]
            ledger.ingest(records=pd.DataFrame({"record_id": ids, "subject_id": "S1", "kind": "honour",
                                                "decided_on": "2024-01-10", "known_on": "2024-03-01"}))
            print(n, flush=True)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "ledger")], stdout=subprocess.PIPE, text=True
    )
    try:
        told = int(child.stdout.readline())
        time.sleep(0.15)
    finally:
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate()
    told = max([told, *map(int, rest.split())])
    kept = len(ids_of(Ledger.open(tmp_path / "ledger")))
    assert kept % 500 == 0
    assert kept >= 500 * (told + 1)


def test_a_delivery_that_fails_half_way_leaves_nothing(ledger, monkeypatch):
    def stop(table: str, rows: int) -> None:
        if rows == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(sources, "BATCH_ROWS", 2)
    monkeypatch.setattr(transaction, "PART_ROWS", 2)
    ledger.ingest(records=fines(1))
    digest, files = ledger.digest, files_in(ledger.path)
    with pytest.raises(KeyboardInterrupt):
        ledger.ingest(records=pd.concat([fines(1, amount=9), fines(2, 3, 4, 5, 6)]), progress=stop)
    assert files_in(ledger.path) == files
    assert Ledger.open(ledger.path).digest == digest


def test_two_writers_never_mix(ledger):
    def deliver(writer: int) -> None:
        own = Ledger.open(ledger.path)
        for n in range(3):
            own.ingest(records=fines(*range(100 * writer + 10 * n, 100 * writer + 10 * n + 10)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, range(4)))
    assert len(ids_of(Ledger.open(ledger.path))) == 4 * 30
    assert len(set(ids_of(Ledger.open(ledger.path)))) == 4 * 30


def test_a_ledger_is_as_it_was_when_opened(ledger):
    other = Ledger.open(ledger.path)
    other.ingest(records=fines(1))
    assert ids_of(ledger) == []
    assert ids_of(Ledger.open(ledger.path)) == ["CF-1"]
    ledger.ingest(records=fines(1, 2))
    assert ids_of(ledger) == ["CF-1", "CF-2"]


# ---------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("damage", ["altered", "truncated", "missing", "replaced by another part"])
def test_a_damaged_part_is_named_when_it_is_read(ledger, damage):
    ledger.ingest(records=fines(1, 2))
    ledger.ingest(records=fines(3))
    part, other = sorted((ledger.path / PARTS).iterdir())
    data = part.read_bytes()
    if damage == "altered":
        part.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    elif damage == "truncated":
        part.write_bytes(data[: len(data) // 2])
    elif damage == "missing":
        part.unlink()
    else:
        part.write_bytes(other.read_bytes())
    opened = Ledger.open(ledger.path)
    for read in (opened.tables, opened.segments, lambda: opened.ingest(records=fines(9))):
        with pytest.raises(LedgerError, match=part.name):
            read()
    assert opened.digest == ledger.digest


def test_an_altered_manifest_or_catalogue_is_named(ledger):
    ledger.ingest(records=fines(1))
    manifest = ledger.path / MANIFEST
    text = manifest.read_text()
    for wrong, said in (
        (text.replace('"policy": "tier"', '"policy": "retention"'), "was altered: its checksum does not fit"),
        (text[: len(text) // 2], "is damaged. Restore it from a copy"),
        ("[]", "is damaged"),
        (
            text.replace('"schema": 2', '"schema": 1'),
            "is of schema 1; this version reads schema 2. Ingest the sources again",
        ),
    ):
        manifest.write_text(wrong)
        with pytest.raises(LedgerError, match=said):
            Ledger.open(ledger.path)
    manifest.write_text(text)
    catalogue = ledger.path / "catalogue.toml"
    catalogue.write_text(catalogue.read_text(encoding="utf-8").replace("general = 12", "general = 1"), encoding="utf-8")
    with pytest.raises(LedgerError, match=r"catalogue.toml was altered"):
        Ledger.open(ledger.path)


def test_compiled_segments_are_a_cache_and_never_a_source(ledger):
    ledger.ingest(records=fines(*range(40)))
    fresh = ledger.segments(USE).to_arrow()
    (cached,) = (ledger.path / CACHE).iterdir()
    sound = cached.read_bytes()
    flipped = [sound[:i] + bytes([sound[i] ^ 1]) + sound[i + 1 :] for i in range(0, len(sound), len(sound) // 12)]
    for damaged in (b"", b"PAR1 nonsense PAR1", sound[:-1], *flipped):
        cached.write_bytes(damaged)
        assert Ledger.open(ledger.path).segments(USE).to_arrow().equals(fresh)
        assert cached.read_bytes() == sound  # made again
    cached.unlink()
    cached.mkdir()  # a folder nothing can be kept in is no reason to stop
    assert Ledger.open(ledger.path).segments(USE).to_arrow().equals(fresh)


def test_a_cache_that_was_removed_is_made_again(ledger):
    ledger.ingest(records=fines(1))
    shutil.rmtree(ledger.path / CACHE)
    ledger.ingest(records=fines(2))
    assert len(ledger.segments(USE)) == len(Ledger.open(ledger.path).segments(USE)) > 0
    assert len(list((ledger.path / CACHE).iterdir())) == 1


def test_compiled_segments_are_read_when_they_were_kept(ledger, monkeypatch):
    ledger.ingest(records=fines(*range(40)))
    fresh = ledger.segments(USE).to_arrow()
    monkeypatch.setattr("credit_model.ledger.buckets.compile_segments", lambda *_: pytest.fail("compiled again"))
    assert Ledger.open(ledger.path).segments(USE).to_arrow().equals(fresh)


def test_a_new_row_a_new_day_of_use_and_another_policy_compile_anew(ledger, tmp_path):
    ledger.ingest(records=fines(1))
    assert len(ledger.as_of("2025-06-01", USE)) == 0
    assert len(ledger.as_of("2025-06-01", "2026-03-31")) == 1  # before Order 36 use lasts as long as retention
    ledger.ingest(records=fines(2, decided_on="2024-09-01", final_on=None, known_on="2024-09-02"))
    assert ledger.as_of("2025-06-01", USE)["record_id"].tolist() == ["CF-2"]
    kept = Ledger.create(tmp_path / "kept", policy="retention")
    kept.ingest(records=fines(1))
    assert len(kept.as_of("2025-06-01", USE)) == 1


def test_old_caches_are_removed(ledger):
    ledger.ingest(records=fines(1))
    for day in range(1, 9):
        ledger.segments(f"2026-11-0{day}")
    assert len(list((ledger.path / CACHE).iterdir())) == 4


# ---------------------------------------------------------------------------------------------- looking


def test_as_of_shows_the_facts_in_force_on_that_day(ledger):
    listed = fines(2, kind="dishonest_executee", tier=None, final_on=None, case_id="AJ-2", amount=50_000)
    ledger.ingest(
        records=pd.concat([fines(1, penalty_type="fine", amount=5_000), listed]),
        amendments=pd.DataFrame([amendment("CF-2", "partly_performed", "2024-06-01", "2024-06-01", "20000")]),
    )
    shown = ledger.as_of("2024-07-01", USE).set_index("record_id")
    assert shown.loc["CF-1", ["kind", "tier", "role", "penalty_type"]].tolist() == [
        "adm_penalty",
        "general",
        "",
        "fine",
    ]
    assert shown.loc["CF-2", ["case_id", "tier", "role"]].tolist() == ["AJ-2", "serious", "listed"]
    assert shown.loc["CF-2", ["amount", "outstanding"]].tolist() == [50_000, 20_000]
    assert str(shown.loc["CF-1", "visible_from"].date()) == "2024-03-02"
    assert shown.loc["CF-1", "hours"] is pd.NA
    assert ledger.as_of("2024-03-01", USE).columns.tolist() == ledger.as_of("2024-07-01", USE).columns.tolist()


def test_between_reads_what_was_decided_in_a_span_as_known_later(ledger):
    ledger.ingest(
        records=pd.concat(
            [fines(n, decided_on=f"2024-01-{n}", final_on=None, known_on="2024-03-01") for n in (10, 11, 12, 13, 14)]
        ),
        amendments=pd.DataFrame(
            [
                amendment("CF-11", "challenged", "2024-04-01", "2024-04-02"),
                amendment("CF-12", "revoked", "2024-05-01", "2024-05-02"),
                amendment("CF-13", "repaired", "2024-05-01", "2024-05-02"),
                amendment("CF-14", "corrected", "2024-05-01", "2024-05-02", "decided_on=2024-02-01"),
                amendment("CF-10", "corrected", "2024-05-01", "2024-11-02", "tier=serious"),
            ]
        ),
    )
    seen = ledger.between("2024-01-11", "2024-02-01", known_by="2024-11-01", day_of_use=USE).set_index("record_id")
    assert sorted(seen.index) == ["CF-11", "CF-12", "CF-13"]
    assert seen["final"].to_dict() == {"CF-11": False, "CF-12": True, "CF-13": True}
    assert seen["challenge_open"].to_dict() == {"CF-11": True, "CF-12": False, "CF-13": False}
    assert seen["revoked"].to_dict() == {"CF-11": False, "CF-12": True, "CF-13": False}
    assert seen["repaired"].to_dict() == {"CF-11": False, "CF-12": False, "CF-13": True}
    then = ledger.between("2024-02-01", "2024-03-01", known_by="2024-11-01", day_of_use=USE)
    assert then["record_id"].tolist() == ["CF-14"]
    assert ledger.between("2024-01-10", "2024-01-11", "2024-11-01", USE)["tier"].tolist() == ["general"]
    assert ledger.between("2024-01-10", "2024-01-11", "2024-11-03", USE)["tier"].tolist() == ["serious"]
    assert ledger.between("2024-01-10", "2024-01-11", "2024-03-01", USE).empty  # not on file yet


def test_a_record_that_moved_is_on_both_files_and_marked_on_the_first(ledger):
    ledger.ingest(records=fines(1), amendments=pd.DataFrame(
        [amendment("CF-1", "moved_to_subject", "2024-05-01", "2024-05-02", "S0005")]))  # fmt: skip
    seen = ledger.between("2024-01-01", "2024-02-01", known_by="2024-11-01", day_of_use=USE)
    assert dict(zip(seen["subject_id"], seen["moved"], strict=True)) == {"S0001": True, "S0005": False}


def test_an_empty_ledger_can_be_asked_everything(ledger):
    assert ledger.as_of("2024-01-01", USE).empty
    assert ledger.between("2024-01-01", "2025-01-01", known_by="2025-08-01", day_of_use=USE).empty
    assert ledger.audit().empty
    assert len(ledger.segments(USE)) == 0
    assert ledger.population().standing(["S1"], "2024-01-01").tolist() == ["not_eligible"]


# ---------------------------------------------------------------------------------------------- persons


@pytest.fixture
def keyed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", "a key for tests, thirty-two chars")
    return ledger


def canaries(n: int) -> list[str]:
    """Made identity numbers of a county that does not exist, with right check digits."""
    bodies = [f"999999{1950 + i % 50}{1 + i % 12:02d}{1 + i % 28:02d}{i % 1000:03d}" for i in range(n)]
    weights = [2 ** (17 - i) % 11 for i in range(17)]
    sums = [sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11 for body in bodies]
    return [body + "10X98765432"[s] for body, s in zip(bodies, sums, strict=True)]


def test_without_a_key_identity_numbers_are_refused_before_anything_is_written(ledger, monkeypatch):
    monkeypatch.delenv("CREDIT_MODEL_PSEUDONYM_KEY", raising=False)
    before = files_in(ledger.path)
    with pytest.raises(UserError, match="CREDIT_MODEL_PSEUDONYM_KEY is not set: nothing was written"):
        ledger.ingest(records=fines(1).rename(columns={"subject_id": "id_number"}))
    assert files_in(ledger.path) == before


def test_a_person_has_one_pseudonym_in_all_tables(keyed):
    number = canaries(1)[0]
    keyed.ingest(
        records=fines(1).drop(columns="subject_id").assign(id_number=number.lower(), id_type="resident_id"),
        subjects=pd.DataFrame({"id_number": [f" {number} "], "born_on": ["1990-05-01"]}),
        audit=pd.DataFrame({"id_number": [number], "sex": ["f"]}),
    )
    tables = keyed.tables()
    assert set(tables.records["subject_id"]) == set(tables.subjects["subject_id"]) == set(keyed.audit().index)
    assert number not in tables.records["subject_id"][0]


def test_another_key_is_refused_for_it_would_split_every_person(keyed, monkeypatch):
    delivery = {"records": fines(1).drop(columns="subject_id").assign(id_number=canaries(1))}
    keyed.ingest(**delivery)
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", "another key for tests, not the same")
    with pytest.raises(LedgerError, match="is not the key this ledger's pseudonyms were made with"):
        keyed.ingest(**delivery)


def test_a_short_key_is_told(ledger, monkeypatch):
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", "short")
    report = ledger.ingest(records=fines(1).drop(columns="subject_id").assign(id_number=canaries(1)))
    (warning,) = report.warnings
    assert warning.code == "short_key"
    assert str(warning).endswith("CREDIT_MODEL_PSEUDONYM_KEY has fewer than 32 characters: it can be guessed")


def test_of_a_thousand_canaries_none_is_found_in_any_file(keyed, tmp_path):
    numbers = canaries(1000)
    names = [f"Canary Person {i:04d}" for i in range(1000)]
    rows = fines(*range(1000)).drop(columns="subject_id").assign(id_number=numbers, name=names)
    spoilt = [number[:17] + ("0" if number[17] != "0" else "1") for number in numbers]
    rows.loc[100:199, "id_number"] = spoilt[100:200]  # refused: check digit
    rows["case_id"] = [f"case of {n}" if 200 <= i < 300 else f"AJ-{i}" for i, n in enumerate(numbers)]
    rows["amount"] = [name if 300 <= i < 400 else str(i) for i, name in enumerate(names)]  # a shifted column
    rows.loc[400:499, "id_number"] = names[400:500]
    rows.to_csv(tmp_path / "raw.csv", index=False)
    (tmp_path / "mapping.toml").write_text(
        'schema = 1\nname = "raw"\n[[table]]\nsource = "raw"\n[table.columns]\n'
        + "".join(f'{name} = "{name}"\n' for name in rows.columns if name != "name"),
        encoding="utf-8",
    )
    report = keyed.ingest(records=tmp_path / "raw.csv", mapping=tmp_path / "mapping.toml")
    direct = keyed.ingest(records=fines(*range(2000, 2100)).assign(subject_id=numbers[:100]))
    assert (report.accepted, report.rejected_rows) == (600, 400)
    assert direct.rejected == {"subject_id_is_id_number": 100}
    keyed.segments(USE)

    written = b""
    for path in keyed.path.rglob("*"):
        if path.suffix == ".parquet":
            written += pq.read_table(path).to_pandas().to_csv().encode()
        elif path.is_file():
            written += path.read_bytes()
    assert b"CF-150" in written  # a refused row is kept, and can be found again
    for secret in (*numbers, *spoilt, *names):
        assert secret.encode() not in written


# ---------------------------------------------------------------------------------------------- size


def test_progress_is_reported_by_rows_read(ledger, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", 4)
    told = []
    ledger.ingest(records=fines(*range(10)), progress=lambda table, rows: told.append((table, rows)))
    assert told == [("records", 4), ("records", 8), ("records", 10)]


def test_a_large_delivery_is_cut_into_parts(ledger, monkeypatch):
    monkeypatch.setattr(sources, "BATCH_ROWS", 4)
    monkeypatch.setattr(transaction, "PART_ROWS", 8)
    ledger.ingest(records=fines(*range(30)))
    parts = json.loads((ledger.path / MANIFEST).read_text())["parts"]
    assert [part["rows"] for part in parts] == [8, 8, 8, 6]
    assert len(ids_of(ledger)) == 30


@pytest.mark.soak
def test_memory_is_bounded_by_batches_not_by_rows(tmp_path):
    """Three million rows from Parquet in a process of its own: keys grow, rows do not."""
    rng = np.random.default_rng(1)
    writer = None
    for i in range(30):
        n = 100_000
        day = from_days(to_day("2018-01-01") + rng.integers(0, 2500, n))
        people = [f"S{j:07d}" for j in rng.integers(0, 10**6, n)]
        ids = [f"R{i}-{j}" for j in range(n)]
        table = pa.table(
            {"record_id": ids, "subject_id": people, "kind": ["honour"] * n, "decided_on": day, "known_on": day}
        )
        writer = writer or pq.ParquetWriter(tmp_path / "rows.parquet", table.schema)
        writer.write_table(table)
    writer.close()
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from credit_model.ledger.ledger import Ledger
        report = Ledger.create(sys.argv[1]).ingest(records=sys.argv[2])
        status = Path("/proc/self/status").read_text()  # ru_maxrss would start from what the tests hold
        print(report.accepted, int(status.split("VmHWM:")[1].split()[0]) // 1024)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path / "ledger"), str(tmp_path / "rows.parquet")]
    accepted, megabytes = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert accepted == 3_000_000
    assert megabytes < 1_500
