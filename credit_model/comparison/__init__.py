"""One card against another on the same rows, and what fewer characteristics would cost.

In: folders of two runs; a sample. Out: paired differences with intervals; a frontier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "compare": "runs",
        "Comparison": "runs",
        "frontier": "sparse",
        "Judged": "judged",
    },
)

if TYPE_CHECKING:
    from credit_model.comparison.judged import Judged as Judged
    from credit_model.comparison.runs import Comparison as Comparison
    from credit_model.comparison.runs import compare as compare
    from credit_model.comparison.sparse import frontier as frontier
