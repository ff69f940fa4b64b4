"""One person, one day, one purpose: what the card says, why, and what the law says beside it.

The score is a number with reasons, and each reason carries the records that made it and the first day it can become
smaller if nothing new is learned. Statutory status (lists and bans from written decisions) stands beside the score and
never changes it; the score never creates a status. The purposes permitted here support incentives, advice and
examination: none denies anything.

In: a card, a ledger, subjects, as-of dates, a purpose.
Out: an :class:`Assessment` each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from credit_model import UserError
from credit_model.features import check_definitions, compute, trail
from credit_model.records import (
    NO_DAY,
    ROLES,
    SEMANTICS_VERSION,
    STATUSES,
    Population,
    add_months,
    compile_segments,
    from_days,
    to_day,
)

if TYPE_CHECKING:
    from credit_model.records import Ledger, Segments, Tables
    from credit_model.scorecard import Card, Characteristic
    from credit_model.scorecard import Reason as CardReason

PURPOSES: Final = ("self_query", "incentive", "service_priority", "model_validation", "audit", "dispute_review")
DECIDING_PURPOSES: Final = frozenset({"incentive", "service_priority", "dispute_review"})
OUTLOOK_MONTHS: Final = 61  # beyond every window and retention of 60 months

# Removed by the law in force on the day of use for every as-of date, so no outlook brings them back.
_REMOVED_BY_LAW = ("kind_not_lawful", "sealed", "act_of_minor")
_NOT_SCORED = {
    "unmatched": (
        "本登记册中无此主体，或身份未能匹配",
        "no such person is on this register, or the identity is unmatched",
    ),
    "deceased": ("已故", "the person is deceased"),
    "incapable": ("被宣告无民事行为能力或限制民事行为能力", "the person is declared to be without full legal capacity"),
    "birth_date_unknown": ("出生日期未知", "the date of birth is not known"),
    "minor": ("未满18周岁", "the person is under 18"),
    "moved_away": ("已迁出本登记册覆盖范围", "the person no longer lives where this register covers"),
    "covered_too_short": ("登记册覆盖未满12个月", "the register has covered the person for less than 12 months"),
}


class PurposeError(UserError):
    """A purpose that is not permitted."""


@dataclass(frozen=True)
class Reason:
    """A characteristic that cost points (below 0) or added them, with the records behind it.

    ``earliest_change_on`` is the first day, nothing new being learned, on which it costs fewer points; ``None`` where
    time alone does not mend it, and for what added points.
    """

    code: str
    text_zh: str
    text_en: str
    points: int
    record_ids: tuple[str, ...]
    earliest_change_on: date | None


@dataclass(frozen=True)
class StatutoryStatus:
    """A status in force by a written decision: shown beside the score, never part of it."""

    kind: str
    label_zh: str
    label_en: str
    record_id: str
    decided_on: date | None


@dataclass(frozen=True)
class Assessment:
    """What is said of one person as of one date.

    ``status`` is ``scored``, ``insufficient_records`` or ``not_eligible``; without ``scored`` there is no score, grade
    or reason, and ``explanation_zh``, ``explanation_en`` say why. ``thin_file``: nothing is visible on record, which
    earns the points of the reference row. ``live``: as of everything known by now. ``record_ids`` are the records that
    made the values of the card's characteristics, whether or not they moved points.

    ``requires_human`` is True where something about the person may be decided (purposes ``incentive``,
    ``service_priority``, ``dispute_review``), and whatever the purpose where the person is not scored, has a statutory
    status or an open dispute: the answer alone must not settle the matter (个人信息保护法 art. 24).
    """

    status: str
    thin_file: bool
    score: int | None
    probability_of_bad: float | None
    grade: str | None
    reasons: tuple[Reason, ...]
    positives: tuple[Reason, ...]
    statutory_status: tuple[StatutoryStatus, ...]
    as_of: date
    live: bool
    card_id: str
    card_digest: str
    record_ids: tuple[str, ...]
    purpose: str
    authorisation: str | None
    requires_human: bool
    explanation_zh: str
    explanation_en: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values under the names of the fields; dates as ISO text."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


@dataclass(frozen=True)
class Evaluator:
    """A card ready to assess people; :func:`credit_model.load_evaluator` makes one.

    Parameters
    ----------
    card : Card
        One with feature definitions.
    ledger : Ledger, optional
        Where the people's records are, unless ``assess`` is given one.
    source : str
        Where the card came from: a registry URI or a path.
    version : int, optional
        Its version in the registry.
    """

    card: Card
    ledger: Ledger | None = None
    source: str = ""
    version: int | None = None

    def assess(
        self,
        subject_id: str,
        as_of: Any = None,
        ledger: Ledger | None = None,
        purpose: str = "self_query",
        authorisation: str | None = None,
        day_of_use: Any = None,
    ) -> Assessment:
        """Assess one person.

        Parameters
        ----------
        subject_id : str
        as_of : date, optional
            The start of that day. Without it the answer is live: everything known by the end of the day of use, that
            is as of the day after, and it says so.
        ledger : Ledger, optional
            In place of the evaluator's own.
        purpose : str
            One of ``PURPOSES``.
        authorisation : str, optional
            Reference of the authorisation under which is asked; repeated in the answer.
        day_of_use : date, optional
            The day whose law applies; today without it.

        Raises
        ------
        PurposeError
            The purpose is not permitted; the message names those that are.
        UserError
            No ledger; a date that is none or lies ahead; a card of raw columns or for another catalogue.
        """
        return self.assess_many([(subject_id, as_of)], ledger, purpose, authorisation, day_of_use)[0]

    def assess_many(
        self,
        observations: Any,
        ledger: Ledger | None = None,
        purpose: str = "self_query",
        authorisation: str | None = None,
        day_of_use: Any = None,
    ) -> tuple[Assessment, ...]:
        """Assess many, each as :meth:`assess` would, in the order given.

        Parameters
        ----------
        observations : DataFrame or sequence of (subject_id, as_of)
            A frame has ``subject_id`` and, unless the answers are live, ``as_of``.
        """
        if purpose not in PURPOSES:
            raise PurposeError(f"purpose {purpose!r} is not permitted; permitted are {', '.join(PURPOSES)}.")
        ledger = self.ledger if ledger is None else ledger
        if ledger is None:
            raise UserError("nothing to assess from: give a ledger, to load_evaluator or to assess.")
        used_on = to_day(date.today()) if day_of_use is None else _day(day_of_use, "day_of_use")
        subject_ids, days, live = _observed(observations, used_on)
        files = _Files.of(ledger, subject_ids, used_on)
        definitions = self._definitions(files)
        subjects = files.segments.subject_index(subject_ids)
        values = compute(files.segments, subjects, days, definitions, ledger.catalogue)
        why = files.population.reason(subject_ids, days)
        return tuple(
            self._assess(files, subject_id, int(subject), int(day), row, reason, bool(is_live), purpose, authorisation)
            for subject_id, subject, day, row, reason, is_live in zip(
                subject_ids, subjects, days, values, why, live, strict=True
            )
        )

    def _definitions(self, files: _Files) -> Any:
        definitions = self.card.features
        if definitions is None or len(definitions) < len(self.card.columns):
            raise UserError(
                f"card {self.card.id} reads raw columns without feature definitions: it cannot assess from a ledger. "
                "Score rows with card.score."
            )
        made = self.card.provenance.get("ledger", {})
        for what, ours in (("policy", files.policy), ("semantics", SEMANTICS_VERSION)):
            if made.get(what, ours) != ours:
                raise UserError(
                    f"card {self.card.id} was made under {what} {made[what]!r}, here it is {ours!r} (ledger "
                    f"{files.path}): its features would not mean the same. Use a card made under the same."
                )
        check_definitions(definitions, files.catalogue)
        return definitions

    def _assess(
        self,
        files: _Files,
        subject_id: str,
        subject: int,
        day: int,
        values: Any,
        why: str,
        live: bool,
        purpose: str,
        authorisation: str | None,
    ) -> Assessment:
        file = files.file(subject_id, subject, day)
        scored = why == ""
        row = self.card.score_one(dict(zip(self.card.columns, values, strict=True))) if scored else None
        used = {c.name: file.records_behind(c) for c in self.card.characteristics} if scored else {}
        statutory = file.statutory_status()
        explanation_zh, explanation_en = _explanation(why, _date(day), live, file.is_thin)
        return Assessment(
            status=_STATUS_OF.get(why, "not_eligible"),
            thin_file=file.is_thin,
            score=row.score if row else None,
            probability_of_bad=row.probability_of_bad if row else None,
            grade=row.grade if row else None,
            reasons=tuple(self._reasons(file, row.reasons, used)) if row else (),
            positives=tuple(_reason(positive, used) for positive in row.positives) if row else (),
            statutory_status=statutory,
            as_of=_date(day),
            live=live,
            card_id=self.card.id,
            card_digest=self.card.digest,
            record_ids=tuple(sorted({record for records in used.values() for record in records})),
            purpose=purpose,
            authorisation=authorisation,
            requires_human=purpose in DECIDING_PURPOSES or not scored or bool(statutory) or file.is_disputed,
            explanation_zh=explanation_zh,
            explanation_en=explanation_en,
        )

    def _reasons(
        self, file: _File, reasons: Sequence[CardReason], used: dict[str, tuple[str, ...]]
    ) -> Iterator[Reason]:
        by_name = {c.name: c for c in self.card.characteristics}
        changes = file.earliest_changes([(by_name[reason.characteristic], reason.points) for reason in reasons])
        for reason, change in zip(reasons, changes, strict=True):
            yield _reason(reason, used, change)


@dataclass(frozen=True)
class _Files:
    """The files of the people asked about, compiled under the law of the day of use."""

    tables: Tables
    segments: Segments
    offsets: Any
    population: Population
    catalogue: Any
    policy: str
    path: Any
    day_of_use: int

    @classmethod
    def of(cls, ledger: Ledger, subject_ids: Any, day_of_use: int) -> _Files:
        tables = ledger.tables(sorted(set(subject_ids.tolist())))
        segments = compile_segments(tables, ledger.catalogue, ledger.policy, day_of_use)
        population = Population.from_tables(tables, ledger.catalogue.subjects)
        return cls(
            tables, segments, segments.offsets, population, ledger.catalogue, ledger.policy, ledger.path, day_of_use
        )

    def file(self, subject_id: str, subject: int, day: int) -> _File:
        low, high = (0, 0) if subject < 0 else self.offsets[subject : subject + 2]
        return _File(self, subject_id, subject, day, self.segments.take(slice(low, high)).at(day))


@dataclass(frozen=True)
class _File:
    """What is on file about one person at the start of a day."""

    files: _Files
    subject_id: str
    subject: int
    day: int
    held: Segments  # one row a record, in force or not

    @property
    def is_thin(self) -> bool:
        return not (self.held.status == 0).any()

    @property
    def is_disputed(self) -> bool:
        return bool((self.held.status == STATUSES.index("disputed")).any())

    def statutory_status(self) -> tuple[StatutoryStatus, ...]:
        held, kinds = self.held, self.files.catalogue.kinds
        current = (held.status == 0) & (held.role != ROLES.index("was_listed"))
        found = []
        for row in np.flatnonzero(current):
            kind = kinds[held.kind_codes[held.kind[row]]]
            if kind.statutory:
                record_id = str(held.record_ids[held.record[row]])
                decided_on = _date(int(held.decided_on[row]))
                found.append(StatutoryStatus(kind.code, kind.label_zh, kind.label_en, record_id, decided_on))
        return tuple(sorted(found, key=lambda status: status.record_id))

    def records_behind(self, characteristic: Characteristic) -> tuple[str, ...]:
        if self.is_thin or characteristic.definition is None:
            return ()
        files = self.files
        used = trail(files.segments, self.subject, self.day, characteristic.definition, files.catalogue).used
        return tuple(str(files.segments.record_ids[record]) for record in used)

    def earliest_changes(self, lost: Sequence[tuple[Characteristic, int]]) -> list[date | None]:
        """For each characteristic and its points, the first later day with more, by what is known at the day alone."""
        if not lost:
            return []
        files = self.files
        known = files.tables.for_subjects([self.subject_id]).known_before(self.day)
        removed = np.isin(self.held.status, [STATUSES.index(ground) for ground in _REMOVED_BY_LAW])
        gone = set(self.held.record_ids[self.held.record[removed]].tolist())
        outlook = compile_segments(known, files.catalogue, files.policy, files.day_of_use)
        outlook = outlook.take([record not in gone for record in outlook.record_ids[outlook.record].tolist()])
        days = np.arange(self.day + 1, add_months(self.day, OUTLOOK_MONTHS) + 1)
        subjects = np.repeat(outlook.subject_index(np.array([self.subject_id], object)), len(days))
        definitions = [c.definition for c, _ in lost if c.definition is not None]
        values = compute(outlook, subjects, days, definitions, files.catalogue)
        changes: list[date | None] = []
        for (characteristic, points), column in zip(lost, values.T, strict=True):
            better = np.flatnonzero(characteristic.points_of(column) > points)
            changes.append(_date(int(days[better[0]])) if len(better) else None)
        return changes


_STATUS_OF = {"": "scored", "covered_too_short": "insufficient_records"}


def _reason(reason: CardReason, used: dict[str, tuple[str, ...]], change: date | None = None) -> Reason:
    return Reason(
        reason.code, reason.text_zh, reason.text_en, reason.points, used.get(reason.characteristic, ()), change
    )


def _explanation(why: str, as_of: date | None, live: bool, is_thin: bool) -> tuple[str, str]:
    """Why there is no score, or what the score rests on."""
    if why:
        zh, en = _NOT_SCORED.get(why, (why, why))
        return f"不予评分：{zh}。", f"Not scored: {en}."
    zh = "依据截至目前已知的全部记录评分" if live else f"依据{as_of}当日开始前已知的记录评分"
    en = "Scored on everything known by now" if live else f"Scored on what was known before {as_of}"
    if is_thin:
        return f"{zh}；无可用记录，按基准分计。", f"{en}; nothing is on record, which earns the reference points."
    return f"{zh}。", f"{en}."


def _observed(observations: Any, used_on: int) -> tuple[Any, Any, Any]:
    """Subject ids, days, and which answers are live."""
    if hasattr(observations, "columns"):
        if "subject_id" not in observations.columns:
            raise UserError(
                f"observations need a column subject_id (found: {', '.join(map(str, observations.columns))})."
            )
        ids = observations["subject_id"].tolist()
        dates = observations["as_of"].tolist() if "as_of" in observations.columns else [None] * len(ids)
    else:
        ids, dates = [subject_id for subject_id, _ in observations], [as_of for _, as_of in observations]
    subject_ids = np.empty(len(ids), object)
    subject_ids[:] = ids
    days = np.array([_day(as_of, "as_of") for as_of in dates], np.int32)
    live = days == NO_DAY
    days[live] = used_on + 1
    if (days > used_on + 1).any():
        raise UserError(
            f"cannot assess as of {_date(int(days.max()))}: on {_date(used_on)}, the day of use, nothing can be known "
            f"beyond {_date(used_on + 1)}. Leave the date out for a live answer."
        )
    return subject_ids, days, live


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _day(value: Any, name: str) -> int:
    try:
        return to_day(value)
    except UserError:
        raise UserError(f"{name} is no date: give a date, or text like 2024-01-31.") from None


def _date(day: int) -> Any:
    """A day as a date; None for no date."""
    return from_days(day).item()
