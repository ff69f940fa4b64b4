"""Two runs side by side: what differs, and by how much, with intervals that know they judged the same people.

In: the folders of two runs. Out: a ``Comparison``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from credit_model import UserError
from credit_model.comparison.judged import Judged
from credit_model.metrics.calibration import brier, log_loss
from credit_model.metrics.differences import (
    brier_difference,
    gini_difference,
    log_loss_difference,
    soft_gini_difference,
)
from credit_model.metrics.performance import FEWEST_BADS, Estimate, gini, soft_gini
from credit_model.scorecard.card import Card

GREATER_IS_BETTER: Final = {"gini": True, "soft_gini": True, "brier": False, "log_loss": False}


@dataclass(frozen=True)
class Contest:
    """One measure of one segment: of the first run, of the second, and second minus first, paired."""

    segment: str
    measure: str
    first: Estimate
    second: Estimate
    difference: Estimate

    @property
    def verdict(self) -> str:
        """Which of the two is better, where the interval of the difference leaves out zero."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None or low <= 0 <= high:
            return "no difference shown"
        return "second" if (low > 0) == GREATER_IS_BETTER[self.measure] else "first"


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same rows.

    ``settings`` are those that differ: of the experiments, by place, and of the cards and data. ``moved`` is
    the share of rows whose grade is another, ``bads`` their number among all rows.
    """

    first: str
    second: str
    rows: int
    people: int
    bads: int
    characteristics: tuple[int, int]
    moved: float
    settings: Mapping[str, tuple[Any, Any]]
    contests: tuple[Contest, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"contests": [asdict(c) | {"verdict": c.verdict} for c in self.contests]}


def compare(first: str | Path, second: str | Path) -> Comparison:
    """Compare the cards of two runs on the out-of-time rows that both judged.

    No row is observed anew and no card is scored: what each run left is read. Whoever chooses the better of the two has
    chosen on these rows, so the winner's figures on them flatter it a little.

    Parameters
    ----------
    first, second : path
        Folders of two runs (``RunResult.folder``).

    Raises
    ------
    UserError
        If the two did not judge the same rows, or too few of them are bad.
    """
    folders = Path(first), Path(second)
    cards = [_card(folder) for folder in folders]
    one, two = (Judged.read(folder) for folder in folders)
    if one.digest != two.digest:
        raise UserError(
            f"compare: {folders[0].name} and {folders[1].name} were not judged on the same rows (out-of-time date, "
            "outcome, cohort, ledger or policy differ), so their differences have no paired interval; compare their "
            "reports instead"
        )
    rows = one.columns
    bads = int(rows["y"].sum())
    if bads < FEWEST_BADS:
        raise UserError(f"compare: {bads} of the rows that both judged are bad, at least {FEWEST_BADS} are needed")
    grades = [
        np.searchsorted(card.profile.grade_cuts, judged.columns["score"], side="right")
        for card, judged in zip(cards, (one, two), strict=True)
    ]
    record = rows["with_record"].astype(bool)
    segments = {"all": np.ones(len(record), dtype=bool), "with_record": record, "without_record": ~record}
    return Comparison(
        first=folders[0].name,
        second=folders[1].name,
        rows=len(record),
        people=len(np.unique(rows["person"])),
        bads=bads,
        characteristics=(len(cards[0].terms), len(cards[1].terms)),
        moved=float(np.average(grades[0] != grades[1], weights=rows["weight"])),
        settings=_differing(folders, cards),
        contests=tuple(
            contest
            for name, part in segments.items()
            if rows["y"][part].sum() >= FEWEST_BADS
            for contest in _contests(name, one, two, part)
        ),
    )


def _contests(segment: str, one: Judged, two: Judged, part: npt.NDArray[np.bool_]) -> list[Contest]:
    """Every measure of one segment."""
    a, b = ({name: values[part] for name, values in judged.columns.items()} for judged in (one, two))
    y = a["y"]
    how: dict[str, Any] = {"weight": a["weight"], "subject": a["person"]}
    p, q = a["probability_of_bad"], b["probability_of_bad"]
    found = [
        ("gini", gini(y, -a["score"], **how), gini(y, -b["score"], **how),
         gini_difference(y, -b["score"], -a["score"], **how)),
        ("brier", brier(y, p, **how), brier(y, q, **how), brier_difference(y, q, p, **how)),
        ("log_loss", log_loss(y, p, **how), log_loss(y, q, **how), log_loss_difference(y, q, p, **how)),
    ]  # fmt: skip
    if "true_risk" in a:
        risk = a["true_risk"]
        one_soft, two_soft = (soft_gini(risk, -each["score"], **how) for each in (a, b))
        minus = soft_gini_difference(risk, -b["score"], -a["score"], **how)
        found.insert(1, ("soft_gini", one_soft, two_soft, minus))
    return [Contest(segment, *row) for row in found]


def _card(folder: Path) -> Card:
    if not (folder / "card.json").is_file():
        raise UserError(f"compare: {folder} is no folder of a run: it holds no card.json")
    return Card.load(folder / "card.json")


def _differing(folders: tuple[Path, Path], cards: list[Card]) -> dict[str, tuple[Any, Any]]:
    """Settings that differ, by their place."""
    said = [
        {
            **_flat(json.loads((folder / "experiment.json").read_text(encoding="utf-8"))),
            **_flat(dict(card.provenance.get("tuning", {}).get("settings", {})), "chosen."),
            "characteristics": ", ".join(card.terms),
            "data.ledger": card.provenance.get("ledger", {}).get("digest"),
        }
        for folder, card in zip(folders, cards, strict=True)
    ]
    keys = [key for key in dict.fromkeys((*said[0], *said[1])) if said[0].get(key) != said[1].get(key)]
    return {key: (said[0].get(key), said[1].get(key)) for key in keys}


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """A nested table by place; features are told by name."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{place.rstrip('.')}.{key}." if place else f"{key}.")
        return found
    if isinstance(value, list):
        value = ", ".join(str(item.get("name", item)) if isinstance(item, dict) else str(item) for item in value)
    return {place.rstrip("."): value}
