"""Build the rows a card is learned from or evaluated on: who was observed, what was known, what happened next.

For every observation, a subject and a day: whoever is in the cohort and scored on that day, described as of that day by
the features a service would have computed then, with the outcome read on the day it is mature. Rows without a plain
good or bad are counted by reason and left out. What may only be audited stands beside the rows, never among the
features.

In: a ledger, an outcome, observation dates or observations, feature definitions. Out: a frozen ``DevelopmentSample``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import check_definitions, library
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import NO_DAY, DateLike, from_days, to_day, to_days
from credit_model.foundation.digests import sha256_parts
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import ArrayValue
from credit_model.ledger.ledger import Ledger
from credit_model.sample.events import cases_before
from credit_model.sample.outcome import Outcome
from credit_model.sample.split import shuffle_keys
from credit_model.visibility.tables import STATUSES, Segments

if TYPE_CHECKING:
    import pandas as pd

TRAIN_REPAIRED: Final = ("asof", "drop")
AGE_BANDS: Final = (30, 40, 50, 60)


class LeakageError(UserError):
    """A case stands on both sides of an observation date: among what describes a person, and as what happened next."""


@dataclass(frozen=True, eq=False)
class DevelopmentSample(ArrayValue):
    """Observations with a known outcome; every array has one entry a row.

    Parameters
    ----------
    X : DataFrame of float32
        Features as of each row's date, one column a definition.
    y : ndarray of int8
        1 is bad.
    weight : ndarray of float64
        1, or how many goods a kept good stands for.
    subject_id : ndarray of object
    as_of : ndarray of int32
        Days since 1970-01-01.
    with_record : ndarray of bool
        Whether anything at all was in force on the person's file.
    escalation : ndarray of bool
        Whether an event of an old case fell into the window, which does not count.
    audit : DataFrame
        Attributes that may only be audited, district and age band of each row.
    counts : DataFrame
        ``as_of, outcome, reason, rows``: everybody on file on each date, kept or left out.
    digest : str
        SHA-256 of the rows and of everything they depend on, the days labels were read among them.
    event : ndarray of object, optional
        Record id of the first event of each bad row, empty for the others.
    """

    X: pd.DataFrame
    y: NDArray[np.int8]
    weight: NDArray[np.float64]
    subject_id: NDArray[np.object_]
    as_of: NDArray[np.int32]
    with_record: NDArray[np.bool_]
    escalation: NDArray[np.bool_]
    audit: pd.DataFrame
    counts: pd.DataFrame
    digest: str
    event: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def bads(self) -> int:
        """Return the number of bad rows."""
        return int(self.y.sum())

    @property
    def bad_rate(self) -> float:
        """Return the weighted share of bads."""
        return float(np.average(self.y, weights=self.weight)) if len(self) else float("nan")

    @property
    def people(self) -> int:
        """Return the number of distinct subjects."""
        return len(set(self.subject_id.tolist()))


def build_sample(
    ledger: Ledger,
    outcome: Outcome,
    dates: Sequence[DateLike] | pd.DataFrame,
    features: Sequence[FeatureDefinition] | None = None,
    *,
    cohort: Mapping[str, object] | None = None,
    day_of_use: DateLike | None = None,
    known_through: DateLike | None = None,
    train_repaired: str = "asof",
    goods_share: float = 1.0,
    seed: int = 0,
) -> DevelopmentSample:
    """Observe a cohort on some dates, or each subject on its own.

    Parameters
    ----------
    ledger : Ledger
    outcome : Outcome
    dates : sequence of dates, or DataFrame
        Observation dates, on each of which everybody on file is observed; or the observations themselves,
        ``subject_id`` and ``as_of`` (see ``Event.observations``). What is said twice is one.
    features : sequence of FeatureDefinition, optional
        The dictionary unless given.
    cohort : mapping, optional
        Conditions (as in ``FeatureDefinition``) of which at least one record must have been in force, and decided,
        before the date. Without it, everybody who is scored.
    day_of_use, known_through : date, optional
        As in ``Outcome.label``.
    train_repaired : {"asof", "drop"}
        ``drop`` leaves records that were repaired by the time the label was read out of the features. Nobody could
        have known that on the day: the remaining records look harsher than they are. For experiments only.
    goods_share : float
        Share of goods to keep, apart for people with and without a record, and within each of the dates given; kept
        ones weigh more.
    seed : int
        Which goods are kept.

    Returns
    -------
    DevelopmentSample
        Rows by date, then subject.

    Raises
    ------
    UserError
        If a date's labels are not mature, or no row is left.
    LeakageError
        If a case stands on both sides of a date.
    """
    import pandas as pd

    definitions = library() if features is None else tuple(features)
    _check(ledger, outcome, definitions, cohort, train_repaired, goods_share)
    use = to_day(date.today() if day_of_use is None else day_of_use)
    segments = ledger.segments(use)
    requests = _requests(ledger, segments, dates)
    days = np.unique(requests["day"]).tolist()
    requests = _with_reasons(ledger, segments, requests, cohort)
    observed = requests[requests["reason"] == ""].reset_index(drop=True)
    label = outcome.label(ledger, observed.assign(as_of=from_days(observed["day"])), use, known_through)
    _check_labels(segments, outcome, label, observed["day"].to_numpy())
    left_out = requests[requests["reason"] != ""].assign(outcome="not_observed")
    labelled = observed.assign(
        y=(label["outcome"] == "bad").astype(np.int8), escalation=label["escalation"], event=label["event_record_id"]
    )
    rows = labelled[label["outcome"].isin(["good", "bad"])].reset_index(drop=True)
    rows = _thin_goods(rows, goods_share, seed, by_day=not isinstance(dates, pd.DataFrame))
    if not len(rows):
        raise UserError(
            "A sample was built: no row with a known outcome is left. Check the dates, the cohort and the ledger."
        )
    X = pd.DataFrame(
        _features(segments, rows, definitions, ledger, outcome, train_repaired), columns=[d.name for d in definitions]
    )
    dependencies = {
        "ledger": ledger.digest, "policy": ledger.policy, "day_of_use": use, "outcome": outcome.to_dict(),
        "dates": {str(day): outcome.mature_on(day) for day in days}, "cohort": cohort, "train_repaired": train_repaired,
        "goods_share": goods_share, "features": [d.to_dict() for d in definitions],
    }  # fmt: skip
    return DevelopmentSample(
        X=X,
        y=rows["y"].to_numpy(np.int8),
        weight=rows["weight"].to_numpy(np.float64),
        subject_id=rows["subject_id"].to_numpy(object),
        as_of=rows["day"].to_numpy(np.int32),
        with_record=rows["with_record"].to_numpy(np.bool_),
        escalation=rows["escalation"].to_numpy(np.bool_),
        audit=_audit(ledger, rows),
        counts=_count_rows(left_out, label.assign(day=observed["day"])),
        digest=_digest(dependencies, rows, X),
        event=np.where(rows["y"].to_numpy() == 1, rows["event"].to_numpy(object), ""),
    )


def _check(
    ledger: Ledger,
    outcome: Outcome,
    definitions: Sequence[FeatureDefinition],
    cohort: Mapping[str, object] | None,
    train_repaired: str,
    goods_share: float,
) -> None:
    """Check the arguments before a record is read."""
    if train_repaired not in TRAIN_REPAIRED:
        raise UserError(f"train_repaired {train_repaired!r} is not known; write 'asof' or 'drop'")
    if not 0 < goods_share <= 1:
        raise UserError(f"goods_share must be above 0 and at most 1, not {goods_share!r}")
    outcome.check(ledger.catalogue)
    check_definitions(definitions, ledger.catalogue)
    check_definitions([_anything(cohort or {})], ledger.catalogue)


def _anything(where: Mapping[str, object]) -> FeatureDefinition:
    """Return a feature: whether any record that meets the conditions was in force."""
    return FeatureDefinition(name="cohort", aggregate="any", where=where)


def _requests(ledger: Ledger, segments: Segments, dates: Sequence[DateLike] | pd.DataFrame) -> pd.DataFrame:
    """Return every subject and day in question (``subject_id, day``), distinct, by day, then subject."""
    import pandas as pd

    if isinstance(dates, pd.DataFrame):
        ids = read_subject_ids(dates["subject_id"], "observations, column subject_id")
        columns = {"subject_id": ids.to_numpy(zero_copy_only=False), "day": to_days(dates["as_of"])}
    else:
        subjects = np.union1d(ledger.population().subject_ids, segments.subject_ids)
        days = np.array(sorted({to_day(day) for day in dates}), np.int32)
        columns = {"subject_id": np.tile(subjects, len(days)), "day": np.repeat(days, len(subjects))}
    requests = pd.DataFrame({"subject_id": columns["subject_id"].astype(object), "day": columns["day"]})
    if isinstance(dates, pd.DataFrame):
        requests = requests.drop_duplicates().sort_values(["day", "subject_id"], ignore_index=True)
    return requests


def _with_reasons(
    ledger: Ledger, segments: Segments, requests: pd.DataFrame, cohort: Mapping[str, object] | None
) -> pd.DataFrame:
    """Add ``reason``, why a subject is not observed (empty if it is), and ``with_record``."""
    subjects, days = requests["subject_id"].to_numpy(object), requests["day"].to_numpy()
    reason = ledger.population().reason(subjects, days)
    clauses = [_anything({}), _anything(cohort or {})]
    in_force = compute(segments, segments.subject_index(subjects), days, clauses, ledger.catalogue) > 0
    if cohort:
        reason[(reason == "") & ~in_force[:, 1]] = "outside_cohort"
    return requests.assign(reason=reason, with_record=in_force[:, 0])


def _count_rows(*parts: pd.DataFrame) -> pd.DataFrame:
    """Count the rows of each day, outcome and reason."""
    import pandas as pd

    rows = pd.concat([part[["day", "outcome", "reason"]] for part in parts], ignore_index=True)
    counts = rows.groupby(["day", "outcome", "reason"]).size().rename("rows").reset_index()
    counts.insert(0, "as_of", from_days(counts.pop("day")))
    return counts.astype({"outcome": "str", "reason": "str"})


def _check_labels(segments: Segments, outcome: Outcome, label: pd.DataFrame, day: NDArray[np.int32]) -> None:
    """Refuse labels that are not mature, and a bad whose case was on the subject's file on its day."""
    immature = day[(label["outcome"] == "immature").to_numpy()]
    if len(immature):
        first = int(immature.min())
        raise UserError(
            f"sample as of {from_days(first)}: its labels are mature on {from_days(outcome.mature_on(first))}, but "
            "facts are known through an earlier day only; choose an earlier date, a later day_of_use, or a newer "
            "delivery"
        )
    bad = (label["outcome"] == "bad").to_numpy()
    if not bad.any():
        return
    case_of = np.empty(len(segments.record_ids), np.int64)
    case_of[segments.record] = segments.case
    record = np.searchsorted(segments.record_ids, label["event_record_id"][bad].to_numpy(object))
    before = cases_before(segments, label["subject_id"][bad], day[bad], day[bad])
    both = np.isin(np.arange(len(record)) * len(segments.case_ids) + case_of[record], before)
    if both.any():
        first = int(day[bad][both].min())
        raise LeakageError(
            f"sample as of {from_days(first)}: {int(both.sum())} cases describe a person and are that person's outcome "
            "too; an event of an old case must not count"
        )


def _thin_goods(rows: pd.DataFrame, share: float, seed: int, by_day: bool) -> pd.DataFrame:
    """Keep a share of the goods, apart for people with and without a record, and by day; weights make up for it."""
    import pandas as pd

    rows = rows.assign(weight=1.0)
    if share == 1:
        return rows
    parts = [rows[rows["y"] == 1]]
    for _, goods in rows[rows["y"] == 0].groupby([*(["day"] if by_day else []), "with_record"]):
        keys = shuffle_keys(goods["subject_id"], seed)
        rest = goods.iloc[sorted(range(len(goods)), key=keys.__getitem__)[: max(1, round(share * len(goods)))]]
        parts.append(rest.assign(weight=len(goods) / len(rest)))
    return pd.concat(parts).sort_index(ignore_index=True)


def _features(
    segments: Segments,
    rows: pd.DataFrame,
    definitions: Sequence[FeatureDefinition],
    ledger: Ledger,
    outcome: Outcome,
    train_repaired: str,
) -> NDArray[np.float32]:
    """Compute the features of the rows as of their dates."""
    if train_repaired == "asof":
        subjects = segments.subject_index(rows["subject_id"].to_numpy(object))
        return compute(segments, subjects, rows["day"].to_numpy(), definitions, ledger.catalogue)
    values = np.empty((len(rows), len(definitions)), np.float32)
    for day in rows["day"].unique().tolist():
        own = rows[rows["day"] == day]
        then = segments.at(outcome.mature_on(day))
        repaired = np.unique(then.record[then.status == STATUSES.index("repaired")])
        rest = segments.take(~np.isin(segments.record, repaired))
        subjects = rest.subject_index(own["subject_id"].to_numpy(object))
        values[own.index] = compute(rest, subjects, own["day"].to_numpy(), definitions, ledger.catalogue)
    return values


def _audit(ledger: Ledger, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the attributes of the rows that may only be audited."""
    import pandas as pd

    subjects, days = rows["subject_id"].to_numpy(object), rows["day"].to_numpy()
    audit = ledger.audit().reindex(subjects).reset_index(drop=True)
    population = ledger.population()
    if ledger.catalogue.subjects == "person":
        born = population.born_on(subjects, days)
        age = np.where(born == NO_DAY, 0, (days - born) // 365.2425)
        bands = np.array([f"under {AGE_BANDS[0]}", *(f"from {least}" for least in AGE_BANDS)], object)
        audit["age_band"] = bands[np.searchsorted(AGE_BANDS, age, side="right")]
    audit["district"] = pd.array(population.district(subjects, days), dtype="str")
    return audit


def _digest(dependencies: Mapping[str, object], rows: pd.DataFrame, X: pd.DataFrame) -> str:
    columns = (column.to_numpy().tobytes() for column in (rows["day"], rows["y"], rows["weight"], X))
    return sha256_parts(
        [json.dumps(dependencies, sort_keys=True, default=str), "\n".join(rows["subject_id"]), *columns]
    )
