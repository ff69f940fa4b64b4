"""Features of observations, from a ledger: the kernel for a table of people.

In: a ledger, observations (``subject_id``, ``as_of``), definitions.
Out: a float32 frame (or a Parquet file), rows and index as the observations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import select_definitions
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import NO_DAY, DateLike, to_day, to_days
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from credit_model.ledger.ledger import Ledger

_OBSERVED_IDS = "observations, column subject_id"
_ENGINES = ("local", "spark")
_ROWS = 200_000  # observations written to Parquet at once


class UnknownSubjectsWarning(UserWarning):
    """Observations name subjects that the ledger does not have.

    Parameters
    ----------
    message : str
    subjects, observations : int
        How many subjects, and how many observations name them.
    """

    def __init__(self, message: str, subjects: int, observations: int) -> None:
        super().__init__(message)
        self.subjects = subjects
        self.observations = observations


def build_features(
    ledger: Ledger,
    observations: pd.DataFrame,
    features: Sequence[str | FeatureDefinition] | str | Path | None = None,
    engine: str = "local",
    out: str | Path | None = None,
    day_of_use: DateLike | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame | Path:
    """Describe subjects, each as of its own date.

    A row holds what was in force, and known strictly before, at the start of that day. A subject that the ledger does
    not have is a row of "none"; such are counted in one ``UnknownSubjectsWarning`` (but not of a Spark frame, which is
    only read when its result is).

    Parameters
    ----------
    ledger : Ledger
    observations : DataFrame
        ``subject_id`` (text or whole numbers; 30790.0 is "30790") and ``as_of`` (dates, or text like 2024-01-31), in
        any order; further columns are left alone.
    features : optional
        Names from the dictionary, definitions, or the path of a TOML file; without it, the whole dictionary.
    engine : {"local", "spark"}
        ``spark`` runs the same kernel on Spark (extra ``spark``); observations may be a Spark frame then, and so is
        what comes back. Values are the same to the last bit.
    out : path-like, optional
        Write Parquet there (``subject_id``, ``as_of``, features) and return the path: a file ``NAME.parquet``, whole or
        not at all, rows as the observations; any other name is a folder of such files, for a city: rows by subject,
        written in bounded memory, and where the call was killed the same call goes on. On Spark it is
        always a folder, without that.
    day_of_use : date, optional
        The day whose law and windows hold for every row; today without it.
    progress : callable, optional
        Told what is being done, where ``out`` is a folder.

    Returns
    -------
    DataFrame of float32, shape (n, k), or Path
        Index of ``observations``, columns in the order of the definitions.

    Raises
    ------
    UserError
        If a column is missing, a date or an id unreadable, an engine or a name unknown.
    DefinitionErrors
        If definitions do not fit the ledger's catalogue.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from credit_model.ledger.ledger import Ledger
    >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
    >>> report = ledger.ingest(records=pd.DataFrame({
    ...     "subject_id": ["S000123"], "kind": ["honour"], "decided_on": ["2024-01-10"], "known_on": ["2024-03-01"]}))
    >>> observations = pd.DataFrame({"subject_id": ["S000123", "S000123"], "as_of": ["2024-03-01", "2024-03-02"]})
    >>> build_features(ledger, observations, ["honours_60m"], day_of_use="2026-11-24")
       honours_60m
    0          0.0
    1          1.0
    """
    if engine not in _ENGINES:
        raise UserError(f"features were asked of engine {engine!r}; this version has: {', '.join(_ENGINES)}")
    if out is not None and not Path(out).parent.is_dir():
        raise UserError(f"features were to be written to {out}: there is no folder {Path(out).parent}; make it first")
    definitions = select_definitions(features, ledger.catalogue)
    if engine == "spark":
        from credit_model.features.spark import build

        used_on = to_day(date.today()) if day_of_use is None else to_day(day_of_use)
        observed: Any = observations
        if not hasattr(observations, "mapInArrow"):
            ids, as_of = _observed(observations)
            _warn_of_unknown(ledger, ids, ids)
            observed = ids, as_of, observations.index
        return build(ledger, observed, definitions, used_on, None if out is None else Path(out))
    ids, as_of = _observed(observations)
    if out is not None and Path(out).suffix != ".parquet":
        from credit_model.features.dataset import write_dataset

        _warn_of_unknown(ledger, ids, ids)
        buckets = ledger.buckets(day_of_use)
        return write_dataset(Path(out), buckets, ids, as_of, definitions, ledger.catalogue, progress)
    subject_ids = ids.to_numpy(zero_copy_only=False)
    segments = ledger.segments(day_of_use)
    subjects = segments.subject_index(subject_ids)
    _warn_of_unknown(ledger, ids, ids.filter(subjects < 0))

    def values(rows: slice) -> NDArray[np.float32]:
        return compute(segments, subjects[rows], as_of[rows], definitions, ledger.catalogue)

    names = [definition.name for definition in definitions]
    if out is None:
        import pandas as pd

        return pd.DataFrame(values(slice(None)), index=observations.index, columns=names, copy=False)
    rows = (slice(start, start + _ROWS) for start in range(0, max(len(subject_ids), 1), _ROWS))
    return _write(Path(out), names, ((subject_ids[r], as_of[r], values(r)) for r in rows))


def _observed(observations: pd.DataFrame) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the canonical ids of the subjects, as Arrow text, and the days."""
    from credit_model.catalogue.subject_ids import read_subject_ids

    columns = list(getattr(observations, "columns", ()))
    missing = [name for name in ("subject_id", "as_of") if name not in columns]
    if missing:
        raise UserError(
            f"observations need the columns subject_id and as_of; missing: {', '.join(missing)} (found: {columns[:8]})"
        )
    try:
        days = _days(observations["as_of"])
    except UserError as error:
        raise UserError(f"observations, column as_of: {error}") from None
    if (days == NO_DAY).any():
        row = int(np.argmax(days == NO_DAY))
        raise UserError(f"observations, column as_of: {(days == NO_DAY).sum()} rows have no date (first: row {row})")
    return read_subject_ids(observations["subject_id"], _OBSERVED_IDS), days


def _warn_of_unknown(ledger: Ledger, subject_ids: pa.Array, candidates: pa.Array) -> None:
    """Warn the caller of ``build_features``, once, where observed ids are not in the ledger.

    Parameters
    ----------
    subject_ids : pyarrow.Array of string
        Of all observations.
    candidates : pyarrow.Array of string
        Those that may be unknown.
    """
    unknown = ledger.unknown_subjects(candidates)
    if not len(unknown):
        return
    import pyarrow.compute as pc

    from credit_model.catalogue.identity import redact

    rows = pc.is_in(subject_ids, value_set=unknown).to_numpy(zero_copy_only=False)
    count, first = int(rows.sum()), int(np.argmax(rows))
    noun = "subject" if len(unknown) == 1 else "subjects"
    who = redact(subject_ids[first].as_py(), None)
    message = (
        f"build_features: {count:,} of {len(rows):,} observations name {len(unknown):,} {noun} that the ledger does "
        f'not have (first: row {first}, {who!r}); they are described as "nothing on record". Check how their '
        "subject_id is written."
    )
    warnings.warn(UnknownSubjectsWarning(message, len(unknown), count), stacklevel=3)


def _days(as_of: pd.Series[Any]) -> NDArray[np.int32]:
    if as_of.dtype != "str":
        return to_days(as_of.to_numpy())
    codes, words = as_of.factorize()  # a city's days are few: their text never becomes millions of objects
    try:
        days: NDArray[np.int32] = np.append(to_days(np.asarray(words, dtype=object)), np.int32(NO_DAY))[codes]
        return days
    except UserError:
        return to_days(as_of.to_numpy())  # says which row


def _write(
    path: Path, names: list[str], batches: Iterator[tuple[NDArray[np.object_], NDArray[np.int32], NDArray[np.float32]]]
) -> Path:
    """Write the batches as one Parquet file that is there whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field("subject_id", pa.string()), pa.field("as_of", pa.date32())]
    schema = pa.schema([*fields, *(pa.field(name, pa.float32()) for name in names)])
    try:
        with replacing(path) as new, pq.ParquetWriter(new, schema) as writer:
            for subject_ids, days, values in batches:
                columns = [pa.array(subject_ids, pa.string()), pa.array(days).cast(pa.date32())]
                columns += [pa.array(np.ascontiguousarray(column)) for column in values.T]
                writer.write_table(pa.table(columns, schema=schema))
    except OSError as error:
        raise UserError(f"features were to be written to {path}: {error}; give another path") from None
    return path
