"""The model card of a registered version: a document (JSON) and the Markdown page made from it.

Its readers are the approver, the person scored and a later auditor. Every number on the page is one of the document;
small cells stay blank, as in the evaluation.

In: a card, its evaluation, its terms in the history. Out: a `ModelCard`; JSON; Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from credit_model.assessment.evaluator import PURPOSES
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.measures import MEASURES
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.metrics.performance import Estimate
from credit_model.reports.markdown import cell, estimate_cell, markdown_table
from credit_model.scorecard.card import Card
from credit_model.texts.words import load_texts, text_of


@dataclass(frozen=True)
class ModelCard:
    """A registered version with its evidence.

    Parameters
    ----------
    name : str
        Registered model.
    version : int
    author : str
    card : Card
    evaluation : EvaluationReport
    evaluation_digest : str
        As it was registered: an evaluation that a later version of the package reads may hold more sections.
    gates : mapping
        Limits declared before the run.
    terms : sequence of mapping
        When it was in force: ``alias, approver, how, since, until`` (ISO texts; ``until`` None while it lasts).

    Examples
    --------
    >>> from credit_model.scorecard.bins import NumericBins
    >>> from credit_model.scorecard.characteristic import Attribute, Characteristic
    >>> from credit_model.scorecard.scale import ProbabilityMap, load_profile
    >>> points = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -26, 0))
    >>> only = Characteristic("adverse_24m", NumericBins((0.5,), whole=True), points, reference=0)
    >>> card = Card("demo", load_profile("zhejiang_1000"), (only,), ProbabilityMap((700, 800), (3.0, 5.0)))
    >>> document = ModelCard("personal-credit", 1, "Li Wei", card, EvaluationReport(), EvaluationReport().digest)
    >>> ModelCard.from_json(document.to_json()) == document
    True
    """

    name: str
    version: int
    author: str
    card: Card
    evaluation: EvaluationReport
    evaluation_digest: str
    gates: JsonObject = field(default_factory=dict)
    terms: Sequence[JsonObject] = ()

    @property
    def stem(self) -> str:
        """Return the name of its files, without the ending."""
        return f"{self.name}-v{self.version}"

    def to_json(self) -> str:
        """Return the document as JSON text, the same for the same version."""
        plain = {
            "schema": 1,
            "name": self.name,
            "version": self.version,
            "author": self.author,
            "gates": dict(self.gates),
            "evaluation_digest": self.evaluation_digest,
            "terms": [dict(term) for term in self.terms],
            "card": json.loads(self.card.to_json()),
            "evaluation": self.evaluation.to_dict(),
        }
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read the text of `to_json`; the card is verified as everywhere."""
        try:
            plain = json.loads(text)
            card = Card.from_json(json.dumps(plain["card"]))
            evaluation = EvaluationReport.from_dict(plain["evaluation"])
            fields = {key: plain[key] for key in ("name", "version", "author", "evaluation_digest", "gates")}
            return cls(card=card, evaluation=evaluation, terms=tuple(plain["terms"]), **fields)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"Cannot read this as the document of a model card ({type(error).__name__}).") from error


LANGUAGES: Final = {"zh": ("zh",), "en": ("en",), "both": ("zh", "en")}
_BLANK: Final = "–"


def render_model_card(document: ModelCard, lang: str = "both") -> str:
    """Write the model card of a version as Markdown.

    Parameters
    ----------
    document : ModelCard
    lang : str
        ``zh``, ``en`` or ``both``.

    Returns
    -------
    str
        Markdown; the same for the same document.
    """
    if lang not in LANGUAGES:
        raise UserError(f"There is no language {lang!r}: zh, en or both.")
    page = _Page(document, LANGUAGES[lang])
    parts = (
        page.head, page.use, page.sample, page.performance, page.grades, page.fairness, page.stability, page.table,
        page.limits, page.gates, page.approval, page.provenance,
    )  # fmt: skip
    lines = "\n".join(line for part in parts for line in part())
    return re.sub(r"\n{3,}", "\n\n", lines).rstrip() + "\n"


class _Page:
    """Writes the page, section by section."""

    def __init__(self, document: ModelCard, languages: Sequence[str]) -> None:
        self.document, self.card, self.evaluation = document, document.card, document.evaluation
        self.plain = document.evaluation.to_dict()
        self.languages = languages

    # ------------------------------------------------------------------ words

    def say(self, key: str, joint: str = " · ", **values: object) -> str:
        """Return a text in every language of the page."""
        source = "report" if key.startswith("measure.") else "model_card"
        return joint.join(dict.fromkeys(text_of(source, key, language, **values) for language in self.languages))

    def field(self, row: JsonObject, name: str, joint: str = " · ") -> str:
        """Return a text that the document holds in both languages, or in one for both."""
        return joint.join(
            dict.fromkeys(str(row.get(f"{name}_{language}") or row.get(name) or _BLANK) for language in self.languages)
        )

    def heading(self, key: str) -> list[str]:
        return ["", f"## {self.say(f'heading.{key}')}", ""]

    def paragraphs(self, key: str, **values: object) -> list[str]:
        return [self.say(key, joint="\n\n", **values), ""]

    def rows(self, heads: Iterable[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
        """Return a table; the first columns are texts, the others numbers."""
        return [*markdown_table([self.say(f"column.{head}") for head in heads], rows, left), ""]

    # ------------------------------------------------------------------ sections

    def head(self) -> Iterable[str]:
        yield f"# {self.document.name} v{self.document.version}"
        yield ""
        yield from self.paragraphs("text.head", card=self.card.id, digest=self.card.digest, author=self.document.author)
        if self.evaluation.context.get("made_city"):
            yield from self.paragraphs("text.made_city")

    def use(self) -> Iterable[str]:
        yield from self.heading("use")
        question = self.evaluation.context.get("question")
        if question:
            yield from (f"> {question}", "")
        yield from self.paragraphs("text.use", purposes=", ".join(f"`{purpose}`" for purpose in PURPOSES))
        yield from self.paragraphs("text.not_for")

    def sample(self) -> Iterable[str]:
        yield from self.heading("sample")
        context = self.plain["context"]
        if "outcome_en" in context or "outcome" in context:
            yield from (f"{self.say('text.outcome')}: {self.field(context, 'outcome')}", "")
        dates = context.get("dates", {})
        for name in ("development", "out_of_time"):
            if dates.get(name):
                yield from (f"{self.say(f'text.{name}')}: {', '.join(dates[name])}", "")
        yield from self.rows(
            ("sample", "observations", "people", "bads"),
            (
                [self.field(row, "name"), *(cell(row.get(key), "count") for key in ("observations", "people", "bads"))]
                for row in context.get("samples", ())
            ),
        )

    def performance(self) -> Iterable[str]:
        yield from self.heading("performance")
        segments = self.evaluation.segments
        names = [
            name
            for name, measure in MEASURES.items()
            if measure.headline and any(name in segment.measures for segment in segments.values())
        ]
        if not names:
            yield from self.paragraphs("text.not_measured")
            return
        rows = (
            [
                self.say(f"measure.{name}"),
                *(estimate_cell(s.measures.get(name), MEASURES[name].form) for s in segments.values()),
            ]
            for name in names
        )
        yield from self.rows(("measure", *segments), rows)
        yield from self.paragraphs("text.intervals")

    def grades(self) -> Iterable[str]:
        yield from self.heading("grades")
        rows = (
            [
                g.grade,
                cell(g.counts.people, "count"),
                _share(g.counts.bad_rate),
                _share(g.counts.mean_probability),
            ]
            for g in self.evaluation.grades
        )
        yield from self.rows(("grade", "people", "bad_rate", "probability"), rows)

    def fairness(self) -> Iterable[str]:
        yield from self.heading("fairness")
        attributes = self.plain["fairness"].get("attributes", ())
        if not attributes:
            yield from self.paragraphs("text.not_audited")
            return
        rows: list[list[str]] = []
        labels: dict[str, str] = {}
        for attribute in attributes:
            labels |= {one["name"]: self.field(one, "label") for one in (attribute, *attribute["groups"])}
            for cutoff in attribute["cutoffs"]:
                least = min(
                    (g for g in cutoff["groups"] if g["verdict"] != "reference" and g["ratio"]["value"] is not None),
                    key=lambda g: g["ratio"]["value"],
                    default=None,
                )
                if least is not None:
                    ratio = estimate_cell(Estimate(**least["ratio"]), "gini")
                    names = labels[attribute["name"]], labels[least["group"]]
                    rows.append([names[0], f"{cutoff['cutoff']:g}", names[1], ratio])
        yield from self.rows(("attribute", "cutoff", "group", "ratio"), rows)
        findings = self.plain["fairness"].get("findings", ())
        yield from self.paragraphs("text.findings", count=len(findings))
        yield from (
            f"- {self.say('finding.' + one['kind'])}: "
            + ", ".join(labels.get(one[key], one[key]) for key in ("attribute", "group") if one[key] != one["kind"])
            + f": {estimate_cell(Estimate(**one['value']), 'gini')}"
            for one in findings
        )

    def stability(self) -> Iterable[str]:
        yield from self.heading("stability")
        movements = self.plain["stability"].get("movements", ())
        rows = [
            [
                self._movement(movement),
                cell(movement["value"], "index"),
                cell(movement["limit"], "index"),
                self.say("text.moved" if movement["moved"] else "text.not_moved"),
            ]
            for movement in movements
            if movement["value"] is not None
        ]
        if not rows:
            yield from self.paragraphs("text.no_stability")
            return
        yield from self.rows(("movement", "psi", "limit", "verdict"), rows)

    def _movement(self, movement: JsonObject) -> str:
        kind = (
            self.say(f"movement.{movement['kind']}")
            if movement["kind"] in load_texts("model_card.toml")["movement"]
            else ""
        )
        label = self.field(movement, "label") if movement["name"] else ""
        return ", ".join(filter(None, (label, kind)))

    def table(self) -> Iterable[str]:
        yield from self.heading("card")
        yield from self.paragraphs("text.card", base=self.card.base, pdo=self.card.profile.points_to_double_odds)
        rows = []
        for row in self.card.table().to_dict("records"):
            if not row["points"] and not row["reference"] and not row["share"]:
                continue
            policy = f" ({self.say('text.policy')})" if row["policy"] else ""
            label = {"label_zh": row["label_zh"], "label_en": row["label_en"]}
            attribute = {"attribute_zh": row["attribute_zh"], "attribute_en": row["attribute_en"]}
            name = f"`{row['reason']}` {self.field(label, 'label')}{policy}"
            rows.append([name, self.field(attribute, "attribute"), f"{row['points']:+d}", _share(row["share"])])
        yield from self.rows(("characteristic", "attribute_value", "points", "share"), rows, left=2)

    def limits(self) -> Iterable[str]:
        yield from self.heading("limits")
        for key in ("records_only", "clean", "no_cause"):
            yield f"- {self.say(f'limits.{key}')}"
        yield from (f"- {self.field(note, 'text')}" for note in self.evaluation.context.get("notes", ()))
        faults = self.card.monotone_faults()
        yield f"- {self.say('limits.not_monotone' if faults else 'limits.monotone')}"
        order = self.evaluation.severity_order
        if order is not None:
            pairs, violations = f"{order.pairs:,}", f"{order.violations:,}"
            yield f"- {self.say('limits.severity_order', pairs=pairs, violations=violations)}"

    def gates(self) -> Iterable[str]:
        yield from self.heading("gates")
        if not self.document.gates:
            yield from self.paragraphs("text.no_gates")
            return
        rows = []
        for name, limit in sorted(self.document.gates.items()):
            figures = [gate for gate in self.evaluation.gates if gate.name == name]
            limit_text = " – ".join(f"{end:g}" for end in limit) if _is_band(limit) else _limit(limit)
            for gate in figures:
                verdict = self.say("text.passed" if gate.passed else "text.failed")
                rows.append(
                    [
                        f"`{name}` ({gate.segment})",
                        limit_text,
                        _BLANK if gate.value is None else f"{gate.value:.4g}",
                        verdict,
                    ]
                )
            checks = [one for verdict in self.evaluation.verdicts if verdict.name == name for one in verdict.checks]
            for one in () if figures else checks:
                verdict = self.say("text.passed" if one.passed else "text.failed")
                rows.append([f"`{one.name}`", limit_text, self.field(asdict(one), "value"), verdict])
            if not figures and not checks:
                rows.append([f"`{name}`", limit_text, _BLANK, self.say("text.at_promotion")])
        yield from self.rows(("gate", "limit", "value", "verdict"), rows, left=2)

    def approval(self) -> Iterable[str]:
        yield from self.heading("approval")
        if not self.document.terms:
            yield from self.paragraphs("text.never_in_force")
            return
        rows = (
            [f"`{t['alias']}`", self.say(f"text.{t['how']}"), t["approver"], t["since"], t["until"] or _BLANK]
            for t in self.document.terms
        )
        yield from self.rows(("alias", "how", "approver", "since", "until"), rows, left=5)

    def provenance(self) -> Iterable[str]:
        yield from self.heading("provenance")
        origin = self.card.provenance
        code = origin.get("code", {})
        values = {
            "card": self.card.digest,
            "evaluation": self.document.evaluation_digest,
            **dict(sorted(self.evaluation.context.get("digests", {}).items())),
            "policy": origin.get("ledger", {}).get("policy"),
            "day of use": origin.get("day_of_use"),
            "seed": origin.get("seed"),
            "credit_model": " ".join(str(code[key]) for key in ("credit_model", "commit") if code.get(key)),
        }
        yield from (f"- {name}: `{value}`" for name, value in values.items() if value not in (None, ""))


def _is_band(limit: object) -> bool:
    return isinstance(limit, list | tuple) and all(isinstance(end, int | float) for end in limit)


def _limit(limit: object) -> str:
    if isinstance(limit, list | tuple):
        return ", ".join(map(str, limit))
    return "true" if limit is True else f"{limit:g}"


def _share(value: float | None) -> str:
    return _BLANK if value is None or value != value else f"{value:.2%}"
