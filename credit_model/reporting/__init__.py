"""The pages an evaluation is read on, in English and Chinese: one self-contained HTML file, one short Markdown.

In: scored rows, or an ``EvaluationReport``. Out: an ``EvaluationReport``, HTML, Markdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "evaluate_file": "assembly",
        "full_evaluation": "assembly",
        "importance": "shapes",
        "importance_svg": "shapes",
        "render_html": "page",
        "render_markdown": "markdown",
        "shape_svg": "shapes",
    },
)

if TYPE_CHECKING:
    from credit_model.reporting.assembly import evaluate_file as evaluate_file
    from credit_model.reporting.assembly import full_evaluation as full_evaluation
    from credit_model.reporting.markdown import render_markdown as render_markdown
    from credit_model.reporting.page import render_html as render_html
    from credit_model.reporting.shapes import importance as importance
    from credit_model.reporting.shapes import importance_svg as importance_svg
    from credit_model.reporting.shapes import shape_svg as shape_svg
