"""Rows of a CSV file, judged line by line: a stray quotation mark costs the line it stands in and no other.

A parser that lets a quoted text run over the end of a line takes everything up to the next quotation mark, thousands of
rows if need be, for one text. Here a line is a row, unless the reader is told that records may span lines; a line that
leaves a quotation mark open, or has an odd number of them, is given out as unreadable, and reading goes on with the
next. Empty lines hold no row. Line ends are LF, CRLF or CR.

In: a path, plain or compressed by gzip, and its encoding. Out: blocks of parsed rows, all of them text, with the line
of each in the file, and the lines that cannot be read.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError

BLOCK_BYTES = 16 << 20
_LONGEST_LINE: Final = 64 << 20
LONGEST_RECORD: Final = 100  # lines; a text that goes on for longer is taken for a quotation mark too many
_NEWLINE, _QUOTE = b'\n"'
_EMPTY, _ROW, _FURTHER, _OPEN = range(4)  # lines: without a row, its first, a further one of it, not to be read


class UnreadableRow(NamedTuple):
    """A row that is not parsed: its number, its line in the file, and why."""

    row: int
    line: int
    reason: str


@dataclass(frozen=True)
class CsvBlock:
    """Parsed rows with their numbers (from 1, without the header) and lines in the file, and those not parsed."""

    table: pa.Table
    rows: NDArray[np.int64]
    lines: NDArray[np.int64]
    unreadable: list[UnreadableRow]
    further_lines: int  # that are not empty, of records that span several


@dataclass(frozen=True)
class CsvRows:
    """The rows of one CSV file.

    Parameters
    ----------
    path : Path
    label : str
        What messages call it.
    encoding : str
        ``utf8`` may begin with a byte order mark.
    is_multiline : bool
        Whether a quoted text may run over the end of a line.
    """

    path: Path
    label: str
    encoding: str = "utf8"
    is_multiline: bool = False

    @property
    def delimiter(self) -> str:
        """The character between two fields: a tab in a ``.tsv``, else a comma."""
        return "\t" if ".tsv" in (suffix.lower() for suffix in self.path.suffixes[-2:]) else ","

    @cached_property
    def header(self) -> list[str]:
        """The names in the first line, without spaces around them."""
        return self._header[0]

    @cached_property
    def _header(self) -> tuple[list[str], int]:
        """The names, and the number of lines they take."""
        with self._open() as file, io.TextIOWrapper(file, self.encoding, newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter)
            names = [name.strip() for name in next(reader, [])]
        names[:1] = [name.lstrip("\ufeff") for name in names[:1]]
        if not names:
            raise UserError(f"ingest: {self.label} is empty; nothing was written. Give a file with a header.")
        if reader.line_num > 1 and not self.is_multiline:
            raise UserError(
                f"ingest: {self.label}: a quotation mark in its header is not closed; nothing was written. Mend "
                "the first line, or write multiline = true into its table of the mapping."
            )
        return names, reader.line_num

    def blocks(self, columns: Sequence[str]) -> Iterator[CsvBlock]:
        """Read the file from its beginning, only these columns.

        Yields
        ------
        CsvBlock
            At least one.
        """
        line, row = self._header[1], 0
        for lines in self._line_blocks():
            block, records = self._parse(lines, columns, line, row)
            if records or row == 0:
                yield block
            line, row = line + len(lines.kinds), row + records

    def count_lines(self) -> int:
        """Count the lines behind the header, without empty ones; nothing is parsed."""
        count, before, is_start = 0, self._header[1], True
        with self._open() as file:
            for data, _ in _utf8_blocks(file, self.encoding):
                octets = np.frombuffer(data, np.uint8)
                is_end = octets == _NEWLINE
                follows_end = np.concatenate([[is_start], is_end[:-1]])[: len(octets)]
                count += int((follows_end & ~is_end).sum())  # a line is counted where it begins
                is_start = bool(is_end[-1]) if len(is_end) else is_start
        return count - before

    # -- lines

    def _line_blocks(self) -> Iterator[_Lines]:
        """Cut the file behind its header into blocks of whole lines; no record is cut."""
        header_lines, rest = self._header[1], b""
        with self._open() as file:
            for data, is_last in _utf8_blocks(file, self.encoding):
                rest += data
                if is_last and rest and not rest.endswith(b"\n"):
                    rest += b"\n"
                while header_lines and (end := rest.find(b"\n")) >= 0:
                    rest, header_lines = rest[end + 1 :], header_lines - 1
                if header_lines:
                    continue
                lines = _Lines.of(rest[: rest.rfind(b"\n") + 1], self.delimiter, self.is_multiline, is_last)
                rest = rest[len(lines.data) :]
                if len(rest) > _LONGEST_LINE:
                    raise pa.ArrowInvalid("a line is too long")
                yield lines

    def _open(self) -> BinaryIO:
        is_compressed = self.path.suffix.lower() == ".gz"
        return cast("BinaryIO", gzip.open(self.path, "rb")) if is_compressed else self.path.open("rb")

    # -- rows

    def _parse(self, lines: _Lines, columns: Sequence[str], line: int, row: int) -> tuple[CsvBlock, int]:
        """Parse a block that follows so many lines and rows of the file; return its number of rows too."""
        first = np.flatnonzero((lines.kinds == _ROW) | (lines.kinds == _OPEN))
        is_open = lines.kinds[first] == _OPEN
        numbers, places = row + 1 + np.arange(len(first)), line + 1 + first
        misfits: list[int] = []

        def skip(invalid: pa_csv.InvalidRow) -> str:
            misfits.append(invalid.number - 1)
            return "skip"

        table = self._parse_text(lines.text(), columns, skip)
        unreadable = []
        for reason, at in (("unbalanced_quote", np.flatnonzero(is_open)), ("unreadable_row", np.array(misfits, int))):
            among = slice(None) if reason == "unbalanced_quote" else ~is_open
            unreadable += [UnreadableRow(int(numbers[among][i]), int(places[among][i]), reason) for i in at]
        is_parsed = np.delete(np.flatnonzero(~is_open), misfits)
        if len(is_parsed) != table.num_rows:
            raise RuntimeError(f"{len(is_parsed)} lines gave {table.num_rows} rows of CSV")
        further = int(((lines.kinds == _FURTHER) & (np.diff(lines.ends, prepend=-1) > 1)).sum())
        return CsvBlock(table, numbers[is_parsed], places[is_parsed], sorted(unreadable), further), len(first)

    def _parse_text(self, text: bytes, columns: Sequence[str], skip: Callable[[pa_csv.InvalidRow], str]) -> pa.Table:
        types = dict.fromkeys(columns, pa.string())
        if not text:
            return pa.schema(list(types.items())).empty_table()
        return pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=self.header),
            parse_options=pa_csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=self.is_multiline, invalid_row_handler=skip
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(columns), strings_can_be_null=True, null_values=[""]
            ),
        )


@dataclass(frozen=True)
class _Lines:
    """Whole lines of a file: their bytes, where each ends, and its kind."""

    data: bytes
    ends: NDArray[np.int64]
    kinds: NDArray[np.uint8]

    @classmethod
    def of(cls, data: bytes, delimiter: str, is_multiline: bool, is_last: bool) -> _Lines:
        """Judge lines; where records may span lines, leave out a last one that goes on behind the block."""
        octets = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(octets == _NEWLINE)
        kinds = np.where(np.diff(ends, prepend=-1) == 1, _EMPTY, _ROW).astype(np.uint8)
        lines = cls(data, ends, kinds)
        grammar = _Grammar.of(delimiter)
        kinds[lines._leave_a_quote_open(octets, grammar)] = _OPEN
        if is_multiline:
            used = lines._join(grammar, is_last)
            lines = cls(data[: lines._start(used)], ends[:used], kinds[:used])
        return lines

    def text(self) -> bytes:
        """Return the lines of the rows that can be read."""
        is_used = (self.kinds == _ROW) | (self.kinds == _FURTHER)
        if is_used.all():
            return self.data
        octets = np.frombuffer(self.data, np.uint8)
        used: bytes = octets[np.repeat(is_used, np.diff(self.ends, prepend=-1))].tobytes()
        return used

    def _start(self, line: int) -> int:
        return int(self.ends[line - 1]) + 1 if line else 0

    def _leave_a_quote_open(self, octets: NDArray[np.uint8], grammar: _Grammar) -> NDArray[np.bool_]:
        """Mark lines with an odd number of quotation marks, or one that opens a text and none that closes it."""
        quotes = np.flatnonzero(octets == _QUOTE)
        count = np.diff(np.searchsorted(quotes, self.ends), prepend=0)
        is_open: NDArray[np.bool_] = count % 2 == 1
        if not len(quotes):
            return is_open
        line = np.repeat(np.arange(len(count)), count)
        opens = (np.arange(len(quotes)) - (np.cumsum(count) - count)[line]) % 2 == 0
        beside = octets[np.where(opens, quotes - 1, quotes + 1)]  # before the first: the last, which ends a line
        is_odd = ~np.isin(beside, (grammar.delimiter, _NEWLINE, _QUOTE))
        for place in np.unique(line[is_odd]).tolist():
            is_open[place] |= not grammar.row.fullmatch(self.data, self._start(place), int(self.ends[place]))
        return is_open

    def _join(self, grammar: _Grammar, is_last: bool) -> int:
        """Join lines of which one leaves a quotation mark open that a later one closes; return how many are used."""
        end = 0
        for line in np.flatnonzero(self.kinds == _OPEN).tolist():
            if line < end:
                continue
            furthest = min(line + LONGEST_RECORD, len(self.kinds))
            for last in range(line + 1, furthest):
                if grammar.strict_row.fullmatch(self.data, self._start(line), int(self.ends[last])):
                    end = last + 1
                    self.kinds[line], self.kinds[line + 1 : end] = _ROW, _FURTHER
                    break
            else:
                if furthest == len(self.kinds) and not is_last:
                    return int(line)
        return len(self.kinds)


@dataclass(frozen=True)
class _Grammar:
    """What a row looks like between two line ends: as a parser takes it, and as it is written by the book."""

    delimiter: int
    row: re.Pattern[bytes]
    strict_row: re.Pattern[bytes]

    @classmethod
    @cache
    def of(cls, delimiter: str) -> _Grammar:
        """Return the grammar of rows with this delimiter."""
        d = delimiter.encode()
        quoted = rb'"(?:[^"]|"")*+"'
        lenient = rb"(?:%b[^%b]*+|[^\"%b][^%b]*+|)" % (quoted, d, d, d)
        strict = rb'(?:%b|[^"\n%b]*+)' % (quoted, d)
        lenient_row, strict_row = (re.compile(b"%b(?:%b%b)*+" % (f, d, f)) for f in (lenient, strict))
        return cls(d[0], lenient_row, strict_row)


def _utf8_blocks(file: BinaryIO, encoding: str) -> Iterator[tuple[bytes, bool]]:
    """Read text in blocks: in UTF-8, lines ended by LF, without a byte order mark; and whether it is the last."""
    codec = codecs.lookup(encoding)
    decoder = None if codec.name == "utf-8" else codec.incrementaldecoder()
    is_first, held_back = True, b""
    while True:
        data = file.read(BLOCK_BYTES)
        is_last = not data
        data = held_back + (data if decoder is None else decoder.decode(data, is_last).encode())
        if is_first:
            is_first, data = False, data.removeprefix(codecs.BOM_UTF8)
        held_back = data[-1:] if data.endswith(b"\r") and not is_last else b""  # an LF may follow
        data = data[: len(data) - len(held_back)]
        yield data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), is_last
        if is_last:
            return
