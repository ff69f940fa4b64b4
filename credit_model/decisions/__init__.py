"""What a cut-off decides: who becomes eligible for an incentive, what two cards decide differently, who overrode whom.

A decision here is an incentive or the standard service; there is no other. Nobody is ranked: a programme has a
threshold that anyone can meet, never a number of places for the best.

In: scored rows. Out: ``Decisions``, a plain value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CutoffRow": "cutoffs",
        "Decisions": "summary",
        "Outcome": "incentives",
        "Overrides": "overrides",
        "Programme": "incentives",
        "SwapSet": "swaps",
        "cutoff_table": "cutoffs",
        "matching_cutoff": "swaps",
        "override_report": "overrides",
        "simulate_incentives": "incentives",
        "step_hidden": "cutoffs",
        "summarise_decisions": "summary",
        "swap_set": "swaps",
    },
)

if TYPE_CHECKING:
    from credit_model.decisions.cutoffs import CutoffRow as CutoffRow
    from credit_model.decisions.cutoffs import cutoff_table as cutoff_table
    from credit_model.decisions.cutoffs import step_hidden as step_hidden
    from credit_model.decisions.incentives import Outcome as Outcome
    from credit_model.decisions.incentives import Programme as Programme
    from credit_model.decisions.incentives import simulate_incentives as simulate_incentives
    from credit_model.decisions.overrides import Overrides as Overrides
    from credit_model.decisions.overrides import override_report as override_report
    from credit_model.decisions.summary import Decisions as Decisions
    from credit_model.decisions.summary import summarise_decisions as summarise_decisions
    from credit_model.decisions.swaps import SwapSet as SwapSet
    from credit_model.decisions.swaps import matching_cutoff as matching_cutoff
    from credit_model.decisions.swaps import swap_set as swap_set
