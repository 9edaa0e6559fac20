"""Odd rows of an answer are drift in words, and never an error of the program."""

from typing import Any

import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.exchange.page_reader import number_of, row_end, row_time

STEP = 60_000_000
NAMES = ("T", "a", "f", "id", "time", "timestamp", "trade_id", "fundingTime")
NUMBERS = ("1e30", 10**30, -(10**30), float("inf"), float("nan"), "9" * 5000)
VALUES = (None, "", "x", [], {}, "\ud800\x1b[2J", *NUMBERS)
ROWS = [row for value in VALUES for row in ([value] * 12, dict.fromkeys(NAMES, value))]
ODD = [None, 7, "text", [], {}, [[]], *ROWS]
SOURCES = {row.name: row.rest for row in DATASETS if row.rest is not None}


@pytest.mark.parametrize("row", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("name", SOURCES)
def test_an_odd_row_is_drift(name: str, row: Any) -> None:
    source = SOURCES[name]
    for endpoint in source.endpoints:
        readers = [lambda: row_time(row, endpoint), lambda: row_end(row, source, STEP)]  # noqa: B023
        readers += [lambda: number_of(row, endpoint)] if endpoint.has_identifier else []  # noqa: B023
        for read in readers:
            try:
                value = read()
            except SchemaDrift as drift:
                assert str(drift).encode()
                assert "\x1b" not in str(drift)
                assert len(str(drift)) < 400
            else:
                assert isinstance(value, int)
