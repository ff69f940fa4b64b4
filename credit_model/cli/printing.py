"""Output of the commands for people, where it is more than a line or a table.

In: a console, a value of the library. Out: text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from credit_model.assessment.assessment import Assessment, Reason
    from credit_model.catalogue.public_notice import KindNotice
    from credit_model.evaluation.comparison import Comparison
    from credit_model.experiments.result import RunResult
    from credit_model.ledger.ingest_report import IngestReport
    from credit_model.metrics.performance import Estimate

_STATUS_ZH = {"scored": "已评分", "insufficient_records": "记录不足", "not_eligible": "不予评分"}


def print_assessment(console: Console, subject: str, assessment: Assessment) -> None:
    """Print an assessment as the person reads it."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    summary = Table.grid(padding=(0, 2))
    when = f"{assessment.as_of} " + ("(now 实时)" if assessment.live else "")
    rows: list[tuple[str, str | Text]] = [
        ("Subject 对象", subject),
        ("As of 截至", when),
        ("Status 状态", f"{assessment.status} {_STATUS_ZH[assessment.status]}"),
    ]
    if assessment.score is not None:
        rows += [
            ("Score 评分", Text(str(assessment.score), "bold")),
            ("Grade 等级", Text(str(assessment.grade), "bold")),
            ("Probability 概率", f"{assessment.probability_of_bad:.2%}"),
        ]
    for row in rows:
        summary.add_row(*row)
    console.print(Panel(summary, title="Public credit evaluation 公共信用评价", expand=False))
    console.print(assessment.explanation_zh)
    console.print(assessment.explanation_en)
    _print_reasons(console, "Reasons 扣分原因", assessment.reasons)
    _print_reasons(console, "In favour 加分项", assessment.positives)
    for status in assessment.statutory_status:
        line = f": {status.label_zh} {status.label_en}, {status.record_id}"
        line += f", {status.authority_zh} {status.authority_en}" if status.authority_zh else ""
        line += f", 至 until {status.ends_on}" if status.ends_on else ""
        line += ", 异议中 disputed" if status.disputed else ""
        console.print(Text("Statutory status 法定状态", "bold"), line, sep="")
    console.print(
        "\n对记录或评价有异议的，可向信用主管部门提出异议；已履行义务的，可申请信用修复。\n"
        "You may object to a record or to this evaluation, and ask for repair of what you have made good.",
        style="dim",
    )


def _print_reasons(console: Console, title: str, reasons: Sequence[Reason]) -> None:
    from rich.table import Table

    if not reasons:
        return
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for heading in ("", "points", "reason", "records", "may change on"):
        table.add_column(heading, justify="right" if heading == "points" else "left")
    for reason in reasons:
        change = "-" if reason.earliest_change_on is None else str(reason.earliest_change_on)
        text = f"{reason.text_zh}\n{reason.text_en}"
        table.add_row(reason.code, f"{reason.points:+d}", text, "\n".join(reason.record_ids), change)
    console.print(table)


def print_notices(console: Console, notices: Sequence[KindNotice]) -> None:
    """Print what the public is told of each kind of record."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 1, 0))
    for heading in ("信息 record", "程度 degree", "生效 final", "使用 used", "修复 repair", "依据 law"):
        table.add_column(heading, overflow="fold")
    for notice in notices:
        texts = (notice.act, notice.degree, notice.final, notice.use, notice.repair)
        table.add_row(*("\n".join(text) for text in texts), "\n".join(notice.grounds))
    console.print(table)


def print_run(console: Console, result: RunResult) -> None:
    """Print the result of a run, its performance, and the next step."""
    from rich.table import Table
    from rich.text import Text

    version = f"version {result.version}" if result.version is not None else "not registered: it may only be explored"
    console.print(Text(result.experiment, "bold"), f": {result.model}, {version}, card {result.card_id}", sep="")
    console.print(f"run {result.run_id}")
    table = Table(box=None, header_style="bold")
    for heading in ("out of time", "value", "95 % interval", "attainable"):
        table.add_column(heading, justify="left" if heading == "out of time" else "right")
    for name, (value, low, high) in result.figures.items():
        attainable = result.attainable if name == "soft_gini" else None
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        cells = (
            "not measured" if value is None else f"{value:.3f}",
            interval,
            f"{attainable:.3f}" if attainable else "",
        )
        table.add_row(name.replace("_", " "), *cells)
    console.print(table if result.figures else "too few bads out of time to measure anything")
    console.print(f"features from {result.definitions}")
    for warning in result.warnings:
        console.print(f"warning: {warning}")
    console.print(f"gates: {result.gates}")
    for gate in result.failed_gates:
        console.print(Text("gate failed", "bold"), f": {gate}", sep="")
    for name, reason in result.gates_not_judged.items():
        console.print(f"gate judged at promotion: {name}: {reason}")
    if result.ingest is not None:
        console.print(f"raw rows: {result.ingest}")
        for reason, rows in result.ingest.rejected.items():
            console.print(f"{rows:,} refused: {reason}")
        if result.ingest.quarantine is not None:
            console.print(f"refused rows are in {result.ingest.quarantine}")
    console.print(f"ledger {result.ledger}")
    console.print(f"report {result.report}")
    if result.version is not None and not result.failed_gates:
        reason = "" if result.gates_declared else " --without-gates REASON"
        console.print(f"next: credit-model promote {result.version} --approver NAME --name {result.model}{reason}")


def print_ingest(console: Console, report: IngestReport) -> None:
    """Print the counts of accepted, known and refused rows."""
    excluded = f", {report.excluded:,} excluded by the mapping" if report.excluded else ""
    console.print(f"{report.read:,} rows read, {report.rejected_rows:,} refused{excluded}")
    console.print(f"{report.accepted:,} rows accepted, {report.duplicates:,} known already")
    for reason, rows in report.rejected.items():
        console.print(f"{rows:,} refused: {reason}")
    if report.quarantine is not None:
        console.print(f"refused rows are in {report.quarantine}")
    for warning in report.warnings:
        console.print(f"warning: {warning}")
        for place in warning.rows[:3]:
            console.print(f"  {place}")


def print_comparison(console: Console, result: Comparison) -> None:
    """Print the paired differences of two runs."""
    from rich.table import Table

    def text(estimate: Estimate, sign: str = "") -> str:
        if estimate.value is None:
            return "not measured"
        interval = "" if estimate.low is None else f" ({estimate.low:{sign}.4f} to {estimate.high:{sign}.4f})"
        return f"{estimate.value:{sign}.4f}{interval}"

    console.print(f"first   {result.first}: {result.characteristics[0]} characteristics")
    console.print(f"second  {result.second}: {result.characteristics[1]} characteristics")
    console.print(
        f"{result.rows:,} rows of {result.people:,} people, {result.bads:,} bad; {result.moved:.1%} change grade"
    )
    table = Table(box=None, header_style="bold")
    for heading in ("", "measure", "first", "second", "second minus first", "better"):
        table.add_column(heading, overflow="fold")
    for contest in result.contests:
        row = contest.segment.replace("_", " "), contest.measure.replace("_", " ")
        sides = text(contest.first), text(contest.second), text(contest.difference, "+")
        table.add_row(*row, *sides, contest.verdict)
    console.print(table)
    for place, (one, two) in result.settings.items():
        console.print(f"differs: {place}: {one} | {two}")
    console.print("95 % intervals, paired. Who chooses the better of the two has chosen on these rows.")
