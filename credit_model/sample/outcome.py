"""Label observations by what happened next: good, bad, or left out, and why. Nothing else looks forward.

An observation at day d is bad if a *new* case brings an event with ``decided_on`` in ``[d, d + window)``. The window is
read once, in the state known on the day the label is mature, ``k = d + window + maturity``: by then decisions have had
time to become final and to be received. An event that is still not final, challenged or disputed on that day leaves
the row *indeterminate*; one that turned out void (revoked, sealed, superseded by a correction, ...) never was an event;
one repaired later still was.

The worked example is the default outcome ``y12`` at d = 2023-09-01: events decided from 2023-09-01 to 2024-08-31, as
known at the start of k = 2025-04-01.

In: a ledger and observations (``subject_id``, ``as_of``).
Out: one row an observation: ``outcome``, ``reason``, ``escalation``, ``event_record_id``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import check_definitions
from credit_model.foundation.calendar import (
    NO_DAY,
    DateLike,
    Days,
    add_months,
    from_days,
    to_day,
    to_days,
    window_end,
    window_start,
)
from credit_model.foundation.errors import UserError
from credit_model.ledger.ledger import Ledger
from credit_model.sample.events import departures, is_on_list, meets, of_old_case
from credit_model.visibility.tables import TIERS

if TYPE_CHECKING:
    import pandas as pd

CLASSES: Final = ("good", "bad", "indeterminate", "excluded", "censored", "immature")
# What was known on day k to be no event at all ...
VOID: Final = (
    "kind_not_lawful",
    "sealed",
    "act_of_minor",
    "act_of_incapable",
    "corrected",
    "revoked",
    "moved",
    "summary_procedure",
)
# ... and what might still become one.
OPEN: Final = ("not_final", "disputed")

REASONS: Final = {  # why somebody on file is not a row of a sample, in English and Chinese
    "minor": ("minor", "未成年人"),
    "unmatched": ("not known on the date, or identity unmatched", "观察日未建档或身份未匹配"),
    "birth_date_unknown": ("birth date unknown", "出生日期不详"),
    "deceased": ("deceased", "死亡"),
    "incapable": ("without legal capacity", "无民事行为能力"),
    "moved_away": ("moved away", "迁出"),
    "covered_too_short": ("covered for less than 12 months", "归集覆盖不足12个月"),
    "outside_cohort": ("outside the cohort", "不属于样本人群"),
    "listed": ("on a statutory list on the date", "观察日在法定名单中"),
    "challenged": ("event under challenge when the label was read", "标签读取时事件处于复议诉讼中"),
    "disputed": ("event disputed when the label was read", "标签读取时事件处于异议中"),
    "not_final": ("event not final when the label was read", "标签读取时事件尚未生效"),
    "not_observed": ("not observed in the window", "表现期内未被观察"),
}

Columns = dict[str, Any]


class OutcomeErrors(UserError):
    """An outcome that cannot be used; ``faults`` names every fault."""


@dataclass(frozen=True)
class Outcome:
    """What is predicted: which events, in which performance window, read when.

    Parameters
    ----------
    name : str
    window : str
        Performance window, ``"12m"`` or ``"1097d"``; its end is exclusive.
    maturity_months : int
        Months after the window until events are final and received.
    where : mapping, optional
        Conditions an event meets, as in ``FeatureDefinition``; without it, the closed set of the catalogue: the kinds
        with a label (L1 to L6), at or above the tier the label asks for.
    observed_by : mapping, optional
        Conditions of records of which at least one must be decided in the window; otherwise a row without an event is
        indeterminate (nobody looked).

    Raises
    ------
    OutcomeErrors

    Examples
    --------
    >>> from credit_model.foundation.calendar import from_days, to_day
    >>> day = to_day("2023-09-01")
    >>> str(from_days(Y12.window_end(day))), str(from_days(Y12.mature_on(day)))
    ('2024-09-01', '2025-04-01')
    """

    name: str
    window: str
    maturity_months: int
    where: Mapping[str, Any] | None = field(default=None, hash=False)
    observed_by: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        faults = []
        try:
            clauses = self._clauses
        except UserError as error:
            faults += [fault.split(": ", 1)[1] for fault in error.faults]
        else:
            if clauses[0].span.unit not in ("months", "days"):
                faults.append(f"window {self.window!r} must be months or days: '12m' or '365d'")
            if any(c.key == "role" for clause in clauses for c in clause.conditions):
                faults.append("role is a state of use, not a fact of an event: leave it out")
        if (
            isinstance(self.maturity_months, bool)
            or not isinstance(self.maturity_months, int)
            or self.maturity_months < 0
        ):
            faults.append(f"maturity_months must be a whole number, 0 or more, not {self.maturity_months!r}")
        if faults:
            raise OutcomeErrors(f"outcome {self.name!r}: " + "; ".join(faults), tuple(faults))

    @cached_property
    def _clauses(self) -> tuple[FeatureDefinition, FeatureDefinition]:
        """Return the events, and what must be observed, as conditions of features."""
        return (
            FeatureDefinition(name=self.name, aggregate="any", where=self.where or {}, window=self.window),
            FeatureDefinition(name=self.name, aggregate="any", where=self.observed_by or {}, window=self.window),
        )

    def check(self, catalogue: Catalogue) -> None:
        """Hold the conditions against a catalogue; ``OutcomeErrors`` names every word it does not know."""
        faults: tuple[str, ...] = ()
        try:
            check_definitions(self._clauses[:1], catalogue)
            check_definitions(self._clauses[1:], catalogue)
        except UserError as error:
            faults = tuple(fault.split(": ", 1)[1] for fault in error.faults)
        if self.where is None and not any(kind.label for kind in catalogue.kinds.values()):
            faults += (f"catalogue {catalogue.name!r} has no kind with a label L1 to L6: say which records are events",)
        if faults:
            raise OutcomeErrors(f"outcome {self.name!r}: " + "; ".join(faults), faults)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without those that are absent."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def sentence(self, lang: str = "en") -> str:
        """Say in one sentence what is predicted."""
        window = self._clauses[0].span
        unit = {"en": {"months": "months", "days": "days"}, "zh": {"months": "个月", "days": "天"}}[lang][window.unit]
        if self.where is None:
            events = {
                "en": "a new serious adverse event (closed set L1 to L6)",
                "zh": "新的严重不良事件（封闭集合L1至L6）",
            }[lang]
        else:
            events = {"en": f"event {self.name}", "zh": f"事件{self.name}"}[lang]
        if lang == "zh":
            return f"{window.length}{unit}内{events}，{self.maturity_months}个月后读取标签"
        return f"{events} within {window.length} {unit}, read {self.maturity_months} months later"

    # ------------------------------------------------------------------ days

    @property
    def window_months(self) -> float:
        """Return the length of the window in months, rounded where the window is in days."""
        window = self._clauses[0].span
        return window.length if window.unit == "months" else round(window.length / 30.4369, 1)

    @overload
    def window_end(self, day: int) -> int: ...
    @overload
    def window_end(self, day: Days) -> Days: ...
    def window_end(self, day: int | Days) -> int | Days:
        """Return the first day after the performance window of an observation, or of each."""
        span = self._clauses[0].span
        return window_end(day, span.unit, span.length)

    @overload
    def mature_on(self, day: int) -> int: ...
    @overload
    def mature_on(self, day: Days) -> Days: ...
    def mature_on(self, day: int | Days) -> int | Days:
        """Return the day at whose start the label of an observation is read, or of each."""
        return add_months(self.window_end(day), self.maturity_months)

    def latest_mature(self, day: int) -> int:
        """Return the latest observation date whose labels are mature on a day."""
        span = self._clauses[0].span
        latest_end = window_start(day, "months", self.maturity_months) - 1  # the last day that is mature by then
        return window_start(latest_end, span.unit, span.length) - 1

    # ------------------------------------------------------------------ labels

    def label(
        self,
        ledger: Ledger,
        observations: pd.DataFrame,
        day_of_use: DateLike | None = None,
        known_through: DateLike | None = None,
    ) -> pd.DataFrame:
        """Say what happened next to each observed subject.

        Parameters
        ----------
        ledger : Ledger
        observations : DataFrame
            ``subject_id`` and ``as_of``.
        day_of_use : date, optional
            Day whose law holds; today without it.
        known_through : date, optional
            The last day up to which the ledger's sources have delivered; without it, the last day on which it learned
            anything. A label that is mature later is ``immature``.

        Returns
        -------
        DataFrame
            Rows and index of ``observations``; columns ``subject_id, as_of, outcome`` (one of ``CLASSES``), ``reason``,
            ``escalation`` (an event of an old case, which does not count), ``event_record_id`` (the first event).

        Notes
        -----
        The first that applies: immature; excluded (on a statutory list at d); bad (an event before any censoring);
        indeterminate (an open event before any censoring); censored (death, move or incapacity in the window, an
        event of that day or later notwithstanding); indeterminate (not observed); good.
        """
        import pandas as pd

        self.check(ledger.catalogue)
        use = to_day(date.today() if day_of_use is None else day_of_use)
        through = last_receipt_day(ledger) if known_through is None else to_day(known_through)
        ids = read_subject_ids(observations["subject_id"], "observations, column subject_id")
        subjects = ids.to_numpy(zero_copy_only=False)
        days = to_days(observations["as_of"])
        mature = np.flatnonzero(self.mature_on(days) <= min(use, through) + 1)
        blank = {"outcome": "immature", "reason": "labels_not_mature", "escalation": False, "event_record_id": None}
        labels = {name: np.full(len(days), value, object) for name, value in blank.items()}
        for name, column in self._read(ledger, subjects[mature], days[mature], use).items():
            labels[name][mature] = column
        types = {name: np.bool_ if name == "escalation" else "str" for name in labels}
        value = {"subject_id": subjects, "as_of": from_days(days).astype("datetime64[s]"), **labels}
        return pd.DataFrame(value, index=observations.index).astype(types)

    def _read(self, ledger: Ledger, subjects: NDArray[np.object_], day: Days, use: int) -> Columns:
        """Label subjects, each observed on its own day, in their order."""
        end, mature = self.window_end(day), self.mature_on(day)
        records = ledger.between_each(subjects, day, end, mature, use)
        records = records[~records[[*VOID, "sustained"]].any(axis=1)]
        events = records[self._is_event(records, ledger.catalogue)].sort_values(["decided_on", "record_id"])
        row = events["row"].to_numpy()
        old = of_old_case(ledger, events, day[row], mature[row], use)
        undecided = events[list(OPEN)].any(axis=1).to_numpy(np.bool_)

        event, pending = (_first(events[~old & rows], len(day)) for rows in (~undecided, undecided))
        event_on, pending_on = to_days(event["decided_on"]), to_days(pending["decided_on"])
        left_on, left_why = departures(ledger, subjects, day, end, mature)
        why_pending = np.select(
            [pending["disputed"].eq(True), pending["challenge_open"].eq(True)], ["disputed", "challenged"], "not_final"
        )
        cases = [
            (is_on_list(ledger, subjects, day, use), "excluded", "listed"),
            ((event_on != NO_DAY) & (event_on < left_on), "bad", "event"),
            ((pending_on != NO_DAY) & (pending_on < left_on), "indeterminate", why_pending),
            (left_on < end, "censored", left_why),
        ]
        if self.observed_by is not None:
            observing = records[meets(records, self._clauses[1].conditions, ledger.catalogue)]
            unseen = ~np.isin(np.arange(len(day)), observing["row"])
            cases.append((unseen, "indeterminate", "not_observed"))
        outcome, reason = np.full(len(subjects), "good", object), np.full(len(subjects), "no_event", object)
        for holds, name, why in reversed(cases):  # the first that applies is written last
            outcome[holds], reason[holds] = name, np.broadcast_to(why, len(subjects))[holds]
        record = np.full(len(subjects), None, object)
        record[outcome == "bad"] = event["record_id"].to_numpy(object)[outcome == "bad"]
        return {
            "outcome": outcome,
            "reason": reason,
            "escalation": np.isin(np.arange(len(day)), row[old & ~undecided]),
            "event_record_id": record,
        }

    def _is_event(self, records: pd.DataFrame, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Return which records are events by kind, tier and facts."""
        if self.where is not None:
            return meets(records, self._clauses[0].conditions, catalogue)
        least = {k.code: TIERS.index(k.label_tier_at_least) for k in catalogue.kinds.values() if k.label}
        tier = records["tier"].map(TIERS.index).to_numpy(int)
        return tier >= records["kind"].map(least).fillna(len(TIERS)).to_numpy(int)


Y12: Final = Outcome(name="y12", window="12m", maturity_months=7)
OUTCOMES: Final = {"y12": Y12}


def last_receipt_day(ledger: Ledger) -> int:
    """Return the last day on which the ledger learned anything (days since 1970-01-01), ``NO_DAY`` if it is empty."""
    tables = ledger.tables()
    days = [table["known_on"].max(initial=NO_DAY) for table in (tables.records, tables.amendments, tables.subjects)]
    return int(max(days))


def _first(events: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the first event of each row, nulls where there is none."""
    return events.drop_duplicates("row").set_index("row").reindex(range(rows))
