"""A lakehouse for crypto market data: archive to Bronze, Bronze to gated Silver, Silver to answers."""

__version__ = "0.1.0"
