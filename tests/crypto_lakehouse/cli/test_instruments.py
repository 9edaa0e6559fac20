"""The instrument master from the command line: an update over HTTP, and a past universe."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.cli import main
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.settings import PREFIX
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.crypto_lakehouse.instruments.bodies import body, um_symbol
from tests.fakes.bucket import FakeBucket, serving


@pytest.fixture
def bucket(lake_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBucket]:
    """The archive of the deployment: two symbols, one of them delisted."""
    with serving(FakeBucket()) as served:
        monkeypatch.setenv(f"{PREFIX}ARCHIVE__ENDPOINT_URL", served.endpoint)
        for symbol, last in (("BTCUSDT", 30), ("LUNAUSDT", 12)):
            for number in range(1, last + 1):
                day = date(2022, 5, number)
                key = ArchiveKey(dataset("binance_um_klines"), Frequency.DAILY, symbol, Interval.D1, day)
                served.objects[key.key] = b"zip"
        yield served


def test_an_update_and_a_universe_from_the_command_line(
    bucket: FakeBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "exchangeInfo.json"
    saved.write_text(body(um_symbol("BTCUSDT", "BTC", "2019-09-25")), encoding="utf-8")
    command = ["instruments", "update", "--market", "um", "--exchange-info", str(saved)]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["status"], said["instruments"], said["exchange_info_rows"]) == ("succeeded", 2, 1)
    assert bucket.requests
    assert main(command) == 0
    assert "nothing is new" in capsys.readouterr().out

    universe = ["query", "universe", "--market", "um", "--kind", "perpetual", "--at"]
    assert main([*universe, "2022-05-12", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["symbol"], row["valid_to"]) for row in rows] == [("BTCUSDT", None), ("LUNAUSDT", "2022-05-12")]
    assert main([*universe, "2022-05-13"]) == 0
    out, err = capsys.readouterr()
    assert "LUNAUSDT" not in out
    assert "listed on 2022-05-13: 1 instrument\n" in err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["query", "universe", "--market", "um"], 64),
        (["query", "universe", "--market", "um", "--at", "2022-13-01"], 64),
        (["query", "universe", "--market", "um", "--at", "2022-05-01", "--kind", "stock"], 64),
        (["query", "universe", "--market", "um", "--at", "2022-05-01"], 64),
        (["instruments", "update", "--market", "mars"], 64),
        (["instruments", "update", "--market", "um", "--exchange-info", "nowhere.json"], 64),
    ],
)
def test_what_cannot_be_done_is_an_exit_code(lake_folder: Path, command: list[str], code: int) -> None:
    assert main(command) == code
    assert not lake_folder.exists()


def test_a_body_that_is_no_exchange_info_is_a_permanent_error(bucket: FakeBucket, tmp_path: Path) -> None:
    saved = tmp_path / "page.html"
    saved.write_text("<html>", encoding="utf-8")
    assert main(["instruments", "update", "--market", "um", "--exchange-info", str(saved)]) == 65
