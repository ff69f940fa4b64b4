"""The section on stability: whether the population has moved since the card was learned.

In: a page writer. Out: HTML, empty without a comparison.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.foundation.json_values import JsonObject
from credit_model.reports import figures
from credit_model.texts.words import Words, short_percent

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter

_OF_SCORE = ("grades", "tail", "off_reference", "with_record")
_DRAWN = 14  # characteristics in the drawing; the table has them all


def highlights(page: PageWriter) -> list[str]:
    """Return the sentence for the top of the page: nothing has moved, or how many things have."""
    stability = page.plain["stability"]
    if not stability:
        return []
    out_of_limit = [movement for movement in stability["movements"] if movement["moved"]]
    return [page.say(f"stability.{'moved' if out_of_limit else 'steady'}", count=str(len(out_of_limit)))]


def section(page: PageWriter) -> str:
    """Render every comparison, the score first."""
    stability = page.plain["stability"]
    if not stability:
        return ""
    days = {name: html.escape(", ".join(stability[f"days_{name}"])) for name in ("then", "now")}
    people = {f"people_{name}": page.number(f"stability/people_{name}", "count") for name in ("then", "now")}
    parts = [f"<p>{page.say('stability.intro', **days, **people)}</p>", _score(page), _grades(page)]
    rows = [(i, m) for i, m in enumerate(stability["movements"]) if m["kind"] not in _OF_SCORE]
    if rows:
        drawing = _shares(stability["movements"], page.words)
        parts += [
            f"<h3>{page.say('stability.characteristics')}</h3>",
            page.figure(drawing, "stability.drawing_caption") if drawing else "",
            _characteristics(page, rows),
        ]
    return page.section("stability", *parts)


def _verdict(page: PageWriter, movement: JsonObject) -> str:
    css, key = ("no", "has_moved") if movement["moved"] else ("yes", "has_not")
    return f'<span class="chip {css}">{page.say("stability." + key)}</span>'


def _index(page: PageWriter, i: int) -> tuple[str, str]:
    return page.number(f"stability/movements/{i}/value", "index"), page.number(
        f"stability/movements/{i}/limit", "index"
    )


def _score(page: PageWriter) -> str:
    rows = []
    for i, movement in enumerate(page.plain["stability"]["movements"]):
        if movement["kind"] in _OF_SCORE:
            then_now = (page.number(f"stability/movements/{i}/{name}", "share") for name in ("then", "now"))
            shares = then_now if movement["kind"] in ("off_reference", "with_record") else ("", "")
            label = page.say("stability." + movement["kind"])
            rows.append(page.row(label, *_index(page, i), *shares, _verdict(page, movement)))
    for name, kind in (("mean_score", "score"), ("mean_probability", "share")):
        both = (page.number(f"stability/{name}_{side}", kind) for side in ("then", "now"))
        rows.append(page.row(page.say("stability." + name), "", "", *both, ""))
    ranked = (
        page.number("stability/expected_auc_then", "gini"),
        page.number.interval("stability/expected_auc_now", "gini"),
    )
    rows.append(page.row(page.say("stability.expected_auc"), "", "", *ranked, ""))
    head = ["stability.what", "stability.index", "stability.limit", "stability.then", "stability.now", "gates.verdict"]
    return page.table(head, rows, "stability.score_caption")


def _grades(page: PageWriter) -> str:
    for i, movement in enumerate(page.plain["stability"]["movements"]):
        if movement["kind"] == "grades":
            rows = [
                page.row(
                    page.words.html(page.words.pick(share["label_en"], share["label_zh"])),
                    *(page.number(f"stability/movements/{i}/shares/{j}/{side}", "share") for side in ("then", "now")),
                )
                for j, share in enumerate(movement["shares"])
            ]
            return page.table(
                ["calibration.grade", "stability.then", "stability.now"], rows, "stability.grades_caption"
            )
    return ""


def _characteristics(page: PageWriter, movements: list[tuple[int, JsonObject]]) -> str:
    rows = []
    for i, movement in movements:
        label = page.words.html(page.words.pick(movement["label_en"], movement["label_zh"]))
        if movement["kind"] != "characteristic":
            label += f" · {page.say('stability.' + movement['kind'])}"
        both = (page.number(f"stability/movements/{i}/{name}", "share") for name in ("then", "now"))
        moves = page.number.interval(f"stability/movements/{i}/points", "ratio") if movement["points"] else ""
        rows.append(page.row(label, *_index(page, i), *both, moves, _verdict(page, movement)))
    head = ["stability.what", "stability.index", "stability.limit", "stability.then", "stability.now",
            "stability.points", "gates.verdict"]  # fmt: skip
    return page.table(head, rows, "stability.characteristics_caption")


def _shares(movements: list[JsonObject], words: Words) -> str:
    """Draw people off the reference value of each characteristic, then and now, on a logarithmic axis."""
    drawable = [m for m in movements if m["kind"] == "characteristic" and (m["then"] or 0) > 0 and (m["now"] or 0) > 0][
        :_DRAWN
    ]
    if not drawable:
        return ""
    values = [m[side] for m in drawable for side in ("then", "now")]
    marks = figures.decades(min(values), max(values))
    drawing = figures.Drawing(words, figures.WIDE, 76 + 28 * len(drawable))
    low, high = marks[0], marks[-1] if marks[-1] > marks[0] else marks[0] * 10
    x = figures.logarithmic(low, high, 400, figures.WIDE - 30)
    bottom = 38 + 28 * len(drawable)
    for place, (css, key) in enumerate((("ink", "stability.then"), ("blue", "stability.now"))):
        drawing.dot(408 + 300 * place, 10, f"dot {css}")
        drawing.text(422 + 300 * place, 14, words(key), "small")
    for mark in dict.fromkeys([*marks, high]):
        drawing.line(x(mark), 26, x(mark), bottom, "grid")
        drawing.text(x(mark), bottom + 18, short_percent(mark), "tick", "middle")
    for i, movement in enumerate(drawable):
        y = 46 + 28 * i
        css = "strong" if movement["moved"] else "small"
        drawing.text(0, y + 4, words.pick(_short(movement["label_en"]), _short(movement["label_zh"])), css)
        drawing.line(x(movement["then"]), y, x(movement["now"]), y, "whisker blue")
        drawing.dot(x(movement["then"]), y, "dot ink", 4)
        drawing.dot(x(movement["now"]), y, "dot blue", 5)
    drawing.text(figures.WIDE - 30, bottom + 36, words("stability.axis"), "small soft", "end")
    return drawing.svg(words("stability.drawing"))


def _short(label: str, most: int = 54) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
