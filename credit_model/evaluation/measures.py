"""The one registry of measures: how each is computed and written, where it appears, and which limit a gate may set.

Sections of an evaluation, rows of pages and model cards, metrics of a tracked run, the page of measures and the gates
of an experiment follow from `MEASURES`. Labels stand in ``texts/report.toml`` under the name of the measure.

In: columns of scored rows. Out: an `Estimate` or a `Significance` by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from credit_model.metrics import (
    brier_parts,
    calibration,
    curves,
    detection,
    differences,
    odds,
    performance,
    reliability,
)
from credit_model.metrics.performance import Estimate
from credit_model.metrics.reliability import Significance
from credit_model.texts.words import load_texts

Bounds = tuple[float, float | None]
Limit = float | tuple[float, float] | tuple[str, ...] | bool


# ---------------------------------------------------------------------------------------------------- limits of gates


@dataclass(frozen=True)
class GateForm:
    """Form of the limit that a gate sets on a measure.

    Parameters
    ----------
    form : str
        The form in words, for messages.
    read : callable
        Returns a declared limit as it is used, or None where it has another form.
    bounds : callable
        Takes the limit and the number of bads, returns the least and the greatest value.
    every_segment : bool
        Whether people with and without a record are judged too.
    """

    form: str
    read: Callable[[Any], Limit | None]
    bounds: Callable[[Any, int], Bounds]
    every_segment: bool = False


def read_number(raw: object) -> float | None:
    """Return a finite number; None for anything else."""
    return float(raw) if isinstance(raw, int | float) and type(raw) is not bool and math.isfinite(raw) else None


def _read_band(raw: object) -> tuple[float, float] | None:
    ends = [read_number(end) for end in raw] if isinstance(raw, list | tuple) else []
    if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
        return None
    return ends[0], ends[1]


def _read_tolerance(raw: object) -> float | tuple[float, float] | None:
    number = read_number(raw)
    return _read_band(raw) if number is None else number


def _tolerance_bounds(limit: float | tuple[float, float], bads: int) -> Bounds:
    """Widen a tolerance around 1 by what chance does to so many bads."""
    if isinstance(limit, tuple):
        return limit
    reach = calibration.observed_to_expected_limit(bads, limit)
    return 1 - reach, 1 + reach


LEAST: Final = GateForm("a least value", read_number, lambda limit, bads: (limit, None))
BAND: Final = GateForm("[low, high]", _read_band, lambda limit, bads: limit)
TOLERANCE: Final = GateForm("a tolerance or [low, high]", _read_tolerance, _tolerance_bounds, every_segment=True)


# ---------------------------------------------------------------------------------------------------- declarations


class ScoredColumns(Protocol):
    """Columns of scored rows: ``y``, ``probability`` and what else a measure names, each an array or None."""

    @property
    def weight(self) -> NDArray[np.float64]:
        """Sampling weights."""

    @property
    def people(self) -> NDArray[np.intp] | None:
        """Person of each row; None when every row is another person."""


@dataclass(frozen=True)
class Measure:
    """Declaration of a measure.

    Parameters
    ----------
    name : str
        Key in evaluations, tracked metrics, gates and texts.
    function : callable
        Takes the columns, ``weight`` and ``subject``; returns an `Estimate`. Its docstring is the entry in the page of
        measures.
    columns : tuple of str
        Columns it takes: ``y, risk, score, probability, true_risk, attainable``. Rows that lack one lack the measure.
    form : str
        How it is written: a kind of `credit_model.texts.words.format_number`.
    options : mapping
        Further arguments of the function.
    part : str
        Attribute of the result that is the estimate, where the function returns several.
    gate : GateForm, optional
        Form of the limit an experiment may set; None where it may set none.
    gauge : (float, float), optional
        Ends of the scale of its tile at the top of the page; None without a tile.
    headline : bool
        Whether model cards and the summary of a run show it.
    detail : bool
        Whether it is measured in the three main segments only, not in breakdowns and for challengers.
    by_month, by_sample : bool
        Whether it is measured for each as-of date, and for the development sample.
    """

    name: str
    function: Callable[..., Any]
    columns: tuple[str, ...]
    form: str
    options: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    gate: GateForm | None = None
    gauge: tuple[float, float] | None = None
    headline: bool = False
    detail: bool = False
    by_month: bool = False
    by_sample: bool = False


@dataclass(frozen=True)
class CalibrationTest:
    """Declaration of a test of the probabilities; ``clustered`` where its function takes the person of each row."""

    name: str
    function: Callable[..., Significance | None]
    clustered: bool = True


_RANK, _LEVEL = ("y", "risk"), ("y", "probability")
MEASURES: Final[dict[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure(
            "gini", performance.gini, _RANK, "gini",
            gate=LEAST, gauge=(0, 1), headline=True, by_month=True, by_sample=True,
        ),
        Measure(
            "soft_gini", performance.soft_gini, ("true_risk", "risk"), "gini",
            gate=LEAST, gauge=(0, 1), headline=True, by_month=True,
        ),
        Measure("ks", curves.ks, _RANK, "gini", gate=LEAST, gauge=(0, 1), headline=True, by_sample=True),
        Measure(
            "soft_gini_to_attainable", differences.soft_gini_ratio, ("true_risk", "risk", "attainable"), "percent",
            gate=LEAST, gauge=(0.7, 1.1), headline=True,
        ),
        Measure("auc", performance.auc, _RANK, "gini", headline=True),
        Measure(
            "slope", calibration.calibration_line, _LEVEL, "ratio", part="slope",
            gate=BAND, gauge=(0.5, 1.5), headline=True, by_sample=True,
        ),
        Measure(
            "observed_to_expected", calibration.observed_to_expected, _LEVEL, "ratio",
            gate=TOLERANCE, gauge=(0.5, 1.5), headline=True, by_month=True, by_sample=True,
        ),
        Measure("intercept", calibration.calibration_line, _LEVEL, "ratio", part="intercept"),
        Measure("brier", calibration.brier, _LEVEL, "loss", headline=True),
        Measure("log_loss", calibration.log_loss, _LEVEL, "loss"),
        Measure("average_precision", detection.average_precision, _RANK, "gini", detail=True),
        Measure("lift_01", detection.lift, _RANK, "ratio", {"share": 0.01}, detail=True),
        Measure("lift_10", detection.lift, _RANK, "ratio", {"share": 0.1}, detail=True),
        Measure("brier_reliability", brier_parts.brier_parts, _LEVEL, "small", part="reliability", detail=True),
        Measure("brier_resolution", brier_parts.brier_parts, _LEVEL, "small", part="resolution", detail=True),
        Measure("ece", reliability.expected_calibration_error, _LEVEL, "loss", detail=True),
        Measure("ici", reliability.integrated_calibration_index, _LEVEL, "loss", detail=True),
        Measure(
            "points_to_double_odds", odds.odds_line, ("y", "score"), "score",
            {"reference": 0.0}, part="points_to_double_odds", detail=True,
        ),
    )
}  # fmt: skip
"""Every measure by name, in the order of the pages."""

TESTS: Final[dict[str, CalibrationTest]] = {
    test.name: test
    for test in (
        CalibrationTest("hosmer_lemeshow", reliability.hosmer_lemeshow, clustered=False),
        CalibrationTest("spiegelhalter", reliability.spiegelhalter),
    )
}


def missing_texts() -> tuple[str, ...]:
    """Return a line for each text that a declared measure or test lacks.

    Examples
    --------
    >>> missing_texts()
    ()
    """
    texts = load_texts("report.toml")["measure"]
    return tuple(
        f"measure {name!r} is declared without {key!r} in {language!r}: add it to [measure] in texts/report.toml"
        for name in (*MEASURES, *TESTS)
        for key in (name, f"{name}_asks")
        for language in ("en", "zh")
        if not texts.get(key, {}).get(language)
    )


# ---------------------------------------------------------------------------------------------------- computing


def compute_measures(
    rows: ScoredColumns, selects: Callable[[Measure], bool] = lambda measure: not measure.detail
) -> dict[str, Estimate]:
    """Compute the chosen measures whose columns are there.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rows = SimpleNamespace(y=[1, 0, 0], risk=[3, 1, 2], weight=[1, 1, 1], people=None)
    >>> compute_measures(rows, lambda measure: measure.headline)["gini"].value
    1.0
    """
    results: dict[tuple[Any, ...], Any] = {}
    estimates = {}
    for measure in filter(selects, MEASURES.values()):
        columns = [getattr(rows, name, None) for name in measure.columns]
        if any(column is None for column in columns):
            continue
        call = (measure.function, measure.columns, *measure.options.items())
        if call not in results:  # slope and intercept are parts of one line
            results[call] = measure.function(*columns, weight=rows.weight, subject=rows.people, **measure.options)
        estimates[measure.name] = getattr(results[call], measure.part) if measure.part else results[call]
    return estimates


def compute_tests(rows: ScoredColumns) -> dict[str, Significance]:
    """Compute the tests of the probabilities that these rows allow."""
    tests = {
        test.name: test.function(
            *(getattr(rows, column) for column in _LEVEL),
            weight=rows.weight,
            **({"subject": rows.people} if test.clustered else {}),
        )
        for test in TESTS.values()
    }
    return {name: test for name, test in tests.items() if test is not None}
