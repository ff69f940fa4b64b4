"""The page of a registered version: what it is for and not for, what it was found to be, who answers for it.

In: a :class:`ModelCard`, everything the page says as plain values. Out: Markdown, in Chinese, English or both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ModelCard": "document",
        "render_model_card": "page",
    },
)

if TYPE_CHECKING:
    from credit_model.model_card.document import ModelCard as ModelCard
    from credit_model.model_card.page import render_model_card as render_model_card
