"""A read as of an instant gives what readers saw then, or says how far back reads reach."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.rebuilding import published_record
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ArchiveFileMissing, CorruptObject, InvalidRequest, UnknownSymbol
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.vocabulary import Condition
from tests.hourly_mart import registered

FUNDING = dataset("binance_um_funding_rate")
BTC, ETH = "symbol_key=BTCUSDT/year=2024", "symbol_key=ETHUSDT/year=2024"
FIRST = datetime(2025, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


class PastLake:
    """A lake whose versions are published at given instants; a version has one row with its number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.storage = LocalStorage(folder)
        self.catalog = EmbeddedCatalog(folder / "catalog" / "catalog.sqlite")
        self.log = VerdictLog(self.storage)

    @property
    def lake(self) -> Lake:
        return Lake(Settings(lake=str(self.folder)), self.catalog)

    def publish(
        self,
        at: datetime,
        number: int,
        partition: str = BTC,
        table: Table = FUNDING,
        condition: Condition = Condition.AVAILABLE,
    ) -> Path:
        """Judges a version as a run does: the log first, then the catalog. Returns its file."""
        named = Partition.parse(table, partition)
        location = f"{named.path}/version={number:016x}"
        path = self.folder / location / "data.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        kinds = {table.event_time: pl.Datetime("us", "UTC"), "close": pl.Decimal(18, 8)}
        rows = {"symbol": [named.symbol], table.event_time: [named.start], "close": [Decimal(number)]}
        pl.DataFrame(rows, schema_overrides=kinds).write_parquet(path)
        candidate = Candidate(
            table.name, partition, location, f"{location}/data.parquet", f"{number:064x}", path.stat().st_size, 1, "d",
            named.start, named.start,
        )  # fmt: skip
        verdict = Verdict(candidate, condition)
        self.log.append(table, "run", [verdict], at)
        if condition.is_published:
            self.catalog.ensure_table(table)
            self.catalog.publish([published_record(LoggedVerdict(verdict, "run", at))])
        return path

    def seen(self, as_of: datetime | None = None, table: Table = FUNDING) -> list[tuple[str, int]]:
        """Returns symbol and number of the versions that a scan reads."""
        try:
            rows = self.lake.scan(table.name, as_of=as_of).select("symbol", pl.col("close").cast(pl.Int64))
        except ArchiveFileMissing:
            return []
        return sorted(rows.collect().rows())


@pytest.fixture
def past(tmp_path: Path) -> PastLake:
    """Two partitions. One is published twice, and the other one later."""
    past = PastLake(tmp_path / "lake")
    past.publish(FIRST, 1)
    past.publish(FIRST + HOUR, 2, ETH)
    past.publish(FIRST + 2 * HOUR, 3)
    return past


@pytest.fixture
def mart() -> Iterator[Mart]:
    """A mart in the table of marts."""
    with registered() as declared:
        yield declared


def test_the_rows_before_a_second_publication_can_still_be_read(past: PastLake) -> None:
    assert past.seen() == [("BTCUSDT", 3), ("ETHUSDT", 2)]
    assert past.seen(FIRST + 2 * HOUR) == past.seen(), "from the instant of its verdict on, a version is there"
    assert past.seen(FIRST + 2 * HOUR - MOMENT) == [("BTCUSDT", 1), ("ETHUSDT", 2)]
    sql = f"SELECT close::INT FROM {FUNDING.name} WHERE symbol_key = 'BTCUSDT'"
    assert past.lake.sql(sql, as_of="2025-03-01T13:00").item() == 1
    assert past.lake.sql(sql).item() == 3
    assert past.lake.query(sql, as_of="2025-03-01T15:00+01:00").frame.item() == 3


def test_a_partition_is_not_there_before_its_first_publication(past: PastLake) -> None:
    assert past.seen(FIRST) == [("BTCUSDT", 1)]
    with pytest.raises(UnknownSymbol):
        past.lake.scan(FUNDING.name, symbols=["BTCUSDT", "ETHUSDT"], as_of=FIRST)
    with pytest.raises(ArchiveFileMissing, match="nothing was published at 2025-03-01\n"):
        past.lake.scan(FUNDING.name, as_of="2025-03-01")
    with pytest.raises(ArchiveFileMissing, match="nothing was published at"):
        past.lake.sql(f"FROM {FUNDING.name}", as_of="2025-03-01")
    assert past.lake.info(as_of="2025-03-01").is_empty()
    assert past.lake.info(as_of=FIRST)["symbol"].to_list() == ["BTCUSDT"]


def test_a_filter_prunes_earlier_versions_as_it_prunes_the_newest(past: PastLake) -> None:
    for path in past.folder.rglob("*ETHUSDT*/**/data.parquet"):
        path.write_bytes(b"not parquet")
    at = FIRST + HOUR
    assert past.lake.scan(FUNDING.name, symbols="BTC*", as_of=at).collect().height == 1
    assert past.lake.scan(FUNDING.name, symbols="BTCUSDT", as_of=at).collect().height == 1
    with pytest.raises(ArchiveFileMissing):
        past.lake.scan(FUNDING.name, start="2025-01-01", as_of=at)
    with pytest.raises(pl.exceptions.ComputeError):
        past.lake.scan(FUNDING.name, as_of=at).collect()


def test_a_version_that_was_collected_is_refused_with_how_far_back_reads_reach(past: PastLake) -> None:
    past.publish(FIRST + 3 * HOUR, 4).unlink()
    past.publish(FIRST + 4 * HOUR, 5)
    limit = FIRST + 4 * HOUR
    message = rf"(?s)binance_um_funding_rate {BTC}: .*not kept any more.*reach back to as_of 2025-03-01T16:00:00\+00:00"
    with pytest.raises(InvalidRequest, match=message):
        past.seen(limit - MOMENT)
    with pytest.raises(InvalidRequest, match=message):
        past.lake.sql(f"FROM {FUNDING.name}", as_of=limit - MOMENT)
    assert past.seen(limit) == [("BTCUSDT", 5), ("ETHUSDT", 2)]
    assert past.seen(FIRST + 2 * HOUR) == [("BTCUSDT", 3), ("ETHUSDT", 2)], "what is kept by chance can be read"
    others = past.lake.scan(FUNDING.name, symbols="ETHUSDT", as_of=limit - MOMENT)
    assert others.collect().height == 1, "a read needs only its own versions"
    assert past.lake.info(as_of=limit - MOMENT).height == 2, "what was published is known nevertheless"


def test_bytes_that_were_published_twice_are_needed_until_they_are_replaced_last(past: PastLake) -> None:
    first = past.publish(FIRST + 3 * HOUR, 1)
    assert past.seen(FIRST) == [("BTCUSDT", 1)]
    assert past.log.history(FUNDING).seen_until()[first.relative_to(past.folder).as_posix()] is None
    past.publish(FIRST + 4 * HOUR, 6)
    first.unlink()
    with pytest.raises(InvalidRequest, match="as_of 2025-03-01T16:00:00"):
        past.seen(FIRST)


def test_a_refused_version_was_never_seen(past: PastLake) -> None:
    past.publish(FIRST + 3 * HOUR, 9, condition=Condition.QUARANTINED).unlink()
    assert past.seen(FIRST + 3 * HOUR) == past.seen() == [("BTCUSDT", 3), ("ETHUSDT", 2)]


def test_the_loss_of_a_version_that_readers_still_see_is_damage(past: PastLake) -> None:
    path = past.publish(FIRST + 3 * HOUR, 4)
    path.unlink()
    with pytest.raises(CorruptObject, match="verify --repair"):
        past.seen(FIRST + 3 * HOUR)


def test_a_future_instant_is_refused(past: PastLake) -> None:
    with pytest.raises(InvalidRequest, match="is in the future"):
        past.lake.scan(FUNDING.name, as_of=datetime.now(UTC) + timedelta(days=1))


def test_what_is_no_time_is_refused(past: PastLake) -> None:
    with pytest.raises(InvalidRequest, match="is not a time"):
        past.lake.sql(f"FROM {FUNDING.name}", as_of="last week")


def test_a_clock_that_was_behind_does_not_bring_an_older_version_back(past: PastLake) -> None:
    newest = past.publish(FIRST - HOUR, 4)
    assert past.seen(FIRST + 5 * HOUR) == past.seen() == [("BTCUSDT", 4), ("ETHUSDT", 2)]
    for path in past.folder.rglob("*BTCUSDT*/**/data.parquet"):
        if path != newest:
            path.unlink()
    assert past.seen(FIRST) == [("BTCUSDT", 4)], "as far as the log tells, nobody saw the others"
    assert past.log.history(FUNDING).reach(set()) is None


def test_a_mart_is_read_as_a_dataset_is(past: PastLake, mart: Mart) -> None:
    january = "symbol_key=BTCUSDT/month=2024-01"
    old = past.publish(FIRST, 1, january, mart)
    past.publish(FIRST + HOUR, 2, january, mart)
    assert past.seen(FIRST, mart) == [("BTCUSDT", 1)]
    assert past.seen(None, mart) == [("BTCUSDT", 2)]
    old.unlink()
    with pytest.raises(InvalidRequest, match=rf"{mart.name} {january}.*\n.*2025-03-01T13:00:00"):
        past.seen(FIRST, mart)


def test_a_log_that_was_repaired_tells_nothing_about_the_time_before_its_loss(past: PastLake) -> None:
    (lost,) = past.folder.glob("silver/**/verdicts/*1.commit")
    lost.unlink()
    with pytest.raises(CorruptObject, match="verify --repair"):
        past.seen(FIRST)
    past.log.restore(FUNDING)
    for at in (FIRST, FIRST + 2 * HOUR - MOMENT):
        with pytest.raises(InvalidRequest, match=r"(?s)does not know.*2025-03-01T14:00:00"):
            past.seen(at)
    assert past.seen(FIRST + 2 * HOUR) == [("BTCUSDT", 3), ("ETHUSDT", 2)]
    past.publish(FIRST + 3 * HOUR, 4)
    assert past.seen(FIRST + 2 * HOUR) == [("BTCUSDT", 3), ("ETHUSDT", 2)], "it is complete again from there on"


def test_a_log_that_lacks_what_is_published_is_damaged(past: PastLake) -> None:
    for path in past.folder.glob("silver/**/verdicts/*"):
        path.unlink()
    with pytest.raises(CorruptObject, match=rf"{BTC}: the verdict log lacks .*\n.*verify --repair"):
        past.seen(FIRST)


def test_tables_about_now_are_no_tables_of_an_earlier_instant(past: PastLake) -> None:
    tables = past.lake.sql("SHOW TABLES", as_of=FIRST)
    assert tables["name"].to_list() == [FUNDING.name]
    assert "coverage" in past.lake.sql("SHOW TABLES")["name"].to_list(), "the control"


publications = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([BTC, ETH]), st.integers(0, 2)), max_size=8)


@given(publications)
@settings(max_examples=15, deadline=None)
def test_at_each_moment_a_read_gives_what_a_read_gave_then(
    tmp_path_factory: pytest.TempPathFactory, published: list[tuple[int, str, int]]
) -> None:
    past = PastLake(tmp_path_factory.mktemp("past"))
    past.catalog.ensure_table(FUNDING)
    at, half = FIRST, HOUR / 2
    # A publication without a step of time replaces what was seen at the same instant.
    snapshots = {at - half: past.seen()}
    for number, partition, hours in published:
        at += hours * HOUR
        past.publish(at, number, partition)
        snapshots[at + half] = past.seen()
    for moment, rows in snapshots.items():
        assert past.seen(moment - half) == past.seen(moment) == past.seen(moment + half - MOMENT) == rows
