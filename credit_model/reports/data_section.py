"""The section on the samples: event rates by month, labels that cannot be right, vintages.

In: a page writer. Out: HTML, empty without a description of samples.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.evaluation.measures import MEASURES
from credit_model.foundation.json_values import JsonObject
from credit_model.reports.figures import WIDE, Drawing, linear, ticks
from credit_model.texts.words import Texts, Words, short_percent

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter

ROWS = 60
"""Rows of the table; flagged ones and whole months come first, the evaluation has them all."""
_COLOURS = ("blue", "orange")


def highlights(page: PageWriter) -> list[str]:
    """Return the sentence for the top of the page on labels that cannot be right, if any."""
    if not page.plain["data"].get("flagged_observations"):
        return []
    return [page.say("data.flagged", count=page.number("data/flagged_observations", "count"))]


def section(page: PageWriter) -> str:
    """Render the section on the samples."""
    data = page.plain["data"]
    if not data:
        return ""
    samples: JsonObject = data["samples"]
    warning = highlights(page)
    parts = [f'<p class="warning">{warning[0]}</p>' if warning else f"<p>{page.say('data.quiet')}</p>"]
    if sum(cell["segment"] == "all" for s in samples.values() for cell in s["rates"]) > 1:
        parts.append(page.figure(rates(samples, page.words), "data.rates_caption"))
    parts.append(_table(page, samples))
    parts.append(_measures(page, samples))
    if any(described["vintages"] for described in samples.values()):
        drawing = page.figure(vintages(samples, page.words), "data.vintages_caption")
        parts += [f"<h3>{page.say('data.vintages')}</h3>", drawing, _vintages(page, samples)]
    return page.section("data", *parts)


def _table(page: PageWriter, samples: JsonObject) -> str:
    places = [(name, i, cell) for name, described in samples.items() for i, cell in enumerate(described["rates"])]
    if len(places) > ROWS:
        places = [place for place in places if place[2]["segment"] == "all" or place[2]["flag"]][:ROWS]
    rows = []
    for name, i, cell in places:
        path = f"data/samples/{name}/rates/{i}"
        flag = f'<td class="left bad">{page.say("data." + cell["flag"])}</td>' if cell["flag"] else "<td></td>"
        rows.append(
            page.row(
                html.escape(cell["period"]),
                f'<td class="left">{page.say("sample." + name)}</td>',
                f'<td class="left">{_segment(page, cell["segment"])}</td>',
                *(page.number(f"{path}/{key}", "count") for key in ("people", "observations", "bads")),
                page.number(f"{path}/rate", "share"),
                flag,
            )
        )
    head = ["data.period", "data.sample<", "data.segment<", "page.people", "page.observations", "page.bads",
            "sample.rate", "data.doubt<"]  # fmt: skip
    return page.table(head, rows, "data.table_caption")


def _segment(page: PageWriter, name: str) -> str:
    segments = ("all", "with_record", "without_record")
    return page.say(f"segment.{name}") if name in segments else html.escape(name)


def _measures(page: PageWriter, samples: JsonObject) -> str:
    columns = [name for name, described in samples.items() if described["measures"]]
    if len(columns) < 2:
        return ""
    rows = [
        page.row(
            page.say("measure." + name),
            *(page.number.interval(f"data/samples/{s}/measures/{name}", MEASURES[name].form) for s in columns),
        )
        for name in MEASURES
        if any(name in samples[s]["measures"] for s in columns)
    ]
    return f"<h3>{page.say('data.measures')}</h3>" + page.table(
        ["ranking.measure", *(f"sample.{name}" for name in columns)], rows, "data.measures_caption"
    )


def _vintages(page: PageWriter, samples: JsonObject) -> str:
    window = max(len(v["cumulative"]) for described in samples.values() for v in described["vintages"])
    columns = [month for month in (1, 3, 6, 9, 12, 24, 36) if month < window] + [window]
    rows = [
        page.row(
            html.escape(vintage["period"]),
            f'<td class="left">{page.say("sample." + name)}</td>',
            page.number(f"data/samples/{name}/vintages/{i}/people", "count"),
            *(page.number(f"data/samples/{name}/vintages/{i}/cumulative/{month - 1}", "share") for month in columns),
        )
        for name, described in samples.items()
        for i, vintage in enumerate(described["vintages"][:36])
    ]
    months = (page.words("data.by_month", month=f"{month}") for month in columns)
    head: list[str | Texts] = ["data.period", "data.sample<", "page.people", *months]
    return page.table(head, rows)


def rates(samples: JsonObject, words: Words) -> str:
    """Draw the event rate by month, one colour a sample; months whose labels cannot be right as crosses."""
    cells = [(name, c) for name, d in samples.items() for c in d["rates"] if c["segment"] == "all"]
    periods = sorted({cell["period"] for _, cell in cells})
    drawing = Drawing(words, WIDE, 300)
    values = [cell["rate"] for _, cell in cells if cell["rate"] is not None] or [0.0]
    high = max(*values, 0.001) * 1.08
    x, y = linear(-0.5, len(periods) - 0.5, 64, WIDE - 16), linear(0, high, 244, 40)
    for tick in ticks(0, high, 5):
        drawing.line(64, y(tick), WIDE - 16, y(tick), "grid")
        drawing.text(56, y(tick) + 4, short_percent(tick), "tick", "end")
    for i, period in enumerate(periods):
        if i % max(1, len(periods) // 8) == 0:
            drawing.text(x(i), 264, period, "tick", "middle")
    for place, name in enumerate(samples):
        css = _COLOURS[place % len(_COLOURS)]
        drawing.dot(70 + 240 * place, 14, f"dot {css}")
        drawing.text(82 + 240 * place, 18, words("sample." + name), "small")
        own = [(periods.index(c["period"]), c) for n, c in cells if n == name and c["rate"] is not None]
        steady = [(x(i), y(cell["rate"])) for i, cell in own]
        if len(steady) > 1:
            drawing.path(steady, f"curve thin {css}")
        for i, cell in own:
            at = x(i), y(cell["rate"])
            if cell["flag"]:
                drawing.path([(at[0] - 6, at[1] - 6), (at[0] + 6, at[1] + 6)], "cross")
                drawing.path([(at[0] - 6, at[1] + 6), (at[0] + 6, at[1] - 6)], "cross")
            else:
                drawing.dot(*at, f"dot {css}", 4)
    drawing.text(WIDE - 16, 290, words("data.rates_axis"), "small soft", "end")
    return drawing.svg(words("data.rates_figure"))


def vintages(samples: JsonObject, words: Words) -> str:
    """Cumulative event rate by month after the observation, one line an observation month."""
    lines = [(place, v) for place, d in enumerate(samples.values()) for v in d["vintages"]][:36]
    window = max(len(vintage["cumulative"]) for _, vintage in lines)
    values = [share for _, vintage in lines for share in vintage["cumulative"] if share is not None]
    high = max([*values, 0.001]) * 1.1
    drawing = Drawing(words, WIDE, 300)
    x, y = linear(0, window, 64, WIDE - 110), linear(0, high, 244, 20)
    for tick in ticks(0, high, 5):
        drawing.line(64, y(tick), WIDE - 110, y(tick), "grid")
        drawing.text(56, y(tick) + 4, short_percent(tick), "tick", "end")
    for month in ticks(0, window, min(window, 12)):
        drawing.text(x(month), 264, f"{month:g}", "tick", "middle")
    ends: list[tuple[float, str]] = []
    for place, vintage in lines:
        points = [(0.0, 0.0), *((float(i + 1), s) for i, s in enumerate(vintage["cumulative"]) if s is not None)]
        css = _COLOURS[place % len(_COLOURS)]
        drawing.path([(x(month), y(share)) for month, share in points], f"curve thin {css}")
        ends.append((y(points[-1][1]), vintage["period"]))
    highest = 300.0
    for at, period in sorted(ends, reverse=True) if len(lines) <= 6 else ():  # labels do not stand on each other
        highest = min(at, highest - 16)
        drawing.text(WIDE - 104, highest + 4, period, "small")
    drawing.text(WIDE - 110, 290, words("data.vintages_axis"), "small soft", "end")
    return drawing.svg(words("data.vintages_figure"))
