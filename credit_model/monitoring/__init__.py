"""Whether a card is still used on the world it was made for: what has moved since, by how much, and why.

In: a card, its reference, a ledger, a day. Out: a ``Monitoring`` and its alarms in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ALARM_FLOOR": "drift",
        "ALARM_LEVEL": "drift",
        "Alarm": "wording",
        "Cells": "reference",
        "Episode": "intake",
        "Intake": "intake",
        "Migration": "wording",
        "Monitoring": "wording",
        "Movement": "stability",
        "REFERENCE_FILE": "reference",
        "Realised": "realised",
        "Reference": "reference",
        "ReferenceFault": "reference",
        "Reversal": "drift",
        "Share": "stability",
        "Shift": "drift",
        "Snapshot": "reference",
        "Stability": "stability",
        "TAIL_FLOOR": "drift",
        "Turned": "realised",
        "alarms_of": "wording",
        "compare": "stability",
        "episodes_of": "intake",
        "expected_auc": "drift",
        "intake_of": "intake",
        "monitor": "month",
        "order_reversals": "drift",
        "points_shift": "drift",
        "psi": "drift",
        "psi_limit": "drift",
        "quiet": "wording",
        "realised_of": "realised",
    },
)

if TYPE_CHECKING:
    from credit_model.monitoring.drift import ALARM_FLOOR as ALARM_FLOOR
    from credit_model.monitoring.drift import ALARM_LEVEL as ALARM_LEVEL
    from credit_model.monitoring.drift import TAIL_FLOOR as TAIL_FLOOR
    from credit_model.monitoring.drift import Reversal as Reversal
    from credit_model.monitoring.drift import Shift as Shift
    from credit_model.monitoring.drift import expected_auc as expected_auc
    from credit_model.monitoring.drift import order_reversals as order_reversals
    from credit_model.monitoring.drift import points_shift as points_shift
    from credit_model.monitoring.drift import psi as psi
    from credit_model.monitoring.drift import psi_limit as psi_limit
    from credit_model.monitoring.intake import Episode as Episode
    from credit_model.monitoring.intake import Intake as Intake
    from credit_model.monitoring.intake import episodes_of as episodes_of
    from credit_model.monitoring.intake import intake_of as intake_of
    from credit_model.monitoring.month import monitor as monitor
    from credit_model.monitoring.realised import Realised as Realised
    from credit_model.monitoring.realised import Turned as Turned
    from credit_model.monitoring.realised import realised_of as realised_of
    from credit_model.monitoring.reference import REFERENCE_FILE as REFERENCE_FILE
    from credit_model.monitoring.reference import Cells as Cells
    from credit_model.monitoring.reference import Reference as Reference
    from credit_model.monitoring.reference import ReferenceFault as ReferenceFault
    from credit_model.monitoring.reference import Snapshot as Snapshot
    from credit_model.monitoring.stability import Movement as Movement
    from credit_model.monitoring.stability import Share as Share
    from credit_model.monitoring.stability import Stability as Stability
    from credit_model.monitoring.stability import compare as compare
    from credit_model.monitoring.wording import Alarm as Alarm
    from credit_model.monitoring.wording import Migration as Migration
    from credit_model.monitoring.wording import Monitoring as Monitoring
    from credit_model.monitoring.wording import alarms_of as alarms_of
    from credit_model.monitoring.wording import quiet as quiet
