"""Two runs compared on the rows both judged, and cards of fewer characteristics compared with the best.

The out-of-time rows stay in the folder of their run and go to no registry. A row has no name: rows stand in the order
of their subjects, people are numbered, and a digest tells whether two runs judged the same rows.

In: a sample and a card; the folders of two runs; a classifier, a sample and sizes.
Out: ``judged.parquet``; a `Comparison`; a table of the AUC on unseen rows by size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from credit_model.foundation.digests import sha256_parts
from credit_model.foundation.errors import UserError
from credit_model.foundation.files import replacing
from credit_model.foundation.frames import ArrayValue
from credit_model.metrics.calibration import brier, log_loss
from credit_model.metrics.differences import (
    brier_difference,
    gini_difference,
    log_loss_difference,
    soft_gini_difference,
)
from credit_model.metrics.performance import FEWEST_BADS, Estimate, auc, gini, soft_gini
from credit_model.scorecard.card import Card

if TYPE_CHECKING:
    import pandas as pd


FILE = "judged.parquet"
_DIGEST = b"credit_model_rows"
COLUMNS = ("person", "y", "weight", "with_record", "score", "probability_of_bad", "true_risk")


@dataclass(frozen=True, eq=False)
class Judged(ArrayValue):
    """Rows with outcome, score and probability, by column; ``digest`` is of who was judged when, and how it ended."""

    digest: str
    columns: dict[str, npt.NDArray[Any]]

    @classmethod
    def of(cls, card: Card, sample: Any, true_risk: npt.NDArray[np.float64] | None = None) -> Judged:
        """Judge a ``DevelopmentSample`` by a card."""
        order = np.lexsort((sample.as_of, sample.subject_id.astype(str)))
        people, person = np.unique(sample.subject_id.astype(str), return_inverse=True)
        rows = (person, sample.as_of, sample.y, sample.weight)
        values = (np.asarray(column, dtype=np.float64)[order].tobytes() for column in rows)
        digest = sha256_parts(["\n".join(people), *values])
        scored = card.score(sample.X[list(card.columns)])
        columns: dict[str, npt.NDArray[Any]] = {
            "person": person.astype(np.int32), "y": np.asarray(sample.y, dtype=np.int8),
            "weight": np.asarray(sample.weight, dtype=np.float64), "with_record": np.asarray(sample.with_record),
            "score": scored["score"].to_numpy(), "probability_of_bad": scored["probability_of_bad"].to_numpy(),
        }  # fmt: skip
        if true_risk is not None:
            columns["true_risk"] = np.asarray(true_risk, dtype=np.float64)
        return cls(digest, {name: values[order] for name, values in columns.items()})

    def write(self, folder: Path) -> Path:
        """Write the rows into a run's folder, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(self.columns).replace_schema_metadata({_DIGEST: self.digest.encode()})
        with replacing(folder / FILE, under_lock=True) as new:
            pq.write_table(table, new)
        return folder / FILE

    @classmethod
    def read(cls, folder: Path) -> Judged:
        """Read the rows of a run's folder."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(folder / FILE)
            digest = (table.schema.metadata or {})[_DIGEST].decode()
            columns = {name: table[name].to_numpy() for name in table.column_names if name in COLUMNS}
        except (OSError, KeyError, pa.ArrowException) as error:
            raise UserError(
                f"compare: {folder} holds no rows that a run judged ({type(error).__name__}); run its experiment here "
                "again, it ends in the same card"
            ) from None
        return cls(digest, columns)


GREATER_IS_BETTER: Final = {"gini": True, "soft_gini": True, "brier": False, "log_loss": False}


@dataclass(frozen=True)
class PairedMeasure:
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
    contests: tuple[PairedMeasure, ...] = field(default_factory=tuple)

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
        np.searchsorted(card.profile.grade_cuts, run.columns["score"], side="right")
        for card, run in zip(cards, (one, two), strict=True)
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


def _contests(segment: str, one: Judged, two: Judged, part: npt.NDArray[np.bool_]) -> list[PairedMeasure]:
    """Every measure of one segment."""
    a, b = ({name: values[part] for name, values in run.columns.items()} for run in (one, two))
    y = a["y"]
    how: dict[str, Any] = {"weight": a["weight"], "subject": a["person"]}
    p, q = a["probability_of_bad"], b["probability_of_bad"]
    rows = [
        ("gini", gini(y, -a["score"], **how), gini(y, -b["score"], **how),
         gini_difference(y, -b["score"], -a["score"], **how)),
        ("brier", brier(y, p, **how), brier(y, q, **how), brier_difference(y, q, p, **how)),
        ("log_loss", log_loss(y, p, **how), log_loss(y, q, **how), log_loss_difference(y, q, p, **how)),
    ]  # fmt: skip
    if "true_risk" in a:
        risk = a["true_risk"]
        one_soft, two_soft = (soft_gini(risk, -each["score"], **how) for each in (a, b))
        minus = soft_gini_difference(risk, -b["score"], -a["score"], **how)
        rows.insert(1, ("soft_gini", one_soft, two_soft, minus))
    return [PairedMeasure(segment, *row) for row in rows]


def _card(folder: Path) -> Card:
    if not (folder / "card.json").is_file():
        raise UserError(f"compare: {folder} is no folder of a run: it holds no card.json")
    return Card.load(folder / "card.json")


def _differing(folders: tuple[Path, Path], cards: list[Card]) -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ, by their place."""
    settings = [
        {
            **_flat(json.loads((folder / "experiment.json").read_text(encoding="utf-8"))),
            **_flat(dict(card.provenance.get("tuning", {}).get("settings", {})), "chosen."),
            "characteristics": ", ".join(card.terms),
            "data.ledger": card.provenance.get("ledger", {}).get("digest"),
        }
        for folder, card in zip(folders, cards, strict=True)
    ]
    keys = [key for key in dict.fromkeys((*settings[0], *settings[1])) if settings[0].get(key) != settings[1].get(key)]
    return {key: (settings[0].get(key), settings[1].get(key)) for key in keys}


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """Flatten a nested table by place; features stand by name."""
    if isinstance(value, dict):
        flat: dict[str, Any] = {}
        for key, inner in value.items():
            flat |= _flat(inner, f"{place.rstrip('.')}.{key}." if place else f"{key}.")
        return flat
    if isinstance(value, list):
        value = ", ".join(str(item.get("name", item)) if isinstance(item, dict) else str(item) for item in value)
    return {place.rstrip("."): value}


def frontier(
    classifier: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
    *,
    sizes: Iterable[int] = (1, 2, 3, 4, 6, 8, 12, 20),
    folds: int = 5,
) -> pd.DataFrame:
    """AUC on unseen rows by the most characteristics a card may have.

    Parameters
    ----------
    classifier : ScorecardClassifier
        Anything with ``max_characteristics``; it is cloned, never changed.
    X, y, sample_weight, groups
        As `fit` takes them; without groups every row is a subject.
    sizes : iterable of int
        Most characteristics.
    folds : int
        Stratified folds that part no subject, the same in every call.

    Returns
    -------
    DataFrame
        A row for each size: ``at_most``; ``characteristics``, the mean number used; ``auc`` with its interval;
        ``auc_given_up``, what the largest of the sizes ranks better on the same rows, with its paired interval.
    """
    import pandas as pd
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedGroupKFold

    counts = sorted(set(sizes))
    y = np.asarray(y)
    if not counts or counts[0] < 1:
        raise UserError("frontier: sizes must be whole numbers from 1")
    classes = np.unique(y)
    if len(classes) != 2 or min((y == which).sum() for which in classes) < folds:
        raise UserError(f"frontier: y must have two classes with at least {folds} rows each")
    bad = (y == classes[1]).astype(int)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    subjects = np.arange(len(y)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    dealt = list(StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(y)), bad, subjects))
    take = getattr(X, "iloc", X)
    risk, used = np.empty((len(counts), len(y))), np.zeros(len(counts))
    for place, size in enumerate(counts):
        for train, test in dealt:
            model = clone(classifier).set_params(max_characteristics=size)
            model.fit(take[train], y[train], weight[train], subjects[train])
            risk[place, test] = model.decision_function(take[test])
            used[place] += len(model.card_.terms) / folds
    rows = []
    for place, size in enumerate(counts):
        ranks = auc(bad, risk[place], weight=weight, subject=subjects)
        difference = gini_difference(bad, risk[-1], risk[place], weight=weight, subject=subjects)
        half = [None if end is None else end / 2 for end in (difference.value, difference.low, difference.high)]
        rows.append((size, used[place], ranks.value, ranks.low, ranks.high, *half))
    names = ["at_most", "characteristics", "auc", "auc_low", "auc_high"]
    return pd.DataFrame(rows, columns=[*names, "auc_given_up", "auc_given_up_low", "auc_given_up_high"])
