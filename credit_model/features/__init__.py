"""A subject described as of a date.

A feature is data: which records, which aggregate, over which window, what a greater value means, what stands for
"none". One kernel executes any list of definitions over the segments of the ledger, for one person or for a city.

In: ``Segments`` of the ledger, observations (subject, as-of date), feature definitions.
Out: a float32 table, one row an observation, one column a definition; and, for any value, the records behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AGGREGATES": "credit_model.definitions",
        "TRENDS": "credit_model.definitions",
        "DefinitionErrors": "credit_model.definitions",
        "FeatureDefinition": "credit_model.definitions",
        "Window": "credit_model.definitions",
        "check_definitions": "credit_model.definitions",
        "matching_kinds": "credit_model.definitions",
        "KERNEL_VERSION": "kernel",
        "Trail": "kernel",
        "compute": "kernel",
        "trail": "kernel",
        "Grid": "grid",
        "feature_grid": "grid",
        "library": "credit_model.definitions",
        "load_definitions": "credit_model.definitions",
        "save_definitions": "credit_model.definitions",
        "UnknownSubjectsWarning": "build",
        "build_features": "build",
        "explain_feature": "build",
    },
)

if TYPE_CHECKING:
    from credit_model.definitions import AGGREGATES as AGGREGATES
    from credit_model.definitions import TRENDS as TRENDS
    from credit_model.definitions import DefinitionErrors as DefinitionErrors
    from credit_model.definitions import FeatureDefinition as FeatureDefinition
    from credit_model.definitions import Window as Window
    from credit_model.definitions import check_definitions as check_definitions
    from credit_model.definitions import library as library
    from credit_model.definitions import load_definitions as load_definitions
    from credit_model.definitions import matching_kinds as matching_kinds
    from credit_model.definitions import save_definitions as save_definitions
    from credit_model.features.build import UnknownSubjectsWarning as UnknownSubjectsWarning
    from credit_model.features.build import build_features as build_features
    from credit_model.features.build import explain_feature as explain_feature
    from credit_model.features.grid import Grid as Grid
    from credit_model.features.grid import feature_grid as feature_grid
    from credit_model.features.kernel import KERNEL_VERSION as KERNEL_VERSION
    from credit_model.features.kernel import Trail as Trail
    from credit_model.features.kernel import compute as compute
    from credit_model.features.kernel import trail as trail
