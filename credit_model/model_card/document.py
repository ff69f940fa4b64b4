"""What the page of a version is made from: kept beside it as JSON, so that every number on it can be looked up.

In: a card, its evaluation, what the history says. Out: a :class:`ModelCard`, JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from credit_model import UserError
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.scorecard.card import Card


@dataclass(frozen=True)
class ModelCard:
    """A registered version with its evidence.

    Parameters
    ----------
    name : str
        Registered model.
    version : int
    author : str
    card : Card
    evaluation : EvaluationReport
    evaluation_digest : str
        As it was registered: an evaluation that a later version of the package reads may hold more sections.
    gates : mapping
        Limits declared before the run.
    terms : sequence of mapping
        When it was in force: ``alias, approver, how, since, until`` (ISO texts; ``until`` None while it lasts).

    Examples
    --------
    >>> from credit_model.scorecard.bins import Attribute, Characteristic, NumericBins
    >>> from credit_model.scorecard.scale import ProbabilityMap, load_profile
    >>> points = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -26, 0))
    >>> only = Characteristic("adverse_24m", NumericBins((0.5,), whole=True), points, reference=0)
    >>> card = Card("demo", load_profile("zhejiang_1000"), (only,), ProbabilityMap((700, 800), (3.0, 5.0)))
    >>> made = ModelCard("personal-credit", 1, "Li Wei", card, EvaluationReport(), EvaluationReport().digest)
    >>> ModelCard.from_json(made.to_json()) == made
    True
    """

    name: str
    version: int
    author: str
    card: Card
    evaluation: EvaluationReport
    evaluation_digest: str
    gates: Mapping[str, Any] = field(default_factory=dict)
    terms: Sequence[Mapping[str, Any]] = ()

    @property
    def stem(self) -> str:
        """Name of its files."""
        return f"{self.name}-v{self.version}"

    def to_json(self) -> str:
        """Everything, as JSON text that is the same for the same version."""
        plain = {
            "schema": 1,
            "name": self.name,
            "version": self.version,
            "author": self.author,
            "gates": dict(self.gates),
            "evaluation_digest": self.evaluation_digest,
            "terms": [dict(term) for term in self.terms],
            "card": json.loads(self.card.to_json()),
            "evaluation": self.evaluation.to_dict(),
        }
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read what `to_json` wrote; the card is verified as wherever it is loaded."""
        try:
            plain = json.loads(text)
            card = Card.from_json(json.dumps(plain["card"]))
            evaluation = EvaluationReport.from_dict(plain["evaluation"])
            told = {key: plain[key] for key in ("name", "version", "author", "evaluation_digest", "gates")}
            return cls(card=card, evaluation=evaluation, terms=tuple(plain["terms"]), **told)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"Cannot read this as the document of a model card ({type(error).__name__}).") from error
