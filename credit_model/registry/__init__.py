"""The door to MLflow: runs, registered cards, gates, promotion and its history, the way from a URI to an evaluator.

Nothing else in the package imports mlflow, and this room does so inside its functions, so that reading a card from a
path needs no MLflow at all.

In: a card, figures, files; later a version and an approver, or a URI.
Out: a run id, a version, a promotion, an :class:`~credit_model.assessment.Evaluator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "RegistryError": "store",
        "tracking_uri": "store",
        "DEFAULT_TRACKING_URI": "store",
        "RegisteredVersion": "runs",
        "log_run": "runs",
        "register": "runs",
        "fetch_artifact": "runs",
        "fetch_reference": "reference",
        "DEFAULT_MODEL": "versions",
        "AliasError": "versions",
        "champion": "versions",
        "load_evaluator": "versions",
        "History": "history",
        "HistoryError": "history",
        "Term": "history",
        "Told": "history",
        "served_at": "history",
        "ApprovalError": "promotion",
        "GateError": "promotion",
        "Promotion": "promotion",
        "Recorded": "promotion",
        "promote": "promotion",
        "recorded": "promotion",
        "rollback": "promotion",
    },
)

if TYPE_CHECKING:
    from credit_model.registry.history import History as History
    from credit_model.registry.history import HistoryError as HistoryError
    from credit_model.registry.history import Term as Term
    from credit_model.registry.history import Told as Told
    from credit_model.registry.history import served_at as served_at
    from credit_model.registry.promotion import ApprovalError as ApprovalError
    from credit_model.registry.promotion import GateError as GateError
    from credit_model.registry.promotion import Promotion as Promotion
    from credit_model.registry.promotion import Recorded as Recorded
    from credit_model.registry.promotion import promote as promote
    from credit_model.registry.promotion import recorded as recorded
    from credit_model.registry.promotion import rollback as rollback
    from credit_model.registry.reference import fetch_reference as fetch_reference
    from credit_model.registry.runs import RegisteredVersion as RegisteredVersion
    from credit_model.registry.runs import fetch_artifact as fetch_artifact
    from credit_model.registry.runs import log_run as log_run
    from credit_model.registry.runs import register as register
    from credit_model.registry.store import DEFAULT_TRACKING_URI as DEFAULT_TRACKING_URI
    from credit_model.registry.store import RegistryError as RegistryError
    from credit_model.registry.store import tracking_uri as tracking_uri
    from credit_model.registry.versions import DEFAULT_MODEL as DEFAULT_MODEL
    from credit_model.registry.versions import AliasError as AliasError
    from credit_model.registry.versions import champion as champion
    from credit_model.registry.versions import load_evaluator as load_evaluator
