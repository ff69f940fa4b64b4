"""How good a card is and how far to trust it: measures with intervals, an evaluation as a value.

In: scored out-of-time rows. Out: an ``EvaluationReport`` and its gates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Attribution": "challenger",
        "Challenger": "challenger",
        "Estimate": "performance",
        "EvaluationReport": "report",
        "FIFTHS": "challenger",
        "Gate": "report",
        "auc": "performance",
        "brier": "calibration",
        "brier_difference": "differences",
        "calibration_line": "calibration",
        "cumulative_curve": "performance",
        "evaluate": "report",
        "gini": "performance",
        "gini_difference": "differences",
        "holm": "calibration",
        "jeffreys": "calibration",
        "ks": "performance",
        "log_loss": "calibration",
        "log_loss_difference": "differences",
        "observed_to_expected": "calibration",
        "observed_to_expected_limit": "calibration",
        "rough_error": "performance",
        "slope_difference": "differences",
        "soft_gini": "performance",
        "soft_gini_difference": "differences",
        "soft_gini_ratio": "differences",
    },
)

if TYPE_CHECKING:
    from credit_model.evaluation.calibration import brier as brier
    from credit_model.evaluation.calibration import calibration_line as calibration_line
    from credit_model.evaluation.calibration import holm as holm
    from credit_model.evaluation.calibration import jeffreys as jeffreys
    from credit_model.evaluation.calibration import log_loss as log_loss
    from credit_model.evaluation.calibration import observed_to_expected as observed_to_expected
    from credit_model.evaluation.calibration import observed_to_expected_limit as observed_to_expected_limit
    from credit_model.evaluation.challenger import FIFTHS as FIFTHS
    from credit_model.evaluation.challenger import Attribution as Attribution
    from credit_model.evaluation.challenger import Challenger as Challenger
    from credit_model.evaluation.differences import brier_difference as brier_difference
    from credit_model.evaluation.differences import gini_difference as gini_difference
    from credit_model.evaluation.differences import log_loss_difference as log_loss_difference
    from credit_model.evaluation.differences import slope_difference as slope_difference
    from credit_model.evaluation.differences import soft_gini_difference as soft_gini_difference
    from credit_model.evaluation.differences import soft_gini_ratio as soft_gini_ratio
    from credit_model.evaluation.performance import Estimate as Estimate
    from credit_model.evaluation.performance import auc as auc
    from credit_model.evaluation.performance import cumulative_curve as cumulative_curve
    from credit_model.evaluation.performance import gini as gini
    from credit_model.evaluation.performance import ks as ks
    from credit_model.evaluation.performance import rough_error as rough_error
    from credit_model.evaluation.performance import soft_gini as soft_gini
    from credit_model.evaluation.report import EvaluationReport as EvaluationReport
    from credit_model.evaluation.report import Gate as Gate
    from credit_model.evaluation.report import evaluate as evaluate
