"""The page of an evaluation: every number from the value, nothing from outside, legible in a real browser."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chromium import ADDRESS, open_in_chromium
from small_evaluation import CARD, FRAME, FULL, POINTS, REPORT, full, judged
from small_pairs import scored_rows, wide_card, wide_rows

from credit_model import UserError
from credit_model.evaluation.assembly import evaluate
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.scored_rows import card_of
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html
from credit_model.reports.shapes import importance

PAGE = render_html(FULL)
ENGLISH = render_html(FULL, lang="en")
WIDE_ROWS = wide_rows()
WIDE = evaluate(scored_rows(wide_card(), WIDE_ROWS), card=wide_card(), explanation=wide_card().explain(WIDE_ROWS))
PAGES = {"everything": PAGE, "pairs": render_html(WIDE)}


class Page(HTMLParser):
    """Just enough of a reader of HTML: balanced tags, attributes, numbers with their origin, visible text."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "data":
            self.numbers.append((dict(attrs)["data-from"], dict(attrs)["value"], ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts.append(data)
        if self.open and self.open[-1] == "data":
            self.numbers[-1] = (*self.numbers[-1][:2], data)


def test_every_number_is_read_from_the_evaluation() -> None:
    plain = json.loads(FULL.to_json())
    numbers = Page(PAGE).numbers
    assert len(numbers) > 800
    for path, value, text in numbers:
        found = plain
        for step in path.split("/"):
            found = found[int(step)] if isinstance(found, list) else found[step]
        assert json.loads(value) == found
        shown = float(re.sub(r"[%,<+]", "", text).replace("−", "-"))
        scaled = (
            found * 100
            if "%" in text or ("." not in text and re.search(r"/(auc|observed_to_expected)/", path))
            else found
        )
        assert shown == pytest.approx(scaled, rel=0.06, abs=0.006)


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    page = Page(PAGE)
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object", "embed")]
    assert not re.search(r"https?://|@import|url\(", PAGE)
    assert {attrs["href"] for _, attrs in page.tags if "href" in attrs if not attrs["href"].startswith("#")} == {
        "data:,"
    }
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    anchors = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert anchors <= {attrs.get("id") for _, attrs in page.tags}


def test_the_same_evaluation_gives_the_same_bytes_in_another_process(tmp_path: Any) -> None:
    (tmp_path / "evaluation.json").write_text(FULL.to_json(), encoding="utf-8")
    program = (
        "import sys; from credit_model.evaluation.evaluation import EvaluationReport;"
        "from credit_model.reports.page import render_html;"
        "render_html(EvaluationReport.from_json(open(sys.argv[1], encoding='utf-8').read()), sys.argv[2])"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "evaluation.json"), str(tmp_path / "page.html")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "99"},
    )
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == PAGE


def test_each_language_stands_alone() -> None:
    english = " ".join(Page(render_html(FULL, lang="en")).texts)
    chinese = " ".join(Page(render_html(FULL, lang="zh")).texts)
    assert not re.search(r"[\u4e00-\u9fff]", english)
    own_words = tomllib.loads(files("credit_model.texts").joinpath("report.toml").read_text(encoding="utf-8"))
    for section in own_words.values():
        for text in section.values():
            told = re.sub(r"<[^>]*>", "", text["en"].split("{")[0]).strip()
            assert len(told) < 16 or told not in chinese
    assert "结果说明了什么" in chinese
    assert 'lang="zh-CN"' in render_html(FULL, lang="zh")[:60]
    with pytest.raises(UserError, match="'fr'"):
        render_html(REPORT, lang="fr")


def test_every_text_has_both_languages_and_the_same_blanks() -> None:
    texts = tomllib.loads(files("credit_model.texts").joinpath("report.toml").read_text(encoding="utf-8"))
    for section, entries in texts.items():
        for name, text in entries.items():
            blanks = {lang: sorted(re.findall(r"{(\w+)}", said)) for lang, said in text.items()}
            assert set(text) == {"en", "zh"}, (section, name)
            assert blanks["en"] == blanks["zh"], (section, name)
            assert text["en"].count("<b>") == text["zh"].count("<b>"), (section, name)


def test_the_sections_a_scorecard_report_must_have_are_there() -> None:
    ids = [attrs["id"] for tag, attrs in Page(PAGE).tags if tag == "section"]
    assert ids == [
        *("meaning", "gates", "sample", "data", "scores", "ranking", "calibration", "decisions", "fairness"),
        *("challenger", "stability", "time", "effects", "card", "reasons", "limits", "provenance"),
    ]
    english = " ".join(Page(render_html(REPORT, lang="en")).texts)
    for needed in (
        "Outcome:", "Left out, and why", "Gains by grade", "performance window, 12 months", "policy points",
        "Chen Jing", "honours are too rare to learn from", "40", "Constant rate", "must not deny", "not ranked",
    ):  # fmt: skip
        assert needed in english


SIDDIQI = {  # what a scorecard report holds, and where this one holds it
    "target and window definition": ("sample", "Outcome:"),
    "sample and exclusions": ("sample", "Left out, and why"),
    "bad definition: vintages": ("data", "When events come to pass"),
    "bad definition: roll rates": ("limits", "Roll rates do not apply"),
    "characteristic analysis: WOE": ("card", "WOE"),
    "characteristic analysis: IV, signs": ("card", "Information value"),
    "model statistics": ("card", "coefficient"),
    "weight of each characteristic": ("effects", "How far each characteristic moves"),
    "scorecard table and scaling": ("card", "double the odds"),
    "gains table": ("calibration", "Gains by grade"),
    "Gini, KS: development": ("data", "The card on each sample"),
    "Gini, KS: out of time": ("ranking", "KS"),
    "ROC": ("ranking", "From the riskiest down"),
    "reject inference": ("limits", "no rejects"),
    "strategy: cut-off, expected rates": ("decisions", "Expected"),
    "strategy: swap set": ("decisions", "Swap set"),
    "override policy and report by reason": ("decisions", "appeal"),
    "final score report": ("scores", "Share of people in each grade"),
    "performance by score": ("calibration", "What happened in each grade"),
    "vintage and cohort report": ("data", "Month 12"),
    "misclassification": ("decisions", "misclassification"),
    "fairness": ("fairness", "four fifths|0.8 to 1.25"),
}


@pytest.mark.parametrize("item", SIDDIQI)
def test_a_scorecard_report_holds_everything_a_bank_expects(item: str) -> None:
    section, words = SIDDIQI[item]
    inside = re.search(rf'<section id="{section}">(.*?)</section>', ENGLISH, re.S)[1]
    assert re.search(words, re.sub(r"<[^>]*>", "", inside))


def test_labels_that_cannot_be_right_are_told_at_the_top_and_marked() -> None:
    meaning = re.search(r'id="meaning">(.*?)</section>', ENGLISH, re.S)[1]
    assert "Some labels cannot be right" in meaning
    assert "hardly any good left" in ENGLISH
    assert "Some labels cannot be right" not in render_html(full(development=None), lang="en")


def test_every_drawing_says_what_it_shows_and_every_table_names_its_rows() -> None:
    page = Page(PAGE)
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(drawings) >= 17
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawings)
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def drawings(page: str) -> list[str]:
    section = re.search(r'<section id="effects">(.*?)</section>', page, re.S)[1]
    return re.findall(r"<svg.*?</svg>", section, re.S)


def test_what_moves_scores_is_drawn_the_strongest_first_with_every_attribute_and_combination() -> None:
    card, told = wide_card(), importance(wide_card(), WIDE_ROWS).set_index("term")
    kept = {term["name"]: term["mean_points"] for term in WIDE.card["characteristics"]}
    assert kept == pytest.approx(told["mean_points"].to_dict())
    bars, *shapes, steps, texts = drawings(render_html(WIDE, lang="en"))
    shown = re.findall(r'class="small"[^>]*>([\d.]+)<', bars)
    assert shown == [f"{size:.1f}" for size in told["mean_points"]]
    alone = [name for name in told.index if name in card.columns]
    assert [re.search('aria-label="([^:]*)', shape)[1] for shape in shapes] == alone
    for shape, name in zip(shapes, alone, strict=True):
        assert len(re.findall("<rect", shape)) == sum(point != 0 for point in card.parts(name)[0].points)
    first, second = (
        card.pairs if told.index.get_loc(card.terms[-2]) < told.index.get_loc(card.terms[-1]) else card.pairs[::-1]
    )
    for drawing, pair in ((steps, first), (texts, second)):
        cells = [int(said.replace("−", "-")) for said in re.findall('text-anchor="middle">([−+]?\\d+)<', drawing)]
        assert set(cells) == set(pair.levels)
        assert f"from {pair.least} to".replace("-", "−") in drawing


def test_a_characteristic_that_few_people_differ_in_is_not_measured() -> None:
    few = POINTS.assign(listed_now=0).astype(int)
    few.loc[few.index[:9], "listed_now"] = -80
    terms = {term["name"]: term["mean_points"] for term in judged(points=few).card["characteristics"]}
    assert terms.pop("listed_now") is None
    assert all(size is not None for size in terms.values())
    older = EvaluationReport.from_dict({**FULL.to_dict(), "card": card_of(CARD)})
    assert len(drawings(render_html(older, lang="en"))) == len(CARD.columns)  # shapes, and no bars


def test_the_verdict_is_said_in_words_at_the_top() -> None:
    failed = judged(gates={"gini": 0.99, "ks": 0.0})
    text = " ".join(Page(render_html(failed, lang="en")).texts)
    assert "1 of 2 declared gates failed, 1 passed." in text
    assert "This version must not be promoted: Hard Gini." in text
    assert "No gates were declared" in render_html(judged(gates=None), lang="en")
    assert "overstates" in render_html(judged(FRAME.assign(probability_of_bad=0.4)), lang="en")
    assert "understates" in render_html(judged(FRAME.assign(probability_of_bad=0.001)), lang="en")


def test_a_text_of_the_caller_is_never_markup() -> None:
    nasty = "<script>alert(1)</script>"
    report = judged(
        context={"experiment": nasty, "question": nasty, "digests": {nasty: nasty}, "notes": [{"text": nasty}]},
        baselines={"single": (nasty, nasty)},
    )
    assert nasty not in render_html(report)
    assert render_html(report).count("&lt;script&gt;") >= 6


def test_a_page_can_be_made_of_almost_nothing() -> None:
    for report in (
        EvaluationReport(),
        evaluate(FRAME[["subject_id", "as_of", "y", "score", "probability_of_bad", "grade"]]),
        evaluate(FRAME.assign(y=0)),
        evaluate(FRAME.head(5)),
    ):
        Page(render_html(report))
        assert render_markdown(report).startswith("# Evaluation of a card")


@pytest.mark.parametrize(
    ("window", "said"), [(36.0, "36 months"), (35.9, "35.9 months"), (1, "1 months"), (None, "0 months")]
)
def test_a_performance_window_of_any_length_is_drawn(window: float | None, said: str) -> None:
    dates = {
        "development": ["2015-04-20"],
        "out_of_time": ["2022-10-20"],
        "window_months": window,
        "maturity_months": 0,
    }
    page = Page(render_html(judged(context={"dates": dates}), lang="en"))
    assert any(said in text for text in page.texts)
    assert {"2015-04-20", "2022-10-20"} <= set(page.texts)


def test_the_page_is_written_where_asked(tmp_path: Any) -> None:
    assert render_html(REPORT, tmp_path / "page.html") == (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_short_page_says_the_same(tmp_path: Any) -> None:
    text = render_markdown(REPORT)
    value = REPORT.segments["all"].measures["gini"].value
    assert f"| Hard Gini | {value:.3f} (" in text
    assert REPORT.digest in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| Hard Gini")}) == 1


# -------------------------------------------------------------------------------------------------- the browser

LOOK = Path(__file__).with_name("look_at_page.js").read_text(encoding="utf-8")


@pytest.mark.needs("chromium")
def test_in_a_browser_the_page_asks_for_nothing_and_complains_of_nothing() -> None:
    opened = open_in_chromium(PAGE)
    assert opened.requests == (ADDRESS,)
    assert opened.console == ()
    assert "What this means" in opened.dom


@pytest.mark.needs("chromium")
def test_the_browser_would_have_told_of_a_request_and_of_an_error() -> None:
    opened = open_in_chromium('<img src="http://elsewhere.test/x.png"><script>console.error("a fault")</script>')
    assert "http://elsewhere.test/x.png" in opened.requests
    assert any("a fault" in line for line in opened.console)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(
    ("page", "window"), [("everything", "1200,1600"), ("everything", "600,1200"), ("pairs", "1200,1600")]
)
def test_in_a_browser_one_language_is_shown_legible_and_inside_its_frame(page: str, window: str) -> None:
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", PAGES[page])
    opened = open_in_chromium(without_policy.replace("</body>", f"<script>{LOOK}</script></body>"), window)
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', opened.dom, re.S)[1]))
    assert found["resources"] == []
    assert found["before"]["chinese"] == found["after"]["english"] == 0
    assert found["before"]["english"] > 100 < found["after"]["chinese"]
    for look in (found["before"], found["after"]):
        assert look["faint"] == look["outside"] == look["onEachOther"] == []
        assert look["tooWide"] <= 0


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("page", list(PAGES))
def test_on_paper_nothing_is_cut_off(page: str) -> None:
    on_paper = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", PAGES[page]).replace(
        "@media print", "@media all"
    )
    opened = open_in_chromium(
        on_paper.replace("</body>", f"<script>{LOOK}</script></body>"), "695,1000"
    )  # A4, margins off
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', opened.dom, re.S)[1]))
    for look in (found["before"], found["after"]):
        assert look["cut"] == look["outside"] == look["onEachOther"] == []
        assert look["tooWide"] <= 0


def test_a_test_whose_program_is_missing_is_listed_as_not_run_or_fails_where_all_are_required(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    marked = 'import pytest\n\n@pytest.mark.needs("no-such-program")\ndef test_it():\n    raise SystemError\n'
    (tmp_path / "test_page.py").write_text(marked + "\ndef test_other():\n    pass\n", encoding="utf-8")
    for required, code in (("", 0), ("1", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, "CREDIT_MODEL_REQUIRE_ALL": required, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert "not run: needs no-such-program" in done.stdout
        assert "1 passed" in done.stdout
