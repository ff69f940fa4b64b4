"""A canvas of plain SVG, and its axes: text stays text, and the same shapes give the same bytes anywhere.

Drawn by hand rather than by a plotting library: labels stand in the page's own fonts and in both of its languages, the
page's colours and print rules apply, and nothing depends on which fonts the machine that rendered it had.

In: shapes, and texts in the languages of a page. Out: one ``<svg>`` element, with a label for those who cannot see.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Sequence

from credit_model.metrics.performance import Estimate
from credit_model.texts.words import Texts, Words

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


def shorten(label: str, most: int = 54) -> str:
    """Cut a label that is longer than its column."""
    return label if len(label) <= most else label[: most - 1] + "…"
