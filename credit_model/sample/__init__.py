"""Who we learn from, and what happened next.

An observation is a person and a day. What a service would have known on that day describes the person; the only look
forward in the package says whether a new serious adverse event followed within the performance window. Rows are good,
bad, or left out for a reason that is counted.

In: a ledger, an outcome, observation dates, feature definitions, a cohort.
Out: ``DevelopmentSample``: X, y, weights and counts; audit attributes beside, never in it.
"""
