"""Definitions turned into a program of integers, and one pass over the segments that runs it.

A program is made once for a list of definitions. All windows of a definition's records are bins of one ladder, so that
a record is looked at once and falls into one bin, however many windows there are; what a feature says is read off the
bins at the end. The pass is written once (``loop``) and runs compiled; ``vectors`` is the same in whole columns, for
machines without a compiler and for batches too small to be worth loading one. ``person`` is one row in plain integers.

In: ``Segments``, observations (subject, own day), definitions, catalogue.
Out: a float32 matrix, the same to the last bit whichever way it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ENGINES": "blocks",
        "EVER": "ladders",
        "Facts": "facts",
        "PersonPlan": "person",
        "Program": "program",
        "Row": "person",
        "columns_read": "program",
        "compiled_repays": "blocks",
        "days_of_change": "person",
        "last_days": "ladders",
        "lowest": "ladders",
        "program_of": "program",
        "run": "blocks",
    },
)

if TYPE_CHECKING:
    from credit_model.engine.blocks import ENGINES as ENGINES
    from credit_model.engine.blocks import compiled_repays as compiled_repays
    from credit_model.engine.blocks import run as run
    from credit_model.engine.facts import Facts as Facts
    from credit_model.engine.ladders import EVER as EVER
    from credit_model.engine.ladders import last_days as last_days
    from credit_model.engine.ladders import lowest as lowest
    from credit_model.engine.person import PersonPlan as PersonPlan
    from credit_model.engine.person import Row as Row
    from credit_model.engine.person import days_of_change as days_of_change
    from credit_model.engine.program import Program as Program
    from credit_model.engine.program import columns_read as columns_read
    from credit_model.engine.program import program_of as program_of
