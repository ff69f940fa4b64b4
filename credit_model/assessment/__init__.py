"""What is said to and about a person.

A card and a ledger become an answer as of a date: whether the person may be scored, the score with its reasons and
the records behind each, and, apart from it, the statutory status that written decisions gave.

In: a ``Card``, a ``Ledger``, a subject, an as-of date, a purpose.
Out: an ``Assessment``; no purpose that punishes exists here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Assessment": "answer",
        "Evaluator": "assess",
        "PURPOSES": "assess",
        "PurposeError": "assess",
        "Reason": "answer",
        "StatutoryStatus": "answer",
    },
)

if TYPE_CHECKING:
    from credit_model.assessment.answer import Assessment as Assessment
    from credit_model.assessment.answer import Reason as Reason
    from credit_model.assessment.answer import StatutoryStatus as StatutoryStatus
    from credit_model.assessment.assess import PURPOSES as PURPOSES
    from credit_model.assessment.assess import Evaluator as Evaluator
    from credit_model.assessment.assess import PurposeError as PurposeError
