"""The section of the page that shows the card: points, shares, bad rates, WOE, strength of characteristics.

In: a page writer. Out: HTML, empty without a card.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.foundation.json_values import JsonObject
from credit_model.texts.words import Texts

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter


def section(page: PageWriter) -> str:
    """Render the table of the card, with the strength of every characteristic."""
    card = page.report.card
    if not card:
        return ""
    most = max((abs(a["points"]) for c in card["characteristics"] for a in c["attributes"]), default=0) or 1
    groups = []
    for i, characteristic in enumerate(card["characteristics"]):
        label = page.field(characteristic, "label")
        if characteristic["reason"] != characteristic["label_en"]:
            label += f" <code>{html.escape(characteristic['reason'])}</code>"
        if characteristic["policy"]:
            policy = {key: html.escape(str(text)) for key, text in characteristic["policy"].items()}
            label += f' <span class="chip policy">{page.say("card.policy")}</span>'
            label += f'<span class="asks">{page.say("card.policy_note", **policy)}</span>'
        label += _strength(page, characteristic, f"card/characteristics/{i}")
        rows = [f'<tr><th scope="rowgroup" colspan="6">{label}</th></tr>']
        for j, attribute in enumerate(characteristic["attributes"]):
            if not attribute["share"] and not attribute["points"] and not attribute["reference"]:
                continue
            path = f"card/characteristics/{i}/attributes/{j}"
            name = page.field(attribute, "label")
            name += f" · {page.say('card.reference')}" if attribute["reference"] else ""
            forms = {"points": "points", "share": "share", "bad_rate": "share", "woe": "ratio"}
            cells = (page.number(f"{path}/{key}", kind) for key, kind in forms.items())
            rows.append(page.row(name, _bar(attribute["points"], most), *cells))
        groups.append(f'<tbody class="characteristic">{"".join(rows)}</tbody>')
    intro = page.say(
        "card.intro",
        reference=page.number("card/reference_points", "count"),
        pdo=page.number("card/points_to_double_odds", "count"),
        profile=page.words.field(card, "profile"),
    )
    head = ["card.attribute", "", "card.points", "card.share", "card.bad_rate", "card.woe"]
    return page.section("card", f"<p>{intro}</p>", page.table(head, groups, css="card-table"), _severity_order(page))


def _severity_order(page: PageWriter) -> str:
    """Say what one record costs by its severity class, and how many pairs of records are out of order."""
    order = page.report.severity_order
    if order is None:
        return ""
    counts = {name: page.number(f"severity_order/{name}", "count") for name in ("pairs", "violations")}
    rows = []
    for i, of_class in enumerate(order.classes):
        path = f"severity_order/classes/{i}"
        cells = (page.number(f"{path}/{key}", "count") for key in ("records", "least", "most"))
        rows.append(page.row(page.say(f"severity.class_{of_class.severity}"), *cells))
    head = [f"severity.{key}" for key in ("class", "records", "least", "most")]
    return f"<p>{page.say('severity.order', **counts)}</p>" + page.table(head, rows, "severity.caption")


def _strength(page: PageWriter, characteristic: JsonObject, path: str) -> str:
    if "direction" not in characteristic:  # an evaluation of before it was kept
        return ""
    if "grid" in characteristic:
        return f'<span class="asks">{page.say("card.pair")}</span>'
    trend = {1: "up", -1: "down"}.get(characteristic["direction"], "free")
    values: dict[str, str | Texts] = {
        "iv": page.number(f"{path}/information_value", "gini"),
        "weight": page.number(f"{path}/weight", "ratio"),
        "direction": page.words(f"card.{trend}"),
    }
    return f'<span class="asks">{page.say("card.strength", **values)}</span>'


def _bar(points: int, most: int) -> str:
    """Draw points to the left of zero where they are lost, to the right where they are gained."""
    width = 75 * abs(points) / most
    css, left, width = ("gained", 75.0, min(width, 25.0)) if points > 0 else ("lost", 75 - width, width)
    return f'<span class="points"><i class="{css}" style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
