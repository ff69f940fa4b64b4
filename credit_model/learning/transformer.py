"""Bin columns in a scikit-learn transformer: weight of evidence out, bins to read, plot and edit between.

In: a frame, outcomes, weights, periods.
Out: bins, their tables and plots; the frame in WOE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import check_is_fitted

from credit_model.foundation.errors import UserError
from credit_model.learning.fine_classes import (
    BADS,
    GOODS,
    RARE_ROWS,
    FineColumn,
    counted_numbers,
    fine_categories,
    fine_numbers,
)
from credit_model.learning.frames import Table, TargetColumn, read_columns, read_groups, read_outcome, rows_of
from credit_model.learning.optimal_binning import BinningRules, optimal_binnings, ordered_woe
from credit_model.scorecard.bins import CategoricalBins, NumericBins, attributes_of
from credit_model.scorecard.columns import Column, as_categories, as_numbers, holds_numbers
from credit_model.texts.fonts import font_families

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FINE = 100  # classes of one per cent each, so that least shares in whole per cents are met exactly

Bins = NumericBins | CategoricalBins
Real = npt.NDArray[np.float64]


class WoeTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Class every column optimally, and replace its values by the WOE of their attributes.

    Parameters
    ----------
    trend : str or mapping of str to str
        Trend of the bad rate with the value, of all columns or by column: ``ascending``, ``descending``, ``peak``,
        ``valley``, ``none``; ``one_way`` (default): the better of the first two; ``auto``: of the first four. A column
        that a mapping does not name goes one way. Categories have no trend.
    max_bins : int
        Most attributes of a column, beside special, other and missing ones.
    min_share : float
        Least weighted share of rows in an attribute.
    min_events : int
        Least number of rows of the rarer outcome in an attribute: seen, or expected there at the average rate.
    special_values : sequence of float, or mapping of str to sequence of float
        Numbers with a meaning of their own, each an attribute outside the trend, of all columns or by column.
    bins : mapping of str to NumericBins or CategoricalBins, optional
        Bins to use as they are, for example an edited ``transformer.bins_[name].merge(1)``.
    bad : label, optional
        The label of ``y`` that means bad; what needs none is said at :class:`ScorecardClassifier`.

    Attributes
    ----------
    bins_ : dict of str to NumericBins or CategoricalBins
    trends_ : dict of str to str
    woes_ : dict of str to array
        Smoothed WOE by attribute.
    counts_ : dict of str to array
        Weighted goods, weighted bads, rows of goods, rows of bads: shape (4, attributes).
    information_values_ : dict of str to float
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"arrears": rng.poisson(0.5, 2000), "home": rng.choice(["own", "rent"], 2000)})
    >>> y = (rng.random(2000) < 1 / (1 + np.exp(2.5 - X["arrears"]))).astype(int)
    >>> classed = WoeTransformer().fit(X, y)
    >>> classed.table("arrears")["attribute"].tolist()
    ['≤ 0', '1', '≥ 2', 'missing']
    >>> classed.set_output(transform="pandas").transform(X).shape
    (2000, 2)
    """

    def __init__(
        self,
        trend: str | Mapping[str, str] = "one_way",
        max_bins: int = 8,
        min_share: float = 0.05,
        min_events: int = 5,
        special_values: Sequence[float] | Mapping[str, Sequence[float]] = (),
        bins: Mapping[str, Bins] | None = None,
        bad: object = None,
    ) -> None:
        self.trend = trend
        self.max_bins = max_bins
        self.min_share = min_share
        self.min_events = min_events
        self.special_values = special_values
        self.bins = bins
        self.bad = bad

    def fit(
        self,
        X: Table,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        periods: npt.ArrayLike | None = None,
    ) -> WoeTransformer:
        """Class the columns.

        Parameters
        ----------
        X : frame or array, shape (rows, columns)
        y : array, shape (rows,)
            Two labels, of which one means bad (see ``bad``).
        sample_weight : array, optional
            Used everywhere; least numbers of events count rows.
        periods : array, optional
            Period of each row: the order of the attributes by WOE must hold in every one.

        Raises
        ------
        UserError
            With what is wrong with the settings, the columns or the outcome.
        """
        columns = read_columns(self, X, reset=True)
        outcome = read_outcome(rows_of(columns), y, sample_weight, self.bad)
        self.classes_ = outcome.classes
        rules = self._rules(list(columns))
        period = None if periods is None else read_groups(periods, outcome.has_weight, "periods")
        fine, counts, empty = [], [], []
        for name, column in columns.items():
            fine_column, column_counts = self._fine(name, outcome.of(column), outcome, period)
            empty += [name] if fine_column.preset is None and not column_counts[:, : fine_column.missing].any() else []
            fine.append(fine_column)
            counts.append(column_counts)
        if empty:
            raise UserError(f"fit: every value is missing in: {', '.join(empty)}. Leave these columns out.")
        trends = [self.trend if isinstance(self.trend, str) else self.trend.get(name, "one_way") for name in columns]
        binnings = dict(zip(columns, optimal_binnings(fine, counts, trends, rules), strict=True))
        self.bins_ = {name: binning.bins for name, binning in binnings.items()}
        self.trends_ = {name: binning.trend for name, binning in binnings.items()}
        by_name = zip(binnings.items(), counts, strict=True)
        self.counts_ = {name: binning.counts(column_counts) for (name, binning), column_counts in by_name}
        self.woes_ = {name: ordered_woe(self.counts_[name], binning, rules) for name, binning in binnings.items()}
        self.information_values_ = {name: float(self._parts(name).sum()) for name in columns}
        return self

    def transform(self, X: Table) -> Real:
        """Return the WOE of every value, shape (rows, columns)."""
        check_is_fitted(self, "bins_")
        columns = read_columns(self, X, reset=False)
        values = np.empty((rows_of(columns), len(columns)), order="F")
        for place, (name, column) in enumerate(columns.items()):
            values[:, place] = self.woes_[name][attributes_of(self.bins_[name], column, name)]
        return values

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> npt.NDArray[np.object_]:
        """Names of the columns, which stay as they are."""
        check_is_fitted(self, "bins_")
        names = np.asarray(list(self.bins_), dtype=object)
        if input_features is not None and list(input_features) != names.tolist():
            if len(input_features) != len(names):
                raise ValueError(f"input_features should have length equal to number of features ({len(names)})")
            if hasattr(self, "feature_names_in_"):
                raise ValueError("input_features is not equal to feature_names_in_")
            return np.asarray(input_features, dtype=object)
        return names

    def table(self, name: str) -> pd.DataFrame:
        """One row an attribute: what it holds, share, goods and bads (weighted), bad rate, WOE, information value."""
        import pandas as pd

        goods, bads = self._attribute_counts(name)[[GOODS, BADS]]
        with np.errstate(invalid="ignore"):
            rate = bads / (goods + bads)
        return pd.DataFrame(
            {
                "attribute": self.bins_[name].labels(),
                "share": (goods + bads) / (goods + bads).sum(),
                "goods": goods, "bads": bads, "bad_rate": rate,
                "woe": self.woes_[name], "information_value": self._parts(name),
            }
        )  # fmt: skip

    def plot(self, name: str, ax: Axes | None = None) -> Axes:
        """Draw a column: bars are shares, dots the bad rate of each attribute that occurs."""
        import matplotlib.pyplot as plt

        table = self.table(name)
        table = table[table["share"] > 0]
        ax = plt.gca() if ax is None else ax
        place, families = np.arange(len(table)), font_families()
        ax.bar(place, table["share"], color="#c9d3dc")
        ax.set_xticks(place, table["attribute"], rotation=30, ha="right", fontfamily=families)
        ax.set_ylabel("share of rows")
        value = self.information_values_[name]
        bins, trend = self.bins_[name], self.trends_[name]
        ordered = table.index < (bins.intervals if isinstance(bins, NumericBins) else 0)
        title = f"{name}: {'' if trend == 'none' else trend + ', '}information value {value:.3f}"
        ax.set_title(title, fontfamily=families)
        rate = ax.twinx()
        rate.plot(place, table["bad_rate"], "o", color="#b5533c")
        rate.plot(place[ordered], table["bad_rate"][ordered], color="#b5533c")
        rate.set_ylabel("bad rate", color="#b5533c")
        rate.set_ylim(bottom=0)
        return ax

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    # ------------------------------------------------------------------ inside

    def _attribute_counts(self, name: str) -> Real:
        check_is_fitted(self, "bins_")
        if name not in self.counts_:
            raise UserError(f"there is no column {name!r}; there are {', '.join(self.counts_)}")
        return self.counts_[name]

    def _parts(self, name: str) -> Real:
        share = self._attribute_counts(name)[[GOODS, BADS]]
        share = share / share.sum(axis=1, keepdims=True)
        return np.asarray((share[0] - share[1]) * self.woes_[name])

    def _rules(self, names: Sequence[str]) -> BinningRules:
        """Return the rules, once every setting is right."""
        faults = [
            f"{setting} must be {what}, not {getattr(self, setting)!r}"
            for setting, right, what in (
                ("max_bins", 2 <= self.max_bins <= 50, "a number from 2 to 50"),
                ("min_share", 0 <= self.min_share < 0.5, "a share from 0 to below 0.5"),
                ("min_events", self.min_events >= 1, "a number from 1"),
            )
            if not right
        ]
        mappings = [by_name for by_name in (self.bins, self.trend, self.special_values) if isinstance(by_name, Mapping)]
        unknown = {str(name) for by_name in mappings for name in by_name if name not in names}
        faults += [f"there is no column {name!r}" for name in sorted(unknown)]
        if faults:
            raise UserError("fit: " + "; ".join(faults), tuple(faults))
        return BinningRules(self.max_bins, self.min_share, self.min_events)

    def _fine(
        self, name: str, column: Column, outcome: TargetColumn, period: npt.NDArray[np.intp] | None
    ) -> tuple[FineColumn, Real]:
        """Return a column in fine classes, and their counts."""
        bad, weight = outcome.bad, outcome.weight
        bins = (self.bins or {}).get(name)
        if bins is not None:
            fine = FineColumn(attributes_of(bins, column, name).astype(np.uint8), bins.count - 1, preset=bins)
        elif not holds_numbers(column):
            fine = fine_categories(*as_categories(column, name), RARE_ROWS)
        else:
            special = self.special_values
            special = special.get(name, ()) if isinstance(special, Mapping) else special
            if period is None and weight.min() == weight.max() == 1:
                return counted_numbers(as_numbers(column, name), bad, _FINE, special)
            fine = fine_numbers(as_numbers(column, name), weight, _FINE, special)
        counts = fine.count(bad, weight)
        if period is not None:
            fine = fine.with_periods(bad, weight, period)
        return fine.without_rows(), counts
