"""Rates of groups, sources of events, and features that stand in for a group.

Shares that a cut-off lets through, shares of bads and goods below it, their ratios and gaps. A *positive* is a person
below the cut-off, whom the card calls a likely bad: a true one if bad, a false one if good. A base rate that rises in
one source alone tells of enforcement as much as of conduct. A deny-list refuses the name of an attribute; only the data
show which features know it.

In: arrays of equal length, one row an observation; sources of events; features of people and the group of each.
Out: `Estimate`, or `Rates` by group; `SourceRate` by source; `Proxy` by feature.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from credit_model.foundation.errors import UserError
from credit_model.metrics.performance import FEWEST_BADS, SMALLEST_CELL, UNDEFINED, Estimate
from credit_model.metrics.shares import Groups, ratio_estimate, share_estimate


@dataclass(frozen=True)
class Rates:
    """What one cut-off does to one group; positive means below the cut-off.

    Attributes
    ----------
    eligible : Estimate
        Share at or above the cut-off.
    tpr, fpr : Estimate
        Share of bads, and of goods, below it. Their complements are the false and the true negative rate.
    accuracy : Estimate
        Share of bads below it and goods at or above it.
    """

    eligible: Estimate
    tpr: Estimate
    fpr: Estimate
    accuracy: Estimate


def _grouped(
    group: ArrayLike, weight: ArrayLike | None, subject: Sequence[Any] | ArrayLike | None, **columns: ArrayLike
) -> tuple[list[Hashable], Groups, dict[str, NDArray[np.float64]]]:
    names, code = np.unique(np.asarray(group, dtype=object).astype(str), return_inverse=True)
    values = {name: np.asarray(column, np.float64).ravel() for name, column in columns.items()}
    weights = np.ones(code.size) if weight is None else np.asarray(weight, np.float64).ravel()
    sizes = {name: column.size for name, column in {**values, "weight": weights}.items() if column.size != code.size}
    if sizes or not code.size:
        sizes_text = ", ".join(f"{name!r} has {size}" for name, size in sizes.items()) or "there is no row"
        raise UserError(f"Cannot compare groups: 'group' has {code.size} rows, {sizes_text}.")
    if any(not np.isin(column, (0.0, 1.0)).all() for column in values.values()):
        raise UserError(f"Cannot compare groups: {', '.join(values)} must hold 0 and 1 (or false and true) only.")
    people = None if subject is None else np.unique(np.asarray(subject), return_inverse=True)[1].ravel()
    return names.tolist(), Groups(code.ravel().astype(np.intp), len(names), weights, people), values


def eligibility_ratio(
    eligible: ArrayLike,
    group: ArrayLike,
    reference: str,
    *,
    weight: ArrayLike | None = None,
    subject: Sequence[Any] | ArrayLike | None = None,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Share of each group that is eligible, over that of a reference group.

    Parameters
    ----------
    eligible : array_like of {0, 1}, shape (n,)
    group : array_like, shape (n,)
        Whom each row belongs to; names are compared as text.
    reference : str
        The group in the denominator. Fix it before looking: the best group of many is best by luck too.
    weight : array_like of float, shape (n,), optional
        Sampling weights.
    subject : array_like, shape (n,), optional
        Give it when a person has several rows.
    level : float, default 0.95

    Returns
    -------
    dict of str to Estimate
        Undefined where nobody of the reference is eligible.

    Raises
    ------
    UserError
        Lengths differ, a value is not 0 or 1, or the reference is no group.

    Notes
    -----
    ``(sum_g w e / sum_g w) / (sum_0 w e / sum_0 w)``; known as the adverse impact ratio, of which under 0.8 is the
    four-fifths rule (US Uniform Guidelines on Employee Selection Procedures, 1978). Danger: under 0.8 with the whole
    interval below. Limits: near 1 for any card where nearly all are eligible; look at the shares left out as well.

    Examples
    --------
    >>> found = eligibility_ratio([1, 1, 1, 0, 1, 0, 0, 0], ["a"] * 4 + ["b"] * 4, "a")
    >>> round(found["b"].value, 3)
    0.333
    """
    names, groups, columns = _grouped(group, weight, subject, eligible=eligible)
    if reference not in names:
        raise UserError(f"Cannot compare groups: the reference {reference!r} is none of {', '.join(map(str, names))}.")
    shares = groups.shares(columns["eligible"])
    at = names.index(reference)
    return {str(name): ratio_estimate(shares, i, at, level) for i, name in enumerate(names)}


def error_rates(
    y: ArrayLike,
    positive: ArrayLike,
    group: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    subject: Sequence[Any] | ArrayLike | None = None,
    level: float = 0.95,
) -> dict[str, Rates]:
    """Compute true and false positive rates of each group, positive being "called a likely bad".

    Parameters
    ----------
    y : array_like of {0, 1}, shape (n,)
        1 is bad.
    positive : array_like of {0, 1}, shape (n,)
        1 where a row is below the cut-off.
    group, weight, subject, level
        As in `eligibility_ratio`.

    Notes
    -----
    ``tpr = P(positive | bad)``, ``fpr = P(positive | good)``; equalised odds ask both to be alike (Hardt et al.,
    *NeurIPS* 2016). Limit: where base rates differ, no card has equal calibration and equal error rates (Chouldechova,
    *Big Data* 5, 2017); a gap in false positives is what a calibrated card gives there, and a person decides.

    Examples
    --------
    >>> error_rates([1, 1, 0, 0], [1, 0, 0, 0], ["a"] * 4)["a"].tpr.value
    0.5
    """
    names, groups, columns = _grouped(group, weight, subject, y=y, positive=positive)
    bad, below = columns["y"], columns["positive"]
    rates = (
        groups.shares(1 - below),
        groups.shares(below, bad),
        groups.shares(below, 1 - bad),
        groups.shares((bad == below).astype(np.float64)),
    )
    return {str(n): Rates(*(share_estimate(s, i, level) for s in rates)) for i, n in enumerate(names)}


@dataclass(frozen=True)
class SourceRate:
    """Events of one source: how many for each person observed, in two samples, and the second rate over the first.

    ``flagged`` where the whole interval of the ratio lies outside 0.8 to 1.25. Counts under 3 are left blank.
    """

    source: str
    development: int | None
    out_of_time: int | None
    development_rate: float | None
    out_of_time_rate: float | None
    ratio: Estimate
    flagged: bool


def source_rates(
    development: Sequence[str], development_rows: int, out_of_time: Sequence[str], out_of_time_rows: int
) -> tuple[SourceRate, ...]:
    """Compare how often each source reported the events of two samples.

    Parameters
    ----------
    development, out_of_time : sequence of str
        Source of the event of every bad row.
    development_rows, out_of_time_rows : int
        Rows of each sample, good and bad.

    Returns
    -------
    tuple of SourceRate
        Most events first; sources with too few in both samples stand together as ``""``.

    Notes
    -----
    Ratio of two Poisson rates, ``se(ln r)^2 = 1/d + 1/o``.

    Examples
    --------
    >>> court, fines = source_rates(["court"] * 40 + ["fines"] * 40, 1000, ["court"] * 20 + ["fines"] * 40, 500)
    >>> court.ratio.value, fines.ratio.value, fines.flagged
    (1.0, 2.0, True)
    """
    if min(development_rows, out_of_time_rows) < 1 or len(development) > development_rows:
        raise UserError("Cannot compare sources: a sample needs rows, and no more events than rows.")
    counts: dict[str, list[int]] = {}
    for place, sources in enumerate((development, out_of_time)):
        for source in sources:
            counts.setdefault(source, [0, 0])[place] += 1
    few = [source for source, pair in counts.items() if any(0 < n < FEWEST_BADS for n in pair)]
    rest = sorted((s for s in counts if s not in few), key=lambda s: (sum(counts[s]), s))
    # One blank beside a published total would be no secret, and no more would a sum that is itself too small.
    while few and rest and (len(few) == 1 or any(0 < sum(counts[s][i] for s in few) < FEWEST_BADS for i in (0, 1))):
        few.append(rest.pop(0))
    if few:
        small_pairs = [counts.pop(source) for source in few]
        counts[""] = [sum(pair[place] for pair in small_pairs) for place in (0, 1)]
    rates = [_rate(source, pair[0], development_rows, pair[1], out_of_time_rows) for source, pair in counts.items()]
    return tuple(sorted(rates, key=lambda row: (row.source == "", -(row.development or 0), row.source)))


def _rate(source: str, before: int, rows_before: int, after: int, rows: int) -> SourceRate:
    ratio = UNDEFINED
    if before and after:
        reach = math.exp(NormalDist().inv_cdf(0.975) * math.sqrt(1 / before + 1 / after))
        value = (after / rows) / (before / rows_before)
        ratio = Estimate(value, value / reach, value * reach)
    flagged = ratio.high is not None and ratio.low is not None and (ratio.high < 0.8 or ratio.low > 1.25)
    first, second = (None if 0 < n < FEWEST_BADS else n for n in (before, after))
    is_hidden = first is None or second is None
    first_rate, second_rate = first and first / rows_before, second and second / rows
    if is_hidden:
        return SourceRate(source, first, second, first_rate, second_rate, UNDEFINED, False)
    return SourceRate(source, first, second, first_rate, second_rate, ratio, flagged)


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
        best = _best(table.reshape(-1, len(names)).astype(np.float64))
        if best is None:
            continue
        at, auc, rho = best
        labels = (texts or {}).get(str(feature), (str(feature),) * 3)
        flagged = (auc.value or 0.0) > limits[0] or abs(rho) > limits[1]
        proxies.append(Proxy(str(feature), *labels, str(names[at]), auc, rho, flagged))
    return tuple(sorted(proxies, key=lambda p: (-(p.auc.value or 0.0), p.name)))


def _best(table: NDArray[np.float64]) -> tuple[int, Estimate, float] | None:
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
    reach = NormalDist().inv_cdf(0.975) * np.sqrt(variance)
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
