"""The section of the page on what cut-offs decide: cut-off table, swap sets, programmes, overrides.

In: a page writer. Out: HTML, empty without decisions.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import Estimate
from credit_model.reports.figures import WIDE, Drawing, decades, linear, logarithmic, ticks
from credit_model.texts.words import Words, short_percent

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter


def highlights(page: PageWriter) -> list[str]:
    """Return the sentence for the top of the page on who would be eligible, and how they and the others fared."""
    decisions = page.plain["decisions"]
    for i, row in enumerate(decisions.get("cutoffs", [])):
        if row["cutoff"] == decisions["eligible_from"] and row["bad_rate_below"]["value"] is not None:
            at = f"decisions/cutoffs/{i}"
            values = {
                "cutoff": page.number(f"{at}/cutoff", "cut"),
                "share": page.number(f"{at}/share/value", "share"),
                "rate": page.number(f"{at}/bad_rate/value", "share"),
                "below": page.number(f"{at}/bad_rate_below/value", "share"),
            }
            return [page.say("decisions.told", **values)]
    return []


def section(page: PageWriter) -> str:
    """Render the section on decisions."""
    decisions = page.plain["decisions"]
    if not decisions:
        return ""
    cutoffs = decisions["cutoffs"]
    parts = [f"<p>{page.say('decisions.intro')}</p>"]
    if any(row["share"]["value"] is not None for row in cutoffs):
        parts.append(page.figure(cutoff_figure(cutoffs, page.words), "decisions.figure_caption"))
    if cutoffs:
        parts.append(_cutoffs(page, cutoffs))
    for i, swap in enumerate(decisions["swaps"]):
        parts.append(_swap(page, swap, f"decisions/swaps/{i}"))
    if decisions["programmes"]:
        parts.append(_programmes(page, decisions["programmes"]))
    parts.append(f"<h3>{page.say('decisions.overrides')}</h3><p>{page.say('decisions.override_policy')}</p>")
    if decisions["overrides"]:
        parts.append(_overrides(page, decisions["overrides"]))
    return page.section("decisions", *parts)


def _cutoffs(page: PageWriter, cutoffs: list[JsonObject]) -> str:
    rows = []
    for i, row in enumerate(cutoffs):
        at = f"decisions/cutoffs/{i}"
        own = "own" if row["cutoff"] == page.plain["decisions"]["eligible_from"] else ""
        rows.append(
            page.row(
                page.number(f"{at}/cutoff", "cut"),
                page.number(f"{at}/eligible/people", "count"),
                page.number.interval(f"{at}/share", "share"),
                page.number.interval(f"{at}/bad_rate", "share"),
                page.number(f"{at}/eligible/mean_probability", "share"),
                page.number.interval(f"{at}/bad_rate_below", "share"),
                page.number(f"{at}/below/mean_probability", "share"),
                page.number.interval(f"{at}/bads_below", "share"),
                page.number.interval(f"{at}/goods_below", "share"),
                css=own,
            )
        )
    head = [f"decisions.{key}" for key in ("cutoff", "eligible", "share", "rate", "expected", "rate_below",
            "expected_below", "bads_below", "goods_below")]  # fmt: skip
    return page.table(head, rows, "decisions.cutoffs_caption")


def _swap(page: PageWriter, swap: JsonObject, at: str) -> str:
    label = page.words.field(swap, "label")
    rows = [
        page.row(
            page.say(f"decisions.{cell['name']}"),
            page.number(f"{at}/cells/{j}/counts/people", "count"),
            page.number(f"{at}/cells/{j}/counts/share", "share"),
            page.number.interval(f"{at}/cells/{j}/bad_rate", "share"),
            page.number(f"{at}/cells/{j}/counts/mean_probability", "share"),
        )
        for j, cell in enumerate(swap["cells"])
    ]
    head = ["decisions.cell", *(f"calibration.{key}" for key in ("people", "share", "bad_rate", "mean_probability"))]
    values = {
        "cutoff": page.number(f"{at}/cutoff", "cut"),
        "share": page.number(f"{at}/share/value", "share"),
        "old_share": page.number(f"{at}/old_share/value", "share"),
    }
    verdict = ""
    if swap["bad_rate_change"]["value"] is not None:
        ends = {end: page.number(f"{at}/bad_rate_change/{end}", "change") for end in ("value", "low", "high")}
        verdict = f"<p>{page.say('decisions.change', change=ends['value'], low=ends['low'], high=ends['high'])}</p>"
    if swap["share"]["value"] is None:
        few = page.say("decisions.swap_few", cutoff=values["cutoff"])
        return f"<h3>{page.say('decisions.swap', label=label)}</h3><p>{few}</p>"
    return (
        f"<h3>{page.say('decisions.swap', label=label)}</h3><p>{page.say('decisions.swap_intro', **values)}</p>"
        + page.table(head, rows)
        + verdict
    )


def _programmes(page: PageWriter, programmes: list[JsonObject]) -> str:
    rows = []
    for i, programme in enumerate(programmes):
        at = f"decisions/programmes/{i}"
        rows.append(
            page.row(
                page.field(programme, "label"),
                page.number(f"{at}/eligible/people", "count"),
                page.number.interval(f"{at}/share", "share"),
                page.number.interval(f"{at}/bad_rate", "share"),
                page.number.interval(f"{at}/by_score_only", "share"),
                page.number.interval(f"{at}/by_rule_only", "share"),
            )
        )
    head = [f"decisions.{k}" for k in ("programme", "eligible", "share", "rate", "by_score_only", "by_rule_only")]
    return f"<h3>{page.say('decisions.programmes')}</h3>" + page.table(head, rows, "decisions.programmes_caption")


def _overrides(page: PageWriter, overrides: JsonObject) -> str:
    at = "decisions/overrides"
    rows = [
        page.row(
            page.say(f"decisions.{row['side']}"),
            f'<td class="left">{html.escape(row["reason"]) or "–"}</td>',
            page.number(f"{at}/rows/{i}/counts/observations", "count"),
            page.number(f"{at}/rows/{i}/counts/share", "share"),
            page.number.interval(f"{at}/rows/{i}/bad_rate", "share"),
        )
        for i, row in enumerate(overrides["rows"])
    ]
    values = {
        "decisions": page.number(f"{at}/decisions", "count"),
        "rate": page.number(f"{at}/rate/value", "share"),
        "bare": page.number(f"{at}/without_reason", "count"),
    }
    head = ["decisions.side", "decisions.reason<", "page.observations", "calibration.share", "calibration.bad_rate"]
    return f"<p>{page.say('decisions.override_told', **values)}</p>" + page.table(head, rows)


def cutoff_figure(cutoffs: list[JsonObject], words: Words) -> str:
    """Draw the share eligible at each cut-off, and the bad rates of those eligible and of the others."""
    drawing = Drawing(words, WIDE, 96 + 40 * len(cutoffs))
    bottom = 44 + 40 * len(cutoffs)
    left = linear(0, 1, 70, 400)
    pairs = [(Estimate(**row["bad_rate"]), Estimate(**row["bad_rate_below"])) for row in cutoffs]
    values = [v for pair in pairs for e in pair for v in (e.value, e.low, e.high) if v]
    marks = decades(max(min(values), 1e-5), max(values)) if values else [0.001, 1.0]
    marks = marks if len(marks) > 1 else [marks[0], marks[0] * 10]
    right = logarithmic(marks[0], marks[-1], 500, WIDE - 30)
    drawing.text(70, 16, words("decisions.share"), "strong")
    for place, (css, key) in enumerate((("blue", "rate"), ("orange", "rate_below"))):
        drawing.dot(506 + 250 * place, 11, f"dot {css}")
        drawing.text(518 + 250 * place, 16, words(f"decisions.{key}"), "small")
    for tick in ticks(0, 1, 4):
        drawing.line(left(tick), 28, left(tick), bottom, "grid")
        drawing.text(left(tick), bottom + 18, f"{100 * tick:.0f}%", "tick", "middle")
    for mark in marks:
        drawing.line(right(mark), 28, right(mark), bottom, "grid")
        drawing.text(right(mark), bottom + 18, short_percent(mark), "tick", "middle")
    for i, (row, (above, below)) in enumerate(zip(cutoffs, pairs, strict=True)):
        y = 56 + 40 * i
        drawing.text(56, y + 5, f"{row['cutoff']:g}", "strong", "end")
        if row["share"]["value"] is None:
            drawing.text(76, y + 5, words("figure.blank"), "small soft")
            continue
        share = row["share"]["value"]
        drawing.box(70, y - 8, left(share) - 70, 16, "bar", words.same(short_percent(share)))
        drawing.whisker(right, y - 5, above, "blue")
        drawing.whisker(right, y + 5, below, "orange")
    drawing.text(WIDE - 30, bottom + 40, words("figure.rate_axis"), "small soft", "end")
    return drawing.svg(words("decisions.figure"))
