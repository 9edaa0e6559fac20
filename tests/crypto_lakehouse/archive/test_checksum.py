import pytest

from crypto_lakehouse.archive.checksum import published_sha256
from crypto_lakehouse.errors import ChecksumMismatch

NAME = "BTCUSDT-1m-2024-01-01.zip"
SHA = "ab" * 32


@pytest.mark.parametrize(
    "content",
    [
        f"{SHA}  {NAME}",
        f"{SHA}  {NAME}\n",
        f"{SHA.upper()}  {NAME}\n",
        f"{SHA}  {NAME}\r\n",
    ],
    ids=["as published", "newline", "upper case", "CRLF"],
)
def test_a_checksum_in_any_harmless_spelling_is_read(content: str) -> None:
    assert published_sha256(content.encode(), NAME) == SHA


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not"),
        (f"{SHA}  ETHUSDT-1m-2024-01-01.zip".encode(), "is for 'ETHUSDT"),
        (b"<html><body>AccessDenied</body></html>", "is not"),
        (f"{SHA}  {NAME}\n{SHA}  {NAME}\n".encode(), "is not"),
        (f"{SHA[:-1]}  {NAME}".encode(), "is not"),
        (b"\xff\xfe\x00", "is not"),
    ],
    ids=["empty", "wrong name", "HTML", "two lines", "short digest", "no text"],
)
def test_anything_else_vouches_for_nothing(content: bytes, reason: str) -> None:
    with pytest.raises(ChecksumMismatch, match=reason):
        published_sha256(content, NAME)


def test_a_name_in_another_script_is_compared_as_it_is() -> None:
    name = "币安人生USDT-1m-2026-01-01.zip"
    assert published_sha256(f"{SHA}  {name}".encode(), name) == SHA
