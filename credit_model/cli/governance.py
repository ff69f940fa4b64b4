"""Commands that need an approver or an account: promotion, rollback, history, model card, forgetting a person.

In: versions, subjects, approvers, days. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credit_model.cli.options import AsJson, LedgerFolder, example, print_table, read_day, say, working
from credit_model.foundation.json_values import JsonObject

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from credit_model.registry.promotion import Promotion

commands = typer.Typer()

Alias = Annotated[str, typer.Option(help="Alias that points at the version in force.")]
Name = Annotated[str, typer.Option(help="Registered model.")]
Approver = Annotated[str, typer.Option(help="Who approves it; not its author.")]
MODEL = "personal-credit"


@commands.command(
    epilog=example(
        "credit-model promote 3 --approver 'Zhou Min'",
        "credit-model promote latest --approver 'Zhou Min' --impact-assessment assessment.pdf",
    )
)
def promote(
    version: Annotated[str, typer.Argument(help="Version of the registered model, or: latest.")],
    approver: Approver,
    alias: Alias = "champion",
    name: Name = MODEL,
    impact_assessment: Annotated[
        Path | None, typer.Option(help="File that is kept with the version; the history holds its digest.")
    ] = None,
    without_gates: Annotated[
        str, typer.Option(help="Why a version whose experiment declares no gates is approved.", metavar="REASON")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Put a version in force behind an alias, if its gates pass and somebody else than its author approves."""
    from credit_model.registry.promotion import promote as approve

    with working("Checking gates"):
        promotion = approve(
            version,
            approver=approver,
            alias=alias,
            name=name,
            without_gates=without_gates,
            impact_assessment=impact_assessment,
        )
    say(asdict(promotion), as_json, _in_force(promotion))


@commands.command(
    epilog=example(
        "credit-model rollback --approver 'Zhou Min' --reason 'wrong mapping of a source'",
        "credit-model rollback --to 2 --approver 'Zhou Min'",
    )
)
def rollback(
    approver: Approver,
    to: Annotated[
        int | None, typer.Option(help="An earlier version in force; the one before when not given.", metavar="VERSION")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; the history keeps it.")] = "",
    alias: Alias = "champion",
    name: Name = MODEL,
    as_json: AsJson = False,
) -> None:
    """Put a version back that was in force before."""
    from credit_model.registry.promotion import rollback as take_back

    with working("Rolling back"):
        promotion = take_back(approver=approver, to=to, reason=reason, alias=alias, name=name)
    say(asdict(promotion), as_json, _in_force(promotion))


@commands.command(epilog=example("credit-model history", "credit-model history --name personal-credit --json"))
def history(
    alias: Annotated[str | None, typer.Option(help="Only this alias.")] = None,
    name: Annotated[str | None, typer.Option(help="Only this registered model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show registrations, approvals and terms in force; 3 if the history does not hold."""
    from credit_model.registry.history import History

    log = History()
    report = log.verify()
    entries = [
        entry
        for entry in log.entries(report.head_lines)
        if name in (None, entry["model"]) and (alias is None or entry.get("alias") in (None, alias))
    ]
    value = {
        "history": str(log.path),
        "head": str(log.chain.head),
        "lines": report.lines,
        "known": report.head_lines,
        "holds": report.holds,
        "faults": report.faults,
        "entries": entries,
    }
    say(value, as_json, lambda console: _print_history(console, value))
    if report.faults:
        raise typer.Exit(3)


@commands.command(
    name="served-at",
    epilog=example("credit-model served-at 2026-05-01", "credit-model served-at 2026-05-01T08:00:00+08:00"),
)
def served_at(
    when: Annotated[str, typer.Argument(help="A day (UTC), or a moment.", metavar="WHEN")],
    alias: Alias = "champion",
    name: Name = MODEL,
    as_json: AsJson = False,
) -> None:
    """Show which versions were in force on a day, or which one at a moment."""
    from credit_model.registry.history import served_at as find

    terms = find(when, alias=alias, name=name)
    value = {"when": when, "name": name, "alias": alias, "terms": [asdict(term) for term in terms]}
    lines = [
        f"version {term.version} (card {term.card_digest[:12]}), by {term.how}, approved by {term.approver}, "
        f"since {_moment(term.since)}" + (f" until {_moment(term.until)}" if term.until else "")
        for term in terms
    ]
    say(value, as_json, "\n".join(lines) or "none")


@commands.command(
    epilog=example("credit-model card 1 --out reports/cards", "credit-model card latest --lang zh --json")
)
def card(
    version: Annotated[str, typer.Argument(help="Version of the registered model, or: latest.")],
    name: Name = MODEL,
    out: Annotated[Path, typer.Option(help="Folder of the page and its document.")] = Path("reports/cards"),
    lang: Annotated[str, typer.Option(help="zh, en or both.")] = "both",
    as_json: AsJson = False,
) -> None:
    """Write the model card of a version (Markdown), and beside it the document it is made from (JSON)."""
    from credit_model.evaluation.evaluation import EvaluationReport
    from credit_model.registry.promotion import load_evidence
    from credit_model.reports.model_card import ModelCard, render_model_card

    with working("Reading the evidence"):
        evidence = load_evidence(version, name=name)
        terms = [
            {
                "alias": term.alias,
                "approver": term.approver,
                "how": term.how,
                "since": term.since.isoformat(),
                "until": None if term.until is None else term.until.isoformat(),
            }
            for term in evidence.terms
        ]
        evaluation = EvaluationReport.from_dict(dict(evidence.evaluation))
        parts = (evidence.author, evidence.card, evaluation, evidence.evaluation_digest, evidence.gates)
        model_card = ModelCard(name, evidence.version, *parts, terms)
        text = render_model_card(model_card, lang)
        out.mkdir(parents=True, exist_ok=True)
        page, document = out / f"{model_card.stem}.md", out / f"{model_card.stem}.json"
        page.write_text(text, encoding="utf-8")
        document.write_text(model_card.to_json(), encoding="utf-8")
    say({"page": str(page), "document": str(document)}, as_json, f"page in {page}, made from {document}")


@commands.command(
    epilog=example("credit-model forget S000123 --ledger LEDGER --approver 'Zhou Min' --reason 'left the register'")
)
def forget(
    subject: Annotated[str, typer.Argument(help="Subject id (a pseudonym, never an ID number).")],
    ledger: LedgerFolder,
    approver: Annotated[str, typer.Option(help="Who approves it.")],
    reason: Annotated[str, typer.Option(help="Why; kept without the id.")],
    features: Annotated[
        list[Path] | None, typer.Option(help="Feature file to take the person's rows out of; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove a person from every table, quarantine, cache and feature file, and prove it; 3 if anything remains."""
    from credit_model.ledger.ledger import Ledger

    store = Ledger.open(ledger)
    with working("Removing and looking again"):
        report = store.forget(subject, reason=reason, approver=approver, files=features or ())
    rows = ", ".join(f"{count:,} {name}" for name, count in report.removed.items() if count) or "nothing left to remove"
    proof = f"still in {', '.join(report.remaining)}" if report.remaining else "in none"
    human = (
        f"removed: {rows}; {report.checked:,} files searched afterwards, {proof}\n{report.note_zh}\n{report.note_en}"
    )
    say(report.to_dict(), as_json, human)
    if not report.complete:
        raise typer.Exit(3)


@commands.command(epilog=example("credit-model expire LEDGER --on 2026-11-01 --approver 'Zhou Min'"))
def expire(
    ledger: Annotated[Path, typer.Argument(help="Folder of the ledger.")],
    on: Annotated[str, typer.Option(metavar="YYYY-MM-DD", parser=read_day, help="Past retention on this day.")],
    approver: Annotated[str, typer.Option(help="Who approves it.")],
    hold: Annotated[list[str] | None, typer.Option(help="Id of a record to keep; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Delete the adverse records past their retention, and prove it; 3 if anything remains."""
    from credit_model.ledger.ledger import Ledger

    store = Ledger.open(ledger)
    with working("Deleting and looking again"):
        report = store.expire(on, approver, holds=hold or ())
    rows = ", ".join(f"{count:,} {name}" for name, count in report.removed.items() if count) or "nothing"
    stay = ", ".join(f"{count:,} {reason}" for reason, count in report.skipped.items()) or "none"
    proof = f"still in {', '.join(report.remaining)}" if report.remaining else "in none"
    human = (
        f"deleted: {rows}; past retention and kept: {stay}; {report.checked:,} files searched afterwards, {proof}\n"
        f"{report.note_zh}\n{report.note_en}"
    )
    say(report.to_dict(), as_json, human)
    if not report.complete:
        raise typer.Exit(3)


@commands.command(epilog=example("credit-model watch LEDGER --on 2026-11-25"))
def watch(
    ledger: Annotated[Path, typer.Argument(help="Folder of the ledger.")],
    on: Annotated[str, typer.Option(metavar="YYYY-MM-DD", parser=read_day, help="Periods that ended before this day.")],
    calendar: Annotated[Path | None, typer.Option(help="TOML of working days; the package's own unless given.")] = None,
    as_json: AsJson = False,
) -> None:
    """List listings not removed and objections not answered in time; 3 if something is overdue."""
    from credit_model.catalogue.working_days import load_working_days
    from credit_model.ledger.ledger import Ledger

    findings = Ledger.open(ledger).watch(on, load_working_days(calendar))
    for name in ("since", "due_on"):
        findings[name] = findings[name].dt.strftime("%Y-%m-%d").astype(object).where(findings[name].notna(), None)
    overdue = int(findings["is_overdue"].sum())
    value = {"on": on, "overdue": overdue, "findings": findings.to_dict(orient="records")}
    nothing = f"nothing is late on {on}"
    say(value, as_json, (lambda console: print_table(console, findings)) if len(findings) else nothing)
    if overdue:
        raise typer.Exit(3)


def _in_force(result: Promotion) -> str:
    target, approval = f"models:/{result.name}@{result.alias}", f"approved by {result.approver}"
    if result.previous == result.version:
        return f"{target} is version {result.version} already, {approval}"
    before = f" (before: version {result.previous})" if result.previous else ""
    gates = f"; gates: {', '.join(check.name for check in result.checks)}" if result.checks else ""
    return f"{target} is now version {result.version}, {approval}{before}{gates}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _print_history(console: Console, value: JsonObject) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("at (UTC)", "model", "version", "what", "who", "card"):
        table.add_column(heading)
    for entry in value["entries"]:
        who = entry["author"] if entry["event"] == "registered" else entry["approver"]
        table.add_row(
            entry["at"][:19], entry["model"], str(entry["version"]), _event_text(entry), who, entry["card"][:12]
        )
    if value["entries"]:
        console.print(table)
    console.print(f"{value['history']}: {value['lines']} lines, " + ("; ".join(value["faults"]) or "it holds"))


def _event_text(entry: JsonObject) -> str:
    """Describe an event in words."""
    if entry["event"] == "registered":
        return f"registered, gates: {', '.join(entry['gates']) or 'none'}"
    if entry["event"] == "in_force":
        return f"in force as {entry['alias']}"
    ungated = f" without gates ({entry['without_gates']})" if entry.get("without_gates") else ""
    reason = f": {entry['reason']}" if entry.get("reason") else ""
    return f"{entry['how']} to {entry['alias']} approved{ungated}{reason}"
