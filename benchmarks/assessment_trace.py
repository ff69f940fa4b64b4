"""How much of the package one assessment enters: modules and functions, after everything has been loaded once.

python benchmarks/assessment_trace.py
python benchmarks/assessment_trace.py --list
python benchmarks/assessment_trace.py --json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.one_person import DAY_OF_USE, made_card, made_ledger

MOST_MODULES, MOST_FUNCTIONS = 20, 200
PACKAGE = Path(__file__).parents[1] / "credit_model"


def main() -> int:
    """Print the counts; 3 if there are more than may be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="also name the functions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    functions = entered()
    figures = {"modules": len({module for module, _ in functions}), "functions": len(functions)}
    if options.json:
        print(json.dumps(figures))
    else:
        if options.list:
            print("\n".join(f"{module} {name}" for module, name in sorted(functions)))
        print("\n".join(f"{name:12} {count}" for name, count in figures.items()))
    return 0 if figures["modules"] <= MOST_MODULES and figures["functions"] <= MOST_FUNCTIONS else 3


def entered() -> set[tuple[str, str]]:
    """Return the functions of the package that one call of ``Evaluator.assess`` enters, each with its module.

    Comprehensions and lambdas are part of the function they stand in.
    """
    from credit_model.assessment.evaluator import Evaluator

    functions: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and (path := Path(code.co_filename)).is_relative_to(PACKAGE):
            name = code.co_qualname.split(".<locals>.<")[0]
            functions.add((str(path.relative_to(PACKAGE)), name))

    with tempfile.TemporaryDirectory() as folder:
        evaluator = Evaluator(made_card(), made_ledger(Path(folder), 20))
        for _ in range(2):
            evaluator.assess("a", day_of_use=DAY_OF_USE)
        sys.setprofile(note)
        try:
            evaluator.assess("a", day_of_use=DAY_OF_USE)
        finally:
            sys.setprofile(None)
    return functions


if __name__ == "__main__":
    sys.exit(main())
