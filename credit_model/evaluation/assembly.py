"""Evaluate scored rows: performance, samples, decisions and fairness of one card on the same people.

`evaluate` takes the scored out-of-time rows; `full_evaluation` adds the sections that stand beside.

In: a frame of scored rows, and what only the caller knows (card, baselines, gates, provenance).
Out: an `EvaluationReport`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.challenger import Challenger, ChallengerDescription, challenge
from credit_model.evaluation.decisions import Programme, summarise_decisions
from credit_model.evaluation.evaluation import EvaluationContext, EvaluationReport, Gate, Ranking, rounded
from credit_model.evaluation.fairness_audit import AuditSettings, audit_fairness
from credit_model.evaluation.gates import gate_rules, read_gates
from credit_model.evaluation.samples import describe_samples
from credit_model.evaluation.scored_rows import Sample, card_of, movement_by_term, sample_of, term_texts
from credit_model.evaluation.tables import (
    ReasonShare,
    Segment,
    bands_of,
    breakdowns_of,
    grades_of,
    months_of,
    reasons_of,
    segments_of,
)
from credit_model.foundation.errors import UserError
from credit_model.metrics import calibration, differences, performance
from credit_model.metrics.curves import cumulative_curve
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, UNDEFINED, Estimate

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card


class EvaluateOptions(TypedDict, total=False):
    """Arguments of `evaluate` that hold no rows."""

    baselines: Mapping[str, tuple[str, str]] | None
    development_rate: float | None
    gates: Mapping[str, object] | None
    context: EvaluationContext | None
    challenger: ChallengerDescription | None
    segments: Mapping[str, tuple[str, str]] | None


def _rankings(
    sample: Sample, baselines: Mapping[str, tuple[str, str]], rate: float | None, challengers: tuple[Challenger, ...]
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
        mean_points = None if counts.hidden == "all" else movement_by_term(sample, explanation)
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
        curve=() if counts.hidden else tuple(cumulative_curve(sample.y, -sample.score, weight=sample.weight)),
        card={} if card is None else card_of(card, mean_points),
        reasons=reasons,
        gates=_gates(gates or {}, parts, estimates, bads),
        challengers=challengers,
        breakdowns=breakdowns_of(sample, columns),
    )
    return EvaluationReport.from_dict(rounded(report.to_dict()))


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


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation of everything: cut-offs, programmes, performance window, audit.

    Attributes
    ----------
    cutoffs : sequence of float, optional
        The card's grade cuts unless given; without a card, the least score of each grade but the worst.
    programmes : sequence of Programme
        Incentives whose reach is simulated.
    window_months : int
        Performance window.
    audit : AuditSettings
        Of the audit by group.
    """

    cutoffs: Sequence[float] | None = None
    programmes: Sequence[Programme] = ()
    window_months: int = 12
    audit: AuditSettings = field(default_factory=AuditSettings)


def full_evaluation(
    frame: pd.DataFrame,
    *,
    card: Card | None = None,
    attributes: pd.DataFrame | None = None,
    explanation: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
    development: pd.DataFrame | None = None,
    settings: EvaluationSettings | None = None,
    **options: Unpack[EvaluateOptions],
) -> EvaluationReport:
    """Evaluate scored rows: what `evaluate` finds, and beside it samples, decisions and, with attributes, fairness.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `evaluate` takes them; with ``event_month``, vintages; with ``decided``
        and ``reason``, overrides; with ``segment``, event rates by it.
    card, explanation, features
        As in `credit_model.evaluation.fairness_audit.audit_fairness`.
    attributes : DataFrame, optional
        What may only be audited, keyed by person. Never columns of ``frame``.
    development : DataFrame, optional
        ``subject_id, as_of, y`` of the rows the card was learned from, and optionally the rest of `describe_samples`.
    settings : EvaluationSettings, optional
        Cut-offs, programmes, performance window, settings of the audit.
    **options
        Further arguments of `evaluate`.

    Examples
    --------
    >>> import pandas as pd
    >>> people = [f"S{i:03}" for i in range(200)]
    >>> frame = pd.DataFrame({"subject_id": people, "as_of": "2025-04-01", "y": [1, 0, 0, 0] * 50,
    ...     "score": [640] * 100 + [800] * 100, "probability_of_bad": 0.25, "grade": ["D"] * 100 + ["A"] * 100})
    >>> beside = pd.DataFrame({"subject_id": people, "sex": ["F", "M"] * 100})
    >>> report = full_evaluation(frame, attributes=beside)
    >>> report.decisions.cutoffs[0].cutoff, report.fairness.attributes[0].name
    (800.0, 'sex')
    """
    settings = settings or EvaluationSettings()
    cutoffs = settings.cutoffs
    report = evaluate(frame, card=card, explanation=explanation, **options)
    samples = ({} if development is None else {"development": development}) | {"out_of_time": frame}
    data, decisions, fairness = describe_samples(samples, window_months=settings.window_months), None, None
    if cutoffs is None:
        cutoffs = list(card.profile.grade_cuts) if card is not None else _grade_cutoffs(frame)
    if cutoffs:
        others = dict(options.get("baselines") or {})
        if (challenger := options.get("challenger")) is not None:
            others["challenger"] = (challenger["label_en"], challenger["label_zh"])
        decisions = summarise_decisions(
            frame, card=card, cutoffs=cutoffs, others=others, programmes=settings.programmes
        )
    if attributes is not None and cutoffs:
        fairness = audit_fairness(
            frame, attributes, card=card, cutoffs=cutoffs, explanation=explanation, features=features,
            settings=settings.audit,
        )  # fmt: skip
    return report.with_sections(data=data, decisions=decisions, fairness=fairness)


def evaluate_file(
    rows: str | Path,
    *,
    attributes: str | Path | None = None,
    card: str | Path | None = None,
    cutoffs: Sequence[float] | None = None,
) -> EvaluationReport:
    """`full_evaluation` of scored rows in a file.

    Parameters
    ----------
    rows : path
        Parquet or CSV of scored rows; the card's features may stand among the columns, then reasons are counted too.
    attributes : path, optional
        Parquet or CSV keyed by ``subject_id``.
    card : path, optional
    cutoffs : sequence of float, optional

    Raises
    ------
    UserError
        A file cannot be read, or holds no scored rows.
    """
    frame, own_card, explanation = _read(rows), None, None
    if card is not None:
        from credit_model.scorecard.card import Card

        own_card = Card.load(card)
        if set(own_card.columns) <= set(frame.columns):
            explanation = own_card.explain(frame[list(own_card.columns)])
    beside = None if attributes is None else _read(attributes)
    return full_evaluation(
        frame, card=own_card, attributes=beside, explanation=explanation, settings=EvaluationSettings(cutoffs)
    )


def _read(path: str | Path) -> pd.DataFrame:
    import pandas as pd

    texts = dict.fromkeys(("subject_id", "grade", "reason", "segment"), str)
    try:
        frame = pd.read_csv(path, dtype=texts) if Path(path).suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"Cannot read {path}: {type(error).__name__}. Give a Parquet or CSV file.") from error
    if "reason" in frame:
        frame["reason"] = frame["reason"].fillna("")
    return frame


def _grade_cutoffs(frame: pd.DataFrame) -> list[float]:
    """Least score of each grade, the worst grade left out."""
    least = sorted(float(score) for score in frame.groupby("grade")["score"].min())
    return least[1:]
