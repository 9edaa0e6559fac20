"""What a person may choose when triggering a run of a dataset's DAG: its Params."""

from typing import Any

from airflow.sdk import Param

from crypto_lakehouse.settings import default_profiles
from crypto_lakehouse.spec import Dataset


def run_params(row: Dataset) -> dict[str, Param]:
    """Returns the choices of a run; what is left empty comes from the data interval and the configuration."""
    day: Any = {"type": ["null", "string"], "format": "date"}
    names: Any = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    intervals = {"intervals": Param([], description="Kline intervals", **names)} if row.has_interval else {}
    return {
        "symbols": Param([], description="Symbols or globs, such as BTCUSDT or BTC*; empty: as configured", **names),
        **intervals,
        "start_date": Param(None, description="First UTC day; empty: the data interval's", **day),
        "end_date": Param(None, description="Last UTC day, inclusive", **day),
        "delta": Param(True, type="boolean", description="Ask the exchange for what its archive does not have"),
        "fill": Param(False, type="boolean", description="Ask it also for the holes in what the archive has"),
        "profile": Param(None, enum=[None, *sorted(default_profiles())], description="How hard to pull"),
    }
