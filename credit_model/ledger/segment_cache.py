"""Compiled segments kept in the ledger's folder: a cache named by the digests of everything it was made from.

In: segments, the manifest they were compiled from. Out: the same, or nothing where the cache is absent or damaged.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from credit_model.ledger.manifest import CACHE, LedgerError, Manifest, cache_prefix, locked
from credit_model.visibility.segments import SEMANTICS_VERSION
from credit_model.visibility.tables import Segments

_KEPT = 4  # days of use


def name_of(manifest: Manifest, day_of_use: int) -> str:
    """The name under which the segments of this content and day of use are kept."""
    said = (manifest.digest, manifest.catalogue, manifest.policy, day_of_use, SEMANTICS_VERSION)
    return f"{cache_prefix(manifest)}{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}.segments"


def kept(folder: Path, name: str) -> Segments | None:
    """The segments as they were kept; None if they were not, or are damaged."""
    try:
        data = memoryview((folder / CACHE / name).read_bytes())
    except OSError:
        return None
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    return Segments.from_arrow(pq.read_table(pa.BufferReader(data[32:])))


def keep(folder: Path, name: str, segments: Segments) -> None:
    """Keep segments, unless the ledger says something else by now: a forgotten person must not return."""
    sink = io.BytesIO()
    pq.write_table(segments.to_arrow(), sink, compression="zstd")
    cache = folder / CACHE
    try:
        with locked(folder, wait=False) as free:
            if not free or not name.startswith(cache_prefix(Manifest.read(folder))):
                return
            cache.mkdir(exist_ok=True)
            new = cache / f"{name}.new"
            new.write_bytes(hashlib.sha256(sink.getvalue()).digest() + sink.getvalue())
            new.replace(cache / name)
            old = sorted(cache.glob("*.segments"), key=lambda file: file.stat().st_mtime)
            for file in old[:-_KEPT]:
                file.unlink(missing_ok=True)
    except (OSError, LedgerError):  # a folder one may only read: compiled again next time
        pass
