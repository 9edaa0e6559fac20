"""The HTTP session of a transport: every answer is bounded in bytes and in seconds."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from crypto_lakehouse.http_limits import AnswerBeyondLimits, AnswerLimits
from crypto_lakehouse.proxies import proxy_for
from crypto_lakehouse.runbook import Entry, see

_MAX_REDIRECTS = 3


def bounded_session(limits: AnswerLimits) -> requests.Session:
    """Returns a session whose answers are read whole, within limits, before anyone looks at them."""
    session = requests.Session()
    session.max_redirects = _MAX_REDIRECTS
    for scheme in ("http://", "https://"):
        session.mount(scheme, _BoundedAdapter(limits))
    return session


class _BoundedAdapter(HTTPAdapter):
    def __init__(self, limits: AnswerLimits) -> None:
        self._limits = limits
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self._limits.limit_headers(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        self._limits.limit_headers(manager)
        return manager

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Returns an answer with its body. Each request, also one after a redirect, uses the proxy of its own address.

        Raises:
            RequestException: There is none, or it is beyond the limits.
        """
        try:
            response = super().send(request, *arguments, **{**options, "stream": True, "proxies": _proxies(request)})
            response._content = self._limits.body(response.raw)
        except urllib3.exceptions.DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error) from error
        except urllib3.exceptions.ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from error
        response._content_consumed = True
        return response


def _proxies(request: requests.PreparedRequest) -> dict[str, str]:
    url = request.url or ""
    proxy = proxy_for(url)
    return {urlsplit(url).scheme: proxy} if proxy else {}


@dataclass(frozen=True, slots=True)
class Silence:
    """Why there is no answer.

    Args:
        reason: The limit that it exceeds, or what failed.
        advice: What to look at; empty where there is nothing to do but to wait.
    """

    reason: str
    advice: str = ""


_KINDS = (
    (
        urllib3.exceptions.ProxyError,
        Silence(
            "the proxy did not let the request through",
            f"Check the proxy that HTTP_PROXY or HTTPS_PROXY names. {see(Entry.EXCHANGE_SILENT)}",
        ),
    ),
    (
        socket.gaierror,
        Silence(
            "the name of its host cannot be resolved",
            f"Check the name server of this machine and CRYPTO_LAKEHOUSE_EXCHANGE__*_URL. {see(Entry.EXCHANGE_SILENT)}",
        ),
    ),
    (
        ssl.SSLError,
        Silence(
            "no trusted TLS connection was possible",
            "Check the clock and the certificates of this machine, and whether a proxy opens the connection. "
            f"{see(Entry.EXCHANGE_SILENT)}",
        ),
    ),
)


def silence_of(error: BaseException) -> Silence:
    """Returns why there is no answer. Text of other libraries is not repeated: it has URLs, which may have keys."""
    for cause in _causes(error):
        if isinstance(cause, AnswerBeyondLimits):
            return Silence(str(cause))
        for kind, silence in _KINDS:
            if isinstance(cause, kind):
                return silence
    return Silence(type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what led to it; urllib3 keeps it in `reason`, requests in its arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [each for each in inner if isinstance(each, BaseException)]
