"""The demonstration: a synthetic archive, served as a bucket, run through the real DAGs."""
