"""An exchange on loopback that returns what a function says, and the answers of the exchanges in their own form."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.loopback import listening

Answer = Callable[[str, Mapping[str, str]], tuple[int, Any]]
HOUR = 3600


@contextmanager
def venue(answer: Answer) -> Iterator[str]:
    """Serves what `answer(path, params)` returns, a status and a body for JSON; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            status, body = answer(parts.path, dict(parse_qsl(parts.query)))
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    with listening(Handler) as address:
        yield f"http://{address}"


def kraken(candles: Sequence[Sequence[object]] = (), trades: Sequence[tuple[int, str, int]] = ()) -> Answer:
    """Returns answers as Kraken gives them; trades are nanoseconds, price and number."""

    def answer(path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        if path.endswith("/Time"):
            return 200, {"error": [], "result": {"unixtime": int(time.time())}}
        if path.endswith("/OHLC"):
            return 200, {"error": [], "result": {"PAIR": candles, "last": candles[-2][0]}}
        since = int(params["since"])
        chosen = [trade for trade in trades if trade[0] > since][: int(params.get("count", 1000))]
        rows = ",".join(
            f'["{price}","0.001",{moment // 10**9}.{moment % 10**9:09d},"b","l","",{number}]'
            for moment, price, number in chosen
        )
        last = chosen[-1][0] if chosen else since
        return 200, f'{{"error":[],"result":{{"PAIR":[{rows}],"last":"{last}"}}}}'

    return answer


def funding(hours: Sequence[int], start: int) -> Answer:
    """Returns answers as USD-M gives them, with payments at these hours past `start`."""
    rows = [
        {
            "symbol": "ABCUSDT",
            "fundingTime": (start + hour * HOUR) * 1000 + 3,
            "fundingRate": "0.00010000",
            "markPrice": "1",
        }
        for hour in hours
    ]

    def answer(path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        if path.endswith("/time"):
            return 200, {"serverTime": int(time.time() * 1000)}
        low, high = int(params["startTime"]), int(params.get("endTime", 9e15))
        return 200, [row for row in rows if low <= int(str(row["fundingTime"])) <= high]

    return answer
