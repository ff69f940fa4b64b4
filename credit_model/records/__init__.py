"""What is on record about a subject, and since when.

Raw rows go in through a mapping and validation into an append-only ledger; the ledger compiles to segments that say,
for every record and every day, whether it may be used and if not, on which ground.

In: frames or files of records, amendments, subject versions and audit attributes; a catalogue of kinds of record.
Out: ``Ledger``, ``Segments``, ``Population``; nothing here knows of features, scores or outcomes.
"""
