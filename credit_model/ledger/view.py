"""One state of a ledger for reading, which follows the newest state when asked to or when it has to.

A part is missing where parts were merged, or a person was forgotten, since the manifest was read: the view then takes
up the newest state and reads again. All of it is safe to call from several threads.

In: a folder and a manifest. Out: what is read from the parts of one manifest, never of two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from credit_model.ledger.lookup import RowIndex
from credit_model.ledger.manifest import LedgerError, Manifest, ManifestVersion, MissingPartError, manifest_version
from credit_model.ledger.parts import PartStore

T = TypeVar("T")


class View:
    """A view of one state of a ledger.

    Parameters
    ----------
    folder : Path
    types, schemas : dict
        As for ``RowIndex``.
    manifest : Manifest
    version : tuple, optional
        Of the manifest's file; without it the next refresh reads the manifest.
    """

    def __init__(
        self,
        folder: Path,
        types: Mapping[str, Mapping[str, str]],
        schemas: Mapping[str, pa.Schema],
        manifest: Manifest,
        version: ManifestVersion | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.lock = threading.RLock()
        self._types, self._schemas = types, schemas
        self._version = version
        self._row_index = self.row_index(PartStore(folder), manifest)

    def row_index(self, store: PartStore, manifest: Manifest) -> RowIndex:
        """Return a row index apart from the one readers share, for a writer."""
        return RowIndex(store, self._types, self._schemas, manifest)

    def look(self, read: Callable[[RowIndex], T]) -> T:
        """Read; where a part is missing, read again in the newest state, as often as there is a newer one."""
        with self.lock:
            while True:
                try:
                    return read(self._row_index)
                except MissingPartError:
                    before = self.manifest.parts
                    self._move_on()
                    if self.manifest.parts == before:
                        raise

    def refresh(self) -> bool:
        """Take in the newest state; return whether the content changed."""
        if self._version is not None and manifest_version(self.folder) == self._version:
            return False
        with self.lock:
            before = self.manifest.digest
            self._move_on()
            return self.manifest.digest != before

    def adopt(self, manifest: Manifest, version: ManifestVersion | None = None) -> None:
        """Read this state from now on, unless a newer one is read already."""
        with self.lock:
            if manifest.generation >= self.manifest.generation or version is not None:
                self.manifest = manifest
                self._row_index.look_at(manifest)
            self._version = version

    def _move_on(self) -> None:
        manifest, version = Manifest.read_with_version(self.folder)
        if manifest.catalogue != self.manifest.catalogue or manifest.policy != self.manifest.policy:
            raise LedgerError(f"read the ledger: {self.folder} has another ledger now. Open it anew.")
        self.adopt(manifest, version)
