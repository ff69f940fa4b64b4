"""Which kinds of record may exist, on what legal basis; forbidden attributes; ID numbers and pseudonyms."""
