"""What a cut-off decides: who becomes eligible for an incentive, what two cards decide differently, who overrode whom.

A decision here is an incentive or the standard service; there is no other. Nobody is ranked: a programme has a
threshold that anyone can meet, never a number of places for the best.

In: scored rows. Out: ``Decisions``, a plain value.
"""
