"""A ledger as it is looked at: one state of it, until told to take in another.

A part that is gone was merged, or somebody was forgotten, since the manifest was read: then the view moves on to the
newest state by itself and reads again. Everything here may be asked from several threads.

In: a folder and a manifest. Out: what is read from the parts of one manifest, never of two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from credit_model.ledger.lookup import Finder
from credit_model.ledger.manifest import LedgerError, Manifest, PartGone, Stamp, stamp
from credit_model.ledger.parts import Shelf

T = TypeVar("T")


class View:
    """What can be read of a ledger.

    Parameters
    ----------
    folder : Path
    types, schemas : dict
        As for ``Finder``.
    manifest : Manifest
    stamp : tuple, optional
        Of the manifest's file; without it the next refresh reads the manifest.
    """

    def __init__(
        self,
        folder: Path,
        types: Mapping[str, Mapping[str, str]],
        schemas: Mapping[str, Any],
        manifest: Manifest,
        stamp: Stamp | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.lock = threading.RLock()
        self._types, self._schemas = types, schemas
        self._stamp = stamp
        self._finder = self.finder(Shelf(folder), manifest)

    def finder(self, shelf: Shelf, manifest: Manifest) -> Finder:
        """A finder of its own, for who writes."""
        return Finder(shelf, self._types, self._schemas, manifest)

    def look(self, read: Callable[[Finder], T]) -> T:
        """Read; where a part is gone, again in the newest state, as often as there is a newer one."""
        with self.lock:
            while True:
                try:
                    return read(self._finder)
                except PartGone:
                    before = self.manifest.parts
                    self._move_on()
                    if self.manifest.parts == before:
                        raise

    def refresh(self) -> bool:
        """Take in the newest state; whether the content moved."""
        if self._stamp is not None and stamp(self.folder) == self._stamp:
            return False
        with self.lock:
            before = self.manifest.digest
            self._move_on()
            return self.manifest.digest != before

    def adopt(self, manifest: Manifest, stamp: Stamp | None = None) -> None:
        """Look at this state from now on, unless a newer one is looked at already."""
        with self.lock:
            if manifest.generation >= self.manifest.generation or stamp is not None:
                self.manifest = manifest
                self._finder.look_at(manifest)
            self._stamp = stamp

    def _move_on(self) -> None:
        manifest, stamp = Manifest.read_stamped(self.folder)
        if manifest.catalogue != self.manifest.catalogue or manifest.policy != self.manifest.policy:
            raise LedgerError(f"{self.folder} holds another ledger now; open it with Ledger.open")
        self.adopt(manifest, stamp)
