"""The drawings of an evaluation: grades, scores, ranking, calibration, months, challengers, dates.

In: an `EvaluationReport` and the page's words. Out: one ``<svg>`` element each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta

from credit_model.evaluation.challenger import Attribution
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import Estimate
from credit_model.reports.drawing import WIDE, Drawing, decades, linear, logarithmic, shorten, ticks
from credit_model.texts.words import Words, short_percent


def gauge(words: Words, estimate: Estimate, low: float, high: float, limits: tuple[float | None, float | None]) -> str:
    """Draw the small scale of a tile: the interval, the value, and in green the range the gate allows."""
    drawing = Drawing(words, 290, 30)
    x = linear(low, high, 6, 284)
    drawing.box(6, 10, 278, 6, "track")
    if limits != (None, None):
        inner = x(low if limits[0] is None else limits[0]), x(high if limits[1] is None else limits[1])
        drawing.box(inner[0], 10, inner[1] - inner[0], 6, "allowed")
    for end in (low, high):
        drawing.text(x(end), 29, f"{end:g}", "tick", "start" if end == low else "end")
    if estimate.value is not None and estimate.low is not None and estimate.high is not None:
        drawing.box(x(estimate.low), 10, x(estimate.high) - x(estimate.low), 6, "reach")
        drawing.dot(x(estimate.value), 13, "dot ink", 5)
    return drawing.svg(words("figure.gauge"))


def grade_strip(report: EvaluationReport, words: Words) -> str:
    """Draw shares of people by grade to scale, and the worst grades magnified below where they would vanish."""
    shares = [(grade.grade, grade.counts.share) for grade in report.grades if grade.counts.share is not None]
    worst: list[tuple[str, float]] = []
    total = 0.0
    for name, share in reversed(shares):
        if total + share > 0.1:
            break
        worst.insert(0, (name, share))
        total += share
    magnify = 0 < len(worst) < len(shares) and len(worst) > 1
    drawing = Drawing(words, WIDE, 134 if magnify else 42)

    def strip(parts: Sequence[tuple[str, float]], top: float) -> None:
        x = 0.0
        whole = sum(share for _, share in parts)
        for name, share in parts:
            width = WIDE * share / whole
            number = [grade for grade, _ in shares].index(name)
            shade = round(number * 5 / max(len(shares) - 1, 1))
            drawing.box(x, top, width - 1, 40, f"grade-{shade}", words.same(f"{name}: {short_percent(share)}"))
            css = "on-dark" if shade in (0, 1, 4, 5) else ""
            if width > 62:
                drawing.text(x + width / 2, top + 18, name, f"strong {css}", "middle")
                drawing.text(x + width / 2, top + 33, short_percent(share), f"small {css}", "middle")
            elif width > 16:
                drawing.text(x + width / 2, top + 25, name, f"strong {css}", "middle")
            x += width

    strip(shares, 0)
    if magnify:
        start = WIDE * (1 - total / sum(share for _, share in shares))
        drawing.path([(start, 42), (WIDE, 42), (WIDE, 92), (0, 92)], "zoom", is_closed=True)
        drawing.text(WIDE / 2, 74, words("figure.magnified", share=short_percent(total)), "small soft", "middle")
        strip(worst, 92)
    return drawing.svg(words("figure.grades"))


def score_distribution(report: EvaluationReport, words: Words) -> str:
    """Draw the share of people by score, grade cuts as lines; on a logarithmic axis where there is a mass point."""
    drawing = Drawing(words, WIDE, 340)
    ordinary = [band for band in report.bands if not band.mass_point]
    mass = next((band for band in report.bands if band.mass_point), None)
    width = min(band.high - band.low + 1 for band in ordinary)
    # Joined bands are drawn as high as their people stand on average, so that areas can be compared.
    heights = [band.share * width / (band.high - band.low + 1) for band in ordinary]
    low, high = min(b.low for b in report.bands), max(b.high for b in report.bands) + 1
    x = linear(low, high, 64, WIDE - 16)
    if mass is not None:
        marks = decades(min(heights) * 0.7, 1.0)
        y, axis = logarithmic(marks[0], 1.0, 292, 34), "figure.people_log"
    else:
        marks = ticks(0, max(heights) * 1.1)
        y, axis = linear(0, max(heights) * 1.1, 292, 34), "figure.people_plain"
    for mark in marks:
        drawing.line(64, y(mark), WIDE - 16, y(mark), "grid")
        drawing.text(56, y(mark) + 4, short_percent(mark), "tick", "end")
    drawing.text(64, 14, words(axis, width=f"{width}"), "small soft")
    for band, height in zip(ordinary, heights, strict=True):
        left, right = x(band.low), x(band.high + 1)
        label = words.same(f"{band.low}–{band.high}: {short_percent(band.share)}")
        drawing.box(left + 0.5, y(height), right - left - 1, 292 - y(height), "bar", label)
    for cut, name in zip(report.card.get("grade_cuts", []), report.card.get("grades", [])[1:], strict=False):
        if low < cut < high:
            drawing.line(x(cut), 34, x(cut), 298, "cut")
            drawing.text(x(cut) + 3, 31, name, "tick")
    for tick in ticks(low, high, 9):
        drawing.text(x(tick), 312, f"{tick:g}", "tick", "middle")
    drawing.text(WIDE - 16, 332, words("figure.score_axis"), "small soft", "end")
    if mass is not None:
        at = x(mass.low + 0.5)
        label = words("figure.mass", share=short_percent(mass.share), score=f"{mass.low}")
        drawing.box(at - 3.5, y(mass.share), 7, 292 - y(mass.share), "mass", label)
        side, shift = ("end", -14) if at > WIDE / 2 else ("start", 14)
        drawing.text(at + shift, y(mass.share) + 14, label, "strong mass-text", side)
    return drawing.svg(words("figure.distribution"))


def grade_calibration(report: EvaluationReport, words: Words) -> str:
    """Draw predicted and observed bad rates by grade, on a logarithmic axis."""
    rows = report.grades
    values = [v for g in rows for v in (g.low, g.high, g.counts.bad_rate, g.counts.mean_probability) if v]
    marks = decades(min(values), max(values)) if values else [0.001, 1.0]
    drawing = Drawing(words, WIDE, 74 + 40 * len(rows))
    x = logarithmic(marks[0], marks[-1], 70, WIDE - 150)
    bottom = 36 + 40 * len(rows)
    for mark in marks:
        drawing.line(x(mark), 28, x(mark), bottom, "grid")
        drawing.text(x(mark), bottom + 18, short_percent(mark), "tick", "middle")
    drawing.dot(76, 10, "dot blue")
    drawing.text(88, 14, words("figure.happened"), "small")
    drawing.path(_diamond(330, 10), "diamond")
    drawing.text(342, 14, words("figure.predicted"), "small")
    drawing.text(WIDE - 150, bottom + 36, words("figure.rate_axis"), "small soft", "end")
    for i, grade in enumerate(rows):
        y = 50 + 40 * i
        drawing.text(44, y + 5, grade.grade, "strong", "end")
        drawing.line(70, y, WIDE - 150, y, "rule")
        drawing.whisker(x, y, Estimate(grade.counts.bad_rate, grade.low, grade.high), "blue")
        if grade.counts.mean_probability is not None:
            drawing.path(_diamond(x(grade.counts.mean_probability), y), "diamond")
        if grade.counts.hidden:
            drawing.text(WIDE - 138, y + 5, words("figure.blank"), "small soft")
        elif grade.p_value_holm is not None:
            drawing.text(
                WIDE - 138,
                y + 5,
                f"p = {grade.p_value_holm:.3f}" if grade.p_value_holm >= 0.001 else "p < 0.001",
                "small warn" if grade.p_value_holm < 0.05 else "small",
            )
    return drawing.svg(words("figure.calibration"))


def _diamond(x: float, y: float) -> list[tuple[float, float]]:
    return [(x, y - 7), (x + 6, y), (x, y + 7), (x - 6, y), (x, y - 7)]


def curves(report: EvaluationReport, words: Words) -> str:
    """Draw ROC and CAP side by side: bads met against goods met, and against people met."""
    drawing = Drawing(words, WIDE, 450)
    rate = report.segments["all"].counts.bad_rate or 0.0
    panels = (
        ("figure.roc", "figure.goods_axis", [(good, bad) for _, good, bad in report.curve], [(0.0, 1.0)]),
        ("figure.cap", "figure.people_axis", [(people, bad) for people, _, bad in report.curve], [(rate, 1.0)]),
    )
    for number, (title, axis, points, perfect) in enumerate(panels):
        left = 60 + number * 530
        x, y = linear(0, 1, left, left + 400), linear(0, 1, 406, 36)
        drawing.text(left, 18, words(title), "strong")
        for tick in (0, 0.25, 0.5, 0.75, 1):
            drawing.line(left, y(tick), left + 400, y(tick), "grid")
            drawing.text(left - 8, y(tick) + 4, f"{100 * tick:.0f}%", "tick", "end")
            drawing.text(x(tick), 424, f"{100 * tick:.0f}%", "tick", "middle")
        drawing.path([(x(0), y(0)), (x(1), y(1))], "chance")
        drawing.path([(x(a), y(b)) for a, b in [(0.0, 0.0), *perfect, (1.0, 1.0)]], "perfect")
        curve = [(x(a), y(b)) for a, b in points]
        drawing.path([*curve, (x(1), y(0))], "area", is_closed=True)
        drawing.path(curve, "curve")
        drawing.text(left + 400, 444, words(axis), "small soft", "end")
    drawing.text(60 + 390, 396, words("figure.bads_axis"), "small soft", "end")
    return drawing.svg(words("figure.curves"))


def ladder(report: EvaluationReport, words: Words, measure: str) -> str:
    """Draw one Gini for each ranking, from the constant to the true risk."""
    rows = [r for r in report.rankings if r.role != "constant" and r.measures[measure].value is not None]
    drawing = Drawing(words, WIDE, 44 + 38 * len(rows))
    most = max(0.1, *(r.measures[measure].high or 0.0 for r in rows))
    end = ticks(0, most * 1.1, 5)[-1] if most > 0.1 else 0.1
    end = end if end >= most else math.ceil(most * 10) / 10
    x = linear(0, end, 400, WIDE - 90)
    bottom = 14 + 38 * len(rows)
    for tick in ticks(0, end, 5):
        drawing.line(x(tick), 4, x(tick), bottom, "grid")
        drawing.text(x(tick), bottom + 18, f"{tick:g}", "tick", "middle")
    for i, row in enumerate(rows):
        y = 24 + 38 * i
        own = row.role == "card"
        drawing.text(0, y + 5, words.pick(shorten(row.label_en), shorten(row.label_zh)), "strong" if own else "")
        drawing.box(x(0), y - 7, x(row.measures[measure].value or 0) - x(0), 14, "bar" if own else "bar-soft")
        drawing.whisker(x, y, row.measures[measure], "ink")
        drawing.text(WIDE - 60, y + 5, f"{row.measures[measure].value:.3f}", "strong" if own else "")
    return drawing.svg(words("figure.ladder"))


def months(report: EvaluationReport, words: Words) -> str:
    """Draw Gini and observed to expected by as-of date, each with its interval."""
    drawing = Drawing(words, WIDE, 300)
    days = [month.as_of for month in report.months]
    for number, (name, title, level) in enumerate(
        (("gini", "figure.gini_by_month", None), ("observed_to_expected", "figure.oe_by_month", 1.0))
    ):
        left = 50 + number * 530
        estimates = [month.measures.get(name, Estimate(None, None, None)) for month in report.months]
        ends = [e for f in estimates for e in (f.low, f.high) if e is not None] + [0.0, level or 0.0]
        low, high = min(ends), max(ends) * 1.05 or 1.0
        x, y = linear(-0.5, len(days) - 0.5, left, left + 430), linear(low, high, 244, 36)
        drawing.text(left, 18, words(title), "strong")
        for tick in ticks(low, high, 5):
            drawing.line(left, y(tick), left + 430, y(tick), "grid")
            drawing.text(left - 8, y(tick) + 4, f"{tick:g}", "tick", "end")
        if level is not None:
            drawing.line(left, y(level), left + 430, y(level), "cut")
        path = [(x(i), y(f.value)) for i, f in enumerate(estimates) if f.value is not None]
        if len(path) > 1:
            drawing.path(path, "curve thin")
        for i, f in enumerate(estimates):
            if f.value is not None and f.low is not None and f.high is not None:
                drawing.line(x(i), y(f.low), x(i), y(f.high), "whisker blue")
                drawing.dot(x(i), y(f.value), "dot blue")
            if i % math.ceil(len(days) / 5) == 0:
                drawing.text(x(i), 264, days[i], "tick", "middle")
    return drawing.svg(words("figure.months"))


def attributions(features: Sequence[Attribution], words: Words) -> str:
    """Draw how far each feature moves people, in the card and in the challenger, for the strongest features."""
    rows = sorted(features, key=lambda f: -max(f.card or 0.0, f.challenger))[:12]
    most = max((max(f.card or 0.0, f.challenger) for f in rows), default=0.0) or 1.0
    drawing = Drawing(words, WIDE, 76 + 34 * len(rows))
    x = linear(0, most, 400, WIDE - 20)
    bottom = 38 + 34 * len(rows)
    for place, (css, key) in enumerate((("blue", "card"), ("orange", "challenger"))):
        drawing.box(400 + 300 * place, 4, 22, 12, f"span {css}")
        drawing.text(430 + 300 * place, 14, words(f"challenger.{key}"), "small")
    for tick in ticks(0, most, 5):
        drawing.line(x(tick), 28, x(tick), bottom, "grid")
        drawing.text(x(tick), bottom + 18, f"{tick:g}", "tick", "middle")
    for i, feature in enumerate(rows):
        y = 38 + 34 * i
        drawing.text(0, y + 14, words.pick(shorten(feature.text_en), shorten(feature.text_zh)), "small")
        if feature.card is not None:
            drawing.box(x(0), y, x(feature.card) - x(0), 10, "span blue")
        drawing.box(x(0), y + 12, x(feature.challenger) - x(0), 10, "span orange")
    drawing.text(WIDE - 20, bottom + 36, words("figure.moves_axis"), "small soft", "end")
    return drawing.svg(words("figure.moves"))


def timeline(dates: JsonObject, words: Words) -> str:
    """Draw development dates, the time their outcomes need to mature, and the out-of-time dates, to scale."""
    groups = [(name, [date.fromisoformat(day) for day in dates[name]]) for name in ("development", "out_of_time")]
    window, maturity = float(dates.get("window_months") or 0), float(dates.get("maturity_months") or 0)
    month = timedelta(days=30.44)
    all_days = [day for _, days in groups for day in days]
    first, last = min(all_days) - month, max(all_days) + month * (window + maturity + 1)
    rows = len(all_days)
    drawing = Drawing(words, WIDE, 62 + 30 * rows)
    x = linear(first.toordinal(), last.toordinal(), 130, WIDE - 10)
    bottom = 20 + 30 * rows
    for year in range(first.year + 1, last.year + 1):
        at = x(date(year, 1, 1).toordinal())
        drawing.line(at, 6, at, bottom, "grid")
        drawing.text(at, bottom + 16, f"{year}", "tick", "middle")
    y = 24.0
    for name, days in groups:
        for day in days:
            css = "blue" if name == "development" else "orange"
            drawing.text(118, y + 5, words("figure." + name), "small", "end")
            start, observed_until, mature_on = (
                x((day + month * m).toordinal()) for m in (0, window, window + maturity)
            )
            drawing.box(start, y - 8, observed_until - start, 16, f"span {css}", words.same(day.isoformat()))
            if maturity:
                drawing.box(observed_until, y - 8, mature_on - observed_until, 16, f"span pale {css}")
            if observed_until - start > 84:
                drawing.text(start + 6, y + 4.5, day.isoformat(), "small on-dark")
            else:  # too short a bar to write on: beside it, on the side with room
                at, side = (mature_on + 6, "start") if start < WIDE / 2 else (start - 6, "end")
                drawing.text(at, y + 4.5, day.isoformat(), "small", side)
            y += 30
    drawing.box(130, bottom + 28, 22, 10, "span blue")
    drawing.text(158, bottom + 37, words("figure.window", months=f"{window:g}"), "small soft")
    if maturity:
        drawing.box(480, bottom + 28, 22, 10, "span pale blue")
        drawing.text(508, bottom + 37, words("figure.maturity", months=f"{maturity:g}"), "small soft")
    return drawing.svg(words("figure.timeline"))
