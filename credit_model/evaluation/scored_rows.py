"""Scored rows of an evaluation as arrays, checked once and sorted by person and date.

In: a frame of scored rows. Out: a `Sample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_REQUIRED = ("subject_id", "as_of", "y", "score", "probability_of_bad", "grade")


@dataclass(frozen=True)
class Sample:
    """The scored rows as arrays, sorted by person and date; ``order`` says which row of the frame each of them was.

    Optional columns are ``None`` where the frame has none.
    """

    y: NDArray[np.float64]
    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    weight: NDArray[np.float64]
    subject: NDArray[np.intp]
    as_of: NDArray[np.str_]
    grade: NDArray[np.str_]
    record: NDArray[np.bool_] | None
    true_risk: NDArray[np.float64] | None
    attainable: NDArray[np.float64] | None
    order: NDArray[np.intp]
    others: dict[str, NDArray[np.float64]]

    def where(self, rows: NDArray[Any]) -> Sample:
        """Keep some rows, chosen by a mask or put in an order."""
        arrays: dict[str, Any] = {
            name: None if value is None else value[rows] for name, value in vars(self).items() if name != "others"
        }
        return Sample(**arrays, others={name: value[rows] for name, value in self.others.items()})

    @property
    def risk(self) -> NDArray[np.float64]:
        """A number that grows with risk."""
        return -self.score

    @property
    def people(self) -> NDArray[np.intp] | None:
        """Whom rows belong to; None when every row is a person of its own."""
        return None if distinct(self.subject) == self.subject.size else self.subject


def distinct(subjects: NDArray[np.intp]) -> int:
    """Count people among rows sorted by person, as those of a sample are."""
    return int(subjects.size and 1 + np.count_nonzero(subjects[1:] != subjects[:-1]))


def sample_of(frame: pd.DataFrame, others: Sequence[str]) -> Sample:
    """Check a frame of scored rows and take it apart.

    Raises
    ------
    UserError
        With every fault found.
    """
    import pandas as pd

    columns = [*_REQUIRED, *others]
    faults = [f"column {name!r} is missing" for name in columns if name not in frame.columns]
    faults += [
        f"column {name!r} has {int(frame[name].isna().sum())} empty rows"
        for name in (*columns, "weight", "with_record", "true_risk", "attainable")
        if name in frame.columns and frame[name].isna().any()
    ]
    if not faults and len(frame):
        if not frame["y"].isin([0, 1]).all():
            faults.append("column 'y' holds values other than 0 (good) and 1 (bad)")
        probability = frame["probability_of_bad"]
        if ((probability <= 0) | (probability >= 1)).any():
            faults.append("column 'probability_of_bad' holds values outside 0 to 1 (both exclusive)")
        if "weight" in frame.columns and (frame["weight"] <= 0).any():
            faults.append("column 'weight' holds weights of 0 or less")
        if frame.duplicated(["subject_id", "as_of"]).any():
            repeated = int(frame.duplicated(["subject_id", "as_of"]).sum())
            faults.append(f"{repeated} rows repeat a subject_id and as_of")
    if not len(frame):
        faults.append("it has no rows")
    if faults:
        raise UserError(f"Cannot evaluate this frame: {'; '.join(faults)}.", tuple(faults))

    def numbers(name: str) -> NDArray[np.float64] | None:
        return frame[name].to_numpy(np.float64) if name in frame.columns else None

    required = {name: frame[name].to_numpy(np.float64) for name in ("y", "score", "probability_of_bad", *others)}
    weight = numbers("weight")
    day, days = pd.factorize(pd.to_datetime(frame["as_of"]))
    sample = Sample(
        y=required["y"],
        score=required["score"],
        probability=required["probability_of_bad"],
        weight=np.ones(len(frame)) if weight is None else weight,
        subject=pd.factorize(frame["subject_id"], sort=True)[0],
        as_of=pd.DatetimeIndex(days).strftime("%Y-%m-%d").to_numpy(str)[day],
        grade=frame["grade"].astype(str).to_numpy(str),
        record=frame["with_record"].to_numpy(bool) if "with_record" in frame.columns else None,
        true_risk=numbers("true_risk"),
        attainable=numbers("attainable"),
        order=np.arange(len(frame)),
        others={name: required[name] for name in others},
    )
    return sample.where(np.lexsort((sample.as_of, sample.subject)))
