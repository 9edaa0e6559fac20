"""The project's plugin: `airflow plugins` lists it, so an operator sees that this Airflow belongs to the lakehouse.

Airflow imports every file of this folder at each start. So this one is thin: operators, runners and Params are in the
package `lakehouse_airflow`, and a DAG file imports what it needs from there.
"""

from airflow.plugins_manager import AirflowPlugin


class LakehousePlugin(AirflowPlugin):
    """The name under which Airflow lists the plugin; its operators need no registration."""

    name = "crypto_lakehouse"
