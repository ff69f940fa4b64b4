"""Caps on what one record may cost, through all characteristics together, by its severity class.

A policy, not an estimate: it has an approver and a ground. It goes with characteristics that keep records in the order
of severity (`credit_model.scorecard.severity`): what a record of one class can cost is then a sum over the
characteristics that count it, each at the worst value one record can give: a cap is one linear limit on the weights.

In: caps by class; definitions and the catalogue. Out: a ``SingleRecordCaps``; rows of limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from credit_model.foundation.errors import UserError
from credit_model.scorecard.severity import least_severity, severity_fault, worst_of_one

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.features.definition import FeatureDefinition

CLASSES: Final = (1, 2, 3, 4, 5)
SAME_HOLDERS: Final = 0.9

Real = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SingleRecordCaps:
    """The most points that one record may cost through what is learned, by severity class.

    Parameters
    ----------
    points : tuple of int
        By severity class, 1 to 5; not falling.
    approver, ground : str
        Who answers for the caps, and on what ground.
    counts_from : mapping of str to int
        The least severity class that each characteristic counts; those that count no adverse record are absent.

    Raises
    ------
    UserError
        With every fault.
    """

    points: tuple[int, ...]
    approver: str
    ground: str
    counts_from: Mapping[str, int]

    def __post_init__(self) -> None:
        faults = tuple(cap_faults(self.points, self.approver, self.ground))
        if faults:
            raise UserError(f"Caps on single records cannot be used: {'; '.join(faults)}.", faults)

    @classmethod
    def of(
        cls,
        points: Iterable[int],
        approver: str,
        ground: str,
        definitions: Iterable[FeatureDefinition],
        catalogue: Catalogue,
    ) -> SingleRecordCaps:
        """Return the caps for characteristics of these definitions.

        Raises
        ------
        UserError
            If a definition could hold a record against somebody more than a graver one.

        Examples
        --------
        >>> from credit_model.catalogue.catalogue import load_catalogue
        >>> from credit_model.features.dictionary import library
        >>> chosen = [d for d in library() if d.name in ("adverse_12m", "adverse_serious_36m", "honours_60m")]
        >>> caps = SingleRecordCaps.of((40, 120, 160, 200, 200), "Chen Jing", "art. 5", chosen, load_catalogue())
        >>> dict(caps.counts_from)
        {'adverse_12m': 1, 'adverse_serious_36m': 3}
        """
        definitions = list(definitions)
        faults = tuple(f"{d.name!r} {fault}" for d in definitions if (fault := severity_fault(d, catalogue)))
        if faults:
            raise UserError(f"Caps on single records cannot be kept: {'; '.join(faults)}.", faults)
        least = {d.name: least_severity(d, catalogue) for d in definitions}
        return cls(tuple(points), approver, ground, {name: one for name, one in least.items() if one is not None})

    def worst(self, definition: FeatureDefinition, severity: int) -> float | None:
        """Return the worst value that one record of a class can give; None where the feature does not count it."""
        counts_from = self.counts_from.get(definition.name)
        return None if counts_from is None or severity < counts_from else worst_of_one(definition)

    def to_dict(self) -> dict[str, object]:
        """Plain values, as an experiment and a card's provenance hold them."""
        return {"points": list(self.points), "approver": self.approver, "ground": self.ground}


def cap_faults(points: object, approver: str, ground: str) -> list[str]:
    """Return what is wrong with declared caps."""
    faults = [f"{key} is missing" for key, text in (("approver", approver), ("ground", ground)) if not text.strip()]
    whole = isinstance(points, list | tuple) and all(type(cap) is int and cap > 0 for cap in points)
    if not isinstance(points, list | tuple) or not whole or len(points) != len(CLASSES):
        faults.append(
            f"points must be {len(CLASSES)} whole numbers above 0, one for each severity class, not {points!r}"
        )
    elif list(points) != sorted(points):
        faults.append(f"points must not fall from class to class, they are {list(points)}")
    return faults


def distinct_holders(
    away: npt.NDArray[np.bool_], rows: Real, counts_from: npt.NDArray[np.intp], value: Real
) -> npt.NDArray[np.intp]:
    """Return the columns to keep so that no two hold the same people away from the reference: the most telling of them.

    Two that count from the same severity class hold the same people where those whom both hold are nine in ten of those
    whom either holds; of different classes, where they are the same to a man.

    Parameters
    ----------
    away : array of bool, shape (rows, columns)
        Whether a row stands away from the reference of a column.
    rows : array, shape (rows,)
        People in each row.
    counts_from : array of int, shape (columns,)
        The least severity class each column counts.
    value : array, shape (columns,)
        Information value.

    Examples
    --------
    >>> away = np.array([[True, True, False], [False, False, True]])
    >>> distinct_holders(away, np.ones(2), np.ones(3, int), np.array([0.1, 0.3, 0.2])).tolist()
    [1, 2]
    """
    some = away.any(axis=1)
    present = away[some].astype(np.float64)
    both = present.T @ (rows[some, None] * present)
    own = both.diagonal()
    share = both / np.maximum(own[:, None] + own - both, 1e-12)
    limit = np.where(counts_from[:, None] == counts_from, SAME_HOLDERS, 1.0 - 1e-9)
    keep: list[int] = []
    for column in np.argsort(-value, kind="stable").tolist():
        if (share[column, keep] < limit[column, keep]).all():
            keep.append(column)
    return np.sort(np.array(keep, np.intp))
