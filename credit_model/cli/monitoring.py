"""The command that watches a card in use, for people and for schedulers.

In: a ledger, a card, its reference, a day. Out: alarms in words; exit code 3 where there is any.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credit_model.cli.options import AsJson, LedgerFolder, Model, say, working
from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from credit_model.monitoring.wording import Monitoring

commands = typer.Typer()
_MOVED = 3
_LANGUAGES = ("both", "en", "zh")


@commands.command(
    epilog="Example: credit-model monitor --ledger LEDGER  |  credit-model monitor --ledger LEDGER --model card.json "
    "--reference reference.json --as-of 2025-06-01 --json"
)
def monitor(
    ledger: LedgerFolder,
    model: Model = "models:/personal-credit@champion",
    reference: Annotated[
        Path | None, typer.Option(help="reference.json of the card's run; from the registry when not given.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The start of that day; today when not given.")
    ] = None,
    day_of_use: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Day whose law applies; today when not given.")
    ] = None,
    lang: Annotated[str, typer.Option(help="zh, en or both.")] = "both",
    as_json: AsJson = False,
) -> None:
    """Compare a day (today unless given) with the card's own reference; 3 where something has moved."""
    from credit_model.ledger.ledger import Ledger
    from credit_model.monitoring.monitor import monitor as watch
    from credit_model.monitoring.reference import Reference
    from credit_model.registry.reference import fetch_reference
    from credit_model.registry.versions import load_evaluator

    if lang not in _LANGUAGES:
        raise UserError(f"the monitor does not speak {lang!r}: choose one of {', '.join(_LANGUAGES)}.")
    store = Ledger.open(ledger)
    card = load_evaluator(model, ledger=store).card
    if reference is None and not model.startswith(("models:", "runs:")):
        raise UserError(f"{model} is a file: give the reference.json of its run with --reference.")
    frozen = Reference.load(fetch_reference(model) if reference is None else reference)
    with working("Comparing with the reference"):
        monitoring = watch(store, card, frozen, as_of or date.today(), day_of_use)
    say(monitoring.to_dict(), as_json, lambda console: _print(console, monitoring, lang))
    if monitoring.alarms:
        raise typer.Exit(_MOVED)


def _print(console: Console, monitoring: Monitoring, lang: str) -> None:
    from rich.text import Text

    from credit_model.monitoring.wording import quiet

    then, now = monitoring.stability.days_then, monitoring.stability.days_now
    console.print(
        Text(monitoring.card_id, "bold"),
        f", {', '.join(now)} beside {', '.join(then)}: "
        f"{monitoring.stability.people_now:,} and {monitoring.stability.people_then:,} people",
        sep="",
    )
    languages = [one for one in ("zh", "en") if lang in (one, "both")]
    for alarm in monitoring.alarms:
        for one in languages:
            console.print(Text("·", "bold"), getattr(alarm, f"text_{one}"))
    if not monitoring.alarms:
        for one in languages:
            console.print(quiet(one))
