"""What a feature is, as data: which records, which aggregate, over which window, and what a greater value means.

A definition never holds code. It is written as TOML, checked against a catalogue, read out as a sentence, stored in a
card; the engine reads it, and the room of features carries it out.

In: TOML or keyword arguments; a catalogue.
Out: ``FeatureDefinition``, every fault at once, a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AGGREGATES": "definition",
        "TRENDS": "definition",
        "DefinitionErrors": "definition",
        "FeatureDefinition": "definition",
        "Condition": "conditions",
        "MEMBERSHIP": "conditions",
        "NUMBERS": "conditions",
        "POLARITIES": "conditions",
        "TIERS": "conditions",
        "Window": "conditions",
        "nearest": "conditions",
        "check_definitions": "checks",
        "matching_kinds": "checks",
        "label": "definition",
        "library": "dictionary",
        "load_definitions": "dictionary",
        "save_definitions": "dictionary",
    },
)

if TYPE_CHECKING:
    from credit_model.definitions.checks import check_definitions as check_definitions
    from credit_model.definitions.checks import matching_kinds as matching_kinds
    from credit_model.definitions.conditions import MEMBERSHIP as MEMBERSHIP
    from credit_model.definitions.conditions import NUMBERS as NUMBERS
    from credit_model.definitions.conditions import POLARITIES as POLARITIES
    from credit_model.definitions.conditions import TIERS as TIERS
    from credit_model.definitions.conditions import Condition as Condition
    from credit_model.definitions.conditions import Window as Window
    from credit_model.definitions.conditions import nearest as nearest
    from credit_model.definitions.definition import AGGREGATES as AGGREGATES
    from credit_model.definitions.definition import TRENDS as TRENDS
    from credit_model.definitions.definition import DefinitionErrors as DefinitionErrors
    from credit_model.definitions.definition import FeatureDefinition as FeatureDefinition
    from credit_model.definitions.definition import label as label
    from credit_model.definitions.dictionary import library as library
    from credit_model.definitions.dictionary import load_definitions as load_definitions
    from credit_model.definitions.dictionary import save_definitions as save_definitions
