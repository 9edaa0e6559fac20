"""An update over real HTTP: the bucket's folders and days become a version of the master."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ListingSuspect, SourceUnavailable
from crypto_lakehouse.instruments.fetching import fetch_exchange_info
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.instruments.updating import update_instruments
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.settings import ExchangeSettings, Settings, TransferProfile
from crypto_lakehouse.vocabulary import Frequency, Interval, Market
from tests.crypto_lakehouse.instruments.bodies import answer, um_symbol
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.exchange import LocalExchange

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def put_days(
    bucket: FakeBucket, symbol: str, first: date, last: date, *, name: str = "binance_um_klines",
    interval: Interval | None = Interval.D1,
) -> None:  # fmt: skip
    """Puts a daily file for each day, and the monthly files of months that are over, as the archive does."""
    row = dataset(name)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    keys = [ArchiveKey(row, Frequency.DAILY, symbol, interval, day) for day in days]
    if Frequency.MONTHLY in row.frequencies:
        months = {day.replace(day=1) for day in days} - {YESTERDAY.replace(day=1)}
        keys += [ArchiveKey(row, Frequency.MONTHLY, symbol, interval, month) for month in months]
    for key in keys:
        bucket.objects[key.key] = b"zip"
        bucket.objects[key.checksum_key] = b"sum"


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    """A bucket with a living symbol, a dead one, a reused ticker and one in another script."""
    with serving(FakeBucket()) as served:
        served.page_size = 40
        put_days(served, "BTCUSDT", YESTERDAY - timedelta(days=70), YESTERDAY)
        put_days(served, "LUNAUSDT", date(2022, 4, 10), date(2022, 5, 12))
        put_days(served, "LITUSDT", date(2025, 1, 10), date(2025, 2, 20))
        put_days(served, "LITUSDT", date(2025, 12, 23), date(2025, 12, 31))
        put_days(served, "币安人生USDT", YESTERDAY - timedelta(days=3), YESTERDAY)
        served.objects["data/futures/um/daily/klines/not a symbol/1d/x.zip"] = b"stray"
        yield served


@pytest.fixture
def settings(bucket: FakeBucket, tmp_path: Path) -> Settings:
    quick = TransferProfile(retries=0)
    return Settings(lake=str(tmp_path / "lake"), archive=bucket.archive, profiles={"default": quick})


@pytest.fixture
def storage(settings: Settings) -> LocalStorage:
    return LocalStorage(Path(settings.lake))


def test_an_update_makes_a_master_of_the_buckets_folders(
    bucket: FakeBucket, settings: Settings, storage: LocalStorage
) -> None:
    counts = update_instruments(Market.UM, settings, storage=storage)
    assert (counts.symbols, counts.instruments, counts.added, counts.is_new_version) == (4, 5, 5, True)
    assert any("continuation-token" in path for path in bucket.requests)
    master = InstrumentLog(storage).latest(Market.UM)
    rows = master.select("symbol", "valid_from", "valid_to").rows()
    assert rows == [
        ("BTCUSDT", YESTERDAY - timedelta(days=70), None),
        ("LITUSDT", date(2025, 1, 10), date(2025, 1, 31)),
        ("LITUSDT", date(2025, 12, 23), date(2025, 12, 31)),
        ("LUNAUSDT", date(2022, 4, 10), date(2022, 5, 12)),
        ("币安人生USDT", YESTERDAY - timedelta(days=3), None),
    ]


def test_a_second_update_of_the_same_bucket_appends_nothing(settings: Settings, storage: LocalStorage) -> None:
    update_instruments(Market.UM, settings, storage=storage)
    again = update_instruments(Market.UM, settings, storage=storage)
    assert (again.added, again.removed, again.changed, again.is_new_version) == (0, 0, 0, False)
    assert len(list(storage.list("instruments/"))) == 1


def test_exchange_info_is_merged_and_remembered(settings: Settings, storage: LocalStorage) -> None:
    update_instruments(Market.UM, settings, storage=storage)
    said = answer(YESTERDAY.isoformat(), um_symbol("BTCUSDT", "BTC", "2019-09-25"))
    merged = update_instruments(Market.UM, settings, storage=storage, bodies=[said])
    assert (merged.exchange_info_rows, merged.changed, merged.is_new_version) == (1, 1, True)
    later = update_instruments(Market.UM, settings, storage=storage)
    assert (later.exchange_info_rows, later.changed, later.is_new_version) == (0, 0, False)
    btc = InstrumentLog(storage).latest(Market.UM).row(0, named=True)
    assert (btc["onboard_day"], str(btc["tick_size"].normalize())) == (date(2019, 9, 25), "0.1")


def test_a_bucket_that_forgets_a_delisted_symbol_is_suspect_and_changes_nothing(
    bucket: FakeBucket, settings: Settings, storage: LocalStorage
) -> None:
    update_instruments(Market.UM, settings, storage=storage)
    bucket.objects = {key: data for key, data in bucket.objects.items() if "LUNAUSDT" not in key}
    with pytest.raises(ListingSuspect, match="1 symbols of um are no longer listed, the first is LUNAUSDT"):
        update_instruments(Market.UM, settings, storage=storage)
    assert "LUNAUSDT" in InstrumentLog(storage).latest(Market.UM)["symbol"].to_list()
    archive = settings.archive.model_copy(update={"allow_shrinkage": True})
    allowed = update_instruments(Market.UM, settings.model_copy(update={"archive": archive}), storage=storage)
    assert allowed.removed == 1


def test_an_empty_bucket_is_suspect(bucket: FakeBucket, settings: Settings, storage: LocalStorage) -> None:
    bucket.objects = {}
    with pytest.raises(ListingSuspect, match="lists no symbol of um"):
        update_instruments(Market.UM, settings, storage=storage)


def test_a_listing_that_breaks_off_makes_no_version(
    bucket: FakeBucket, settings: Settings, storage: LocalStorage
) -> None:
    bucket.fault = lambda path: (500, b"") if "continuation-token" in path else None
    with pytest.raises(SourceUnavailable):
        update_instruments(Market.UM, settings, storage=storage)
    assert any("continuation-token" in path for path in bucket.requests)
    assert list(storage.list("")) == []


def test_a_copy_of_the_archive_without_daily_klines_is_listed_by_another_interval(
    bucket: FakeBucket, settings: Settings, storage: LocalStorage
) -> None:
    put_days(bucket, "ETHUSDT", date(2024, 3, 1), date(2024, 3, 5), interval=Interval.M1)
    update_instruments(Market.UM, settings, storage=storage)
    master = InstrumentLog(storage).latest(Market.UM)
    assert master.filter(symbol="ETHUSDT")["valid_to"].to_list() == [date(2024, 3, 5)]


def test_coin_m_has_its_pairs_and_options_have_theirs(
    bucket: FakeBucket, settings: Settings, storage: LocalStorage
) -> None:
    first = YESTERDAY - timedelta(days=2)
    put_days(bucket, "BTCUSD_PERP", first, YESTERDAY, name="binance_cm_klines")
    put_days(bucket, "BTCUSD", first, YESTERDAY, name="binance_cm_index_price_klines")
    put_days(bucket, "BTCBVOLUSDT", first, YESTERDAY, name="binance_option_bvol_index", interval=None)
    put_days(bucket, "BTCUSDT", date(2023, 5, 18), date(2023, 5, 20), name="binance_option_eoh_summary", interval=None)
    for market in (Market.CM, Market.OPTION):
        update_instruments(market, settings, storage=storage)
    log = InstrumentLog(storage)
    assert log.latest(Market.CM).select("symbol", "kind").rows() == [("BTCUSD", "index"), ("BTCUSD_PERP", "perpetual")]
    assert log.latest(Market.OPTION).select("symbol", "kind", "valid_to").rows() == [
        ("BTCBVOLUSDT", "index", None), ("BTCUSDT", "option_underlying", date(2023, 5, 20)),
    ]  # fmt: skip


def test_the_exchange_is_asked_for_what_it_says_today(settings: Settings, storage: LocalStorage) -> None:
    with LocalExchange() as exchange:
        asked = ExchangeSettings(
            um_url=f"{exchange.url}/um", limits_file=Path(settings.lake).with_name("limits.sqlite")
        )
        bodies = fetch_exchange_info(Market.UM, settings.model_copy(update={"exchange": asked}))
        assert [one.path for one in exchange.requests] == ["fapi/v1/time", "fapi/v1/exchangeInfo"]
    found = update_instruments(Market.UM, settings, storage=storage, bodies=bodies)
    assert found.exchange_info_rows > 0
    (bitcoin,) = InstrumentLog(storage).latest(Market.UM).filter(symbol="BTCUSDT").to_dicts()
    assert (bitcoin["base_asset"], bitcoin["quote_asset"]) == ("BTC", "USDT")
    assert bitcoin["tick_size"] is not None
    assert "exchange info" in bitcoin["evidence"]


def test_nobody_is_asked_where_the_exchange_is_not_to_be(settings: Settings) -> None:
    off = settings.model_copy(update={"exchange": ExchangeSettings(enabled=False)})
    assert fetch_exchange_info(Market.UM, off) == []
    assert fetch_exchange_info(Market.OPTION, settings) == []
