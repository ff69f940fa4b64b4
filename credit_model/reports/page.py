"""The page of an evaluation: for anyone at the top, for a validator below.

One file of HTML without a script, a link or a date of its own: it opens offline, prints, and the same evaluation gives
the same bytes. With both languages in it, two radio buttons and a line of CSS choose the one that is shown. What
stands where is in ``templates``, a file a section; all they put into the page is escaped.

In: an `EvaluationReport`. Out: HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup, escape

from credit_model.evaluation.challenger import FIFTHS
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.measures import MEASURES, TESTS
from credit_model.metrics.performance import rough_error
from credit_model.reports import audit_figures, figures, rows, shapes
from credit_model.reports.gate_texts import gate_label, headline, part_label
from credit_model.reports.templating import templates
from credit_model.texts.words import TAGS, Numbers, Texts, Words

_SECTIONS = (
    "meaning", "gates", "sample", "data", "scores", "ranking", "calibration", "decisions", "fairness", "challenger",
    "stability", "time", "effects", "card", "reasons", "limits", "provenance",
)  # fmt: skip


def _prefixed(prefix: str, names: Iterable[object]) -> list[str]:
    return [f"{prefix}{name}" for name in names]


_NAMES = {
    "MEASURES": MEASURES, "TESTS": TESTS, "TAGS": TAGS, "FIFTHS": FIFTHS,
    "figures": figures, "audit_figures": audit_figures, "shapes": shapes, "rows": rows,
    "gate_label": gate_label, "part_label": part_label, "prefixed": _prefixed, "rough_error": rough_error,
}  # fmt: skip


class _Page:
    """What the templates ask for: texts in the languages of the page, and numbers with the place they come from."""

    def __init__(self, report: EvaluationReport, words: Words) -> None:
        self.report, self.words = report, words
        self.numbers = Numbers(report.to_dict(), words)

    def say(self, key: str, **values: object) -> Markup:
        """Say a text of the page, its braces filled in."""
        safe = {name: value if isinstance(value, dict) else escape(value) for name, value in values.items()}
        return Markup(self.words.html(self.words(key, **safe)))

    def show(self, texts: Texts | str) -> Markup:
        """Show a text in the languages of the page."""
        return Markup(self.words.html(texts))

    def texts_of(self, source: object, name: str = "label") -> Texts:
        """Return a text that the evaluation holds in both languages, or in one for both."""
        return self.words.field(source if isinstance(source, Mapping) else vars(source), name)

    def label(self, source: object, name: str) -> Markup:
        """Show such a text."""
        return self.show(self.texts_of(source, name))

    def number(self, path: str, kind: str) -> Markup:
        """Show the number at a path of the evaluation, or a value with its interval."""
        show = self.numbers.interval if isinstance(self.numbers.at(path), Mapping) else self.numbers
        return Markup(show(path, kind))

    def ends(self, path: str, kind: str) -> tuple[Markup, ...]:
        """Show a value and the ends of its interval, each by itself."""
        return tuple(self.number(f"{path}/{end}", kind) for end in ("value", "low", "high"))

    def cells(self, at: str, kinds: Mapping[str, str], css: str = "") -> Markup:
        """Show numbers below a path as cells of a row."""
        opening = Markup('<td class="{}">').format(css) if css else Markup("<td>")
        return Markup("").join(
            opening + self.number(f"{at}/{name}", kind) + Markup("</td>") for name, kind in kinds.items()
        )

    def render(self) -> str:
        """Render every section, and the page around those that have something to show."""
        everyone = self.report.segments.get("all")
        names = ("report", "words", "say", "show", "texts_of", "label", "number", "ends", "cells")
        context = _NAMES | {name: getattr(self, name) for name in names}
        context |= {
            "everyone": everyone,
            "measures": everyone.measures if everyone else {},
            "value_at": self.numbers.at,
        }
        contents = {name: templates().get_template(f"{name}.html").render(context).strip() for name in _SECTIONS}
        page = templates().get_template("page.html").render(
            context,
            sections={name: Markup(text) for name, text in contents.items() if text},
            verdict=headline(self.words, self.report),
            gates_of_everyone={gate.name: gate for gate in self.report.gates if gate.segment == "all"},
        )  # fmt: skip
        return page + "\n"


def render_html(report: EvaluationReport, path: str | Path | None = None, *, lang: str = "both") -> str:
    """Render an evaluation as one self-contained page.

    Parameters
    ----------
    report : EvaluationReport
    path : path, optional
        Where to write the page as well.
    lang : {"both", "en", "zh"}
        ``both`` carries the two languages and a switch.

    Returns
    -------
    str
        HTML without script or outside reference; the same report gives the same text.

    Examples
    --------
    >>> render_html(EvaluationReport(), lang="en").startswith("<!doctype html>")
    True
    """
    text = _Page(report, Words(lang)).render()
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
