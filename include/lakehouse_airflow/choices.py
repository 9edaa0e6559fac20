"""The Params of a dataset's DAG: what a user may choose when triggering a run.

Every Param may be empty (null). It then means what the data interval and the configuration say.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.runbook import Entry, with_entry
from crypto_lakehouse.settings import default_profiles, load_settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import MAX_LENGTH

_INTERVALS = "Kline intervals. Empty: the intervals of the configuration"
_SYMBOLS = (
    "Symbols or glob patterns as the archive spells them, such as BTCUSDT or BTC*, one in each line. "
    "Empty: the symbols of the configuration"
)
_START_DATE = "First day (UTC). Empty: the first day of the data interval"
_END_DATE = "Last day (UTC), inclusive. Empty: the last day of the data interval"
_DELTA = "Request from the exchange what its archive does not have yet"
_FILL = "Request from the exchange also what is missing inside the archive's files"
_PROFILE = "Transfer profile: how many downloads run at once. Empty: the profile of the configuration"

# The form would show an empty choice as null.
_AS_CONFIGURED = {"null": "as configured"}
# A form gives one symbol for each line, and an empty one for the last.
_SYMBOL = {"type": "string", "pattern": rf"^[\w*?-]{{0,{MAX_LENGTH}}}$"}


def run_params(dataset: Dataset) -> dict[str, Param]:
    """Returns the Params of a run.

    Airflow's form and API check values against the types, patterns and choices. The form marks a field as required
    unless it may be null.
    """
    day: Any = {"type": ["null", "string"], "format": "date"}
    switch: Any = {"type": ["null", "boolean"]}
    several: Any = {"type": ["null", "array"], "uniqueItems": True}
    return {
        "symbols": Param(None, description=_SYMBOLS, items=_SYMBOL, **several),
        **({"intervals": _intervals(dataset, several)} if dataset.has_interval else {}),
        "start_date": Param(None, description=_START_DATE, **day),
        "end_date": Param(None, description=_END_DATE, **day),
        "delta": Param(True, description=_DELTA, **switch),
        "fill": Param(False, description=_FILL, **switch),
        "profile": Param(None, enum=[None, *_profiles()], values_display=_AS_CONFIGURED, description=_PROFILE),
    }


def refuse_unknown_keys(params: Collection[str], conf: Mapping[str, Any] | None) -> None:
    """Raises an error if a run was given a key that is no Param: Airflow accepts any.

    Args:
        params: The names of the DAG's Params.
        conf: What the run was given.

    Raises:
        AirflowFailException: A key is unknown. The message names the nearest Params.
    """
    unknown = sorted(set(conf or ()) - set(params))
    if not unknown:
        return
    near = [name for key in unknown for name in get_close_matches(key.lower(), params, n=1)]
    nearest = f"Nearest: {', '.join(near)}. " if near else ""
    known = f"This DAG has {', '.join(params)}" if params else "This DAG has none"
    what = f"there is no Param {', '.join(map(repr, unknown))}\n{nearest}{known}"
    raise AirflowFailException(with_entry(what, Entry.REQUEST_INVALID))


def _intervals(dataset: Dataset, several: Mapping[str, Any]) -> Param:
    names = [interval.value for interval in dataset.intervals]
    # The form offers the examples; the items are what is checked.
    return Param(None, description=_INTERVALS, items={"type": "string", "enum": names}, examples=names, **several)


def _profiles() -> list[str]:
    try:
        return sorted(load_settings().profiles)
    except LakehouseError:
        # Each task fails with the reason. Without a list of DAGs, nobody would see it.
        return sorted(default_profiles())
