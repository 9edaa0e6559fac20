"""The synthetic archive in a bucket: whole, once, and laid out as the real one."""

from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.demo import uploading
from crypto_lakehouse.demo.requests import synthetic_requests
from crypto_lakehouse.demo.uploading import MARKER, main, upload
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.settings import load_settings

SMALL = {"binance_um_metrics", "binance_um_funding_rate", "binance_option_bvol_index"}


def test_the_archive_is_uploaded_once_and_made_whole_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A part of it does: what all of it holds is the matter of `test_synthetic`, and building it takes long.
    some = [request for request in synthetic_requests() if request.dataset.name in SMALL]
    assert len(some) == len(SMALL)
    monkeypatch.setattr(uploading, "synthetic_requests", lambda: some)
    bucket = LocalStorage(tmp_path)
    count = upload(bucket)
    keys = [one.key for one in bucket.list("data/")]
    assert count == len(keys) + 1
    zips = [one for one in keys if one.endswith(".zip")]
    assert zips
    assert all(parse_key(one) for one in zips)
    assert upload(bucket) == 0
    (tmp_path / MARKER).unlink()
    assert upload(bucket) == count


def test_a_bucket_that_does_not_answer_is_told_and_not_raised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    load_settings.cache_clear()
    assert main() == 65
    assert "did not answer" in capsys.readouterr().err
    load_settings.cache_clear()
