"""What the daily DAG of gaps triggers: one run for each dataset of which something is missing that may be had."""

from typing import Any

from lakehouse_airflow.errors import told_to_airflow


def runs_to_fill() -> list[dict[str, Any]]:
    """Returns the dataset DAGs to trigger, with the Params of each.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: The lake cannot be asked, and trying again changes nothing.
    """
    # The engines are loaded where the task runs, not where the DAG file is parsed.
    from crypto_lakehouse.query import Lake
    from crypto_lakehouse.query.filling import fills

    with told_to_airflow():
        found = fills(Lake.open())
    return [{"trigger_dag_id": one.dataset, "conf": _params(one)} for one in found]


def _params(one: Any) -> dict[str, Any]:
    params = {
        "symbols": list(one.symbols),
        "start_date": one.first_day.isoformat(),
        "end_date": one.last_day.isoformat(),
        "fill": True,
    }
    return {**params, "intervals": list(one.intervals)} if one.intervals else params
