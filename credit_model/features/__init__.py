"""A subject described as of a date.

A feature is data: which records, which aggregate, over which window, what a greater value means, what stands for
"none". One kernel executes any list of definitions over the segments of the ledger, for one person or for a city.

In: ``Segments`` of the ledger, observations (subject, as-of date), feature definitions.
Out: a float32 table, one row an observation, one column a definition; and, for any value, the records behind it.
"""
