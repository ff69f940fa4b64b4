"""Shared by every test: one hypothesis profile, and the deep runs behind ``--soak``."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Before any import of mlflow: tests speak to nobody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile(
    "tests", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the deep tests too (make soak)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deep runs are left out of a usual run altogether (deselected, not skipped)."""
    if config.getoption("--soak"):
        return
    deep = [item for item in items if item.get_closest_marker("soak")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
