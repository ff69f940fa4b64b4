"""The section on gates: a headline with the numbers declared, passed and pending, and a table of them all.

In: a page being written, or an evaluation and words. Out: HTML, or texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.measures import MEASURES
from credit_model.texts.words import Texts, Words

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter

_OTHER_KIND = "ratio"  # of a measure that is no figure of the page


def gate_label(words: Words, name: str) -> Texts:
    """Return the name of a gate in words; the name itself where the page has none for it."""
    for section in ("measure", "gate"):
        if words.has(f"{section}.{name}"):
            return words(f"{section}.{name}")
    return words.same(name.replace("_", " "))


def part_label(words: Words, part: str) -> Texts:
    """Return the part a check is about in words: a segment, or an audited attribute."""
    return words(f"segment.{part}") if words.has(f"segment.{part}") else words.same(part.replace("_", " "))


def headline(words: Words, report: EvaluationReport) -> tuple[str, Texts]:
    """Return the verdict (``none, pending, all`` or ``some``) and the sentence that says it."""
    verdicts = report.gate_verdicts
    results = [verdict.passed for verdict in verdicts]
    pending = results.count(None)
    key = "none" if not verdicts else "some" if False in results else "pending" if pending else "all"
    rest: Texts | str = ""
    if pending:
        rest = words("verdict.pending_one" if pending == 1 else "verdict.pending_many", pending=str(pending))
    counts = {"count": str(len(verdicts)), "passed": str(results.count(True)), "failed": str(results.count(False))}
    return key, words(f"verdict.{key}", rest=rest, **counts)


def verdict(page: PageWriter) -> str:
    """Return the box at the top with the verdict of the gates."""
    key, sentence = headline(page.words, page.report)
    css = {"some": "no", "all": "yes"}.get(key, "")
    labels = {
        state: [gate_label(page.words, one.name) for one in page.report.gate_verdicts if one.passed is state]
        for state in (False, None)
    }
    names = {
        state: {language: "; ".join(label[language] for label in texts) for language in page.words.languages}
        for state, texts in labels.items()
    }
    more = page.say(f"verdict.{key}_more", names=names[None if key == "pending" else False])
    context = page.report.context
    notes = {"made_city": context.get("made_city"), "organisations": context.get("subjects") == "organisation"}
    note = "".join(f'<p class="note">{page.say("page." + name)}</p>' for name, true in notes.items() if true)
    return f'<div class="verdict {css}"><p class="headline">{page.words.html(sentence)}</p><p>{more}</p>{note}</div>'


def section(page: PageWriter) -> str:
    """Return the table of every declared gate: value, limit, and verdict or why there is none."""
    rows = [_gate_row(page, i) for i in range(len(page.report.gates))]
    with_numbers = {gate.name for gate in page.report.gates}
    for one in page.report.verdicts:
        if one.name in with_numbers:
            continue
        label = page.words.html(gate_label(page.words, one.name))
        for check in one.checks:
            value, limit = (
                page.words.html(page.words.pick(english, chinese or english))
                for english, chinese in ((check.value, check.value_zh), (check.limit, check.limit_zh))
            )
            part = page.words.html(part_label(page.words, one.part(check))) or "–"
            rows.append(page.row(label, f'<td class="left">{part}</td>', value, limit, page.chip(check)))
        if not one.checks:
            reason = page.words.html(page.words.pick(one.reason_en, one.reason_zh))
            cell = f'<td class="left" colspan="3">{page.say("gates.pending", reason=reason)}</td>'
            rows.append(page.row(label, '<td class="left">–</td>', cell))
    head = [f"gates.{key}" for key in ("name", "segment<", "value", "limit", "verdict")]
    return page.section("gates", page.table(head, rows)) if rows else ""


def _gate_row(page: PageWriter, i: int) -> str:
    """Return the row of a gate whose value and limits are numbers of the evaluation."""
    gate = page.report.gates[i]
    kind = MEASURES[gate.name].form if gate.name in MEASURES else _OTHER_KIND
    ends = {end: page.number(f"gates/{i}/{end}", kind) for end in ("low", "high")}
    limit = page.say("gates.least" if gate.high is None else "gates.range", **ends)
    return page.row(
        page.words.html(gate_label(page.words, gate.name)),
        f'<td class="left">{page.say("segment." + gate.segment)}</td>',
        page.number(f"gates/{i}/value", kind),
        limit if gate.low is not None else ends["low"],
        page.chip(gate),
    )
