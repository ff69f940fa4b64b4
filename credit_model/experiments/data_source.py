"""The ledger of an experiment: in a folder, or built once and cached.

A synthetic city and raw tables become a ledger in ``.credit_model/`` (``CREDIT_MODEL_HOME``), named by everything it
depends on. It is built beside its place and moved there whole: a run that is killed leaves nothing half made, and of
two runs that need the same ledger one makes it while the other waits.

In: an experiment. Out: a ``DataSource``, and the samples that are drawn from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue, load_catalogue
from credit_model.experiments.experiment import Experiment, RawTables, SyntheticCity
from credit_model.experiments.reader import load_experiment
from credit_model.foundation.calendar import to_day
from credit_model.foundation.digests import sha256_code, sha256_file, sha256_json
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import exclusive_lock
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import load_mapping
from credit_model.registry.runs import fetch_artifact
from credit_model.sample.development import DevelopmentSample, build_sample
from credit_model.sample.outcome import last_receipt_day
from credit_model.synthetic.city import City, synthesise

Progress = Callable[[str], None]
_RECORD_PACKAGES = ("foundation", "catalogue", "visibility", "ledger", "synthetic")  # make and keep records
_RECORDED = ("experiment.json", "evaluation.json", "card.json")  # what a run recorded, and its folder must hold
CITY_KNOWN_THROUGH = "2026-10-31"  # the last day of the synthetic city's timeline


@dataclass(frozen=True)
class DataSource:
    """An open ledger, the last day up to which it is known (if given), and of a synthetic city the city itself."""

    ledger: Ledger
    known_through: Any = None
    city: Callable[[], City] | None = None

    def true_risk(self, day: int, subject_ids: Iterable[str]) -> NDArray[np.float64]:
        """Return the true risk of subjects of a synthetic city as of a day, in their order."""
        if self.city is None:
            raise UserError("the true risk is known of a synthetic city only")
        return np.asarray(self.city().true_risk(day).reindex(list(subject_ids)), np.float64)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what a run can read: rows, what became of the raw ones, how far they are known."""
        counts = self.ledger.deliveries
        content = [self.ledger.digest, None if counts is None else asdict(counts), self.known_through]
        return sha256_json(content)


def home() -> Path:
    """Where runs keep what they can make again: ``CREDIT_MODEL_HOME``, or ``.credit_model`` in the current folder."""
    return Path(os.environ.get("CREDIT_MODEL_HOME") or ".credit_model")


class LedgerAbsentError(UserError):
    """A ledger that has to be made first."""


def open_source(experiment: Experiment, progress: Progress, make: bool = True) -> DataSource:
    """Open the ledger of an experiment; make it first where it is made.

    Raises
    ------
    LedgerAbsentError
        Without ``make``, if it has yet to be made from the data as they are now.
    """
    plan = experiment.ledger
    source = plan.source
    if isinstance(source, str):
        ledger = Ledger.open(experiment.path(source))
        if ledger.policy != plan.policy:
            raise UserError(
                f"experiment {experiment.name!r} says policy {plan.policy!r}, but the ledger in {ledger.path} was made "
                f"under {ledger.policy!r}; change one of them"
            )
        return DataSource(ledger, plan.known_through)
    if isinstance(source, SyntheticCity):
        city = cache(lambda: synthesise(source.profile, source.people, source.seed))
        catalogue = load_catalogue()

        def fill(ledger: Ledger) -> None:
            progress(f"Making a city of {source.people:,} people")
            rows = city()
            progress("Ingesting its records")
            ledger.ingest(records=rows.records, amendments=rows.amendments, subjects=rows.subjects, audit=rows.audit)

        stem = f"city-{source.profile}-{source.people}-{source.seed}-{plan.policy}"
        ledger = _cached_ledger(
            stem,
            [asdict(source), plan.policy, catalogue.digest],
            catalogue,
            plan.policy,
            fill if make else None,
            progress,
        )
        return DataSource(ledger, plan.known_through or CITY_KNOWN_THROUGH, city)
    return _from_files(experiment, source, progress, make)


def data_digest(experiment: Experiment, source: DataSource) -> str:
    """Return the SHA-256 of the data of a run: its source, and the stored model its card is held against."""
    attainable = None if experiment.attainable is None else sha256_file(experiment.path(experiment.attainable))
    return sha256_json([source.digest, attainable])


def folder_of(experiment: Experiment, source: DataSource) -> Path:
    """Return the folder of the run of an experiment on these data."""
    digests = experiment.digest[:12], data_digest(experiment, source)[:12]
    return home() / "runs" / "-".join((experiment.name, *digests))


def runs_of(experiment_digest: str) -> list[Path]:
    """Return the folders of the runs of an experiment, whatever data they were made on."""
    folders = (home() / "runs").glob(f"*-{experiment_digest[:12]}*")
    return sorted(path for path in folders if path.is_dir())


def run_folder(run: str | Path) -> Path:
    """Return the folder of a run.

    Parameters
    ----------
    said : path or str
        The folder itself; the file of an experiment, which names its run on the data as they are now; or the id under
        which a run was recorded.

    Raises
    ------
    UserError
        If the run was not made here (its rows stay where it was made), or its folder holds what a later run left.
    """
    path = Path(run)
    if path.is_dir():
        return path
    if path.suffix == ".toml":
        return _folder_as_data_are(path)
    recorded = {name: sha256_file(fetch_artifact(str(run), name)) for name in _RECORDED}
    folders = _ran_here(run, recorded["experiment.json"])
    for folder in folders:
        if all((folder / name).is_file() and sha256_file(folder / name) == digest for name, digest in recorded.items()):
            return folder
    raise UserError(
        f"run {run}: its folder is gone or holds what a later run left. Run its experiment again, or name the folder "
        f"of a run: {_listed(folders)}."
    )


def other_runs(folder: Path) -> list[Path]:
    """Return the folders of other runs of the experiment that a run is of."""
    document = folder / "experiment.json"
    digest = sha256_file(document) if document.is_file() else ""
    return [other for other in runs_of(digest) if other.resolve() != folder.resolve()] if digest else []


def _folder_as_data_are(path: Path) -> Path:
    """Return the folder of the run of an experiment on the data as they are now."""
    experiment = load_experiment(path)
    folders = _ran_here(path, experiment.digest)
    try:
        folder = folder_of(experiment, open_source(experiment, lambda message: None, make=False))
    except LedgerAbsentError:
        folder = None
    if folder not in folders:
        raise UserError(
            f"{path}: this experiment was run here on other data only, or by another version of the package. Run it on "
            f"the data as they are now, or name the folder of a run: {_listed(folders)}."
        )
    return folder


def _ran_here(run: str | Path, experiment_digest: str) -> list[Path]:
    folders = runs_of(experiment_digest)
    if not folders:
        raise UserError(f"{run}: this experiment was not run here; run it with `credit-model run` first")
    return folders


def _listed(folders: Sequence[Path]) -> str:
    """Name some folders, the latest first."""
    latest = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    return ", ".join(map(str, latest[:3])) + (f" and {len(latest) - 3} more" if len(latest) > 3 else "")


def development_sample(experiment: Experiment, source: DataSource) -> DevelopmentSample:
    """Observe the rows a card is learned from."""
    plan = experiment.sample
    return _observed(experiment, source, plan.development, plan.train_repaired, plan.goods_share)


def out_of_time_sample(experiment: Experiment, source: DataSource) -> DevelopmentSample:
    """Observe the rows a card is judged on: on the out-of-time date, or from it on as long as labels are mature."""
    plan, known_through = experiment.sample, source.known_through
    if plan.event is None:
        return _observed(experiment, source, [plan.out_of_time])
    through = last_receipt_day(source.ledger) if known_through is None else to_day(known_through)
    last = experiment.outcome.latest_mature(min(through, experiment.ledger.day_of_use) + 1)
    return _observed(experiment, source, [plan.out_of_time, last])


def _observed(
    experiment: Experiment,
    source: DataSource,
    dates: Sequence[int],
    train_repaired: str = "asof",
    goods_share: float = 1.0,
) -> DevelopmentSample:
    """Everybody on each date, or whoever an event calls for from the first to the last."""
    plan, day_of_use = experiment.sample, experiment.ledger.day_of_use
    observations: Any = dates
    if plan.event is not None:
        observations = plan.event.observations(source.ledger, dates[0], dates[-1], day_of_use)
    return build_sample(
        source.ledger, experiment.outcome, observations, experiment.features, cohort=plan.cohort, day_of_use=day_of_use,
        known_through=source.known_through, train_repaired=train_repaired, goods_share=goods_share,
        seed=experiment.seed,
    )  # fmt: skip


def _from_files(experiment: Experiment, source: RawTables, progress: Progress, make: bool) -> DataSource:
    """Return a ledger of raw tables, which are read only when one of them has changed."""
    plan, path = experiment.ledger, experiment.path
    catalogue = load_catalogue(path(source.catalogue))
    mapping = None if source.mapping is None else load_mapping(path(source.mapping))
    tables: dict[str, Any] = {
        name: [path(file) for file in getattr(source, name)] for name in ("records", "amendments", "subjects", "audit")
    }

    def fill(ledger: Ledger) -> None:
        progress("Ingesting raw tables")
        ledger.ingest(**{name: paths for name, paths in tables.items() if paths}, mapping=mapping)

    names = [source.catalogue, *([source.mapping] if source.mapping else [])]
    contents = [sha256_file(file) for file in [*map(path, names), *chain(*tables.values())]]
    depends_on = [contents, plan.policy]
    ledger = _cached_ledger(experiment.name, depends_on, catalogue, plan.policy, fill if make else None, progress)
    return DataSource(ledger, plan.known_through or (mapping.drawn_on if mapping else None))


def _cached_ledger(
    stem: str,
    depends_on: Any,
    catalogue: Catalogue,
    policy: str,
    fill: Callable[[Ledger], None] | None,
    progress: Progress,
) -> Ledger:
    """Return the ledger named by everything it depends on; fill it beside its place when it is not there."""
    key = sha256_json([depends_on, code_digest(*_RECORD_PACKAGES)])[:12]
    folder = home() / "ledgers" / f"{stem}-{key}"
    if not folder.is_dir():
        if fill is None:
            raise LedgerAbsentError(f"there is no ledger in {folder} yet; `credit-model run` makes it")
        with lock_in_home(folder, lambda: progress("Waiting for another run that makes the same ledger")):
            if not folder.is_dir():
                part = folder.with_name(f"{folder.name}.part")
                shutil.rmtree(part, ignore_errors=True)
                fill(Ledger.create(part, catalogue, policy))
                part.rename(folder)
    return Ledger.open(folder)


@contextmanager
def lock_in_home(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Keep other processes from working on something in the home; the lock is ``PATH.lock``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(path.with_name(f"{path.name}.lock"), on_wait=on_wait):
        yield


@cache
def code_digest(*packages: str) -> str:
    """Return the digest of the code of some packages, or of all: a result is reused only by the code that made it.

    A version number does not do: between two releases other code may make another ledger, or another trial, of the
    same rows. Docstrings and comments change neither, and do not count.
    """
    root = Path(__file__).parents[1]
    return sha256_code(
        file for name in packages or ("**",) for file in root.glob(f"{name}/*.*") if file.suffix in (".py", ".toml")
    )
