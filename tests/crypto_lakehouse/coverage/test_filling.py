"""What is missing from the archive: asked of the exchange once, and then either filled or known to be nowhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.coverage.answers import Coverage
from crypto_lakehouse.coverage.filling import fillable, fills
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import load_settings
from tests.fakes.exchange import LocalExchange, SyntheticRows
from tests.small_lake import SmallLake, dropped, small_lake

KLINES = "binance_spot_klines"
DAYS = ("--start-date", "2025-01-01", "--end-date", "2025-01-03")
ASKED = ("--data-type", "klines", "--market", "spot", "--symbols", "BTCUSDT", "--interval", "1h", *DAYS)


class HaltedRows(SyntheticRows):
    """Rows of a market that was halted from 10:00 to 12:00 on 2025-01-02."""

    def lines(self, *args: Any, **kwargs: Any) -> list[str]:
        lines = super().lines(*args, **kwargs)
        halted = {str(int(datetime(2025, 1, 2, hour, tzinfo=UTC).timestamp())) for hour in (10, 11)}
        return [line for line in lines if line[:10] not in halted]


@dataclass(frozen=True)
class Sources:
    lake: SmallLake
    exchange: LocalExchange

    def asked(self) -> int:
        return sum(request.path.endswith("klines") for request in self.exchange.requests)

    def ingest(self) -> None:
        self.lake.run(KLINES, "2025-01-01", "2025-01-03")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    """An archive without hours 5 to 8 and 10 to 12 of its second day; the exchange lacks only the latter."""
    clock = datetime(2025, 1, 4, 4, 0, 5, tzinfo=UTC).timestamp
    with small_lake(tmp_path) as lake, LocalExchange(HaltedRows(), clock=clock) as exchange:
        lake.publish(KLINES, "2025-01-01")
        lake.publish(KLINES, "2025-01-02", dropped(10, 12))
        lake.publish(KLINES, "2025-01-02", lambda lines: dropped(5, 8)(lines) or dropped(7, 9)(lines))
        for name, value in {
            "LAKE": lake.settings.lake,
            "ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
            "EXCHANGE__ENABLED": "true",
            "EXCHANGE__SPOT_URL": f"{exchange.url}/spot",
            "EXCHANGE__LIMITS_FILE": str(tmp_path / "limits.sqlite"),
        }.items():
            monkeypatch.setenv(f"CRYPTO_LAKEHOUSE_{name}", value)
        load_settings.cache_clear()
        yield Sources(lake, exchange)
        load_settings.cache_clear()


def gaps() -> list[tuple[str, int | None, str]]:
    table = Lake.open().gaps(KLINES, days=(date(2025, 1, 1), date(2025, 1, 3)))
    return [(f"{gap['start']:%d %H}", gap["missing"], gap["sources"]) for gap in table.iter_rows(named=True)]


def fill(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["gaps", "fill", *ASKED, "--json"]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def test_holes_are_filled_and_the_source_of_a_day_is_known(
    sources: Sources, capsys: pytest.CaptureFixture[str]
) -> None:
    sources.ingest()
    assert [gap[:2] for gap in gaps()] == [("02 05", 3), ("02 10", 2), ("03 00", 24)]
    summary = fill(capsys)
    assert [gap["missing"] for gap in summary["before"]] == [3, 2, 24]
    assert gaps() == [("02 10", 2, "archive_daily, rest")]
    days = {day["day"].day: day for day in Lake.open().coverage(KLINES, days=DAYS[1::2]).to_dicts()}
    assert (days[2]["rows"], days[2]["sources"]) == (22, "archive_daily, rest")
    assert (days[3]["condition"], days[3]["sources"]) == ("available", "rest")


def test_what_nobody_has_is_said_and_not_asked_again(sources: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    sources.ingest()
    fill(capsys)
    requests = sources.asked()
    assert requests > 0
    summary = fill(capsys)
    assert sources.asked() == requests
    assert [gap["missing"] for gap in summary["after"]] == [2]
    assert main(["gaps", "fill", *ASKED]) == 0
    assert (
        "missing rows or ids: 2; after the requests: 1 gap; missing rows or ids: 2"
        in capsys.readouterr().out.replace("\n", " ")
    )


def test_without_fill_a_run_leaves_holes_in_what_the_archive_has_alone(sources: Sources) -> None:
    main(["ingest", "klines", *ASKED[2:]])
    assert [gap[:2] for gap in gaps()] == [("02 05", 3), ("02 10", 2)]


def test_trades_lost_between_the_files_of_two_days_are_seen_and_filled(
    sources: Sources, capsys: pytest.CaptureFixture[str]
) -> None:
    name, days = "binance_spot_agg_trades", (date(2025, 1, 1), date(2025, 1, 2))
    sources.lake.publish(name, "2025-01-01", lambda lines: dropped(len(lines) - 5, len(lines))(lines))
    sources.lake.publish(name, "2025-01-02")
    sources.lake.run(name, *(f"{day}" for day in days))
    assert [day["condition"] for day in Lake.open().coverage(name, days=days).to_dicts()] == ["degraded", "degraded"]
    (gap,) = Lake.open().gaps(name, days=days).to_dicts()
    assert (gap["kind"], gap["missing"], gap["start"].date(), gap["end"].date()) == ("ids", 5, *days)
    asked = ("--data-type", "aggTrades", "--market", "spot", "--symbols", "BTCUSDT")
    assert main(["gaps", "fill", *asked, "--start-date", f"{days[0]}", "--end-date", f"{days[1]}", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert ([gap["missing"] for gap in summary["before"]], summary["after"]) == ([5], [])


def test_the_daily_dag_triggers_what_may_be_filled_and_nothing_afterwards(
    sources: Sources, capsys: pytest.CaptureFixture[str]
) -> None:
    sources.ingest()
    lake = Lake.open()
    (run,) = fills(Coverage(CoverageLog(sources.lake.storage), lake.datasets))
    assert (run.dataset, run.symbols, run.intervals, run.first_day) == (KLINES, ("BTCUSDT",), ("1h",), date(2025, 1, 2))
    fill(capsys)
    assert fillable(lake.gaps(KLINES, days=(date(2025, 1, 1), date(2025, 1, 3)))).is_empty()


def test_history_comes_without_an_archive_and_is_not_asked_for_twice(
    sources: Sources, capsys: pytest.CaptureFixture[str]
) -> None:
    days = (datetime.now(UTC).date() - date(2025, 1, 1)).days
    command = ["backfill", "rest", "--symbols", "ETHUSDT", "--lookback-days", str(days), "--interval", "1h", "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["publish"]["rows_published"] == 3 * 24 + 4 - 2
    assert not any("ETHUSDT" in request for request in sources.lake.bucket.requests)
    requests = sources.asked()
    assert main(command) == 0
    # The last seconds are asked for again, and an empty answer twice.
    assert sources.asked() <= requests + 2


@pytest.mark.parametrize(
    ("sources", "is_fillable"),
    [("archive_daily", True), ("archive_daily, rest", False), ("rest", False), ("stream", True), ("", True)],
)
def test_a_gap_may_be_filled_until_an_answer_of_the_exchange_covers_it(sources: str, is_fillable: bool) -> None:
    gaps = pl.DataFrame({"known": [""], "sources": [sources]})
    assert fillable(gaps).height == is_fillable
