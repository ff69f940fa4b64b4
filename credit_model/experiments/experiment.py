"""An experiment as a value: a question, the source of records, what is learned, on what and how.

A file is complete: there is no inheritance and no code in it, so it can be read alone and compared line by line. It
is checked whole before anything runs, and every fault is named in one message. What is checked here are forms, names
and dates that exclude each other; what only the records can show (too few events, say) is found by the run.

In: ``experiments/NAME.toml``. Out: a frozen ``Experiment`` with resolved feature definitions and a digest of its
content; comments, the order of keys and the place of the file do not change the digest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from credit_model.evaluation.measures import Limit
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.learning.single_record import SingleRecordCaps
from credit_model.ledger.ingest_report import MAX_REJECTED_SHARE
from credit_model.sample.observation import Event, EventDay
from credit_model.sample.outcome import Outcome
from credit_model.scorecard.bins import BinEdits, NumericBins

_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
SEARCHABLE: Final = {"max_characteristics": (1, 100), "max_bins": (2, 20), "penalty": (1e-6, 1e6)}


class ExperimentErrors(UserError):
    """An experiment that cannot run; ``faults`` names every fault of its file."""


@dataclass(frozen=True)
class Range:
    """A setting that is searched, from ``low`` to ``high``, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class SyntheticCity:
    """A ledger that is made when it is first needed: profile, number of people, seed."""

    profile: str
    people: int
    seed: int


@dataclass(frozen=True)
class RawTables:
    """A ledger that is ingested from raw tables when it is first needed; paths as ``located`` reads them."""

    catalogue: str
    mapping: str | None
    records: tuple[str, ...]
    amendments: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()


@dataclass(frozen=True)
class LedgerPlan:
    """Where the records come from (a synthetic city, raw tables, a folder), under which policy, as used on which day.

    ``known_through`` is the last day up to which the sources have delivered; days are since 1970-01-01.
    """

    source: SyntheticCity | RawTables | str
    policy: str
    day_of_use: int
    known_through: int | None = None


@dataclass(frozen=True)
class SamplePlan:
    """Observation dates (days since 1970-01-01), who is observed on them, and how development rows are drawn.

    With ``observe_after`` or ``observe_on``, observations have days of their own: those of ``development`` are the
    first and the last, and whoever is observed on ``out_of_time`` or later, while labels are mature, is out of time.
    """

    out_of_time: int
    development: tuple[int, ...]
    cohort: Mapping[str, Any] | None = None
    train_repaired: str = "asof"
    goods_share: float = 1.0
    observe_after: Event | None = None
    observe_on: EventDay | None = None

    @property
    def event(self) -> Event | EventDay | None:
        """What gives observations days of their own; None where everybody is observed on dates."""
        return self.observe_after or self.observe_on


@dataclass(frozen=True)
class PolicyPoints:
    """Points that are declared by somebody, on a ground, instead of learned: one number an attribute, absence first."""

    characteristic: str
    points: tuple[int, ...]
    approver: str
    ground: str
    cuts: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without what is not given."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class CardPlan:
    """How the card is made. A setting that is a ``Range`` is searched in ``trials`` trials.

    ``model`` is the registered model the card becomes a version of. ``bins`` are given, or edits of learned ones, by
    characteristic; ``single_record`` caps what one record may cost. Where it is ``stable``, the order of attributes
    holds in every year of development. Folds of the search are by ``time`` and person or ``stratified`` by person; with
    further objectives than Gini, a plainer or steadier card may ``give_up`` so much of it.
    """

    profile: str
    model: str
    max_characteristics: int | Range
    max_bins: int | Range
    penalty: float | Range
    record_monotone: bool
    trials: int
    method: str = "woe_logistic"
    policy_points: tuple[PolicyPoints, ...] = ()
    bins: Mapping[str, NumericBins | BinEdits] = field(default_factory=dict)
    stable: bool = False
    single_record: SingleRecordCaps | None = None
    tuning_folds: str = "time"
    objectives: tuple[str, ...] = ("gini",)
    give_up: float = 0.005

    @property
    def fixed(self) -> dict[str, int | float]:
        """Settings with one value, by name."""
        return {name: getattr(self, name) for name in SEARCHABLE if not isinstance(getattr(self, name), Range)}

    @property
    def searched(self) -> dict[str, Range]:
        """Settings to search, by name."""
        return {name: getattr(self, name) for name in SEARCHABLE if isinstance(getattr(self, name), Range)}


@dataclass(frozen=True)
class ChallengerPlan:
    """Another model on the same rows, so that the report can say what the card gives up. It is never registered.

    ``[challenger]`` with ``method = "lightgbm"`` (the only one, and the default): gradient boosting with the same
    signs, in the default settings of `BoostedChallenger`. Without the table, none.
    """

    method: str = "lightgbm"


@dataclass(frozen=True)
class Experiment:
    """What one run does.

    ``left_out`` says of each feature that was included by a pattern and is not used, why not. ``folder`` is where
    relative paths start, ``definitions`` says in words which definitions the features were chosen from; none of them is
    part of the digest, nor is the name. Of the raw rows at most ``max_rejected_share`` may have been refused.
    """

    name: str = field(compare=False)
    question: str
    seed: int
    ledger: LedgerPlan
    outcome: Outcome
    sample: SamplePlan
    features: tuple[FeatureDefinition, ...]
    card: CardPlan
    gates: Mapping[str, Limit] = field(default_factory=dict)
    attainable: str | None = None
    challenger: ChallengerPlan | None = None
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)
    folder: Path = field(default=Path(), compare=False)
    max_rejected_share: float = MAX_REJECTED_SHARE
    definitions: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of what the experiment says."""
        return sha256(self.to_json())

    def to_json(self) -> str:
        """Return the resolved experiment as JSON."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.compare}
        return json.dumps(plain, sort_keys=True, ensure_ascii=False, indent=1) + "\n"

    def path(self, text: str) -> Path:
        """Resolve a path of the file, as seen from here."""
        return located(self.folder, text)


def located(folder: Path, text: str) -> Path:
    """Resolve a path from the folder of the experiment, ``${NAME:-default}`` by the environment.

    Examples
    --------
    >>> located(Path("experiments"), "${NO_SUCH_VARIABLE:-../tables}/events.parquet").as_posix()
    'experiments/../tables/events.parquet'
    """
    return folder / _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[2] or "", text)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return _plain(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value).__name__: {f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
