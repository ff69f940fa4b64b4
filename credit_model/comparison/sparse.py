"""Fewer characteristics: the best card of at most so many, for every number, and what each costs.

In: a classifier with ``max_characteristics``, a sample, sizes. Out: a table: AUC on unseen rows by size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from credit_model import UserError
from credit_model.metrics.differences import gini_difference
from credit_model.metrics.performance import auc

if TYPE_CHECKING:
    import pandas as pd


def frontier(
    classifier: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
    *,
    sizes: Iterable[int] = (1, 2, 3, 4, 6, 8, 12, 20),
    folds: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """AUC on unseen rows by the most characteristics a card may have.

    Parameters
    ----------
    classifier : ScorecardClassifier
        Anything with ``max_characteristics``; it is cloned, never changed.
    X, y, sample_weight, groups
        As `fit` takes them; without groups every row is a subject.
    sizes : iterable of int
        Most characteristics.
    folds : int
        Stratified folds that part no subject.
    seed : int
        Of the folds.

    Returns
    -------
    DataFrame
        A row for each size: ``at_most``; ``characteristics``, the mean number used; ``auc`` with its interval;
        ``auc_given_up``, what the largest of the sizes ranks better on the same rows, with its paired interval.
    """
    import pandas as pd

    wanted = sorted(set(sizes))
    y = np.asarray(y)
    if not wanted or wanted[0] < 1:
        raise UserError("frontier: sizes must be whole numbers from 1")
    classes = np.unique(y)
    if len(classes) != 2 or min((y == which).sum() for which in classes) < folds:
        raise UserError(f"frontier: y must have two classes with at least {folds} rows each")
    bad = (y == classes[1]).astype(int)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    subjects = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    dealt = list(StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(y)), bad, subjects))
    take = getattr(X, "iloc", X)
    risk, used = np.empty((len(wanted), len(y))), np.zeros(len(wanted))
    for place, size in enumerate(wanted):
        for train, test in dealt:
            fitted = clone(classifier).set_params(max_characteristics=size)
            fitted.fit(take[train], y[train], weight[train], subjects[train])
            risk[place, test] = fitted.decision_function(take[test])
            used[place] += len(fitted.card_.terms) / folds
    rows = []
    for place, size in enumerate(wanted):
        ranks = auc(bad, risk[place], weight=weight, subject=subjects)
        lost = gini_difference(bad, risk[-1], risk[place], weight=weight, subject=subjects)
        half = [None if end is None else end / 2 for end in (lost.value, lost.low, lost.high)]
        rows.append((size, used[place], ranks.value, ranks.low, ranks.high, *half))
    names = ["at_most", "characteristics", "auc", "auc_low", "auc_high"]
    return pd.DataFrame(rows, columns=[*names, "auc_given_up", "auc_given_up_low", "auc_given_up_high"])
