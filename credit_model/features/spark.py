"""Features and scores on Spark: the same kernel and the same card, over the same buckets of people.

The door to Spark; nothing else imports it. Observations are grouped by the ledger's buckets of neighbouring subjects,
the files that ``build_features(out=FOLDER)`` reads too: a task opens the bucket (compiles it, where nobody has yet) and
runs the kernel, in Python workers fed with Arrow. No second implementation and no SQL: values are those of one machine
to the last bit. Every worker must see the ledger's folder under the same path.

In: a ledger, observations (``subject_id``, ``as_of``), checked definitions; or a card and rows of features.
Out: Spark frames, lazy; or what ``build_features`` returns.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import needed_for

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from credit_model.features.definition import FeatureDefinition
    from credit_model.ledger.buckets import Buckets
    from credit_model.ledger.ledger import Ledger

_Result = TypeVar("_Result")

_LOCAL: Final = {
    "spark.master": "local[*]",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "ERROR",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_ID_TYPES: Final = ("string", "tinyint", "smallint", "int", "bigint", "float", "double")
_BUCKET = "bucket_of_subjects"
_ROW = "row_of_observations"


def session(settings: Mapping[str, str] | None = None) -> SparkSession:
    """Return the session that is active, else one on this machine, with what these functions need set.

    Parameters
    ----------
    settings : mapping of str to str, optional
        Of Spark, for a session made here, such as ``{"spark.master": "local[2]", "spark.driver.memory": "4g"}``.

    Raises
    ------
    UserError
        If Spark or Java is not installed.
    """
    with needed_for("Spark"), unwarned():
        from pyspark.sql import SparkSession
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    if shutil.which("java") is None:
        raise UserError("Spark was asked for, but there is no java on the path: install Java 17 or newer")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else the workers are whatever python3 is first found
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    with unwarned():
        return SparkSession.builder.config(map={**_LOCAL, **(settings or {})}).appName("credit-model").getOrCreate()


def features(
    ledger: Ledger, observations: DataFrame, definitions: Sequence[FeatureDefinition], day_of_use: int
) -> DataFrame:
    """Describe subjects, each as of its own date.

    Parameters
    ----------
    ledger : Ledger
        In a folder that every worker sees under the same path. Workers refuse another content than the ledger has now.
    observations : pyspark.sql.DataFrame
        ``subject_id`` (text or numbers; in the result canonical text) and ``as_of`` (date); further columns are
        carried along.
    definitions : sequence of FeatureDefinition, length k
        As accepted by ``check_definitions`` for the ledger's catalogue.
    day_of_use : int
        Whose law applies; days since 1970-01-01.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of ``observations``, then k of float32; rows in no stated order.

    Raises
    ------
    UserError
        If ``subject_id`` or ``as_of`` is missing or of another type. Rows without one fail when they are computed.
    """
    from pyspark.sql.types import FloatType, IntegerType, StringType, StructField, StructType

    _check_columns(observations, {"subject_id": _ID_TYPES, "as_of": ("date",)})
    names = [definition.name for definition in definitions]
    if clashes := [name for name in names if name in observations.columns]:
        raise UserError(f"observations have columns of the names of features: {', '.join(clashes)}; rename them")
    carried = [StructField(f.name, StringType()) if f.name == "subject_id" else f for f in observations.schema]
    described = StructType([*carried, *(StructField(name, FloatType()) for name in names)])
    grouped = StructType([*carried, StructField(_BUCKET, IntegerType(), False)])
    work = _describe(str(ledger.path), ledger.digest, tuple(definitions), day_of_use)
    with unwarned():
        numbered = observations.mapInArrow(_in_buckets(ledger.buckets(day_of_use).bounds), grouped)
        return numbered.groupBy(_BUCKET).applyInArrow(work, described)


def build(
    ledger: Ledger,
    observations: tuple[pa.Array, NDArray[np.int32], pd.Index] | DataFrame,
    definitions: Sequence[FeatureDefinition],
    day_of_use: int,
    out: Path | None,
) -> pd.DataFrame | DataFrame | Path:
    """Build what ``build_features`` returns under ``engine="spark"``.

    Parameters
    ----------
    ledger, definitions, day_of_use
        As for :func:`features`.
    observations : (pyarrow.Array, ndarray of int32, Index) or pyspark.sql.DataFrame
        Subject ids, days and the index of the rows; or a Spark frame.
    out : Path, optional
        A folder of Parquet files, written whole or not at all.
    """
    import pyarrow as pa

    if hasattr(observations, "mapInArrow"):
        frame = features(ledger, observations, definitions, day_of_use)
        return frame if out is None else _write(frame, out)
    subject_ids, days, index = observations
    columns = {
        "subject_id": subject_ids,
        "as_of": pa.array(days, pa.int32()).cast(pa.date32()),
        _ROW: pa.array(np.arange(len(days))),
    }
    observed = _run(lambda: session().createDataFrame(pa.table(columns)))
    frame = features(ledger, observed, definitions, day_of_use)
    if out is not None:
        return _write(frame.sort(_ROW).drop(_ROW), out)
    import pandas as pd

    rows = collected(frame)
    order = np.argsort(rows.column(_ROW).to_numpy())
    values = {d.name: rows.column(d.name).to_numpy()[order] for d in definitions}
    return pd.DataFrame(values, index=index, columns=list(values))


def score(card: Any, rows: DataFrame) -> DataFrame:
    """Score rows of features with a card, such as ``load_evaluator("models:/NAME@champion").card``.

    The card's arithmetic alone: who may be scored, and for which purpose, is a matter of an assessment.

    Parameters
    ----------
    card : Card
        It travels to the workers as its document, and is verified there.
    rows : pyspark.sql.DataFrame
        With the columns the card reads; further ones are carried along.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns of ``rows`` that the card does not read, then ``score``, ``probability_of_bad``, ``grade``.

    Raises
    ------
    UserError
        If a column is missing.
    """
    from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

    _check_columns(rows, dict.fromkeys(card.columns, ()))
    fields = [field for field in rows.schema if field.name not in card.columns]
    columns = (("score", IntegerType()), ("probability_of_bad", DoubleType()), ("grade", StringType()))
    scored = StructType([*fields, *(StructField(name, type) for name, type in columns)])
    with unwarned():
        return rows.mapInArrow(_score_rows(card, [field.name for field in fields]), scored)


def collected(frame: DataFrame) -> pa.Table:
    """Return the rows of a local frame as one Arrow table.

    Raises
    ------
    UserError
        What a worker found wrong.
    """
    return _run(frame.toArrow)


# ---------------------------------------------------------------------- in the workers

Batches = Iterator["pa.RecordBatch"]


def _in_buckets(bounds: tuple[str, ...]) -> Callable[[Batches], Batches]:
    """Observations, their ids in canonical form, with the number of their subject's bucket."""

    def work(batches: Batches) -> Batches:
        import pyarrow as pa

        for batch in batches:
            if missing := batch.column("as_of").null_count:
                raise UserError(f"observations, column as_of: {missing} rows of one batch have none")
            ids = read_subject_ids(batch.column("subject_id"), "observations, column subject_id, one batch")
            numbers = [bisect_right(bounds, subject_id) for subject_id in ids.to_pylist()]
            names = batch.schema.names
            carried = [ids if name == "subject_id" else batch.column(name) for name in names]
            columns = [*carried, pa.array(numbers, pa.int32())]
            yield pa.RecordBatch.from_arrays(columns, names=[*names, _BUCKET])

    return work


def _describe(
    folder: str, digest: str, definitions: tuple[FeatureDefinition, ...], day_of_use: int
) -> Callable[[tuple[pa.Scalar, ...], pa.Table], pa.Table]:
    """Turn the observations of one bucket into features."""

    def work(key: tuple[pa.Scalar, ...], observed: pa.Table) -> pa.Table:
        import pyarrow as pa

        from credit_model.features.batching import run
        from credit_model.features.program import columns_read, program_of

        ledger, buckets = _open_ledger(folder, digest, day_of_use)
        segments = buckets.open(key[0].as_py(), columns_read(definitions, ledger.catalogue))
        days = observed.column("as_of").cast(pa.int32()).to_numpy()
        subjects = segments.subject_index(observed.column("subject_id").to_pylist())
        values = run(program_of(definitions, ledger.catalogue), segments, subjects, days, "auto")
        described = observed.drop_columns([_BUCKET])
        for definition, column in zip(definitions, values.T, strict=True):
            described = described.append_column(definition.name, pa.array(np.ascontiguousarray(column)))
        return described

    return work


@lru_cache(maxsize=4)
def _open_ledger(folder: str, digest: str, day_of_use: int) -> tuple[Ledger, Buckets]:
    """Open the ledger and its buckets once a worker: what was verified stays so."""
    from credit_model.ledger.ledger import Ledger

    ledger = Ledger.open(folder)
    if ledger.digest != digest:
        raise UserError(f"the ledger in {folder} was written to while Spark read it: start again")
    return ledger, ledger.buckets(day_of_use)


def _score_rows(card: Any, fields: Sequence[str]) -> Callable[[Batches], Batches]:
    """Rows of features to scores."""

    def work(batches: Batches) -> Batches:
        import pyarrow as pa

        grades = np.asarray(card.profile.grades, dtype=object)
        for batch in batches:
            columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in card.columns}
            scores = card.scores(columns)
            results = [
                pa.array(scores, pa.int32()),
                pa.array(card.probability(scores), pa.float64()),
                pa.array(grades[np.searchsorted(card.profile.grade_cuts, scores, side="right")], pa.string()),
            ]
            names = [*fields, "score", "probability_of_bad", "grade"]
            yield pa.RecordBatch.from_arrays([*(batch.column(name) for name in fields), *results], names=names)

    return work


# ---------------------------------------------------------------------- at the desk


def _check_columns(frame: DataFrame, required: Mapping[str, Sequence[str]]) -> None:
    """Refuse a frame without these columns, or with one of none of the types listed for it (any, where none is)."""
    actual = dict(frame.dtypes)
    faults = [f"{name} is missing" for name in required if name not in actual]
    faults += [
        f"{name} is {actual[name]}, not {types[0]}"
        for name, types in required.items()
        if types and name in actual and actual[name] not in types
    ]
    if faults:
        raise UserError(f"a Spark frame was given: {'; '.join(faults)} (found: {', '.join(actual)})")


def _write(frame: DataFrame, out: Path) -> Path:
    """Write the frame as a folder of Parquet files: Spark commits it whole, and marks it with ``_SUCCESS``."""
    _run(lambda: frame.write.mode("errorifexists").parquet(str(out)))
    return out


def _run(job: Callable[[], _Result]) -> _Result:
    """Run a job; a user's mistake in a worker is told here as it would be on one machine."""
    with needed_for("Spark"):
        from pyspark.errors import PySparkException

    try:
        with unwarned():
            return job()
    except PySparkException as error:
        message = re.search(r"^credit_model\.(?:\w+\.)*(?:UserError|LedgerError): (.+)$", str(error), re.MULTILINE)
        if message is None:
            raise
        raise UserError(message[1]) from None


@contextmanager
def unwarned() -> Iterator[None]:
    """Spark warns of pandas 3, which it is not used with here: everything goes through Arrow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield
