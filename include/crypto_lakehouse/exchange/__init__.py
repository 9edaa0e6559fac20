"""Brings what the archive does not have yet from the exchange's REST API into Bronze."""
