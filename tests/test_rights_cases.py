"""What the law gives a person, case by case: rows sent to a real ledger, and what is then used, shown and answered."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from small_card import small_card

from credit_model import STATUSES, Evaluator, Ledger, build_features, library, to_day
from credit_model.ledger.ingest_report import IngestReport

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("rights_cases.yaml").read_text(encoding="utf-8"))
DAY_OF_USE = dt.date(2026, 11, 24)
RECORD = ("record_id", "kind", "tier", "decided_on", "final_on", "known_on")
AMENDMENT = ("record_id", "action", "effective_on", "known_on", "value", "dispute_id")
ALWAYS = dt.date(2000, 1, 1)
ANSWERS = (
    "use", "use_b", "statutory", "stat_text", "stat", "status", "value", "value_b", "minpoints", "ingest", "refused",
    "flag",
)  # fmt: skip
PARTS = {"id", "t", "law", "policy", "born", "bborn", "res", "two", "rec", "am", "subj"}


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame | None:
    return pd.DataFrame(rows).astype(object).where(lambda cells: cells.notna(), None) if rows else None


def delivery_of(case: dict[str, Any]) -> dict[str, pd.DataFrame | None]:
    """The rows of a case in the columns of ingest."""
    records = [
        {"subject_id": "a", **dict(zip(RECORD, row[:6], strict=True)), **(row[6] if len(row) > 6 else {})}
        for row in case.get("rec", [])
    ]
    amendments = [dict(zip(AMENDMENT, [*row, None, None][:6], strict=True)) for row in case.get("am", [])]
    resident = {"resident_from": case.get("res", ALWAYS), "valid_from": ALWAYS, "known_on": ALWAYS}
    subjects = [{"subject_id": "a", "born_on": case.get("born", dt.date(1985, 3, 1)), **resident}]
    if case.get("two"):
        subjects.append({"subject_id": "b", "born_on": case.get("bborn", dt.date(1985, 3, 1)), **resident})
    subjects += [{"subject_id": "a", **version} for version in case.get("subj", [])]
    return {"records": frame(records), "amendments": frame(amendments), "subjects": frame(subjects)}


class Answers:
    """What a ledger of one case answers, through the calls an outside caller makes."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        policy = case.get("policy", "tier")
        self.ledger = Ledger.create(folder / "ledger", policy=policy)
        self.report: IngestReport = self.ledger.ingest(**delivery_of(case))
        self.segments = self.ledger.segments(DAY_OF_USE)
        self.evaluator = Evaluator(small_card(policy), self.ledger)

    def use(self, day: dt.date, record_id: str, subject_id: str = "a") -> str:
        rows = self.segments.select([subject_id]).at(to_day(day))
        records = rows.record_ids[rows.record].tolist()
        if record_id not in records:
            return "not on file"
        status = STATUSES[rows.status[records.index(record_id)]]
        return "in" if status == "in_force" else status

    @cache  # noqa: B019 (an object lives as long as its test)
    def assessment(self, day: dt.date) -> Any:
        return self.evaluator.assess("a", day, purpose="audit", day_of_use=DAY_OF_USE)

    def value(self, day: dt.date, names: list[str], subject_id: str = "a") -> dict[str, float]:
        definitions = [definition for definition in library() if definition.name in names]
        observations = pd.DataFrame({"subject_id": [subject_id], "as_of": [day]})
        return build_features(self.ledger, observations, definitions, day_of_use=DAY_OF_USE).iloc[0].to_dict()

    def ingest(self) -> str:
        if self.report.rejected:
            return "refused"
        return "warned" if self.report.warnings else "accepted"

    def answer(self, question: str, expected: Any) -> Any:
        """Return the answer in the form in which the case expects it."""
        match question:
            case "use" | "use_b":
                subject = "b" if question == "use_b" else "a"
                return {r: {day: self.use(day, r, subject) for day in days} for r, days in expected.items()}
            case "statutory":
                return {day: [s.record_id for s in self.assessment(day).statutory_status] for day in expected}
            case "stat_text":
                texts = {day: [s.label_zh for s in self.assessment(day).statutory_status] for day in expected}
                return {
                    day: [part if any(part in text for text in texts[day]) else texts[day] for part in parts]
                    for day, parts in expected.items()
                }
            case "stat":  # the fields a case names, of each status
                plain = {day: self.assessment(day).to_dict()["statutory_status"] for day in expected}
                return {
                    day: [{f: s[f] for f in e} for s, e in zip(plain[day], expected[day], strict=True)]
                    for day in expected
                }
            case "status":
                return {day: self.assessment(day).status for day in expected}
            case "value" | "value_b":
                subject = "b" if question == "value_b" else "a"
                return {day: self.value(day, [*values], subject) for day, values in expected.items()}
            case "minpoints":  # nothing costs points
                return {day: min(0, self.assessment(day).score - 800) for day in expected}
            case "ingest":
                return self.ingest()
            case "flag":
                findings = [*self.ledger.watch(DAY_OF_USE)["finding"]]
                return findings[0] if len(findings) == 1 else findings
            case "refused":
                return [*self.report.rejected]
        raise AssertionError(f"no answer to {question}")


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['t']}" for case in CASES])
def test_a_case_from_the_law(case: dict[str, Any], tmp_path: Path) -> None:
    answers = Answers(case, tmp_path)
    asked = {question: expected for question, expected in case.items() if question in ANSWERS}
    assert asked, "the case asks nothing"
    assert {question: answers.answer(question, expected) for question, expected in asked.items()} == asked


def test_every_case_has_its_own_number_and_asks_only_what_can_be_answered() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert {key for case in CASES for key in case} <= PARTS | {*ANSWERS}
