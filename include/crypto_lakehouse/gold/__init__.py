"""Gold: what marts read, and the builder of their partitions. It knows neither Bronze nor the code of Silver."""
