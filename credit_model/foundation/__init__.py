"""What every other package stands on: calendar, errors, TOML reader, files on disk, hash-chained logs."""
