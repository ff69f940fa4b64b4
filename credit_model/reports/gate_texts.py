"""Gates in words: what one is called, and the sentence for all of them.

In: an evaluation and words. Out: texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.texts.words import Texts, Words


def gate_label(words: Words, name: str) -> Texts:
    """Return the name of a gate in words; the name itself where the page has none for it."""
    for section in ("measure", "gate"):
        if words.has(f"{section}.{name}"):
            return words(f"{section}.{name}")
    return words.same(name.replace("_", " "))


def part_label(words: Words, part: str) -> Texts:
    """Return the part a check is about in words: a segment, or an audited attribute."""
    return words(f"segment.{part}") if words.has(f"segment.{part}") else words.same(part.replace("_", " "))


@dataclass(frozen=True)
class Headline:
    """The verdict of all gates: ``none, pending, all`` or ``some``, the sentence, and the gates it is about."""

    key: str
    sentence: Texts
    names: Texts


def headline(words: Words, report: EvaluationReport) -> Headline:
    """Return the verdict of all gates in words."""
    verdicts = report.gate_verdicts
    results = [verdict.passed for verdict in verdicts]
    pending = results.count(None)
    key = "none" if not verdicts else "some" if False in results else "pending" if pending else "all"
    rest: Texts | str = ""
    if pending:
        rest = words("verdict.pending_one" if pending == 1 else "verdict.pending_many", pending=str(pending))
    counts = {"count": str(len(verdicts)), "passed": str(results.count(True)), "failed": str(results.count(False))}
    state = None if key == "pending" else False
    names = [gate_label(words, verdict.name) for verdict in verdicts if verdict.passed is state]
    return Headline(key, words(f"verdict.{key}", rest=rest, **counts), words.join(names, {"en": "; ", "zh": "; "}))
