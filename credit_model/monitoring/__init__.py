"""Whether a card is still used on the world it was made for: what has moved since, by how much, and why.

In: a card, its reference, a ledger, a day. Out: a ``Monitoring`` and its alarms in words.
"""
