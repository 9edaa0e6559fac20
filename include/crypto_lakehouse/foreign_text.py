"""Text from outside in our messages: escaped, shortened, and without secrets.

A body of an exchange, a key of a listing, a cell of a file or a message of an engine may steer a terminal, fill a log,
or repeat a key of ours. So such text goes through `foreign` before it becomes part of a message. Every error, event and
traceback goes through `message` before it is written.
"""

import os
import re
from base64 import b64encode
from urllib.parse import quote, quote_plus, unquote

FOREIGN_CHARACTERS = 120
"""Maximum length of a foreign text in a message."""
_MESSAGE_CHARACTERS = 4000

HIDDEN = "***"
_SHORTEST_SECRET = 6
_SECRET_VARIABLE = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE|CREDENTIAL", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+:[^/\s@]+(?=@)")
_NAMED = re.compile(
    r"(?i)((?:x-mbx-apikey|api[-_]?key|signature|secret|token|password|authorization)[\"']?\s*[=:]\s*(?:(?:bearer|basic)\s+)?[\"']?)"
    r"[^\s&\"',;]+"
)
_KNOWN: set[str] = set()


def keep_secret(value: str) -> None:
    """Lets no message contain a value from now on."""
    if len(value) >= _SHORTEST_SECRET:
        _KNOWN.update((value, quote(value, safe=""), quote_plus(value)))


def foreign(value: object, limit: int = FOREIGN_CHARACTERS) -> str:
    r"""Returns a foreign value for a message: on one line, in printable characters, short, without secrets.

    >>> foreign("a\x1b[2Jb\nc")
    'a\\x1b[2Jb c'
    >>> foreign("0123456789", limit=4)
    '0123... (10 characters)'
    """
    text = str(value)
    line = printable(" ".join(without_secrets(text).split()))
    return line if len(line) <= limit else f"{line[:limit]}... ({len(text)} characters)"


def message(text: str, limit: int | None = _MESSAGE_CHARACTERS) -> str:
    """Returns a whole message as it may be written. Its lines stay."""
    lines = "\n".join(printable(line) for line in without_secrets(text).splitlines())
    return lines if limit is None or len(lines) <= limit else f"{lines[:limit]}... ({len(text)} characters)"


def printable(text: str) -> str:
    r"""Returns a text whose unprintable characters are escaped: controls, lone surrogates, marks of direction.

    >>> printable("x\u202ey\ud800")
    'x\\u202ey\\ud800'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def without_secrets(text: str) -> str:
    """Returns a text without the secrets that we know, and without values that a name or an address shows as secret.

    >>> without_secrets("https://me:word@host/x?apiKey=abc&b=1")
    'https://***@host/x?apiKey=***&b=1'
    """
    for secret in sorted({*_KNOWN, *_secrets_of_environment()}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _NAMED.sub(rf"\1{HIDDEN}", _IN_ADDRESS.sub(HIDDEN, text))


def _secrets_of_environment() -> list[str]:
    # The address of a file with a secret is none. `Path.exists` raises for a secret that is too long for a path.
    named = [
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST_SECRET and _SECRET_VARIABLE.search(name) and not os.path.exists(value)  # noqa: PTH110
    ]
    return [*named, *_secrets_of_proxies()]


def _secrets_of_proxies() -> list[str]:
    """Returns the password of each proxy as the variable has it, and as it is sent, with the user's name."""
    secrets = []
    for name, value in os.environ.items():
        if not name.lower().endswith("_proxy") or "@" not in value:
            continue
        user, _, password = value.rpartition("@")[0].rpartition("://")[2].partition(":")
        secret = password or user
        sent = f"{unquote(user)}:{unquote(password)}"
        secrets += [secret, unquote(secret), b64encode(sent.encode()).decode()]
    return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
