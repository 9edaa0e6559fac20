"""No query reads, writes, loads or reaches anything but the published files behind its views."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from crypto_lakehouse.errors import InvalidRequest, LakehouseError
from crypto_lakehouse.query import Lake, QueryLimits
from crypto_lakehouse.query.session import select_statement
from tests.published_lake import build_published_lake

CANARY = "canary-1f0c"
SECRET_OF_THIS_PROGRAM = [CANARY]
"""A variable that a replacement scan would find."""

# {secret}: a file outside; {out}: a path that must not come to be; {data}: a published file; {hidden}: an
# unpublished file inside the lake; {port}: a closed port of this machine.
READS = (
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_csv_auto('{secret}', header=false)",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_json_objects('{secret}')",
    "SELECT * FROM read_ndjson('{secret}')",
    "SELECT * FROM read_parquet('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM parquet_metadata('{secret}')",
    "SELECT * FROM parquet_schema('{secret}')",
    "SELECT * FROM '{secret}'",
    "FROM '{secret}'",
    "TABLE '{secret}'",
    "SELECT * FROM read_text('{secret}') UNION ALL SELECT 'a', 'b', 1, now()",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "WITH x AS (SELECT * FROM read_text('{secret}')) SELECT * FROM x",
    "WITH x AS MATERIALIZED (SELECT * FROM read_text('{secret}')) SELECT * FROM x",
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "SELECT * FROM query_table('{secret}')",
    "SELECT * FROM query_table(['{secret}'])",
    "SELECT * FROM binance_um_klines, read_text('{secret}')",
    "SELECT * FROM binance_um_klines WHERE symbol IN (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM binance_um_klines, LATERAL (SELECT * FROM read_text('{secret}'))",
    'SELECT * FROM "{secret}"',
    "SELECT /* hidden */ * FROM -- here\n read_text('{secret}')",
    "DESCRIBE SELECT * FROM read_csv('{secret}')",
    "SUMMARIZE SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_text('{data}/../../../../../../../../{secret}')",
    "SELECT * FROM read_text('file://{secret}')",
    "SELECT * FROM read_text('{hidden}')",
    "SELECT * FROM read_parquet('{hidden}')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/fd/0')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM glob('{root}/**')",
    "SELECT * FROM read_text(['{data}', '{secret}'])",
    "SELECT * FROM SECRET_OF_THIS_PROGRAM",
    "SELECT * FROM os",
    "SELECT getenv('PATH')",
    "SELECT getvariable('x'), getenv('CANARY')",
    "SELECT * FROM read_duckdb('{secret}')",
)
WRITES = (
    "COPY binance_um_klines TO '{out}'",
    "COPY (SELECT 1) TO '{out}' (FORMAT parquet)",
    "COPY (SELECT 1) TO '{data}'",
    "SELECT 1; COPY (SELECT 1) TO '{out}'",
    "SELECT 1;; COPY (SELECT 1) TO '{out}' --",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "ATTACH '{out}'",
    "ATTACH '{out}' AS x; CREATE TABLE x.t AS SELECT 1",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW binance_um_klines AS SELECT 1",
    "CREATE MACRO f() AS TABLE SELECT * FROM read_text('{secret}')",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET s (TYPE http, BEARER_TOKEN 'a')",
    "INSERT INTO binance_um_klines VALUES (1)",
    "DELETE FROM binance_um_klines",
    "DROP VIEW binance_um_klines",
    "IMPORT DATABASE '{secret}'",
    "CHECKPOINT",
    "VACUUM",
    "SELECT * FROM enable_logging(storage='file', storage_config={{'path': '{out}'}})",
    "CALL enable_logging('QueryLog', storage_path='{out}')",
    "PREPARE p AS COPY (SELECT 1) TO '{out}'",
    "EXECUTE p",
    "BEGIN; SELECT 1",
)
SETTINGS = (
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "RESET allowed_paths",
    "SET temp_directory = '{out}'",
    "SET memory_limit = '100GB'",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list",
    "SELECT 1; SET enable_external_access = true; SELECT * FROM read_text('{secret}')",
    "SET VARIABLE x = 1",
    "SELECT set_config('enable_external_access', 'true', false)",
    "USE system",
)
NETWORK = (
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{secret}'",
    "INSTALL '{secret}'",
    "FORCE INSTALL spatial FROM community",
    "UPDATE EXTENSIONS",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/x')",
    "SELECT * FROM read_parquet('s3://bucket/key')",
    "SELECT * FROM read_text('http://169.254.169.254/latest/meta-data/')",
    "SELECT * FROM 'https://127.0.0.1:{port}/x.parquet'",
    "SELECT * FROM sqlite_scan('{secret}', 't')",
    "SELECT * FROM postgres_scan('host=127.0.0.1 port={port}', 'a', 'b')",
    "ATTACH 'host=127.0.0.1 port={port}' AS p (TYPE postgres)",
)
GREEDY = (
    "SELECT count(*) FROM range(1000000000000) a, range(1000000) b",
    "SELECT list(range) FROM range(10000000000)",
    "SELECT * FROM range(10000000000) ORDER BY range DESC",
    "WITH RECURSIVE t AS (SELECT 1 x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
    "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the lake and of the secret; no test changes anything in it."""
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="module")
def lake(root: Path) -> Lake:
    """The published lake; one for all tests, because the process that answers queries takes long to start."""
    return build_published_lake(root / "lake")


@pytest.fixture(scope="module")
def fill(lake: Lake, root: Path) -> Callable[[str], str]:
    """Fills a payload's places with real paths around the lake."""
    secret = root / "secret.csv"
    secret.write_text(f'{{"a": "{CANARY}"}}\n')
    hidden = root / "lake" / "silver" / "binance_um_klines" / "candidate.parquet"
    duckdb.connect().execute(f"COPY (SELECT '{CANARY}' AS a) TO '{hidden}'")
    data = min(path for path in root.rglob("data.parquet") if "um_klines" in str(path))
    names = {"secret": secret, "out": root / "out", "data": data, "hidden": hidden, "root": root, "port": 9}
    return lambda payload: payload.format(**names)


def contents(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; the catalog's own files apart, which a reader touches."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and "catalog" not in path.parts}


@pytest.mark.parametrize("payload", READS + WRITES + SETTINGS + NETWORK)
def test_a_query_that_is_more_than_a_question_about_the_lake_is_refused_and_leaves_no_trace(
    lake: Lake, fill: Callable[[str], str], root: Path, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    text = fill(payload)
    before = contents(root)
    with pytest.raises(LakehouseError) as refusal:
        lake.query(text)
    assert CANARY not in str(refusal.value)
    assert contents(root) == before
    assert sorted(path.name for path in root.iterdir()) == ["lake", "secret.csv"]


@pytest.mark.parametrize("payload", READS[:7])
def test_the_same_payload_reads_the_canary_in_a_session_that_is_not_locked(
    fill: Callable[[str], str], payload: str
) -> None:
    assert CANARY in str(duckdb.connect().sql(fill(payload)).to_arrow_table().to_pydict())


def test_the_same_payload_writes_in_a_session_that_is_not_locked(fill: Callable[[str], str], root: Path) -> None:
    duckdb.connect().execute(fill(WRITES[1]))
    (root / "out").unlink()


def test_a_published_file_may_be_read_by_name(lake: Lake, fill: Callable[[str], str]) -> None:
    text = fill("SELECT count(*) AS n FROM binance_um_klines, (SELECT count(*) FROM read_parquet('{data}'))")
    assert lake.sql(text)["n"].item() == 96


@pytest.mark.parametrize("payload", GREEDY)
def test_a_greedy_query_ends_at_its_limits(lake: Lake, payload: str) -> None:
    limits = QueryLimits(memory_mib=100, timeout_seconds=0.5)
    with pytest.raises(InvalidRequest, match=r"longer than 0\.5 s|more than 100 MiB"):
        lake.query(payload, limits)


def test_a_result_without_end_is_cut_off_while_it_streams(lake: Lake) -> None:
    result = lake.query("SELECT * FROM range(1000000000000)", QueryLimits(max_rows=1000, memory_mib=100))
    assert (result.frame.height, result.truncated) == (1000, True)


@pytest.mark.parametrize(
    "text", ["", "   ", "-- nothing", "SELEC 1", "SELECT 1; SELECT 2", "SELECT " + "1," * 60_000 + "1"]
)
def test_what_is_not_one_statement_is_refused_before_anything_is_opened(text: str) -> None:
    with pytest.raises(InvalidRequest):
        select_statement(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "FROM range(3)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "select 1 -- ; drop",
        "SELECT ';'",
    ],
)
def test_one_statement_that_reads_is_let_in(text: str) -> None:
    assert select_statement(text).type is duckdb.StatementType.SELECT
