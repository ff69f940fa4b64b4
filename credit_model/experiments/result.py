"""The result of a run as plain values: figures, gates, warnings, and where its documents lie.

In: what the pipeline recorded. Out: a ``RunResult``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.experiments.raw_rows import RawRows
from credit_model.scorecard.card import Card


@dataclass(frozen=True)
class RunResult:
    """What a run ended in, as plain values; ``card`` and ``evaluation`` read the documents it left.

    ``version`` is None where the card may be explored but not registered. A figure is ``[value, low, high]`` with its
    interval, None where it could not be measured; ``auc_given_up`` is what a challenger gains. ``gates_passed`` is None
    where no gate was declared, or none judged; ``gates_not_judged`` says of a gate why it is judged at promotion only.
    ``definitions`` says where the features come from. ``ingest`` counts the raw rows, refused ones among
    them; None where the ledger kept no counts.
    """

    experiment: str
    experiment_digest: str
    data_digest: str
    run_id: str
    model: str
    version: int | None
    card_id: str
    card_digest: str
    figures: Mapping[str, Sequence[float | None]]
    attainable: float | None
    gates_passed: bool | None
    gates_declared: tuple[str, ...]
    gates_not_judged: Mapping[str, str]
    failed_gates: tuple[str, ...]
    warnings: tuple[str, ...]
    definitions: str
    report: str
    folder: str
    ledger: str
    ingest: RawRows | None = None

    @cached_property
    def card(self) -> Card:
        """The card."""
        return Card.load(Path(self.folder) / "card.json")

    @cached_property
    def evaluation(self) -> EvaluationReport:
        """The evaluation."""
        return EvaluationReport.from_json((Path(self.folder) / "evaluation.json").read_text(encoding="utf-8"))

    @property
    def gates(self) -> str:
        """How many gates were declared, passed, failed, and are judged at promotion, in words."""
        if not self.gates_declared:
            return "no gates declared, so none was passed"
        verdicts = self.evaluation.gate_verdicts
        counts = {
            "passed": sum(verdict.passed is True for verdict in verdicts),
            "failed": sum(verdict.passed is False for verdict in verdicts),
            "judged at promotion": len(self.gates_not_judged),
        }
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        return ", ".join([f"{len(self.gates_declared)} declared", *parts])

    def __str__(self) -> str:
        registered = f"models:/{self.model}/{self.version}" if self.version is not None else "not registered"
        lines = [f"{self.experiment}: card {self.card_id}, {registered}", f"  run           {self.run_id}"]
        for name, (value, low, high) in self.figures.items():
            if value is not None:
                interval = "" if low is None or high is None else f"  ({low:.3f} to {high:.3f})"
                beside = f"  attainable {self.attainable:.3f}" if name == "soft_gini" and self.attainable else ""
                lines.append(f"  {name.replace('_', ' '):<13} {value:.3f}{interval}{beside}")
        lines += [f"  gate failed   {gate}" for gate in self.failed_gates]
        lines += [f"  gates         {self.gates}", f"  features      {self.definitions}"]
        lines += [f"  warning       {warning}" for warning in self.warnings]
        lines += [] if self.ingest is None else [f"  raw rows      {self.ingest}"]
        return "\n".join([*lines, f"  report        {self.report}"])
