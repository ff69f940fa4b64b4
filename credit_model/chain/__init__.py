"""An append-only file whose every line carries the SHA-256 of the line before, and whose head is kept elsewhere.

A line reads ``{"previous":"<digest of the line before>","entry":{...}}``. The head says how many lines there are, how
long they are and what the digest of the last is; it lies in another folder, so that who can write to the log alone can
change nothing unseen: an edited byte breaks a link, a file cut short or written anew does not end as the head says.

The torn-append rule. An append writes its lines, forces them to disk, then moves the head. Whatever kills it in between
leaves bytes behind the end the head knows. There, whole lines that continue the chain are kept (they were written, only
the head did not get to say so); a last line without its end is cut, as nobody was told it is there. Anything else
behind the end, and anything at all before it, is damage: nothing is mended, and appending is refused.

In: entries of plain JSON values. Out: the same in order; a :class:`ChainReport`.
"""
