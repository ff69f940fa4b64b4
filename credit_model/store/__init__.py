"""Where a ledger lies on disk: files of rows that never change, and one manifest that says which of them count.

In: typed Arrow tables, ids of subjects. Out: the same rows, whole tables or those of a few subjects; the proof that a
person is gone. Nothing here judges a row.
"""
