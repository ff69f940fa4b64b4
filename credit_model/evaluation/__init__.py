"""An evaluation as a value: how good a card is and how far to trust it, on people it has not seen.

In: scored out-of-time rows. Out: an ``EvaluationReport`` and its gates.
"""
