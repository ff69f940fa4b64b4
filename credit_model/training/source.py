"""Where an experiment's records come from: a ledger in a folder, or one that is made once and kept.

A made city and raw tables become a ledger in ``.credit_model/`` (``CREDIT_MODEL_HOME``), named by everything it depends
on. It is built beside its place and moved there whole: a run that is killed leaves nothing half made, and of two runs
that need the same ledger one makes it while the other waits.

In: an experiment. Out: a ``Source``, and the samples that are drawn from it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
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

from credit_model import UserError, registry
from credit_model.city import City, synthesise
from credit_model.law import Catalogue, load_catalogue, to_day
from credit_model.records import Ledger, load_mapping
from credit_model.sample import DevelopmentSample, build_sample, last_known
from credit_model.training.experiment import Experiment, MadeCity, RawTables, sha256
from credit_model.training.reading import load_experiment

Progress = Callable[[str], None]
_RECORD_ROOMS = ("law", "visibility", "store", "records", "city")  # make and keep records
_SOURCES = (".py", ".toml")
CITY_KNOWN_THROUGH = "2026-10-31"  # the last day of the made city's timeline


@dataclass(frozen=True)
class Source:
    """An open ledger, the last day up to which it is known (if told), and of a made city the city itself."""

    ledger: Ledger
    known_through: Any = None
    city: Callable[[], City] | None = None

    def true_risk(self, day: int, subject_ids: Iterable[str]) -> NDArray[np.float64]:
        """The true risk of subjects of a made city as of a day, in their order."""
        if self.city is None:
            raise UserError("the true risk is known of a made city only")
        return np.asarray(self.city().true_risk(day).reindex(list(subject_ids)), np.float64)


def home() -> Path:
    """Where runs keep what they can make again: ``CREDIT_MODEL_HOME``, or ``.credit_model`` in the current folder."""
    return Path(os.environ.get("CREDIT_MODEL_HOME") or ".credit_model")


def open_source(experiment: Experiment, progress: Progress) -> Source:
    """Open the ledger of an experiment; make it first where it is made."""
    plan = experiment.ledger
    source = plan.source
    if isinstance(source, str):
        ledger = Ledger.open(experiment.path(source))
        if ledger.policy != plan.policy:
            raise UserError(
                f"experiment {experiment.name!r} says policy {plan.policy!r}, but the ledger in {ledger.path} was made "
                f"under {ledger.policy!r}; change one of them"
            )
        return Source(ledger, plan.known_through)
    if isinstance(source, MadeCity):
        city = cache(lambda: synthesise(source.profile, source.people, source.seed))
        catalogue = load_catalogue()

        def fill(ledger: Ledger) -> None:
            progress(f"Making a city of {source.people:,} people")
            made = city()
            progress("Ingesting its records")
            ledger.ingest(records=made.records, amendments=made.amendments, subjects=made.subjects, audit=made.audit)

        stem = f"city-{source.profile}-{source.people}-{source.seed}-{plan.policy}"
        ledger = _kept(
            stem,
            [asdict(source), plan.policy, catalogue.digest],
            catalogue,
            plan.policy,
            fill,
            progress,
        )
        return Source(ledger, plan.known_through or CITY_KNOWN_THROUGH, city)
    return _from_files(experiment, source, progress)


def run_folder(said: str | Path) -> Path:
    """The folder of a run: by itself, by the file of its experiment, or by the id under which it was recorded.

    Raises
    ------
    UserError
        If the run was not made here: its rows stay where it was made.
    """
    path = Path(said)
    if path.is_dir():
        return path
    if path.suffix == ".toml":
        digest = load_experiment(path).digest
    else:
        digest = sha256(registry.fetch_artifact(str(said), "experiment.json"))
    found = sorted((home() / "runs").glob(f"*-{digest[:12]}"))
    if not found:
        raise UserError(f"{said}: this experiment was not run here; run it with `credit-model run` first")
    return found[0]


def development_sample(experiment: Experiment, source: Source) -> DevelopmentSample:
    """Observe the rows a card is learned from."""
    plan = experiment.sample
    return _observed(experiment, source, plan.development, plan.train_repaired, plan.goods_share)


def out_of_time_sample(experiment: Experiment, source: Source) -> DevelopmentSample:
    """Observe the rows a card is judged on: on the out-of-time date, or from it on as long as labels are mature."""
    plan, known_through = experiment.sample, source.known_through
    if plan.observe_after is None:
        return _observed(experiment, source, [plan.out_of_time])
    through = last_known(source.ledger) if known_through is None else to_day(known_through)
    last = experiment.outcome.latest_mature(min(through, experiment.ledger.day_of_use) + 1)
    return _observed(experiment, source, [plan.out_of_time, last])


def _observed(
    experiment: Experiment, source: Source, dates: Sequence[int], train_repaired: str = "asof", goods_share: float = 1.0
) -> DevelopmentSample:
    """Everybody on each date, or whoever an event calls for from the first to the last."""
    plan, day_of_use = experiment.sample, experiment.ledger.day_of_use
    observations: Any = dates
    if plan.observe_after is not None:
        observations = plan.observe_after.observations(source.ledger, dates[0], dates[-1], day_of_use)
    return build_sample(
        source.ledger, experiment.outcome, observations, experiment.features, cohort=plan.cohort, day_of_use=day_of_use,
        known_through=source.known_through, train_repaired=train_repaired, goods_share=goods_share,
        seed=experiment.seed,
    )  # fmt: skip


def _from_files(experiment: Experiment, source: RawTables, progress: Progress) -> Source:
    """A ledger of raw tables, which are read only when one of them has changed."""
    plan, path = experiment.ledger, experiment.path
    catalogue = load_catalogue(path(source.catalogue))
    mapping = None if source.mapping is None else load_mapping(path(source.mapping))
    tables: dict[str, Any] = {
        name: [path(said) for said in getattr(source, name)] for name in ("records", "amendments", "subjects", "audit")
    }

    def fill(ledger: Ledger) -> None:
        progress("Ingesting raw tables")
        ledger.ingest(**{name: paths for name, paths in tables.items() if paths}, mapping=mapping)

    said = [source.catalogue, *([source.mapping] if source.mapping else [])]
    contents = [sha256(file) for file in [*map(path, said), *chain(*tables.values())]]
    ledger = _kept(experiment.name, [contents, plan.policy], catalogue, plan.policy, fill, progress)
    return Source(ledger, plan.known_through or (mapping.drawn_on if mapping else None))


def _kept(
    stem: str, depends_on: Any, catalogue: Catalogue, policy: str, fill: Callable[[Ledger], None], progress: Progress
) -> Ledger:
    """The ledger kept under a name made of everything it depends on; filled beside its place when it is not there."""
    depends_on = [depends_on, code_digest(*_RECORD_ROOMS)]
    key = hashlib.sha256(json.dumps(depends_on, sort_keys=True, default=str).encode()).hexdigest()[:12]
    folder = home() / "ledgers" / f"{stem}-{key}"
    if not folder.is_dir():
        with alone(folder, lambda: progress("Waiting for another run that makes the same ledger")):
            if not folder.is_dir():
                part = folder.with_name(f"{folder.name}.part")
                shutil.rmtree(part, ignore_errors=True)
                fill(Ledger.create(part, catalogue, policy))
                part.rename(folder)
    return Ledger.open(folder)


@contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only process that works on something in the home; the lock, ``PATH.lock``, dies with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)


@cache
def code_digest(*rooms: str) -> str:
    """SHA-256 of the sources of some rooms (of the whole package without any): what is kept depends on what made it.

    A version number does not do: between two releases other code may make another ledger, or another trial, of the
    same rows.
    """
    package = Path(__file__).parents[1]
    files = [file for room in rooms or ("**",) for file in package.glob(f"{room}/*.*") if file.suffix in _SOURCES]
    return hashlib.sha256("".join(sha256(file) for file in sorted(files)).encode()).hexdigest()
