"""Whether a card treats groups of people alike: what may only be audited stands beside the scored rows, never in them.

In: scored rows, and attributes of the same people in a frame of their own. Out: a ``Fairness``, a plain value.
"""
