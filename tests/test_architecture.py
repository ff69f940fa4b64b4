"""The page of the architecture: its layers are those checked, its packages those there are, its path is run."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from pages import CODE, DOCS, ROOT, blocks, keys, read, tables
from small_card import small_card

import credit_model as cm

PAGE = read(DOCS / "architecture.md")
PACKAGE = Path(cm.__file__).parent
PATH = PAGE.split("## From one CSV row to a reason")[1].split("\n## ")[0]
MAPPING = """
schema = 1
name = "penalties"
[[table]]
source = "penalties"
[table.columns]
record_id = "number"
subject_id = "person"
kind = { value = "adm_penalty" }
tier = "level"
decided_on = "decided"
final_on = "final"
known_on = "received"
[[table]]
source = "people"
target = "subjects"
[table.columns]
subject_id = "person"
born_on = "born"
resident_from = "born"
known_on = "born"
"""


def modules_that_run(call: Callable[[], Any]) -> tuple[Any, set[str]]:
    """What a call returns, and the modules of the package of which it enters a function."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        entered = event == "call" and frame.f_code.co_flags & 2  # a function, not the body of a class or module
        if entered and frame.f_code.co_name != "__getattr__":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        result = call()
    finally:
        sys.setprofile(before)
    own = {Path(file) for file in files if file.startswith(str(PACKAGE))}
    return result, {path.relative_to(PACKAGE).as_posix() for path in own}


def test_the_path_from_a_row_to_a_reason_names_the_modules_that_run(tmp_path: Path) -> None:
    (tmp_path / "penalties.csv").write_text(
        "number,person,level,decided,received,final\nP1,S1,general,2026-01-20,2026-02-01,2026-01-26\n", "utf-8"
    )
    (tmp_path / "people.csv").write_text("person,born\nS1,1990-01-01\n", "utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING, "utf-8")
    ledger = cm.Ledger.create(tmp_path / "ledger")
    evaluator = cm.load_evaluator(str(small_card().save(tmp_path / "card.json")), ledger)
    files = {"records": tmp_path / "penalties.csv", "subjects": tmp_path / "people.csv"}
    report, entering = modules_that_run(lambda: ledger.ingest(**files, mapping=tmp_path / "mapping.toml"))
    assert report.accepted == 2
    assessment, assessing = modules_that_run(
        lambda: evaluator.assess("S1", "2026-08-01", ledger=ledger, purpose="self_query")
    )
    assert [reason.record_ids for reason in assessment.reasons] == [("P1",)]
    named = {name for name in CODE.findall(PATH) if name.endswith(".py")}
    assert named == entering | assessing
    assert len(re.findall(r"^\d+\. `[a-z_]+/[a-z_]+\.py`", PATH, re.M)) <= 30


def test_the_layers_of_the_page_are_those_of_the_import_rules() -> None:
    (contract, *_) = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    drawn = next(block.text for block in blocks(PAGE) if block.text.startswith("7"))
    rows = [re.sub(r"^\d\s+", "", line) for line in drawn.splitlines()]
    assert [layer for row in rows for layer in row.split(" > ")] == contract["layers"]


def test_the_packages_of_the_page_are_those_there_are() -> None:
    (packages,) = [table for table in tables(PAGE) if table[0][0] == "package"]
    assert sorted(keys([packages[0], *[[row[0]] for row in packages[1:]]])) == sorted(
        path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    )
