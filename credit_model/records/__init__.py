"""What is on record about a subject, and since when.

Raw rows go in through a mapping and validation into an append-only ledger; the ledger compiles to segments that say,
for every record and every day, whether it may be used and if not, on which ground.

In: frames or files of records, amendments, subject versions and audit attributes; a catalogue of kinds of record.
Out: ``Ledger``, ``Segments``, ``Population``; nothing here knows of features, scores or outcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Buckets": "buckets",
        "ColumnErrors": "validation",
        "ForgetReport": "ledger",
        "IngestReport": "report",
        "Ledger": "ledger",
        "LedgerError": "ledger",
        "Mapping": "mapping",
        "MappingErrors": "mapping",
        "REASONS": "validation",
        "load_mapping": "mapping",
    },
)

if TYPE_CHECKING:
    from credit_model.records.buckets import Buckets as Buckets
    from credit_model.records.ledger import Ledger as Ledger
    from credit_model.records.mapping import Mapping as Mapping
    from credit_model.records.mapping import MappingErrors as MappingErrors
    from credit_model.records.mapping import load_mapping as load_mapping
    from credit_model.records.report import IngestReport as IngestReport
    from credit_model.records.validation import REASONS as REASONS
    from credit_model.records.validation import ColumnErrors as ColumnErrors
    from credit_model.store import ForgetReport as ForgetReport
    from credit_model.store import LedgerError as LedgerError
