"""The door for MLflow's loader: a folder that holds a card becomes something that predicts.

``mlflow.pyfunc.load_model`` imports this module by name and calls :func:`_load_pyfunc` with the folder the card was
logged in. Nothing here imports mlflow, so the same code opens a card where MLflow is not installed. What comes back
answers feature rows and knows nothing of people: the gates of an assessment (who may be scored, for which purpose)
are in :mod:`credit_model.assessment`.

In: a card file or its folder.
Out: a :class:`~credit_model.scorecard.card.Card`, or an object with ``predict``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_model.foundation.errors import UserError
from credit_model.scorecard.card import Card

if TYPE_CHECKING:
    import pandas as pd

CARD_FILE = "card.json"
LOADER = __name__  # what MLflow keeps as the loader of a registered card


def open_card(source: str | Path) -> Card:
    """Return the card in a file, or in a folder that holds ``card.json``."""
    path = Path(source)
    if path.is_dir():
        path = path / CARD_FILE
    if not path.is_file():
        raise UserError(
            f"no card at {path}. Give a card's JSON file, the folder that holds its {CARD_FILE}, or a registry URI "
            "such as models:/personal-credit@champion."
        )
    return Card.load(path)


class CardModel:
    """A card behind the ``predict`` that MLflow calls."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows of features: columns ``score``, ``probability_of_bad``, ``grade``; ``params`` are not used."""
        return self.card.score(model_input)


def _load_pyfunc(path: str) -> CardModel:
    """Return the model MLflow asks for; ``path`` is the folder the card was logged in."""
    return CardModel(open_card(path))
