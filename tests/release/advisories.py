"""A stand-in for a service of advisories on loopback, which speaks what the auditor asks of OSV."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Advisories:
    """What has a hole, by name; `broken` packages get an answer of an error instead; `asked` records the rest."""

    holes: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(advisories: Advisories) -> Iterator[Advisories]:
    """Answers at `url` until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = query["package"]["name"], query["version"]
            advisories.asked.append((name, version))
            if name in advisories.broken:
                self.send_error(503)
                return
            body = json.dumps({"vulns": [hole(name, advisories.holes[name])]} if name in advisories.holes else {})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    advisories.url = f"http://127.0.0.1:{server.server_port}/v1/query"
    yield advisories
    server.shutdown()
    server.server_close()
    thread.join()


def hole(package: str, name: str) -> dict[str, object]:
    """Returns an advisory that concerns every version of a package."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99999"}]}]
    affected = [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}]
    published = "2026-01-01T00:00:00Z"
    return {"id": name, "summary": "a hole", "details": "a hole", "published": published, "affected": affected}
