"""The result of a delivery: what became of every row, and the limit on the share of rows it may refuse.

In: counts of rows; a limit. Out: ``IngestReport``; a ``RefusedRowsError`` that says in one line what to do.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.ledger.manifest import DeliveryCounts
from credit_model.ledger.sources import Source
from credit_model.ledger.validation import REASONS

MAX_REJECTED_SHARE: Final = 0.001
_TOP_REASONS: Final = 3


WARNINGS: Final[dict[str, tuple[str, str]]] = {
    "short_key": (
        "CREDIT_MODEL_PSEUDONYM_KEY 不足 32 个字符，可被猜出",
        "CREDIT_MODEL_PSEUDONYM_KEY has fewer than 32 characters: it can be guessed",
    ),
    "line_of_row_above": ("该行是上一行记录的续行", "the line goes on with the row above"),
    "joined_key_repeated": (
        "关联表中该键重复，未用于关联",
        "the key of a joined table is there more than once: the row joins nothing",
    ),
    "joined_without_key": ("关联表中该行没有键", "the row of a joined table has no key"),
    "joined_row_unused": ("关联表中该行未被任何行关联", "the row of a joined table was looked for by no row"),
    "joined_row_unreadable": ("关联表中该行无法读取", "the row of a joined table cannot be read"),
    "unknown_record": (
        "变更所指的记录不在台账中（或尚未报送）",
        "the amendment names a record that is not in the ledger (yet)",
    ),
    "tier_above_act": (
        "失信程度高于该处罚种类允许的程度，读取时降低",
        "the tier is above what the act allows: it is lowered when the record is read",
    ),
    "tier_below_act": (
        "失信程度低于该处罚种类应有的程度，按报送的使用，请来源单位核实",
        "the tier is below what the act calls for: it is used as sent; the source should correct it",
    ),
    "sentence_end_missing": (
        "未报送刑罚执行完毕日，自判决日起算",
        "the end of the sentence is not known: time runs from the judgment",
    ),
    "act_undated": (
        "未报送行为日，且决定日在满十八周岁后的十二个月内，存疑不用",
        "the day of the act is missing, and the decision lies within twelve months after the 18th birthday: not used",
    ),
    "case_of_two_sources": (
        "同一案件的同类信息来自两个单位",
        "a record of the same case and kind came from another source",
    ),
    "early_repair": (
        "修复早于法定最短期限",
        "repaired before the least time that the rule of the kind asks for",
    ),
    "repair_unperformed": ("修复时义务尚未全部履行", "repaired with something left to perform"),
    "repair_within_term": ("修复时有期限的处罚尚未期满", "repaired before the penalty ends"),
    "back_dated": ("知悉日早于接收日的天数超过目录规定", "known longer before its receipt than the catalogue allows"),
}
_MAX_ROWS: Final = 100  # places a warning names


@dataclass(frozen=True)
class IngestWarning:
    """What is odd in accepted rows of a delivery, though nothing was refused for it.

    Parameters
    ----------
    code : str
        A key of ``WARNINGS``.
    count : int
        Rows; 1 for what concerns the delivery itself.
    rows : tuple of str
        The first hundred of them, each as source and row number (of lines: the source).
    """

    code: str
    count: int
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.count:,} {self.code}: {WARNINGS[self.code][1]}"

    def to_dict(self) -> JsonObject:
        """Return the warning as plain values, for JSON."""
        zh, en = WARNINGS[self.code]
        return {"code": self.code, "count": self.count, "rows": [*self.rows], "zh": zh, "en": en}


@dataclass
class WarningLog:
    """The warnings of a delivery while it runs."""

    _counts: Counter[str] = field(default_factory=Counter)
    _rows: dict[str, list[str]] = field(default_factory=dict)

    def add(self, code: str, source: str = "", numbers: NDArray[np.int64] | None = None, count: int = 1) -> None:
        """Count rows of a source, by their numbers from 1; without them, the source itself or the delivery."""
        count = count if numbers is None else len(numbers)
        if not count:
            return
        self._counts[code] += count
        places = [source] if numbers is None else [f"{source}:{n}" for n in numbers[:_MAX_ROWS].tolist()]
        rows = self._rows.setdefault(code, [])
        rows += [place for place in places if place][: _MAX_ROWS - len(rows)]

    def warnings(self) -> tuple[IngestWarning, ...]:
        """Return them in the order of ``WARNINGS``."""
        return tuple(
            IngestWarning(code, self._counts[code], tuple(self._rows[code]))
            for code in WARNINGS
            if code in self._counts
        )


class RefusedRowsError(UserError):
    """More raw rows were refused than is allowed; a command exits with 3."""

    exit_code = 3


def check_refusals(attempt: str, counts: DeliveryCounts, limit: float, quarantine: Path | None, advice: str) -> None:
    """Refuse what would be made of rows of which too many are missing.

    Parameters
    ----------
    attempt : str
        What was attempted; the message begins with it.
    counts : DeliveryCounts
    limit : float
        Largest share of refused rows, from 0 to 1.
    quarantine : Path, optional
        Where the refused rows lie.
    advice : str
        What to do; ``{share}`` in it becomes a limit that would let these rows pass.

    Raises
    ------
    RefusedRowsError
        If the share is above the limit.

    Examples
    --------
    >>> check_refusals("ingest", DeliveryCounts(1000, 999, 0, 1, {"bad_tier": 1}), 0.001, None, "")
    """
    if counts.rejected_share <= limit:
        return
    place = "" if quarantine is None else f"; they are in {quarantine}"
    raise RefusedRowsError(
        f"{attempt}: {counts.rejected_rows:,} of {counts.read:,} rows were refused "
        f"({_percent(counts.rejected_share)}), at most {_percent(limit)} may be: {_reasons(counts.rejected)}{place}. "
        + advice.format(share=f"{_rounded_up(counts.rejected_share):g}")
    )


def _reasons(rejected: Mapping[str, int]) -> str:
    """Name the most frequent reasons, each with its rows."""
    by_rows = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    phrases = [f"{rows:,} {reason} ({REASONS[reason][1]})" for reason, rows in by_rows[:_TOP_REASONS]]
    more = len(by_rows) - _TOP_REASONS
    return ", ".join(
        [*phrases, *([f"and {more} further reasons"] if more > 1 else ["and 1 further reason"] * (more == 1))]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%"


def _rounded_up(share: float) -> float:
    """Round up to two significant digits."""
    step = 10.0 ** (math.floor(math.log10(share)) - 1)
    return min(1.0, math.ceil(round(share / step, 9)) * step)


class RowOutcome(IntEnum):
    """What became of a raw row; of those of several tables, the greatest counts."""

    NONE = 0
    EXCLUDED = 1
    DUPLICATE = 2
    ACCEPTED = 3
    REFUSED = 4


class RowOutcomes:
    """What became of each row of one source, over all tables that it goes to; one byte a row."""

    def __init__(self) -> None:
        self._by_row = np.zeros(0, np.uint8)

    def add(self, rows: NDArray[np.int64], outcome: RowOutcome | NDArray[np.int64]) -> None:
        """Note the outcome of rows, each named once by its number from 1."""
        if not len(rows):
            return
        if (last := int(rows.max())) > len(self._by_row):
            self._by_row = np.concatenate([self._by_row, np.zeros(max(last, 1024), np.uint8)])
        self._by_row[rows - 1] = np.maximum(self._by_row[rows - 1], outcome)

    def count(self) -> Counter[int]:
        """Count the rows of each outcome."""
        return Counter(dict(enumerate(np.bincount(self._by_row, minlength=len(RowOutcome)).tolist())))


@dataclass(frozen=True)
class IngestReport:
    """The result of a delivery.

    Parameters
    ----------
    read, accepted, duplicates : int
        Rows of the sources (of a CSV file: its lines without header and empty ones; of a record that spans lines, the
        first), rows that added something, and rows that were there already. Every row that was read is accepted, a
        duplicate, refused or excluded; a row that a mapping sends to two tables is one, refused if either refuses it,
        else accepted if either adds it.
    rejected : dict of str to int
        Refusals by reason (a key of ``REASONS``); a row with two reasons, or refused by two tables, counts under each.
    rejected_rows : int
        Refused rows.
    excluded : int
        Rows that no table of the mapping asks for.
    quarantine : Path or None
        JSON lines: source, its SHA-256, row number from 1, line of a CSV file, every reason, and the row without what
        names a person.
    warnings : tuple of IngestWarning
        What is odd in accepted rows, by code.
    tables : dict of str to dict of str to int
        ``accepted``, ``duplicates``, ``rejected`` and ``left_out`` (by the mapping) for each table of the ledger, in
        which a row that comes to two of them counts in both.
    """

    read: int
    accepted: int
    duplicates: int
    rejected: dict[str, int]
    rejected_rows: int
    excluded: int
    quarantine: Path | None
    warnings: tuple[IngestWarning, ...]
    tables: dict[str, dict[str, int]]

    @property
    def counts(self) -> DeliveryCounts:
        """Return the counts over all tables."""
        return DeliveryCounts(
            self.read, self.accepted, self.duplicates, self.rejected_rows, self.rejected, self.excluded
        )

    @property
    def rejected_share(self) -> float:
        """Return the share of refused rows among those read."""
        return self.counts.rejected_share

    @property
    def back_dated(self) -> int:
        """Return how many accepted rows became known longer before their receipt than the catalogue allows."""
        return next((warning.count for warning in self.warnings if warning.code == "back_dated"), 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return {**asdict(self), "rejected_share": self.rejected_share,
                "quarantine": None if self.quarantine is None else str(self.quarantine),
                "warnings": [warning.to_dict() for warning in self.warnings],
                "back_dated": self.back_dated}  # fmt: skip


class Quarantine:
    """Refused rows, one line of JSON each; the file appears only if there are any."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        self._sha256 = hashlib.sha256()
        self._source_digests: dict[int, str] = {}
        self.reasons: Counter[str] = Counter()

    def add(
        self,
        origin: tuple[Source, str],
        row: int,
        reasons: list[tuple[str, str]],
        values: Mapping[str, str],
        line: int | None = None,
    ) -> None:
        """Add one refused row of a source on its way to a table; of a file of text, with its line."""
        self.reasons.update({reason for reason, _ in reasons})
        source, table = origin
        if id(source) not in self._source_digests:
            self._source_digests[id(source)] = source.digest
        explanations = [
            dict(zip(("code", "column", "zh", "en"), (*why, *REASONS[why[0]]), strict=True)) for why in reasons
        ]
        place = {"row": row} if line is None else {"row": row, "line": line}
        entry = {"source": source.label, "source_sha256": self._source_digests[id(source)], "table": table,
                 **place, "reasons": explanations, "values": values}  # fmt: skip
        data = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
        if self._file is None:
            self._file = (self._folder / "incoming").open("wb")
        self._sha256.update(data)
        self._file.write(data)

    def commit(self) -> Path | None:
        """Force the file to disk, under a name made of its digest; None if nothing was refused."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        return Path(self._file.name).replace(self._folder / f"{self._sha256.hexdigest()[:16]}.jsonl")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
