"""From a registry URI to the monitoring reference of its run.

In: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``runs:/RUN_ID``. Out: the path of a ``reference.json``.
"""

from __future__ import annotations

from pathlib import Path

from credit_model.registry.runs import fetch_artifact
from credit_model.registry.store import connected
from credit_model.registry.versions import load_evaluator

REFERENCE = "reference.json"


def fetch_reference(source: str) -> Path:
    """Return the path of a local copy of the reference logged with a version's run; refuse an altered one.

    Raises
    ------
    RegistryError
        There is no such version, or its run left no reference.
    """
    if source.startswith("runs:/"):
        return fetch_artifact(source.removeprefix("runs:/").split("/")[0], REFERENCE)
    evaluator = load_evaluator(source)
    name = source.removeprefix("models:/").split("@")[0].split("/")[0]
    with connected(must_exist=True) as client:
        run_id = str(client.get_model_version(name, str(evaluator.version)).run_id)
    return fetch_artifact(run_id, REFERENCE)
