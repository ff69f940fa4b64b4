"""Sources of rows: frames and files, opened alike and read in batches of bounded size.

A source knows its column names before a single row is read, so that a forbidden or unknown column is refused before
anything is written, and reads only the columns requested: an undeclared one is never in memory. CSV is read
as text, without guessing; types are the business of validation.

In: a pandas or polars frame, an Arrow table, the path of a Parquet or CSV file (also .tsv, and with .gz), or several of
these.
Out: ``Source``, and from it Arrow batches with the number of every row.
"""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from credit_model.catalogue.subject_ids import id_texts
from credit_model.foundation.arrow_columns import Mask, as_mask, read_text
from credit_model.foundation.csv_rows import CsvRows, UnreadableRow
from credit_model.foundation.digests import sha256_file
from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    Data: TypeAlias = (
        pa.Table | pa.RecordBatch | pd.DataFrame | str | Path | list["Data"] | tuple["Data", ...] | Mapping[str, "Data"]
    )  # and a frame of polars

BATCH_ROWS = 131_072
_TEXT_ENDINGS = (".csv", ".tsv", ".txt")
_DAMAGE = (pa.ArrowException, OSError, EOFError, UnicodeError, csv.Error, zlib.error)


@dataclass(frozen=True)
class Batch:
    """Some rows of a source and their numbers in it, from 1 (a header is not counted); of a file of text, its lines."""

    table: pa.Table
    rows: NDArray[np.int64]
    lines: NDArray[np.int64] | None = None


@dataclass
class Source:
    """One frame or file.

    ``name`` is what a mapping knows it by (the key it was given under, or a file's name without its ending);
    ``label`` is what messages call it. While a CSV is read, ``unreadable`` fills with its rows that have another width
    than the header or a quotation mark too many, and ``further_lines`` counts the lines that only go on with a row.
    """

    name: str
    label: str
    data: Path | pa.Table
    encoding: str = "utf8"
    is_multiline: bool = False
    unreadable: list[UnreadableRow] = field(default_factory=list)
    further_lines: int = 0

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema; all text for CSV."""
        if not isinstance(self.data, Path):
            return self.data.schema
        try:
            if self.is_csv:
                return pa.schema([(name, pa.string()) for name in self._csv(self.data).header])
            return pq.read_schema(self.data)
        except UserError:
            raise
        except (*_DAMAGE, ValueError, LookupError) as error:
            raise self._unreadable(error) from None

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self.schema.names)

    @property
    def digest(self) -> str:
        """SHA-256 of the file, or of the frame as an Arrow stream."""
        if isinstance(self.data, Path):
            return sha256_file(self.data)
        hashing = _Hashing()
        with pa.ipc.new_stream(pa.PythonFile(hashing, "w"), self.data.schema) as stream:
            stream.write_table(self.data)
        return hashing.sha256.hexdigest()

    def count_rows(self) -> int:
        """Count the rows once more, of a file of text by its lines; after ``batches``, against which it is held."""
        if not isinstance(self.data, Path):
            return int(self.data.num_rows)
        if self.is_csv:
            return self._csv(self.data).count_lines() - self.further_lines
        return int(pq.read_metadata(self.data).num_rows)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read the source from its beginning, only these columns."""
        self.unreadable.clear()
        self.further_lines = 0
        try:
            if isinstance(self.data, Path) and self.is_csv:
                for block in self._csv(self.data).blocks(columns):
                    self.unreadable += block.unreadable
                    self.further_lines += block.further_lines
                    yield Batch(_plain(block.table), block.rows, block.lines)
                return
            read = 0
            for table in self._tables(list(columns)):
                yield Batch(_plain(table), np.arange(read, read + table.num_rows) + 1)
                read += table.num_rows
        except _DAMAGE as error:
            raise self._unreadable(error) from None

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        if not isinstance(self.data, Path):
            selection = self.data.select(columns)
            for start in range(0, max(selection.num_rows, 1), BATCH_ROWS):
                yield selection.slice(start, BATCH_ROWS)
        else:
            with pq.ParquetFile(self.data) as file:
                for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                    yield pa.Table.from_batches([batch])

    def _csv(self, path: Path) -> CsvRows:
        return CsvRows(path, self.label, self.encoding, self.is_multiline)

    @property
    def is_csv(self) -> bool:
        """Whether it is a file of text, whose first line should be its header."""
        return isinstance(self.data, Path) and self.data.name.lower().removesuffix(".gz").endswith(_TEXT_ENDINGS)

    def _unreadable(self, error: Exception) -> UserError:
        # The text of the error may quote a value of the file: the message has its type only.
        kind = f"CSV in {self.encoding}" if self.is_csv else "Parquet"
        return UserError(
            f"ingest: {self.label} cannot be read as {kind} ({type(error).__name__}); "
            "nothing was written. Check the file."
        )


@dataclass(frozen=True)
class Join:
    """Another raw table, joined to the rows of one by a key; ``on`` gives its column for each of theirs.

    A mapping names its columns with its name before them: ``cases.day``. ``unmatched`` says what becomes of rows that
    find none: ``refuse``, ``exclude`` or ``keep``.
    """

    source: str
    on: Mapping[str, str]
    unmatched: str = "refuse"
    encoding: str = "utf8"

    def column(self, name: str) -> str | None:
        """Return the column of the joined table that a name of the mapping means; None for one of the first table."""
        prefix = f"{self.source}."
        return name.removeprefix(prefix) if name.startswith(prefix) else None

    def apply(
        self, raw: pa.Table, join_rows: JoinedRows, names: Sequence[str]
    ) -> tuple[pa.Table, Mask, dict[tuple[str, str], Mask]]:
        """Add columns of the joined table, by their names in the mapping.

        Returns
        -------
        table : pyarrow.Table
        is_matched : ndarray of bool, shape (n,)
        faults : dict
            Rows that are refused, by reason and name of the joined table.
        """
        rows, is_ambiguous = join_rows.find(_keys(raw, self.on))
        is_matched = rows >= 0
        places = pa.array(rows, pa.int64(), mask=~is_matched)
        for name in names:
            raw = raw.append_column(name, join_rows.table.column(self.column(name)).take(places))
        faults = {("ambiguous_join", self.source): is_ambiguous}
        if self.unmatched == "refuse":
            faults["unmatched_join", self.source] = ~is_matched & ~is_ambiguous
        return raw, is_matched, faults


class JoinedRows:
    """The rows of a joined table in memory, by their keys; a key that is there twice joins nothing."""

    def __init__(self, batches: Iterable[Batch], join: Join) -> None:
        table = pa.concat_tables([batch.table for batch in batches])
        keys = _keys(table, join.on.values())
        has_key = keys.is_valid()
        self.table, self._keys = table.filter(has_key).combine_chunks(), keys.drop_null()
        counts = self._keys.value_counts()
        repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        self._is_repeated = as_mask(pc.is_in(self._keys, value_set=repeated))
        self._is_used = np.zeros(len(self._keys), np.bool_)
        self._without_key = keys.null_count

    def find(self, keys: pa.Array) -> tuple[NDArray[np.int64], Mask]:
        """Return the row of each key, -1 where there is none or more than one, and where there is more than one."""
        is_sought = as_mask(keys.is_valid())
        row_of_key = pc.index_in(keys, value_set=self._keys).fill_null(-1).to_numpy(zero_copy_only=False)
        rows = np.where(is_sought, row_of_key, -1).astype(np.int64)
        is_ambiguous: Mask = np.append(self._is_repeated, False)[rows]
        rows[is_ambiguous] = -1
        self._is_used[rows[rows >= 0]] = True
        return rows, is_ambiguous

    def count(self) -> dict[str, int]:
        """Count its rows that joined nothing, by code of a warning, after all batches were joined."""
        return {
            "joined_key_repeated": int(self._is_repeated.sum()),
            "joined_without_key": self._without_key,
            "joined_row_unused": int((~self._is_used & ~self._is_repeated).sum()),
        }


def _keys(table: pa.Table, names: Iterable[str]) -> pa.Array:
    """Return the key of each row as one text; null where a part of it is empty."""
    parts = [read_text(table.column(name).combine_chunks()) for name in names]
    return pc.binary_join_element_wise(*parts, "\x1f")


def open_sources(data: Data, argument: str) -> list[Source]:
    """Open the sources of one argument of ingest: a mapping of names, a sequence, or a single frame or path."""
    if isinstance(data, Mapping):
        return [_open(item, argument, str(name)) for name, item in data.items()]
    if isinstance(data, (list, tuple)):
        return [source for item in data for source in open_sources(item, argument)]
    return [_open(data, argument, None)]


def _open(data: Data, argument: str, name: str | None) -> Source:
    if isinstance(data, (str, Path)):
        path = Path(data)
        if not path.is_file():
            raise UserError(f"ingest: {argument}: there is no file {path}. Give a Parquet or CSV file, or a frame.")
        stem = path.with_suffix("").stem if path.suffix.lower() == ".gz" else path.stem
        return Source(name or stem, f"{argument} ({path.name})", path)
    label = f"{argument} ({name})" if name else argument
    return Source(name or argument, label, _arrow(data, label))


def _arrow(data: Data, label: str) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if type(data).__module__.startswith("pandas") and hasattr(data, "columns"):
        return _from_pandas(data, label)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    raise UserError(
        f"ingest: {label} is of type {type(data).__name__}. Give a pandas or polars frame, an Arrow table, "
        "or paths of files."
    )


def _from_pandas(frame: Any, label: str) -> pa.Table:
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise UserError(f"ingest: {label}: two columns have the same name. Rename one of them.")
    columns = []
    for i in range(len(names)):
        column = frame.iloc[:, i]
        if getattr(column.dtype, "tz", None) is not None:  # the day is the local one
            column = column.dt.tz_localize(None)
        try:
            columns.append(pa.Array.from_pandas(column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):  # mixed objects: judged value by value
            if names[i] == "subject_id":
                columns.append(id_texts(column))
                continue
            pairs = zip(column, column.isna(), strict=True)
            columns.append(pa.array([None if absent else str(value) for value, absent in pairs], pa.string()))
    return pa.table(columns, names=names)


def _plain(table: pa.Table) -> pa.Table:
    """Return a table of one array a column, without dictionaries; convert the many string types of Arrow to one."""
    return pa.table([_plain_column(column) for column in table.columns], names=table.column_names)


def _plain_column(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_null(array.type) or pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    return array


class _Hashing:
    """A file that only takes the digest of what is written to it."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.closed = False

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: no data is buffered."""

    def close(self) -> None:
        self.closed = True
