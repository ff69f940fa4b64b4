"""The ledger of public credit records: rows go in once and stay; what may be used of them is read as of a day.

``ingest`` appends records, amendments, subject versions and audit attributes. ``segments`` and ``population`` are what
everything later is computed from; ``as_of`` shows the same as a table, and ``between`` is the one forward look, for
outcomes. A ``Ledger`` is a view of the ledger as it was when opened, and after its own ingests; ``refresh`` takes in
what others delivered. ``forget`` removes a person.

In: a folder; frames and files. Out: ``IngestReport``, ``Tables``, ``Segments``, ``Population``, data frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_model.catalogue.catalogue import TIERS, Catalogue, load_catalogue
from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.catalogue.subject_ids import subject_id as canonical_id
from credit_model.foundation.calendar import NO_VALUE, from_days, to_day, to_days
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import exclusive_lock, write_forced
from credit_model.ledger import segment_cache as compiled
from credit_model.ledger.buckets import Buckets
from credit_model.ledger.forgetting import ForgetReport, forget, readmit
from credit_model.ledger.ingest import Delivery, plan
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.manifest import (
    CACHE,
    CATALOGUE,
    LOCK,
    MANIFEST,
    PARTS,
    QUARANTINE,
    LedgerError,
    Manifest,
)
from credit_model.ledger.mapping import Mapping as ColumnMapping
from credit_model.ledger.mapping import load_mapping
from credit_model.ledger.parts import Shelf
from credit_model.ledger.sources import open_sources
from credit_model.ledger.transaction import Writing
from credit_model.ledger.validation import TABLE_NAMES, arrow_schema, column_types
from credit_model.ledger.view import View
from credit_model.visibility.fold import fold_at
from credit_model.visibility.population import Population
from credit_model.visibility.segments import compile_segments, files_at, grounds_at
from credit_model.visibility.tables import ROLES, Segments, Tables

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.ledger.deduplication import Recogniser
    from credit_model.ledger.manifest import DeliveryCounts, Stamp


class Ledger:
    """Public credit records of a city, append-only.

    Parameters
    ----------
    path : Path
        The folder; its layout is private.
    catalogue : Catalogue
        The one the ledger was made with; a copy of it lies in the folder.
    policy : str
        How long records are used: a policy of the catalogue.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> folder = tempfile.mkdtemp() + "/ledger"
    >>> ledger = Ledger.create(folder)
    >>> report = ledger.ingest(records=pd.DataFrame({
    ...     "record_id": ["CF-1"], "subject_id": ["S000123"], "kind": ["adm_penalty"], "tier": ["general"],
    ...     "decided_on": ["2024-01-10"], "final_on": ["2024-02-20"], "known_on": ["2024-03-01"]}))
    >>> report.accepted
    1
    >>> [len(ledger.as_of(day, day_of_use="2026-11-24")) for day in ("2024-03-01", "2024-03-02", "2025-01-10")]
    [0, 1, 0]
    """

    def __init__(self, path: Path, catalogue: Catalogue, manifest: Manifest, stamp: Stamp | None = None) -> None:
        self.path = path
        self.catalogue = catalogue
        types = {table: column_types(table, catalogue) for table in TABLE_NAMES}
        schemas = {table: arrow_schema(table, catalogue) for table in TABLE_NAMES}
        types["amendments"] = {name: type for name, type in types["amendments"].items() if name != "source"}
        self._view = View(path, types, schemas, manifest, stamp)
        self._tables: tuple[str, Tables] | None = None  # with the digest of what they were read from
        self._segments: tuple[str, Segments] | None = None  # with the name of their cache
        self._recognisers: dict[str, Recogniser] = {}

    def __repr__(self) -> str:
        rows = sum(part.rows for part in self._view.manifest.parts)
        return f"Ledger({str(self.path)!r}, policy={self.policy!r}, rows={rows}, digest={self.digest[:12]!r})"

    @property
    def policy(self) -> str:
        """Name of the policy."""
        return self._view.manifest.policy

    @property
    def digest(self) -> str:
        """SHA-256 of catalogue, policy and every delivery in its order of arrival; changes with any row."""
        return self._view.manifest.digest

    @property
    def deliveries(self) -> DeliveryCounts | None:
        """Return the counts of what was delivered; None in a ledger begun before counts were kept."""
        return self._view.manifest.deliveries

    @property
    def quarantine(self) -> Path | None:
        """Return where refused rows lie: a file, or the folder of several; None where none is refused."""
        files = self._view.manifest.quarantine
        return self.path / QUARANTINE / (files[0] if len(files) == 1 else "") if files else None

    @classmethod
    def create(
        cls, folder: str | Path, catalogue: Catalogue | None = None, policy: str = "tier", exist_ok: bool = False
    ) -> Ledger:
        """Make an empty ledger; catalogue and policy are copied into the folder.

        What a process that died had begun is finished. With ``exist_ok`` a ledger that is there is opened as it is.

        Raises
        ------
        LedgerError
            If there is a ledger in the folder already, or something else.
        UserError
            If the catalogue has no such policy.
        """
        path, catalogue = Path(folder), load_catalogue() if catalogue is None else catalogue
        if not isinstance(catalogue, Catalogue):
            raise UserError(f"catalogue is a {type(catalogue).__name__}; load it with load_catalogue(path)")
        if (path / MANIFEST).exists():
            if not exist_ok:
                raise LedgerError(f"there is a ledger in {path} already; open it with Ledger.open")
            return cls.open(path)
        if policy not in catalogue.policies:
            raise UserError(f"policy {policy!r} is not in the catalogue; it has {', '.join(catalogue.policies)}")
        ours = {LOCK, PARTS, QUARANTINE, CACHE, CATALOGUE}
        foreign = path.is_dir() and any(item.name not in ours and item.suffix != ".new" for item in path.iterdir())
        if foreign or (path.exists() and not path.is_dir()):
            raise LedgerError(f"{path} is not an empty folder; give a new one")
        for name in (PARTS, QUARANTINE, CACHE):
            (path / name).mkdir(parents=True, exist_ok=True)
        with exclusive_lock(path / LOCK):
            if not (path / MANIFEST).exists():
                write_forced(path / CATALOGUE, catalogue.text.encode())
                Manifest.new(policy, catalogue.digest).write(path)
            elif not exist_ok:  # somebody else was quicker
                raise LedgerError(f"there is a ledger in {path} already; open it with Ledger.open")
        return cls.open(path)

    @classmethod
    def open(cls, folder: str | Path) -> Ledger:
        """Open a ledger as it is now.

        Raises
        ------
        LedgerError
            If there is none, or its manifest or catalogue was altered.
        """
        path = Path(folder)
        manifest, stamp = Manifest.read_stamped(path)
        catalogue = load_catalogue(path / CATALOGUE)
        if catalogue.digest != manifest.catalogue:
            raise LedgerError(f"{path / CATALOGUE} was altered: it is not the catalogue the ledger was made with")
        return cls(path, catalogue, manifest, stamp)

    def refresh(self) -> bool:
        """Take in what was delivered or forgotten since, by this process or another; whether the content moved.

        Costs one look at the manifest's date when nothing did. What was verified and indexed stays so.

        Raises
        ------
        LedgerError
            If the ledger is gone, was altered, or is another one now.
        """
        moved = self._view.refresh()
        if moved:
            self._tables = self._segments = None
        return moved

    def ingest(
        self,
        records: Any = None,
        amendments: Any = None,
        subjects: Any = None,
        audit: Any = None,
        mapping: ColumnMapping | str | Path | None = None,
        progress: Callable[[str, int], None] | None = None,
    ) -> IngestReport:
        """Append a delivery; all of it counts at once, or nothing.

        Parameters
        ----------
        records, amendments, subjects, audit : frame, Arrow table, path, or a list or dict of these
            Columns of ingest, or raw tables with ``mapping``. Files are Parquet or CSV and streamed.
        mapping : Mapping or path, optional
            Raw columns -> columns of ingest. It says to which table the rows go, whichever argument they came by.
        progress : callable, optional
            Called with table and rows read so far.

        Returns
        -------
        IngestReport

        Raises
        ------
        ColumnErrors, MappingErrors
            Forbidden, undeclared or missing columns, all at once; nothing is written.
        UserError
            Identity numbers without a key; files that cannot be read.
        """
        given = {"records": records, "amendments": amendments, "subjects": subjects, "audit": audit}
        sources = {table: [] if data is None else open_sources(data, table) for table, data in given.items()}
        if not any(sources.values()):
            raise UserError("ingest got nothing: give records, amendments, subjects or audit")
        if isinstance(mapping, (str, Path)):
            mapping = load_mapping(mapping)
        inputs = plan(sources, mapping, self.catalogue)
        drawn_on = None if mapping is None else mapping.drawn_on
        known, self._recognisers = self._recognisers, {}
        delivered = Delivery.run(Shelf(self.path), self.catalogue, inputs, drawn_on, progress, known)
        self._recognisers = delivered.recognisers
        self._adopt(delivered.manifest)
        return delivered.report

    def forget(self, subject_id: str, *, reason: str, approver: str, files: Sequence[str | Path] = ()) -> ForgetReport:
        """Remove a person from every table, quarantine, cache and feature file, and prove it.

        Records go with whoever holds them by their last move; on the file of another the person is named no more.
        Deliveries of the person are refused from then on (``forgotten``) until ``readmit``. Killed at any moment, the
        ledger is with the person or without; the same call finishes the job. Copies elsewhere are not reached.

        Parameters
        ----------
        subject_id : str
            As the ledger holds it: the pseudonym, never an identity number.
        reason, approver : str
            Kept in the manifest, without the id.
        files : sequence of path-like
            Parquet files of ``build_features`` to take the person's rows out of.

        Returns
        -------
        ForgetReport

        Raises
        ------
        LedgerError
            If the ledger holds nothing on the subject and did not forget it before.
        UserError
            A reason or an approver missing or naming the person; a file that is no feature file. Nothing was done.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
        >>> honour = {"subject_id": ["S000123"], "kind": ["honour"], "decided_on": ["2024-01-10"]}
        >>> report = ledger.ingest(records=pd.DataFrame({**honour, "known_on": ["2024-03-01"]}))
        >>> gone = ledger.forget("S000123", reason="left the register", approver="Zhou Min")
        >>> gone.removed["records"], gone.complete, len(ledger.tables().records["record_id"])
        (1, True, 0)
        """
        subject_id = _held_under(subject_id, "forget")
        with Writing.begin(Shelf(self.path)) as writing:
            finder = self._view.finder(writing.shelf, writing.manifest)
            report = forget(writing, finder, subject_id, reason, approver, files)
        self._recognisers = {}
        self._adopt(writing.manifest)
        return report

    def readmit(self, subject_id: str, *, reason: str, approver: str) -> None:
        """Let a forgotten person be delivered again; what was removed has to be delivered anew."""
        subject_id = _held_under(subject_id, "readmit")
        with Writing.begin(Shelf(self.path)) as writing:
            readmit(writing, subject_id, reason, approver)
        self._adopt(writing.manifest)

    def tables(self, subject_ids: Iterable[str] | None = None) -> Tables:
        """Everything accepted, as arrays; of some subjects, the rows of ``tables().for_subjects(subject_ids)``.

        Of these nothing else is read: a person's file takes about the same time on a large ledger as on a small one.
        """
        if subject_ids is not None:
            listed = [subject_ids] if isinstance(subject_ids, str) else list(subject_ids)
            wanted = read_subject_ids(listed, "subject_ids").to_pylist()
            return self._view.look(lambda finder: finder.tables(wanted))
        with self._view.lock:
            if self._tables is None or self._tables[0] != self.digest:
                tables = self._view.look(lambda finder: finder.all_tables())
                self._tables = self.digest, tables
            return self._tables[1]

    def unknown_subjects(self, subject_ids: Any) -> Any:
        """Return those of some ids that no table of the ledger names, each once, in the order given.

        Whoever stands in the register, has or had a record, or is named by a move or an audit row is known.

        Parameters
        ----------
        subject_ids : pyarrow.Array of string
            Canonical (see ``credit_model.catalogue.subject_ids.read_subject_ids``).

        Returns
        -------
        pyarrow.Array of string
        """
        return self._view.look(lambda finder: finder.unknown(subject_ids.unique()))

    def segments(self, day_of_use: Any = None) -> Segments:
        """Every record of every subject through time, under the law of ``day_of_use`` (today unless given).

        Compiled once for each content and day of use, and kept in the folder as a cache.
        """
        day = _day_of_use(day_of_use)
        with self._view.lock:
            name = compiled.name_of(self._view.manifest, day)
            if self._segments is None or self._segments[0] != name:
                segments = compiled.kept(self.path, name)
                if segments is None:
                    tables = self.tables()  # with which the view may move on
                    name = compiled.name_of(self._view.manifest, day)
                    segments = compile_segments(tables, self.catalogue, self.policy, day)
                    compiled.keep(self.path, name, segments)
                self._segments = name, segments
            return self._segments[1]

    def buckets(self, day_of_use: Any = None) -> Buckets:
        """The same in buckets of neighbouring subjects, of which one at a time is in memory: for a whole city."""
        day = _day_of_use(day_of_use)

        def cut(_: Any) -> Buckets:
            manifest = self._view.manifest
            finder = self._view.finder(Shelf(self.path), manifest)
            for part in manifest.parts:  # opened now, they stay readable whatever is merged meanwhile
                finder.shelf.open(part)
            name = compiled.name_of(manifest, day).removesuffix(".segments")
            return Buckets.of(self.path, name, self.catalogue, self.policy, day, finder)

        return self._view.look(cut)

    def population(self, day_of_use: Any = None) -> Population:
        """Who is scored, as of any day; a subject's versions are the same under the law of every ``day_of_use``."""
        return Population.from_tables(self.tables(), self.catalogue.subjects)

    def as_of(self, as_of: Any, day_of_use: Any = None) -> pd.DataFrame:
        """Records in force at the start of a day, one row each.

        Parameters
        ----------
        as_of : date
            What was known strictly before it counts.
        day_of_use : date, optional
            Whose law applies; today unless given.

        Returns
        -------
        DataFrame
            ``subject_id, record_id, kind, case_id, occurred_on, decided_on, known_on, tier, amount, hours,
            outstanding, role, visible_from`` and the attributes.
        """
        segments = self.segments(day_of_use).at(to_day(as_of))
        held = segments.take(segments.status == 0)
        columns = {
            "subject_id": held.subject_ids[held.subject],
            "record_id": held.record_ids[held.record],
            "kind": np.array(held.kind_codes, object)[held.kind],
            "case_id": held.case_ids[held.case],
            **{name: getattr(held, name) for name in ("occurred_on", "decided_on", "known_on", "tier", *_NUMBERS)},
            "role": np.array(ROLES, object)[held.role],
            "visible_from": held.visible_from,
        }
        text = {name: np.array([*words, None], object) for name, words in held.vocabularies.items()}
        attributes = {name: text[name][c] if name in text else c for name, c in held.attributes.items()}
        return self._frame({**columns, **attributes})

    def between(self, start: Any, end: Any, known_by: Any, day_of_use: Any = None) -> pd.DataFrame:
        """Records decided in ``[start, end)`` as they were known at the start of ``known_by``: for outcomes only.

        Parameters
        ----------
        start, end, known_by : date
        day_of_use : date, optional
            Whose law applies; today unless given.

        Returns
        -------
        DataFrame
            One row for each record on a file: its facts (``record_id, subject_id, kind, case_id, occurred_on,
            decided_on, known_on, tier, amount, hours, outstanding`` and the attributes), whether it is ``final`` or
            under an open challenge (``challenge_open``), whether its last objection was ``sustained``, and each ground
            of ``STATUSES[1:]`` as a column, ``moved`` and ``past_use_window`` among them.
        """
        first, last, day, use = to_day(start), to_day(end), to_day(known_by), _day_of_use(day_of_use)
        tables = self._decided_between(first, last)
        state = fold_at(tables, self.catalogue, day)
        grounds = grounds_at(tables, self.catalogue, self.policy, day, use)
        row_of = {record_id: row for row, record_id in enumerate(tables.records["record_id"].tolist())}
        row = np.fromiter((row_of[r] for r in grounds["record_id"].tolist()), np.int64, len(grounds["record_id"]))
        inside = (first <= state.decided_on[row]) & (state.decided_on[row] < last)
        row, grounds = row[inside], {name: column[inside] for name, column in grounds.items()}
        facts = {
            "record_id": grounds.pop("record_id"),
            "subject_id": grounds.pop("subject_id"),
            **{name: tables.records[name][row] for name in ("kind", "case_id")},
            **{name: getattr(state, name)[row] for name in ("occurred_on", "decided_on")},
            "known_on": tables.records["known_on"][row],
            **{name: getattr(state, name)[row] for name in ("tier", *_NUMBERS)},
            **{name: column[row] for name, column in state.attributes.items()},
            **{name: getattr(state, name)[row] for name in ("final", "challenge_open", "sustained")},
        }
        return self._frame({**facts, **grounds})

    def between_each(
        self, subject_ids: Any, start: Any, end: Any, known_by: Any, day_of_use: Any = None
    ) -> pd.DataFrame:
        """As ``between``, for many subjects at once, each with its own three days: for outcomes only.

        Parameters
        ----------
        subject_ids, start, end, known_by : array-like, shape (n,)
        day_of_use : date, optional
            Whose law applies; today unless given.

        Returns
        -------
        DataFrame
            ``row``, the place of the subject in ``subject_ids``, and the columns of ``between``.
        """
        subjects = np.asarray(subject_ids, object)
        first, last, day = (to_days(days) for days in (start, end, known_by))
        reach = (int(first.min()), int(last.max())) if len(subjects) else (0, 0)
        tables = self._decided_between(*reach)
        held = files_at(tables, self.catalogue, self.policy, subjects, day, _day_of_use(day_of_use))
        row = held["row"]
        inside = (first[row] <= held["decided_on"]) & (held["decided_on"] < last[row])
        return self._frame({name: column[inside] for name, column in held.items()})

    def audit(self) -> pd.DataFrame:
        """Audit attributes, the last delivered of each subject; indexed by ``subject_id``. For audits only."""
        rows: pd.DataFrame = self._view.look(lambda finder: finder.table("audit")).to_pandas()
        return rows.groupby("subject_id", sort=True).last()

    # ------------------------------------------------------------------ inside

    def _adopt(self, manifest: Manifest) -> None:
        self._view.adopt(manifest)
        self._tables = self._segments = None

    def _decided_between(self, first: int, last: int) -> Tables:
        """Rows of the records that were decided in a span, or may have been by a correction."""
        tables = self.tables()
        decided = tables.records["decided_on"]
        corrected = set(tables.amendments["record_id"][tables.amendments["action"] == "corrected"].tolist())
        chosen = (first <= decided) & (decided < last) | _among(tables.records["record_id"], corrected)
        records = {name: column[chosen] for name, column in tables.records.items()}
        named = _among(tables.amendments["record_id"], set(records["record_id"].tolist()))
        return Tables(records, {name: column[named] for name, column in tables.amendments.items()}, tables.subjects)

    def _frame(self, columns: Mapping[str, Any]) -> pd.DataFrame:
        import pandas as pd

        types = {**column_types("records", self.catalogue), "outstanding": "int", "visible_from": "date"}
        shown: dict[str, Any] = {}
        for name, column in columns.items():
            if types.get(name) == "date":
                shown[name] = from_days(column).astype("datetime64[s]")
            elif types.get(name) == "int":
                shown[name] = pd.array(column, dtype="Int64")
                shown[name][column == NO_VALUE] = pd.NA
            else:
                shown[name] = np.array(["", *TIERS], object)[column] if name == "tier" else column
        return pd.DataFrame(shown)


_NUMBERS = ("amount", "hours", "outstanding")


def _held_under(subject_id: Any, attempt: str) -> str:
    try:
        return canonical_id(subject_id)
    except UserError as error:
        raise UserError(f"{attempt}: give the subject_id under which the ledger holds the person; {error}") from None


def _day_of_use(value: Any) -> int:
    return to_day(date.today() if value is None else value)


def _among(values: Any, wanted: set[str]) -> Any:
    return np.fromiter((value in wanted for value in values.tolist()), np.bool_, len(values))
