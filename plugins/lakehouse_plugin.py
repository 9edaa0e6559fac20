"""The project's plugin: notes of runs, and pages of the lake in Airflow's UI.

Airflow imports every file of this folder at each start, also of a task. So this one is thin: what it names is in the
package `lakehouse_airflow`.
"""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from lakehouse_airflow import pages, run_notes


class LakehousePlugin(AirflowPlugin):
    """The name under which Airflow lists the plugin."""

    name = "crypto_lakehouse"
    listeners: list[Any] = [run_notes]  # noqa: RUF012  Airflow's declaration
    fastapi_apps: list[Any] = [{"app": pages.application, "url_prefix": pages.PREFIX, "name": "Pages of the lake"}]  # noqa: RUF012
    external_views: list[Any] = pages.EXTERNAL_VIEWS
