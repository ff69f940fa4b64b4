"""The lines of a chain: how one carries the digest of the line before, what was altered, and how far they reach.

In: entries; a file and how far it must reach. Out: lines; entries; a :class:`ChainReport`; the :class:`Head`, a small
file kept apart from the log, with the newest end that was written whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from credit_model.foundation.digests import sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import force, lock_handle
from credit_model.foundation.json_values import JsonObject

GENESIS: Final = "0" * 64  # what the first line of a chain carries
JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
SLOT: Final = 512  # one sector: a disk writes it whole or not at all
_BEFORE, _BETWEEN, _END = b'{"previous":"', b'","entry":', b"}\n"
_DIGEST = slice(len(_BEFORE), len(_BEFORE) + 64)
_FAULTS_TOLD = 20


class ChainError(UserError):
    """A chain that is damaged, has lost its head, or keeps it where it protects nothing."""


class ChainMoved(ChainError):
    """The chain goes on in another file: its head names one."""


@dataclass(frozen=True)
class End:
    """How far a chain reaches: the file, what its first line carries, its lines and bytes, the digest of the last."""

    file: str
    start: str = GENESIS
    lines: int = 0
    bytes: int = 0
    digest: str = GENESIS
    serial: int = 0

    def reaching(self, lines: int, bytes: int, digest: str) -> End:
        """Return the next end, in the same file."""
        return End(self.file, self.start, lines, bytes, digest, self.serial + 1)


@dataclass(frozen=True)
class ChainReport:
    """The result of a verification.

    Parameters
    ----------
    lines : int
        Whole lines in the file.
    head_lines : int
        Lines the head knows; more in the file were kept by the torn-append rule, or will be.
    torn : int
        Bytes of a last line that a killed append left without its end; the next append cuts them.
    faults : tuple of str
        What was altered, each with the number of the line, from 1; empty where the chain holds.
    digest : str
        Of the last whole line.
    """

    lines: int
    head_lines: int
    torn: int
    faults: tuple[str, ...]
    digest: str

    @property
    def holds(self) -> bool:
        """Return whether every line the head knows is there, unaltered."""
        return not self.faults


def plain(entry: Mapping[str, object]) -> bytes:
    """Return an entry as bytes."""
    return JSON(dict(entry)).encode()


def line_of(previous: str, entry: bytes) -> bytes:
    """Return the line of an entry that follows the line with a digest."""
    return b"".join((_BEFORE, previous.encode(), _BETWEEN, entry, _END))


def verify_file(path: Path, end: End, size: int | None = None) -> ChainReport:
    """Read a file of a chain against what it must start with, and how many lines it must reach with which digest.

    Parameters
    ----------
    path : Path
    end : End
    size : int, optional
        Read no further: bytes there when the end was read.
    """
    if not path.exists():
        faults = (f"it is missing: lines 1 to {end.lines} are gone",) if end.lines else ()
        return ChainReport(0, end.lines, 0, faults, end.start)
    with path.open("rb") as file:
        return walk(_up_to(file, size), end.start, 0, end)


def read_entries(path: Path, holding: bytes = b"") -> Iterator[JsonObject]:
    """Yield the entries of the whole lines of a file; only of lines with these bytes, where given."""
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(_END) and holding in line:
                    try:
                        yield json.loads(line)["entry"]
                    except (ValueError, KeyError, TypeError):
                        raise ChainError(f"{path}: line {number} cannot be read; verify the log.") from None


def _up_to(file: Iterable[bytes], size: int | None) -> Iterator[bytes]:
    read = 0
    for line in file:
        read += len(line)
        if size is not None and read > size:
            return
        yield line


def walk(lines: Iterable[bytes], digest: str, number: int, end: End) -> ChainReport:
    """Follow the links; ``digest`` and ``number`` are those of the line before."""
    broken_links: list[int] = []  # lines that do not carry the digest of the line before
    torn, reached = 0, digest
    for line in lines:
        if not line.endswith(b"\n"):
            torn = len(line)
            break
        number += 1
        if line[_DIGEST] != digest.encode() or not line.startswith(_BEFORE):
            broken_links.append(number)
        digest = sha256(line)
        if number <= end.lines:
            reached = digest
    cut = number < end.lines
    faults = [*_name_alterations(broken_links, end, ends_otherwise=not cut and reached != end.digest, cut=cut)]
    if cut:
        torn = 0  # not an append that was killed: the head knows the line
        span = f"line {end.lines} is" if number + 1 == end.lines else f"lines {number + 1} to {end.lines} are"
        faults.append(f"{span} missing: the file was cut after line {number}")
    return ChainReport(number, end.lines, torn, tuple(faults[:_FAULTS_TOLD]), digest)


def _name_alterations(broken_links: list[int], end: End, ends_otherwise: bool, cut: bool) -> Iterator[str]:
    """Name the lines that were altered, from the lines whose link is broken.

    An altered line breaks the link of the next; where the change touched its own link, that one too. From the last
    line the head knows, the next link is to the head.
    """
    links = [line for line in broken_links if line <= end.lines] + [end.lines + 1] * ends_otherwise
    if links == [end.lines + 1]:
        yield f"line {end.lines} is not the one the head knows: it was altered, or the file was written anew"
        links = []
    while links:
        line = links.pop(0)
        if links[:1] == [line + 1]:
            links.pop(0)
            yield f"line {line} was altered"
        else:
            yield f"line {max(line - 1, 1)} was altered" + (", or lines after it were taken out" if cut else "")
    yield from (
        f"line {line} does not continue the chain, and the head does not know it"
        for line in broken_links
        if line > end.lines + ends_otherwise
    )


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
