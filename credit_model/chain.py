"""An append-only file whose every line carries the SHA-256 of the line before, and whose head is kept elsewhere.

A line reads ``{"previous":"<digest of the line before>","entry":{...}}``. The head says how many lines there are, how
long they are and what the digest of the last is; it lies in another folder, so that who can write to the log alone can
change nothing unseen: an edited byte breaks a link, a file cut short or written anew does not end as the head says.

The torn-append rule. An append writes its lines, forces them to disk, then moves the head. Whatever kills it in between
leaves bytes behind the end the head knows. There, whole lines that continue the chain are kept (they were written, only
the head did not get to say so); a last line without its end is cut, as nobody was told it is there. Anything else
behind the end, and anything at all before it, is damage: nothing is mended, and appending is refused.

In: entries of plain JSON values. Out: the same in order; a :class:`ChainReport`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from credit_model import UserError

GENESIS: Final = "0" * 64  # what the first line of a chain carries
_BEFORE, _BETWEEN, _END = b'{"previous":"', b'","entry":', b"}\n"
_DIGEST = slice(len(_BEFORE), len(_BEFORE) + 64)
_SLOT = 512  # one sector: a disk writes it whole or not at all
_FAULTS_TOLD = 20
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


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
        """The next end, in the same file."""
        return End(self.file, self.start, lines, bytes, digest, self.serial + 1)


@dataclass(frozen=True)
class ChainReport:
    """What verification found.

    Parameters
    ----------
    lines : int
        Whole lines in the file.
    known : int
        Lines the head knows; more in the file were kept by the torn-append rule, or will be.
    torn : int
        Bytes of a last line that a killed append left without its end; the next append cuts them.
    faults : tuple of str
        What was altered, each with the number of the line, from 1; empty where the chain holds.
    digest : str
        Of the last whole line.
    """

    lines: int
    known: int
    torn: int
    faults: tuple[str, ...]
    digest: str

    @property
    def holds(self) -> bool:
        """Whether every line the head knows is there, unaltered."""
        return not self.faults


@dataclass
class _Pending:
    """Entries of one caller, waiting to be written with those of others."""

    entries: list[bytes]
    line: int = 0
    done: bool = False
    error: BaseException | None = None


class Head:
    """The file that knows how far a chain reaches: two slots written in turn, so that one is always whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[bytes, End] | None = None  # what was read or written last needs no second reading

    @contextmanager
    def held(self, shared: bool = False) -> Iterator[int]:
        """The open file, locked between processes; the lock dies with its holder."""
        handle = os.open(self.path, os.O_RDONLY if shared else os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def create(self, end: End) -> None:
        """Make the head of a new chain; where another process was faster, leave it its own."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_size < 2 * _SLOT:  # new, or killed while it was made
                os.pwrite(handle, _slot(end) * 2, 0)
                os.fsync(handle)
                _force(self.path.parent)
        finally:
            os.close(handle)

    def read(self, handle: int) -> End:
        """The newest whole slot."""
        raw = os.pread(handle, 2 * _SLOT, 0)
        if self._seen is not None and self._seen[0] == raw:
            return self._seen[1]
        ends = [end for end in (_end(raw[:_SLOT]), _end(raw[_SLOT:])) if end is not None]
        if not ends:
            raise ChainError(f"{self.path} is no head of a chain, or was altered; restore it from a copy.")
        self._seen = raw, max(ends, key=lambda end: end.serial)
        return self._seen[1]

    def write(self, handle: int, end: End) -> None:
        """Put an end that follows the one read into the older slot."""
        slot = _slot(end)
        os.pwrite(handle, slot, _SLOT * (end.serial % 2))
        if self._seen is not None:
            raw = self._seen[0]
            self._seen = (raw[:_SLOT] + slot if end.serial % 2 else slot + raw[_SLOT:]), end


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
        self._known: End | None = None  # as this process last saw it
        self._unforced = False

    # ------------------------------------------------------------------ writing

    def append(self, entry: Mapping[str, Any]) -> int:
        """Add one entry; returns the number of its line."""
        return self.extend([entry])

    def extend(self, entries: Iterable[Mapping[str, Any]]) -> int:
        """Add entries that count together; returns the number of the last line.

        Appends of several threads share one write to disk.
        """
        mine = _Pending([_plain(entry) for entry in entries])
        with self._gate:
            self._waiting.append(mine)
        with self._writing:  # who comes in here second finds its entries written by the first
            if not mine.done:
                with self._gate:
                    batch, self._waiting = self._waiting, []
                self._write(batch)
        if mine.error is not None:
            raise mine.error
        return mine.line

    def flush(self) -> None:
        """Force to disk what was appended without ``sync``."""
        if self._unforced:
            self._unforced = False  # first: what is appended meanwhile is forced next time
            for path in (self.path, self.head):  # lines first: the head should not know more than there is
                _force(path)

    def succeed(self, path: Path, entry: Mapping[str, Any]) -> Chain:
        """Go on in another file, whose first line carries ``entry`` and the digest of the last line here."""
        following = Chain(path, head=self.head, sync=self.sync)
        with self._writing, self._head.held() as handle:
            end = self._settled(handle)
            if end.lines:
                _force(self.path)
            line = _line(end.digest, _plain(entry))
            _make_first_line(following.path, line)
            following._known = End(path.name, end.digest, 1, len(line), _digest(line), end.serial + 1)
            self._head.write(handle, following._known)
            os.fsync(handle)
        return following

    def end(self) -> End:
        """How far the chain reaches, after mending what a killed append left."""
        with self._writing, self._opened() as handle:
            return self._settled(handle)

    def _write(self, batch: list[_Pending]) -> None:
        try:
            with self._opened() as handle:
                end = self._settled(handle)
                lines, digest = [], end.digest
                for pending in batch:
                    for entry in pending.entries:
                        lines.append(_line(digest, entry))
                        digest = _digest(lines[-1])
                    pending.line = end.lines + len(lines)
                data = b"".join(lines)
                self._add(data, end)
                self._known = end.reaching(end.lines + len(lines), end.bytes + len(data), digest)
                self._head.write(handle, self._known)
                self._unforced = True  # the head follows the lines; what it may lag behind, the rule mends
        except BaseException as error:
            self._known = None
            for pending in batch:
                pending.error = error
        for pending in batch:
            pending.done = True

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
            _force(self.path.parent)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The head, locked; made where the chain is new."""
        if _size(self.head) < 2 * _SLOT:  # none yet, or its making was killed
            if _size(self.path):
                raise ChainError(
                    f"the head {self.head} of {self.path} is missing: nobody can say whether the log is whole. "
                    "Restore it from a copy; do not make a new one."
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._head.create(End(self.path.name))
        with self._head.held() as handle:
            yield handle

    def _settled(self, handle: int) -> End:
        """The end of the chain under the lock: what the head knows, and what the torn-append rule adds or cuts."""
        end = self._head.read(handle)
        if end.file != self.path.name:
            raise ChainMoved(f"the head {self.head} knows {end.file}, not {self.path.name}: the chain goes on there.")
        size = _size(self.path)
        if end == self._known and size == end.bytes:
            return end
        report = self._read_on(end, size)
        if report.faults:
            raise ChainError(f"{self.path} is damaged, nothing is appended: {report.faults[0]}.", report.faults)
        if report.torn:
            os.truncate(self.path, size - report.torn)
        if report.lines > end.lines:
            end = end.reaching(report.lines, size - report.torn, report.digest)
            _force(self.path)
            self._head.write(handle, end)
            os.fsync(handle)
        self._known = end
        return end

    def _read_on(self, end: End, size: int) -> ChainReport:
        """The last line the head knows, and what follows: enough to append, not to verify."""
        if size < end.bytes:
            return ChainReport(0, end.lines, 0, (f"it was cut: the head knows {end.lines} lines",), "")
        if size == end.bytes:
            return ChainReport(end.lines, end.lines, 0, (), end.digest)
        with self.path.open("rb") as file:
            file.seek(end.bytes)
            return _walk(file, end.digest, end.lines, end)

    # ------------------------------------------------------------------ reading

    def entries(self) -> Iterator[dict[str, Any]]:
        """The entries of every whole line, in order."""
        yield from read_entries(self.path)

    def verify(self) -> ChainReport:
        """Read the whole file against its links and its head; changes nothing."""
        if not self.head.exists():
            faults = ("the head is missing: nobody can say whether the log is whole",) if _size(self.path) else ()
            return ChainReport(0, 0, 0, faults, GENESIS)
        head = Head(self.head)
        with head.held(shared=True) as handle:  # not while the file is read: appends go on meanwhile
            end = head.read(handle)
            size = _size(self.path)
        if end.file != self.path.name:
            raise ChainMoved(f"the head {self.head} knows {end.file}, not {self.path.name}: the chain goes on there.")
        return verify_file(self.path, end, size)


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
        return _walk(_up_to(file, size), end.start, 0, end)


def read_entries(path: Path, holding: bytes = b"") -> Iterator[dict[str, Any]]:
    """Entries of the whole lines of a file; only of lines that hold these bytes, where given."""
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


def _walk(lines: Iterable[bytes], digest: str, number: int, end: End) -> ChainReport:
    """Follow the links; ``digest`` and ``number`` are those of the line before."""
    broken: list[int] = []  # lines that do not carry the digest of the line before
    torn, reached = 0, digest
    for line in lines:
        if not line.endswith(b"\n"):
            torn = len(line)
            break
        number += 1
        if line[_DIGEST] != digest.encode() or not line.startswith(_BEFORE):
            broken.append(number)
        digest = _digest(line)
        if number <= end.lines:
            reached = digest
    cut = number < end.lines
    faults = [*_altered(broken, end, ends_otherwise=not cut and reached != end.digest, cut=cut)]
    if cut:
        torn = 0  # not an append that was killed: the head knows the line
        gone = f"line {end.lines} is" if number + 1 == end.lines else f"lines {number + 1} to {end.lines} are"
        faults.append(f"{gone} missing: the file was cut after line {number}")
    return ChainReport(number, end.lines, torn, tuple(faults[:_FAULTS_TOLD]), digest)


def _altered(broken: list[int], end: End, ends_otherwise: bool, cut: bool) -> Iterator[str]:
    """Which lines were altered, from the lines whose link is broken.

    An altered line breaks the link of the next; where the change touched its own link, that one too. From the last
    line the head knows, the next link is to the head.
    """
    links = [line for line in broken if line <= end.lines] + [end.lines + 1] * ends_otherwise
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
        for line in broken
        if line > end.lines + ends_otherwise
    )


def _plain(entry: Mapping[str, Any]) -> bytes:
    return _JSON(dict(entry)).encode()


def _line(previous: str, entry: bytes) -> bytes:
    return b"".join((_BEFORE, previous.encode(), _BETWEEN, entry, _END))


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _slot(end: End) -> bytes:
    said = _JSON(vars(end))
    slot = f"{said} {hashlib.sha256(said.encode()).hexdigest()[:16]}".encode()
    if len(slot) >= _SLOT:
        raise ChainError(f"the name of the log file is too long ({len(end.file)} characters)")
    return slot.ljust(_SLOT - 1) + b"\n"


def _end(slot: bytes) -> End | None:
    said, _, check = slot.decode("utf-8", "replace").strip().rpartition(" ")
    if not said or hashlib.sha256(said.encode()).hexdigest()[:16] != check:
        return None
    return End(**json.loads(said))


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _make_first_line(path: Path, line: bytes) -> None:
    """Write the file a chain goes on in; what a killed succession left there was told to nobody."""
    if path.exists() and path.read_bytes().count(b"\n") > 1:
        raise ChainError(f"the chain was to go on in {path}, but there are lines in it already; move that file away.")
    with path.open("wb") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    _force(path.parent)


def _force(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
