"""The one experiment of the tests: a small synthetic city, two development dates, and what a test adds to it."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

TEXT = Template((Path(__file__).parent / "small_experiment.toml").read_text(encoding="utf-8"))


def experiment_text(
    question: str, rest: str, *, people: int = 2_000, include: tuple[str, ...] = ("adverse_*",), source: str = ""
) -> str:
    """Return the text of an experiment.

    Parameters
    ----------
    question : str
    rest : str
        Lines after the features that are included: more of ``[features]``, ``[card]``, ``[gates]``.
    people : int
        Size of the synthetic city.
    include : tuple of str
        Patterns of features.
    source : str
        Lines that say where the rows come from, instead of the synthetic city.
    """
    city = f'synthetic = {{ profile = "L", people = {people} }}'
    head = TEXT.substitute(question=question, source=source or city, include=json.dumps(include))
    return head + rest.lstrip("\n")
