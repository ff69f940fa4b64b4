"""The door for hands: every step of the walk as one command.

Each command does what one call of the library does and prints its result, for people or, with ``--json``, as one
object on stdout. Progress goes to stderr. A mistake of the caller is one line on stderr (with ``--json``
``{"error": ...}`` on stdout) and exit code 2, a gate that says no is 3, a fault of ours is 1.

In: folders, files, registry URIs.
Out: text or JSON on stdout, an exit code.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from credit_model.cli import comparing, governance, monitoring, printing, upgrading
from credit_model.cli.options import AsJson, Day, DayOfUse, LedgerFolder, Model, RequiredDay
from credit_model.cli.options import example as _example
from credit_model.cli.options import print_table as _print_table
from credit_model.cli.options import say as _say
from credit_model.cli.options import working as _working
from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import missing_extra

app = typer.Typer(
    name="credit-model",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Personal credit evaluation from public credit records: from raw records to a registered, explained card.",
)

_INTERRUPTED = 130  # as shells do
_REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR,
    errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE,
)  # fmt: skip


@app.command(epilog=_example("credit-model synthesise data/generated/city --people 2000"))
def synthesise(
    folder: Annotated[Path, typer.Argument(help="Where the raw tables are written.")],
    profile: Annotated[str, typer.Option(help="R (realistic) or L (learnable).")] = "R",
    people: Annotated[int, typer.Option(help="Number of people.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 20261124,
    as_json: AsJson = False,
) -> None:
    """Make a city with a known true risk: raw tables to ingest, the truth in a folder apart."""
    from credit_model.synthetic.city import synthesise as make

    with _working(f"Making a city of {people:,} people"):
        city = make(profile=profile, people=people, seed=seed)
        files = city.write(folder)
    made = {"records": len(city.records), "amendments": len(city.amendments), "subjects": len(city.subjects)}
    value = {"folder": str(folder), "profile": profile, "people": people, "seed": seed, "rows": made, "files": files}
    counts = ", ".join(f"{rows:,} {table}" for table, rows in made.items())
    _say(value, as_json, f"{counts} in {folder}; the true risk is apart, in {folder / 'truth'}")


@app.command(
    epilog=_example(
        "credit-model ingest data/generated/ledger --records city/records.parquet --amendments city/amendments.parquet "
        "--subjects city/subjects.parquet"
    )
)
def ingest(
    ledger: Annotated[Path, typer.Argument(help="Folder of the ledger; made when new.")],
    records: Annotated[list[Path] | None, typer.Option(help="Parquet or CSV; may be repeated.")] = None,
    amendments: Annotated[list[Path] | None, typer.Option(help="Parquet or CSV; may be repeated.")] = None,
    subjects: Annotated[list[Path] | None, typer.Option(help="Parquet or CSV; may be repeated.")] = None,
    audit: Annotated[list[Path] | None, typer.Option(help="Attributes that may only be audited.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML: raw columns to kinds, dates, facts.")] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="TOML, for a new ledger; the package's own when not given.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Use windows of a new ledger: tier (unless given) or retention.")
    ] = None,
    max_rejected: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of rows that may be refused (0.001); above it, 3.", metavar="SHARE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add raw rows to a ledger; what cannot be accepted goes to quarantine with every reason; 3 if it is too much."""
    from credit_model.catalogue.catalogue import load_catalogue
    from credit_model.ledger.ingest_report import MAX_REJECTED_SHARE, RefusedRowsError, check_refusals
    from credit_model.ledger.ledger import Ledger

    if not (records or amendments or subjects or audit):
        raise UserError("nothing to ingest: give at least one of --records, --amendments, --subjects, --audit.")
    given = load_catalogue(catalogue)
    opened = Ledger.create(ledger, catalogue=given, policy=policy or "tier", exist_ok=True)
    for option, differs in {
        "catalogue": catalogue is not None and opened.catalogue != given,
        "policy": policy is not None and opened.policy != policy,
    }.items():
        if differs:
            raise UserError(
                f"{ledger} is a ledger already and keeps its {option}: leave out --{option}, or name a new folder."
            )
    with _working("Ingesting") as step:
        report = opened.ingest(
            records=records,
            amendments=amendments,
            subjects=subjects,
            audit=audit,
            mapping=mapping,
            progress=lambda table, rows: step(f"Ingesting {table}: {rows:,} rows"),
        )
    limit = MAX_REJECTED_SHARE if max_rejected is None else max_rejected
    value = report.to_dict() | {"max_rejected_share": limit}
    advice = (
        f"What was accepted stays: the {report.accepted:,} accepted rows are in the ledger. Mend the refused rows and "
        "ingest them again, or, if they are rightly refused, allow for them with --max-rejected {share}."
    )
    refused = ""
    try:
        check_refusals(f"ingest {ledger}", report.counts, limit, report.quarantine, advice)
    except RefusedRowsError as error:
        refused = str(error)
        value |= {"error": refused}
    _say(value, as_json, lambda console: printing.print_ingest(console, report))
    if refused:
        if not as_json:
            typer.echo(f"error: {refused}", err=True)
        raise typer.Exit(RefusedRowsError.exit_code)


@app.command(epilog=_example("credit-model features data/generated/ledger observations.csv --out X.parquet"))
def features(
    ledger: Annotated[Path, typer.Argument(help="Folder of the ledger.")],
    observations: Annotated[Path, typer.Argument(help="Parquet or CSV with subject_id and as_of.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write; without .parquet, a folder of them, for a city.")],
    definitions: Annotated[
        Path | None, typer.Option("--features", help="TOML of definitions; the default dictionary when not given.")
    ] = None,
    day_of_use: DayOfUse = None,
    as_json: AsJson = False,
) -> None:
    """Describe people as of dates: one row an observation, one column a feature."""
    from credit_model.features.build import UnknownSubjectsWarning, build_features
    from credit_model.ledger.ledger import Ledger

    opened, rows = Ledger.open(ledger), _table(observations)
    with (
        warnings.catch_warnings(record=True, action="always", category=UnknownSubjectsWarning) as caught,
        _working(f"Computing features of {len(rows):,} observations") as step,
    ):
        build_features(opened, rows, features=definitions, out=out, day_of_use=day_of_use, progress=step)
    unknown = 0
    for warning in caught:
        if isinstance(warning.message, UnknownSubjectsWarning):
            unknown = warning.message.subjects
            typer.echo(f"warning: {str(warning.message).removeprefix('build_features: ')}", err=True)
        else:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
    value = {"observations": len(rows), "out": str(out), "unknown_subjects": unknown}
    _say(value, as_json, f"{len(rows):,} observations described in {out}")


@app.command(epilog=_example("credit-model run experiments/sf_restaurants.toml"))
def run(
    experiment: Annotated[Path, typer.Argument(help="Experiment TOML.")],
    author: Annotated[
        str | None, typer.Option(help="Who answers for the card; the user's name when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train, judge and register a card as an experiment says; 3 if a gate said no."""
    from credit_model.experiments.pipeline import run as train

    with _working("Reading the experiment") as step:
        result = train(experiment, author=author or _user(), progress=step)
    _say(asdict(result), as_json, lambda console: printing.print_run(console, result))
    if result.failed_gates:
        raise typer.Exit(3)


app.registered_commands += governance.commands.registered_commands
app.registered_commands += upgrading.commands.registered_commands


@app.command(
    epilog=_example(
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
    as_json: AsJson = False,
) -> None:
    """Assess one person: status, score, grade, reasons; without --as-of, on everything known by now."""
    from credit_model.ledger.ledger import Ledger
    from credit_model.registry.versions import load_evaluator

    opened = Ledger.open(ledger)
    with _working("Assessing"):
        assessment = load_evaluator(model, ledger=opened).assess(
            subject, as_of, purpose=purpose, authorisation=authorisation, day_of_use=day_of_use
        )
    _say(assessment.to_dict(), as_json, lambda console: printing.print_assessment(console, subject, assessment))


@app.command(
    epilog=_example(
        "credit-model explain S000123 --ledger data/generated/ledger --as-of 2026-11-01 --feature adverse_general_24m"
    )
)
def explain(
    subject: Annotated[str, typer.Argument(help="Subject id.")],
    ledger: LedgerFolder,
    feature: Annotated[str, typer.Option(help="Name of the feature.")],
    as_of: RequiredDay,
    definitions: Annotated[
        Path | None, typer.Option("--features", help="TOML of definitions; the default dictionary when not given.")
    ] = None,
    day_of_use: DayOfUse = None,
    as_json: AsJson = False,
) -> None:
    """Show a feature's value, which records made it, and which were left out on what ground."""
    from credit_model.catalogue.subject_ids import subject_id
    from credit_model.features.build import explain_feature
    from credit_model.ledger.ledger import Ledger

    subject = subject_id(subject)
    trail = explain_feature(Ledger.open(ledger), subject, as_of, feature, features=definitions, day_of_use=day_of_use)
    value = {
        "subject_id": subject,
        "as_of": as_of,
        "feature": feature,
        **{str(said): beside for said, beside in trail.attrs.items()},
        "records": json.loads(trail.to_json(orient="records", date_format="iso", date_unit="s")),
    }

    def show(console: Any) -> None:
        console.print(f"{feature} = {value['value']}. {value['sentence_en']}")
        _print_table(console, trail)

    _say(value, as_json, show)


@app.command(
    epilog=_example(
        "credit-model serve models:/personal-credit@champion --ledger LEDGER --log LOG --log-head ELSEWHERE/head",
        "credit-model serve --verify --log LOG --log-head ELSEWHERE/head",
    )
)
def serve(
    log: Annotated[Path, typer.Option(help="Folder of the query log.", metavar="FOLDER")],
    log_head: Annotated[Path, typer.Option(help="File that knows where the log ends; not in its folder.")],
    model: Annotated[str | None, typer.Argument(help="Registry URI, or path of a card.", metavar="MODEL_URI")] = None,
    ledger: Annotated[Path | None, typer.Option("--ledger", "-l", help="Folder of the ledger.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any that is free.")] = 8000,
    reload_seconds: Annotated[float, typer.Option(min=0.05, help="How often the alias is looked up.")] = 5.0,
    settings: Annotated[Path | None, typer.Option(help="TOML: limits, retention, callers.", metavar="TOML")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Verify the log instead; 3 if it does not hold.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Remove months of the log past retention instead.")] = False,
    about: Annotated[str | None, typer.Option(help="List the queries about one person instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer over HTTP until told to stop; every query is in the log before it is answered."""
    from credit_model.service.query_log import QueryLog
    from credit_model.service.settings import load_settings

    chosen = load_settings(settings)
    if not (verify or purge or about):
        if model is None or ledger is None:
            raise UserError("nothing to serve: give MODEL_URI and --ledger, or one of --verify, --purge, --about.")
        from credit_model.service.http import serve as run_service

        say = (lambda line: _say({"service": line}, True, "")) if as_json else typer.echo
        return run_service(
            model, ledger, log, log_head, host=host, port=port, reload_seconds=reload_seconds, settings=chosen, say=say
        )
    kept = QueryLog(log, log_head)
    if about:
        found = kept.about(about)
        return _say({"queries": found}, as_json, "\n".join(json.dumps(q, ensure_ascii=False) for q in found) or "none")
    removed = kept.purge(retention_years=chosen.retention_years) if purge else ()
    report = kept.verify()
    months = f"{len(report.months)} months, {report.lines:,} entries" + (
        f"; removed {', '.join(removed)}" if removed else ""
    )
    faults = "; ".join(report.faults)
    _say(asdict(report) | {"removed": removed}, as_json, f"{months}: " + (faults or "the log holds"))
    if report.faults:
        raise typer.Exit(3)


@app.command(
    epilog=_example(
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
        with _working("Evaluating"):
            evaluation = evaluate_file(path, attributes=attributes, card=card, cutoffs=cutoff)
            out.with_suffix(".json").write_text(evaluation.to_json(), encoding="utf-8")
            render_html(evaluation, out, lang=lang)
        value = {"report": str(out), "lang": lang, "evaluation": str(out.with_suffix(".json"))}
        return _say(value, as_json, f"report in {out}, evaluation in {out.with_suffix('.json')}")
    if attributes or card or cutoff:
        raise UserError("--attributes, --card and --cutoff are for scored rows; give a .parquet or .csv file of them.")
    if not path.is_file():
        from credit_model.registry.runs import fetch_artifact

        path = fetch_artifact(source, "evaluation.json")
    with _working("Rendering"):
        try:
            render_html(EvaluationReport.from_json(path.read_text(encoding="utf-8")), out, lang=lang)
        except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{path} cannot be rendered ({type(error).__name__}): it is no evaluation as a run leaves it. Give the "
                "evaluation.json of a run."
            ) from error
    _say({"report": str(out), "lang": lang}, as_json, f"report in {out}")


app.registered_commands += monitoring.commands.registered_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 2 (the caller's mistake), 3 (a gate says no) or 1 (ours)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    usage_error: Any = typer.BadParameter.__base__  # click's UsageError, whichever click typer brings along
    try:
        code = app(args=given, prog_name="credit-model", standalone_mode=False) or 0
        line = "interrupted." if code == _INTERRUPTED else ""
    except ImportError as error:
        missing = missing_extra(error, " ".join(["credit-model", *given[:1]]))
        if missing is None and os.environ.get("CREDIT_MODEL_TRACEBACK"):
            raise
        line, code = _unforeseen(error) if missing is None else (str(missing), 2)
    except UserError as error:
        line, code = str(error), getattr(error, "exit_code", 2)
    except usage_error as error:
        line, code = _usage(error), 2
    except (KeyboardInterrupt, typer.Abort):
        line, code = "interrupted.", _INTERRUPTED
    except Exception as error:
        if os.environ.get("CREDIT_MODEL_TRACEBACK"):
            raise
        line, code = _unforeseen(error)
    if line:
        line, as_json = " ".join(line.split()), "--json" in given
        typer.echo(json.dumps({"error": line}, ensure_ascii=False) if as_json else f"error: {line}", err=not as_json)
    return int(code)


def _unforeseen(error: Exception) -> tuple[str, int]:
    """What the machine refuses is the caller's to mend; anything else is a fault of ours."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        where = f" ({error.filename})" if error.filename else ""
        return (
            f"the machine refused: {error.strerror}{where}. Make room or give the right to it and run the same command "
            "again; what was finished is kept."
        ), 2
    # The message of an unforeseen error may hold a person's values: name the kind of error only.
    kind = type(error).__name__
    return f"a fault of ours ({kind}). Run it again with CREDIT_MODEL_TRACEBACK=1 and report it.", 1


def _usage(error: Any) -> str:
    """One line for what click would print on several; empty where the help was shown instead."""
    said = error.format_message().rstrip(".")
    return f"{said}. See `{error.ctx.command_path if error.ctx else 'credit-model'} --help`." if said else ""


def _user() -> str:
    import getpass

    return os.environ.get("CREDIT_MODEL_AUTHOR") or getpass.getuser()


def _table(path: Path) -> Any:
    """Observations from a file."""
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {path}: {type(error).__name__}. Give a Parquet or CSV file of observations."
        ) from error


comparing.register(app, _say, _working)
