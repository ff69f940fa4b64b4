"""The section on effects: terms that move scores most, shapes of characteristics, pairs as grids.

In: a page writer. Out: HTML, empty without a card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from credit_model.foundation.json_values import JsonObject
from credit_model.reports import shapes

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter
    from credit_model.texts.words import Words

TERMS, SHAPES, PAIRS = 20, 8, 4
"""Drawn at most; the table of the card has them all."""


def section(page: PageWriter) -> str:
    """Render importance, shapes of the strongest characteristics, grids of the strongest pairs."""
    terms = [term for term in page.report.card.get("characteristics", ()) if shapes.reach_of(term)]
    if not terms:
        return ""
    ranked = sorted(terms, key=_strength, reverse=True)
    with_reach = [term for term in ranked if term.get("mean_points") is not None]
    alone = [term for term in ranked if "grid" not in term][:SHAPES]
    pairs = [term for term in ranked if "grid" in term][:PAIRS]
    parts = [f"<p>{page.say('effects.intro')}</p>"]
    if with_reach:
        parts.append(page.figure(shapes.bars(with_reach[:TERMS], page.words), "effects.importance_caption"))
    parts.append(f'<h3>{page.say("effects.shapes")}</h3><p class="note">{page.say("effects.shapes_note")}</p>')
    parts.append('<div class="shapes">' + "".join(_figure(page, term, shapes.shape) for term in alone) + "</div>")
    if pairs:
        parts.append(f'<h3>{page.say("effects.pairs")}</h3><p class="note">{page.say("effects.pairs_note")}</p>')
        parts.append('<div class="pair">' + "".join(_figure(page, term, shapes.heat) for term in pairs) + "</div>")
    return page.section("effects", *parts)


def _figure(page: PageWriter, term: JsonObject, draw: Callable[[JsonObject, Words], str]) -> str:
    return f"<figure><figcaption>{page.field(term, 'label')}</figcaption>{draw(term, page.words)}</figure>"


def _strength(term: JsonObject) -> tuple[float, float]:
    return term.get("mean_points") or 0.0, shapes.reach_of(term)
