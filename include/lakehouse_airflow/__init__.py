"""Airflow's side of the lakehouse: operators, runners, Params, and how errors become Airflow's."""
