"""What a card has learned, as drawings: how much each term moves scores, and the points along one characteristic.

Self-contained SVG: text stays text, in English or Chinese, and the same card gives the same bytes anywhere.

In: a card; rows, for importance. Out: a table; one ``<svg>`` element each.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from credit_model import UserError

if TYPE_CHECKING:
    import pandas as pd

    from credit_model.scorecard import Card

_ROW, _LEFT, _WIDE = 24, 300, 760
_STYLE = "font:13px system-ui,'Noto Sans CJK SC',sans-serif;fill:currentColor"
_GOOD, _BAD = "#2a7f62", "#b5473c"
_SAID = {
    "importance": {"en": "Mean points each term moves a score", "zh": "各项平均影响的分数"},
    "points": {"en": "points", "zh": "分"},
    "reference": {"en": "reference", "zh": "基准"},
}


def importance(card: Card, X: Any, weight: Any = None) -> pd.DataFrame:
    """How much each characteristic and pair moves scores: mean absolute points against their mean over the rows.

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

    points = card.explain(X).drop(columns="base").to_numpy(np.float64)
    moved = np.abs(points - np.average(points, axis=0, weights=weight))
    rows = []
    for term, size in zip(card.terms, np.average(moved, axis=0, weights=weight).tolist(), strict=True):
        parts = card.parts(term)
        labels = [" × ".join(c.label(lang) for c in parts) for lang in ("zh", "en")]
        pair = next((pair for pair in card.pairs if pair.name == term), None)
        ends = (min(parts[0].points), max(parts[0].points)) if pair is None else (pair.least, pair.greatest)
        rows.append((term, *labels, size, ends[1] - ends[0]))
    found = pd.DataFrame(rows, columns=["term", "label_zh", "label_en", "mean_points", "range"])
    return found.sort_values("mean_points", ascending=False, kind="stable", ignore_index=True)


def importance_svg(card: Card, X: Any, weight: Any = None, lang: str = "en", most: int = 20) -> str:
    """The table of :func:`importance` as bars."""
    found = importance(card, X, weight).head(most)
    rows = [
        (label, size, f"{size:.1f}") for label, size in zip(found[f"label_{lang}"], found["mean_points"], strict=True)
    ]
    return _bars(_SAID["importance"][lang], rows)


def shape_svg(card: Card, term: str, lang: str = "en") -> str:
    """Points by attribute of a characteristic, or of a pair, as bars: below the reference to the left."""
    if term not in card.terms:
        raise UserError(f"the card has no term {term!r}; it has {', '.join(card.terms)}")
    parts = card.parts(term)
    title = f"{' × '.join(c.label(lang) for c in parts)} ({_SAID['points'][lang]})"
    pair = next((pair for pair in card.pairs if pair.name == term), None)
    if pair is not None:
        rows = [(row[4] if lang == "zh" else row[5], float(row[6]), f"{row[6]:+d}") for row in pair.rows(parts)]
        return _bars(title, rows)
    (c,) = parts
    rows = []
    for place, (label, attribute) in enumerate(zip(c.attribute_labels(lang), c.attributes, strict=True)):
        if place == c.bins.missing and c.is_never_missing:
            continue
        mark = f" · {_SAID['reference'][lang]}" if place == c.reference else ""
        rows.append((label + mark, float(attribute.points), f"{attribute.points:+d}"))
    return _bars(title, rows)


def _bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """Labelled bars from a common zero line."""
    sizes = [size for _, size, _ in rows]
    low, high = min([0.0, *sizes]), max([0.0, *sizes])
    room = _WIDE - _LEFT - 100
    unit = room / ((high - low) or 1.0)
    zero = _LEFT + 50 - low * unit
    height = _ROW * (len(rows) + 1) + 8
    parts = [f'<text x="0" y="16" font-weight="600">{html.escape(title)}</text>']
    for number, (label, size, said) in enumerate(rows, start=1):
        y = _ROW * number + 4
        start, width = min(zero, zero + size * unit), abs(size * unit)
        short = label if len(label) <= 44 else f"{label[:43]}…"
        parts.append(f'<text x="{_LEFT}" y="{y + 14}" text-anchor="end">{html.escape(short)}</text>')
        parts.append(
            f'<rect x="{start:.1f}" y="{y + 2}" width="{max(width, 0.5):.1f}" height="{_ROW - 8}" rx="1.5" '
            f'style="fill:{_GOOD if size >= 0 else _BAD}"><title>{html.escape(label)}: {said}</title></rect>'
        )
        at, anchor = (start + width + 5, "start") if size >= 0 else (start - 5, "end")
        parts.append(f'<text x="{at:.1f}" y="{y + 14}" text-anchor="{anchor}">{said}</text>')
    parts.append(f'<line x1="{zero:.1f}" y1="{_ROW}" x2="{zero:.1f}" y2="{height}" stroke="currentColor"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{html.escape(title)}" '
        f'viewBox="0 0 {_WIDE} {height}" style="{_STYLE}">' + "".join(parts) + "</svg>"
    )
