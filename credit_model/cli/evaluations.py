"""Commands that run experiments and report on them.

In: experiment files, runs, evaluations. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from credit_model.cli.options import AsJson, example, say, working
from credit_model.cli.printing import print_comparison, print_run
from credit_model.foundation.errors import UserError

commands = typer.Typer()
Run = Annotated[str, typer.Argument(help="Folder of a run, TOML of its experiment, or its run id.", metavar="RUN")]


@commands.command(epilog=example("credit-model run experiments/sf_restaurants.toml"))
def run(
    experiment: Annotated[Path, typer.Argument(help="Experiment TOML.")],
    author: Annotated[
        str | None, typer.Option(help="Who answers for the card; the user's name when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train, judge and register a card as an experiment says; 3 if a gate did not pass."""
    from credit_model.experiments.pipeline import run as train

    with working("Reading the experiment") as step:
        result = train(
            experiment, author=author or os.environ.get("CREDIT_MODEL_AUTHOR") or getpass.getuser(), progress=step
        )
    say(asdict(result), as_json, lambda console: print_run(console, result))
    if result.failed_gates:
        raise typer.Exit(3)


@commands.command(
    epilog=example(
        "credit-model report reports/runs/made-city/evaluation.json --lang en --out report.html",
        "credit-model report scored.parquet --attributes audit.parquet --cutoff 795 --out report.html",
    )
)
def report(
    source: Annotated[
        str, typer.Argument(help="Run id, an evaluation's JSON, or scored rows (Parquet, CSV).", metavar="SOURCE")
    ],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    lang: Annotated[str, typer.Option(help="zh, en, or both with a switch.")] = "both",
    attributes: Annotated[
        Path | None, typer.Option(help="Of scored rows: what may only be audited, by subject_id.")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="Of scored rows: the card that scored them.")] = None,
    cutoff: Annotated[list[float] | None, typer.Option(help="Of scored rows: score from which to be eligible.")] = None,
    as_json: AsJson = False,
) -> None:
    """Render an evaluation as one self-contained page; evaluate scored rows first, their JSON beside the page."""
    from credit_model.evaluation.assembly import evaluate_file
    from credit_model.evaluation.evaluation import EvaluationReport
    from credit_model.reports.page import render_html

    path = Path(source)
    if path.suffix in (".parquet", ".csv"):
        with working("Evaluating"):
            evaluation = evaluate_file(path, attributes=attributes, card=card, cutoffs=cutoff)
            out.with_suffix(".json").write_text(evaluation.to_json(), encoding="utf-8")
            render_html(evaluation, out, lang=lang)
        value = {"report": str(out), "lang": lang, "evaluation": str(out.with_suffix(".json"))}
        return say(value, as_json, f"report in {out}, evaluation in {out.with_suffix('.json')}")
    if attributes or card or cutoff:
        raise UserError("--attributes, --card and --cutoff are for scored rows; give a .parquet or .csv file of them.")
    if not path.is_file():
        from credit_model.registry.runs import fetch_artifact

        path = fetch_artifact(source, "evaluation.json")
    with working("Rendering"):
        try:
            render_html(EvaluationReport.from_json(path.read_text(encoding="utf-8")), out, lang=lang)
        except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{path} cannot be rendered ({type(error).__name__}): it is not an evaluation of a run. Give the "
                "evaluation.json of a run."
            ) from error
    say({"report": str(out), "lang": lang}, as_json, f"report in {out}")


@commands.command(epilog=example("credit-model compare experiments/baseline.toml experiments/retention.toml"))
def compare(first: Run, second: Run, as_json: AsJson = False) -> None:
    """Compare two runs on the rows both were judged on: paired differences, second minus first."""
    from credit_model.evaluation.comparison import compare as compare_runs
    from credit_model.experiments.data_source import run_folder

    with working("Comparing"):
        folders = run_folder(first), run_folder(second)
        if folders[0].resolve() == folders[1].resolve():
            raise UserError(_same_run_message(first, second, folders[0]))
        comparison = compare_runs(*folders)
    say(comparison.to_dict(), as_json, lambda console: print_comparison(console, comparison))


def _same_run_message(first: str, second: str, folder: Path) -> str:
    """Say that both arguments name one run, and which others there are of the experiment."""
    from credit_model.experiments.data_source import other_runs

    others = ", ".join(map(str, other_runs(folder)))
    advice = f"Name another run of the experiment: {others}." if others else "Name two runs."
    return f"compare {first} and {second}: both name the run {folder.name}, which does not differ from itself. {advice}"
