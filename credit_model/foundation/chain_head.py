"""The head of a chain: a small file, kept apart from the log, that knows how far the log reaches.

In: an end. Out: the newest end that was written whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from credit_model.foundation.chain_links import JSON, ChainError, End
from credit_model.foundation.digests import sha256
from credit_model.foundation.files import force, lock_handle

SLOT: Final = 512
"""One sector: a disk writes it whole or not at all."""


class Head:
    """The file that knows how far a chain reaches: two slots written in turn, so that one is always whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[bytes, End] | None = None  # what was read or written last needs no second reading

    @contextmanager
    def lock(self, shared: bool = False) -> Iterator[int]:
        """Yield the open file, locked between processes; the lock dies with its holder."""
        handle = os.open(self.path, os.O_RDONLY if shared else os.O_RDWR)
        try:
            lock_handle(handle, shared=shared)
            yield handle
        finally:
            os.close(handle)

    def create(self, end: End) -> None:
        """Make the head of a new chain; where another process was faster, leave it its own."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            lock_handle(handle)
            if os.fstat(handle).st_size < 2 * SLOT:  # new, or killed while it was made
                os.pwrite(handle, _slot(end) * 2, 0)
                os.fsync(handle)
                force(self.path.parent)
        finally:
            os.close(handle)

    def read(self, handle: int) -> End:
        """Return the newest whole slot."""
        raw = os.pread(handle, 2 * SLOT, 0)
        if self._seen is not None and self._seen[0] == raw:
            return self._seen[1]
        ends = [end for end in (_end(raw[:SLOT]), _end(raw[SLOT:])) if end is not None]
        if not ends:
            raise ChainError(f"{self.path} is no head of a chain, or was altered; restore it from a copy.")
        self._seen = raw, max(ends, key=lambda end: end.serial)
        return self._seen[1]

    def write(self, handle: int, end: End) -> None:
        """Put an end that follows the one read into the older slot."""
        slot = _slot(end)
        os.pwrite(handle, slot, SLOT * (end.serial % 2))
        if self._seen is not None:
            raw = self._seen[0]
            self._seen = (raw[:SLOT] + slot if end.serial % 2 else slot + raw[SLOT:]), end


def _slot(end: End) -> bytes:
    text = JSON(vars(end))
    slot = f"{text} {sha256(text)[:16]}".encode()
    if len(slot) >= SLOT:
        raise ChainError(f"the name of the log file is too long ({len(end.file)} characters)")
    return slot.ljust(SLOT - 1) + b"\n"


def _end(slot: bytes) -> End | None:
    text, _, check = slot.decode("utf-8", "replace").strip().rpartition(" ")
    return End(**json.loads(text)) if text and sha256(text)[:16] == check else None
