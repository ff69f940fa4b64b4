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
        "Attribute": "catalogue",
        "Catalogue": "catalogue",
        "CatalogueErrors": "catalogue",
        "Kind": "catalogue",
        "LegalReference": "catalogue",
        "PolicyEdition": "catalogue",
        "load_catalogue": "catalogue",
        "IdNumberError": "identity",
        "pseudonym": "identity",
        "validate_id_number": "identity",
        "Mapping": "mapping",
        "MappingErrors": "mapping",
        "load_mapping": "mapping",
        "REASONS": "validation",
        "ColumnErrors": "validation",
        "IngestReport": "ingest",
        "Ledger": "ledger",
        "LedgerError": "store",
        "FOREVER": "dates",
        "NO_DAY": "dates",
        "NO_VALUE": "dates",
        "ROLES": "tables",
        "SEMANTICS_VERSION": "visibility",
        "STATUSES": "tables",
        "Population": "population",
        "Segments": "tables",
        "Tables": "tables",
        "add_months": "dates",
        "compile_segments": "visibility",
        "fold_at": "fold",
        "from_days": "dates",
        "grounds_at": "visibility",
        "to_day": "dates",
        "to_days": "dates",
        "City": "synthetic",
        "synthesise": "synthetic",
    },
)

if TYPE_CHECKING:
    from credit_model.records.catalogue import Attribute as Attribute
    from credit_model.records.catalogue import Catalogue as Catalogue
    from credit_model.records.catalogue import CatalogueErrors as CatalogueErrors
    from credit_model.records.catalogue import Kind as Kind
    from credit_model.records.catalogue import LegalReference as LegalReference
    from credit_model.records.catalogue import PolicyEdition as PolicyEdition
    from credit_model.records.catalogue import load_catalogue as load_catalogue
    from credit_model.records.dates import FOREVER as FOREVER
    from credit_model.records.dates import NO_DAY as NO_DAY
    from credit_model.records.dates import NO_VALUE as NO_VALUE
    from credit_model.records.dates import add_months as add_months
    from credit_model.records.dates import from_days as from_days
    from credit_model.records.dates import to_day as to_day
    from credit_model.records.dates import to_days as to_days
    from credit_model.records.fold import fold_at as fold_at
    from credit_model.records.identity import IdNumberError as IdNumberError
    from credit_model.records.identity import pseudonym as pseudonym
    from credit_model.records.identity import validate_id_number as validate_id_number
    from credit_model.records.ingest import IngestReport as IngestReport
    from credit_model.records.ledger import Ledger as Ledger
    from credit_model.records.mapping import Mapping as Mapping
    from credit_model.records.mapping import MappingErrors as MappingErrors
    from credit_model.records.mapping import load_mapping as load_mapping
    from credit_model.records.population import Population as Population
    from credit_model.records.store import LedgerError as LedgerError
    from credit_model.records.synthetic import City as City
    from credit_model.records.synthetic import synthesise as synthesise
    from credit_model.records.tables import ROLES as ROLES
    from credit_model.records.tables import STATUSES as STATUSES
    from credit_model.records.tables import Segments as Segments
    from credit_model.records.tables import Tables as Tables
    from credit_model.records.validation import REASONS as REASONS
    from credit_model.records.validation import ColumnErrors as ColumnErrors
    from credit_model.records.visibility import SEMANTICS_VERSION as SEMANTICS_VERSION
    from credit_model.records.visibility import compile_segments as compile_segments
    from credit_model.records.visibility import grounds_at as grounds_at
