"""How much better or worse one model is than another on the same rows, with intervals that know they are the same rows.

Both models meet the same lucky and unlucky draws, so their errors move together: the interval of a difference is far
narrower than two intervals side by side, and two overlapping intervals do not mean "no difference". Every row's
influence on the one measure, less its influence on the other, gives the standard error (for the AUC, DeLong's paired
variance).

In: arrays of equal length, one row an observation; the model asked about first, the one it is compared with second.
Out: `Estimate`.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from credit_model.metrics.calibration import fit_line, mean_of, surprise
from credit_model.metrics.performance import (
    UNDEFINED,
    Estimate,
    Floats,
    Subjects,
    WeightedRows,
    interval,
    placement,
    placement_error,
    rows_of,
    standard_error,
)


def _between(rows: WeightedRows, bad_share: Floats, level: float) -> Estimate:
    """Gini of ``risk`` minus that of ``other``, every row a bad of this share."""
    bad, good = rows.weight * bad_share, rows.weight * (1 - bad_share)
    one, two = placement(rows["risk"], bad, good), placement(rows["other"], bad, good)
    if one is None or two is None:
        return UNDEFINED
    error = placement_error(one.as_bad - two.as_bad, one.as_good - two.as_good, bad, good, rows)
    return interval(2 * (one.auc - two.auc), 2 * error, level, -2, 2)


def gini_difference(
    y: ArrayLike,
    risk: ArrayLike,
    other: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Gini of one ranking minus that of another on the same rows, with DeLong's paired interval.

    Two overlapping intervals do not mean "no difference": both rankings meet the same lucky and unlucky draws. This is
    the comparison to use, card against baseline or challenger against champion. Parameters as `auc`.

    Notes
    -----
    Formula: ``2 (AUC_1 - AUC_2)``, with the variance of the difference of both placements.

    Source: DeLong, DeLong and Clarke-Pearson (*Biometrics* 44, 1988), paired.

    Danger: an interval below 0: the model asked about ranks worse.

    Limits: nothing about levels; ties as in `auc`.

    Examples
    --------
    >>> gini_difference([0, 1, 0, 1], [1, 2, 1, 2], [1, 1, 1, 1]).value
    1.0
    """
    rows = rows_of(weight, subject, y=y, risk=risk, other=other)
    return _between(rows, rows["y"], level)


def soft_gini_difference(
    true_risk: ArrayLike,
    risk: ArrayLike,
    other: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Soft Gini of one ranking minus that of another: `gini_difference` without the luck of who had an event.

    Parameters as `soft_gini`.

    Notes
    -----
    Formula: difference of two `soft_gini`, paired as `gini_difference`.

    Source: as `gini_difference`, with every row a bad by its risk.

    Danger: an interval below 0.

    Limits: known only where the world is made up.

    Examples
    --------
    >>> round(soft_gini_difference([0.1, 0.2, 0.4], [1, 2, 3], [1, 1, 1]).value, 4)
    0.3727
    """
    rows = rows_of(weight, subject, true_risk=true_risk, risk=risk, other=other)
    return _between(rows, rows["true_risk"], level)


def soft_gini_ratio(
    true_risk: ArrayLike,
    risk: ArrayLike,
    attainable: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Soft Gini of a card as a share of the attainable: how much of what the records can tell the card has found.

    Parameters
    ----------
    true_risk, risk, weight, subject, level
        As in `soft_gini`.
    attainable : array_like of float, shape (n,)
        Risk by the best lawful use of the same records, grows with risk.

    Returns
    -------
    Estimate
        Paired interval (delta method: both Ginis move together); undefined when the attainable ranks no better than
        chance.

    Notes
    -----
    Formula: ``soft Gini of the card / soft Gini of the attainable``, delta method: both move together.

    Source: Oehlert, *A note on the delta method* (*The American Statistician* 46, 1992).

    Danger: under 0.90: the card leaves out much of what the records tell.

    Limits: the attainable is itself a model; undefined where it ranks no better than chance.

    Examples
    --------
    >>> soft_gini_ratio([0.1, 0.2, 0.4], [1, 1, 2], [1, 2, 3]).value < 1
    True
    """
    rows = rows_of(weight, subject, true_risk=true_risk, risk=risk, attainable=attainable)
    bad, good = rows.weight * rows["true_risk"], rows.weight * (1 - rows["true_risk"])
    card, best = placement(rows["risk"], bad, good), placement(rows["attainable"], bad, good)
    if card is None or best is None or best.auc <= 0.5:
        return UNDEFINED
    ratio = (2 * card.auc - 1) / (2 * best.auc - 1)
    scale = 2 / (2 * best.auc - 1)
    error = placement_error(
        scale * (card.as_bad - ratio * best.as_bad), scale * (card.as_good - ratio * best.as_good), bad, good, rows
    )
    return interval(ratio, error, level)


def brier_difference(
    y: ArrayLike,
    probability: ArrayLike,
    other: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Brier score of one model minus that of another; below 0 the first is better. Parameters as `brier`.

    Notes
    -----
    Formula: mean of ``(p_1 - y)^2 - (p_2 - y)^2``.

    Source: Diebold and Mariano (*Journal of Business and Economic Statistics* 13, 1995).

    Danger: an interval above 0: the model asked about predicts worse.

    Limits: as `brier`: where bads are rare, tiny.

    Examples
    --------
    >>> brier_difference([0, 1], [0.0, 1.0], [0.5, 0.5]).value
    -0.25
    """
    rows = rows_of(weight, subject, y=y, probability=probability, other=other)
    one, two = ((rows[name] - rows["y"]) ** 2 for name in ("probability", "other"))
    return mean_of(rows, one - two, level, least=-1.0)


def log_loss_difference(
    y: ArrayLike,
    probability: ArrayLike,
    other: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Log loss of one model minus that of another; below 0 the first is better. Parameters as `log_loss`.

    Notes
    -----
    Formula: mean of the difference of surprises.

    Source: Diebold and Mariano (*Journal of Business and Economic Statistics* 13, 1995).

    Danger: an interval above 0.

    Limits: as `log_loss`.

    Examples
    --------
    >>> round(log_loss_difference([0, 1], [0.25, 0.75], [0.5, 0.5]).value, 6)
    -0.405465
    """
    rows = rows_of(weight, subject, y=y, probability=probability, other=other)
    one, two = surprise(rows["y"], rows["probability"]), surprise(rows["y"], rows["other"])
    return UNDEFINED if one is None or two is None else mean_of(rows, one - two, level, least=-math.inf)


def slope_difference(
    y: ArrayLike,
    probability: ArrayLike,
    other: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Subjects = None,
    level: float = 0.95,
) -> Estimate:
    """Calibration slope of one model minus that of another. Parameters as `calibration_line`.

    Limit: neither sign is good by itself; 1 is right, so read it beside the slopes.

    Notes
    -----
    Formula: ``slope_1 - slope_2`` of `calibration_line`, influences paired row by row.

    Source: Cox (*Biometrika* 45, 1958).

    Danger: an interval that leaves out 0 with the slope of one near 1: the other needs recalibration.

    Limits: a slope nearer to 1 is better, not a greater one.

    Examples
    --------
    >>> y, p = [0, 0, 0, 1, 0, 1, 1, 1], [0.25] * 4 + [0.75] * 4
    >>> round(slope_difference(y, p, [0.1] * 4 + [0.9] * 4).value, 3)
    0.5
    """
    rows = rows_of(weight, subject, y=y, probability=probability, other=other)
    one, two = fit_line(rows, rows["probability"]), fit_line(rows, rows["other"])
    if one is None or two is None:
        return UNDEFINED
    error = standard_error(one[1][1] - two[1][1], rows.subject)
    return interval(float(one[0][1] - two[0][1]), error, level)
