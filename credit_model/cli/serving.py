"""The command that answers over HTTP, and keeps its query log.

In: a model, a ledger, a log. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from credit_model.cli.options import AsJson, example, say
from credit_model.foundation.errors import UserError

commands = typer.Typer()


@commands.command(
    epilog=example(
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
    from credit_model.service.settings import Deployment, load_settings

    options = load_settings(settings)
    if not (verify or purge or about):
        if model is None or ledger is None:
            raise UserError("nothing to serve: give MODEL_URI and --ledger, or one of --verify, --purge, --about.")
        from credit_model.service.http import serve as run_service

        announce = (lambda line: say({"service": line}, True, "")) if as_json else typer.echo
        deployment = Deployment(model, ledger, log, log_head, host, port, reload_seconds)
        return run_service(deployment, options, announce)
    query_log = QueryLog(log, log_head)
    if about:
        queries = query_log.about(about)
        return say(
            {"queries": queries}, as_json, "\n".join(json.dumps(q, ensure_ascii=False) for q in queries) or "none"
        )
    removed = query_log.purge(retention_years=options.retention_years) if purge else ()
    report = query_log.verify()
    months = f"{len(report.months)} months, {report.lines:,} entries" + (
        f"; removed {', '.join(removed)}" if removed else ""
    )
    faults = "; ".join(report.faults)
    say(asdict(report) | {"removed": removed}, as_json, f"{months}: " + (faults or "the log holds"))
    if report.faults:
        raise typer.Exit(3)
