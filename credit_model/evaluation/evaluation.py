"""An evaluation as a value: a card judged once on people it has not seen, rendered any number of times.

Plain numbers, texts and tables, so that the page, the tracking server and the gates all read the same figures.

In: what `credit_model.evaluation.assembly` computes, or a document.
Out: an `EvaluationReport` that survives a round trip through JSON unchanged.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, cast

from credit_model.evaluation.challenger import Challenger
from credit_model.evaluation.decisions import Decisions
from credit_model.evaluation.fairness_audit import Fairness
from credit_model.evaluation.gates import GateVerdict, checks_of_rows
from credit_model.evaluation.samples import Data
from credit_model.evaluation.scored_rows import CardSummary
from credit_model.evaluation.severity_order import SeverityOrder
from credit_model.evaluation.tables import Band, Breakdown, Grade, Month, ReasonShare, Segment
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import Estimate
from credit_model.metrics.stability import Stability


@dataclass(frozen=True)
class Ranking:
    """A ranking beside the card's.

    ``role`` is ``constant, baseline, champion, card, challenger, attainable`` or ``truth``.
    """

    role: str
    label_en: str
    label_zh: str
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class Gate:
    """A limit set before the run, and what was found."""

    name: str
    segment: str
    value: float | None
    low: float | None
    high: float | None
    passed: bool


class SampleCounts(TypedDict, total=False):
    """Rows of a sample, by name; None where a count is too small to be published."""

    name: str
    name_en: str
    name_zh: str
    observations: int | None
    people: int | None
    bads: int | None


class Dates(TypedDict, total=False):
    """Days of the samples as ISO texts."""

    development: list[str]
    out_of_time: list[str]
    window_months: float
    maturity_months: float
    day_of_use: str


class RefusalReason(TypedDict):
    """Why rows were refused, in both languages, and how many."""

    code: str
    text_en: str
    text_zh: str
    rows: int


class IngestSection(TypedDict, total=False):
    """Counts of raw rows; without the place of the refused ones, which differs by machine."""

    read: int
    accepted: int
    duplicates: int
    rejected_rows: int
    excluded: int
    rejected_share: float
    max_rejected_share: float
    reasons: list[RefusalReason]


class EvaluationContext(TypedDict, total=False):
    """Values that only the caller of `evaluate` knows; a text alike in both languages lacks ``_en`` and ``_zh``."""

    experiment: str
    question: str
    question_en: str
    question_zh: str
    made_city: bool
    subjects: str
    outcome: str
    outcome_en: str
    outcome_zh: str
    dates: Dates
    samples: list[SampleCounts]
    exclusions: list[dict[str, str | int | None]]
    ingest: IngestSection
    notes: list[dict[str, str]]
    digests: dict[str, str]
    champion: dict[str, str | int | None]


_SECTIONS = ("data", "fairness", "decisions", "stability")  # written as {} where there are none


@dataclass(frozen=True)
class EvaluationReport:
    """Everything an evaluation found, as plain values.

    Attributes
    ----------
    context : dict
        What the caller told: question, dates, samples, exclusions, digests (keys: see `evaluate`).
    segments : dict of str to Segment
        ``all``, and where known ``with_record`` and ``without_record``.
    grades : tuple of Grade
        Best grade first.
    months : tuple of Month
        By as-of date.
    rankings : tuple of Ranking
        Baselines, the card, and on a synthetic city the attainable and the true risk.
    bands : tuple of Band
        The distribution of scores.
    curve : tuple of (people, goods, bads)
        Cumulative shares from the riskiest down.
    card : CardSummary
        Scale and table of the card, empty without a card.
    reasons : tuple of Reason
        Most frequent first.
    gates : tuple of Gate
        Those that are measured on the out-of-time rows; empty when none was set.
    verdicts : tuple of GateVerdict
        Of every gate that was declared, as far as a run can judge it; empty without a run.
    challengers : tuple of Challenger
        What other models found on the same rows; empty without one.
    data : Data, optional
        The samples described; this section and the next three are added by `with_sections`.
    fairness : Fairness, optional
    decisions : Decisions, optional
    stability : Stability, optional
    severity_order : SeverityOrder, optional
        Absent where the catalogue has no severity classes.
    breakdowns : tuple of Breakdown
        Measures by each column the caller named.
    schema : int
        Version of this form.

    Examples
    --------
    >>> report = EvaluationReport(context={"question": "Does it rank?"})
    >>> EvaluationReport.from_json(report.to_json()) == report
    True
    """

    context: EvaluationContext = field(default_factory=EvaluationContext)
    segments: dict[str, Segment] = field(default_factory=dict)
    grades: tuple[Grade, ...] = ()
    months: tuple[Month, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    bands: tuple[Band, ...] = ()
    curve: tuple[tuple[float, float, float], ...] = ()
    card: CardSummary = field(default_factory=CardSummary)
    reasons: tuple[ReasonShare, ...] = ()
    gates: tuple[Gate, ...] = ()
    challengers: tuple[Challenger, ...] = ()
    data: Data | None = None
    fairness: Fairness | None = None
    decisions: Decisions | None = None
    stability: Stability | None = None
    breakdowns: tuple[Breakdown, ...] = ()
    verdicts: tuple[GateVerdict, ...] = ()
    severity_order: SeverityOrder | None = None
    schema: int = 1

    def with_sections(
        self, *, data: Data | None = None, fairness: Fairness | None = None, decisions: Decisions | None = None,
        stability: Stability | None = None, severity_order: SeverityOrder | None = None,
    ) -> EvaluationReport:  # fmt: skip
        """Return this evaluation with further sections about the same rows, figures rounded as in the document."""
        sections = {
            "data": data, "fairness": fairness, "decisions": decisions, "stability": stability,
            "severity_order": severity_order,
        }  # fmt: skip
        plain = {name: dataclasses.asdict(section) for name, section in sections.items() if section is not None}
        return EvaluationReport.from_dict(rounded(self.to_dict() | plain))

    @property
    def failed_gates(self) -> tuple[Gate, ...]:
        """Return the measured gates that said no; what a run says of every declared gate is in ``gate_verdicts``."""
        return tuple(gate for gate in self.gates if not gate.passed)

    @property
    def gate_verdicts(self) -> tuple[GateVerdict, ...]:
        """Return the verdicts of a run; without a run, those of the gates that were measured here."""
        if self.verdicts or not self.gates:
            return self.verdicts
        rows = [dataclasses.asdict(gate) for gate in self.gates]
        names = dict.fromkeys(gate.name for gate in self.gates)
        return tuple(GateVerdict(name, tuple(checks_of_rows(name, None, rows))) for name in names)

    @property
    def gates_passed(self) -> bool | None:
        """Return whether every gate that was judged passed; None where none was declared, or none judged."""
        results = [verdict.passed for verdict in self.gate_verdicts if verdict.passed is not None]
        return all(results) if results else None

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON form."""
        return sha256(self.to_json())

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists, texts, numbers and None."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, shortest exact numbers, null for what could not be measured."""
        plain = dataclasses.asdict(self)
        plain |= {name: {} for name in _SECTIONS if plain[name] is None}
        plain = {name: part for name, part in plain.items() if part is not None}  # so old documents keep their bytes
        return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> EvaluationReport:
        """Rebuild what `to_dict` gave."""
        if plain.get("schema") != cls.schema:
            raise UserError(
                f"Cannot read this as an evaluation: its schema is {plain.get('schema')!r}, this version reads "
                f"{cls.schema}. Give the evaluation.json of a run."
            )
        try:
            plain = plain | {name: plain.get(name) or None for name in _SECTIONS}
            report: EvaluationReport = _typed(cls, plain)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"Cannot read this as an evaluation: {error}. Give the evaluation.json of a run."
            ) from error
        return report

    @classmethod
    def from_json(cls, text: str) -> EvaluationReport:
        """Read what `to_json` wrote."""
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"Cannot read this as an evaluation: not JSON ({error}).") from error
        return cls.from_dict(plain if isinstance(plain, dict) else {})


def _typed(kind: Any, value: Any) -> Any:
    """Rebuild dataclasses and tuples from plain JSON by their declared types."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return cast(Any, kind)(**{name: _typed(hints[name], item) for name, item in value.items()})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _typed(inner[0], value) if isinstance(value, dict | list) else value
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_typed(k, item) for k, item in zip(kinds, value, strict=True))
    if origin in (dict, Mapping) and inner[1] is not Any:
        return {name: _typed(inner[1], item) for name, item in value.items()}
    return value


def rounded(plain: dict[str, Any]) -> dict[str, Any]:
    """Plain values with twelve figures: far more than any holds, and the last bits of a float differ by machine."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    plain_rounded: dict[str, Any] = json.loads(text, parse_float=lambda figure: float(f"{float(figure):.12g}"))
    return plain_rounded
