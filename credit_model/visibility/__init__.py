"""Which version of which record may be used on which day, and if none, on which ground; who may be scored when.

In: the rows of a ledger (``Tables``), a catalogue, a policy, a day of use.
Out: ``Segments`` that partition time, ``State`` of records on a day, ``Population``.
"""
