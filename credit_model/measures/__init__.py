"""What can be measured of scores and outcomes: pure functions on arrays, each with its interval, purpose and limits.

In: arrays of equal length, one row an observation. Out: `Estimate`, test results, small tables.
"""
