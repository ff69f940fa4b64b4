"""Drawings of a card: how much each term moves scores, and the points along one characteristic.

The page draws them from the evaluation; in a notebook they are drawn from the card, and carry their own style.

In: the table of a card as an evaluation keeps it, and words; or a card and rows. Out: a table; one ``<svg>`` each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from credit_model.evaluation.scored_rows import card_of, mean_movement
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.reports.drawing import BOLD, WIDE, Drawing, wrap_text
from credit_model.texts.words import Texts, Words, format_number, short_percent

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard.card import Card

Term = JsonObject  # of the card in an evaluation
HALF = 496  # two of them and the gap between make a page
_LABEL, _ROW, _TALL = 196, 24, 36
_CELL_LEAST, _CELL_MOST = 92, 150
_STYLE = (
    "text{font:14px system-ui,'Noto Sans CJK SC',sans-serif;fill:#1b2733}.soft,.tick{fill:#55636f}"
    ".strong{font-weight:650}"
    ".lost{fill:#c98a5c}.gained{fill:#6aa98a}.bar{fill:#7fa9c6}.none{fill:#f0f3f5}.axis{stroke:#55636f}"
)


def importance(card: Card, X: pd.DataFrame, weight: ArrayLike | None = None) -> pd.DataFrame:
    """Compute how much each characteristic and pair moves scores: mean absolute points about their mean over the rows.

    Of an additive score these are the means of absolute SHAP values, exactly.

    Parameters
    ----------
    card : Card
    X : frame
        Rows the card scores, with exactly its columns.
    weight : array, optional

    Returns
    -------
    DataFrame
        ``term``, ``label_zh``, ``label_en``, ``mean_points``, ``range`` (most less least points), greatest first.
    """
    import pandas as pd

    points = card.explain(X)
    rows = []
    for term in card_of(card)["characteristics"]:
        size = mean_movement(points[term["name"]].to_numpy(np.float64), weight)
        rows.append((term["name"], term["label_zh"], term["label_en"], size, reach_of(term)))
    table = pd.DataFrame(rows, columns=["term", "label_zh", "label_en", "mean_points", "range"])
    return table.sort_values("mean_points", ascending=False, kind="stable", ignore_index=True)


def importance_svg(
    card: Card, X: pd.DataFrame, weight: ArrayLike | None = None, lang: str = "en", most: int = 20
) -> str:
    """Draw the table of `importance` as bars."""
    strongest: Any = importance(card, X, weight).head(most).to_dict("records")
    return bars(strongest, Words(lang), _STYLE)


def shape_svg(card: Card, term: str, lang: str = "en") -> str:
    """Draw the points of a characteristic as bars by attribute, of a pair as a grid of its combinations."""
    if term not in card.terms:
        raise UserError(f"the card has no term {term!r}; it has {', '.join(card.terms)}")
    summary = card_of(card)["characteristics"][card.terms.index(term)]
    return (heat if "grid" in summary else shape)(summary, Words(lang), _STYLE)


def reach_of(term: Term) -> int:
    """Return most less least points of a characteristic or pair; a pair has 0 somewhere."""
    points = [0, *(attribute["points"] for attribute in term["attributes"])]
    return int(max(points) - min(points))


def strongest_terms(card: JsonObject) -> list[Term]:
    """Return the characteristics and pairs that can move a score, those that move people furthest first."""
    terms = [term for term in card.get("characteristics", ()) if reach_of(term)]
    return sorted(terms, key=lambda term: (term.get("mean_points") or 0.0, reach_of(term)), reverse=True)


def most_points(card: JsonObject) -> int:
    """Return the most points any attribute of the card takes or gives, at least 1."""
    return max((abs(a["points"]) for c in card["characteristics"] for a in c["attributes"]), default=0) or 1


def points_bar(points: int, most: int) -> tuple[float, float]:
    """Return left end and width in per cent of the bar of an attribute: lost left of three quarters, gained right."""
    width = 75 * abs(points) / most
    return (75.0, min(width, 25.0)) if points > 0 else (75 - width, width)


def bars(terms: Sequence[Term], words: Words, style: str = "") -> str:
    """Draw how far each term moves people, in points, in the order of the terms."""
    labels = [words.field(term, "label") for term in terms]
    heights = [_height(words, label, 384) for label in labels]
    drawing = Drawing(words, WIDE, sum(heights) + 8)
    most = max((term["mean_points"] for term in terms), default=0.0) or 1.0
    y = 4.0
    for term, label, height in zip(terms, labels, heights, strict=True):
        middle, width = y + height / 2, (WIDE - 400 - 70) * term["mean_points"] / most
        drawing.lines(0, middle, label, 384, 2)
        drawing.box(400, middle - 7, width, 14, "bar", label)
        drawing.text(400 + width + 8, middle + 4.5, format_number(term["mean_points"], "score"), "small")
        y += height
    drawing.line(400, 2, 400, y + 2, "axis")
    return drawing.svg(words("effects.importance"), style)


def shape(term: Term, words: Words, style: str = "") -> str:
    """Draw the points of each attribute that can occur, lost left, gained right; and its share of people."""
    attributes = [a for a in term["attributes"] if a["share"] or a["points"] or a["reference"]]
    labels = [words.field(attribute, "label") for attribute in attributes]
    heights = [_height(words, label, _LABEL, bold=a["reference"]) for label, a in zip(labels, attributes, strict=True)]
    drawing = Drawing(words, HALF, 26 + sum(heights))
    points = [a["points"] for a in attributes]
    low, high = min(0, *points), max(0, *points)
    start, room = _LABEL + 12, HALF - _LABEL - 12 - 118
    zero = start + room * -low / ((high - low) or 1)
    drawing.text(HALF - 60, 13, words("card.points"), "tick", "end")
    has_shares = any(attribute["share"] for attribute in attributes)  # a card made by hand knows no shares
    if has_shares:
        drawing.text(HALF, 13, words("effects.share"), "tick", "end")
    y = 22.0
    for attribute, label, height in zip(attributes, labels, heights, strict=True):
        middle, size = y + height / 2, attribute["points"]
        css = "strong" if attribute["reference"] else ""
        drawing.lines(0, middle, label, _LABEL, 2, css)
        width = room * abs(size) / ((high - low) or 1)
        left = zero - width if size < 0 else zero
        if size:
            drawing.box(left, middle - 7, width, 14, "lost" if size < 0 else "gained", label)
        drawing.text(HALF - 60, middle + 4.5, format_number(size, "points"), f"small {css}".strip(), "end")
        if has_shares:
            drawing.text(HALF, middle + 4.5, short_percent(attribute["share"]), "small soft", "end")
        y += height
    drawing.line(zero, 20, zero, y + 2, "axis")
    return drawing.svg(_title(term, words, points), style)


def heat(term: Term, words: Words, style: str = "") -> str:
    """Draw the points of each combination of a pair: the darker, the more are lost or gained."""
    first, second, points = (term["grid"][key] for key in ("first", "second", "points"))
    rows, columns = ([words.field(a, "label") for a in side["attributes"]] for side in (first, second))
    cell = min(max((WIDE - 260) / len(columns), _CELL_LEAST), _CELL_MOST)
    heights = [
        max(_height(words, label, 240, bold=a["reference"]), 30)
        for label, a in zip(rows, first["attributes"], strict=True)
    ]
    head = 22 + max(_height(words, label, cell - 4, 3, bold=True) for label in columns)
    drawing = Drawing(words, max(260 + cell * len(columns), WIDE), head + sum(heights) + 6)
    drawing.lines(260, 9, words.field(second, "label"), WIDE - 260, 1, "strong")
    drawing.lines(0, head - 18, words.field(first, "label"), 240, 2, "strong")
    for j, label in enumerate(columns):
        css = "strong" if second["attributes"][j]["reference"] else ""
        drawing.lines(260 + cell * (j + 0.5), 20 + (head - 20) / 2, label, cell - 4, 3, css, "middle")
    most = max((abs(p) for line in points for p in line), default=0) or 1
    y = float(head)
    for label, attribute, height, line in zip(rows, first["attributes"], heights, points, strict=True):
        drawing.lines(0, y + height / 2, label, 240, 2, "strong" if attribute["reference"] else "")
        for j, value in enumerate(line):
            css = "none" if not value else "lost" if value < 0 else "gained"
            shade = {"fill_opacity": round(0.25 + 0.75 * abs(value) / most, 2)} if value else {}
            drawing.box(260 + cell * j + 1, y + 1, cell - 2, height - 2, css, None, **shade)
            text = format_number(value, "points")
            drawing.text(260 + cell * (j + 0.5), y + height / 2 + 4.5, text, "" if value else "soft", "middle")
        y += height
    return drawing.svg(_title(term, words, [p for line in points for p in line]), style)


def _title(term: Term, words: Words, points: Sequence[int]) -> Texts:
    """Return the text a screen reader reads for a shape."""
    ends = {name: format_number(end(points), "points") for name, end in (("least", min), ("most", max))}
    return words("effects.shape", label=words.field(term, "label"), **ends)


def _height(words: Words, label: Texts, width: float, most: int = 2, bold: bool = False) -> float:
    """Return the height of a row with this label."""
    lines = max(len(wrap_text(text, width, most, BOLD if bold else 14)) for text in label.values())
    return (_ROW, _TALL, _TALL + 14)[lines - 1]
