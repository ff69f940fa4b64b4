"""The card: characteristics with integer points, a scale, a map to probability, reasons. A document, not a program.

One arithmetic, twice: column by column for a batch, by bisection for one row; both add the same integers, and every
score is looked up in the same table of probabilities. ``base + sum of points = score`` holds exactly, without clipping.

In: a card document, or its parts; rows with one value for each characteristic.
Out: scores, probabilities, grades, points, reasons; a printable table; the document.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from credit_model.foundation.digests import canonical_json
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.scorecard.bins import CategoricalBins, NumericBins, attributes_of
from credit_model.scorecard.characteristic import Characteristic, GoldenRow
from credit_model.scorecard.columns import IGNORED, Column, Rows, category_of, check_names, column_names, numbers_of
from credit_model.scorecard.document import CardError, check_kernel, digest, seal, unseal
from credit_model.scorecard.pairs import Pair, monotone_faults
from credit_model.scorecard.reasons import CardReason, ScoredRow, rank
from credit_model.scorecard.scale import ProbabilityMap, Profile

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.features.definition import FeatureDefinition

SCHEMA = 2  # pairs; a card without any is written in form 1, as ever
GOLDEN_ROWS = 10
TABLE_COLUMNS = (
    "characteristic", "label_zh", "label_en", "reason", "attribute_zh", "attribute_en",
    "points", "woe", "share", "bad_rate", "reference", "policy",
)  # fmt: skip
_SAME_PROBABILITY = 1e-12  # another machine's exp may differ in the last bit


# Place of the column; cuts, the attribute between them, the attribute of a missing value.
_Numeric = tuple[int, tuple[float, ...], tuple[int, ...], int]
# Names of the numeric columns; numeric and categorical columns; points of each; pairs by the places of their two.
_Lookup = tuple[
    list[str], list[_Numeric], list[tuple[int, CategoricalBins, str]], list[tuple[int, ...]],
    list[tuple[int, int, tuple[tuple[int, ...], ...]]],
]  # fmt: skip


@dataclass(frozen=True)
class Card:
    """A scorecard. Make one with ``ScorecardClassifier.to_card`` or read one with :meth:`load`.

    Parameters
    ----------
    name : str
    profile : Profile
        Scale, range, grades, cap on positives.
    characteristics : tuple of Characteristic
    probabilities : ProbabilityMap
        From integer score to log-odds.
    kernel_version : int, optional
        Semantics of the feature kernel the definitions were computed with; none for raw columns.
    provenance : mapping
        Where the card comes from, as plain JSON values.
    golden : tuple of GoldenRow
        Left out, they are made.
    pairs : tuple of Pair
        Points of two characteristics together; each is one term more.

    Raises
    ------
    CardError
        With every inconsistency at once: a score could leave the range, positives exceed their cap, a golden row
        does not get its score.

    Examples
    --------
    >>> from credit_model.scorecard.bins import NumericBins
    >>> from credit_model.scorecard.characteristic import Attribute, Characteristic
    >>> from credit_model.scorecard.scale import load_profile
    >>> attributes = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -26, -40, 0))
    >>> records = Characteristic("adverse_24m", NumericBins((0.5, 1.5), whole=True), attributes, reference=0)
    >>> card = Card("demo", load_profile("zhejiang_1000"), (records,), ProbabilityMap((700, 800), (3.0, 5.0)))
    >>> row = card.score_one({"adverse_24m": 1})
    >>> row.score, row.grade, row.reasons[0].text_en
    (774, 'B', 'adverse_24m: 1 (26 points lost)')
    >>> Card.from_json(card.to_json()) == card
    True
    """

    name: str
    profile: Profile
    characteristics: tuple[Characteristic, ...]
    probabilities: ProbabilityMap
    kernel_version: int | None = None
    provenance: JsonObject = field(default_factory=dict)
    golden: tuple[GoldenRow, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "provenance", json.loads(canonical_json(dict(self.provenance))))
        except (TypeError, ValueError) as error:
            raise CardError(f"card {self.name!r}: provenance must hold plain JSON values ({error})") from None
        object.__setattr__(
            self, "characteristics", tuple(c.of_kernel(self.kernel_version) for c in self.characteristics)
        )
        faults = self._faults()
        if not faults and not self.golden:
            object.__setattr__(self, "golden", tuple(self._golden_row(row) for row in range(GOLDEN_ROWS)))
        faults += [] if faults else self._golden_faults()
        if faults:
            raise CardError(f"card {self.name!r} is inconsistent: " + "; ".join(faults), tuple(faults))

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Callable[[str], Card], tuple[str]]:
        return type(self).from_json, (self.to_json(),)  # a copy is made through the document, like everything else

    # ------------------------------------------------------------------ what it holds

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it reads, in the order of the card."""
        return tuple(c.name for c in self.characteristics)

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """Names of what points are given for: its characteristics, then its pairs."""
        return (*self.columns, *(pair.name for pair in self.pairs))

    def parts(self, term: str) -> tuple[Characteristic, ...]:
        """Return the characteristic a term is, or the two of a pair."""
        names = next(([pair.first, pair.second] for pair in self.pairs if pair.name == term), [term])
        return tuple(self.characteristics[self.columns.index(name)] for name in names)

    def points_of(self, term: str, columns: Sequence[Column]) -> npt.NDArray[np.int32]:
        """Points of one term, from a column for each of its parts."""
        parts = self.parts(term)
        at = [attributes_of(c.bins, column, c.name) for c, column in zip(parts, columns, strict=True)]
        if len(parts) == 1:
            return parts[0].points_at(at[0])
        return next(pair for pair in self.pairs if pair.name == term).points_at(*at)

    @property
    def features(self) -> tuple[FeatureDefinition, ...] | None:
        """Definitions of its features; ``None`` for a card of raw columns."""
        definitions = tuple(c.definition for c in self.characteristics if c.definition is not None)
        return definitions if definitions or self.kernel_version is not None else None

    @property
    def base(self) -> int:
        """Score of the reference row."""
        return self.profile.reference_points

    @cached_property
    def least(self) -> int:
        """No row can score less: base and the least points of every term."""
        return self.base + sum(min(c.points) for c in self.characteristics) + sum(p.least for p in self.pairs)

    @cached_property
    def greatest(self) -> int:
        """No row can score more: base and the most points of every term."""
        return self.base + sum(max(c.points) for c in self.characteristics) + sum(p.greatest for p in self.pairs)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the card's canonical JSON."""
        return digest(self._content())

    @property
    def id(self) -> str:
        """Name and the start of the digest."""
        return f"{self.name}-{self.digest[:12]}"

    @cached_property
    def _probability_by_score(self) -> tuple[float, ...]:
        return tuple(self.probabilities.probability(score) for score in range(self.least, self.greatest + 1))

    # ------------------------------------------------------------------ arithmetic, a batch

    def scores(self, X: Rows) -> npt.NDArray[np.int32]:
        """Integer scores of a frame or a mapping of arrays; needs numpy only."""
        self._check_columns(X)
        total = np.full(_rows(X), self.base, dtype=np.int32)
        for points in self._points(X):
            total += points
        return total

    def probability(self, scores: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Probability of bad of scores this card gave."""
        return np.asarray(self._probability_by_score, dtype=np.float64)[scores - self.least]

    def score(self, X: Rows) -> pd.DataFrame:
        """Score a batch.

        Parameters
        ----------
        X : frame or mapping of arrays
            Exactly the columns of ``card.columns``, in any order; ``subject_id`` and ``as_of`` may stand beside them.

        Returns
        -------
        DataFrame
            ``score`` (int), ``probability_of_bad`` (float), ``grade`` (text); index as ``X``.

        Raises
        ------
        UserError
            Columns missing, unknown or twice; text where a number is needed.
        """
        import pandas as pd

        scores = self.scores(X)
        grades = np.asarray(self.profile.grades, dtype=object)
        columns = {
            "score": scores,
            "probability_of_bad": self.probability(scores),
            "grade": grades[np.searchsorted(self.profile.grade_cuts, scores, side="right")],
        }
        return pd.DataFrame(columns, index=getattr(X, "index", None))

    def explain(self, X: Rows) -> pd.DataFrame:
        """Points of each characteristic and pair beside ``base``; a row's sum is its score, exactly.

        Points less their mean over a background are the interventional SHAP values of the score, exactly, since the
        score is a sum of terms (a pair is one: two columns that move together): no sampling, no approximation.

        Examples
        --------
        >>> from credit_model.scorecard.bins import NumericBins
        >>> from credit_model.scorecard.characteristic import Attribute, Characteristic
        >>> from credit_model.scorecard.scale import load_profile
        >>> attributes = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -26, -40, 0))
        >>> records = Characteristic("adverse_24m", NumericBins((0.5, 1.5), whole=True), attributes, reference=0)
        >>> card = Card("demo", load_profile("zhejiang_1000"), (records,), ProbabilityMap((700, 800), (3.0, 5.0)))
        >>> background, row = {"adverse_24m": [0, 0, 0, 1]}, {"adverse_24m": [2]}
        >>> shap_values = card.explain(row) - card.explain(background).mean()  # of ``base`` it is 0
        >>> shap_values["adverse_24m"].tolist()
        [-33.5]
        """
        import pandas as pd

        self._check_columns(X)
        columns = {"base": np.full(_rows(X), self.base, dtype=np.int32)}
        columns |= dict(zip(self.terms, self._points(X), strict=True))
        return pd.DataFrame(columns, index=getattr(X, "index", None))

    def table(self) -> pd.DataFrame:
        """Return the printable card: one row an attribute, with points, WOE, development share and bad rate."""
        import pandas as pd

        rows: list[tuple[object, ...]] = []
        for c in self.characteristics:
            texts = zip(c.attribute_labels("zh"), c.attribute_labels("en"), strict=True)
            for number, ((zh, en), a) in enumerate(zip(texts, c.attributes, strict=True)):
                if number == c.bins.missing and c.is_never_missing:
                    continue
                row = (c.name, c.label_zh, c.label_en, c.reason, zh, en, a.points, a.woe, a.share, a.bad_rate)
                rows.append((*row, number == c.reference, c.policy is not None))
        for p in self.pairs:
            rows += [(*row, None, None, None, False, False) for row in p.rows(self.parts(p.name))]
        return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))

    # ------------------------------------------------------------------ arithmetic, one row

    def score_one(self, values: Mapping[str, object]) -> ScoredRow:
        """Score one row, with reasons: the same integers and the same probability as in a batch.

        Parameters
        ----------
        values : mapping
            One value for each of ``card.columns``; ``None`` and NaN are missing. ``subject_id`` and ``as_of`` may
            stand beside them.
        """
        if values.keys() != self._column_set:
            check_names(list(values), self.columns, "the row")
        names, numeric, categorical, tables, grids = self._compiled
        numbers = numbers_of([values[name] for name in names], names)
        at = [0] * len(self.columns)
        for (place, cuts, attributes, missing), number in zip(numeric, numbers, strict=True):
            at[place] = attributes[bisect_left(cuts, number)] if number == number else missing
        for place, bins, name in categorical:
            at[place] = bins.index_of(category_of(values[name], name))
        points = [table[attribute] for table, attribute in zip(tables, at, strict=True)]
        points += [grid[at[first]][at[second]] for first, second, grid in grids]
        score = self.base + sum(points)
        reasons, positives = (
            tuple(self._reason(place, values, points[place]) for place in some) for some in rank(points)
        )
        return ScoredRow(
            score, self._probability_by_score[score - self.least], self.profile.grade(score), reasons, positives,
            self.base, dict(zip(self.terms, points, strict=True)),
        )  # fmt: skip

    # ------------------------------------------------------------------ what it promises

    def monotone_faults(self) -> tuple[str, ...]:
        """Return why one more adverse record might raise a score, or a positive one lower it; empty when proven.

        Every feature must be record-monotone by its definition, and its points, together with those of its pairs, must
        fall (or rise) with the value as the definition's trend says, whatever the other column of a pair holds. A sum
        of such terms, mapped by a rising map, is record-monotone.
        """
        return monotone_faults(self.characteristics, self.pairs)

    def at_bad_rate(self, rate: float, was: float | None = None) -> Card:
        """Return the same card where another share is bad: odds change by one factor, no score and no order does.

        Parameters
        ----------
        rate : float
            Share of bads where the card is to be used.
        was : float, optional
            Share of bads it was made for; default: that of its development sample.

        Notes
        -----
        Bayes' rule with another prior: log-odds good : bad move by ``ln((1-rate)/rate) - ln((1-was)/was)``.
        """
        former_rate = self.provenance.get("development", {}).get("bad_rate") if was is None else was
        if former_rate is None or not 0 < former_rate < 1 or not 0 < rate < 1:
            raise UserError("at_bad_rate: the rate and the one the card was made for must lie between 0 and 1")
        shift = math.log((1 - rate) / rate) - math.log((1 - former_rate) / former_rate)
        change = {"bad_rate": {"was": former_rate, "is": rate}}
        provenance = {**self.provenance, **change}
        return replace(self, probabilities=self.probabilities.shifted(shift), provenance=provenance, golden=())

    # ------------------------------------------------------------------ the document

    def to_json(self) -> str:
        """Return the card as JSON text, with its digests."""
        return seal(self._content())

    def save(self, path: str | Path) -> Path:
        """Write the card; returns the path."""
        path = Path(path)
        path.write_text(self.to_json(), encoding="utf-8", newline="\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read a card from a file; see :meth:`from_json`."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CardError(f"cannot read the card {path}: {error}") from None
        try:
            return cls.from_json(text)
        except CardError as error:
            raise CardError(f"{path}: {error}", error.faults) from None

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card from its text.

        Raises
        ------
        CardError
            It was altered (what was, is named), is of a newer form, was made for another feature kernel, or does not
            give its golden rows the scores it says.
        """
        content = unseal(text)
        if content.get("schema") not in (1, SCHEMA):
            reads = f"this version of the package reads 1 to {SCHEMA}"
            raise CardError(f"the card has form {content.get('schema')!r}, {reads}")
        check_kernel(content.get("kernel_version"))
        try:
            return cls(
                name=content["name"],
                profile=Profile.from_dict(content["profile"]),
                characteristics=tuple(Characteristic.from_dict(table) for table in content["characteristics"]),
                probabilities=ProbabilityMap.from_dict(content["probabilities"]),
                kernel_version=content["kernel_version"],
                provenance=content["provenance"],
                golden=tuple(GoldenRow(tuple(row.pop("values")), **row) for row in content["golden"]),
                pairs=tuple(Pair.from_dict(table) for table in (content["pairs"] if content["schema"] > 1 else ())),
            )
        except UserError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise CardError(f"the card is incomplete or has unknown keys: {error}") from None

    def _content(self) -> JsonObject:
        content = {
            "schema": SCHEMA if self.pairs else 1,
            "name": self.name,
            "kernel_version": self.kernel_version,
            "profile": self.profile.to_dict(),
            "characteristics": [c.to_dict(self.kernel_version) for c in self.characteristics],
            "probabilities": self.probabilities.to_dict(),
            "golden": [{**vars(row), "values": list(row.values)} for row in self.golden],
            "provenance": dict(self.provenance),
        }
        return content | ({"pairs": [pair.to_dict() for pair in self.pairs]} if self.pairs else {})

    # ------------------------------------------------------------------ checks

    @cached_property
    def _column_set(self) -> frozenset[str]:
        return frozenset(self.columns)

    @cached_property
    def _compiled(self) -> _Lookup:
        """What one row is looked up in."""
        numeric: list[_Numeric] = []
        categorical: list[tuple[int, CategoricalBins, str]] = []
        for place, c in enumerate(self.characteristics):
            if isinstance(c.bins, NumericBins):
                numeric.append((place, *c.bins.steps, c.bins.missing))
            else:
                categorical.append((place, c.bins, c.name))
        at = self.columns.index
        grids = [(at(pair.first), at(pair.second), pair.points) for pair in self.pairs]
        tables = [c.points for c in self.characteristics]
        return [self.columns[place] for place, *_ in numeric], numeric, categorical, tables, grids

    def _points(self, X: Rows) -> Iterator[npt.NDArray[np.int32]]:
        """Points of each term, one after the other; attributes are kept only where a pair needs them again."""
        attributes = {}
        in_pairs = {name for pair in self.pairs for name in (pair.first, pair.second)}
        for c in self.characteristics:
            at = attributes_of(c.bins, X[c.name], c.name)
            if c.name in in_pairs:
                attributes[c.name] = at
            yield c.points_at(at)
        for pair in self.pairs:
            yield pair.points_at(attributes[pair.first], attributes[pair.second])

    def _reason(self, place: int, values: Mapping[str, object], points: int) -> CardReason:
        if place < len(self.columns):
            return self.characteristics[place].reason_for(values[self.columns[place]], points)
        pair = self.pairs[place - len(self.columns)]
        return pair.reason_for(self.parts(pair.name), [values[pair.first], values[pair.second]], points)

    def _check_columns(self, X: Rows) -> None:
        names = column_names(X)
        if len(names) != len(self.columns) or set(names) != self._column_set:
            check_names(names, self.columns, "the frame")

    def _golden_row(self, row: int) -> GoldenRow:
        """Return an invented row: attribute ``row`` of every characteristic, then steps of different sizes."""
        values = tuple(
            c.example((row * (1 + place % 3) + place) % c.bins.count) for place, c in enumerate(self.characteristics)
        )
        scored = self.score_one(dict(zip(self.columns, values, strict=True)))
        return GoldenRow(values, scored.score, scored.probability_of_bad)

    def _faults(self) -> list[str]:
        faults = []
        twice = [name for name in self.columns if self.columns.count(name) > 1]
        if twice:
            faults.append(f"characteristics given twice: {', '.join(sorted(set(twice)))}")
        reserved = sorted(self._column_set & {*IGNORED, "base"})
        if reserved:
            faults.append(f"a characteristic cannot be called {', '.join(reserved)}: the name has a meaning of its own")
        faults += [fault for pair in self.pairs for fault in pair.faults({c.name: c for c in self.characteristics})]
        if len(set(self.terms)) < len(self.terms) and not twice:
            faults.append("a pair is given twice, or is called like a column")
        if faults:
            return faults
        addable = self.greatest - self.base
        if addable > self.profile.addable_points:
            faults.append(
                f"{addable} points can be added above the reference row, at most {self.profile.addable_points} may be"
            )
        if self.base - self.least > self.profile.removable_points:
            faults.append(f"a score of {self.least} is possible, the least of the profile is {self.profile.least}")
        return faults

    def _golden_faults(self) -> list[str]:
        faults = []
        for number, row in enumerate(self.golden, start=1):
            scored = self.score_one(dict(zip(self.columns, row.values, strict=False)))
            if scored.score != row.score:
                faults.append(f"golden row {number} should score {row.score}, it scores {scored.score}")
            elif abs(scored.probability_of_bad - row.probability_of_bad) > _SAME_PROBABILITY:
                faults.append(f"golden row {number} has another probability than {row.probability_of_bad!r}")
        return faults


def _rows(X: Rows) -> int:
    return len(next(iter(X.values()), ())) if isinstance(X, Mapping) else len(X)
