"""Whether a card treats groups of people alike: what may only be audited stands beside the scored rows, never in them.

In: scored rows, and attributes of the same people in a frame of their own. Out: a ``Fairness``, a plain value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AttributeAudit": "audit",
        "Cutoff": "cutoffs",
        "Fairness": "audit",
        "Finding": "audit",
        "LIMITS": "groups",
        "Proxy": "proxies",
        "Rates": "rates",
        "SourceRate": "sources",
        "audit_fairness": "audit",
        "eligibility_ratio": "rates",
        "error_rates": "rates",
        "screen_proxies": "proxies",
        "source_rates": "sources",
    },
)

if TYPE_CHECKING:
    from credit_model.fairness.audit import AttributeAudit as AttributeAudit
    from credit_model.fairness.audit import Fairness as Fairness
    from credit_model.fairness.audit import Finding as Finding
    from credit_model.fairness.audit import audit_fairness as audit_fairness
    from credit_model.fairness.cutoffs import Cutoff as Cutoff
    from credit_model.fairness.groups import LIMITS as LIMITS
    from credit_model.fairness.proxies import Proxy as Proxy
    from credit_model.fairness.proxies import screen_proxies as screen_proxies
    from credit_model.fairness.rates import Rates as Rates
    from credit_model.fairness.rates import eligibility_ratio as eligibility_ratio
    from credit_model.fairness.rates import error_rates as error_rates
    from credit_model.fairness.sources import SourceRate as SourceRate
    from credit_model.fairness.sources import source_rates as source_rates
