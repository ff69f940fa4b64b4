"""Bring what version 1 registered up to this version: MLflow finds the loader of a card where it is now.

Cards, ledgers, evaluations and the history of version 1 are read as they are. Only MLflow's own description of a
registered model names a module of this package, and version 1 had that module in another place.

In: the MLflow store in use.
Out: the versions whose description was changed.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from credit_model.registry.store import connected
from credit_model.registry.versions import DEFAULT_MODEL
from credit_model.scorecard.loader import LOADER

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FORMER_LOADER: Final = "credit_model.serving"
_DESCRIPTION: Final = "MLmodel"


def upgrade(name: str = DEFAULT_MODEL) -> tuple[str, ...]:
    """Point every version of a registered model that version 1 recorded at the loader of this version.

    Parameters
    ----------
    name : str
        Registered model.

    Returns
    -------
    tuple of str
        Versions that were changed; empty where there was nothing to do, so it may be run again.

    Raises
    ------
    RegistryError
        Where there is no store, or it does not answer.
    """
    with connected(must_exist=True) as client:
        numbers = sorted(int(version.version) for version in client.search_model_versions(f"name = '{name}'"))
        return tuple(str(number) for number in numbers if _rename_loader(client, name, str(number)))


def _rename_loader(client: MlflowClient, name: str, version: str) -> bool:
    """Rewrite MLflow's description of one version; return whether there was anything to rewrite."""
    from mlflow.artifacts import download_artifacts

    with TemporaryDirectory() as folder:
        source = download_artifacts(artifact_uri=f"models:/{name}/{version}/{_DESCRIPTION}", dst_path=folder)
        text = Path(source).read_text(encoding="utf-8")
        renamed = text.replace(f"loader_module: {_FORMER_LOADER}\n", f"loader_module: {LOADER}\n")
        if renamed == text:
            return False
        new = Path(folder, "new", _DESCRIPTION)
        new.parent.mkdir()
        new.write_text(renamed, encoding="utf-8")
        model_id = client.get_model_version(name, version).source.removeprefix("models:/")
        client.log_model_artifact(model_id, str(new))
    return True
