"""What is said to and about a person.

A card and a ledger become an answer as of a date: whether the person may be scored, the score with its reasons and
the records behind each, and, apart from it, the statutory status that written decisions gave.

In: a ``Card``, a ``Ledger``, a subject, an as-of date, a purpose.
Out: an ``Assessment``; no purpose that punishes exists here.
"""
