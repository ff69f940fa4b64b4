"""The import rules bite: an import that must not be, planted in a copy of the package, turns the check red."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import credit_model as cm

PACKAGE = Path(cm.__file__).parent
PROJECT = PACKAGE.parent
CONTRACTS = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = [layer.split(" | ") for layer in CONTRACTS[0]["layers"]]
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def module_of(package: str, last: bool = False) -> str:
    """Return a module of a package, the first or the last by name."""
    names = sorted(path.stem for path in (PACKAGE / package).glob("*.py") if path.stem != "__init__")
    return f"credit_model.{package}.{names[-1 if last else 0]}"


@dataclass(frozen=True)
class Plant:
    """Lines added at the end of modules, and the contract that must break."""

    name: str
    contract: str
    lines: dict[str, str]

    def __str__(self) -> str:
        return self.name


def at_the_top(target: str) -> str:
    return f"\nimport {target}\n"


def in_a_function(target: str) -> str:
    return f"\ndef _planted():\n    import {target}\n"


def for_a_type(target: str) -> str:
    return f"\nif TYPE_CHECKING:\n    import {target}\n"


def plants() -> Iterator[Plant]:
    """Yield every forbidden import: upwards and sideways between layers, of libraries, directly and through others."""
    forms = (at_the_top, in_a_function, for_a_type)
    for place, (higher, lower) in enumerate(pairwise(LAYERS)):
        form, target = forms[place % 3], module_of(higher[-1])
        yield Plant(f"{lower[0]} imports {higher[-1]}", "Layers", {module_of(lower[0]): form(target)})
    for siblings in (layer for layer in LAYERS if len(layer) > 1):
        one, other = siblings[0], siblings[-1]
        yield Plant(f"{one} imports {other}", "Layers", {module_of(one): in_a_function(module_of(other, last=True))})
    for package, library, form in (
        ("assessment", "sklearn.linear_model", in_a_function),
        ("scorecard", "scipy", at_the_top),
        ("features", "mlflow", in_a_function),
        ("ledger", "optuna", at_the_top),
        ("foundation", "matplotlib.pyplot", in_a_function),
    ):
        name = "No learner on the path of a score"
        yield Plant(f"{package} imports {library}", name, {module_of(package): form(library)})
    yield Plant(
        "assessment reaches scipy through metrics",
        "No learner on the path of a score",
        {
            module_of("assessment"): in_a_function(module_of("metrics")),
            module_of("metrics"): in_a_function("scipy"),
        },
    )
    yield Plant(
        "features reaches scikit-learn through texts",
        "No learner on the path of a score",
        {module_of("features"): at_the_top(module_of("texts")), module_of("texts"): in_a_function("sklearn")},
    )
    yield Plant(
        "assessment imports sample",
        "An assessment never sees an outcome or an evaluation",
        {module_of("assessment"): in_a_function(module_of("sample"))},
    )
    yield Plant(
        "assessment reaches metrics through the card",
        "An assessment never sees an outcome or an evaluation",
        {module_of("scorecard"): in_a_function(module_of("metrics"))},
    )
    yield Plant(
        "the service reaches learning through the registry",
        "The service reaches no learner",
        {"credit_model.registry.versions": in_a_function(module_of("learning"))},
    )
    yield Plant(
        "the service imports scikit-learn",
        "The service reaches no learner",
        {module_of("service"): at_the_top("sklearn")},
    )
    for package in ("experiments", "evaluation", "service", "cli"):
        name = "Only the registry imports MLflow"
        yield Plant(f"{package} imports MLflow", name, {module_of(package): in_a_function("mlflow")})
    name = "Only the service imports a web framework"
    yield Plant("registry imports Starlette", name, {module_of("registry"): at_the_top("starlette")})
    name = "Only features.spark imports Spark"
    yield Plant("features.kernel imports Spark", name, {"credit_model.features.kernel": in_a_function("pyspark.sql")})
    name = "Only the command line imports its library"
    yield Plant("reports imports Rich", name, {module_of("reports"): in_a_function("rich.console")})
    name = "Only the reports import their template engine"
    yield Plant("texts imports Jinja2", name, {module_of("texts"): in_a_function("jinja2")})


PLANTS = list(plants())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its import rules."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(PACKAGE, folder / "credit_model", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    return folder


def check(folder: Path) -> tuple[int, str]:
    """Run the import rules as ``make imports`` does; return the exit code and the names of broken contracts."""
    program = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as c; c()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, "\n".join(line for line in done.stdout.splitlines() if "BROKEN" in line) + done.stderr


def test_there_are_at_least_twenty_plants() -> None:
    assert len(PLANTS) >= 20


def test_the_package_as_it_stands_keeps_every_contract(copy: Path) -> None:
    assert check(copy) == (0, "")


@pytest.mark.parametrize("plant", PLANTS, ids=str)
def test_a_planted_import_breaks_its_contract(plant: Plant, copy: Path) -> None:
    files = {copy.joinpath(*module.split(".")).with_suffix(".py"): line for module, line in plant.lines.items()}
    before = {file: file.read_text(encoding="utf-8") for file in files}
    try:
        for file, line in files.items():
            file.write_text(before[file] + line, encoding="utf-8")
        code, broken = check(copy)
    finally:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")
    assert (code, f"{plant.contract} BROKEN" in broken) == (1, True), broken


def test_the_layers_name_every_package_in_the_folder_and_nothing_else() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == PACKAGES


def imports_through_packages(root: Path) -> list[str]:
    """Find imports of a name from a package's ``__init__`` instead of the module that defines it."""
    faults = []
    for path in sorted(root.rglob("*.py")):
        if path == root / "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == root.name:
                folder = root.parent.joinpath(*str(node.module).split("."))
                faults += [
                    f"{where} imports {alias.name} from {node.module}"
                    for alias in node.names
                    if folder.is_dir() and not (folder / f"{alias.name}.py").is_file()
                ]
            if isinstance(node, ast.ImportFrom) and node.level:
                faults.append(f"{where} imports relatively")
            if isinstance(node, ast.Import):
                faults += [f"{where} imports {a.name}" for a in node.names if a.name.partition(".")[0] == root.name]
            by_string = isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node).endswith("import_module")
            if by_string and path != root / "foundation" / "lazy.py":
                faults.append(f"{where} imports by a name in a string")
    return faults


def test_inside_the_package_names_are_imported_from_the_module_that_defines_them() -> None:
    assert imports_through_packages(PACKAGE) == []


@pytest.mark.parametrize(
    "line",
    [
        "from credit_model import Card",
        "from credit_model.learning import ScorecardClassifier",
        "import credit_model as cm",
        "from . import card",
        "def _planted():\n    from credit_model.sample import Outcome",
        "import importlib; importlib.import_module('credit_model.sample.outcome')",
    ],
)
def test_a_planted_import_through_a_package_is_found(line: str, copy: Path) -> None:
    file = copy / "credit_model" / "scorecard" / "card.py"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{before}\n{line}\n", encoding="utf-8")
        assert len(imports_through_packages(copy / "credit_model")) == 1
    finally:
        file.write_text(before, encoding="utf-8")


def modules_in_circles(root: Path) -> set[str]:
    """Find modules that stand on each other, by every import anywhere in them."""
    files = {".".join((root.name, *p.relative_to(root).with_suffix("").parts)): p for p in root.rglob("*.py")}
    modules = {name for name in files if not name.endswith("__init__")}
    beneath: dict[str, set[str]] = {}
    for name in modules:
        beneath[name] = set()
        for node in ast.walk(ast.parse(files[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
                beneath[name] |= named & modules - {name}
    while free := [name for name, below in beneath.items() if not below & beneath.keys()]:
        for name in free:
            del beneath[name]
    return set(beneath)


def test_no_module_is_imported_by_what_it_imports() -> None:
    assert modules_in_circles(PACKAGE) == set()


def test_a_planted_circle_is_found(copy: Path) -> None:
    file = copy / "credit_model" / "foundation" / "errors.py"
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(
            before + in_a_function("x").replace("import x", "from credit_model.foundation.calendar import to_day")
        )
        assert {"credit_model.foundation.errors", "credit_model.foundation.calendar"} <= modules_in_circles(
            copy / "credit_model"
        )
    finally:
        file.write_text(before, encoding="utf-8")
