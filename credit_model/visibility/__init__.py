"""Which version of which record may be used on which day, and if none, on which ground; who may be scored when.

In: the rows of a ledger (``Tables``), a catalogue, a policy, a day of use.
Out: ``Segments`` that partition time, ``State`` of records on a day, ``Population``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ACTIONS": "fold",
        "AMENDMENT_TYPES": "tables",
        "APPEAL_MONTHS": "fold",
        "PAID": "fold",
        "Population": "population",
        "RECORD_TYPES": "tables",
        "ROLES": "tables",
        "SEMANTICS_VERSION": "segments",
        "STATUSES": "tables",
        "SUBJECT_TYPES": "tables",
        "TIERS": "tables",
        "Segments": "tables",
        "Tables": "tables",
        "Text": "text",
        "compile_segments": "segments",
        "files_at": "segments",
        "fold_at": "fold",
        "grounds_at": "segments",
        "parse_correction": "fold",
        "spans": "tables",
    },
)

if TYPE_CHECKING:
    from credit_model.visibility.fold import ACTIONS as ACTIONS
    from credit_model.visibility.fold import APPEAL_MONTHS as APPEAL_MONTHS
    from credit_model.visibility.fold import PAID as PAID
    from credit_model.visibility.fold import fold_at as fold_at
    from credit_model.visibility.fold import parse_correction as parse_correction
    from credit_model.visibility.population import Population as Population
    from credit_model.visibility.segments import SEMANTICS_VERSION as SEMANTICS_VERSION
    from credit_model.visibility.segments import compile_segments as compile_segments
    from credit_model.visibility.segments import files_at as files_at
    from credit_model.visibility.segments import grounds_at as grounds_at
    from credit_model.visibility.tables import AMENDMENT_TYPES as AMENDMENT_TYPES
    from credit_model.visibility.tables import RECORD_TYPES as RECORD_TYPES
    from credit_model.visibility.tables import ROLES as ROLES
    from credit_model.visibility.tables import STATUSES as STATUSES
    from credit_model.visibility.tables import SUBJECT_TYPES as SUBJECT_TYPES
    from credit_model.visibility.tables import TIERS as TIERS
    from credit_model.visibility.tables import Segments as Segments
    from credit_model.visibility.tables import Tables as Tables
    from credit_model.visibility.tables import spans as spans
    from credit_model.visibility.text import Text as Text
