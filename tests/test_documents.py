"""Pages beside the reference: decisions that replace others, plain words, one table of what holds today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import DOCS, LINK, ROOT, levels, prose, read, tables

DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
ENGLISH = [
    page
    for pattern in ("*.md", "docs/**/*.md", "experiments/*.md", "data/**/*.md")
    for page in sorted(ROOT.glob(pattern))
    if not page.name.endswith(".zh-CN.md")
]
STATUS = re.compile(r"^Status: (accepted|superseded by \[.*\]\(.*\))(; [^\n]*)?, 20\d\d-\d\d-\d\d$", re.M)
# Words of ours that a reader of the field has to translate.
RIDDLES = re.compile(r"\bmade cit(y|ies)\b|\brooms?\b|\bdoors?\b|\bwalks?\b", re.I)


def first_line(page: Path) -> str:
    return read(page).splitlines()[0]


def replaced_by(page: Path) -> set[str]:
    """The records that a record says it replaces."""
    sentences = re.findall(r"(?:Replaces|Supersedes) (.*?)\.(?:\s|$)", read(page), re.S)
    return {address for sentence in sentences for address in LINK.findall(sentence)}


def test_a_record_that_another_replaces_says_so_in_its_first_line() -> None:
    replaced = {(other, page.name) for page in DECISIONS for other in replaced_by(page)}
    assert replaced
    silent = [
        f"{old} does not name {new}"
        for old, new in replaced
        if not re.search(rf"Superseded .*{re.escape(new)}", first_line(DOCS / "decisions" / old))
    ]
    assert not silent


def test_a_record_that_says_it_is_replaced_names_one_that_says_the_same() -> None:
    for page in DECISIONS:
        if "Superseded" in first_line(page):
            assert any(page.name in replaced_by(page.with_name(new)) for new in LINK.findall(first_line(page))), (
                page.name
            )


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_every_record_has_its_number_and_one_line_of_status(page: Path) -> None:
    assert re.search(rf"^# {int(page.name[:4])}\. ", read(page), re.M)
    assert len(STATUS.findall(read(page))) == 1


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.name)
def test_a_page_uses_the_words_of_the_field(page: Path) -> None:
    text = LINK.sub("", prose(read(page)))
    found = [match[0] for match in RIDDLES.finditer(re.sub(r"`[^`]*`", "", text))]
    assert not found


def test_the_changelog_has_groups_and_one_line_a_change() -> None:
    text = read(ROOT / "CHANGELOG.md")
    released = text.split("## [Unreleased]")[1]
    assert re.findall(r"^### (\w+)$", released, re.M) == ["Added", "Changed", "Fixed"]
    lines = [line for line in released.splitlines() if line and not line.startswith("#")]
    assert all(line.startswith("- ") and line.endswith(".") for line in lines)
    assert len(set(lines)) == len(lines)


def test_the_benchmarks_begin_with_one_table_of_what_holds_today() -> None:
    text = read(DOCS / "benchmarks.md")
    assert levels(text)[:2] == [1, 2]
    first = tables(text)[0]
    assert first[0] == ["figure", "value", "command", "date"]
    assert text.index("| figure |") < text.index("\n## ")
    scripts = {path.name for path in (ROOT / "benchmarks").glob("*.py")}
    for _, value, command, date in first[1:]:
        assert value
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", date)
        named = re.findall(r"benchmarks/(\w+\.py)", command)
        assert set(named) <= scripts
        assert named or re.match(r"`(make|credit-model|pytest) ", command), command
    assert "](benchmarks_history.md)" in text
