"""One evaluation of everything: performance, samples, decisions and fairness of the same scored rows.

In: scored rows, what stands beside them, and what only the caller knows. Out: an `EvaluationReport`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from credit_model.evaluation.decisions import Programme, summarise_decisions
from credit_model.evaluation.evaluation import EvaluateOptions, EvaluationReport, evaluate
from credit_model.evaluation.fairness_audit import AuditSettings, audit_fairness
from credit_model.evaluation.samples import describe_samples
from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card


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
