"""The texts and numbers of pages, in English, in Chinese, or in both with a switch between them.

Texts come from the TOML files beside this module. A number is looked up in the evaluation and carries its path there
(``data-from``), so that nothing on a page can differ from the JSON beside it.

In: a key or a path. Out: texts and numbers that are safe to put into HTML.
"""

from __future__ import annotations

import html
import json
import math
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject

Texts = dict[str, str]
TAGS = {"en": "en", "zh": "zh-CN"}
_LANGUAGES = {"en": ("en",), "zh": ("zh",), "both": ("en", "zh")}


@cache
def load_texts(name: str) -> dict[str, dict[str, dict[str, str]]]:
    """Read a file of texts: section, key, language."""
    return tomllib.loads(files("credit_model.texts").joinpath(name).read_text(encoding="utf-8"))


def short_percent(share: float) -> str:
    """Write a share as a percentage with two figures: 62%, 4.1%, 0.038%."""
    value = 100 * share
    if value <= 0 or value >= 99.5:
        return f"{value:.0f}%"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}%"


def format_number(value: float, kind: str) -> str:
    """Write a number the way its kind is written.

    Examples
    --------
    >>> format_number(0.42345, "gini"), format_number(-26, "points"), format_number(0.0062, "share")
    ('0.423', '−26', '0.62%')
    """
    if kind == "share":
        return short_percent(value)
    if kind == "p" and value < 0.001:
        return "<0.001"
    form = {
        "percent": ".1%",
        "count": ",",
        "of100": ".0f",
        "p": ".3f",
        "points": "+.0f",
        "tiny": ".0e",
        "cut": "g",
        "change": "+.2%",
        "small": ".2e",
        "index": ".4f",
    }
    digits = {"gini": ".3f", "ratio": ".2f", "score": ".1f", "loss": ".5f"}
    text = format(100 * value if kind == "of100" else value, (form | digits)[kind])
    return re.sub(r"^[+-](0[.0]*)$", r"\1", text).replace("-", "−")


def text_of(document: str, key: str, lang: str, **values: object) -> str:
    """Return one text of a document, its braces filled in."""
    section, name = key.split(".")
    return load_texts(f"{document}.toml")[section][name][lang].format(**values)


class Words:
    """The texts of a page in the languages of this page."""

    def __init__(self, lang: str, document: str = "report") -> None:
        if lang not in _LANGUAGES:
            raise UserError(f"A report cannot be rendered in {lang!r}: choose one of {', '.join(_LANGUAGES)}.")
        self.languages = _LANGUAGES[lang]
        self._document = document

    def __call__(self, key: str, **values: str | Texts) -> Texts:
        """Look a text up and fill its braces; a value may itself be in several languages."""
        return {
            language: text_of(
                self._document,
                key,
                language,
                **{k: v if isinstance(v, str) else v[language] for k, v in values.items()},
            )
            for language in self.languages
        }

    def has(self, key: str) -> bool:
        """Return whether there is a text of this key."""
        section, name = key.split(".")
        return name in load_texts(f"{self._document}.toml").get(section, {})

    def pick(self, en: str, zh: str) -> Texts:
        """Take a text of the evaluation itself, which is not trusted to be HTML."""
        both = {"en": html.escape(str(en)), "zh": html.escape(str(zh))}
        return {language: both[language] for language in self.languages}

    def field(self, source: JsonObject, name: str) -> Texts:
        """Take ``name_en`` and ``name_zh`` of a mapping, or ``name`` for both."""
        alike = source.get(name, "")
        return self.pick(source.get(f"{name}_en", alike), source.get(f"{name}_zh", alike))

    def same(self, text: str) -> Texts:
        """Take a text that needs no translation."""
        return self.pick(text, text)

    def join(self, items: Iterable[Texts], marks: Texts) -> Texts:
        """Join texts by the mark of each language."""
        items = list(items)
        return {language: marks[language].join(item[language] for item in items) for language in self.languages}

    def each(self, text: Texts | str) -> list[tuple[str, str]]:
        """Return class and text for every language; a single one without a class where they do not differ."""
        texts = list(self.same(text).items()) if isinstance(text, str) else list(text.items())
        return [("", texts[0][1])] if len({text for _, text in texts}) == 1 else texts

    def html(self, content: Texts | str) -> str:
        """Put every language into a span of its own."""
        return "".join(
            f'<span class="{language}" lang="{TAGS[language]}">{text}</span>' if language else text
            for language, text in self.each(content)
        )

    def plain(self, content: Texts) -> str:
        """Join the languages for an attribute, without markup."""
        return re.sub(r"<[^>]*>", "", " / ".join(text for _, text in self.each(content)))


class Numbers:
    """The numbers of one evaluation, each written with the path it was read from."""

    def __init__(self, plain: JsonObject, words: Words) -> None:
        self._plain, self._words = plain, words

    def at(self, path: str) -> object:
        """Return the value at a path like ``segments/all/measures/gini/value``; None where there is none."""
        value: Any = self._plain
        for step in path.split("/"):
            value = value[int(step)] if isinstance(value, list) else value.get(step)
            if value is None:
                return None
        return value

    def __call__(self, path: str, kind: str) -> str:
        """Write the number at a path, or a dash that says why there is none."""
        value = self.at(path)
        if not isinstance(value, (int, float)):
            return f'<span class="blank" title="{self._words.plain(self._words("page.blank"))}">–</span>'
        text = html.escape(format_number(value, kind))
        return f'<data value="{json.dumps(value)}" data-from="{html.escape(path)}">{text}</data>'

    def interval(self, path: str, kind: str) -> str:
        """Write a value with its interval below it."""
        if self.at(f"{path}/value") is None:
            return self(f"{path}/value", kind)
        low, high = self(f"{path}/low", kind), self(f"{path}/high", kind)
        return f'{self(f"{path}/value", kind)}<span class="interval">{low} – {high}</span>'
