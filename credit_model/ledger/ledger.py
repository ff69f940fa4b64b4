"""The ledger of public credit records: rows go in once and stay; what may be used of them is read as of a day.

``ingest`` appends records, amendments, subject versions and audit attributes. ``segments`` and ``population`` are what
everything later is computed from; ``as_of`` shows the same as a table, and ``between`` is the one forward look, for
outcomes. A ``Ledger`` is a view of the ledger as it was when opened, and after its own ingests; ``refresh`` takes in
what others delivered. ``forget`` removes a person, ``expire`` what is past its retention.

In: a folder; frames and files. Out: ``IngestReport``, ``Tables``, ``Segments``, ``Population``, data frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from credit_model.catalogue.catalogue import Catalogue, load_catalogue
from credit_model.catalogue.subject_ids import read_subject_ids
from credit_model.catalogue.subject_ids import subject_id as canonical_id
from credit_model.catalogue.working_days import WorkingDays, load_working_days
from credit_model.foundation.calendar import DateLike, from_day, to_day, to_days
from credit_model.foundation.errors import UserError
from credit_model.ledger.buckets import Buckets, SegmentCache
from credit_model.ledger.expiry import ExpiryReport, expire
from credit_model.ledger.forgetting import ForgetReport, forget, readmit
from credit_model.ledger.ingest import Delivery, plan
from credit_model.ledger.ingest_report import IngestReport
from credit_model.ledger.lookup import View
from credit_model.ledger.manifest import CATALOGUE, MANIFEST, QUARANTINE, LedgerError, Manifest, make_folder
from credit_model.ledger.mapping import Mapping as ColumnMapping
from credit_model.ledger.mapping import load_mapping
from credit_model.ledger.parts import PartStore
from credit_model.ledger.sources import open_sources
from credit_model.ledger.transaction import Transaction
from credit_model.visibility.overdue import find_overdue
from credit_model.visibility.population import Population
from credit_model.visibility.record_frames import Rules, records_decided, records_decided_each, records_in_force
from credit_model.visibility.tables import Segments, Tables

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import ArrayLike

    from credit_model.ledger.deduplication import Deduplicator
    from credit_model.ledger.manifest import DeliveryCounts
    from credit_model.ledger.sources import Data


class Ledger:
    """Public credit records of a city, append-only.

    Parameters
    ----------
    path : Path
        The folder; its layout is private.
    catalogue : Catalogue
        The one the ledger was created with; a copy of it is in the folder.
    view : View
    clock : callable, optional
        Tells the day on which a delivery is received; the machine's own unless given.

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

    def __init__(self, path: Path, catalogue: Catalogue, view: View, clock: Callable[[], date] | None = None) -> None:
        self.path = path
        self.catalogue = catalogue
        self._view = view
        self._clock = date.today if clock is None else clock
        self._cache = SegmentCache(view, catalogue)
        self._deduplicators: dict[str, Deduplicator] = {}

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
        return self._view.digest

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
            raise UserError(f"create a ledger: catalogue is a {type(catalogue).__name__}. Load it with load_catalogue.")
        if (path / MANIFEST).exists():
            if not exist_ok:
                raise LedgerError(f"create a ledger: there is one in {path} already. Open it, or give another folder.")
            return cls.open(path)
        if policy not in catalogue.policies:
            choice = ", ".join(catalogue.policies)
            raise UserError(f"create a ledger: policy {policy!r} is not in the catalogue. Choose one of: {choice}.")
        make_folder(path, policy, catalogue.text, catalogue.digest, exist_ok)
        return cls.open(path)

    @classmethod
    def open(cls, folder: str | Path, clock: Callable[[], date] | None = None) -> Ledger:
        """Open a ledger as it is now.

        Parameters
        ----------
        folder : path-like
        clock : callable, optional
            Tells the day on which a delivery is received; the machine's own unless given.

        Raises
        ------
        LedgerError
            If there is none, or its manifest or catalogue was altered.
        """
        path = Path(folder)
        manifest, version = Manifest.read_with_version(path)
        catalogue = load_catalogue(path / CATALOGUE)
        if catalogue.digest != manifest.catalogue:
            raise LedgerError(
                f"read the ledger: {path / CATALOGUE} was altered after its creation. Restore it from a copy."
            )
        return cls(path, catalogue, View.of(path, catalogue, manifest, version), clock)

    def as_recorded_at(self, day: DateLike) -> Ledger:
        """Return the ledger as it stood recorded at the end of a day, for reading: rows received later are not seen.

        Whatever a source says of ``known_on``, the ledger stamps the day on which it receives a row. Rows of version 1
        bear none: days on which some of them may have been missing are refused (``LedgerError``).

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> ledger = Ledger.open(Ledger.create(tempfile.mkdtemp() + "/ledger").path, clock=lambda: date(2026, 3, 2))
        >>> honour = {"subject_id": ["S000123"], "kind": ["honour"], "decided_on": ["2024-01-10"]}
        >>> report = ledger.ingest(records=pd.DataFrame({**honour, "known_on": ["2024-03-01"]}))
        >>> [len(ledger.as_recorded_at(day).as_of("2025-01-01", "2026-11-24")) for day in ("2026-03-01", "2026-03-02")]
        [0, 1]
        """
        return Ledger(self.path, self.catalogue, self._view.recorded_at(to_day(day)))

    def refresh(self) -> bool:
        """Take in what any process delivered or forgot since; return whether the content changed.

        Costs one look at the manifest's date when nothing did. What was verified and indexed stays so.

        Raises
        ------
        LedgerError
            If the ledger is gone, was altered, or is another one now.
        """
        has_changed = self._view.refresh()
        if has_changed:
            self._cache = SegmentCache(self._view, self.catalogue)
        return has_changed

    def ingest(
        self,
        records: Data | None = None,
        amendments: Data | None = None,
        subjects: Data | None = None,
        audit: Data | None = None,
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
        arguments = {"records": records, "amendments": amendments, "subjects": subjects, "audit": audit}
        sources = {table: [] if data is None else open_sources(data, table) for table, data in arguments.items()}
        if not any(sources.values()):
            raise UserError("ingest: there are no rows. Give records, amendments, subjects or audit.")
        if isinstance(mapping, (str, Path)):
            mapping = load_mapping(mapping)
        inputs = plan(sources, mapping, self.catalogue)
        drawn_on = None if mapping is None else mapping.drawn_on
        earlier, self._deduplicators = self._deduplicators, {}
        store, received_on = self._store("ingest"), self._clock()
        result = Delivery.run(store, self.catalogue, inputs, drawn_on, received_on, progress, earlier)
        self._deduplicators = result.deduplicators
        self._adopt(result.manifest)
        return result.report

    def forget(self, subject_id: str, *, reason: str, approver: str, files: Sequence[str | Path] = ()) -> ForgetReport:
        """Remove a person from every table, quarantine, cache and feature file, and prove it.

        Records go with the person they were last moved to; the files of others no longer name the person.
        Deliveries of the person are refused from then on (``forgotten``) until ``readmit``. Killed at any moment, the
        ledger is with the person or without; the same call finishes the job.

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
        >>> proof = ledger.forget("S000123", reason="left the register", approver="Zhou Min")
        >>> proof.removed["records"], proof.complete, len(ledger.tables().records["record_id"])
        (1, True, 0)
        """
        subject_id = _canonical_id(subject_id, "forget")
        with Transaction.begin(self._store("forget")) as transaction:
            row_index = self._view.row_index(transaction.store, transaction.manifest)
            report = forget(transaction, row_index, subject_id, reason, approver, files)
        self._deduplicators = {}
        self._adopt(transaction.manifest)
        return report

    def readmit(self, subject_id: str, *, reason: str, approver: str) -> None:
        """Let a forgotten person be delivered again; what was removed has to be delivered anew."""
        subject_id = _canonical_id(subject_id, "readmit")
        with Transaction.begin(self._store("readmit")) as transaction:
            readmit(transaction, subject_id, reason, approver)
        self._adopt(transaction.manifest)

    def expire(self, on: DateLike, approver: str, *, holds: Iterable[str] = ()) -> ExpiryReport:
        """Delete the adverse records past their retention, from every table, quarantine and cache, and prove it.

        Records stay that are challenged, stayed or objected to, listings that stand, judgments that are not performed,
        and what the ledger's policy still uses. A later delivery of a deleted record is refused (``expired``).

        Parameters
        ----------
        on : date
            Past retention at the start of this day, by what is known then; not in the future.
        approver : str
            Kept in the manifest.
        holds : iterable of str
            Ids of records to keep for another procedure, such as a lawsuit.

        Returns
        -------
        ExpiryReport
            With what cannot be computed from the ledger again.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
        >>> breach = {"subject_id": ["S000123"], "kind": ["commitment_breach"], "decided_on": ["2018-01-10"]}
        >>> report = ledger.ingest(records=pd.DataFrame({**breach, "tier": "minor", "known_on": ["2018-03-01"]}))
        >>> [ledger.expire(day, "Zhou Min").removed["records"] for day in ("2023-01-09", "2023-01-10")]
        [0, 1]
        """
        day = to_day(on)
        if day > to_day(self._clock()):
            raise UserError(f"expire: {from_day(day)} is in the future. Give a day that has come.")
        with Transaction.begin(self._store("expire")) as transaction:
            row_index = self._view.row_index(transaction.store, transaction.manifest)
            report = expire(transaction, row_index, Rules(self.catalogue, self.policy, day), approver, holds)
        self._deduplicators = {}
        self._adopt(transaction.manifest)
        return report

    def tables(self, subject_ids: Iterable[str] | None = None) -> Tables:
        """Return everything accepted, as arrays; of some subjects, the rows of ``tables().for_subjects(subject_ids)``.

        Of these nothing else is read: a person's file takes about the same time on a large ledger as on a small one.
        """
        if subject_ids is not None:
            listed = [subject_ids] if isinstance(subject_ids, str) else list(subject_ids)
            canonical = read_subject_ids(listed, "subject_ids").to_pylist()
            return self._view.look(lambda row_index: row_index.tables(canonical))
        return self._cache.tables()

    def unknown_subjects(self, subject_ids: pa.Array) -> pa.Array:
        """Return those of some ids that no table of the ledger names, each once, in the order given.

        Whoever stands in the register, has or had a record, or is named by a move or an audit row is known. Ids are
        canonical (see ``credit_model.catalogue.subject_ids.read_subject_ids``).
        """
        return self._view.look(lambda row_index: row_index.unknown(subject_ids.unique()))

    def segments(self, day_of_use: DateLike | None = None) -> Segments:
        """Return every record of every subject through time, under the law of ``day_of_use`` (default: today).

        Compiled once for each content and day of use, and cached in the folder.
        """
        return self._cache.segments(_day_of_use(day_of_use))

    def buckets(self, day_of_use: DateLike | None = None) -> Buckets:
        """Return the segments in buckets of neighbouring subjects, one in memory at a time: for a whole city."""
        return self._cache.buckets(_day_of_use(day_of_use))

    def population(self, day_of_use: DateLike | None = None) -> Population:
        """Return who is scored, as of any day; the same under the law of every ``day_of_use``."""
        return Population.from_tables(self.tables(), self.catalogue.subjects)

    def as_of(self, as_of: DateLike, day_of_use: DateLike | None = None) -> pd.DataFrame:
        """Return the records in force at the start of a day, one row each.

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
        return records_in_force(self.segments(day_of_use).at(to_day(as_of)), self.catalogue)

    def between(
        self, start: DateLike, end: DateLike, known_by: DateLike, day_of_use: DateLike | None = None
    ) -> pd.DataFrame:
        """Return the records decided in ``[start, end)``, as known at the start of ``known_by``; for outcomes only.

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
        rules = Rules(self.catalogue, self.policy, _day_of_use(day_of_use))
        return records_decided(self.tables(), rules, (to_day(start), to_day(end)), to_day(known_by))

    def between_each(
        self,
        subject_ids: ArrayLike,
        start: ArrayLike,
        end: ArrayLike,
        known_by: ArrayLike,
        day_of_use: DateLike | None = None,
    ) -> pd.DataFrame:
        """Return what ``between`` does for many subjects at once, each with its own three days; for outcomes only.

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
        rules = Rules(self.catalogue, self.policy, _day_of_use(day_of_use))
        spans = to_days(start), to_days(end)
        return records_decided_each(self.tables(), rules, np.asarray(subject_ids, object), spans, to_days(known_by))

    def watch(self, on: DateLike, calendar: WorkingDays | None = None) -> pd.DataFrame:
        """Return the periods of law that had passed on records at the start of a day; nothing is decided by it.

        ``overdue_delisting``: everything was performed, and three working days later the listing stands.
        ``unanswered_dispute``: an objection has no answer after five working days; the office may extend the period.
        ``overdue_dispute``: nor after twenty, the most it may be extended to.

        Parameters
        ----------
        on : date
            What was known strictly before it counts.
        calendar : WorkingDays, optional
            The package's own, of mainland China, unless given. A year that is not in it is never assumed.

        Returns
        -------
        DataFrame
            ``finding, record_id, subject_id, since, due_on, is_overdue`` by due day; ``is_overdue`` is false where the
            period may have been extended.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
        >>> honour = {"record_id": ["H-1"], "subject_id": ["S000123"], "kind": ["honour"], "decided_on": ["2026-01-10"]}
        >>> objection = {"record_id": ["H-1"], "action": ["disputed"], "effective_on": ["2026-09-18"]}
        >>> report = ledger.ingest(records=pd.DataFrame({**honour, "known_on": ["2026-03-01"]}),
        ...                        amendments=pd.DataFrame({**objection, "known_on": ["2026-09-18"]}))
        >>> ledger.watch("2026-09-26")[["finding", "record_id", "due_on"]].astype(str).values.tolist()
        [['unanswered_dispute', 'H-1', '2026-09-24']]
        """
        calendar = load_working_days() if calendar is None else calendar
        return find_overdue(self.tables(), Rules(self.catalogue, self.policy, to_day(on)), calendar)

    def audit(self) -> pd.DataFrame:
        """Return the latest audit attributes of each subject, indexed by ``subject_id``; for audits only."""
        rows: pd.DataFrame = self._view.look(lambda row_index: row_index.table("audit")).to_pandas()
        return rows.groupby("subject_id", sort=True).last()

    def _store(self, attempt: str) -> PartStore:
        """Return the parts for a writer."""
        if self._view.recorded_by is not None:
            raise LedgerError(
                f"{attempt}: this is the ledger as recorded at {from_day(self._view.recorded_by)}, for reading. "
                "Open the ledger itself."
            )
        return PartStore(self.path)

    def _adopt(self, manifest: Manifest) -> None:
        self._view.adopt(manifest)
        self._cache = SegmentCache(self._view, self.catalogue)  # nothing of the content before stays in memory


def _canonical_id(subject_id: object, attempt: str) -> str:
    try:
        return canonical_id(subject_id)
    except UserError as error:
        raise UserError(f"{attempt}: give the subject_id under which the ledger holds the person; {error}") from None


def _day_of_use(value: DateLike | None) -> int:
    return to_day(date.today() if value is None else value)
