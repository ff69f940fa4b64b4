"""A logistic regression within linear limits: the weights a card may have, and no others.

Newton's method; each step is a small quadratic programme solved exactly. The data enter only through their gradient
and curvature, so that identical rows are best given once, with their counts. The curvature is what takes time: it is
taken anew only where a step moved the log-odds enough to change it, and many rows start from the weights of a few.

In: a design, counts of goods and bads by row, a ridge, linear limits on the weights.
Out: the intercept and weights of greatest penalised likelihood within the limits, and the curvature there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import nnls

Real = npt.NDArray[np.float64]

_MOST_STEPS = 60
_DECREASE = 1e-10  # of the objective, relative: where a further step is not worth taking
_NOISE = 1e-9  # of the objective, relative: what a design in single precision may add to it
_MOVED = 0.01  # root mean square of log-odds: a step longer than this changes the curvature
_BLOCK = 4096  # rows at a time: what stays in the processor's cache
_MANY, _FEW = 200_000, 50_000  # with more rows than many, the first steps are taken on a few


@dataclass(frozen=True, eq=False)
class Limits:
    """Linear limits on the weights: ``left @ weights >= right``."""

    left: Real
    right: Real

    @classmethod
    def not_negative(cls, count: int) -> Limits:
        """Every weight at least 0."""
        return cls(np.eye(count), np.zeros(count))

    def and_at_most(self, row: Real, most: float) -> Limits:
        """Return these limits, and ``row @ weights <= most`` (nothing is added where ``most`` is infinite)."""
        if not np.isfinite(most):
            return self
        return Limits(np.vstack([self.left, -row]), np.append(self.right, -most))


@dataclass(frozen=True, eq=False)
class LookedUp:
    """A design whose values are found by class when rows are asked for, so that of many rows it is never whole.

    Attributes
    ----------
    codes : array of uint8, shape (rows, any)
    columns : sequence of int
        Those of the codes that the design is made of.
    tables : sequence of array of float32
        Value by class, of each of these columns.

    Examples
    --------
    >>> codes = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    >>> LookedUp(codes, [1], [np.array([0.5, 2.0], dtype=np.float32)])[:2].tolist()
    [[2.0], [0.5]]
    """

    codes: npt.NDArray[np.uint8]
    columns: Sequence[int]
    tables: Sequence[npt.NDArray[np.float32]]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.codes), len(self.columns)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Single precision."""
        return np.dtype(np.float32)

    def __getitem__(self, rows: slice | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """Values of some rows, by columns."""
        codes = self.codes[rows]
        woe = np.empty((len(self.columns), len(codes)), np.float32)
        for table, column, values in zip(self.tables, self.columns, woe, strict=True):
            np.take(table, codes[:, column], out=values, mode="clip")
        return woe.T


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """Log-odds good : bad are ``intercept + design @ weights + offset``."""

    intercept: float
    weights: Real
    curvature: Real | None  # of the penalised objective, intercept first


Design = npt.NDArray[np.floating] | LookedUp


@dataclass(frozen=True)
class Ridge:
    """A penalty that draws every weight towards ``centre`` by ``strength``; the intercept is free."""

    strength: float
    centre: float = 0.0


def fit_logistic(
    design: Design,
    goods: Real,
    bads: Real,
    *,
    ridge: Ridge,
    offset: Real | float = 0.0,
    limits: Limits | None = None,
    start: LogisticFit | None = None,
) -> LogisticFit:
    r"""Fit a logistic regression of good against bad.

    Parameters
    ----------
    design : array or LookedUp, shape (rows, k)
    goods, bads : array, shape (rows,)
        Weighted counts of goods and bads in each row; both sums above 0.
    ridge : Ridge
    offset : array, shape (rows,)
        Log-odds that are given.
    limits : Limits, optional
        On the weights; they must leave at least one choice.
    start : LogisticFit, optional
        Where to start, with its curvature if that is known here. It moves the result no further than the tolerance; one
        outside the limits is not used.

    Notes
    -----
    Minimises :math:`\sum_i g_i \ln(1 + e^{-z_i}) + b_i \ln(1 + e^{z_i}) + \tfrac12 \sum_j \lambda_j (w_j - c_j)^2`.

    Examples
    --------
    >>> fit = fit_logistic(np.array([[0.0], [1.0]]), np.array([50.0, 80.0]), np.array([50.0, 20.0]), ridge=Ridge(1e-9))
    >>> round(fit.intercept, 6), round(float(fit.weights[0]), 6)
    (0.0, 1.386294)
    """
    k = design.shape[1]
    penalty = np.concatenate([[0.0], np.broadcast_to(ridge.strength, k)])
    target = np.concatenate([[0.0], np.broadcast_to(ridge.centre, k)])
    bound = Limits(np.hstack([np.zeros((len(limits.left), 1)), limits.left]), limits.right) if limits else None
    offset = np.broadcast_to(np.asarray(offset, np.float64), len(goods))
    total, curvature = goods + bads, None
    x = np.concatenate([[np.log(goods.sum() / bads.sum())], np.zeros(k)])
    if start is None and len(goods) > _MANY:
        some = np.sort(np.random.default_rng(0).choice(len(goods), _FEW, replace=False))
        times = total.sum() / total[some].sum()
        parts = goods[some] * times, bads[some] * times
        if min(part.sum() for part in parts) > 0:
            few = np.asfortranarray(design[some])
            start = fit_logistic(few, *parts, ridge=ridge, offset=offset[some], limits=limits)
            start = replace(start, curvature=None)
    if start is not None and (limits is None or (limits.left @ start.weights >= limits.right - 1e-9).all()):
        x, curvature = np.concatenate([[start.intercept], start.weights]), start.curvature

    def evaluate(x: Real, curved: bool) -> tuple[float, Real, Real | None]:
        value, gradient, curvature = _derivatives(design, goods, total, offset, x, curved)
        if curvature is not None:
            curvature[np.diag_indices(k + 1)] += penalty
        away = x - target
        return value + float(0.5 * (penalty * away**2).sum()), gradient + penalty * away, curvature

    value, gradient, hessian = evaluate(x, curvature is None)
    for _ in range(_MOST_STEPS):
        curvature = curvature if hessian is None else hessian
        assert curvature is not None
        step = minimise_quadratic(curvature, curvature @ x - gradient, bound) - x
        turned = curvature @ step
        if -(gradient @ step) - 0.5 * (step @ turned) <= _DECREASE * (1.0 + abs(value)):
            x = x + step
            break
        size, far = 1.0, step @ turned > _MOVED**2 * curvature[0, 0]
        while True:
            new = x + size * step
            new_value, gradient, hessian = evaluate(new, bool(far))
            if new_value <= value + _NOISE * abs(value) or size < 1e-6:
                break
            size, far = size / 2, True
        x, value = new, new_value
    return LogisticFit(float(x[0]), x[1:], curvature)


def _derivatives(
    design: Design, goods: Real, total: Real, offset: Real, x: Real, curved: bool
) -> tuple[float, Real, Real | None]:
    """Negative log-likelihood at x, its gradient and, where asked for, its curvature; summed block by block."""
    rows, k = design.shape
    weights = x[1:].astype(design.dtype)
    value, gradient, curvature = 0.0, np.zeros(k + 1), np.zeros((k + 1, k + 1))
    least = 1e-12 * total.sum() / rows
    room = np.empty((k, min(rows, _BLOCK)), design.dtype)
    for first in range(0, rows, _BLOCK):
        at = slice(first, min(first + _BLOCK, rows))
        part, n = design[at].T, total[at]
        z = (weights @ part) + x[0] + offset[at]
        small = np.exp(-np.abs(z))
        value += float((n * (np.maximum(z, 0.0) + np.log(1.0 + small)) - goods[at] * z).sum())
        share = np.where(z >= 0.0, 1.0, small) / (1.0 + small)
        residual = n * share - goods[at]
        gradient[0] += residual.sum()
        gradient[1:] += part @ residual.astype(design.dtype)
        if curved:
            spread = np.maximum(n * share * (1.0 - share), least)
            curvature[0, 0] += spread.sum()
            curvature[0, 1:] += part @ spread.astype(design.dtype)
            weighted = np.multiply(part, np.sqrt(spread).astype(design.dtype), out=room[:, : part.shape[1]])
            curvature[1:, 1:] += weighted @ weighted.T
    curvature[1:, 0] = curvature[0, 1:]
    return value, gradient, curvature if curved else None


def minimise_quadratic(curvature: Real, linear: Real, limits: Limits | None = None) -> Real:
    """Return the x of least ``x'Hx / 2 - c'x`` with ``left @ x >= right``, for a positive definite H.

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
