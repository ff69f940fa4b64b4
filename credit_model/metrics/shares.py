"""Weighted shares of groups, and their ratios and gaps, with intervals.

Intervals come from squared influences summed within people; of rows that are a person each they are functions of
counts alone, so a million rows cost a few passes over them.

In: the group, weight and person of each row; who is a member. Out: `Shares`, or `Estimate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from credit_model.metrics.performance import UNDEFINED, Estimate, Floats


@dataclass(frozen=True, eq=False)
class Shares:
    """Weighted share of members of each group, its standard error, and the effective number of rows behind it."""

    value: Floats
    error: Floats
    size: Floats


class Groups:
    """Rows of groups and people, ready for many shares: ``code`` is -1 where a row belongs to no group."""

    def __init__(self, code: NDArray[np.intp], count: int, weight: Floats, subject: NDArray[np.intp] | None) -> None:
        self.code, self.count, self.weight = code, count, weight
        self._pair: NDArray[np.intp] | None = None
        if subject is not None:  # a person's rows are one piece of evidence, in each group they stand in
            pairs, self._pair = np.unique(subject * (count + 1) + code + 1, return_inverse=True)
            self._group_of_pair = np.asarray(pairs % (count + 1))

    def _sum(self, values: Floats) -> Floats:
        return np.bincount(self.code + 1, values, self.count + 1)[1:].astype(np.float64)

    def error_of(self, influence: Floats) -> float:
        """Return the standard error of a number that rows move by these influences, summed within people."""
        summed = influence if self._pair is None else np.bincount(self._pair, influence)
        return math.sqrt(float(np.sum(summed**2)) * summed.size / max(summed.size - 1, 1))

    def shares(self, member: NDArray[Any], among: NDArray[Any] | None = None) -> Shares:
        """Share of members among some rows (all without ``among``), by group; NaN where a group has none."""
        weight = self.weight if among is None else self.weight * among
        total = self._sum(weight)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = self._sum(weight * member) / total
            at = np.append(value, 0.0)[self.code]
            influence = np.where(weight > 0, weight * (member - at) / np.append(total, 1.0)[self.code], 0.0)
            if self._pair is None:
                squared, units = self._sum(influence**2), self._sum((weight > 0).astype(np.float64))
                mass = self._sum(weight**2)
            else:
                people = np.bincount(self._pair, weight).astype(np.float64)
                summed = np.bincount(self._pair, influence)
                squared, units, mass = (
                    np.bincount(self._group_of_pair, x, self.count + 1)[1:].astype(np.float64)
                    for x in (summed**2, (people > 0).astype(np.float64), people**2)
                )
            error = np.sqrt(squared * units / np.maximum(units - 1, 1))
            return Shares(value, error, total**2 / mass)


def share_estimate(shares: Shares, group: int, level: float = 0.95) -> Estimate:
    """Share of one group with Wilson's interval at its effective number of rows.

    Notes
    -----
    The effective number is ``p (1 - p) / se^2``, so that weights and repeated people widen it; at a share of 0 or 1,
    Kish's. Source: Wilson (*JASA* 22, 1927).
    """
    value, error = float(shares.value[group]), float(shares.error[group])
    if math.isnan(value):
        return UNDEFINED
    spread = value * (1 - value)
    size = spread / error**2 if error > 0 and spread > 0 else float(shares.size[group])
    z = NormalDist().inv_cdf(0.5 + level / 2)
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
    reach = z / (1 + z**2 / size) * math.sqrt(spread / size + z**2 / (4 * size**2))
    return Estimate(value, max(0.0, min(value, middle - reach)), min(1.0, max(value, middle + reach)))


def ratio_estimate(shares: Shares, group: int, reference: int, level: float = 0.95) -> Estimate:
    """Share of one group over that of another, interval on the logarithmic scale.

    Notes
    -----
    ``se(ln r)^2 = (se_g / p_g)^2 + (se_0 / p_0)^2`` (Katz et al., *Biometrics* 34, 1978). Where nobody of the group
    passes, the ratio is 0 and its upper end is that of the share (``1 - (alpha / 2)^(1/n)``) over the other's.
    """
    value, other = float(shares.value[group]), float(shares.value[reference])
    if math.isnan(value) or math.isnan(other) or other == 0:
        return UNDEFINED
    if group == reference:
        return Estimate(1.0, 1.0, 1.0)
    if value == 0:
        most = -math.expm1(math.log((1 - level) / 2) / float(shares.size[group]))
        return Estimate(0.0, 0.0, most / other)
    error = math.hypot(float(shares.error[group]) / value, float(shares.error[reference]) / other)
    reach = math.exp(NormalDist().inv_cdf(0.5 + level / 2) * error)
    return Estimate(value / other, value / other / reach, value / other * reach)


def gap_estimate(shares: Shares, group: int, reference: int, level: float = 0.95, most: float = 1.0) -> Estimate:
    """Share (or mean) of one group less that of another, normal interval inside ``-most`` to ``most``."""
    gap = float(shares.value[group] - shares.value[reference])
    if math.isnan(gap):
        return UNDEFINED
    if group == reference:
        return Estimate(0.0, 0.0, 0.0)
    error = math.hypot(float(shares.error[group]), float(shares.error[reference]))
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return Estimate(gap, max(-most, gap - reach), min(most, gap + reach))
