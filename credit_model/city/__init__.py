"""A made city: records of people who do not exist, and the true risk that made them.

In: a profile, a number of people, a seed. Out: a ``City``; its truth is for tests, benchmarks and notebooks.
"""
