"""The measures of every segment somebody named: by district, by source, by whatever column stands beside the scores.

In: scored rows as a `Sample`, columns of texts. Out: segments as plain values, small ones left blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from credit_model.evaluation.tables import Sample, Segment, counts_of, measures_of, tests_of


@dataclass(frozen=True)
class Breakdown:
    """The measures of each part of the people by one column."""

    column: str
    label_en: str
    label_zh: str
    parts: dict[str, Segment]


def breakdowns_of(sample: Sample, columns: Mapping[str, tuple[str, str, NDArray[np.str_]]]) -> tuple[Breakdown, ...]:
    """Measures by the values of columns, each given with its labels and its values in the order of the sample."""
    found = []
    for name, (label_en, label_zh, values) in columns.items():
        names = [str(value) for value in np.unique(values)]
        parts = [sample.where(values == value) for value in names]
        cells = {
            value: Segment(counts, {} if counts.hidden else measures_of(part), {} if counts.hidden else tests_of(part))
            for value, part, counts in zip(names, parts, counts_of(parts, sample), strict=True)
        }
        found.append(Breakdown(name, label_en, label_zh, cells))
    return tuple(found)
