"""Answers: a person assessed, rows scored, the model described; and for each query its entry, before it is answered.

Every path from a request to an answer goes through :meth:`Service.answer_query`: whatever happens, one entry is in the
log and one answer goes out, and without the entry there is no answer.

In: a caller, the bytes of a body. Out: a status and the bytes of an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from credit_model.assessment.evaluator import PURPOSES
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.foundation.version import __version__
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.manifest import LedgerError
from credit_model.ledger.validation import ColumnErrors
from credit_model.service.feature_rows import check_names_once, read_features
from credit_model.service.query_log import LogEntry, Query, QueryLog
from credit_model.service.requests import (
    OWN_TABLES,
    OwnRows,
    Refusal,
    check_fields,
    read_authorisation,
    read_day,
    read_object,
    read_own_rows,
    read_purpose,
    read_quickly,
    read_subjects,
)
from credit_model.service.settings import CALLER, Settings

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card
    from credit_model.service.served_model import ServedCard, ServedModel

ENVELOPE: Final = ("purpose", "authorisation")
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Answer:
    """An answer: a status and JSON."""

    status: int
    body: bytes

    @classmethod
    def of(cls, value: Mapping[str, object], status: int = 200) -> Answer:
        """Return an answer of plain values."""
        return cls(status, json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())

    @classmethod
    def of_refusal(cls, refusal: Refusal) -> Answer:
        """Return the answer to a request that is refused."""
        body = {"error": {"code": refusal.code, "message": refusal.message, "where": list(refusal.where)}}
        return cls.of(body, refusal.status)


class Service:
    """The evaluation service, apart from HTTP.

    Parameters
    ----------
    model : ServedModel
    ledger : Ledger
        Brought up to date before every assessment, so what another process ingests moves the next answer.
    log : QueryLog
    settings : Settings
    today : callable
        The day of use.
    """

    def __init__(
        self,
        model: ServedModel,
        ledger: Ledger,
        log: QueryLog,
        settings: Settings,
        today: Callable[[], date] = date.today,
    ) -> None:
        self.model, self.ledger, self.log, self.settings, self.today = model, ledger, log, settings, today

    # ------------------------------------------------------------------ who asks

    def caller(self, name: str | None, authorization: str | None) -> str:
        """Return who asks: by their token where tokens are set up, else as they name themselves."""
        if self.settings.callers:
            scheme, _, token = (authorization or "").partition(" ")
            digest = hashlib.sha256(token.strip().encode("utf-8", "replace")).hexdigest()
            callers = [who for who, expected in self.settings.callers.items() if hmac.compare_digest(expected, digest)]
            if scheme.casefold() == "bearer" and callers:
                return callers[0]
            raise Refusal(401, "caller_unknown", "send the caller's token: Authorization: Bearer TOKEN.")
        if name is None or not re.fullmatch(CALLER, name):
            text = "name the caller in X-Caller: 1 to 64 letters, digits, '.', '_' or '-'."
            raise Refusal(401, "caller_unknown", text, ["X-Caller"])
        return name

    # ------------------------------------------------------------------ queries

    def assess(self, caller: str, body: bytes) -> Answer:
        """Assess a person of the ledger, or one whose records the caller sends."""
        return self.answer_query(caller, "/assess", lambda entry: self._assess(body, entry))

    def score(self, caller: str, body: bytes) -> Answer:
        """Score rows of features."""
        return self.answer_query(caller, "/score", lambda entry: self._score(body, entry))

    def answer_query(self, caller: str, endpoint: str, work: Callable[[LogEntry], Answer]) -> Answer:
        """Do the work, log its entry, then return the answer.

        ``work`` adds to the entry what it has understood so far, and nothing it has not checked.
        """
        entry: LogEntry = {"outcome": "answered"}
        try:
            answer = work(entry)
        except Refusal as refusal:
            answer, entry["outcome"] = Answer.of_refusal(refusal), refusal.code
        except Exception as error:
            text = f"a fault of ours ({type(error).__name__}); the request is in the log."
            answer, entry["outcome"] = Answer.of_refusal(Refusal(500, "fault", text)), "fault"
        if answer.status != 200:
            entry = {name: value for name, value in entry.items() if name not in ("scores", "record_ids")}
        try:
            self.log.record(Query(caller=caller, endpoint=endpoint, status=answer.status, **entry))
        except (OSError, UserError) as error:
            text = f"the query log cannot be written ({type(error).__name__}): nothing is answered that is not kept."
            return Answer.of_refusal(Refusal(503, "log_unavailable", text))
        return answer

    def _served(self, entry: LogEntry) -> ServedCard:
        served = self.model.current
        if served is None:
            raise Refusal(503, "no_model", "no model could be loaded yet; see /health.")
        entry |= served.identity()
        return served

    def _check_envelope(self, message: JsonObject, entry: LogEntry) -> JsonObject:
        """Check purpose and authorisation, enter them, and return the message."""
        refusals = []
        for name, read in (("purpose", read_purpose), ("authorisation", read_authorisation)):
            try:
                entry[name] = read(message)
            except Refusal as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]
        return message

    def _assess(self, body: bytes, entry: LogEntry) -> Answer:
        served, message = self._served(entry), self._check_envelope(read_object(body), entry)
        if "subject" in message:
            check_fields(message, ("subject", *ENVELOPE), (*OWN_TABLES, "as_of"))
        else:
            check_fields(message, ("subject_id", *ENVELOPE), ("as_of",))
        today = self.today()
        as_of = read_day(message.get("as_of"), "as_of", today)
        if served.cannot_assess:
            raise Refusal(503, "cannot_assess", "the card in service cannot assess from this ledger; see /health.")
        entry["as_of"] = None if as_of is None else as_of.isoformat()
        with self._person(message, entry) as (subject_id, ledger):
            entry["subject_ids"] = (subject_id,)
            assessment = served.evaluator.assess(
                subject_id, as_of, ledger, entry["purpose"], entry["authorisation"], day_of_use=today
            )
        entry |= {"outcome": assessment.status, "as_of": assessment.as_of.isoformat()}
        entry |= {"scores": (assessment.score,), "record_ids": assessment.record_ids}
        return Answer.of({"subject_id": subject_id, **assessment.to_dict(), **served.identity()})

    def _score(self, body: bytes, entry: LogEntry) -> Answer:
        served, message = self._served(entry), self._check_envelope(read_quickly(body), entry)
        check_fields(message, ENVELOPE, ("rows", "columns"))
        card = served.card
        rows = read_features(message, card, self.settings.rows)
        check_names_once(body, message, rows)
        entry["subject_ids"] = rows.subject_ids
        if rows.count == 1:  # the card's arithmetic of a single row: the same numbers, sooner
            one = card.score_one({name: column[0] for name, column in rows.columns.items()})
            scores, probabilities, grades = [one.score], [one.probability_of_bad], [one.grade]
        else:
            array = card.scores(rows.columns)
            names = np.asarray(card.profile.grades, dtype=object)
            scores, probabilities = array.tolist(), card.probability(array).tolist()
            grades = names[np.searchsorted(card.profile.grade_cuts, array, side="right")].tolist()
        entry["scores"] = tuple(scores)
        return Answer.of({**served.identity(), "score": scores, "probability_of_bad": probabilities, "grade": grades})

    # ------------------------------------------------------------------ the person

    @contextmanager
    def _person(self, message: JsonObject, entry: LogEntry) -> Iterator[tuple[str, Ledger]]:
        """Yield the id of the person asked about, and the ledger with their records."""
        if "subject" in message:
            own = read_own_rows(message, self.settings.rows)
            with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
                yield _temporary_ledger(own, Path(folder, "ledger"), self.ledger)
            return
        (subject_id,) = read_subjects([message["subject_id"]])
        entry["subject_ids"] = (subject_id,)
        try:
            self.ledger.refresh()
            yield subject_id, self.ledger
        except LedgerError as error:
            text = f"the ledger cannot be read ({type(error).__name__})."
            raise Refusal(503, "ledger_unavailable", text) from None

    # ------------------------------------------------------------------ the model

    def describe(self) -> Answer:
        """Describe the card in service, and what it reads."""
        served = self.model.current
        if served is None:
            return Answer.of_refusal(Refusal(503, "no_model", "no model could be loaded yet; see /health."))
        card = served.card
        name, alias = self.model.registered
        provenance = {part: card.provenance.get(part) or {} for part in ("ledger", "catalogue")}
        description = {
            **served.identity(),
            "name": name or card.name,
            "alias": alias,
            "source": served.evaluator.source,
            "loaded_at": served.loaded_at.isoformat(timespec="seconds"),
            "made_from": {
                "ledger_digest": provenance["ledger"].get("digest"),
                "catalogue_digest": provenance["catalogue"].get("digest"),
                "policy": provenance["ledger"].get("policy"),
            },
            "assesses_from": {
                "ledger_digest": self.ledger.digest,
                "catalogue_digest": self.ledger.catalogue.digest,
                "policy": self.ledger.policy,
            },
            "features": features_of(card),
            "reference_score": card.base,
            "least_score": card.least,
            "greatest_score": card.greatest,
            "grades": list(card.profile.grades),
            "purposes": list(PURPOSES),
            "package_version": __version__,
        }
        return Answer.of(description)

    def health(self) -> Answer:
        """Tell whether the service answers, and what is not as it should be."""
        model = self.model
        served = model.current
        problems = [problem for problem in (model.problem, served.cannot_assess if served else "") if problem]
        status = "unavailable" if served is None else "degraded" if problems else "ok"
        health = {
            "status": status,
            "model": None
            if served is None
            else {**served.identity(), "loaded_at": served.loaded_at.isoformat(timespec="seconds")},
            "checked_at": model.checked_at and model.checked_at.isoformat(timespec="seconds"),
            "problems": problems,
        }
        return Answer.of(health, 503 if served is None else 200)


def features_of(card: Card) -> list[JsonObject]:
    """Return the columns a card reads, with their types."""
    from credit_model.scorecard.bins import NumericBins

    return [
        {
            "name": c.name,
            "type": "number" if isinstance(c.bins, NumericBins) else "text",
            "may_be_null": not c.is_never_missing,
            "label_zh": c.label_zh,
            "label_en": c.label_en,
        }
        for c in card.characteristics
    ]


def _temporary_ledger(own: OwnRows, folder: Path, like: Ledger) -> tuple[str, Ledger]:
    """Make a ledger of the caller's rows alone, under the same catalogue and policy; return the person's id and it."""
    ledger = Ledger.create(folder, catalogue=like.catalogue, policy=like.policy)
    try:
        report = ledger.ingest(records=own.records, amendments=own.amendments, subjects=own.subjects)
    except ColumnErrors as error:
        text = f"the records have columns that cannot be taken: {'; '.join(error.faults)}."
        raise Refusal(422, "columns_refused", text) from None
    except UserError:
        text = "identity numbers cannot be taken here (no key for pseudonyms is set up); send a subject_id."
        raise Refusal(422, "identity_number", text, ["subject.id_number"]) from None
    if report.quarantine is not None:
        raise _rows_refusal(report.rejected_rows, report.quarantine)
    return str(ledger.tables().subjects["subject_id"][0]), ledger


def _rows_refusal(count: int, quarantine: Path) -> Refusal:
    """Return the refusal that names the rows ingest refused, by reason and column."""
    reasons, where = set(), []
    for line in quarantine.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        at = "subject" if row["table"] == "subjects" else f"{row['table']}[{row['row'] - 1}]"
        for why in row["reasons"]:
            reasons.add(f"{why['code']} ({why['en']})")
            where.append(f"{at}.{why['column']}: {why['code']}")
    text = f"{count} of the rows cannot be taken: {'; '.join(sorted(reasons))}."
    return Refusal(422, "rows_refused", text, where)
