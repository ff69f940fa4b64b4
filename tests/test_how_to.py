"""Pages that say how something is done: done as they say, it works, and the files they list are those that change."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_steps import carry_out, copy_of_the_package, files_changed, files_listed
from pages import DOCS

PAGES = sorted((DOCS / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_steps_of_a_page_work_and_change_the_files_it_lists(page: Path, tmp_path: Path) -> None:
    copy = copy_of_the_package(tmp_path)
    carry_out(page, copy)
    assert files_changed(copy) == files_listed(page)
