"""How an additive model with a few pairs is learned by boosting, and made readable.

In: rows in classes (small whole numbers), counts of goods and bads, lawful directions.
Out: one table of log-odds a column, a grid for each pair kept, log-odds of every row by a model that has not seen it.
"""
