"""Options of the connection to Airflow's SQLite file on a laptop: wait for its lock, instead of failing after 5 s."""

CONNECT_ARGS = {"timeout": 120}
"""Seconds to wait. AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS names this object."""
