"""Where a ledger lies on disk: files of rows that never change, and one manifest that says which of them count.

In: typed Arrow tables, ids of subjects. Out: the same rows, whole tables or those of a few subjects; the proof that a
person is gone. Nothing here judges a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CACHE": "manifest",
        "CATALOGUE": "manifest",
        "DeliveryCounts": "manifest",
        "Finder": "lookup",
        "ForgetReport": "forgetting",
        "KEYS": "parts",
        "Kept": "forgetting",
        "LOCK": "manifest",
        "LedgerError": "manifest",
        "MANIFEST": "manifest",
        "Manifest": "manifest",
        "PARTS": "manifest",
        "Part": "manifest",
        "QUARANTINE": "manifest",
        "Shelf": "parts",
        "Stamp": "manifest",
        "View": "view",
        "Writing": "writing",
        "cache_prefix": "manifest",
        "digests_of": "parts",
        "forget": "forgetting",
        "keys_of": "parts",
        "locked": "manifest",
        "readmit": "forgetting",
        "with_tombstone": "forgetting",
        "write_forced": "manifest",
    },
)

if TYPE_CHECKING:
    from credit_model.store.forgetting import ForgetReport as ForgetReport
    from credit_model.store.forgetting import Kept as Kept
    from credit_model.store.forgetting import forget as forget
    from credit_model.store.forgetting import readmit as readmit
    from credit_model.store.forgetting import with_tombstone as with_tombstone
    from credit_model.store.lookup import Finder as Finder
    from credit_model.store.manifest import CACHE as CACHE
    from credit_model.store.manifest import CATALOGUE as CATALOGUE
    from credit_model.store.manifest import LOCK as LOCK
    from credit_model.store.manifest import MANIFEST as MANIFEST
    from credit_model.store.manifest import PARTS as PARTS
    from credit_model.store.manifest import QUARANTINE as QUARANTINE
    from credit_model.store.manifest import DeliveryCounts as DeliveryCounts
    from credit_model.store.manifest import LedgerError as LedgerError
    from credit_model.store.manifest import Manifest as Manifest
    from credit_model.store.manifest import Part as Part
    from credit_model.store.manifest import Stamp as Stamp
    from credit_model.store.manifest import cache_prefix as cache_prefix
    from credit_model.store.manifest import locked as locked
    from credit_model.store.manifest import write_forced as write_forced
    from credit_model.store.parts import KEYS as KEYS
    from credit_model.store.parts import Shelf as Shelf
    from credit_model.store.parts import digests_of as digests_of
    from credit_model.store.parts import keys_of as keys_of
    from credit_model.store.view import View as View
    from credit_model.store.writing import Writing as Writing
