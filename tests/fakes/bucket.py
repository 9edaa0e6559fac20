"""A programmable bucket on loopback: lists and serves what a test puts in it, and misbehaves on command.

It speaks the part of S3 that the archive needs: ListObjectsV2 and GET. `requests` records what was asked, so that a
test can prove that its fault was met.
"""

import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from crypto_lakehouse.settings import ArchiveSettings
from tests.fakes.loopback import listening

BUCKET = "data.binance.vision"


class FakeBucket:
    """What the bucket holds, and how it behaves.

    `fault` sees the path with its query, and returns a status and a body to answer with instead, or None.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.page_size = 1000
        self.requests: list[str] = []
        self.fault: Callable[[str], tuple[int, bytes] | None] = lambda _path: None
        self.rewrite: Callable[[bytes, str], bytes] = lambda body, _path: body
        # How many bytes of a body to send before the connection is cut; None sends it whole.
        self.cut: Callable[[str, int], int | None] = lambda _path, _length: None
        self.endpoint = ""

    @property
    def archive(self) -> ArchiveSettings:
        return ArchiveSettings(endpoint_url=self.endpoint, bucket=BUCKET)

    def answer(self, path: str) -> tuple[int, bytes]:
        self.requests.append(path)
        planned = self.fault(path)
        if planned is not None:
            return planned
        parts = urlsplit(path)
        if "list-type" in parts.query:
            return 200, self.rewrite(self._listing(parse_qs(parts.query, keep_blank_values=True)), path)
        key = unquote(parts.path).removeprefix(f"/{BUCKET}/")
        return (200, self.objects[key]) if key in self.objects else (404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _listing(self, query: dict[str, list[str]]) -> bytes:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        keys = sorted(key for key in self.objects if key.startswith(prefix))
        if delimiter:
            folders = sorted({prefix + key.removeprefix(prefix).partition("/")[0] + "/" for key in keys})
            body = "".join(f"<CommonPrefixes><Prefix>{quote(one)}</Prefix></CommonPrefixes>" for one in folders)
            return _document(body, None)
        page = [key for key in keys if key > after][: self.page_size]
        more = bool(page) and page[-1] != keys[-1]
        return _document("".join(self._entry(key) for key in page), page[-1] if more else None)

    def _entry(self, key: str) -> str:
        data = self.objects[key]
        etag = hashlib.md5(data).hexdigest()  # what S3 itself uses
        return (
            f"<Contents><Key>{quote(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag><Size>{len(data)}</Size></Contents>"
        )


def _document(body: str, token: str | None) -> bytes:
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<EncodingType>url</EncodingType><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}{body}"
        "</ListBucketResult>"
    ).encode()


@contextmanager
def serving(bucket: FakeBucket, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[FakeBucket]:
    """Serves the bucket on a free port, of loopback unless told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = bucket.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            if self.command == "HEAD":
                return
            sent = bucket.cut(self.path, len(body))
            self.wfile.write(body if sent is None else body[:sent])
            if sent is not None:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        do_HEAD = do_GET  # noqa: N815  the name is http.server's

        def log_message(self, *_: object) -> None:
            return

    with listening(Handler, host, tls) as address:
        bucket.endpoint = f"http://{address}"
        yield bucket
