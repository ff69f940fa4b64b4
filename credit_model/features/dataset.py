"""Features of a whole city: a folder of Parquet files, written bucket by bucket in bounded memory.

Every file of features belongs to one bucket of segments and is there whole or not at all; ``dataset.json`` says which
request the folder answers and the SHA-256 of every file that is done. A build that was killed goes on with the files
that are missing, and ends in the same bytes as one that was not.

In: buckets of segments, observations, definitions. Out: ``part-00000.parquet`` ... and ``dataset.json``.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from credit_model.features.batching import compiled_repays
from credit_model.features.kernel import KERNEL_VERSION, compute
from credit_model.features.program import columns_read
from credit_model.foundation.digests import sha256, sha256_file, sha256_json
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import write_atomically
from credit_model.visibility.segments import SEMANTICS_VERSION

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.features.definition import FeatureDefinition
    from credit_model.ledger.buckets import Buckets

MANIFEST: Final = "dataset.json"
_AT_ONCE: Final = 2  # buckets in memory
_LINES: Final = 4  # records an observation may be expected to see


def write_dataset(
    folder: Path,
    buckets: Buckets,
    subject_ids: pa.Array,
    as_of: NDArray[np.int32],
    definitions: Sequence[FeatureDefinition],
    catalogue: Catalogue,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write the features of observations as a dataset; what an earlier call of the same left done is kept.

    Parameters
    ----------
    folder : Path
        New, empty, or begun by the same call. Rows lie by subject, those of one subject in the order given.
    buckets : Buckets
    subject_ids : pyarrow.Array of str, shape (n,)
    as_of : ndarray of int32, shape (n,)
        Days since 1970-01-01.
    definitions : sequence of FeatureDefinition
        Checked.
    catalogue : Catalogue
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UserError
        If the folder holds something else, or cannot be written.
    """
    if len(subject_ids) > 1 and not pc.all(pc.less_equal(subject_ids[:-1], subject_ids[1:])).as_py():
        order = pc.array_sort_indices(subject_ids)  # a stable sort
        subject_ids, as_of = subject_ids.take(order), as_of[order.to_numpy()]
    request = {
        "segments": buckets.name,
        "bounds": sha256(json.dumps(buckets.bounds)),
        "observations": _observations_digest(subject_ids, as_of),
        "features": [definition.name for definition in definitions],
        "definitions": sha256_json([d.to_dict() for d in definitions]),
        "versions": [KERNEL_VERSION, SEMANTICS_VERSION],
    }
    finished_files = _resume(folder, request)
    columns = columns_read(definitions, catalogue)
    edges = [0, *(_first(subject_ids, bound) for bound in buckets.bounds), len(subject_ids)]
    numbers = [n for n in range(len(buckets)) if edges[n] < edges[n + 1] or (not len(subject_ids) and n == 0)]
    lock = threading.Lock()
    compiled_repays(_LINES * len(subject_ids) * len(definitions))

    def one(number: int) -> None:
        name = f"part-{number:05d}.parquet"
        if name in finished_files:
            current = _digest_of(folder / name)
            if current == finished_files[name]:
                return
            if current is not None and progress is not None:
                progress(f"{name} was cut or altered: computing it again")
        rows = slice(edges[number], edges[number + 1])
        segments = buckets.open(number, columns, progress)
        index = pc.index_in(subject_ids[rows], value_set=pa.array(segments.subject_ids, subject_ids.type))
        days = as_of[rows]
        values = compute(segments, index.fill_null(-1).to_numpy(), days, definitions, catalogue)
        digest = _write(folder / name, subject_ids[rows], days, values, [d.name for d in definitions])
        with lock:
            finished_files[name] = digest
            _say(folder, request, finished_files, False)
            if progress is not None:
                progress(f"Computing features: {len(finished_files)} of {len(numbers)} parts")

    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(one, numbers):
                pass
        _say(folder, request, finished_files, True)
        for left in folder.glob(".part-*"):  # by a build that was killed
            left.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"features were to be written to {folder}: {error}; make room and call again: what is done is kept"
        ) from None
    return folder


def _resume(folder: Path, request: Mapping[str, object]) -> dict[str, str]:
    """Files of the same request that are done already."""
    try:
        folder.mkdir(exist_ok=True)
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        recorded, files = manifest["request"], dict(manifest["files"])
    except FileNotFoundError:
        if any(not name.name.startswith(".") for name in folder.iterdir()):
            raise UserError(
                f"features were to be written to the folder {folder}: it holds other files; give a new folder"
            ) from None
        _say(folder, request, {}, False)
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"features were to be written to {folder}: its {MANIFEST} cannot be read ({type(error).__name__}); give a "
            "new folder"
        ) from None
    if recorded != request:
        differing = [name for name in request if recorded.get(name) != request[name]]
        raise UserError(
            f"features were to be written to {folder}: it holds those of another request "
            f"({', '.join(differing)} differ); give a new folder"
        )
    return files


def _say(folder: Path, request: Mapping[str, object], digests: dict[str, str], complete: bool) -> None:
    text = json.dumps({"request": request, "complete": complete, "files": dict(sorted(digests.items()))}, indent=1)
    write_atomically(folder / MANIFEST, text)


def _write(
    path: Path, subject_ids: pa.Array, days: NDArray[np.int32], values: NDArray[np.float32], names: Sequence[str]
) -> str:
    """One file, there whole or not at all; its SHA-256."""
    columns = [subject_ids.cast(pa.string()), pa.array(days).cast(pa.date32())]
    columns += [pa.array(column) for column in np.ascontiguousarray(values.T)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns, names=["subject_id", "as_of", *names]),
        sink,
        compression="lz4",
        use_dictionary=False,  # three times as fast, and no larger
        write_statistics=["subject_id", "as_of"],
    )
    data = sink.getvalue()
    write_atomically(path, data)
    return sha256(data)


def _first(subject_ids: pa.Array, bound: str) -> int:
    """How many ids lie before a bound; by bisection."""
    low, high = 0, len(subject_ids)
    while low < high:
        middle = (low + high) // 2
        if subject_ids[middle].as_py() < bound:
            low = middle + 1
        else:
            high = middle
    return low


def _observations_digest(subject_ids: pa.Array, as_of: NDArray[np.int32]) -> str:
    """Of lengths, texts and days: the same however the ids lie in memory."""
    digest = hashlib.sha256(pc.binary_length(subject_ids).to_numpy(zero_copy_only=False).tobytes())
    if len(subject_ids):
        _, offsets, text = subject_ids.buffers()
        first, beyond = np.frombuffer(offsets, np.int32)[[subject_ids.offset, subject_ids.offset + len(subject_ids)]]
        digest.update(memoryview(text)[first:beyond] if text is not None else b"")
    digest.update(as_of.tobytes())
    return digest.hexdigest()


def _digest_of(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except OSError:
        return None
