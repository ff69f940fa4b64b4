"""Record runs: parameters, figures, files, and the card as a version of a registered model.

A registered model is a JSON card read by `scorecard.loader`: no pickle is written or read. A version carries
in its tags the digest of its card, its author and the gates it was measured against. A run that a killed process began
to record is continued, never recorded twice.

In: a card, figures, files. Out: a run id, a version.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from credit_model.foundation.digests import sha256_file
from credit_model.foundation.version import __version__
from credit_model.registry.history import History
from credit_model.registry.promotion import EVALUATION, ApprovalError
from credit_model.registry.store import RegistryError, connected, sqlite_file, tracking_uri
from credit_model.registry.versions import DEFAULT_MODEL
from credit_model.scorecard.loader import CARD_FILE, LOADER

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.models import ModelSignature

    from credit_model.evaluation.evaluation import EvaluationReport
    from credit_model.scorecard.card import Card

T = TypeVar("T")
_RECORDED_BY = "credit_model_recorded_by"  # tag of a run: who, what
_DIGESTS = {
    EVALUATION: "evaluation_digest",
    "experiment.json": "experiment_digest",
    "reference.json": "reference_digest",
}  # artifact -> tag
_BATCH = 100  # MLflow takes at most so many parameters or tags in one call


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: int
    run_id: str
    uri: str
    card_digest: str


@dataclass(frozen=True)
class RunContent:
    """What a run leaves.

    Attributes
    ----------
    params, metrics, tags : mapping
        Parameters and tags are written as text; figures that were not measured (None, NaN) are left out.
    artifacts : sequence of path
        Files; of a folder, all it holds.
    trials : sequence of (params, metrics)
        Trials of a search, each recorded as a run nested in this one.
    """

    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    tags: Mapping[str, object] = field(default_factory=dict)
    artifacts: Sequence[str | Path] = ()
    trials: Sequence[tuple[Mapping[str, object], Mapping[str, float]]] = ()


def log_run(
    experiment: str,
    *,
    content: RunContent | None = None,
    run_name: str | None = None,
    by: tuple[str, str] | None = None,
    finished: bool = True,
) -> str:
    """Record one run: parameters, figures, and the files that show them.

    Parameters
    ----------
    experiment : str
        Name of the MLflow experiment; made when new.
    content : RunContent, optional
        Nothing unless given.
    run_name : str, optional
        A name for people.
    by : (who, what), optional
        Recorder, of whom there is one at a time, and a digest of the content. An unfinished run of the same recorder is
        continued if its content is the same, else ended as killed.
    finished : bool
        Whether the run ends here; if not, :func:`register` ends it.

    Returns
    -------
    str
        The run id.
    """
    content = content or RunContent()
    with connected() as client:
        from mlflow.entities import Metric, Param, RunTag

        labels = {"credit_model_version": __version__} | dict(content.tags)
        run_id = _resume_run(client, experiment, by)
        if run_id is None:
            marks = {} if by is None else {_RECORDED_BY: " ".join(by)}
            run_id = str(
                client.create_run(_experiment_id(client, experiment), tags=marks, run_name=run_name).info.run_id
            )
        now = int(datetime.now(UTC).timestamp() * 1000)
        figures = {key: float(value) for key, value in content.metrics.items() if value is not None}
        for rows in _batches([Param(key, _text(value)) for key, value in content.params.items()]):
            client.log_batch(run_id, params=rows)
        for rows in _batches([RunTag(key, _text(value)) for key, value in labels.items()]):
            client.log_batch(run_id, tags=rows)
        for rows in _batches([Metric(key, value, now, 0) for key, value in figures.items() if math.isfinite(value)]):
            client.log_batch(run_id, metrics=rows)
        for artifact in map(Path, content.artifacts):
            if artifact.is_dir():
                client.log_artifacts(run_id, str(artifact))
            else:
                client.log_artifact(run_id, str(artifact))
        _record_trials(client, run_id, content.trials, now)
        if finished:
            client.set_terminated(run_id)
    return run_id


def _record_trials(
    client: MlflowClient, run_id: str, trials: Sequence[tuple[Mapping[str, object], Mapping[str, float]]], now: int
) -> None:
    """Record trials as runs within a run; keep those a killed process recorded, and finish the last of them."""
    from mlflow.entities import Metric, Param

    if not trials:
        return
    experiment = client.get_run(run_id).info.experiment_id
    existing: dict[str, RunInfo] = {}
    token = None
    while token != "":
        page = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'", page_token=token)
        existing |= {run.data.tags["trial"]: run.info for run in page}
        token = page.token or ""
    for number, (params, metrics) in enumerate(trials, start=1):
        info = existing.get(str(number))
        if info is not None and info.status == "FINISHED":
            continue
        if info is None:
            tags = {"mlflow.parentRunId": run_id, "trial": str(number)}
            info = client.create_run(experiment, tags=tags, run_name=f"trial {number}").info
        client.log_batch(
            info.run_id,
            params=[Param(key, _text(value)) for key, value in params.items()],
            metrics=[Metric(key, float(value), now, 0) for key, value in metrics.items()],
        )
        client.set_terminated(info.run_id)


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
    evidence = {str(key): _text(value) for key, value in (tags or {}).items()} | {
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
        "gates_passed": _text(all(results) if results else None),
        "gates_declared": _text(declared),
        "gates_not_judged": _text([name for name in declared if verdicts.get(name) is None]),
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


def fetch_artifact(run_id: str, path: str) -> Path:
    """Return a local copy of a file of a run; refuse a document that differs from its digest in the run's tags."""
    with connected(must_exist=True) as client:
        from mlflow.exceptions import MlflowException

        try:
            local = Path(client.download_artifacts(run_id, path))
            digest = client.get_run(run_id).data.tags.get(_DIGESTS.get(path, ""))
        except (MlflowException, OSError) as error:
            if getattr(error, "error_code", "") in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"):
                raise
            raise RegistryError(
                f"cannot read {path!r} of run {run_id!r}: no such run or file in {tracking_uri()}. "
                "See the run id printed by `credit-model run`."
            ) from error
        if digest is not None and sha256_file(local) != digest:
            raise RegistryError(
                f"{path!r} of run {run_id!r} was altered: it is not what was recorded. Run the experiment again."
            )
        return local


def _data(evaluation: EvaluationReport) -> str:
    """Return the digest of the rows the figures were measured on; empty where the evaluation has none."""
    digests = evaluation.context.get("digests", {})
    return str(digests.get("out-of-time sample") or next(iter(digests.values()), ""))


def _resume_run(client: MlflowClient, experiment: str, by: tuple[str, str] | None) -> str | None:
    """Return the open run of a killed process with the same content; end its other open runs."""
    parent = None if by is None else client.get_experiment_by_name(experiment)
    if by is None or parent is None:
        return None
    same = None
    open_runs = f"tags.{_RECORDED_BY} LIKE '{by[0]} %' and attributes.status = 'RUNNING'"
    for run in client.search_runs([parent.experiment_id], open_runs):
        if run.data.tags[_RECORDED_BY] == " ".join(by):
            same = str(run.info.run_id)
        else:
            client.set_terminated(run.info.run_id, "KILLED")
    return same


def _experiment_id(client: MlflowClient, name: str) -> str:
    """Return the experiment's id; a new one keeps its files beside a SQLite store, in every working folder."""
    store = sqlite_file()
    location = None if store is None else (store.resolve().parent / "mlruns").as_uri()
    return str(
        _find_or_create(
            lambda: None if (record := client.get_experiment_by_name(name)) is None else record.experiment_id,
            lambda: client.create_experiment(name, artifact_location=location),
        )
    )


def _ensure_model(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    def find() -> RegisteredModel | None:
        try:
            return client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    _find_or_create(find, lambda: client.create_registered_model(name))


def _find_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T | None:
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


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _batches(rows: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
