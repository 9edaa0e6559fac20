"""Text from outside reaches no sink as it is: it steers no terminal, fills no log, and repeats no secret of ours."""

import pytest
from pydantic import SecretStr

from crypto_lakehouse import foreign_text, telemetry
from crypto_lakehouse.cli.output import note_traceback
from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.foreign_text import FOREIGN_CHARACTERS, foreign, message, without_secrets
from crypto_lakehouse.settings import ExchangeSettings, StorageSettings

STEERING = "\x1b[2J\x1b]0;owned\x07\x08\x00\u202e\ud800\x9b31m\u2028"
CANARY = "canary/7f+3a=61"
ENCODED = "canary%2F7f%2B3a%3D61"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key of the settings, known in this test only."""
    monkeypatch.setattr(foreign_text, "_KNOWN", set())
    ExchangeSettings(api_key=SecretStr(CANARY))
    return CANARY


def test_a_foreign_text_is_one_short_printable_line() -> None:
    line = foreign(f"first\n\tsecond {STEERING}币安人生USDT" + "x" * 10_000)
    assert line.isprintable()
    assert line.startswith("first second \\x1b[2J")
    assert "币安人生USDT" in line
    assert len(line) < FOREIGN_CHARACTERS + 30
    assert line.encode() is not None


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("GET https://host/x?apiKey=abcdef&b=1", "GET https://host/x?apiKey=***&b=1"),
        ("X-MBX-APIKEY: abcdef", "X-MBX-APIKEY: ***"),
        ('{"signature": "abcdef"}', '{"signature": "***"}'),
        ("http://me:word@proxy:1/", "http://***@proxy:1/"),
        ("Authorization: Bearer abcdef", "Authorization: Bearer ***"),
        ("BTCUSDT has 3 tokens", "BTCUSDT has 3 tokens"),
    ],
)
def test_what_is_named_a_secret_is_hidden(text: str, safe: str) -> None:
    assert without_secrets(text) == safe


@pytest.mark.usefixtures("secret")
def test_a_key_of_settings_or_environment_is_hidden_in_each_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_TOKEN", "another-canary")
    text = without_secrets(f"{CANARY} {ENCODED} another-canary")
    assert "canary" not in text
    StorageSettings(secret_access_key=SecretStr("third-canary"))
    assert without_secrets("third-canary") == "***"


def test_a_control_a_key_that_nobody_keeps_secret_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_text, "_KNOWN", set())
    assert CANARY in message(CANARY)


@pytest.mark.parametrize("kind", [SourceUnavailable, InvalidRequest])
def test_an_error_has_no_secret_and_nothing_that_steers(kind: type[LakehouseError], secret: str) -> None:
    error = kind(f"answered {secret}{STEERING}", f"see {ENCODED}", dataset="d", partition=f"p{STEERING}")
    for text in (str(error), error.what, error.advice, repr(error), *map(str, error.args)):
        assert "canary" not in text
        assert all(line.isprintable() for line in text.split("\n"))


def test_an_error_of_a_huge_body_is_short() -> None:
    assert len(str(SourceUnavailable("x" * 10**6))) < 5000


def test_events_and_tracebacks_have_no_secret_and_nothing_that_steers(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with telemetry.switched_on():
        telemetry.event("odd", telemetry.Level.WARNING, key=f"{secret}{STEERING}")
    try:
        raise ValueError(f"{secret}{STEERING}")
    except ValueError as error:
        note_traceback(error)
    err = capsys.readouterr().err
    assert "odd" in err
    assert "ValueError" in err
    assert "canary" not in err
    assert "\x1b" not in err
