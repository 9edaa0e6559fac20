"""Quality: exact facts about partitions, a Great Expectations gate that judges them, and the report."""
