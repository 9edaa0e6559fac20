"""The instrument master: what stood behind a symbol, from when to when. A symbol is not an identity."""
