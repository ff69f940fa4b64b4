"""A ledger that others write to: a person's file is read alone, new deliveries are taken in, parts stay few."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from families import compiled, deliver, made, people_of, pieces, random_rows, rows_of, small_parts
from hypothesis import given, settings
from hypothesis import strategies as st
from test_visibility_naive import TRIAL

from credit_model.ledger import parts, transaction
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.manifest import MANIFEST, PARTS, LedgerError, Manifest


def honours(*numbers: int, subject: str = "S0001") -> pd.DataFrame:
    return pd.DataFrame(
        {"record_id": [f"H-{n}" for n in numbers], "subject_id": subject, "kind": "honour",
         "decided_on": "2024-01-10", "known_on": "2024-03-01"}
    )  # fmt: skip


def records_of(ledger: Ledger, subject: str = "S0001") -> list[str]:
    return sorted(ledger.tables([subject]).records["record_id"].tolist())


def parts_of(ledger: Ledger) -> list[dict[str, Any]]:
    return json.loads((ledger.path / MANIFEST).read_text(encoding="utf-8"))["parts"]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger")


# ---------------------------------------------------------------------------------------------- one person's file


@settings(max_examples=12)  # each example writes a ledger in up to eight deliveries
@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(1, 6))
def test_a_persons_rows_and_file_are_the_same_read_alone_or_out_of_everything(tmp_path_factory, seed, cuts, families):
    rng = random.Random(seed)
    rows = random_rows(rng, families)
    with small_parts():
        ledger = made(tmp_path_factory.mktemp("ledger") / "ledger")
        reader = Ledger.open(ledger.path)
        for piece in pieces(rng, rows, cuts):
            deliver(ledger, piece)
            reader.refresh()
            everything = Ledger.open(ledger.path).tables()
            people = [*people_of(rows), "nobody"]
            asked = [
                people,
                ["nobody"],
                *([person] for person in people),
                rng.sample(people, rng.randint(1, len(people))),
            ]
            for ids in asked:
                alone, chosen = reader.tables(ids), everything.for_subjects(ids)
                assert rows_of(alone) == rows_of(chosen)
                assert compiled(ledger, alone).to_arrow().equals(compiled(ledger, chosen).to_arrow())


@pytest.mark.parametrize("deliveries", [[3] * 10, [5, 5, 9, 5], [1, 1, 1, 11, 1, 1, 1, 1]])
def test_a_persons_rows_come_in_their_order_of_arrival(ledger, deliveries):
    with small_parts():
        for last, rows in zip(accumulate(deliveries), deliveries, strict=True):
            ledger.ingest(
                records=pd.concat([honours(*range(last - rows, last)), honours(1000 + last, subject="S0002")])
            )
    arrived = [f"H-{n}" for n in range(sum(deliveries))]
    assert Ledger.open(ledger.path).tables(["S0001"]).records["record_id"].tolist() == arrived


def test_a_person_is_found_without_reading_the_others(ledger, monkeypatch):
    people = [f"S{n:06d}" for n in range(40_000)]
    ledger.ingest(
        records=honours(*range(40_000)).assign(subject_id=people),
        subjects=pd.DataFrame({"subject_id": people, "born_on": "1990-05-01"}),
    )
    read = []
    group = parts.OpenPart._group
    monkeypatch.setattr(parts.OpenPart, "_group", lambda part, *what: read.append(group(part, *what)) or read[-1])
    monkeypatch.setattr(parts.OpenPart, "read", lambda *_: pytest.fail("a whole part was read"))
    found = Ledger.open(ledger.path).tables(["S012345"])
    assert (len(found.records["record_id"]), len(found.subjects["subject_id"])) == (1, 1)
    assert sum(rows.num_rows for rows in read) < 8_000


# ---------------------------------------------------------------------------------------------- what others deliver


def test_what_another_process_delivered_is_seen_after_refresh_and_not_before(ledger):
    ledger.ingest(records=honours(1))
    before = ledger.segments("2026-11-24")
    script = (
        "import sys, pandas as pd; from credit_model.ledger.ledger import Ledger; ledger = Ledger.open(sys.argv[1]); "
        "ledger.ingest(records=pd.DataFrame({'record_id': ['H-2'], 'subject_id': 'S0001', 'kind': 'honour', "
        "'decided_on': '2024-01-10', 'known_on': '2024-03-01'})); print(ledger.digest)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(ledger.path)], capture_output=True, text=True, check=True)
    assert records_of(ledger) == ["H-1"]
    assert (ledger.refresh(), ledger.refresh()) == (True, False)
    assert ledger.digest == done.stdout.strip()
    assert records_of(ledger) == ["H-1", "H-2"]
    assert len(ledger.segments("2026-11-24")) > len(before)


def test_a_view_that_did_not_move_reads_nothing(ledger, monkeypatch):
    ledger.ingest(records=honours(1))
    ledger.refresh()
    monkeypatch.setattr(Manifest, "read_with_version", lambda *_: pytest.fail("the manifest was read"))
    assert not ledger.refresh()


def test_after_a_refresh_only_what_is_new_is_opened(ledger, monkeypatch):
    for n in range(3):
        ledger.ingest(records=honours(n))
    reader, opened = Ledger.open(ledger.path), []
    make = parts.OpenPart.__init__
    monkeypatch.setattr(
        parts.OpenPart, "__init__", lambda part, *what: opened.append(what[1].file) or make(part, *what)
    )
    assert records_of(reader) == ["H-0", "H-1", "H-2"]
    assert len(opened) == 3
    Ledger.open(ledger.path).ingest(records=honours(3))
    opened.clear()
    assert reader.refresh()
    assert records_of(reader) == ["H-0", "H-1", "H-2", "H-3"]
    assert len(opened) == 1


def test_a_refresh_of_an_altered_or_another_ledger_says_so(ledger, tmp_path):
    ledger.ingest(records=honours(1))
    Ledger.create(tmp_path / "other", policy="retention")
    manifest = ledger.path / MANIFEST
    for text, said in (
        (manifest.read_text().replace('"rows": 1', '"rows": 2'), "was altered: its checksum does not fit"),
        ((tmp_path / "other" / MANIFEST).read_text(), "has another ledger now. Open it anew"),
    ):
        manifest.write_text(text)
        with pytest.raises(LedgerError, match=said):
            ledger.refresh()
    manifest.unlink()
    with pytest.raises(LedgerError, match="there is no ledger in"):
        ledger.refresh()


def test_threads_read_whole_deliveries_while_another_delivers(ledger):
    ledger.ingest(records=honours(0, 1))
    reader, over = Ledger.open(ledger.path), []

    def look(_: int) -> set[int]:
        seen = set()
        while not over:
            reader.refresh()
            seen.add(len(records_of(reader)))
        return seen

    with small_parts(), ThreadPoolExecutor(3) as pool:
        looks = pool.map(look, range(3))
        try:
            for n in range(1, 25):
                ledger.ingest(records=honours(2 * n, 2 * n + 1))
        finally:
            over.append(True)
        seen = set().union(*looks)
    assert {count % 2 for count in seen} == {0}
    reader.refresh()
    assert len(records_of(reader)) == 50


# ---------------------------------------------------------------------------------------------- few parts


@settings(max_examples=6)  # each example writes two ledgers in many deliveries
@given(st.integers(0, 2**32), st.integers(5, 20))
def test_merging_parts_changes_neither_content_nor_order_nor_digest(tmp_path_factory, seed, cuts):
    rng = random.Random(seed)
    deliveries = pieces(rng, random_rows(rng, 4), cuts)
    with small_parts(most=1):
        merged = made(tmp_path_factory.mktemp("merged") / "ledger", *deliveries)
    with small_parts(most=1_000):
        apart = made(tmp_path_factory.mktemp("apart") / "ledger", *deliveries)
    assert merged.digest == apart.digest
    assert len(parts_of(merged)) <= len(parts_of(apart))
    assert rows_of(Ledger.open(merged.path).tables()) == rows_of(Ledger.open(apart.path).tables())
    again = [deliver(merged, piece) for piece in deliveries]
    assert sum(report.accepted for report in again) == 0


def test_the_digest_depends_on_deliveries_and_not_on_batches_or_parts(tmp_path):
    rows = random_rows(random.Random(1), 6)
    with small_parts():
        small = made(tmp_path / "small", rows)
    whole = made(tmp_path / "whole", rows)
    assert small.digest == whole.digest
    assert len(parts_of(small)) > len(parts_of(whole))
    assert made(tmp_path / "two", *pieces(random.Random(1), rows, 2)).digest != whole.digest


def test_ten_thousand_small_deliveries_would_not_be_ten_thousand_parts(ledger):
    for n in range(60):
        ledger.ingest(records=honours(n))
    assert len(parts_of(ledger)) <= transaction.MAX_UNMERGED
    assert len(list((ledger.path / PARTS).iterdir())) == len(parts_of(ledger))
    assert records_of(Ledger.open(ledger.path)) == sorted(f"H-{n}" for n in range(60))


def test_small_deliveries_do_not_write_a_large_part_anew(ledger):
    ledger.ingest(records=honours(*range(10_000)))
    (large,) = parts_of(ledger)
    for n in range(10_000, 10_000 + 2 * transaction.MAX_UNMERGED):
        ledger.ingest(records=honours(n))
    assert large in parts_of(ledger)


def test_a_reader_whose_parts_were_merged_moves_on_and_one_whose_part_is_lost_says_so(ledger):
    with small_parts():
        ledger.ingest(records=honours(0))
        reader, whole = Ledger.open(ledger.path), Ledger.open(ledger.path)
        old = {part["file"] for part in parts_of(ledger)}
        for n in range(1, 9):
            ledger.ingest(records=honours(n))
        assert not old & {part["file"] for part in parts_of(ledger)}
    everything = sorted(f"H-{n}" for n in range(9))
    assert records_of(reader) == everything
    assert sorted(whole.tables().records["record_id"].tolist()) == everything
    assert (reader.digest, whole.digest) == (ledger.digest, ledger.digest)
    next((ledger.path / PARTS).iterdir()).unlink()
    with pytest.raises(LedgerError, match=r"is missing, the manifest lists it\. Restore it from a copy"):
        Ledger.open(ledger.path).tables(["S0001"])


def test_a_reader_that_is_overtaken_while_it_moves_on_moves_on_again(ledger, monkeypatch):
    read, state = Manifest.read_with_version.__func__, {"next": 9, "inside": False}

    def overtaken(cls: type[Manifest], folder: Path) -> Any:
        found = read(cls, folder)
        if not state["inside"] and state["next"] < 36:
            state["inside"] = True
            for n in range(state["next"], state["next"] + 9):
                ledger.ingest(records=honours(n))
            state.update(next=state["next"] + 9, inside=False)
        return found

    with small_parts():
        ledger.ingest(records=honours(0))
        reader = Ledger.open(ledger.path)
        for n in range(1, 9):
            ledger.ingest(records=honours(n))
        monkeypatch.setattr(Manifest, "read_with_version", classmethod(overtaken))
        assert len(records_of(reader)) == state["next"] == 36


def test_a_disk_that_is_full_when_parts_are_merged_does_not_undo_the_delivery(ledger, monkeypatch):
    real = transaction.write_part

    def full(folder: Path, table: str, name: str, rows: Any) -> Any:
        if rows.num_rows > 1:
            (folder / PARTS / name).write_bytes(b"half a part")
            raise OSError(28, "No space left on device")
        return real(folder, table, name, rows)

    monkeypatch.setattr(transaction, "write_part", full)
    with small_parts():
        for n in range(8):
            assert ledger.ingest(records=honours(n)).accepted == 1
        assert {path.name for path in (ledger.path / PARTS).iterdir()} == {part["file"] for part in parts_of(ledger)}
        monkeypatch.undo()
    with small_parts():
        ledger.ingest(records=honours(8))
    assert len(parts_of(ledger)) == 1
    assert len(records_of(Ledger.open(ledger.path))) == 9


def test_a_delivery_that_was_merged_away_is_still_recognised(ledger):
    with small_parts():
        ledger.ingest(records=honours(0))
        other = Ledger.open(ledger.path)
        for n in range(9):
            report = other.ingest(records=honours(n, n + 1))
            assert (report.accepted, report.duplicates) == (1, 1)
        assert len(parts_of(ledger)) < 9
        again = ledger.ingest(records=honours(*range(10)))
    assert (again.accepted, again.duplicates, again.rejected) == (0, 10, {})


def test_the_random_rows_are_mostly_accepted_and_move_between_files(tmp_path):
    ledger = Ledger.create(tmp_path / "ledger", TRIAL)
    report = deliver(ledger, random_rows(random.Random(7), 30))
    assert report.accepted > 5 * report.rejected_rows
    assert (ledger.tables().amendments["action"] == "moved_to_subject").sum() > 30
