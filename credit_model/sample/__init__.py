"""Who we learn from, and what happened next.

An observation is a person and a day. What a service would have known on that day describes the person; the only look
forward in the package says whether a new serious adverse event followed within the performance window. Rows are good,
bad, or left out for a reason that is counted.

In: a ledger, an outcome, observation dates, feature definitions, a cohort.
Out: ``DevelopmentSample``: X, y, weights and counts; audit attributes beside, never in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "OUTCOMES": "outcome",
        "REASONS": "development",
        "Y12": "outcome",
        "Outcome": "outcome",
        "OutcomeErrors": "outcome",
        "DevelopmentSample": "development",
        "Event": "observation",
        "EventErrors": "observation",
        "LeakageError": "development",
        "build_sample": "development",
        "OverlapError": "split",
        "check_gap": "split",
        "development_dates": "split",
        "last_known": "outcome",
        "listed": "events",
        "tuning_folds": "split",
    },
)

if TYPE_CHECKING:
    from credit_model.sample.development import REASONS as REASONS
    from credit_model.sample.development import DevelopmentSample as DevelopmentSample
    from credit_model.sample.development import LeakageError as LeakageError
    from credit_model.sample.development import build_sample as build_sample
    from credit_model.sample.events import listed as listed
    from credit_model.sample.observation import Event as Event
    from credit_model.sample.observation import EventErrors as EventErrors
    from credit_model.sample.outcome import OUTCOMES as OUTCOMES
    from credit_model.sample.outcome import Y12 as Y12
    from credit_model.sample.outcome import Outcome as Outcome
    from credit_model.sample.outcome import OutcomeErrors as OutcomeErrors
    from credit_model.sample.outcome import last_known as last_known
    from credit_model.sample.split import OverlapError as OverlapError
    from credit_model.sample.split import check_gap as check_gap
    from credit_model.sample.split import development_dates as development_dates
    from credit_model.sample.split import tuning_folds as tuning_folds
