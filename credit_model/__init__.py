"""Personal credit evaluation from public credit records.

A city's public credit records go in; features as of a date, an explainable calibrated scorecard, its report and
its versions in MLflow come out. The names below are the public surface. Each is loaded on first use: a bare
``import credit_model`` loads neither numpy nor pandas.

Examples
--------
>>> import credit_model as cm
>>> cm.load_catalogue().kinds["adm_penalty"].polarity
'adverse'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model.foundation.errors import UserError as UserError
from credit_model.foundation.lazy import lazy_exports
from credit_model.foundation.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Assessment": "credit_model.assessment.assessment",
        "AuditSettings": "credit_model.evaluation.fairness_audit",
        "BinEdits": "credit_model.scorecard.bins",
        "BoostedChallenger": "credit_model.learning.challenger",
        "Card": "credit_model.scorecard.card",
        "Evaluator": "credit_model.assessment.evaluator",
        "FeatureDefinition": "credit_model.features.definition",
        "Ledger": "credit_model.ledger.ledger",
        "Outcome": "credit_model.sample.outcome",
        "Reference": "credit_model.monitoring.reference",
        "STATUSES": "credit_model.visibility.tables",
        "ScorecardClassifier": "credit_model.learning.classifier",
        "Snapshot": "credit_model.monitoring.snapshot",
        "UserError": "credit_model.foundation.errors",
        "WoeTransformer": "credit_model.learning.transformer",
        "Y12": "credit_model.sample.outcome",
        "audit_fairness": "credit_model.evaluation.fairness_audit",
        "build_features": "credit_model.features.build",
        "build_sample": "credit_model.sample.development",
        "compare": "credit_model.evaluation.comparison",
        "cutoff_table": "credit_model.evaluation.decisions",
        "eligibility_ratio": "credit_model.evaluation.fairness_rates",
        "evaluate": "credit_model.evaluation.assembly",
        "explain_feature": "credit_model.features.subject_features",
        "feature_grid": "credit_model.features.grid",
        "font_families": "credit_model.texts.fonts",
        "from_days": "credit_model.foundation.calendar",
        "frontier": "credit_model.evaluation.comparison",
        "gini_difference": "credit_model.metrics.differences",
        "library": "credit_model.features.dictionary",
        "load_catalogue": "credit_model.catalogue.catalogue",
        "load_evaluator": "credit_model.registry.versions",
        "load_experiment": "credit_model.experiments.reader",
        "monitor": "credit_model.monitoring.monitor",
        "run": "credit_model.experiments.pipeline",
        "swap_set": "credit_model.evaluation.past_decisions",
        "synthesise": "credit_model.synthetic.city",
        "to_day": "credit_model.foundation.calendar",
    },
)

if TYPE_CHECKING:
    from credit_model.assessment.assessment import Assessment as Assessment
    from credit_model.assessment.evaluator import Evaluator as Evaluator
    from credit_model.catalogue.catalogue import load_catalogue as load_catalogue
    from credit_model.evaluation.assembly import evaluate as evaluate
    from credit_model.evaluation.comparison import compare as compare
    from credit_model.evaluation.comparison import frontier as frontier
    from credit_model.evaluation.decisions import cutoff_table as cutoff_table
    from credit_model.evaluation.fairness_audit import AuditSettings as AuditSettings
    from credit_model.evaluation.fairness_audit import audit_fairness as audit_fairness
    from credit_model.evaluation.fairness_rates import eligibility_ratio as eligibility_ratio
    from credit_model.evaluation.past_decisions import swap_set as swap_set
    from credit_model.experiments.pipeline import run as run
    from credit_model.experiments.reader import load_experiment as load_experiment
    from credit_model.features.build import build_features as build_features
    from credit_model.features.definition import FeatureDefinition as FeatureDefinition
    from credit_model.features.dictionary import library as library
    from credit_model.features.grid import feature_grid as feature_grid
    from credit_model.features.subject_features import explain_feature as explain_feature
    from credit_model.foundation.calendar import from_days as from_days
    from credit_model.foundation.calendar import to_day as to_day
    from credit_model.learning.challenger import BoostedChallenger as BoostedChallenger
    from credit_model.learning.classifier import ScorecardClassifier as ScorecardClassifier
    from credit_model.learning.transformer import WoeTransformer as WoeTransformer
    from credit_model.ledger.ledger import Ledger as Ledger
    from credit_model.metrics.differences import gini_difference as gini_difference
    from credit_model.monitoring.monitor import monitor as monitor
    from credit_model.monitoring.reference import Reference as Reference
    from credit_model.monitoring.snapshot import Snapshot as Snapshot
    from credit_model.registry.versions import load_evaluator as load_evaluator
    from credit_model.sample.development import build_sample as build_sample
    from credit_model.sample.outcome import Y12 as Y12
    from credit_model.sample.outcome import Outcome as Outcome
    from credit_model.scorecard.bins import BinEdits as BinEdits
    from credit_model.scorecard.card import Card as Card
    from credit_model.synthetic.city import synthesise as synthesise
    from credit_model.texts.fonts import font_families as font_families
    from credit_model.visibility.tables import STATUSES as STATUSES
