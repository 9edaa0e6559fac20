"""The SDK reads what is published, and opens no more of it than the question needs."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject, InvalidRequest
from crypto_lakehouse.query import INFO_SCHEMA, Lake, QueryLimits
from crypto_lakehouse.settings import Settings

KLINES = "binance_um_klines"


def damage(settings: Settings, part: str) -> int:
    """Makes every published file whose path holds `part` unreadable; returns how many were."""
    paths = [path for path in Path(settings.lake).rglob("*.parquet") if part in str(path)]
    for path in paths:
        path.write_bytes(b"not parquet")
    return len(paths)


def test_a_lake_names_its_datasets(lake: Lake) -> None:
    assert lake.datasets() == ["binance_um_funding_rate", "binance_um_klines"]


def test_info_has_a_row_per_dataset_interval_and_symbol(lake: Lake) -> None:
    info = lake.info()
    assert info.schema == INFO_SCHEMA
    assert info.select("dataset", "kline_interval", "symbol", "partitions", "degraded", "rows").rows() == [
        ("binance_um_funding_rate", None, "BTCUSDT", 1, 0, 24),
        (KLINES, "1d", "BTCUSDT", 1, 0, 24),
        (KLINES, "1h", "BTCUSDT", 2, 1, 48),
        (KLINES, "1h", "ETHUSDT", 1, 0, 24),
    ]
    assert info["first_time"][2] == datetime(2024, 12, 1, tzinfo=UTC)


def test_info_of_an_empty_lake_is_an_empty_table_of_the_same_columns(settings: Settings) -> None:
    assert Lake(settings).info().schema == INFO_SCHEMA


def test_info_reads_no_data_file(lake: Lake, settings: Settings) -> None:
    before = lake.info()
    assert damage(settings, "silver") == 5
    assert lake.info().equals(before)


def test_a_scan_opens_only_the_files_of_the_symbols_interval_and_time_asked_for(lake: Lake, settings: Settings) -> None:
    assert damage(settings, "ETHUSDT") + damage(settings, "interval=1d") + damage(settings, "2024-12") == 3
    frame = lake.scan(KLINES, symbols="BTCUSDT", interval="1h", start="2025-01-01").collect()
    assert frame.height == 24
    with pytest.raises(pl.exceptions.ComputeError):
        lake.scan(KLINES).collect()


@pytest.mark.parametrize("form", [pytest.param("", id="local files"), pytest.param("lake[1]", id="lazy frame")])
def test_a_published_file_that_is_gone_is_named_with_its_partition_and_what_to_do(
    form: str, lake: Lake, settings: Settings, tmp_path: Path
) -> None:
    if form:
        # DuckDB would read the brackets of such a path as a glob, so the files are read by Polars.
        settings = settings.model_copy(update={"lake": str(Path(settings.lake).rename(tmp_path / form))})
        lake = Lake(settings)
    gone = next(path for path in Path(settings.lake).rglob("*.parquet") if "ETHUSDT" in str(path))
    gone.unlink()
    message = r"(?s)binance_um_klines kline_interval=1h/symbol_key=ETHUSDT/period=2025-01: .*is gone.*verify --repair"
    with pytest.raises(CorruptObject, match=message):
        lake.scan(KLINES)
    with pytest.raises(CorruptObject, match=message):
        lake.sql(f"SELECT count(*) FROM {KLINES}")
    assert lake.scan(KLINES, symbols="BTCUSDT", interval="1h").collect().height == 48, "others can be read"


def test_a_scan_gives_the_rows_from_start_on_and_before_end(lake: Lake) -> None:
    frame = lake.scan(
        KLINES, symbols=["BTCUSDT"], interval="1h", start=date(2025, 1, 1), end="2025-01-01T03:00"
    ).collect()
    assert sorted(time.hour for time in frame["open_time"]) == [0, 1, 2]


def test_a_scan_of_several_intervals_says_which_row_is_of_which(lake: Lake) -> None:
    frame = lake.scan(KLINES, start="2025-01-01").collect()
    assert frame.group_by("kline_interval").len().sort("kline_interval").rows() == [("1d", 24), ("1h", 48)]
    assert "version" not in frame.columns


def test_a_scan_takes_globs_of_symbols(lake: Lake) -> None:
    assert lake.scan(KLINES, symbols="ETH*").select("symbol").unique().collect().item() == "ETHUSDT"


def test_a_time_of_another_zone_is_the_same_instant(lake: Lake) -> None:
    frame = lake.scan(KLINES, symbols="ETHUSDT", start="2025-01-01T05:00+05:00", end="2025-01-01T06:00+05:00")
    assert frame.collect().height == 1


def test_asking_for_what_is_not_published_is_an_error_and_not_an_empty_table(lake: Lake) -> None:
    with pytest.raises(ArchiveFileMissing, match="nothing is published for symbols SOLUSDT\n"):
        lake.scan(KLINES, symbols="SOLUSDT")
    with pytest.raises(ArchiveFileMissing, match="nothing is published for interval 1h, start 2030-01-01\n"):
        lake.scan(KLINES, interval="1h", start="2030-01-01")
    with pytest.raises(ArchiveFileMissing):
        lake.sql("SELECT * FROM binance_spot_trades")


@pytest.mark.parametrize(
    "asked",
    [
        {"interval": "7m"},
        {"interval": "1s"},
        {"symbols": "../../etc"},
        {"symbols": ["BTC'--"]},
        {"start": "yesterday"},
    ],
)
def test_a_scan_refuses_what_cannot_be_meant(lake: Lake, asked: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        lake.scan(KLINES, **asked)  # type: ignore[arg-type]


def test_sql_sees_every_dataset_as_a_table_with_its_partition_values(lake: Lake) -> None:
    frame = lake.sql(
        "SELECT kline_interval, symbol_key, period, count(*) AS n FROM binance_um_klines GROUP BY ALL ORDER BY ALL"
    )
    assert frame.rows() == [
        ("1d", "BTCUSDT", "2025-01", 24),
        ("1h", "BTCUSDT", "2024-12", 24),
        ("1h", "BTCUSDT", "2025-01", 24),
        ("1h", "ETHUSDT", "2025-01", 24),
    ]


def test_sql_keeps_times_in_utc_and_prices_exact(lake: Lake) -> None:
    frame = lake.sql("SELECT open_time, close FROM binance_um_klines WHERE close = 3 AND kline_interval = '1d'")
    assert frame.schema == {"open_time": pl.Datetime("us", "UTC"), "close": pl.Decimal(18, 8)}
    assert frame["open_time"].item() == datetime(2025, 1, 4, tzinfo=UTC)


def test_sql_joins_datasets(lake: Lake) -> None:
    frame = lake.sql(
        "SELECT count(*) AS n FROM binance_um_funding_rate f JOIN binance_um_klines k "
        "ON k.open_time = f.funding_time AND k.symbol = f.symbol AND k.kline_interval = '1h'"
    )
    assert frame["n"].item() == 24


def test_sql_that_names_no_dataset_can_see_which_there_are(lake: Lake) -> None:
    assert lake.sql("SHOW TABLES")["name"].to_list() == [
        "binance_um_funding_rate",
        "binance_um_klines",
        "coverage",
        "gaps",
        "reconciliation",
        "refused_rows",
    ]


def test_sql_opens_no_file_of_a_dataset_it_does_not_name(lake: Lake, settings: Settings) -> None:
    assert damage(settings, "binance_um_klines") == 4
    assert lake.sql("SELECT count(*) AS n FROM binance_um_funding_rate")["n"].item() == 24


def test_a_remote_lakes_way_of_reading_gives_the_same_rows_and_columns(
    tmp_path: Path, build_lake: Callable[[Path], Lake]
) -> None:
    text = "SELECT * FROM binance_um_klines WHERE symbol = 'BTCUSDT' ORDER BY kline_interval, open_time"
    native = build_lake(tmp_path / "plain").sql(text)
    # A folder name that DuckDB would take for a glob goes the way of a remote lake: through Polars.
    through_polars = build_lake(tmp_path / "br[a]cket").sql(text)
    assert native.height == 72
    assert sorted(native.columns) == sorted(through_polars.columns)
    assert native.equals(through_polars.select(native.columns))


def test_a_result_beyond_the_limit_is_refused_by_sql_and_cut_off_by_query(lake: Lake) -> None:
    limits = QueryLimits(max_rows=10)
    with pytest.raises(InvalidRequest, match="more than 10 rows"):
        lake.sql("SELECT * FROM binance_um_klines", limits)
    cut = lake.query("SELECT * FROM binance_um_klines", limits)
    assert (cut.frame.height, cut.truncated) == (10, True)


def test_a_lake_opens_by_its_folder(lake: Lake, settings: Settings) -> None:
    assert Lake.open(settings.lake).datasets() == lake.datasets()
