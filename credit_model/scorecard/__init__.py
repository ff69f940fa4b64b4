"""What a card is: a number with reasons. Nothing is fitted here.

A card is a document (JSON) that holds everything a score needs: characteristics with their attributes and integer
points, the profile that states the scale, the map from score to probability, reasons, provenance. Reading one needs
numpy and nothing else.

In: a card document, and a value for each of its characteristics.
Out: an integer score, a probability, a grade, points and reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Attribute": "bins",
        "BinEdits": "bins",
        "Card": "card",
        "CardError": "document",
        "CategoricalBins": "bins",
        "Characteristic": "bins",
        "GoldenRow": "card",
        "NumericBins": "bins",
        "Pair": "pairs",
        "Policy": "bins",
        "ProbabilityMap": "scale",
        "Profile": "scale",
        "Reason": "reasons",
        "ScoredRow": "reasons",
        "as_categories": "columns",
        "as_numbers": "columns",
        "attributes_of": "bins",
        "holds_numbers": "columns",
        "load_profile": "scale",
        "run_label": "pairs",
    },
)

if TYPE_CHECKING:
    from credit_model.scorecard.bins import Attribute as Attribute
    from credit_model.scorecard.bins import BinEdits as BinEdits
    from credit_model.scorecard.bins import CategoricalBins as CategoricalBins
    from credit_model.scorecard.bins import Characteristic as Characteristic
    from credit_model.scorecard.bins import NumericBins as NumericBins
    from credit_model.scorecard.bins import Policy as Policy
    from credit_model.scorecard.bins import attributes_of as attributes_of
    from credit_model.scorecard.card import Card as Card
    from credit_model.scorecard.card import GoldenRow as GoldenRow
    from credit_model.scorecard.columns import as_categories as as_categories
    from credit_model.scorecard.columns import as_numbers as as_numbers
    from credit_model.scorecard.columns import holds_numbers as holds_numbers
    from credit_model.scorecard.document import CardError as CardError
    from credit_model.scorecard.pairs import Pair as Pair
    from credit_model.scorecard.pairs import run_label as run_label
    from credit_model.scorecard.reasons import Reason as Reason
    from credit_model.scorecard.reasons import ScoredRow as ScoredRow
    from credit_model.scorecard.scale import ProbabilityMap as ProbabilityMap
    from credit_model.scorecard.scale import Profile as Profile
    from credit_model.scorecard.scale import load_profile as load_profile
