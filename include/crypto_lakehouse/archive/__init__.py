"""The exchange's public archive: its keys, its listing, what to pull, pulling it, and reading its zips safely."""
