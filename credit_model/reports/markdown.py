"""The short Markdown page of an evaluation, for a tracking server or a commit.

In: an `EvaluationReport`. Out: Markdown, in English.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.gates import GateVerdict
from credit_model.evaluation.measures import MEASURES
from credit_model.metrics.performance import Estimate
from credit_model.reports.gate_texts import gate_label, headline, part_label
from credit_model.texts.words import Words, format_number


def cell(value: float | None, kind: str) -> str:
    """Return a number as text, or a dash where there is none."""
    return "–" if value is None else format_number(value, kind)


def estimate_cell(estimate: Estimate | None, kind: str) -> str:
    """Return a value with its interval as text."""
    if estimate is None or estimate.value is None:
        return "–"
    value = format_number(estimate.value, kind)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({format_number(estimate.low, kind)} – {format_number(estimate.high, kind)})"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Return a blank line and the lines of a table; the first columns are texts, the others numbers."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return ["", *(markdown_row(*line) for line in lines)]


def markdown_row(*cells: str) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(text.replace('|', '/') for text in cells)} |"


def render_markdown(report: EvaluationReport) -> str:
    """Write an evaluation as a short Markdown page.

    Examples
    --------
    >>> print(render_markdown(EvaluationReport(context={"experiment": "made-city"})).splitlines()[0])
    # made-city
    """
    words = Words("en")

    def text(key: str) -> str:
        return words.plain(words(key))

    context = report.context
    lines = [f"# {context.get('experiment') or text('page.untitled')}", "", str(context.get("question", ""))]
    lines += ["", words.plain(headline(words, report).sentence)]
    lines += ["", text("page.made_city")] if context.get("made_city") else []
    if "ingest" in context:
        ingest = context["ingest"]
        counts = {name: cell(ingest[name], "count") for name in ("read", "accepted", "duplicates", "rejected_rows")}
        shares = {name: cell(ingest[name], "share") for name in ("rejected_share", "max_rejected_share")}
        lines += ["", words.plain(words("sample.raw_rows_counts", **counts, **shares))]
        if ingest.get("excluded"):
            lines += ["", words.plain(words("sample.raw_rows_excluded", rows=cell(ingest["excluded"], "count")))]
    lines += markdown_table(
        [text("ranking.measure"), *(text("segment." + name) for name in report.segments)],
        [
            [
                text("measure." + name),
                *(estimate_cell(s.measures.get(name), measure.form) for s in report.segments.values()),
            ]
            for name, measure in MEASURES.items()
            if any(name in segment.measures for segment in report.segments.values())
        ],
    )
    if (order := report.severity_order) is not None:
        pairs, violations = (cell(count, "count") for count in (order.pairs, order.violations))
        lines += ["", words.plain(words("severity.order", pairs=pairs, violations=violations))]
    for challenger in report.challengers:
        gain = challenger.segments["all"].minus_card.get("auc", Estimate(None, None, None))
        ends = {"gain": cell(gain.value, "gini"), "low": cell(gain.low, "gini"), "high": cell(gain.high, "gini")}
        lines += ["", words.plain(words(f"challenger.{challenger.verdict}", **ends))]
    lines += markdown_table(
        [text(f"gates.{key}") for key in ("name", "value", "limit", "verdict")],
        [row for verdict in report.gate_verdicts for row in _gate_rows(words, verdict)],
    )
    lines += markdown_table(
        [text(f"calibration.{key}") for key in ("grade", "people", "bads", "bad_rate", "mean_probability", "p_value")],
        [
            [
                grade.grade,
                cell(grade.counts.people, "count"),
                cell(grade.counts.bads, "count"),
                cell(grade.counts.bad_rate, "share"),
                cell(grade.counts.mean_probability, "share"),
                cell(grade.p_value_holm, "p"),
            ]
            for grade in report.grades
        ],
    )
    lines += ["", f"{text('limits.use')}", "", f"{text('provenance.evaluation')}: `{report.digest}`"]
    return "\n".join(lines) + "\n"


def _gate_rows(words: Words, verdict: GateVerdict) -> list[list[str]]:
    """Return a row for each value compared with the limit, or one that says why there is none."""
    label = words.plain(gate_label(words, verdict.name))
    if not verdict.checks:
        return [[label, "–", "–", words.plain(words("gates.pending", reason=verdict.reason_en))]]
    rows = []
    for check in verdict.checks:
        whom = words.plain(part_label(words, verdict.part(check)))
        name = f"{label} ({whom})" if whom else label
        rows.append([name, check.value, check.limit, words.plain(words(f"page.{_CHIPS[check.passed]}"))])
    return rows


_CHIPS = {True: "passed", False: "failed"}
