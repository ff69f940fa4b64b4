"""What the law lets onto a file: kinds of record, forbidden attributes, identity numbers, and its calendar.

In: ``catalogue.toml`` or another catalogue; ID numbers and a key; dates in any form.
Out: ``Catalogue``, keyed pseudonyms, days since 1970-01-01; nothing here knows of a ledger.
"""
