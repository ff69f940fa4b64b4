"""Definitions turned into a program of integers, and one pass over the segments that runs it.

A program is made once for a list of definitions. All windows of a definition's records are bins of one ladder, so that
a record is looked at once and falls into one bin, however many windows there are; what a feature says is read off the
bins at the end. The pass is written once (``loop``) and runs compiled; ``vectors`` is the same in whole columns, for
machines without a compiler and for batches too small to be worth loading one. ``person`` is one row in plain integers.

In: ``Segments``, observations (subject, own day), definitions, catalogue.
Out: a float32 matrix, the same to the last bit whichever way it was made.
"""
