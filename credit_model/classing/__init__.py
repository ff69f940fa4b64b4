"""Classing: a column cut finely without looking at the outcome, then joined optimally into few attributes people read.

In: columns, outcomes, weights; trends and limits.
Out: bins, and the weight of evidence of each attribute.
"""
