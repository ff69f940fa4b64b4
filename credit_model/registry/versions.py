"""Versions of registered models: from a registry URI to an evaluator.

A card is used only if it is the one that was registered, a version behind an alias only if the history promoted it.

In: a URI. Out: an :class:`~credit_model.assessment.evaluator.Evaluator`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from credit_model.assessment.evaluator import Evaluator
from credit_model.foundation.errors import UserError
from credit_model.registry.history import History
from credit_model.registry.store import RegistryError, connected, tracking_uri
from credit_model.scorecard.loader import open_card

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from credit_model.ledger.ledger import Ledger
    from credit_model.scorecard.card import Card

DEFAULT_MODEL = "personal-credit"
_MODEL_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_RUN_URI = re.compile(r"runs:/(?P<run>[^/]+)(?:/.*)?")


class AliasError(RegistryError):
    """An alias that points at a version which no promotion put there."""


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
    AliasError
        The alias was set past the gates.
    HistoryError
        The history of promotions does not hold.
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
        if model is not None and model["alias"] is not None:
            model_version = _in_force(client, model["name"], model["alias"])
        elif model is not None:
            model_version = version_of(client, model["name"], version=model["version"])
        else:
            candidates = client.search_model_versions(f"run_id = '{run['run']}'") if run else []
            if not candidates:
                raise RegistryError(
                    f"cannot load {text!r}: no registered version came from that run in {tracking_uri()}. "
                    "See the run id printed by `credit-model run`."
                )
            model_version = candidates[0]
        card = verified_card(model_version)
        return Evaluator(card, ledger=ledger, source=text, version=int(model_version.version))


def champion(name: str, alias: str = "champion") -> Evaluator | None:
    """Return the card in force behind an alias; None where nothing was promoted there yet."""
    if not History().read().terms(name, alias):
        return None
    return load_evaluator(f"models:/{name}@{alias}")


def alias_of(client: MlflowClient, name: str, alias: str) -> int | None:
    """Return the version an alias points at in the store, whoever set it."""
    aliases = client.get_registered_model(name).aliases
    return int(aliases[alias]) if alias in aliases else None


def _in_force(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    """Return the version behind an alias; refuse one that the history did not promote there."""
    history = History()
    for attempt in (1, 2, 3):  # somebody may promote between one look and the other
        view = history.read()
        model_version = version_of(client, name, alias=alias)
        last, pending = view.terms(name, alias)[-1:], view.pending_approval(name, alias)
        approved = {(term.version, term.card_digest) for term in last}
        if pending is not None:  # killed before the effect was written: both versions passed the gates
            approved.add((pending["version"], pending["card"]))
        registered = view.registration(name, int(model_version.version))
        if registered is not None and (int(model_version.version), registered["card"]) in approved:
            break
        if attempt == 3:
            says = f"version {last[0].version}, approved by {last[0].approver}" if last else "no promotion"
            raise AliasError(
                f"models:/{name}@{alias} points at version {model_version.version}, which no promotion put there: "
                f"the history {history.path} knows {says}. Use "
                f"`credit-model promote VERSION --alias {alias} --approver NAME`; where "
                "promotions are recorded elsewhere, set CREDIT_MODEL_HISTORY and CREDIT_MODEL_HEADS."
            )
    return model_version


def version_of(client: MlflowClient, name: str, alias: str | None = None, version: str | None = None) -> ModelVersion:
    """Return the version behind an alias or a number; say what the registry holds where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        model = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        names = ", ".join(sorted(other.name for other in client.search_registered_models())) or "none"
        raise RegistryError(
            f"no model {name!r} is registered in {tracking_uri()} (registered: {names}). Register one with "
            "`credit-model run`."
        ) from None
    if alias is not None:
        version = model.aliases.get(alias)
        if version is None:
            aliases = ", ".join(sorted(model.aliases)) or "none"
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
        versions = sorted(int(other.version) for other in client.search_model_versions(f"name = '{name}'"))
        raise RegistryError(
            f"model {name!r} has no version {version} (versions: {', '.join(map(str, versions)) or 'none'})."
        ) from None


def verified_card(version: ModelVersion) -> Card:
    """Return the card of a version; refuse any but the very card that was registered."""
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}"))
    described = f"version {version.version} of {version.name!r}"
    try:
        card = open_card(folder / "data" / "card")
    except UserError as error:
        raise RegistryError(f"{described} cannot be used: {error}") from error
    registered = History().read().registration(version.name, int(version.version)) or {}
    for expected in (version.tags.get("card_digest", "none"), registered.get("card", card.digest)):
        if card.digest != expected:
            raise RegistryError(
                f"{described} cannot be used: its card has digest {card.digest[:12]}, registered was {expected[:12]}. "
                "The file was altered; register the card anew."
            )
    return card
