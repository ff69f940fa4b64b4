"""An append-only file that threads and processes write to at once, and its torn-append rule.

In: entries of plain JSON values. Out: the same in order.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from credit_model.foundation.chain_links import (
    GENESIS,
    SLOT,
    ChainError,
    ChainMoved,
    ChainReport,
    End,
    Head,
    line_of,
    plain,
    read_entries,
    verify_file,
    walk,
)
from credit_model.foundation.digests import sha256
from credit_model.foundation.files import force, write_forced
from credit_model.foundation.json_values import JsonObject


@dataclass
class _Pending:
    """Entries of one caller, waiting to be written with those of others."""

    entries: list[bytes]
    line: int = 0
    is_written: bool = False
    error: BaseException | None = None


@dataclass
class Chain:
    """A chained log in one file; threads and processes may append at once.

    Parameters
    ----------
    path : Path
        The file of lines; made with the first entry.
    head : Path
        The file that knows the end; in another folder.
    sync : bool
        Force the lines of every append to disk before it returns. Without it they are safe from the end of the
        process, not from that of the machine, until :meth:`flush`.

    Raises
    ------
    ChainError
        The head lies in the folder of the log; later, where the file is not what the head knows.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> chain = Chain(folder / "log" / "2026-07.jsonl", head=folder / "elsewhere" / "head")
    >>> chain.append({"caller": "agency-07", "status": 200})
    1
    >>> chain.append({"caller": "agency-07", "status": 422})
    2
    >>> [entry["status"] for entry in chain.entries()], chain.verify().holds
    ([200, 422], True)
    >>> altered = chain.path.read_text().replace("200", "201")
    >>> _ = chain.path.write_text(altered)
    >>> chain.verify().faults
    ('line 1 was altered',)
    """

    path: Path
    head: Path = field(kw_only=True)
    sync: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self.path, self.head = Path(self.path), Path(self.head)
        folder = self.path.parent.resolve()
        if folder in self.head.resolve().parents:
            raise ChainError(
                f"the head {self.head} lies in the folder of its log ({folder}): who can rewrite the one can rewrite "
                "the other. Keep the head elsewhere, best where the writer of the log alone cannot write."
            )
        self._head = Head(self.head)
        self._gate, self._writing = threading.Lock(), threading.Lock()
        self._waiting: list[_Pending] = []
        self._last_end: End | None = None  # as this process last saw it
        self._needs_force = False

    # ------------------------------------------------------------------ writing

    def append(self, entry: Mapping[str, object]) -> int:
        """Add one entry; returns the number of its line."""
        return self.extend([entry])

    def extend(self, entries: Iterable[Mapping[str, object]]) -> int:
        """Add entries that count together; returns the number of the last line.

        Appends of several threads share one write to disk.
        """
        mine = _Pending([plain(entry) for entry in entries])
        with self._gate:
            self._waiting.append(mine)
        with self._writing:  # who comes in here second finds its entries written by the first
            if not mine.is_written:
                with self._gate:
                    batch, self._waiting = self._waiting, []
                self._write(batch)
        if mine.error is not None:
            raise mine.error
        return mine.line

    def flush(self) -> None:
        """Force to disk what was appended without ``sync``."""
        if self._needs_force:
            self._needs_force = False  # first: what is appended meanwhile is forced next time
            for path in (self.path, self.head):  # lines first: the head should not know more than there is
                force(path)

    def succeed(self, path: Path, entry: Mapping[str, object]) -> Chain:
        """Continue in another file, whose first line carries ``entry`` and the digest of the last line here."""
        following = Chain(path, head=self.head, sync=self.sync)
        with self._writing, self._head.lock() as handle:
            end = self._settle(handle)
            if end.lines:
                force(self.path)
            line = line_of(end.digest, plain(entry))
            _make_first_line(following.path, line)
            following._last_end = End(path.name, end.digest, 1, len(line), sha256(line), end.serial + 1)
            self._head.write(handle, following._last_end)
            os.fsync(handle)
        return following

    def end(self) -> End:
        """Return how far the chain reaches, after mending what a killed append left."""
        with self._writing, self._open_head() as handle:
            return self._settle(handle)

    def _write(self, batch: list[_Pending]) -> None:
        try:
            with self._open_head() as handle:
                end = self._settle(handle)
                lines, digest = [], end.digest
                for pending in batch:
                    for entry in pending.entries:
                        lines.append(line_of(digest, entry))
                        digest = sha256(lines[-1])
                    pending.line = end.lines + len(lines)
                data = b"".join(lines)
                self._add(data, end)
                self._last_end = end.reaching(end.lines + len(lines), end.bytes + len(data), digest)
                self._head.write(handle, self._last_end)
                self._needs_force = True  # the head follows the lines; what it may lag behind, the rule mends
        except BaseException as error:
            self._last_end = None
            for pending in batch:
                pending.error = error
        for pending in batch:
            pending.is_written = True

    def _add(self, data: bytes, end: End) -> None:
        with self.path.open("r+b" if end.bytes else "wb", buffering=0) as file:
            file.seek(end.bytes)
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                if self.sync:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(end.bytes)  # a full disk: nobody is told it is there, so it is not
                raise
        if not end.bytes:
            force(self.path.parent)

    @contextmanager
    def _open_head(self) -> Iterator[int]:
        """Yield the head, locked; create it where the chain is new."""
        has_lines = _size(self.path) > 0  # first: whoever begins a chain makes its head before its first line
        if _size(self.head) < 2 * SLOT:  # none yet, or its making was killed
            if has_lines:
                raise ChainError(
                    f"the head {self.head} of {self.path} is missing: nobody can say whether the log is whole. "
                    "Restore it from a copy; do not make a new one."
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._head.create(End(self.path.name))
        with self._head.lock() as handle:
            yield handle

    def _settle(self, handle: int) -> End:
        """Return the end of the chain under the lock, after the torn-append rule."""
        end = self._head.read(handle)
        if end.file != self.path.name:
            raise ChainMoved(f"the head {self.head} knows {end.file}, not {self.path.name}: the chain goes on there.")
        size = _size(self.path)
        if end == self._last_end and size == end.bytes:
            return end
        report = self._read_on(end, size)
        if report.faults:
            raise ChainError(f"{self.path} is damaged, nothing is appended: {report.faults[0]}.", report.faults)
        if report.torn:
            os.truncate(self.path, size - report.torn)
        if report.lines > end.lines:
            end = end.reaching(report.lines, size - report.torn, report.digest)
            force(self.path)
            self._head.write(handle, end)
            os.fsync(handle)
        self._last_end = end
        return end

    def _read_on(self, end: End, size: int) -> ChainReport:
        """Read the last line the head knows and what follows: enough to append, not to verify."""
        if size < end.bytes:
            return ChainReport(0, end.lines, 0, (f"it was cut: the head knows {end.lines} lines",), "")
        if size == end.bytes:
            return ChainReport(end.lines, end.lines, 0, (), end.digest)
        with self.path.open("rb") as file:
            file.seek(end.bytes)
            return walk(file, end.digest, end.lines, end)

    # ------------------------------------------------------------------ reading

    def entries(self) -> Iterator[JsonObject]:
        """Yield the entries of every whole line, in order."""
        yield from read_entries(self.path)

    def verify(self) -> ChainReport:
        """Read the whole file against its links and its head; changes nothing."""
        if not self.head.exists():
            faults = ("the head is missing: nobody can say whether the log is whole",) if _size(self.path) else ()
            return ChainReport(0, 0, 0, faults, GENESIS)
        head = Head(self.head)
        with head.lock(shared=True) as handle:  # not while the file is read: appends go on meanwhile
            end = head.read(handle)
            size = _size(self.path)
        if end.file != self.path.name:
            raise ChainMoved(f"the head {self.head} knows {end.file}, not {self.path.name}: the chain goes on there.")
        return verify_file(self.path, end, size)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _make_first_line(path: Path, line: bytes) -> None:
    """Write the file a chain goes on in; what a killed succession left there was told to nobody."""
    if path.exists() and path.read_bytes().count(b"\n") > 1:
        raise ChainError(f"the chain was to go on in {path}, but there are lines in it already; move that file away.")
    write_forced(path, line)
    force(path.parent)
