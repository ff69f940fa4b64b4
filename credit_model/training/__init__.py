"""How cards are made: classing, a logistic regression within lawful limits, calibration; experiments and their runs.

In: a development sample (features as of a date, 1 = bad), or an experiment.
Out: a fitted classifier whose probability is its card's; a ``Card``; an evaluated run.
"""
