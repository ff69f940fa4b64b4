"""The page of measures, made of their docstrings: `python tests/measures_handbook.py` writes docs/measures.md."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from credit_model.metrics import calibration, detection, differences, performance, reliability, shares
from credit_model.monitoring import drift

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
HELPERS = {
    "effective_counts", "fit_line", "fit_logistic", "gap_estimate", "holm", "interval", "mean_of",
    "observed_to_expected_limit", "placement", "placement_error", "psi_limit", "ratio_estimate", "rough_error",
    "rows_of", "share_estimate", "standard_error", "surprise", "within_people",
}  # fmt: skip
ITEMS = ("Formula", "Source", "Danger", "Limits")
OPENING = """What each one is for, how it is computed, where it comes from, when to worry, and what it cannot tell. Made
of the docstrings by `python tests/measures_handbook.py`; a test holds the two together. Intervals are 95 % unless said
otherwise, with weights, and clustered by person where a person has several rows; ties count one half. Cells of fewer
than 10 people, or with 1 or 2 bads, are not published."""
CHAPTERS = {
    "performance": "Does it rank?",
    "detection": "Does it find bads?",
    "calibration": "Are the probabilities right?",
    "reliability": "Where are they not?",
    "differences": "Is another one better?",
    "drift": "Is it still the same world?",
}


def _functions() -> dict[str, Any]:
    """Return every public function of the modules that measure, without what only helps them."""
    modules = (performance, detection, calibration, reliability, differences, shares, drift)
    return {
        name: function
        for module in modules
        for name, function in sorted(vars(module).items())
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and name not in HELPERS
    }


def measures() -> dict[str, str]:
    """Name to docstring of every measure."""
    return {name: inspect.getdoc(made) or "" for name, made in _functions().items()}


def items(doc: str) -> dict[str, str]:
    """Purpose, formula, source, signs of danger and limits of a docstring."""
    notes = re.search(r"^Notes\n-----\n(.*?)(?=^\w+\n-+\n|\Z)", doc, re.M | re.S)
    found = {"Purpose": " ".join(doc.split("\n\n")[0].split())}
    for part in (notes[1] if notes else "").strip().split("\n\n"):
        name, colon, text = part.partition(":")
        if colon and name in ITEMS:
            found[name] = " ".join(text.split())
    return found


def page() -> str:
    lines = ["# Measures", "", *textwrap.wrap(OPENING, 110)]
    for module, title in CHAPTERS.items():
        own = {n: d for n, d in measures().items() if _functions()[n].__module__.endswith(f".{module}")}
        if own:
            lines += ["", f"## {title}"]
        for name, doc in own.items():
            lines += ["", f"### {name}", ""]
            lines += [f"- **{item}.** {text}" for item, text in items(doc).items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
