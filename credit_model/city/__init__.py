"""A made city: records of people who do not exist, and the true risk that made them.

In: a profile, a number of people, a seed. Out: a ``City``; its truth is for tests, benchmarks and notebooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "City": "city",
        "synthesise": "city",
    },
)

if TYPE_CHECKING:
    from credit_model.city.city import City as City
    from credit_model.city.city import synthesise as synthesise
