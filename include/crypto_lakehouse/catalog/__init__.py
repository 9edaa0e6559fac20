"""The catalog: which version of each partition readers see."""
