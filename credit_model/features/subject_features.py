"""Features of one person at a time, with the records behind each, by the program and the pass that serve a city.

A person has a dozen records: the pass runs uncompiled over plain lists, so that an answer loads no compiler. What does
not depend on the person (definitions as tables, the groups of each class of records, the windows of a day) is worked
out once.

In: definitions, a catalogue; then ``Segments``, a subject, a day.
Out: one row of float32 values, and the records behind each; from a ledger, one value as a ``FeatureExplanation``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.features import kernel_numpy
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.batching import Block, block_of, interpreted
from credit_model.features.dictionary import select_definitions
from credit_model.features.kernel import compute, trail
from credit_model.features.kernel_compiled import Observations
from credit_model.features.program import Program, program_of, too_great
from credit_model.foundation.calendar import DateLike, from_days, to_day, window_end
from credit_model.foundation.errors import UserError, did_you_mean
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.features.definition import FeatureDefinition
    from credit_model.features.kernel_compiled import Days
    from credit_model.ledger.ledger import Ledger

_DAYS_KEPT = 64  # days whose windows stay worked out


@dataclass(frozen=True, eq=False)
class FeatureExplanation:
    """A value of a feature, what the feature is, and the records behind it.

    Parameters
    ----------
    value : float or None
        ``None`` where it is missing.
    sentence_zh, sentence_en : str
        What the feature is.
    rows : DataFrame
        ``record_id, used, ground, kind, decided_on, known_on, visible_from``, one row for each record on file at the
        start of the day. ``ground``: why it was left out, empty where it was used: a ground of visibility,
        ``not_matched``, ``outside_the_window``, ``no_value``, ``same_case`` (another record of its case stands for
        both), or ``marks_the_window`` (not counted, but its day is the window of ``last_day:KIND``). The used ones
        alone, with those, give the value.
    """

    value: float | None
    sentence_zh: str
    sentence_en: str
    rows: pd.DataFrame

    @property
    def sentence(self) -> str:
        """The feature in English."""
        return self.sentence_en


class SubjectFeatures:
    """Definitions prepared for one person at a time.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition, length k
        As accepted by ``check_definitions`` for this catalogue.
    catalogue : Catalogue
        Of the ledgers whose segments are to come.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.foundation.calendar import to_day
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
    >>> honours = {"record_id": ["h", "i"], "subject_id": ["a", "a"], "kind": ["honour", "honour"]}
    >>> dates = ["2024-01-10", "2024-03-01"]
    >>> catalogue = load_catalogue()
    >>> segments = compile_segments(
    ...     Tables.of({**honours, "decided_on": dates, "known_on": dates}), catalogue, "tier", to_day("2026-11-24")
    ... )
    >>> features = SubjectFeatures([FeatureDefinition(name="honours_12m", aggregate="count", window="12m")], catalogue)
    >>> row = features.one(segments, 0, to_day("2024-12-01"))
    >>> row.values, row.used(0)
    ((2.0,), (0, 1))
    """

    def __init__(self, definitions: Sequence[FeatureDefinition], catalogue: Catalogue) -> None:
        self.definitions = tuple(definitions)
        self.program = program_of(self.definitions, catalogue)
        self.none: tuple[float, ...] = tuple(self.program.plan.none.tolist())
        self._kind_codes = tuple(catalogue.kinds)
        self._days: dict[int, Days] = {}

    def one(self, segments: Segments, subject: int, as_of: int) -> SubjectRow:
        """Compute the features of one subject as of a day.

        Parameters
        ----------
        segments : Segments
            Compiled under the catalogue of the definitions.
        subject : int
            Index into ``segments.subject_ids``; -1 for a subject without a file.
        as_of : int
            Days since 1970-01-01; the start of the day.

        Returns
        -------
        SubjectRow
            ``values`` as ``compute`` gives them, to the last bit.

        Raises
        ------
        UserError
            If values are too great for a decayed sum in 64 bits.
        """
        if segments.kind_codes != self._kind_codes:
            raise UserError("features were asked of segments of another catalogue than the plan was made for")
        low, high = segments.offsets[subject : subject + 2].tolist() if subject >= 0 else (0, 0)
        if low == high or not self.definitions:
            return SubjectRow(self.none, self.program, None, segments.record[:0], None)
        zero = np.zeros(1, np.int64)
        observations = Observations(zero, np.array([as_of]), zero, zero, np.array([high - low]))
        block = block_of(self.program, segments, slice(low, high), observations)
        out = np.empty((len(self.definitions), 1), np.float32).T
        group = interpreted(self.program, self._days_of(as_of), block, out)
        if group >= 0:
            raise UserError(too_great(self.program, group))
        return SubjectRow(tuple(out[0].tolist()), self.program, self._days_of(as_of), segments.record[low:high], block)

    def _days_of(self, as_of: int) -> Days:
        """Return the windows seen from a day."""
        if as_of not in self._days:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            self._days[as_of] = self.program.days(np.array([as_of]))
        return self._days[as_of]


class SubjectRow:
    """The features of one subject as of a day: ``values`` in the order of the definitions, each a float32."""

    def __init__(
        self,
        values: tuple[float, ...],
        program: Program,
        days: Days | None,
        record: NDArray[np.int32],
        block: Block | None,
    ) -> None:
        self.values = values
        self._program, self._days, self._record, self._block = program, days, record, block

    def used(self, column: int) -> tuple[int, ...]:
        """Return the indices into ``segments.record_ids`` of the records that made a value, as ``trail`` names them."""
        return self._used[column]

    @cached_property
    def _used(self) -> list[tuple[int, ...]]:
        if self._days is None or self._block is None:
            return [()] * len(self.values)
        rows, marks = kernel_numpy.records_used(self._program.plan, self._days, *self._block)
        records = self._record[rows].tolist()
        return [tuple(compress(records, column)) for column in marks.T.tolist()]


def days_of_change(
    definitions: Sequence[FeatureDefinition], segments: Segments, first: int, last: int
) -> NDArray[np.int64]:
    """Return the days from first to last on which a value may differ from that of the day before.

    Where records become usable and cease to be, where windows end; every day for what counts days or fades.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition
    segments : Segments
        Of the subjects asked about, and nobody else.
    first, last : int
        Days since 1970-01-01, both included.

    Returns
    -------
    ndarray of int64
        In order.

    Examples
    --------
    >>> from credit_model.features.definition import FeatureDefinition
    >>> from credit_model.foundation.calendar import from_days, to_day
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> from credit_model.visibility.tables import Tables
    >>> from credit_model.visibility.segments import compile_segments
    >>> dates = {"decided_on": ["2024-01-10"], "known_on": ["2024-03-01"]}
    >>> tables = Tables.of({"record_id": ["h"], "subject_id": ["a"], "kind": ["honour"], **dates})
    >>> segments = compile_segments(tables, load_catalogue(), "tier", to_day("2026-11-24"))
    >>> honours = FeatureDefinition(name="honours_12m", aggregate="count", window="12m")
    >>> print(from_days(days_of_change([honours], segments, to_day("2024-02-01"), to_day("2026-01-01"))))
    ['2024-03-02' '2025-01-11']
    """
    if any(AGGREGATES[d.aggregate].daily for d in definitions):
        return np.arange(first, last + 1)
    edges: list[Any] = [segments.start, segments.end]
    for window_on, span in {(d.window_on, d.span) for d in definitions}:
        on = np.unique(getattr(segments, window_on))
        later = 1 if window_on == "decided_on" else 0
        end = window_end(on, span.unit, span.length)
        edges += [on + later, end + later]
    days = np.unique(np.concatenate([np.asarray(edge, np.int64) for edge in edges]))
    return days[(first <= days) & (days <= last)]


def explain_feature(
    ledger: Ledger,
    subject_id: str,
    as_of: DateLike,
    name: str,
    features: Sequence[str | FeatureDefinition] | str | Path | None = None,
    day_of_use: DateLike | None = None,
) -> FeatureExplanation:
    """Name the records that made a value of a feature, and those on file that did not.

    Parameters
    ----------
    ledger : Ledger
    subject_id : str
    as_of : date
    name : str
        Of a feature of the dictionary, or of ``features`` where given.
    features, day_of_use : optional
        As in ``build_features``.

    Returns
    -------
    FeatureExplanation

    Raises
    ------
    UserError
        If the name or the date cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from credit_model.ledger.ledger import Ledger
    >>> ledger = Ledger.create(tempfile.mkdtemp() + "/ledger")
    >>> report = ledger.ingest(records=pd.DataFrame({
    ...     "record_id": ["H-1", "H-2"], "subject_id": ["S000123", "S000123"], "kind": ["honour", "honour"],
    ...     "decided_on": ["2017-01-10", "2024-01-10"], "known_on": ["2017-01-10", "2024-01-10"]}))
    >>> explanation = explain_feature(ledger, "S000123", "2024-03-02", "honours_60m", day_of_use="2026-11-24")
    >>> explanation.rows[["record_id", "used", "ground"]]
      record_id   used              ground
    0       H-1  False  outside_the_window
    1       H-2   True
    >>> explanation.value, explanation.sentence
    (1.0, 'Number of records of "Honour", decided in the 60 months before the as-of date; records of one case count
    once; at most 3; 0 where there is none; more is better.')
    """
    import pandas as pd

    from credit_model.catalogue.subject_ids import subject_id as canonical_id

    definitions = {definition.name: definition for definition in select_definitions(features, ledger.catalogue)}
    if name not in definitions:
        raise UserError(
            f"feature {name!r} was to be explained; there is none of that name{did_you_mean(name, definitions)}"
        )
    day = to_day(as_of)
    used_on = to_day(date.today()) if day_of_use is None else to_day(day_of_use)
    subject_id = canonical_id(subject_id)
    segments = compile_segments(ledger.tables([subject_id]), ledger.catalogue, ledger.policy, used_on)
    subject = int(segments.subject_index([subject_id])[0])
    records_behind = trail(segments, subject, day, definitions[name], ledger.catalogue)
    values = compute(segments, [subject], [day], [definitions[name]], ledger.catalogue)
    is_decimal = definitions[name].of in ledger.catalogue.decimal_places
    value = float(str(values[0, 0])) if is_decimal else float(values[0, 0])  # the text of a float32 is the decimal
    grounds = {**dict.fromkeys(records_behind.used, ""), **dict(records_behind.left_out)}
    segments_at_day = segments.at(day)
    segments_at_day = segments_at_day.take(segments_at_day.subject == subject)
    segments_at_day = segments_at_day.take(np.lexsort((segments_at_day.record, segments_at_day.decided_on)))
    ground = [grounds[record] for record in segments_at_day.record.tolist()]
    table = pd.DataFrame(
        {
            "record_id": segments.record_ids[segments_at_day.record],
            "used": [not g for g in ground],
            "ground": ground,
            "kind": [segments.kind_codes[kind] for kind in segments_at_day.kind],
            "decided_on": from_days(segments_at_day.decided_on),
            "known_on": from_days(segments_at_day.known_on),
            "visible_from": from_days(segments_at_day.visible_from),
        }
    )
    sentence_zh, sentence_en = (definitions[name].sentence(lang, ledger.catalogue) for lang in ("zh", "en"))
    return FeatureExplanation(None if value != value else value, sentence_zh, sentence_en, table)
