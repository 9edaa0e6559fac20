"""A bucket of any size that exists only as its listing; a program of its own, so that it costs the planner nothing.

    python tests/bench/listing_server.py SYMBOLS DAYS

prints its port. Every symbol has daily one-minute spot klines with CHECKSUMs for DAYS days up to 2026-10-31.
"""

import re
import sys
from datetime import date, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PREFIX = "data/spot/daily/klines/"
LAST_DAY = date(2026, 10, 31)
PAGE = 1000


def main() -> None:
    """Serves until it is ended."""
    symbols, days = int(sys.argv[1]), int(sys.argv[2])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            body = _listing(query, symbols, days)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def _listing(query: dict[str, str], symbols: int, days: int) -> bytes:
    prefix = query["prefix"]
    if "delimiter" in query:
        names = (f"{prefix}SYM{number:04}USDT/" for number in range(symbols)) if prefix == PREFIX else ()
        return _document("".join(f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in names), "")
    found = re.fullmatch(f"{PREFIX}(SYM\\d{{4}}USDT)/1m/", prefix)
    if found is None:
        return _document("", "")
    return _page(int(query.get("continuation-token", "0")), days).replace(b"SYMBOL", found[1].encode())


@cache
def _page(number: int, days: int) -> bytes:
    keys = [
        f"{PREFIX}SYMBOL/1m/SYMBOL-1m-{LAST_DAY - timedelta(days - 1 - day)}.zip{end}"
        for day in range(days)
        for end in ("", ".CHECKSUM")
    ]
    shown = keys[number * PAGE : (number + 1) * PAGE]
    more = str(number + 1) if (number + 1) * PAGE < len(keys) else ""
    return _document("".join(map(_entry, shown)), more)


def _entry(key: str) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>70000</Size></Contents>"
    )


def _document(body: str, token: str) -> bytes:
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}{body}"
        "</ListBucketResult>"
    ).encode()


if __name__ == "__main__":
    main()
