"""Hold refused raw rows against the share that is allowed, and say in one line what to do about them.

In: counts of a delivery or of a ledger, a limit. Out: nothing, or a ``RefusedRowsError``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from credit_model import UserError
from credit_model.records.validation import REASONS
from credit_model.store.manifest import DeliveryCounts

MAX_REJECTED_SHARE: Final = 0.001
_TOP_REASONS: Final = 3


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
    named = [f"{rows:,} {reason} ({REASONS[reason][1]})" for reason, rows in by_rows[:_TOP_REASONS]]
    more = len(by_rows) - _TOP_REASONS
    return ", ".join(
        [*named, *([f"and {more} further reasons"] if more > 1 else ["and 1 further reason"] * (more == 1))]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.0f}%"


def _rounded_up(share: float) -> float:
    """Round up to two significant digits."""
    step = 10.0 ** (math.floor(math.log10(share)) - 1)
    return min(1.0, math.ceil(round(share / step, 9)) * step)
