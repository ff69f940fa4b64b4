"""The section on groups: findings, who is eligible, error rates, base rates, reasons, proxies.

In: a page writer. Out: HTML, empty without an audit.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import Estimate
from credit_model.reports.figures import WIDE, Drawing, logarithmic
from credit_model.texts.words import Texts, Words

if TYPE_CHECKING:
    from credit_model.reports.page_writer import PageWriter

_KIND = {"eligibility": "ratio", "slope": "ratio", "level": "ratio", "base_rate": "ratio", "proxy": "gini",
         "source": "ratio"}  # fmt: skip
_CHIPS = {"below": "no", "above": "no", "unsure": "policy", "within": "yes"}
PROXIES, REASONS, LISTED = 10, 12, 12
"""Rows of a table, or of the list of findings; the evaluation has them all."""


def highlights(page: PageWriter) -> list[str]:
    """Return the sentence for the top of the page on whether a group has to be looked at."""
    fairness = page.plain["fairness"]
    if not fairness or not fairness["attributes"]:
        return []
    names = _join(page, [page.words.field(a, "label") for a in fairness["attributes"]])
    unfair = [f for f in fairness["findings"] if f["kind"] == "eligibility"]
    key = "told_ratio" if unfair else "told_other" if fairness["findings"] else "told_none"
    return [page.say(f"fairness.{key}", names=names, count=f"{len(fairness['findings'])}", ratios=f"{len(unfair)}")]


def _join(page: PageWriter, names: list[Texts]) -> Texts:
    marks = {"en": ", ", "zh": "、"}
    return {lang: marks[lang].join(name[lang] for name in names) for lang in page.words.languages}


def section(page: PageWriter) -> str:
    """Render the section on groups."""
    fairness = page.plain["fairness"]
    if not fairness:
        return ""
    parts = [f"<p>{page.say('fairness.intro')}</p>", _findings(page, fairness)]
    for i, attribute in enumerate(fairness["attributes"]):
        parts.append(_attribute(page, attribute, f"fairness/attributes/{i}"))
    parts.append(_sources(page, fairness["sources"]))
    return page.section("fairness", *parts)


def _labels(page: PageWriter, fairness: JsonObject) -> dict[str, Texts]:
    groups = [g for a in fairness["attributes"] for g in (a, *a["groups"])]
    return {g["name"]: page.words.field(g, "label") for g in groups}


def _findings(page: PageWriter, fairness: JsonObject) -> str:
    labels = _labels(page, fairness)
    items = []
    for i, finding in enumerate(fairness["findings"][:LISTED]):
        at, kind = f"fairness/findings/{i}", finding["kind"]
        values: dict[str, str | Texts] = {
            end: page.number(f"{at}/value/{end}", _KIND[kind]) for end in ("value", "low", "high")
        }
        values["group"] = labels.get(finding["group"], page.words.same(finding["group"]))
        values["attribute"] = labels.get(finding["attribute"], page.words.same(finding["attribute"]))
        values["feature"] = page.words.field(finding, "feature")
        values["cutoff"] = page.number(f"{at}/cutoff", "cut")
        items.append(f"<li>{page.say(f'fairness.found_{kind}', **values)}</li>")
    more = len(fairness["findings"]) - len(items)
    rest = f'<p class="note">{page.say("fairness.more", count=f"{more}")}</p>' if more > 0 else ""
    items_html = (
        f'<ul class="limits">{"".join(items)}</ul>{rest}' if items else f"<p>{page.say('fairness.nothing')}</p>"
    )
    return items_html + f'<p class="note">{page.say("fairness.note")}</p>'


def _attribute(page: PageWriter, attribute: JsonObject, at: str) -> str:
    label = page.words.field(attribute, "label")
    reference = next(g for g in attribute["groups"] if g["name"] == attribute["reference"])
    title = page.say("fairness.by", attribute=label, reference=page.words.field(reference, "label"))
    parts = [f"<h3>{title}</h3>"]
    place = _place(page, attribute)
    if place is not None:
        parts.append(page.figure(forest(attribute, place, page.words), "fairness.forest_caption"))
    parts.append(_groups(page, attribute, at))
    if attribute["cutoffs"]:
        parts.append(_cutoffs(page, attribute, at))
    if any(group["reasons"] for group in attribute["groups"]):
        parts.append(_reasons(page, attribute, at))
    if attribute["proxies"]:
        parts.append(_proxies(page, attribute, at))
    return "".join(parts)


def _place(page: PageWriter, attribute: JsonObject) -> int | None:
    """Return the cut-off to draw: the one decisions are about, else the first that shows anything."""
    places = [
        i for i, cut in enumerate(attribute["cutoffs"]) if any(g["ratio"]["value"] is not None for g in cut["groups"])
    ]
    about = page.plain["decisions"].get("eligible_from")
    return next((i for i in places if attribute["cutoffs"][i]["cutoff"] == about), places[0] if places else None)


def _groups(page: PageWriter, attribute: JsonObject, at: str) -> str:
    with_truth = any(group["mean_true_risk"] is not None for group in attribute["groups"])
    rows = []
    for j, group in enumerate(attribute["groups"]):
        path = f"{at}/groups/{j}"
        rows.append(
            page.row(
                page.field(group, "label"),
                page.number(f"{path}/counts/people", "count"),
                page.number(f"{path}/counts/bad_rate", "share"),
                page.number(f"{path}/counts/mean_probability", "share"),
                *([page.number(f"{path}/mean_true_risk", "share")] if with_truth else []),
                *(
                    page.number.interval(f"{path}/measures/{name}", kind)
                    for name, kind in (
                        ("base_rate_ratio", "ratio"),
                        ("observed_to_expected", "ratio"),
                        ("auc", "gini"),
                        ("slope", "ratio"),
                        ("mean_score_gap", "ratio"),
                    )
                ),
                css="own" if group["name"] == attribute["reference"] else "",
            )
        )
    head = ["fairness.group", "page.people", "calibration.bad_rate", "calibration.mean_probability",
            *(["fairness.true_risk"] if with_truth else []), "fairness.base_rate_ratio",
            "measure.observed_to_expected", "measure.auc", "measure.slope", "fairness.score_gap"]  # fmt: skip
    return page.table(head, rows, "fairness.groups_caption")


def _cutoffs(page: PageWriter, attribute: JsonObject, at: str) -> str:
    labels = {group["name"]: page.field(group, "label") for group in attribute["groups"]}
    bodies = []
    for i, cut in enumerate(attribute["cutoffs"]):
        path = f"{at}/cutoffs/{i}"
        odds = {end: page.number(f"{path}/equalised_odds/{end}", "ratio") for end in ("value", "low", "high")}
        title = page.say("fairness.at_cutoff", cutoff=page.number(f"{path}/cutoff", "cut"), **odds)
        rows = [f'<tr><th scope="rowgroup" colspan="7">{title}</th></tr>']
        for j, group in enumerate(cut["groups"]):
            own = f"{path}/groups/{j}"
            verdict = page.say(f"fairness.{group['verdict']}")
            rows.append(
                page.row(
                    labels[group["group"]],
                    page.number.interval(f"{own}/eligible", "share"),
                    page.number.interval(f"{own}/ratio", "ratio"),
                    f'<td class="left"><span class="chip {_CHIPS.get(group["verdict"], "")}">{verdict}</span></td>',
                    page.number.interval(f"{own}/tpr", "share"),
                    page.number.interval(f"{own}/fpr", "share"),
                    page.number.interval(f"{own}/fpr_gap", "change"),
                )
            )
        bodies.append(f'<tbody class="characteristic">{"".join(rows)}</tbody>')
    head = ["fairness.group", "decisions.share", "fairness.ratio", "fairness.verdict<", "fairness.tpr", "fairness.fpr",
            "fairness.fpr_gap"]  # fmt: skip
    return page.table(head, bodies, "fairness.cutoffs_caption")


def _reasons(page: PageWriter, attribute: JsonObject, at: str) -> str:
    groups = attribute["groups"]
    reasons = [
        r
        for r in page.plain["fairness"]["reasons"]
        if any(g["reasons"][r["code"]]["value"] is not None for g in groups)
    ]
    rows = []
    for reason in reasons[:REASONS]:
        cells = [page.number.interval(f"{at}/groups/{j}/reasons/{reason['code']}", "share") for j in range(len(groups))]
        rows.append(page.row(page.field(reason, "text"), *cells))
    head: list[str | Texts] = ["reasons.reason", *(page.words.field(group, "label") for group in attribute["groups"])]
    return page.table(head, rows, "fairness.reasons_caption") if rows else ""


def _proxies(page: PageWriter, attribute: JsonObject, at: str) -> str:
    labels = {group["name"]: page.field(group, "label") for group in attribute["groups"]}
    rows = []
    for i, proxy in enumerate(attribute["proxies"][:PROXIES]):
        path = f"{at}/proxies/{i}"
        flag = f'<span class="chip no">{page.say("fairness.justify")}</span>' if proxy["flagged"] else ""
        rows.append(
            page.row(
                page.field(proxy, "text"),
                f'<td class="left">{labels.get(proxy["group"], html.escape(proxy["group"]))}</td>',
                page.number.interval(f"{path}/auc", "gini"),
                page.number(f"{path}/rho", "ratio"),
                f'<td class="left">{flag}</td>',
            )
        )
    head = ["fairness.feature", "fairness.told_group<", "measure.auc", "fairness.rho", "fairness.verdict<"]
    return page.table(head, rows, "fairness.proxies_caption")


def _sources(page: PageWriter, sources: list[JsonObject]) -> str:
    rows = []
    for i, source in enumerate(sources):
        path = f"fairness/sources/{i}"
        rows.append(
            page.row(
                html.escape(source["source"]) or page.say("fairness.other_sources"),
                page.number(f"{path}/development", "count"),
                page.number(f"{path}/development_rate", "share"),
                page.number(f"{path}/out_of_time", "count"),
                page.number(f"{path}/out_of_time_rate", "share"),
                f"<td{' class=bad' if source['flagged'] else ''}>{page.number.interval(f'{path}/ratio', 'ratio')}</td>",
            )
        )
    head = ["fairness.source", "fairness.events_dev", "fairness.rate_dev", "fairness.events_oot", "fairness.rate_oot",
            "fairness.source_ratio"]  # fmt: skip
    if not rows:
        return ""
    return f"<h3>{page.say('fairness.sources')}</h3>" + page.table(head, rows, "fairness.sources_caption")


def forest(attribute: JsonObject, place: int, words: Words) -> str:
    """Draw eligibility ratio at one cut-off and base-rate ratio by group, with intervals and the allowed range."""
    cut = attribute["cutoffs"][place]
    groups = attribute["groups"]
    nothing = {"value": None, "low": None, "high": None}
    estimates = [
        (Estimate(**row["ratio"]), Estimate(**group["measures"].get("base_rate_ratio", nothing)))
        for row, group in zip(cut["groups"], groups, strict=True)
    ]
    drawing = Drawing(words, WIDE, 92 + 36 * len(groups))
    bottom = 40 + 36 * len(groups)
    panels = (("fairness.ratio_at", 190, 560), ("fairness.base_rate_ratio", 640, WIDE - 30))
    for number, (key, start, end) in enumerate(panels):
        ends = [v for pair in estimates for v in (pair[number].low, pair[number].high) if v]
        low, high = min([*ends, 0.75]) * 0.95, max([*ends, 1.3]) * 1.05
        low = max(low, 0.05)
        x = logarithmic(low, high, start, end)
        drawing.text(start, 16, words(key, cutoff=f"{cut['cutoff']:g}") if number == 0 else words(key), "strong")
        drawing.box(x(0.8), 28, x(1.25) - x(0.8), bottom - 28, "allowed faint")
        drawing.line(x(1), 28, x(1), bottom, "cut")
        for tick in (0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 8):
            if low <= tick <= high:
                drawing.text(x(tick), bottom + 18, f"{tick:g}", "tick", "middle")
        for i, pair in enumerate(estimates):
            y = 50 + 36 * i
            if number == 0:
                drawing.text(176, y + 5, words.field(groups[i], "label"), "", "end")
            if pair[number].value is None:
                drawing.text((start + end) / 2, y + 5, words("figure.blank"), "small soft", "middle")
            elif groups[i]["name"] == attribute["reference"]:
                drawing.text(x(1) + 6, y + 5, words("fairness.reference"), "small soft")
            else:
                drawing.whisker(x, y, pair[number], "blue" if number == 0 else "orange")
    return drawing.svg(words("fairness.figure"))
