"""Run a command in a process of its own, and strike it at the N-th thing it does to the disk.

What is counted: a file opened for writing, a file forced to disk, renamed or removed, a folder made or removed, a lock
taken, a statement that changes a database, a commit. A strike is one of

``kill``   SIGKILL before the step
``torn``   as much of the step as a process that dies within it may leave: a file made empty, a file cut in half
``full``   the step fails with "no space left on device"

so that strikes fall inside critical sections, wherever the clock happens to be. Commands are forked from a server that
has imported everything already: a strike costs no interpreter and no imports.

In: a command line, a folder, the step to strike at. Out: how it ended, what it said, the steps it took.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KILLED = -signal.SIGKILL
PATIENCE = 120  # seconds; a command that takes longer hangs

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "credit_model.cli.main", "credit_model.ledger.ledger", "credit_model.experiments.pipeline",
        "credit_model.registry.versions", "credit_model.scorecard.loader", "pandas", "pyarrow.parquet",
        "sklearn.linear_model", "optuna.samplers",
        "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store",
        "alembic.command", "faults.strikes",
    ]
)  # fmt: skip

_PATHS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (negative: the signal), both outputs, its steps."""

    code: int
    out: str
    err: str
    steps: tuple[str, ...]

    @property
    def line(self) -> str:
        """The one line of an error; fails where there are more, or none."""
        (said,) = self.err.splitlines()
        return said


def command(
    *arguments: str,
    folder: Path,
    strike: tuple[str, int] | None = None,
    after: float | None = None,
    largest_file: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``credit-model`` in a folder.

    Parameters
    ----------
    strike : (kind, step), optional
        ``kill``, ``torn`` or ``full``, and the step counted from 1.
    after : float, optional
        Seconds after which it is killed, whatever it does.
    largest_file : int, optional
        Bytes beyond which no file can grow, as on a disk that is full.
    """
    process, said = start(*arguments, folder=folder, strike=strike, largest_file=largest_file, environment=environment)
    process.join(PATIENCE if after is None else after)
    if process.is_alive():
        process.kill()
        process.join()
        if after is None:
            raise TimeoutError(f"{arguments} hangs: nothing after {PATIENCE} s")
    return ended(process, said)


def start(*arguments: str, folder: Path, strike: Any = None, largest_file: Any = None, environment: Any = None) -> Any:
    """Begin a command; returns the process and the stem of the files it speaks into (see ``ended``)."""
    said = folder.with_name(f"{folder.name}.said-{time.monotonic_ns()}")
    environment = {
        "CREDIT_MODEL_HOME": str(folder / "home"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "CREDIT_MODEL_AUTHOR": "Li Wei",
        "GIT_DIR": os.devnull,  # the commit is part of a card
        **(environment or {}),
    }
    process = _CONTEXT.Process(
        target=_obey, args=(arguments, str(folder), dict(environment), strike, largest_file, str(said))
    )
    process.start()
    return process, said


def ended(process: Any, said: Path) -> Ended:
    """How a started command ended."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"a command hangs: nothing after {PATIENCE} s")
    texts = {kind: Path(f"{said}.{kind}") for kind in ("out", "err", "steps")}
    found = {kind: path.read_text(encoding="utf-8") if path.exists() else "" for kind, path in texts.items()}
    for path in texts.values():
        path.unlink(missing_ok=True)
    return Ended(process.exitcode, found["out"], found["err"], tuple(found["steps"].splitlines()))


# ------------------------------------------------------------------------------------------------- inside the process


def _obey(
    arguments: Sequence[str], folder: str, environment: dict[str, str], strike: Any, largest_file: Any, said: str
) -> None:
    os.chdir(folder)
    os.environ.update(environment)
    for number, kind in ((1, "out"), (2, "err")):
        handle = os.open(f"{said}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
        os.close(handle)
    steps = os.open(os.devnull if largest_file else f"{said}.steps", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    _Watch(folder, strike, steps).install()
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    from credit_model.cli.main import main
    from credit_model.ledger import buckets

    buckets.ROWS = 1_000  # many of them from a small ledger
    code = main(list(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Watch:
    """Counts steps, writes them down, strikes at one."""

    def __init__(self, folder: str, strike: tuple[str, int] | None, steps: int) -> None:
        self.folder, self.steps = os.path.realpath(folder), steps
        self.kind, self.at = strike or ("", 0)
        self.done, self.changed = 0, False
        self.forced: dict[str, int] = {}  # bytes of a file that are on the disk for good

    def install(self) -> None:
        from sqlalchemy import Engine, event

        sys.addaudithook(self.audit)
        self.fsync, os.fsync = os.fsync, self.force
        event.listen(Engine, "before_cursor_execute", self.execute)
        event.listen(Engine, "commit", self.commit)

    def audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if mode is None else set(mode) & set("wax+")
            if writes and self.ours(path):
                fresh = mode in ("w", "wb", "wt") or bool(flags & os.O_TRUNC)
                here = os.path.abspath(os.fsdecode(path))
                self.forced[here] = 0 if fresh or not os.path.exists(here) else os.path.getsize(here)
                self.step("open", path, torn=lambda: fresh and self.make_empty(path))
        elif name in _PATHS and self.ours(arguments[0]):
            self.step(name, arguments[0])
        elif name == "fcntl.flock":
            self.step("flock", "")

    def force(self, handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        self.step("fsync", os.readlink(f"/proc/self/fd/{number}"), torn=lambda: self.cut(number))
        self.fsync(handle)
        self.forced[os.readlink(f"/proc/self/fd/{number}")] = os.fstat(number).st_size

    def execute(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            self.changed = True
            self.step("execute", " ".join(statement.split("(")[0].split())[:60])

    def commit(self, connection: Any) -> None:
        if self.changed:
            self.step("commit", "database")
        self.changed = False

    def ours(self, path: Any) -> bool:
        named = isinstance(path, str | bytes | os.PathLike)
        return named and os.path.abspath(os.fsdecode(path)).startswith(self.folder)

    def make_empty(self, path: Any) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))

    def cut(self, handle: int) -> None:
        """Half of what was written since the file was opened or forced: the rest was there before, and stays."""
        if os.path.isfile(f"/proc/self/fd/{handle}"):
            kept = self.forced.get(os.readlink(f"/proc/self/fd/{handle}"), 0)
            os.ftruncate(handle, kept + max(os.fstat(handle).st_size - kept, 0) // 2)

    def step(self, what: str, where: Any, torn: Any = None) -> None:
        if self.kind == "struck":
            return
        self.done += 1
        os.write(self.steps, f"{what} {os.fsdecode(where).removeprefix(self.folder)}\n".encode())
        if self.done != self.at:
            return
        if self.kind == "full":
            if what not in ("open", "fsync", "os.mkdir", "os.rename"):
                return
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(where))
        if self.kind == "torn" and torn is not None:
            self.kind = "struck"
            torn()
        os.kill(os.getpid(), signal.SIGKILL)
