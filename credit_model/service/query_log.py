"""The query log: who asked about whom, when, for what purpose, under which authorisation, and what was answered.

One chained file a month, one chain through all months: the first line of a month says which file came before, how many
lines it has and the digest of its last, so the head of the newest vouches for every older one. A month past its
retention may be purged: a checkpoint goes into the chain first, so that a missing month is known to be removed, and
the rest still verifies.

In: queries, one entry each. Out: a :class:`LogReport`; the entries about one person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from credit_model.foundation.calendar import add_months, to_day
from credit_model.foundation.chain import Chain
from credit_model.foundation.chain_links import GENESIS, ChainError, ChainMoved, End, Head, read_entries, verify_file
from credit_model.foundation.json_values import JsonObject

LogEntry = dict[str, Any]  # a line of the log, while it is filled in

RETENTION_YEARS: Final = 10  # 浙江省公共信用信息管理条例 art. 20
_MONTH = re.compile(r"\d{4}-\d{2}\.jsonl")


@dataclass(frozen=True)
class Query:
    """One query, as logged. ``subject_ids`` are pseudonyms; a refused query has no score and no records."""

    caller: str
    endpoint: str
    status: int
    outcome: str
    purpose: str | None = None
    authorisation: str | None = None
    subject_ids: tuple[str, ...] = ()
    as_of: str | None = None
    card_id: str | None = None
    card_digest: str | None = None
    card_version: int | None = None
    scores: tuple[int | None, ...] = ()
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogReport:
    """The result of verifying the whole log.

    ``months`` are its files, oldest first; ``purged`` those whose retention had passed; ``faults`` name file and
    line.
    """

    months: tuple[str, ...]
    purged: tuple[str, ...]
    lines: int
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was altered, cut or removed."""
        return not self.faults


class QueryLog:
    """The log of an evaluation service.

    Parameters
    ----------
    folder : path
        Of the monthly files.
    head : path
        The file that knows the end of the chain; in another folder.
    sync : bool
        Force every entry to disk before :meth:`record` returns; see :class:`~credit_model.foundation.chain.Chain`.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> log = QueryLog(place / "log", place / "elsewhere" / "head")
    >>> log.record(Query("agency-07", "/assess", 200, "scored", "self_query", "case 17", ("S0000007",), scores=(774,)))
    >>> log.verify().holds, [entry["caller"] for entry in log.about("S0000007")]
    (True, ['agency-07'])
    """

    def __init__(self, folder: str | Path, head: str | Path, *, sync: bool = True) -> None:
        self.folder, self.head, self.sync = Path(folder), Path(head), sync
        self._chain: Chain | None = None
        Chain(self.folder / "any", head=self.head)  # refuses a head in the folder of the log

    # ------------------------------------------------------------------ writing

    def record(self, query: Query, now: datetime | None = None) -> None:
        """Log one query; it is in the file when this returns."""
        at = datetime.now(UTC) if now is None else now
        entry = {"at": _time(at)} | {name: value for name, value in vars(query).items() if value not in (None, ())}
        self._append(entry, f"{at:%Y-%m}.jsonl")

    def flush(self) -> None:
        """Force to disk what was recorded without ``sync``."""
        if self._chain is not None:
            self._chain.flush()

    def purge(self, today: datetime | None = None, retention_years: int = RETENTION_YEARS) -> tuple[str, ...]:
        """Remove the months whose every entry is past retention; returns their names.

        Each is removed only after its checkpoint is in the chain, so a purge that is killed is taken up by the next.
        """
        now = datetime.now(UTC) if today is None else today
        newest = self._current_file()
        purged = []
        for path in self._files():
            start = to_day(f"{path.stem}-01")
            if path.name == newest or add_months(start, 1 + 12 * retention_years) > to_day(f"{now:%Y-%m-%d}"):
                break
            if path.name not in {mark["file"] for mark in self._checkpoints()}:
                if faults := self.verify().faults:
                    raise ChainError(f"nothing was purged, the log does not hold: {faults[0]}.", faults)
                self._append({"at": _time(now), "purged": _closing(path)}, f"{now:%Y-%m}.jsonl")
            path.unlink()
            purged.append(path.name)
        return tuple(purged)

    def _append(self, entry: Mapping[str, object], month: str) -> None:
        while True:
            try:
                chain = self._chain_of(month)
                chain.append(entry)
                return
            except ChainMoved:  # another process opened a new month meanwhile
                self._chain = None

    def _chain_of(self, month: str) -> Chain:
        """Return the chain that takes entries of this month; where the clock went back, the newest there is."""
        chain = self._chain
        if chain is None:
            chain = Chain(self.folder / (self._current_file() or month), head=self.head, sync=self.sync)
        if chain.path.name < month:
            end = chain.end()
            before = {"file": end.file, "lines": end.lines, "digest": end.digest}
            chain = chain.succeed(self.folder / month, {"at": _time(datetime.now(UTC)), "after": before})
        self._chain = chain
        return chain

    # ------------------------------------------------------------------ reading

    def entries(self) -> Iterator[JsonObject]:
        """Yield every query, oldest first."""
        for path in self._files():
            yield from (entry for entry in read_entries(path) if "caller" in entry)

    def about(self, subject_id: str) -> list[JsonObject]:
        """Return every query about one person, which they may ask to see."""
        from credit_model.catalogue.subject_ids import subject_id as canonical_id

        subject_id = canonical_id(subject_id)
        name = json.dumps(subject_id, ensure_ascii=False).encode()
        entries = (entry for path in self._files() for entry in read_entries(path, holding=name))
        return [entry for entry in entries if subject_id in entry.get("subject_ids", ())]

    def verify(self) -> LogReport:
        """Read every month: the newest against the head, each older one against what its successor says of it."""
        files = [path.name for path in self._files()]
        newest = self._current_file()
        if newest is None:
            unknown = ("the head is missing: nobody can say whether the log is whole",) if files else ()
            return LogReport(tuple(files), (), 0, unknown)
        removed = self._checkpoints()
        try:
            reports = {newest: Chain(self.folder / newest, head=self.head).verify()}
        except ChainMoved:  # the month turned meanwhile
            return self.verify()
        name = newest
        while (before := self._before(name)) is not None:
            name = before["file"]
            if name not in files and before in removed:
                break
            start = self._before(name)
            end = End(name, GENESIS if start is None else start["digest"], before["lines"], 0, before["digest"])
            reports[name] = verify_file(self.folder / name, end)
        faults = [f"{name}: {fault}" for name, report in reports.items() for fault in report.faults]
        for name in files:
            if name > newest and _has_lines(self.folder / name):  # one line is what a killed turn of month leaves
                faults.append(f"{name}: the head knows no such month")
            elif name not in reports and name < newest:
                faults.append(f"{name}: the month after it does not know it")
            elif name in reports and name != newest and reports[name].lines > reports[name].head_lines:
                faults.append(f"{name}: line {reports[name].head_lines + 1} was added after the month was closed")
        lines = sum(report.lines for report in reports.values())
        purged = (mark["file"] for mark in removed if mark["file"] not in files)
        return LogReport(tuple(files), tuple(sorted(purged)), lines, tuple(sorted(faults)))

    def _files(self) -> list[Path]:
        """Return the files of all months, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _MONTH.fullmatch(path.name))

    def _current_file(self) -> str | None:
        """Return the name of the month in the head."""
        if not self.head.exists():
            return None
        head = Head(self.head)
        with head.lock(shared=True) as handle:
            return head.read(handle).file

    def _before(self, month: str) -> LogEntry | None:
        """Return what a month's first line says of the month before; None in the first, or where it is damaged."""
        try:
            first = next(read_entries(self.folder / month), {})
        except ChainError:
            return None
        return first.get("after")

    def _checkpoints(self) -> list[JsonObject]:
        """Return the entries of what was purged."""
        checkpoints = []
        for path in self._files():
            try:
                checkpoints += [
                    entry["purged"] for entry in read_entries(path, holding=b'"purged":{') if "purged" in entry
                ]
            except ChainError:  # verification names the line
                continue
        return checkpoints


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _has_lines(path: Path) -> bool:
    return path.read_bytes().count(b"\n") > 1


def _closing(path: Path) -> dict[str, str | int]:
    """Return what identifies a month: its name, its lines, the digest of the last."""
    report = verify_file(path, End(path.name))
    return {"file": path.name, "lines": report.lines, "digest": report.digest}
