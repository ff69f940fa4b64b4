"""The page of measures, made of their docstrings: `python tests/measures_handbook.py` writes docs/measures.md."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import credit_model.measures

import credit_model.monitoring

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
HELPERS = {
    "effective_counts", "gap_estimate", "holm", "observed_to_expected_limit", "ratio_estimate", "psi_limit",
    "rough_error", "share_estimate",
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
    """Every function that measures: those of the room of measures, and those of drift in the room of monitoring."""
    rooms = (credit_model.measures, credit_model.monitoring)
    named = {name: getattr(room, name) for room in rooms for name in room.__all__ if name not in HELPERS}
    return {
        name: made
        for name, made in named.items()
        if inspect.isfunction(made) and (".measures." in made.__module__ or made.__module__.endswith(".drift"))
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
