"""Up to the minute: what the archive does not have yet, asked of the exchange's REST API."""
