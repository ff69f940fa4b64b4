"""The command that sets two runs side by side.

In: two runs, by folder, experiment or id. Out: paired differences as a table, or as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from credit_model.evaluation.comparison import Comparison

Run = Annotated[str, typer.Argument(help="Folder of a run, TOML of its experiment, or its run id.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def register(app: typer.Typer, say: Callable[..., None], working: Callable[[str], AbstractContextManager[Any]]) -> None:
    """Add the command to the others; ``say`` prints a value, ``working`` shows that something is being done."""

    @app.command(epilog="Example: credit-model compare experiments/baseline.toml experiments/retention.toml")
    def compare(first: Run, second: Run, as_json: AsJson = False) -> None:
        """Compare two runs on the rows both were judged on: paired differences, second minus first."""
        from credit_model.evaluation.comparison import compare as side_by_side
        from credit_model.experiments.data_source import run_folder

        with working("Comparing"):
            folders = run_folder(first), run_folder(second)
            if folders[0].resolve() == folders[1].resolve():
                raise UserError(_one_run(first, second, folders[0]))
            found = side_by_side(*folders)
        say(found.to_dict(), as_json, lambda console: _print(console, found))


def _one_run(first: str, second: str, folder: Path) -> str:
    """Say that both arguments name one run, and which others there are of the experiment."""
    from credit_model.experiments.data_source import other_runs

    others = ", ".join(map(str, other_runs(folder)))
    advice = f"Name another run of the experiment: {others}." if others else "Name two runs."
    return f"compare {first} and {second}: both name the run {folder.name}, which does not differ from itself. {advice}"


def _print(console: Console, found: Comparison) -> None:
    from rich.table import Table

    def told(estimate: Any, sign: str = "") -> str:
        if estimate.value is None:
            return "not measured"
        between = "" if estimate.low is None else f" ({estimate.low:{sign}.4f} to {estimate.high:{sign}.4f})"
        return f"{estimate.value:{sign}.4f}{between}"

    console.print(f"first   {found.first}: {found.characteristics[0]} characteristics")
    console.print(f"second  {found.second}: {found.characteristics[1]} characteristics")
    console.print(f"{found.rows:,} rows of {found.people:,} people, {found.bads:,} bad; {found.moved:.1%} change grade")
    table = Table(box=None, header_style="bold")
    for heading in ("", "measure", "first", "second", "second minus first", "better"):
        table.add_column(heading)
    for contest in found.contests:
        row = contest.segment.replace("_", " "), contest.measure.replace("_", " ")
        sides = told(contest.first), told(contest.second), told(contest.difference, "+")
        table.add_row(*row, *sides, contest.verdict)
    console.print(table)
    for place, (one, two) in found.settings.items():
        console.print(f"differs: {place}: {one} | {two}")
    console.print("95 % intervals, paired. Who chooses the better of the two has chosen on these rows.")
