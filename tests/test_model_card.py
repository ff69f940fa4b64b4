"""The page of a registered version: made from a document that is kept beside it, and from nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_card import small_card
from small_evaluation import FULL, REPORT

from credit_model import UserError
from credit_model.cli.main import main
from credit_model.registry.promotion import promote
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.reports.model_card import ModelCard, render_model_card

TERM = {"alias": "champion", "approver": "Zhou Min", "how": "promotion", "since": "2026-05-01", "until": None}
MADE = ModelCard(
    "small", 3, "Li Wei", small_card(), REPORT, REPORT.digest, {"slope": [0.5, 1.5], "reasons": True}, (TERM,)
)
HEADINGS = ("Use", "Data and outcome", "Performance, out of time", "Grades and calibration", "Fairness", "Stability",
            "The card", "Limits", "Gates", "Approval", "Provenance")  # fmt: skip


def test_pages_that_are_kept_are_the_pages_of_their_documents() -> None:
    documents = sorted(Path(__file__).parents[1].glob("reports/cards/*.json"))
    assert "personal-credit-v1" in [document.stem for document in documents]
    for document in documents:
        made = ModelCard.from_json(document.read_text(encoding="utf-8"))
        assert document.stem == made.stem
        assert document.with_suffix(".md").read_text(encoding="utf-8") == render_model_card(made)


def test_every_section_is_there_in_the_language_asked_for() -> None:
    pages = {lang: render_model_card(MADE, lang) for lang in ("zh", "en", "both")}
    assert re.findall(r"^## (.*)$", pages["en"], re.M) == list(HEADINGS)
    chinese = re.findall(r"^## (.*)$", pages["zh"], re.M)
    assert re.findall(r"^## (.*)$", pages["both"], re.M) == [
        f"{zh} · {en}" for zh, en in zip(chinese, HEADINGS, strict=True)
    ]
    assert not re.search(r"[\u4e00-\u9fff]", pages["en"])
    for said in ("Zhou Min", "Li Wei", MADE.card.digest, REPORT.digest, "2026-05-01", "`slope` (all)", "[0.5"):
        assert (said in pages["both"]) == (said != "[0.5")
    with pytest.raises(UserError, match="no language 'fr'"):
        render_model_card(MADE, "fr")


def test_points_on_the_page_are_the_cards_points() -> None:
    lines = [line for line in render_model_card(MADE, "en").splitlines() if line.startswith("| `A")]
    said = [int(line.split("|")[3]) for line in lines]
    rows = MADE.card.table()
    adverse = rows[rows["reason"].str.startswith("A") & ((rows["points"] != 0) | rows["reference"])]
    assert said == adverse["points"].tolist()


def test_what_the_evaluation_leaves_blank_the_page_leaves_blank() -> None:
    hidden = [grade for grade in REPORT.grades if grade.counts.bad_rate is None]
    lines = render_model_card(MADE, "en").splitlines()
    for grade in hidden:
        assert any(line.startswith(f"| {grade.grade} |") and "–" in line for line in lines)
    assert not re.search(r"\bnan\b", render_model_card(MADE).lower())
    assert "None" not in render_model_card(MADE)


def test_a_document_that_was_altered_makes_no_page() -> None:
    with pytest.raises(UserError, match="altered"):
        ModelCard.from_json(MADE.to_json().replace('"points": -80', '"points": -8'))
    with pytest.raises(UserError, match="document of a model card"):
        ModelCard.from_json("{}")


def test_the_command_writes_the_page_of_a_version_with_who_approved_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    limits = {gate.name: True for gate in REPORT.gates if gate.passed}
    register(small_card(), log_run("made"), author="Li Wei", evaluation=REPORT, gates=limits)
    assert main(["card", "1", "--out", str(tmp_path / "cards")]) == 0
    page, document = (tmp_path / "cards" / f"personal-credit-v1.{form}" for form in ("md", "json"))
    assert "Never in force." in page.read_text(encoding="utf-8")
    promote(1, approver="Zhou Min")
    assert main(["card", "1", "--out", str(tmp_path / "cards")]) == 0
    text = page.read_text(encoding="utf-8")
    assert "| `champion` | 启用 · promotion | Zhou Min | 20" in text
    assert text == render_model_card(ModelCard.from_json(document.read_text(encoding="utf-8")))
    assert str(page) in capsys.readouterr().out


def test_groups_and_findings_are_named_in_the_language_of_the_page() -> None:
    made = ModelCard("small", 3, "Li Wei", small_card(), FULL, FULL.digest)
    chinese, english = (render_model_card(made, lang) for lang in ("zh", "en"))
    assert re.search(r"^\| 性别 \| \d+ \| [男女] \|", chinese, re.M)
    assert re.search(r"^\| Sex \| \d+ \| (Male|Female) \|", english, re.M)
    assert re.search(r"^- 符合比例: 区县, shore: ", chinese, re.M)
    assert re.search(r"^- 来源: fines: ", chinese, re.M)
    assert re.search(r"^- Eligibility: District, shore: ", english, re.M)
