"""The command that brings what version 1 left up to this version.

In: the MLflow store in use. Out: as every command (see `credit_model.cli.main`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from credit_model.cli.options import AsJson, example, say, working

commands = typer.Typer()


@commands.command(epilog=example("credit-model upgrade --name personal-credit"))
def upgrade(
    name: Annotated[str, typer.Option(help="Registered model.")] = "personal-credit", as_json: AsJson = False
) -> None:
    """Let MLflow load the versions that version 1 registered; cards, ledgers and history need no upgrade."""
    from credit_model.registry.upgrade import upgrade as run_upgrade

    with working("Looking through the versions"):
        versions = run_upgrade(name)
    text = f"upgraded: version {', '.join(versions)} of {name}" if versions else f"nothing to upgrade in {name}"
    say({"name": name, "versions": list(versions)}, as_json, text)
