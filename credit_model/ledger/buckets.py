"""The cache of compiled segments: one file for a ledger's content and day of use, or, of a large ledger, buckets.

A file is named by the digests of everything it was compiled from and guarded by its SHA-256. A bucket holds the
segments of one range of subject ids, as a partition does of a table: one is in memory at a time, whatever the size of
the ledger. Each is compiled from the rows that can touch the files of its subjects and nothing else, so a killed
process is resumed bucket by bucket, and a damaged bucket is compiled again alone. It holds its vocabulary (ids, codes)
and a Parquet table of numbers that index it, of which single columns can be read.

In: a ledger's parts and manifest, a day of use. Out: ``Segments``, of all subjects or some, whole or the columns asked
for; nothing where a cache file is absent or damaged.
"""

from __future__ import annotations

import io
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
from numpy.typing import NDArray

from credit_model.foundation.digests import sha256
from credit_model.foundation.files import exclusive_lock, read_sealed, write_sealed
from credit_model.ledger.lookup import RowIndex, View
from credit_model.ledger.manifest import CACHE, LOCK, LedgerError, Manifest, cache_prefix
from credit_model.visibility.segments import SEMANTICS_VERSION, compile_segments
from credit_model.visibility.tables import Segments, Tables

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue

ROWS: Final = 400_000  # records in a bucket
_IDS: Final = ("subject_ids", "record_ids", "case_ids")
_MAX_FILES: Final = 4  # days of use


def cache_name(manifest: Manifest, day_of_use: int, recorded_by: int | None = None) -> str:
    """Return the name of the cache file for this content and day of use, of what was received by a day."""
    source = manifest.digest, manifest.catalogue, manifest.policy
    content = (*source, day_of_use, SEMANTICS_VERSION, Segments.row_columns, recorded_by)
    return f"{cache_prefix(manifest)}{sha256(repr(content))[:32]}.segments"


def read_segments(folder: Path, name: str) -> Segments | None:
    """Read segments from the cache; None if they are absent or damaged."""
    data = read_sealed(folder / CACHE / name)
    return None if data is None else Segments.from_arrow(pq.read_table(pa.BufferReader(data)))


def write_segments(folder: Path, name: str, segments: Segments) -> None:
    """Write segments to the cache, unless another process writes to the ledger."""
    sink = io.BytesIO()
    pq.write_table(segments.to_arrow(), sink, compression="zstd")
    write_cache(folder, name, [sink.getvalue()], wait=False)


def write_cache(folder: Path, name: str, parts: Sequence[bytes | memoryview], *, wait: bool = True) -> None:
    """Write a cache file, unless the ledger has other content by now: a forgotten person must not return."""
    cache = folder / CACHE
    try:
        with exclusive_lock(folder / LOCK, wait=wait) as free:
            if free and name.startswith(cache_prefix(Manifest.read(folder))):
                cache.mkdir(exist_ok=True)
                write_sealed(cache / name, parts)
                old = sorted(cache.glob("*.segments"), key=lambda file: file.stat().st_mtime)
                for file in old[:-_MAX_FILES]:
                    file.unlink(missing_ok=True)
    except (OSError, LedgerError):  # a folder one may only read, a full disk: compiled again next time
        pass


@dataclass(frozen=True)
class Buckets:
    """The segments of a ledger by ranges of subject ids.

    Parameters
    ----------
    folder : Path
        Of the ledger.
    name : str
        Of the cache files of this content and day of use.
    bounds : tuple of str
        The first subject of every bucket but the first; ascending.
    catalogue, policy, day_of_use
        As for ``compile_segments``.
    row_index : RowIndex
        Of the parts they are compiled from.
    """

    folder: Path
    name: str
    bounds: tuple[str, ...]
    catalogue: Catalogue
    policy: str
    day_of_use: int
    row_index: RowIndex
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # parts are read by one at a time

    @classmethod
    def of(cls, folder: Path, name: str, catalogue: Catalogue, policy: str, day: int, row_index: RowIndex) -> Buckets:
        """Read the bounds of earlier buckets, or choose them: parts may merge meanwhile, but bounds must not move."""
        place = folder / CACHE / f"{name}.bounds"
        cached = read_sealed(place)
        if cached is None:
            bounds = tuple(row_index.bounds(ROWS))
            write_cache(folder, place.name, [json.dumps(bounds).encode()])
        else:
            bounds = tuple(json.loads(bytes(cached)))
        return cls(folder, name, bounds, catalogue, policy, day, row_index)

    def __len__(self) -> int:
        return len(self.bounds) + 1

    def span(self, number: int) -> tuple[str, str | None]:
        """Return the first subject of a bucket and the first beyond it; None after the last bucket."""
        edges = ("", *self.bounds, None)
        return str(edges[number]), edges[number + 1]

    def path(self, number: int) -> Path:
        """Return the file of a bucket."""
        return self.folder / CACHE / f"{self.name}.{number:05d}.bucket"

    def open(
        self, number: int, columns: Sequence[str] | None = None, progress: Callable[[str], None] | None = None
    ) -> Segments:
        """Return the segments of one bucket; compile and cache them where its file is absent or damaged.

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
            write_cache(self.folder, self.path(number).name, _serialise(segments))
            ids = _IDS if columns is None else _IDS[:1]
            objects: dict[str, Any] = {name: _to_objects(getattr(segments, name)) for name in ids}
            return replace(segments, **objects)
        return _read(data, columns)

    def compile(self, number: int) -> Segments:
        """Compile the segments of one bucket from the ledger's rows; ids are Arrow arrays."""
        first, beyond = self.span(number)
        with self.lock:
            tables = self.row_index.tables_between(first, beyond)
        segments = compile_segments(tables, self.catalogue, self.policy, self.day_of_use)
        ids = segments.subject_ids  # of moves also those on the other side
        low = pc.sum(pc.less(ids, first)).as_py() or 0
        high = len(ids) if beyond is None else pc.sum(pc.less(ids, beyond)).as_py() or 0
        return segments if high - low == len(ids) else segments.range(low, high)


@dataclass
class SegmentCache:
    """What a view of a ledger shows as arrays: read or compiled once for each content and day of use."""

    view: View
    catalogue: Catalogue
    _tables: tuple[str, Tables] | None = None  # with the digest of what they were read from
    _segments: tuple[str, Segments] | None = None  # with the name of their cache

    def tables(self) -> Tables:
        """Return every row."""
        with self.view.lock:
            if self._tables is None or self._tables[0] != self.view.digest:
                tables = self.view.look(lambda row_index: row_index.all_tables())
                self._tables = self.view.digest, tables
            return self._tables[1]

    def segments(self, day: int) -> Segments:
        """Return the segments of all subjects under the law of a day of use."""
        with self.view.lock:
            name = self._name(day)
            if self._segments is None or self._segments[0] != name:
                segments = read_segments(self.view.folder, name)
                if segments is None:
                    tables = self.tables()  # with which the view may move on
                    name = self._name(day)
                    segments = compile_segments(tables, self.catalogue, self.view.manifest.policy, day)
                    write_segments(self.view.folder, name, segments)
                self._segments = name, segments
            return self._segments[1]

    def buckets(self, day: int) -> Buckets:
        """Return the same in buckets."""

        def cut(_: RowIndex) -> Buckets:
            manifest = self.view.manifest
            row_index = self.view.row_index(self.view.store(), manifest)
            for part in manifest.parts:  # opened now, they stay readable whatever is merged meanwhile
                row_index.store.open(part)
            name = self._name(day).removesuffix(".segments")
            return Buckets.of(self.view.folder, name, self.catalogue, manifest.policy, day, row_index)

        return self.view.look(cut)

    def _name(self, day: int) -> str:
        return cache_name(self.view.manifest, day, self.view.recorded_by)


def _serialise(segments: Segments) -> list[bytes | memoryview]:
    """Return a bucket as bytes: the length of the vocabulary, the vocabulary, the numbers."""
    ids = {name: getattr(segments, name) for name in _IDS}
    ids = {
        name: pa.array(words, pa.string()) if isinstance(words, np.ndarray) else words for name, words in ids.items()
    }
    words_table = pa.table(
        {name: pa.ListArray.from_arrays(pa.array([0, len(words)], pa.int32()), words) for name, words in ids.items()},
        metadata={"words": json.dumps([segments.kind_codes, segments.vocabularies])},
    )
    vocabulary = pa.BufferOutputStream()
    with pa.ipc.new_file(vocabulary, words_table.schema) as writer:
        writer.write_table(words_table)
    rows = pa.table({**{n: getattr(segments, n) for n in segments.row_columns}, **_attribute_columns(segments)})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="lz4", use_dictionary=False, write_statistics=False)
    first = vocabulary.getvalue()
    return [len(first).to_bytes(8, "little"), first, sink.getvalue()]


def _to_objects(words: pa.Array) -> NDArray[np.object_]:
    objects: NDArray[np.object_] = words.to_numpy(zero_copy_only=False)
    return objects


def _attribute_columns(segments: Segments) -> dict[str, NDArray[Any]]:
    return {f"attribute:{name}": column for name, column in segments.attributes.items()}


def _read(data: memoryview, columns: Sequence[str] | None) -> Segments:
    length = int.from_bytes(data[:8], "little")
    words_table = pa.ipc.open_file(pa.BufferReader(data[8 : 8 + length]))
    kind_codes, vocabularies = json.loads(words_table.schema.metadata[b"words"])
    row = words_table.get_batch(0)
    parquet = pq.ParquetFile(pa.BufferReader(data[8 + length :]))
    schema = parquet.schema_arrow
    attribute = {n.removeprefix("attribute:"): n for n in schema.names if n.startswith("attribute:")}
    names = None if columns is None else ["subject", *(attribute.get(name, name) for name in columns)]
    rows = parquet.read(names, use_threads=False)
    numbers = {
        name: rows.column(name).to_numpy() if name in rows.column_names else _empty(schema.field(name).type)
        for name in schema.names
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


def _empty(type: pa.DataType) -> NDArray[Any]:
    return np.empty(0, type.to_pandas_dtype())
