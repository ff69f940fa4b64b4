"""The cache of compiled segments in the ledger's folder: one file for each content of the ledger and day of use.

A file is named by the digests of everything it was compiled from and guarded by its SHA-256.

In: segments, the manifest they were compiled from. Out: the same, or nothing where the cache is absent or damaged.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from credit_model.foundation.digests import sha256
from credit_model.foundation.files import exclusive_lock, read_sealed, write_sealed
from credit_model.ledger.manifest import CACHE, LOCK, LedgerError, Manifest, cache_prefix
from credit_model.visibility.segments import SEMANTICS_VERSION
from credit_model.visibility.tables import Segments

_MAX_FILES = 4  # days of use


def cache_name(manifest: Manifest, day_of_use: int) -> str:
    """Return the name of the cache file for this content and day of use."""
    content = (manifest.digest, manifest.catalogue, manifest.policy, day_of_use, SEMANTICS_VERSION)
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
