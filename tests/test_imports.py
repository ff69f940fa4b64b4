"""What importing costs, and that every public name is where callers look for it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from small_card import small_card

import credit_model as cm

PACKAGE = Path(cm.__file__).parent
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
HEAVY = {
    "numpy",
    "pandas",
    "pyarrow",
    "numba",
    "scipy",
    "sklearn",
    "optuna",
    "shap",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "pyspark",
}


def _loaded_by(program: str) -> set[str]:
    """Which of the heavy packages a fresh process has loaded after running the program."""
    show = f"{program}\nimport sys; sys.stderr.write('LOADED ' + ' '.join({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    return set(done.stderr.rpartition("LOADED ")[2].split())


def test_a_bare_import_loads_nothing_heavy() -> None:
    assert _loaded_by("import credit_model") == set()


def test_importing_every_package_loads_nothing_heavy() -> None:
    assert _loaded_by("\n".join(f"import credit_model.{name}" for name in PACKAGES)) == set()


def test_help_loads_nothing_heavy() -> None:
    program = (
        "from credit_model.cli.main import main; main(['--help']); [main([c, '--help']) for c in ('run', 'assess')]"
    )
    assert _loaded_by(program) == set()


def test_loading_a_card_and_scoring_a_row_loads_numpy_only(tmp_path: Path) -> None:
    path = small_card().save(tmp_path / "card.json")
    program = (
        "import credit_model as cm\n"
        f"card = cm.load_evaluator({str(path)!r}).card\n"
        "row = card.score_one({**dict.fromkeys(card.columns, 0.0), 'listed_now': 1.0})\n"
        "assert row.score == 720 and row.reasons[0].text_en"
    )
    assert _loaded_by(program) == {"numpy"}


def test_from_a_persons_rows_to_a_score_with_reasons_loads_numpy_only(tmp_path: Path) -> None:
    path = small_card().save(tmp_path / "card.json")
    program = (
        "import credit_model as cm\n"
        "from credit_model.features.subject_features import SubjectFeatures\n"
        "from credit_model.catalogue.catalogue import load_catalogue\n"
        "from credit_model.foundation.calendar import to_day\n"
        "from credit_model.visibility.tables import Tables\n"
        "from credit_model.visibility.segments import compile_segments\n"
        f"card, catalogue = cm.load_evaluator({str(path)!r}).card, load_catalogue()\n"
        "record = {'record_id': ['r'], 'subject_id': ['a'], 'kind': ['severe_list']}\n"
        "tables = Tables.of(record | {'decided_on': ['2025-01-10'], 'known_on': ['2025-02-01']})\n"
        "segments = compile_segments(tables, catalogue, 'tier', to_day('2026-07-01'))\n"
        "row = SubjectFeatures(card.features, catalogue).one(segments, 0, to_day('2026-07-02'))\n"
        "scored = card.score_one(dict(zip(card.columns, row.values)))\n"
        "assert [reason.points for reason in scored.reasons] == [-80, -50, -26]"
    )
    assert _loaded_by(program) == {"numpy"}


def test_what_assesses_people_loads_numpy_only() -> None:
    assert _loaded_by("from credit_model.assessment.evaluator import Evaluator") == {"numpy"}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("load_catalogue", ["path"]),
        ("Ledger.create", ["folder", "catalogue", "policy"]),
        ("Ledger.open", ["folder"]),
        ("Ledger.ingest", ["records", "amendments", "subjects", "audit", "mapping"]),
        ("Ledger.as_of", ["as_of"]),
        ("Ledger.refresh", []),
        ("Ledger.tables", ["subject_ids"]),
        ("Ledger.forget", ["subject_id", "reason", "approver", "files"]),
        ("Ledger.between", ["start", "end", "known_by"]),
        ("FeatureDefinition", ["name", "label_zh", "label_en", "where", "aggregate", "of", "window", "window_on"]),
        (
            "FeatureDefinition",
            ["none", "trend", "reason", "cap", "half_life_days", "numerator", "denominator", "prior"],
        ),
        ("build_features", ["ledger", "observations", "features", "engine", "out"]),
        ("explain_feature", ["ledger", "subject_id", "as_of", "name"]),
        ("ScorecardClassifier.fit", ["X", "y"]),
        ("ScorecardClassifier.predict_proba", ["X"]),
        ("ScorecardClassifier.to_card", []),
        ("Card.save", ["path"]),
        ("Card.load", ["path"]),
        ("Card.score", ["X"]),
        ("Card.score_one", ["values"]),
        ("Card.explain", ["X"]),
        ("Card.table", []),
        ("load_evaluator", ["source", "ledger"]),
        ("synthesise", ["profile", "people", "seed"]),
        ("run", []),
    ],
)
def test_the_public_surface_is_where_callers_look_for_it(name: str, parameters: list[str]) -> None:
    found = cm
    for part in name.split("."):
        found = getattr(found, part)
    given = list(inspect.signature(found).parameters)
    assert [parameter for parameter in parameters if parameter not in given] == []


def test_an_evaluator_assesses_one_and_many() -> None:
    from credit_model.assessment.evaluator import Evaluator

    one, many = (list(inspect.signature(way).parameters) for way in (Evaluator.assess, Evaluator.assess_many))
    assert one[1:6] == ["subject_id", "as_of", "ledger", "purpose", "authorisation"]
    assert many[1] == "observations"


def test_every_public_name_can_be_had_and_is_known_to_type_checkers() -> None:
    for name in cm.__all__:
        assert not inspect.ismodule(getattr(cm, name)), "a submodule of the same name hides it the second time"
    guarded = [
        node
        for block in ast.parse(Path(cm.__file__).read_text(encoding="utf-8")).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    ]
    assert {alias.name for node in guarded for alias in node.names} == set(cm.__all__) - {"UserError"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_and_offers_nothing_else(package: str) -> None:
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'credit_model' has no attribute 'scorer'"):
        cm.scorer  # noqa: B018
