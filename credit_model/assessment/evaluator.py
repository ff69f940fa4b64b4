"""Assess one person on one day for one purpose: score, reasons, and the statutory status beside them.

Each reason carries the records behind it and the first day it can become smaller if nothing new is recorded.
Statutory status (lists and bans from written decisions) stands beside the score and never changes it; the score never
creates a status. The permitted purposes support incentives, advice and examination: none denies anything.

In: a card, a ledger, subjects, as-of dates, a purpose.
Out: an :class:`Assessment` each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from credit_model.assessment.assessment import Assessment, Reason, explanation
from credit_model.assessment.person_file import Files, PersonFile
from credit_model.features.dictionary import check_definitions
from credit_model.features.subject_features import SubjectFeatures
from credit_model.foundation.calendar import NO_DAY, DateLike, from_day, to_day
from credit_model.foundation.errors import UserError
from credit_model.visibility.segments import READ_SEMANTICS

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.ledger.ledger import Ledger
    from credit_model.scorecard.card import Card
    from credit_model.scorecard.reasons import CardReason

    Observations = pd.DataFrame | Sequence[tuple[str, DateLike | None]]

PURPOSES: Final = ("self_query", "incentive", "service_priority", "model_validation", "audit", "dispute_review")
DECIDING_PURPOSES: Final = frozenset({"incentive", "service_priority", "dispute_review"})
_IDS_COLUMN: Final = "observations, column subject_id"
_STATUS_OF = {"": "scored", "covered_too_short": "insufficient_records"}


class PurposeError(UserError):
    """A purpose that is not permitted."""


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

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from credit_model import Card, Ledger
    >>> from credit_model.features.dictionary import library
    >>> from credit_model.scorecard.bins import NumericBins
    >>> from credit_model.scorecard.characteristic import Attribute, Characteristic
    >>> from credit_model.scorecard.scale import ProbabilityMap, load_profile
    >>> counted = next(definition for definition in library() if definition.name == "adverse_24m")
    >>> points = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -26, 0))
    >>> adverse = Characteristic("adverse_24m", NumericBins((0.5,), whole=True), points, 0, definition=counted)
    >>> card = Card("demo", load_profile("zhejiang_1000"), (adverse,), ProbabilityMap((700, 800), (3.0, 5.0)), 1)
    >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
    >>> report = ledger.ingest(
    ...     subjects=pd.DataFrame({"subject_id": ["S000123"], "born_on": ["1990-05-01"]}),
    ...     records=pd.DataFrame({
    ...         "record_id": ["CF-1"], "subject_id": ["S000123"], "kind": ["adm_penalty"], "tier": ["general"],
    ...         "decided_on": ["2026-01-10"], "final_on": ["2026-02-20"], "known_on": ["2026-03-01"]}))
    >>> answer = Evaluator(card, ledger).assess("S000123", "2026-04-01", day_of_use="2026-11-24")
    >>> answer.score, answer.grade, answer.reasons[0].record_ids, str(answer.reasons[0].earliest_change_on)
    (774, 'B', ('CF-1',), '2027-01-10')
    """

    card: Card
    ledger: Ledger | None = None
    source: str = ""
    version: int | None = None
    _plans: dict[str, SubjectFeatures] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # by catalogue

    def assess(
        self,
        subject_id: str,
        as_of: DateLike | None = None,
        ledger: Ledger | None = None,
        purpose: str = "self_query",
        authorisation: str | None = None,
        day_of_use: DateLike | None = None,
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
        from credit_model.catalogue.subject_ids import (
            subject_id as canonical_id,  # loads Arrow, which a card does without
        )

        subject_id = canonical_id(subject_id)
        return self.assess_many([(subject_id, as_of)], ledger, purpose, authorisation, day_of_use)[0]

    def assess_many(
        self,
        observations: Observations,
        ledger: Ledger | None = None,
        purpose: str = "self_query",
        authorisation: str | None = None,
        day_of_use: DateLike | None = None,
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
        subject_ids, days, live = _read_observations(observations, used_on)
        files = Files.of(ledger, subject_ids, used_on)
        plan = self._plan(files)
        subjects = files.segments.subject_index(subject_ids)
        why = files.population.reason(subject_ids, days)
        return tuple(
            self._assess(files, plan, subject_id, subject, day, reason, is_live, purpose, authorisation)
            for subject_id, subject, day, reason, is_live in zip(
                subject_ids, subjects.tolist(), days.tolist(), why, live.tolist(), strict=True
            )
        )

    def _plan(self, files: Files) -> SubjectFeatures:
        """Return the card's definitions prepared for the catalogue, prepared once."""
        definitions = self.card.features
        if definitions is None or len(definitions) < len(self.card.columns):
            raise UserError(
                f"card {self.card.id} reads raw columns without feature definitions: it cannot assess from a ledger. "
                "Score rows with card.score."
            )
        origin = self.card.provenance.get("ledger", {})
        for what, ours in (("policy", (files.policy,)), ("semantics", READ_SEMANTICS)):
            if origin.get(what, ours[-1]) not in ours:
                raise UserError(
                    f"card {self.card.id} was made under {what} {origin[what]!r}, here it is {ours[-1]!r} (ledger "
                    f"{files.path}): its features would not mean the same. Use a card made under the same."
                )
        digest = files.catalogue.digest
        if digest not in self._plans:
            check_definitions(definitions, files.catalogue)
            self._plans[digest] = SubjectFeatures(definitions, files.catalogue)
        return self._plans[digest]

    def _assess(
        self,
        files: Files,
        plan: SubjectFeatures,
        subject_id: str,
        subject: int,
        day: int,
        why: str,
        live: bool,
        purpose: str,
        authorisation: str | None,
    ) -> Assessment:
        file = files.file(subject_id, subject, day)
        is_scored = why == ""
        features = plan.one(files.segments, subject, day) if is_scored else None
        row = self.card.score_one(dict(zip(self.card.columns, features.values, strict=True))) if features else None
        used = file.records_behind(self.card.columns, features) if features else {}
        both = {pair.name: {*used[pair.first], *used[pair.second]} for pair in self.card.pairs if used}
        used |= {name: tuple(sorted(records)) for name, records in both.items()}
        statutory = () if why == "deceased" else file.statutory_status()
        as_of = cast("date", from_day(day))
        explanation_zh, explanation_en = explanation(why, as_of, live, file.is_thin)
        return Assessment(
            status=_STATUS_OF.get(why, "not_eligible"),
            thin_file=file.is_thin,
            score=row.score if row else None,
            probability_of_bad=row.probability_of_bad if row else None,
            grade=row.grade if row else None,
            reasons=tuple(self._reasons(file, row.reasons, used)) if row else (),
            positives=tuple(_reason(positive, used) for positive in row.positives) if row else (),
            statutory_status=statutory,
            as_of=as_of,
            live=live,
            card_id=self.card.id,
            card_digest=self.card.digest,
            record_ids=tuple(sorted({record for records in used.values() for record in records})),
            purpose=purpose,
            authorisation=authorisation,
            requires_human=purpose in DECIDING_PURPOSES or not is_scored or bool(statutory) or file.is_disputed,
            explanation_zh=explanation_zh,
            explanation_en=explanation_en,
        )

    def _reasons(
        self, file: PersonFile, reasons: Sequence[CardReason], used: dict[str, tuple[str, ...]]
    ) -> Iterator[Reason]:
        changes = file.earliest_changes(self.card, [(reason.characteristic, reason.points) for reason in reasons])
        for reason, change in zip(reasons, changes, strict=True):
            yield _reason(reason, used, change)


def _reason(reason: CardReason, used: dict[str, tuple[str, ...]], change: date | None = None) -> Reason:
    return Reason(
        reason.code, reason.text_zh, reason.text_en, reason.points, used.get(reason.characteristic, ()), change
    )


def _read_observations(
    observations: Observations, used_on: int
) -> tuple[NDArray[np.object_], NDArray[np.int32], NDArray[np.bool_]]:
    """Return subject ids, days, and which answers are live."""
    from credit_model.catalogue.subject_ids import read_subject_ids

    if not isinstance(observations, Sequence | np.ndarray):
        if "subject_id" not in observations.columns:
            raise UserError(
                f"observations need a column subject_id (found: {', '.join(map(str, observations.columns))})."
            )
        ids = read_subject_ids(observations["subject_id"], _IDS_COLUMN)
        dates = observations["as_of"].tolist() if "as_of" in observations.columns else [None] * len(ids)
    else:
        ids = read_subject_ids([subject_id for subject_id, _ in observations], _IDS_COLUMN)
        dates = [as_of for _, as_of in observations]
    subject_ids = ids.to_numpy(zero_copy_only=False)
    days = np.array([_day(as_of, "as_of") for as_of in dates], np.int32)
    live = days == NO_DAY
    days[live] = used_on + 1
    if (days > used_on + 1).any():
        raise UserError(
            f"cannot assess as of {from_day(int(days.max()))}: on {from_day(used_on)}, the day of use, nothing can be "
            f"known beyond {from_day(used_on + 1)}. Leave the date out for a live answer."
        )
    return subject_ids, days, live


def _day(value: DateLike | None, name: str) -> int:
    try:
        return to_day(value)
    except UserError:
        raise UserError(f"{name} is no date: give a date, or text like 2024-01-31.") from None
