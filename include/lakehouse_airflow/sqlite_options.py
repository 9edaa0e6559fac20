"""How a laptop's Airflow speaks to its SQLite file: whoever finds it locked waits, instead of failing after 5 s."""

CONNECT_ARGS = {"timeout": 120}
"""Named by AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS; seconds."""
