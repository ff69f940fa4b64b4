"""The page of an evaluation: for anyone at the top, for a validator below.

One file of HTML without a script, a link or a date of its own: it opens offline, prints, and the same evaluation gives
the same bytes. With both languages in it, two radio buttons and a line of CSS choose the one that is shown.

In: an `EvaluationReport`. Out: HTML.
"""

from __future__ import annotations

import html
from importlib.resources import files
from pathlib import Path

from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.measures import MEASURES, TESTS
from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import rough_error
from credit_model.reports import card_section as card
from credit_model.reports import challenger_section as challenger
from credit_model.reports import data_section as data
from credit_model.reports import decisions_section as decisions
from credit_model.reports import effects_section as effects
from credit_model.reports import fairness_section as fairness
from credit_model.reports import figures
from credit_model.reports import gates_section as gates
from credit_model.reports import stability_section as stability
from credit_model.reports.page_writer import PageWriter
from credit_model.texts.words import TAGS, Words

_SECTIONS = (
    "meaning", "gates", "sample", "data", "scores", "ranking", "calibration", "decisions", "fairness", "challenger",
    "stability", "time", "effects", "card", "reasons", "limits", "provenance",
)  # fmt: skip
_OWN_MODULE = {"data": data, "decisions": decisions, "fairness": fairness, "challenger": challenger, "card": card,
               "effects": effects, "gates": gates, "stability": stability}  # fmt: skip
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class _Page(PageWriter):
    """Writes the page of one evaluation, section by section."""

    # ---------------------------------------------------------------- for anyone

    def top(self) -> str:
        context, facts = self.report.context, []
        if self.report.months:
            first, last = self.report.months[0].as_of, self.report.months[-1].as_of
            facts.append((self.say("page.as_of"), first if first == last else f"{first} – {last}"))
        if everyone := self.report.segments.get("all"):
            same = everyone.counts.people == everyone.counts.observations
            for key in ("people", "bads") if same else ("people", "observations", "bads"):
                facts.append((self.say(f"page.{key}"), self.number(f"segments/all/counts/{key}", "count")))
        if self.report.card:
            facts.append((self.say("page.card"), f"<code>{html.escape(self.report.card['digest'][:12])}</code>"))
        name = html.escape(str(context.get("experiment") or "")) or self.say("page.untitled")
        question = self.field(context, "question")
        items = "".join(f"<li>{label} <b>{value}</b></li>" for label, value in facts)
        return (
            f'<header><p class="eyebrow">{self.say("page.eyebrow")}</p><h1>{name}</h1>'
            + (f'<p class="question">{question}</p>' if question else "")
            + f'<ul class="facts">{items}</ul></header>'
        )

    def tiles(self) -> str:
        tiles = []
        for name, measure in MEASURES.items():
            if measure.gauge is None or name not in self.measures:
                continue
            path, kind, estimate = f"segments/all/measures/{name}", measure.form, self.measures[name]
            gate = next((g for g in self.report.gates if g.name == name and g.segment == "all"), None)
            between = self.say("page.not_measured")
            if estimate.value is not None:
                ends = {end: self.number(f"{path}/{end}", kind) for end in ("low", "high")}
                between = self.say("page.interval", **ends)
            drawing = figures.gauge(
                self.words, estimate, *measure.gauge, (gate.low, gate.high) if gate else (None, None)
            )
            tiles.append(
                f'<div class="tile"><p class="name">{self.say("measure." + name)}{self.chip(gate)}</p>'
                f'<p class="big">{self.number(f"{path}/value", kind)}</p><p class="between">{between}</p>{drawing}'
                f'<p class="asks">{self.say(f"measure.{name}_asks")}</p></div>'
            )
        css = "tiles four" if len(tiles) == 4 else "tiles"
        return f'<div class="{css}">{"".join(tiles)}</div>' if tiles else ""

    def meaning(self) -> str:
        number, path = self.number, "segments/all/measures"
        sentences = []
        if number.at(f"{path}/auc/value") is not None:
            sentences.append(self.say("meaning.pairs", of100=number(f"{path}/auc/value", "of100")))
        if number.at(f"{path}/soft_gini_to_attainable/value") is not None:
            share = number(f"{path}/soft_gini_to_attainable/value", "percent")
            sentences.append(self.say("meaning.attainable", share=share))
        level = self.measures.get("observed_to_expected")
        if level and level.low is not None and level.high is not None:
            key = "understated" if level.low > 1 else "overstated" if level.high < 1 else "calibrated"
            values = {end: number(f"{path}/observed_to_expected/{end}", "of100") for end in ("value", "low", "high")}
            sentences.append(self.say(f"meaning.{key}", of100=values.pop("value"), **values))
        clear = [i for i, grade in enumerate(self.report.grades) if grade.counts.bad_rate is not None]
        if len(clear) > 1:
            ends = {}
            for end, i in (("best", clear[0]), ("worst", clear[-1])):
                ends[end] = html.escape(self.report.grades[i].grade)
                ends[f"{end}_rate"] = number(f"grades/{i}/counts/bad_rate", "share")
            sentences.append(self.say("meaning.grades", **ends))
        off = [html.escape(g.grade) for g in self.report.grades if g.p_value_holm is not None and g.p_value_holm < 0.05]
        if off:
            sentences.append(self.say("meaning.grades_off", grades=", ".join(off)))
        for i, band in enumerate(self.report.bands):
            if band.mass_point:
                values = {"share": number(f"bands/{i}/share", "share"), "score": number(f"bands/{i}/low", "count")}
                sentences.append(self.say("meaning.mass", **values))
        if self.measures and (bads := self.report.segments["all"].counts.bads):
            count = number("segments/all/counts/bads", "count")
            sentences.append(self.say("meaning.certainty", bads=count, error=f"{2 * rough_error(bads):.2f}"))
        for i, other in enumerate(self.report.challengers):
            sentences.append(challenger.verdict(other, number, self.words, f"challengers/{i}"))
        sentences += [
            *data.highlights(self),
            *decisions.highlights(self),
            *fairness.highlights(self),
            *stability.highlights(self),
        ]
        sentences.append(self.say("meaning.use"))
        items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
        return f'<section class="meaning" id="meaning"><h2>{self.say("section.meaning")}</h2><ul>{items}</ul></section>'

    # ---------------------------------------------------------------- for a validator

    def sample(self) -> str:
        context, parts = self.report.context, []
        dates = context.get("dates", {})
        for key, value in (
            ("outcome", self.field(context, "outcome")),
            ("day_of_use", self.field(dates, "day_of_use")),
        ):
            if value:
                parts.append(f"<p><b>{self.say('sample.' + key)}</b> {value}</p>")
        if dates.get("development") and dates.get("out_of_time"):
            caption = "sample.timeline_caption" if dates.get("maturity_months") else "sample.timeline_plain_caption"
            parts.append(self.figure(figures.timeline(dates, self.words), caption))
        for key, label, columns, head in (
            ("samples", "name", ("observations", "people", "bads"),
             ("sample.sample", "page.observations", "page.people", "page.bads")),
            ("exclusions", "reason", ("development", "out_of_time"),
             ("sample.reason", "sample.development", "sample.out_of_time")),
        ):  # fmt: skip
            rows = [
                self.row(self.field(row, label), *(self.number(f"context/{key}/{i}/{c}", "count") for c in columns))
                for i, row in enumerate(self.plain["context"].get(key, []))
            ]
            if rows:
                parts.append(f"<h3>{self.say('sample.' + key)}</h3>" + self.table(head, rows))
        if "ingest" in context:
            parts.append(self._raw_rows(context["ingest"]))
        for note in context.get("notes", []):
            parts.append(f'<p class="note">{self.field(note, "text")}</p>')
        return self.section("sample", *parts)

    def _raw_rows(self, ingest: JsonObject) -> str:
        """Render the counts of raw rows, and why some were refused."""
        kinds = {"read": "count", "accepted": "count", "duplicates": "count", "rejected_rows": "count",
                 "rejected_share": "share", "max_rejected_share": "share"}  # fmt: skip
        counts = {name: self.number(f"context/ingest/{name}", kind) for name, kind in kinds.items()}
        rows = [
            self.row(self.field(reason, "text"), self.number(f"context/ingest/reasons/{i}/rows", "count"))
            for i, reason in enumerate(ingest.get("reasons", []))
        ]
        table = self.table(("sample.reason", "sample.refused_rows"), rows) if rows else ""
        sentences = [self.say("sample.raw_rows_counts", **counts)]
        if ingest.get("excluded"):
            sentences.append(self.say("sample.raw_rows_excluded", rows=self.number("context/ingest/excluded", "count")))
        return f"<h3>{self.say('sample.raw_rows')}</h3><p>{' '.join(sentences)}</p>{table}"

    def scores(self) -> str:
        parts = []
        if sum(grade.counts.share is not None for grade in self.report.grades) > 1:
            parts.append(self.figure(figures.grade_strip(self.report, self.words), "scores.strip_caption"))
        if len(self.report.bands) > 1:
            drawing = figures.score_distribution(self.report, self.words)
            tied = any(band.mass_point for band in self.report.bands)
            parts.append(self.figure(drawing, f"scores.distribution_{'' if tied else 'plain_'}caption"))
        return self.section("scores", *parts)

    def ranking(self) -> str:
        parts = []
        if self.report.curve:
            parts.append(self.figure(figures.curves(self.report, self.words), "ranking.curves_caption"))
        segments = [name for name, segment in self.report.segments.items() if segment.measures]
        rows = []
        for name, measure in MEASURES.items():
            if segments and name in self.report.segments[segments[0]].measures:
                label = f'{self.say("measure." + name)}<span class="asks">{self.say(f"measure.{name}_asks")}</span>'
                paths = (f"segments/{segment}/measures/{name}" for segment in segments)
                rows.append(self.row(label, *(self.number.interval(path, measure.form) for path in paths)))
        for name in TESTS:
            label = f'{self.say("measure." + name)}<span class="asks">{self.say(f"measure.{name}_asks")}</span>'
            if any(name in self.report.segments[segment].tests for segment in segments):
                cells = (self.number(f"segments/{segment}/tests/{name}/p_value", "p") for segment in segments)
                rows.append(self.row(label, *cells))
        for key in ("people", "bads") if segments else ():
            cells = (self.number(f"segments/{segment}/counts/{key}", "count") for segment in segments)
            rows.append(self.row(self.say("page." + key), *cells))
        if rows:
            head = ["ranking.measure", *(f"segment.{segment}" for segment in segments)]
            parts.append(f"<h3>{self.say('ranking.segments')}</h3>" + self.table(head, rows))
        if self.report.rankings:
            parts.append(self._beside())
        return self.section("ranking", *parts)

    def _beside(self) -> str:
        first = "soft_gini" if "soft_gini" in self.report.rankings[0].measures else "gini"
        columns = {name: MEASURES[name].form for name in (first, "gini", "brier", "log_loss")}
        columns["card_minus_this"] = columns["gini"]
        rows = [
            self.row(
                self.words.html(self.words.pick(row.label_en, row.label_zh)),
                *(self.number.interval(f"rankings/{i}/measures/{name}", form) for name, form in columns.items()),
                css="own" if row.role == "card" else "",
            )
            for i, row in enumerate(self.report.rankings)
        ]
        head = ["ranking.ranking", *(f"measure.{name}" for name in columns)]
        drawing = self.figure(figures.ladder(self.report, self.words, first), f"ranking.ladder_{first}")
        return f"<h3>{self.say('ranking.beside')}</h3>{drawing}{self.table(head, rows)}"

    def calibration(self) -> str:
        if not self.report.grades:
            return ""
        columns = {
            "people": "count",
            "share": "share",
            "bads": "count",
            "bad_rate": "share",
            "mean_probability": "share",
        }
        rows = []
        for i, grade in enumerate(self.report.grades):
            path = f"grades/{i}"
            off = grade.p_value_holm is not None and grade.p_value_holm < 0.05
            rows.append(
                self.row(
                    html.escape(grade.grade),
                    *(self.number(f"{path}/counts/{name}", kind) for name, kind in columns.items()),
                    f"{self.number(f'{path}/low', 'share')} – {self.number(f'{path}/high', 'share')}",
                    f"<td{' class=bad' if off else ''}>{self.number(f'{path}/p_value_holm', 'p')}</td>",
                    self.number(f"{path}/cumulative_people", "share"),
                    self.number(f"{path}/cumulative_bads", "share"),
                )
            )
        names = ("grade", *columns, "interval", "p_value", "cumulative_people", "cumulative_bads")
        return self.section(
            "calibration",
            self.figure(figures.grade_calibration(self.report, self.words), "calibration.caption"),
            f"<h3>{self.say('calibration.gains')}</h3>",
            self.table([f"calibration.{name}" for name in names], rows, "calibration.gains_caption"),
        )

    def time(self) -> str:
        months = self.report.months
        if len(months) < 2:
            return self.section("time", f"<p>{self.say('time.one')}</p>") if months else ""
        measures = [name for name in MEASURES if any(name in month.measures for month in months)]
        columns = {"counts/people": "count", "with_record": "share", "counts/mean_score": "score",
                   "counts/bads": "count", "counts/bad_rate": "share", "counts/mean_probability": "share"}  # fmt: skip
        rows = [
            self.row(
                month.as_of,
                *(self.number(f"months/{i}/{name}", kind) for name, kind in columns.items()),
                *(self.number.interval(f"months/{i}/measures/{name}", MEASURES[name].form) for name in measures),
            )
            for i, month in enumerate(months)
        ]
        head = ["time.as_of", "page.people", "time.with_record", "time.mean_score", "calibration.bads",
                "calibration.bad_rate", "calibration.mean_probability",
                *(f"measure.{name}" for name in measures)]  # fmt: skip
        drawing = figures.months(self.report, self.words)
        return self.section("time", self.figure(drawing, "time.caption"), self.table(head, rows))

    def reasons(self) -> str:
        most = max((reason.share or 0.0 for reason in self.report.reasons), default=0.0) or 1.0
        rows = [
            self.row(
                self.words.html(self.words.pick(reason.text_en, reason.text_zh)),
                f'<td class="left"><code>{html.escape(reason.code)}</code></td>',
                f'<span class="share"><i style="width:{100 * (reason.share or 0) / most:.1f}%"></i></span>',
                self.number(f"reasons/{i}/share", "share"),
                self.number(f"reasons/{i}/first", "share"),
                self.number(f"reasons/{i}/mean_points", "score"),
            )
            for i, reason in enumerate(self.report.reasons)
        ]
        head = ["reasons.reason", "reasons.code<", "", *(f"reasons.{k}" for k in ("share", "first", "points"))]
        return self.section("reasons", self.table(head, rows, "reasons.caption")) if rows else ""

    def limits(self) -> str:
        keys = ("use", "rank", "status", "rights", "label", "intervals", "small", "rejects", "jeffreys")
        items = "".join(f"<li>{self.say('limits.' + key)}</li>" for key in keys)
        return self.section("limits", f'<ul class="limits">{items}</ul>')

    def provenance(self) -> str:
        values = {html.escape(str(k)): html.escape(str(v)) for k, v in self.report.context.get("digests", {}).items()}
        values[self.say("provenance.evaluation")] = self.report.digest
        rows = [self.row(name, f'<td class="left"><code>{value}</code></td>') for name, value in values.items()]
        return self.section("provenance", self.table(["provenance.item", "provenance.digest<"], rows))

    # ---------------------------------------------------------------- the file

    def switch(self) -> str:
        if len(self.words.languages) == 1:
            return ""
        names = {"en": "English", "zh": "中文"}
        buttons = "".join(
            f'<input class="switch" type="radio" name="lang" id="lang-{lang}"{"" if i else " checked"}>'
            for i, lang in enumerate(names)
        )
        labels = "".join(f'<label for="lang-{x}" lang="{TAGS[x]}">{name}</label>' for x, name in names.items())
        return f'{buttons}<div class="languages">{labels}</div>'

    def whole(self) -> str:
        sections = {n: _OWN_MODULE[n].section(self) if n in _OWN_MODULE else getattr(self, n)() for n in _SECTIONS}
        links = "".join(f'<a href="#{n}">{self.say("section." + n)}</a>' for n, text in sections.items() if text)
        style = files("credit_model.reports").joinpath("report.css").read_text(encoding="utf-8")
        title = html.escape(str(self.report.context.get("experiment") or "")) or self.words.plain(
            self.words("page.untitled")
        )
        footer = self.say("page.footer", digest=f"<code>{self.report.digest[:12]}</code>")
        parts = (self.top(), gates.verdict(self), f"<nav>{links}</nav>", self.tiles(), *sections.values())
        body = "\n".join(part for part in (*parts, f"<footer>{footer}</footer>") if part)
        return (
            f'<!doctype html>\n<html lang="{TAGS[self.words.languages[0]]}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<link rel="icon" href="data:,">\n'
            f"<title>{title} · credit_model</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f"{self.switch()}<main>\n{body}\n</main>\n</body>\n</html>\n"
        )


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
    text = _Page(report, Words(lang)).whole()
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
