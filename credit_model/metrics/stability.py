"""Values of a comparison of a population with the reference of a card: what has moved, and by how much.

In: nothing; `credit_model.monitoring.stability.compare` computes them. Out: a `Stability`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credit_model.foundation.frames import frame_of
from credit_model.metrics.performance import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Share:
    """Share of people in one frozen cell, then and now; None where it stands for fewer than ten people."""

    label_en: str
    label_zh: str
    then: float | None
    now: float | None


@dataclass(frozen=True)
class Movement:
    """One distribution now and in the reference.

    Attributes
    ----------
    kind : str
        ``grades``, ``tail`` (scores of people off the reference), ``with_record``, ``off_reference``,
        ``characteristic`` (or pair), ``missing`` or ``unseen``.
    name, label_en, label_zh : str
        Of the characteristic or pair, else empty.
    value, limit : float or None
        PSI, and the limit above which it has moved.
    moved : bool
    then, now : float or None
        Share of people off the reference attribute (of a characteristic), or that the movement is about.
    points : Estimate or None
        How far this characteristic has moved the mean score.
    shares : tuple of Share
        By cell.
    """

    kind: str
    name: str
    label_en: str
    label_zh: str
    value: float | None
    limit: float | None
    moved: bool
    then: float | None = None
    now: float | None = None
    points: Estimate | None = None
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class Stability:
    """A population against a reference; ``movements`` are in the order of the card, the score's own first."""

    reference_digest: str
    days_then: tuple[str, ...]
    days_now: tuple[str, ...]
    people_then: int
    people_now: int
    mean_score_then: float
    mean_score_now: float
    mean_probability_then: float
    mean_probability_now: float
    expected_auc_then: float | None
    expected_auc_now: Estimate
    movements: tuple[Movement, ...]

    @property
    def out_of_limit(self) -> tuple[Movement, ...]:
        """Return the movements beyond their limits."""
        return tuple(movement for movement in self.movements if movement.moved)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a movement, without its cells."""
        return frame_of(self.movements)
