"""One odd row, or one odd value, costs what it must and no more: whole runs over small archives and exchanges.

The inputs are made up after what users of these archives reported, and their right values are known.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.demo.synthetic import zipped
from crypto_lakehouse.layouts import KLINE_SOURCE
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import ArchiveSettings, ExchangeSettings, Settings
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import archive_file, csv, epoch_ms, kline_rows
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.venue import HOUR, Answer, funding, kraken, venue

DAY = 86_400
TODAY = int(time.time()) // DAY * DAY
KLINES = ",".join(KLINE_SOURCE) + "\n"
AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"


def day_of(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as served:
        yield served


def put(
    bucket: FakeBucket, name: str, day: str, content: str | bytes, symbol: str = "BTCUSDT", interval: str = "",
    monthly: bool = False,
) -> None:  # fmt: skip
    """Puts an object into the bucket, with its CHECKSUM."""
    frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
    key = archive_file(name, day, symbol=symbol, interval=Interval(interval) if interval else None, frequency=frequency)
    data = zipped(f"{key.key.stem}.csv", content.encode() if isinstance(content, str) else content)
    bucket.objects[key.key.key] = data
    bucket.objects[key.key.checksum_key] = f"{hashlib.sha256(data).hexdigest()}  {key.key.stem}.zip".encode()


def settings(folder: Path, bucket: FakeBucket | None = None, url: str = "") -> Settings:
    hosts = {f"{name}_url": f"{url}/{name}" for name in ("spot", "um", "cm", "coinbase", "kraken")} if url else {}
    exchange = ExchangeSettings(enabled=bool(url), attempts=2, limits_file=folder / "limits.sqlite", **hosts)  # type: ignore[arg-type]
    archive = ArchiveSettings(endpoint_url=bucket.endpoint if bucket else "http://127.0.0.1:9")
    return Settings(lake=str(folder / "lake"), work_folder=folder / "work", archive=archive, exchange=exchange)


def run(chosen: Settings, name: str, days: tuple[str, str], symbol: str, intervals: Sequence[str] = ()) -> RunSummary:
    return run_pipeline(PlanRequest(name, new_run_id("t"), *days, (symbol,), tuple(intervals)), chosen)


def asked(folder: Path, name: str, answer: Answer, symbol: str, interval: str = "") -> tuple[Lake, RunSummary]:
    """Runs a dataset without an archive over the day before yesterday."""
    with venue(answer) as url:
        chosen = settings(folder, None, url)
        day = day_of(TODAY - 2 * DAY)
        summary = run(chosen, name, (day, day), symbol, [interval] if interval else ())
    return Lake(chosen), summary


def test_prices_of_kraken_may_have_nine_decimals_and_more(tmp_path: Path) -> None:
    top, price = int(time.time()) // HOUR * HOUR, "0.0000057412"
    candles = [[top - HOUR * (719 - number), *(price,) * 5, "9.5", 3] for number in range(720)]
    lake, summary = asked(tmp_path / "klines", "kraken_spot_klines", kraken(candles), "SHIBUSD", "1h")
    assert summary.counts()["gate"]["partitions_quarantined"] == 0
    closes = lake.sql("SELECT DISTINCT close::VARCHAR AS close FROM kraken_spot_klines")["close"]
    assert closes.to_list() == [price.ljust(14, "0")]
    trades = [((TODAY - 2 * DAY) * 10**9 + number * 10**10, price, number + 1) for number in range(50)]
    lake, summary = asked(tmp_path / "trades", "kraken_spot_trades", kraken(trades=trades), "SHIBUSD")
    assert summary.counts()["gate"]["partitions_quarantined"] == 0
    assert lake.sql("SELECT count(*) FROM kraken_spot_trades").item() == 50
    assert lake.refused_rows().is_empty()


def test_a_still_finer_price_costs_its_row(tmp_path: Path) -> None:
    top = int(time.time()) // HOUR * HOUR
    candles = [[top - HOUR * (719 - number), *("0.5",) * 5, "9.5", 3] for number in range(720)]
    odd = next(row for row in candles if row[0] == TODAY - 2 * DAY + 5 * HOUR)
    odd[1:6] = ["0.0000000000001"] * 5
    lake, summary = asked(tmp_path, "kraken_spot_klines", kraken(candles), "SHIBUSD", "1h")
    assert summary.counts()["gate"]["partitions_degraded"] == 1
    assert lake.sql("SELECT count(*) FROM kraken_spot_klines").item() == 23
    [row] = lake.refused_rows("kraken_spot_klines").to_dicts()
    assert "more than 12 decimals" in row["reason"]
    assert "0.0000000000001" in row["text"]


@pytest.mark.parametrize("time_of_row", [None, "what", 10**30])
def test_a_row_of_an_exchange_without_a_readable_time_costs_itself(time_of_row: object, tmp_path: Path) -> None:
    top = int(time.time()) // HOUR * HOUR
    candles: list[list[object]] = [[top - HOUR * (719 - number), *("0.5",) * 5, "9.5", 3] for number in range(720)]
    next(row for row in candles if row[0] == TODAY - 2 * DAY + 5 * HOUR)[0] = time_of_row
    lake, summary = asked(tmp_path, "kraken_spot_klines", kraken(candles), "SHIBUSD", "1h")
    assert summary.exit_code == 0
    assert summary.counts()["gate"]["partitions_degraded"] == 1
    assert lake.sql("SELECT count(*) FROM kraken_spot_klines").item() == 23
    assert lake.refused_rows("kraken_spot_klines").height == 1


def test_a_candle_of_kraken_without_trades_is_kept_as_it_is(tmp_path: Path) -> None:
    candles = [[TODAY - DAY * (719 - number), *("1.024497",) * 4, "0.000000", "0.00000000", 0] for number in range(720)]
    _, summary = asked(tmp_path, "kraken_spot_klines", kraken(candles), "ADAEUR", "1d")
    assert summary.counts()["gate"]["partitions_available"] == 1


@pytest.mark.parametrize("hours", [[*range(-8, 6), 8, 12, 16, 20, 24, 28], [-8, 0, 8, 24, 32, 40]])
def test_an_unusual_distance_between_two_payments_hides_nothing(
    hours: list[int], bucket: FakeBucket, tmp_path: Path
) -> None:
    start = TODAY - 3 * DAY
    with venue(funding(hours, start)) as url:
        chosen = settings(tmp_path, bucket, url)
        summary = run(chosen, "binance_um_funding_rate", (day_of(start), day_of(start + DAY)), "ABCUSDT")
    assert summary.counts()["gate"]["partitions_quarantined"] == 0
    rows = Lake(chosen).sql("SELECT funding_time FROM binance_um_funding_rate").height
    assert rows == sum(0 <= hour < 48 for hour in hours)


def test_trades_of_zero_degrade(bucket: FakeBucket, tmp_path: Path) -> None:
    day = date(2023, 5, 3)
    rows = [
        f"{number},1868.4,{'0.0' if number % 5 == 0 else '1.25'},{number},{number},{epoch_ms(day, number * 20)},true\n"
        for number in range(4320)
    ]
    put(bucket, "binance_um_agg_trades", "2023-05-03", AGG + "".join(rows), "ETHUSDT")
    chosen = settings(tmp_path, bucket)
    summary = run(chosen, "binance_um_agg_trades", ("2023-05-03", "2023-05-03"), "ETHUSDT")
    assert summary.counts()["gate"]["partitions_degraded"] == 1
    assert Lake(chosen).sql("SELECT count(*) FROM binance_um_agg_trades").item() == 4320


def test_a_line_of_nine_fields_costs_its_row_and_is_named_and_heals_when_it_is_mended(
    bucket: FakeBucket, tmp_path: Path
) -> None:
    day, name, days = date(2021, 9, 16), "binance_spot_trades", ("2021-09-16", "2021-09-16")
    rows = [f"{n},431.80000000,0.02500000,10.79500000,{epoch_ms(day, n * 10)},False,True" for n in range(1, 201)]
    odd = "76,431.80000000,0.0234,431.80000000,0.02500000,10.79500000,1631750400760,False,True"
    chosen = settings(tmp_path, bucket)
    put(bucket, name, "2021-09-16", "\n".join([*rows[:75], odd, *rows[76:]]) + "\n", "KSMUSDT")
    summary = run(chosen, name, days, "KSMUSDT")
    assert summary.counts()["conform"]["rows_refused"] == 1
    lake = Lake(chosen)
    [told] = lake.coverage(name, days=days).to_dicts()
    assert (told["condition"], told["rows"]) == ("degraded", 199)
    assert "line 76" in told["reason"] and "9 fields, expected are 7" in told["reason"]
    [row] = lake.sql("SELECT day, line, reason, text FROM refused_rows").to_dicts()
    assert row == {"day": day, "line": 76, "reason": "9 fields, expected are 7", "text": odd}
    report = next((tmp_path / "lake").rglob("report.html")).read_text()
    assert "9 fields, expected are 7" in report
    put(bucket, name, "2021-09-16", "\n".join(rows) + "\n", "KSMUSDT")
    run(chosen, name, days, "KSMUSDT")
    assert lake.sql("SELECT count(*) FROM binance_spot_trades").item() == 200
    assert lake.refused_rows(name).is_empty()


def test_a_month_of_one_candle_with_a_negative_volume_is_refused(bucket: FakeBucket, tmp_path: Path) -> None:
    [row] = kline_rows(date(2018, 1, 1), 1, 31 * DAY)
    row[5] = "-56134876542.00000000"
    put(bucket, "binance_spot_klines", "2018-01-01", csv([row]), "TRXBTC", "1mo", monthly=True)
    chosen = settings(tmp_path, bucket)
    summary = run(chosen, "binance_spot_klines", ("2018-01-01", "2018-01-31"), "TRXBTC", ["1mo"])
    assert summary.counts()["gate"]["partitions_quarantined"] == 1
    [reason] = Lake(chosen).coverage("binance_spot_klines", days=("2018-01-01", "2018-01-01"))["reason"]
    assert "a quantity is negative: base_volume -56134876542" in reason


def test_thirteen_minutes_of_a_busy_symbol_without_a_trade_degrade(bucket: FakeBucket, tmp_path: Path) -> None:
    rows = kline_rows(date(2025, 1, 29), 1440)
    for row in rows[1423:1436]:
        row[2] = row[3] = row[4] = row[1]
        row[5] = row[7] = row[8] = row[9] = row[10] = 0
    put(bucket, "binance_um_klines", "2025-01-29", KLINES + csv(rows).decode(), interval="1m")
    summary = run(settings(tmp_path, bucket), "binance_um_klines", ("2025-01-29", "2025-01-29"), "BTCUSDT", ["1m"])
    assert summary.counts()["gate"]["partitions_degraded"] == 1


def test_control_the_same_symbol_with_trades_in_every_minute_is_available(bucket: FakeBucket, tmp_path: Path) -> None:
    rows = kline_rows(date(2025, 1, 29), 1440)
    put(bucket, "binance_um_klines", "2025-01-29", KLINES + csv(rows).decode(), interval="1m")
    summary = run(settings(tmp_path, bucket), "binance_um_klines", ("2025-01-29", "2025-01-29"), "BTCUSDT", ["1m"])
    assert summary.counts()["gate"]["partitions_available"] == 1


def test_one_impossible_candle_on_the_third_keeps_no_later_day_from_readers(bucket: FakeBucket, tmp_path: Path) -> None:
    chosen = settings(tmp_path, bucket)
    for number in range(1, 6):
        day = date(2024, 12, number)
        rows = kline_rows(day, 24, HOUR)
        if number == 3:
            rows[5][2] = "39000.0"
        put(bucket, "binance_um_klines", str(day), KLINES + csv(rows).decode(), interval="1h")
        if number in {2, 3, 5}:
            run(chosen, "binance_um_klines", ("2024-12-01", str(day)), "BTCUSDT", ["1h"])
    days = Lake(chosen).coverage("binance_um_klines", days=("2024-12-01", "2024-12-05"))
    assert days["rows"].to_list() == [24, 24, 23, 24, 24]
    assert days["condition"].to_list() == ["available", "available", "degraded", "available", "available"]
    assert "refused, the first: line 7 of data/" in days["reason"][2]
    assert "high is not the highest or low not the lowest" in days["reason"][2]
    refused = Lake(chosen).refused_rows("binance_um_klines", days=("2024-12-03", "2024-12-03"))
    assert refused.select("symbol", "kline_interval", "line").rows() == [("BTCUSDT", "1h", 7)]
    assert Lake(chosen).refused_rows("binance_um_klines", days=("2024-12-04", "2024-12-05")).is_empty()


def test_rows_of_a_partition_that_are_all_refused_are_listed_though_it_has_no_file(
    bucket: FakeBucket, tmp_path: Path
) -> None:
    """A monthly file with a day of two trades, both impossible: the day's partition has no row left."""
    days = [date(2024, 3, 1) + timedelta(days=number) for number in range(31)]
    lines, number = [], 0
    for day in days:
        for second in range(2 if day.day == 7 else 20):
            number += 1
            price = "-1" if day.day == 7 else "0.00041"
            lines.append(f"{number},{price},12.0,{number},{number},{epoch_ms(day, second * 60)},True,True")
    put(bucket, "binance_spot_agg_trades", "2024-03-01", "\n".join(lines) + "\n", monthly=True)
    chosen = settings(tmp_path, bucket)
    run(chosen, "binance_spot_agg_trades", ("2024-03-01", "2024-03-31"), "BTCUSDT")
    lake = Lake(chosen)
    refused = lake.refused_rows("binance_spot_agg_trades")
    assert refused["day"].to_list() == [date(2024, 3, 7)] * 2
    assert refused["reason"].str.starts_with("a price is not positive: price -1").all()
    [told] = lake.coverage("binance_spot_agg_trades", days=("2024-03-07", "2024-03-07")).to_dicts()
    assert (told["condition"], told["rows"]) == ("missing", 0)
    assert "refused: line" in told["reason"]
    assert lake.sql("SELECT count(*) FROM binance_spot_agg_trades").item() == 600
