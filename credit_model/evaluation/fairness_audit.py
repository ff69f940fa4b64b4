"""The audit of a card by group: how well it ranks and predicts, whom each cut-off leaves out, and for what reasons.

In: the scored rows an evaluation takes, and a frame of attributes keyed by person. Out: a `Fairness`, a plain value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.fairness_cutoffs import LIMITS, Cutoff, Grouping, cutoffs_of, groupings, label
from credit_model.evaluation.fairness_rates import Proxy, SourceRate, screen_proxies
from credit_model.evaluation.scored_rows import Sample, distinct, sample_of, term_texts
from credit_model.evaluation.tables import Counts, counts_of, reasons_by_row, with_second
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import frame_of
from credit_model.metrics.calibration import calibration_line, observed_to_expected, observed_to_expected_limit
from credit_model.metrics.performance import SMALLEST_CELL, UNDEFINED, Estimate, auc
from credit_model.metrics.shares import Groups, gap_estimate, ratio_estimate, share_estimate

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card


@dataclass(frozen=True)
class GroupAudit:
    """One group: who it is, how the card ranks and predicts it, and what its people are told.

    Attributes
    ----------
    name, label_en, label_zh : str
    counts : Counts
    measures : dict of str to Estimate
        ``auc, slope, observed_to_expected, mean_score_gap`` (points, against the reference) and ``base_rate_ratio``.
    mean_true_risk : float or None
        Of a synthetic city.
    reasons : dict of str to Estimate
        Share of the group told each reason, by code; in older documents the share alone.
    """

    name: str
    label_en: str
    label_zh: str
    counts: Counts
    measures: dict[str, Estimate]
    mean_true_risk: float | None
    reasons: Mapping[str, Estimate | float | None]


@dataclass(frozen=True)
class AttributeAudit:
    """One attribute: its groups, most people first; the first is the reference unless another was named."""

    name: str
    label_en: str
    label_zh: str
    reference: str
    groups: tuple[GroupAudit, ...]
    cutoffs: tuple[Cutoff, ...]
    proxies: tuple[Proxy, ...]


@dataclass(frozen=True)
class Finding:
    """Something a person has to look at: ``eligibility, slope, level, base_rate, proxy`` or ``source``.

    ``feature_en`` and ``feature_zh`` are those of a proxy.
    """

    kind: str
    attribute: str
    group: str
    cutoff: float | None
    value: Estimate
    feature_en: str = ""
    feature_zh: str = ""


@dataclass(frozen=True)
class ReasonText:
    """A reason somebody is told, by its code."""

    code: str
    text_en: str
    text_zh: str


@dataclass(frozen=True)
class Fairness:
    """The audit of one card on one sample.

    Attributes
    ----------
    attributes : tuple of AttributeAudit
    findings : tuple of Finding
        Empty where nothing was found; that is no proof that there is nothing.
    reasons : tuple of ReasonText
        The reasons of the groups' mixes, most frequent first.
    sources : tuple of SourceRate
        Events by the authority that reported them, where known.
    limits : dict
        What findings were held against.
    """

    attributes: tuple[AttributeAudit, ...]
    findings: tuple[Finding, ...]
    reasons: tuple[ReasonText, ...] = ()
    sources: tuple[SourceRate, ...] = ()
    limits: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(LIMITS))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a group at a cut-off of an attribute."""
        import pandas as pd

        tables = {
            (attribute.name, cutoff.cutoff): frame_of(cutoff.groups)
            for attribute in self.attributes
            for cutoff in attribute.cutoffs
        }
        return pd.concat(tables, names=["attribute", "cutoff"]).reset_index(["attribute", "cutoff"])


@dataclass(frozen=True)
class AuditSettings:
    """Settings of an audit by group: texts, reference groups, labels, rates by source.

    Attributes
    ----------
    texts : mapping of str to (code, text_en, text_zh)
        Of features that are not in the card.
    references : mapping of str to str
        Reference group of an attribute; its largest group unless given. Never chosen by outcome.
    labels : mapping of str to (str, str)
        English and Chinese of attributes and groups.
    enforced : sequence of str
        Attributes by which authorities work, so that a base rate apart from the others may be one of inspection.
    sources : sequence of SourceRate
        From `source_rates`.
    """

    texts: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    enforced: Sequence[str] = ("district",)
    sources: Sequence[SourceRate] = ()


@dataclass(frozen=True, eq=False)
class _Mix:
    """Reasons of each row, and a matrix of who has which."""

    texts: tuple[ReasonText, ...]
    is_reason: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _AuditRows:
    """What every attribute is audited on."""

    sample: Sample
    cuts: Sequence[float]
    mix: _Mix | None
    features: pd.DataFrame | None  # of the last row of each person
    texts: Mapping[str, tuple[str, str, str]]
    labels: Mapping[str, tuple[str, str]]


def audit_fairness(
    frame: pd.DataFrame,
    attributes: pd.DataFrame,
    *,
    card: Card | None = None,
    cutoffs: Sequence[float] | None = None,
    explanation: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
    settings: AuditSettings | None = None,
) -> Fairness:
    """Audit a card on scored rows by attributes that stand beside them.

    Parameters
    ----------
    frame : DataFrame
        Scored rows as `evaluate` takes them.
    attributes : DataFrame
        One row a person (``subject_id`` as column or index; with ``as_of``, one a person and date), one column an
        attribute. Who is not on it, or has no value, is a group of its own;
        an attribute that nobody has is left out. A column of ``frame`` is refused here.
    card : Card, optional
        Its grade cuts are the cut-offs, and its labels the texts of reasons and features.
    cutoffs : sequence of float, optional
        Scores from which somebody is eligible for an incentive; the card's grade cuts unless given.
    explanation : DataFrame, optional
        ``card.explain(X)`` of the same rows in the same order: the mix of reasons by group.
    features : DataFrame, optional
        Features of the same rows in the same order, screened as proxies beside the score itself.
    settings : AuditSettings, optional
        Texts, reference groups, labels, rates by source.

    Returns
    -------
    Fairness

    Raises
    ------
    UserError
        Faults of the frame or the attributes; no cut-off.

    Notes
    -----
    Groups of fewer than 10 people, or with 1 or 2 bads, are left blank, a second one with a single blank, and a
    cut-off within so few people of the one before. Intervals of gaps and ratios take groups as different people.

    Examples
    --------
    >>> import pandas as pd
    >>> people = [f"S{i:03}" for i in range(400)]
    >>> frame = pd.DataFrame({"subject_id": people, "as_of": "2025-04-01", "y": [1, 0, 0, 0] * 100,
    ...     "score": [700, 800] * 100 + [800] * 200, "probability_of_bad": 0.25, "grade": "A"})
    >>> beside = pd.DataFrame({"subject_id": people, "sex": ["F"] * 200 + ["M"] * 200})
    >>> audit = audit_fairness(frame, beside, cutoffs=[750], settings=AuditSettings(references={"sex": "M"}))
    >>> audit.attributes[0].cutoffs[0].groups[0].ratio.value, audit.findings[0].kind
    (0.5, 'eligibility')
    """
    settings = settings or AuditSettings()
    sample = sample_of(frame, [])
    for name, table in (("explanation", explanation), ("features", features)):
        if table is not None and len(table) != len(frame):
            raise UserError(f"The {name} has {len(table)} rows, the scored frame {len(frame)}: give the same rows.")
    if cutoffs is None and card is None:
        raise UserError("Cannot audit eligibility: give cutoffs, or the card whose grade cuts they are.")
    cuts = list(card.profile.grade_cuts) if cutoffs is None and card is not None else list(cutoffs or ())
    texts = {**settings.texts, **({} if card is None else term_texts(card))}
    mix = None if explanation is None else _mix(sample, explanation, texts)
    rows = _AuditRows(sample, sorted(cuts), mix, _screened(sample, features), texts, settings.labels)
    audits = []
    for grouping in groupings(frame, attributes, sample.order):
        reference = settings.references.get(grouping.name, grouping.names[0])
        if len(grouping.names) < 2 and grouping.name not in settings.references:
            continue
        if reference not in grouping.names:
            raise UserError(f"Attribute {grouping.name!r} has no group {reference!r}: {', '.join(grouping.names)}.")
        audits.append(_audit_attribute(rows, grouping, reference))
    findings = tuple(f for audit in audits for f in _findings(audit, settings.enforced))
    findings += tuple(Finding("source", "source", s.source, None, s.ratio) for s in settings.sources if s.flagged)
    return Fairness(tuple(audits), findings, () if mix is None else mix.texts, tuple(settings.sources))


def _mix(sample: Sample, explanation: pd.DataFrame, texts_by_name: Mapping[str, tuple[str, str, str]]) -> _Mix:
    """Who is told what, most frequent reasons first; reasons with too few people are left out altogether."""
    names, _, is_reason, _ = reasons_by_row(explanation, sample.order)
    people = {j: distinct(sample.subject[is_reason[:, j]]) for j in range(len(names))}
    by_count = sorted((j for j in people if people[j] >= SMALLEST_CELL), key=lambda j: (-people[j], names[j]))
    texts = tuple(ReasonText(*texts_by_name.get(names[j], (names[j],) * 3)) for j in by_count)
    return _Mix(texts, is_reason[:, by_count])


def _screened(sample: Sample, features: pd.DataFrame | None) -> pd.DataFrame | None:
    """Features and score of the last row of each person, so that nobody counts twice."""
    if features is None:
        return None
    last = np.append(sample.subject[1:] != sample.subject[:-1], True)
    rows: pd.DataFrame = features.iloc[sample.order[last]].reset_index(drop=True)
    return rows.assign(score=sample.score[last])


def _audit_attribute(rows: _AuditRows, grouping: Grouping, reference: str) -> AttributeAudit:
    sample, labels = rows.sample, rows.labels
    names, at = grouping.names, grouping.names.index(reference)
    parts = [sample.where(grouping.code == i) for i in range(len(names))]
    counts = counts_of(parts, sample)
    groups = Groups(grouping.code, len(names), sample.weight, sample.people)
    score, bad = groups.shares(sample.score), groups.shares(sample.y)
    reason_shares = _reason_shares(rows.mix, sample, grouping, groups, counts)
    audits = []
    for i, (name, part, count) in enumerate(zip(names, parts, counts, strict=True)):
        measures = {} if count.hidden else _measures(part)
        if not count.hidden and not counts[at].hidden:
            measures["mean_score_gap"] = gap_estimate(score, i, at, most=np.inf)
            measures["base_rate_ratio"] = ratio_estimate(bad, i, at)
        risk = part.true_risk
        true_risk = None if risk is None or count.hidden else float(np.average(risk, weights=part.weight))
        audits.append(GroupAudit(name, *label(name, labels), count, measures, true_risk, reason_shares[i]))
    proxies: tuple[Proxy, ...] = ()
    if rows.features is not None:
        last = np.append(sample.subject[1:] != sample.subject[:-1], True)
        texts = {"score": ("score", "The score itself", "得分本身"), **rows.texts}
        member = np.array(names, object)[grouping.code[last]]
        proxies = screen_proxies(rows.features, member, texts=texts, limits=LIMITS["proxy"])
    usable = [cut for cut in rows.cuts if min((sample.score < cut).sum(), (sample.score >= cut).sum()) >= SMALLEST_CELL]
    return AttributeAudit(
        grouping.name, *label(grouping.name, labels), reference, tuple(audits),
        cutoffs_of(sample, grouping, groups, counts, at, usable), proxies,
    )  # fmt: skip


def _measures(part: Sample) -> dict[str, Estimate]:
    how: dict[str, Any] = {"weight": part.weight, "subject": part.people}
    return {
        "auc": auc(part.y, -part.score, **how),
        "slope": calibration_line(part.y, part.probability, **how).slope,
        "observed_to_expected": observed_to_expected(part.y, part.probability, **how),
    }


def _reason_shares(
    mix: _Mix | None, sample: Sample, grouping: Grouping, groups: Groups, counts: Sequence[Counts]
) -> list[dict[str, Estimate]]:
    """Share of each group told each reason; few people are blank, and with a single blank a second one."""
    shares_by_group: list[dict[str, Estimate]] = [{} for _ in grouping.names]
    for j, reason in enumerate(() if mix is None else mix.texts):
        assert mix is not None
        who = mix.is_reason[:, j]
        people = [distinct(sample.subject[who & (grouping.code == i)]) for i in range(len(counts))]
        small = [
            count.hidden == "all" or any(0 < n < SMALLEST_CELL for n in (affected, (count.people or 0) - affected))
            for affected, count in zip(people, counts, strict=True)
        ]
        shares = groups.shares(who)
        for i, is_hidden in enumerate(with_second(small, people)):
            shares_by_group[i][reason.code] = UNDEFINED if is_hidden else share_estimate(shares, i)
    return shares_by_group


def _findings(audit: AttributeAudit, enforced: Sequence[str]) -> list[Finding]:
    findings = [
        Finding("eligibility", audit.name, row.group, cut.cutoff, row.ratio)
        for cut in audit.cutoffs
        for row in cut.groups
        if row.verdict in ("below", "above")
    ]
    for group in audit.groups:
        if (slope := group.measures.get("slope")) is not None and _outside(slope, *LIMITS["slope"]):
            findings.append(Finding("slope", audit.name, group.name, None, slope))
        level = group.measures.get("observed_to_expected")
        if level is not None and group.counts.bads is not None:
            reach = observed_to_expected_limit(group.counts.bads)
            off = level.value is not None and abs(level.value - 1) > reach
            if off and _outside(level, 1.0, 1.0):
                findings.append(Finding("level", audit.name, group.name, None, level))
        ratio = group.measures.get("base_rate_ratio")
        if audit.name in enforced and ratio is not None and _outside(ratio, *LIMITS["base_rate_ratio"]):
            findings.append(Finding("base_rate", audit.name, group.name, None, ratio))
    findings += [
        Finding("proxy", audit.name, p.group, None, p.auc, p.text_en, p.text_zh) for p in audit.proxies if p.flagged
    ]
    return findings


def _outside(estimate: Estimate, low: float, high: float) -> bool:
    """Whether the whole interval lies outside two limits."""
    return estimate.low is not None and estimate.high is not None and (estimate.high < low or estimate.low > high)
