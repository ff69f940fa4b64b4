"""Compiled segments of a large ledger, cut into buckets of neighbouring subjects: each compiled, kept and read alone.

Whatever the size of the ledger, one bucket is in memory. A bucket is compiled from the rows that can touch the files of
its subjects and nothing else, so what a killed process left is gone on with, and a damaged bucket is made again alone.
Its file is a Parquet of numbers (one column can be read without the others) with what the numbers are indices of
beside it, each behind its SHA-256.

In: a ledger's parts, a day of use. Out: ``Segments`` of some subjects, whole or the columns asked for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from credit_model.foundation.files import exclusive_lock, read_sealed, write_sealed
from credit_model.ledger.lookup import Finder
from credit_model.ledger.manifest import CACHE, LOCK, LedgerError, Manifest, cache_prefix
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

ROWS: Final = 400_000  # records in a bucket
_IDS: Final = ("subject_ids", "record_ids", "case_ids")


@dataclass(frozen=True)
class Buckets:
    """The segments of a ledger by ranges of subject ids.

    Parameters
    ----------
    folder : Path
        Of the ledger.
    name : str
        Under which this content, compiled for this day of use, is kept.
    bounds : tuple of str
        The first subject of every bucket but the first; ascending.
    catalogue, policy, day_of_use
        As for ``compile_segments``.
    finder : Finder
        Of the parts they are compiled from.
    """

    folder: Path
    name: str
    bounds: tuple[str, ...]
    catalogue: Catalogue
    policy: str
    day_of_use: int
    finder: Finder
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # parts are read by one at a time

    @classmethod
    def of(cls, folder: Path, name: str, catalogue: Catalogue, policy: str, day: int, finder: Finder) -> Buckets:
        """As they were cut before, or cut anew: parts may merge between two processes, and the cuts must not move."""
        place = folder / CACHE / f"{name}.bounds"
        told = read_sealed(place)
        if told is None:
            bounds = tuple(finder.bounds(ROWS))
            _keep(folder, place, [json.dumps(bounds).encode()])
        else:
            bounds = tuple(json.loads(bytes(told)))
        return cls(folder, name, bounds, catalogue, policy, day, finder)

    def __len__(self) -> int:
        return len(self.bounds) + 1

    def span(self, number: int) -> tuple[str, str | None]:
        """The first subject of a bucket and the first beyond it (None: there is none)."""
        edges = ("", *self.bounds, None)
        return str(edges[number]), edges[number + 1]

    def path(self, number: int) -> Path:
        """The file of a bucket."""
        return self.folder / CACHE / f"{self.name}.{number:05d}.bucket"

    def open(
        self, number: int, columns: Sequence[str] | None = None, progress: Callable[[str], None] | None = None
    ) -> Segments:
        """The segments of one bucket; compiled and kept where there is no file of it, or a damaged one.

        Parameters
        ----------
        number : int
        columns : sequence of str, optional
            Columns of rows (attributes by their own name) to read; the others are then empty, as are record and case
            ids. Without it, everything.
        progress : callable, optional
            Told of a file that was damaged.
        """
        data = read_sealed(self.path(number))
        if data is None:
            if progress is not None and self.path(number).exists():
                progress(f"{self.path(number).name} was cut or altered: compiling it again")
            segments = self.compile(number)
            _keep(self.folder, self.path(number), _written(segments))
            ids = _IDS if columns is None else _IDS[:1]
            return replace(segments, **{name: _objects(getattr(segments, name)) for name in ids})
        return _read(data, columns)

    def compile(self, number: int) -> Segments:
        """The segments of one bucket, from the ledger's rows; its ids are Arrow's."""
        first, beyond = self.span(number)
        with self.lock:
            tables = self.finder.tables_between(first, beyond)
        segments = compile_segments(tables, self.catalogue, self.policy, self.day_of_use)
        ids = segments.subject_ids  # of moves also those on the other side
        low = pc.sum(pc.less(ids, first)).as_py() or 0
        high = len(ids) if beyond is None else pc.sum(pc.less(ids, beyond)).as_py() or 0
        return segments if high - low == len(ids) else segments.range(low, high)


def _written(segments: Segments) -> list[Any]:
    """A bucket as bytes: the length of the first of two parts, what numbers are indices of, the numbers."""
    ids = {name: getattr(segments, name) for name in _IDS}
    ids = {
        name: pa.array(words, pa.string()) if isinstance(words, np.ndarray) else words for name, words in ids.items()
    }
    beside = pa.table(
        {name: pa.ListArray.from_arrays(pa.array([0, len(words)], pa.int32()), words) for name, words in ids.items()},
        metadata={"words": json.dumps([segments.kind_codes, segments.vocabularies])},
    )
    told = pa.BufferOutputStream()
    with pa.ipc.new_file(told, beside.schema) as writer:
        writer.write_table(beside)
    rows = pa.table({**{n: getattr(segments, n) for n in segments.row_columns}, **_attributes(segments)})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="lz4", use_dictionary=False, write_statistics=False)
    first = told.getvalue()
    return [len(first).to_bytes(8, "little"), first, sink.getvalue()]


def _objects(words: Any) -> Any:
    return words.to_numpy(zero_copy_only=False)


def _attributes(segments: Segments) -> dict[str, Any]:
    return {f"attribute:{name}": column for name, column in segments.attributes.items()}


def _read(data: memoryview, columns: Sequence[str] | None) -> Segments:
    length = int.from_bytes(data[:8], "little")
    beside = pa.ipc.open_file(pa.BufferReader(data[8 : 8 + length]))
    kind_codes, vocabularies = json.loads(beside.schema.metadata[b"words"])
    row = beside.get_batch(0)
    parquet = pq.ParquetFile(pa.BufferReader(data[8 + length :]))
    held = parquet.schema_arrow
    attribute = {n.removeprefix("attribute:"): n for n in held.names if n.startswith("attribute:")}
    wanted = None if columns is None else ["subject", *(attribute.get(name, name) for name in columns)]
    found = parquet.read(wanted, use_threads=False)
    numbers = {
        name: found.column(name).to_numpy() if name in found.column_names else _empty(held.field(name).type)
        for name in held.names
    }
    ids = {name: row.column(name).flatten() for name in _IDS}
    nothing = np.empty(0, object)
    return Segments(
        **{
            name: nothing if columns is not None and name != "subject_ids" else values.to_numpy(zero_copy_only=False)
            for name, values in ids.items()
        },
        kind_codes=tuple(kind_codes),
        vocabularies={name: tuple(words) for name, words in vocabularies.items()},
        **{name: column for name, column in numbers.items() if name not in attribute.values()},
        attributes={name: numbers[column] for name, column in attribute.items()},
    )


def _empty(type: Any) -> Any:
    return np.empty(0, type.to_pandas_dtype())


def _keep(folder: Path, path: Path, parts: Sequence[Any]) -> None:
    """Keep a file, unless the ledger says something else by now: a forgotten person must not return."""
    try:
        with exclusive_lock(folder / LOCK):
            if path.name.startswith(cache_prefix(Manifest.read(folder))):
                path.parent.mkdir(exist_ok=True)
                write_sealed(path, parts)
    except (OSError, LedgerError):  # a folder one may only read, a full disk: compiled again next time
        pass
