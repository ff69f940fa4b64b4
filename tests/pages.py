"""Read pages written in Markdown: headings, tables, fenced blocks, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block, and the line of text before it."""

    language: str
    text: str
    before: str


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", text)


def blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        lines = [line for line in text[: match.start()].splitlines() if line.strip()]
        found.append(Block(match[1], match[2], lines[-1] if lines else ""))
    return found


def levels(text: str) -> list[int]:
    """The level of every heading, in order."""
    return [len(line.split(" ")[0]) for line in prose(text).splitlines() if re.match(r"#+ ", line)]


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells, its heading first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in prose(text).splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            if not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line):
                found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        inside = line.startswith("|")
    return found


def keys(table: list[list[str]]) -> list[str]:
    """The code in the first cells of a table."""
    return [code for row in table[1:] for code in CODE.findall(row[0])]


def commands(text: str) -> list[str]:
    """Every line of the fenced blocks, without comments; of drawings none, for their words are of the page."""
    own = [block for block in blocks(text) if block.language != "mermaid"]
    lines = [re.sub(r"\s*#.*", "", line).rstrip() for block in own for line in block.text.splitlines()]
    return [line for line in lines if line.strip()]


def links(text: str) -> list[str]:
    """The address of every link, those of Chinese pages as those of their twins."""
    return [address.replace(".zh-CN.md", ".md") for address in LINK.findall(text)]


def twins() -> list[tuple[Path, Path]]:
    """Every page that has a Chinese twin, and the twin."""
    chinese = [ROOT / "README.zh-CN.md", *sorted(DOCS.rglob("*.zh-CN.md"))]
    return [(page.with_name(page.name.replace(".zh-CN.md", ".md")), page) for page in chinese]
