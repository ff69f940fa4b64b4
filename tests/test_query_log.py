"""The query log: what was answered is in it, whatever was killed; what was altered, cut or written anew is found."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from credit_model.foundation import chain as chain_module
from credit_model.foundation.chain import Chain
from credit_model.foundation.chain_links import GENESIS, ChainError, ChainReport
from credit_model.service.query_log import Query, QueryLog

ENTRIES = st.lists(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=3), min_size=1)


def chain_of(entries: list[Any], folder: Path | None = None, **more: Any) -> Chain:
    """A chain of these entries, in a folder of its own."""
    folder = Path(tempfile.mkdtemp()) if folder is None else folder
    chain = Chain(folder / "log" / "lines", head=folder / "elsewhere" / "head", sync=False, **more)
    for entry in entries:
        chain.append(entry)
    return chain


def digests(path: Path) -> list[str]:
    """What every line should carry, and the digest of the last, worked out by hand."""
    return [GENESIS, *(hashlib.sha256(line).hexdigest() for line in path.read_bytes().splitlines(keepends=True))]


def rewritten(path: Path, entries: list[Any]) -> None:
    """The file written anew with other entries, every link right: what somebody would do who knows the form."""
    previous, lines = GENESIS, []
    for entry in entries:
        said = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
        lines.append(f'{{"previous":"{previous}","entry":{said}}}\n'.encode())
        previous = hashlib.sha256(lines[-1]).hexdigest()
    path.write_bytes(b"".join(lines))


# ---------------------------------------------------------------------- the chain


@given(ENTRIES)
@settings(max_examples=40)
def test_entries_come_back_in_order_and_every_line_carries_the_digest_of_the_one_before(entries: list[Any]) -> None:
    chain = chain_of(entries)
    assert list(chain.entries()) == entries
    lines = [json.loads(line) for line in chain.path.read_text(encoding="utf-8").split("\n")[:-1]]
    expected = digests(chain.path)
    assert [line["previous"] for line in lines] == expected[:-1]
    assert chain.verify() == ChainReport(len(entries), len(entries), 0, (), expected[-1])


@given(ENTRIES, st.data())
@settings(max_examples=60)
def test_any_edited_byte_is_found_and_its_line_is_named(entries: list[Any], data: Any) -> None:
    chain = chain_of(entries)
    content = bytearray(chain.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(content[place] != byte)
    line, ended = content[:place].count(b"\n") + 1, content[place] == 10 or byte == 10
    content[place] = byte
    chain.path.write_bytes(bytes(content))
    report = chain.verify()
    assert not report.holds
    if not ended:  # a line end that came or went moves the numbers of lines
        assert [fault.startswith(f"line {line} ") for fault in report.faults] == [True], report


@given(ENTRIES, st.data())
@settings(max_examples=40)
def test_any_cut_tail_is_found_and_what_is_missing_is_named(entries: list[Any], data: Any) -> None:
    chain = chain_of(entries)
    content = chain.path.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    chain.path.write_bytes(content[:length])
    whole = content[:length].count(b"\n")
    report = chain.verify()
    assert report.lines == whole
    assert report.faults[0].endswith(f"missing: the file was cut after line {whole}")
    with pytest.raises(ChainError, match="is damaged, nothing is appended"):
        chain.append({"after": "the cut"})
    assert chain.path.read_bytes() == content[:length]


@given(ENTRIES, st.data())
@settings(max_examples=40)
def test_a_file_written_anew_is_found_though_every_link_in_it_is_right(entries: list[Any], data: Any) -> None:
    chain = chain_of(entries)
    place = data.draw(st.integers(0, len(entries) - 1))
    changed = data.draw(st.sampled_from(["altered", "taken out", "put in"]))
    others = [*entries]
    if changed == "altered":
        others[place] = {"another": "entry"}
        assume(entries[place] != others[place])
    elif changed == "taken out":
        del others[place]
    else:
        others.insert(place, {"another": "entry"})
    rewritten(chain.path, others)
    report = chain.verify()
    assert not report.holds
    if changed == "altered":
        assert "written anew" in report.faults[0]


def test_lines_in_another_order_are_found() -> None:
    chain = chain_of([{"n": n} for n in range(4)])
    lines = chain.path.read_bytes().splitlines(keepends=True)
    chain.path.write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
    assert not chain.verify().holds


def test_a_line_added_by_another_hand_is_refused_by_the_next_append() -> None:
    chain = chain_of([{"n": 1}])
    with chain.path.open("ab") as file:
        file.write(f'{{"previous":"{GENESIS}","entry":{{"n":2}}}}\n'.encode())
    assert chain.verify().faults == ("line 2 does not continue the chain, and the head does not know it",)
    with pytest.raises(ChainError, match="line 2 does not continue the chain"):
        chain.append({"n": 3})


@given(ENTRIES, st.data())
@settings(max_examples=60)
def test_after_a_kill_whole_lines_are_kept_and_a_torn_one_is_cut(entries: list[Any], data: Any) -> None:
    """Whatever a killed append left behind the end the head knows: an older head, and the file up to any byte."""
    known = data.draw(st.integers(0, len(entries)))
    chain = chain_of(entries[:known])
    chain.end()
    head, end = chain.head.read_bytes(), chain.path.stat().st_size if known else 0
    for entry in entries[known:]:
        chain.append(entry)
    content = chain.path.read_bytes()
    length = data.draw(st.integers(end, len(content)))
    chain.head.write_bytes(head)
    chain.path.write_bytes(content[:length])
    kept = entries[: content[:length].count(b"\n")]
    again = Chain(chain.path, head=chain.head, sync=False)
    assert again.verify().holds
    assert again.append({"after": "the kill"}) == len(kept) + 1
    assert list(again.entries()) == [*kept, {"after": "the kill"}]
    assert again.verify() == ChainReport(len(kept) + 1, len(kept) + 1, 0, (), digests(chain.path)[-1])


def test_a_head_torn_while_written_still_knows_the_end_before() -> None:
    chain = chain_of([{"n": 1}, {"n": 2}])
    head = bytearray(chain.head.read_bytes())
    newest = head.rindex(b'"lines":2')
    head[newest : newest + 40] = b"\0" * 40
    chain.head.write_bytes(bytes(head))
    again = Chain(chain.path, head=chain.head)
    assert again.verify().head_lines == 1
    assert again.append({"n": 3}) == 3
    assert again.verify().head_lines == 3


def test_a_log_without_its_head_is_neither_whole_nor_continued() -> None:
    chain = chain_of([{"n": 1}])
    chain.head.unlink()
    assert chain.verify().faults == ("the head is missing: nobody can say whether the log is whole",)
    with pytest.raises(ChainError, match="is missing: nobody can say whether the log is whole"):
        chain.append({"n": 2})
    chain.head.write_bytes(b"x" * 2048)
    with pytest.raises(ChainError, match="is no head of a chain, or was altered"):
        chain.append({"n": 2})


@pytest.mark.parametrize("head", ["head", "inner/head", "../log/head"])
def test_a_head_in_the_folder_of_its_log_is_refused(head: str, tmp_path: Path) -> None:
    with pytest.raises(ChainError, match="Keep the head elsewhere"):
        Chain(tmp_path / "log" / "lines", head=tmp_path / "log" / head)


def test_values_that_are_no_json_are_refused_and_leave_nothing() -> None:
    chain = chain_of([{"n": 1}])
    for wrong in ({"n": float("nan")}, {"n": object()}):
        with pytest.raises((ValueError, TypeError)):
            chain.append(wrong)
    assert chain.verify().lines == 1


WRITER = """
import json, os, sys, threading
from credit_model.foundation.chain import Chain
chain = Chain(sys.argv[1], head=sys.argv[2], sync=sys.argv[4] == "sync")
def write(hand):
    for n in range(int(sys.argv[3])):
        chain.append({"hand": hand, "n": n})
        os.write(1, f"{json.dumps([hand, n])}\\n".encode())  # told only once it is written
hands = [threading.Thread(target=write, args=(f"{sys.argv[5]}-{hand}",)) for hand in range(4)]
[hand.start() for hand in hands]
[hand.join() for hand in hands]
"""


def writer(chain: Chain, count: int, name: str, sync: str = "soon") -> subprocess.Popen[str]:
    """A process in which four threads append, and tell what they were told is kept."""
    command = [sys.executable, "-c", WRITER, str(chain.path), str(chain.head), str(count), sync, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> set[tuple[str, int]]:
    """What it told before it ended; a last line may be torn."""
    out, _ = process.communicate(timeout=60)
    return {tuple(json.loads(line)) for line in out.splitlines() if line.endswith("]")}


def test_processes_and_threads_append_to_one_chain_and_nothing_is_lost(tmp_path: Path) -> None:
    chain = chain_of([], tmp_path)
    processes = [writer(chain, 50, name) for name in "ab"]
    expected = set().union(*(told(process) for process in processes))
    found = [(entry["hand"], entry["n"]) for entry in chain.entries()]
    assert len(found) == len(set(found)) == 2 * 4 * 50
    assert set(found) == expected
    assert chain.verify().lines == len(found)
    for hand in {hand for hand, _ in found}:
        assert [n for h, n in found if h == hand] == list(range(50))


def test_a_chain_that_another_process_begins_meanwhile_is_not_taken_for_one_without_a_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Chain(tmp_path / "log" / "lines", head=tmp_path / "elsewhere" / "head")
    another = Chain(mine.path, head=mine.head)
    size_of, looks = chain_module._size, iter([lambda: another.append({"hand": "another", "n": 0})])

    def size_before_the_other_begins(path: Path) -> int:
        size = size_of(path)
        if path == mine.head and (begin := next(looks, None)) is not None:
            begin()
        return size

    monkeypatch.setattr(chain_module, "_size", size_before_the_other_begins)
    mine.append({"hand": "mine", "n": 0})
    assert [entry["hand"] for entry in mine.entries()] == ["another", "mine"]
    assert mine.verify().holds


def lost_by_kills(folder: Path, kills: int, sync: str, pick: random.Random) -> set[tuple[str, int]]:
    """Entries that killed writers were told are kept, and that are not in the chain; it verifies before and after."""
    chain = chain_of([], folder)
    expected: set[tuple[str, int]] = set()
    for kill in range(kills):
        with writer(chain, 100_000, f"k{kill}", sync) as process:
            assert process.stdout is not None
            expected.add(tuple(json.loads(process.stdout.readline())))  # begun
            threading.Event().wait(pick.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            expected |= told(process)
    report = Chain(chain.path, head=chain.head).verify()
    assert report.holds, report
    chain.append({"hand": "last", "n": 0})
    found = {(entry["hand"], entry["n"]) for entry in chain.entries()}
    assert len(expected) > kills
    assert chain.verify().holds
    return expected - found


@pytest.mark.parametrize("sync", ["sync", "soon"])
def test_a_writer_that_is_killed_loses_nothing_it_was_told_is_kept(sync: str, tmp_path: Path) -> None:
    assert lost_by_kills(tmp_path, 2, sync, random.Random(20261124)) == set()


@pytest.mark.soak
def test_a_hundred_killed_writers_lose_nothing(tmp_path: Path) -> None:
    for sync in ("sync", "soon"):
        assert lost_by_kills(tmp_path / sync, 50, sync, random.Random(7)) == set()


def test_a_full_disk_loses_nothing_and_leaves_a_chain_that_goes_on(tmp_path: Path) -> None:
    chain = chain_of([{"n": 1}], tmp_path)
    limit = chain.path.stat().st_size + 40  # room for a part of a line: the kernel writes it and no more
    program = (
        "import resource, signal, sys\n"
        "from credit_model.foundation.chain import Chain\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        "    Chain(sys.argv[1], head=sys.argv[2]).append({'n': 2})\n"
        "except OSError:\n"
        "    sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(chain.path), str(chain.head)], check=False)
    assert done.returncode == 7
    assert chain.verify() == ChainReport(1, 1, 0, (), digests(chain.path)[-1])
    assert Chain(chain.path, head=chain.head).append({"n": 3}) == 2


# ---------------------------------------------------------------------- the log

JANUARY, MARCH, LATER = (datetime(*day, 12, tzinfo=UTC) for day in ((2014, 1, 5), (2014, 3, 5), (2026, 7, 1)))


def query(subject_id: str = "S1", **more: Any) -> Query:
    return Query("agency-07", "/assess", 200, "scored", "audit", "case 17", (subject_id,), scores=(774,), **more)


def log_of(place: Path, *times: datetime, each: int = 2) -> QueryLog:
    log = QueryLog(place / "log", place / "elsewhere" / "head", sync=False)
    for at in times:
        for n in range(each):
            log.record(query(f"S{n}"), at)
    return log


def test_every_month_is_a_file_and_all_months_are_one_chain(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, MARCH, LATER)
    report = log.verify()
    assert report.holds
    assert report.months == ("2014-01.jsonl", "2014-03.jsonl", "2026-07.jsonl")
    assert report.lines == 3 * 2 + 2  # a month that follows another begins with a line that says so
    assert [entry["at"][:7] for entry in log.entries()] == ["2014-01"] * 2 + ["2014-03"] * 2 + ["2026-07"] * 2
    assert QueryLog(tmp_path / "log", tmp_path / "elsewhere" / "head").verify() == report


def test_what_is_not_known_of_a_query_is_left_out_of_its_entry(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.record(Query("agency-07", "/assess", 422, "purpose_not_permitted"), LATER)
    assert list(log.entries()) == [
        {"at": "2026-07-01T12:00:00.000+00:00", "caller": "agency-07", "endpoint": "/assess", "status": 422,
         "outcome": "purpose_not_permitted"}
    ]  # fmt: skip


def test_a_person_is_told_every_query_about_them_and_no_other(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, LATER, each=3)
    log.record(Query("S1", "/score", 200, "answered", "audit", "about S1", ("S11", "S12")), LATER)  # not about S1
    found = log.about("S1")
    assert [(entry["at"][:4], entry["subject_ids"]) for entry in found] == [("2014", ["S1"]), ("2026", ["S1"])]


def test_a_clock_that_goes_back_leaves_entries_in_the_newest_month(tmp_path: Path) -> None:
    log = log_of(tmp_path, LATER, JANUARY, LATER)
    assert log.verify().months == ("2026-07.jsonl",)
    assert log.verify().holds


@pytest.mark.parametrize("month", ["2014-01.jsonl", "2014-03.jsonl", "2026-07.jsonl"])
@pytest.mark.parametrize("change", ["edited", "cut", "removed", "written anew", "added to"])
def test_a_change_of_any_month_is_found_and_the_month_is_named(month: str, change: str, tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, MARCH, LATER)
    path = tmp_path / "log" / month
    content = path.read_bytes()
    if change == "removed":
        path.unlink()
    elif change == "cut":
        path.write_bytes(content[: content[:-1].rindex(b"\n") + 1])
    elif change == "edited":
        path.write_bytes(content.replace(b"774", b"775", 1))
    elif change == "written anew":
        rewritten(path, [json.loads(line)["entry"] | {"status": 201} for line in content.splitlines()])
    else:
        line = content.splitlines(keepends=True)[-1]
        previous = hashlib.sha256(line).hexdigest()
        path.write_bytes(content + b'{"previous":"' + previous.encode() + line[77:])
    report = log.verify()
    if change == "added to" and month == "2026-07.jsonl":
        assert report.holds  # it continues the chain where a killed append may have left it: kept by the rule
        return
    assert not report.holds
    assert any(fault.startswith(month) for fault in report.faults), report


def test_a_turn_of_the_month_that_was_killed_is_made_again(tmp_path: Path) -> None:
    log = log_of(tmp_path, MARCH)
    head = log.head.read_bytes()
    log.record(query(), LATER)
    first = (tmp_path / "log" / "2026-07.jsonl").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "log" / "2026-07.jsonl").write_bytes(first)
    log.head.write_bytes(head)  # killed before the head moved: nothing of the new month was told to anybody
    again = QueryLog(log.folder, log.head)
    assert again.verify().holds
    again.record(query("S9"), LATER)
    assert again.verify().holds
    assert [entry["subject_ids"] for entry in again.entries()] == [["S0"], ["S1"], ["S9"]]


def test_two_processes_turn_the_month_and_go_on_in_the_same_file(tmp_path: Path) -> None:
    one = log_of(tmp_path, MARCH)
    other = QueryLog(one.folder, one.head)
    other.record(query("S5"), MARCH)
    one.record(query("S6"), LATER)
    other.record(query("S7"), LATER)
    one.record(query("S8"), LATER)
    assert one.verify().holds
    assert [entry["subject_ids"][0] for entry in one.entries()] == ["S0", "S1", "S5", "S6", "S7", "S8"]


def test_a_month_past_retention_is_purged_behind_a_checkpoint_and_the_rest_verifies(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, MARCH, LATER)
    assert log.purge(datetime(2024, 1, 31, tzinfo=UTC)) == ()  # January 2014 has not been over for ten years
    assert log.purge(datetime(2024, 2, 1, tzinfo=UTC)) == ("2014-01.jsonl",)
    assert log.purge(datetime(2024, 2, 1, tzinfo=UTC)) == ()
    report = log.verify()
    assert (report.holds, report.purged) == (True, ("2014-01.jsonl",))
    assert log.purge(LATER, retention_years=12) == ("2014-03.jsonl",)
    report = log.verify()
    assert (report.holds, report.months) == (True, ("2026-07.jsonl",))
    assert report.purged == ("2014-01.jsonl", "2014-03.jsonl")
    assert [entry["at"][:4] for entry in log.entries()] == ["2026", "2026"]


def test_the_month_in_use_is_never_purged(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY)
    assert log.purge(LATER) == ()
    assert log.verify().holds


def test_a_purge_that_was_killed_before_it_removed_the_file_is_taken_up_again(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, LATER)
    content = (tmp_path / "log" / "2014-01.jsonl").read_bytes()
    log.purge(LATER)
    (tmp_path / "log" / "2014-01.jsonl").write_bytes(content)
    lines = log.verify().lines
    assert log.verify().holds
    assert log.purge(LATER) == ("2014-01.jsonl",)
    assert log.verify().lines == lines - 2  # no second checkpoint


def test_a_month_that_was_altered_is_not_purged_out_of_sight(tmp_path: Path) -> None:
    log = log_of(tmp_path, JANUARY, LATER)
    path = tmp_path / "log" / "2014-01.jsonl"
    path.write_bytes(path.read_bytes().replace(b"774", b"775", 1))
    with pytest.raises(ChainError, match=r"2014-01\.jsonl: line 1 was altered"):
        log.purge(LATER)
    assert path.exists()


@pytest.mark.soak
def test_a_hundred_thousand_queries_of_eight_hands_verify(tmp_path: Path) -> None:
    log = QueryLog(tmp_path / "log", tmp_path / "elsewhere" / "head", sync=False)
    hands = [
        threading.Thread(target=lambda hand=hand: [log.record(query(f"S{hand}-{n}")) for n in range(12_500)])
        for hand in range(8)
    ]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    report = log.verify()
    assert (report.holds, report.lines) == (True, 100_000)
    assert len({entry["subject_ids"][0] for entry in log.entries()}) == 100_000
    path = log.folder / report.months[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert not log.verify().holds
    os.truncate(path, len(content) - 1)
    assert not log.verify().holds
