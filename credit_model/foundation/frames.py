"""Values that hold arrays, compared by what they hold; rows of values as a table.

In: dataclasses. Out: whether two are equal; a data frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, ClassVar, cast

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance


class ArrayValue:
    """A dataclass (declared ``eq=False``) whose fields may be arrays or frames: equal where all that it holds is equal.

    Missing numbers are equal to each other. Such a value has no hash.

    Examples
    --------
    >>> import numpy as np
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, eq=False)
    ... class Scores(ArrayValue):
    ...     values: np.ndarray
    >>> Scores(np.array([1.0, np.nan])) == Scores(np.array([1.0, np.nan])), Scores(np.ones(2)) == Scores(np.zeros(2))
    (True, False)
    """

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in fields(cast("DataclassInstance", self))]
        return all(_are_equal(getattr(self, name), getattr(other, name)) for name in names)


def _are_equal(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_are_equal(value, other[key]) for key, value in one.items())
    if hasattr(one, "equals"):  # a frame
        return type(one) is type(other) and bool(one.equals(other))
    if hasattr(one, "dtype") and hasattr(other, "dtype"):
        import numpy as np

        first, second = np.asarray(one), np.asarray(other)
        return np.array_equal(first, second, equal_nan=first.dtype.kind in "fM" and second.dtype.kind in "fM")
    return bool(one == other)


def frame_of(rows: Sequence[DataclassInstance]) -> pd.DataFrame:
    """Return one row a dataclass; a value inside a value is a column named by both, lists are left out.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from credit_model.metrics.performance import Estimate
    >>> @dataclass
    ... class Row:
    ...     name: str
    ...     share: Estimate
    >>> list(frame_of([Row("A", Estimate(0.5, 0.4, 0.6))]).columns)
    ['name', 'share_value', 'share_low', 'share_high']
    """
    import pandas as pd

    table = pd.json_normalize([asdict(row) for row in rows], sep="_")
    lists = [name for name in table if table[name].map(lambda value: isinstance(value, tuple | list)).any()]
    inner = {str(name).rpartition("_")[0] for name in table}
    absent = [name for name in inner.intersection(table) if table[name].isna().all()]
    return table.drop(columns=[*lists, *absent])
