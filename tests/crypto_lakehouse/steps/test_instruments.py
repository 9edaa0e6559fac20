"""The instruments step brings the master of one market up to date, with what the exchange answers or what was given."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.running import run_alone
from crypto_lakehouse.runs.orders import InstrumentsOrder, run_folder
from crypto_lakehouse.runs.outcomes import InstrumentsOutcome
from crypto_lakehouse.runs.results import Status
from crypto_lakehouse.settings import ArchiveSettings, ExchangeSettings, Settings
from crypto_lakehouse.vocabulary import Frequency, Interval, Market, Step
from tests.crypto_lakehouse.instruments.bodies import body, um_symbol
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.exchange import LocalExchange


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A lake, an archive with one symbol, and an exchange."""
    with serving(FakeBucket()) as bucket, LocalExchange() as exchange:
        key = ArchiveKey(dataset("binance_um_klines"), Frequency.DAILY, "BTCUSDT", Interval.D1, date(2022, 5, 1))
        bucket.objects[key.key] = b"zip"
        yield Settings(
            lake=str(tmp_path / "lake"),
            archive=ArchiveSettings(endpoint_url=bucket.endpoint),
            exchange=ExchangeSettings(um_url=f"{exchange.url}/um", limits_file=tmp_path / "limits.sqlite"),
        )


def test_the_exchange_is_asked_and_a_repeat_finds_nothing_new(settings: Settings) -> None:
    result = run_alone(Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "first"), settings)
    outcome: InstrumentsOutcome = result.completed()
    assert (result.subject, result.status, outcome.is_new_version) == ("binance_um", Status.SUCCEEDED, True)
    assert outcome.figures.symbols == 1
    assert outcome.figures.exchange_info_rows > 0
    again = run_alone(Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "second"), settings)
    assert again.status is Status.NOTHING_TO_DO


def test_a_given_answer_is_read_from_the_lake_and_the_exchange_is_not_asked(settings: Settings, tmp_path: Path) -> None:
    storage, order = LocalStorage(tmp_path / "lake"), InstrumentsOrder(Market.UM, "r", exchange_info=("",))
    key = f"{run_folder(order.subject, order.run_id)}/exchange_info-000.txt"
    storage.write(key, body(um_symbol("BTCUSDT", "BTC", "2019-09-25")).encode())
    unreachable = settings.model_copy(update={"exchange": ExchangeSettings(um_url="http://127.0.0.1:9")})
    order = InstrumentsOrder(Market.UM, "r", exchange_info=(key,))
    outcome: InstrumentsOutcome = run_alone(Step.INSTRUMENTS, order, unreachable).completed()
    assert outcome.figures.exchange_info_rows == 1
    assert InstrumentLog(storage).latest(Market.UM)["symbol"].to_list() == ["BTCUSDT"]


def test_without_leave_to_ask_the_archive_alone_says_what_there_is(settings: Settings) -> None:
    result = run_alone(Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "r", ask=False), settings)
    assert (result.counts()["instruments"], result.counts()["exchange_info_rows"]) == (1, 0)
