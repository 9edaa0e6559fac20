"""The demonstration: the real DAGs on a synthetic archive that is served as a bucket."""
