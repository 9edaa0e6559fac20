"""Coverage: what the lake has of every UTC day of every series, what is missing, and where sources disagree."""
