"""How a card is learned: classing, logistic regression within lawful limits, cross-fitted calibration; its challenger.

In: one row an observation, one column a characteristic, 1 = bad.
Out: a fitted classifier whose probability is its card's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "BoostedChallenger": "challenger",
        "ScorecardClassifier": "classifier",
    },
)

if TYPE_CHECKING:
    from credit_model.learner.challenger import BoostedChallenger as BoostedChallenger
    from credit_model.learner.classifier import ScorecardClassifier as ScorecardClassifier
