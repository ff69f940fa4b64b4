"""Whether a record may be used on a day, and if not, on what ground: records and amendments compiled to segments."""
