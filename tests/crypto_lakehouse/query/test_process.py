"""A query ends at its limits in seconds, memory and bytes, for every statement, and its process ends with ours."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.limits import QueryLimits
from crypto_lakehouse.query.process import QueryEngine, _environment, _QueryProcess
from crypto_lakehouse.query.question import Question
from crypto_lakehouse.settings import PREFIX, QuerySettings, Settings, load_settings
from tests.waiting import is_running, wait_until

LIMITS = QueryLimits(memory_mib=200, timeout_seconds=0.7, max_result_mib=20)
_HALVES = ", ".join(f"t{i} AS (SELECT * FROM t{i - 1} UNION ALL SELECT * FROM t{i - 1})" for i in range(1, 40))
ATTACKS = {
    "a long text in each row": "SELECT repeat('x', 20000) FROM range(99999)",
    "long distinct texts": "SELECT count(DISTINCT repeat('x', 20000) || range) FROM range(99999)",
    "long sorted texts": "SELECT max(r) FROM (SELECT repeat('x', 20000) || range r FROM range(1000000) ORDER BY r)",
    "one text of all rows": "SELECT length(string_agg(repeat('x', 1000), ',')) FROM range(100000000)",
    "one list of all rows": "SELECT list(range) FROM range(10000000000)",
    "one sorted list": "SELECT array_agg(range ORDER BY hash(range)) FROM range(1000000000)",
    "one huge text": "SELECT repeat('x', 4000000000)",
    "a huge literal": "SELECT '" + "x" * 90_000 + "' || repeat('y', 3000000000)",
    "padding": "SELECT length(lpad('x', 2000000000, 'y'))",
    "a wide format": "SELECT length(printf('%2000000000d', 1))",
    "a huge bit string": "SELECT bit_count(bitstring('1', 2000000000))",
    "a cross join": "SELECT count(*) FROM range(1000000000000) a, range(1000000) b",
    "sixty cross joins": "SELECT count(*) FROM " + ", ".join(f"range(3) t{i}" for i in range(60)),
    "a trillion rows": "SELECT sum(range) FROM range(1000000000000)",
    "a microsecond grid of all times": (
        "SELECT count(*) FROM generate_series(TIMESTAMP '0001-01-01', TIMESTAMP '9999-01-01', INTERVAL 1 MICROSECOND)"
    ),
    "recursion": "WITH RECURSIVE t AS (SELECT 1 x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
    "a pattern": "SELECT sum(regexp_matches(repeat('a', 500000) || range, '(a+)+(b|c|d|e)*x$')::INT) FROM range(99999)",
    "levenshtein": "SELECT levenshtein(repeat('ab', 150000), repeat('ba', 150000))",
    "jaro-winkler": "SELECT jaro_winkler_similarity(repeat('ab', 300000), repeat('ba', 300000))",
    "damerau-levenshtein": "SELECT damerau_levenshtein(repeat('ab', 30000), repeat('ba', 30000))",
    "many short distances": "SELECT sum(levenshtein(repeat('ab', 2000), repeat('b', 4000) || range)) FROM range(99999)",
    "a plan of nested queries": f"WITH t0 AS (SELECT 1 x), {_HALVES} SELECT count(*) FROM t39",
    "a plan of many joins": "SELECT count(*) FROM range(2) t0 "
    + " ".join(f"JOIN range(2) t{i} ON t{i}.range = t{i - 1}.range" for i in range(1, 500)),
    "nested JSON": "SELECT json_structure(repeat('[', 500000) || repeat(']', 500000))",
    "a sort": "SELECT * FROM range(10000000000) ORDER BY range DESC",
    "a window": "SELECT max(s) FROM (SELECT sum(range) OVER (ORDER BY hash(range)) s FROM range(100000000))",
    "unnest": "SELECT sum(u) FROM (SELECT unnest(range(4000000000)) u)",
    "nested lambdas": "SELECT list_transform(range(100000), lambda x: list_transform(range(100000), lambda y: x * y))",
    "factorials": "SELECT sum(length(CAST(factorial(33) AS VARCHAR))) FROM range(100000000000)",
    "a histogram": "SELECT map_keys(histogram(range)) FROM range(1000000000)",
    "a quantile": "SELECT quantile_cont(range, 0.5) FROM range(10000000000)",
    "nested brackets": "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "nested lists": "SELECT " + "[" * 40_000 + "1" + "]" * 40_000,
    "nested cases": "SELECT " + "CASE WHEN true THEN " * 4000 + "1" + " END" * 4000,
    "nested subqueries": "SELECT * FROM " + "(SELECT * FROM " * 5000 + "range(1)" + ")" * 5000,
    "a long sum": "SELECT 1" + " + 1" * 24_000,
}
ENDLESS = ATTACKS["a cross join"]


def peak_mib(pid: int) -> float:
    """Returns the most memory that a process has used."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    # A process that has ended uses none.
    return int((status.partition("VmHWM:")[2].split() or ["0"])[0]) / 1024


@pytest.fixture
def engine() -> Iterator[QueryEngine]:
    engine = QueryEngine(reads_s3=False)
    yield engine
    for process in engine._idle:
        process.end()


def peaks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collects the peak memory of processes that are killed at the deadline, in MiB."""
    collected: list[float] = []
    kill = _QueryProcess._end_late

    def measured(process: _QueryProcess) -> None:
        collected.append(peak_mib(process._process.pid))
        kill(process)

    monkeypatch.setattr(_QueryProcess, "_end_late", measured)
    return collected


def run_attack(attack: str, engine: QueryEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    collected, before = peaks(monkeypatch), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidRequest) as refusal:
        engine.run(Question(ATTACKS[attack], {}, LIMITS))
    assert refusal.value.advice
    collected += [peak_mib(process._process.pid) for process in engine._idle]
    # The limit, what is spared for the process, and what it has from the start.
    assert all(peak < LIMITS.memory_mib + 256 + 150 for peak in collected), collected
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


FEW = ("a long text in each row", "levenshtein", "a plan of nested queries", "one huge text", "nested subqueries")


@pytest.mark.parametrize("attack", FEW)
def test_an_attack_ends_within_the_limits(attack: str, engine: QueryEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    run_attack(attack, engine, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("attack", sorted(ATTACKS.keys() - set(FEW)))
def test_every_attack_ends_within_the_limits(attack: str, engine: QueryEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    run_attack(attack, engine, monkeypatch)


def test_without_the_process_an_attack_takes_more_memory_than_its_limit() -> None:
    # The engine's own limit does not count these texts.
    script = f"""
import resource
from crypto_lakehouse.query.limits import QueryLimits
from crypto_lakehouse.query.session import answer
rows = 0
try:
    for batch in answer({ATTACKS["a long text in each row"]!r}, {{}}, QueryLimits(memory_mib=100)):
        rows += batch.num_rows
        if rows > 10_000:
            break
except Exception as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(ended.stdout.split()[-1]) > 200, ended.stdout


def test_a_streamed_result_that_takes_too_long_is_refused_in_words(engine: QueryEngine) -> None:
    limits = QueryLimits(timeout_seconds=0.7, max_rows=10**12, max_result_mib=10**6)
    # Batches come until the engine looks for the next row that fits.
    text = "SELECT range FROM range(1000000000000) WHERE range < 100000 OR range > 900000000000"
    with pytest.raises(InvalidRequest, match=r"longer than 0\.7 s"):
        engine.run(Question(text, {}, limits))


def test_a_result_is_bounded_in_bytes_and_in_rows(engine: QueryEngine) -> None:
    text = "SELECT repeat('x', 1000) FROM range(100000)"
    with pytest.raises(InvalidRequest, match="more than 20 MiB"):
        engine.run(Question(text, {}, QueryLimits(max_result_mib=20)))
    cut = engine.run(Question(text, {}, QueryLimits(max_rows=10, max_result_mib=1)))
    assert (cut.frame.height, cut.truncated) == (10, True)
    whole = engine.run(Question("SELECT repeat('x', 1000) FROM range(100)", {}, QueryLimits(max_result_mib=1)))
    assert (whole.frame.height, whole.truncated) == (100, False)


def pid_of(engine: QueryEngine) -> int:
    (process,) = engine._idle
    return process._process.pid


def test_a_process_runs_the_next_query_and_is_replaced_where_it_has_ended(engine: QueryEngine) -> None:
    question = Question("SELECT 1 AS a", {}, QueryLimits())
    engine.run(question)
    first = pid_of(engine)
    with pytest.raises(InvalidRequest, match="cannot be parsed"):
        engine.run(Question("SELEC", {}, QueryLimits()))
    assert pid_of(engine) == first, "an error of a statement leaves the process as it is"
    os.kill(first, signal.SIGKILL)
    # At once, too: the process may still look alive.
    assert engine.run(question).frame.item() == 1
    wait_until(lambda: not is_running(first))
    assert engine.run(question).frame.item() == 1
    with pytest.raises(InvalidRequest, match="longer than"):
        engine.run(Question(ENDLESS, {}, LIMITS))
    assert engine._idle == []
    assert engine.run(question).frame.item() == 1
    assert pid_of(engine) != first


def test_threads_query_at_the_same_time(engine: QueryEngine) -> None:
    answers: dict[int, int] = {}

    def ask(number: int) -> None:
        answers[number] = engine.run(Question(f"SELECT {number} AS n", {}, QueryLimits())).frame.item()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {0: 0, 1: 1, 2: 2}


def test_a_process_gets_no_secret_of_our_environment(engine: QueryEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-aws")
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_EXCHANGE__API_KEY", "canary-exchange")
    monkeypatch.setenv("SOME_TOKEN", "canary-token")
    engine.run(Question("SELECT 1", {}, QueryLimits()))
    assert b"canary" not in Path(f"/proc/{pid_of(engine)}/environ").read_bytes()
    assert b"PYTHONPATH" in Path(f"/proc/{pid_of(engine)}/environ").read_bytes()
    # A lake in S3 is read with our role.
    assert _environment(reads_s3=True)["AWS_SECRET_ACCESS_KEY"] == "canary-aws"
    assert "SOME_TOKEN" not in _environment(reads_s3=True)


PARENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from crypto_lakehouse.query.limits import QueryLimits
from crypto_lakehouse.query.process import QueryEngine
from crypto_lakehouse.query.question import Question
engine = QueryEngine(reads_s3=False)
limits = QueryLimits(timeout_seconds=100000)
engine.run(Question("SELECT 1", {}, limits))
print(engine._idle[0]._process.pid, flush=True)
engine.run(Question(sys.stdin.read(), {}, limits))
"""


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("attack", ["levenshtein", "a plan of many joins"])
def test_the_process_of_a_query_ends_with_ours(how: signal.Signals, attack: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        child = int(parent.stdout.readline())
        before = cpu_seconds(child)
        parent.stdin.write(ATTACKS[attack].encode())
        parent.stdin.close()
        wait_until(lambda: cpu_seconds(child) > before + 0.1)
        parent.send_signal(how)
        parent.wait()
        wait_until(lambda: not is_running(child))


def test_the_limits_come_from_the_settings_the_query_and_the_options(
    settings: Settings, build_lake: Callable[[Path], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_lake(Path(settings.lake))
    few = QuerySettings(max_rows=2, max_result_mib=1)
    lake = Lake.open(settings.model_copy(update={"query": few}))
    text = "SELECT repeat('x', 1000000) AS x FROM range(3)"
    with pytest.raises(InvalidRequest, match="more than 1 MiB"):
        lake.sql(text)
    with pytest.raises(InvalidRequest, match="more than 2 rows"):
        lake.sql("FROM range(3)")
    assert lake.sql(text, QueryLimits()).height == 3
    monkeypatch.setenv(f"{PREFIX}LAKE", settings.lake)
    load_settings.cache_clear()
    assert main(["query", "sql", text, "--format", "csv", "--max-result-mib", "1"]) == 64
    assert main(["query", "sql", ENDLESS, "--timeout", "0.1"]) == 64
    assert main(["query", "sql", text, "--format", "csv"]) == 0
    load_settings.cache_clear()
