"""Files that are there whole or not at all, and locks between processes.

In: paths and bytes. Out: the same on disk; blocks in which nobody else writes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from credit_model.foundation.errors import UserError


def force(path: Path) -> None:
    """Force a file or a folder to disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folder, and needs no forcing of one
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_forced(path: Path, data: bytes | memoryview) -> None:
    """Write a file and force it to disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path, *, under_lock: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; what was written there takes the place of ``path`` at the end.

    Nothing takes its place where the block fails.

    Parameters
    ----------
    path : Path
    under_lock : bool
        No other process writes ``path`` meanwhile. The temporary name is then always the same, so that what a killed
        process left is overwritten by the next.
    """
    new = path.with_name(f".{path.name}.new" if under_lock else f".{path.name}.{os.getpid()}.new")
    try:
        yield new
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def write_atomically(
    path: Path, data: str | bytes | memoryview, *, forced: bool = False, under_lock: bool = False
) -> None:
    """Write a file that is there whole or not at all.

    Parameters
    ----------
    path : Path
    data : str, bytes or memoryview
        A text is written in UTF-8.
    forced : bool
        Force the file and its folder to disk.
    under_lock : bool
        See :func:`replacing`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "card.json")
    >>> write_atomically(path, "{}")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('{}', 1)
    """
    content = data.encode() if isinstance(data, str) else data
    with replacing(path, under_lock=under_lock) as new:
        if forced:
            write_forced(new, content)
        else:
            new.write_bytes(content)
    if forced:
        force(path.parent)


def write_sealed(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file, whole or not at all, that begins with the SHA-256 of what follows; only under a lock."""
    parts = list(parts)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    with replacing(path, under_lock=True) as new, new.open("wb") as file:
        file.write(digest.digest())
        file.writelines(parts)


def read_sealed(path: Path) -> memoryview | None:
    """Return the content of a sealed file; None where there is none, or it was cut or altered."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def lock_handle(handle: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file between processes and return whether it is locked; the lock dies with the handle.

    Raises
    ------
    UserError
        The system has no POSIX file locks.
    """
    try:
        import fcntl  # here, so that a system without it can import the package and score people
    except ImportError:
        raise UserError(
            "a file was to be locked against other processes: this system has no POSIX file locks. "
            "Write ledgers, logs and registries on Linux or macOS; scoring with a card needs no lock."
        ) from None
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive_lock(path: Path, *, wait: bool = True, on_wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Keep every other process out of the block; the lock dies with the process.

    Parameters
    ----------
    path : Path
        The file that is locked; created where there is none.
    wait : bool
        Wait for a process that has the lock.
    on_wait : callable, optional
        Called once before waiting.

    Yields
    ------
    bool
        Whether the lock was taken; only False with ``wait=False``.
    """
    with path.open("a") as file:
        is_locked = lock_handle(file.fileno(), wait=wait and on_wait is None)
        if not is_locked and wait and on_wait is not None:
            on_wait()
            is_locked = lock_handle(file.fileno())
        yield is_locked
