"""No row of a source is lost in silence: accepted, known, refused or excluded, and counted against the lines."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.cli.main import main
from credit_model.foundation import csv_rows
from credit_model.foundation.csv_rows import CsvRows
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.manifest import LedgerError
from credit_model.ledger.sources import Source

HEADER = "record_id,subject_id,kind,decided_on,known_on,source"
MULTILINE = """
schema = 1
name = "honours"
[[table]]
source = "rows"
multiline = true
[table.columns]
record_id = "record_id"
subject_id = "subject_id"
kind = "kind"
decided_on = "decided_on"
known_on = "known_on"
source = "source"
"""


def row(number: int, source: str = "office", kind: str = "honour") -> str:
    return f"R{number},S{number},{kind},2025-01-01,2025-01-02,{source}"


def lines_of(count: int) -> list[str]:
    return [row(i) for i in range(count)]


def write(folder: Path, lines: list[str], name: str = "rows.csv", end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes((end.join([HEADER, *lines]) + end).encode())
    return path


def ingest(folder: Path, path: Path, mapping: str | None = None) -> IngestReport:
    file = None
    if mapping is not None:
        file = folder / "mapping.toml"
        file.write_text(mapping, encoding="utf-8")
    return Ledger.create(folder / "ledger").ingest(records=path, mapping=file)


def assert_balanced(report: IngestReport, lines: int) -> None:
    assert report.accepted + report.duplicates + report.rejected_rows + report.excluded == report.read == lines


def refused_lines(report: IngestReport) -> dict[int, set[str]]:
    assert report.quarantine is not None
    entries = [json.loads(line) for line in report.quarantine.read_text(encoding="utf-8").splitlines()]
    return {entry["line"]: {reason["code"] for reason in entry["reasons"]} for entry in entries}


# ---------------------------------------------------------------------------------------------- quotation marks


@pytest.mark.parametrize("where", ["the start of a field", "the middle of a field", "the end of a field"])
def test_a_stray_quotation_mark_costs_its_own_line_and_no_other(tmp_path: Path, where: str) -> None:
    stray = {"the start of a field": '"office', "the middle of a field": 'off"ice', "the end of a field": 'office"'}
    lines = lines_of(10_000)
    lines[4], lines[8_999] = row(4, stray[where]), row(8_999, stray[where])
    report = ingest(tmp_path, write(tmp_path, lines))
    assert_balanced(report, 10_000)
    assert (report.accepted, report.rejected_rows, report.rejected) == (9_998, 2, {"unbalanced_quote": 2})
    assert refused_lines(report) == {6: {"unbalanced_quote"}, 9_001: {"unbalanced_quote"}}


def test_a_text_that_is_quoted_as_it_should_be_is_read(tmp_path: Path) -> None:
    lines = [row(0, '"office, ""west"""'), row(1, '""'), '"R2","S2","honour","2025-01-01","2025-01-02","office"']
    report = ingest(tmp_path, write(tmp_path, lines))
    assert_balanced(report, 3)
    assert sorted(map(str, Ledger.open(tmp_path / "ledger").tables().records["source"])) == [
        "None", "office", 'office, "west"',
    ]  # fmt: skip


def test_a_line_of_two_marks_that_leave_a_text_open_is_refused(tmp_path: Path) -> None:
    lines = [row(0), row(1, 'a"b').replace("honour", '"honour'), row(2)]
    report = ingest(tmp_path, write(tmp_path, lines))
    assert_balanced(report, 3)
    assert (report.accepted, report.rejected) == (2, {"unreadable_row": 1})
    assert refused_lines(report) == {3: {"unreadable_row"}}


def test_a_record_that_spans_lines_is_refused_line_by_line_unless_the_mapping_allows_it(tmp_path: Path) -> None:
    lines = [row(0), row(1, '"office\n\nof the west"'), row(2)]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    report = ingest(tmp_path / "one", write(tmp_path / "one", lines))
    assert_balanced(report, 4)  # the empty line is no row
    assert (report.accepted, report.rejected) == (2, {"unbalanced_quote": 2})
    report = ingest(tmp_path / "two", write(tmp_path / "two", lines), MULTILINE)
    assert_balanced(report, 3)
    assert report.accepted == 3
    (warning,) = report.warnings
    assert (warning.code, warning.count, warning.rows) == ("line_of_row_above", 1, ("records (rows.csv)",))
    sources = Ledger.open(tmp_path / "two" / "ledger").tables().records["source"]
    assert "office\n\nof the west" in set(map(str, sources))


def test_where_records_may_span_lines_a_stray_mark_still_costs_one_line(tmp_path: Path) -> None:
    lines = lines_of(10_000)
    lines[4], lines[8_999] = row(4, '"office'), row(8_999, '"office')
    lines[20] = row(20, '"office\nwest"')
    report = ingest(tmp_path, write(tmp_path, lines), MULTILINE)
    assert_balanced(report, 10_000)
    assert (report.accepted, report.rejected) == (9_998, {"unbalanced_quote": 2})
    assert refused_lines(report) == {6: {"unbalanced_quote"}, 9_002: {"unbalanced_quote"}}


def test_a_header_with_a_stray_mark_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"' + "\n".join([HEADER, row(0)]), encoding="utf-8")
    with pytest.raises(UserError, match=r"rows\.csv\): a quotation mark in its header is not closed"):
        ingest(tmp_path, path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("is_multiline", [False, True])
def test_blocks_cut_no_line_and_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, is_multiline: bool
) -> None:
    lines = [
        "",
        row(0),
        row(1, '"a,""b"'),
        "",
        row(2, '"open'),
        row(3, "北京"),
        "one,two",
        row(4, f'"c{end}d"'),
        row(5),
    ]
    path = write(tmp_path, lines, end=end)

    def read() -> list[Any]:
        blocks = list(CsvRows(path, "rows", "utf8", is_multiline).blocks(["record_id", "source"]))
        rows: list[tuple[Any, ...]] = []
        for block in blocks:
            columns = block.table.to_pydict().values()
            rows += zip(block.rows.tolist(), block.lines.tolist(), *columns, strict=True)
        return [rows, [row for b in blocks for row in b.unreadable], sum(b.further_lines for b in blocks)]

    whole = read()
    assert [line for _, line, *_ in whole[0]] == ([3, 4, 7, 9, 11] if is_multiline else [3, 4, 7, 11])
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(csv_rows, "BLOCK_BYTES", size)
        assert read() == whole


# ---------------------------------------------------------------------------------------------- damaged files


DAMAGES = ("quote", "cut", "delimiter", "bom", "crlf", "cr", "nul", "blank", "bytes")


@given(st.data(), st.booleans())
def test_of_a_damaged_file_every_line_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, is_multiline: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = ("\n".join([HEADER, *lines_of(data.draw(st.integers(0, 12)))]) + "\n").encode()
    for damage in data.draw(st.lists(st.sampled_from(DAMAGES), max_size=4)):
        place = data.draw(st.integers(0, len(content)))
        inserted = {"quote": b'"', "delimiter": b",", "nul": b"\0", "blank": b"\n", "cr": b"\r", "bytes": b"\xff"}
        if damage in inserted:
            content = content[:place] + inserted[damage] + content[place:]
        elif damage == "cut":
            content = content[:place]
        elif damage == "bom":
            content = b"\xef\xbb\xbf" + content
        else:
            content = content.replace(b"\n", b"\r\n")
    path = folder / "rows.csv"
    path.write_bytes(content)
    try:
        report = ingest(folder, path, MULTILINE if is_multiline else None)
    except LedgerError:
        raise
    except UserError:  # the file as a whole, in one line: nothing was written
        assert not len(Ledger.open(folder / "ledger").tables().records["record_id"])
        return
    lines = [line for line in content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")[1:] if line]
    further = sum(int(warning.split(": ")[1].split(" ")[0]) for warning in report.warnings if "go on" in warning)
    assert_balanced(report, len(lines) - further)
    assert further == 0 or is_multiline
    assert len(Ledger.open(folder / "ledger").tables().records["record_id"]) == report.accepted


def test_a_parser_that_loses_a_row_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = Source.batches

    def lossy(source: Source, columns: Any) -> Any:
        for batch in batches(source, columns):
            yield type(batch)(batch.table.slice(1), batch.rows[1:], batch.lines)

    monkeypatch.setattr(Source, "batches", lossy)
    with pytest.raises(LedgerError, match=r"of 3 rows, 2 were accepted.* does not add up\. Nothing was written"):
        ingest(tmp_path, write(tmp_path, lines_of(3)))
    assert Ledger.open(tmp_path / "ledger").tables().records["record_id"].tolist() == []


# ---------------------------------------------------------------------------------------------- two tables, other forms


TWO_TABLES = """
schema = 1
name = "two"
[[table]]
source = "rows"
where = [{ column = "kind", in = ["honour", "gossip"] }]
[table.columns]
record_id = "record_id"
subject_id = "subject_id"
kind = "kind"
decided_on = "decided_on"
known_on = "known_on"
[[table]]
source = "rows"
target = "amendments"
where = [{ column = "kind", in = ["honour", "withdrawn"] }]
columns = { record_id = "record_id", action = { value = "disputed" }, effective_on = "known_on", known_on = "known_on" }
"""


def test_a_raw_row_that_goes_to_two_tables_is_counted_once(tmp_path: Path) -> None:
    lines = [row(0), row(1, kind="gossip"), row(2, kind="withdrawn"), row(3, kind="of no concern"), row(4)]
    path = write(tmp_path, lines)
    report = ingest(tmp_path, path, TWO_TABLES)
    assert_balanced(report, 5)
    assert (report.accepted, report.rejected_rows, report.excluded) == (3, 1, 1)
    assert {name: table["accepted"] for name, table in report.tables.items()} == {"records": 2, "amendments": 3}
    again = Ledger.open(tmp_path / "ledger").ingest(records=path, mapping=tmp_path / "mapping.toml")
    assert (again.read, again.duplicates, again.rejected_rows, again.excluded) == (5, 3, 1, 1)
    counts = Ledger.open(tmp_path / "ledger").deliveries
    assert counts is not None
    assert (counts.read, counts.excluded) == (5, 1)


def test_excluded_rows_are_in_the_output_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mapping.toml").write_text(TWO_TABLES, encoding="utf-8")
    path = write(tmp_path, [row(0), row(1, kind="of no concern")])
    command = ["ingest", str(tmp_path / "ledger"), "--records", str(path), "--mapping", str(tmp_path / "mapping.toml")]
    assert main(command) == 0
    assert "2 rows read, 0 refused, 1 excluded by the mapping" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["excluded"] == 1


def test_tabs_and_gzip_are_read_like_commas(tmp_path: Path) -> None:
    text = "\n".join([HEADER, row(0), row(1)])
    for name, content in (
        ("a.csv.gz", text),
        ("b.tsv", text.replace(",", "\t")),
        ("c.tsv.gz", text.replace(",", "\t")),
    ):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
        report = Ledger.create(tmp_path / name.replace(".", "_")).ingest(records=path)
        assert (report.read, report.accepted) == (2, 2)
    (tmp_path / "bad.csv.gz").write_bytes(gzip.compress(text.encode())[:-9])
    with pytest.raises(UserError, match=r"bad\.csv\.gz\) cannot be read as CSV in utf8"):
        Ledger.create(tmp_path / "bad").ingest(records=tmp_path / "bad.csv.gz")
