"""Samples before any card: event rates by month, labels that cannot be right, and when events came to pass.

In: rows of samples, good or bad, with their dates. Out: a `Data`, a plain value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.measures import compute_measures
from credit_model.evaluation.tables import with_second
from credit_model.foundation.errors import UserError
from credit_model.foundation.frames import frame_of
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, Estimate

if TYPE_CHECKING:
    import pandas as pd

REMAINS = 0.1
"""A month's goods (or bads) may be as few as a tenth of what other months have before its labels are doubted."""
CHANCE = 1e-6
"""And by chance, that few must be as rare as this."""
_LONGEST = 72  # months followed one by one; of more, years


@dataclass(frozen=True)
class RateCell:
    """Events of one month of one segment.

    Attributes
    ----------
    period : str
        Month (``2025-04``) of the observation date; a year where there are very many months.
    segment : str
        ``all``, ``with_record``, ``without_record``, or a value of the column ``segment``.
    people, observations, bads : int or None
    rate : float or None
        Share of bads.
    flag : str
        ``all_bad`` or ``all_good`` where hardly anything else is left and chance does not explain it, else empty.
    """

    period: str
    segment: str
    people: int | None
    observations: int | None
    bads: int | None
    rate: float | None
    flag: str


@dataclass(frozen=True)
class Vintage:
    """People observed in one month and the share of them with an event by the end of the 1st, 2nd, ... month after.

    None where a step would tell of 1 or 2 people.
    """

    period: str
    people: int
    cumulative: tuple[float | None, ...]


@dataclass(frozen=True)
class Described:
    """One sample: events by month and segment, vintages where event dates are known, the card on it where scored."""

    rates: tuple[RateCell, ...]
    vintages: tuple[Vintage, ...]
    measures: dict[str, Estimate]


@dataclass(frozen=True)
class Data:
    """Samples by name, and how many observations stand in months whose labels cannot be right."""

    samples: dict[str, Described]
    flagged_observations: int

    def to_frame(self) -> pd.DataFrame:
        """Return the event rates: one row a sample, month and segment."""
        import pandas as pd

        tables = {name: frame_of(described.rates) for name, described in self.samples.items()}
        return pd.concat(tables, names=["sample"]).reset_index("sample")


def describe_samples(samples: Mapping[str, pd.DataFrame], *, window_months: int = 12) -> Data:
    """Describe samples, and look for labels that cannot be right.

    Parameters
    ----------
    samples : mapping of str to DataFrame
        One row an observation: ``subject_id, as_of, y``; optional ``with_record`` (bool), ``segment`` (text),
        ``weight``, ``event_month`` (months from observation to event, 0 to ``window_months - 1``; empty for goods),
        and ``score`` with ``probability_of_bad``.
    window_months : int
        Performance window.

    Returns
    -------
    Data

    Raises
    ------
    UserError
        If a sample lacks a column or a label is neither 0 nor 1.

    Notes
    -----
    A month is flagged where the share of goods (or of bads) is under a tenth of the median over all months, rows
    counted, of the same segment, and so few have a binomial chance under 1e-6. Labels that are missing, not mature, or
    selected by outcome look so; a change in conduct does not. Example: the two-year file of COMPAS, screened from April
    2014 on. Limit: where most rows are wrong, the right ones look odd.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"subject_id": range(400), "as_of": ["2024-01-01"] * 300 + ["2024-02-01"] * 100,
    ...     "y": [0, 0, 1] * 100 + [1] * 100})
    >>> found = describe_samples({"out_of_time": frame})
    >>> [(cell.period, cell.flag) for cell in found.samples["out_of_time"].rates], found.flagged_observations
    ([('2024-01', ''), ('2024-02', 'all_bad')], 100)
    """
    tables = {name: _Table(name, frame) for name, frame in samples.items()}
    usual = _usual(list(tables.values()))
    flagged, described = 0, {}
    for name, table in tables.items():
        cells = [cell for segment in table.segments for cell in table.cells(segment, usual)]
        flagged += sum(int(table.rows_of("all", period).sum()) for period in {c.period for c in cells if c.flag})
        described[name] = Described(tuple(cells), table.vintages(window_months), table.measures())
    return Data(described, flagged)


class _Table:
    """One sample as arrays, sorted by person."""

    def __init__(self, name: str, frame: pd.DataFrame) -> None:
        import pandas as pd

        missing = [column for column in ("subject_id", "as_of", "y") if column not in frame.columns]
        if missing or not frame["y"].isin([0, 1]).all():
            fault = (
                f"column {' and '.join(map(repr, missing))} is missing" if missing else "'y' holds more than 0 and 1"
            )
            raise UserError(f"Cannot describe the sample {name!r}: {fault}.")
        subject = pd.factorize(frame["subject_id"], sort=True)[0]
        day = pd.to_datetime(frame["as_of"]).to_numpy()
        period, periods = pd.factorize(day.astype("datetime64[M]").astype(np.int64), sort=True)
        if len(periods) > _LONGEST:
            period, periods = pd.factorize(day.astype("datetime64[Y]").astype(np.int64), sort=True)
            self.periods = periods.astype("datetime64[Y]").astype(str)
        else:
            self.periods = periods.astype("datetime64[M]").astype(str)
        order = np.lexsort((period, subject))
        self.frame = frame.iloc[order]
        self.subject, self.y = subject[order], frame["y"].to_numpy(np.float64)[order]
        self.weight = self.frame["weight"].to_numpy(np.float64) if "weight" in frame else np.ones(len(frame))
        self.period = period[order]
        self.segments: dict[str, NDArray[np.bool_]] = {"all": np.ones(len(frame), bool)}
        if "with_record" in frame:
            record = self.frame["with_record"].to_numpy(bool)
            self.segments |= {"with_record": record, "without_record": ~record}
        if "segment" in frame:
            texts = self.frame["segment"].astype(str).to_numpy(str)
            self.segments |= {str(value): texts == value for value in np.unique(texts)}

    def rows_of(self, segment: str, period: str) -> NDArray[np.bool_]:
        return np.asarray(self.segments[segment] & (self.periods[self.period] == period))

    def counts(self, segment: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows, bads and people by period."""
        own, count = self.segments[segment], len(self.periods)
        rows = np.bincount(self.period[own], minlength=count)
        bads = np.bincount(self.period[own], self.y[own], count).astype(np.int64)
        subject, period = self.subject[own], self.period[own]  # sorted, so a person's rows of a month are neighbours
        new = np.append(True, (subject[1:] != subject[:-1]) | (period[1:] != period[:-1]))[: subject.size]
        return rows, bads, np.bincount(period[new], minlength=count)

    def cells(self, segment: str, usual: Mapping[str, float]) -> list[RateCell]:
        rows, bads, people = self.counts(segment)
        few = with_second([0 < n < SMALLEST_CELL for n in people], people.tolist())
        few_bads = with_second([f or 0 < b < FEWEST_BADS for f, b in zip(few, bads, strict=True)], people.tolist())
        cells = []
        for i, period in enumerate(self.periods):
            if rows[i]:
                n, b = int(rows[i]), int(bads[i])
                cells.append(
                    RateCell(
                        period=str(period),
                        segment=segment,
                        people=None if few[i] else int(people[i]),
                        observations=None if few[i] else n,
                        bads=None if few_bads[i] else b,
                        rate=None if few_bads[i] else b / n,
                        flag="" if few_bads[i] else _flag(n, b, usual.get(segment)),
                    )
                )
        return cells

    def vintages(self, window: int) -> tuple[Vintage, ...]:
        """Cumulative shares of events by month, every step of at least three bads."""
        if "event_month" not in self.frame:
            return ()
        at = np.where(self.y == 1, self.frame["event_month"].to_numpy(np.float64), np.nan)
        people = self.counts("all")[2]
        rows = []
        for i, period in enumerate(self.periods):
            own = self.period == i
            if people[i] < SMALLEST_CELL:
                continue
            month = np.clip(np.nan_to_num(at[own & (self.y == 1)], nan=window - 1), 0, window - 1).astype(np.intp)
            bads = np.cumsum(np.bincount(month, minlength=window))
            share = np.cumsum(np.bincount(month, self.weight[own & (self.y == 1)], window)) / self.weight[own].sum()
            rows.append(Vintage(str(period), int(people[i]), _steps(share, bads)))
        return tuple(rows)

    @property
    def people(self) -> NDArray[np.intp] | None:
        """Person of each row; None when every row is another person."""
        return self.subject if (self.subject[1:] == self.subject[:-1]).any() else None

    @property
    def risk(self) -> NDArray[np.float64]:
        return -self.frame["score"].to_numpy(np.float64)

    @property
    def probability(self) -> NDArray[np.float64]:
        return self.frame["probability_of_bad"].to_numpy(np.float64)

    def measures(self) -> dict[str, Estimate]:
        """How the card does on this sample, where it is scored and large enough to say so."""
        bads = int(self.y.sum())
        if not {"score", "probability_of_bad"} <= set(self.frame.columns) or bads < FEWEST_BADS:
            return {}
        return compute_measures(self, lambda measure: measure.by_sample)


def _steps(share: NDArray[np.float64], bads: NDArray[np.intp]) -> tuple[float | None, ...]:
    last, steps = 0, []
    for value, count in zip(share, bads, strict=True):
        is_shown = count == last or (count - last >= FEWEST_BADS and not 0 < bads[-1] - count < FEWEST_BADS)
        last = int(count) if is_shown else last
        steps.append(float(value) if is_shown else None)
    return tuple(steps)


def _usual(tables: Sequence[_Table]) -> dict[str, float]:
    """Median bad rate over the months of all samples, by segment, every row counting once."""
    medians = {}
    for segment in dict.fromkeys(s for table in tables for s in table.segments):
        counts = [table.counts(segment)[:2] for table in tables if segment in table.segments]
        rows, bads = (np.concatenate([pair[i] for pair in counts]) for i in (0, 1))
        rates, rows = (bads / np.maximum(rows, 1))[rows > 0], rows[rows > 0]
        order = np.argsort(rates, kind="stable")
        if rates.size:
            medians[segment] = float(rates[order][np.searchsorted(np.cumsum(rows[order]), rows.sum() / 2)])
    return medians


def _flag(rows: int, bads: int, usual: float | None) -> str:
    from scipy.stats import binom

    if usual is None:
        return ""
    for name, count, rate in (("all_bad", rows - bads, 1 - usual), ("all_good", bads, usual)):
        if count <= REMAINS * rate * rows and binom.cdf(count, rows, rate) < CHANCE:
            return name
    return ""
