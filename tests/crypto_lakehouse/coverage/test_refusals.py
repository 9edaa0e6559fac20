"""The days of refused objects."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crypto_lakehouse.coverage.refusals import refused_days
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.local import LocalStorage

NAME, START = "binance_um_klines", datetime(2024, 12, 30, tzinfo=UTC)


def refused(key: str, days: int, reason: str) -> QuarantinedObject:
    end = START + timedelta(days=days)
    return QuarantinedObject(f"data/{key}", "e", "ChecksumMismatch", reason, START, "BTCUSDT", "1h", START, end)


def test_each_day_of_a_refused_object_has_its_reason(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    assert refused_days(storage, NAME).is_empty()
    BronzeLog(storage).quarantine(NAME, [refused("b.zip", 2, "bad"), refused("a.zip", 1, "worse")])
    days = refused_days(storage, NAME).sort("day")
    assert days.select("symbol", "kline_interval", "day", "refused").rows() == [
        (
            *("BTCUSDT", "1h", date(2024, 12, 30)),
            "a.zip was refused: ChecksumMismatch: worse; b.zip was refused: ChecksumMismatch: bad",
        ),
        ("BTCUSDT", "1h", date(2024, 12, 31), "b.zip was refused: ChecksumMismatch: bad"),
    ]
