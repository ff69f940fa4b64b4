"""The card in service and its successor: loaded, checked, swapped in; a failure leaves the old one in place.

In: a registry URI (or the path of a card), a ledger. Out: what is served now; why the newest could not be.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from credit_model.foundation.errors import UserError
from credit_model.registry.versions import load_evaluator
from credit_model.scorecard.bins import NumericBins

if TYPE_CHECKING:
    from credit_model.assessment.evaluator import Evaluator
    from credit_model.ledger.ledger import Ledger
    from credit_model.scorecard.card import Card
    from credit_model.scorecard.characteristic import Characteristic
    from credit_model.service.feature_rows import FeatureColumn

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+))?.*")


@dataclass(frozen=True)
class ServedCard:
    """A card in service. ``cannot_assess`` says why it scores rows only; empty where it assesses people too."""

    evaluator: Evaluator
    loaded_at: datetime
    cannot_assess: str = ""

    @property
    def card(self) -> Card:
        """The card."""
        return self.evaluator.card

    def identity(self) -> dict[str, str | int | None]:
        """Return what every answer says of its card."""
        return {
            "card_id": self.card.id,
            "card_digest": self.card.digest,
            "card_version": self.evaluator.version,
        }


class ServedModel:
    """The card a source resolves to, followed as its alias moves.

    Parameters
    ----------
    source : str
        Registry URI, or the path of a card.
    ledger : Ledger
        What people are assessed from.
    """

    def __init__(self, source: str, ledger: Ledger) -> None:
        self.source, self.ledger = source, ledger
        self.current: ServedCard | None = None
        self.problem = ""
        self.checked_at: datetime | None = None
        self._checking = threading.Lock()

    @property
    def registered(self) -> tuple[str | None, str | None]:
        """Name and alias in the registry, as far as the source says."""
        match = _URI.fullmatch(self.source)
        return (match["name"], match["alias"]) if match else (None, None)

    def check(self) -> bool:
        """Load what the source resolves to now; return whether another card answers from here on.

        Requests in flight end with the card they began with. Whatever goes wrong is stated in ``problem`` and changes
        nothing else.
        """
        with self._checking:
            try:
                evaluator = load_evaluator(self.source, ledger=self.ledger)
                is_new = self.current is None or _identity(evaluator) != _identity(self.current.evaluator)
                if is_new:
                    self.current = self._prove(evaluator)
                self.problem = ""
            except UserError as error:
                is_new, self.problem = False, str(error)
            except Exception as error:  # an unforeseen text may hold anything: the kind is enough
                is_new, self.problem = False, f"{self.source} could not be loaded ({type(error).__name__})."
            self.checked_at = datetime.now(UTC)
        return is_new

    def keep_checking(self, seconds: float, stop: threading.Event) -> None:
        """Check again and again until ``stop`` is set."""
        while not stop.wait(seconds):
            self.check()

    def _prove(self, evaluator: Evaluator) -> ServedCard:
        """Check that a card scores its golden rows in a batch, as it will answer; loading checked them singly."""
        card = evaluator.card
        if not card.characteristics:
            raise UserError(f"card {card.id} has no characteristics, everybody would score the same; it is not served.")
        rows = [row.values for row in card.golden]
        columns = {c.name: _column(c, [row[place] for row in rows]) for place, c in enumerate(card.characteristics)}
        if card.scores(columns).tolist() != [row.score for row in card.golden]:
            raise UserError(f"card {card.id} does not give its golden rows their scores in a batch; it is not served.")
        try:
            evaluator.assess_many([])  # nobody: only whether the card can read this ledger
            reason = ""
        except UserError as error:
            reason = str(error)
            if self.current is not None and not self.current.cannot_assess:
                raise
        return ServedCard(evaluator, datetime.now(UTC), reason)


def _identity(evaluator: Evaluator) -> tuple[str, int | None]:
    return evaluator.card.digest, evaluator.version


def _column(characteristic: Characteristic, values: list[object]) -> FeatureColumn:
    if isinstance(characteristic.bins, NumericBins):
        return np.array(values, dtype=np.float64)
    return [None if value is None else str(value) for value in values]
