"""An evaluation as a value: a card judged once on people it has not seen, rendered any number of times.

`evaluate` takes the scored out-of-time rows and returns an `EvaluationReport`: plain numbers, texts and tables, so that
the page, the tracking server and the gates all read the same figures.

In: a frame of scored rows, and what only the caller knows (card, baselines, gates, provenance).
Out: an `EvaluationReport` that survives a round trip through JSON unchanged.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.card_summary import Breakdown, breakdowns_of, card_of, moved_by_term, term_texts
from credit_model.evaluation.challenger import Challenger, ChallengerDescription, challenge
from credit_model.evaluation.decisions import Decisions
from credit_model.evaluation.fairness_audit import Fairness
from credit_model.evaluation.gates import GateVerdict, checks_of_rows, gate_rules, read_gates
from credit_model.evaluation.samples import Data
from credit_model.evaluation.scored_rows import Sample, sample_of
from credit_model.evaluation.severity_order import SeverityOrder
from credit_model.evaluation.tables import (
    Band,
    Grade,
    Month,
    ReasonShare,
    Segment,
    bands_of,
    grades_of,
    months_of,
    reasons_of,
    segments_of,
)
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.metrics import calibration, differences, performance
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, UNDEFINED, Estimate
from credit_model.metrics.stability import Stability

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card


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


class EvaluateOptions(TypedDict, total=False):
    """Arguments of `evaluate` that hold no rows."""

    baselines: Mapping[str, tuple[str, str]] | None
    development_rate: float | None
    gates: Mapping[str, object] | None
    context: EvaluationContext | None
    challenger: ChallengerDescription | None
    segments: Mapping[str, tuple[str, str]] | None


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
    card : dict
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
    card: dict[str, Any] = field(default_factory=dict)
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


def _rankings(
    sample: Sample,
    baselines: Mapping[str, tuple[str, str]],
    rate: float | None,
    challengers: tuple[Challenger, ...],
) -> tuple[Ranking, ...]:
    """Put the card between what anyone could do and what nobody could do better."""
    how: dict[str, Any] = {"weight": sample.weight, "subject": sample.people}
    own_rate = float(np.average(sample.y, weights=sample.weight))
    constant = np.full(sample.y.size, own_rate if rate is None else rate)

    def measures_of(risk: NDArray[np.float64], probability: NDArray[np.float64] | None) -> dict[str, Estimate]:
        measures = {"gini": performance.gini(sample.y, risk, **how)}
        if sample.true_risk is not None:
            measures["soft_gini"] = performance.soft_gini(sample.true_risk, risk, **how)
        if probability is not None:
            measures["brier"] = calibration.brier(sample.y, probability, **how)
            measures["log_loss"] = calibration.log_loss(sample.y, probability, **how)
        if risk is not card_risk:
            measures["card_minus_this"] = differences.gini_difference(sample.y, card_risk, risk, **how)
        return measures

    def chance(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return values if ((values >= 0) & (values <= 1)).all() else None

    card_risk = -sample.score
    rows = [Ranking("constant", "Constant rate", "固定坏样本率", measures_of(constant, constant))]
    for column, (label_en, label_zh) in baselines.items():
        values = sample.others[column]
        role = "champion" if column == "champion" else "baseline"  # the card in force
        rows.append(Ranking(role, label_en, label_zh, measures_of(values, chance(values))))
    rows.append(Ranking("card", "This card", "本评分卡", measures_of(card_risk, sample.probability)))
    for challenger in challengers:
        values = sample.others["challenger"]
        rows.append(Ranking("challenger", challenger.label_en, challenger.label_zh, measures_of(values, values)))
    if sample.attainable is not None:
        rows.append(
            Ranking("attainable", "Attainable by lawful use", "合法可达上限", measures_of(sample.attainable, None))
        )
    if sample.true_risk is not None:
        truth = measures_of(sample.true_risk, sample.true_risk)
        truth["slope"] = calibration.calibration_line(sample.y, np.clip(sample.true_risk, 1e-9, 1 - 1e-9), **how).slope
        rows.append(Ranking("truth", "True risk itself", "真实风险本身", truth))
    return tuple(rows)


def _gates(
    limits: Mapping[str, object],
    segments: dict[str, Segment],
    estimates: dict[str, dict[str, Estimate]],
    bads: dict[str, int],
) -> tuple[Gate, ...]:
    """Hold what was found against the limits; what could not be measured does not pass."""
    declared, wrong = read_gates(limits)
    faults = [f"{name!r} {fault}" for name, fault in wrong.items()]
    rules = gate_rules()
    gates: list[Gate] = []
    for name, limit in declared.items():
        form = rules[name].measure
        if form is None:
            faults.append(f"{name!r} is no measure of scored rows; a run judges it")
            continue
        for segment in estimates if form.every_segment else ("all",):
            low, high = form.bounds(limit, bads[segment])
            value = estimates[segment].get(name, UNDEFINED).value
            passes = value is not None and value >= low and (high is None or value <= high)
            # Value and limit would tell how many bads a small segment has; the verdict alone does not.
            if segments[segment].counts.hidden:
                gates.append(Gate(name, segment, None, None, None, passes))
            else:
                gates.append(Gate(name, segment, value, low, high, passes))
    if faults:
        forms = ", ".join(f"{name} ({rule.form})" for name, rule in rules.items() if rule.measure)
        raise UserError(f"Cannot apply these gates: {'; '.join(faults)}. Gates are {forms}.", tuple(faults))
    return tuple(gates)


def evaluate(
    frame: pd.DataFrame,
    *,
    card: Card | None = None,
    explanation: pd.DataFrame | None = None,
    baselines: Mapping[str, tuple[str, str]] | None = None,
    development_rate: float | None = None,
    gates: Mapping[str, object] | None = None,
    context: EvaluationContext | None = None,
    challenger: ChallengerDescription | None = None,
    segments: Mapping[str, tuple[str, str]] | None = None,
) -> EvaluationReport:
    """Judge scored out-of-time rows.

    Parameters
    ----------
    frame : DataFrame
        One row an observation: ``subject_id, as_of, y`` (1 is bad), ``score`` (more is better), ``probability_of_bad,
        grade``; optional ``weight`` (sampling weights), ``with_record`` (bool), ``true_risk`` (of a synthetic city),
        ``attainable`` (risk by the best lawful use of the same records), and the columns named by ``baselines``.
    card : Card, optional
        Whose scores these are: its scale and table go into the report.
    explanation : DataFrame, optional
        ``card.explain(X)`` of the same rows in the same order; gives the frequency of reasons.
    baselines : mapping of str to (str, str), optional
        Column of a dumb ranking (growing with risk; a probability where it lies in 0 to 1) to its label in English and
        Chinese. The constant rate is always there.
    development_rate : float, optional
        Bad rate of the development sample, which the constant predicts; default: the rate of these rows.
    gates : mapping, optional
        Limits set before the run. ``gini, ks, soft_gini, soft_gini_to_attainable``: least value; ``slope``: [low,
        high]; ``observed_to_expected``: tolerance t for 1 ± (t + 2/√bads), or [low, high], for everybody and for people
        with and without a record.
    context : mapping, optional
        Plain values the caller alone knows, all optional: ``experiment, question, made_city`` (bool), ``subjects`` (of
        the catalogue), ``outcome`` (text), ``dates`` (``development, out_of_time``: lists of ISO days;
        ``window_months, maturity_months, day_of_use``), ``samples`` (list of ``name_en, name_zh, observations, people,
        bads``), ``exclusions`` (list of ``reason_en, reason_zh, development, out_of_time``), ``ingest`` (raw rows:
        ``read, accepted, duplicates, rejected_rows, excluded, rejected_share, max_rejected_share``, and ``reasons``, a
        list of ``code, text_en, text_zh, rows``), ``notes`` (list of ``text_en, text_zh``), ``digests`` (name to
        digest). A text alike in both languages may leave out ``_en`` and ``_zh``.
    challenger : mapping, optional
        Of the model whose probability of bad stands in the frame's column ``challenger``: ``label_en, label_zh``, and
        optionally ``settings`` (how it was made), ``attributions`` (list of ``code, text_en, text_zh, card,
        challenger``: mean points a feature moves, either way) and ``additivity_gap``.
    segments : mapping of str to (str, str), optional
        Columns of texts to break every measure down by, to their label in English and Chinese.

    Returns
    -------
    EvaluationReport

    Raises
    ------
    UserError
        Faults of the frame, of the gates or of the context, all at once for each.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "subject_id": [f"S{i:03}" for i in range(200)], "as_of": "2025-04-01",
    ...     "y": [1, 0, 1, 0, 0] * 4 + [0] * 180, "score": [640] * 20 + [800] * 180,
    ...     "probability_of_bad": [0.4] * 20 + [0.01] * 180, "grade": ["D"] * 20 + ["A"] * 180,
    ... })
    >>> report = evaluate(frame, gates={"gini": 0.5})
    >>> report.failed_gates, round(report.segments["all"].measures["gini"].value, 2)
    ((), 0.94)
    """
    sample = sample_of(frame, [*(baselines or {}), *([] if challenger is None else ["challenger"])])
    segments = segments or {}
    if unknown := [name for name in segments if name not in frame.columns or frame[name].isna().any()]:
        raise UserError(f"Cannot break down by {', '.join(unknown)}: the frame lacks it, or some rows of it are empty.")
    if explanation is not None and len(explanation) != len(frame):
        raise UserError(f"The explanation has {len(explanation)} rows, the frame {len(frame)}: explain the same rows.")
    columns = {
        name: (*labels, frame[name].astype(str).to_numpy(str)[sample.order]) for name, labels in segments.items()
    }
    parts, estimates = segments_of(sample)
    bads = {"all": int(sample.y.sum())}
    if sample.record is not None:
        bads |= {
            "with_record": int(sample.y[sample.record].sum()),
            "without_record": int(sample.y[~sample.record].sum()),
        }
    counts = parts["all"].counts
    reasons: tuple[ReasonShare, ...] = ()
    mean_points: dict[str, float | None] | None = None
    if explanation is not None:
        mean_points = None if counts.hidden == "all" else moved_by_term(sample, explanation)
        texts = {} if card is None else term_texts(card)
        reasons = reasons_of(sample, explanation, texts)
    grades = grades_of(sample)
    challengers = (
        (challenge(sample, parts, grades, challenger),) if challenger is not None and not counts.hidden else ()
    )
    report = EvaluationReport(
        context=_plain(context or {}),
        segments=parts,
        grades=grades,
        months=months_of(sample),
        rankings=() if counts.hidden else _rankings(sample, baselines or {}, development_rate, challengers),
        bands=() if counts.hidden == "all" else bands_of(sample),
        curve=()
        if counts.hidden
        else tuple(performance.cumulative_curve(sample.y, -sample.score, weight=sample.weight)),
        card={} if card is None else card_of(card, mean_points),
        reasons=reasons,
        gates=_gates(gates or {}, parts, estimates, bads),
        challengers=challengers,
        breakdowns=breakdowns_of(sample, columns),
    )
    return EvaluationReport.from_dict(rounded(report.to_dict()))


def rounded(plain: dict[str, Any]) -> dict[str, Any]:
    """Plain values with twelve figures: far more than any holds, and the last bits of a float differ by machine."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False)
    plain_rounded: dict[str, Any] = json.loads(text, parse_float=lambda figure: float(f"{float(figure):.12g}"))
    return plain_rounded


def _plain(context: EvaluationContext) -> EvaluationContext:
    """Check that a context is plain, and leave small counts blank in it as everywhere else."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(context), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The context of an evaluation holds something that is not a plain value ({error}); give texts, numbers, "
            "true or false, lists and mappings, dates as ISO text."
        ) from error
    for row in (*plain.get("samples", []), *plain.get("exclusions", [])):
        few = {
            k: v
            for k, v in row.items()
            if isinstance(v, int) and 0 < v < (FEWEST_BADS if k == "bads" else SMALLEST_CELL)
        }
        row.update(dict.fromkeys(few))
    return cast(EvaluationContext, plain)
