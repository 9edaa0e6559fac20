"""Which proxy a request to an archive or an exchange goes through. This rule is the same for listing, pull and delta.

`HTTP_PROXY` and `HTTPS_PROXY` name the proxy for addresses of their scheme, and `NO_PROXY` lists the hosts that are
reached without one; a name in small letters has priority. An address of this machine never goes through a proxy.
Libraries and programs read these variables each in its own way, and `requests` would also read `.netrc`. So we give
them the proxy, and let none of them look.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from crypto_lakehouse.errors import InvalidRequest

_SCHEMES = ("http", "https")
_PORTS = {"http": 80, "https": 443}
_ADVICE = "Set it to http://host:port, or remove it"


def proxy_for(url: str) -> str | None:
    """Returns the address of the proxy for a URL, or None where it is reached directly.

    Raises:
        InvalidRequest: The variable has no address of an HTTP proxy. Its value is not repeated: it may have a password.
    """
    address = urlsplit(url)
    variables = getproxies_environment()
    proxy = variables.get(address.scheme)
    if not proxy or _is_direct(
        address.hostname or "", address.port or _PORTS.get(address.scheme, 0), variables.get("no", "")
    ):
        return None
    return _checked(proxy if "://" in proxy else f"http://{proxy}", f"{address.scheme.upper()}_PROXY")


def credentials_of(proxy: str) -> str | None:
    """Returns `user:password` of a proxy's address, or None where it has none.

    >>> credentials_of("http://me:a%40b@proxy:3128")
    'me:a@b'
    """
    address = urlsplit(proxy)
    return None if address.username is None else f"{unquote(address.username)}:{unquote(address.password or '')}"


def with_proxy(environment: Mapping[str, str], url: str) -> dict[str, str]:
    """Returns the environment of a program that requests a URL: it uses the proxy of the URL, or none.

    Raises:
        InvalidRequest: The variable has no address of an HTTP proxy.
    """
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    proxy = proxy_for(url)
    return {**kept, f"{urlsplit(url).scheme.upper()}_PROXY": proxy} if proxy else kept


def _checked(proxy: str, variable: str) -> str:
    try:
        address = urlsplit(proxy)
        is_usable = address.scheme in _SCHEMES and bool(address.hostname) and address.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise InvalidRequest(f"{variable} has no address of an HTTP proxy", _ADVICE)
    return proxy


def _is_direct(host: str, port: int, no_proxy: str) -> bool:
    number = _number(host)
    if host == "localhost" or host.endswith(".localhost") or (number is not None and number.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), host, port) for entry in no_proxy.split(","))


def _matches(entry: str, host: str, port: int) -> bool:
    """Returns whether an entry is `*`, the host or a domain above it, its number, or a network that contains it."""
    if not entry or entry == "*":
        return bool(entry)
    number = _number(host)
    if number is not None:
        try:
            return number in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal():
        entry = name if int(wanted) == port else ""
    domain = entry.strip("[]").removeprefix("*").removeprefix(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
