"""How an additive model with a few pairs is learned by boosting, and made readable.

In: rows in classes (small whole numbers), counts of goods and bads, lawful directions.
Out: one table of log-odds a column, a grid for each pair kept, log-odds of every row by a model that has not seen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Additive": "additive",
        "Sample": "terms",
        "Terms": "terms",
        "fit_additive": "additive",
        "join_classes": "joining",
    },
)

if TYPE_CHECKING:
    from credit_model.fitting.additive import Additive as Additive
    from credit_model.fitting.additive import fit_additive as fit_additive
    from credit_model.fitting.joining import join_classes as join_classes
    from credit_model.fitting.terms import Sample as Sample
    from credit_model.fitting.terms import Terms as Terms
