"""Notebooks are scripts: they run from top to bottom on a made city, and they keep to the house rules."""

from __future__ import annotations

import ast
from pathlib import Path

import jupytext
import nbclient
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))
ROOMS = {"credit_model"} | {
    f"credit_model.{folder.name}"
    for folder in (Path(__file__).parents[1] / "credit_model").iterdir()
    if folder.is_dir()
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel client's own event loop; until nbclient 0.12
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    pages = jupytext.read(notebook)
    nbclient.NotebookClient(
        pages, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    errors = [o for cell in pages.cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert not errors
    assert any(cell.get("outputs") for cell in pages.cells)
    assert not list(tmp_path.iterdir()), "a notebook leaves nothing in the folder it is opened in"


def test_a_notebook_opens_with_a_question_and_ends_with_an_answer(notebook: Path) -> None:
    cells = jupytext.read(notebook).cells
    assert "**Question.**" in cells[0]["source"]
    assert cells[-1]["cell_type"] == "markdown"
    assert "**Answer.**" in cells[-1]["source"]


def test_a_notebook_holds_no_class_no_long_function_no_absolute_path_and_no_inner_import(notebook: Path) -> None:
    tree = ast.parse(notebook.read_text(encoding="utf-8"))
    faults = []
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                faults.append(f"class {node.name}")
            case ast.FunctionDef() if node.end_lineno - node.lineno > 8:
                faults.append(f"{node.name} is longer than 8 lines; it belongs in a room")
            case ast.Constant(value=str(text)) if text.startswith(("/", "~")) and len(text) > 1 and "/" in text[1:]:
                faults.append(f"absolute path {text!r}")
            case ast.ImportFrom(module=str(module)) if module.startswith("credit_model") and module not in ROOMS:
                faults.append(f"{module} is inside a room")
    assert not faults


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 2
