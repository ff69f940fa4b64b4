"""Files that are whole or absent, locks between processes, and digests that do not move."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from credit_model.foundation.digests import canonical_json, sha256, sha256_file, sha256_json, sha256_parts
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import (
    exclusive_lock,
    lock_handle,
    read_sealed,
    replacing,
    write_atomically,
    write_sealed,
)


@pytest.mark.parametrize("forced", [False, True])
def test_a_written_file_is_whole_and_nothing_lies_beside_it(tmp_path: Path, forced: bool) -> None:
    path = tmp_path / "信用.json"
    for text in ("first", "第二\n"):
        write_atomically(path, text, forced=forced)
        assert path.read_bytes() == text.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_overwritten_under_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    with pytest.raises(SystemExit), replacing(path, under_lock=True) as new:
        sys.exit()
    new.write_text("half")
    write_atomically(path, "whole", under_lock=True)
    assert [path.read_text(), list(tmp_path.iterdir())] == ["whole", [path]]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("old")

    def fill_the_disk() -> None:
        with replacing(path) as new:
            new.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fill_the_disk()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_sealed_file_is_read_only_if_it_is_unaltered(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    assert read_sealed(path) is None
    write_sealed(path, [b"one", memoryview(b"two")])
    content = read_sealed(path)
    assert content is not None
    assert bytes(content) == b"onetwo"
    for altered in (path.read_bytes()[:-1], path.read_bytes()[:10], b"", path.read_bytes() + b"\0"):
        path.write_bytes(altered)
        assert read_sealed(path) is None, altered


def test_a_lock_keeps_other_processes_out_and_dies_with_its_process(tmp_path: Path) -> None:
    lock, waits = tmp_path / "lock", list[str]()
    source = (
        "import sys, pathlib; from credit_model.foundation.files import exclusive_lock\n"
        "with exclusive_lock(pathlib.Path(sys.argv[1])):\n    print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", source, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    with exclusive_lock(lock, wait=False) as is_locked:
        assert not is_locked

    def end_the_other() -> None:
        waits.append("waiting")
        other.kill()

    with exclusive_lock(lock, on_wait=end_the_other) as is_locked:
        assert is_locked
    assert waits == ["waiting"]
    other.communicate()


def test_without_posix_locks_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with (tmp_path / "lock").open("a") as file, pytest.raises(UserError, match="no POSIX file locks"):
        lock_handle(file.fileno())


def test_without_posix_locks_cards_and_ledgers_can_be_imported() -> None:
    source = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import credit_model.assessment.assessment, credit_model.ledger.ledger, credit_model.scorecard.card"
    )
    subprocess.run([sys.executable, "-c", source], check=True)


def test_digests_are_those_of_hashlib(tmp_path: Path) -> None:
    data = "信用\n".encode()
    (tmp_path / "file").write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert sha256(data) == sha256(data.decode()) == sha256_file(tmp_path / "file") == expected
    assert sha256_parts([data[:2], memoryview(data[2:])]) == expected
    value = {"b": [1.5, None], "a": "信"}
    assert sha256_json(value) == hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    assert canonical_json(value) == '{"a":"信","b":[1.5,null]}'
    assert canonical_json(value, ascii_only=True) == '{"a":"\\u4fe1","b":[1.5,null]}'
