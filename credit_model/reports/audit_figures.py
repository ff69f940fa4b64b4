"""The drawings of what surrounds a score: samples, cut-offs, groups, movements since the card was learned.

In: sections of an evaluation, and the page's words. Out: one ``<svg>`` element each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from credit_model.evaluation.decisions import CutoffRow
from credit_model.evaluation.fairness_audit import AttributeAudit
from credit_model.evaluation.fairness_cutoffs import Cutoff
from credit_model.evaluation.samples import Described
from credit_model.metrics.performance import Estimate
from credit_model.metrics.stability import Movement
from credit_model.reports.drawing import WIDE, Drawing, decades, linear, logarithmic, shorten, ticks
from credit_model.texts.words import Words, short_percent

_COLOURS = ("blue", "orange")
_CHARACTERISTICS = 14  # in the drawing of movements; the table has them all


def rates(samples: Mapping[str, Described], words: Words) -> str:
    """Draw the event rate by month, one colour a sample; months whose labels cannot be right as crosses."""
    cells = [(name, c) for name, d in samples.items() for c in d.rates if c.segment == "all"]
    periods = sorted({cell.period for _, cell in cells})
    drawing = Drawing(words, WIDE, 300)
    values = [cell.rate for _, cell in cells if cell.rate is not None] or [0.0]
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
        own = [c for n, c in cells if n == name]
        points = [(x(periods.index(c.period)), y(c.rate), c.flag) for c in own if c.rate is not None]
        if len(points) > 1:
            drawing.path([(left, top) for left, top, _ in points], f"curve thin {css}")
        for left, top, flag in points:
            if flag:
                drawing.path([(left - 6, top - 6), (left + 6, top + 6)], "cross")
                drawing.path([(left - 6, top + 6), (left + 6, top - 6)], "cross")
            else:
                drawing.dot(left, top, f"dot {css}", 4)
    drawing.text(WIDE - 16, 290, words("data.rates_axis"), "small soft", "end")
    return drawing.svg(words("data.rates_figure"))


def vintages(samples: Mapping[str, Described], words: Words) -> str:
    """Draw the cumulative event rate by month after the observation, one line an observation month."""
    lines = [(place, v) for place, d in enumerate(samples.values()) for v in d.vintages][:36]
    window = max(len(vintage.cumulative) for _, vintage in lines)
    values = [share for _, vintage in lines for share in vintage.cumulative if share is not None]
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
        points = [(0.0, 0.0), *((float(i + 1), s) for i, s in enumerate(vintage.cumulative) if s is not None)]
        css = _COLOURS[place % len(_COLOURS)]
        drawing.path([(x(month), y(share)) for month, share in points], f"curve thin {css}")
        ends.append((y(points[-1][1]), vintage.period))
    highest = 300.0
    for at, period in sorted(ends, reverse=True) if len(lines) <= 6 else ():  # labels do not stand on each other
        highest = min(at, highest - 16)
        drawing.text(WIDE - 104, highest + 4, period, "small")
    drawing.text(WIDE - 110, 290, words("data.vintages_axis"), "small soft", "end")
    return drawing.svg(words("data.vintages_figure"))


def cutoffs(rows: Sequence[CutoffRow], words: Words) -> str:
    """Draw the share eligible at each cut-off, and the bad rates of those eligible and of the others."""
    drawing = Drawing(words, WIDE, 96 + 40 * len(rows))
    bottom = 44 + 40 * len(rows)
    left = linear(0, 1, 70, 400)
    pairs = [(row.bad_rate, row.bad_rate_below) for row in rows]
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
    for i, (row, (above, below)) in enumerate(zip(rows, pairs, strict=True)):
        y = 56 + 40 * i
        drawing.text(56, y + 5, f"{row.cutoff:g}", "strong", "end")
        if row.share.value is None:
            drawing.text(76, y + 5, words("figure.blank"), "small soft")
            continue
        share = row.share.value
        drawing.box(70, y - 8, left(share) - 70, 16, "bar", words.same(short_percent(share)))
        drawing.whisker(right, y - 5, above, "blue")
        drawing.whisker(right, y + 5, below, "orange")
    drawing.text(WIDE - 30, bottom + 40, words("figure.rate_axis"), "small soft", "end")
    return drawing.svg(words("decisions.figure"))


def forest(attribute: AttributeAudit, cut: Cutoff, words: Words) -> str:
    """Draw eligibility ratio at one cut-off and base-rate ratio by group, with intervals and the allowed range."""
    groups = attribute.groups
    nothing = Estimate(None, None, None)
    estimates = [
        (row.ratio, group.measures.get("base_rate_ratio", nothing))
        for row, group in zip(cut.groups, groups, strict=True)
    ]
    drawing = Drawing(words, WIDE, 92 + 36 * len(groups))
    bottom = 40 + 36 * len(groups)
    panels = (("fairness.ratio_at", 190, 560), ("fairness.base_rate_ratio", 640, WIDE - 30))
    for number, (key, start, end) in enumerate(panels):
        ends = [v for pair in estimates for v in (pair[number].low, pair[number].high) if v]
        low, high = min([*ends, 0.75]) * 0.95, max([*ends, 1.3]) * 1.05
        low = max(low, 0.05)
        x = logarithmic(low, high, start, end)
        drawing.text(start, 16, words(key, cutoff=f"{cut.cutoff:g}") if number == 0 else words(key), "strong")
        drawing.box(x(0.8), 28, x(1.25) - x(0.8), bottom - 28, "allowed faint")
        drawing.line(x(1), 28, x(1), bottom, "cut")
        for tick in (0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 8):
            if low <= tick <= high:
                drawing.text(x(tick), bottom + 18, f"{tick:g}", "tick", "middle")
        for i, pair in enumerate(estimates):
            y = 50 + 36 * i
            if number == 0:
                drawing.text(176, y + 5, words.pick(groups[i].label_en, groups[i].label_zh), "", "end")
            if pair[number].value is None:
                drawing.text((start + end) / 2, y + 5, words("figure.blank"), "small soft", "middle")
            elif groups[i].name == attribute.reference:
                drawing.text(x(1) + 6, y + 5, words("fairness.reference"), "small soft")
            else:
                drawing.whisker(x, y, pair[number], "blue" if number == 0 else "orange")
    return drawing.svg(words("fairness.figure"))


def movements(rows: Sequence[Movement], words: Words) -> str:
    """Draw people off the reference value of each characteristic, then and now, on a logarithmic axis."""
    drawable = [(m, m.then, m.now) for m in rows if m.kind == "characteristic" and m.then and m.now][:_CHARACTERISTICS]
    if not drawable:
        return ""
    values = [side for _, *sides in drawable for side in sides]
    marks = decades(min(values), max(values))
    drawing = Drawing(words, WIDE, 76 + 28 * len(drawable))
    low, high = marks[0], marks[-1] if marks[-1] > marks[0] else marks[0] * 10
    x = logarithmic(low, high, 400, WIDE - 30)
    bottom = 38 + 28 * len(drawable)
    for place, (css, key) in enumerate((("ink", "stability.then"), ("blue", "stability.now"))):
        drawing.dot(408 + 300 * place, 10, f"dot {css}")
        drawing.text(422 + 300 * place, 14, words(key), "small")
    for mark in dict.fromkeys([*marks, high]):
        drawing.line(x(mark), 26, x(mark), bottom, "grid")
        drawing.text(x(mark), bottom + 18, short_percent(mark), "tick", "middle")
    for i, (movement, then, now) in enumerate(drawable):
        y = 46 + 28 * i
        css = "strong" if movement.moved else "small"
        drawing.text(0, y + 4, words.pick(shorten(movement.label_en), shorten(movement.label_zh)), css)
        drawing.line(x(then), y, x(now), y, "whisker blue")
        drawing.dot(x(then), y, "dot ink", 4)
        drawing.dot(x(now), y, "dot blue", 5)
    drawing.text(WIDE - 30, bottom + 36, words("stability.axis"), "small soft", "end")
    return drawing.svg(words("stability.drawing"))
