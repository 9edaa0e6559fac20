"""Checks of lengths, names and English, which `make lint` runs over the code and the documentation."""
