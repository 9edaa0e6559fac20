"""What a broken fact means, as a sentence with figures."""

from crypto_lakehouse.quality.profile import Profile

_SENTENCES = {
    "rows": "it has no rows",
    "row_difference": "{row_difference} rows more or fewer than its manifest says",
    "nulls": "{nulls} of {rows} rows have an empty column that must not be empty",
    "inputs_refused": "{inputs_refused} of its objects were left out",
    "conflicts": "{conflicts} rows of a worse source differed from the ones kept",
    "known_faults_gone": "{known_faults_gone} known faults no longer show: remove them from known_faults.py",
    "key_duplicates": "{key_duplicates} of {rows} rows repeat a key",
    "order_violations": "{order_violations} rows are older than the one before",
    "rows_outside_partition": "{rows_outside_partition} rows lie outside the partition's days",
    "grid_missing": "{grid_missing} of {grid_expected} expected times are missing, the first {grid_first_missing}, "
    "at most {grid_longest_hole} in a row",
    "rows_off_grid": "{rows_off_grid} of {rows} rows are not on the interval's grid",
    "close_times_wrong": "{close_times_wrong} close times are not the next open time less one unit",
    "ohlc_violations": "{ohlc_violations} rows have a high or low that open or close exceeds",
    "prices_not_positive": "{prices_not_positive} rows have a price that is not positive",
    "quantities_negative": "{quantities_negative} rows have a negative quantity",
    "taker_above_total": "{taker_above_total} rows have more taker volume than volume",
    "ids_missing": "{ids_missing} identifiers are missing between {rows} rows",
    "ids_not_increasing": "{ids_not_increasing} identifiers do not increase",
    "price_spikes": "{price_spikes} prices moved more than tenfold at once",
    "hours_stale": "{hours_stale} hours and bands stand still, the first {hours_first_stale}",
    "hours_missing": "{hours_missing} hours have no rows, the first {hours_first_missing}",
    "spreads_crossed": "{spreads_crossed} best bids are above the best ask",
    "fundings_off_boundary": "{fundings_off_boundary} fundings are more than a minute from the hour",
    "funding_intervals_unknown": "{funding_intervals_unknown} fundings are not 1, 2, 4 or 8 hours apart",
}


def sentence(fact: str, facts: Profile) -> str:
    """Returns what a broken fact says, led by its name.

    >>> sentence("ids_missing", {"ids_missing": 3, "rows": 100})
    'ids_missing: 3 identifiers are missing between 100 rows'
    """
    return f"{fact}: {_SENTENCES[fact].format_map(facts)}"
