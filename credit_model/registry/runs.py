"""Record runs: parameters, figures, files. A run that a killed process began to record is continued, never twice.

In: parameters, figures, files, trials. Out: a run id; a file of a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from credit_model.foundation.digests import sha256_file
from credit_model.foundation.version import __version__
from credit_model.registry.promotion import EVALUATION
from credit_model.registry.store import RegistryError, connected, find_or_create, sqlite_file, tag_text, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunInfo


T = TypeVar("T")
_RECORDED_BY = "credit_model_recorded_by"  # tag of a run: who, what
_DIGESTS = {
    EVALUATION: "evaluation_digest",
    "experiment.json": "experiment_digest",
    "reference.json": "reference_digest",
}  # artifact -> tag
_BATCH = 100  # MLflow takes at most so many parameters or tags in one call


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
        for rows in _batches([Param(key, tag_text(value)) for key, value in content.params.items()]):
            client.log_batch(run_id, params=rows)
        for rows in _batches([RunTag(key, tag_text(value)) for key, value in labels.items()]):
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
            params=[Param(key, tag_text(value)) for key, value in params.items()],
            metrics=[Metric(key, float(value), now, 0) for key, value in metrics.items()],
        )
        client.set_terminated(info.run_id)


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
        find_or_create(
            lambda: None if (record := client.get_experiment_by_name(name)) is None else record.experiment_id,
            lambda: client.create_experiment(name, artifact_location=location),
        )
    )


def _batches(rows: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
