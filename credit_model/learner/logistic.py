"""A logistic regression within linear limits: the weights a card may have, and no others.

Newton's method; each step is a small quadratic programme solved exactly. The data enter only through their gradient
and curvature, so that identical rows are best given once, with their counts.

In: a design, counts of goods and bads by row, a ridge, linear limits on the weights.
Out: the intercept and weights of greatest penalised likelihood within the limits, and the curvature there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import nnls
from scipy.special import expit

Real = npt.NDArray[np.float64]

_MOST_STEPS = 60
_DECREASE = 1e-10  # of the objective, relative: where a further step is not worth taking


@dataclass(frozen=True)
class Limits:
    """Linear limits on the weights: ``left @ weights >= right``."""

    left: Real
    right: Real

    @classmethod
    def not_negative(cls, count: int) -> Limits:
        """Every weight at least 0."""
        return cls(np.eye(count), np.zeros(count))

    def and_at_most(self, row: Real, most: float) -> Limits:
        """These limits, and ``row @ weights <= most`` (nothing is added where ``most`` is infinite)."""
        if not np.isfinite(most):
            return self
        return Limits(np.vstack([self.left, -row]), np.append(self.right, -most))


@dataclass(frozen=True)
class LogisticFit:
    """Log-odds good : bad are ``intercept + design @ weights + offset``."""

    intercept: float
    weights: Real
    curvature: Real  # of the penalised objective, intercept first


def fit_logistic(
    design: Real,
    goods: Real,
    bads: Real,
    *,
    ridge: float | Real,
    centre: float | Real = 0.0,
    offset: Real | float = 0.0,
    limits: Limits | None = None,
) -> LogisticFit:
    r"""Fit a logistic regression of good against bad.

    Parameters
    ----------
    design : array, shape (rows, k)
    goods, bads : array, shape (rows,)
        Weighted counts of goods and bads in each row; both sums above 0.
    ridge, centre : float or array, shape (k,)
        Each weight is drawn towards ``centre`` by ``ridge``; the intercept is free.
    offset : array, shape (rows,)
        Log-odds that are given.
    limits : Limits, optional
        On the weights; they must leave at least one choice.

    Notes
    -----
    Minimises :math:`\sum_i g_i \ln(1 + e^{-z_i}) + b_i \ln(1 + e^{z_i}) + \tfrac12 \sum_j \lambda_j (w_j - c_j)^2`.

    Examples
    --------
    >>> fit = fit_logistic(np.array([[0.0], [1.0]]), np.array([50.0, 80.0]), np.array([50.0, 20.0]), ridge=1e-9)
    >>> round(fit.intercept, 6), round(float(fit.weights[0]), 6)
    (0.0, 1.386294)
    """
    k = design.shape[1]
    penalty = np.concatenate([[0.0], np.broadcast_to(ridge, k)])
    target = np.concatenate([[0.0], np.broadcast_to(centre, k)])
    bound = Limits(np.hstack([np.zeros((len(limits.left), 1)), limits.left]), limits.right) if limits else None
    total = goods + bads
    x = np.concatenate([[np.log(goods.sum() / bads.sum())], np.zeros(k)])

    def value_at(x: Real) -> tuple[float, Real]:
        z = x[0] + design @ x[1:] + offset
        loss = (total * np.logaddexp(0.0, z) - goods * z).sum()
        return float(loss + 0.5 * (penalty * (x - target) ** 2).sum()), z

    value, z = value_at(x)
    for _ in range(_MOST_STEPS):
        gradient, curvature = _derivatives(design, goods, total, z)
        gradient += penalty * (x - target)
        curvature[np.diag_indices(k + 1)] += penalty
        wanted = minimise_quadratic(curvature, curvature @ x - gradient, bound)
        size = 1.0
        while True:
            new = x + size * (wanted - x)
            new_value, new_z = value_at(new)
            if new_value <= value or size < 1e-6:
                break
            size /= 2
        gained, x, value, z = value - new_value, new, new_value, new_z
        if gained <= _DECREASE * (1.0 + abs(value)):
            break
    return LogisticFit(float(x[0]), x[1:], curvature)


def _derivatives(design: Real, goods: Real, total: Real, z: Real) -> tuple[Real, Real]:
    share = expit(z)
    residual = total * share - goods
    spread = np.maximum(total * share * (1.0 - share), 1e-12 * total.sum() / len(total))
    weighted = design * spread[:, None]
    k = design.shape[1]
    gradient = np.concatenate([[residual.sum()], design.T @ residual])
    curvature = np.empty((k + 1, k + 1))
    curvature[0, 0] = spread.sum()
    curvature[0, 1:] = curvature[1:, 0] = weighted.sum(axis=0)
    curvature[1:, 1:] = weighted.T @ design
    return gradient, curvature


def minimise_quadratic(curvature: Real, linear: Real, limits: Limits | None = None) -> Real:
    """The x of least ``x'Hx / 2 - c'x`` with ``left @ x >= right``, for a positive definite H.

    With limits, the problem is one of least distance, solved by non-negative least squares (Lawson and Hanson,
    *Solving Least Squares Problems*, chapter 23).

    Examples
    --------
    >>> minimise_quadratic(np.eye(2), np.array([1.0, -1.0]), Limits(np.eye(2), np.full(2, 0.5))).round(12).tolist()
    [1.0, 0.5]
    """
    factor = cho_factor(curvature, lower=True)
    free = cho_solve(factor, linear)
    if limits is None or (limits.left @ free >= limits.right).all():
        return np.asarray(free, dtype=np.float64)
    lower = np.tril(factor[0])
    left = solve_triangular(lower, limits.left.T, lower=True)  # columns: each limit in the metric of the curvature
    short = limits.right - limits.left @ free
    # Both sides in units of the limit that is missed most, which keeps the least squares well scaled.
    unit = np.abs(short).max()
    stacked = np.vstack([left, short / unit])
    goal = np.zeros(len(stacked))
    goal[-1] = 1.0
    multipliers, _ = nnls(stacked, goal, maxiter=30 * stacked.shape[1])
    residual = stacked @ multipliers - goal
    if abs(residual[-1]) < 1e-12:
        raise ArithmeticError("the limits leave no choice of weights")
    step = -residual[:-1] / residual[-1] * unit
    return np.asarray(free + solve_triangular(lower, step, lower=True, trans="T"), dtype=np.float64)
