"""Commands about one person: an assessment, and the records behind a feature.

In: a subject, a ledger, a day. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from credit_model.cli.options import (
    AsJson,
    Day,
    DayOfUse,
    Definitions,
    LedgerFolder,
    Model,
    RecordedAt,
    RequiredDay,
    example,
    open_ledger,
    print_table,
    say,
    working,
)  # fmt: skip
from credit_model.cli.printing import print_assessment

if TYPE_CHECKING:
    from rich.console import Console


commands = typer.Typer()


@commands.command(
    epilog=example(
        "credit-model assess S000123 --ledger data/generated/ledger --model models:/personal-credit@champion"
    )
)
def assess(
    subject: Annotated[str, typer.Argument(help="Subject id (a pseudonym, never an ID number).")],
    ledger: LedgerFolder,
    model: Model = "models:/personal-credit@champion",
    as_of: Day = None,
    purpose: Annotated[str, typer.Option(help="What the assessment is for.")] = "self_query",
    authorisation: Annotated[str | None, typer.Option(help="Reference of the authorisation.")] = None,
    day_of_use: DayOfUse = None,
    recorded_at: RecordedAt = None,
    as_json: AsJson = False,
) -> None:
    """Assess one person: status, score, grade, reasons; without --as-of, on everything known by now."""
    from credit_model.registry.versions import load_evaluator

    with working("Assessing"):
        assessment = load_evaluator(model, ledger=open_ledger(ledger, recorded_at)).assess(
            subject, as_of, purpose=purpose, authorisation=authorisation, day_of_use=day_of_use
        )
    say(assessment.to_dict(), as_json, lambda console: print_assessment(console, subject, assessment))


@commands.command(
    epilog=example(
        "credit-model explain S000123 --ledger data/generated/ledger --as-of 2026-11-01 --feature adverse_general_24m"
    )
)
def explain(
    subject: Annotated[str, typer.Argument(help="Subject id.")],
    ledger: LedgerFolder,
    feature: Annotated[str, typer.Option(help="Name of the feature.")],
    as_of: RequiredDay,
    definitions: Definitions = None,
    day_of_use: DayOfUse = None,
    as_json: AsJson = False,
) -> None:
    """Show a feature's value, the records behind it, and those left out with the ground."""
    from credit_model.catalogue.subject_ids import subject_id
    from credit_model.features.subject_features import explain_feature
    from credit_model.ledger.ledger import Ledger

    subject = subject_id(subject)
    explanation = explain_feature(
        Ledger.open(ledger), subject, as_of, feature, features=definitions, day_of_use=day_of_use
    )
    value = {
        "subject_id": subject,
        "as_of": as_of,
        "feature": feature,
        "value": explanation.value,
        "sentence_zh": explanation.sentence_zh,
        "sentence_en": explanation.sentence_en,
        "records": json.loads(explanation.rows.to_json(orient="records", date_format="iso", date_unit="s")),
    }

    def show(console: Console) -> None:
        console.print(f"{feature} = {explanation.value}. {explanation.sentence}")
        print_table(console, explanation.rows)

    say(value, as_json, show)
