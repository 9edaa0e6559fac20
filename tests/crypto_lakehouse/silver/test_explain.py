"""The line of a refusal is the first line that is wrong."""

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.silver.explain import first_bad_line
from crypto_lakehouse.silver.parse import SourceShape

FUNDING = dataset("binance_um_funding_rate")
METRICS = dataset("binance_um_metrics")
SOUND = b"1704067200000,8,0.0001\n"


def bad_line(block: bytes) -> int | None:
    shape = SourceShape(FUNDING, FUNDING.layouts[0])
    return first_bad_line(block, shape.layout, shape.columns, FUNDING.time_encoding)


@pytest.mark.parametrize("fields", [b"1704067200000,8", b"1704067200000,8,", b"now,8,0.1", b"1704067200000,8,0x1"])
def test_the_first_wrong_line_is_named(fields: bytes) -> None:
    line = fields + b"\n"
    assert bad_line(SOUND + SOUND + line + line) == 3


def test_no_line_is_named_where_every_line_is_sound_alone() -> None:
    assert bad_line(SOUND * 3) is None


def test_only_a_nullable_column_may_be_empty() -> None:
    shape = SourceShape(METRICS, METRICS.layouts[0])
    sound = b'2024-01-01 00:05:00,BTCUSDT,1,2,"",1,1,1\n'
    wrong = b'2024-01-01 00:05:00,BTCUSDT,"",2,1,1,1,1\n'
    assert first_bad_line(sound + wrong, shape.layout, shape.columns, METRICS.time_encoding) == 2
