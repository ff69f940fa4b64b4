"""Parts shared by the commands: options that mean the same everywhere, and the way a command answers.

In: a value and its words. Out: one object on stdout or text for people; progress on stderr.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credit_model.foundation.json_values import JsonObject

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from credit_model.ledger.ledger import Ledger

LedgerFolder = Annotated[Path, typer.Option("--ledger", "-l", help="Folder of the ledger.", metavar="FOLDER")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def read_day(text: str) -> str:
    """Return a date as typed; refuse anything else before any work."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is no date, write it like 2024-01-31.")


Day = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", parser=read_day, help="Observation date: the start of that day.")
]
DayOfUse = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", parser=read_day, help="Day whose law applies; today when not given.")
]
RequiredDay = Annotated[
    str, typer.Option("--as-of", metavar="YYYY-MM-DD", parser=read_day, help="Observation date: the start of that day.")
]
RecordedAt = Annotated[
    str | None,
    typer.Option(
        metavar="YYYY-MM-DD", parser=read_day, help="Without the rows that the ledger received after that day."
    ),
]
Definitions = Annotated[
    Path | None, typer.Option("--features", help="TOML of definitions; the default dictionary when not given.")
]
Model = Annotated[str, typer.Option(help="Registry URI, or path of a card.", metavar="URI")]


def example(*lines: str) -> str:
    """Return the last line of a command's help."""
    return "Example: " + "  |  ".join(lines)


def open_ledger(folder: Path, recorded_at: str | None) -> Ledger:
    """Open a ledger as it is now, or as it stood recorded at the end of a day."""
    from credit_model.ledger.ledger import Ledger

    ledger = Ledger.open(folder)
    return ledger if recorded_at is None else ledger.as_recorded_at(recorded_at)


def say(value: JsonObject, as_json: bool, human: str | Callable[[Console], None]) -> None:
    """Answer with one object on stdout, or with text for people."""
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, default=str, allow_nan=False))
    elif isinstance(human, str):
        typer.echo(human)
    else:
        console = plain_console()
        human(console if console.is_terminal else plain_console(width=160))


def plain_console(width: int | None = None) -> Console:
    """Return a console that prints text as it stands: ids such as ``[/]`` or ``:star:`` are data, never markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=width)


@contextmanager
def working(activity: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner with the elapsed time, on stderr and for people only; call the yielded function at each step."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(activity)
        yield lambda step: progress.update(task, description=step)


def print_table(console: Console, frame: pd.DataFrame) -> None:
    """Print a frame, with blanks for missing values."""
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in frame.columns:
        table.add_column(str(column), overflow="fold")
    # pandas keeps a missing value missing when a column becomes text, and a table takes nothing but text.
    for row in frame.astype(str).where(frame.notna(), "").itertuples(index=False):
        table.add_row(*row)
    console.print(table)
