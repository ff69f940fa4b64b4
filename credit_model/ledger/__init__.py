"""The append-only ledger: mapping, validation, ingest, lookup, buckets, forgetting."""
