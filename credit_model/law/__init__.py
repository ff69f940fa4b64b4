"""What the law lets onto a file: kinds of record, forbidden attributes, identity numbers, and its calendar.

In: ``catalogue.toml`` or another catalogue; ID numbers and a key; dates in any form.
Out: ``Catalogue``, keyed pseudonyms, days since 1970-01-01; nothing here knows of a ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "read_toml": "toml_reader",
        "raise_faults": "toml_reader",
        "TomlReader": "toml_reader",
        "Attribute": "catalogue",
        "Catalogue": "catalogue",
        "CatalogueErrors": "catalogue",
        "Days": "dates",
        "EPOCH": "catalogue",
        "FOREVER": "dates",
        "IdNumberError": "identity",
        "KEY_VARIABLE": "identity",
        "Kind": "catalogue",
        "LegalReference": "catalogue",
        "NO_DAY": "dates",
        "NO_VALUE": "dates",
        "PROCEDURES": "catalogue",
        "PolicyEdition": "catalogue",
        "RESERVED_ATTRIBUTES": "catalogue",
        "TIERS": "catalogue",
        "WITHHELD": "identity",
        "add_months": "dates",
        "canonical_ids": "subject_ids",
        "canonical_text": "subject_ids",
        "distinct": "dates",
        "from_day": "dates",
        "from_days": "dates",
        "id_texts": "subject_ids",
        "is_null": "dates",
        "key_check": "identity",
        "load_catalogue": "catalogue",
        "looks_like_id_number": "identity",
        "pack": "dates",
        "parse_each": "dates",
        "parse_toml": "toml_reader",
        "pseudonym": "identity",
        "pseudonym_key": "identity",
        "pseudonyms": "identity",
        "read_subject_ids": "subject_ids",
        "redact": "identity",
        "subject_id": "subject_ids",
        "to_day": "dates",
        "to_days": "dates",
        "unpack": "dates",
        "validate_id_number": "identity",
    },
)

if TYPE_CHECKING:
    from credit_model.law.catalogue import EPOCH as EPOCH
    from credit_model.law.catalogue import PROCEDURES as PROCEDURES
    from credit_model.law.catalogue import RESERVED_ATTRIBUTES as RESERVED_ATTRIBUTES
    from credit_model.law.catalogue import TIERS as TIERS
    from credit_model.law.catalogue import Attribute as Attribute
    from credit_model.law.catalogue import Catalogue as Catalogue
    from credit_model.law.catalogue import CatalogueErrors as CatalogueErrors
    from credit_model.law.catalogue import Kind as Kind
    from credit_model.law.catalogue import LegalReference as LegalReference
    from credit_model.law.catalogue import PolicyEdition as PolicyEdition
    from credit_model.law.catalogue import load_catalogue as load_catalogue
    from credit_model.law.dates import FOREVER as FOREVER
    from credit_model.law.dates import NO_DAY as NO_DAY
    from credit_model.law.dates import NO_VALUE as NO_VALUE
    from credit_model.law.dates import Days as Days
    from credit_model.law.dates import add_months as add_months
    from credit_model.law.dates import distinct as distinct
    from credit_model.law.dates import from_day as from_day
    from credit_model.law.dates import from_days as from_days
    from credit_model.law.dates import is_null as is_null
    from credit_model.law.dates import pack as pack
    from credit_model.law.dates import parse_each as parse_each
    from credit_model.law.dates import to_day as to_day
    from credit_model.law.dates import to_days as to_days
    from credit_model.law.dates import unpack as unpack
    from credit_model.law.identity import KEY_VARIABLE as KEY_VARIABLE
    from credit_model.law.identity import WITHHELD as WITHHELD
    from credit_model.law.identity import IdNumberError as IdNumberError
    from credit_model.law.identity import key_check as key_check
    from credit_model.law.identity import looks_like_id_number as looks_like_id_number
    from credit_model.law.identity import pseudonym as pseudonym
    from credit_model.law.identity import pseudonym_key as pseudonym_key
    from credit_model.law.identity import pseudonyms as pseudonyms
    from credit_model.law.identity import redact as redact
    from credit_model.law.identity import validate_id_number as validate_id_number
    from credit_model.law.subject_ids import canonical_ids as canonical_ids
    from credit_model.law.subject_ids import canonical_text as canonical_text
    from credit_model.law.subject_ids import id_texts as id_texts
    from credit_model.law.subject_ids import read_subject_ids as read_subject_ids
    from credit_model.law.subject_ids import subject_id as subject_id
    from credit_model.law.toml_reader import TomlReader as TomlReader
    from credit_model.law.toml_reader import parse_toml as parse_toml
    from credit_model.law.toml_reader import raise_faults as raise_faults
    from credit_model.law.toml_reader import read_toml as read_toml
