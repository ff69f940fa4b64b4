"""What can be measured of scores and outcomes: pure functions on arrays, each with its interval, purpose and limits.

In: arrays of equal length, one row an observation. Out: `Estimate`, test results, small tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Estimate": "performance",
        "FEWEST_BADS": "performance",
        "Groups": "shares",
        "SMALLEST_CELL": "performance",
        "Shares": "shares",
        "Significance": "reliability",
        "UNDEFINED": "performance",
        "auc": "performance",
        "average_precision": "detection",
        "brier": "calibration",
        "brier_difference": "differences",
        "brier_parts": "reliability",
        "calibration_line": "calibration",
        "cumulative_curve": "performance",
        "effective_counts": "calibration",
        "expected_calibration_error": "reliability",
        "gap_estimate": "shares",
        "gini": "performance",
        "gini_difference": "differences",
        "holm": "calibration",
        "hosmer_lemeshow": "reliability",
        "integrated_calibration_index": "reliability",
        "jeffreys": "calibration",
        "ks": "performance",
        "lift": "detection",
        "log_loss": "calibration",
        "log_loss_difference": "differences",
        "observed_to_expected": "calibration",
        "observed_to_expected_limit": "calibration",
        "odds_line": "reliability",
        "ratio_estimate": "shares",
        "rough_error": "performance",
        "share_estimate": "shares",
        "slope_difference": "differences",
        "soft_gini": "performance",
        "soft_gini_difference": "differences",
        "soft_gini_ratio": "differences",
        "spiegelhalter": "reliability",
    },
)

if TYPE_CHECKING:
    from credit_model.measures.calibration import brier as brier
    from credit_model.measures.calibration import calibration_line as calibration_line
    from credit_model.measures.calibration import effective_counts as effective_counts
    from credit_model.measures.calibration import holm as holm
    from credit_model.measures.calibration import jeffreys as jeffreys
    from credit_model.measures.calibration import log_loss as log_loss
    from credit_model.measures.calibration import observed_to_expected as observed_to_expected
    from credit_model.measures.calibration import observed_to_expected_limit as observed_to_expected_limit
    from credit_model.measures.detection import average_precision as average_precision
    from credit_model.measures.detection import lift as lift
    from credit_model.measures.differences import brier_difference as brier_difference
    from credit_model.measures.differences import gini_difference as gini_difference
    from credit_model.measures.differences import log_loss_difference as log_loss_difference
    from credit_model.measures.differences import slope_difference as slope_difference
    from credit_model.measures.differences import soft_gini_difference as soft_gini_difference
    from credit_model.measures.differences import soft_gini_ratio as soft_gini_ratio
    from credit_model.measures.performance import FEWEST_BADS as FEWEST_BADS
    from credit_model.measures.performance import SMALLEST_CELL as SMALLEST_CELL
    from credit_model.measures.performance import UNDEFINED as UNDEFINED
    from credit_model.measures.performance import Estimate as Estimate
    from credit_model.measures.performance import auc as auc
    from credit_model.measures.performance import cumulative_curve as cumulative_curve
    from credit_model.measures.performance import gini as gini
    from credit_model.measures.performance import ks as ks
    from credit_model.measures.performance import rough_error as rough_error
    from credit_model.measures.performance import soft_gini as soft_gini
    from credit_model.measures.reliability import Significance as Significance
    from credit_model.measures.reliability import brier_parts as brier_parts
    from credit_model.measures.reliability import expected_calibration_error as expected_calibration_error
    from credit_model.measures.reliability import hosmer_lemeshow as hosmer_lemeshow
    from credit_model.measures.reliability import integrated_calibration_index as integrated_calibration_index
    from credit_model.measures.reliability import odds_line as odds_line
    from credit_model.measures.reliability import spiegelhalter as spiegelhalter
    from credit_model.measures.shares import Groups as Groups
    from credit_model.measures.shares import Shares as Shares
    from credit_model.measures.shares import gap_estimate as gap_estimate
    from credit_model.measures.shares import ratio_estimate as ratio_estimate
    from credit_model.measures.shares import share_estimate as share_estimate
