"""Carry out the steps of a how-to page in a copy of the package, as a reader would.

A fenced block is a step; the line before it says what is done, and names the file in backticks:

- after "append to" or "add at the end of" (``末尾``): the block is put at the end of the file;
- after "create" (``新建``): the block is the file;
- a ``diff`` block: lines without a sign and with ``-`` stand in the file, once; with ``+`` they come to stand there;
- an ``sh`` block is run; a ``text`` block after it, under a line that names no file, is what it printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pages import CODE, ROOT, Block, blocks, prose, read

FOLDERS = ("credit_model", "tests", "docs")
READ_ONLY = ("data", "experiments")  # what tests read; no page changes it
FILES = ("CHANGELOG.md", "README.md", "README.zh-CN.md", "pyproject.toml")
LISTS = ("## Files that change", "## 会改动的文件")


def copy_of_the_package(folder: Path) -> Path:
    """A copy under version control, so that what changes can be seen."""
    copy = folder / "copy"
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    for name in READ_ONLY:
        (copy / name).symlink_to(ROOT / name)
    ignored = ("__pycache__", ".pytest_cache", ".hypothesis", *READ_ONLY)
    (copy / ".gitignore").write_text("\n".join(ignored), encoding="utf-8")
    _git(copy, "init", "-q")
    _git(copy, "add", "-A")
    _git(copy, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "as it was")
    return copy


def carry_out(page: Path, copy: Path) -> None:
    printed = ""
    for block in blocks(read(page)):
        if block.language == "sh":
            printed = _run(block.text, copy)
        elif block.language == "text" and not CODE.search(block.before):
            assert printed == block.text, f"{page.name}: printed {printed!r}"
        else:
            _edit(block, copy / CODE.findall(block.before)[-1])


def files_listed(page: Path) -> set[str]:
    """The files that a page says will change."""
    text = prose(read(page))
    start = next(heading for heading in LISTS if heading in text)
    lines = text.split(start)[1].split("\n## ")[0].splitlines()
    return {CODE.findall(line)[0] for line in lines if line.startswith("- ")}


def files_changed(copy: Path) -> set[str]:
    return {line[3:] for line in _git(copy, "status", "--porcelain", "--untracked-files=all").splitlines()}


def _edit(block: Block, file: Path) -> None:
    if block.language == "diff":
        lines = block.text.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {text.count(old)} places for\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")
        return
    says = block.before.lower()
    if any(word in says for word in ("create", "新建")):
        assert not file.exists()
        file.write_text(block.text, encoding="utf-8")
    else:
        assert any(word in says for word in ("append to", "at the end of", "末尾")), block.before
        with file.open("a", encoding="utf-8") as opened:
            opened.write("\n" + block.text)


def _run(commands: str, copy: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=copy, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _git(copy: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=copy, check=True, capture_output=True, text=True).stdout
