"""An evaluation as a value: how good a card is and how far to trust it, on people it has not seen.

In: scored out-of-time rows. Out: an ``EvaluationReport`` and its gates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Attribution": "challenger",
        "Challenger": "challenger",
        "EvaluationReport": "report",
        "FIFTHS": "challenger",
        "Gate": "report",
        "evaluate": "report",
    },
)

if TYPE_CHECKING:
    from credit_model.evaluation.challenger import FIFTHS as FIFTHS
    from credit_model.evaluation.challenger import Attribution as Attribution
    from credit_model.evaluation.challenger import Challenger as Challenger
    from credit_model.evaluation.report import EvaluationReport as EvaluationReport
    from credit_model.evaluation.report import Gate as Gate
    from credit_model.evaluation.report import evaluate as evaluate
