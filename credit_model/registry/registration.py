"""Register a card as a version of a model, with its evidence in the history.

A registered model is a JSON card read by `scorecard.loader`: no pickle is written or read. A version carries in its
tags the digest of its card, its author and the gates it was measured against.

In: a card, its evaluation, the run that made it. Out: a version.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from credit_model.foundation.version import __version__
from credit_model.registry.history import History
from credit_model.registry.promotion import EVALUATION, ApprovalError
from credit_model.registry.store import RegistryError, connected, find_or_create, tag_text
from credit_model.registry.versions import DEFAULT_MODEL
from credit_model.scorecard.loader import CARD_FILE, LOADER

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models import ModelSignature

    from credit_model.evaluation.evaluation import EvaluationReport
    from credit_model.scorecard.card import Card


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: int
    run_id: str
    uri: str
    card_digest: str


def register(
    card: Card,
    run_id: str,
    *,
    author: str,
    evaluation: EvaluationReport,
    name: str = DEFAULT_MODEL,
    tags: Mapping[str, object] | None = None,
    gates: Mapping[str, object] | None = None,
) -> RegisteredVersion:
    """Register a card as a new version of a model, with its evidence in the history; ends the run.

    A version appears whole or not at all, and a run has one: registered again, it is the same version.

    Parameters
    ----------
    card : Card
        What is registered, as JSON.
    run_id : str
        The run that made it (see :func:`log_run`).
    author : str
        Who made it; somebody else has to approve it.
    evaluation : EvaluationReport
        What the card was measured at; a failed gate does not stop registration, only promotion.
    name : str
        Registered model.
    tags : mapping, optional
        Further tags: digests of the experiment and of the ledger, the Git commit, ...
    gates : mapping, optional
        Limits it has to keep when somebody would promote it, as the experiment declares them; by default those
        the evaluation was given.
    """
    author = author.strip()
    if not author:
        raise ApprovalError(
            f"cannot register a version of {name!r}: it has no author. Name the one who made it, since somebody else "
            "has to approve it."
        )
    if not card.characteristics:
        raise RegistryError(
            f"cannot register card {card.id}: it has no characteristics, everybody would score the same."
        )
    evidence = {str(key): tag_text(value) for key, value in (tags or {}).items()} | {
        "author": author,
        "card_digest": card.digest,
        "evaluation_digest": evaluation.digest,
        "credit_model_version": __version__,
        "gates": json.dumps([asdict(gate) for gate in evaluation.gates]),
    }
    verdicts = {verdict.name: verdict.passed for verdict in evaluation.gate_verdicts}
    declared = list(verdicts if gates is None else gates)
    results = [verdicts[name] for name in declared if verdicts.get(name) is not None]
    evidence |= {
        "gates_passed": tag_text(all(results) if results else None),
        "gates_declared": tag_text(declared),
        "gates_not_judged": tag_text([name for name in declared if verdicts.get(name) is None]),
    }
    with connected() as client:
        model_version = next((v for v in client.search_model_versions(f"run_id = '{run_id}'") if v.name == name), None)
        if model_version is None or model_version.tags.get("card_digest") != card.digest:
            _ensure_model(client, name)
            model_id = _logged_model(client, card, run_id)
            client.log_text(run_id, evaluation.to_json(), EVALUATION)
            model_version = client.create_model_version(
                name, source=f"models:/{model_id}", run_id=run_id, model_id=model_id, tags=evidence
            )
        version = int(model_version.version)
        history = History()
        with history.lock() as view:
            registration = view.registration(name, version)
            if registration is None or registration["run_id"] != run_id:
                history.add(
                    "registered",
                    view,
                    model=name,
                    version=version,
                    run_id=run_id,
                    author=author,
                    card=card.digest,
                    evaluation=evaluation.digest,
                    data=_data(evaluation),
                    gates=dict.fromkeys(declared, True) if gates is None else dict(gates),
                )
        client.set_terminated(run_id)
    return RegisteredVersion(name, version, run_id, f"models:/{name}/{version}", card.digest)


def _data(evaluation: EvaluationReport) -> str:
    """Return the digest of the rows the figures were measured on; empty where the evaluation has none."""
    digests = evaluation.context.get("digests", {})
    return str(digests.get("out-of-time sample") or next(iter(digests.values()), ""))


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    def find() -> RegisteredModel | None:
        try:
            return client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    find_or_create(find, lambda: client.create_registered_model(name))


def _logged_model(client: MlflowClient, card: Card, run_id: str) -> str:
    """Log the card as a model of the run unless it is there; finish one that was left unfinished."""
    from mlflow import pyfunc
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run = client.get_run(run_id)
    logged = None
    for model in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'"):
        if model.tags.get("card_digest") != card.digest:
            client.delete_logged_model(model.model_id)
        elif str(model.status) == "READY":
            return str(model.model_id)
        else:  # the run names it among its outputs already: another one beside it would stay there
            logged = model
    logged = logged or client.create_logged_model(
        run.info.experiment_id,
        name="card",
        source_run_id=run_id,
        params=run.data.params,
        tags={"card_digest": card.digest},
    )
    outputs = run.outputs.model_outputs if run.outputs else []
    if logged.model_id not in {output.model_id for output in outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        document, model_folder = Path(folder, "card"), Path(folder, "model")
        document.mkdir()
        card.save(document / CARD_FILE)
        pyfunc.save_model(
            model_folder,
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id, model_uuid=logged.model_id),
            loader_module=LOADER,
            data_path=str(document),
            signature=_signature(card),
            pip_requirements=[f"credit-model=={__version__}", "numpy", "pandas"],
        )
        client.log_model_artifacts(logged.model_id, str(model_folder))
    client.finalize_logged_model(logged.model_id, "READY")
    return str(logged.model_id)


def _signature(card: Card) -> ModelSignature:
    """Return the signature of the model: columns of the card by name, doubles (NaN is missing) or texts."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from credit_model.scorecard.bins import NumericBins

    inputs = [ColSpec("double" if isinstance(c.bins, NumericBins) else "string", c.name) for c in card.characteristics]
    outputs = [ColSpec("integer", "score"), ColSpec("double", "probability_of_bad"), ColSpec("string", "grade")]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
