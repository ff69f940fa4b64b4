"""Versions of registered models: how one is promoted, and the way from a URI to an evaluator.

Promotion refuses a version whose gates did not pass, and an author who would approve their own work. A card is used
only if it is the very card that was registered.

In: a version and an approver, or a URI. Out: a promotion, an :class:`~credit_model.assessment.Evaluator`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_model import UserError
from credit_model.assessment import Evaluator
from credit_model.registry.store import RegistryError, connected, tracking_uri
from credit_model.serving import open_card

if TYPE_CHECKING:
    from credit_model.records import Ledger
    from credit_model.scorecard import Card

DEFAULT_MODEL = "personal-credit"
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_RUN_URI = re.compile(r"runs:/(?P<run>[^/]+)(?:/.*)?")


class ApprovalError(UserError):
    """A promotion without an approver, or approved by its own author."""


class GateError(UserError):
    """A version that did not pass a gate declared by its experiment; the command line leaves with 3."""

    exit_code = 3


@dataclass(frozen=True)
class Promotion:
    """What a promotion did: the alias now points at ``version``; before, at ``previous``."""

    name: str
    version: int
    alias: str
    author: str
    approver: str
    card_digest: str
    previous: int | None


def promote(version: int | str, *, approver: str, alias: str = "champion", name: str = DEFAULT_MODEL) -> Promotion:
    """Point an alias at a version (or at the ``latest``), if its gates passed and not its author approves.

    Raises
    ------
    ApprovalError
        No approver, or the author approving.
    GateError
        A gate did not pass; the message gives value and limit.
    RegistryError
        No such version, or its card is not the one that was registered.
    """
    approver = approver.strip()
    if not approver:
        raise ApprovalError(
            f"cannot promote version {version} of {name!r}: no approver is named. Name the person who approves it."
        )
    with connected(must_exist=True) as client:
        found = _version(client, name, version=str(version))
        version, tags = found.version, found.tags
        if "author" not in tags or "gates" not in tags:
            raise RegistryError(
                f"cannot promote version {version} of {name!r}: it was not registered by credit_model (no author or "
                "gates in its tags). Register it with `credit-model run`."
            )
        if approver.casefold() == tags["author"].casefold():
            raise ApprovalError(
                f"cannot promote version {version} of {name!r}: {approver} made it and cannot approve it too. "
                "Ask a second person."
            )
        failed = tuple(_said(gate) for gate in json.loads(tags["gates"]) if not gate["passed"])
        if failed:
            raise GateError(
                f"version {version} of {name!r} (card {tags['card_digest'][:12]}) may not be promoted: "
                f"{'; '.join(failed)}. Mend the card and register it anew; a gate is not overruled.",
                failed,
            )
        _verified_card(found)
        previous = next((int(v) for a, v in client.get_registered_model(name).aliases.items() if a == alias), None)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for tag, value in ((f"{alias}_approver", approver), (f"{alias}_since", now)):
            _agreed(partial(client.set_model_version_tag, name, found.version, tag, value))
        _agreed(partial(client.set_registered_model_alias, name, alias, found.version))  # last: this takes effect
    return Promotion(name, int(found.version), alias, tags["author"], approver, tags["card_digest"], previous)


def _agreed(write: Callable[[], Any]) -> None:
    """Write once more where somebody else wrote the same at the same moment: MLflow inserts what it saw missing."""
    from mlflow.exceptions import MlflowException

    try:
        write()
    except MlflowException:
        write()


def load_evaluator(source: str | Path, ledger: Ledger | None = None) -> Evaluator:
    """Open the card behind a registry URI or a path, ready to assess.

    Parameters
    ----------
    source : str or path
        ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``runs:/RUN_ID`` (the version registered from that run), or a
        card file or its folder; a path needs no MLflow.
    ledger : Ledger, optional
        Where assessed people's records are; may be given to ``assess`` instead.

    Raises
    ------
    RegistryError
        The registry cannot be reached, holds no such model, or its card is not the one that was registered.
    """
    text = str(source)
    if not text.startswith(("models:", "runs:")):
        return Evaluator(open_card(source), ledger=ledger, source=text)
    model, run = _MODEL_URI.fullmatch(text), _RUN_URI.fullmatch(text)
    if model is None and run is None:
        raise RegistryError(
            f"cannot load {text!r}: a registry URI reads models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID."
        )
    with connected(must_exist=True) as client:
        if model is not None:
            found = _version(client, model["name"], alias=model["alias"], version=model["version"])
        else:
            made = client.search_model_versions(f"run_id = '{run['run']}'") if run else []
            if not made:
                raise RegistryError(
                    f"cannot load {text!r}: no registered version came from that run in {tracking_uri()}. "
                    "See the run id printed by `credit-model run`."
                )
            found = made[0]
        return Evaluator(_verified_card(found), ledger=ledger, source=text, version=int(found.version))


def _version(client: Any, name: str, alias: str | None = None, version: str | None = None) -> Any:
    """The version behind an alias or a number, or one line on what the registry holds instead."""
    from mlflow.exceptions import MlflowException

    try:
        held = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        names = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
        raise RegistryError(
            f"no model {name!r} is registered in {tracking_uri()} (registered: {names}). Register one with "
            "`credit-model run`."
        ) from None
    if alias is not None:
        version = held.aliases.get(alias)
        if version is None:
            aliases = ", ".join(sorted(held.aliases)) or "none"
            raise RegistryError(
                f"model {name!r} has no alias {alias!r} (aliases: {aliases}). Set it with "
                f"`credit-model promote VERSION --alias {alias} --approver NAME`."
            )
    if version == "latest":
        version = str(max((int(v.version) for v in client.search_model_versions(f"name = '{name}'")), default=version))
    try:
        return client.get_model_version(name, str(version))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        versions = sorted(int(made.version) for made in client.search_model_versions(f"name = '{name}'"))
        raise RegistryError(
            f"model {name!r} has no version {version} (versions: {', '.join(map(str, versions)) or 'none'})."
        ) from None


def _verified_card(version: Any) -> Card:
    """The card of a version, refused unless it is the very card that was registered."""
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}"))
    described = f"version {version.version} of {version.name!r}"
    try:
        card = open_card(folder / "data" / "card")
    except UserError as error:
        raise RegistryError(f"{described} cannot be used: {error}") from error
    if card.digest != version.tags.get("card_digest"):
        raise RegistryError(
            f"{described} cannot be used: its card has digest {card.digest[:12]}, registered was "
            f"{version.tags.get('card_digest', 'none')[:12]}. The file was altered; register the card anew."
        )
    return card


def _said(gate: Mapping[str, Any]) -> str:
    """A failed gate in words: what was measured, and the limit."""
    found = "was not measured" if gate["value"] is None else f"is {gate['value']:.4g}"
    low, high = gate["low"], gate["high"]
    limit = f"at least {low:g}" if high is None else f"at most {high:g}" if low is None else f"{low:g} to {high:g}"
    return f"{gate['name']} ({gate['segment']}) {found}, limit {limit}"
