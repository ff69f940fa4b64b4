"""The model card of a registered version: a document (JSON) and the Markdown page made from it.

Its readers are the approver, the person scored and a later auditor. Every number on the page is one of the document;
small cells stay blank, as in the evaluation.

In: a card, its evaluation, its terms in the history. Out: a `ModelCard`; JSON; Markdown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from credit_model.assessment.evaluator import PURPOSES
from credit_model.evaluation.evaluation import EvaluationReport, Gate
from credit_model.evaluation.gates import Check
from credit_model.evaluation.measures import MEASURES
from credit_model.evaluation.tables import Segment
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject
from credit_model.reports.markdown import cell, estimate_cell, markdown_row, markdown_table
from credit_model.reports.templating import templates
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
    text = templates().get_template("model_card.md").render(page.context())
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


class _Page:
    """What the template asks for: texts in every language of the page, cells and rows of tables."""

    def __init__(self, document: ModelCard, languages: Sequence[str]) -> None:
        self.document, self.evaluation, self.languages = document, document.evaluation, languages

    def say(self, key: str, joint: str = " · ", **values: object) -> str:
        """Return a text in every language of the page."""
        source = "report" if key.startswith("measure.") else "model_card"
        return joint.join(dict.fromkeys(text_of(source, key, language, **values) for language in self.languages))

    def paragraphs(self, key: str, **values: object) -> str:
        """Return a text as a paragraph a language."""
        return self.say(key, joint="\n\n", **values)

    def field(self, source: object, name: str) -> str:
        """Return a text that the document holds in both languages, or in one for both."""
        fields = source if isinstance(source, Mapping) else vars(source)
        texts = (fields.get(f"{name}_{language}") or fields.get(name) or _BLANK for language in self.languages)
        return " · ".join(dict.fromkeys(map(str, texts)))

    def head(self, names: Sequence[str], left: int = 1) -> str:
        """Return the head of a table; the first columns are texts, the others numbers."""
        return "\n".join(markdown_table([self.say(f"column.{name}") for name in names], (), left)[1:])

    def estimates(self, segments: Iterable[Segment], name: str) -> list[str]:
        """Return the cells of one measure, one a segment."""
        return [estimate_cell(segment.measures.get(name), MEASURES[name].form) for segment in segments]

    def passed(self, one: Gate | Check) -> str:
        """Say whether a gate was passed."""
        return self.say("text.passed" if one.passed else "text.failed")

    def checks_of(self, gate: str) -> list[Check]:
        """Return the checks of a gate that is judged by more than a number."""
        return [check for verdict in self.evaluation.verdicts if verdict.name == gate for check in verdict.checks]

    def context(self) -> dict[str, object]:
        """Return what the template may name."""
        segments = self.evaluation.segments.values()
        names = ("document", "evaluation", "say", "paragraphs", "field", "head", "estimates", "passed", "checks_of")
        return {name: getattr(self, name) for name in names} | {
            "card": self.document.card,
            "blank": _BLANK,
            "purposes": PURPOSES,
            "movements": load_texts("model_card.toml")["movement"],
            "measures": [n for n, m in MEASURES.items() if m.headline and any(n in s.measures for s in segments)],
            "provenance": _provenance(self.document),
            "cell": cell,
            "estimate_cell": estimate_cell,
            "limit_text": _limit_text,
            "row": markdown_row,
            "share": _share,
        }


def _provenance(document: ModelCard) -> dict[str, object]:
    origin = document.card.provenance
    code = origin.get("code", {})
    return {
        "card": document.card.digest,
        "evaluation": document.evaluation_digest,
        **dict(sorted(document.evaluation.context.get("digests", {}).items())),
        "policy": origin.get("ledger", {}).get("policy"),
        "day of use": origin.get("day_of_use"),
        "seed": origin.get("seed"),
        "credit_model": " ".join(str(code[key]) for key in ("credit_model", "commit") if code.get(key)),
    }


def _limit_text(limit: object) -> str:
    if isinstance(limit, list | tuple):
        is_band = all(isinstance(end, int | float) for end in limit)
        return " – ".join(f"{end:g}" for end in limit) if is_band else ", ".join(map(str, limit))
    return "true" if limit is True else f"{limit:g}"


def _share(value: float | None) -> str:
    return _BLANK if value is None or value != value else f"{value:.2%}"
