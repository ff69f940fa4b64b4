"""Write docs/measures.md from the docstrings of the functions that measure: `python docs/make_measures.py`.

In: `credit_model.evaluation.measures.MEASURES` and the public functions of `credit_model.metrics`. Out: the page.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from credit_model.evaluation.measures import MEASURES, TESTS
from credit_model.metrics import (
    bad_rates,
    brier_parts,
    calibration,
    curves,
    detection,
    differences,
    odds,
    performance,
    reliability,
    shares,
)
from credit_model.monitoring import drift

PAGE = Path(__file__).parent / "measures.md"
HELPERS = {
    "effective_counts", "fit_line", "fit_logistic", "gap_estimate", "holm", "interval", "mean_of",
    "observed_to_expected_limit", "placement", "placement_error", "probability_groups", "psi_limit", "ratio_estimate",
    "rough_error", "rows_of", "share_estimate", "standard_error", "surprise", "within_people",
}  # fmt: skip
ITEMS = ("Formula", "Source", "Danger", "Limits")
OPENING = """What each one is for, how it is computed, where it comes from, when to worry, and what it cannot tell. Made
of the docstrings by `python docs/make_measures.py`; a test holds the two together. Intervals are 95 % unless said
otherwise, with weights, and clustered by person where a person has several rows; ties count one half. Cells of fewer
than 10 people, or with 1 or 2 bads, are not published."""
CHAPTERS = {
    "performance": "Does it rank?",
    "detection": "Does it find bads?",
    "calibration": "Are the probabilities right?",
    "reliability": "Where are they not?",
    "differences": "Is another one better?",
    "drift": "Is it still the same world?",
    "": "Further measures",
}


# Chapters that take several modules.
JOINED = {"curves": "performance", "bad_rates": "calibration", "brier_parts": "reliability", "odds": "reliability"}


def measure_functions() -> dict[str, Callable[..., Any]]:
    """Return the functions of all declared measures and tests, and further public ones of the modules that measure."""
    modules = (
        performance, curves, detection, calibration, bad_rates, reliability, brier_parts, odds, differences, shares,
        drift,
    )  # fmt: skip
    declared = {each.function.__name__: each.function for each in (*MEASURES.values(), *TESTS.values())}
    others = {
        name: function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and name not in HELPERS
    }
    return dict(sorted((declared | others).items()))


def chapter_of(function: Callable[..., Any]) -> str:
    """Return the chapter of a function: the module that defines it, or the last one."""
    module = function.__module__.rpartition(".")[2]
    module = JOINED.get(module, module)
    return module if module in CHAPTERS else ""


def items_of(doc: str) -> dict[str, str]:
    """Return purpose, formula, source, signs of danger and limits of a docstring."""
    notes = re.search(r"^Notes\n-----\n(.*?)(?=^\w+\n-+\n|\Z)", doc, re.M | re.S)
    items = {"Purpose": " ".join(doc.split("\n\n")[0].split())}
    for part in (notes[1] if notes else "").strip().split("\n\n"):
        name, colon, text = part.partition(":")
        if colon and name in ITEMS:
            items[name] = " ".join(text.split())
    return items


def render_page() -> str:
    """Return the page of measures as Markdown."""
    functions = measure_functions()
    lines = ["# Measures", "", *textwrap.wrap(OPENING, 110)]
    for chapter, title in CHAPTERS.items():
        own = {name: function for name, function in functions.items() if chapter_of(function) == chapter}
        if own:
            lines += ["", f"## {title}"]
        for name, function in own.items():
            lines += ["", f"### {name}", ""]
            lines += [f"- **{item}.** {text}" for item, text in items_of(inspect.getdoc(function) or "").items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
