"""Fine classes joined into few that people read, losing as little as possible of what was learned.

A column has a table of log-odds, and a profile in each of its pairs: how its classes behave for every class of the
other. Neighbours are joined where all of these are alike. The best way to join is found exactly, by a dynamic
programme over all of them.

In: profiles by class, the mass of each class.
Out: the joint class of each class.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]


def join_classes(profiles: Real, mass: Real, most: int, loss: float) -> npt.NDArray[np.intp]:
    r"""Join neighbours.

    Parameters
    ----------
    profiles : array, shape (classes, width)
        What each class does; distances are Euclidean.
    mass : array, shape (classes,)
    most : int
        Most joint classes.
    loss : float
        The mean squared distance from the joint profile that is given up gladly: as few classes as stay below it are
        taken, where ``most`` allows so many.

    Returns
    -------
    array of int, shape (classes,)
        Joint class of each, from 0, never falling.

    Notes
    -----
    The cost of a run is :math:`\sum_i m_i \lVert x_i - \bar x \rVert^2`, in closed form from cumulated sums; the best
    :math:`k` runs follow from the best :math:`k - 1`, in :math:`O(k F^2)`.

    Examples
    --------
    >>> join_classes(np.array([[0.0], [0.1], [2.0], [2.1]]), np.ones(4), most=3, loss=0.01).tolist()
    [0, 0, 1, 1]
    """
    classes = len(profiles)
    if classes <= 1:
        return np.zeros(classes, dtype=np.intp)
    most = min(most, classes)
    weight = np.maximum(mass, 1e-12 * max(mass.sum(), 1e-300))
    weight = weight / weight.sum()
    sums = np.vstack([np.zeros(profiles.shape[1]), np.cumsum(weight[:, None] * profiles, axis=0)])
    squares = np.append(0.0, np.cumsum(weight * (profiles**2).sum(axis=1)))
    masses = np.append(0.0, np.cumsum(weight))
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = ((sums[None] - sums[:, None]) ** 2).sum(axis=2) / (masses[None] - masses[:, None])
    cost = np.maximum(squares[None] - squares[:, None] - joint, 0.0)  # cost[i, j]: classes i to j - 1 as one
    cost[np.tril_indices(classes + 1)] = np.inf
    best = cost[0].copy()
    came_from: list[npt.NDArray[np.intp]] = []
    found = best[classes]
    while found > loss and len(came_from) < most - 1:
        through = best[:, None] + cost
        came_from.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
        found = best[classes]
    ends, at = [], classes
    for source in reversed(came_from):
        ends.append(at)
        at = int(source[at])
    ends.append(at)
    return np.searchsorted(np.asarray(ends[::-1]), np.arange(classes), side="right")
