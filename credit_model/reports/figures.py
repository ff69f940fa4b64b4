"""The drawings of an evaluation, as plain SVG: text stays text, and the same report gives the same bytes anywhere.

Drawn by hand rather than by a plotting library: labels stand in the page's own fonts and in both of its languages, the
page's colours and print rules apply, and nothing depends on which fonts the machine that rendered it had.

In: an `EvaluationReport` and the page's words. Out: one ``<svg>`` element each, with a label for those who cannot see.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from credit_model.evaluation.challenger import Attribution
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import Estimate
from credit_model.texts.words import Texts, Words, short_percent

Scale = Callable[[float], float]
WIDE = 1016


class Drawing:
    """Shapes on a canvas of user units, which the page stretches to the column's width."""

    def __init__(self, words: Words, width: float, height: float) -> None:
        self._words, self._width, self._height = words, width, height
        self._parts: list[str] = []

    def _add(self, tag: str, css: str, inside: str = "", **attributes: float | str) -> None:
        settings = "".join(
            f' {name.replace("_", "-")}="{round(value, 1) if isinstance(value, float) else value}"'
            for name, value in attributes.items()
        )
        self._parts.append(
            f'<{tag} class="{css}"{settings}>{inside}</{tag}>' if inside else f'<{tag} class="{css}"{settings}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw a straight line."""
        self._add("line", css, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        css: str,
        hover: Texts | None = None,
        **more: float,
    ) -> None:
        """Draw a rectangle, with a text when pointed at."""
        inside = "" if hover is None else f"<title>{self._words.plain(hover)}</title>"
        size = {"width": float(max(width, 0.5)), "height": float(height)}
        self._add("rect", css, inside, x=float(x), y=float(y), **size, rx=1.5, **more)

    def dot(self, x: float, y: float, css: str, radius: float = 5) -> None:
        """Draw a disc."""
        self._add("circle", css, cx=float(x), cy=float(y), r=float(radius))

    def path(self, points: Sequence[tuple[float, float]], css: str, is_closed: bool = False) -> None:
        """Draw a line through points."""
        steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
        self._add("path", css, d=steps + ("Z" if is_closed else ""))

    def text(self, x: float, y: float, content: Texts | str, css: str = "", anchor: str = "start") -> None:
        """Write in every language of the page."""
        for css_language, words in self._words.each(content):
            names = " ".join(filter(None, (css, css_language)))
            self._add("text", names, words, x=float(x), y=float(y), text_anchor=anchor)

    def lines(
        self,
        x: float,
        y: float,
        content: Texts,
        width: float,
        most: int = 1,
        css: str = "",
        anchor: str = "start",
    ) -> None:
        """Write around a height, on as many lines as a width needs, in every language of the page."""
        for language, words in self._words.each(content):
            pieces = wrap_text(html.unescape(words), width, most, BOLD if "strong" in css else 14)
            for i, line in enumerate(pieces):
                at = y + 4.5 + _LINE * (i - (len(pieces) - 1) / 2)
                names = " ".join(filter(None, (css, language)))
                self._add("text", names, html.escape(line), x=float(x), y=at, text_anchor=anchor)

    def whisker(self, x: Scale, y: float, estimate: Estimate, css: str) -> None:
        """Draw a value and its interval on a row."""
        if estimate.value is None or estimate.low is None or estimate.high is None:
            return
        self.line(x(estimate.low), y, x(estimate.high), y, f"whisker {css}")
        for end in (estimate.low, estimate.high):
            self.line(x(end), y - 4, x(end), y + 4, f"whisker {css}")
        self.dot(x(estimate.value), y, f"dot {css}")

    def svg(self, title: Texts, style: str = "") -> str:
        """Close the drawing; a screen reader reads the title. With a style it stands alone, without a page."""
        label = self._words.plain(title)
        alone = f' xmlns="http://www.w3.org/2000/svg" width="{self._width:g}"' if style else ""
        return (
            f'<svg role="img" aria-label="{label}" viewBox="0 0 {self._width:g} {self._height:g}"{alone}>'
            + (f"<style>{style}</style>" if style else "")
            + "".join(self._parts)
            + "</svg>"
        )


_LINE = 15.5
BOLD = 15.0
"""Size of an ordinary font as wide as the bold one."""


def wrap_text(text: str, width: float, most: int, size: float = 14) -> list[str]:
    """Break a text into lines of a width, at blanks or within Chinese; the rest is cut with an ellipsis.

    Widths are estimated for the widest of usual fonts: a Chinese character is as wide as it is high.

    Examples
    --------
    >>> wrap_text("Adverse records, 24 months", 140, 2)
    ['Adverse records,', '24 months']
    """
    pieces = re.findall(r"[\u2e80-\uffff]\s*|[^\s\u2e80-\uffff]+\s*", text)
    lines = [""]
    for piece in pieces:
        if lines[-1] and _extent(lines[-1] + piece.rstrip()) * size > width:
            lines.append("")
        lines[-1] += piece
    wrapped = [line.rstrip() for line in lines]
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], " ".join(wrapped[most - 1 :])]
    return [_cut(line, width / size) for line in wrapped]


def _extent(text: str) -> float:
    """Return the width of a text in heights of its font."""
    return sum(1.0 if ord(c) > 0x2E7F else 0.66 if c.isupper() or c in "×≤≥<>" else 0.58 for c in text)


def _cut(line: str, room: float) -> str:
    if _extent(line) <= room:
        return line
    while line and _extent(line) + 0.9 > room:
        line = line[:-1]
    return line.rstrip(" ,;，；") + "…"


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Map values onto a length; values outside stop at the ends."""
    reach = (high - low) or 1.0
    return lambda value: start + (end - start) * min(max((value - low) / reach, 0.0), 1.0)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """As `linear`, on the logarithm; zero stops at the low end."""
    inner = linear(math.log10(low), math.log10(high), start, end)
    return lambda value: inner(math.log10(max(value, low)))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values between two ends, in steps of 1, 2 or 5."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Return powers of ten from the one at or below a value to the one at or above another."""
    return [10.0**e for e in range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)]


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
        drawing.text(0, y + 5, words.pick(_shortened(row.label_en), _shortened(row.label_zh)), "strong" if own else "")
        drawing.box(x(0), y - 7, x(row.measures[measure].value or 0) - x(0), 14, "bar" if own else "bar-soft")
        drawing.whisker(x, y, row.measures[measure], "ink")
        drawing.text(WIDE - 60, y + 5, f"{row.measures[measure].value:.3f}", "strong" if own else "")
    return drawing.svg(words("figure.ladder"))


def _shortened(label: str, most: int = 54) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"


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
        drawing.text(0, y + 14, words.pick(_shortened(feature.text_en), _shortened(feature.text_zh)), "small")
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
