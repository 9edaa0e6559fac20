"""The seven partial-listing faults, and the rest of what a listing may do: said, never swallowed."""

import pytest

from crypto_lakehouse.archive import bucket as bucket_module
from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.errors import ListingSuspect, SourceUnavailable
from crypto_lakehouse.settings import TransferProfile
from tests.fakes.bucket import FakeBucket

PREFIX = "data/spot/daily/klines/BTCUSDT/1m/"
KEYS = [f"{PREFIX}BTCUSDT-1m-2024-01-{day:02}.zip" for day in range(1, 8)]
PROFILE = TransferProfile(retries=2)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "_pause", lambda _attempt: None)


def filled(bucket: FakeBucket, page_size: int = 3) -> FakeBucket:
    bucket.objects = dict.fromkeys(KEYS, b"zip")
    bucket.page_size = page_size
    return bucket


def listed(bucket: FakeBucket) -> list[str]:
    return [key for page in Bucket(bucket.archive, PROFILE).pages(PREFIX) for key in page.keys]


def test_all_pages_are_read_to_the_end(bucket: FakeBucket) -> None:
    assert listed(filled(bucket)) == KEYS
    assert len(bucket.requests) == 3


def test_an_empty_prefix_lists_nothing(bucket: FakeBucket) -> None:
    assert listed(bucket) == []


def test_a_lost_second_page_is_a_failure(bucket: FakeBucket) -> None:
    filled(bucket).fault = lambda path: (500, b"") if "continuation-token" in path else None
    with pytest.raises(SourceUnavailable, match="HTTP 500 after 3 attempts"):
        listed(bucket)
    assert sum("continuation-token" in path for path in bucket.requests) == 3


def test_a_truncated_document_is_a_failure(bucket: FakeBucket) -> None:
    filled(bucket).rewrite = lambda body, _path: body[: len(body) // 2]
    with pytest.raises(SourceUnavailable, match="is not XML"):
        listed(bucket)


def test_a_page_that_denies_there_is_more_and_names_it_is_suspect(bucket: FakeBucket) -> None:
    filled(bucket).rewrite = lambda body, _path: body.replace(b"<IsTruncated>true", b"<IsTruncated>false")
    with pytest.raises(ListingSuspect, match="truncated=false"):
        listed(bucket)


def test_a_page_that_says_nothing_of_its_end_is_suspect(bucket: FakeBucket) -> None:
    filled(bucket).rewrite = lambda body, _path: body.replace(b"<IsTruncated>true</IsTruncated>", b"")
    with pytest.raises(ListingSuspect, match="does not contain whether it is complete"):
        listed(bucket)


def test_a_repeated_page_is_suspect(bucket: FakeBucket) -> None:
    first: list[bytes] = []

    def repeat(body: bytes, _path: str) -> bytes:
        first.append(body)
        return first[0]

    filled(bucket).rewrite = repeat
    with pytest.raises(ListingSuspect, match="out of order"):
        listed(bucket)
    assert len(first) == 2


def test_unsorted_keys_are_suspect(bucket: FakeBucket) -> None:
    def swap(body: bytes, _path: str) -> bytes:
        return body.replace(b"2024-01-01.zip", b"2024-01-09.zip")

    filled(bucket).rewrite = swap
    with pytest.raises(ListingSuspect, match="out of order"):
        listed(bucket)


def test_keys_of_another_prefix_are_suspect(bucket: FakeBucket) -> None:
    filled(bucket).rewrite = lambda body, _path: body.replace(b"data/spot/daily", b"data/spot/dairy")
    with pytest.raises(ListingSuspect, match="is outside the prefix"):
        listed(bucket)


def test_a_server_that_ignores_where_to_go_on_is_suspect(bucket: FakeBucket) -> None:
    filled(bucket)
    answer = bucket.answer
    bucket.answer = lambda path: answer(path.partition("&continuation-token")[0])  # type: ignore[method-assign]
    with pytest.raises(ListingSuspect, match="out of order"):
        listed(bucket)


def test_a_web_page_instead_of_a_listing_is_a_failure(bucket: FakeBucket) -> None:
    filled(bucket).rewrite = lambda _body, _path: b"<html><body>hello</body></html>"
    with pytest.raises(SourceUnavailable, match="instead of a listing"):
        listed(bucket)


def test_a_passing_403_is_tried_again_and_a_lasting_one_is_a_failure(bucket: FakeBucket) -> None:
    filled(bucket)
    bucket.fault = lambda _path: (403, b"") if len(bucket.requests) == 1 else None
    assert listed(bucket) == KEYS
    bucket.fault = lambda _path: (403, b"")
    with pytest.raises(SourceUnavailable, match="HTTP 403"):
        listed(bucket)


def test_a_symbol_in_another_script_is_listed_as_it_is(bucket: FakeBucket) -> None:
    key = "data/futures/um/daily/klines/币安人生USDT/1m/币安人生USDT-1m-2026-01-01.zip"
    bucket.objects = {key: b"zip"}
    client = Bucket(bucket.archive, PROFILE)
    assert client.folders("data/futures/um/daily/klines/") == ["币安人生USDT"]
    assert [one for page in client.pages("data/futures/um/daily/klines/币安人生USDT/") for one in page.keys] == [key]
