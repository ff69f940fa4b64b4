"""Columns as predictors: in fine classes, with what is known of each before the outcome is looked at.

A feature definition says which way a value points and what stands for "nothing on record"; a policy says how many
points an attribute has, who approved them and on what ground. A raw column has neither.

In: a column of the caller's frame, its definition, bins or points that are given.
Out: a ``Predictor``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from credit_model.foundation.errors import UserError
from credit_model.learning.fine_classes import RARE_ROWS, FineColumn, fine_categories, fine_numbers
from credit_model.learning.optimal_binning import BinningRules, optimal_binning
from credit_model.scorecard.bins import BinEdits, CategoricalBins, NumericBins, attributes_of
from credit_model.scorecard.characteristic import Policy
from credit_model.scorecard.columns import Column, as_categories, as_numbers, holds_numbers
from credit_model.scorecard.scale import Profile

if TYPE_CHECKING:
    from credit_model.features.definition import FeatureDefinition

Bins = NumericBins | CategoricalBins
Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """A column to predict with, and what is known of it beforehand.

    Parameters
    ----------
    name : str
    fine : FineColumn
    direction : {+1, -1, None}
        Trend of the bad rate with the value; ``None``: chosen from the data.
    reference : float, optional
        Value in the reference row, NaN for a missing one; ``None``: the most frequent attribute.
    definition : FeatureDefinition, optional
    set_points : tuple of int, optional
        Points by attribute, set instead of learned, by ``policy``; the column then has given bins.
    policy : Policy, optional
    """

    name: str
    fine: FineColumn
    direction: int | None = None
    reference: float | None = None
    definition: FeatureDefinition | None = None
    set_points: tuple[int, ...] | None = None
    policy: Policy | None = None


@dataclass(frozen=True)
class SetPoints:
    """Points set instead of learned, as the caller gave them, with the bins they belong to."""

    characteristic: str
    points: tuple[int, ...]
    bins: NumericBins
    policy: Policy

    @classmethod
    def read(cls, entry: object, definitions: Mapping[str, FeatureDefinition], faults: list[str]) -> SetPoints:
        """Read a table of TOML or an object with the same fields; what is wrong is added to ``faults``."""
        table = dict(entry) if isinstance(entry, Mapping) else vars(entry)
        name, points = str(table.get("characteristic")), tuple(table.get("points", ()))
        problems = [f"{key} is missing" for key in ("approver", "ground") if not str(table.get(key) or "").strip()]
        cuts = tuple(float(np.float32(cut)) for cut in table.get("cuts", [k + 0.5 for k in range(len(points) - 1)]))
        if len(points) < 2 or not all(is_whole(p, None) for p in points):
            problems.append("points must be at least two whole numbers, one an attribute")
        elif len(cuts) != len(points) - 1:
            problems.append(f"{len(points)} points need {len(points) - 1} cuts, not {len(cuts)}")
        if not problems:
            bins = NumericBins(cuts, whole="cuts" not in table)
            d = definitions.get(name)
            all_points = (*points, 0)  # a missing value neither adds nor takes
            if all_points[bins.index_of(float(np.float32(_nothing_on_record(d))))]:
                problems.append("nothing on record must have 0 points")
            if d is not None and any((b - a) * d.direction > 0 for a, b in pairwise(points)):
                problems.append(f"points must follow the trend {d.trend}")
        if problems:
            faults += [f"policy points for {name!r}: {fault}" for fault in problems]
            return cls(name, (), NumericBins(()), Policy("", ""))
        return cls(name, tuple(int(p) for p in all_points), bins, Policy(str(table["approver"]), str(table["ground"])))


@dataclass(frozen=True)
class Prior:
    """What the caller says of a column: its definition, its points, its bins, its special values."""

    definition: FeatureDefinition | None = None
    set_points: SetPoints | None = None
    bins: Bins | BinEdits | None = None
    special: Sequence[float] = ()


def predictor_of(name: str, column: Column, weight: Real, profile: Profile, prior: Prior) -> Predictor:
    """Return a column in fine classes, with what is known of it beforehand."""
    definition, set_points, bins = prior.definition, prior.set_points, prior.bins
    preset = set_points.bins if set_points else None if isinstance(bins, BinEdits) else bins
    if preset is not None:
        fine = FineColumn(attributes_of(preset, column, name).astype(np.uint8), preset.count - 1, preset=preset)
    elif definition is not None or holds_numbers(column):
        fine = fine_numbers(as_numbers(column, name), weight, special=prior.special)
    else:
        fine = fine_categories(*as_categories(column, name), RARE_ROWS)
    predictor = Predictor(name, fine, definition=definition)
    if definition is not None:
        predictor = replace(predictor, direction=definition.direction or None)
    if set_points is not None or (definition is not None and profile.reference_row == "nothing_on_record"):
        predictor = replace(predictor, reference=_nothing_on_record(definition))
    if set_points is not None:
        predictor = replace(predictor, set_points=set_points.points, policy=set_points.policy)
    return predictor


def with_edits(
    p: Predictor, edits: BinEdits, column: Column, bad: npt.NDArray[np.bool_], weight: Real, rules: BinningRules
) -> Predictor:
    """Return a predictor whose bins are those learned from all rows, edited; the trend that was learned stays."""
    result = optimal_binning(p.fine, p.fine.count(bad, weight), p.direction, rules)
    try:
        bins = edits.apply(result.bins)
    except UserError as error:
        labels = ", ".join(result.bins.labels()[:-1])
        raise UserError(f"fit: bins of {p.name!r} were learned as {labels}; {error}") from None
    fine = FineColumn(attributes_of(bins, column, p.name).astype(np.uint8), bins.count - 1, preset=bins)
    return replace(p, fine=fine, direction=p.direction or result.direction or None)


def _nothing_on_record(definition: FeatureDefinition | None) -> float:
    """Return the value where no record is left, NaN for a missing one; 0 for a raw column."""
    if definition is None or definition.none is None:
        return 0.0
    return float("nan") if definition.missing else float(definition.none)


def is_number(value: object) -> bool:
    """Return whether a setting is a number (``True`` is none)."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def is_whole(value: object, least: int | None, most: int | None = None) -> bool:
    """Return whether a setting is a whole number within its ends."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        return False
    return bool((least is None or value >= least) and (most is None or value <= most))
