"""Versions of the master, and the record of what the exchange said."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.instruments.days import ArchiveDays, DaySpan
from crypto_lakehouse.instruments.exchange_info import ABSENT, ExchangeInfoBody
from crypto_lakehouse.instruments.instrument import Instrument, instrument_frame
from crypto_lakehouse.instruments.log import VERSION_SCHEMA, ExchangeInfoLog, InstrumentLog
from crypto_lakehouse.instruments.master import build_instruments
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.vocabulary import Market
from tests.crypto_lakehouse.instruments.bodies import answer, at, um_symbol

BTC = um_symbol("BTCUSDT", "BTC", "2019-09-25")
ETH = um_symbol("ETHUSDT", "ETH", "2019-11-27")


def instruments(*symbols: str) -> list[Instrument]:
    spans = (DaySpan(date(2020, 1, 1), date(2021, 1, 1)), DaySpan(date(2021, 2, 1), date(2022, 1, 1)))
    return build_instruments(Market.UM, [ArchiveDays(symbol, spans) for symbol in symbols], [])


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def test_a_lake_without_a_master_has_an_empty_version_of_the_same_columns(storage: LocalStorage) -> None:
    latest = InstrumentLog(storage).latest(Market.UM)
    assert latest.is_empty()
    assert latest.schema == VERSION_SCHEMA


def test_each_version_is_whole_and_an_older_one_stays_readable(storage: LocalStorage) -> None:
    log = InstrumentLog(storage)
    assert log.append(Market.UM, instruments("AUSDT"), at("2026-01-01"))
    assert log.append(Market.UM, instruments("AUSDT", "币安人生USDT"), at("2026-02-01"))
    assert log.latest(Market.UM)["symbol"].to_list() == ["AUSDT", "币安人生USDT"]
    assert log.as_of(Market.UM, at("2026-01-15"))["symbol"].to_list() == ["AUSDT"]
    assert log.as_of(Market.UM, at("2025-01-01")).is_empty()
    assert log.latest(Market.SPOT).is_empty()
    row = log.latest(Market.UM).row(0, named=True)
    assert row["absences"] == [{"first_day": date(2021, 1, 2), "last_day": date(2021, 1, 31)}]
    assert log.latest(Market.UM).schema == VERSION_SCHEMA


def test_unchanged_content_appends_nothing(storage: LocalStorage) -> None:
    log = InstrumentLog(storage)
    assert log.append(Market.UM, instruments("AUSDT"), at("2026-01-01"))
    before = list(storage.list(""))
    assert not log.append(Market.UM, instruments("AUSDT"), at("2026-02-01"))
    assert list(storage.list("")) == before
    assert log.latest(Market.UM)["version_at"].unique().to_list() == [at("2026-01-01")]


def test_many_versions_are_folded_into_one_file_without_loss(storage: LocalStorage) -> None:
    log = InstrumentLog(storage)
    # As `append` writes them, which reads all earlier versions first.
    versions = AppendLog(storage, "instruments/binance_um/versions/", VERSION_SCHEMA)
    for number in range(99):
        frame = instrument_frame(instruments(f"A{number}USDT"))
        version_at = at("2026-01-01") + timedelta(seconds=number)
        versions.append_frame(frame.with_columns(pl.lit(version_at, VERSION_SCHEMA["version_at"]).alias("version_at")))
    assert log.append(Market.UM, instruments("A99USDT"), at("2026-01-01") + timedelta(seconds=99))
    assert log.compact(Market.UM) == 100
    assert sum("/compacted-" in file.key for file in storage.list("instruments/")) == 1
    # The commits stay until the next compaction; the compacted file is what is read.
    storage.delete("instruments/binance_um/versions/000000000050.commit")
    assert log.latest(Market.UM)["symbol"].to_list() == ["A99USDT"]
    assert log.as_of(Market.UM, at("2026-01-01T00:00:07"))["symbol"].to_list() == ["A7USDT"]


def test_exchange_info_is_recorded_as_changes_and_read_back_as_it_was(storage: LocalStorage) -> None:
    log = ExchangeInfoLog(storage)
    assert log.record(Market.UM, [answer("2026-01-01", BTC, ETH)]) == 2
    assert log.record(Market.UM, [answer("2026-01-02", BTC, ETH)]) == 0
    assert log.record(Market.UM, [answer("2026-01-03", {**BTC, "status": "SETTLING"})]) == 2
    history = log.history(Market.UM)
    assert [(one.symbol, one.status, one.seen_at.day) for one in history] == [
        ("BTCUSDT", "TRADING", 1), ("ETHUSDT", "TRADING", 1), ("BTCUSDT", "SETTLING", 3), ("ETHUSDT", ABSENT, 3),
    ]  # fmt: skip
    assert history[0].onboard_at == at("2019-09-25")


def test_bodies_are_taken_in_order_of_time_and_an_overtaken_one_is_left_out(storage: LocalStorage) -> None:
    log = ExchangeInfoLog(storage)
    assert log.record(Market.UM, [answer("2026-01-03", ETH), answer("2026-01-01", BTC)]) == 3
    assert log.history(Market.UM)[-1].symbol == "ETHUSDT"
    assert log.record(Market.UM, [answer("2026-01-02", BTC)]) == 0


def test_a_body_of_another_shape_records_nothing_of_the_others(storage: LocalStorage) -> None:
    log = ExchangeInfoLog(storage)
    with pytest.raises(SchemaDrift):
        log.record(Market.UM, [answer("2026-01-01", BTC), ExchangeInfoBody("<html>", at("2026-01-02"))])
    assert log.history(Market.UM) == []
