"""Personal credit evaluation from public credit records.

A city's public credit records go in; features as of a date, an explainable calibrated scorecard, its report and
its versions in MLflow come out. The names below are the whole public surface; each is loaded on first use, so
that a bare ``import credit_model`` costs nothing (no numpy, no pandas, no learner).

Examples
--------
>>> import credit_model as cm
>>> cm.load_catalogue().kinds["adm_penalty"].polarity
'adverse'
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"


_LONGEST_LINE = 10_000


class UserError(ValueError):
    """A mistake the caller can mend: one line that says what was done, what was looked at, what is wrong, what next.

    Parameters
    ----------
    message : str
        The one line.
    faults : sequence of str, optional
        Every single fault, when several were found together.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        line = " ".join(str(message).splitlines())  # what is quoted may have lines of its own, and no end
        super().__init__(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …")
        self.faults = tuple(faults)


def lazy_exports(
    package: str, where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make a package's ``__getattr__``, ``__dir__`` and ``__all__`` (PEP 562): public name -> defining submodule.

    A name of another room is told by that room's whole name.
    """

    def __getattr__(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        is_elsewhere = where[name].startswith(f"{__name__}.")
        try:
            return getattr(importlib.import_module(where[name] if is_elsewhere else f"{package}.{where[name]}"), name)
        except ImportError as error:
            from credit_model.foundation.extras import missing_extra

            missing = missing_extra(error, f"{package}.{name}")
            if missing is None:
                raise
            raise missing from None

    return __getattr__, lambda: sorted(where), sorted(where)


__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "load_catalogue": "law",
        "Ledger": "records",
        "synthesise": "city",
        "FeatureDefinition": "features",
        "build_features": "features",
        "explain_feature": "features",
        "Card": "scorecard",
        "ScorecardClassifier": "learner",
        "run": "training",
        "load_evaluator": "registry",
    },
)

if TYPE_CHECKING:
    from credit_model.city import synthesise as synthesise
    from credit_model.features import FeatureDefinition as FeatureDefinition
    from credit_model.features import build_features as build_features
    from credit_model.features import explain_feature as explain_feature
    from credit_model.law import load_catalogue as load_catalogue
    from credit_model.learner import ScorecardClassifier as ScorecardClassifier
    from credit_model.records import Ledger as Ledger
    from credit_model.registry import load_evaluator as load_evaluator
    from credit_model.scorecard import Card as Card
    from credit_model.training import run as run
