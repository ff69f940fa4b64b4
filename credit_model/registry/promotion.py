"""How a version comes into force behind an alias, and how it is taken back.

Promotion holds the gates against the evidence recorded with the version, wants somebody else than its author, writes
the approval into the history, moves the alias, and writes that it is in force. Killed anywhere, the same command
finishes.

In: a version and an approver. Out: a :class:`Promotion`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from credit_model.evaluation.gates import Check, Evidence, check
from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.registry.history import Entry, History, Term, Told
from credit_model.registry.store import RegistryError, connected
from credit_model.registry.versions import DEFAULT_MODEL, alias_of, verified_card, version_of

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

EVALUATION: Final = "evaluation.json"
_ASSESSMENTS: Final = "impact_assessment"  # folder of the run


class ApprovalError(UserError):
    """A promotion without an approver, or approved by its own author, or without gates and without a word on that."""


class GateError(UserError):
    """A version that did not pass a gate; the command line leaves with 3."""

    exit_code = 3


@dataclass(frozen=True)
class Recorded:
    """A version with its evidence, verified: what its page is made from."""

    name: str
    version: int
    author: str
    card: Card
    evaluation: Mapping[str, Any]
    evaluation_digest: str
    gates: Mapping[str, Any]
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Promotion:
    """What a promotion or a rollback did: the alias now points at ``version``; before, at ``previous``.

    ``checks`` are the gates as they were found; ``without_gates`` says why there were none.
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
    """Put a version (or the ``latest``) in force behind an alias, if its gates pass and not its author approves.

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
        No approver, or the author approving, or no gates and nothing said about it.
    GateError
        A gate did not pass, or the evaluation is not the one that was registered; the message gives value, limit and
        the digest of the data.
    RegistryError
        No such version, or its card is not the one that was registered.
    HistoryError
        The history does not hold.
    """
    approver = _named(approver, f"promote version {version} of {name!r}")
    attached = _read(impact_assessment)
    with connected(must_exist=True) as client:
        found = version_of(client, name, version=str(version))
        history = History()
        with history.lock() as told:
            registered = _registration(told, found, history)
            _second_person(approver, registered, f"promote version {found.version} of {name!r}")
            card = verified_card(found)
            before, told = told, _settled(client, history, told, name, alias)
            last = told.terms(name, alias)[-1:]
            is_in_force = last and (last[0].version, last[0].card_digest) == (int(found.version), card.digest)
            if is_in_force and told.unfinished(name, alias) is None:
                client.set_registered_model_alias(name, alias, found.version)  # whoever moved it meanwhile
                return _done(told, registered, alias, changed=told is not before)
            declared = _declared(registered, without_gates)
            kept = _attach(client, registered["run_id"], attached)
            files = _files(client, registered["run_id"])
            evaluation = _evaluation(client, registered, files)
            evidence = Evidence(card, evaluation, files, kept, last[0].card_digest if last else "")
            checks = check(declared, evidence)
            _refuse(checks, registered)
            approval = {
                "how": "promotion",
                "evaluation": registered["evaluation"],
                "data": registered["data"],
                "gates": [asdict(one) for one in checks],
            }
            approval |= {"without_gates": without_gates.strip()} if not declared else {}
            approval |= {"impact_assessment": kept} if kept else {}
            told = _put_in_force(client, history, told, registered, alias, approver, approval)
            return _done(told, registered, alias)


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
    approver = _named(approver, f"roll {name}@{alias} back")
    with connected(must_exist=True) as client:
        history = History()
        with history.lock() as told:
            begun = told.unfinished(name, alias)
            again = begun is not None and (begun["how"], begun["approver"]) == ("rollback", approver)
            told = _settled(client, history, told, name, alias)
            terms, before = told.terms(name, alias), told.before(name, alias)
            if again and begun is not None and told.unfinished(name, alias) is None:  # it had taken effect
                to = begun["version"]
            if to is not None and terms and terms[-1].version == to:
                found = version_of(client, name, version=str(to))
                registered = _registration(told, found, history)
                client.set_registered_model_alias(name, alias, found.version)
                return _done(told, registered, alias)
            target = next((term for term in reversed(before) if to in (None, term.version)), None)
            if target is None:
                held = ", ".join(str(term.version) for term in before) or "none"
                wanted = "" if to is None else f" to version {to}"
                raise RegistryError(
                    f"cannot roll {name}@{alias} back{wanted}: versions in force before the present one: {held}. "
                    "Promote the version you want with `credit-model promote`."
                )
            found = version_of(client, name, version=str(target.version))
            registered = _registration(told, found, history)
            _second_person(approver, registered, f"roll {name}@{alias} back to version {found.version}")
            verified_card(found)
            approval = {"how": "rollback", "from": terms[-1].version} | ({"reason": reason} if reason else {})
            told = _put_in_force(client, history, told, registered, alias, approver, approval)
            return _done(told, registered, alias)


def recorded(version: int | str, *, name: str = DEFAULT_MODEL) -> Recorded:
    """A version (or the ``latest``) with the evidence that was recorded with it, and when it was in force.

    Raises
    ------
    GateError
        The evaluation is not the one that was registered.
    RegistryError
        No such version, or its card is not the one that was registered.
    """
    with connected(must_exist=True) as client:
        found = version_of(client, name, version=str(version))
        history = History()
        told = history.read()
        registered = _registration(told, found, history)
        evaluation = _evaluation(client, registered, _files(client, registered["run_id"]))
        return Recorded(
            name,
            registered["version"],
            registered["author"],
            verified_card(found),
            evaluation,
            registered["evaluation"],
            registered["gates"],
            tuple(term for term in told.every_term(name) if term.card_digest == registered["card"]),
        )


# ---------------------------------------------------------------------------------------------------- who


def _named(approver: str, doing: str) -> str:
    approver = approver.strip()
    if not approver:
        raise ApprovalError(f"cannot {doing}: no approver is named. Name the person who approves it.")
    return approver


def _second_person(approver: str, registered: Entry, doing: str) -> None:
    if approver.casefold() == registered["author"].casefold():
        raise ApprovalError(f"cannot {doing}: {approver} made it and cannot approve it too. Ask a second person.")


# ---------------------------------------------------------------------------------------------------- evidence


def _registration(told: Told, found: Any, history: History) -> Entry:
    """How a version was registered, by the history: its tags can be edited."""
    registered = told.registration(found.name, int(found.version))
    if registered is None or registered["run_id"] != found.run_id:
        raise RegistryError(
            f"cannot use version {found.version} of {found.name!r}: it was not registered by credit_model, or not into "
            f"the history {history.path}. Register it with `credit-model run`; where registrations are recorded "
            "elsewhere, set CREDIT_MODEL_HISTORY and CREDIT_MODEL_HEADS."
        )
    return registered


def _declared(registered: Entry, without_gates: str) -> Mapping[str, Any]:
    declared: Mapping[str, Any] = registered["gates"]
    described = f"version {registered['version']} of {registered['model']!r}"
    if not declared and not without_gates.strip():
        raise ApprovalError(
            f"cannot promote {described}: its experiment declares no gates. Declare [gates] and run it again, or say "
            "why none are needed with --without-gates REASON; the history keeps it."
        )
    if declared and without_gates.strip():
        raise ApprovalError(f"{described} has gates ({', '.join(declared)}): leave out --without-gates.")
    return declared


def _evaluation(client: Any, registered: Entry, files: frozenset[str]) -> dict[str, Any]:
    """The evaluation document, refused unless it is the one that was registered."""
    raw = _content(client, registered["run_id"], EVALUATION) if EVALUATION in files else b""
    digest, expected = sha256(raw), registered["evaluation"]
    if digest != expected:
        found = f"digest {digest[:12]}" if raw else "missing"
        _refuse((Check(EVALUATION, found, f"digest {expected[:12]}, as it was registered", False),), registered)
    document: dict[str, Any] = json.loads(raw)
    return document


def _content(client: Any, run_id: str, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run_id, path, folder)).read_bytes()


def _files(client: Any, run_id: str) -> frozenset[str]:
    """Paths of every file of a run."""
    found: set[str] = set()
    folders = [""]
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop()):
            (folders.append if entry.is_dir else found.add)(entry.path)
    return frozenset(found)


def _read(impact_assessment: str | Path | None) -> tuple[str, bytes] | None:
    """Name and content of an impact assessment."""
    if impact_assessment is None:
        return None
    path = Path(impact_assessment)
    content = path.read_bytes() if path.is_file() else b""
    if not content.strip():
        raise ApprovalError(f"cannot attach the impact assessment {path}: no such file, or an empty one.")
    return path.name, content


def _attach(client: Any, run_id: str, assessment: tuple[str, bytes] | None) -> str:
    """Keep an impact assessment with the run; its digest, or that of one attached before; empty without any."""
    if assessment is None:
        held = [entry.path for entry in client.list_artifacts(run_id, _ASSESSMENTS)]
        return sha256(_content(client, run_id, max(held))) if held else ""
    name, content = assessment
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name)
        copy.write_bytes(content)
        client.log_artifact(run_id, str(copy), _ASSESSMENTS)
    return sha256(content)


def _refuse(checks: tuple[Check, ...], registered: Entry) -> None:
    """Raise if a check did not pass, with what was found, the limit, and on which data."""
    failed = tuple(str(one) for one in checks if not one.passed)
    if failed:
        data, evaluation = registered["data"], registered["evaluation"]
        measured = f"data {data[:12]}" if data else f"evaluation {evaluation[:12]}"
        raise GateError(
            f"version {registered['version']} of {registered['model']!r} (card {registered['card'][:12]}, {measured}) "
            f"may not be promoted: {'; '.join(failed)}. Mend the card and register it anew; a gate is not overruled.",
            failed,
        )


# ---------------------------------------------------------------------------------------------------- effect


def _settled(client: Any, history: History, told: Told, name: str, alias: str) -> Told:
    """Finish what a killed process left: an approval took effect if the alias points where it was to point."""
    begun = told.unfinished(name, alias)
    if begun is None or alias_of(client, name, alias) != begun["version"]:
        return told
    last = told.terms(name, alias)[-1:]
    if last and last[0].version == begun["version"]:  # it pointed there before: nobody can say whether it was moved
        return told
    return history.add("in_force", told, **_effect(begun), since=begun["at"])


def _put_in_force(
    client: Any,
    history: History,
    told: Told,
    registered: Entry,
    alias: str,
    approver: str,
    approval: Mapping[str, Any],
) -> Told:
    """Approval, alias, effect: in this order, so that no alias ever points where nothing was approved."""
    name, version = registered["model"], str(registered["version"])
    begun = told.unfinished(name, alias)
    same = begun is not None and (begun["version"], begun["card"], begun["approver"], begun["how"]) == (
        registered["version"],
        registered["card"],
        approver,
        approval["how"],
    )
    if begun is None or not same:
        about = {"model": name, "alias": alias, "version": registered["version"], "card": registered["card"]}
        people = {"author": registered["author"], "approver": approver}
        told = history.add("approved", told, **about, **people, **approval)
        begun = told.entries[-1]
    for tag, value in ((f"{alias}_approver", approver), (f"{alias}_since", begun["at"])):  # for people, not evidence
        client.set_model_version_tag(name, version, tag, value)
    client.set_registered_model_alias(name, alias, version)
    return history.add("in_force", told, **_effect(begun))


def _effect(begun: Entry) -> dict[str, Any]:
    return {key: begun[key] for key in ("model", "alias", "version", "card", "approver", "how")}


def _approval(told: Told, name: str, alias: str) -> Entry | None:
    """The last approval of an alias."""
    about = [e for e in told.entries if e["event"] == "approved" and (e["model"], e["alias"]) == (name, alias)]
    return about[-1] if about else None


def _done(told: Told, registered: Entry, alias: str, changed: bool = True) -> Promotion:
    """What was done, by the history; where nothing was changed, an alias pointed before where it points now."""
    name, terms = registered["model"], told.terms(registered["model"], alias)
    approval = _approval(told, name, alias) or {}
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
