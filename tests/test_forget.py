"""A person who is forgotten is in no file, the others are as if the person had never been, and the proof says so."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from families import Rows, compiled, file_of, made, pieces, random_rows, rows_of, small_parts
from hypothesis import given, settings
from hypothesis import strategies as st

import credit_model as cm
from credit_model import UserError
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.manifest import CACHE, MANIFEST, PARTS, QUARANTINE, LedgerError
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Y12

USE = "2026-11-24"
WHO = "f3a9c1d27be84605a1c2d3e4f5061728"  # as a keyed pseudonym looks
OTHER = "0b1c2d3e4f506172839aabbccddeeff0"
WHY = {"reason": "法院裁定（2026），依法删除", "approver": "Zhou Min"}


def fines(*rows: tuple[str, str], **more: Any) -> pd.DataFrame:
    """Penalties: record id and subject."""
    told = {"kind": "adm_penalty", "tier": "general", "decided_on": "2024-01-10", "known_on": "2024-03-01", **more}
    return pd.DataFrame([{"record_id": record_id, "subject_id": subject, **told} for record_id, subject in rows])


def amendments(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    """Amendments on consecutive days: record id, action, value."""
    return pd.DataFrame(
        [{"record_id": record_id, "action": action, "value": value, "effective_on": f"2024-05-{day:02d}",
          "known_on": f"2024-05-{day:02d}"} for day, (record_id, action, value) in enumerate(rows, start=1)]
    )  # fmt: skip


def people(*subjects: str) -> dict[str, pd.DataFrame]:
    return {
        "subjects": pd.DataFrame({"subject_id": subjects, "born_on": "1990-05-01", "known_on": "2015-01-10"}),
        "audit": pd.DataFrame({"subject_id": subjects, "sex": "f"}),
    }


def files_naming(folder: Path, *words: str) -> list[str]:
    """Files in which a word stands, all content unpacked."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            data = data[32:] if path.suffix == ".segments" else data
            if data[:4] == b"PAR1":
                data += pq.read_table(io.BytesIO(data)).to_pandas().to_csv().encode()
            found += [str(path.relative_to(folder)) for word in words if word.encode() in data]
    return found


def marked(ledger: Ledger) -> list[str]:
    """What the manifest keeps of those forgotten, all hashes."""
    told = json.loads((ledger.path / MANIFEST).read_text(encoding="utf-8"))["forgotten"]
    return [mark for one in told for mark in [one["subject"], *one["records"]]]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Two people, a record moved each way, a refused row each, compiled segments on disk."""
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.ingest(
        records=pd.concat(
            [
                fines(("CF-1", WHO), ("CF-2", OTHER), ("CF-3", WHO), ("CF-4", OTHER)),
                fines(("CF-8", WHO), ("CF-9", OTHER), tier="grave"),
            ]
        ),
        amendments=amendments(
            ("CF-1", "repaired", None), ("CF-2", "repaired", None), ("CF-3", "moved_to_subject", OTHER),
            ("CF-4", "moved_to_subject", WHO), ("CF-4", "challenged", None), ("CF-1", "lost", None),
        ),
        **people(WHO, OTHER),
    )  # fmt: skip
    ledger.segments(USE)
    return ledger


# ---------------------------------------------------------------------------------------------- gone


def test_no_byte_of_a_forgotten_person_is_left_in_any_file(ledger):
    assert {Path(file).parent.name for file in files_naming(ledger.path, WHO)} == {PARTS, QUARANTINE, CACHE}
    report = ledger.forget(WHO, **WHY)
    assert files_naming(ledger.path, WHO, "CF-1", "CF-8") == []
    assert (report.complete, report.remaining) == (True, ())
    assert report.removed == {
        "records": 2, "amendments": 3, "subjects": 1, "audit": 1, "quarantine": 2, "features": 0
    }  # fmt: skip
    assert report.digest_before != report.digest_after == ledger.digest == Ledger.open(ledger.path).digest
    assert report.checked >= 6
    assert WHO not in json.dumps(report.to_dict())
    assert "新摘要" in report.note_zh
    assert "train again" in report.note_en
    assert len(files_naming(ledger.path, OTHER)) > 4


def test_what_moved_on_to_another_stays_there_and_what_moved_to_the_person_goes(ledger):
    before = file_of(compiled(ledger, ledger.tables()), OTHER)
    report = ledger.forget(WHO, **WHY)
    tables = ledger.tables([OTHER])
    assert sorted(tables.records["record_id"].tolist()) == ["CF-2", "CF-3"]
    assert report.renamed == 1
    holder = dict(zip(tables.records["record_id"], tables.records["subject_id"], strict=True))
    assert (holder["CF-2"], holder["CF-3"].startswith("forgotten-")) == (OTHER, True)
    after = file_of(compiled(ledger, ledger.tables()), OTHER)
    assert after == [row for row in before if row[0] != "CF-4"]
    assert ledger.audit().index.tolist() == [OTHER]


@settings(max_examples=10)  # each example writes two ledgers
@given(st.integers(0, 2**32), st.integers(1, 5), st.data())
def test_the_others_are_as_if_the_person_had_never_been(tmp_path_factory, seed, cuts, data):
    rng = random.Random(seed)
    deliveries = pieces(rng, random_rows(rng, 4), cuts)
    with small_parts():
        ledger = made(tmp_path_factory.mktemp("ledger") / "ledger", *deliveries)
        accepted = rows_of(ledger.tables())
        who = data.draw(st.sampled_from(sorted(people_in(ledger))))
        names = list(ledger.tables().records), list(ledger.tables().amendments)
        report = ledger.forget(who, **WHY)
        never = made(
            tmp_path_factory.mktemp("never") / "ledger", *(without(piece, who, accepted, names) for piece in deliveries)
        )
    assert report.complete
    assert files_naming(ledger.path, who) == []
    nobody = {s for s in people_in(ledger) if s.startswith("forgotten-")}
    assert len(nobody) <= 1
    assert named_nobody(rows_of(ledger.tables())) == rows_of(never.tables())
    one, other = (compiled(a, a.tables()) for a in (ledger, never))
    for person in people_in(never) - {"nobody"}:
        assert file_of(one, person) == file_of(other, person)


def people_in(ledger: Ledger) -> set[str]:
    tables = ledger.tables()
    moved = tables.amendments["value"][tables.amendments["action"] == "moved_to_subject"]
    return {*tables.records["subject_id"], *tables.subjects["subject_id"], *moved}


def without(piece: Rows, who: str, accepted: dict[str, list[tuple]], names: tuple[list[str], list[str]]) -> Rows:
    """The delivery of a source that never knew a person: the person's own records by their last move are not in it."""
    records, changes = (
        [dict(zip(n, row, strict=True)) for row in accepted[t]]
        for n, t in zip(names, ("records", "amendments"), strict=True)
    )
    holder = {record["record_id"]: record["subject_id"] for record in records}
    moves = [change for change in changes if change["action"] == "moved_to_subject"]
    for move in sorted(moves, key=lambda m: (m["effective_on"], m["seq"], m["value"])):
        holder[move["record_id"]] = move["value"]
    own = {record_id for record_id, last in holder.items() if last == who}
    renamed = {who: "nobody"}
    return {
        "records": [r | {"subject_id": renamed.get(r["subject_id"], r["subject_id"])} for r in piece["records"]
                    if r["record_id"] not in own and (r["record_id"] in holder or r["subject_id"] != who)],
        "amendments": [a | {"value": renamed.get(a["value"], a["value"])} for a in piece["amendments"]
                       if a["record_id"] not in own],
        "subjects": [s for s in piece["subjects"] if s["subject_id"] != who],
    }  # fmt: skip


def test_a_sample_differs_from_the_one_before_by_that_person_alone(city_ledger, tmp_path):
    shutil.copytree(city_ledger.path, tmp_path / "ledger")
    ledger = Ledger.open(tmp_path / "ledger")

    def sample() -> Any:
        return build_sample(ledger, Y12, ["2024-04-01"], day_of_use=USE, known_through="2026-10-31")

    before = sample()
    who = before.subject_id[before.with_record][5]
    ledger.forget(who, **WHY)
    after, kept = sample(), before.subject_id != who
    assert (kept.sum(), len(after)) == (len(before) - 1, len(before) - 1)
    assert after.subject_id.tolist() == before.subject_id[kept].tolist()
    assert (after.y == before.y[kept]).all()
    pd.testing.assert_frame_equal(after.X, before.X[kept].reset_index(drop=True))
    pd.testing.assert_frame_equal(after.audit, before.audit[kept].reset_index(drop=True))
    assert after.digest != before.digest


def test_feature_files_lose_the_person_and_nothing_else(ledger, tmp_path):
    observed = pd.DataFrame({"subject_id": [WHO, OTHER, WHO, OTHER], "as_of": ["2024-05-01", "2024-05-02"] * 2})
    files = [
        cm.build_features(ledger, observed, ["adverse_24m"], out=tmp_path / f"{name}.parquet", day_of_use=USE)
        for name in ("X", "Z")
    ]
    other = cm.build_features(ledger, observed[1::2], ["adverse_24m"], out=tmp_path / "other.parquet", day_of_use=USE)
    schema, untouched = pq.read_schema(files[0]), other.read_bytes()
    report = ledger.forget(WHO, **WHY, files=[*files, str(other)])
    assert (report.removed["features"], report.complete) == (4, True)
    assert other.read_bytes() == untouched
    for file in files:
        assert pq.read_schema(file).equals(schema, check_metadata=True)
        assert pq.read_table(file).equals(pq.read_table(other))
    assert files_naming(tmp_path, WHO) == []
    again = ledger.forget(WHO, **WHY, files=files)
    assert (again.removed["features"], again.digest_after) == (0, ledger.digest)


def test_a_file_without_subjects_is_refused_before_anything_is_done(ledger, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "x.parquet")
    for name, said in (
        ("notes.txt", "is no Parquet file; nothing was done"),
        ("x.parquet", "has no column subject_id"),
    ):
        with pytest.raises(UserError, match=said):
            ledger.forget(WHO, **WHY, files=[tmp_path / name])
    assert Ledger.open(ledger.path).tables([WHO]).records["record_id"].size == 3


def test_a_view_opened_before_sees_the_person_no_more_and_writes_nothing_of_them(ledger):
    reader, loaded = Ledger.open(ledger.path), Ledger.open(ledger.path)
    loaded.tables()
    ledger.forget(WHO, **WHY)
    loaded.segments("2026-11-25")  # compiled from what it has in memory: not kept
    assert files_naming(ledger.path, WHO) == []
    assert len(reader.tables([WHO]).records["record_id"]) == 0  # its parts are gone: it moves on
    assert loaded.refresh()
    assert WHO not in loaded.segments(USE).subject_ids.tolist()
    loaded.segments("2026-11-26")
    assert len(list((ledger.path / CACHE).iterdir())) > 0


# ---------------------------------------------------------------------------------------------- stays gone


def test_a_source_that_delivers_the_person_again_is_refused_and_nothing_of_it_is_kept(ledger):
    tables = {
        "records": fines(("CF-1", WHO), ("CF-2", OTHER), ("CF-5", WHO), ("CF-6", OTHER)),
        "amendments": amendments(
            ("CF-1", "repaired", None), ("CF-2", "repaired", None), ("CF-4", "challenged", None),
            ("CF-5", "repaired", None), ("CF-6", "repaired", None),
        ),
        **people(WHO, OTHER),
    }  # fmt: skip
    ledger.forget(WHO, **WHY)
    before = marked(ledger)
    for accepted in (2, 0):
        report = Ledger.open(ledger.path).ingest(**tables)
        assert (report.accepted, report.rejected) == (accepted, {"forgotten": 7})
    assert files_naming(ledger.path, WHO, "CF-1", "CF-4", "CF-5") == []
    assert len(marked(ledger)) == len(before) + 1  # the record that was new
    assert ledger.refresh()
    assert sorted(ledger.tables().records["record_id"].tolist()) == ["CF-2", "CF-3", "CF-6"]


def test_a_row_refused_for_something_else_does_not_bring_the_person_back(ledger):
    ledger.forget(WHO, **WHY)
    report = ledger.ingest(
        records=fines(("CF-7", WHO), tier="grave"), amendments=amendments(("CF-2", "corrected", WHO))
    )
    assert report.rejected == {"amendment_value": 1, "forgotten": 1}
    assert files_naming(ledger.path, WHO) == []


def test_a_record_that_moves_to_a_forgotten_person_leaves_the_file_it_stood_on(ledger):
    ledger.forget(WHO, **WHY)
    move = amendments(("CF-2", "moved_to_subject", WHO))
    assert [ledger.ingest(amendments=move).accepted for _ in range(2)] == [1, 0]
    assert files_naming(ledger.path, WHO) == []
    assert ledger.as_of("2024-06-01", USE)["record_id"].tolist() == []
    shown = ledger.between("2024-01-01", "2024-02-01", known_by="2024-06-01", day_of_use=USE)
    held = shown[(shown["record_id"] == "CF-2") & (shown["subject_id"] == OTHER)]
    assert held["moved"].tolist() == [True]


def test_who_is_let_in_again_can_be_delivered_again(ledger):
    ledger.forget(WHO, **WHY)
    with pytest.raises(LedgerError, match="readmit: no subject of that id was forgotten"):
        ledger.readmit(OTHER, **WHY)
    ledger.readmit(WHO, reason="moved back", approver="Lin Yue")
    assert marked(ledger) == [""]
    (told,) = json.loads((ledger.path / MANIFEST).read_text(encoding="utf-8"))["forgotten"]
    assert told["lifted"] == f"{date.today()} by Lin Yue: moved back"
    report = ledger.ingest(records=fines(("CF-1", WHO)), **people(WHO))
    assert (report.accepted, report.rejected) == (3, {})
    ledger.forget(WHO, **WHY)
    assert files_naming(ledger.path, WHO) == []


# ---------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("holds nothing on this subject, and none of that id was forgotten", {"subject_id": "S999"}),
        ("give the subject_id under which the ledger holds the person", {"subject_id": ""}),
        ("the reason is missing. Give it", {"reason": " "}),
        ("the approver is missing. Give it", {"approver": ""}),
        ("the reason names the person, and it is kept", {"reason": f"{WHO} asked for it"}),
        ("the approver names the person, and it is kept", {"approver": "999999195001010000"}),
    ],
)
def test_a_call_that_is_wrong_does_nothing_and_names_nobody(ledger, said, changed):
    digest = ledger.digest
    with pytest.raises(UserError, match=said) as raised:
        ledger.forget(**{"subject_id": WHO, **WHY, **changed})
    assert WHO not in str(raised.value)
    assert "S999" not in str(raised.value)
    assert Ledger.open(ledger.path).digest == digest


def test_short_ids_inside_other_ids_are_left_alone_and_as_words_in_texts_they_are_not(tmp_path):
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.ingest(
        records=pd.concat([
            fines(("CF-1", "S1")), fines(("CF-2", "S1-2"), ("CF-3", "S10"), source="branch of S1-2"),
            fines(("CF-4", "S10"), source="told by S1, in person"), fines(("CF/S1/5", "S10")),
        ])
    )  # fmt: skip
    report = ledger.forget("S1", **WHY)
    rows = ledger.tables().records
    assert sorted(rows["subject_id"]) == ["S1-2", "S10", "S10", "S10"]
    source = dict(zip(rows["record_id"], rows["source"], strict=True))
    assert source["CF-2"] == "branch of S1-2"
    assert source["CF-4"].startswith("told by forgotten-")
    assert (report.complete, len(report.remaining)) == (False, 1)  # the name of another's document is left, and told


# ---------------------------------------------------------------------------------------------- killed on the way


def test_killed_at_any_moment_the_ledger_is_with_the_person_or_without_and_once_more_finishes(
    ledger, tmp_path, monkeypatch
):
    features = cm.build_features(
        ledger, pd.DataFrame({"subject_id": [WHO, OTHER], "as_of": "2024-06-01"}), ["adverse_24m"],
        out=ledger.path.parent / "X.parquet", day_of_use=USE,
    )  # fmt: skip
    moments: list[Path] = []

    def kill() -> None:
        moments.append(tmp_path / f"moment{len(moments)}")
        shutil.copytree(ledger.path, moments[-1] / "ledger")
        shutil.copy(features, moments[-1] / "X.parquet")

    for module, name in ((os, "fsync"), (os, "replace"), (Path, "unlink")):
        real = getattr(module, name)

        def stepped(*args: Any, real: Any = real, **options: Any) -> Any:
            kill()
            result = real(*args, **options)
            kill()
            return result

        monkeypatch.setattr(module, name, stepped)
    old = rows_of(ledger.tables())
    before = ledger.digest
    undisturbed = ledger.forget(WHO, **WHY, files=[features])
    monkeypatch.undo()
    new = rows_of(ledger.tables())
    assert len(moments) > 20
    with_person = 0
    for moment in moments:
        found = Ledger.open(moment / "ledger")
        rows, digest = rows_of(found.tables()), found.digest
        assert (digest, rows == old) == (before, True) or (
            digest == undisturbed.digest_after and len(rows["records"]) == 2
        )
        with_person += digest == before
        report = found.forget(WHO, **WHY, files=[moment / "X.parquet"])
        assert report.complete
        assert files_naming(moment, WHO) == []
        assert found.digest == undisturbed.digest_after
        assert named_nobody(rows_of(found.tables())) == named_nobody(new)
        assert {p.name for p in (moment / "ledger" / PARTS).iterdir()} == {
            p["file"] for p in json.loads((moment / "ledger" / MANIFEST).read_text())["parts"]
        }
    assert 0 < with_person < len(moments)


def named_nobody(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """The salt is another every time, and with it the name of nobody."""
    return {
        table: sorted(
            (tuple("nobody" if str(v).startswith("forgotten-") else v for v in row) for row in listed), key=repr
        )
        for table, listed in rows.items()
    }
