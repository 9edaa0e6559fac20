"""What an archive sends reaches no sink of a run raw: no key of ours, nothing that steers a terminal or a page."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse import foreign_text
from crypto_lakehouse.cli import main
from crypto_lakehouse.settings import PREFIX, load_settings
from tests.crypto_lakehouse.archive.objects import put_object
from tests.fakes.bucket import FakeBucket, serving

NAME = "binance_um_klines"
KEY = "canary-key-1"
FOREIGN = f"{KEY} \x1b[2J<script>steer()</script>"
RUN = ["klines", "--market", "um", "--symbols", "BTCUSDT", "--interval", "1m"]
DAYS = ["--start-date", "2024-01-01", "--end-date", "2024-01-03"]


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as served:
        yield served


def sinks(lake: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Returns what a run wrote for people and for other steps: both streams, evidence, reports and logs."""
    texts = dict(zip(("stdout", "stderr"), capsys.readouterr(), strict=True))
    kinds = {".json", ".jsonl", ".html", ".txt", ".md"}
    files = [path for path in lake.rglob("*") if path.is_file() and path.suffix in kinds]
    return texts | {str(path): path.read_text(encoding="utf-8") for path in files}


def run_with_foreign_text(bucket: FakeBucket, monkeypatch: pytest.MonkeyPatch) -> int:
    content = FOREIGN.encode()
    bad_checksum = put_object(bucket, NAME, date(2024, 1, 1))
    bucket.objects[f"{bad_checksum}.CHECKSUM"] = content
    put_object(bucket, NAME, date(2024, 1, 2), rows=content + b",2,3\n")
    put_object(bucket, NAME, date(2024, 1, 3), rows=b"1704240000000," + content * 4 + b"\n")
    monkeypatch.setenv(f"{PREFIX}ARCHIVE__ENDPOINT_URL", bucket.endpoint)
    monkeypatch.setenv(f"{PREFIX}EXCHANGE__ENABLED", "false")
    load_settings.cache_clear()
    return main(["ingest", *RUN, *DAYS])


def test_no_sink_of_a_run_has_a_key_or_steers(
    bucket: FakeBucket, lake_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foreign_text, "_KNOWN", {KEY})
    assert run_with_foreign_text(bucket, monkeypatch) == 65
    texts = sinks(lake_folder, capsys)
    assert any(name.endswith(".html") for name in texts)
    # The reasons are there, with the safe part of what was sent.
    assert sum("\\x1b[2J" in text for text in texts.values()) >= 2
    for name, text in texts.items():
        assert KEY not in text, name
        assert "\x1b[2J" not in text, name
        assert "<script>steer" not in text or not name.endswith(".html"), name


def test_a_deliberate_leak_is_found(
    bucket: FakeBucket, lake_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody keeps the key a secret.
    monkeypatch.setattr(foreign_text, "_KNOWN", set())
    assert run_with_foreign_text(bucket, monkeypatch) == 65
    assert sum(KEY in text for text in sinks(lake_folder, capsys).values()) >= 2
