"""Gold: what marts are made from, and the generic builder of their partitions. Neither knows Bronze or Silver's code."""
