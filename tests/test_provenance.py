"""The commit in a card is that of the package's own files, never of a repository that merely surrounds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import credit_model
from credit_model.experiments.provenance import commit_of

PACKAGE = Path(credit_model.__file__).parent
SURROUNDINGS = [name for name in os.environ if name.startswith("GIT_")]


@pytest.fixture(autouse=True)
def own_repositories_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository around the temporary folder, and no setting of the machine, has a say."""
    for name in SURROUNDINGS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Wang Li", "-c", "user.email=wang.li@example.org"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def repository(folder: Path, ignored: str = "") -> Path:
    """A user's own repository with one commit, and the package copied into it afterwards."""
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "analysis.py").write_text("print('mine')\n", encoding="utf-8")
    (folder / ".gitignore").write_text(ignored, encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "mine")
    return folder


def installed_in(folder: Path) -> Path:
    shutil.copytree(PACKAGE, folder / "credit_model", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "credit_model"


@pytest.mark.parametrize("ignored", [".venv/\n", ""], ids=["ignored", "untracked"])
def test_a_package_installed_inside_a_users_repository_has_no_commit(tmp_path: Path, ignored: str) -> None:
    folder = repository(tmp_path / "work", ignored)
    package = installed_in(folder / ".venv" / "lib" / "site-packages")
    assert commit_of(package / "__init__.py") == ""
    told = "from credit_model.experiments.provenance import code_versions; print(code_versions()['commit'] or 'none')"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=folder, env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "none"


def test_a_package_that_a_repository_tracks_has_its_commit_marked_where_files_differ(tmp_path: Path) -> None:
    folder = repository(tmp_path / "work")
    file = installed_in(folder) / "__init__.py"
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "vendored")
    assert commit_of(file) == git(folder, "rev-parse", "HEAD")
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert commit_of(file) == git(folder, "rev-parse", "HEAD") + "-dirty"


def test_outside_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert commit_of(installed_in(tmp_path) / "__init__.py") == ""
