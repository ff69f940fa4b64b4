"""Commands that prepare data: a synthetic population, a ledger, features.

In: folders and files. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from credit_model.cli.options import AsJson, DayOfUse, Definitions, RecordedAt, example, open_ledger, say, working
from credit_model.cli.printing import print_ingest, print_notices
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject

if TYPE_CHECKING:
    import pandas as pd


commands = typer.Typer()


@commands.command(epilog=example("credit-model synthesise data/generated/city --people 2000"))
def synthesise(
    folder: Annotated[Path, typer.Argument(help="Where the raw tables are written.")],
    profile: Annotated[str, typer.Option(help="R (realistic) or L (learnable).")] = "R",
    people: Annotated[int, typer.Option(help="Number of people.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 20261124,
    as_json: AsJson = False,
) -> None:
    """Make a synthetic city with a known true risk: raw tables to ingest, the truth in a separate folder."""
    from credit_model.synthetic.city import synthesise as generate

    with working(f"Making a city of {people:,} people"):
        city = generate(profile=profile, people=people, seed=seed)
        files = city.write(folder)
    rows = {"records": len(city.records), "amendments": len(city.amendments), "subjects": len(city.subjects)}
    value = {"folder": str(folder), "profile": profile, "people": people, "seed": seed, "rows": rows, "files": files}
    counts = ", ".join(f"{count:,} {table}" for table, count in rows.items())
    say(value, as_json, f"{counts} in {folder}; the true risk is in {folder / 'truth'}")


@commands.command(
    epilog=example(
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
    requested = load_catalogue(catalogue)
    store = Ledger.create(ledger, catalogue=requested, policy=policy or "tier", exist_ok=True)
    for option, differs in {
        "catalogue": catalogue is not None and store.catalogue != requested,
        "policy": policy is not None and store.policy != policy,
    }.items():
        if differs:
            raise UserError(
                f"{ledger} is a ledger already and keeps its {option}: leave out --{option}, or name a new folder."
            )
    with working("Ingesting") as step:
        report = store.ingest(
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
    refusal = ""
    try:
        check_refusals(f"ingest {ledger}", report.counts, limit, report.quarantine, advice)
    except RefusedRowsError as error:
        refusal = str(error)
        value |= {"error": refusal}
    say(value, as_json, lambda console: print_ingest(console, report))
    if refusal:
        if not as_json:
            typer.echo(f"error: {refusal}", err=True)
        raise typer.Exit(RefusedRowsError.exit_code)


@commands.command(epilog=example("credit-model catalogue", "credit-model catalogue own.toml --policy retention --json"))
def catalogue(
    file: Annotated[Path | None, typer.Argument(help="TOML; the package's own when not given.")] = None,
    policy: Annotated[str, typer.Option(help="Whose use windows: tier or retention.")] = "tier",
    day_of_use: DayOfUse = None,
    as_json: AsJson = False,
) -> None:
    """Tell the public which kinds of record are kept, of what degree, how long they are used and by what law."""
    from credit_model.catalogue.catalogue import load_catalogue
    from credit_model.catalogue.public_notice import kind_notices
    from credit_model.foundation.calendar import to_day

    source = load_catalogue(file)
    day = date.today() if day_of_use is None else date.fromisoformat(day_of_use)
    notices = kind_notices(source, policy, to_day(day))
    value: JsonObject = {
        "catalogue": source.name,
        "version": source.version,
        "policy": policy,
        "day": str(day),
        "kinds": [notice.to_dict() for notice in notices],
    }
    say(value, as_json, lambda console: print_notices(console, notices))


@commands.command(epilog=example("credit-model features data/generated/ledger observations.csv --out X.parquet"))
def features(
    ledger: Annotated[Path, typer.Argument(help="Folder of the ledger.")],
    observations: Annotated[Path, typer.Argument(help="Parquet or CSV with subject_id and as_of.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write; without .parquet, a folder of them, for a city.")],
    definitions: Definitions = None,
    day_of_use: DayOfUse = None,
    recorded_at: RecordedAt = None,
    as_json: AsJson = False,
) -> None:
    """Compute features as of dates: one row an observation, one column a feature."""
    from credit_model.features.build import UnknownSubjectsWarning, build_features

    store, rows = open_ledger(ledger, recorded_at), _read_observations(observations)
    with (
        warnings.catch_warnings(record=True, action="always", category=UnknownSubjectsWarning) as caught,
        working(f"Computing features of {len(rows):,} observations") as step,
    ):
        build_features(store, rows, features=definitions, out=out, day_of_use=day_of_use, progress=step)
    unknown = 0
    for warning in caught:
        if isinstance(warning.message, UnknownSubjectsWarning):
            unknown = warning.message.subjects
            typer.echo(f"warning: {str(warning.message).removeprefix('build_features: ')}", err=True)
        else:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
    value = {"observations": len(rows), "out": str(out), "unknown_subjects": unknown}
    say(value, as_json, f"{len(rows):,} observations described in {out}")


def _read_observations(path: Path) -> pd.DataFrame:
    """Read observations from a file."""
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {path}: {type(error).__name__}. Give a Parquet or CSV file of observations."
        ) from error
