"""Which extra brings which library, and the one line that says so where a library is missing.

The base installation reads records and scores people with a card. Training, the registry, the service, Spark and the
notebooks need libraries of an extra; each is imported where it is used, and what fails there is put into words here.

In: a failed import. Out: a :class:`MissingExtraError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from credit_model.foundation.errors import UserError

# Name in an import -> name on a package index, extra. Where two extras bring it, the smaller.
LIBRARIES: Final = MappingProxyType(
    {
        "sklearn": ("scikit-learn", "train"),
        "scipy": ("scipy", "train"),
        "optuna": ("optuna", "train"),
        "shap": ("shap", "train"),
        "lightgbm": ("lightgbm", "train"),
        "matplotlib": ("matplotlib", "train"),
        "threadpoolctl": ("threadpoolctl", "train"),
        "numba": ("numba", "fast"),
        "mlflow": ("mlflow", "serve"),
        "sqlalchemy": ("sqlalchemy", "serve"),
        "alembic": ("alembic", "serve"),
        "starlette": ("starlette", "serve"),
        "uvicorn": ("uvicorn", "serve"),
        "pydantic_core": ("pydantic-core", "serve"),
        "pyspark": ("pyspark", "spark"),
        "jupyterlab": ("jupyterlab", "notebooks"),
        "jupytext": ("jupytext", "notebooks"),
        "nbclient": ("nbclient", "notebooks"),
        "nbformat": ("nbformat", "notebooks"),
        "ipykernel": ("ipykernel", "notebooks"),
    }
)


class MissingExtraError(UserError, ImportError):
    """A library of an extra is not installed, or in a version that does not serve; also an ``ImportError``.

    Attributes
    ----------
    remedy : str
        What is wrong and what to do, without what was attempted.
    """

    remedy: str = ""


def missing_extra(error: ImportError, attempt: str) -> MissingExtraError | None:
    """Put a failed import into words.

    Parameters
    ----------
    error : ImportError
    attempt : str
        What was attempted, such as ``credit-model run``.

    Returns
    -------
    MissingExtraError or None
        None where the import that failed is of no library of an extra.

    Examples
    --------
    >>> print(missing_extra(ModuleNotFoundError(name="no_such_library"), "credit-model run"))
    None
    """
    library = (error.name or "").partition(".")[0]
    if library not in LIBRARIES:
        return None
    remedy = error.remedy if isinstance(error, MissingExtraError) else _remedy(library, error.msg)
    missing = MissingExtraError(f"{attempt}: {remedy}")
    missing.name, missing.remedy = error.name, remedy
    return missing


@contextmanager
def needed_for(attempt: str) -> Iterator[None]:
    """Say which extra is missing where an import inside the block fails.

    Raises
    ------
    MissingExtraError
        In place of the failed import of a library of an extra.
    """
    try:
        yield
    except ImportError as error:
        missing = missing_extra(error, attempt)
        if missing is None:
            raise
        raise missing from None


def _remedy(library: str, reason: str) -> str:
    distribution, extra = LIBRARIES[library]
    if not _is_installed(library):
        return f"{distribution} is not installed. Install it with: pip install 'credit-model[{extra}]'"
    return (
        f"the {distribution} that is installed does not serve ({reason}). Replace it with: "
        f"pip install --upgrade 'credit-model[{extra}]'"
    )


def _is_installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False
