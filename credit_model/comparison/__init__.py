"""One card against another on the same rows, and what fewer characteristics would cost.

In: folders of two runs; a sample. Out: paired differences with intervals; a frontier.
"""
