"""Which features know a group: a deny-list refuses a name, and only the data can show what stands in for it.

In: features of some people, one row a person, and the group of each. Out: `Proxy` by feature.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import SMALLEST_CELL, Estimate


@dataclass(frozen=True)
class Proxy:
    """How well one feature tells one group from all others; of many groups, the one it tells best.

    Attributes
    ----------
    name, code, text_en, text_zh : str
        The feature.
    group : str
    auc : Estimate
        Chance that of a member and another the feature puts the right one first, whichever way round: 0.5 to 1.
    rho : float
        Spearman's correlation of the feature with membership.
    flagged : bool
        AUC above 0.6 or correlation beyond 0.3: needs a justification in writing before the feature is used.
    """

    name: str
    code: str
    text_en: str
    text_zh: str
    group: str
    auc: Estimate
    rho: float
    flagged: bool


def screen_proxies(
    features: pd.DataFrame,
    group: Sequence[str] | NDArray[np.object_],
    *,
    texts: Mapping[str, tuple[str, str, str]] | None = None,
    limits: tuple[float, float] = (0.6, 0.3),
    level: float = 0.95,
) -> tuple[Proxy, ...]:
    """Screen features for what they tell of a group.

    Parameters
    ----------
    features : DataFrame of float, shape (n, k)
        One row a person; a missing value is a value of its own, below all others.
    group : sequence of str, length n
        Groups of fewer than 10 people are not screened for.
    texts : mapping of str to (code, text_en, text_zh), optional
    limits : (float, float)
        AUC and absolute correlation beyond which a feature is flagged.
    level : float, default 0.95

    Returns
    -------
    tuple of Proxy
        What tells most first; features with one value only are left out.

    Raises
    ------
    UserError
        If the lengths differ.

    Notes
    -----
    Mann-Whitney AUC of each value counted by group, ties one half, DeLong's variance from the same counts; no row is
    looked at twice. Of several groups the one with the greatest lower end is named. Limits: features that are harmless
    one by one may tell a group together; a feature may be a proxy and lawful, and the other way round.

    Examples
    --------
    >>> found = screen_proxies(pd.DataFrame({"x": [0] * 30 + [1] * 30}), ["a"] * 30 + ["b"] * 30)
    >>> found[0].auc.value, round(found[0].rho, 3), found[0].flagged
    (1.0, -1.0, True)
    """
    names, code = np.unique(np.asarray(group, dtype=object).astype(str), return_inverse=True)
    if code.size != len(features):
        raise UserError(f"Cannot screen for proxies: {len(features)} rows of features, {code.size} of groups.")
    proxies = []
    for feature in features.columns:
        values = features[feature].to_numpy(np.float64)
        place = pd.factorize(np.where(np.isnan(values), -np.inf, values), sort=True)[0]
        table = np.bincount(place * len(names) + code, minlength=(place.max(initial=0) + 1) * len(names))
        best = _best(table.reshape(-1, len(names)).astype(np.float64), level)
        if best is None:
            continue
        at, auc, rho = best
        labels = (texts or {}).get(str(feature), (str(feature),) * 3)
        flagged = (auc.value or 0.0) > limits[0] or abs(rho) > limits[1]
        proxies.append(Proxy(str(feature), *labels, str(names[at]), auc, rho, flagged))
    return tuple(sorted(proxies, key=lambda p: (-(p.auc.value or 0.0), p.name)))


def _best(table: NDArray[np.float64], level: float) -> tuple[int, Estimate, float] | None:
    """Group that a table of values (rows, ascending) by groups tells best; None for one value or one group."""
    size, total = table.sum(axis=0), float(table.sum())
    candidates = np.flatnonzero((size >= SMALLEST_CELL) & (total - size >= SMALLEST_CELL))
    if table.shape[0] < 2 or not candidates.size:
        return None
    members, others = table[:, candidates], table.sum(axis=1)[:, None] - table[:, candidates]
    n, m = members.sum(axis=0), others.sum(axis=0)
    others_below = (np.cumsum(others, axis=0) - others / 2) / m
    members_above = 1 - (np.cumsum(members, axis=0) - members / 2) / n
    auc = np.sum(members * others_below, axis=0) / n
    variance = np.sum(members * (others_below - auc) ** 2, axis=0) / n / np.maximum(n - 1, 1) + np.sum(
        others * (members_above - auc) ** 2, axis=0
    ) / m / np.maximum(m - 1, 1)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(variance)
    distance = np.abs(auc - 0.5)
    best = int(np.argmax(distance - reach))
    value, reached = 0.5 + float(distance[best]), float(reach[best])
    everybody = table.sum(axis=1)
    rank = np.cumsum(everybody) - everybody / 2  # mid-ranks
    centred = rank - np.sum(everybody * rank) / total
    share = float(n[best]) / total
    spread = math.sqrt(float(np.sum(everybody * centred**2)) / total * share * (1 - share))
    rho = float(np.sum(members[:, best] * centred)) / total / spread if spread else 0.0
    return int(candidates[best]), Estimate(value, max(0.5, value - reached), min(1.0, value + reached)), rho
