"""The store behind the registry: MLflow, quiet, without telemetry, and created whole.

Errors of MLflow and of the libraries under it become one line. The rest of this package reaches MLflow through
``connected`` only.

In: ``MLFLOW_TRACKING_URI``. Out: an MLflow client, or a ``RegistryError``.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import needed_for
from credit_model.foundation.files import exclusive_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
# Whose errors are the registry's.
_STORE_LIBRARIES = ("mlflow", "requests", "urllib3", "sqlalchemy", "alembic", "sqlite3")


class RegistryError(UserError):
    """The registry cannot be reached, or does not hold what was asked for."""


def tracking_uri() -> str:
    """Return the MLflow store in use: ``MLFLOW_TRACKING_URI``, or a SQLite file in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


@contextmanager
def connected(must_exist: bool = False) -> Iterator[MlflowClient]:
    """Give an MLflow client, quiet and without telemetry; turn its errors into one line."""
    import logging

    uri, where = tracking_uri(), sqlite_file()
    if must_exist and where is not None and not where.is_file():
        raise RegistryError(
            f"no MLflow store at {where}. Run an experiment first (credit-model run EXPERIMENT.toml), or set "
            "MLFLOW_TRACKING_URI."
        )
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    with warnings.catch_warnings():
        # MLflow warns of its own type hints, of SQLAlchemy, of example rows: none of it is the caller's to mend.
        warnings.simplefilter("ignore")
        with needed_for("the registry (a card can be loaded from its path instead)"):
            import mlflow
        for noisy in ("mlflow", "alembic"):  # what they log as an error they raise as well
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        try:
            if where is not None and not where.exists():
                _make_store(where)
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            yield mlflow.MlflowClient(uri, uri)
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _STORE_LIBRARIES:
                raise
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
            raise RegistryError(
                f"the MLflow registry at {uri} does not answer as it should ({reason}). Check that it is running and "
                "that MLFLOW_TRACKING_URI is right."
            ) from error


def sqlite_file() -> Path | None:
    """Return the file of a SQLite store; None for any other."""
    uri = tracking_uri()
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _make_store(where: Path) -> None:
    """Create a SQLite store beside its place and move it there whole.

    MLflow creates its tables in hundreds of steps and cannot resume: a store left incomplete by a killed process would
    be useless.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    where.parent.mkdir(parents=True, exist_ok=True)
    new = where.with_name(f"{where.name}.new")
    with exclusive_lock(new):
        if where.exists():  # somebody else was quicker
            new.unlink(missing_ok=True)
            return
        os.truncate(new, 0)
        for ending in ("-journal", "-wal", "-shm"):
            where.with_name(f"{new.name}{ending}").unlink(missing_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{new}", (where.resolve().parent / "mlruns").as_uri())
        store.engine.dispose()
        new.replace(where)


def tag_text(value: object) -> str:
    """Return a value as the text of a tag or a parameter."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def find_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T | None:
    """Find a thing or create it; somebody else may create it in between."""
    from mlflow.exceptions import MlflowException

    if (existing := find()) is not None:
        return existing
    try:
        return create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return find()
