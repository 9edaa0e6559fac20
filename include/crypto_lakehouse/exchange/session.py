"""The HTTP session of a transport: every answer is bounded in bytes and in seconds."""

from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from crypto_lakehouse.http_limits import AnswerBeyondLimits, AnswerLimits

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

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """Returns an answer with its body.

        Raises:
            RequestException: There is none, or it is beyond the limits.
        """
        try:
            response = super().send(*arguments, **{**options, "stream": True})
            response._content = self._limits.body(response.raw)
        except urllib3.exceptions.DecodeError as error:
            raise requests.exceptions.ContentDecodingError(error) from error
        except urllib3.exceptions.ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from error
        response._content_consumed = True
        return response


def reason_of(error: BaseException) -> str:
    """Returns why there is no answer: the limit that it exceeds, or the kind of the error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AnswerBeyondLimits):
            return str(cause)
        cause = cause.__cause__
    return type(error).__name__
