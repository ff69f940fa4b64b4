"""Classing: a column cut finely without looking at the outcome, then joined optimally into few attributes people read.

In: columns, outcomes, weights; trends and limits.
Out: bins, and the weight of evidence of each attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BADS": "fine",
        "BAD_ROWS": "fine",
        "Classing": "optimal",
        "ClassingRules": "optimal",
        "FineColumn": "fine",
        "FineTable": "rows",
        "GOODS": "fine",
        "GOOD_ROWS": "fine",
        "RARE_ROWS": "fine",
        "TRENDS": "programme",
        "WoeTransformer": "transformer",
        "counted_numbers": "fine",
        "cut_between": "fine",
        "fine_categories": "fine",
        "fine_numbers": "fine",
        "font_families": "fonts",
        "information_value": "woe",
        "optimal_classing": "optimal",
        "optimal_classings": "optimal",
        "ordered_woe": "optimal",
        "read_columns": "frames",
        "read_groups": "frames",
        "bad_place": "labels",
        "read_outcome": "frames",
        "rows_of": "frames",
        "smoothed_woe": "optimal",
        "weight_of_evidence": "woe",
    },
)

if TYPE_CHECKING:
    from credit_model.classing.fine import BAD_ROWS as BAD_ROWS
    from credit_model.classing.fine import BADS as BADS
    from credit_model.classing.fine import GOOD_ROWS as GOOD_ROWS
    from credit_model.classing.fine import GOODS as GOODS
    from credit_model.classing.fine import RARE_ROWS as RARE_ROWS
    from credit_model.classing.fine import FineColumn as FineColumn
    from credit_model.classing.fine import counted_numbers as counted_numbers
    from credit_model.classing.fine import cut_between as cut_between
    from credit_model.classing.fine import fine_categories as fine_categories
    from credit_model.classing.fine import fine_numbers as fine_numbers
    from credit_model.classing.fonts import font_families as font_families
    from credit_model.classing.frames import read_columns as read_columns
    from credit_model.classing.frames import read_groups as read_groups
    from credit_model.classing.frames import read_outcome as read_outcome
    from credit_model.classing.frames import rows_of as rows_of
    from credit_model.classing.labels import bad_place as bad_place
    from credit_model.classing.optimal import Classing as Classing
    from credit_model.classing.optimal import ClassingRules as ClassingRules
    from credit_model.classing.optimal import optimal_classing as optimal_classing
    from credit_model.classing.optimal import optimal_classings as optimal_classings
    from credit_model.classing.optimal import ordered_woe as ordered_woe
    from credit_model.classing.optimal import smoothed_woe as smoothed_woe
    from credit_model.classing.programme import TRENDS as TRENDS
    from credit_model.classing.rows import FineTable as FineTable
    from credit_model.classing.transformer import WoeTransformer as WoeTransformer
    from credit_model.classing.woe import information_value as information_value
    from credit_model.classing.woe import weight_of_evidence as weight_of_evidence
