"""The door to MLflow: runs, registered cards, promotion, and the way from a URI to an evaluator.

Nothing else in the package imports mlflow, and this module does so inside its functions, so that reading a card from
a path needs no MLflow at all. A registered model is a JSON card read by :mod:`credit_model.serving`: no pickle is
written or read. A version carries in its tags the digest of its card, the author, and the gates it was measured
against; promotion refuses a version whose gates did not pass, and an author who would approve their own work.

In: a card, figures, files; later a version and an approver, or a URI.
Out: a run id, a version, a promotion, an :class:`~credit_model.assessment.Evaluator`.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_model import UserError, __version__
from credit_model.assessment import Evaluator
from credit_model.serving import CARD_FILE, open_card

if TYPE_CHECKING:
    from credit_model.evaluation import EvaluationReport
    from credit_model.records import Ledger
    from credit_model.scorecard import Card

DEFAULT_MODEL = "personal-credit"
DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_RUN_URI = re.compile(r"runs:/(?P<run>[^/]+)(?:/.*)?")
_RECORDED_BY = "credit_model_recorded_by"  # tag of a run: who, what
_ITS_LIBRARIES = (
    "mlflow",
    "requests",
    "urllib3",
    "sqlalchemy",
    "alembic",
    "sqlite3",
)  # whose errors are the registry's
_BATCH = 100  # MLflow takes at most so many parameters or tags in one call


class RegistryError(UserError):
    """The registry cannot be reached, or does not hold what was asked for."""


class ApprovalError(UserError):
    """A promotion without an approver, or approved by its own author."""


class GateError(UserError):
    """A version that did not pass a gate declared by its experiment; the command line leaves with 3."""

    exit_code = 3


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model."""

    name: str
    version: int
    run_id: str
    uri: str
    card_digest: str


@dataclass(frozen=True)
class Promotion:
    """What a promotion did: the alias now points at ``version``; before, at ``previous``."""

    name: str
    version: int
    alias: str
    author: str
    approver: str
    card_digest: str
    previous: int | None


def tracking_uri() -> str:
    """The MLflow store in use: ``MLFLOW_TRACKING_URI``, or a SQLite file in the current folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def log_run(
    experiment: str,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float | None] | None = None,
    tags: Mapping[str, Any] | None = None,
    artifacts: Sequence[str | Path] = (),
    run_name: str | None = None,
    by: tuple[str, str] | None = None,
    finished: bool = True,
) -> str:
    """Record one run: what was asked, what was measured, and the files that show it.

    Parameters
    ----------
    experiment : str
        Name of the MLflow experiment; made when new.
    params, metrics, tags : mapping, optional
        Parameters and tags are written as text; figures that were not measured (None, NaN) are left out.
    artifacts : sequence of path
        Files; of a folder, all it holds.
    run_name : str, optional
        A name for people.
    by : (who, what), optional
        Of whom there is never more than one at a time, and a digest of what is recorded. A run that the same one left
        unfinished is continued if it was to hold the same, and ended as killed if it was not.
    finished : bool
        Whether the run ends here; if not, :func:`register` ends it.

    Returns
    -------
    str
        The run id.
    """
    with _registry() as client:
        from mlflow.entities import Metric, Param, RunTag

        labels = {"credit_model_version": __version__} | dict(tags or {})
        run_id = _continued(client, experiment, by)
        if run_id is None:
            marks = {} if by is None else {_RECORDED_BY: " ".join(by)}
            run_id = str(
                client.create_run(_experiment_id(client, experiment), tags=marks, run_name=run_name).info.run_id
            )
        now = int(datetime.now(UTC).timestamp() * 1000)
        figures = {key: float(value) for key, value in (metrics or {}).items() if value is not None}
        for rows in _batches([Param(key, _text(value)) for key, value in (params or {}).items()]):
            client.log_batch(run_id, params=rows)
        for rows in _batches([RunTag(key, _text(value)) for key, value in labels.items()]):
            client.log_batch(run_id, tags=rows)
        for rows in _batches([Metric(key, value, now, 0) for key, value in figures.items() if math.isfinite(value)]):
            client.log_batch(run_id, metrics=rows)
        for artifact in map(Path, artifacts):
            if artifact.is_dir():
                client.log_artifacts(run_id, str(artifact))
            else:
                client.log_artifact(run_id, str(artifact))
        if finished:
            client.set_terminated(run_id)
    return run_id


def register(
    card: Card,
    run_id: str,
    *,
    author: str,
    evaluation: EvaluationReport,
    name: str = DEFAULT_MODEL,
    tags: Mapping[str, Any] | None = None,
) -> RegisteredVersion:
    """Register a card as a new version of a model, with its evidence in the version's tags; ends the run.

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
        "gates_passed": _text(not evaluation.failed_gates),
    }
    with _registry() as client:
        made = next((v for v in client.search_model_versions(f"run_id = '{run_id}'") if v.name == name), None)
        if made is None or made.tags.get("card_digest") != card.digest:
            _ensure_model(client, name)
            model_id = _logged_model(client, card, run_id)
            made = client.create_model_version(
                name, source=f"models:/{model_id}", run_id=run_id, model_id=model_id, tags=evidence
            )
        client.set_terminated(run_id)
    version = int(made.version)
    return RegisteredVersion(name, version, run_id, f"models:/{name}/{version}", card.digest)


def promote(version: int | str, *, approver: str, alias: str = "champion", name: str = DEFAULT_MODEL) -> Promotion:
    """Point an alias at a version (or at the ``latest``), if its gates passed and not its author approves.

    Raises
    ------
    ApprovalError
        No approver, or the author approving.
    GateError
        A gate did not pass; the message gives value and limit.
    RegistryError
        No such version, or its card is not the one that was registered.
    """
    approver = approver.strip()
    if not approver:
        raise ApprovalError(
            f"cannot promote version {version} of {name!r}: no approver is named. Name the person who approves it."
        )
    with _registry(must_exist=True) as client:
        found = _version(client, name, version=str(version))
        version, tags = found.version, found.tags
        if "author" not in tags or "gates" not in tags:
            raise RegistryError(
                f"cannot promote version {version} of {name!r}: it was not registered by credit_model (no author or "
                "gates in its tags). Register it with `credit-model run`."
            )
        if approver.casefold() == tags["author"].casefold():
            raise ApprovalError(
                f"cannot promote version {version} of {name!r}: {approver} made it and cannot approve it too. "
                "Ask a second person."
            )
        failed = tuple(_said(gate) for gate in json.loads(tags["gates"]) if not gate["passed"])
        if failed:
            raise GateError(
                f"version {version} of {name!r} (card {tags['card_digest'][:12]}) may not be promoted: "
                f"{'; '.join(failed)}. Mend the card and register it anew; a gate is not overruled.",
                failed,
            )
        _verified_card(found)
        previous = next((int(v) for a, v in client.get_registered_model(name).aliases.items() if a == alias), None)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        client.set_model_version_tag(name, found.version, f"{alias}_approver", approver)
        client.set_model_version_tag(name, found.version, f"{alias}_since", now)
        client.set_registered_model_alias(name, alias, found.version)  # last: the one step that takes effect
    return Promotion(name, int(found.version), alias, tags["author"], approver, tags["card_digest"], previous)


def load_evaluator(source: str | Path, ledger: Ledger | None = None) -> Evaluator:
    """Open the card behind a registry URI or a path, ready to assess.

    Parameters
    ----------
    source : str or path
        ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``runs:/RUN_ID`` (the version registered from that run), or a
        card file or its folder; a path needs no MLflow.
    ledger : Ledger, optional
        Where assessed people's records are; may be given to ``assess`` instead.

    Raises
    ------
    RegistryError
        The registry cannot be reached, holds no such model, or its card is not the one that was registered.
    """
    text = str(source)
    if not text.startswith(("models:", "runs:")):
        return Evaluator(open_card(source), ledger=ledger, source=text)
    model, run = _MODEL_URI.fullmatch(text), _RUN_URI.fullmatch(text)
    if model is None and run is None:
        raise RegistryError(
            f"cannot load {text!r}: a registry URI reads models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID."
        )
    with _registry(must_exist=True) as client:
        if model is not None:
            found = _version(client, model["name"], alias=model["alias"], version=model["version"])
        else:
            made = client.search_model_versions(f"run_id = '{run['run']}'") if run else []
            if not made:
                raise RegistryError(
                    f"cannot load {text!r}: no registered version came from that run in {tracking_uri()}. "
                    "See the run id printed by `credit-model run`."
                )
            found = made[0]
        return Evaluator(_verified_card(found), ledger=ledger, source=text, version=int(found.version))


def fetch_artifact(run_id: str, path: str) -> Path:
    """A file logged with a run, as a local path."""
    with _registry(must_exist=True) as client:
        from mlflow.exceptions import MlflowException

        try:
            return Path(client.download_artifacts(run_id, path))
        except (MlflowException, OSError) as error:
            raise RegistryError(
                f"cannot read {path!r} of run {run_id!r}: no such run or file in {tracking_uri()}. "
                "See the run id printed by `credit-model run`."
            ) from error


@contextmanager
def _registry(must_exist: bool = False) -> Iterator[Any]:
    """An MLflow client, quiet and without telemetry; what MLflow raises inside becomes one line."""
    import logging

    uri, where = tracking_uri(), _sqlite_file()
    if must_exist and where is not None and not where.is_file():
        raise RegistryError(
            f"no MLflow store at {where}. Run an experiment first (credit-model run EXPERIMENT.toml), or set "
            "MLFLOW_TRACKING_URI."
        )
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    with warnings.catch_warnings():
        # MLflow warns of its own type hints, of SQLAlchemy, of example rows: none of it is the caller's to mend.
        warnings.simplefilter("ignore")
        try:
            import mlflow
        except ImportError:
            raise RegistryError(
                "the registry needs MLflow, which is not installed. Install credit-model[train] or "
                "credit-model[serve], or load a card from its path."
            ) from None
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        try:
            if where is not None and not where.exists():
                _make_store(where)
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            yield mlflow.MlflowClient(uri, uri)
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _ITS_LIBRARIES:
                raise
            reason = " ".join(str(error).split())[:200]
            raise RegistryError(
                f"the MLflow registry at {uri} does not answer as it should ({reason}). Check that it is running and "
                "that MLFLOW_TRACKING_URI is right."
            ) from error


def _sqlite_file() -> Path | None:
    """The file of a SQLite store; None for any other."""
    uri = tracking_uri()
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def _make_store(where: Path) -> None:
    """Make a SQLite store beside its place and move it there whole.

    MLflow makes its tables in hundreds of steps and cannot go on with some of them: a store that a killed process left
    half made would be of no use to anybody.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    where.parent.mkdir(parents=True, exist_ok=True)
    new = where.with_name(f"{where.name}.new")
    with new.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if where.exists():  # somebody else was quicker
            new.unlink(missing_ok=True)
            return
        lock.truncate(0)
        for ending in ("-journal", "-wal", "-shm"):
            where.with_name(f"{new.name}{ending}").unlink(missing_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{new}", (where.resolve().parent / "mlruns").as_uri())
        store.engine.dispose()
        new.replace(where)


def _continued(client: Any, experiment: str, by: tuple[str, str] | None) -> str | None:
    """The run that a process which died left open with the same content; what else it left open is ended."""
    found = None if by is None else client.get_experiment_by_name(experiment)
    if by is None or found is None:
        return None
    same = None
    open_runs = f"tags.{_RECORDED_BY} LIKE '{by[0]} %' and attributes.status = 'RUNNING'"
    for run in client.search_runs([found.experiment_id], open_runs):
        if run.data.tags[_RECORDED_BY] == " ".join(by):
            same = str(run.info.run_id)
        else:
            client.set_terminated(run.info.run_id, "KILLED")
    return same


def _experiment_id(client: Any, name: str) -> str:
    """The experiment's id; a new one keeps its files beside a SQLite store, wherever the caller stands."""
    store = _sqlite_file()
    location = None if store is None else (store.resolve().parent / "mlruns").as_uri()
    return str(
        _found_or_made(
            lambda: found.experiment_id if (found := client.get_experiment_by_name(name)) is not None else None,
            lambda: client.create_experiment(name, artifact_location=location),
        )
    )


def _ensure_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    def find() -> Any:
        try:
            return client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    _found_or_made(find, lambda: client.create_registered_model(name))


def _found_or_made(find: Callable[[], Any], make: Callable[[], Any]) -> Any:
    """What is there, or is made; somebody else may make it in between."""
    from mlflow.exceptions import MlflowException

    if (found := find()) is not None:
        return found
    try:
        return make()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return find()


def _logged_model(client: Any, card: Card, run_id: str) -> str:
    """The card as a model of the run, logged unless it is there; one that was left unfinished is removed."""
    from mlflow import pyfunc
    from mlflow.models import Model

    run = client.get_run(run_id)
    for model in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'"):
        if str(model.status) == "READY" and model.tags.get("card_digest") == card.digest:
            return str(model.model_id)
        client.delete_logged_model(model.model_id)
    logged = client.create_logged_model(
        run.info.experiment_id,
        name="card",
        source_run_id=run_id,
        params=run.data.params,
        tags={"card_digest": card.digest},
    )
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder, "card")
        document.mkdir()
        card.save(document / CARD_FILE)
        Model.log(
            artifact_path=None,
            flavor=pyfunc,
            run_id=run_id,
            model_id=logged.model_id,
            loader_module="credit_model.serving",
            data_path=str(document),
            signature=_signature(card),
            pip_requirements=[f"credit-model=={__version__}", "numpy", "pandas"],
        )
    return str(logged.model_id)


def _version(client: Any, name: str, alias: str | None = None, version: str | None = None) -> Any:
    """The version behind an alias or a number, or one line on what the registry holds instead."""
    from mlflow.exceptions import MlflowException

    try:
        held = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise RegistryError(
            f"no model {name!r} is registered in {tracking_uri()} (registered: {names}). Register one with "
            "`credit-model run`."
        ) from None
    if alias is not None:
        version = held.aliases.get(alias)
        if version is None:
            aliases = ", ".join(sorted(held.aliases)) or "none"
            raise RegistryError(
                f"model {name!r} has no alias {alias!r} (aliases: {aliases}). Set it with "
                f"`credit-model promote VERSION --alias {alias} --approver NAME`."
            )
    if version == "latest":
        version = str(max((int(v.version) for v in client.search_model_versions(f"name = '{name}'")), default=version))
    try:
        return client.get_model_version(name, str(version))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        versions = sorted(int(made.version) for made in client.search_model_versions(f"name = '{name}'"))
        raise RegistryError(
            f"model {name!r} has no version {version} (versions: {', '.join(map(str, versions)) or 'none'})."
        ) from None


def _verified_card(version: Any) -> Card:
    """The card of a version, refused unless it is the very card that was registered."""
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}"))
    described = f"version {version.version} of {version.name!r}"
    try:
        card = open_card(folder / "data" / "card")
    except UserError as error:
        raise RegistryError(f"{described} cannot be used: {error}") from error
    if card.digest != version.tags.get("card_digest"):
        raise RegistryError(
            f"{described} cannot be used: its card has digest {card.digest[:12]}, registered was "
            f"{version.tags.get('card_digest', 'none')[:12]}. The file was altered; register the card anew."
        )
    return card


def _said(gate: Mapping[str, Any]) -> str:
    """A failed gate in words: what was measured, and the limit."""
    found = "was not measured" if gate["value"] is None else f"is {gate['value']:.4g}"
    low, high = gate["low"], gate["high"]
    limit = f"at least {low:g}" if high is None else f"at most {high:g}" if low is None else f"{low:g} to {high:g}"
    return f"{gate['name']} ({gate['segment']}) {found}, limit {limit}"


def _signature(card: Card) -> Any:
    """What MLflow asks of callers: the card's columns by name, numbers as doubles (NaN is missing) or texts."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from credit_model.scorecard import NumericBins

    inputs = [ColSpec("double" if isinstance(c.bins, NumericBins) else "string", c.name) for c in card.characteristics]
    outputs = [ColSpec("integer", "score"), ColSpec("double", "probability_of_bad"), ColSpec("string", "grade")]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _batches(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
