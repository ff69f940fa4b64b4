"""The code a card was learned with: versions of the libraries, and the commit of the package's own files.

In: where the package lies. Out: plain values for the provenance of a card.
"""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from credit_model.foundation import version as package


def code_versions() -> dict[str, str]:
    """Return the versions of the package and of its libraries, and the commit (empty where there is none)."""
    commit = commit_of(Path(package.__file__))
    return {"credit_model": package.__version__, "commit": commit, **library_versions()}


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose numbers end up in a card."""
    return {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "optuna")}


def commit_of(file: Path) -> str:
    """Return the commit of the Git repository that tracks a file, marked ``-dirty`` where its files differ.

    Parameters
    ----------
    file : Path

    Returns
    -------
    str
        Empty where no repository is around the file, or where the one around it does not track the file: a package
        installed into a virtual environment inside somebody's repository is no part of that repository.
    """
    try:
        _git(file.parent, "ls-files", "--error-unmatch", "--", file.name)
        return _git(file.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
