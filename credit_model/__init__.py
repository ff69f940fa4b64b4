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
        "Card": "credit_model.scorecard.card",
        "Evaluator": "credit_model.assessment.evaluator",
        "FeatureDefinition": "credit_model.features.definition",
        "Ledger": "credit_model.ledger.ledger",
        "Outcome": "credit_model.sample.outcome",
        "ScorecardClassifier": "credit_model.learning.classifier",
        "UserError": "credit_model.foundation.errors",
        "WoeTransformer": "credit_model.learning.transformer",
        "build_features": "credit_model.features.build",
        "build_sample": "credit_model.sample.development",
        "compare": "credit_model.evaluation.comparison",
        "evaluate": "credit_model.evaluation.evaluation",
        "explain_feature": "credit_model.features.build",
        "feature_grid": "credit_model.features.grid",
        "library": "credit_model.features.dictionary",
        "load_catalogue": "credit_model.catalogue.catalogue",
        "load_evaluator": "credit_model.registry.versions",
        "run": "credit_model.experiments.pipeline",
        "synthesise": "credit_model.synthetic.city",
    },
)

if TYPE_CHECKING:
    from credit_model.assessment.assessment import Assessment as Assessment
    from credit_model.assessment.evaluator import Evaluator as Evaluator
    from credit_model.catalogue.catalogue import load_catalogue as load_catalogue
    from credit_model.evaluation.comparison import compare as compare
    from credit_model.evaluation.evaluation import evaluate as evaluate
    from credit_model.experiments.pipeline import run as run
    from credit_model.features.build import build_features as build_features
    from credit_model.features.build import explain_feature as explain_feature
    from credit_model.features.definition import FeatureDefinition as FeatureDefinition
    from credit_model.features.dictionary import library as library
    from credit_model.features.grid import feature_grid as feature_grid
    from credit_model.learning.classifier import ScorecardClassifier as ScorecardClassifier
    from credit_model.learning.transformer import WoeTransformer as WoeTransformer
    from credit_model.ledger.ledger import Ledger as Ledger
    from credit_model.registry.versions import load_evaluator as load_evaluator
    from credit_model.sample.development import build_sample as build_sample
    from credit_model.sample.outcome import Outcome as Outcome
    from credit_model.scorecard.card import Card as Card
    from credit_model.synthetic.city import synthesise as synthesise
