"""Rows of values as a table.

In: dataclasses of one kind. Out: a data frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from _typeshed import DataclassInstance


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
