"""Shared by every test: one hypothesis profile, the deep runs behind ``--soak``, and what a machine must have.

A test marked ``needs("chromium")`` is left out where that program is missing, and listed at the end as *not run*; with
``CREDIT_MODEL_REQUIRE_ALL`` set, as in continuous integration, it fails instead.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before any import of mlflow: tests speak to nobody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile(
    "tests", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

REQUIRE_ALL = bool(os.environ.get("CREDIT_MODEL_REQUIRE_ALL"))
NOT_RUN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the deep tests too (make soak)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(program): what must be on the machine; without it the test is not run")
    config.stash[NOT_RUN] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deep runs, and tests this machine lacks a program for, are left out altogether (deselected, not skipped)."""
    deep = [] if config.getoption("--soak") else [item for item in items if item.get_closest_marker("soak")]
    unable = [] if REQUIRE_ALL else [item for item in items if missing_programs(item) and item not in deep]
    config.stash[NOT_RUN] += [f"not run: needs {', '.join(missing_programs(item))}: {item.nodeid}" for item in unable]
    if deep or unable:
        config.hook.pytest_deselected(items=deep + unable)
        items[:] = [item for item in items if item not in deep and item not in unable]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if missing := missing_programs(item):
        pytest.fail(f"not run: needs {', '.join(missing)}", pytrace=False)


def missing_programs(item: pytest.Item) -> list[str]:
    """Programs a test is marked to need and this machine does not have."""
    return [name for mark in item.iter_markers("needs") for name in mark.args if shutil.which(name) is None]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its list to the process that writes the summary."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["not_run"] = session.config.stash[NOT_RUN]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[NOT_RUN] += getattr(node, "workeroutput", {}).get("not_run", [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in sorted(set(config.stash[NOT_RUN])):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def city() -> Any:
    """The made city of the tests: 2,000 people of the realistic profile."""
    import credit_model as cm

    return cm.synthesise(profile="R", people=2_000, seed=20261124)


@pytest.fixture(scope="session")
def city_ledger(city: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Its ledger, use windows by tier; made once, so nobody may ingest into it."""
    import credit_model as cm

    ledger = cm.Ledger.create(tmp_path_factory.mktemp("city") / "ledger", policy="tier")
    ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
    return ledger
