"""The history of versions: who registered what, who approved it, since when which version was in force.

One chained file whose head lies in another folder (see `credit_model.foundation.chain`). Tags and aliases in MLflow can
be edited by anybody who reaches the store; only the history counts. Three events:

``registered``  a version, its author, its run, the digests of its card and evaluation, the limits set before the run
``approved``    somebody lets an alias point at a version, by promotion or rollback, with the gates that were checked
``in_force``    the alias points there, since when

The alias moves between the last two. A process killed there leaves an approval without effect or an effect without its
entry; the next one finds out which by looking at the alias.

In: events. Out: registrations, :class:`Term` after :class:`Term`, the pending approval.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from credit_model.foundation.chain import Chain
from credit_model.foundation.chain_links import ChainReport
from credit_model.foundation.digests import sha256
from credit_model.foundation.files import exclusive_lock
from credit_model.foundation.json_values import JsonObject
from credit_model.registry.store import RegistryError, sqlite_file, tracking_uri

_FILE: Final = "history.jsonl"
Entry = JsonObject


class HistoryError(RegistryError):
    """A history that was altered, cut or rewritten, or whose last promotion is not finished."""


@dataclass(frozen=True)
class Term:
    """A version in force behind an alias, from ``since`` to ``until`` (excluded; None while it lasts).

    ``how`` is ``promotion`` or ``rollback``.
    """

    name: str
    alias: str
    version: int
    card_digest: str
    approver: str
    how: str
    since: datetime
    until: datetime | None = None

    def on(self, day: date) -> bool:
        """Whether it was in force at some time of a day (UTC)."""
        start = datetime.combine(day, time(), UTC)
        last = start + timedelta(days=1)
        return self.since < last and (self.until is None or self.until > start or self.since >= start)

    def at(self, moment: datetime) -> bool:
        """Whether it was in force at a moment."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class HistoryView:
    """The entries of a history, and the terms they amount to.

    Examples
    --------
    >>> approved = {"event": "approved", "at": "2026-05-01T08:00:00.000+00:00", "model": "m", "alias": "champion",
    ...             "version": 1, "card": "ab", "how": "promotion", "approver": "Zhou Min"}
    >>> view = HistoryView((approved, {**approved, "event": "in_force", "since": "2026-05-01T08:00:00.100+00:00"}))
    >>> [(term.version, str(term.since.date())) for term in view.terms("m", "champion")]
    [(1, '2026-05-01')]
    >>> view = HistoryView((approved,))
    >>> view.terms("m", "champion"), view.pending_approval("m", "champion") == approved
    ((), True)
    """

    entries: tuple[Entry, ...]

    def registration(self, name: str, version: int) -> Entry | None:
        """Return the entry of a registration; the last one, where a model was removed and its numbers began anew."""
        return next(
            (
                e
                for e in reversed(self.entries)
                if e["event"] == "registered" and (e["model"], e["version"]) == (name, version)
            ),
            None,
        )

    def terms(self, name: str, alias: str) -> tuple[Term, ...]:
        """Return every term of an alias, oldest first."""
        effects = [e for e in self._about(name, alias) if e["event"] == "in_force"]
        since = [datetime.fromisoformat(e["since"]) for e in effects]
        return tuple(
            Term(name, alias, e["version"], e["card"], e["approver"], e["how"], start, end)
            for e, start, end in zip(effects, since, [*since, None][1:], strict=True)
        )

    def all_terms(self, name: str) -> tuple[Term, ...]:
        """Return every term of a model behind any alias, by alias and time."""
        aliases = sorted({e["alias"] for e in self.entries if e["model"] == name and "alias" in e})
        return tuple(term for alias in aliases for term in self.terms(name, alias))

    def pending_approval(self, name: str, alias: str) -> Entry | None:
        """Return the approval whose effect is not recorded; None where the last one's is."""
        about = self._about(name, alias)
        return about[-1] if about and about[-1]["event"] == "approved" else None

    def rollback_targets(self, name: str, alias: str) -> tuple[Term, ...]:
        """Return the terms a rollback may return to, nearest last; a version rolled back from is not among them."""
        stack: list[Term] = []
        for term in self.terms(name, alias):
            if term.how == "rollback":
                while stack and stack[-1].version != term.version:
                    stack.pop()
            if not stack or (stack[-1].version, stack[-1].card_digest) != (term.version, term.card_digest):
                stack.append(term)
        return tuple(stack[:-1])

    def _about(self, name: str, alias: str) -> Sequence[Entry]:
        return [e for e in self.entries if e["model"] == name and e.get("alias") == alias]


class History:
    """The history of the store in use.

    Parameters
    ----------
    path, heads : path, optional
        The file, and the folder of its head. Unless given: ``CREDIT_MODEL_HISTORY`` and ``CREDIT_MODEL_HEADS``, else
        two folders beside a SQLite store, else (a tracking server) under ``CREDIT_MODEL_HOME``.

    Raises
    ------
    ChainError
        The head would lie in the folder of the history.
    """

    def __init__(self, path: str | Path | None = None, heads: str | Path | None = None) -> None:
        own, own_heads = _default_places()
        self.path = Path(path or os.environ.get("CREDIT_MODEL_HISTORY") or own)
        folder = Path(heads or os.environ.get("CREDIT_MODEL_HEADS") or own_heads)
        self.chain = Chain(self.path, head=folder / f"{self.path.stem}.head")

    def verify(self) -> ChainReport:
        """Read the whole file against its links and its head."""
        return self.chain.verify()

    def read(self) -> HistoryView:
        """Return the entries that the head vouches for.

        Raises
        ------
        HistoryError
            A link or the head does not match.
        """
        report = self.verify()
        if report.faults:
            raise HistoryError(
                f"the history {self.path} does not hold ({report.faults[0]}): what it says of promotions cannot be "
                "believed. Restore file and head from a copy; do not make new ones.",
                report.faults,
            )
        return HistoryView(tuple(self.entries(report.head_lines)))

    def entries(self, count: int) -> list[Entry]:
        """Return the first entries, as many as the head knows; later ones may be anybody's until the next write."""
        return list(islice(self.chain.entries(), count))

    @contextmanager
    def lock(self) -> Iterator[HistoryView]:
        """Lock the history against every other writer while the block runs, and give its view."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.path.with_name(f"{self.path.name}.lock")):
            self.chain.end()  # mends what a killed append left
            yield self.read()

    def add(self, event: str, view: HistoryView, **fields: Any) -> HistoryView:
        """Append an event; its time is never before that of the event before it, whatever the clock says."""
        moments = [datetime.fromisoformat(e["at"]) for e in view.entries[-1:]]
        now = max([datetime.now(UTC), *moments])
        entry = {"event": event, "at": now.isoformat(timespec="milliseconds")} | fields
        if event == "in_force":
            entry.setdefault("since", entry["at"])
        self.chain.append(entry)
        return HistoryView((*view.entries, entry))


def served_at(
    when: date | datetime | str,
    *,
    alias: str = "champion",
    name: str = "personal-credit",
    history: History | None = None,
) -> tuple[Term, ...]:
    """Return the versions in force behind an alias on a day or at a moment, from the history alone.

    Parameters
    ----------
    when : date, datetime or ISO text
        A day (UTC) has as many terms as were in force at some time of it, oldest first; a moment has one. Empty where
        there was none.

    Raises
    ------
    HistoryError
        The history does not hold, or a promotion was killed and has not been finished: whether it took effect is not
        known.
    """
    moment = _moment(when)
    source = history or History()
    view = source.read()
    pending = view.pending_approval(name, alias)
    if pending is not None:
        began = datetime.fromisoformat(pending["at"])
        if (moment if isinstance(moment, datetime) else datetime.combine(moment, time.max, UTC)) >= began:
            raise HistoryError(
                f"whether version {pending['version']} of {name!r} came into force at {pending['at']} is not "
                f"known: its {pending['how']} was cut off. Run the same command again, it finishes."
            )
    terms = view.terms(name, alias)
    if isinstance(moment, datetime):
        return tuple(term for term in terms if term.at(moment))
    return tuple(term for term in terms if term.on(moment))


def _moment(when: date | datetime | str) -> date | datetime:
    if isinstance(when, str):
        try:
            return date.fromisoformat(when) if len(when) <= len("2026-05-01") else _moment(datetime.fromisoformat(when))
        except ValueError:
            raise HistoryError(
                f"{when!r} is no day and no moment: write 2026-05-01 or 2026-05-01T08:00:00+00:00."
            ) from None
    if isinstance(when, datetime) and when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    return when


def _default_places() -> tuple[Path, Path]:
    """Return the file and the folder of its head: apart from each other, the same in every working folder."""
    store = sqlite_file()
    if store is not None:
        beside = store.resolve()
        return beside.with_name(f"{beside.stem}.history") / _FILE, beside.with_name(f"{beside.stem}.heads")
    home = Path(os.environ.get("CREDIT_MODEL_HOME") or ".credit_model")
    store_id = sha256(tracking_uri())[:12]
    return home / "history" / store_id / _FILE, home / "heads" / store_id
