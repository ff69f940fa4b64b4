"""The templates of pages: HTML, into which everything is put escaped, and Markdown, which is text.

In: the files in ``templates``. Out: one environment.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def templates() -> Environment:
    """Return the templates of the package; a name that none of them knows is an error."""
    environment = Environment(
        loader=PackageLoader("credit_model.reports"),
        autoescape=lambda name: name is None or not name.endswith(".md"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    environment.filters["enumerate"] = lambda items: list(enumerate(items))
    return environment
