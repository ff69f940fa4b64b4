"""How well a card's probabilities agree with what happened: slope, observed to expected, Brier, Jeffreys by grade.

A ranking may be perfect and every probability twice too high; these measures see that and nothing else. All take
``probability``, the predicted probability of bad, and sampling weights; intervals are summed within people where a
person has several rows, as in `credit_model.metrics.performance`.

In: arrays of equal length, or counts. Out: `Estimate`, or p-values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Floats,
    Subjects,
    WeightedRows,
    interval,
    rows_of,
    standard_error,
)


def mean_of(rows: WeightedRows, loss: Floats, level: float, least: float = 0.0) -> Estimate:
    """Weighted mean with its interval."""
    total = float(rows.weight.sum())
    if not total > 0:
        return UNDEFINED
    mean = float(np.sum(rows.weight * loss)) / total
    return interval(mean, standard_error(rows.weight * (loss - mean) / total, rows.subject), level, least)


def brier(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Brier score: mean squared distance between the probability and what happened; smaller is better.

    Parameters
    ----------
    y : array_like of {0, 1}, shape (n,)
        1 is bad.
    probability : array_like of float in [0, 1], shape (n,)
        Predicted probability of bad.
    weight, subject, level
        As in `credit_model.metrics.performance.auc`.

    Notes
    -----
    Formula: ``sum w (p - y)^2 / sum w``.

    Source: Brier (*Monthly Weather Review* 78, 1950).

    Danger: not below the Brier score of the constant rate.

    Limits: where bads are rare it is almost entirely the rate times its complement; read it beside that of the
    constant rate, or as `brier_parts`.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5]).value
    0.25
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    return mean_of(rows, (rows["probability"] - rows["y"]) ** 2, level)


def log_loss(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Mean surprise in nats, ``-ln`` of the probability given to what happened; smaller is better.

    Parameters as `brier`.

    Notes
    -----
    Formula: ``-sum w (y ln p + (1 - y) ln(1 - p)) / sum w``.

    Source: Good (*JRSS B* 14, 1952).

    Danger: not below the log loss of the constant rate; undefined: a probability of exactly 0 or 1 was wrong, and
    should not have been given.

    Limits: a few confident mistakes outweigh everything else.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]).value, 6)
    0.693147
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    loss = surprise(rows["y"], rows["probability"])
    return UNDEFINED if loss is None else mean_of(rows, loss, level)


def surprise(y: Floats, probability: Floats) -> Floats | None:
    """Nats by row; None where a probability of exactly 0 or 1 was wrong."""
    likelihood = np.where(y == 1, probability, 1 - probability)
    return None if (likelihood == 0).any() else np.asarray(-np.log(likelihood))


@dataclass(frozen=True)
class CalibrationLine:
    """Logistic line of the outcome on the predicted log-odds; a calibrated card has slope 1 and intercept 0."""

    slope: Estimate
    intercept: Estimate


def calibration_line(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> CalibrationLine:
    """Slope and intercept of the logistic regression of the outcome on the card's log-odds.

    Slope under 1: the card is too sure of its differences (overfitted); over 1: too timid. The intercept moves all
    probabilities together and is read where the slope is near 1; `observed_to_expected` says the same in plain words.

    Parameters
    ----------
    y, probability, weight, subject, level
        As in `brier`; probabilities strictly between 0 and 1.

    Returns
    -------
    CalibrationLine
        Undefined when all probabilities are equal, when an outcome is missing, or when the fit runs away.

    Notes
    -----
    Formula: ``logit P(y = 1) = a + b logit(p)``, maximum weighted likelihood by Newton's method, sandwich
    variance summed within people.

    Source: Cox (*Biometrika* 45, 1958).

    Danger: a slope whose interval leaves out 1: under it the card is too sure of its differences, over it too
    timid.

    Limits: a line can be right while single grades are wrong; a perfect card on 100,000 people still scatters by
    about 0.03.

    Examples
    --------
    >>> line = calibration_line([0, 0, 0, 1, 0, 1, 1, 1], [0.25] * 4 + [0.75] * 4)
    >>> round(line.slope.value, 6), abs(round(line.intercept.value, 6))
    (1.0, 0.0)
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    fit = fit_line(rows, rows["probability"])
    if fit is None:
        return CalibrationLine(UNDEFINED, UNDEFINED)
    intercept, slope = (
        interval(float(value), standard_error(influence, rows.subject), level)
        for value, influence in zip(*fit, strict=True)
    )
    return CalibrationLine(slope, intercept)


def fit_line(rows: WeightedRows, p: Floats) -> tuple[Floats, Floats] | None:
    """Intercept and slope of the outcome on log-odds, and how far each row moves them; None where undefined."""
    if ((p <= 0) | (p >= 1)).any():
        raise UserError("Cannot fit a calibration line: some probabilities are exactly 0 or 1; a card gives none such.")
    return fit_logistic(rows, np.log(p / (1 - p)))


def fit_logistic(rows: WeightedRows, x: Floats) -> tuple[Floats, Floats] | None:
    """Intercept and slope of the outcome's log-odds on x, and how far each row moves them; None where undefined."""
    outcome = rows["y"]
    weights = rows.weight / (float(rows.weight.mean()) or 1.0)
    if np.ptp(x) == 0 or np.ptp(outcome[weights > 0]) == 0:
        return None
    design = np.stack([np.ones_like(x), x])
    rate = float(np.mean(weights * outcome))
    line = np.array([math.log(rate / (1 - rate)), 0.0])

    # Sums, not products of matrices: those may add up in another order from call to call, and move a bit.
    def along(at: Floats) -> Floats:
        return np.asarray(at[0] + at[1] * x)

    def likelihood(at: Floats) -> float:
        return float(np.sum(weights * (outcome * along(at) - np.logaddexp(0, along(at)))))

    for _ in range(60):
        expected = 1 / (1 + np.exp(-np.clip(along(line), -500, 500)))
        information = np.sum(design[:, None] * design[None] * (weights * expected * (1 - expected)), axis=-1)
        if np.linalg.det(information) < 1e-9 or np.abs(line).max() > 1e3:
            return None
        step = np.linalg.solve(information, np.sum(design * (weights * (outcome - expected)), axis=-1))
        while likelihood(line + step) < likelihood(line) and np.abs(step).max() > 1e-9:
            step = step / 2
        line = line + step
        if np.abs(step).max() < 1e-9:
            return line, np.linalg.solve(information, design * (weights * (outcome - expected)))
    return None


def observed_to_expected(
    y: ArrayLike,
    probability: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Bads that happened for each bad the card expected: 1.2 means the card understated risk by a fifth.

    Parameters
    ----------
    y, probability, weight, subject, level
        As in `brier`.

    Returns
    -------
    Estimate
        Interval on the logarithmic scale; without any bad it runs from 0 to the exact Poisson end.

    Notes
    -----
    Formula: ``sum w y / sum w p``.

    Source: calibration in the large: Steyerberg, *Clinical Prediction Models* (2019), chapter 15.

    Danger: outside `observed_to_expected_limit`; above 1 the card understates risk, below 1 it overstates it,
    which harms people.

    Limits: too high here and too low there cancel; look at people with and without a record, and at the grades.

    Examples
    --------
    >>> observed_to_expected([0, 0, 1, 1], [0.1, 0.4, 0.5, 0.6]).value
    1.25
    """
    rows = rows_of(weight, subject, y=y, probability=probability)
    expected = float(np.sum(rows.weight * rows["probability"]))
    if not expected > 0:
        return UNDEFINED
    ratio = float(np.sum(rows.weight * rows["y"])) / expected
    if ratio == 0:
        return Estimate(0.0, 0.0, -math.log((1 - level) / 2) * float(rows.weight.mean()) / expected)
    error = standard_error(rows.weight * (rows["y"] - ratio * rows["probability"]) / expected, rows.subject)
    reach = math.exp(NormalDist().inv_cdf(0.5 + level / 2) * error / ratio)
    return Estimate(ratio, ratio / reach, ratio * reach)


def observed_to_expected_limit(bads: int, tolerance: float = 0.05) -> float:
    """Return how far observed to expected may lie from 1 before it says something: ``0.05 + 2 / sqrt(bads)``.

    Five in a hundred of tolerance, and twice the standard error of a count. With no bad at all the limit of one bad is
    used.

    Examples
    --------
    >>> observed_to_expected_limit(400)
    0.15000000000000002
    """
    return tolerance + 2 / math.sqrt(max(bads, 1))
