"""Notebooks are scripts: they run from top to bottom on a made city, and they keep to the house rules."""

from __future__ import annotations

import ast
import base64
import io
from pathlib import Path
from typing import Any

import jupytext
import nbclient
import pytest
from matplotlib.image import imread

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))
# A cell that says one of these draws: ``plt.subplots``, ``frame.plot.bar``, ``transformer.plot``, ``plt.show``.
DRAWING = {"plot", "subplots", "show"}


def draws(cell: Any) -> bool:
    """Whether the code of a cell draws a figure."""
    nodes = ast.walk(ast.parse(cell["source"])) if cell["cell_type"] == "code" else ()
    return any(isinstance(node, ast.Attribute) and node.attr in DRAWING for node in nodes)


def images(cell: Any) -> list[bytes]:
    """Return the pictures a cell shows, as PNG."""
    shown = [output["data"] for output in cell.get("outputs", []) if "data" in output]
    return [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel client's own event loop; until nbclient 0.12
def test_a_notebook_runs_from_top_to_bottom_and_shows_what_it_draws(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # of the tests; a kernel that inherits it shows no picture
    pages = jupytext.read(notebook)
    nbclient.NotebookClient(
        pages, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    errors = [o for cell in pages.cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert not errors
    assert any(cell.get("outputs") for cell in pages.cells)
    assert not list(tmp_path.iterdir()), "a notebook leaves nothing in the folder it is opened in"
    assert any(draws(cell) for cell in pages.cells), "a notebook has at least one figure"
    for cell in pages.cells:
        pictures = images(cell)
        assert len(pictures) == draws(cell), f"one picture for each cell that draws, none for others: {cell['source']}"
        assert all(imread(io.BytesIO(picture)).std() > 0.01 for picture in pictures), "a picture is not blank"


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
                faults.append(f"{node.name} is longer than 8 lines; it belongs in the package")
            case ast.Constant(value=str(text)) if text.startswith(("/", "~")) and len(text) > 1 and "/" in text[1:]:
                faults.append(f"absolute path {text!r}")
            case ast.ImportFrom(module=str(module)) if module.startswith("credit_model"):
                faults.append(f"{module} is not the public surface; write cm.NAME")
    assert not faults


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 2
