"""Promote a version behind an alias, or roll the alias back.

Promotion checks the gates against the evidence recorded with the version, requires a second person, writes the approval
into the history, moves the alias, and writes that it is in force. After a kill anywhere, the same command finishes.

In: a version and an approver. Out: a :class:`Promotion`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from credit_model.evaluation.gates import Check, Evidence, check
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.registry.history import Entry, History, HistoryView, Term
from credit_model.registry.store import RegistryError, connected
from credit_model.registry.versions import DEFAULT_MODEL, alias_of, verified_card, version_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from credit_model.scorecard.card import Card

EVALUATION: Final = "evaluation.json"
_ASSESSMENTS: Final = "impact_assessment"  # folder of the run


class ApprovalError(UserError):
    """A promotion without an approver, by its own author, or without gates and without a reason for that."""


class WordingError(UserError):
    """A card whose reasons could not be said to a person: a label in one language, or a reason code, is absent."""


class GateError(UserError):
    """A version that did not pass a gate; the command line leaves with 3."""

    exit_code = 3


@dataclass(frozen=True)
class VersionEvidence:
    """A version with its evidence, verified; the model card is made from it."""

    name: str
    version: int
    author: str
    card: Card
    evaluation: JsonObject
    evaluation_digest: str
    gates: JsonObject
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Promotion:
    """The result of a promotion or a rollback: the alias now points at ``version``; before, at ``previous``.

    ``checks`` are the gates with their results; ``without_gates`` says why there were none.
    """

    name: str
    version: int
    alias: str
    author: str
    approver: str
    card_digest: str
    previous: int | None
    checks: tuple[Check, ...] = field(default=(), compare=False)
    without_gates: str = ""


def promote(
    version: int | str,
    *,
    approver: str,
    alias: str = "champion",
    name: str = DEFAULT_MODEL,
    without_gates: str = "",
    impact_assessment: str | Path | None = None,
) -> Promotion:
    """Put a version (or the ``latest``) in force behind an alias, if its gates pass and a second person approves.

    Parameters
    ----------
    version : int or str
    approver : str
        Who approves it; not its author.
    without_gates : str
        Why a version whose experiment declares no gates is approved all the same; goes into the history.
    impact_assessment : path, optional
        A file that is kept with the version's run; the history holds its digest.

    Raises
    ------
    ApprovalError
        No approver, or the author approving, or no gates and no reason for that.
    WordingError
        A feature of the card without labels in both languages or a reason code; every one is named.
    GateError
        A gate did not pass, or the evaluation is not the one that was registered; the message gives value, limit and
        the digest of the data.
    RegistryError
        No such version, or its card is not the one that was registered.
    HistoryError
        The history does not hold.
    """
    approver = _approver_name(approver, f"promote version {version} of {name!r}")
    document = _read(impact_assessment)
    with connected(must_exist=True) as client:
        model_version = version_of(client, name, version=str(version))
        history = History()
        with history.lock() as view:
            registered = _registration(view, model_version, history)
            _second_person(approver, registered, f"promote version {model_version.version} of {name!r}")
            card = verified_card(model_version)
            before, view = view, _finish_pending(client, history, view, name, alias)
            last = view.terms(name, alias)[-1:]
            is_in_force = last and (last[0].version, last[0].card_digest) == (int(model_version.version), card.digest)
            if is_in_force and view.pending_approval(name, alias) is None:
                client.set_registered_model_alias(name, alias, model_version.version)  # whoever moved it meanwhile
                return _promotion(view, registered, alias, changed=view is not before)
            _check_wording(card, registered)
            declared = _declared(registered, without_gates)
            assessment = _attach(client, registered["run_id"], document)
            files = _files(client, registered["run_id"])
            evaluation = _evaluation(client, registered, files)
            evidence = Evidence(card, evaluation, files, assessment, last[0].card_digest if last else "")
            checks = check(declared, evidence)
            _refuse(checks, registered)
            approval = {
                "how": "promotion",
                "evaluation": registered["evaluation"],
                "data": registered["data"],
                "gates": [asdict(one) for one in checks],
            }
            approval |= {"without_gates": without_gates.strip()} if not declared else {}
            approval |= {"impact_assessment": assessment} if assessment else {}
            view = _put_in_force(client, history, view, registered, alias, approver, approval)
            return _promotion(view, registered, alias)


def rollback(
    *, approver: str, to: int | None = None, reason: str = "", alias: str = "champion", name: str = DEFAULT_MODEL
) -> Promotion:
    """Put the version in force before back behind an alias, or an earlier one.

    Its gates passed when it was promoted and are not asked again; its card must be the one that was registered. A
    version that was rolled back from is never returned to: it has to be promoted again.

    Parameters
    ----------
    approver : str
        Not the author of the version returned to.
    to : int, optional
        An earlier version; with it the same command may be repeated without going further back.
    reason : str
        Goes into the history.

    Raises
    ------
    ApprovalError
        No approver, or the author approving.
    RegistryError
        Nothing to go back to.
    """
    approver = _approver_name(approver, f"roll {name}@{alias} back")
    with connected(must_exist=True) as client:
        history = History()
        with history.lock() as view:
            pending = view.pending_approval(name, alias)
            again = pending is not None and (pending["how"], pending["approver"]) == ("rollback", approver)
            view = _finish_pending(client, history, view, name, alias)
            terms, targets = view.terms(name, alias), view.rollback_targets(name, alias)
            if again and pending is not None and view.pending_approval(name, alias) is None:  # it had taken effect
                to = pending["version"]
            if to is not None and terms and terms[-1].version == to:
                model_version = version_of(client, name, version=str(to))
                registered = _registration(view, model_version, history)
                client.set_registered_model_alias(name, alias, model_version.version)
                return _promotion(view, registered, alias)
            target = next((term for term in reversed(targets) if to in (None, term.version)), None)
            if target is None:
                available = ", ".join(str(term.version) for term in targets) or "none"
                request = "" if to is None else f" to version {to}"
                raise RegistryError(
                    f"cannot roll {name}@{alias} back{request}: versions in force before the present one: {available}. "
                    "Promote the version you want with `credit-model promote`."
                )
            model_version = version_of(client, name, version=str(target.version))
            registered = _registration(view, model_version, history)
            _second_person(approver, registered, f"roll {name}@{alias} back to version {model_version.version}")
            verified_card(model_version)
            approval = {"how": "rollback", "from": terms[-1].version} | ({"reason": reason} if reason else {})
            view = _put_in_force(client, history, view, registered, alias, approver, approval)
            return _promotion(view, registered, alias)


def load_evidence(version: int | str, *, name: str = DEFAULT_MODEL) -> VersionEvidence:
    """Load a version (or the ``latest``) with its recorded evidence and the terms in which it was in force.

    Raises
    ------
    GateError
        The evaluation is not the one that was registered.
    RegistryError
        No such version, or its card is not the one that was registered.
    """
    with connected(must_exist=True) as client:
        model_version = version_of(client, name, version=str(version))
        history = History()
        view = history.read()
        registered = _registration(view, model_version, history)
        evaluation = _evaluation(client, registered, _files(client, registered["run_id"]))
        return VersionEvidence(
            name,
            registered["version"],
            registered["author"],
            verified_card(model_version),
            evaluation,
            registered["evaluation"],
            registered["gates"],
            tuple(term for term in view.all_terms(name) if term.card_digest == registered["card"]),
        )


# ---------------------------------------------------------------------------------------------------- who


def _approver_name(approver: str, doing: str) -> str:
    approver = approver.strip()
    if not approver:
        raise ApprovalError(f"cannot {doing}: no approver is named. Name the person who approves it.")
    return approver


def _second_person(approver: str, registered: Entry, doing: str) -> None:
    if approver.casefold() == registered["author"].casefold():
        raise ApprovalError(f"cannot {doing}: {approver} made it and cannot approve it too. Ask a second person.")


# ---------------------------------------------------------------------------------------------------- evidence


def _registration(view: HistoryView, model_version: ModelVersion, history: History) -> Entry:
    """Return how the history registered a version; tags of the store can be edited."""
    registered = view.registration(model_version.name, int(model_version.version))
    if registered is None or registered["run_id"] != model_version.run_id:
        raise RegistryError(
            f"cannot use version {model_version.version} of {model_version.name!r}: it was not registered "
            f"by credit_model, or not into the history {history.path}. Register it with `credit-model run`; where "
            "registrations are recorded elsewhere, set CREDIT_MODEL_HISTORY and CREDIT_MODEL_HEADS."
        )
    return registered


def _check_wording(card: Card, registered: Entry) -> None:
    """Refuse a card on which a feature is called by its name only, or has no reason code."""
    definitions = [one.definition for one in card.characteristics if one.definition is not None]
    absent = {one.name: one.absent_wording for one in definitions if one.absent_wording}
    if absent:
        listing = ", ".join(f"{name} ({' and '.join(keys)})" for name, keys in absent.items())
        raise WordingError(
            f"cannot promote version {registered['version']} of {registered['model']!r}: what a person would be told "
            f"of these features is absent: {listing}. Write it into their definitions and run the experiment again."
        )


def _declared(registered: Entry, without_gates: str) -> JsonObject:
    declared: JsonObject = registered["gates"]
    described = f"version {registered['version']} of {registered['model']!r}"
    if not declared and not without_gates.strip():
        raise ApprovalError(
            f"cannot promote {described}: its experiment declares no gates. Declare [gates] and run it again, or say "
            "why none are needed with --without-gates REASON; the history keeps it."
        )
    if declared and without_gates.strip():
        raise ApprovalError(f"{described} has gates ({', '.join(declared)}): leave out --without-gates.")
    return declared


def _evaluation(client: MlflowClient, registered: Entry, files: frozenset[str]) -> JsonObject:
    """Return the evaluation document; refuse any but the one that was registered."""
    raw = _content(client, registered["run_id"], EVALUATION) if EVALUATION in files else b""
    digest, expected = sha256(raw), registered["evaluation"]
    if digest != expected:
        present = f"digest {digest[:12]}" if raw else "missing"
        _refuse((Check(EVALUATION, present, f"digest {expected[:12]}, as it was registered", False),), registered)
    document: JsonObject = json.loads(raw)
    return document


def _content(client: MlflowClient, run_id: str, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, path, folder)).read_bytes()


def _files(client: MlflowClient, run_id: str) -> frozenset[str]:
    """Return the path of every file of a run."""
    paths: set[str] = set()
    folders = [""]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop()):
            (folders.append if entry.is_dir else paths.add)(entry.path)
    return frozenset(paths)


def _read(impact_assessment: str | Path | None) -> tuple[str, bytes] | None:
    """Return name and content of an impact assessment."""
    if impact_assessment is None:
        return None
    path = Path(impact_assessment)
    content = path.read_bytes() if path.is_file() else b""
    if not content.strip():
        raise ApprovalError(f"cannot attach the impact assessment {path}: no such file, or an empty one.")
    return path.name, content


def _attach(client: MlflowClient, run_id: str, assessment: tuple[str, bytes] | None) -> str:
    """Keep an impact assessment with the run; return its digest, or that of an earlier one, or nothing."""
    if assessment is None:
        paths = [entry.path for entry in client.list_artifacts(run_id, _ASSESSMENTS)]
        return sha256(_content(client, run_id, max(paths))) if paths else ""
    name, content = assessment
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        copy.write_bytes(content)
        client.log_artifact(run_id, str(copy), _ASSESSMENTS)
    return sha256(content)


def _refuse(checks: tuple[Check, ...], registered: Entry) -> None:
    """Raise if a check did not pass, with its value, its limit, and the data."""
    failures = tuple(str(one) for one in checks if not one.passed)
    if failures:
        data, evaluation = registered["data"], registered["evaluation"]
        source = f"data {data[:12]}" if data else f"evaluation {evaluation[:12]}"
        raise GateError(
            f"version {registered['version']} of {registered['model']!r} (card {registered['card'][:12]}, {source}) "
            f"may not be promoted: {'; '.join(failures)}. Mend the card and register it anew; a gate is not overruled.",
            failures,
        )


# ---------------------------------------------------------------------------------------------------- effect


def _finish_pending(client: MlflowClient, history: History, view: HistoryView, name: str, alias: str) -> HistoryView:
    """Finish a killed promotion: its approval took effect if the alias points where it was to point."""
    pending = view.pending_approval(name, alias)
    if pending is None or alias_of(client, name, alias) != pending["version"]:
        return view
    last = view.terms(name, alias)[-1:]
    if last and last[0].version == pending["version"]:  # it pointed there before: nobody can say whether it was moved
        return view
    return history.add("in_force", view, **_effect(pending), since=pending["at"])


def _put_in_force(
    client: MlflowClient,
    history: History,
    view: HistoryView,
    registered: Entry,
    alias: str,
    approver: str,
    approval: Mapping[str, object],
) -> HistoryView:
    """Write approval, alias, effect: in this order, so that no alias ever points where nothing was approved."""
    name, version = registered["model"], str(registered["version"])
    pending = view.pending_approval(name, alias)
    same = pending is not None and tuple(pending[key] for key in ("version", "card", "approver", "how")) == (
        registered["version"],
        registered["card"],
        approver,
        approval["how"],
    )
    if pending is None or not same:
        about = {"model": name, "alias": alias, "version": registered["version"], "card": registered["card"]}
        people = {"author": registered["author"], "approver": approver}
        view = history.add("approved", view, **about, **people, **approval)
        pending = view.entries[-1]
    for tag, value in ((f"{alias}_approver", approver), (f"{alias}_since", pending["at"])):  # for people, not evidence
        client.set_model_version_tag(name, version, tag, value)
    client.set_registered_model_alias(name, alias, version)
    return history.add("in_force", view, **_effect(pending))


def _effect(approval: Entry) -> JsonObject:
    return {key: approval[key] for key in ("model", "alias", "version", "card", "approver", "how")}


def _last_approval(view: HistoryView, name: str, alias: str) -> Entry | None:
    """Return the last approval of an alias."""
    approvals = [e for e in view.entries if e["event"] == "approved" and (e["model"], e["alias"]) == (name, alias)]
    return approvals[-1] if approvals else None


def _promotion(view: HistoryView, registered: Entry, alias: str, changed: bool = True) -> Promotion:
    """Return the promotion by the history; where nothing was changed, the alias pointed there before."""
    name, terms = registered["model"], view.terms(registered["model"], alias)
    approval = _last_approval(view, name, alias) or {}
    before = (terms[-2].version if len(terms) > 1 else None) if changed else terms[-1].version
    return Promotion(
        name,
        registered["version"],
        alias,
        registered["author"],
        terms[-1].approver,
        registered["card"],
        before,
        tuple(Check(**one) for one in approval.get("gates", ())),
        approval.get("without_gates", ""),
    )
