"""What a command leaves behind, as plain values that can be compared: a ledger, features, a home, a registry.

What may differ between two undisturbed runs is left out: times, random ids, how often a sample was looked at.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from credit_model.ledger.ledger import Ledger
from credit_model.registry.history import History

LEDGER, FEATURES, DATASET = "ledger", "X.parquet", "dataset"
_OF_THE_DAY = (
    "openings_of_the_out_of_time_sample", "credit_model_recorded_by", "champion_since", "mlflow.user", "at", "since",
    "run_id", "mlflow.parentRunId",
)  # fmt: skip
_ADDRESSES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)  # fmt: skip


def copied(start: Path, folder: Path) -> Path:
    """A copy that stands alone: MLflow keeps whole addresses, and would go on reading and writing the original."""
    shutil.copytree(start, folder)
    if (store := folder / "mlflow.db").exists():
        old, new = start.resolve().as_uri() + "/", folder.resolve().as_uri() + "/"
        with closing(sqlite3.connect(store)) as database, database:
            for table, column in _ADDRESSES:
                database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
    return folder


def ledger(folder: Path) -> Any:
    """Digest, every row, and every file; None where there is no ledger yet."""
    path = folder / LEDGER
    if not (path / "ledger.json").exists():
        return None
    opened = Ledger.open(path)
    rows = {name: _plain(getattr(opened.tables(), name)) for name in ("records", "amendments", "subjects")}
    return {
        "digest": opened.digest,
        "rows": rows | {"audit": opened.audit().to_csv()},
        "manifest": json.loads((path / "ledger.json").read_text()),
        "files": files(path / "parts") | files(path / "quarantine"),
        "litter": [file.name for file in path.iterdir() if file.suffix == ".new"],
    }


def features(folder: Path) -> Any:
    """The bytes of the file; None where there is none."""
    path = folder / FEATURES
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def dataset(folder: Path) -> Any:
    """The bytes of every file of a folder of features; None where there is none."""
    found = [path for path in (folder / DATASET).glob("*") if not path.name.startswith(".")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found} or None


def home(folder: Path) -> Any:
    """Digests of the made ledgers, the documents of every run, finished trials."""
    ledgers, runs = folder / "home" / "ledgers", folder / "home" / "runs"
    return {
        "ledgers": {path.name: Ledger.open(path).digest for path in ledgers.glob("*") if path.is_dir()},
        "runs": {path.name: files(path) for path in runs.glob("*") if path.is_dir()},
    }


def registry(folder: Path, uri: str = "") -> Any:
    """Runs, versions, aliases, with the bytes of every artifact that lies in a folder."""
    from mlflow import MlflowClient

    if not uri and not (folder / "mlflow.db").exists():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy of MLflow
        uri = uri or f"sqlite:///{folder / 'mlflow.db'}"
        client = MlflowClient(uri, uri)  # else the registry is whichever another test of this process opened first
        runs = client.search_runs([e.experiment_id for e in client.search_experiments()], run_view_type=1)
        return {
            "runs": sorted((_run(run) for run in runs), key=json.dumps),
            "models": {model.name: model.aliases for model in client.search_registered_models()},
            "versions": sorted((_version(client, v) for v in client.search_model_versions()), key=json.dumps),
            "history": _history(folder / "mlflow.history" / "history.jsonl", folder / "mlflow.heads"),
        }


def _history(path: Path, heads: Path) -> Any:
    """The events of the history, if it holds."""
    kept = History(path, heads)
    assert kept.verify().holds, kept.verify()
    return [{key: said for key, said in entry.items() if key not in _OF_THE_DAY} for entry in kept.chain.entries()]


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _plain(columns: Any) -> Any:
    return {name: column.tolist() for name, column in columns.items()}


def _run(run: Any) -> Any:
    tags = {k: v for k, v in run.data.tags.items() if k not in _OF_THE_DAY and not k.startswith("mlflow.log-model")}
    kept = files(_place(run.info.artifact_uri)).items()
    artifacts = {name: digest for name, digest in kept if not name.startswith(".artifact.uploading")}
    return {
        "name": run.info.run_name, "status": run.info.status, "params": run.data.params,
        "metrics": run.data.metrics, "tags": tags, "artifacts": artifacts,
        "models": len((run.outputs and run.outputs.model_outputs) or []),
    }  # fmt: skip


def _place(uri: str) -> Path:
    return Path(unquote(uri.removeprefix("file://")))


def _version(client: Any, version: Any) -> Any:
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    card = _place(model.artifact_location) / "data" / "card" / "card.json"
    return {
        "name": version.name, "version": int(version.version), "status": str(version.status),
        "tags": {k: v for k, v in version.tags.items() if k not in _OF_THE_DAY},
        "run": client.get_run(version.run_id).info.status, "model": str(model.status),
        "card": hashlib.sha256(card.read_bytes()).hexdigest() if card.exists() else "",
    }  # fmt: skip
