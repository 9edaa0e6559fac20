"""The lake itself: partitions, storage, logs, manifests, work orders."""
