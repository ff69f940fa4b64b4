"""A characteristic of a card: its bins, the points and evidence of each attribute, and its reason.

In: bins, attributes, a definition or none. Out: points, texts, a reason; the document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from credit_model.foundation.json_values import JsonObject
from credit_model.scorecard.bins import Attributes, Bins, CategoricalBins, NumericBins, Value, attributes_of
from credit_model.scorecard.columns import Column, category_of, numbers_of
from credit_model.scorecard.document import CardError
from credit_model.scorecard.reasons import MISSING, NOTHING, CardReason, close, say, statement

if TYPE_CHECKING:
    from credit_model.features.definition import FeatureDefinition


@dataclass(frozen=True)
class Attribute:
    """One attribute of a characteristic: its points, WOE, and share and bad rate in the development sample."""

    points: int
    woe: float
    share: float
    bad_rate: float | None


@dataclass(frozen=True)
class Policy:
    """Who approved points that were set rather than learned, and on what ground."""

    approver: str
    ground: str


@dataclass(frozen=True)
class Characteristic:
    """A predictor of the card: its bins, the points of each attribute, and the attribute of the reference row.

    Parameters
    ----------
    name : str
        Name of the column it reads.
    bins : NumericBins or CategoricalBins
    attributes : tuple of Attribute
        One for each attribute of the bins, in their order.
    reference : int
        Number of the attribute that points are stated against; its points are 0.
    direction : int
        +1 where a greater value means more risk, -1 where it means less, 0 where nothing is said.
    weight : float
        Coefficient of the WOE, calibration included; 0 where points are policy.
    policy : Policy, optional
        Given where points were set, not learned.
    definition : FeatureDefinition, optional
        How the value is computed from records; none for a raw column.
    """

    name: str
    bins: Bins
    attributes: tuple[Attribute, ...]
    reference: int
    direction: int = 0
    weight: float = 0.0
    policy: Policy | None = None
    definition: FeatureDefinition | None = None

    def __post_init__(self) -> None:
        faults = []
        if len(self.attributes) != self.bins.count:
            faults.append(f"{self.bins.count} attributes are needed, {len(self.attributes)} are given")
        elif not 0 <= self.reference < self.bins.count or self.attributes[self.reference].points:
            faults.append("the reference must be one of the attributes, and have 0 points")
        if any(type(a.points) is not int for a in self.attributes):
            faults.append("points must be whole numbers")
        if self.definition is not None and self.definition.name != self.name:
            faults.append(f"its definition is called {self.definition.name!r}")
        if faults:
            raise CardError(f"characteristic {self.name!r} cannot be used: " + "; ".join(faults), tuple(faults))

    @property
    def label_zh(self) -> str:
        """What it is called, in Chinese."""
        return self.definition.label_zh if self.definition else self.name

    @property
    def label_en(self) -> str:
        """What it is called, in English."""
        return self.definition.label_en if self.definition else self.name

    @property
    def reason(self) -> str:
        """Code of the reason it gives."""
        return (self.definition.reason if self.definition else "") or self.name

    @property
    def is_never_missing(self) -> bool:
        """Whether its definition gives a number to every subject, "nothing on record" included."""
        return self.definition is not None and not self.definition.missing

    @cached_property
    def points(self) -> tuple[int, ...]:
        """Points by attribute."""
        return tuple(a.points for a in self.attributes)

    def attribute_labels(self, lang: str = "en") -> tuple[str, ...]:
        """Return what people read of its attributes; a missing value may mean that nothing is on record."""
        labels = self.bins.labels(lang)
        return (*labels[:-1], NOTHING[lang]) if self.definition and self.definition.missing else labels

    def points_of(self, column: Column) -> npt.NDArray[np.int32]:
        """Points of each value of a caller's column."""
        return self.points_at(attributes_of(self.bins, column, self.name))

    def points_at(self, attributes: Attributes) -> npt.NDArray[np.int32]:
        """Points of rows, from the attribute each has."""
        return np.asarray(self.points, dtype=np.int32).take(attributes)

    def label(self, lang: str) -> str:
        """Return its name."""
        return self.label_zh if lang == "zh" else self.label_en

    def describe(self, value: object, lang: str) -> str:
        """Return a caller's value as people read it."""
        parsed: Value
        if isinstance(self.bins, NumericBins):
            number = numbers_of([value], [self.name])[0]
            parsed = None if number != number else number
        else:
            parsed = category_of(value, self.name)
        missing = NOTHING if self.definition and self.definition.missing else MISSING
        return say(parsed, missing[lang])

    def reason_for(self, value: object, points: int) -> CardReason:
        """Return the reason that a value and its points give."""
        zh, en = (
            close(statement(self.label(lang), self.describe(value, lang), lang), points, lang) for lang in ("zh", "en")
        )
        return CardReason(self.reason, self.name, points, zh, en)

    def is_ordered(self, direction: int) -> bool:
        """Return whether points never rise with the value (direction +1), or never fall with it (-1)."""
        if isinstance(self.bins, CategoricalBins):
            return False
        return all((high - low) * direction <= 0 for low, high in pairwise(self.points[: self.bins.intervals]))

    def example(self, attribute: int) -> Value:
        """Return an invented value of an attribute; of an interval, its upper end."""
        if attribute == self.bins.missing:
            return None
        if isinstance(self.bins, CategoricalBins):
            return "-" if attribute == self.bins.other else self.bins.groups[attribute][0]
        if attribute < len(self.bins.cuts):
            return self.bins.cuts[attribute]
        if attribute >= self.bins.intervals:
            return self.bins.special[attribute - self.bins.intervals]
        return float(np.float32(2 * abs(self.bins.cuts[-1]) + 1)) if self.bins.cuts else 0.0

    def of_kernel(self, version: int | None) -> Characteristic:
        """Return the characteristic with a definition that says what it meant to a version of the feature kernel."""
        if self.definition is None:
            return self
        from credit_model.features.definition import with_meaning_of

        return replace(self, definition=with_meaning_of(self.definition, version))

    def to_dict(self, kernel_version: int | None = None) -> JsonObject:
        """Plain values for JSON, as that version of the feature kernel wrote them."""
        table: dict[str, Any] = {"name": self.name, **self.bins.to_dict(), "reference": self.reference}
        table |= {"direction": self.direction, "weight": self.weight}
        table["attributes"] = [vars(a) for a in self.attributes]
        if self.policy:
            table["policy"] = vars(self.policy)
        if self.definition:
            table["definition"] = self.definition.to_dict()
            if kernel_version == 1:  # which had no such key
                table["definition"].pop("per", None)
        return table

    @classmethod
    def from_dict(cls, table: JsonObject) -> Characteristic:
        """Read what :meth:`to_dict` wrote."""
        rest = dict(table)
        bins: Bins
        if "groups" in rest:
            bins = CategoricalBins(tuple(tuple(group) for group in rest.pop("groups")))
        else:
            special = tuple(map(float, rest.pop("special", ())))
            bins = NumericBins(tuple(map(float, rest.pop("cuts"))), rest.pop("whole"), special)
        attributes = tuple(Attribute(**a) for a in rest.pop("attributes"))
        policy, definition = rest.pop("policy", None), rest.pop("definition", None)
        if definition is not None:
            from credit_model.features.definition import FeatureDefinition

            definition = FeatureDefinition.from_dict(definition)
        return cls(
            bins=bins,
            attributes=attributes,
            policy=None if policy is None else Policy(**policy),
            definition=definition,
            **rest,
        )


@dataclass(frozen=True)
class GoldenRow:
    """A made-up row with the score and probability the card gave it when it was made; checked at every load."""

    values: tuple[Value, ...]
    score: int
    probability_of_bad: float
