"""Features of a whole city in a folder of files: the same values, bucket by bucket, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from credit_model import UserError
from credit_model.cli.main import main
from credit_model.features.build import build_features
from credit_model.ledger import buckets as kept
from credit_model.ledger.buckets import Buckets
from credit_model.ledger.ledger import Ledger

# "nobody" is observed on purpose; tests/test_subject_ids.py holds what is said of such subjects.
pytestmark = pytest.mark.filterwarnings("ignore::credit_model.features.build.UnknownSubjectsWarning")
DAY = "2026-11-24"
NAMES = ["adverse_12m", "honours_60m", "volunteer_hours_24m"]


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many buckets from a small ledger: a row group holds 1,024 records."""
    monkeypatch.setattr(kept, "ROWS", 1_000)


@pytest.fixture
def ledger(city: Any, tmp_path: Path) -> Ledger:
    opened = Ledger.create(tmp_path / "ledger")
    opened.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects)
    return opened


def observations(ledger: Ledger, dates: int = 1) -> pd.DataFrame:
    people = np.unique(ledger.tables().records["subject_id"].astype(str))
    days = [f"20{20 + n}-04-01" for n in range(dates)]
    rows = pd.DataFrame({"subject_id": np.repeat(people, dates), "as_of": np.tile(days, len(people))})
    return pd.concat([rows, pd.DataFrame({"subject_id": ["nobody"], "as_of": ["2024-01-01"]})], ignore_index=True)


def whole(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_dataset_holds_what_a_frame_holds(ledger: Ledger, tmp_path: Path) -> None:
    rows = observations(ledger, dates=3).sample(frac=1.0, random_state=7)
    folder = build_features(ledger, rows, NAMES, out=tmp_path / "city", day_of_use=DAY)
    frame = build_features(ledger, rows, NAMES, day_of_use=DAY)
    expected = pd.concat([rows, frame], axis=1).sort_values("subject_id", kind="stable", ignore_index=True)
    files = sorted(Path(folder).glob("part-*.parquet"))
    assert len(files) > 2
    found = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    assert found["subject_id"].tolist() == expected["subject_id"].tolist()
    assert (pd.to_datetime(found["as_of"]) == pd.to_datetime(expected["as_of"])).all()
    assert found[NAMES].to_numpy().tobytes() == expected[NAMES].to_numpy(np.float32).tobytes()


def test_buckets_joined_are_the_segments_of_the_ledger(ledger: Ledger) -> None:
    buckets, segments = ledger.buckets(DAY), ledger.segments(DAY)
    assert len(buckets) > 2
    for _ in ("compiled", "read again"):
        subjects: list[str] = []
        for number in range(len(buckets)):
            bucket = buckets.open(number)
            ids = bucket.subject_ids.tolist()
            subjects += ids
            same = segments.select(ids)
            for name in ("record", "case"):  # numbered within the bucket
                words = {"record": "record_ids", "case": "case_ids"}[name]
                ours, theirs = (getattr(s, words)[getattr(s, name)].tolist() for s in (bucket, same))
                assert ours == theirs
            for name in set(bucket.row_columns) - {"record", "case"}:
                assert getattr(bucket, name).tolist() == getattr(same, name).tolist(), name
            for name, column in bucket.attributes.items():
                theirs = same.attributes[name]
                words_of = [np.array([*s.vocabularies.get(name, ()), None], object) for s in (bucket, same)]
                if name in bucket.vocabularies:
                    column, theirs = words_of[0][column], words_of[1][theirs]
                assert column.tolist() == theirs.tolist(), name
        assert subjects == segments.subject_ids.tolist()


def test_a_record_moved_to_another_bucket_stands_on_both_files(ledger: Ledger, tmp_path: Path) -> None:
    records = ledger.tables().records
    ids, honours = records["subject_id"], records["kind"] == "honour"
    record = records["record_id"][honours][np.argmin(ids[honours])]
    target = max(ids.tolist())
    known = pd.Timestamp("2025-01-10")
    ledger.ingest(
        amendments=pd.DataFrame(
            {"record_id": [record], "action": ["moved_to_subject"], "effective_on": [known], "known_on": [known],
             "value": [target]}
        )
    )  # fmt: skip
    everyone = observations(ledger).assign(as_of="2025-02-01")
    folder = build_features(ledger, everyone, NAMES, out=tmp_path / "city", day_of_use=DAY)
    found = pd.concat([pd.read_parquet(path) for path in sorted(Path(folder).glob("*.parquet"))], ignore_index=True)
    expected = build_features(ledger, everyone.sort_values("subject_id"), NAMES, day_of_use=DAY)
    assert found[NAMES].to_numpy().tobytes() == expected.to_numpy().tobytes()


def test_a_folder_that_holds_other_things_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    rows = observations(ledger)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="it holds other files; give a new folder"):
        build_features(ledger, rows, NAMES, out=tmp_path / "full", day_of_use=DAY)
    build_features(ledger, rows, NAMES, out=tmp_path / "city", day_of_use=DAY)
    with pytest.raises(UserError, match=r"another request \(features, definitions differ\)"):
        build_features(ledger, rows, NAMES[:2], out=tmp_path / "city", day_of_use=DAY)


@pytest.mark.parametrize("harm", ["cut", "altered", "gone"])
def test_damaged_buckets_and_files_are_made_again(harm: str, ledger: Ledger, tmp_path: Path) -> None:
    rows = observations(ledger)
    folder = Path(build_features(ledger, rows, NAMES, out=tmp_path / "city", day_of_use=DAY))
    before = whole(folder)
    for path in (ledger.buckets(DAY).path(1), folder / "part-00001.parquet", folder / "part-00002.parquet"):
        data = path.read_bytes()
        middle = len(data) // 2
        altered = {"cut": data[:middle], "altered": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]}
        path.write_bytes(altered[harm]) if harm in altered else path.unlink()
    told: list[str] = []
    build_features(ledger, rows, NAMES, out=folder, day_of_use=DAY, progress=told.append)
    assert whole(folder) == before
    named = {text.split()[0] for text in told if "was cut or altered" in text}
    harmed = {ledger.buckets(DAY).path(1).name, "part-00001.parquet", "part-00002.parquet"}
    assert named == (set() if harm == "gone" else harmed)


def test_a_build_that_was_killed_ends_in_the_same_bytes(ledger: Ledger, tmp_path: Path) -> None:
    rows = observations(ledger, dates=2)
    rows.to_parquet(tmp_path / "rows.parquet")
    build_features(ledger, rows, NAMES, out=tmp_path / "undisturbed", day_of_use=DAY)
    for file in (ledger.path / "cache").iterdir():
        file.unlink()
    build = (
        "import os, signal, sys, pandas as pd\n"
        "from credit_model.ledger.ledger import Ledger\n"
        "from credit_model.ledger import buckets\n"
        "from credit_model.features.build import build_features\n"
        "buckets.ROWS = 1_000\n"
        "done = []\n"
        "def told(text):\n"
        "    done.append(text)\n"
        "    if len(done) == int(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)\n"
        f"build_features(Ledger.open('ledger'), pd.read_parquet('rows.parquet'), {NAMES}, out='struck',"
        f" day_of_use='{DAY}', progress=told)\n"
    )
    for after in (1, 2):
        ended = subprocess.run([sys.executable, "-c", build, str(after)], cwd=tmp_path, env=dict(os.environ))
        assert ended.returncode == -signal.SIGKILL
        assert not json.loads((tmp_path / "struck" / "dataset.json").read_text())["complete"]
    steps: list[str] = []
    build_features(ledger, rows, NAMES, out=tmp_path / "struck", day_of_use=DAY, progress=steps.append)
    files = {name: data for name, data in whole(tmp_path / "struck").items() if not name.startswith(".")}
    assert files == whole(tmp_path / "undisturbed")
    assert 0 < len(steps) < len(list((tmp_path / "struck").glob("*.parquet")))


def test_a_forgotten_person_is_in_no_bucket(ledger: Ledger) -> None:
    person = ledger.buckets(DAY).open(0).subject_ids[3]
    assert any(person.encode() in path.read_bytes() for path in (ledger.path / "cache").iterdir())
    ledger.forget(person, reason="left the register", approver="Zhou Min")
    buckets: Buckets = ledger.buckets(DAY)
    assert person not in buckets.open(0).subject_ids.tolist()
    assert not any(person.encode() in path.read_bytes() for path in (ledger.path / "cache").iterdir())


def test_the_command_writes_a_folder(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    observations(ledger).to_parquet(tmp_path / "rows.parquet")
    words = ["features", ledger.path, tmp_path / "rows.parquet", "--out", tmp_path / "city", "--day-of-use", DAY]
    assert main([str(word) for word in words]) == 0
    assert "observations described in" in capsys.readouterr().out
    assert json.loads((tmp_path / "city" / "dataset.json").read_text())["complete"]
