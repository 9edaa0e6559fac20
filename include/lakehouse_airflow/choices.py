"""The Params of a dataset's DAG: what a user may choose when triggering a run."""

from typing import Any

from airflow.sdk import Param

from crypto_lakehouse.settings import default_profiles
from crypto_lakehouse.spec import Dataset

_INTERVALS = "Kline intervals, such as 1m or 1h. Empty: the intervals of the configuration"
_SYMBOLS = "Symbols or glob patterns, such as BTCUSDT or BTC*. Empty: the symbols of the configuration"
_START_DATE = "First day (UTC). Empty: the first day of the data interval"
_END_DATE = "Last day (UTC), inclusive. Empty: the last day of the data interval"
_DELTA = "Request from the exchange what its archive does not have yet"
_FILL = "Request from the exchange also what is missing inside the archive's files"
_PROFILE = "Transfer profile: how many downloads run at once. Empty: the profile of the configuration"


def run_params(dataset: Dataset) -> dict[str, Param]:
    """Returns the Params of a run; empty ones are taken from the data interval and the configuration."""
    day: Any = {"type": ["null", "string"], "format": "date"}
    names: Any = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    intervals = {"intervals": Param([], description=_INTERVALS, **names)} if dataset.has_interval else {}
    return {
        "symbols": Param([], description=_SYMBOLS, **names),
        **intervals,
        "start_date": Param(None, description=_START_DATE, **day),
        "end_date": Param(None, description=_END_DATE, **day),
        "delta": Param(True, type="boolean", description=_DELTA),
        "fill": Param(False, type="boolean", description=_FILL),
        "profile": Param(None, enum=[None, *sorted(default_profiles())], description=_PROFILE),
    }
