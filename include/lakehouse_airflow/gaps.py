"""What the daily DAG of gaps triggers: one run for each dataset of which something is missing that may be had."""

from typing import Any

from lakehouse_airflow.errors import translated_errors


def runs_to_fill() -> list[dict[str, Any]]:
    """Returns the dataset DAGs to trigger, with the Params of each.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: The lake cannot be asked, and trying again changes nothing.
    """
    # The engines are loaded where the task runs, not where the DAG file is parsed.
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.coverage.answers import Coverage
    from crypto_lakehouse.coverage.filling import fills
    from crypto_lakehouse.coverage.log import CoverageLog
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    with translated_errors():
        settings = load_settings()
        found = fills(Coverage(CoverageLog(open_storage(settings)), open_catalog(settings).tables))
    return [{"trigger_dag_id": one.dataset, "conf": _params(one)} for one in found]


def _params(one: Any) -> dict[str, Any]:
    params = {
        "symbols": list(one.symbols),
        "start_date": one.first_day.isoformat(),
        "end_date": one.last_day.isoformat(),
        "fill": True,
    }
    return {**params, "intervals": list(one.intervals)} if one.intervals else params
