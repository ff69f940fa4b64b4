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
        "Counts": "tables",
        "counts_of": "tables",
        "Data": "samples",
        "describe_samples": "samples",
        "distinct": "tables",
        "evaluate": "report",
        "EvaluationReport": "report",
        "card_of": "card",
        "mean_moved": "card",
        "FIFTHS": "challenger",
        "Check": "gates",
        "Evidence": "gates",
        "Gate": "report",
        "GATES": "gates",
        "GateVerdict": "gates",
        "Limit": "gates",
        "check": "gates",
        "read_gates": "gates",
        "verdicts_of": "gates",
        "RateCell": "samples",
        "Reason": "tables",
        "Sample": "tables",
        "sample_of": "tables",
        "told_reasons": "tables",
        "term_texts": "card",
        "Vintage": "samples",
        "with_second": "tables",
    },
)

if TYPE_CHECKING:
    from credit_model.evaluation.card import card_of as card_of
    from credit_model.evaluation.card import mean_moved as mean_moved
    from credit_model.evaluation.card import term_texts as term_texts
    from credit_model.evaluation.challenger import FIFTHS as FIFTHS
    from credit_model.evaluation.challenger import Attribution as Attribution
    from credit_model.evaluation.challenger import Challenger as Challenger
    from credit_model.evaluation.gates import GATES as GATES
    from credit_model.evaluation.gates import Check as Check
    from credit_model.evaluation.gates import Evidence as Evidence
    from credit_model.evaluation.gates import GateVerdict as GateVerdict
    from credit_model.evaluation.gates import Limit as Limit
    from credit_model.evaluation.gates import check as check
    from credit_model.evaluation.gates import read_gates as read_gates
    from credit_model.evaluation.gates import verdicts_of as verdicts_of
    from credit_model.evaluation.report import EvaluationReport as EvaluationReport
    from credit_model.evaluation.report import Gate as Gate
    from credit_model.evaluation.report import evaluate as evaluate
    from credit_model.evaluation.samples import Data as Data
    from credit_model.evaluation.samples import RateCell as RateCell
    from credit_model.evaluation.samples import Vintage as Vintage
    from credit_model.evaluation.samples import describe_samples as describe_samples
    from credit_model.evaluation.tables import Counts as Counts
    from credit_model.evaluation.tables import Reason as Reason
    from credit_model.evaluation.tables import Sample as Sample
    from credit_model.evaluation.tables import counts_of as counts_of
    from credit_model.evaluation.tables import distinct as distinct
    from credit_model.evaluation.tables import sample_of as sample_of
    from credit_model.evaluation.tables import told_reasons as told_reasons
    from credit_model.evaluation.tables import with_second as with_second
