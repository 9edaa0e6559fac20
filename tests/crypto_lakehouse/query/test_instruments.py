"""The SDK and SQL join the instrument master: a past universe, and rows of one instrument only."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.instruments.days import ArchiveDays, DaySpan
from crypto_lakehouse.instruments.known_events import EventKind, KnownEvent
from crypto_lakehouse.instruments.log import VERSION_SCHEMA, InstrumentLog
from crypto_lakehouse.instruments.master import build_instruments
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import InstrumentKind, Market

FIRST, SECOND = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
SPLIT = KnownEvent(
    Market.UM, "BTCUSDT", EventKind.REUSE, "made up", "https://example.invalid",
    datetime(2025, 1, 5, 9, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC),
)  # fmt: skip
DAYS = [
    ArchiveDays("BTCUSDT", (DaySpan(date(2024, 12, 1), date(2025, 1, 24)),)),
    ArchiveDays("ETHUSDT", (DaySpan(date(2025, 1, 1), date(2025, 1, 24)),)),
    ArchiveDays("ETHUSDT_241227", (DaySpan(date(2024, 9, 1), date(2024, 12, 27)),)),
]


@pytest.fixture
def mastered(lake: Lake, settings: Settings) -> Lake:
    """The published lake with two versions of a master: the second knows that BTCUSDT was reused."""
    log = InstrumentLog(LocalStorage(Path(settings.lake)))
    log.append(Market.UM, build_instruments(Market.UM, DAYS, []), FIRST)
    log.append(Market.UM, build_instruments(Market.UM, DAYS, [], (SPLIT,)), SECOND)
    return lake


def test_a_lake_without_a_master_says_how_to_make_one(lake: Lake) -> None:
    for ask in (
        lambda: lake.instruments("um"),
        lambda: lake.universe(Market.UM, "2025-01-01"),
        lambda: lake.sql("SELECT * FROM instruments"),
        lambda: lake.scan_instrument("binance_um_klines", "BTCUSDT@2024-12-01"),
    ):
        with pytest.raises(ArchiveFileMissing, match="instruments update --market um"):
            ask()


def test_instruments_are_those_of_the_newest_version_or_of_the_one_asked_for(mastered: Lake) -> None:
    assert mastered.instruments("um").schema == VERSION_SCHEMA
    assert mastered.instruments(Market.UM)["instrument_id"].to_list() == [
        "BTCUSDT@2024-12-01", "BTCUSDT@2025-01-07", "ETHUSDT@2025-01-01", "ETHUSDT_241227@2024-09-01",
    ]  # fmt: skip
    assert mastered.instruments("um", at="2025-02-15")["instrument_id"].to_list() == [
        "BTCUSDT@2024-12-01", "ETHUSDT@2025-01-01", "ETHUSDT_241227@2024-09-01",
    ]  # fmt: skip
    with pytest.raises(ArchiveFileMissing):
        mastered.instruments("um", at="2025-01-15")


def test_a_universe_has_who_was_listed_on_the_day(mastered: Lake) -> None:
    assert mastered.universe("um", date(2024, 12, 27))["symbol"].to_list() == ["BTCUSDT", "ETHUSDT_241227"]
    assert mastered.universe("um", "2025-01-08")["instrument_id"].to_list() == [
        "BTCUSDT@2025-01-07", "ETHUSDT@2025-01-01",
    ]  # fmt: skip
    perpetual = mastered.universe("um", "2024-12-27", kinds=[InstrumentKind.PERPETUAL])
    assert perpetual["symbol"].to_list() == ["BTCUSDT"]
    assert mastered.universe("um", "2019-01-01").is_empty()


def test_what_cannot_be_meant_is_refused(mastered: Lake) -> None:
    for ask in (
        lambda: mastered.universe("mars", "2025-01-01"),
        lambda: mastered.universe("um", "soon"),
        lambda: mastered.universe("um", "2025-01-01", kinds=["stock"]),
    ):
        with pytest.raises(InvalidRequest):
            ask()


def test_an_instruments_rows_are_not_those_of_its_namesake(mastered: Lake) -> None:
    old, new = (
        mastered.scan_instrument("binance_um_klines", one, interval="1d").collect()["open_time"]
        for one in ("BTCUSDT@2024-12-01", "BTCUSDT@2025-01-07")
    )
    assert (old.min(), old.max()) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 5, tzinfo=UTC))
    assert (new.min(), new.max()) == (datetime(2025, 1, 7, tzinfo=UTC), datetime(2025, 1, 24, tzinfo=UTC))
    with pytest.raises(ArchiveFileMissing, match="has no 'XUSDT@2020-01-01'"):
        mastered.scan_instrument("binance_um_klines", "XUSDT@2020-01-01")


def test_sql_joins_the_master_to_a_dataset(mastered: Lake) -> None:
    text = """
        SELECT i.instrument_id, count(*) AS n
        FROM binance_um_klines k JOIN instruments i
          ON i.market = 'um' AND i.symbol = k.symbol AND k.open_time >= i.valid_from
         AND k.open_time < coalesce(i.settles_at, i.valid_to + INTERVAL 1 DAY, 'infinity'::TIMESTAMPTZ)
        WHERE k.kline_interval = '1h' AND k.symbol = 'ETHUSDT' GROUP BY ALL
    """
    assert mastered.sql(text).rows() == [("ETHUSDT@2025-01-01", 24)]


def test_sql_sees_the_master_as_a_table_with_exact_and_nested_values(mastered: Lake) -> None:
    assert "instruments" in mastered.sql("SHOW TABLES")["name"].to_list()
    row = mastered.sql("SELECT contract_size, evidence, absences FROM instruments WHERE kind = 'delivery'").row(0)
    assert (str(row[0].normalize()), row[1], row[2]) == ("1", ["archive"], [])
