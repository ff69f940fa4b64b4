"""The section on challengers: performance given up by the card, for whom, where the two differ, what moves people.

In: a page writer. Out: HTML, empty without a challenger.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.evaluation.challenger import FIFTHS, Challenger
from credit_model.evaluation.measures import MEASURES
from credit_model.reports import figures
from credit_model.texts.words import Numbers, Words

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter

FEATURES = 20
"""Rows of the table of features; the evaluation has them all."""


def verdict(challenger: Challenger, number: Numbers, words: Words, at: str) -> str:
    """Render one sentence: the gain of the challenger, and whether the card is kept."""
    path = f"{at}/segments/all/minus_card/auc"
    if challenger.verdict == "unmeasured":
        return words.html(words("challenger.unmeasured"))
    ends = {end: number(f"{path}/{end}", "gini") for end in ("low", "high")}
    return words.html(words(f"challenger.{challenger.verdict}", gain=number(f"{path}/value", "gini"), **ends))


def section(page: PageWriter) -> str:
    """Render the section on the challengers of an evaluation."""
    parts = []
    for i, challenger in enumerate(page.report.challengers):
        at = f"challengers/{i}"
        label = page.words.pick(challenger.label_en, challenger.label_zh)
        values = {
            key: page.number(f"{at}/settings/{key}", kind) for key, kind in (("trees", "count"), ("slope", "ratio"))
        }
        parts += [
            f"<p>{page.say('challenger.intro', label=label, **values)}</p>",
            f"<p>{verdict(challenger, page.number, page.words, at)}</p>",
            f"<h3>{page.say('challenger.whom')}</h3>{_whom(page, challenger, at)}",
            f"<h3>{page.say('challenger.where')}</h3>{_grid(page, challenger, at)}{_widest(page, challenger, at)}",
        ]
        if challenger.attributions:
            parts.append(f"<h3>{page.say('challenger.moves')}</h3>{_moves(page, challenger, at)}")
    return page.section("challenger", *parts)


def _whom(page: PageWriter, challenger: Challenger, at: str) -> str:
    groups = []
    for segment, contest in challenger.segments.items():
        rows = [f'<tr><th scope="rowgroup" colspan="4">{page.say("segment." + segment)}</th></tr>']
        for name, measure in MEASURES.items():
            if name in contest.minus_card:
                paths = (
                    f"segments/{segment}/measures/{name}",
                    f"{at}/segments/{segment}/measures/{name}",
                    f"{at}/segments/{segment}/minus_card/{name}",
                )
                cells = (page.number.interval(path, measure.form) for path in paths)
                rows.append(page.row(page.say("measure." + name), *cells))
        if len(rows) > 1:
            groups.append(f'<tbody class="characteristic">{"".join(rows)}</tbody>')
    head = ["ranking.measure", "challenger.card", "challenger.challenger", "challenger.difference"]
    return page.table(head, groups, "challenger.whom_caption")


def _grid(page: PageWriter, challenger: Challenger, at: str) -> str:
    """Render grades by fifths: people, and below them the prediction of either model."""
    rows = []
    for first in range(0, len(challenger.cells), FIFTHS):
        cells = []
        for place in range(first, first + FIFTHS):
            path = f"{at}/cells/{place}"
            text = page.number(f"{path}/counts/people", "count")
            if challenger.cells[place].by_challenger is not None:
                text += f'<span class="interval">{_predictions(page, path)}</span>'
            cells.append(text)
        rows.append(page.row(html.escape(challenger.cells[first].grade), *cells))
    head = ["calibration.grade", *(f"challenger.fifth_{number}" for number in range(1, FIFTHS + 1))]
    return page.table(head, rows, "challenger.where_caption")


def _predictions(page: PageWriter, path: str) -> str:
    both = (page.number(f"{path}/{name}", "share") for name in ("counts/mean_probability", "by_challenger"))
    return " → ".join(both)


def _widest(page: PageWriter, challenger: Challenger, at: str) -> str:
    rows = []
    for place in challenger.widest:
        path, cell = f"{at}/cells/{place}", challenger.cells[place]
        rows.append(
            page.row(
                page.say("challenger.cell", grade=html.escape(cell.grade), fifth=f"{cell.fifth}"),
                page.number(f"{path}/counts/people", "count"),
                page.number(f"{path}/counts/mean_probability", "share"),
                page.number(f"{path}/by_challenger", "share"),
                page.number(f"{path}/counts/bad_rate", "share"),
            )
        )
    head = ["challenger.place", "calibration.people", "challenger.by_card", "challenger.by_challenger",
            "calibration.bad_rate"]  # fmt: skip
    return page.table(head, rows, "challenger.widest_caption") if rows else ""


def _moves(page: PageWriter, challenger: Challenger, at: str) -> str:
    rows = []
    for i, feature in enumerate(challenger.attributions):
        if i < FEATURES:
            rows.append(
                page.row(
                    page.words.html(page.words.pick(feature.text_en, feature.text_zh)),
                    f'<td class="left"><code>{html.escape(feature.code)}</code></td>',
                    page.say("challenger.unused")
                    if feature.card is None
                    else page.number(f"{at}/attributions/{i}/card", "ratio"),
                    page.number(f"{at}/attributions/{i}/challenger", "ratio"),
                )
            )
    head = ["challenger.feature", "reasons.code<", "challenger.card", "challenger.challenger"]
    gap = page.number(f"{at}/additivity_gap", "tiny")
    drawing = figures.attributions(challenger.attributions, page.words)
    return (
        page.figure(drawing, "challenger.moves_caption")
        + page.table(head, rows, "challenger.features_caption")
        + f'<p class="note">{page.say("challenger.gap", gap=gap)}</p>'
    )
