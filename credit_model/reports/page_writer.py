"""Elements of every section of the page: words, numbers, rows, tables, figures.

In: an evaluation and words. Out: pieces of HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from credit_model.evaluation.evaluation import EvaluationReport, Gate
from credit_model.evaluation.gates import Check
from credit_model.foundation.json_values import JsonObject
from credit_model.texts.words import Numbers, Texts, Words


class PageWriter:
    """Writes elements of the page of one evaluation: its words in the requested languages, and its numbers."""

    def __init__(self, report: EvaluationReport, words: Words) -> None:
        self.report, self.words = report, words
        self.plain = report.to_dict()
        self.number = Numbers(self.plain, words)
        everyone = report.segments.get("all")
        self.measures = everyone.measures if everyone else {}

    def say(self, key: str, **values: str | Texts) -> str:
        """Say a text of the page in its languages."""
        return self.words.html(self.words(key, **values))

    def field(self, source: JsonObject, name: str) -> str:
        """Say a text that the evaluation holds in both languages, or in one for both."""
        return self.words.html(self.words.field(source, name))

    def row(self, label: str, *cells: str, css: str = "") -> str:
        """Put cells behind the label of a row."""
        inside = "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in cells)
        return f'<tr{css and f" class={css}"}><th scope="row">{label}</th>{inside}</tr>'

    def table(self, head: Sequence[str | Texts], rows: Iterable[str], caption: str = "", css: str = "") -> str:
        """Put rows under a head of text keys (ending in ``<`` over a column of texts, empty over none) or of texts."""
        heads = "".join(map(self._head, head))
        body = "".join(rows)
        body = body if body.startswith("<tbody") else f"<tbody>{body}</tbody>"
        title = f"<caption>{self.say(caption)}</caption>" if caption else ""
        return f'<div class="scroll"><table class="{css}">{title}<thead><tr>{heads}</tr></thead>{body}</table></div>'

    def _head(self, key: str | Texts) -> str:
        if not key:
            return "<td></td>"
        if not isinstance(key, str):
            return f'<th scope="col">{self.words.html(key)}</th>'
        return f'<th scope="col"{" class=left" if key.endswith("<") else ""}>{self.say(key.rstrip("<"))}</th>'

    def figure(self, drawing: str, caption: str) -> str:
        """Put a caption, by its text key, under a drawing."""
        return f"<figure>{drawing}<figcaption>{self.say(caption)}</figcaption></figure>"

    def section(self, name: str, *parts: str) -> str:
        """Make a section with its heading; empty where there is nothing to put into it."""
        inside = "".join(parts)
        return f'<section id="{name}"><h2>{self.say("section." + name)}</h2>{inside}</section>' if inside else ""

    def chip(self, gate: Gate | Check | None) -> str:
        """Say whether a gate was passed."""
        if gate is None:
            return ""
        css, key = ("yes", "passed") if gate.passed else ("no", "failed")
        return f'<span class="chip {css}">{self.say("page." + key)}</span>'
