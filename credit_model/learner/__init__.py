"""How a card is learned: classing, logistic regression within lawful limits, cross-fitted calibration; its challenger.

In: one row an observation, one column a characteristic, 1 = bad.
Out: a fitted classifier whose probability is its card's.
"""
