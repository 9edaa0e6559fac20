"""Whatever a server answers, the client returns it as received or raises an error of ours; never anything else."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import SecretStr

from crypto_lakehouse.endpoints.binance import SERVER_TIME
from crypto_lakehouse.errors import InvalidRequest, LakehouseError, RateLimited, SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.settings import ExchangeSettings
from crypto_lakehouse.vocabulary import Market
from tests.fakes.loopback import listening
from tests.rest_lake import VirtualTime, exchange_settings

NOON = 1_735_905_600.0
TIME = SERVER_TIME[Market.UM]


@dataclass
class Reply:
    """What to answer; `cut` closes the connection after so many bytes."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Answering:
    """A server that answers as told, the last reply again and again."""

    replies: list[Reply]
    asked: int = 0
    url: str = ""

    def next(self) -> Reply:
        self.asked += 1
        return self.replies[min(self.asked, len(self.replies)) - 1]


@contextmanager
def answering(*replies: Reply) -> Iterator[Answering]:
    told = Answering(list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = told.next()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])

        def log_message(self, *_: object) -> None:
            return

    with listening(Handler) as address:
        told.url = f"http://{address}"
        yield told


@dataclass
class Asker:
    folder: Path
    time: VirtualTime = field(default_factory=lambda: VirtualTime(NOON))

    def client(self, server: Answering, **others: object) -> ExchangeClient:
        settings: ExchangeSettings = exchange_settings(server.url, self.folder, **others)
        limiter = open_limiter(settings, Market.UM)
        limiter.clock, limiter.sleep = self.time, self.time.sleep
        return ExchangeClient(settings, Market.UM, limiter, self.time, self.time.sleep)


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


def test_an_answer_is_kept_as_received_with_what_was_asked(asker: Asker) -> None:
    body = '{"serverTime": 1735905600000,  "price": 0.10000000000000001, "word": "\\u5e01安"}'
    with answering(Reply(body.encode(), headers={"X-MBX-USED-WEIGHT-1M": "17"})) as server:
        page = asker.client(server).request(TIME, {"limit": 5})
    assert page.answer.body == body
    assert (page.answer.status, page.answer.weight_used, page.answer.path) == (200, 17, "time")
    assert page.answer.params == {"limit": 5}
    assert page.answer.at.timestamp() == NOON


SENSELESS = [
    Reply(b"<html>welcome to the hotel</html>"),
    Reply(b""),
    Reply(b"7"),
    Reply(b'"text"'),
    Reply(b"[1, 2"),
    Reply(b"[" * 200_000),
    Reply(b"\xff\xfe\x00"),
    Reply(b'{"serverTime": 1735905600000}', cut=10),
    Reply(b"", 500),
    Reply(b"<html>", 503, {"Retry-After": "1"}),
    Reply(b'{"code": -1001, "msg": "DISCONNECTED"}', 500),
    Reply(b"\x1f\x8bno gzip", headers={"Content-Encoding": "gzip"}),
]


@pytest.mark.parametrize("reply", SENSELESS, ids=lambda reply: f"{reply.status} {reply.body[:12]!r}")
def test_what_makes_no_sense_is_asked_again_and_then_an_error_of_ours(asker: Asker, reply: Reply) -> None:
    with answering(reply) as server:
        with pytest.raises(SourceUnavailable):
            asker.client(server).request(TIME, {})
        assert server.asked == 4
    assert len(asker.time.slept) == 3
    with answering(reply, Reply(b"{}")) as server:
        assert asker.client(server).request(TIME, {}).content == {}
        assert server.asked == 2


@pytest.mark.parametrize("body", ["{}", '{"serverTime": "x"}', '{"serverTime": null}', "[]", '{"serverTime": 1.5}'])
def test_a_time_that_is_none_is_drift(asker: Asker, body: str) -> None:
    with answering(Reply(body.encode())) as server, pytest.raises(SchemaDrift):
        asker.client(server).server_time()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("", 60.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 60.0), ("-5", 60.0), ("1e9", 60.0), ("0", 0.0)],
)
def test_a_wait_that_cannot_be_read_is_taken_for_a_window(asker: Asker, said: str, seconds: float) -> None:
    limited = Reply(b'{"code": -1003, "msg": "Too many"}', 429, {"Retry-After": said} if said else {})
    with answering(limited, Reply(b"{}")) as server:
        asker.client(server).request(TIME, {})
    assert sum(asker.time.slept) == seconds


def test_a_ban_of_days_is_not_slept_through(asker: Asker) -> None:
    with answering(Reply(b"{}", 418, {"Retry-After": "259200"})) as server:
        with pytest.raises(RateLimited, match="259200 s"):
            asker.client(server).request(TIME, {})
        assert server.asked == 1
    assert sum(asker.time.slept) == 0


def test_no_secret_is_in_an_error_and_no_endless_text(asker: Asker) -> None:
    body = json.dumps({"code": -1100, "msg": "x" * 100_000}).encode()
    with answering(Reply(body, 400)) as server, pytest.raises(InvalidRequest) as raised:
        asker.client(server, api_key="very-secret").request(TIME, {})
    assert len(str(raised.value)) < 600
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize("time", ["1e30", "1000000000000000000000000000000", "-1", "Infinity", "9999999999999999999"])
def test_a_time_beyond_all_times_is_drift(asker: Asker, time: str) -> None:
    with answering(Reply(f'{{"serverTime": {time}}}'.encode())) as server, pytest.raises(SchemaDrift):
        asker.client(server).server_time()


@pytest.mark.parametrize("value", ["²", "9" * 400, "1e30", "-1", "0x10", "1_0", " "])
def test_an_odd_header_counts_as_none(asker: Asker, value: str) -> None:
    headers = {"X-MBX-USED-WEIGHT-1M": value.encode().decode("latin-1")}
    with answering(Reply(b'{"serverTime": 1735905600000}', headers=headers)) as server:
        assert asker.client(server).request(TIME, {}).answer.weight_used is None
    headers = {"Retry-After": value.encode().decode("latin-1")}
    with answering(Reply(b"{}", 429, headers=headers)) as server, pytest.raises(RateLimited):
        asker.client(server, attempts=1).request(TIME, {})


def test_nobody_waits_longer_than_the_longest_ban(asker: Asker) -> None:
    with answering(Reply(b"{}", 418, headers={"Retry-After": "999999999"})) as server:
        client = asker.client(server, attempts=1)
        with pytest.raises(RateLimited):
            client.request(TIME, {})
        asker.time.sleep(3 * 86_400 + 1)
        with pytest.raises(RateLimited):
            client.request(TIME, {})
        assert server.asked == 2


STEERING = "\\u001b[2J\\ud800\\u202e"


@pytest.mark.parametrize("status", [200, 400, 403, 418, 429, 451, 500])
@pytest.mark.parametrize(
    "body",
    [
        f'{{"code": -1100, "msg": "key canary-key-1 {STEERING}"}}',
        f'{{"code": -1121, "msg": "key canary-key-1 {STEERING}"}}',
        "<html>Blocked: https://fapi/time?apiKey=canary-key-1&x=\x1b[2J\u202e</html>",
    ],
)
def test_what_a_firewall_echoes_is_not_repeated(asker: Asker, status: int, body: str) -> None:
    with answering(Reply(body.encode(), status)) as server:
        client = asker.client(server, attempts=1, api_key=SecretStr("canary-key-1"))
        try:
            text = repr(client.request(TIME, {}).content)
        except LakehouseError as error:
            text = f"{error}{error!r}{error.what}"
            assert "canary" not in text
            assert "\x1b" not in text
            assert text.encode()
        else:
            # The words of an answer that is no refusal are data, and are kept as received.
            assert "canary" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (451, "location that the exchange serves"),
        (403, "Wait an hour"),
        (429, "Nothing is to be done"),
        (418, "Nothing is to be done"),
    ],
)
def test_the_advice_of_a_refusal_is_one_that_helps(asker: Asker, status: int, words: str) -> None:
    with answering(Reply(b"{}", status, {"Retry-After": "3000"})) as server:
        for _ in range(2):
            with pytest.raises(LakehouseError) as raised:
                asker.client(server, attempts=1).request(TIME, {})
            assert words in raised.value.advice or status == 403
            assert "docs/runbook.md#the-exchange-" in raised.value.advice
            # The file is the budget of all processes.
            assert "limits.sqlite" not in str(raised.value)
    assert server.asked == 1, "nobody asks again while the refusal lasts"


def test_a_host_without_tls_or_without_a_name_is_told_with_what_to_check(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(Reply(b"{}")) as server:
        server.url = server.url.replace("http:", "https:")
        client = asker.client(server, attempts=1)
        with pytest.raises(SourceUnavailable, match="no trusted TLS connection") as raised:
            client.request(TIME, {})
        assert "clock and the certificates" in raised.value.advice

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(SourceUnavailable, match="the name of its host cannot be resolved") as raised:
            client.request(TIME, {})
        assert "name server" in raised.value.advice
    assert server.asked == 0
