"""`make lab` and `make report`: a notebook opens as a notebook, and what it draws is seen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browsing import browser, read_when_written

PROJECT = Path(__file__).parents[1]
# The environment the tests run in, whatever its folder is called; nothing is installed.
MAKE = ("make", "--no-print-directory", "-o", ".venv/.installed", f"BIN={Path(sys.executable).parent}")


@contextmanager
def jupyterlab(place: Path) -> Iterator[str]:
    """``make lab`` on a copy of the notebooks, with nothing of the user's home; its address, with the token."""
    shutil.copytree(PROJECT / "notebooks", place / "notebooks")
    shutil.copy(PROJECT / "Makefile", place)
    own = {f"JUPYTER_{kind}_DIR": str(place / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with (
        (place / "log").open("w") as log,
        subprocess.Popen(
            [*MAKE, "lab", "LAB=--no-browser --ip=127.0.0.1 --port=0"],
            cwd=place,
            env=os.environ | own | {"IPYTHONDIR": str(place / "ipython")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            server = json.loads(read_when_written(place / "runtime", "jpserver-*.json"))
            yield f"{server['url']}lab?token={server['token']}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


@pytest.mark.needs("make", "chromium")
def test_a_double_click_in_the_lab_opens_a_notebook_that_runs_and_shows_its_pictures(tmp_path: Path) -> None:
    idle = "document.querySelector('#jp-main-statusbar').innerText.includes('Python 3 (ipykernel) | Idle')"
    with jupyterlab(tmp_path) as address, browser() as page:
        page.call("Page.navigate", url=address)
        page.wait_for("!!document.querySelector('.jp-LauncherCard')")
        page.click("document.querySelector('.jp-DirListing-item[title*=\"01_records_at_a_glance.py\"]')", times=2)
        opened = page.wait_for("document.querySelector('.jp-NotebookPanel, .jp-FileEditor')?.className")
        assert "jp-NotebookPanel" in opened
        page.wait_for(idle)
        page.click("[...document.querySelectorAll('.lm-MenuBar-item')].find(item => item.innerText === 'Run')")
        page.click("document.querySelector('.lm-Menu-item[data-command=\"runmenu:run-all\"]')")
        picture = page.wait_for("document.querySelector('.jp-NotebookPanel .jp-OutputArea img')?.src")
        assert picture.startswith("data:image/png;base64,")
        page.wait_for(idle)
        assert page.wait_for("document.body.innerText.includes('Jupyter news') ? 'asked for' : 'quiet'") == "quiet"


@pytest.mark.needs("make")
def test_the_report_renders_notebooks_with_their_pictures(tmp_path: Path) -> None:
    render_pages("notebooks/01_records_at_a_glance.py", tmp_path)
    page = (tmp_path / "notebooks" / "01_records_at_a_glance.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == 2


@pytest.mark.needs("make")
def test_a_notebook_that_fails_stops_the_report(tmp_path: Path) -> None:
    header = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: Python 3\n#     name: python3\n# ---\n\n# %%\n"
    names = [tmp_path / name for name in ("1_wrong.py", "2_right.py")]
    for name, code in zip(names, ("1 / 0", "1 / 1"), strict=True):
        name.write_text(f"{header}{code}\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as stop:
        render_pages(f"{names[0]} {names[1]}", tmp_path)
    assert "ZeroDivisionError" in stop.value.stderr
    assert not (tmp_path / "notebooks" / "2_right.html").exists()


def render_pages(notebooks: str, place: Path) -> None:
    subprocess.run(
        [*MAKE, "report", f"NOTEBOOKS={notebooks}", f"PAGES={place}"],
        cwd=PROJECT,
        env=os.environ | {"IPYTHONDIR": str(place / "ipython"), "JUPYTER_RUNTIME_DIR": str(place / "runtime")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


@pytest.mark.needs("make")
@pytest.mark.parametrize(("user", "root"), [("0", True), ("1000", False)])
def test_the_lab_is_allowed_to_run_as_root_for_root_only(user: str, root: bool, tmp_path: Path) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n", encoding="utf-8")
    (tmp_path / "id").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    plan = subprocess.run(
        [*MAKE, "-n", "lab"], cwd=PROJECT, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert ("--allow-root" in plan.stdout) is root
